//! The keys that a handshake is made from.

use crate::crypto::dh::{DhPublic, DhSecret};
use crate::crypto::kem::KemPublic;
use crate::crypto::kem::KemSecret;
use crate::identity::{Card, CardKeys, IdentityKey, IdentityKeypair, OneTimePrekey, PrekeyId};

/// What is known of a peer with whom a session is begun: from his verified card and, when one was to be had,
/// a verified one-time prekey of his (SES-10).
#[derive(Clone, Debug)]
pub struct RemoteBundle {
    /// `IK_B`.
    pub identity: IdentityKey,
    /// Names `prekey`.
    pub prekey_id: PrekeyId,
    /// `SPK_B`, from the card.
    pub prekey: DhPublic,
    /// Names `kem`.
    pub kem_id: PrekeyId,
    /// The ML-KEM key of the card; it serves when there is no one-time prekey.
    pub kem: KemPublic,
    /// `OPK_B`, and the ML-KEM key that takes the place of the card's.
    pub one_time: Option<OneTimePrekey>,
}

impl RemoteBundle {
    /// What a session can be begun with, of a card alone.
    pub fn of_card(card: &Card) -> Self {
        Self {
            identity: *card.owner(),
            prekey_id: card.prekey_id,
            prekey: card.prekey,
            kem_id: card.kem_id,
            kem: card.kem.clone(),
            one_time: None,
        }
    }

    /// What somebody's card says whose secrets are here: for both sides in one process.
    pub fn of(owner: &IdentityKeypair, card: &CardKeys, one_time: Option<OneTimePrekey>) -> Self {
        Self {
            identity: *owner.public(),
            prekey_id: card.prekey_id,
            prekey: card.prekey.public(),
            kem_id: card.kem_id,
            kem: card.kem.public(),
            one_time,
        }
    }
}

/// The secret keys that a first contact names.
#[derive(Clone, Copy, Debug)]
pub struct ResponderKeys<'a> {
    /// The secret of `SPK_B`, by [`FirstContact::prekey_id`](super::FirstContact::prekey_id).
    pub prekey: &'a DhSecret,
    /// The ML-KEM secret: of the one-time pair when one is named, else of the card.
    pub kem: &'a KemSecret,
    /// The secret of `OPK_B`, exactly when the first contact names one.
    pub one_time: Option<&'a DhSecret>,
}
