//! Prekeys: the secret parts that the owner keeps, and the signed one-time prekeys he hands out.

use serde::{Deserialize, Serialize};

use super::key::IdentityKey;
use super::keypair::IdentityKeypair;
use super::record::{self, RecordError, Unverified};
use crate::base::limits::{MAX_ONE_TIME_PREKEY, ONE_TIME_LIFE};
use crate::base::{CryptoRng, WallTime};
use crate::crypto::dh::{DhPublic, DhSecret};
use crate::crypto::kem::{KemPublic, KemSecret};

/// The label under which a one-time prekey is signed (ID-30).
pub(super) const LABEL: &str = "rohrpost/identity/one-time-prekey/v1";
/// Fields of a one-time prekey's body: keys 0 to 5.
const FIELDS: usize = 6;

/// Names a prekey: 64 random bits, so that it says nothing about how many there were (ID-29).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PrekeyId(pub u64);

impl PrekeyId {
    /// A fresh one.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self(rng.next_u64())
    }
}

/// The secret parts of the keys in one's card. Their rows live until 22 days after the last card
/// that named them expired (ID-28).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardKeys {
    /// Names `prekey`.
    pub prekey_id: PrekeyId,
    /// The X25519 prekey, `SPK`.
    pub prekey: DhSecret,
    /// Names `kem`.
    pub kem_id: PrekeyId,
    /// The ML-KEM-768 prekey.
    pub kem: KemSecret,
    /// Names `seal`.
    pub seal_id: PrekeyId,
    /// The X25519 seal key, for what waits in mailboxes.
    pub seal: DhSecret,
}

impl CardKeys {
    /// Fresh keys.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self {
            prekey_id: PrekeyId::random(rng),
            prekey: DhSecret::generate(rng),
            kem_id: PrekeyId::random(rng),
            kem: KemSecret::generate(rng),
            seal_id: PrekeyId::random(rng),
            seal: DhSecret::generate(rng),
        }
    }
}

/// The secret parts of a one-time prekey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneTimeKeys {
    /// Names the pair.
    pub id: PrekeyId,
    /// The X25519 half, `OPK`.
    pub dh: DhSecret,
    /// The ML-KEM-768 half, which takes the place of the card's.
    pub kem: KemSecret,
    /// Until when a peer may begin with it; the secrets live 22 days longer (ID-28).
    pub expires: WallTime,
}

impl OneTimeKeys {
    /// A fresh pair, valid for 60 days.
    pub fn generate(rng: &mut dyn CryptoRng, now: WallTime) -> Self {
        Self {
            id: PrekeyId::random(rng),
            dh: DhSecret::generate(rng),
            kem: KemSecret::generate(rng),
            expires: now + ONE_TIME_LIFE,
        }
    }

    /// The encoded, signed public parts (ID-30).
    pub fn sign(&self, owner: &IdentityKeypair) -> Vec<u8> {
        let mut body = record::begin(FIELDS, owner.peer_id());
        body.put(2u8).put(self.id.0).put(3u8).bytes(&self.dh.public().0);
        body.put(4u8).bytes(self.kem.public().as_bytes()).put(5u8).put(self.expires.0);
        record::sign(owner, LABEL, &body.into_bytes())
    }
}

/// A one-time prekey as it came, not verified.
#[derive(Clone, Debug)]
pub struct OneTimePrekeyIn {
    unverified: Unverified,
    prekey: OneTimePrekey,
}

/// A verified one-time prekey of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimePrekey {
    /// Names the pair.
    pub id: PrekeyId,
    /// The X25519 half, `OPK`.
    pub dh: DhPublic,
    /// The ML-KEM-768 half; it passed the modulus check.
    pub kem: KemPublic,
    /// Until when it may be used.
    pub expires: WallTime,
}

impl OneTimePrekeyIn {
    /// Decodes strictly (ID-10 to ID-13, ID-30). At most `MAX_ONE_TIME_PREKEY` bytes.
    ///
    /// # Errors
    /// Any [`RecordError`] but `WrongOwner`, `Signature` and `Expired`.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let (unverified, prekey) = Unverified::decode(bytes, MAX_ONE_TIME_PREKEY, FIELDS, |body| {
            body.field(2)?;
            let id = PrekeyId(body.uint("expected a number")?);
            body.field(3)?;
            let dh = DhPublic(body.byte_array("a key of wrong length")?);
            body.field(4)?;
            let kem = body.kem()?;
            body.field(5)?;
            Ok(OneTimePrekey { id, dh, kem, expires: WallTime(body.uint("expected a number")?) })
        })?;
        Ok(Self { unverified, prekey })
    }

    /// Owner, signature, then time (ID-14, ID-15).
    ///
    /// # Errors
    /// [`RecordError::WrongOwner`], [`RecordError::Signature`], [`RecordError::Expired`].
    pub fn verify(self, owner: &IdentityKey, now: WallTime) -> Result<OneTimePrekey, RecordError> {
        self.unverified.verify(LABEL, owner, self.prekey.expires, now)?;
        Ok(self.prekey)
    }
}

#[cfg(test)]
mod tests;
