//! What keeps a store in order: the State key is renewed, dead rows are removed, all rows are counted.

use super::StoreError;
use super::commit::{Changes, Step};
use super::engine::{Count, Inner, Opened, Writer};
use super::key::KeyId;
use super::mark::Witness;
use super::row::{Header, META_KEY, open_value};
use crate::base::{CryptoRng, Now};
use crate::crypto::aead::AeadKey;

/// Rows that are sealed again in one commit.
const RENEWED_AT_ONCE: usize = 256;

impl Inner {
    /// Replaces the State key.
    pub(super) fn renew_state_key(&self, rng: &mut dyn CryptoRng, now: Now) -> Result<(), StoreError> {
        let mut writer = self.writer();
        self.renew(&mut writer, rng, now).map_err(|error| self.failed(error))
    }

    fn renew(&self, writer: &mut Writer, rng: &mut dyn CryptoRng, now: Now) -> Result<(), StoreError> {
        let taken = Some(self.view_mut().opened_mut()?.keyring.renew_state(now.wall, rng));
        self.make_durable(writer, rng)?;
        self.finish(writer, Step { taken, keys_made: true, ..Step::default() }, rng)?;
        for table in writer.meta.state_tables.clone() {
            let mut from = vec![table];
            while let Some((changes, next)) = self.reseal_page(writer, table, &from, rng)? {
                if !changes.is_empty() {
                    self.finish(writer, Step { changes, ..Step::default() }, rng)?;
                }
                from = next;
            }
        }
        let destroyed = self.view().opened()?.keyring.old_states();
        self.finish(writer, Step { destroyed, ..Step::default() }, rng)
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
        let (old, new) = (opened.keyring.old_states(), opened.keyring.state());
        let mut rows = opened.database.range(from, Some(&[table + 1]), false)?;
        let mut changes = Changes::default();
        let mut next = None;
        for _ in 0..RENEWED_AT_ONCE {
            let Some((key, row)) = rows.next()? else { break };
            if let Some((_, sealing)) = sealed_under(opened, &row)?.filter(|(id, _)| old.contains(id)) {
                let value = open_value(&self.secrets, sealing, &key, &row, |chunk| opened.database.get(chunk))?;
                changes.set_value((self, opened, writer), &key, Some((new, &value)), rng)?;
            }
            next = Some([key.as_ref(), &[0]].concat());
        }
        Ok(next.map(|next| (changes, next)))
    }

    /// Removes rows whose key is gone.
    pub(super) fn sweep(&self, rows: usize, rng: &mut dyn CryptoRng) -> Result<bool, StoreError> {
        let mut writer = self.writer();
        let (changes, next) = self.dead_rows(&writer, rows)?;
        let finished = next.is_none();
        writer.swept = next.unwrap_or_default();
        if !changes.is_empty() {
            let step = Step { changes, ..Step::default() };
            self.finish(&mut writer, step, rng).map_err(|error| self.failed(error))?;
        }
        Ok(finished)
    }

    fn dead_rows(&self, writer: &Writer, rows: usize) -> Result<(Changes, Option<Vec<u8>>), StoreError> {
        let view = self.view();
        let opened = view.opened()?;
        let mut range = opened.database.range(&writer.swept, None, false)?;
        let mut changes = Changes::default();
        for _ in 0..rows {
            let Some((key, row)) = range.next()? else { return Ok((changes, None)) };
            if sealed_under(opened, &row)?.is_none() {
                changes.set(opened, writer, key.to_vec(), None)?;
            }
        }
        let next = range.next()?.map(|(key, _)| key.to_vec());
        Ok((changes, next))
    }

    /// Goes on counting the rows.
    pub(super) fn check(&self, rows: usize) -> Result<bool, StoreError> {
        let mut writer = self.writer();
        let Some(mut count) = writer.count.take() else { return self.view().opened().map(|_| true) };
        let done = self.view().opened().and_then(|opened| count.go_on(opened, rows));
        match done {
            Ok(false) => writer.count = Some(count),
            Ok(true) => writer.compare(&count).map_err(|error| self.failed(error))?,
            Err(error) => return Err(self.failed(error)),
        }
        Ok(writer.count.is_none())
    }
}

impl Writer {
    /// Witnesses where the store is.
    pub(super) fn witness(&self) {
        self.mark.write(Witness { commits: self.meta.commits, checked: self.checked });
    }

    /// What was counted must be what the commits have added up.
    pub(super) fn compare(&mut self, count: &Count) -> Result<(), StoreError> {
        let (found, expected) = (count.totals, self.meta.totals);
        if found != expected {
            return Err(StoreError::damaged(if found.rows == expected.rows {
                "rows have fallen back to older ones".to_owned()
            } else {
                format!("there are {} rows where there should be {}", found.rows, expected.rows)
            }));
        }
        self.checked = self.meta.commits;
        self.witness();
        Ok(())
    }
}

impl Count {
    /// Counts the next rows. Says whether they were the last.
    pub(super) fn go_on(&mut self, opened: &Opened, rows: usize) -> Result<bool, StoreError> {
        let mut range = opened.database.range(&self.upto, None, false)?;
        for _ in 0..rows {
            let Some((key, row)) = range.next()? else { return Ok(true) };
            if key.as_ref() != META_KEY {
                self.totals.add(&row);
            }
            self.upto = [key.as_ref(), &[0]].concat();
        }
        Ok(false)
    }
}

/// The key of a row, if it is still there.
fn sealed_under<'a>(opened: &'a Opened, row: &[u8]) -> Result<Option<(KeyId, &'a AeadKey)>, StoreError> {
    let id = Header::of(row)?.key;
    Ok(opened.keyring.get(id).map(|key| (id, key)))
}

#[cfg(test)]
mod tests;
