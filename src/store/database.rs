//! sled: the only `use sled` of the program.
//!
//! What has to be known of it (measured; `docs/store.md` has the story):
//!
//! - `flush` does not survive a power cut, `sync_data` on its file after it does;
//! - pages beyond 128 KiB go to `blobs/`, which nothing syncs: with rows of at most 4 KiB there never are any;
//! - a damaged file makes it panic, or forget what comes behind the damage;
//! - its log is written by threads of its own; when one of them panics, a flush that waits for it waits for ever.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{iter, thread};

use sled::{Batch, Config, Db, IVec};

use super::StoreError;
use super::beside;
use super::durable::{Durable, Synced};
use super::files::{DATABASE, LOG, existing, private_file, private_folder, sync_folder, tighten};
use super::guard::{catch, thread_panics};
use super::process::Process;
use super::row::Write;
use super::scan::directed;
use crate::base::failpoint;

/// Memory for sled's pages. Its default is a gigabyte; with 64 MiB histories, single rows and commits of a large store are
/// no quicker, because the system keeps what was read.
const CACHE_BYTES: u64 = 16 * 1024 * 1024;
/// Where sled puts pages beyond 128 KiB, of which there are none.
const BLOBS: &str = "blobs";
/// How often one who waits looks around.
const GLANCE: Duration = Duration::from_millis(100);
/// Glances before a flush counts as stuck: two minutes.
const PATIENCE: u32 = 1200;
/// Glances left after one of sled's threads has panicked.
const PATIENCE_AFTER_PANIC: u32 = 20;
/// sled starts so many threads and never replaces one: without any, it would wait for ever.
const SLED_THREADS: usize = 7;
/// Pauses for a database that this process has just closed: its last threads let go of the lock a moment later.
const LOCK_PAUSES: u32 = 200;
/// The length of such a pause.
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// Glances before closing goes on by itself: ten seconds.
const CLOSING: u32 = 100;

/// The open database.
pub(super) struct Database {
    db: Option<Db>,
    keeper: Keeper,
    /// sled's own file, opened a second time to sync it.
    file: File,
    folder: PathBuf,
    /// What others have put where sled puts its largest pages: it was there before.
    foreign: BTreeSet<OsString>,
    disk: Arc<dyn Durable>,
}

impl Database {
    /// Whether there is a database in the profile folder.
    pub(super) fn exists(dir: &Path) -> bool {
        fs::metadata(dir.join(DATABASE).join(LOG)).is_ok_and(|found| found.len() > 0)
    }

    /// Opens the database in the profile folder, or makes an empty one.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Locked`], [`StoreError::Full`], those of the disk.
    pub(super) fn open(dir: &Path, disk: Arc<dyn Durable>) -> Result<Self, StoreError> {
        let folder = dir.join(DATABASE);
        if thread_panics() >= SLED_THREADS {
            return Err(StoreError::Poisoned { because: "the database engine has lost its threads".to_owned() });
        }
        prepare(&folder)?;
        let config = Config::new().path(&folder).flush_every_ms(None).cache_capacity(CACHE_BYTES);
        let db = open_patiently(&config, &folder)?;
        let path = folder.join(LOG);
        let at = |error| StoreError::from_io(&path, error);
        let file = private_file().open(&path).map_err(at)?;
        let keeper = Keeper::start(db.clone()).map_err(at)?;
        let foreign = blobs(&folder)?;
        let database = Self { db: Some(db), keeper, file, folder, foreign, disk };
        database.settle()?;
        Ok(database)
    }

    /// The row at `key`.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        let db = self.db()?;
        self.run(|| db.get(key))
    }

    /// The rows from `low` to below `high`, in either direction.
    pub(super) fn range(&self, low: &[u8], high: Option<&[u8]>, reverse: bool) -> Result<Range<'_>, StoreError> {
        let db = self.db()?;
        let rows = self.run(|| Ok(high.map_or_else(|| db.range(low..), |high| db.range(low..high))))?;
        let mut rows = directed(rows, reverse);
        Ok(Box::new(iter::from_fn(move || self.run(|| rows.next().transpose()).transpose())))
    }

    /// Applies the changes, all or none, and returns when they would survive a power cut.
    ///
    /// After an error nobody knows which of the two it was: the database must be closed.
    pub(super) fn apply(&mut self, writes: Vec<Write>) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for (key, row) in writes {
            match row {
                Some(row) => batch.insert(key, row),
                None => batch.remove(key),
            }
        }
        let db = self.db()?;
        let applied = catch(|| db.apply_batch(batch));
        if applied.is_err() {
            // Half of the batch may be in sled's buffers, and closing it would write them out: it stays open, unused.
            std::mem::forget(self.db.take());
        }
        flatten(&self.folder, applied)?;
        failpoint("applied");
        flatten(&self.folder, self.keeper.flush())?;
        failpoint("flushed");
        let at = |error| StoreError::from_io(&self.folder, error);
        self.disk.sync(&self.file, Synced::Database).map_err(at)?;
        failpoint("synced");
        if blobs(&self.folder)?.is_subset(&self.foreign) {
            return Ok(());
        }
        Err(StoreError::Fault(format!(
            "a row has grown out of the database into {}",
            self.folder.join(BLOBS).display()
        )))
    }

    /// Permissions and names: what sled makes itself it makes for everybody, and does not sync.
    fn settle(&self) -> Result<(), StoreError> {
        let at = |error| StoreError::from_io(&self.folder, error);
        for entry in fs::read_dir(&self.folder).map_err(at)? {
            let path = entry.map_err(at)?.path();
            tighten(&path)?;
            if path.is_file() {
                let file = File::open(&path).map_err(at)?;
                self.disk.sync(&file, Synced::Whole).map_err(at)?;
            }
        }
        sync_folder(&self.folder, self.disk.as_ref())?;
        self.folder.parent().map_or(Ok(()), |dir| sync_folder(dir, self.disk.as_ref()))
    }

    fn db(&self) -> Result<&Db, StoreError> {
        self.db.as_ref().ok_or_else(|| StoreError::Fault("the database is closed".to_owned()))
    }

    fn run<T>(&self, call: impl FnOnce() -> sled::Result<T>) -> Result<T, StoreError> {
        flatten(&self.folder, catch(call))
    }
}

/// sled writes what it has left, and lets go of its lock.
impl Drop for Database {
    fn drop(&mut self) {
        // The keeper has the last handle then, and lets go of it in its own thread.
        self.db = None;
        self.keeper.close();
    }
}

/// The names of files that sled may have made for large pages, which it never syncs: numbers. What a file system or another program puts
/// there is none of ours.
///
/// # Errors
/// Those of the disk.
pub(super) fn blobs(folder: &Path) -> Result<BTreeSet<OsString>, StoreError> {
    let blobs = folder.join(BLOBS);
    let at = |error| StoreError::from_io(&blobs, error);
    let mut found = BTreeSet::new();
    for entry in existing(&blobs, fs::read_dir(&blobs))?.into_iter().flatten() {
        let name = entry.map_err(at)?.file_name();
        if name.to_str().is_some_and(|name| name.parse::<i64>().is_ok()) {
            found.insert(name);
        }
    }
    Ok(found)
}

/// Rows of a range, one after another: each with its key.
pub(super) type Range<'a> = Box<dyn Iterator<Item = Result<(IVec, IVec), StoreError>> + 'a>;

/// Makes what sled would make with everybody's permissions, and removes what makes it stumble.
fn prepare(folder: &Path) -> Result<(), StoreError> {
    let at = |error| StoreError::from_io(folder, error);
    private_folder(&folder.join(BLOBS))?;
    for name in [LOG, beside::SETTINGS] {
        let path = folder.join(name);
        private_file().open(&path).map_err(|error| StoreError::from_io(&path, error))?;
    }
    for entry in fs::read_dir(folder).map_err(at)? {
        let entry = entry.map_err(at)?;
        // A snapshot of its page table that was being written when the process ended: sled would read it, and give up.
        if beside::is_unfinished(&entry.file_name()) {
            fs::remove_file(entry.path()).map_err(at)?;
        }
    }
    Ok(())
}

fn open_patiently(config: &Config, folder: &Path) -> Result<Db, StoreError> {
    for _ in 0..LOCK_PAUSES {
        match catch(|| config.open()) {
            Ok(Err(sled::Error::Io(error))) if error.to_string().contains("could not acquire lock") => {
                // sled's last threads let go of it without telling anybody.
                thread::sleep(LOCK_PAUSE);
            }
            result => return flatten(folder, result),
        }
    }
    Err(StoreError::Locked { process: Process::Unknown })
}

fn flatten<T>(folder: &Path, result: Result<sled::Result<T>, String>) -> Result<T, StoreError> {
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(named(folder, error)),
        Err(said) => Err(named_panic(&said)),
    }
}

/// The name a person understands for an error of sled.
fn named(folder: &Path, error: sled::Error) -> StoreError {
    match error {
        sled::Error::Io(error) if error.kind() == ErrorKind::UnexpectedEof => {
            StoreError::damaged("the database file is too short")
        }
        sled::Error::Io(error) => StoreError::from_io(folder, error),
        sled::Error::Corruption { .. } => StoreError::damaged("the database file was changed"),
        sled::Error::Unsupported(what) => StoreError::damaged(format!("the database's settings were changed ({what})")),
        sled::Error::CollectionNotFound(_) => StoreError::damaged("the database has lost its rows"),
        sled::Error::ReportableBug(what) => StoreError::damaged(format!("the database engine gave up ({what})")),
    }
}

/// A panic is damage, or a disk error that sled unwrapped.
fn named_panic(said: &str) -> StoreError {
    if ["StorageFull", "No space left on device", "QuotaExceeded"].iter().any(|sign| said.contains(sign)) {
        return StoreError::Full;
    }
    StoreError::damaged(format!("the database engine gave up ({said})"))
}

/// A thread of our own in which sled flushes and closes, so that nobody waits for ever when it does not come back.
///
/// (`flush_async` would do, but each job for sled's own threads wakes all of them.)
struct Keeper {
    /// Dropping it lets the thread close the database and end.
    orders: Option<SyncSender<()>>,
    answers: Mutex<Receiver<Flushed>>,
}

/// What became of a flush: sled's word, or its panic.
type Flushed = Result<sled::Result<usize>, String>;

impl Keeper {
    fn start(db: Db) -> io::Result<Self> {
        let (orders, taken) = sync_channel(1);
        let (answer, answers) = sync_channel(1);
        thread::Builder::new().name("store-keeper".to_owned()).spawn(move || {
            for () in taken {
                // Nobody waits any more for a flush that took too long.
                let _ = answer.try_send(catch(|| db.flush()));
            }
            if let Err(said) = catch(|| drop(db)) {
                tracing::error!(said, "the database engine panicked while closing");
            }
        })?;
        Ok(Self { orders: Some(orders), answers: Mutex::new(answers) })
    }

    fn flush(&mut self) -> Flushed {
        let ordered = self.orders.as_ref().is_some_and(|orders| orders.send(()).is_ok());
        if ordered { self.wait(PATIENCE) } else { Err("its keeper is gone".to_owned()) }
    }

    fn wait(&mut self, patience: u32) -> Flushed {
        let answers = self.answers.get_mut().unwrap_or_else(PoisonError::into_inner);
        let panics = thread_panics();
        let mut left = patience;
        while left > 0 {
            match answers.recv_timeout(GLANCE) {
                Ok(flushed) => return flushed,
                Err(RecvTimeoutError::Disconnected) => return Err("its keeper has ended".to_owned()),
                Err(RecvTimeoutError::Timeout) if thread_panics() != panics => left = left.min(PATIENCE_AFTER_PANIC),
                Err(RecvTimeoutError::Timeout) => {}
            }
            left -= 1;
        }
        Err("the writing of its log does not end".to_owned())
    }

    /// Lets the thread close the database, and waits for it, but not for ever.
    fn close(&mut self) {
        if self.orders.take().is_none() {
            return;
        }
        let answers = self.answers.get_mut().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..CLOSING {
            if matches!(answers.recv_timeout(GLANCE), Err(RecvTimeoutError::Disconnected)) {
                return;
            }
        }
        tracing::error!("the database engine does not close");
    }
}

#[cfg(test)]
mod tests;
