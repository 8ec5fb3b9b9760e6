//! HKDF-SHA-256 (RFC 5869) and HMAC-SHA-256 (RFC 2104).

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// `HKDF(salt, ikm, info[0] ‖ info[1] ‖ …)` into `out`; `false` when that has more than 255 · 32 bytes.
pub fn hkdf(salt: &[u8], ikm: &[u8], info: &[&[u8]], out: &mut [u8]) -> bool {
    Hkdf::<Sha256>::new(Some(salt), ikm).expand_multi_info(info, out).is_ok()
}

/// A key for HMAC-SHA-256: its two blocks are hashed once.
#[derive(Clone)]
pub struct HmacKey(Hmac<Sha256>);

impl HmacKey {
    /// Prepares a key. `None` never comes: any length will do.
    pub fn new(key: &[u8]) -> Option<Self> {
        <Hmac<Sha256> as KeyInit>::new_from_slice(key).ok().map(Self)
    }

    /// `HMAC-SHA-256(key, parts[0] ‖ parts[1] ‖ …)` into `out`.
    pub fn tag(&self, parts: &[&[u8]], out: &mut [u8; 32]) {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        out.copy_from_slice(&mac.finalize().into_bytes());
    }
}

impl std::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacKey(redacted)")
    }
}
