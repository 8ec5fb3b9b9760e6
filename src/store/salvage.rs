//! What is left of a store: looked at without changing a byte of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::StoreError;
use super::durable::Disk;
use super::files::{DATABASE, KEYS, LOG, TORN};
use super::key::KeyId;
use super::keyfiles::{Contents, KeyFiles};
use super::keyring::Role;
use super::log::Log;
use super::mark::{Mark, Witness};
use super::meta::{Meta, Totals};
use super::row::{DOOMED_TABLE, META_KEY, doomed_by};
use super::secrets::Secrets;
use crate::base::Secret;

/// What the newest state of a database had, and is not in it any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gone {
    /// The last so many commits, all of them.
    pub commits: u64,
    /// Rows, at most: rows of sessions, which are never taken over, count as well.
    pub rows: u64,
    /// Rows are as they were before their last change, or there again.
    pub older: bool,
}

/// What was found in a profile folder.
pub(super) struct Remains {
    pub(super) secrets: Secrets,
    /// `None`: there is no log.
    pub(super) log: Option<Log>,
    /// `None`: neither of the key files can be read.
    pub(super) keys: Option<Contents>,
    /// The schema, and what the database says about itself.
    pub(super) meta: Option<(u32, Meta)>,
    /// Generation of the newest key file.
    pub(super) generation: u64,
    pub(super) witness: Witness,
}

impl Remains {
    /// Looks at all files of the store in `dir`.
    ///
    /// # Errors
    /// [`StoreError::WrongKey`], [`StoreError::TooNew`], [`StoreError::TooOld`], those of the disk. Damage is none: it is what is looked at.
    pub(super) fn look(dir: &Path, key: &Secret<32>) -> Result<Self, StoreError> {
        let secrets = Secrets::derive(key);
        let mut files = KeyFiles::new(dir, &secrets.key_files, Arc::new(Disk));
        let loaded = match files.load() {
            Err(StoreError::Damaged { .. }) => None,
            loaded => loaded?,
        };
        let log = Log::read(&log_in(&dir.join(DATABASE)), META_KEY)?;
        let mut remains = Self {
            witness: Mark::look(dir, &secrets.mark).unwrap_or_default(),
            secrets,
            log,
            keys: loaded.map(|loaded| loaded.contents),
            meta: None,
            generation: files.generation,
        };
        remains.meta = remains.log.as_ref().map_or(Ok(None), |log| remains.newest_meta(log))?;
        if let (Some(contents), Some(log)) = (&mut remains.keys, &remains.log) {
            // What a commit destroyed stays destroyed, though it was interrupted.
            let named = log.range(&[DOOMED_TABLE], Some(&[DOOMED_TABLE + 1])).filter(|(_, found)| found.is_there());
            named.filter_map(|(key, _)| doomed_by(key)).for_each(|id| drop(contents.keys.remove(&id)));
        }
        Ok(remains)
    }

    /// What is wrong with it; `None`: nothing.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn fault(&self) -> Result<Option<String>, StoreError> {
        Ok(self.fault_of(self.totals()?))
    }

    /// The same, where all rows amount to this.
    pub(super) fn fault_of(&self, totals: Totals) -> Option<String> {
        if self.log.is_none() {
            return Some("its database is missing".to_owned());
        }
        let Some((_, meta)) = &self.meta else { return Some("its database has lost its contents".to_owned()) };
        let Some(keys) = &self.keys else { return Some(format!("neither {} nor {} can be read", KEYS[0], KEYS[1])) };
        meta.fault(self.commits(keys), self.generation, totals)
    }

    /// How many commits there were, as far as anything knows.
    fn commits(&self, keys: &Contents) -> u64 {
        keys.commits.max(self.witness.commits)
    }

    /// What the newest state of the database had, where all rows that are left amount to this; `None`: nothing tells.
    pub(super) fn gone(&self, totals: Totals) -> Option<Gone> {
        let ((_, meta), keys) = (self.meta.as_ref()?, self.keys.as_ref()?);
        Some(Gone {
            commits: self.commits(keys).saturating_sub(meta.commits),
            rows: meta.totals.rows.saturating_sub(totals.rows),
            older: totals.rows >= meta.totals.rows && totals != meta.totals,
        })
    }

    /// Whether rows may be under keys that only a later key file had.
    pub(super) fn has_older_keys(&self) -> bool {
        self.meta.as_ref().is_some_and(|(_, meta)| meta.keys_generation > self.generation)
    }

    /// What all rows amount to that are left in the log.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn totals(&self) -> Result<Totals, StoreError> {
        let mut totals = Totals::default();
        let Some(log) = &self.log else { return Ok(totals) };
        for (key, found) in log.range(&[], None).filter(|(key, _)| key.as_slice() != META_KEY) {
            if let Some(row) = log.bytes(*found)? {
                // What stands under no table is a shred that only looks like a row.
                if key.first().is_some_and(|table| *table <= DOOMED_TABLE) {
                    totals.add(&row);
                }
            }
        }
        Ok(totals)
    }

    /// Whether a row under this key was sealed for a while only, and is never taken over (SES-63).
    pub(super) fn is_state(&self, id: KeyId, table: u8) -> bool {
        let by_key = self.keys.as_ref().and_then(|contents| contents.keys.get(&id));
        match by_key {
            Some(entry) => matches!(entry.role, Role::State { .. }),
            None => self.meta.as_ref().is_some_and(|(_, meta)| meta.state_tables.contains(&table)),
        }
    }

    /// The position in the log from which on everything is of the state after so many commits, or newer; `None` when
    /// the log does not tell.
    pub(super) fn newer_than(&self, commits: u64) -> Result<Option<u64>, StoreError> {
        let Some(log) = &self.log else { return Ok(None) };
        let mut known = Vec::new();
        for found in log.history() {
            known.extend(self.meta_at(log, *found)?.map(|(_, meta)| (found.position, meta.commits)));
        }
        Ok(newer_than(&known, commits))
    }

    fn newest_meta(&self, log: &Log) -> Result<Option<(u32, Meta)>, StoreError> {
        for found in log.history().iter().rev() {
            if let Some(meta) = self.meta_at(log, *found)? {
                return Ok(Some(meta));
            }
        }
        Ok(None)
    }

    fn meta_at(&self, log: &Log, found: super::log::Found) -> Result<Option<(u32, Meta)>, StoreError> {
        let Some(row) = log.bytes(found)? else { return Ok(None) };
        match Meta::open(&row, &self.secrets) {
            Err(StoreError::Damaged { .. }) => Ok(None),
            opened => opened.map(Some),
        }
    }
}

/// The log in the folder of the database: beside what it was before somebody tried to open it, what is there now does not
/// count.
pub(super) fn log_in(folder: &Path) -> PathBuf {
    let torn = folder.join(TORN).join(LOG);
    if torn.exists() { torn } else { folder.join(LOG) }
}

/// Where the log goes beyond the state after `commits`, of the positions at which the engine's own row named a number of
/// commits, in order.
///
/// That row may stand several times with one number: its page is also written between commits, and in the middle of the
/// next one, behind rows of that. So only behind the first is everything of this commit or newer.
fn newer_than(known: &[(u64, u64)], commits: u64) -> Option<u64> {
    let first = known.iter().find(|(_, number)| *number == commits).map(|(position, _)| position + 1);
    let beyond = known.iter().find(|(_, number)| *number > commits).map(|(position, _)| *position);
    match (first, beyond) {
        (first, Some(beyond)) => Some(first.unwrap_or(beyond)),
        (_, None) => known.last().map(|_| u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::newer_than;

    #[test]
    fn what_is_newer_than_a_commit_begins_behind_the_first_row_that_names_it() {
        // Position and number of commits. The page of the row was written anew between two commits (300), and in the
        // middle of a commit (500), of which rows stand before that.
        let known = [(100, 6), (200, 7), (300, 7), (400, 8), (500, 8), (600, 9)];
        assert_eq!(newer_than(&known, 7), Some(201));
        assert_eq!(newer_than(&known, 8), Some(401));
        // Nothing came after it.
        assert_eq!(newer_than(&known, 9), Some(u64::MAX));
        assert_eq!(newer_than(&known, 10), Some(u64::MAX));
        // The row that named it is lost: the next one has to do.
        assert_eq!(newer_than(&[(100, 6), (400, 8)], 7), Some(400));
        assert_eq!(newer_than(&known, 5), Some(100));
        assert_eq!(newer_than(&[], 5), None);
    }
}
