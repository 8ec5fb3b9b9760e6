//! Opening: what is there is read, compared, and brought to rest.
//!
//! Nothing that was there is ever taken for nothing: a store is made anew only when there is no trace of one, or when
//! the making of one was interrupted before its first commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ahead::fault_for_sled;
use super::beside;
use super::commit::Step;
use super::database::{Database, blobs};
use super::durable::{Disk, Durable, Synced};
use super::engine::{Count, Inner, Opened, Store, Writer};
use super::files::{DATABASE, KEYS, LOG, ProfileDir, TORN, existing, private_folder, sync_folder};
use super::frozen::{Backing, Frozen};
use super::key::KeyId;
use super::keyfiles::{BOTH, Contents, KeyFiles, Loaded};
use super::keyring::{Entries, Entry, Keyring, Role};
use super::log::{is_entangled, is_torn};
use super::mark::Mark;
use super::meta::{Meta, SCHEMA};
use super::row::{DOOMED_TABLE, META_KEY, doomed_by};
use super::salvage::Remains;
use super::secrets::Secrets;
use super::{Process, ProfileLock, StoreError};
use crate::base::{CryptoRng, Now, Secret, failpoint};

/// A store of at most so many rows is counted when it is opened: some hundredths of a second. A larger one is counted
/// by [`Store::check`].
const COUNTED_AT_OPEN: u64 = 100_000;
/// A log of at most so many bytes is read without sled whenever it is opened; of a larger one only what is behind its table of pages.
const READ_AHEAD: u64 = 64 << 20;

/// How a store is opened.
pub(super) struct Options {
    /// Whether there must be one.
    pub(super) existing: bool,
    pub(super) disk: Arc<dyn Durable>,
    pub(super) counted_at_open: u64,
    /// A log of at most so many bytes is read without sled first.
    pub(super) read_ahead: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { existing: false, disk: Arc::new(Disk), counted_at_open: COUNTED_AT_OPEN, read_ahead: READ_AHEAD }
    }
}

impl Store {
    /// Opens the store in the profile folder `dir`, or makes one if there is no trace of one.
    ///
    /// # Errors
    /// See [`StoreError`]; a store of which files are missing is [`StoreError::Damaged`], never an empty one.
    pub fn open(dir: &Path, key: &Secret<32>, rng: &mut dyn CryptoRng, now: Now) -> Result<Self, StoreError> {
        open(dir, key, rng, now, &Options::default())
    }

    /// As [`Store::open`], but a store that is not there is [`StoreError::Damaged`]: for a profile that had one.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_existing(dir: &Path, key: &Secret<32>, rng: &mut dyn CryptoRng, now: Now) -> Result<Self, StoreError> {
        open(dir, key, rng, now, &Options { existing: true, ..Options::default() })
    }

    /// Opens the store in `dir` for reading, without writing a byte; commits fail with `because`.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::WrongKey`], [`StoreError::TooNew`], those of the disk.
    pub fn open_frozen(dir: &Path, key: &Secret<32>, because: StoreError) -> Result<Self, StoreError> {
        let remains = Remains::look(dir, key)?;
        if let Some(what) = remains.fault()? {
            return Err(StoreError::Damaged { what });
        }
        let missing = || StoreError::damaged("it is missing");
        let Remains { secrets, log, keys, meta, witness, .. } = remains;
        let (schema, meta) = meta.ok_or_else(missing)?;
        let keys = keys.ok_or_else(missing)?;
        let keyring = Keyring::new(secrets.root.clone(), keys.keys, keys.next)?;
        let database = Backing::Frozen(Box::new(Frozen { log: log.ok_or_else(missing)?, because }));
        let key_files = KeyFiles::new(dir, &secrets.key_files, Arc::new(Disk));
        let mark = Mark::none(&secrets.mark);
        let (doomed, swept, written) = (Vec::new(), Vec::new(), BTreeMap::new());
        let (checked, count) = (witness.checked, None);
        let writer = Writer { schema, meta, key_files, mark, doomed, checked, count, swept, written };
        let opened = Opened { database, keyring };
        Ok(Self { inner: Arc::new(Inner::new(dir, secrets, opened, writer)) })
    }
}

/// Opens the store in `dir`.
pub(super) fn open(
    dir: &Path,
    key: &Secret<32>,
    rng: &mut dyn CryptoRng,
    now: Now,
    options: &Options,
) -> Result<Store, StoreError> {
    ProfileDir::create(dir)?;
    let kept = Kept::before_sled(dir, key, options)?;
    let opened = open_now(dir, key, (rng, now), options, kept.as_ref());
    match kept {
        Some(kept) if opened.is_err() => kept.put_back(options.disk.as_ref()).and(opened),
        _ => opened,
    }
}

fn open_now(
    dir: &Path,
    key: &Secret<32>,
    (rng, now): (&mut dyn CryptoRng, Now),
    options: &Options,
    kept: Option<&Kept>,
) -> Result<Store, StoreError> {
    let secrets = Secrets::derive(key);
    let mark = Mark::open(dir, &secrets.mark)?;
    let mut key_files = KeyFiles::new(dir, &secrets.key_files, Arc::clone(&options.disk));
    let witness = Mark::look(dir, &secrets.mark).unwrap_or_default();
    let loaded = match (key_files.load()?, Database::exists(dir)) {
        (None, true) => return Err(StoreError::damaged(format!("{} and {} are missing", KEYS[0], KEYS[1]))),
        (None, false) if options.existing || witness.commits > 0 => return Err(StoreError::damaged("it is missing")),
        (None, false) => first_keys(&mut key_files, rng, now)?,
        (Some(loaded), false) if loaded.contents.commits.max(witness.commits) > 0 => {
            return Err(StoreError::damaged("its database is missing"));
        }
        (Some(loaded), _) => loaded,
    };
    let commits = loaded.contents.commits.max(witness.commits);
    let database = open_database(dir, options)?;
    failpoint("opened");
    let found = match database.get(META_KEY)? {
        Some(row) => Some(Meta::open(&row, &secrets)?),
        None if commits > 0 || !is_empty(&database)? => {
            return Err(StoreError::damaged("its database has lost its contents"));
        }
        None => None,
    };
    let is_new = found.is_none();
    let (schema, meta) = found.unwrap_or((SCHEMA, Meta { next_key: loaded.contents.next, ..Meta::default() }));
    if let Some(what) = meta.behind(commits, key_files.generation) {
        return Err(StoreError::Damaged { what });
    }
    let count = (kept.is_some() || witness.checked != meta.commits).then(Count::default);
    let checked = witness.checked;
    let doomed = doomed_in(&database)?;
    let (keyring, tidy) = settled_keys(&secrets, loaded, &meta, &doomed)?;
    let opened = Opened { database: Backing::Live(database), keyring };
    let (swept, written) = (Vec::new(), BTreeMap::new());
    let writer = Writer { schema, meta, key_files, mark, doomed, checked, count, swept, written };
    let store = Store { inner: Arc::new(Inner::new(dir, secrets, opened, writer)) };
    if let Some(kept) = kept {
        // The log as it was is let go when every row was counted, and before the first commit, which is not in it.
        store.check(usize::MAX)?;
        kept.let_go(options.disk.as_ref())?;
    }
    store.bring_to_rest(is_new, tidy, options.counted_at_open, rng)?;
    failpoint("at-rest");
    Ok(store)
}

/// A copy of a log with a tear in it, or of one without its sound table of pages, and of its tables. Where sled finds a tear when
/// it opens, it goes no further, and erases what comes behind; a crash leaves tears that mean nothing, damage leaves such that hide
/// commits.
struct Kept {
    /// The folder of the database.
    folder: PathBuf,
    /// The folder of the copies.
    copies: PathBuf,
}

impl Kept {
    /// `None`: there is no tear.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when rows are missing already, or sled would miss some; it is not let at them. Those of the disk.
    fn before_sled(dir: &Path, key: &Secret<32>, options: &Options) -> Result<Option<Self>, StoreError> {
        let disk = options.disk.as_ref();
        let folder = dir.join(DATABASE);
        let kept = Self { copies: folder.join(TORN), folder };
        // The process that had made them did not come to its end.
        kept.put_back(disk)?;
        let (folder, log) = (&kept.folder, kept.folder.join(LOG));
        let stumbles = Stumbling::find(folder)?;
        if !Database::exists(dir) {
            return Ok(None);
        }
        if !is_torn(&log)? && !stumbles.is_any() {
            let length = std::fs::metadata(&log).map_err(|error| StoreError::from_io(&log, error))?.len();
            // A row that has grown out of the database lies where nobody syncs it.
            let reads = length <= options.read_ahead || !blobs(folder)?.is_empty();
            let fault = if reads { fault_for_sled(dir, key)? } else { None };
            return fault.map_or(Ok(None), |what| Err(StoreError::Damaged { what }));
        }
        if let Some(what) = Remains::look(dir, key)?.fault()? {
            return Err(StoreError::Damaged { what });
        }
        if is_entangled(&log)? {
            return Err(StoreError::damaged("the database file was changed"));
        }
        // The copies have their name when all of them are certain to be there: by that name they are put back.
        let unfinished = folder.join("torn.new");
        remove_folder(&unfinished)?;
        private_folder(&unfinished)?;
        for from in beside::tables(folder)?.iter().chain([&log]) {
            copy_into(from, &unfinished, disk)?;
        }
        sync_folder(&unfinished, disk)?;
        std::fs::rename(&unfinished, &kept.copies).map_err(|error| StoreError::from_io(&unfinished, error))?;
        sync_folder(folder, disk)?;
        stumbles.remove()?;
        Ok(Some(kept))
    }

    /// Removes the copies. They do not come back, or they would take away what was committed since.
    fn let_go(&self, disk: &dyn Durable) -> Result<(), StoreError> {
        let log = self.copies.join(LOG);
        std::fs::remove_file(&log).map_err(|error| StoreError::from_io(&log, error))?;
        sync_folder(&self.copies, disk)?;
        remove_folder(&self.copies)
    }

    /// Puts the copies back in their places, if they were not let go. Until the log is there, they count.
    fn put_back(&self, disk: &dyn Durable) -> Result<(), StoreError> {
        let (copy, log) = (self.copies.join(LOG), self.folder.join(LOG));
        if copy.exists() {
            for table in beside::tables(&self.folder)? {
                std::fs::remove_file(&table).map_err(|error| StoreError::from_io(&table, error))?;
            }
            for table in beside::tables(&self.copies)? {
                copy_into(&table, &self.folder, disk)?;
            }
            sync_folder(&self.folder, disk)?;
            std::fs::rename(&copy, &log).map_err(|error| StoreError::from_io(&copy, error))?;
            sync_folder(&self.folder, disk)?;
        }
        remove_folder(&self.copies)
    }
}

fn copy_into(from: &Path, folder: &Path, disk: &dyn Durable) -> Result<(), StoreError> {
    let at = |error| StoreError::from_io(from, error);
    let to = folder.join(from.file_name().unwrap_or_default());
    std::fs::copy(from, &to).and_then(|_| disk.sync(&std::fs::File::open(&to)?, Synced::Whole)).map_err(at)
}

/// Removes a folder with all that is in it, if it is there.
fn remove_folder(folder: &Path) -> Result<(), StoreError> {
    existing(folder, std::fs::remove_dir_all(folder)).map(|_| ())
}

/// What sled gives up over, and goes on without.
struct Stumbling(Vec<PathBuf>);

impl Stumbling {
    /// In the folder of the database.
    fn find(folder: &Path) -> Result<Self, StoreError> {
        let mut found = Vec::new();
        if beside::settings(folder)? == Some(false) {
            found.push(folder.join(beside::SETTINGS));
        }
        // It reads the last one only; but that one may be removed.
        for table in beside::tables(folder)? {
            if !beside::is_sound(&table)? {
                found.push(table);
            }
        }
        Ok(Self(found))
    }

    const fn is_any(&self) -> bool {
        !self.0.is_empty()
    }

    fn remove(&self) -> Result<(), StoreError> {
        self.0.iter().try_for_each(|path| {
            tracing::warn!(path = %path.display(), "a file of the store is damaged, and is made again from the log");
            std::fs::remove_file(path).map_err(|error| StoreError::from_io(path, error))
        })
    }
}

fn open_database(dir: &Path, options: &Options) -> Result<Database, StoreError> {
    match Database::open(dir, Arc::clone(&options.disk)) {
        Err(StoreError::Locked { .. }) => {
            let holder = ProfileLock::holder(dir)?;
            Err(StoreError::Locked { process: holder.map_or(Process::Unknown, |holder| holder.process) })
        }
        opened => opened,
    }
}

/// Keys for a store that does not exist yet.
fn first_keys(key_files: &mut KeyFiles, rng: &mut dyn CryptoRng, now: Now) -> Result<Loaded, StoreError> {
    let first = KeyId::first(rng);
    let keys = Entries::from([(first, Entry { key: Secret::random(rng), role: Role::State { made: now.wall } })]);
    for _ in 0..2 {
        key_files.write(&Contents { commits: 0, next: first.next(), keys: &keys }, rng)?;
    }
    Ok(Loaded { contents: Contents { commits: 0, next: first.next(), keys }, files: BOTH })
}

fn is_empty(database: &Database) -> Result<bool, StoreError> {
    Ok(database.range(&[], None, false)?.next().transpose()?.is_none())
}

/// The keys that a commit has destroyed, and which may still be in the key files.
fn doomed_in(database: &Database) -> Result<Vec<KeyId>, StoreError> {
    let rows = database.range(&[DOOMED_TABLE], Some(&[DOOMED_TABLE + 1]), false)?;
    rows.filter_map(|row| row.map(|(key, _)| doomed_by(&key)).transpose()).collect()
}

/// The keyring, without the keys that an interrupted commit destroyed or may have taken; and whether the files have to
/// follow. What was never used is lost, and gone from the files when they are written next, which is before another is taken.
fn settled_keys(
    secrets: &Secrets,
    Loaded { contents: Contents { commits, next, mut keys }, files }: Loaded,
    meta: &Meta,
    doomed: &[KeyId],
) -> Result<(Keyring, bool), StoreError> {
    let before = keys.len();
    doomed.iter().for_each(|id| drop(keys.remove(id)));
    let tidy = files != BOTH || keys.len() != before || commits == 0;
    keys.retain(|id, _| !id.is_from(meta.next_key));
    Ok((Keyring::new(secrets.root.clone(), keys, next.max(meta.next_key))?, tidy))
}

impl Store {
    /// Finishes what was interrupted, and counts the rows when they are few.
    fn bring_to_rest(
        &self,
        is_new: bool,
        tidy: bool,
        counted_at_open: u64,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), StoreError> {
        let inner = &self.inner;
        let mut writer = inner.writer();
        if is_new {
            writer.meta.keys_generation = writer.key_files.generation;
            inner.finish(&mut writer, Step::default(), rng)?;
        }
        if is_new || tidy {
            // From the first commit on a missing database is damage, and the key files say so.
            inner.write_keys(&mut writer, rng)?;
            inner.write_keys(&mut writer, rng)?;
        }
        let few = writer.meta.totals.rows <= counted_at_open;
        drop(writer);
        if few {
            self.check(usize::MAX)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
