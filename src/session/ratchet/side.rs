//! What differs between the two sides of a session.

use serde::{Deserialize, Serialize};

use super::header::KemPart;
use super::kem::{KemAnswers, KemOffers};
use super::root_key::KemMix;
use crate::crypto::kem::KemPublic;
use crate::session::SessionError;
use crate::session::handshake::FirstContact;

/// Which side of the session we are, and what only that side keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Side {
    /// We began it.
    Initiator {
        /// Repeated before every message until a reply opened (SES-16).
        first_contact: Option<Box<FirstContact>>,
        offers: KemOffers,
    },
    /// The peer began it.
    Responder {
        /// SHA-256 of the header that began it: a repetition must be the same (SES-17).
        fingerprint: [u8; 32],
        answers: KemAnswers,
    },
}

/// A key offered by an authenticated header, checked, not kept yet.
pub(super) type NewOffer = Option<(u32, KemPublic)>;

impl Side {
    /// Only the initiator offers, only the responder answers (SES-42).
    pub(super) const fn check_direction(&self, part: KemPart<'_>) -> Result<(), SessionError> {
        match (self, part) {
            (Self::Initiator { .. }, KemPart::Offer { .. }) | (Self::Responder { .. }, KemPart::Answer { .. }) => {
                Err(SessionError::Malformed)
            }
            _ => Ok(()),
        }
    }

    /// What a new ratchet key of the peer mixes in besides DH (SES-44).
    pub(super) fn mix<'a>(&'a self, part: KemPart<'a>) -> Result<Option<KemMix<'a>>, SessionError> {
        match (self, part) {
            (Self::Initiator { offers, .. }, KemPart::Answer { id, ct }) => offers.mix(id, ct).map(Some),
            _ => Ok(None),
        }
    }

    /// The ID of the key on offer that our next turn answers.
    pub(super) fn answers(&self) -> Option<u32> {
        match self {
            Self::Initiator { .. } => None,
            Self::Responder { answers, .. } => answers.answers(),
        }
    }

    /// Checks the key that an authenticated header offers (SES-4, SES-42).
    pub(super) fn check_offer(&self, part: KemPart<'_>) -> Result<NewOffer, SessionError> {
        match self {
            Self::Initiator { .. } => Ok(None),
            Self::Responder { answers, .. } => answers.check(part),
        }
    }

    /// A message opened: keeps what it offered, and counts it.
    pub(super) fn received(&mut self, offer: NewOffer) {
        match self {
            Self::Initiator { offers, .. } => offers.count(),
            Self::Responder { answers, .. } => {
                if let Some((id, key)) = offer {
                    answers.accept(id, key);
                }
            }
        }
    }

    /// A ratchet key that answers ours has come (SES-16, SES-44).
    pub(super) fn answered(&mut self, part: KemPart<'_>) {
        if let Self::Initiator { first_contact, offers } = self {
            *first_contact = None;
            if let KemPart::Answer { .. } = part {
                offers.settle();
            }
        }
    }
}
