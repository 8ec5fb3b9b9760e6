//! The file of the log: its segments in order, as far as the disk gives them back.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::message::{self, SEGMENT};
use crate::store::StoreError;
use crate::store::beside::{position, tables};
use crate::store::files::existing;

/// A log, open for reading.
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
}

impl LogFile {
    /// The log at `path`, if there is one.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let file = existing(path, File::open(path))?;
        Ok(file.map(|file| Self { path: path.to_owned(), file }))
    }

    fn at(&self, error: io::Error) -> StoreError {
        StoreError::from_io(&self.path, error)
    }

    /// Up to where sled's table of pages knows the log, which is where it begins to read: the newest says it.
    pub(super) fn stable_position(&self) -> Result<u64, StoreError> {
        // A table that is damaged still has its name.
        let tables = tables(self.path.parent().unwrap_or(&self.path))?;
        Ok(tables.iter().rev().find_map(|table| position(table)).unwrap_or(0))
    }

    /// The positions of the segments, in order, and where in the file each is.
    pub(super) fn segments(&self) -> Result<Vec<(u64, u64)>, StoreError> {
        let length = self.file.metadata().map_err(|error| self.at(error))?.len();
        let mut found = Vec::new();
        for at in (0..length).step_by(SEGMENT) {
            // Most are sound, and a few bytes tell; of the others any message in them says where they belong.
            let head = self.read_up_to(at, message::HEADER)?;
            let position = match message::position(&head) {
                Some(position) => Some(position),
                None => message::guess_position(&self.segment(at)?),
            };
            found.extend(position.map(|position| (position, at)));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The segment that begins there; the last may be shorter.
    pub(super) fn segment(&self, at: u64) -> Result<Vec<u8>, StoreError> {
        self.read_up_to(at, SEGMENT)
    }

    /// Up to so many bytes from there on: fewer at the end of the file, and where the disk gives nothing back.
    pub(super) fn read_up_to(&self, at: u64, wanted: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; wanted];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, at + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A block that the disk cannot give back: a gap as any other.
                Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => break,
                Err(error) => return Err(self.at(error)),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// So many bytes from there on, all of them.
    pub(super) fn read_exact(&self, at: u64, length: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, at).map_err(|error| self.at(error))?;
        Ok(bytes)
    }
}
