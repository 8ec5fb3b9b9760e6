//! Whom the node wants to be connected with, and how far we are: first the addresses are dialled, then the DHT is asked, then he is
//! unreachable (NET-68). Everybody else is dialled by the protocols on their own, and his absence is no news.

use std::collections::HashMap;

use tokio::time::Instant;

use super::span;
use crate::base::PeerId;
use crate::base::limits::{DHT_SEEK_AGAIN, MAX_DISCOVERED};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Dialling,
    Seeking,
}

/// The wanted peers: as many as are dialled or looked for at a time.
#[derive(Debug, Default)]
pub(super) struct Seeks {
    wanted: HashMap<PeerId, Stage>,
    /// When a peer was looked for last.
    before: HashMap<PeerId, Instant>,
}

impl Seeks {
    /// He is dialled.
    pub(super) fn dialling(&mut self, peer: PeerId) {
        self.wanted.entry(peer).or_insert(Stage::Dialling);
    }

    /// A dial failed; whether it was for this peer's sake, and nothing else is under way.
    pub(super) fn failed(&mut self, peer: &PeerId) -> bool {
        self.wanted.get(peer) == Some(&Stage::Dialling) && self.wanted.remove(peer).is_some()
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
        self.wanted.insert(peer, Stage::Seeking);
    }

    /// The search has ended; whether anybody still waits for it.
    pub(super) fn ended(&mut self, peer: &PeerId) -> bool {
        self.wanted.get(peer) == Some(&Stage::Seeking) && self.wanted.remove(peer).is_some()
    }

    /// He is connected.
    pub(super) fn connected(&mut self, peer: &PeerId) {
        self.wanted.remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const A: PeerId = PeerId::from_key_bytes([1; 32]);

    /// NET-68
    #[test]
    fn a_peer_is_dialled_then_looked_for_once_in_a_while() {
        let (mut seeks, now) = (Seeks::default(), Instant::now());
        assert!(!seeks.failed(&A), "nobody wanted him");
        seeks.dialling(A);
        assert!(seeks.failed(&A) && !seeks.failed(&A));
        assert!(seeks.may_begin(A, now));
        seeks.begun(A, now);
        assert!(!seeks.failed(&A), "the search dials, too");
        seeks.dialling(A);
        assert!(!seeks.failed(&A) && seeks.ended(&A) && !seeks.ended(&A));
        assert!(
            !seeks.may_begin(A, now + Duration::from_secs(299)) && seeks.may_begin(A, now + Duration::from_secs(300))
        );
        seeks.begun(A, now);
        seeks.connected(&A);
        assert!(!seeks.ended(&A));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let (mut seeks, now) = (Seeks::default(), Instant::now());
        for n in 0..5_000_u64 {
            let mut key = [7; 32];
            key[..8].copy_from_slice(&n.to_be_bytes());
            seeks.begun(PeerId::from_key_bytes(key), now);
            seeks.connected(&PeerId::from_key_bytes(key));
            assert!(seeks.before.len() <= MAX_DISCOVERED);
        }
        assert!(seeks.wanted.is_empty());
    }
}
