//! X25519 (RFC 7748).

use serde::{Deserialize, Serialize};
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroize;

use super::CryptoError;
use crate::base::{CryptoRng, Secret};

/// A public X25519 key: 32 bytes, not known to be sound until an exchange contributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DhPublic(pub [u8; 32]);

/// What an exchange gave; never all zeros.
pub type SharedSecret = Secret<32>;

/// A secret X25519 key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhSecret(Secret<32>);

impl DhSecret {
    /// A fresh key.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self(Secret::random(rng))
    }

    /// From 32 bytes, clamped at use.
    pub const fn from_bytes(bytes: Secret<32>) -> Self {
        Self(bytes)
    }

    /// The public half.
    pub fn public(&self) -> DhPublic {
        DhPublic(PublicKey::from(&StaticSecret::from(*self.0.expose())).to_bytes())
    }

    /// `DH(self, theirs)`.
    ///
    /// # Errors
    /// [`CryptoError::NonContributory`] when theirs is a point of low order: the result would be
    /// zeros whatever our key is.
    pub fn exchange(&self, theirs: &DhPublic) -> Result<SharedSecret, CryptoError> {
        super::count();
        let shared = StaticSecret::from(*self.0.expose()).diffie_hellman(&PublicKey::from(theirs.0));
        if !shared.was_contributory() {
            return Err(CryptoError::NonContributory);
        }
        let mut bytes = shared.to_bytes();
        let secret = Secret::new(bytes);
        bytes.zeroize();
        Ok(secret)
    }
}
