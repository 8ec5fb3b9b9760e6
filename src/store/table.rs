//! What a table is. Which there are is for those above to say.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Which key seals the rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    /// The store key: for rows that hold nothing that must ever be forgotten.
    Root,
    /// The State key, which [`super::Store::renew_state_key`] replaces daily: ratchets and prekeys.
    State,
    /// An erasable key that the caller names with [`super::WriteBuffer::put_under`].
    Given,
}

/// A table: rows of one type under keys of one form.
pub trait Table {
    /// The first byte of its keys. Never reused; 240 to 255 belong to the engine.
    const ID: u8;
    /// For messages to people who mend things.
    const NAME: &'static str;
    /// Which key seals its rows.
    const UNDER: Under;
    /// What a row holds, encoded with `postcard`.
    type Row: Serialize + DeserializeOwned;
}
