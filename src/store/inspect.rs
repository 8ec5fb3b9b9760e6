//! Each file of a store looked at, as opening does, without changing a byte: what of it can be made again, and is not as it
//! was written.
//!
//! What makes opening fail is an error of opening; it is not told here.

use std::path::Path;
use std::sync::Arc;

use super::StoreError;
use super::ahead::fault_for_sled;
use super::beside;
use super::database::Database;
use super::durable::Disk;
use super::files::{DATABASE, KEYS, LOG, MARK, TORN};
use super::keyfiles::{Condition, KeyFiles};
use super::mark::Mark;
use super::read::Reader;
use super::secrets::Secrets;
use super::snapshot::{Reading, SnapshotFile, snapshots};
use crate::base::Secret;

/// What was found of the files of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inspection {
    /// What keeps it from being opened, though every row can be read.
    pub fault: Option<String>,
    /// What is not as it was written, though the store opens: nothing is lost, and opening makes it again.
    pub blemishes: Vec<Blemish>,
    /// Snapshots of which not all is there, newest first, and what is wrong with each.
    pub snapshots: Vec<(SnapshotFile, String)>,
}

/// A file that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blemish {
    /// Its name in the profile folder.
    pub file: String,
    /// What is wrong with it, as the end of a sentence about it.
    pub what: &'static str,
    /// What that means, as a sentence.
    pub means: String,
}

/// Looks at the files of the store in `dir`, which nobody has open but for reading.
///
/// # Errors
/// [`StoreError::TooNew`], [`StoreError::TooOld`]; those of the disk.
pub fn inspect(dir: &Path, key: &Secret<32>, reader: Option<&Reader>) -> Result<Inspection, StoreError> {
    let secrets = Secrets::derive(key);
    // sled may read less than is there.
    let fault = fault_for_sled(dir, key)?;
    let commits = reader.map(|reader| reader.inner().writer().meta.commits);
    let blemishes = blemishes(dir, &secrets, commits, false)?;
    Ok(Inspection { fault, blemishes, snapshots: unsound_snapshots(dir, &secrets)? })
}

impl Reader {
    /// Looks at the files of the store that is read, but for those that are the database's own while it is open. Commits wait
    /// meanwhile, but not for the snapshots.
    ///
    /// # Errors
    /// As [`inspect`].
    pub fn inspect(&self) -> Result<Inspection, StoreError> {
        let inner = self.inner();
        let writer = inner.writer();
        let (dir, secrets) = (&inner.dir, &inner.secrets);
        let blemishes = blemishes(dir, secrets, Some(writer.meta.commits), inner.frozen().is_none())?;
        drop(writer);
        Ok(Inspection { fault: None, blemishes, snapshots: unsound_snapshots(dir, secrets)? })
    }
}

/// What sled has open is its own, and changes under it.
fn blemishes(dir: &Path, secrets: &Secrets, commits: Option<u64>, is_open: bool) -> Result<Vec<Blemish>, StoreError> {
    let mut found = of_key_files(dir, secrets)?;
    found.extend(of_mark(dir, secrets, commits));
    if !is_open {
        found.extend(of_database(&dir.join(DATABASE), Database::exists(dir))?);
    }
    Ok(found)
}

fn of_key_files(dir: &Path, secrets: &Secrets) -> Result<Vec<Blemish>, StoreError> {
    let loaded = match KeyFiles::new(dir, &secrets.key_files, Arc::new(Disk)).load() {
        // Neither can be read: the store does not open, and says so.
        Ok(None) | Err(StoreError::Damaged { .. } | StoreError::WrongKey) => return Ok(Vec::new()),
        Ok(Some(loaded)) => loaded,
        Err(error) => return Err(error),
    };
    let others = KEYS.iter().rev();
    let each = KEYS.iter().zip(others).zip(loaded.files);
    let told = |((name, other), condition): ((&&str, &&str), Condition)| {
        let what = match condition {
            Condition::Sound => return None,
            Condition::Missing => "is missing",
            Condition::Damaged => "is damaged",
            Condition::Foreign => "belongs to another profile",
            Condition::Behind => "is older than it should be",
        };
        Some(Blemish {
            file: (*name).to_owned(),
            what,
            means: format!("{other} has every key, but there is no second copy of them"),
        })
    };
    Ok(each.filter_map(told).collect())
}

fn of_mark(dir: &Path, secrets: &Secrets, commits: Option<u64>) -> Option<Blemish> {
    let told = |what, means: &str| Some(Blemish { file: MARK.to_owned(), what, means: means.to_owned() });
    match Mark::look(dir, &secrets.mark) {
        Some(witness) => match commits.map_or(0, |commits| commits.saturating_sub(witness.commits)) {
            0 => None,
            _ => told("is older than it should be", "a power cut leaves it so; every commit is there"),
        },
        None if dir.join(MARK).exists() => told("is damaged", UNWITNESSED),
        None => told("is missing", UNWITNESSED),
    }
}

/// What it means when the mark cannot be read.
const UNWITNESSED: &str = "had the newest commits been lost with it, only the key files could tell";

fn of_database(folder: &Path, exists: bool) -> Result<Vec<Blemish>, StoreError> {
    let mut found = Vec::new();
    let mut tell = |name: &str, what, means: &str| {
        found.push(Blemish { file: format!("{DATABASE}/{name}"), what, means: means.to_owned() });
    };
    if folder.join(TORN).join(LOG).exists() {
        tell(TORN, "was left over", "an opening was interrupted; it is the log, and is put back in its place");
    } else if !exists {
        return Ok(found);
    }
    match beside::settings(folder)? {
        Some(true) => {}
        Some(false) => tell(beside::SETTINGS, "is damaged", "it holds nothing that is not known"),
        None => tell(beside::SETTINGS, "is missing", "it holds nothing that is not known"),
    }
    for table in beside::tables(folder)? {
        if !beside::is_sound(&table)? {
            let name = table.file_name().unwrap_or_default().to_string_lossy().into_owned();
            tell(&name, "is damaged", &format!("{DATABASE}/{LOG} says everything that it does"));
        }
    }
    Ok(found)
}

fn unsound_snapshots(dir: &Path, secrets: &Secrets) -> Result<Vec<(SnapshotFile, String)>, StoreError> {
    let mut found = Vec::new();
    for file in snapshots(dir)? {
        if let Some(what) = Reading::faults(&file, secrets)? {
            found.push((file, what));
        }
    }
    Ok(found)
}
