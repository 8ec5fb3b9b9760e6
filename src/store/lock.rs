//! One process per profile.

use std::fs::File;
use std::path::Path;

use super::StoreError;

/// The profile belongs to this process until this is dropped.
#[derive(Debug)]
pub struct ProfileLock {
    _file: File,
}

impl ProfileLock {
    /// Takes the lock file in the profile folder `dir`.
    ///
    /// # Errors
    /// [`StoreError::Locked`] with the process that has it.
    pub fn acquire(_dir: &Path) -> Result<Self, StoreError> {
        todo!()
    }

    /// The process that holds the profile in `dir`, if one does; `Some(None)` when it could not be told which.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn holder(_dir: &Path) -> Result<Option<Option<u32>>, StoreError> {
        todo!()
    }
}
