//! What the tests of stored things share: a store in a folder of its own, three tables, a disk that is watched.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use super::database::Database;
use super::durable::{Disk, Durable, Synced};
use super::files::KEYS;
use super::keyfiles::{BOTH, KeyFiles};
use super::open::{Options, open};
use super::row::{ChunkKeys, open_value};
use super::secrets::Secrets;
use super::snapshot::{Reading, SnapshotFile, snapshots};
use super::{KeyId, RowKey, Store, StoreError, Table, Under};
use crate::base::{MonoTime, Now, Secret, WallTime};

/// Sealed rows by their keys.
pub(crate) type Dump = BTreeMap<Vec<u8>, Vec<u8>>;

/// A folder for one store, removed with it.
pub(crate) struct Place {
    dir: tempfile::TempDir,
    /// The store key.
    pub(crate) key: Secret<32>,
    /// For everything that wants randomness.
    pub(crate) rng: ChaCha20Rng,
    /// The present.
    pub(crate) now: Now,
}

impl Place {
    /// An empty folder.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let now = Now { wall: WallTime(1_700_000_000_000), mono: MonoTime(0) };
        Self { dir: tempfile::tempdir().unwrap(), key: Secret::random(&mut rng), rng, now }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Opens the store in it.
    pub(crate) fn open(&mut self) -> Result<Store, StoreError> {
        self.open_with(&Options::default())
    }

    /// Opens the store in it, in another way.
    pub(super) fn open_with(&mut self, options: &Options) -> Result<Store, StoreError> {
        open(self.dir.path(), &self.key, &mut self.rng, self.now, options)
    }

    /// The same folder, for a store under this key.
    pub(crate) fn with_key(mut self, key: &Secret<32>) -> Self {
        self.key = key.clone();
        self
    }

    /// Another folder with the same files in it (but sled's lock).
    pub(crate) fn copy(&self) -> Self {
        let copy =
            Self { dir: tempfile::tempdir().unwrap(), key: self.key.clone(), rng: self.rng.clone(), now: self.now };
        copy_folder(self.path(), copy.path());
        copy
    }

    /// All rows on its disk, sealed as they are.
    pub(crate) fn dump(&self) -> Dump {
        let copy = self.copy();
        let database = Database::open(copy.path(), Arc::new(Disk)).unwrap();
        let rows = database.range(&[], None, false).unwrap().map(Result::unwrap);
        rows.map(|(key, row)| (key.to_vec(), row.to_vec())).collect()
    }

    /// What is in each of its snapshots, all blocks of it: rows and chunk rows, sealed as they are.
    pub(crate) fn snapshots(&self) -> Vec<Dump> {
        let secrets = Secrets::derive(&self.key);
        let rows_of = |file: &SnapshotFile| {
            let mut reading = Reading::open(file, &secrets).unwrap();
            let mut dump = Dump::new();
            while let Some(entries) = reading.next() {
                for entry in entries {
                    let chunk_keys = ChunkKeys::of(&secrets, &entry.key);
                    dump.extend((1..).zip(entry.chunks).map(|(index, chunk)| (chunk_keys.at(index), chunk)));
                    dump.insert(entry.key, entry.row);
                }
            }
            assert!(reading.whole, "not all of a snapshot was looked at");
            dump
        };
        snapshots(self.path()).unwrap().iter().map(rows_of).collect()
    }

    /// What of these rows opens with the store key and the erasable keys that are on the disk now: each key is tried on
    /// each row. Both files must hold the same keys.
    pub(crate) fn open_all(&self, rows: &Dump) -> Vec<(Vec<u8>, Vec<u8>)> {
        let secrets = Secrets::derive(&self.key);
        let loaded = KeyFiles::new(self.path(), &secrets.key_files, Arc::new(Disk)).load().unwrap().unwrap();
        assert!(loaded.files == BOTH, "one of the key files holds other keys");
        let keys = loaded.contents.keys.values().map(|entry| &entry.key);
        let keys: Vec<_> = [&secrets.root].into_iter().chain(keys).collect();
        let open = |key: &Vec<u8>, row| {
            let fetch = |chunk: &[u8]| Ok(rows.get(chunk));
            let mut values = keys.iter().filter_map(|sealing| open_value(&secrets, sealing, key, row, fetch).ok());
            values.next().map(|value| (key.clone(), value.to_vec()))
        };
        rows.iter().filter_map(|(key, row)| open(key, row)).collect()
    }

    /// The keys that one of the two files holds, to somebody who has the store key and the disk.
    pub(super) fn keys_in(&self, file: usize) -> BTreeSet<KeyId> {
        let alone = tempfile::tempdir().unwrap();
        fs::copy(self.path().join(KEYS[file]), alone.path().join(KEYS[file])).unwrap();
        let mut files = KeyFiles::new(alone.path(), &Secrets::derive(&self.key).key_files, Arc::new(Disk));
        files.load().unwrap().unwrap().contents.keys.into_keys().collect()
    }

    /// All files in it.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect(self.path(), &mut files);
        files.sort();
        files
    }
}

/// How much of the long tests to do.
pub(super) fn scale() -> usize {
    std::env::var("ROHRPOST_TEST_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { collect(&path, files) } else { files.push(path) }
    }
}

pub(super) fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy_folder(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// A row of the test tables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note(pub(crate) Vec<u8>);

/// Rows under the Root key.
pub(crate) struct Plain;
/// Rows under the State key.
pub(crate) struct Ratchet;
/// Rows under erasable keys.
pub(crate) struct Erasable;

macro_rules! table {
    ($table:ident, $id:literal, $under:ident) => {
        impl Table for $table {
            const ID: u8 = $id;
            const NAME: &'static str = stringify!($table);
            const UNDER: Under = Under::$under;
            type Row = Note;
        }
    };
}

table!(Plain, 201, Root);
table!(Ratchet, 202, State);
table!(Erasable, 203, Given);

/// A key in the test tables: a group and a number.
pub(crate) fn at(group: u8, number: u64) -> RowKey {
    RowKey::new().blind(&[group]).u64(number)
}

/// A disk that is watched, and that can fail.
#[derive(Default)]
pub(super) struct Watched {
    /// What was synced: what it was, and the inode.
    pub(super) seen: Mutex<Vec<(Synced, u64)>>,
    /// Fails when so many more syncs have gone well.
    pub(super) fails_after: Mutex<Option<usize>>,
    /// Called before each sync.
    #[allow(clippy::type_complexity)]
    pub(super) before: Mutex<Option<Box<dyn FnMut(Synced) + Send>>>,
}

impl Watched {
    pub(super) fn options(self: &Arc<Self>) -> Options {
        Options { disk: Arc::clone(self) as Arc<dyn Durable>, ..Options::default() }
    }

    /// What was synced since the last call.
    pub(super) fn take(&self) -> Vec<Synced> {
        self.seen.lock().unwrap().drain(..).map(|(what, _)| what).collect()
    }
}

impl Durable for Watched {
    fn sync(&self, file: &File, what: Synced) -> io::Result<()> {
        if let Some(before) = &mut *self.before.lock().unwrap() {
            before(what);
        }
        if let Some(left) = &mut *self.fails_after.lock().unwrap() {
            *left = left.checked_sub(1).ok_or_else(|| io::Error::from(io::ErrorKind::StorageFull))?;
        }
        self.seen.lock().unwrap().push((what, file.metadata()?.ino()));
        Disk.sync(file, what)
    }
}
