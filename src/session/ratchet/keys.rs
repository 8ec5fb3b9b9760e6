//! The keys of the ratchet: the root key, turned by every new ratchet key; the chain key, turned by every message of one sending
//! direction under one ratchet key; the message key, used for one message and gone.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base::Secret;
use crate::crypto::aead::{self, AeadKey};
use crate::crypto::dh::SharedSecret;
use crate::crypto::hash::sha256;
use crate::crypto::kdf::{HmacKey, hkdf, hkdf_parts};
use crate::crypto::kem::{KemCiphertext, KemPublic, KemShared};
use crate::session::{SessionError, label};

/// Bytes of the salt in a header.
pub(super) const SALT_LEN: usize = 16;

/// `RK`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::session) struct RootKey(pub(in crate::session) Secret<32>);

/// `CK`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChainKey(pub(super) Secret<32>);

/// `mk`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct MessageKey(Secret<32>);

/// What ML-KEM adds to a step of the root: the shared secret, and the hash of the key and ciphertext it came from.
pub(super) struct KemMix {
    shared: KemShared,
    origin: [u8; 32],
}

impl KemMix {
    pub(super) fn new(shared: KemShared, ek: &KemPublic, ct: &KemCiphertext) -> Self {
        Self { shared, origin: sha256(&[ek.as_bytes(), ct.as_bytes()]) }
    }
}

impl RootKey {
    /// One step of the root (SES-21, SES-22); the old key stays until the caller replaces it.
    pub(super) fn step(&self, dh: &SharedSecret, kem: Option<&KemMix>) -> (Self, ChainKey) {
        let salt = self.0.expose();
        let output: Secret<64> = match kem {
            // RK' ‖ CK = HKDF(salt = RK, IKM = DH, info = label-dh)
            None => hkdf(salt, dh.expose(), label::ROOT_DH),
            // RK' ‖ CK = HKDF(salt = RK, IKM = DH ‖ ss, info = label-kem ‖ SHA-256(ek ‖ ct))
            Some(mix) => {
                let mut ikm = Zeroizing::new([0; 64]);
                let (left, right) = ikm.split_at_mut(32);
                left.copy_from_slice(dh.expose());
                right.copy_from_slice(mix.shared.expose());
                hkdf_parts(salt, &ikm[..], &[label::ROOT_KEM, &mix.origin])
            }
        };
        let (mut root, mut chain) = (Secret::new([0; 32]), Secret::new([0; 32]));
        let (left, right) = output.expose().split_at(32);
        root.expose_mut().copy_from_slice(left);
        chain.expose_mut().copy_from_slice(right);
        (Self(root), ChainKey(chain))
    }
}

impl ChainKey {
    /// The key of the message at which the chain stands, and the chain after it (SES-23).
    pub(super) fn step(&self) -> (MessageKey, Self) {
        let key = HmacKey::new(self.0.expose());
        // mk  = HMAC-SHA-256(CK, 0x01), CK' = HMAC-SHA-256(CK, 0x02)
        (MessageKey(key.tag(&[&[0x01]])), Self(key.tag(&[&[0x02]])))
    }
}

impl MessageKey {
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
