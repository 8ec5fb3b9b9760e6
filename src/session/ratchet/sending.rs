//! The sending chain: our messages under one ratchet key of ours.
//!
//! What a turn makes lies in the row of its session. So does what every message changes, as long as the commit of the turn was
//! the only one that sealed; then it moves to [`Sending`], a small row of its own.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize, Serializer};

use super::chains::{Mark, mark};
use super::keys::{ChainKey, MessageKey};
use super::side::KemAnswer;
use crate::base::SessionId;
use crate::base::limits::MAX_UNTAKEN;
use crate::crypto::dh::{DhPublic, DhSecret};

/// Our ratchet key and the chain that the step to it began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::session) struct SendingChain {
    pub(super) secret: DhSecret,
    pub(super) public: DhPublic,
    /// `PN`: how many the chain before had.
    pub(super) previous: u32,
    /// The ciphertext of a step with ML-KEM (SES-43).
    pub(super) answer: Option<KemAnswer>,
    /// `N` of the next message, and how many there were. While [`Sending`] is there, that says it.
    next: u32,
    /// While something may be sealed. In this row only until it moves.
    #[serde(serialize_with = "unless_moved")]
    live: Option<Live>,
}

/// What the next message needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Live {
    key: ChainKey,
    /// The lowest number that nobody has taken yet, as far as is known.
    lowest: u32,
    /// Numbers above it that were taken.
    #[serde(skip)]
    taken: BTreeSet<u32>,
    #[serde(skip)]
    place: Place,
}

/// In which row the chain key lies. Never in both: the older one would open what was sealed since (SES-62).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// In that of its session, which the turn writes anyway.
    #[default]
    Session,
    /// There, since before the sessions were loaded: the next message moves it.
    Moves,
    /// In one of its own.
    Own,
}

fn unless_moved<S: Serializer>(live: &Option<Live>, to: S) -> Result<S::Ok, S::Error> {
    live.as_ref().filter(|live| live.place != Place::Own).serialize(to)
}

/// The chain that sends, as a row: all that changes with a sealed message (SES-65).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sending {
    pub(super) session: SessionId,
    chain: Mark,
    key: ChainKey,
    next: u32,
    lowest: u32,
    /// Messages since the last key was offered (SES-40).
    pub(super) messages: u32,
}

impl SendingChain {
    pub(super) fn new(secret: DhSecret, key: ChainKey, previous: u32, answer: Option<KemAnswer>) -> Self {
        let live = Some(Live { key, lowest: 0, taken: BTreeSet::new(), place: Place::Session });
        Self { public: secret.public(), secret, previous, answer, next: 0, live }
    }

    /// How many messages it has. When that is not known: the most that it can have (SES-65).
    pub(super) const fn count(&self) -> u32 {
        self.next
    }

    /// Whether nothing more can be sealed: all counters are used (the last one, 2³² − 1, never is, SES-32), or the chain
    /// key is gone.
    pub(super) const fn is_exhausted(&self) -> bool {
        self.next == u32::MAX || self.live.is_none()
    }

    /// `N` and key of the next message, and whether the chain key moved; the chain stands after it. `None` when it is exhausted.
    pub(super) fn advance(&mut self) -> Option<(u32, MessageKey, bool)> {
        let (live, next) = (self.live.as_mut()?, self.next.checked_add(1)?);
        let (key, chain) = live.key.step();
        live.key = chain;
        let moves = live.place == Place::Moves;
        if moves {
            live.place = Place::Own;
        }
        Some((std::mem::replace(&mut self.next, next), key, moves))
    }

    /// Names a message of this chain.
    pub(super) fn name(&self, number: u32) -> u64 {
        u64::from(u32::from_be_bytes(self.mark())) << 32 | u64::from(number)
    }

    /// The message of this name was taken, if it is one of this chain.
    pub(in crate::session) fn taken(&mut self, name: u64) {
        let number = name.checked_sub(self.name(0)).and_then(|number| u32::try_from(number).ok());
        let (next, Some(live), Some(number)) = (self.next, &mut self.live, number) else { return };
        if number < live.lowest || number >= next {
            return;
        }
        live.taken.insert(number);
        while live.taken.remove(&live.lowest) {
            live.lowest = live.lowest.saturating_add(1);
        }
    }

    /// Names of messages that were taken, though one before them was not.
    pub(in crate::session) fn taken_above(&self) -> impl Iterator<Item = u64> {
        let taken = self.live.as_ref().map(|live| live.taken.iter());
        taken.into_iter().flatten().map(|number| self.name(*number))
    }

    /// Whether so much was not taken that the peer, who misses it, would refuse what comes (SES-33, SES-66).
    pub(in crate::session) fn is_stretched(&self) -> bool {
        self.live.as_ref().is_some_and(|live| self.next.saturating_sub(live.lowest) >= MAX_UNTAKEN)
    }

    /// Nothing more is sealed: the chain key is erased.
    pub(super) fn stop(&mut self) {
        self.live = None;
    }

    /// Its row, if it has one of its own.
    pub(super) fn row(&self, session: SessionId, messages: u32) -> Option<Sending> {
        let live = self.live.as_ref().filter(|live| live.place == Place::Own)?;
        let key = live.key.clone();
        Some(Sending { session, chain: self.mark(), key, next: self.next, lowest: live.lowest, messages })
    }

    /// Goes on where the rows left off; without a chain key in that of the session, or one of this chain in its own, nothing
    /// more can be sealed, and it is not known how much was. Of its own it says how many messages count for the next offer.
    pub(super) fn resume(&mut self, session: SessionId, row: Option<&Sending>) -> Option<u32> {
        if let Some(live) = &mut self.live {
            live.place = Place::Moves;
            return None;
        }
        let row = row.filter(|row| row.session == session && row.chain == self.mark());
        self.next = row.map_or(u32::MAX, |row| row.next);
        let (key, lowest, taken) = row.map(|row| (row.key.clone(), row.lowest, BTreeSet::new()))?;
        self.live = Some(Live { key, lowest, taken, place: Place::Own });
        row.map(|row| row.messages)
    }

    const fn mark(&self) -> Mark {
        mark(&self.public)
    }

    #[cfg(test)]
    pub(super) fn set_next(&mut self, next: u32) {
        self.next = next;
    }

    #[cfg(test)]
    pub(super) fn chain_key(&self) -> Option<&[u8]> {
        self.live.as_ref().map(|live| &live.key.0.expose()[..])
    }
}
