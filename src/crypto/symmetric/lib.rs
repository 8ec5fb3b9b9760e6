//! Symmetric cryptography as plain functions over bytes.
//!
//! Nothing here is generic, on purpose: see `Cargo.toml`. The types, and what they promise, are in `crypto` of rohrpost, and so
//! are the tests.

pub mod aead;
pub mod hash;
pub mod kdf;
