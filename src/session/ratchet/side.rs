//! What differs between the two sides of a session: who began it repeats the first contact, and offers keys of ML-KEM (at most
//! one at a time); the other answers each once.

use serde::{Deserialize, Serialize};

use super::header::KemPart;
use super::keys::KemMix;
use crate::base::limits::{KEM_INTERVAL, KEM_INTERVAL_MESSAGES};
use crate::base::{Aging, CryptoRng, WallTime};
use crate::crypto::kem::{KemCiphertext, KemPublic, KemSecret};
use crate::session::SessionError;
use crate::session::handshake::FirstContact;

/// Which side of the session we are, and what only that side keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Side {
    /// We began it.
    Initiator {
        /// Repeated before every message until a reply opened (SES-16).
        first_contact: Option<Box<FirstContact>>,
        /// `(dk, ek)` on offer. The public half is kept beside the seed, because it rides in every header.
        offer: Option<(KemSecret, KemPublic)>,
        /// The ID of the newest key that was offered; 0 before the first.
        newest: u32,
        /// Messages, sent and received, since then.
        messages: u32,
        /// When that was; before the first offer, when the session began.
        since: WallTime,
    },
    /// The peer began it.
    Responder {
        /// SHA-256 of the header that began it: a repetition must be the same (SES-17).
        fingerprint: [u8; 32],
        /// The newest ID that was seen; lower ones, and itself, are ignored from then on.
        newest: u32,
        /// The key of that ID, until it is used.
        offered: Option<KemPublic>,
    },
}

/// A key offered by an authenticated header, checked, not kept yet.
pub(super) type NewOffer = Option<(u32, KemPublic)>;

/// A ciphertext, riding in every header of one sending chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KemAnswer {
    id: u32,
    ct: KemCiphertext,
}

impl Side {
    pub(super) const fn initiator(first: Box<FirstContact>, now: Aging) -> Self {
        Self::Initiator { first_contact: Some(first), offer: None, newest: 0, messages: 0, since: now.now }
    }

    /// Only the initiator offers, only the responder answers (SES-42).
    pub(super) const fn check_direction(&self, part: KemPart<'_>) -> Result<(), SessionError> {
        match (self, part) {
            (Self::Initiator { .. }, KemPart::Offer { .. }) | (Self::Responder { .. }, KemPart::Answer { .. }) => {
                Err(SessionError::Malformed)
            }
            _ => Ok(()),
        }
    }

    /// What rides in the next header: what is on offer (SES-41), or the answer of the chain (SES-43).
    pub(super) fn part<'a>(&'a self, answer: Option<&'a KemAnswer>) -> KemPart<'a> {
        match (self, answer) {
            (Self::Initiator { offer: Some((_, ek)), newest, .. }, _) => {
                KemPart::Offer { id: *newest, ek: ek.as_bytes() }
            }
            (Self::Responder { .. }, Some(KemAnswer { id, ct })) => KemPart::Answer { id: *id, ct: ct.as_bytes() },
            _ => KemPart::Nothing,
        }
    }

    /// One more message is sent. Makes a new key to offer when one is due (SES-40). Whether it was.
    pub(super) fn sent(&mut self, confirmed: bool, rng: &mut dyn CryptoRng, now: Aging) -> bool {
        self.count();
        let Self::Initiator { offer, newest, messages, since, .. } = self else { return false };
        let due = *messages >= KEM_INTERVAL_MESSAGES || now.now.since(*since) >= KEM_INTERVAL;
        let (None, true, Some(id)) = (&offer, confirmed && due, newest.checked_add(1)) else { return false };
        let secret = KemSecret::generate(rng);
        let public = secret.public();
        (*offer, *newest, *messages, *since) = (Some((secret, public)), id, 0, now.now);
        true
    }

    /// A message opened: keeps what it offered, and counts it.
    pub(super) fn received(&mut self, offer: NewOffer) {
        self.count();
        if let (Self::Responder { newest, offered, .. }, Some((id, key))) = (self, offer) {
            (*newest, *offered) = (id, Some(key));
        }
    }

    fn count(&mut self) {
        if let Self::Initiator { messages, .. } = self {
            *messages = messages.saturating_add(1);
        }
    }

    /// Messages since the last offer.
    pub(super) const fn messages(&self) -> u32 {
        match self {
            Self::Initiator { messages, .. } => *messages,
            Self::Responder { .. } => 0,
        }
    }

    /// There were at least so many.
    pub(super) fn count_to(&mut self, least: u32) {
        if let Self::Initiator { messages, .. } = self {
            *messages = least.max(*messages);
        }
    }

    /// What a new ratchet key of the peer mixes in besides DH: `ss = Decaps(dk, ct)` (SES-44).
    pub(super) fn mix(&self, part: KemPart<'_>) -> Result<Option<KemMix>, SessionError> {
        let (Self::Initiator { offer, newest, .. }, KemPart::Answer { id, ct }) = (self, part) else {
            return Ok(None);
        };
        // An answer to nothing that is on offer cannot come from an honest responder.
        let (dk, ek) = offer.as_ref().filter(|_| id == *newest).ok_or(SessionError::Authentication)?;
        let ct = KemCiphertext::from_bytes(ct)?;
        Ok(Some(KemMix::new(dk.decapsulate(&ct), ek, &ct)))
    }

    /// A ratchet key that answers ours has come; with the answer to what is on offer, `dk` is erased (SES-16, SES-44).
    pub(super) fn answered(&mut self, part: KemPart<'_>) {
        if let Self::Initiator { first_contact, offer, .. } = self {
            *first_contact = None;
            if let KemPart::Answer { .. } = part {
                *offer = None;
            }
        }
    }

    /// Checks the key that an authenticated header offers, when it is new (SES-4, SES-42).
    pub(super) fn check_offer(&self, part: KemPart<'_>) -> Result<NewOffer, SessionError> {
        match (self, part) {
            (Self::Responder { newest, .. }, KemPart::Offer { id, ek }) if id > *newest => {
                Ok(Some((id, KemPublic::from_bytes(ek)?)))
            }
            _ => Ok(None),
        }
    }

    /// The ID of the key on offer that our next turn answers.
    pub(super) fn answers(&self) -> Option<u32> {
        match self {
            Self::Responder { newest, offered: Some(_), .. } => Some(*newest),
            _ => None,
        }
    }

    /// `(ct, ss) = Encaps(ek)`, when there is a key that was not used (SES-43).
    pub(super) fn encapsulate(&self, rng: &mut dyn CryptoRng) -> Option<(KemAnswer, KemMix)> {
        let Self::Responder { newest, offered: Some(ek), .. } = self else { return None };
        let (ct, shared) = ek.encapsulate(rng);
        let mix = KemMix::new(shared, ek, &ct);
        Some((KemAnswer { id: *newest, ct }, mix))
    }

    /// Our turn was made: the key that it answered is never used again.
    pub(super) fn turned(&mut self) {
        if let Self::Responder { offered, .. } = self {
            *offered = None;
        }
    }
}
