//! A snapshot in the making: some rows at a time, between commits.
//!
//! So it shows no single moment: of two rows one may be of a later commit. Whoever restores it puts in order what
//! belongs together.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use super::{BLOCK, Entry, MAGIC, Piece, SnapshotPlan, nonce, thin_out};
use crate::base::limits::{DISK_FLOOR, DISK_FLOOR_SHARE, MAX_SNAPSHOT, SNAPSHOT_SHARE};
use crate::base::{CryptoRng, Now, WallTime};
use crate::crypto::aead::{AeadKey, xseal};
use crate::store::durable::{Disk, Durable, Synced};
use crate::store::engine::{Inner, Opened};
use crate::store::files::{SNAPSHOTS, private_file, private_folder, sync_folder, tighten};
use crate::store::keyring::Role;
use crate::store::row::{ChunkKeys, FIRST_ENGINE_TABLE, Header};
use crate::store::{KeyId, Store, StoreError};

/// The name of one that is not finished.
const UNFINISHED: &str = "unfinished";

impl Store {
    /// Whether it is time for another snapshot.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn snapshot_is_due(&self, now: Now) -> Result<bool, StoreError> {
        super::is_due(&self.inner.dir, now.wall)
    }

    /// Begins a snapshot. An error of it is none of the store, which goes on.
    ///
    /// # Errors
    /// [`StoreError::Full`] when it would leave too little space; those of the disk.
    pub fn begin_snapshot(
        &self,
        plan: SnapshotPlan,
        rng: &mut dyn CryptoRng,
        now: Now,
    ) -> Result<Snapshotting, StoreError> {
        let folder = self.inner.dir.join(SNAPSHOTS);
        private_folder(&folder)?;
        tighten(&folder)?;
        let room = free_space(&folder)? / SNAPSHOT_SHARE;
        if room < BLOCK as u64 {
            return Err(StoreError::Full);
        }
        let path = folder.join(UNFINISHED);
        let file = private_file().truncate(true).open(&path).map_err(|error| StoreError::from_io(&path, error))?;
        // One that a killed process left may be anything.
        tighten(&path)?;
        let mut random = [0; 16];
        rng.fill_bytes(&mut random);
        let out = Out {
            file,
            path,
            key: self.inner.secrets.snapshots.clone(),
            head: [MAGIC, now.wall.0.to_be_bytes()].concat(),
            random,
            number: 0,
            written: 0,
        };
        let is_last = |table: &u8| plan.last.contains(table);
        let tables = (0..FIRST_ENGINE_TABLE).filter(|table| !is_last(table)).chain(plan.last.iter().copied());
        let mut new = Snapshotting {
            out,
            folder,
            made: now.wall,
            room: room.min(MAX_SNAPSHOT),
            tables: tables.filter(|table| !plan.without.contains(table) && !plan.never.contains(table)).collect(),
            from: Vec::new(),
            entries: Vec::new(),
            held: 0,
        };
        let (commits, schema) = {
            let writer = self.inner.writer();
            (writer.meta.commits, writer.schema)
        };
        new.out.begin()?;
        new.out.write(&Piece::Head { commits, schema })?;
        Ok(new)
    }
}

/// The space that is left for others than root, in bytes.
pub(crate) fn free_space(folder: &std::path::Path) -> Result<u64, StoreError> {
    let found = rustix::fs::statvfs(folder).map_err(|error| StoreError::from_io(folder, error.into()))?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}

/// Whether so little is left that nothing of others is to be taken in: less than `DISK_FLOOR`, and than its share of the disk.
pub fn is_disk_low(folder: &std::path::Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|found| {
        let [free, all] = [found.f_bavail, found.f_blocks].map(|blocks| blocks.saturating_mul(found.f_frsize));
        is_low(free, all)
    })
}

fn is_low(free: u64, all: u64) -> bool {
    free < DISK_FLOOR.min(all / DISK_FLOOR_SHARE)
}

/// A snapshot in the making. Dropped before it is finished, it leaves nothing.
pub struct Snapshotting {
    out: Out,
    folder: PathBuf,
    made: WallTime,
    /// It must not become longer than this.
    room: u64,
    /// Those that are still to be copied, in their order.
    tables: VecDeque<u8>,
    /// The next key, once rows of the first of them were copied.
    from: Vec<u8>,
    entries: Vec<Entry>,
    /// Bytes in `entries`.
    held: usize,
}

/// The file, and what seals it.
struct Out {
    file: File,
    path: PathBuf,
    key: AeadKey,
    head: Vec<u8>,
    random: [u8; 16],
    number: u64,
    written: u64,
}

impl Snapshotting {
    /// Copies the next `rows` rows of the store. Says whether the snapshot is finished, and on the disk.
    ///
    /// # Errors
    /// Those of the disk; [`StoreError::Damaged`] when rows cannot be read: no such snapshot replaces another.
    pub fn step(&mut self, store: &Store, rows: usize) -> Result<bool, StoreError> {
        let mut whole = true;
        let more = self.copy(&store.inner, rows)? && {
            whole = self.out.written + (self.held as u64) < self.room;
            whole
        };
        if self.held >= BLOCK {
            self.close_block()?;
        }
        if more {
            return Ok(false);
        }
        self.close_block()?;
        self.out.write(&Piece::End { whole })?;
        self.publish()?;
        Ok(true)
    }

    /// Says whether there are more.
    fn copy(&mut self, inner: &Inner, rows: usize) -> Result<bool, StoreError> {
        let view = inner.view();
        let opened = view.opened()?;
        let mut left = rows;
        while let Some(&table) = self.tables.front() {
            let low = if self.from.is_empty() { vec![table] } else { std::mem::take(&mut self.from) };
            for row in opened.database.range(&low, Some(&[table + 1]), false)? {
                let (key, row) = row?;
                if left == 0 || self.held >= BLOCK {
                    self.from = key.to_vec();
                    return Ok(true);
                }
                left -= 1;
                if belongs(opened, Header::of(&row)?.key) {
                    self.add(inner, opened, &key, &row)?;
                }
            }
            self.tables.pop_front();
        }
        Ok(false)
    }

    fn add(&mut self, inner: &Inner, opened: &Opened, key: &[u8], row: &[u8]) -> Result<(), StoreError> {
        let torn = || StoreError::damaged("a part of a row is missing");
        let chunk_keys = ChunkKeys::of(&inner.secrets, key);
        let mut chunks = Vec::new();
        for index in 1..=Header::of(row)?.chunks {
            chunks.push(opened.database.get(&chunk_keys.at(index))?.ok_or_else(torn)?.to_vec());
        }
        self.held += key.len() + row.len() + chunks.iter().map(Vec::len).sum::<usize>();
        self.entries.push(Entry { key: key.to_vec(), row: row.to_vec(), chunks });
        Ok(())
    }

    fn close_block(&mut self) -> Result<(), StoreError> {
        let entries = std::mem::take(&mut self.entries);
        self.held = 0;
        if entries.is_empty() { Ok(()) } else { self.out.write(&Piece::Entries(entries)) }
    }

    /// Gives the file its name when all of it is on the disk, and makes room.
    fn publish(&self) -> Result<(), StoreError> {
        let path = self.folder.join(format!("{:020}", self.made.0));
        let at = |error| StoreError::from_io(&path, error);
        Disk.sync(&self.out.file, Synced::Whole).map_err(at)?;
        fs::rename(&self.out.path, &path).map_err(at)?;
        sync_folder(&self.folder, &Disk)?;
        self.folder.parent().map_or(Ok(()), |dir| thin_out(dir, self.made))
    }
}

impl Drop for Snapshotting {
    fn drop(&mut self) {
        // Best effort: the next one begins with an empty file. A finished one has another name.
        let _ = fs::remove_file(&self.out.path);
    }
}

/// Whether the rows under a key are copied: those under the Root key, and those under keys that callers name. State keys,
/// under which sessions are (SES-63), are neither.
fn belongs(opened: &Opened, key: KeyId) -> bool {
    key == KeyId::ROOT || opened.keyring.entries().get(&key).is_some_and(|entry| entry.role == Role::Given)
}

impl Out {
    fn begin(&mut self) -> Result<(), StoreError> {
        let bytes = [&self.head, &self.random[..]].concat();
        self.put(&bytes)
    }

    fn write(&mut self, piece: &Piece) -> Result<(), StoreError> {
        let fault = |error| StoreError::Fault(format!("a snapshot cannot be written: {error}"));
        let plaintext = postcard::to_allocvec(piece).map_err(fault)?;
        let sealed = xseal(&self.key, &nonce(self.random, self.number), &plaintext, &self.head);
        self.number += 1;
        let length = u32::try_from(sealed.len()).map_err(|_| StoreError::Fault("a block is too long".to_owned()))?;
        self.put(&length.to_be_bytes())?;
        self.put(&sealed)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.written += bytes.len() as u64;
        self.file.write_all(bytes).map_err(|error| StoreError::from_io(&self.path, error))
    }
}
