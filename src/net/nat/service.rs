//! Our own relay, for others: bounded in every way (NET-64).

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::time::Duration;

use libp2p::PeerId;
use libp2p::relay::{Behaviour, Config, Event};

use super::status::RelayService;
use crate::base::limits::{
    CIRCUIT_BURST, CIRCUIT_BURST_PER_IP, MAX_CIRCUIT_BYTES, MAX_CIRCUIT_TIME, MAX_RELAYED_CIRCUITS,
    MAX_RELAYED_CIRCUITS_PER_PEER, MAX_RESERVATIONS, MAX_RESERVATIONS_PER_PEER, RESERVATION_BURST,
    RESERVATION_BURST_PER_IP, RESERVATION_LIFE,
};
use crate::net::span;

/// After a burst a peer may come again so often: both for a reservation and, four times as often, for a circuit.
const REFILL: Duration = Duration::from_secs(120);

pub(in crate::net) fn behaviour(me: PeerId) -> Behaviour {
    let config = Config {
        max_reservations: MAX_RESERVATIONS,
        // The crate allows one more than it is told.
        max_reservations_per_peer: MAX_RESERVATIONS_PER_PEER - 1,
        reservation_duration: span(RESERVATION_LIFE),
        reservation_rate_limiters: Vec::new(),
        max_circuits: MAX_RELAYED_CIRCUITS,
        max_circuits_per_peer: MAX_RELAYED_CIRCUITS_PER_PEER - 1,
        max_circuit_duration: span(MAX_CIRCUIT_TIME),
        max_circuit_bytes: MAX_CIRCUIT_BYTES,
        circuit_src_rate_limiters: Vec::new(),
    }
    .reservation_rate_per_peer(at_least_one(RESERVATION_BURST), REFILL)
    .reservation_rate_per_ip(at_least_one(RESERVATION_BURST_PER_IP), REFILL / 2)
    .circuit_src_per_peer(at_least_one(CIRCUIT_BURST), REFILL / 4)
    .circuit_src_per_ip(at_least_one(CIRCUIT_BURST_PER_IP), REFILL / 8);
    Behaviour::new(me, config)
}

fn at_least_one(burst: u32) -> NonZeroU32 {
    NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN)
}

/// What it is used for.
#[derive(Debug, Default)]
pub(in crate::net) struct Usage {
    reserved: HashSet<PeerId>,
    /// The ends of each.
    circuits: Vec<(PeerId, PeerId)>,
}

impl Usage {
    /// Notes what the relay tells; of whom. `connected` says whether there is still a connection with a peer.
    pub(in crate::net) fn on_event(&mut self, event: &Event, connected: impl Fn(&PeerId) -> bool) -> Vec<PeerId> {
        match event {
            Event::ReservationReqAccepted { src_peer_id, .. } => {
                self.reserved.insert(*src_peer_id);
                vec![*src_peer_id]
            }
            Event::ReservationTimedOut { src_peer_id } => {
                self.reserved.remove(src_peer_id);
                vec![*src_peer_id]
            }
            // Told of the end of every connection, reserved or not.
            Event::ReservationClosed { src_peer_id } if !connected(src_peer_id) => {
                self.reserved.remove(src_peer_id);
                vec![*src_peer_id]
            }
            Event::CircuitReqAccepted { src_peer_id, dst_peer_id } => {
                if self.circuits.len() >= MAX_RELAYED_CIRCUITS {
                    // The end of one was not told.
                    self.circuits.remove(0);
                }
                self.circuits.push((*src_peer_id, *dst_peer_id));
                vec![*src_peer_id, *dst_peer_id]
            }
            Event::CircuitClosed { src_peer_id, dst_peer_id, .. } => {
                let ended = (*src_peer_id, *dst_peer_id);
                if let Some(place) = self.circuits.iter().position(|ends| *ends == ended) {
                    self.circuits.swap_remove(place);
                }
                vec![*src_peer_id, *dst_peer_id]
            }
            _ => Vec::new(),
        }
    }

    /// Whether it does something for this peer.
    pub(in crate::net) fn serves(&self, peer: &PeerId) -> bool {
        self.reserved.contains(peer) || self.circuits.iter().any(|(from, to)| from == peer || to == peer)
    }

    pub(in crate::net) fn told(&self) -> RelayService {
        RelayService { reservations: self.reserved.len(), circuits: self.circuits.len() }
    }
}
