//! Tokens under which contacts deposit, and the keys that the owner shares with a mailbox.

use serde::{Deserialize, Serialize};

use crate::base::{CryptoRng, Secret};
use crate::crypto::kdf::{hkdf, hmac};
use crate::identity::RequestToken;

/// The label of a token (MBX-20).
const TOKEN: &[u8] = b"rohrpost/mailbox/token/v1";
/// The label of the key of invitations (MBX-33).
const INVITATION: &[u8] = b"rohrpost/mailbox/invitation/v1";
/// Bytes of a tag.
pub const TAG_LEN: usize = 16;

/// What tells one token from another: random bytes that the owner chose for one contact or group.
pub type Tag = [u8; TAG_LEN];

/// `K_queue`: makes and checks the tokens of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueKey(Secret<32>);

impl QueueKey {
    /// A fresh one.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        Self(Secret::random(rng))
    }

    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// Its bytes, for the mailbox.
    pub const fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// `HMAC(K_queue, label ‖ tag)`: the other half of the token of a tag.
    pub fn mac(&self, tag: &Tag) -> Secret<32> {
        hmac(self.0.expose(), &[TOKEN, tag])
    }
}

/// The key under which whoever has a link proves it, `HKDF(salt = 0³², request token, label)`. It does not give the
/// token away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitationKey(Secret<32>);

impl InvitationKey {
    /// That of a request token.
    pub fn of(token: &RequestToken) -> Self {
        Self(hkdf(&[0; 32], token.as_bytes(), INVITATION))
    }

    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// Its bytes, for the mailbox.
    pub const fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

/// A token as it came: `tag ‖ HMAC(K_queue, label ‖ tag)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenIn {
    /// The tag it names.
    pub(super) tag: Tag,
    /// The proof that the owner gave it.
    pub(super) mac: Secret<32>,
}

impl TokenIn {
    /// The token of a tag.
    pub fn of(key: &QueueKey, tag: Tag) -> Self {
        Self { tag, mac: key.mac(&tag) }
    }

    /// From its bytes, as they travel within a session.
    pub fn from_bytes(bytes: &Secret<48>) -> Self {
        let (mut tag, mut mac) = ([0; TAG_LEN], Secret::new([0; 32]));
        let (front, back) = bytes.expose().split_at(TAG_LEN);
        tag.copy_from_slice(front);
        mac.expose_mut().copy_from_slice(back);
        Self { tag, mac }
    }

    /// Its bytes, tag and MAC.
    pub fn to_bytes(&self) -> Secret<48> {
        let mut bytes = Secret::new([0; 48]);
        let (front, back) = bytes.expose_mut().split_at_mut(TAG_LEN);
        front.copy_from_slice(&self.tag);
        back.copy_from_slice(self.mac.expose());
        bytes
    }

    /// The tag, if the owner of the queue made the token (MBX-20).
    pub fn verify(&self, key: &QueueKey) -> Option<Tag> {
        (key.mac(&self.tag) == self.mac).then_some(self.tag)
    }
}
