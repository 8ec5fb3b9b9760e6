//! What sled would find if it opened the database, found out without it: it writes when it opens, whatever it finds.

use std::path::Path;
use std::sync::Arc;

use super::StoreError;
use super::durable::Disk;
use super::files::DATABASE;
use super::keyfiles::KeyFiles;
use super::log::rows_for_sled;
use super::mark::Mark;
use super::meta::{Meta, Totals};
use super::row::META_KEY;
use super::salvage::log_in;
use super::secrets::Secrets;
use crate::base::Secret;

/// What is missing of the store in `dir` for sled, though it may be in the log; `None`: nothing, or what opening finds before it
/// comes to sled.
///
/// # Errors
/// [`StoreError::WrongKey`], [`StoreError::TooNew`], [`StoreError::TooOld`], those of the disk.
pub(super) fn fault_for_sled(dir: &Path, key: &Secret<32>) -> Result<Option<String>, StoreError> {
    let secrets = Secrets::derive(key);
    let mut key_files = KeyFiles::new(dir, &secrets.key_files, Arc::new(Disk));
    let loaded = match key_files.load() {
        Err(StoreError::Damaged { .. }) => return Ok(None),
        loaded => loaded?,
    };
    let Some(loaded) = loaded else { return Ok(None) };
    let witness = Mark::look(dir, &secrets.mark).unwrap_or_default();
    let commits = loaded.contents.commits.max(witness.commits);
    if commits == 0 {
        // It was never used, and may have been left before it was whole.
        return Ok(None);
    }
    let (mut totals, mut meta) = (Totals::default(), None);
    let mut each = |key: &[u8], row: &[u8]| match key == META_KEY {
        true => meta = Some(Meta::open(row, &secrets)),
        false => totals.add(row),
    };
    if rows_for_sled(&log_in(&dir.join(DATABASE)), &mut each)?.is_none() {
        return Ok(Some("the database file was changed".to_owned()));
    }
    let (_, meta) = match meta.transpose() {
        Ok(Some(meta)) => meta,
        Ok(None) => return Ok(Some("its database has lost its contents".to_owned())),
        Err(StoreError::Damaged { what }) => return Ok(Some(what)),
        Err(error) => return Err(error),
    };
    Ok(meta.fault(commits, key_files.generation, totals))
}

#[cfg(test)]
mod tests;
