//! Reading: committed rows, alone or under the changes of a write buffer.

use std::cmp::Ordering;
#[cfg(test)]
use std::collections::BTreeMap;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::StoreError;
use super::engine::{Inner, Opened, Store};
use super::key::RowKey;
use super::overlay::Overlay;
use super::row::{Header, open_value};
use super::scan::{Scan, directed};
use super::table::Table;

impl Store {
    /// A view of committed rows, for any thread.
    pub fn reader(&self) -> Reader {
        Reader { inner: Arc::clone(&self.inner) }
    }
}

/// Sees committed rows only. Cheap to clone, for any thread.
///
/// Each call sees one state of the store: a commit happens before it or after it. Two calls may see two states.
#[derive(Clone)]
pub struct Reader {
    inner: Arc<Inner>,
}

impl Reader {
    pub(super) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// Why nothing can be written, if the store can only be read.
    pub fn frozen(&self) -> Option<StoreError> {
        self.inner.frozen()
    }
}

impl Rows for Reader {
    fn source(&self) -> Source<'_> {
        Source { inner: &self.inner, overlay: None }
    }
}

/// A row, with the bytes of its key after the prefix that was scanned.
pub type Keyed<R> = (Vec<u8>, R);

/// The rows of a scan that open, and how many do not.
pub type Sound<R> = (Vec<Keyed<R>>, usize);

/// Reading: committed rows through a [`Reader`], rows and what is about to change through a [`super::WriteBuffer`].
pub trait Rows {
    /// Where they are read.
    #[doc(hidden)]
    fn source(&self) -> Source<'_>;

    /// The row at `key`, if there is one. A row whose key was destroyed does not exist.
    ///
    /// # Errors
    /// Those of the disk; [`StoreError::Damaged`] when the row cannot be opened.
    fn get<T: Table>(&self, key: &RowKey) -> Result<Option<T::Row>, StoreError> {
        let source = self.source();
        let key = source.inner.secrets.row_key(T::ID, key);
        if let Some(buffered) = source.overlay.and_then(|overlay| overlay.get(&key)) {
            return buffered.map(decode::<T>).transpose();
        }
        #[cfg(test)]
        count(T::ID, 1, 0);
        let view = source.inner.view();
        let opened = view.opened()?;
        let Some(row) = opened.database.get(&key)? else { return Ok(None) };
        let value = source.open(opened, &key, &row)?;
        value.map(|value| decode::<T>(&value)).transpose()
    }

    /// The row at `key`, if there is one that opens.
    ///
    /// # Errors
    /// Those of the disk.
    fn get_sound<T: Table>(&self, key: &RowKey) -> Result<Option<T::Row>, StoreError> {
        match self.get::<T>(key) {
            Err(StoreError::Damaged { .. }) => Ok(None),
            read => read,
        }
    }

    /// The rows that `scan` covers, in its order, each with the bytes of its key after the prefix.
    ///
    /// # Errors
    /// As [`Rows::get`].
    fn scan<T: Table>(&self, scan: &Scan) -> Result<Vec<Keyed<T::Row>>, StoreError> {
        let mut rows = Vec::new();
        self.source().each::<T>(scan, |key, row| {
            rows.push((key.to_vec(), row?));
            Ok(true)
        })?;
        Ok(rows)
    }

    /// The same without the rows that do not open, and how many these are.
    ///
    /// # Errors
    /// Those of the disk.
    fn scan_sound<T: Table>(&self, scan: &Scan) -> Result<Sound<T::Row>, StoreError> {
        let (mut rows, mut unsound) = (Vec::new(), 0);
        self.source().each::<T>(scan, |key, row| {
            let row = sound(row);
            unsound += usize::from(row.is_none());
            let is_sound = row.is_some();
            rows.extend(row.map(|row| (key.to_vec(), row)));
            Ok(is_sound)
        })?;
        Ok((rows, unsound))
    }

    /// The same, with `None` in the place of each row that does not open.
    ///
    /// # Errors
    /// Those of the disk.
    fn scan_all<T: Table>(&self, scan: &Scan) -> Result<Vec<Keyed<Option<T::Row>>>, StoreError> {
        let mut rows = Vec::new();
        self.source().each::<T>(scan, |key, row| {
            rows.push((key.to_vec(), sound(row)));
            Ok(true)
        })?;
        Ok(rows)
    }

    /// How many of the rows that `scan` covers do not open.
    ///
    /// # Errors
    /// Those of the disk.
    fn count_unsound<T: Table>(&self, scan: &Scan) -> Result<u64, StoreError> {
        let mut unsound = 0;
        self.source().each::<T>(scan, |_, row| {
            unsound += u64::from(row.is_err());
            Ok(true)
        })?;
        Ok(unsound)
    }

    /// How many rows `scan` covers (its limit included), without opening them.
    ///
    /// # Errors
    /// As [`Rows::get`].
    fn count<T: Table>(&self, scan: &Scan) -> Result<u64, StoreError> {
        let source = self.source();
        let mut rows = 0;
        source.walk(T::ID, scan, |opened, _, _, found| {
            let live = match found {
                Found::Buffered(_) => true,
                Found::Stored(row) => source.is_live(opened, row)?,
            };
            rows += u64::from(live);
            Ok(live)
        })?;
        Ok(rows)
    }

    /// Whether there is a row at `key`, without opening it.
    ///
    /// # Errors
    /// As [`Rows::get`].
    fn contains<T: Table>(&self, key: &RowKey) -> Result<bool, StoreError> {
        let source = self.source();
        let key = source.inner.secrets.row_key(T::ID, key);
        if let Some(buffered) = source.overlay.and_then(|overlay| overlay.get(&key)) {
            return Ok(buffered.is_some());
        }
        #[cfg(test)]
        count(T::ID, 1, 0);
        let view = source.inner.view();
        let opened = view.opened()?;
        let row = opened.database.get(&key)?;
        row.map_or(Ok(false), |row| source.is_live(opened, &row))
    }
}

/// A row, if it opens; what is wrong with another stands in the log.
fn sound<R>(row: Result<R, StoreError>) -> Option<R> {
    row.inspect_err(|error| tracing::error!(%error, "a row cannot be read")).ok()
}

/// A row of a table from its encoded form.
fn decode<T: Table>(plaintext: &[u8]) -> Result<T::Row, StoreError> {
    postcard::from_bytes(plaintext)
        .map_err(|error| StoreError::damaged(format!("a row of '{}' cannot be read ({error})", T::NAME)))
}

#[cfg(test)]
thread_local! {
    static READS: std::cell::RefCell<BTreeMap<u8, [u64; 2]>> = const { std::cell::RefCell::new(BTreeMap::new()) };
}

/// How many rows and scans this thread has asked the database for, and how many rows it opened, by table.
#[cfg(test)]
pub(crate) fn reads_by_table() -> BTreeMap<u8, [u64; 2]> {
    READS.with_borrow(Clone::clone)
}

/// The same in all.
#[cfg(test)]
pub(crate) fn reads() -> u64 {
    READS.with_borrow(|reads| reads.values().flatten().sum())
}

#[cfg(test)]
fn count(table: u8, asked: u64, opened: u64) {
    READS.with_borrow_mut(|reads| {
        let [all_asked, all_opened] = reads.entry(table).or_default();
        *all_asked += asked;
        *all_opened += opened;
    });
}

/// Where reads come from.
pub struct Source<'a> {
    pub(super) inner: &'a Inner,
    pub(super) overlay: Option<&'a Overlay>,
}

impl Source<'_> {
    /// Visits the rows of a scan, or why one does not open. `visit` says whether it counts.
    pub(super) fn each<T: Table>(
        &self,
        scan: &Scan,
        mut visit: impl FnMut(&[u8], Result<T::Row, StoreError>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.walk(T::ID, scan, |opened, key, suffix, found| {
            let row = match found {
                Found::Buffered(plaintext) => decode::<T>(plaintext).map(Some),
                Found::Stored(row) => {
                    self.open(opened, key, row).and_then(|value| value.map(|value| decode::<T>(&value)).transpose())
                }
            };
            // One whose key was destroyed is not there.
            row.transpose().map_or(Ok(false), |row| visit(suffix, row))
        })
    }

    /// Visits what is stored and what is buffered in the order of the scan. `visit` says whether the row counts.
    fn walk(
        &self,
        table: u8,
        scan: &Scan,
        mut visit: impl FnMut(&Opened, &[u8], &[u8], Found<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let prefix = self.inner.secrets.row_key(table, &scan.prefix);
        let Some((low, high)) = scan.bounds(&prefix) else { return Ok(()) };
        #[cfg(test)]
        count(table, 1, 0);
        let view = self.inner.view();
        let opened = view.opened()?;
        let mut stored = opened.database.range(&low, high.as_deref(), scan.reverse)?.peekable();
        let buffered = self.overlay.into_iter().flat_map(|overlay| overlay.range(&low, high.as_deref()));
        let mut buffered = directed(buffered, scan.reverse).peekable();
        let mut left = scan.limit;
        while left > 0 {
            // Which of the two comes first in the direction of the scan; the buffered one hides the stored one.
            let order = match (stored.peek(), buffered.peek()) {
                (None, None) => return Ok(()),
                (Some(Ok((stored, _))), Some((buffered, _))) if scan.reverse => buffered.as_slice().cmp(stored),
                (Some(Ok((stored, _))), Some((buffered, _))) => stored.as_ref().cmp(buffered.as_slice()),
                (Some(_), _) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
            };
            let stored = stored.next_if(|_| order.is_le()).transpose()?;
            let counts = match (buffered.next_if(|_| order.is_ge()), &stored) {
                (Some((key, change)), _) => match self.overlay.and_then(|overlay| overlay.value(change)) {
                    Some(value) => visit(opened, key, suffix(key, &prefix), Found::Buffered(value))?,
                    None => false,
                },
                (None, Some((key, row))) => visit(opened, key, suffix(key, &prefix), Found::Stored(row))?,
                (None, None) => false,
            };
            left -= usize::from(counts);
        }
        Ok(())
    }

    /// The value of a stored row; `None` when its key is gone.
    fn open(&self, opened: &Opened, key: &[u8], row: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        #[cfg(test)]
        count(key.first().copied().unwrap_or_default(), 0, 1);
        let id = Header::of(row)?.key;
        if self.overlay.is_some_and(|overlay| overlay.hides(id)) {
            return Ok(None);
        }
        let Some(sealing) = opened.keyring.get(id) else { return Ok(None) };
        open_value(&self.inner.secrets, sealing, key, row, |chunk| opened.database.get(chunk)).map(Some)
    }

    /// Whether the key of a stored row is still there.
    fn is_live(&self, opened: &Opened, row: &[u8]) -> Result<bool, StoreError> {
        let id = Header::of(row)?.key;
        Ok(opened.keyring.get(id).is_some() && !self.overlay.is_some_and(|overlay| overlay.hides(id)))
    }
}

/// A row on the way.
enum Found<'a> {
    /// Sealed, as it is in the database.
    Stored(&'a [u8]),
    /// Still in the clear, in the buffer.
    Buffered(&'a [u8]),
}

fn suffix<'a>(key: &'a [u8], prefix: &[u8]) -> &'a [u8] {
    key.get(prefix.len()..).unwrap_or_default()
}
