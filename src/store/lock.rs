//! One process per profile.
//!
//! The lock is the kernel's (`flock`), so it ends with the process, however that ends. The number written in the file
//! only tells a person who has it; it is cleared on the way out, and not believed when no such process is alive.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, test_kill_process};

use super::StoreError;
use super::files::{LOCK, ProfileDir, private_file};

/// Tries before the profile counts as taken: [`ProfileLock::holder`] holds the lock for a moment, too.
const TRIES: u32 = 5;
/// Pause between two tries. To wait in `flock` itself would be to wait for as long as somebody works on the profile.
const PAUSE: Duration = Duration::from_millis(10);

impl ProfileDir {
    /// Takes the profile for this process.
    ///
    /// # Errors
    /// [`StoreError::Locked`] with the process that has it.
    pub fn lock(&self) -> Result<ProfileLock, StoreError> {
        ProfileLock::acquire(self.path())
    }
}

/// The profile belongs to this process until this is dropped.
#[derive(Debug)]
pub struct ProfileLock {
    file: File,
}

impl ProfileLock {
    /// Takes the lock file in the profile folder `dir`.
    ///
    /// # Errors
    /// [`StoreError::Locked`] with the process that has it.
    pub fn acquire(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(LOCK);
        let at = |error| StoreError::from_io(&path, error);
        let mut file = match private_file().open(&path).map_err(at) {
            // Where nothing can be written the lock is on what is there.
            Err(StoreError::ReadOnly { .. }) => {
                File::open(&path).or_else(|_| File::open(dir)).map_err(|error| StoreError::from_io(&path, error))?
            }
            opened => opened?,
        };
        let mut tries = 1;
        while !try_lock(&file, &path)? {
            if tries == TRIES {
                return Err(StoreError::Locked { pid: written_pid(&mut file) });
            }
            tries += 1;
            // Who has it may be another process, which tells nobody when it lets go.
            std::thread::sleep(PAUSE);
        }
        // Best effort: on a full or read-only disk people are not told who has it.
        let written = file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0)));
        if let Err(error) = written.and_then(|_| writeln!(file, "{}", std::process::id())) {
            tracing::debug!(%error, "the lock does not say who has it");
        }
        Ok(Self { file })
    }

    /// The process that holds the profile in `dir`, if one does; `Some(None)` when it could not be told which.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn holder(dir: &Path) -> Result<Option<Option<u32>>, StoreError> {
        let path = dir.join(LOCK);
        if !path.exists() {
            return Ok(None);
        }
        let mut file = File::open(&path).map_err(|error| StoreError::from_io(&path, error))?;
        Ok(if try_lock(&file, &path)? { None } else { Some(written_pid(&mut file)) })
    }
}

impl Drop for ProfileLock {
    fn drop(&mut self) {
        // Best effort: a number left behind is of a process that does not hold the lock any more.
        let _ = self.file.set_len(0);
    }
}

fn try_lock(file: &File, path: &Path) -> Result<bool, StoreError> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(StoreError::from_io(path, error.into())),
    }
}

/// The number in the file, if such a process is alive.
fn written_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    let pid: u32 = text.trim().parse().ok()?;
    let process = Pid::from_raw(i32::try_from(pid).ok()?)?;
    match test_kill_process(process) {
        // Alive, and perhaps not ours.
        Ok(()) | Err(rustix::io::Errno::PERM) => Some(pid),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_second_learns_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let lock = ProfileLock::acquire(dir.path()).unwrap();
        let me = std::process::id();
        assert!(matches!(ProfileLock::acquire(dir.path()), Err(StoreError::Locked { pid: Some(pid) }) if pid == me));
        assert_eq!(ProfileLock::holder(dir.path()).unwrap(), Some(Some(me)));
        assert_eq!(std::fs::metadata(dir.path().join(LOCK)).unwrap().permissions().mode() & 0o777, 0o600);
        drop(lock);
        assert_eq!(ProfileLock::holder(dir.path()).unwrap(), None);
        ProfileLock::acquire(dir.path()).unwrap();
    }

    #[test]
    fn a_number_left_by_a_dead_process_does_not_matter() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        std::fs::write(dir.path().join(LOCK), format!("{}\nrubbish", child.id())).unwrap();
        // Nobody holds the lock: the number means nothing.
        let lock = ProfileLock::acquire(dir.path()).unwrap();
        assert_eq!(std::fs::read_to_string(dir.path().join(LOCK)).unwrap(), format!("{}\n", std::process::id()));
        // Somebody holds it, but the number is of a process that is gone.
        std::fs::write(dir.path().join(LOCK), format!("{}\n", child.id())).unwrap();
        let error = ProfileLock::acquire(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::Locked { pid: None }), "{error:?}");
        assert_eq!(error.to_string(), "this profile is in use");
        drop(lock);
    }

    #[test]
    fn no_lock_file_no_holder() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(ProfileLock::holder(dir.path()).unwrap(), None);
    }
}
