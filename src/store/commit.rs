//! The commit.
//!
//! 1. If the keys that were made ahead did not suffice, those that were made now are written to one key file, and are durable.
//! 2. The rows are sealed and go into one batch, with rows that name the doomed keys and with the engine's own row; the
//!    batch is applied, flushed, synced.
//! 3. The mark witnesses the commit.
//! 4. New keys are written to the other key file; destroyed keys vanish from both. The next commit removes the rows that
//!    named them.
//!
//! Interrupted before the batch is durable: the engine's row still says that the keys were never used, and opening the store
//! drops them. Interrupted after it: opening the store destroys the keys that the batch names.

use std::sync::Arc;

use super::StoreError;
use super::buffer::WriteBuffer;
use super::engine::{Inner, Opened, Store, Writer};
use super::key::KeyId;
use super::keyfiles::Contents;
use super::meta::Totals;
use super::overlay::{Change, Overlay, Sealing};
use super::row::{ChunkKeys, Header, Write, doomed_key, seal_value};
use crate::base::{CryptoRng, failpoint};

/// One durable change of the store.
#[derive(Default)]
pub(super) struct Step {
    pub(super) changes: Changes,
    /// The newest key that it takes.
    pub(super) taken: Option<KeyId>,
    /// Whether one of the key files has new keys already: then the other one follows.
    pub(super) keys_made: bool,
    pub(super) destroyed: Vec<KeyId>,
}

/// Changes of rows, and what they do to the totals.
#[derive(Default)]
pub(super) struct Changes {
    writes: Vec<Write>,
    /// To be added to the totals of all rows.
    difference: Totals,
    /// To be added to the totals of those already counted.
    counted: Totals,
}

impl Changes {
    /// Writes or removes a row. Gives the header of the row that was there.
    pub(super) fn set(
        &mut self,
        opened: &Opened,
        writer: &Writer,
        key: Vec<u8>,
        row: Option<Vec<u8>>,
    ) -> Result<Option<Header>, StoreError> {
        let old = opened.database.get(&key)?;
        if old.is_none() && row.is_none() {
            return Ok(None);
        }
        let counted = writer.count.as_ref().is_some_and(|count| key < count.upto);
        for totals in [Some(&mut self.difference), counted.then_some(&mut self.counted)].into_iter().flatten() {
            if let Some(old) = &old {
                totals.take(old);
            }
            if let Some(row) = &row {
                totals.add(row);
            }
        }
        self.writes.push((key, row));
        old.map(|old| Header::of(&old)).transpose()
    }

    /// Seals a value (or removes it: `None`), and removes the chunk rows that are left over of the old one.
    pub(super) fn set_value(
        &mut self,
        (inner, opened, writer): (&Inner, &Opened, &Writer),
        key: &[u8],
        value: Option<(KeyId, &[u8])>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), StoreError> {
        let mut rows = Vec::new();
        match value {
            Some((id, plaintext)) => {
                let sealing = opened.keyring.get(id).ok_or_else(|| StoreError::Fault(format!("{id:?} is gone")))?;
                seal_value(&inner.secrets, (id, sealing), key.to_vec(), plaintext, rng, &mut rows);
            }
            None => rows.push((key.to_vec(), None)),
        }
        let chunks = u16::try_from(rows.len() - 1).unwrap_or(u16::MAX);
        let mut old_chunks = 0;
        for (row_key, row) in rows {
            let is_first = row_key == key;
            let old = self.set(opened, writer, row_key, row)?;
            if is_first {
                old_chunks = old.map_or(0, |old| old.chunks);
            }
        }
        if old_chunks > chunks {
            let chunk_keys = ChunkKeys::of(&inner.secrets, key);
            for index in chunks + 1..=old_chunks {
                self.set(opened, writer, chunk_keys.at(index), None)?;
            }
        }
        Ok(())
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}

impl Store {
    /// Makes the buffer's changes durable, all or none. Readers see them when they are.
    ///
    /// # Errors
    /// See [`StoreError`]. After any error the store is closed: drop what is in memory and open it again.
    pub fn commit(&self, buffer: WriteBuffer, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let (inner, overlay) = buffer.into_parts();
        if !Arc::ptr_eq(&inner, &self.inner) {
            return Err(StoreError::Fault("a write buffer of another store".to_owned()));
        }
        if overlay.is_empty() {
            return self.inner.view().opened().map(|_| ());
        }
        let mut writer = self.inner.writer();
        let result = self.inner.commit_overlay(&mut writer, &overlay, rng);
        result.map_err(|error| self.inner.failed(error))
    }

    /// Makes erasable keys ahead, when few are left: for when nobody waits, so that taking one writes no file.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn stock_keys(&self, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let mut writer = self.inner.writer();
        self.inner.stock_keys(&mut writer, rng).map_err(|error| self.inner.failed(error))
    }
}

impl Inner {
    /// Makes what a buffer changes durable.
    pub(super) fn commit_overlay(
        &self,
        writer: &mut Writer,
        overlay: &Overlay,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), StoreError> {
        let keys_made = {
            let view = self.view();
            let opened = view.opened()?;
            overlay.taken.iter().any(|id| opened.keyring.is_unwritten(*id))
        };
        if keys_made {
            self.make_durable(writer, rng)?;
        }
        let (changes, destroyed) = {
            let view = self.view();
            let opened = view.opened()?;
            let entries = opened.keyring.entries();
            let mut destroyed: Vec<_> =
                overlay.destroyed.iter().copied().filter(|id| entries.contains_key(id)).collect();
            destroyed.sort_unstable();
            (self.seal(writer, opened, overlay, rng)?, destroyed)
        };
        let taken = overlay.taken.iter().max().copied();
        self.finish(writer, Step { changes, taken, keys_made, destroyed }, rng)
    }

    /// Writes new keys to one of the key files: no row is under them yet.
    pub(super) fn make_durable(&self, writer: &mut Writer, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        if let Some(because) = self.frozen() {
            return Err(because);
        }
        writer.meta.keys_generation = self.write_keys(writer, rng)?;
        failpoint("keys-made");
        Ok(())
    }

    /// Makes keys ahead, when few are left.
    pub(super) fn stock_keys(&self, writer: &mut Writer, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let is_needed = |opened: &Opened| opened.database.frozen().is_none() && opened.keyring.is_low();
        if !self.view().opened().is_ok_and(is_needed) {
            return Ok(());
        }
        self.view_mut().opened_mut()?.keyring.stock(rng);
        self.make_durable(writer, rng)?;
        self.write_keys(writer, rng).map(|_| ())
    }

    /// Seals what the buffer changes.
    fn seal(
        &self,
        writer: &mut Writer,
        opened: &Opened,
        overlay: &Overlay,
        rng: &mut dyn CryptoRng,
    ) -> Result<Changes, StoreError> {
        let mut changes = Changes::default();
        for (key, change) in &overlay.rows {
            let value = overlay.value(change).map(|plaintext| {
                let id = match change {
                    Change::Put { under: Sealing::Given(id), .. } => *id,
                    Change::Put { under: Sealing::State, .. } => opened.keyring.state,
                    Change::Put { under: Sealing::Root, .. } | Change::Delete => KeyId::ROOT,
                };
                (id, plaintext)
            });
            if let (Change::Put { under: Sealing::State, .. }, Some(table)) = (change, key.first()) {
                writer.meta.state_tables.insert(*table);
            }
            changes.set_value((self, opened, writer), key, value, rng)?;
        }
        Ok(changes)
    }

    /// Applies the changes and settles the keys.
    pub(super) fn finish(&self, writer: &mut Writer, step: Step, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let Step { mut changes, taken, keys_made, destroyed } = step;
        self.name_doomed(writer, &mut changes, &destroyed, rng)?;
        writer.meta.commits += 1;
        writer.meta.totals.join(changes.difference);
        if let Some(count) = &mut writer.count {
            count.totals.join(changes.counted);
        }
        writer.meta.next_key = taken.map_or(KeyId::ROOT, KeyId::next).max(writer.meta.next_key);
        let mut writes = changes.writes;
        for table in writes.iter().filter_map(|(key, _)| key.first()) {
            *writer.written.entry(*table).or_default() += 1;
        }
        #[cfg(test)]
        BYTES.set(
            BYTES.get() + writes.iter().map(|(_, row)| row.as_ref().map_or(0, |row| row.len() as u64)).sum::<u64>(),
        );
        writes.push(writer.meta.seal(writer.schema, &self.secrets, rng)?);

        failpoint("sealed");
        let mut view = self.view_mut();
        let opened = view.opened_mut()?;
        opened.database.apply(writes)?;
        destroyed.iter().for_each(|id| opened.keyring.destroy(*id));
        drop(view);

        writer.witness();
        failpoint("marked");
        for _ in 0..usize::from(keys_made).max(2 * usize::from(!destroyed.is_empty())) {
            self.write_keys(writer, rng)?;
            failpoint("keys-settled");
        }
        writer.doomed = destroyed;
        Ok(())
    }

    /// Has rows name the keys that this commit destroys, and removes those of the keys that are in neither file any more.
    fn name_doomed(
        &self,
        writer: &Writer,
        changes: &mut Changes,
        destroyed: &[KeyId],
        rng: &mut dyn CryptoRng,
    ) -> Result<(), StoreError> {
        let view = self.view();
        let opened = view.opened()?;
        for id in &writer.doomed {
            changes.set(opened, writer, doomed_key(*id), None)?;
        }
        for id in destroyed {
            changes.set_value((self, opened, writer), &doomed_key(*id), Some((KeyId::ROOT, &[])), rng)?;
        }
        Ok(())
    }

    /// Writes the present keys to the older of the key files. Gives its generation.
    pub(super) fn write_keys(&self, writer: &mut Writer, rng: &mut dyn CryptoRng) -> Result<u64, StoreError> {
        let view = self.view();
        let keyring = &view.opened()?.keyring;
        let next = keyring.next;
        let contents = Contents { commits: writer.meta.commits, next, keys: keyring.entries() };
        let generation = writer.key_files.write(&contents, rng)?;
        drop(view);
        self.view_mut().opened_mut()?.keyring.unwritten = next;
        Ok(generation)
    }
}

#[cfg(test)]
thread_local! {
    static BYTES: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How long all rows are that this thread has put, sealed; but for the engine's own.
#[cfg(test)]
pub(crate) fn bytes_written() -> u64 {
    BYTES.get()
}

#[cfg(test)]
mod tests;
