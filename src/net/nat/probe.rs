//! Asks peers to try our addresses (AutoNAT v2), again and again.
//!
//! The crate's client tries an address once and never again, and remembers it for ever (trap 12). This one begins
//! anew when it is told to: with a new client, which knows only of connections made from then on; those that were
//! there before go on without it. And it asks over every direct connection, whoever has dialled it: the first node
//! of a network is dialled by others only.

use std::collections::{HashMap, HashSet};
use std::task::{Context, Poll};

use libp2p::autonat::v2::client::{Behaviour as Client, Config, Event};
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::handler::ConnectionHandlerSelect;
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionId, FromSwarm, NetworkBehaviour, NewExternalAddrCandidate, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
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
}

impl Behaviour {
    pub(in crate::net) fn new(least: Scope) -> Self {
        Self { client: client(), least, known: HashMap::new(), given: HashSet::new(), asked: HashMap::new() }
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
            }
            FromSwarm::ConnectionClosed(closed) => {
                if closed.remaining_established == 0 {
                    self.asked.remove(&closed.peer_id);
                }
                if self.known.remove(&closed.connection_id).is_none() {
                    return;
                }
            }
            _ => {}
        }
        self.client.on_swarm_event(event);
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        let Some(can_tell) = self.known.get(&id) else { return };
        let event = match event {
            // That he offers to try addresses is all that this half ever tells unasked.
            Either::Left(_) if !can_tell => return,
            Either::Left(event) | Either::Right(event) => event,
        };
        contained(|| self.client.on_connection_handler_event(peer, id, event));
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        let next = self.client.poll(cx);
        if let Poll::Ready(ToSwarm::NotifyHandler { peer_id, .. }) = &next {
            self.asked.insert(*peer_id, Instant::now());
        }
        // The half that asks is the only one that is told anything.
        next.map(|action| action.map_in(Either::Left))
    }
}
