//! A store that can only be read: its file system is read-only, or so full that sled cannot open it.
//!
//! Rows are read from sled's log without sled, which would have to write. All rows are counted first, as at every
//! opening; writing is refused with the reason.

use sled::IVec;

use super::StoreError;
use super::database::{Database, Range};
use super::log::{Found, Log};
use super::row::Write;
use super::scan::directed;

/// Where rows are.
pub(super) enum Backing {
    /// In the database.
    Live(Database),
    /// In its log, which nobody changes.
    Frozen(Box<Frozen>),
}

/// A log, and why it is only read.
pub(super) struct Frozen {
    pub(super) log: Log,
    pub(super) because: StoreError,
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
            Self::Live(database) => database.range(low, high, reverse)?,
            Self::Frozen(frozen) => {
                let row = |(key, found): (&Vec<u8>, &Found)| {
                    Ok(frozen.row(*found)?.map(|row| (IVec::from(key.as_slice()), row)))
                };
                let rows = directed(frozen.log.range(low, high), reverse);
                Box::new(rows.filter_map(move |found| row(found).transpose()))
            }
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
}

impl Frozen {
    fn row(&self, found: Found) -> Result<Option<IVec>, StoreError> {
        Ok(self.log.bytes(found)?.map(IVec::from))
    }
}

#[cfg(test)]
mod tests;
