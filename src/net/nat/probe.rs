//! Asks peers to try our addresses (AutoNAT v2), again and again.
//!
//! The crate's client tries an address once and never again, and remembers it for ever (trap 12). This one begins
//! anew when it is told to: with a new client, and new sides of it on all connections that are there. And it asks over every
//! direct connection, whoever has dialled it: the first node of a network is dialled by others only.
//!
//! A question whose connection ends before the answer is never asked again by the crate either. So the second connection
//! with a peer, which is likely to be closed soon (a hole makes two), is not used as long as there are two; and when it
//! happens all the same, everything begins anew.

mod handler;

use std::collections::{HashMap, HashSet, VecDeque};
use std::task::{Context, Poll};

use libp2p::autonat::v2::client::{Behaviour as Client, Config, Event};
use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::behaviour::ConnectionEstablished;
use libp2p::swarm::derive_prelude::Either;
use libp2p::swarm::{
    ConnectionDenied, ConnectionHandler, ConnectionId, FromSwarm, NetworkBehaviour, NewExternalAddrCandidate,
    NotifyHandler, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use rand::rngs::StdRng;
use tokio::time::Instant;

use self::handler::{Both, Handler, Order};
use crate::base::limits::{ADDRESS_TEST_INTERVAL, MAX_ADDRESS_CANDIDATES, TRIAL_WINDOW};
use crate::net::addresses::{Scope, is_circuit, scope};
use crate::net::contained::contained;
use crate::net::span;

/// A connection.
#[derive(Debug)]
struct Known {
    peer: PeerId,
    endpoint: ConnectedPoint,
    /// Whether the peer there may be asked.
    can_tell: bool,
}

/// The behaviour.
pub(in crate::net) struct Behaviour {
    client: Client,
    /// How many clients there were before.
    number: u64,
    /// Who sees us from less far away than this says nothing of our reachability.
    least: Scope,
    known: HashMap<ConnectionId, Known>,
    /// Whose handlers are to be told that there is a new client.
    stale: VecDeque<ConnectionId>,
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
            number: 0,
            least,
            known: HashMap::new(),
            stale: VecDeque::new(),
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
        (self.client, self.number) = (client(), self.number + 1);
        self.given.clear();
        self.held.clear();
        self.open.clear();
        for (id, known) in &self.known {
            self.client.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id: known.peer,
                connection_id: *id,
                endpoint: &known.endpoint,
                failed_addresses: &[],
                other_established: 0,
            }));
        }
        self.stale = self.known.keys().copied().collect();
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

    #[cfg(test)]
    pub(in crate::net) fn count(&self) -> usize {
        self.known.len() + self.asked.len() + self.doubles.len() + self.held.len() + self.open.len()
    }

    /// Both sides on every connection.
    fn sides(&mut self, id: ConnectionId, peer: PeerId, addr: &Multiaddr) -> Result<Both, ConnectionDenied> {
        let asks =
            self.client.handle_established_outbound_connection(id, peer, addr, Endpoint::Dialer, PortUse::Reuse)?;
        let answers = self.client.handle_established_inbound_connection(id, peer, addr, addr)?;
        Ok(asks.select(answers))
    }

    fn handler(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.sides(id, peer, addr)?, self.number))
    }

    /// The next handler that is to begin anew.
    fn renew(&mut self) -> Option<ToSwarm<Event, Order>> {
        while let Some(id) = self.stale.pop_front() {
            let Some(Known { peer, endpoint, .. }) = self.known.get(&id) else { continue };
            let (peer_id, addr) = (*peer, endpoint.get_remote_address().clone());
            if let Ok(sides) = self.sides(id, peer_id, &addr) {
                let event = Order::Renew(Box::new(sides), self.number);
                return Some(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::One(id), event });
            }
        }
        None
    }
}

fn client() -> Client {
    let config =
        Config::default().with_probe_interval(span(ADDRESS_TEST_INTERVAL)).with_max_candidates(MAX_ADDRESS_CANDIDATES);
    Client::new(rand::make_rng::<StdRng>(), config)
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
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
                let (peer, endpoint) = (made.peer_id, made.endpoint.clone());
                self.known.insert(made.connection_id, Known { peer, endpoint, can_tell });
                if made.other_established > 0 {
                    self.doubles.insert(made.connection_id);
                }
            }
            FromSwarm::ConnectionClosed(closed) => {
                if closed.remaining_established == 0 {
                    self.asked.remove(&closed.peer_id);
                }
                self.known.remove(&closed.connection_id);
            }
            _ => {}
        }
        self.client.on_swarm_event(event);
        if let FromSwarm::ConnectionClosed(closed) = event {
            self.closed(closed.connection_id, closed.peer_id, closed.remaining_established);
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        let (number, event) = event;
        let Some(known) = self.known.get(&id).filter(|_| number == self.number) else { return };
        let event = match event {
            // That he offers to try addresses is all that this half ever tells unasked.
            Either::Left(_) if !known.can_tell => return,
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
        if let Some(order) = self.renew() {
            return Poll::Ready(order);
        }
        let next = self.client.poll(cx);
        if let Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, .. }) = &next {
            self.asked.insert(*peer_id, Instant::now());
            if let NotifyHandler::One(id) = handler {
                *self.open.entry(*id).or_default() += 1;
            }
        }
        // The half that asks is the only one that is told anything.
        next.map(|action| action.map_in(|question| Order::Ask(Either::Left(question))))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::StreamExt as _;
    use libp2p::swarm::SwarmEvent;
    use libp2p::{Swarm, identify};

    use super::super::guard::{Guarded, Told};
    use super::*;
    use crate::net::classes::Classes;
    use crate::net::handshakes::Entrances;
    use crate::net::transport;

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
        assert!(probe.given.is_empty());
        probe.candidate(&addr(1_000));
        assert!(probe.given.contains(&addr(1_000)));
    }
    #[derive(NetworkBehaviour)]
    struct One<B: NetworkBehaviour> {
        tried: B,
        identify: identify::Behaviour,
    }

    fn swarm<B: NetworkBehaviour>(tried: B) -> Swarm<One<B>> {
        let keys = libp2p::identity::Keypair::generate_ed25519();
        let identify = identify::Behaviour::new(identify::Config::new("/test".into(), keys.public()));
        let transport = transport::build(&keys, &Classes::default(), None, &Entrances::default()).unwrap();
        let config = libp2p::swarm::Config::with_tokio_executor();
        let me = keys.public().to_peer_id();
        let mut swarm = Swarm::new(transport, One { tried, identify }, me, config);
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().unwrap()).unwrap();
        swarm
    }

    async fn address<B: NetworkBehaviour>(swarm: &mut Swarm<One<B>>) -> Multiaddr {
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                return address;
            }
        }
    }

    /// NET-73: who is connected is asked again, over the connection that there is.
    #[tokio::test]
    async fn what_was_tried_is_tried_again_over_the_same_connection() {
        let mut server = swarm(Guarded::serving(Told::default()));
        let place = address(&mut server).await;
        tokio::spawn(async move {
            loop {
                server.select_next_some().await;
            }
        });
        let mut node = swarm(Behaviour::new(Scope::Machine));
        let own = address(&mut node).await;
        node.dial(place).unwrap();
        let mut dialled = 0;
        for _ in 0..2 {
            node.behaviour_mut().tried.candidate(&own);
            loop {
                let next = tokio::time::timeout(Duration::from_secs(60), node.select_next_some());
                match next.await.expect("nothing is tried") {
                    SwarmEvent::ConnectionEstablished { endpoint, .. } => dialled += u32::from(endpoint.is_dialer()),
                    SwarmEvent::Behaviour(OneEvent::Tried(Event { tested_addr, result, .. })) => {
                        assert_eq!((tested_addr, result.is_ok()), (own.clone(), true));
                        break;
                    }
                    _ => {}
                }
            }
            node.behaviour_mut().tried.again();
        }
        assert_eq!(dialled, 1);
    }
}
