//! The profile folder and the key file in it.

use std::path::{Path, PathBuf};

use super::{ProfileLock, StoreError};

/// The profile folder: 0700, its files 0600.
#[derive(Clone, Debug)]
pub struct ProfileDir {
    path: PathBuf,
}

impl ProfileDir {
    /// Opens the folder, tightening its permissions; makes it (and its parents) if it is not there.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] for a folder open to others that holds other files; those of the disk.
    pub fn create(_path: &Path) -> Result<Self, StoreError> {
        todo!()
    }

    /// Opens the folder if it is there.
    ///
    /// # Errors
    /// As [`ProfileDir::create`].
    pub fn open(_path: &Path) -> Result<Option<Self>, StoreError> {
        todo!()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the profile for this process.
    ///
    /// # Errors
    /// [`StoreError::Locked`] with the process that has it.
    pub fn lock(&self) -> Result<ProfileLock, StoreError> {
        todo!()
    }

    /// Whether there is a trace of a store.
    pub fn has_store(&self) -> bool {
        todo!()
    }

    /// The bytes of the key file; `None` when there is none.
    ///
    /// # Errors
    /// Those of the disk; [`StoreError::Damaged`] when it is absurdly large.
    pub fn read_key_file(&self) -> Result<Option<Vec<u8>>, StoreError> {
        todo!()
    }

    /// Replaces the key file, wholly or not at all, and durably.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn write_key_file(&self, _bytes: &[u8]) -> Result<(), StoreError> {
        todo!()
    }
}
