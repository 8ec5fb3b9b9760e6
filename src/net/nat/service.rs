//! Our own relay, for others: bounded in every way (NET-64).
//!
//! The crate counts what it has given, in all and to one peer. Its limiters ask us for the rest: what is given by address and network is
//! counted here, from what it tells.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use libp2p::relay::{Behaviour, Config, Event};
use libp2p::{Multiaddr, PeerId};

use crate::base::limits::{
    CIRCUITS, MAX_CIRCUIT_BYTES, MAX_CIRCUIT_TIME, MAX_RELAYED_CIRCUITS, MAX_RELAYED_CIRCUITS_PER_PEER,
    MAX_RESERVATIONS, MAX_RESERVATIONS_PER_PEER, RESERVATION_LIFE, RESERVATIONS,
};
use crate::base::words::RelayService;
use crate::envelope::border::Class;
use crate::net::budget::{Budget, Who};
use crate::net::origin::Origin;
use crate::net::{from_libp2p, lock, span};

pub(in crate::net) fn behaviour(me: PeerId, usage: &Usage) -> Behaviour {
    let (reservations, circuits) = (usage.clone(), usage.clone());
    let reserves = move |peer: PeerId, at: &Multiaddr, now: Instant| reservations.may_reserve(peer, at, now.into());
    let opens = move |peer: PeerId, at: &Multiaddr, now: Instant| circuits.may_open(peer, at, now.into());
    let config = Config {
        max_reservations: MAX_RESERVATIONS,
        // The crate allows one more than it is told.
        max_reservations_per_peer: MAX_RESERVATIONS_PER_PEER - 1,
        reservation_duration: span(RESERVATION_LIFE),
        reservation_rate_limiters: vec![Box::new(reserves)],
        max_circuits: MAX_RELAYED_CIRCUITS,
        max_circuits_per_peer: MAX_RELAYED_CIRCUITS_PER_PEER - 1,
        max_circuit_duration: span(MAX_CIRCUIT_TIME),
        max_circuit_bytes: MAX_CIRCUIT_BYTES,
        circuit_src_rate_limiters: vec![Box::new(opens)],
    };
    Behaviour::new(me, config)
}

/// Contacts have no more than others.
fn who(peer: &PeerId, address: Option<Origin>) -> Who {
    Who::new(Class::Stranger, from_libp2p(peer), address)
}

/// What it is used for.
#[derive(Clone, Debug, Default)]
pub(in crate::net) struct Usage(Arc<Mutex<Given>>);

#[derive(Debug)]
struct Given {
    reserved: Budget<PeerId>,
    circuits: Budget<Circuit>,
    last: u64,
}

impl Default for Given {
    fn default() -> Self {
        Self { reserved: Budget::new(RESERVATIONS), circuits: Budget::new(CIRCUITS), last: 0 }
    }
}

/// The ends of a circuit, with a number, as there may be several between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Circuit {
    number: u64,
    from: PeerId,
    to: PeerId,
}

impl Usage {
    /// Whether a peer at this address is given a reservation. One that is renewed has its place, and costs no less.
    fn may_reserve(&self, peer: PeerId, at: &Multiaddr, now: tokio::time::Instant) -> bool {
        let given = &mut *lock(&self.0);
        let who = who(&peer, Origin::of(at));
        let has_room = given.reserved.held().contains_key(&peer) || given.reserved.room(&who).is_ok();
        has_room && given.reserved.take(&who, now)
    }

    /// Whether he may open a circuit to somebody.
    fn may_open(&self, peer: PeerId, at: &Multiaddr, now: tokio::time::Instant) -> bool {
        let given = &mut *lock(&self.0);
        let who = who(&peer, Origin::of(at));
        given.circuits.room(&who).is_ok() && given.circuits.take(&who, now)
    }

    /// Notes what the relay tells; of whom. `connected` says whether there is still a connection with a peer, `origin` where
    /// it comes from.
    pub(in crate::net) fn on_event(
        &self,
        event: &Event,
        connected: impl Fn(&PeerId) -> bool,
        origin: impl Fn(&PeerId) -> Option<Origin>,
    ) -> Vec<PeerId> {
        let given = &mut *lock(&self.0);
        match event {
            Event::ReservationReqAccepted { src_peer_id, .. } => {
                given.reserved.hold(*src_peer_id, who(src_peer_id, origin(src_peer_id)));
                vec![*src_peer_id]
            }
            Event::ReservationTimedOut { src_peer_id } => {
                given.reserved.leave(src_peer_id);
                vec![*src_peer_id]
            }
            // Told of the end of every connection, reserved or not.
            Event::ReservationClosed { src_peer_id } if !connected(src_peer_id) => {
                given.reserved.leave(src_peer_id);
                vec![*src_peer_id]
            }
            Event::CircuitReqAccepted { src_peer_id, dst_peer_id } => {
                if given.circuits.held().len() >= MAX_RELAYED_CIRCUITS {
                    // The end of one was not told.
                    given.end(|_| true);
                }
                given.last += 1;
                let circuit = Circuit { number: given.last, from: *src_peer_id, to: *dst_peer_id };
                given.circuits.hold(circuit, who(src_peer_id, origin(src_peer_id)));
                vec![*src_peer_id, *dst_peer_id]
            }
            Event::CircuitClosed { src_peer_id, dst_peer_id, .. } => {
                given.end(|circuit| circuit.from == *src_peer_id && circuit.to == *dst_peer_id);
                vec![*src_peer_id, *dst_peer_id]
            }
            _ => Vec::new(),
        }
    }

    /// Whether it does something for this peer.
    pub(in crate::net) fn serves(&self, peer: &PeerId) -> bool {
        let given = lock(&self.0);
        let mut circuits = given.circuits.held().keys();
        given.reserved.held().contains_key(peer) || circuits.any(|ends| ends.from == *peer || ends.to == *peer)
    }

    pub(in crate::net) fn told(&self) -> RelayService {
        let given = lock(&self.0);
        RelayService { reservations: given.reserved.held().len() as u64, circuits: given.circuits.held().len() as u64 }
    }
}

impl Given {
    /// The oldest of these circuits has ended.
    fn end(&mut self, which: impl Fn(&Circuit) -> bool) {
        if let Some(ended) = self.circuits.held().keys().filter(|circuit| which(circuit)).min().copied() {
            self.circuits.leave(&ended);
        }
    }
}

#[cfg(test)]
mod tests;
