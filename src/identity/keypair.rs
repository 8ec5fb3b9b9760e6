//! The own identity: one Ed25519 keypair, each use of it under its own label.

use std::fmt;

use super::key::{IdentityKey, labelled};
use crate::base::{CryptoRng, PeerId, Secret};
use crate::crypto::dh::DhSecret;
use crate::crypto::sign::{Signature, SigningKey};

/// The identity keypair. Whoever knows the peer ID knows both public keys, the signing one and the
/// one for key exchange (ID-1, ID-3). Its `Debug` shows the public half only.
#[derive(Clone)]
pub struct IdentityKeypair {
    signing: SigningKey,
    public: IdentityKey,
    dh: DhSecret,
}

impl IdentityKeypair {
    /// A fresh identity.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self::from_seed(&Secret::random(rng))
    }

    /// From the 32-byte seed (RFC 8032, section 5.1.5), as the key file holds it.
    pub fn from_seed(seed: &Secret<32>) -> Self {
        let signing = SigningKey::from_seed(seed);
        // A public key made from a seed is the base point times a clamped scalar: of prime order,
        // and encoded by ourselves. Only a scalar that is a multiple of the group order, which
        // nobody can find, would fail the check.
        #[allow(clippy::expect_used)]
        let public =
            IdentityKey::from_peer_id(PeerId::from_key_bytes(signing.public_bytes())).expect("made from a seed");
        let dh = signing.to_dh();
        Self { signing, public, dh }
    }

    /// The seed, for the key file and for the network's own copy of the identity.
    pub fn seed(&self) -> Secret<32> {
        self.signing.seed()
    }

    /// The own peer ID.
    pub fn peer_id(&self) -> PeerId {
        self.public.peer_id()
    }

    /// The public half.
    pub const fn public(&self) -> &IdentityKey {
        &self.public
    }

    /// The X25519 secret of the same key: the clamped scalar of the expanded seed (ID-3).
    pub const fn dh_secret(&self) -> &DhSecret {
        &self.dh
    }

    /// `Ed25519(label ‖ 0x00 ‖ message)` (ID-4). Labels have the form `rohrpost/<area>/<purpose>/v1`.
    pub fn sign(&self, label: &'static str, message: &[u8]) -> Signature {
        debug_assert!(label.starts_with("rohrpost/") && !label.contains('\0'), "label {label:?}");
        self.signing.sign(&labelled(label, message))
    }
}

impl fmt::Debug for IdentityKeypair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdentityKeypair(…{}, redacted)", self.peer_id().short())
    }
}
