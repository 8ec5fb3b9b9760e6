//! Asks peers to try our addresses (AutoNAT v2), again and again.
//!
//! The crate's client tries an address once and never again, and remembers it for ever (trap 12). This one begins
//! anew when it is told to: with a new client, which knows only of connections made from then on; those that were
//! there before go on without it. And it asks over every direct connection, whoever has dialled it: the first node
//! of a network is dialled by others only.
//!
//! A question whose connection ends before the answer is never asked again by the crate either. So the second connection
//! with a peer, which is likely to be closed soon (a hole makes two), is not used as long as there are two; and when it
//! happens all the same, everything begins anew.

use std::collections::{HashMap, HashSet};
use std::task::{Context, Poll};

use libp2p::autonat::v2::client::{Behaviour as Client, Config, Event};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::handler::ConnectionHandlerSelect;
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionId, FromSwarm, NetworkBehaviour, NewExternalAddrCandidate,
    NotifyHandler, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use rand::rngs::StdRng;
use tokio::time::Instant;

use super::guard::contained;
use crate::base::limits::{ADDRESS_TEST_INTERVAL, MAX_ADDRESS_CANDIDATES, TRIAL_WINDOW};
use crate::net::addresses::{Scope, is_circuit, scope};
use crate::net::span;

type Half = <Client as NetworkBehaviour>::ConnectionHandler;

/// The behaviour.
pub(in crate::net) struct Behaviour {
    client: Client,
    /// Who sees us from less far away than this says nothing of our reachability.
    least: Scope,
    /// The connections that this client knows of, and whether the peer there may be asked.
    known: HashMap<ConnectionId, bool>,
    /// What it was given.
    given: HashSet<Multiaddr>,
    /// Who was asked, and when last.
    asked: HashMap<PeerId, Instant>,
    /// Connections that are not the only one with the peer.
    doubles: HashSet<ConnectionId>,
    /// What was told on these.
    held: HashMap<ConnectionId, (PeerId, THandlerOutEvent<Client>)>,
    /// Questions without an answer, by connection.
    open: HashMap<ConnectionId, usize>,
}

impl Behaviour {
    pub(in crate::net) fn new(least: Scope) -> Self {
        Self {
            client: client(),
            least,
            known: HashMap::new(),
            given: HashSet::new(),
            asked: HashMap::new(),
            doubles: HashSet::new(),
            held: HashMap::new(),
            open: HashMap::new(),
        }
    }

    /// An address of ours that may be reachable. Each is tried once, until all are tried anew.
    pub(in crate::net) fn candidate(&mut self, addr: &Multiaddr) {
        if self.given.len() < MAX_ADDRESS_CANDIDATES && self.given.insert(addr.clone()) {
            self.client.on_swarm_event(FromSwarm::NewExternalAddrCandidate(NewExternalAddrCandidate { addr }));
        }
    }

    /// Whatever was tried is worth another try.
    pub(in crate::net) fn again(&mut self) {
        (self.client, self.known) = (client(), HashMap::new());
        self.given.clear();
        self.held.clear();
        self.open.clear();
    }

    /// A question was answered, if there was one.
    fn answered(&mut self, id: ConnectionId) {
        if let Some(open) = self.open.get_mut(&id) {
            *open -= 1;
            if *open == 0 {
                self.open.remove(&id);
            }
        }
    }

    /// A connection of which the client knows is gone, and of those with the peer so many are left.
    fn closed(&mut self, id: ConnectionId, peer: PeerId, left: usize) {
        self.doubles.remove(&id);
        self.held.remove(&id);
        if left == 1 {
            let last = self.held.iter().find(|(_, (other, _))| *other == peer).map(|(id, _)| *id);
            if let Some((id, (_, event))) = last.and_then(|id| self.held.remove_entry(&id)) {
                self.doubles.remove(&id);
                contained(|| self.client.on_connection_handler_event(peer, id, event));
            }
        }
        if self.open.remove(&id).is_some() {
            let given = std::mem::take(&mut self.given);
            self.again();
            for addr in &given {
                self.candidate(addr);
            }
        }
    }

    /// Whether this peer is trying an address of ours, so that a connection from him may be just that.
    pub(in crate::net) fn is_asked(&self, peer: &PeerId) -> bool {
        self.asked.get(peer).is_some_and(|at| at.elapsed() < span(TRIAL_WINDOW))
    }

    /// Both halves on every connection: one that asks, one that is asked whether it was us who asked.
    fn handler(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        let asks =
            self.client.handle_established_outbound_connection(id, peer, addr, Endpoint::Dialer, PortUse::Reuse)?;
        let answers = self.client.handle_established_inbound_connection(id, peer, addr, addr)?;
        Ok(asks.select(answers))
    }
}

fn client() -> Client {
    let config =
        Config::default().with_probe_interval(span(ADDRESS_TEST_INTERVAL)).with_max_candidates(MAX_ADDRESS_CANDIDATES);
    Client::new(rand::make_rng::<StdRng>(), config)
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = ConnectionHandlerSelect<Half, Half>;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handler(id, peer, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handler(id, peer, addr)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match &event {
            FromSwarm::NewExternalAddrCandidate(_) => return,
            FromSwarm::ConnectionEstablished(made) => {
                let remote = made.endpoint.get_remote_address();
                let can_tell = !made.endpoint.is_relayed() && !is_circuit(remote) && scope(remote) >= self.least;
                self.known.insert(made.connection_id, can_tell);
                if made.other_established > 0 {
                    self.doubles.insert(made.connection_id);
                }
            }
            FromSwarm::ConnectionClosed(closed) => {
                if closed.remaining_established == 0 {
                    self.asked.remove(&closed.peer_id);
                }
                if self.known.remove(&closed.connection_id).is_none() {
                    self.doubles.remove(&closed.connection_id);
                    return;
                }
            }
            _ => {}
        }
        self.client.on_swarm_event(event);
        if let FromSwarm::ConnectionClosed(closed) = event {
            self.closed(closed.connection_id, closed.peer_id, closed.remaining_established);
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        let Some(can_tell) = self.known.get(&id) else { return };
        let event = match event {
            // That he offers to try addresses is all that this half ever tells unasked.
            Either::Left(_) if !can_tell => return,
            Either::Left(event) if self.doubles.contains(&id) => {
                self.held.insert(id, (peer, event));
                return;
            }
            Either::Left(event) => {
                self.answered(id);
                event
            }
            Either::Right(event) => event,
        };
        contained(|| self.client.on_connection_handler_event(peer, id, event));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        let next = self.client.poll(cx);
        if let Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, .. }) = &next {
            self.asked.insert(*peer_id, Instant::now());
            if let NotifyHandler::One(id) = handler {
                *self.open.entry(*id).or_default() += 1;
            }
        }
        // The half that asks is the only one that is told anything.
        next.map(|action| action.map_in(Either::Left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NET-73: each address is tried once, until all are tried anew; and no more than so many.
    #[test]
    fn what_was_tried_is_tried_again_when_it_is_worth_it() {
        let mut probe = Behaviour::new(Scope::Global);
        let addr = |n: usize| format!("/ip4/203.0.113.{}/tcp/{}", n % 250, 1 + n).parse::<Multiaddr>().unwrap();
        for n in 0..1_000 {
            probe.candidate(&addr(n));
        }
        assert_eq!(probe.given.len(), MAX_ADDRESS_CANDIDATES);
        probe.again();
        assert!(probe.given.is_empty() && probe.known.is_empty());
        probe.candidate(&addr(1_000));
        assert!(probe.given.contains(&addr(1_000)));
    }
}
