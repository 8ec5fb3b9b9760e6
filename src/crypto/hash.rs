//! SHA-256 (FIPS 180-4).

use sha2::{Digest, Sha256};

/// `SHA-256(parts[0] ‖ parts[1] ‖ …)`. The caller frames parts of variable length.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// `SHA-512(parts[0] ‖ parts[1] ‖ …)`: the safety number's hash.
pub fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    let mut hasher = sha2::Sha512::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}
