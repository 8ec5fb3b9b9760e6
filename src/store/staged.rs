//! A profile folder in the making.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::StoreError;
use super::files::{KEY_FILE, LOCK, ProfileDir, exchange, may_make, private_folder, sync_parent};
use super::lock::ProfileLock;

/// A profile folder in the making, beside the place where it is to be: what is there under its own name is whole.
///
/// Dropped before [`StagedDir::publish`], it is removed again.
#[derive(Debug)]
pub struct StagedDir {
    dir: ProfileDir,
    place: PathBuf,
    /// Held until the folder has its name, and given away then.
    lock: Option<ProfileLock>,
}

impl StagedDir {
    /// Makes the folder, removing what an interrupted attempt left.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process is making the same profile; those of the disk.
    pub fn begin(place: &Path) -> Result<Self, StoreError> {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let path = place.with_file_name(format!(".{name}.new"));
        if let Some(parent) = place.parent() {
            may_make(parent)?;
            private_folder(parent)?;
        }
        let dir = ProfileDir::create(&path)?;
        let lock = dir.lock()?;
        let at = |error| StoreError::from_io(&path, error);
        if path.join(KEY_FILE).exists() && place.join(KEY_FILE).exists() {
            // A recovery was interrupted when the names were swapped already: this is the damaged profile.
            fs::rename(&path, left_over(place)).map_err(at)?;
            drop(lock);
            return Self::begin(place);
        }
        for entry in fs::read_dir(&path).map_err(at)? {
            let entry = entry.map_err(at)?;
            if entry.file_name() == LOCK {
                continue;
            }
            let is_dir = entry.file_type().map_err(at)?.is_dir();
            if is_dir { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) }.map_err(at)?;
        }
        Ok(Self { dir, place: place.to_owned(), lock: Some(lock) })
    }

    /// The folder as it is now.
    pub const fn dir(&self) -> &ProfileDir {
        &self.dir
    }

    /// Takes the place of the folder that is there, durably, which is kept as `aside`. The store in it must be closed.
    ///
    /// Both change their names in one step where the system can; at no time is there no profile.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn replace(mut self, aside: &Path) -> Result<ProfileLock, StoreError> {
        let at = |error: std::io::Error| StoreError::from_io(&self.place, error);
        // From here on this folder may be the one that was there, which nobody must remove.
        let lock = self.lock.take().ok_or_else(|| StoreError::Fault("published twice".to_owned()))?;
        let new = self.dir.path();
        match exchange(new, &self.place) {
            Ok(()) => fs::rename(new, aside).map_err(at)?,
            Err(_) => {
                fs::rename(&self.place, aside).map_err(at)?;
                fs::rename(new, &self.place).map_err(at)?;
            }
        }
        sync_parent(&self.place)?;
        Ok(lock)
    }

    /// Gives the folder its name, durably. The store in it must be closed.
    ///
    /// # Errors
    /// [`StoreError::Occupied`] when something is there already; those of the disk.
    pub fn publish(mut self) -> Result<ProfileLock, StoreError> {
        fs::rename(self.dir.path(), &self.place).map_err(|error| match error.kind() {
            ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
                StoreError::Occupied { path: self.place.clone() }
            }
            _ => StoreError::from_io(&self.place, error),
        })?;
        sync_parent(&self.place)?;
        self.lock.take().ok_or_else(|| StoreError::Fault("published twice".to_owned()))
    }
}

impl Drop for StagedDir {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // Best effort: the next attempt removes what stays.
            let _ = fs::remove_dir_all(self.dir.path());
        }
    }
}

/// A name that nobody has for a damaged profile that an interrupted recovery left.
fn left_over(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let mut path = place.with_file_name(format!("{name}.damaged-left"));
    while path.exists() {
        path.as_mut_os_string().push("x");
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_its_name_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (place, making) = (dir.path().join("a"), dir.path().join(".a.new"));
        let staged = StagedDir::begin(&place).unwrap();
        staged.dir().write_key_file(b"first").unwrap();
        assert!(matches!(StagedDir::begin(&place), Err(StoreError::Locked { .. })));
        // It was given up: nothing stays.
        drop(staged);
        assert!(!place.exists() && !making.exists());
        // It was interrupted: what stayed is not taken over.
        fs::create_dir_all(making.join("db")).unwrap();
        fs::write(making.join("keys.a"), "old").unwrap();
        let staged = StagedDir::begin(&place).unwrap();
        staged.dir().write_key_file(b"second").unwrap();
        let lock = staged.publish().unwrap();
        assert!(!making.exists() && !place.join("keys.a").exists());
        assert_eq!(fs::read(place.join(KEY_FILE)).unwrap(), b"second");
        assert!(matches!(ProfileDir::open(&place).unwrap().unwrap().lock(), Err(StoreError::Locked { .. })));
        drop(lock);
        // A recovery was interrupted after the swap: what is under the other name is the damaged profile.
        fs::create_dir(&making).unwrap();
        fs::write(making.join(KEY_FILE), "damaged").unwrap();
        drop(StagedDir::begin(&place).unwrap());
        assert_eq!(fs::read(dir.path().join("a.damaged-left").join(KEY_FILE)).unwrap(), b"damaged");
        // What was there is kept even when it cannot get its other name.
        let staged = StagedDir::begin(&place).unwrap();
        staged.dir().write_key_file(b"third").unwrap();
        assert!(staged.replace(&dir.path().join("missing/aside")).is_err());
        let both = [&place, &making].map(|path| fs::read(path.join(KEY_FILE)).unwrap());
        assert_eq!(both, [b"third".to_vec(), b"second".to_vec()]);
        fs::remove_dir_all(&making).unwrap();
        fs::write(place.join(KEY_FILE), "second").unwrap();
        // Nothing is written over.
        let staged = StagedDir::begin(&place).unwrap();
        assert!(matches!(staged.publish(), Err(StoreError::Occupied { .. })));
        assert_eq!(fs::read(place.join(KEY_FILE)).unwrap(), b"second");
        assert!(!making.exists());
    }
}
