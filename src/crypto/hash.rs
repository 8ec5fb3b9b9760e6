//! SHA-2 (FIPS 180-4). The caller frames parts of variable length.

pub use rohrpost_symmetric::hash::{sha256, sha512};
