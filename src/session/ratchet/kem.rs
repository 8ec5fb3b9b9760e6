//! The sparse ML-KEM ratchet: the initiator offers keys, the responder answers each once.

use serde::{Deserialize, Serialize};

use super::header::KemPart;
use super::root_key::KemMix;
use crate::base::limits::{KEM_INTERVAL, KEM_INTERVAL_MESSAGES};
use crate::base::{CryptoRng, WallTime};
use crate::crypto::kem::{CT_LEN, KemCiphertext, KemPublic, KemSecret, KemShared};
use crate::session::SessionError;

/// The initiator's side: at most one key is on offer at a time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KemOffers {
    pending: Option<KemOffer>,
    /// The ID of the newest key that was offered; 0 before the first.
    newest: u32,
    /// Messages, sent and received, since then.
    messages: u32,
    /// When that was; before the first offer, when the session began.
    since: WallTime,
}

/// `(ek, dk)`. The public half is kept beside the seed, because it rides in every header.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KemOffer {
    secret: KemSecret,
    public: KemPublic,
}

impl KemOffers {
    pub(super) const fn new(now: WallTime) -> Self {
        Self { pending: None, newest: 0, messages: 0, since: now }
    }

    /// One more message was sent or received.
    pub(super) fn count(&mut self) {
        self.messages = self.messages.saturating_add(1);
    }

    /// How many there were since the last offer.
    pub(super) const fn messages(&self) -> u32 {
        self.messages
    }

    /// There were at least so many.
    pub(super) fn count_to(&mut self, messages: u32) {
        self.messages = self.messages.max(messages);
    }

    /// Makes a new key when one is due (SES-40). Whether it was.
    pub(super) fn renew_if_due(&mut self, rng: &mut dyn CryptoRng, now: WallTime) -> bool {
        let due = self.messages >= KEM_INTERVAL_MESSAGES || now.since(self.since) >= KEM_INTERVAL;
        let (None, true, Some(id)) = (&self.pending, due, self.newest.checked_add(1)) else { return false };
        let secret = KemSecret::generate(rng);
        let public = secret.public();
        *self = Self { pending: Some(KemOffer { secret, public }), newest: id, messages: 0, since: now };
        true
    }

    /// What rides in the next header (SES-41).
    pub(super) fn part(&self) -> KemPart<'_> {
        match &self.pending {
            Some(offer) => KemPart::Offer { id: self.newest, ek: offer.public.as_bytes() },
            None => KemPart::Nothing,
        }
    }

    /// `ss = Decaps(dk, ct)`, for a root step that is tried (SES-44).
    pub(super) fn mix<'a>(&'a self, id: u32, ct: &'a [u8; CT_LEN]) -> Result<KemMix<'a>, SessionError> {
        // An answer to nothing that is on offer cannot come from an honest responder.
        let offer = self.pending.as_ref().filter(|_| id == self.newest).ok_or(SessionError::Authentication)?;
        let shared = offer.secret.decapsulate(&KemCiphertext::from_bytes(ct)?);
        Ok(KemMix { shared, ek: offer.public.as_bytes(), ct })
    }

    /// The answer opened: dk is erased (SES-44).
    pub(super) fn settle(&mut self) {
        self.pending = None;
    }
}

/// The responder's side.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct KemAnswers {
    /// The newest ID that was seen; lower ones, and itself, are ignored from then on.
    newest: u32,
    /// The key of that ID, until it is used.
    offered: Option<KemPublic>,
}

/// A ciphertext, riding in every header of one sending chain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KemAnswer {
    id: u32,
    ct: KemCiphertext,
}

/// An encapsulation for a root step that is about to be made.
pub(super) struct Encapsulated<'a> {
    pub(super) answer: KemAnswer,
    pub(super) shared: KemShared,
    pub(super) ek: &'a KemPublic,
}

impl KemAnswers {
    /// The key of an authenticated header, when it is new (SES-42, SES-4).
    pub(super) fn check(&self, part: KemPart<'_>) -> Result<Option<(u32, KemPublic)>, SessionError> {
        match part {
            KemPart::Offer { id, ek } if id > self.newest => Ok(Some((id, KemPublic::from_bytes(ek)?))),
            _ => Ok(None),
        }
    }

    /// Keeps what [`Self::check`] gave.
    pub(super) fn accept(&mut self, id: u32, key: KemPublic) {
        *self = Self { newest: id, offered: Some(key) };
    }

    /// `(ct, ss) = Encaps(ek)`, when there is a key that was not used (SES-43).
    pub(super) fn encapsulate(&self, rng: &mut dyn CryptoRng) -> Option<Encapsulated<'_>> {
        let ek = self.offered.as_ref()?;
        let (ct, shared) = ek.encapsulate(rng);
        Some(Encapsulated { answer: KemAnswer { id: self.newest, ct }, shared, ek })
    }

    /// The ID of the key that the next step answers, if there is one.
    pub(super) fn answers(&self) -> Option<u32> {
        self.offered.is_some().then_some(self.newest)
    }

    /// The key was used; it is never used again.
    pub(super) fn settle(&mut self) {
        self.offered = None;
    }
}

impl KemAnswer {
    pub(super) fn part(&self) -> KemPart<'_> {
        KemPart::Answer { id: self.id, ct: self.ct.as_bytes() }
    }
}

impl Encapsulated<'_> {
    pub(super) fn mix(&self) -> KemMix<'_> {
        KemMix { shared: self.shared.clone(), ek: self.ek.as_bytes(), ct: self.answer.ct.as_bytes() }
    }
}
