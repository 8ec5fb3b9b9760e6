//! All receiving chains of a session, and their bounds (SES-34).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::receiving::{KeyFound, ReceivingChain};
use crate::base::Aging;
use crate::base::limits::{MAX_LATE_CHAINS, MAX_RECEIVING_CHAINS, MAX_SKIPPED_KEYS, MAX_USED_CHAIN_MARKS};
use crate::crypto::dh::DhPublic;
use crate::session::SessionError;

/// Newest first. The first [`MAX_RECEIVING_CHAINS`] may hold a chain key, those after them only skipped keys.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct ReceivingChains {
    chains: VecDeque<ReceivingChain>,
    /// Of chains that were dropped with every message opened, newest first.
    used_up: VecDeque<Mark>,
}

/// The first bytes of a ratchet key. Of a receiving chain it only tells why a message that did not open did not (a
/// duplicate, or a forgery), so that a clash of two marks costs nothing.
pub(super) type Mark = [u8; 4];

/// Where the key of a message was found.
pub(super) struct Found {
    chain: usize,
    pub(super) key: KeyFound,
}

impl ReceivingChains {
    /// The newest.
    pub(super) fn current(&self) -> Option<&ReceivingChain> {
        self.chains.front()
    }

    /// Looks a message up in the chains that are known; `None` when its ratchet key is not.
    pub(super) fn find(&self, ratchet_key: &DhPublic, number: u32, now: Aging) -> Option<Result<Found, SessionError>> {
        let chain = self.chains.iter().position(|chain| chain.ratchet_key == *ratchet_key)?;
        let key = self.chains.get(chain)?.find(number, now);
        Some(key.map(|key| Found { chain, key }))
    }

    /// The message opened: takes its key out.
    pub(super) fn take(&mut self, found: Found, now: Aging) {
        if let Some(chain) = self.chains.get_mut(found.chain) {
            chain.take(found.key);
        }
        self.tidy(now);
    }

    /// The first message under a new ratchet key opened; it said how many the chain before has.
    pub(super) fn begin(&mut self, chain: ReceivingChain, previous: u32, now: Aging) {
        if let Some(before) = self.chains.front_mut() {
            before.end(previous, now);
        }
        self.chains.push_front(chain);
        self.tidy(now);
    }

    /// Whether every message under this ratchet key was opened long ago (SES-35).
    pub(super) fn is_used_up(&self, ratchet_key: &DhPublic) -> bool {
        self.used_up.contains(&mark(ratchet_key))
    }

    /// Keeps the bounds; what is too old goes first, then what was kept longest. Whether something was too old.
    pub(super) fn tidy(&mut self, now: Aging) -> bool {
        let mut expired = false;
        for (age, chain) in self.chains.iter_mut().enumerate() {
            expired |= chain.expire(now);
            if age >= MAX_RECEIVING_CHAINS {
                chain.close(now);
            }
        }
        self.keep_skipped(MAX_SKIPPED_KEYS);
        expired
    }

    /// Keeps so many skipped keys; those that were kept longest go.
    pub(super) fn keep_skipped(&mut self, max: usize) {
        let kept: usize = self.chains.iter().map(ReceivingChain::skipped).sum();
        for _ in max..kept {
            // From the oldest chain on, so that of two equally old keys that of the older chain goes.
            let with_keys = self.chains.iter_mut().rev().filter(|chain| chain.skipped() > 0);
            if let Some(chain) = with_keys.min_by_key(|chain| chain.first_skipped()) {
                chain.forget_first();
            }
        }
        self.drop_old();
    }

    fn drop_old(&mut self) {
        let late = self.chains.split_off(self.chains.len().min(MAX_RECEIVING_CHAINS));
        for chain in late {
            if !chain.is_over() && self.chains.len() < MAX_RECEIVING_CHAINS + MAX_LATE_CHAINS {
                self.chains.push_back(chain);
            } else if chain.is_used_up() {
                self.used_up.push_front(mark(&chain.ratchet_key));
            }
        }
        self.used_up.truncate(MAX_USED_CHAIN_MARKS);
    }

    #[cfg(test)]
    pub(super) fn current_mut(&mut self) -> Option<&mut ReceivingChain> {
        self.chains.front_mut()
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (self.chains.len(), self.chains.iter().map(ReceivingChain::skipped).sum(), self.used_up.len())
    }
}

/// The mark of a ratchet key.
pub(super) const fn mark(ratchet_key: &DhPublic) -> Mark {
    let [a, b, c, d, ..] = ratchet_key.0;
    [a, b, c, d]
}
