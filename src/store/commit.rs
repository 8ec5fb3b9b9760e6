//! The commit.
//!
//! 1. New keys are written to one key file, and are durable.
//! 2. The rows are sealed and go into one batch, with the engine's own row; the batch is applied, flushed, synced.
//! 3. The mark witnesses the commit.
//! 4. New keys are written to the other key file; destroyed keys vanish from both.
//!
//! Interrupted after 1: the keys are of no row, and opening the store drops them. Interrupted after 2: the engine's row
//! names the doomed keys, and opening the store destroys them.

use super::StoreError;
use super::buffer::{Change, Overlay, Sealing};
use super::engine::{Inner, Opened, Writer};
use super::key::KeyId;
use super::keyring::{Entry, Role};
use super::meta::Totals;
use super::row::{ChunkKeys, Header, Write, seal_value};
use crate::base::{CryptoRng, failpoint};

/// One durable change of the store.
#[derive(Default)]
pub(super) struct Step {
    pub(super) changes: Changes,
    pub(super) created: Vec<(KeyId, Entry)>,
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

impl Inner {
    /// Makes a buffer's changes durable.
    pub(super) fn commit(&self, overlay: &Overlay, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        if overlay.is_empty() {
            return self.view().opened().map(|_| ());
        }
        let mut writer = self.writer();
        let result = self.commit_overlay(&mut writer, overlay, rng);
        result.map_err(|error| self.failed(error))
    }

    /// As [`Inner::commit`], with the writer already taken.
    pub(super) fn commit_overlay(
        &self,
        writer: &mut Writer,
        overlay: &Overlay,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), StoreError> {
        let born = writer.key_files.generation() + 1;
        // A key that was created and destroyed in the same buffer never reaches the disk.
        let lasting = overlay.created.iter().filter(|(id, _)| !overlay.hides(**id));
        let created: Vec<_> =
            lasting.map(|(id, key)| (*id, Entry { key: key.clone(), role: Role::Given, born })).collect();
        self.write_created(writer, &created, rng)?;
        let (changes, destroyed) = {
            let view = self.view();
            let opened = view.opened()?;
            let entries = opened.keyring.entries();
            let destroyed: Vec<_> = overlay.destroyed.iter().copied().filter(|id| entries.contains_key(id)).collect();
            (self.seal(writer, opened, overlay, rng)?, destroyed)
        };
        self.finish(writer, Step { changes, created, destroyed }, rng)
    }

    /// Carries out a step of the engine's own.
    pub(super) fn carry_out(&self, writer: &mut Writer, step: Step, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        self.write_created(writer, &step.created, rng)?;
        self.finish(writer, step, rng)
    }

    /// Makes new keys durable in one of the key files, and known: no row is under them yet.
    fn write_created(
        &self,
        writer: &mut Writer,
        created: &[(KeyId, Entry)],
        rng: &mut dyn CryptoRng,
    ) -> Result<(), StoreError> {
        if created.is_empty() {
            return Ok(());
        }
        let mut view = self.view_mut();
        let opened = view.opened_mut()?;
        if let Some(because) = opened.database.frozen() {
            return Err(because.clone());
        }
        for (id, entry) in created {
            opened.keyring.add(*id, entry.clone());
        }
        drop(view);
        writer.meta.keys_generation = self.write_keys(writer, rng)?;
        failpoint("keys-made");
        Ok(())
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
                    Change::Put { under: Sealing::State, .. } => opened.keyring.state(),
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
    fn finish(&self, writer: &mut Writer, step: Step, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let Step { changes, created, destroyed } = step;
        writer.meta.commits += 1;
        writer.meta.totals.join(changes.difference);
        if let Some(count) = &mut writer.count {
            count.totals.join(changes.counted);
        }
        writer.meta.doomed.clone_from(&destroyed);
        let mut writes = changes.writes;
        writes.push(writer.meta.seal(writer.schema, &self.secrets, rng)?);

        failpoint("sealed");
        let mut view = self.view_mut();
        let opened = view.opened_mut()?;
        opened.database.apply(writes)?;
        opened.keyring.remove(&destroyed);
        drop(view);

        writer.witness();
        failpoint("marked");
        for _ in 0..usize::from(!created.is_empty()).max(2 * usize::from(!destroyed.is_empty())) {
            self.write_keys(writer, rng)?;
            failpoint("keys-settled");
        }
        Ok(())
    }

    /// Writes the present keys to the older of the key files. Gives its generation.
    pub(super) fn write_keys(&self, writer: &mut Writer, rng: &mut dyn CryptoRng) -> Result<u64, StoreError> {
        let view = self.view();
        writer.key_files.write(view.opened()?.keyring.entries(), writer.meta.commits, rng)
    }
}
