//! HKDF-SHA-256 (RFC 5869) and HMAC-SHA-256 (RFC 2104).

use rohrpost_symmetric::kdf;

use crate::base::Secret;

/// `HKDF(salt, ikm, info)` → `N` bytes; `N` is at most 255 · 32.
pub fn hkdf<const N: usize>(salt: &[u8], ikm: &[u8], info: &[u8]) -> Secret<N> {
    hkdf_parts(salt, ikm, &[info])
}

/// As [`hkdf()`], with the info in parts.
pub fn hkdf_parts<const N: usize>(salt: &[u8], ikm: &[u8], info: &[&[u8]]) -> Secret<N> {
    const { assert!(N <= 255 * 32) };
    let mut out = Secret::new([0; N]);
    let done = kdf::hkdf(salt, ikm, info, out.expose_mut());
    // The length is checked above, at compile time.
    #[allow(clippy::expect_used)]
    done.then_some(out).expect("length is checked")
}

/// `HMAC-SHA-256(key, parts[0] ‖ parts[1] ‖ …)`.
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> Secret<32> {
    HmacKey::new(key).tag(parts)
}

/// A key for more than one HMAC-SHA-256: its two blocks are hashed once.
#[derive(Clone, Debug)]
pub struct HmacKey(kdf::HmacKey);

impl HmacKey {
    /// Prepares a key of any length.
    pub fn new(key: &[u8]) -> Self {
        // HMAC takes a key of any length.
        #[allow(clippy::expect_used)]
        Self(kdf::HmacKey::new(key).expect("any length"))
    }

    /// `HMAC-SHA-256(key, parts[0] ‖ parts[1] ‖ …)`.
    pub fn tag(&self, parts: &[&[u8]]) -> Secret<32> {
        let mut tag = Secret::new([0; 32]);
        self.0.tag(parts, tag.expose_mut());
        tag
    }
}
