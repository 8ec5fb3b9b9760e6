//! The message key: used for one message and gone.

use serde::{Deserialize, Serialize};

use crate::base::Secret;
use crate::crypto::aead::{self, AeadKey};
use crate::crypto::kdf::hkdf;
use crate::session::SessionError;
use crate::session::label;

/// Bytes of the salt in a header.
pub(in crate::session) const SALT_LEN: usize = 16;

/// `mk`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MessageKey(Secret<32>);

impl MessageKey {
    pub(super) const fn new(bytes: Secret<32>) -> Self {
        Self(bytes)
    }

    /// The sealed body: ciphertext ‖ tag (SES-25).
    pub(super) fn seal(&self, salt: &[u8; SALT_LEN], plaintext: &[u8], associated: &[u8]) -> Vec<u8> {
        let (key, nonce) = self.body_key(salt);
        aead::seal(&key, &nonce, plaintext, associated)
    }

    /// Opens what [`Self::seal`] made.
    pub(super) fn open(&self, salt: &[u8; SALT_LEN], body: &[u8], associated: &[u8]) -> Result<Vec<u8>, SessionError> {
        let (key, nonce) = self.body_key(salt);
        Ok(aead::open(&key, &nonce, body, associated)?)
    }

    /// Key and nonce of the body (SES-24). The salt is fresh for every message, so that a state that was
    /// rolled back, and uses a message key again, still does not use a nonce again.
    fn body_key(&self, salt: &[u8; SALT_LEN]) -> (AeadKey, [u8; 12]) {
        // key(32) ‖ nonce(12) = HKDF(salt, IKM = mk, info = label)
        let output: Secret<44> = hkdf(salt, self.0.expose(), label::MESSAGE);
        let (mut key, mut nonce) = (Secret::new([0; 32]), [0; 12]);
        let (left, right) = output.expose().split_at(32);
        key.expose_mut().copy_from_slice(left);
        nonce.copy_from_slice(right);
        (key, nonce)
    }
}
