//! What stands between the swarm and libp2p's behaviours that act on the word of a peer.
//!
//! - Their dials go to addresses that a peer has named: each is registered, so that the limits judge it (NET-66).
//! - They take every address under which a peer claims to see us, from identify: here they are given only those that
//!   we have chosen.
//! - Some panic when a peer's messages come at a moment they did not think of (a relay that grants a reservation
//!   just when we give it up, a reservation renewed at the moment it ends). Such a message is ignored instead. (What
//!   makes a handler panic, as a reservation until the end of the world, costs its connection: `net::contained`.)
//! - The one that tries the addresses of others for them (AutoNAT v2) serves those only who have dialled it. Here it serves on connections of
//!   our own, too: a node that others only dial has nobody else to ask. And it takes a dial that we have denied, or had no way
//!   for, for one that has failed: here the peer is told that we could not try, and not that he was not reached (NET-66).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use libp2p::autonat::v2::server::Behaviour as Server;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, DialError, DialFailure, FromSwarm, NetworkBehaviour, NewExternalAddrCandidate,
    THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use crate::net::addresses::is_circuit;
use crate::net::lock;

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
    #[cfg(test)]
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
}

impl<B: NetworkBehaviour> Guarded<B> {
    /// One that dials nobody on the word of a peer.
    pub(in crate::net) const fn new(inner: B) -> Self {
        Self { inner, told: None, serves: false }
    }

    /// One whose dials are such.
    pub(in crate::net) const fn dialling(inner: B, told: Told, purpose: Purpose) -> Self {
        Self { inner, told: Some((told, purpose)), serves: false }
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

impl<B: NetworkBehaviour> NetworkBehaviour for Guarded<B> {
    type ConnectionHandler = B::ConnectionHandler;
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
        self.inner.handle_established_inbound_connection(id, peer, local, remote)
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
        self.inner.handle_established_outbound_connection(id, peer, addr, role, port_use)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::DialFailure(DialFailure { peer_id: Some(peer), connection_id: id, error }) = event
            && self.serves
            && is_ours(error, has_way)
        {
            // The crate gives its task away with the handler of the connection; dropped, that says that there was an error of ours.
            let (addr, role, port_use) = (Multiaddr::empty(), Endpoint::Dialer, PortUse::Reuse);
            let task = self.inner.handle_established_outbound_connection(id, peer, &addr, role, port_use);
            return drop(task);
        }
        if !matches!(event, FromSwarm::NewExternalAddrCandidate(_)) {
            contained(|| self.inner.on_swarm_event(event));
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        contained(|| self.inner.on_connection_handler_event(peer, id, event));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        let next = self.inner.poll(cx);
        if let (Poll::Ready(ToSwarm::Dial { opts }), Some((told, purpose))) = (&next, &self.told) {
            told.note(opts.connection_id(), *purpose);
        }
        next
    }
}

/// Whether a dial failed for a reason that says nothing of whoever was dialled: our own bound, or that nothing here leads
/// there (NET-66).
fn is_ours(error: &DialError, has_way: impl Fn(&Multiaddr) -> bool) -> bool {
    match error {
        DialError::Denied { .. } => true,
        DialError::Transport(tried) => !tried.is_empty() && tried.iter().all(|(addr, _)| !has_way(addr)),
        _ => false,
    }
}

/// Whether this machine knows a way to an IP address: one without IPv6 has none to any of that. Nothing is sent.
fn has_way(addr: &Multiaddr) -> bool {
    let ip: IpAddr = match addr.iter().next() {
        Some(Protocol::Ip4(ip)) => ip.into(),
        Some(Protocol::Ip6(ip)) => ip.into(),
        _ => return true,
    };
    let any: IpAddr = if ip.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // Whatever port: a socket for datagrams only looks the way up.
    UdpSocket::bind((any, 0)).and_then(|socket| socket.connect((ip, 1))).is_ok()
}

/// Runs what may panic at the word of a peer; the behaviours look before they change anything.
fn contained(run: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(run)).is_err() {
        tracing::warn!("a message of a peer came at an impossible moment, and is ignored");
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use libp2p::core::transport::TransportError;

    use super::*;

    /// A trial says "not reached" only of an address to which there was a way.
    #[test]
    fn a_dial_that_had_no_way_says_nothing_of_whoever_was_dialled() {
        let [v4, v6]: [Multiaddr; 2] =
            ["/ip4/127.0.0.1/tcp/1".parse().unwrap(), "/ip6/2001:db8::1/udp/1/quic-v1".parse().unwrap()];
        let failed = |addrs: &[&Multiaddr]| {
            let error = || TransportError::Other(io::Error::from(io::ErrorKind::TimedOut));
            DialError::Transport(addrs.iter().map(|addr| ((*addr).clone(), error())).collect())
        };
        let without_v6 = |addr: &Multiaddr| *addr != v6;
        assert!(is_ours(&failed(&[&v6]), without_v6));
        assert!(!is_ours(&failed(&[&v4]), without_v6));
        assert!(!is_ours(&failed(&[&v6, &v4]), without_v6), "one of them was tried");
        assert!(!is_ours(&failed(&[]), without_v6));
        assert!(!is_ours(&DialError::Aborted, without_v6));
        assert!(has_way(&v4));
        // To everybody at once nobody may connect without asking for it.
        assert!(!has_way(&"/ip4/255.255.255.255/tcp/1".parse().unwrap()));
    }
}
