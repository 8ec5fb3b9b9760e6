//! How much of something is had, and by whom: tokens that come back with time, and places that are given back (decision 14).
//!
//! What is given stands in `base::limits`, a few lines for each use. A token or a place is had when every line that speaks of who
//! asks has one left, and otherwise nothing is taken of any: who has used up his own takes nothing from his neighbours.
//!
//! A rate is a token bucket, kept as the one time at which it is full again (GCRA). Time is an argument, of whatever clock the
//! caller has, and never runs backwards: an earlier one counts as the latest that was seen.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Add;
use std::time::Duration;

use super::PeerId;
use super::limits::{Amount, By, Grant, MAX_RATED_KEYS, Of};
use super::origin::{Network, Origin};

/// What a peer is to us: decides his lane, his rates, and what his connections may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A contact, a blocked one included.
    Contact,
    /// Anybody else.
    Stranger,
}

/// Who asks, as far as is known; a line that counts by something else does not bind him.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Who {
    /// What he is to us.
    pub class: Class,
    /// His peer ID.
    pub peer: Option<PeerId>,
    /// Where he is.
    pub address: Option<Origin>,
    /// The network around it, if it is of the internet. Only `Who::new` decides that.
    network: Option<Network>,
}

/// A stranger of whom nothing is known.
impl Default for Who {
    fn default() -> Self {
        Self::new(Class::Stranger, None, None)
    }
}

impl Who {
    /// Somebody at an address; his network is the one around it, if it is of the internet.
    pub fn new(class: Class, peer: Option<PeerId>, address: Option<Origin>) -> Self {
        Self { class, peer, address, network: address.and_then(Origin::network) }
    }

    /// The network in which he is, as far as one is known.
    pub const fn network(&self) -> Option<Network> {
        self.network
    }

    /// As whom a line counts him, if it does.
    fn key(&self, line: &Grant) -> Option<Key> {
        let counted = match line.of {
            Of::Everybody => true,
            Of::Contacts => self.class == Class::Contact,
            Of::Strangers => self.class == Class::Stranger,
        };
        match line.by {
            _ if !counted => None,
            By::All => Some(Key::All),
            By::Peer => self.peer.map(Key::Peer),
            By::Address => self.address.map(Key::Address),
            By::Network => self.network.map(Key::Network),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    All,
    Peer(PeerId),
    Address(Origin),
    Network(Network),
}

/// Whether there is a place for one more beside those who hold one; else by what the first line without one counts. It counts
/// anew, over at most as many as there are places, rather than keep counters that can go wrong.
///
/// # Errors
/// By what the line counts that has no place left.
pub fn room(lines: &[Grant], held: &(impl Iterator<Item = Who> + Clone), who: &Who) -> Result<(), By> {
    let full = |line: &&Grant| {
        let (Amount::Places(count), Some(key)) = (line.amount, who.key(line)) else { return false };
        held.clone().filter(|other| other.key(line) == Some(key)).count() >= count
    };
    lines.iter().find(full).map_or(Ok(()), |line| Err(line.by))
}

/// What is left of one use. `K` names the places that are held, `T` is a time of the clock by which rates are measured.
#[derive(Debug)]
pub struct Budget<K, T> {
    lines: &'static [Grant],
    rates: Vec<Rate<T>>,
    held: HashMap<K, Who>,
    latest: Option<T>,
}

/// A time of some clock.
pub trait Time: Copy + Ord + Add<Duration, Output = Self> {}

impl<T: Copy + Ord + Add<Duration, Output = T>> Time for T {}

impl<K: Copy + Eq + Hash, T: Time> Budget<K, T> {
    /// With all that these lines give.
    pub fn new(lines: &'static [Grant]) -> Self {
        let rates = lines.iter().filter_map(Rate::new).collect();
        Self { lines, rates, held: HashMap::new(), latest: None }
    }

    /// Takes a token, if there is one.
    pub fn take(&mut self, who: &Who, now: T) -> bool {
        let now = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(now);
        let mut asked = self.rates.iter_mut().filter_map(|rate| who.key(&rate.line).map(|key| (rate, key)));
        if !asked.all(|(rate, key)| rate.next(key, now).is_some()) {
            return false;
        }
        for rate in &mut self.rates {
            if let Some(key) = who.key(&rate.line)
                && let Some(after) = rate.next(key, now)
            {
                *rate.bucket(key, now) = after;
            }
        }
        true
    }

    /// Whether there is a place for one more.
    ///
    /// # Errors
    /// As [`room`].
    pub fn room(&self, who: &Who) -> Result<(), By> {
        room(self.lines, &self.held.values().copied(), who)
    }

    /// Takes a place under this name, if there is one.
    ///
    /// # Errors
    /// As [`room`].
    pub fn enter(&mut self, name: K, who: Who) -> Result<(), By> {
        self.room(&who).map(|()| self.hold(name, who))
    }

    /// Takes note of a place that somebody else has given.
    pub fn hold(&mut self, name: K, who: Who) {
        self.held.insert(name, who);
    }

    /// Gives a place back, once: whoever holds none gives back none.
    pub fn leave(&mut self, name: &K) -> Option<Who> {
        self.held.remove(name)
    }

    /// The places that are held.
    pub const fn held(&self) -> &HashMap<K, Who> {
        &self.held
    }
}

/// The buckets of one line.
#[derive(Debug)]
struct Rate<T> {
    line: Grant,
    /// In which a token comes back.
    interval: Duration,
    /// In which an empty bucket is full.
    span: Duration,
    /// When each is full; who has none has a full one. At most `MAX_RATED_KEYS`.
    full: HashMap<Key, T>,
    /// When the one is full that those share for whom there is no room.
    rest: Option<T>,
}

impl<T: Time> Rate<T> {
    fn new(line: &Grant) -> Option<Self> {
        let Amount::Rate { burst, nanos } = line.amount else { return None };
        let interval = Duration::from_nanos(nanos);
        Some(Self { line: *line, interval, span: interval * burst, full: HashMap::new(), rest: None })
    }

    /// When the bucket will be full if a token is taken; `None` if there is none.
    fn next(&mut self, key: Key, now: T) -> Option<T> {
        let after = (*self.bucket(key, now)).max(now) + self.interval;
        (after <= now + self.span).then_some(after)
    }

    fn bucket(&mut self, key: Key, now: T) -> &mut T {
        if self.full.len() >= MAX_RATED_KEYS && !self.full.contains_key(&key) {
            self.forget(now);
            if self.full.len() >= MAX_RATED_KEYS {
                return self.rest.get_or_insert(now);
            }
        }
        self.full.entry(key).or_insert(now)
    }

    /// Makes room for a tenth, so that the search is paid for once in a thousand new keys: a full bucket is as good as none,
    /// then those go that have most left. An empty one stays whoever comes, so that nobody is let off by a flood.
    fn forget(&mut self, now: T) {
        self.full.retain(|_, full| *full > now);
        let too_many = self.full.len().saturating_sub(MAX_RATED_KEYS - MAX_RATED_KEYS / 10);
        let left = |(_, full): &(&Key, &T)| **full + self.interval <= now + self.span;
        let mut left: Vec<_> = self.full.iter().filter(left).map(|(key, full)| (*full, *key)).collect();
        left.sort_unstable_by_key(|(full, _)| *full);
        for (_, key) in left.iter().take(too_many) {
            self.full.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
