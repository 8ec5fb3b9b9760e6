//! Cards that are to stand in the DHT: each is put and read back, again and again, until it does (NET-56).

use std::collections::HashMap;

use tokio::time::Instant;

use super::super::span;
use crate::base::limits::{DHT_RETRY_FIRST, DHT_RETRY_MAX, MAX_DHT_PUBLISHES};
use crate::base::{Millis, PeerId};

/// A card that does not stand yet.
#[derive(Debug)]
struct Pending {
    card: Vec<u8>,
    sequence: u64,
    tries: u32,
    /// When it is tried next; `None` while it is.
    due: Option<Instant>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Publisher {
    map: HashMap<PeerId, Pending>,
}

impl Publisher {
    /// Takes a card in place of an older one of its owner; `false`: there are too many. (The card of `first`, our own, always
    /// finds room.)
    pub(super) fn add(&mut self, owner: PeerId, first: bool, card: Vec<u8>, sequence: u64, now: Instant) -> bool {
        let full = self.map.len() >= MAX_DHT_PUBLISHES;
        match self.map.get_mut(&owner) {
            Some(pending) if pending.sequence > sequence => {}
            Some(pending) => {
                *pending = Pending { card, sequence, tries: 0, due: pending.due.map(|due| due.min(now)) };
            }
            None if full && !first => return false,
            None => _ = self.map.insert(owner, Pending { card, sequence, tries: 0, due: Some(now) }),
        }
        true
    }

    /// The next card that is to be put now, the one that has waited longest. Asked when there is room for one: that is seldom while
    /// many wait.
    pub(super) fn next(&mut self, now: Instant) -> Option<(PeerId, u64)> {
        let due = self.map.iter_mut().filter(|(_, pending)| pending.due.is_some_and(|due| due <= now));
        let (owner, pending) = due.min_by_key(|(_, pending)| pending.due)?;
        pending.due = None;
        Some((*owner, pending.sequence))
    }

    /// The card of this owner as it is to be put now.
    pub(super) fn card(&self, owner: &PeerId) -> Option<&[u8]> {
        self.map.get(owner).map(|pending| pending.card.as_slice())
    }

    /// A card was put, and so many gave it back. Whether it stands; otherwise it is tried again.
    pub(super) fn settle(&mut self, owner: PeerId, sequence: u64, copies: usize, now: Instant) -> bool {
        let Some(pending) = self.map.get_mut(&owner) else { return false };
        if pending.sequence != sequence {
            // A newer one came meanwhile.
            pending.due = Some(now);
            return false;
        }
        if copies > 0 {
            self.map.remove(&owner);
            return true;
        }
        pending.tries += 1;
        pending.due = Some(now + span(backoff(pending.tries)));
        false
    }

    /// There are new peers to put to: what waits is tried at once.
    pub(super) fn wake(&mut self, now: Instant) {
        for pending in self.map.values_mut() {
            pending.due = pending.due.map(|due| due.min(now));
        }
    }
}

fn backoff(tries: u32) -> Millis {
    let doubled = DHT_RETRY_FIRST.0.saturating_mul(1 << tries.min(16).saturating_sub(1));
    Millis(doubled.min(DHT_RETRY_MAX.0))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::net::convert::peer;

    const A: PeerId = PeerId::from_key_bytes([1; 32]);

    /// NET-56
    #[test]
    fn a_card_is_tried_until_it_stands_with_longer_and_longer_pauses() {
        let (mut publisher, mut now) = (Publisher::default(), Instant::now());
        assert!(publisher.add(A, true, vec![1], 7, now));
        let mut pauses = Vec::new();
        for _ in 0..12 {
            assert_eq!(publisher.next(now), Some((A, 7)));
            assert_eq!(publisher.next(now + Duration::from_secs(9_999)), None, "it is under way");
            assert!(!publisher.settle(A, 7, 0, now));
            assert_eq!(publisher.next(now), None);
            let at = publisher.map[&A].due.unwrap();
            pauses.push((at - now).as_secs());
            now = at;
        }
        assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 600, 600, 600, 600, 600]);
        assert_eq!(publisher.next(now), Some((A, 7)));
        assert!(publisher.settle(A, 7, 3, now));
        assert!(publisher.map.is_empty());
    }

    #[test]
    fn a_newer_card_takes_the_place_of_an_older_one_and_not_the_other_way() {
        let (mut publisher, now) = (Publisher::default(), Instant::now());
        publisher.add(A, true, vec![1], 7, now);
        publisher.next(now);
        publisher.add(A, true, vec![2], 8, now);
        publisher.add(A, true, vec![1], 7, now);
        assert_eq!(publisher.next(now), None, "one at a time");
        assert!(!publisher.settle(A, 7, 20, now), "not what is to stand");
        assert_eq!(publisher.next(now), Some((A, 8)));
        assert_eq!(publisher.card(&A), Some(&[2][..]));
        publisher.settle(A, 8, 0, now);
        publisher.wake(now);
        assert_eq!(publisher.next(now), Some((A, 8)));
    }

    #[test]
    fn cards_are_bounded_and_our_own_finds_room() {
        let (mut publisher, now) = (Publisher::default(), Instant::now());
        for n in 0..MAX_DHT_PUBLISHES as u64 {
            assert!(publisher.add(peer(n), false, vec![], 1, now));
        }
        assert!(!publisher.add(A, false, vec![], 1, now) && publisher.add(peer(3), false, vec![], 2, now));
        assert!(publisher.add(A, true, vec![], 1, now));
        assert_eq!(publisher.map.len(), MAX_DHT_PUBLISHES + 1);
    }
}
