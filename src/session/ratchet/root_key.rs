//! The root key: turned by every new ratchet key.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::chain_key::ChainKey;
use crate::base::Secret;
use crate::crypto::dh::SharedSecret;
use crate::crypto::hash::sha256;
use crate::crypto::kdf::{hkdf, hkdf_parts};
use crate::crypto::kem::{CT_LEN, EK_LEN, KemShared};
use crate::session::label;

/// `RK`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::session) struct RootKey(Secret<32>);

/// What ML-KEM adds to a step: the shared secret, and the key and ciphertext it came from.
pub(super) struct KemMix<'a> {
    pub(super) shared: KemShared,
    pub(super) ek: &'a [u8; EK_LEN],
    pub(super) ct: &'a [u8; CT_LEN],
}

impl RootKey {
    /// Takes over what PQXDH gave.
    pub(in crate::session) const fn new(bytes: Secret<32>) -> Self {
        Self(bytes)
    }

    /// One step of the root (SES-21, SES-22); the old key stays until the caller replaces it.
    pub(super) fn step(&self, dh: &SharedSecret, kem: Option<&KemMix<'_>>) -> (Self, ChainKey) {
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
                hkdf_parts(salt, &ikm[..], &[label::ROOT_KEM, &sha256(&[mix.ek, mix.ct])])
            }
        };
        let (mut root, mut chain) = (Secret::new([0; 32]), Secret::new([0; 32]));
        let (left, right) = output.expose().split_at(32);
        root.expose_mut().copy_from_slice(left);
        chain.expose_mut().copy_from_slice(right);
        (Self(root), ChainKey::new(chain))
    }
}
