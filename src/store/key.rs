//! Keys of rows, and the names of the keys that seal them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::base::{CryptoRng, PeerId};

/// The key of a row, or the beginning of one: hashed and numbered parts in order.
///
/// Nothing of it stands in clear but the numbers; a hashed part is 16 bytes of a keyed hash over the table, the parts
/// before it, and its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RowKey {
    parts: Vec<Part>,
}

/// A part of a row's key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// Becomes a keyed hash.
    Blind(Vec<u8>),
    /// Eight bytes, big endian, so that rows are in the order of their numbers.
    Number(u64),
}

impl RowKey {
    /// No part: the key of a table's single row, or the prefix of all its rows.
    pub const fn new() -> Self {
        Self { parts: Vec::new() }
    }

    /// Adds the keyed hash of `bytes` (16 bytes).
    #[must_use]
    pub fn blind(mut self, bytes: &[u8]) -> Self {
        self.parts.push(Part::Blind(bytes.to_vec()));
        self
    }

    /// Adds the keyed hash of a peer (16 bytes).
    #[must_use]
    pub fn peer(self, peer: &PeerId) -> Self {
        self.blind(peer.key_bytes())
    }

    /// Adds a number (8 bytes, big endian). It stands in clear: a counter or a time, nothing that names a person.
    #[must_use]
    pub fn u64(mut self, number: u64) -> Self {
        self.parts.push(Part::Number(number));
        self
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

/// The name of a key that seals rows. Rows may hold it, so that more can be written under the same key.
///
/// `store (4) ‖ number (4)`: the keys of a store are numbered in the order in which they are made. What stands before the
/// number is random, so that a store made of the remains of another takes no name that rows of that one still hold.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId(pub(super) u64);

impl KeyId {
    /// The store key itself.
    pub(super) const ROOT: Self = Self(0);

    /// The first of a new store.
    pub(super) fn first(rng: &mut dyn CryptoRng) -> Self {
        Self(u64::from(rng.next_u32().max(1)) << 32)
    }

    /// The one that is made next.
    pub(super) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Whether it is of the same store as `first`, and made no earlier.
    pub(super) const fn is_from(self, first: Self) -> bool {
        self.0 >> 32 == first.0 >> 32 && self.0 >= first.0
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({:016x})", self.0)
    }
}
