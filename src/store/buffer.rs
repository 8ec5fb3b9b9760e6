//! The write buffer: everything one commit will change, visible to its own reads.
//!
//! An overlay over the committed rows. Values stay in the clear (and are wiped when dropped) until the commit seals
//! them, so that a row that changes ten times in a group commit is sealed once.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::StoreError;
use super::engine::{Inner, Store};
use super::key::{KeyId, RowKey};
use super::overlay::{Change, Overlay, Sealing};
use super::read::{Keyed, Rows, Source};
use super::row::{FIRST_ENGINE_TABLE, Header};
use super::scan::Scan;
use super::table::{Table, Under};
use crate::base::CryptoRng;
use crate::base::limits::MAX_VALUE;

/// Changes over committed rows. Dropping it forgets them.
///
/// One at a time: of two buffers that change the same row, the one committed last wins.
pub struct WriteBuffer {
    inner: Arc<Inner>,
    overlay: Overlay,
    /// What undoes each step, newest last.
    journal: Vec<Undo>,
    /// Nothing is recorded before the first savepoint.
    recording: bool,
}

/// A point in a [`WriteBuffer`] to come back to.
#[derive(Debug)]
#[must_use]
pub struct Savepoint {
    steps: usize,
}

enum Undo {
    Row(Vec<u8>, Option<Change>),
    Taken,
    Destroyed(KeyId),
}

impl Store {
    /// An empty write buffer.
    pub fn begin(&self) -> WriteBuffer {
        let inner = Arc::clone(&self.inner);
        WriteBuffer { inner, overlay: Overlay::default(), journal: Vec::new(), recording: false }
    }
}

impl WriteBuffer {
    /// The store it belongs to, and what it changes.
    pub(super) fn into_parts(mut self) -> (Arc<Inner>, Overlay) {
        (Arc::clone(&self.inner), std::mem::take(&mut self.overlay))
    }

    /// Writes a row of a table whose rows are under the Root or the State key.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`]; [`StoreError::Fault`] for a table whose rows need a given key.
    pub fn put<T: Table>(&mut self, key: &RowKey, row: &T::Row) -> Result<(), StoreError> {
        let under = match T::UNDER {
            Under::Root => Sealing::Root,
            Under::State => Sealing::State,
            Under::Given => return Err(StoreError::Fault(format!("rows of '{}' need a key", T::NAME))),
        };
        self.write::<T>(key, under, row)
    }

    /// Writes a row under an erasable key.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`]; [`StoreError::Fault`] when there is no such key, or the table takes none.
    pub fn put_under<T: Table>(&mut self, key: &RowKey, under: KeyId, row: &T::Row) -> Result<(), StoreError> {
        if T::UNDER != Under::Given {
            return Err(StoreError::Fault(format!("rows of '{}' take no key", T::NAME)));
        }
        if !self.has_key(under) {
            return Err(StoreError::Fault(format!("a row of '{}' is to be sealed under a key that is gone", T::NAME)));
        }
        self.write::<T>(key, Sealing::Given(under), row)
    }

    /// Removes a row, if it is there.
    pub fn delete<T: Table>(&mut self, key: &RowKey) {
        let key = self.row_key::<T>(key);
        self.change(key, Change::Delete);
    }

    /// Removes the rows that `scan` covers, and gives them; those that do not open go with them.
    ///
    /// # Errors
    /// Those of the disk; then none is removed.
    pub fn take<T: Table>(&mut self, scan: &Scan) -> Result<Vec<Keyed<T::Row>>, StoreError> {
        let (rows, prefix) = (self.scan_all::<T>(scan)?, self.row_key::<T>(&scan.prefix));
        rows.iter().for_each(|(key, _)| self.change([&prefix, key.as_slice()].concat(), Change::Delete));
        Ok(rows.into_iter().filter_map(|(key, row)| Some((key, row?))).collect())
    }

    /// Removes the rows of a table that do not open; says how many.
    ///
    /// # Errors
    /// Those of the disk; then none is removed.
    pub fn discard_unsound<T: Table>(&mut self) -> Result<u64, StoreError> {
        let prefix = self.row_key::<T>(&RowKey::new());
        let mut unsound = Vec::new();
        self.source().each::<T>(&Scan::all(), |key, row| {
            unsound.extend(row.is_err().then(|| [&prefix, key].concat()));
            Ok(true)
        })?;
        let count = unsound.len() as u64;
        unsound.into_iter().for_each(|key| self.change(key, Change::Delete));
        Ok(count)
    }

    /// Writes something else, that does not open as a row of its table, in the place of the rows of `scan`. Says how many.
    #[cfg(test)]
    pub(crate) fn spoil<T: Table>(&mut self, scan: &Scan) -> usize {
        let prefix = self.row_key::<T>(&scan.prefix);
        let mut keys = Vec::new();
        self.source()
            .each::<T>(scan, |key, _| {
                Ok({
                    keys.push([&prefix, key].concat());
                    true
                })
            })
            .unwrap();
        for key in &keys {
            let under = match T::UNDER {
                Under::Root => Sealing::Root,
                Under::State => Sealing::State,
                Under::Given => {
                    let row = self.inner.view().opened().unwrap().database.get(key).unwrap().unwrap();
                    Sealing::Given(Header::of(&row).unwrap().key)
                }
            };
            self.change(key.clone(), Change::Put { under, plaintext: Zeroizing::new(vec![0xff; 2]) });
        }
        keys.len()
    }

    /// An erasable key that was never used. It is durable before the first row under it; if the commit does not come, it may
    /// be given out again.
    pub fn create_key(&mut self, rng: &mut dyn CryptoRng) -> KeyId {
        // Of a store that is closed nothing is committed.
        let id = self.inner.view_mut().opened_mut().map(|opened| opened.keyring.take(rng)).unwrap_or_default();
        self.overlay.taken.push(id);
        self.record(Undo::Taken);
        id
    }

    /// Erases a key: after the commit nothing on the disk opens the rows under it. They count as absent from now on.
    pub fn destroy_key(&mut self, key: KeyId) {
        if self.overlay.destroyed.insert(key) {
            self.record(Undo::Destroyed(key));
        }
    }

    /// Whether rows can be written under this key.
    pub fn has_key(&self, key: KeyId) -> bool {
        !self.overlay.hides(key) && self.inner.is_given(key)
    }

    /// The erasable key of the row at `key`; `None` when there is no such row, or it is under none.
    ///
    /// # Errors
    /// As [`Rows::get`].
    pub fn key_of<T: Table>(&self, key: &RowKey) -> Result<Option<KeyId>, StoreError> {
        let key = self.row_key::<T>(key);
        let id = match self.overlay.rows.get(&key) {
            Some(Change::Put { under: Sealing::Given(id), .. }) => Some(*id),
            Some(_) => None,
            None => {
                let row = self.inner.view().opened()?.database.get(&key)?;
                row.map(|row| Header::of(&row)).transpose()?.map(|header| header.key)
            }
        };
        Ok(id.filter(|id| self.has_key(*id)))
    }

    /// Marks the present state.
    pub fn savepoint(&mut self) -> Savepoint {
        self.recording = true;
        Savepoint { steps: self.journal.len() }
    }

    /// Undoes everything since `to`. Savepoints nest; one that was rolled over already undoes nothing.
    // A savepoint is used once.
    #[allow(clippy::needless_pass_by_value)]
    pub fn rollback(&mut self, to: Savepoint) {
        while self.journal.len() > to.steps {
            match self.journal.pop() {
                Some(Undo::Row(key, Some(before))) => {
                    self.overlay.rows.insert(key, before);
                }
                Some(Undo::Row(key, None)) => {
                    self.overlay.rows.remove(&key);
                }
                Some(Undo::Taken) => {
                    let id = self.overlay.taken.pop();
                    self.inner.give_back(id);
                }
                Some(Undo::Destroyed(id)) => {
                    self.overlay.destroyed.remove(&id);
                }
                None => return,
            }
        }
    }

    /// Whether a commit would change nothing.
    pub fn is_empty(&self) -> bool {
        self.overlay.is_empty()
    }

    fn write<T: Table>(&mut self, key: &RowKey, under: Sealing, row: &T::Row) -> Result<(), StoreError> {
        let fault = |error| StoreError::Fault(format!("a row of '{}' cannot be encoded: {error}", T::NAME));
        // Room from the start, because growing leaves copies behind.
        let plaintext = postcard::to_extend(row, Vec::with_capacity(512)).map(Zeroizing::new).map_err(fault)?;
        if plaintext.len() > MAX_VALUE {
            return Err(StoreError::TooLarge { bytes: plaintext.len() });
        }
        let key = self.row_key::<T>(key);
        self.change(key, Change::Put { under, plaintext });
        Ok(())
    }

    fn row_key<T: Table>(&self, key: &RowKey) -> Vec<u8> {
        const { assert!(T::ID < FIRST_ENGINE_TABLE, "tables from 240 on are the engine's") };
        self.inner.secrets.row_key(T::ID, key)
    }

    fn change(&mut self, key: Vec<u8>, change: Change) {
        if self.recording {
            let before = self.overlay.rows.insert(key.clone(), change);
            self.journal.push(Undo::Row(key, before));
        } else {
            self.overlay.rows.insert(key, change);
        }
    }

    fn record(&mut self, undo: Undo) {
        if self.recording {
            self.journal.push(undo);
        }
    }
}

impl Drop for WriteBuffer {
    fn drop(&mut self) {
        let taken = std::mem::take(&mut self.overlay.taken);
        self.inner.give_back(taken.into_iter().rev());
    }
}

impl Rows for WriteBuffer {
    fn source(&self) -> Source<'_> {
        Source { inner: &self.inner, overlay: Some(&self.overlay) }
    }
}

#[cfg(test)]
mod tests;
