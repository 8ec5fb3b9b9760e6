//! The store: sealed rows in one sled tree, durable commits, keys that can be erased.
//!
//! The only `use sled` of the program. Described in `docs/store.md`.
//!
//! What this layer does not own: what the rows mean (`messenger`), how the key file is sealed
//! (`identity`; here it is bytes), attachment contents.

mod ahead;
mod beside;
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
mod inspect;
mod key;
mod keyfiles;
mod keyring;
mod lock;
mod log;
mod mark;
mod meta;
mod open;
mod overlay;
mod owner;
mod process;
mod read;
mod recover;
mod reserve;
mod row;
mod salvage;
mod scan;
mod secrets;
mod snapshot;
mod staged;
mod table;
#[cfg(test)]
pub(crate) mod testing;
mod upkeep;

pub use buffer::{Savepoint, WriteBuffer};
#[cfg(test)]
pub(crate) use commit::bytes_written;
pub use engine::Store;
pub use error::StoreError;
pub use files::ProfileDir;
pub use inspect::{Blemish, Inspection, inspect};
pub use key::{KeyId, RowKey};
pub use lock::{Holder, ProfileLock};
pub use process::Process;
pub use read::{Keyed, Reader, Rows, Sound};
#[cfg(test)]
pub(crate) use read::{reads, reads_by_table};
pub use recover::{Salvaged, examine, salvage};
pub use reserve::release_reserve;
pub use salvage::Gone;
pub use scan::Scan;
#[cfg(feature = "app")]
pub(crate) use snapshot::free_space;
pub use snapshot::is_disk_low;
pub use snapshot::{SnapshotFile, SnapshotPlan, Snapshotting, snapshots};
pub use staged::StagedDir;
pub use table::{Table, Under};
