//! The checked public key of a peer.

use std::fmt;

use crate::base::PeerId;
use crate::crypto::CryptoError;
use crate::crypto::dh::DhPublic;
use crate::crypto::sign::{Signature, VerifyingKey};

/// Why a key or a signature was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The peer ID is not the one encoding of a point of prime order (ID-2).
    #[error("this peer ID is not a sound Ed25519 key")]
    UnsoundKey,
    /// The signature is not by this key, over this message, under this label (ID-5).
    #[error("the signature does not verify")]
    Signature,
}

/// The identity key of a peer, checked: canonical, not weak, free of torsion (ID-2).
#[derive(Clone, Copy)]
pub struct IdentityKey {
    key: VerifyingKey,
    dh: DhPublic,
}

impl IdentityKey {
    /// Checks the key that a peer ID carries.
    ///
    /// # Errors
    /// [`IdentityError::UnsoundKey`] (ID-2).
    pub fn from_peer_id(peer: PeerId) -> Result<Self, IdentityError> {
        let key = VerifyingKey::from_bytes(peer.key_bytes()).map_err(|_| IdentityError::UnsoundKey)?;
        Ok(Self { key, dh: key.to_dh() })
    }

    /// The peer ID, which is the same key.
    pub fn peer_id(&self) -> PeerId {
        PeerId::from_key_bytes(*self.key.as_bytes())
    }

    /// `IK` of the handshake: `u = (1 + y) / (1 − y)`, the Montgomery form of the same point (ID-3).
    pub fn dh_public(&self) -> DhPublic {
        self.dh
    }

    /// Verifies, strictly, a signature over `label ‖ 0x00 ‖ message` (ID-4, ID-5).
    ///
    /// # Errors
    /// [`IdentityError::Signature`].
    pub fn verify(&self, label: &'static str, message: &[u8], signature: &Signature) -> Result<(), IdentityError> {
        self.key.verify(&labelled(label, message), signature).map_err(|_: CryptoError| IdentityError::Signature)
    }
}

/// `label ‖ 0x00 ‖ message` (ID-4). No label contains a zero byte, so the pair is unambiguous.
pub(super) fn labelled(label: &'static str, message: &[u8]) -> Vec<u8> {
    [label.as_bytes(), &[0], message].concat()
}

impl PartialEq for IdentityKey {
    fn eq(&self, other: &Self) -> bool {
        self.key.as_bytes() == other.key.as_bytes()
    }
}

impl Eq for IdentityKey {}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKey(…{})", self.peer_id().short())
    }
}

#[cfg(test)]
mod tests;
