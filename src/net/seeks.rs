//! Whom the node wants to be connected with, and how far we are: some are dialled at a time and the others wait in order, then the
//! DHT is asked, then he is unreachable (NET-68). Everybody else is dialled by the protocols on their own, and his absence is no news.

use std::collections::{HashMap, HashSet, VecDeque};

use tokio::time::Instant;

use super::span;
use crate::base::PeerId;
use crate::base::limits::{DHT_SEEK_AGAIN, MAX_DIALS, MAX_DIALS_WAITING, MAX_DISCOVERED};

/// The wanted peers.
#[derive(Debug, Default)]
pub(super) struct Seeks {
    /// Whose turn it is next; who is connected meanwhile is skipped.
    line: VecDeque<PeerId>,
    /// Those in the line, each with where he may be.
    waiting: HashMap<PeerId, Vec<String>>,
    /// At most `MAX_DIALS`.
    dialling: HashSet<PeerId>,
    /// As many as the DHT is asked for.
    seeking: HashSet<PeerId>,
    /// When a peer was looked for last.
    before: HashMap<PeerId, Instant>,
}

impl Seeks {
    /// He is wanted; whether there is room for him in the line. [`Seeks::next`] says when he is to be dialled.
    pub(super) fn want(&mut self, peer: PeerId, addrs: Vec<String>) -> bool {
        if self.dialling.contains(&peer) || self.seeking.contains(&peer) {
            return true;
        }
        let fits = self.line.len() < MAX_DIALS_WAITING;
        if fits && self.waiting.insert(peer, addrs).is_none() {
            self.line.push_back(peer);
        }
        fits
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.dialling.len() + self.seeking.len() + self.waiting.len()
    }

    /// Who is to be dialled now, and where he may be. To be asked whenever a dial may have ended.
    pub(super) fn next(&mut self) -> Option<(PeerId, Vec<String>)> {
        while self.dialling.len() < MAX_DIALS {
            let peer = self.line.pop_front()?;
            if let Some(addrs) = self.waiting.remove(&peer) {
                self.dialling.insert(peer);
                return Some((peer, addrs));
            }
        }
        None
    }

    /// A dial failed; whether it was for this peer's sake, and nothing else is under way.
    pub(super) fn failed(&mut self, peer: &PeerId) -> bool {
        self.dialling.remove(peer)
    }

    /// Whether he may be looked for: not while he is, and not again so soon.
    pub(super) fn may_begin(&self, peer: PeerId, now: Instant) -> bool {
        let soon = |at: &Instant| now.saturating_duration_since(*at) < span(DHT_SEEK_AGAIN);
        !self.before.get(&peer).is_some_and(soon)
    }

    /// He is looked for.
    pub(super) fn begun(&mut self, peer: PeerId, now: Instant) {
        if self.before.len() >= MAX_DISCOVERED {
            self.before.retain(|_, at| now.saturating_duration_since(*at) < span(DHT_SEEK_AGAIN));
        }
        if self.before.len() < MAX_DISCOVERED {
            self.before.insert(peer, now);
        }
        self.seeking.insert(peer);
    }

    /// The search has ended; whether anybody still waits for it.
    pub(super) fn ended(&mut self, peer: &PeerId) -> bool {
        self.seeking.remove(peer)
    }

    /// He is connected.
    pub(super) fn connected(&mut self, peer: &PeerId) {
        self.waiting.remove(peer);
        self.dialling.remove(peer);
        self.seeking.remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::net::convert::peer;

    const A: PeerId = PeerId::from_key_bytes([1; 32]);

    /// NET-68
    #[test]
    fn a_peer_is_dialled_then_looked_for_once_in_a_while() {
        let (mut seeks, now) = (Seeks::default(), Instant::now());
        assert!(!seeks.failed(&A), "nobody wanted him");
        dials(&mut seeks, A);
        assert!(seeks.failed(&A) && !seeks.failed(&A));
        assert!(seeks.may_begin(A, now));
        seeks.begun(A, now);
        assert!(!seeks.failed(&A), "the search dials, too");
        assert!(seeks.want(A, vec![]) && seeks.next().is_none(), "he is looked for already");
        assert!(!seeks.failed(&A) && seeks.ended(&A) && !seeks.ended(&A));
        assert!(
            !seeks.may_begin(A, now + Duration::from_secs(299)) && seeks.may_begin(A, now + Duration::from_secs(300))
        );
        seeks.begun(A, now);
        seeks.connected(&A);
        assert!(!seeks.ended(&A));
    }

    /// The node wants him, and his turn comes at once.
    fn dials(seeks: &mut Seeks, peer: PeerId) {
        assert!(seeks.want(peer, vec![]));
        assert_eq!(seeks.next(), Some((peer, vec![])));
    }

    /// NET-68: so many at a time, the rest in order.
    #[test]
    fn some_are_dialled_and_the_rest_waits_in_order() {
        let mut seeks = Seeks::default();
        let all = MAX_DIALS as u64 + 9;
        assert!((0..all).all(|n| seeks.want(peer(n), vec![n.to_string()])));
        for n in 0..MAX_DIALS as u64 {
            assert_eq!(seeks.next(), Some((peer(n), vec![n.to_string()])));
        }
        assert_eq!(seeks.next(), None);
        // Who waits is connected by his own dial; one who is dialled is wanted again.
        let first = MAX_DIALS as u64;
        seeks.connected(&peer(first));
        assert!(seeks.want(peer(0), vec![]));
        assert_eq!(seeks.next(), None);
        assert!(seeks.failed(&peer(3)));
        assert_eq!(seeks.next().map(|(peer, _)| peer), Some(peer(first + 1)));
        assert_eq!(seeks.next(), None);
        seeks.connected(&peer(5));
        assert_eq!(seeks.next().map(|(peer, _)| peer), Some(peer(first + 2)));
        let room = (all..).take_while(|n| seeks.want(peer(*n), vec![])).count();
        assert_eq!(room, MAX_DIALS_WAITING - 6);
        assert!(!seeks.want(peer(1_000_000), vec![]) && seeks.waiting.len() <= MAX_DIALS_WAITING);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut seeks, now) = (Seeks::default(), Instant::now());
        for n in 0..5_000_u64 {
            seeks.begun(peer(n), now);
            seeks.connected(&peer(n));
            assert!(seeks.before.len() <= MAX_DISCOVERED);
        }
        assert!(seeks.seeking.is_empty());
    }
}
