//! How often a peer may ask something of us (NET-20, NET-33).
//!
//! Each rate is a token bucket, kept as the one time at which it will be full again (GCRA).

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use tokio::time::Instant;

use crate::base::PeerId;
use crate::base::limits::{
    CONTACT_BURST, CONTACT_RATE, MAX_RATED_PEERS, PREKEY_BURST, PREKEY_INTERVAL, STRANGER_BURST, STRANGER_RATE,
};
use crate::envelope::border::Class;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// To take an envelope.
    Envelope,
    /// To give the card.
    Card,
    /// To give a one-time prekey with it.
    Prekey,
}

/// A bucket of `burst` tokens of which one comes back every `micros` microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    burst: u64,
    micros: u64,
}

const CONTACT: Rate = Rate::per_second(CONTACT_BURST, CONTACT_RATE);
const STRANGER: Rate = Rate::per_second(STRANGER_BURST, STRANGER_RATE);
const PREKEY: Rate = Rate { burst: PREKEY_BURST as u64, micros: PREKEY_INTERVAL.0 * 1_000 };

impl Rate {
    /// So many at once, and then so many a second.
    pub(super) const fn per_second(burst: u32, rate: u32) -> Self {
        Self { burst: burst as u64, micros: 1_000_000 / rate as u64 }
    }

    /// Takes a token from the bucket that is full at `full`.
    pub(super) const fn take(self, full: &mut u64, now: u64) -> bool {
        let after = if *full > now { *full } else { now } + self.micros;
        let granted = after - now <= self.burst * self.micros;
        if granted {
            *full = after;
        }
        granted
    }
}

/// One bucket for each of whatever is counted by: at most `MAX_RATED_PEERS`.
#[derive(Debug)]
pub(super) struct Buckets<K> {
    rate: Rate,
    map: HashMap<K, u64>,
}

impl<K: Copy + Eq + Hash> Buckets<K> {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, map: HashMap::new() }
    }

    /// Takes a token from the bucket of this key, if there is one. `now` is in microseconds.
    pub(super) fn take(&mut self, key: K, now: u64) -> bool {
        if self.map.len() >= MAX_RATED_PEERS && !self.map.contains_key(&key) {
            self.forget(now);
        }
        self.rate.take(self.map.entry(key).or_default(), now)
    }

    /// Makes room for a tenth: a full bucket is as good as none, then those that are full next.
    fn forget(&mut self, now: u64) {
        self.map.retain(|_, full| *full > now);
        let keep = MAX_RATED_PEERS - MAX_RATED_PEERS / 10;
        if self.map.len() > keep {
            let mut times: Vec<_> = self.map.values().copied().collect();
            times.sort_unstable();
            let first = times.get(self.map.len() - keep).copied().unwrap_or(now);
            self.map.retain(|_, full| *full > first);
        }
    }
}

/// One such bucket that keeps the time itself.
#[derive(Debug)]
pub(super) struct Meter {
    rate: Rate,
    start: Instant,
    full: u64,
}

impl Meter {
    pub(super) fn new(burst: u32, interval: Duration) -> Self {
        let micros = u64::try_from(interval.as_micros()).unwrap_or(u64::MAX);
        Self { rate: Rate { burst: u64::from(burst), micros }, start: Instant::now(), full: 0 }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self) -> bool {
        let now = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.rate.take(&mut self.full, now)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct PeerBuckets {
    envelope: u64,
    card: u64,
    prekey: u64,
    asked: u64,
}

/// The buckets of the peers: at most `MAX_RATED_PEERS`, the longest idle forgotten first.
#[derive(Debug, Default)]
pub(super) struct Rates {
    map: HashMap<PeerId, PeerBuckets>,
}

impl Rates {
    /// Whether the peer may ask that now; if so, the token is taken. `now` is the time since the
    /// start of the network, in microseconds.
    pub(super) fn take(&mut self, peer: &PeerId, ask: Ask, class: Class, now: u64) -> bool {
        if self.map.len() >= MAX_RATED_PEERS && !self.map.contains_key(peer) {
            self.forget(now);
        }
        let buckets = self.map.entry(*peer).or_default();
        buckets.asked = now;
        let rate = match class {
            Class::Contact => CONTACT,
            Class::Stranger => STRANGER,
        };
        match ask {
            Ask::Envelope => rate.take(&mut buckets.envelope, now),
            Ask::Card => rate.take(&mut buckets.card, now),
            Ask::Prekey => PREKEY.take(&mut buckets.prekey, now),
        }
    }

    /// Makes room for a tenth, so that the search is paid for once in a thousand new peers.
    fn forget(&mut self, now: u64) {
        // A full bucket is as good as none.
        self.map.retain(|_, b| b.envelope.max(b.card).max(b.prekey) > now);
        let keep = MAX_RATED_PEERS - MAX_RATED_PEERS / 10;
        if self.map.len() > keep {
            let mut times: Vec<_> = self.map.values().map(|b| b.asked).collect();
            times.sort_unstable();
            let oldest = times.get(self.map.len() - keep).copied().unwrap_or(now);
            self.map.retain(|_, b| b.asked >= oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn peer(n: u32) -> PeerId {
        let mut key = [7; 32];
        key[..4].copy_from_slice(&n.to_be_bytes());
        PeerId::from_key_bytes(key)
    }

    fn granted(rates: &mut Rates, ask: Ask, class: Class, now: u64, tries: u32) -> u32 {
        (0..tries).filter(|_| rates.take(&peer(1), ask, class, now)).count().try_into().unwrap()
    }

    /// NET-20.
    #[test]
    fn a_stranger_has_a_burst_and_then_one_a_second() {
        let mut rates = Rates::default();
        assert_eq!(granted(&mut rates, Ask::Envelope, Class::Stranger, 0, 200), STRANGER_BURST);
        assert_eq!(granted(&mut rates, Ask::Envelope, Class::Stranger, SECOND - 1, 200), 0);
        assert_eq!(granted(&mut rates, Ask::Envelope, Class::Stranger, SECOND, 200), 1);
        assert_eq!(granted(&mut rates, Ask::Envelope, Class::Stranger, 4 * SECOND, 200), 3);
        assert_eq!(granted(&mut rates, Ask::Envelope, Class::Stranger, 1_000 * SECOND, 200), STRANGER_BURST);
        assert!(rates.take(&peer(2), Ask::Envelope, Class::Stranger, 0), "each peer has its own");
    }

    #[test]
    fn a_contact_has_far_more() {
        let mut rates = Rates::default();
        assert_eq!(granted(&mut rates, Ask::Envelope, Class::Contact, 0, 30_000), CONTACT_BURST);
        assert_eq!(granted(&mut rates, Ask::Envelope, Class::Contact, SECOND, 30_000), CONTACT_RATE);
    }

    /// NET-33, for contacts too.
    #[test]
    fn prekeys_are_six_and_then_one_in_ten_minutes() {
        for class in [Class::Stranger, Class::Contact] {
            let mut rates = Rates::default();
            assert_eq!(granted(&mut rates, Ask::Prekey, class, 0, 50), PREKEY_BURST);
            assert_eq!(granted(&mut rates, Ask::Prekey, class, PREKEY.micros - 1, 50), 0);
            assert_eq!(granted(&mut rates, Ask::Prekey, class, PREKEY.micros, 50), 1);
            assert!(rates.take(&peer(1), Ask::Card, class, 0), "the card has a rate of its own");
        }
    }

    #[test]
    fn buckets_are_bounded_whatever_they_are_counted_by() {
        let mut buckets = Buckets::new(Rate::per_second(2, 1));
        for n in 0..35_000_u64 {
            assert!(buckets.take(n, 0));
            assert!(buckets.map.len() <= MAX_RATED_PEERS);
        }
        for n in 0..35_000_u64 {
            buckets.take(n, 10 * SECOND);
        }
        let left = |buckets: &mut Buckets<u64>, now| (0..9).filter(|_| buckets.take(7, now)).count();
        assert_eq!((left(&mut buckets, 20 * SECOND), left(&mut buckets, 21 * SECOND)), (2, 1));
    }

    #[test]
    fn peers_are_bounded_and_who_asked_last_is_remembered() {
        let mut rates = Rates::default();
        for n in 0..25_000 {
            for _ in 0..2 {
                rates.take(&peer(n), Ask::Prekey, Class::Stranger, u64::from(n));
            }
            assert!(rates.map.len() <= MAX_RATED_PEERS);
        }
        assert!(rates.map.contains_key(&peer(24_999)) && !rates.map.contains_key(&peer(0)));
    }
}
