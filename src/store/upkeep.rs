//! What keeps a store in order: the State key is renewed, dead rows are removed, all rows are counted.

use super::StoreError;
use super::commit::{Changes, Step};
use super::engine::{Count, Inner, Opened, Store, Writer};
use super::key::KeyId;
use super::mark::Witness;
use super::row::{Header, META_KEY, open_value};
use crate::base::{CryptoRng, Millis, Now};
use crate::crypto::aead::AeadKey;

/// Rows that are sealed again in one commit.
const RENEWED_AT_ONCE: usize = 256;

impl Store {
    /// Replaces the State key: live rows are sealed again under a fresh key, then the old one is destroyed.
    ///
    /// It is the only thing that makes yesterday's ratchets unreadable to the thief of the disk: to be called when
    /// [`Store::state_key_age`] says a day. A call that was interrupted is made up for by the next.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn renew_state_key(&self, rng: &mut dyn CryptoRng, now: Now) -> Result<(), StoreError> {
        let mut writer = self.inner.writer();
        self.inner.renew(&mut writer, rng, now).map_err(|error| self.inner.failed(error))
    }

    /// How old the State key is: the oldest, while a renewal is not finished. Zero when the store is closed; a day when
    /// it was made in the future, because then the clock was wrong, and waiting for it would take too long.
    pub fn state_key_age(&self, now: Now) -> Millis {
        let made = self.inner.view().opened().ok().and_then(|opened| opened.keyring.oldest_state());
        made.map_or(Millis(0), |made| if made > now.wall { Millis::from_days(1) } else { now.wall.since(made) })
    }

    /// Removes rows whose key was destroyed (they count as absent already) from the next `rows` rows, going round.
    /// Says whether it has come to the end.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn sweep(&self, rows: usize, rng: &mut dyn CryptoRng) -> Result<bool, StoreError> {
        let mut writer = self.inner.writer();
        self.inner.sweep(&mut writer, rows, rng).map_err(|error| self.inner.failed(error))
    }

    /// Goes on counting whether all rows are there, by `rows` rows. Says whether that is done.
    ///
    /// A small store is counted when it is opened; for a large one this is to be called, now and then, until it says
    /// `true`: only then is it known that no damage to the disk has taken rows away unnoticed.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when rows are missing; the store is closed then.
    pub fn check(&self, rows: usize) -> Result<bool, StoreError> {
        let mut writer = self.inner.writer();
        self.inner.check(&mut writer, rows).map_err(|error| self.inner.failed(error))
    }
}

impl Inner {
    fn renew(&self, writer: &mut Writer, rng: &mut dyn CryptoRng, now: Now) -> Result<(), StoreError> {
        let taken = Some(self.view_mut().opened_mut()?.keyring.renew_state(now.wall, rng));
        self.make_durable(writer, rng)?;
        self.finish(writer, Step { taken, keys_made: true, ..Step::default() }, rng)?;
        for table in writer.meta.state_tables.clone() {
            let mut from = vec![table];
            while let Some((changes, next)) = self.reseal_page(writer, table, &from, rng)? {
                self.finish(writer, Step { changes, ..Step::default() }, rng)?;
                from = next;
            }
        }
        let destroyed = self.view().opened()?.keyring.old_states.clone();
        self.finish(writer, Step { destroyed, ..Step::default() }, rng)
    }

    fn sweep(&self, writer: &mut Writer, rows: usize, rng: &mut dyn CryptoRng) -> Result<bool, StoreError> {
        let (changes, next) = self.dead_rows(writer, rows)?;
        let finished = next.is_none();
        writer.swept = next.unwrap_or_default();
        if !changes.is_empty() {
            self.finish(writer, Step { changes, ..Step::default() }, rng)?;
        }
        Ok(finished)
    }

    fn check(&self, writer: &mut Writer, rows: usize) -> Result<bool, StoreError> {
        let Some(mut count) = writer.count.take() else { return self.view().opened().map(|_| true) };
        let finished = count.go_on(self.view().opened()?, rows)?;
        if finished {
            writer.compare(&count)?;
        } else {
            writer.count = Some(count);
        }
        Ok(finished)
    }

    /// Seals the next rows of a table anew, and says where to go on; `None` when there are no more.
    fn reseal_page(
        &self,
        writer: &Writer,
        table: u8,
        from: &[u8],
        rng: &mut dyn CryptoRng,
    ) -> Result<Option<(Changes, Vec<u8>)>, StoreError> {
        let view = self.view();
        let opened = view.opened()?;
        let (old, new) = (&opened.keyring.old_states, opened.keyring.state);
        let mut changes = Changes::default();
        let mut next = None;
        for row in opened.database.range(from, Some(&[table + 1]), false)?.take(RENEWED_AT_ONCE) {
            let (key, row) = row?;
            if let Some((_, sealing)) = sealed_under(opened, &row)?.filter(|(id, _)| old.contains(id)) {
                let value = open_value(&self.secrets, sealing, &key, &row, |chunk| opened.database.get(chunk))?;
                changes.set_value((self, opened, writer), &key, Some((new, &value)), rng)?;
            }
            next = Some([key.as_ref(), &[0]].concat());
        }
        Ok(next.map(|next| (changes, next)))
    }

    fn dead_rows(&self, writer: &Writer, rows: usize) -> Result<(Changes, Option<Vec<u8>>), StoreError> {
        let view = self.view();
        let opened = view.opened()?;
        let mut range = opened.database.range(&writer.swept, None, false)?.fuse();
        let mut changes = Changes::default();
        for row in range.by_ref().take(rows) {
            let (key, row) = row?;
            if sealed_under(opened, &row)?.is_none() {
                changes.set(opened, writer, key.to_vec(), None)?;
            }
        }
        let next = range.next().transpose()?.map(|(key, _)| key.to_vec());
        Ok((changes, next))
    }
}

impl Writer {
    /// Witnesses where the store is.
    pub(super) fn witness(&self) {
        self.mark.write(Witness { commits: self.meta.commits, checked: self.checked });
    }

    /// What was counted must be what the commits have added up.
    pub(super) fn compare(&mut self, count: &Count) -> Result<(), StoreError> {
        if let Some(what) = self.meta.totals.differ(count.totals) {
            return Err(StoreError::Damaged { what });
        }
        self.checked = self.meta.commits;
        self.witness();
        Ok(())
    }
}

impl Count {
    /// Counts the next rows. Says whether they were the last.
    pub(super) fn go_on(&mut self, opened: &Opened, rows: usize) -> Result<bool, StoreError> {
        let mut left = rows;
        for row in opened.database.range(&self.upto, None, false)?.take(rows) {
            let (key, row) = row?;
            if key.as_ref() != META_KEY {
                self.totals.add(&row);
            }
            self.upto = [key.as_ref(), &[0]].concat();
            left -= 1;
        }
        Ok(left > 0)
    }
}

/// The key of a row, if it is still there.
fn sealed_under<'a>(opened: &'a Opened, row: &[u8]) -> Result<Option<(KeyId, &'a AeadKey)>, StoreError> {
    let id = Header::of(row)?.key;
    Ok(opened.keyring.get(id).map(|key| (id, key)))
}

#[cfg(test)]
mod tests;
