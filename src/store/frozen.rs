//! A store that can only be read: its file system is read-only, or so full that sled cannot open it.
//!
//! Rows are read from sled's log without sled, which would have to write. All rows are counted first, as at every
//! opening; writing is refused with the reason.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sled::IVec;

use super::StoreError;
use super::database::{self, Database};
use super::durable::Disk;
use super::engine::{Inner, Opened, Store, Writer};
use super::files::DATABASE;
use super::keyfiles::KeyFiles;
use super::keyring::Keyring;
use super::log::{Found, Log};
use super::mark::Mark;
use super::row::Write;
use super::salvage::Remains;
use crate::base::Secret;

impl Store {
    /// Opens the store in `dir` for reading, without writing a byte; commits fail with `because`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::WrongKey`], [`StoreError::TooNew`], those of the disk.
    pub fn open_frozen(dir: &Path, key: &Secret<32>, because: StoreError) -> Result<Self, StoreError> {
        let remains = Remains::look(dir, key)?;
        if let Some(what) = remains.fault()? {
            return Err(StoreError::Damaged { what });
        }
        let missing = || StoreError::damaged("it is missing");
        let Remains { secrets, log, keys, meta, witness, .. } = remains;
        let (schema, meta) = meta.ok_or_else(missing)?;
        let keys = keys.ok_or_else(missing)?;
        let keyring = Keyring::new(secrets.root.clone(), keys.keys, keys.next)?;
        let path = dir.join(DATABASE).join("db");
        let database = Backing::Frozen(Box::new(Frozen { log: log.ok_or_else(missing)?, path, because }));
        let key_files = KeyFiles::new(dir, &secrets.key_files, Arc::new(Disk));
        let mark = Mark::none(&secrets.mark);
        let writer = Writer {
            schema,
            meta,
            key_files,
            mark,
            doomed: Vec::new(),
            checked: witness.checked,
            count: None,
            swept: Vec::new(),
            written: BTreeMap::new(),
        };
        let opened = Opened { database, keyring };
        Ok(Self { inner: Arc::new(Inner::new(dir, secrets, opened, writer)) })
    }
}

/// Where rows are.
pub(super) enum Backing {
    /// In the database.
    Live(Database),
    /// In its log, which nobody changes.
    Frozen(Box<Frozen>),
}

/// A log, and why it is only read.
pub(super) struct Frozen {
    log: Log,
    path: PathBuf,
    because: StoreError,
}

impl Backing {
    /// The row at `key`.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        match self {
            Self::Live(database) => database.get(key),
            Self::Frozen(frozen) => frozen.log.find(key).map_or(Ok(None), |found| frozen.row(found)),
        }
    }

    /// The rows from `low` to below `high`, in either direction.
    pub(super) fn range(&self, low: &[u8], high: Option<&[u8]>, reverse: bool) -> Result<Range<'_>, StoreError> {
        Ok(match self {
            Self::Live(database) => Range::Live(Box::new(database.range(low, high, reverse)?)),
            Self::Frozen(frozen) => Range::Frozen(frozen, frozen.log.range(low, high), reverse),
        })
    }

    /// As [`Database::apply`].
    pub(super) fn apply(&mut self, writes: Vec<Write>) -> Result<(), StoreError> {
        match self {
            Self::Live(database) => database.apply(writes),
            Self::Frozen(frozen) => Err(frozen.because.clone()),
        }
    }

    /// Why nothing can be written, if nothing can.
    pub(super) fn frozen(&self) -> Option<&StoreError> {
        match self {
            Self::Live(_) => None,
            Self::Frozen(frozen) => Some(&frozen.because),
        }
    }

    /// Closes the database.
    pub(super) fn close(self) {
        if let Self::Live(database) = self {
            database.close();
        }
    }
}

impl Frozen {
    fn row(&self, found: Found) -> Result<Option<IVec>, StoreError> {
        let row = self.log.bytes(found).map_err(|error| StoreError::from_io(&self.path, error))?;
        Ok(row.map(IVec::from))
    }
}

/// Rows of a range, one after another.
pub(super) enum Range<'a> {
    Live(Box<database::Range<'a>>),
    Frozen(&'a Frozen, std::collections::btree_map::Range<'a, Vec<u8>, Found>, bool),
}

impl Range<'_> {
    /// The next row in the direction of the range.
    pub(super) fn next(&mut self) -> Result<Option<(IVec, IVec)>, StoreError> {
        match self {
            Self::Live(rows) => rows.next(),
            Self::Frozen(frozen, rows, reverse) => {
                while let Some((key, found)) = if *reverse { rows.next_back() } else { rows.next() } {
                    if let Some(row) = frozen.row(*found)? {
                        return Ok(Some((IVec::from(key.as_slice()), row)));
                    }
                }
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests;
