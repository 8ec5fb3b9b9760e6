//! What stands between the swarm and libp2p's behaviours that act on the word of a peer.
//!
//! - Their dials go to addresses that a peer has named: each is registered, so that the limits judge it (NET-66).
//! - They take every address under which a peer claims to see us, from identify: here they are given only those that
//!   we have chosen.
//! - Some panic when a peer's messages come at a moment they did not think of (a relay that grants a reservation
//!   just when we give it up, a reservation renewed at the moment it ends), or say what they did not think of (a
//!   reservation until the end of the world). Such a message is ignored instead, or costs its connection.
//! - The one that tries the addresses of others for them (AutoNAT v2) serves those only who have dialled it. Here it serves on connections of
//!   our own, too: a node that others only dial has nobody else to ask.

use std::collections::{HashMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use libp2p::autonat::v2::server::Behaviour as Server;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::handler::ConnectionHandlerEvent;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionHandler, ConnectionId, FromSwarm, NetworkBehaviour,
    NewExternalAddrCandidate, SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use crate::net::addresses::is_circuit;
use crate::net::{HandlerInput, HandlerOutput, lock};

/// Why a dial goes to an address that a peer has named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Purpose {
    /// To meet him in the middle of two routers.
    Punch,
    /// To tell him whether he can be reached there.
    Trial,
}

/// The dials that go to such addresses and are under way.
#[derive(Clone, Debug, Default)]
pub(in crate::net) struct Told(Arc<Mutex<HashMap<ConnectionId, Purpose>>>);

impl Told {
    /// Notes one. The limits are asked about it at once, and forget it when they refuse it.
    pub(in crate::net) fn note(&self, id: ConnectionId, purpose: Purpose) {
        lock(&self.0).insert(id, purpose);
    }

    /// How many there are.
    pub(in crate::net) fn count(&self) -> usize {
        lock(&self.0).len()
    }

    /// Whether this dial is one of them.
    pub(in crate::net) fn purpose(&self, id: ConnectionId) -> Option<Purpose> {
        lock(&self.0).get(&id).copied()
    }

    /// It has succeeded or failed.
    pub(in crate::net) fn done(&self, id: ConnectionId) {
        lock(&self.0).remove(&id);
    }
}

/// A behaviour, guarded. None of them has a say in connections that are not established.
pub(in crate::net) struct Guarded<B> {
    inner: B,
    told: Option<(Told, Purpose)>,
    /// Whether it serves on every connection that goes straight, but those of its own dials, whoever made it.
    serves: bool,
    /// Connections whose handler has panicked.
    broken: VecDeque<(PeerId, ConnectionId)>,
}

impl<B: NetworkBehaviour> Guarded<B> {
    /// One that dials nobody on the word of a peer.
    pub(in crate::net) const fn new(inner: B) -> Self {
        Self { inner, told: None, serves: false, broken: VecDeque::new() }
    }

    /// One whose dials are such.
    pub(in crate::net) const fn dialling(inner: B, told: Told, purpose: Purpose) -> Self {
        Self { inner, told: Some((told, purpose)), serves: false, broken: VecDeque::new() }
    }

    pub(in crate::net) const fn inner(&mut self) -> &mut B {
        &mut self.inner
    }

    /// Gives it an address of ours.
    pub(in crate::net) fn candidate(&mut self, addr: &Multiaddr) {
        self.inner.on_swarm_event(FromSwarm::NewExternalAddrCandidate(NewExternalAddrCandidate { addr }));
    }
}

impl Guarded<Server> {
    /// One that tries addresses. It dials nowhere without the consent of the limits (NET-66).
    pub(in crate::net) fn serving(told: Told) -> Self {
        Self { serves: true, ..Self::dialling(Server::default(), told, Purpose::Trial) }
    }
}

/// Runs what may panic at the word of a peer; the behaviours look before they change anything.
pub(super) fn contained(run: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(run)).is_err() {
        tracing::warn!("a message of a peer came at an impossible moment, and is ignored");
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Guarded<B> {
    type ConnectionHandler = Watched<B::ConnectionHandler>;
    type ToSwarm = B::ToSwarm;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if self.serves && is_circuit(local) {
            // The handler of its own dials serves nobody: who comes through a relay has no address to be tried.
            let (role, port_use) = (Endpoint::Dialer, PortUse::Reuse);
            return self.handle_established_outbound_connection(id, peer, local, role, port_use);
        }
        self.inner.handle_established_inbound_connection(id, peer, local, remote).map(Watched::new)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
        role: Endpoint,
        port_use: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let own = self.told.as_ref().is_some_and(|(told, purpose)| told.purpose(id) == Some(*purpose));
        if self.serves && !own && !is_circuit(addr) {
            return self.handle_established_inbound_connection(id, peer, addr, addr);
        }
        self.inner.handle_established_outbound_connection(id, peer, addr, role, port_use).map(Watched::new)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if !matches!(event, FromSwarm::NewExternalAddrCandidate(_)) {
            contained(|| self.inner.on_swarm_event(event));
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {
            Some(event) => contained(|| self.inner.on_connection_handler_event(peer, id, event)),
            None => self.broken.push_back((peer, id)),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some((peer_id, id)) = self.broken.pop_front() {
            return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(id) });
        }
        let next = self.inner.poll(cx);
        if let (Poll::Ready(ToSwarm::Dial { opts }), Some((told, purpose))) = (&next, &self.told) {
            told.note(opts.connection_id(), *purpose);
        }
        next
    }
}

/// The handler of a guarded behaviour; the last that it tells is that it has panicked (`None`). Its panic would end the task of
/// the connection, of which the swarm would never hear.
pub(in crate::net) struct Watched<H> {
    inner: H,
    broken: bool,
    /// The behaviour knows it.
    told: bool,
}

impl<H> Watched<H> {
    const fn new(inner: H) -> Self {
        Self { inner, broken: false, told: false }
    }

    fn attempt<T>(&mut self, run: impl FnOnce(&mut H) -> T) -> Option<T> {
        if self.broken {
            return None;
        }
        let done = catch_unwind(AssertUnwindSafe(|| run(&mut self.inner)));
        self.broken = done.is_err();
        done.ok()
    }
}

impl<H: ConnectionHandler> ConnectionHandler for Watched<H> {
    type FromBehaviour = H::FromBehaviour;
    type ToBehaviour = Option<H::ToBehaviour>;
    type InboundProtocol = H::InboundProtocol;
    type OutboundProtocol = H::OutboundProtocol;
    type InboundOpenInfo = H::InboundOpenInfo;
    type OutboundOpenInfo = H::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        self.inner.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        !self.broken && self.inner.connection_keep_alive()
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<HandlerOutput<Self>> {
        match self.attempt(|inner| inner.poll(cx)) {
            Some(next) => next.map(|event| event.map_custom(Some)),
            None if self.told => Poll::Pending,
            None => {
                self.told = true;
                tracing::warn!("a peer says what cannot be; the connection is closed");
                Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(None))
            }
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        let next = self.attempt(|inner| inner.poll_close(cx)).unwrap_or(Poll::Ready(None));
        next.map(|event| event.map(Some))
    }

    fn on_behaviour_event(&mut self, event: Self::FromBehaviour) {
        // A break is told at the next poll, which follows.
        self.attempt(|inner| inner.on_behaviour_event(event));
    }

    fn on_connection_event(&mut self, event: HandlerInput<'_, Self>) {
        self.attempt(|inner| inner.on_connection_event(event));
    }
}
