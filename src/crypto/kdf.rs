//! HKDF-SHA-256 (RFC 5869) and HMAC-SHA-256 (RFC 2104).

use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::base::Secret;

/// `HKDF(salt, ikm, info)` → `N` bytes; `N` is at most 255 · 32.
pub fn hkdf<const N: usize>(salt: &[u8], ikm: &[u8], info: &[u8]) -> Secret<N> {
    hkdf_parts(salt, ikm, &[info])
}

/// As [`hkdf()`], with the info in parts.
pub fn hkdf_parts<const N: usize>(salt: &[u8], ikm: &[u8], info: &[&[u8]]) -> Secret<N> {
    const { assert!(N <= 255 * 32) };
    let mut out = Secret::new([0; N]);
    // The length is checked above, at compile time.
    #[allow(clippy::expect_used)]
    Hkdf::<Sha256>::new(Some(salt), ikm).expand_multi_info(info, out.expose_mut()).expect("length is checked");
    out
}

/// `HMAC-SHA-256(key, parts[0] ‖ parts[1] ‖ …)`.
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> Secret<32> {
    HmacKey::new(key).tag(parts)
}

/// A key for more than one HMAC-SHA-256: its two blocks are hashed once.
#[derive(Clone)]
pub struct HmacKey(Hmac<Sha256>);

impl HmacKey {
    /// Prepares a key of any length.
    pub fn new(key: &[u8]) -> Self {
        // HMAC takes a key of any length.
        #[allow(clippy::expect_used)]
        Self(<Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("any length"))
    }

    /// `HMAC-SHA-256(key, parts[0] ‖ parts[1] ‖ …)`.
    pub fn tag(&self, parts: &[&[u8]]) -> Secret<32> {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(part);
        }
        Secret::new(mac.finalize().into_bytes().into())
    }
}

impl std::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacKey(redacted)")
    }
}
