//! The chain key: turned by every message of one sending direction under one ratchet key.

use serde::{Deserialize, Serialize};

use super::message_key::MessageKey;
use crate::base::Secret;
use crate::crypto::kdf::HmacKey;

/// `CK`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ChainKey(Secret<32>);

impl ChainKey {
    pub(super) const fn new(bytes: Secret<32>) -> Self {
        Self(bytes)
    }

    #[cfg(test)]
    pub(super) const fn bytes(&self) -> &[u8] {
        self.0.expose()
    }

    /// The key of the message at which the chain stands, and the chain after it (SES-23).
    pub(super) fn step(&self) -> (MessageKey, Self) {
        let key = HmacKey::new(self.0.expose());
        // mk  = HMAC-SHA-256(CK, 0x01)
        let message = MessageKey::new(key.tag(&[&[0x01]]));
        // CK' = HMAC-SHA-256(CK, 0x02)
        let next = Self(key.tag(&[&[0x02]]));
        (message, next)
    }
}
