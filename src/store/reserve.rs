//! Some space put by: on a full disk sled cannot even open, and what would make room could not be deleted.

use std::fs;
use std::path::Path;

use rustix::fs::{FallocateFlags, fallocate};

use super::files::{RESERVE, private_file};
use super::snapshot::free_space;
use super::{Store, StoreError};
use crate::base::limits::{RESERVE_BYTES, RESERVE_SHARE};

impl Store {
    /// Puts space by, unless it is there, or the disk has too little.
    ///
    /// # Errors
    /// Those of the disk; the store goes on without.
    pub fn keep_reserve(&self) -> Result<(), StoreError> {
        let path = self.inner.dir.join(RESERVE);
        let at = |error| StoreError::from_io(&path, error);
        let held = fs::metadata(&path).map_or(0, |about| about.len());
        if held >= RESERVE_BYTES || free_space(&self.inner.dir)? < RESERVE_BYTES * RESERVE_SHARE {
            return Ok(());
        }
        let file = private_file().open(&path).map_err(at)?;
        match fallocate(&file, FallocateFlags::empty(), 0, RESERVE_BYTES) {
            Ok(()) => Ok(()),
            Err(error) => {
                // A file system that cannot put space by, or one that has become full meanwhile.
                drop(fs::remove_file(&path));
                Err(at(error.into()))
            }
        }
    }
}

/// Gives the space back that was put by in the profile folder. Says whether there was any.
pub fn release_reserve(dir: &Path) -> bool {
    fs::remove_file(dir.join(RESERVE)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::store::testing::Place;

    #[test]
    fn space_is_put_by_and_given_back() {
        let mut place = Place::new(1);
        let store = place.open().unwrap();
        for _ in 0..2 {
            store.keep_reserve().unwrap();
            let about = fs::metadata(place.path().join(RESERVE)).unwrap();
            assert_eq!((about.len(), about.mode() & 0o777), (RESERVE_BYTES, 0o600));
            assert!(about.blocks() * 512 >= RESERVE_BYTES, "only its length is there");
        }
        assert!(release_reserve(place.path()) && !release_reserve(place.path()));
    }
}
