//! The sending chain: our messages under one ratchet key of ours.

use serde::{Deserialize, Serialize};

use super::chain_key::ChainKey;
use super::header::KemPart;
use super::kem::KemAnswer;
use super::message_key::MessageKey;
use crate::crypto::dh::{DhPublic, DhSecret};

/// Our ratchet key and the chain that the step to it began.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SendingChain {
    pub(super) secret: DhSecret,
    pub(super) public: DhPublic,
    chain: ChainKey,
    /// `N` of the next message, and how many there were.
    next: u32,
    /// `PN`: how many the chain before had.
    pub(super) previous: u32,
    /// The ciphertext of a step with ML-KEM (SES-43).
    answer: Option<KemAnswer>,
}

impl SendingChain {
    pub(super) fn new(
        secret: DhSecret,
        public: DhPublic,
        chain: ChainKey,
        previous: u32,
        answer: Option<KemAnswer>,
    ) -> Self {
        Self { secret, public, chain, next: 0, previous, answer }
    }

    /// How many messages it has.
    pub(super) const fn count(&self) -> u32 {
        self.next
    }

    /// Whether all counters are used: the last one, 2³² − 1, never is (SES-32).
    pub(super) const fn is_exhausted(&self) -> bool {
        self.next == u32::MAX
    }

    /// `N` and key of the next message; the chain stands after it.
    pub(super) fn advance(&mut self) -> (u32, MessageKey) {
        let (key, chain) = self.chain.step();
        let number = self.next;
        self.chain = chain;
        self.next = self.next.saturating_add(1);
        (number, key)
    }

    /// What the responder's headers carry.
    pub(super) fn part(&self) -> KemPart<'_> {
        self.answer.as_ref().map_or(KemPart::Nothing, KemAnswer::part)
    }

    #[cfg(test)]
    pub(super) fn set_next(&mut self, next: u32) {
        self.next = next;
    }
}
