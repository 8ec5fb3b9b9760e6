//! Ed25519 (RFC 8032), verified strictly.

use ed25519_dalek::Signer;

use super::CryptoError;
use super::dh::{DhPublic, DhSecret};
use crate::base::Secret;

/// Bytes of a signature.
pub const SIGNATURE_LEN: usize = 64;

/// A signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signature(pub [u8; SIGNATURE_LEN]);

/// A signing key. Its `Debug` shows the public half only.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

/// A public key that is canonical, on the curve, not weak and free of torsion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyingKey(ed25519_dalek::VerifyingKey);

impl SigningKey {
    /// From the 32-byte seed (RFC 8032, section 5.1.5).
    pub fn from_seed(seed: &Secret<32>) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed.expose()))
    }

    /// The seed.
    pub fn seed(&self) -> Secret<32> {
        Secret::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public_bytes(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs the bytes as they are; the caller puts its label in front.
    pub fn sign(&self, message: &[u8]) -> Signature {
        super::count();
        Signature(self.0.sign(message).to_bytes())
    }

    /// The X25519 secret of the same key (the clamped scalar of the expanded seed).
    pub fn to_dh(&self) -> DhSecret {
        DhSecret::from_bytes(Secret::new(self.0.to_scalar_bytes()))
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(redacted)")
    }
}

impl VerifyingKey {
    /// From 32 bytes.
    ///
    /// # Errors
    /// [`CryptoError::InvalidKey`] for a non-canonical encoding, a point off the curve, of low order, or with a
    /// torsion component.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, CryptoError> {
        let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| CryptoError::InvalidKey)?;
        let point = key.to_edwards();
        // `from_bytes` accepts y ≥ p; only one encoding of a key may exist, as it is a peer's name.
        if key.is_weak() || !point.is_torsion_free() || point.compress().as_bytes() != bytes {
            return Err(CryptoError::InvalidKey);
        }
        Ok(Self(key))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Verifies strictly: no small-order `R`, one encoding only.
    ///
    /// # Errors
    /// [`CryptoError::Signature`].
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), CryptoError> {
        super::count();
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(message, &signature).map_err(|_| CryptoError::Signature)
    }

    /// The X25519 public key of the same key (its Montgomery form).
    pub fn to_dh(&self) -> DhPublic {
        DhPublic(self.0.to_montgomery().to_bytes())
    }
}
