//! SHA-2 (FIPS 180-4).

use rohrpost_symmetric::hash;

/// `SHA-256(parts[0] ‖ parts[1] ‖ …)`. The caller frames parts of variable length.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    hash::sha256(parts)
}

/// `SHA-512(parts[0] ‖ parts[1] ‖ …)`: the safety number's hash.
pub fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    hash::sha512(parts)
}
