//! Which connections are had at all (NET-4): bounds in all, per peer, per IP address and network, and for strangers.
//!
//! Those that are being set up have places of their own (`net::handshakes`).
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
use super::budget::{Budget, Who, room};
use super::classes::Classes;
use super::from_libp2p;
use super::nat::guard::{Purpose, Told};
use super::origin::{Neighbours, Origin};
use crate::base::limits::{
    By, CONNECTIONS, DIALS, INBOUND, INBOUND_CIRCUITS, MAX_CONNECTIONS, MAX_INBOUND_CONNECTIONS, MAX_LEAVING,
    MAX_SERVED_STRANGERS, MAX_STRANGER_CONNECTIONS, TOLD_DIALS,
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

impl Denied {
    /// By what there was no place; `all` if there was none for anybody.
    const fn by(by: By, all: Self) -> Self {
        match by {
            By::All => all,
            By::Peer => Self::Peer,
            By::Address => Self::Ip,
            By::Network => Self::Network,
        }
    }
}

#[derive(Clone, Debug)]
struct Established {
    peer: PeerId,
    inbound: bool,
    /// Of a circuit, the relay's.
    origin: Option<Origin>,
    circuit: bool,
    /// It was made to tell the peer that he can be reached, and for nothing else.
    trial: bool,
    /// It makes room for another.
    leaving: bool,
}

impl Established {
    /// Where it comes from if it goes straight.
    fn address(&self) -> Option<Origin> {
        self.origin.filter(|_| !self.circuit)
    }

    fn neighbours(&self) -> Option<Neighbours> {
        self.address().map(Origin::neighbours)
    }
}

/// The behaviour that denies. First in the list of behaviours, so that the others never hear of a
/// connection that is denied.
pub(super) struct Behaviour {
    classes: Classes,
    dials: Budget<ConnectionId>,
    established: HashMap<ConnectionId, Established>,
    /// The dials to addresses that a peer has named.
    told: Told,
    /// Such addresses of strangers are dialled when they reach at least so far.
    scope: Scope,
    told_dials: Budget,
    circuits: Budget,
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
            dials: Budget::new(DIALS),
            established: HashMap::new(),
            told,
            scope,
            told_dials: Budget::new(TOLD_DIALS),
            circuits: Budget::new(INBOUND_CIRCUITS),
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
        _ = if needed { self.needed.insert(peer) } else { self.needed.remove(&peer) };
    }

    /// Says whether our relay does something for this connected peer.
    pub(super) fn relay_for(&mut self, peer: PeerId, relayed: bool) {
        let relayed = relayed && self.is_connected(&peer);
        _ = if relayed { self.relayed.insert(peer) } else { self.relayed.remove(&peer) };
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

    /// What is counted, each by its name.
    #[cfg(test)]
    pub(super) fn counts(&self) -> Vec<(&'static str, usize)> {
        let dials = self.dials.held().len();
        let noted = self.needed.len() + self.relayed.len() + self.closing.len();
        let established = self.established.len();
        [("dials", dials), ("established", established), ("noted", noted)]
            .into_iter()
            .chain([("told", self.told.count()), ("activity", self.activity.count())])
            .collect()
    }

    fn is_contact(&self, peer: &PeerId) -> bool {
        self.classes.of_libp2p(peer) == Class::Contact
    }

    /// Counts over as many entries as there may be connections, rather than keep counters that can go wrong.
    fn count(&self, which: impl Fn(&Established) -> bool) -> usize {
        self.established.values().filter(|connection| which(connection)).count()
    }

    fn check_pending_out(&mut self, id: ConnectionId, peer: Option<PeerId>, addrs: &[Multiaddr]) -> Result<(), Denied> {
        let who = peer.map(|peer| self.who(&peer)).unwrap_or_default();
        self.dials.room(&who).map_err(|by| Denied::by(by, Denied::Pending))?;
        if self.told.purpose(id).is_some() {
            self.check_told(&who, peer, addrs)?;
        }
        self.dials.hold(id, who);
        Ok(())
    }

    /// A connected peer, with the address at which he is himself.
    fn who(&self, peer: &PeerId) -> Who {
        let mut his = self.established.values().filter(|other| other.peer == *peer);
        Who::new(self.classes.of_libp2p(peer), from_libp2p(peer), his.find_map(Established::address))
    }

    /// NET-66: the word of a peer leads to no machine that he could not reach himself.
    fn check_told(&mut self, who: &Who, peer: Option<PeerId>, addrs: &[Multiaddr]) -> Result<(), Denied> {
        let others = self.dials.held().iter().filter(|(id, _)| self.told.purpose(**id).is_some()).map(|(_, who)| *who);
        if room(TOLD_DIALS, &others, who).is_err() || !self.told_dials.take(who, Instant::now()) {
            return Err(Denied::Pending);
        }
        let peer = peer.ok_or(Denied::Told)?;
        if self.is_contact(&peer) {
            return Ok(());
        }
        let his = |origin: Origin| {
            self.established.values().any(|other| other.peer == peer && other.address() == Some(origin))
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
        let who = |peer: &PeerId, relay| Who::new(self.classes.of_libp2p(peer), from_libp2p(peer), relay);
        let circuits = self.established.values().filter(|other| other.inbound && other.circuit);
        let newcomer = who(peer, relay);
        room(INBOUND_CIRCUITS, &circuits.map(|other| who(&other.peer, other.origin)), &newcomer)
            .ok()
            .filter(|()| self.circuits.take(&newcomer, Instant::now()))
            .ok_or(Denied::Circuits)
    }

    /// NET-2, NET-4.
    fn check_any(&self, peer: &PeerId) -> Result<(), Denied> {
        let who = |peer: &PeerId| Who::new(Class::Stranger, from_libp2p(peer), None);
        if who(peer).peer.is_none() {
            return Err(Denied::KeyType);
        }
        if self.established.len() >= MAX_CONNECTIONS as usize + self.places().1 {
            return Err(Denied::Total);
        }
        // In all of them, and not by class.
        let same = self.established.values().filter(|other| other.peer == *peer);
        room(CONNECTIONS, &same.map(|other| who(&other.peer)), &who(peer)).map_err(|by| Denied::by(by, Denied::Total))
    }

    fn check_inbound(&mut self, peer: &PeerId, local: &Multiaddr, remote: &Multiaddr) -> Result<(), Denied> {
        self.check_any(peer)?;
        if self.count(|other| other.inbound) >= MAX_INBOUND_CONNECTIONS as usize + self.places().1 {
            return Err(Denied::Inbound);
        }
        let (origin, circuit) = (Origin::of_inbound(local, remote), addresses::is_circuit(local));
        if circuit {
            self.check_circuit(peer, origin)?;
        }
        if self.is_contact(peer) {
            return Ok(());
        }
        let origin = origin.filter(|_| !circuit);
        let inbound = self.established.values().filter(|other| other.inbound);
        // Contacts are not denied, but they are counted.
        let inbound = inbound.map(|other| Who::new(Class::Stranger, None, other.address()));
        let who = Who::new(Class::Stranger, from_libp2p(peer), origin);
        room(INBOUND, &inbound, &who).map_err(|by| Denied::by(by, Denied::Inbound))?;
        self.make_room(origin.map(Origin::neighbours))
    }

    /// NET-90: when the places of strangers are taken, one who is idle goes. Asked last, because it asks for the class of
    /// everybody.
    fn make_room(&mut self, newcomer: Option<Neighbours>) -> Result<(), Denied> {
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
            neighbours: other.neighbours(),
            idle_since: self.activity.idle_since(**id),
            spared: self.is_spared(other),
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

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.check_inbound(&peer, local, remote).map(|()| dummy::ConnectionHandler).map_err(ConnectionDenied::new)
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
        self.dials.leave(&id);
        self.check_any(&peer).map(|()| dummy::ConnectionHandler).map_err(ConnectionDenied::new)
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(event) => {
                let origin = match event.endpoint {
                    ConnectedPoint::Dialer { address, .. } => Origin::of(address),
                    ConnectedPoint::Listener { local_addr, send_back_addr } => {
                        Origin::of_inbound(local_addr, send_back_addr)
                    }
                };
                let established = Established {
                    peer: event.peer_id,
                    inbound: event.endpoint.is_listener(),
                    origin,
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
                self.dials.leave(&event.connection_id);
                self.told.done(event.connection_id);
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

#[cfg(test)]
mod tests;
