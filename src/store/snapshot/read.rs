//! A snapshot, block by block; damaged ones are passed over.

use std::fs::File;
use std::io::{BufReader, Read};

use super::{Entry, MAGIC, MAX_BLOCK, Piece, SnapshotFile, nonce};
use crate::base::WallTime;
use crate::crypto::aead::{AeadKey, xopen};
use crate::store::StoreError;
use crate::store::secrets::Secrets;

/// A snapshot that is being read.
pub(in crate::store) struct Reading {
    file: BufReader<File>,
    key: AeadKey,
    head: Vec<u8>,
    random: [u8; 16],
    number: u64,
    damaged: usize,
    ended: bool,
    /// When it was made.
    pub(in crate::store) made: WallTime,
    /// Commits before the copying began.
    pub(in crate::store) commits: u64,
    /// The schema of the rows.
    pub(in crate::store) schema: u32,
    /// Whether it holds everything that belongs into a snapshot; known at the end.
    pub(in crate::store) whole: bool,
}

impl Reading {
    /// Opens a snapshot.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when its beginning does not open; those of the disk.
    pub(in crate::store) fn open(file: &SnapshotFile, secrets: &Secrets) -> Result<Self, StoreError> {
        let damaged = || StoreError::damaged(format!("the snapshot {} does not open", file.path.display()));
        let opened = File::open(&file.path).map_err(|error| StoreError::from_io(&file.path, error))?;
        let mut opened = BufReader::new(opened);
        let mut head = [0; 16];
        let mut random = [0; 16];
        opened.read_exact(&mut head).and_then(|()| opened.read_exact(&mut random)).map_err(|_| damaged())?;
        let (magic, made) = head.split_first_chunk::<8>().ok_or_else(damaged)?;
        let made = made.first_chunk().map(|made| u64::from_be_bytes(*made)).ok_or_else(damaged)?;
        let mut reading = Self {
            file: opened,
            key: secrets.snapshots.clone(),
            head: head.to_vec(),
            random,
            number: 0,
            damaged: 0,
            ended: false,
            made: WallTime(made),
            commits: 0,
            schema: 0,
            whole: false,
        };
        match reading.block() {
            Some(Some(Piece::Head { commits, schema })) if *magic == MAGIC => {
                (reading.commits, reading.schema) = (commits, schema);
                Ok(reading)
            }
            _ => Err(damaged()),
        }
    }

    /// What of a snapshot is not as it was written, read from one end to the other; `None`: nothing.
    ///
    /// # Errors
    /// Those of the disk.
    pub(in crate::store) fn faults(file: &SnapshotFile, secrets: &Secrets) -> Result<Option<String>, StoreError> {
        let mut reading = match Self::open(file, secrets) {
            Ok(reading) => reading,
            Err(StoreError::Damaged { .. }) => return Ok(Some("does not open".to_owned())),
            Err(error) => return Err(error),
        };
        while reading.next().is_some() {}
        Ok(match reading.damaged {
            0 if !reading.ended => Some("was cut".to_owned()),
            0 if reading.made != file.made => Some("is of another day than its name says".to_owned()),
            0 => None,
            blocks => Some(format!("has {blocks} blocks that do not open")),
        })
    }

    /// The next rows; `None` at the end.
    pub(in crate::store) fn next(&mut self) -> Option<Vec<Entry>> {
        loop {
            match self.block()? {
                Some(Piece::Entries(entries)) => return Some(entries),
                // It is whole when nothing on the way was damaged, too.
                Some(Piece::End { whole }) => (self.ended, self.whole) = (true, whole && self.damaged == 0),
                Some(Piece::Head { .. }) | None => self.damaged += 1,
            }
        }
    }

    /// `None` at the end; `Some(None)` for a block that does not open.
    fn block(&mut self) -> Option<Option<Piece>> {
        let mut length = [0; 4];
        self.file.read_exact(&mut length).ok()?;
        let length = usize::try_from(u32::from_be_bytes(length)).ok().filter(|length| *length <= MAX_BLOCK)?;
        let mut sealed = vec![0; length];
        self.file.read_exact(&mut sealed).ok()?;
        let nonce = nonce(self.random, self.number);
        self.number += 1;
        let plaintext = xopen(&self.key, &nonce, &sealed, &self.head).ok();
        Some(plaintext.and_then(|plaintext| postcard::from_bytes(&plaintext).ok()))
    }
}
