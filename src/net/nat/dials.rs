//! Dials under way, straight and through relays.
//!
//! A dial through a relay waits until the relay has told how it sees us: which addresses go into the attempt to punch
//! a hole is fixed when the circuit opens (trap 8). A peer is unreachable when nothing is left to try.

use std::collections::HashMap;

use libp2p::Multiaddr;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use crate::base::PeerId;
use crate::base::limits::{MAX_NOTICES, RELAY_WAIT};
use crate::net::addresses::bare;
use crate::net::span;

#[derive(Debug)]
struct Attempt {
    /// Each with the addresses that it tries.
    under_way: Vec<(ConnectionId, Vec<Multiaddr>)>,
    /// Somebody else dials him (a behaviour): the end of that is the end of this.
    foreign: bool,
    /// Addresses through relays that are not ready, each with its relay.
    waiting: Vec<(PeerId, Multiaddr)>,
    /// What is tried when all of this has failed.
    rest: Vec<Multiaddr>,
    /// How long they wait.
    until: Instant,
}

impl Attempt {
    /// Whether nothing is being tried.
    fn is_idle(&self) -> bool {
        self.under_way.is_empty() && !self.foreign && self.waiting.is_empty()
    }

    fn is_over(&self) -> bool {
        self.is_idle() && self.rest.is_empty()
    }

    fn has(&self, id: ConnectionId) -> bool {
        self.under_way.iter().any(|(dial, _)| *dial == id)
    }
}

/// The attempts to connect, one for each peer: no more than `MAX_NOTICES`.
#[derive(Debug, Default)]
pub(in crate::net) struct Dials {
    map: HashMap<PeerId, Attempt>,
}

impl Dials {
    /// Whether somebody tries to connect with this peer.
    pub(in crate::net) fn is_under_way(&self, peer: &PeerId) -> bool {
        self.map.contains_key(peer)
    }

    #[cfg(test)]
    pub(in crate::net) fn count(&self) -> usize {
        self.map.len()
    }

    /// A dial of this peer was begun, to these addresses.
    pub(in crate::net) fn dialled(&mut self, peer: PeerId, id: ConnectionId, addrs: Vec<Multiaddr>, now: Instant) {
        if let Some(attempt) = self.attempt(peer, now) {
            attempt.under_way.push((id, addrs));
        }
    }

    /// These addresses are tried when all others have failed.
    pub(in crate::net) fn later(&mut self, peer: PeerId, addrs: Vec<Multiaddr>, now: Instant) {
        if !addrs.is_empty()
            && let Some(attempt) = self.attempt(peer, now)
        {
            attempt.rest.extend(addrs);
        }
    }

    /// At this address there was somebody else. That ends the dial, though he may be at the others.
    pub(in crate::net) fn wrong(&mut self, peer: &PeerId, id: ConnectionId, wrong: &Multiaddr) {
        let Some(attempt) = self.map.get_mut(peer) else { return };
        let Some((_, addrs)) = attempt.under_way.iter_mut().find(|(dial, _)| *dial == id) else { return };
        let others = std::mem::take(addrs).into_iter().filter(|addr| bare(addr) != bare(wrong));
        attempt.rest.extend(others);
    }

    /// The peers with whom everything has failed but what was left for later, and that.
    pub(in crate::net) fn left(&mut self) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let idle = self.map.iter_mut().filter(|(_, attempt)| attempt.is_idle() && !attempt.rest.is_empty());
        idle.map(|(peer, attempt)| (*peer, std::mem::take(&mut attempt.rest))).collect()
    }

    /// This peer is being dialled by somebody else.
    pub(in crate::net) fn dialled_elsewhere(&mut self, peer: PeerId, now: Instant) {
        if let Some(attempt) = self.attempt(peer, now) {
            attempt.foreign = true;
        }
    }

    /// These addresses are dialled as soon as their relays are ready.
    pub(in crate::net) fn wait(&mut self, peer: PeerId, addrs: Vec<(PeerId, Multiaddr)>, now: Instant) {
        if !addrs.is_empty()
            && let Some(attempt) = self.attempt(peer, now)
        {
            attempt.waiting.extend(addrs);
        }
    }

    fn attempt(&mut self, peer: PeerId, now: Instant) -> Option<&mut Attempt> {
        if self.map.len() >= MAX_NOTICES && !self.map.contains_key(&peer) {
            return None;
        }
        let begun = || Attempt {
            under_way: Vec::new(),
            foreign: false,
            waiting: Vec::new(),
            rest: Vec::new(),
            until: now + span(RELAY_WAIT),
        };
        Some(self.map.entry(peer).or_insert_with(begun))
    }

    /// This relay is ready: what waits for it.
    pub(in crate::net) fn ready(&mut self, relay: &PeerId) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let mut ready = Vec::new();
        for (peer, attempt) in &mut self.map {
            let through = attempt.waiting.extract_if(.., |(of, _)| of == relay);
            let addrs: Vec<_> = through.map(|(_, addr)| addr).collect();
            if !addrs.is_empty() {
                ready.push((*peer, addrs));
            }
        }
        ready
    }

    /// This relay cannot be reached: the peers for whom nothing is left.
    pub(in crate::net) fn relay_failed(&mut self, relay: &PeerId) -> Vec<PeerId> {
        for attempt in self.map.values_mut() {
            attempt.waiting.retain(|(of, _)| of != relay);
        }
        self.over()
    }

    /// A dial failed. Tells whether nothing is left for that peer.
    pub(in crate::net) fn failed(&mut self, peer: &PeerId, id: ConnectionId) -> bool {
        let Some(attempt) = self.map.get_mut(peer) else { return false };
        attempt.foreign &= attempt.has(id);
        attempt.under_way.retain(|(other, _)| *other != id);
        let over = attempt.is_over();
        if over {
            self.map.remove(peer);
        }
        over
    }

    /// The peers for whom nothing is left because their relays did not come in time, or because nobody told how
    /// somebody else's dial ended.
    pub(in crate::net) fn expire(&mut self, now: Instant) -> Vec<PeerId> {
        for attempt in self.map.values_mut().filter(|attempt| attempt.until <= now) {
            attempt.waiting.clear();
            attempt.foreign &= attempt.until + span(RELAY_WAIT) > now;
        }
        self.over()
    }

    /// Nothing was begun for this peer after all.
    pub(in crate::net) fn is_over(&mut self, peer: &PeerId) -> bool {
        if self.map.get(peer).is_some_and(Attempt::is_over) {
            self.map.remove(peer);
        }
        !self.map.contains_key(peer)
    }

    /// The peer is connected.
    pub(in crate::net) fn connected(&mut self, peer: &PeerId) {
        self.map.remove(peer);
    }

    fn over(&mut self) -> Vec<PeerId> {
        self.map.extract_if(|_, attempt| attempt.is_over()).map(|(peer, _)| peer).collect()
    }
}

#[cfg(test)]
mod tests {
    use libp2p::multiaddr::Protocol;

    use super::*;

    const HIM: PeerId = PeerId::from_key_bytes([1; 32]);
    const RELAY: PeerId = PeerId::from_key_bytes([2; 32]);

    fn circuit(n: u8) -> (PeerId, Multiaddr) {
        (PeerId::from_key_bytes([n; 32]), Multiaddr::empty())
    }

    /// NET-67.
    #[test]
    fn a_peer_is_given_up_when_every_way_has_failed() {
        let (now, id) = (Instant::now(), ConnectionId::new_unchecked);
        let mut dials = Dials::default();
        dials.dialled(HIM, id(1), vec![], now);
        dials.wait(HIM, vec![circuit(2), circuit(3)], now);
        assert!(!dials.failed(&HIM, id(1)), "two relays are left");
        assert_eq!(dials.relay_failed(&PeerId::from_key_bytes([3; 32])), []);
        assert_eq!(dials.ready(&RELAY), [(HIM, vec![Multiaddr::empty()])]);
        dials.dialled(HIM, id(2), vec![], now);
        assert!(!dials.failed(&HIM, id(7)), "not a dial of ours");
        assert!(dials.failed(&HIM, id(2)));
        assert!(!dials.is_under_way(&HIM));
    }

    /// NET-67: somebody else at one of his addresses does not keep the others from being tried.
    #[test]
    fn what_is_left_is_tried_at_the_end() {
        let (now, id) = (Instant::now(), ConnectionId::new_unchecked);
        let addr = |n: u8| format!("/ip4/203.0.113.{n}/tcp/4001").parse::<Multiaddr>().unwrap();
        let mut dials = Dials::default();
        dials.dialled(HIM, id(1), vec![addr(1), addr(2)], now);
        dials.later(HIM, vec![addr(3)], now);
        let wrong = addr(1).with(Protocol::P2p(crate::net::to_libp2p(&HIM)));
        dials.wrong(&HIM, id(9), &wrong);
        dials.wrong(&HIM, id(1), &wrong);
        assert_eq!(dials.left(), [], "the dial has not ended");
        assert!(!dials.failed(&HIM, id(1)));
        assert_eq!(dials.left(), [(HIM, vec![addr(3), addr(2)])]);
        dials.dialled(HIM, id(2), vec![addr(3), addr(2)], now);
        assert_eq!(dials.left(), []);
        assert!(dials.failed(&HIM, id(2)));
    }

    #[test]
    fn a_dial_of_somebody_else_counts_as_one() {
        let (now, id) = (Instant::now(), ConnectionId::new_unchecked);
        let mut dials = Dials::default();
        dials.dialled_elsewhere(HIM, now);
        assert!(dials.is_under_way(&HIM) && !dials.is_over(&HIM));
        dials.dialled(HIM, id(1), vec![], now);
        assert!(!dials.failed(&HIM, id(1)), "ours, not his");
        assert!(dials.failed(&HIM, id(9)));
        assert!(!dials.failed(&HIM, id(9)), "nobody asked");
        dials.dialled_elsewhere(HIM, now);
        assert_eq!(dials.expire(now + span(RELAY_WAIT)), []);
        assert_eq!(dials.expire(now + 2 * span(RELAY_WAIT)), [HIM]);
    }

    #[test]
    fn relays_that_do_not_come_are_not_waited_for_for_ever() {
        let now = Instant::now();
        let mut dials = Dials::default();
        dials.wait(HIM, vec![circuit(2)], now);
        assert_eq!(dials.expire(now), []);
        assert_eq!(dials.expire(now + span(RELAY_WAIT)), [HIM]);
        dials.wait(HIM, vec![circuit(2)], now);
        assert_eq!(dials.relay_failed(&RELAY), [HIM]);
        dials.wait(HIM, vec![], now);
        assert!(dials.is_over(&HIM));
    }
}
