//! Reading: committed rows, alone or under the changes of a write buffer.

use std::iter::Peekable;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::buffer::{Change, Overlay};
use super::engine::{Inner, Opened};
use super::row::{Header, open_value};
use super::{KeyId, Keyed, RowKey, Rows, Scan, Sound, StoreError, Table};

/// Sees committed rows only. Cheap to clone, for any thread.
///
/// Each call sees one state of the store: a commit happens before it or after it. Two calls may see two states.
#[derive(Clone)]
pub struct Reader {
    pub(super) inner: Arc<Inner>,
}

impl Reader {
    fn source(&self) -> Source<'_> {
        Source { inner: &self.inner, overlay: None }
    }

    /// Why nothing can be written, if the store can only be read.
    pub fn frozen(&self) -> Option<StoreError> {
        self.inner.view().opened().ok().and_then(|opened| opened.database.frozen().cloned())
    }
}

impl Rows for Reader {
    fn get<T: Table>(&self, key: &RowKey) -> Result<Option<T::Row>, StoreError> {
        self.source().get::<T>(&self.inner.secrets.row_key(T::ID, key))
    }

    fn scan<T: Table>(&self, scan: &Scan) -> Result<Vec<Keyed<T::Row>>, StoreError> {
        self.source().scan::<T>(scan, Err)
    }

    fn scan_sound<T: Table>(&self, scan: &Scan) -> Result<Sound<T::Row>, StoreError> {
        self.source().scan_sound::<T>(scan)
    }

    fn count<T: Table>(&self, scan: &Scan) -> Result<u64, StoreError> {
        self.source().count::<T>(scan)
    }

    fn contains<T: Table>(&self, key: &RowKey) -> Result<bool, StoreError> {
        self.source().contains(&self.inner.secrets.row_key(T::ID, key))
    }
}

/// A row of a table from its encoded form.
pub(super) fn decode<T: Table>(plaintext: &[u8]) -> Result<T::Row, StoreError> {
    postcard::from_bytes(plaintext)
        .map_err(|error| StoreError::damaged(format!("a row of '{}' cannot be read ({error})", T::NAME)))
}

#[cfg(test)]
thread_local! {
    static READS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How many rows and scans this thread has asked the database for.
#[cfg(test)]
pub(crate) fn reads() -> u64 {
    READS.get()
}

/// Where reads come from.
pub(super) struct Source<'a> {
    pub(super) inner: &'a Inner,
    pub(super) overlay: Option<&'a Overlay>,
}

impl Source<'_> {
    /// The committed row at `key`.
    pub(super) fn get<T: Table>(&self, key: &[u8]) -> Result<Option<T::Row>, StoreError> {
        #[cfg(test)]
        READS.set(READS.get() + 1);
        let view = self.inner.view();
        let opened = view.opened()?;
        let Some(row) = opened.database.get(key)? else { return Ok(None) };
        let value = self.open(opened, key, &row)?;
        value.map(|value| decode::<T>(&value)).transpose()
    }

    /// The key under which the row at `key` is sealed.
    pub(super) fn key_of(&self, key: &[u8]) -> Result<Option<KeyId>, StoreError> {
        let view = self.inner.view();
        let row = view.opened()?.database.get(key)?;
        row.map(|row| Header::of(&row).map(|header| header.key)).transpose()
    }

    /// Whether there is a committed row at `key`.
    pub(super) fn contains(&self, key: &[u8]) -> Result<bool, StoreError> {
        let view = self.inner.view();
        let opened = view.opened()?;
        let row = opened.database.get(key)?;
        row.map_or(Ok(false), |row| self.is_live(opened, &row))
    }

    /// The rows of a scan. `unsound` says what is to come of one that does not open.
    pub(super) fn scan<T: Table>(
        &self,
        scan: &Scan,
        mut unsound: impl FnMut(StoreError) -> Result<(), StoreError>,
    ) -> Result<Vec<Keyed<T::Row>>, StoreError> {
        let mut rows = Vec::new();
        self.walk(T::ID, scan, |opened, key, suffix, found| {
            let row = match found {
                Found::Buffered(plaintext) => decode::<T>(plaintext).map(Some),
                Found::Stored(row) => {
                    self.open(opened, key, row).and_then(|value| value.map(|value| decode::<T>(&value)).transpose())
                }
            };
            let row = match row {
                Ok(row) => row,
                Err(error) => return unsound(error).map(|()| false),
            };
            let Some(row) = row else { return Ok(false) };
            rows.push((suffix.to_vec(), row));
            Ok(true)
        })?;
        Ok(rows)
    }

    /// The rows of a scan that open, and how many do not.
    pub(super) fn scan_sound<T: Table>(&self, scan: &Scan) -> Result<Sound<T::Row>, StoreError> {
        let mut unsound = 0;
        let rows = self.scan::<T>(scan, |error| {
            tracing::error!(%error, "a row cannot be read");
            unsound += 1;
            Ok(())
        })?;
        Ok((rows, unsound))
    }

    pub(super) fn count<T: Table>(&self, scan: &Scan) -> Result<u64, StoreError> {
        let mut rows = 0;
        self.walk(T::ID, scan, |opened, _, _, found| {
            let live = match found {
                Found::Buffered(_) => true,
                Found::Stored(row) => self.is_live(opened, row)?,
            };
            rows += u64::from(live);
            Ok(live)
        })?;
        Ok(rows)
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
        READS.set(READS.get() + 1);
        let view = self.inner.view();
        let opened = view.opened()?;
        let mut stored = opened.database.range(&low, high.as_deref(), scan.reverse)?;
        let mut buffered = self.buffered(&low, high.as_deref(), scan.reverse);
        let mut next_stored = stored.next()?;
        let mut left = scan.limit;
        while left > 0 {
            // Which of the two comes first in the direction of the scan; the buffered one hides the stored one.
            let order = match (&next_stored, buffered.peek()) {
                (None, None) => return Ok(()),
                (Some(_), None) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
                (Some((stored, _)), Some((buffered, _))) if scan.reverse => buffered.as_slice().cmp(stored),
                (Some((stored, _)), Some((buffered, _))) => stored.as_ref().cmp(buffered.as_slice()),
            };
            let taken = if order.is_le() { next_stored.take() } else { None };
            if taken.is_some() {
                next_stored = stored.next()?;
            }
            let counts = if order.is_ge() {
                let Some((key, change)) = buffered.next() else { return Ok(()) };
                match self.overlay.and_then(|overlay| overlay.value(change)) {
                    Some(value) => visit(opened, key, suffix(key, &prefix), Found::Buffered(value))?,
                    None => false,
                }
            } else if let Some((key, row)) = &taken {
                visit(opened, key, suffix(key, &prefix), Found::Stored(row))?
            } else {
                false
            };
            left -= usize::from(counts);
        }
        Ok(())
    }

    fn buffered(&self, low: &[u8], high: Option<&[u8]>, reverse: bool) -> Buffered<'_> {
        let Some(overlay) = self.overlay else { return (Box::new(std::iter::empty()) as Changes<'_>).peekable() };
        let range = overlay.range(low, high);
        if reverse {
            (Box::new(range.rev()) as Changes<'_>).peekable()
        } else {
            (Box::new(range) as Changes<'_>).peekable()
        }
    }

    /// The value of a stored row; `None` when its key is gone.
    fn open(&self, opened: &Opened, key: &[u8], row: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
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

type Changes<'a> = Box<dyn Iterator<Item = (&'a Vec<u8>, &'a Change)> + 'a>;
type Buffered<'a> = Peekable<Changes<'a>>;

fn suffix<'a>(key: &'a [u8], prefix: &[u8]) -> &'a [u8] {
    key.get(prefix.len()..).unwrap_or_default()
}
