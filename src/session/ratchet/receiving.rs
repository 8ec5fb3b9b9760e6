//! A receiving chain: the peer's messages under one ratchet key of his, and the keys that were skipped in it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::keys::{ChainKey, MessageKey};
use crate::base::limits::{MAX_JUMP, SKIPPED_KEY_LIFE};
use crate::base::{Aging, WallTime};
use crate::crypto::dh::DhPublic;
use crate::session::SessionError;

/// The chain of one ratchet key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ReceivingChain {
    pub(super) ratchet_key: DhPublic,
    /// Gone when every key was taken from it, or the chain is too old.
    chain: Option<ChainKey>,
    /// Keys below were taken from the chain.
    next: u32,
    /// Known since the peer's next ratchet key came; the newest chain has none.
    end: Option<End>,
    /// In the order of their numbers, all below `next`.
    skipped: VecDeque<SkippedKey>,
    /// Below this number keys were dropped unused.
    forgotten_below: u32,
}

/// Where a chain ended: how many messages it has (the `PN` of the next one), and when we knew.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct End {
    count: u32,
    since: WallTime,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SkippedKey {
    number: u32,
    key: MessageKey,
    since: WallTime,
}

/// The key of a message that is tried. Nothing of the chain has changed yet.
pub(super) struct KeyFound {
    pub(super) key: MessageKey,
    place: Place,
}

enum Place {
    /// It was skipped before, and stands there.
    Skipped(usize),
    /// The chain reaches it past these, and goes on behind this number.
    Ahead(Vec<SkippedKey>, ChainKey, u32),
}

impl ReceivingChain {
    pub(super) const fn new(ratchet_key: DhPublic, chain: ChainKey) -> Self {
        Self { ratchet_key, chain: Some(chain), next: 0, end: None, skipped: VecDeque::new(), forgotten_below: 0 }
    }

    /// The key of message `number` (SES-33, SES-34, SES-35).
    pub(super) fn find(&self, number: u32, now: Aging) -> Result<KeyFound, SessionError> {
        if number < self.next {
            return match self.skipped.binary_search_by_key(&number, |skipped| skipped.number) {
                Ok(place) => match self.skipped.get(place) {
                    Some(SkippedKey { key, since, .. }) if !is_old(*since, now) => {
                        Ok(KeyFound { key: key.clone(), place: Place::Skipped(place) })
                    }
                    _ => Err(SessionError::Forgotten),
                },
                Err(_) if number < self.forgotten_below => Err(SessionError::Forgotten),
                Err(_) => Err(SessionError::Duplicate),
            };
        }
        // The sender said where the chain ends: it has no such message.
        if self.end.is_some_and(|end| number >= end.count) {
            return Err(SessionError::Authentication);
        }
        let live = self.chain.as_ref().filter(|_| !self.has_expired(now));
        self.advance(live.ok_or(SessionError::Forgotten)?, number, now)
    }

    /// Steps a copy of the chain to `number`, which is not below `next`.
    fn advance(&self, chain: &ChainKey, number: u32, now: Aging) -> Result<KeyFound, SessionError> {
        let jump = number.saturating_sub(self.next);
        if jump > MAX_JUMP {
            return Err(SessionError::TooFarAhead);
        }
        let mut skipped = Vec::new();
        let (mut key, mut chain) = chain.step();
        for passed in self.next..number {
            skipped.push(SkippedKey { number: passed, key, since: now.now });
            (key, chain) = chain.step();
        }
        Ok(KeyFound { key, place: Place::Ahead(skipped, chain, number) })
    }

    /// The message opened: takes the key out (SES-36).
    pub(super) fn take(&mut self, found: KeyFound) {
        match found.place {
            Place::Skipped(place) => drop(self.skipped.remove(place)),
            Place::Ahead(skipped, chain, number) => {
                self.skipped.extend(skipped);
                self.next = number.saturating_add(1);
                self.chain = Some(chain).filter(|_| self.end.is_none_or(|end| self.next < end.count));
            }
        }
    }

    /// The peer's next ratchet key has come: this chain has `count` messages (SES-34).
    pub(super) fn end(&mut self, count: u32, now: Aging) {
        self.end = Some(End { count, since: now.now });
        if self.next >= count {
            self.chain = None;
        }
    }

    /// Whether a chain of `count` messages is possible, after what was received.
    pub(super) const fn may_end_at(&self, count: u32) -> bool {
        self.next <= count
    }

    /// Takes the outstanding keys out, at most as many as a jump may have, and drops the chain key (SES-34).
    pub(super) fn close(&mut self, now: Aging) {
        let (Some(chain), Some(end)) = (self.chain.take(), self.end) else { return };
        let last = end.count.min(self.next.saturating_add(MAX_JUMP)).saturating_sub(1);
        if let Ok(KeyFound { key, place: Place::Ahead(skipped, ..) }) = self.advance(&chain, last, now) {
            self.skipped.extend(skipped);
            self.skipped.push_back(SkippedKey { number: last, key, since: now.now });
            self.next = last.saturating_add(1);
        }
    }

    /// Drops what is too old (SES-34). Whether there was something.
    pub(super) fn expire(&mut self, now: Aging) -> bool {
        let mut dropped = self.has_expired(now) && self.chain.take().is_some();
        while self.skipped.front().is_some_and(|skipped| is_old(skipped.since, now)) {
            self.forget_first();
            dropped = true;
        }
        dropped
    }

    /// Drops the skipped key that was kept longest.
    pub(super) fn forget_first(&mut self) {
        if let Some(SkippedKey { number, .. }) = self.skipped.pop_front() {
            self.forgotten_below = number.saturating_add(1);
        }
    }

    /// Since when the skipped key that was kept longest is kept.
    pub(super) fn first_skipped(&self) -> Option<WallTime> {
        self.skipped.front().map(|skipped| skipped.since)
    }

    /// How many skipped keys it keeps.
    pub(super) fn skipped(&self) -> usize {
        self.skipped.len()
    }

    /// Whether nothing more can be opened with it.
    pub(super) fn is_over(&self) -> bool {
        self.chain.is_none() && self.skipped.is_empty()
    }

    /// Whether every message of it was opened.
    pub(super) fn is_used_up(&self) -> bool {
        self.is_over() && self.forgotten_below == 0 && self.end.is_some_and(|end| end.count == self.next)
    }

    fn has_expired(&self, now: Aging) -> bool {
        self.end.is_some_and(|end| is_old(end.since, now))
    }

    #[cfg(test)]
    pub(super) fn set_next(&mut self, next: u32) {
        self.next = next;
    }
}

fn is_old(since: WallTime, now: Aging) -> bool {
    now.since(since) >= SKIPPED_KEY_LIFE
}
