//! Automatic snapshots: copies of rows beside the database, for the day on which the database is damaged.
//!
//! Rows are copied as they are, sealed under their own keys; the erasable keys stay in the key files. So a copy of what
//! is to be forgotten dies with its key, however many snapshots have it, and no snapshot has a row under a State key.
//! Around the rows is a second seal, so that a file tells its size and its day.
//!
//! ```text
//! snapshots/<milliseconds since 1970, 20 digits>
//! file  = magic (8) ‖ made (8) ‖ random (16) ‖ block ‖ block …
//! block = length (4) ‖ XChaCha20-Poly1305(snapshot key, random ‖ number of the block (8), piece, magic ‖ made)
//! piece = postcard: the head, entries, or the end
//! ```
//!
//! A damaged block costs its own rows. A file without its end was not finished, or was cut.

mod read;
mod write;

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::files::{SNAPSHOTS, existing};
use crate::base::WallTime;
use crate::base::limits::{MAX_SNAPSHOTS, SNAPSHOT_INTERVAL, SNAPSHOT_LIFE};

pub(super) use read::Reading;
pub use write::Snapshotting;
pub(crate) use write::free_space;
pub use write::is_disk_low;

/// The last byte is the version.
const MAGIC: [u8; 8] = *b"RPSNAP\0\x01";
/// Plaintext of a block before it is closed.
const BLOCK: usize = 64 * 1024;
/// The largest block: one value more than fits.
const MAX_BLOCK: usize = 2 * BLOCK + 2 * crate::base::limits::MAX_VALUE;

/// What a snapshot is to hold; decided by whoever knows what the tables mean.
#[derive(Clone, Copy, Debug)]
pub struct SnapshotPlan {
    /// Tables that are left out: what can be made again of others.
    pub without: &'static [u8],
    /// Tables of which no snapshot holds anything, because an old copy of them would do harm; of a damaged database a
    /// recovery takes what is left of them.
    pub never: &'static [u8],
    /// Tables that come last, for when not everything fits.
    pub last: &'static [u8],
}

/// A snapshot on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// When it was made.
    pub made: WallTime,
    /// Its length.
    pub bytes: u64,
    path: PathBuf,
}

impl SnapshotFile {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// A part of a snapshot.
#[derive(Serialize, Deserialize)]
enum Piece {
    /// The first.
    Head {
        /// Commits before the copying began.
        commits: u64,
        /// The schema of the rows.
        schema: u32,
    },
    /// Rows.
    Entries(Vec<Entry>),
    /// The last: whether everything did fit.
    End { whole: bool },
}

/// A row with its chunk rows, as they are in the database.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) key: Vec<u8>,
    pub(super) row: Vec<u8>,
    pub(super) chunks: Vec<Vec<u8>>,
}

/// The snapshots in a profile folder, newest first. What is no snapshot is passed over.
///
/// # Errors
/// Those of the disk.
pub fn snapshots(dir: &Path) -> Result<Vec<SnapshotFile>, StoreError> {
    let folder = dir.join(SNAPSHOTS);
    let at = |error| StoreError::from_io(&folder, error);
    let Some(entries) = existing(&folder, fs::read_dir(&folder))? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at)?;
        let made = entry.file_name().to_str().filter(|name| name.len() == 20).and_then(|name| name.parse().ok());
        if let Some(made) = made {
            let bytes = entry.metadata().map_err(at)?.len();
            found.push(SnapshotFile { made: WallTime(made), bytes, path: entry.path() });
        }
    }
    found.sort_unstable_by_key(|file| std::cmp::Reverse(file.made));
    Ok(found)
}

/// Whether a new one is due: none is there, or the newest is old, or of a day that has not come.
pub(super) fn is_due(dir: &Path, now: WallTime) -> Result<bool, StoreError> {
    let newest = snapshots(dir)?.into_iter().next();
    Ok(newest.is_none_or(|newest| newest.made > now || newest.made + SNAPSHOT_INTERVAL <= now))
}

/// Removes what is too many and too old. The newest always stays.
fn thin_out(dir: &Path, now: WallTime) -> Result<(), StoreError> {
    for (index, file) in snapshots(dir)?.into_iter().enumerate().skip(1) {
        if index >= MAX_SNAPSHOTS || file.made + SNAPSHOT_LIFE <= now {
            fs::remove_file(&file.path).map_err(|error| StoreError::from_io(&file.path, error))?;
        }
    }
    Ok(())
}

fn nonce(random: [u8; 16], number: u64) -> [u8; 24] {
    let mut out = [0; 24];
    out.iter_mut().zip(random.into_iter().chain(number.to_be_bytes())).for_each(|(to, from)| *to = from);
    out
}

#[cfg(test)]
mod tests;
