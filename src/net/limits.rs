//! Which connections are had at all (NET-4): bounds in all, per peer, per IP address and network, and for strangers.
//!
//! Contacts are not bound per IP address, and strangers leave room for them. When the places of strangers are taken, an idle
//! one makes room (NET-90); `activity` knows who is idle, `room` chooses. Whoever comes through a relay has no
//! address but the relay's: circuits have bounds of their own (NET-65). Dials to addresses that a peer has
//! named are judged here, too (NET-66). The crate `libp2p-connection-limits` knows neither addresses nor contacts,
//! and keeps an entry for every peer it has ever seen.

pub(super) mod activity;
mod room;

use std::collections::{HashMap, HashSet, VecDeque};
use std::convert::Infallible;
use std::task::{Context, Poll};

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use tokio::time::Instant;

use self::activity::Activity;
use self::room::Seat;
use super::addresses::{self, Scope};
use super::classes::Classes;
use super::nat::guard::{Purpose, Told};
use super::origin::{Network, Origin};
use super::rates::Meter;
use super::{from_libp2p, span};
use crate::base::limits::{
    MAX_CONNECTIONS, MAX_CONNECTIONS_PER_IP, MAX_CONNECTIONS_PER_NETWORK, MAX_CONNECTIONS_PER_PEER,
    MAX_INBOUND_CIRCUITS, MAX_INBOUND_CONNECTIONS, MAX_LEAVING, MAX_PENDING_CONNECTIONS, MAX_PENDING_PER_IP,
    MAX_SERVED_STRANGERS, MAX_STRANGER_CIRCUITS, MAX_STRANGER_CIRCUITS_PER_RELAY, MAX_STRANGER_CONNECTIONS,
    MAX_TOLD_DIALS, STRANGER_CIRCUIT_BURST, STRANGER_CIRCUIT_INTERVAL, TOLD_DIAL_BURST, TOLD_DIAL_INTERVAL,
};
use crate::envelope::border::Class;

/// Why a connection was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    #[error("too many connections are being set up")]
    Pending,
    #[error("too many connections")]
    Total,
    #[error("too many inbound connections")]
    Inbound,
    #[error("too many connections with peers who are no contacts")]
    Strangers,
    #[error("too many connections with this peer")]
    Peer,
    #[error("too many connections from this IP address")]
    Ip,
    #[error("too many connections from this network")]
    Network,
    #[error("the key of this peer is not of the kind we use")]
    KeyType,
    #[error("too many connections through relays")]
    Circuits,
    #[error("this peer is not dialled at addresses like these on his word")]
    Told,
}

/// Of an inbound connection. One through a relay has no address of its own: the relay's is at our end of it.
fn origin(local: &Multiaddr, remote: &Multiaddr) -> Option<Origin> {
    Origin::of(if addresses::is_circuit(local) { local } else { remote })
}

#[derive(Clone, Debug)]
struct Established {
    peer: PeerId,
    inbound: bool,
    /// Of a circuit, the relay's.
    origin: Option<Origin>,
    circuit: bool,
    /// The /24 or /48 around its origin; none of a circuit.
    network: Option<Network>,
    /// It was made to tell the peer that he can be reached, and for nothing else.
    trial: bool,
    /// It makes room for another.
    leaving: bool,
}

/// The network of an inbound connection that goes straight.
fn network(local: &Multiaddr, remote: &Multiaddr) -> Option<Network> {
    origin(local, remote).filter(|_| !addresses::is_circuit(local)).map(Origin::network)
}

/// The behaviour that denies. First in the list of behaviours, so that the others never hear of a
/// connection that is denied.
pub(super) struct Behaviour {
    classes: Classes,
    pending_in: HashMap<ConnectionId, Option<Origin>>,
    pending_out: HashSet<ConnectionId>,
    established: HashMap<ConnectionId, Established>,
    /// The dials to addresses that a peer has named.
    told: Told,
    /// Such addresses of strangers are dialled when they reach at least so far.
    scope: Scope,
    told_dials: Meter,
    stranger_circuits: Meter,
    activity: Activity,
    /// Whether our user has said that we are here for others.
    offers: bool,
    /// Whether we hold records of the DHT for others.
    server: bool,
    #[cfg(test)]
    strangers: Option<usize>,
    /// Connected peers whose connections we need.
    needed: HashSet<PeerId>,
    /// Connected peers for whom our relay holds a place, or carries something.
    relayed: HashSet<PeerId>,
    /// Connections to be closed, so that others have their places.
    closing: VecDeque<(PeerId, ConnectionId)>,
}

impl Behaviour {
    /// `offers`: whether our user has said that we are here for others.
    pub(super) fn new(classes: Classes, told: Told, scope: Scope, activity: Activity, offers: bool) -> Self {
        Self {
            activity,
            offers,
            server: false,
            #[cfg(test)]
            strangers: None,
            needed: HashSet::new(),
            relayed: HashSet::new(),
            closing: VecDeque::new(),
            classes,
            pending_in: HashMap::new(),
            pending_out: HashSet::new(),
            established: HashMap::new(),
            told,
            scope,
            told_dials: Meter::new(TOLD_DIAL_BURST, span(TOLD_DIAL_INTERVAL)),
            stranger_circuits: Meter::new(STRANGER_CIRCUIT_BURST, span(STRANGER_CIRCUIT_INTERVAL)),
        }
    }

    /// With so many places for strangers.
    #[cfg(test)]
    pub(super) fn with_places(self, strangers: Option<usize>) -> Self {
        Self { strangers, ..self }
    }

    /// Whether this connection was made to tell the peer that he can be reached.
    pub(super) fn is_trial(&self, id: ConnectionId) -> bool {
        self.established.get(&id).is_some_and(|connection| connection.trial)
    }

    /// Whether we hold records of the DHT for others: then there are more places for them.
    pub(super) const fn set_server(&mut self, server: bool) {
        self.server = server;
    }

    /// Says whether we need the connections with this connected peer.
    pub(super) fn need(&mut self, peer: PeerId, needed: bool) {
        let needed = needed && self.is_connected(&peer);
        set(&mut self.needed, peer, needed);
    }

    /// Says whether our relay does something for this connected peer.
    pub(super) fn relay_for(&mut self, peer: PeerId, relayed: bool) {
        let relayed = relayed && self.is_connected(&peer);
        set(&mut self.relayed, peer, relayed);
    }

    fn is_connected(&self, peer: &PeerId) -> bool {
        self.established.values().any(|connection| connection.peer == *peer)
    }

    /// How many places there are for strangers, and how many more than by itself there are for everybody.
    const fn places(&self) -> (usize, usize) {
        #[cfg(test)]
        if let Some(strangers) = self.strangers {
            return (strangers, 0);
        }
        if self.offers || self.server {
            (MAX_SERVED_STRANGERS, MAX_SERVED_STRANGERS - MAX_STRANGER_CONNECTIONS)
        } else {
            (MAX_STRANGER_CONNECTIONS, 0)
        }
    }

    fn is_contact(&self, peer: &PeerId) -> bool {
        self.classes.of_libp2p(peer) == Class::Contact
    }

    /// Counts over as many entries as there may be connections, rather than keep counters that can go wrong.
    fn count(&self, which: impl Fn(&Established) -> bool) -> usize {
        self.established.values().filter(|connection| which(connection)).count()
    }

    fn check_pending_in(&mut self, id: ConnectionId, local: &Multiaddr, remote: &Multiaddr) -> Result<(), Denied> {
        let origin = origin(local, remote);
        if self.pending_in.len() >= MAX_PENDING_CONNECTIONS as usize {
            return Err(Denied::Pending);
        }
        if origin.is_some() && self.pending_in.values().filter(|other| **other == origin).count() >= MAX_PENDING_PER_IP
        {
            return Err(Denied::Ip);
        }
        self.pending_in.insert(id, origin);
        Ok(())
    }

    fn check_pending_out(&mut self, id: ConnectionId, peer: Option<PeerId>, addrs: &[Multiaddr]) -> Result<(), Denied> {
        if self.pending_out.len() >= MAX_PENDING_CONNECTIONS as usize {
            return Err(Denied::Pending);
        }
        if self.told.purpose(id).is_some() {
            self.check_told(peer, addrs)?;
        }
        self.pending_out.insert(id);
        Ok(())
    }

    /// NET-66: the word of a peer leads to no machine that he could not reach himself.
    fn check_told(&mut self, peer: Option<PeerId>, addrs: &[Multiaddr]) -> Result<(), Denied> {
        if self.told.count() > MAX_TOLD_DIALS || !self.told_dials.take() {
            return Err(Denied::Pending);
        }
        let peer = peer.ok_or(Denied::Told)?;
        if self.is_contact(&peer) {
            return Ok(());
        }
        let his = |origin: Origin| {
            let mut direct = self.established.values().filter(|other| other.peer == peer && !other.circuit);
            direct.any(|other| other.origin == Some(origin))
        };
        // A name, or a relay, may lead anywhere.
        let good = |addr: &Multiaddr| {
            let origin = Origin::of(addr).filter(|_| !addresses::is_circuit(addr));
            origin.is_some_and(|origin| addresses::scope(addr) >= self.scope || his(origin))
        };
        if addrs.iter().all(good) { Ok(()) } else { Err(Denied::Told) }
    }

    /// NET-65.
    fn check_circuit(&mut self, peer: &PeerId, relay: Option<Origin>) -> Result<(), Denied> {
        if self.count(|other| other.inbound && other.circuit) >= MAX_INBOUND_CIRCUITS {
            return Err(Denied::Circuits);
        }
        if self.is_contact(peer) {
            return Ok(());
        }
        let strangers = |other: &Established| other.inbound && other.circuit && !self.is_contact(&other.peer);
        let of_relay = |other: &Established| strangers(other) && other.origin == relay;
        if self.count(strangers) >= MAX_STRANGER_CIRCUITS
            || self.count(of_relay) >= MAX_STRANGER_CIRCUITS_PER_RELAY
            || !self.stranger_circuits.take()
        {
            return Err(Denied::Circuits);
        }
        Ok(())
    }

    /// NET-2, NET-4.
    fn check_any(&self, peer: &PeerId) -> Result<(), Denied> {
        if from_libp2p(peer).is_none() {
            return Err(Denied::KeyType);
        }
        if self.established.len() >= MAX_CONNECTIONS as usize + self.places().1 {
            return Err(Denied::Total);
        }
        if self.count(|other| other.peer == *peer) >= MAX_CONNECTIONS_PER_PEER as usize {
            return Err(Denied::Peer);
        }
        Ok(())
    }

    fn check_inbound(
        &mut self,
        id: ConnectionId,
        peer: &PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), Denied> {
        self.pending_in.remove(&id);
        self.check_any(peer)?;
        if self.count(|other| other.inbound) >= MAX_INBOUND_CONNECTIONS as usize + self.places().1 {
            return Err(Denied::Inbound);
        }
        let (origin, circuit) = (origin(local, remote), addresses::is_circuit(local));
        if circuit {
            self.check_circuit(peer, origin)?;
        }
        if self.is_contact(peer) {
            return Ok(());
        }
        let alike = |other: &Established| other.inbound && other.origin == origin && other.circuit == circuit;
        if origin.is_some() && self.count(alike) >= MAX_CONNECTIONS_PER_IP as usize {
            return Err(Denied::Ip);
        }
        let network = network(local, remote);
        let near = |other: &Established| other.inbound && other.network == network;
        // Within a site all are of few networks.
        let public = network.is_some() && addresses::scope(remote) == Scope::Global;
        if public && self.count(near) >= MAX_CONNECTIONS_PER_NETWORK {
            return Err(Denied::Network);
        }
        self.make_room(network)
    }

    /// NET-90: when the places of strangers are taken, one who is idle goes. Asked last, because it asks for the class of
    /// everybody.
    fn make_room(&mut self, newcomer: Option<Network>) -> Result<(), Denied> {
        let strangers = self.established.iter().filter(|(_, other)| other.inbound && !self.is_contact(&other.peer));
        let (leaving, staying): (Vec<_>, Vec<_>) = strangers.partition(|(_, other)| other.leaving);
        if staying.len() < self.places().0 {
            return Ok(());
        }
        // Who leaves takes his time, and contacts' room meanwhile.
        if leaving.len() >= MAX_LEAVING {
            return Err(Denied::Strangers);
        }
        let seat = |(id, other): &(&ConnectionId, &Established)| Seat {
            id: **id,
            network: other.network,
            idle_since: if self.is_spared(other) { None } else { self.activity.idle_since(**id) },
        };
        let seats: Vec<_> = staying.iter().map(seat).collect();
        let out = room::choose(&seats, newcomer, Instant::now()).ok_or(Denied::Strangers)?;
        let leaves = self.established.get_mut(&out).ok_or(Denied::Strangers)?;
        leaves.leaving = true;
        tracing::debug!(connection = %out, "it makes room for another");
        self.closing.push_back((leaves.peer, out));
        Ok(())
    }

    /// Whether a connection stays whatever happens on it.
    fn is_spared(&self, connection: &Established) -> bool {
        let peer = &connection.peer;
        connection.circuit || self.needed.contains(peer) || self.relayed.contains(peer)
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        id: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.check_pending_in(id, local, remote).map_err(ConnectionDenied::new)
    }

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check_inbound(id, &peer, local, remote).map(|()| dummy::ConnectionHandler).map_err(ConnectionDenied::new)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: Option<PeerId>,
        addrs: &[Multiaddr],
        _: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.check_pending_out(id, peer, addrs).map(|()| Vec::new()).map_err(ConnectionDenied::new)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.pending_out.remove(&id);
        self.check_any(&peer).map(|()| dummy::ConnectionHandler).map_err(ConnectionDenied::new)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                let (origin, network) = match event.endpoint {
                    ConnectedPoint::Dialer { address, .. } => (Origin::of(address), None),
                    ConnectedPoint::Listener { local_addr, send_back_addr } => {
                        (origin(local_addr, send_back_addr), network(local_addr, send_back_addr))
                    }
                };
                let established = Established {
                    peer: event.peer_id,
                    inbound: event.endpoint.is_listener(),
                    origin,
                    network,
                    leaving: false,
                    circuit: event.endpoint.is_relayed(),
                    trial: self.told.purpose(event.connection_id) == Some(Purpose::Trial),
                };
                self.told.done(event.connection_id);
                self.activity.opened(event.connection_id);
                self.established.insert(event.connection_id, established);
            }
            FromSwarm::ConnectionClosed(event) => {
                self.established.remove(&event.connection_id);
                self.activity.closed(event.connection_id);
                if !self.is_connected(&event.peer_id) {
                    self.needed.remove(&event.peer_id);
                    self.relayed.remove(&event.peer_id);
                }
            }
            FromSwarm::DialFailure(event) => {
                self.pending_out.remove(&event.connection_id);
                self.told.done(event.connection_id);
            }
            FromSwarm::ListenFailure(event) => {
                self.pending_in.remove(&event.connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.closing.pop_front().map_or(Poll::Pending, |(peer_id, id)| {
            Poll::Ready(ToSwarm::CloseConnection { peer_id, connection: CloseConnection::One(id) })
        })
    }
}

fn set(peers: &mut HashSet<PeerId>, peer: PeerId, wanted: bool) {
    if wanted {
        peers.insert(peer);
    } else {
        peers.remove(&peer);
    }
}

#[cfg(test)]
mod tests;
