//! The store: sealed rows in one sled tree, durable commits, keys that can be erased.
//!
//! The only `use sled` of the program. Described in `docs/store.md`.
//!
//! What this layer does not own: what the rows mean (`messenger`), how the key file is sealed
//! (`identity`; here it is bytes), attachment contents.

mod buffer;
mod commit;
mod database;
mod durable;
mod engine;
mod error;
pub mod files;
mod frozen;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod guard;
mod key;
mod keyfiles;
mod keyring;
pub mod lock;
mod log;
mod mark;
mod meta;
mod migrate;
mod open;
mod read;
mod recover;
mod reserve;
mod row;
mod salvage;
mod scan;
mod secrets;
mod snapshot;
pub mod tables;
#[cfg(test)]
pub(crate) mod testing;
mod upkeep;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use buffer::{Savepoint, WriteBuffer};
pub use engine::Store;
pub use error::StoreError;
pub use files::{ProfileDir, StagedDir};
pub use key::{KeyId, RowKey};
pub use lock::ProfileLock;
pub use read::Reader;
#[cfg(test)]
pub(crate) use read::reads;
pub use recover::{Salvaged, examine, salvage};
pub use reserve::release_reserve;
pub use scan::Scan;
#[cfg(feature = "app")]
pub(crate) use snapshot::free_space;
pub use snapshot::{SnapshotFile, SnapshotPlan, Snapshotting, snapshots};

/// Which key seals the rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Under {
    /// The store key: for rows that hold nothing that must ever be forgotten.
    Root,
    /// The State key, which [`Store::renew_state_key`] replaces daily: ratchets and prekeys.
    State,
    /// An erasable key that the caller names with [`WriteBuffer::put_under`].
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

/// A row, with the bytes of its key after the prefix that was scanned.
pub type Keyed<R> = (Vec<u8>, R);

/// The rows of a scan that open, and how many do not.
pub type Sound<R> = (Vec<Keyed<R>>, usize);

/// Reading: committed rows through a [`Reader`], rows and what is about to change through a [`WriteBuffer`].
pub trait Rows {
    /// The row at `key`, if there is one. A row whose key was destroyed does not exist.
    ///
    /// # Errors
    /// Those of the disk; [`StoreError::Damaged`] when the row cannot be opened.
    fn get<T: Table>(&self, key: &RowKey) -> Result<Option<T::Row>, StoreError>;

    /// The rows that `scan` covers, in its order, each with the bytes of its key after the prefix.
    ///
    /// # Errors
    /// As [`Rows::get`].
    fn scan<T: Table>(&self, scan: &Scan) -> Result<Vec<Keyed<T::Row>>, StoreError>;

    /// The same without the rows that do not open, and how many these are.
    ///
    /// # Errors
    /// Those of the disk.
    fn scan_sound<T: Table>(&self, scan: &Scan) -> Result<Sound<T::Row>, StoreError>;

    /// How many rows `scan` covers (its limit included), without opening them.
    ///
    /// # Errors
    /// As [`Rows::get`].
    fn count<T: Table>(&self, scan: &Scan) -> Result<u64, StoreError>;

    /// Whether there is a row at `key`, without opening it.
    ///
    /// # Errors
    /// As [`Rows::get`].
    fn contains<T: Table>(&self, key: &RowKey) -> Result<bool, StoreError>;
}
