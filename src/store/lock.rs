//! One process per profile.
//!
//! The lock is the kernel's (`flock`), so it ends with the process, however that ends. What is written in the file is
//! there for others while the lock is held, and means nothing otherwise: the first line tells a person who has it, the rest
//! is what the holder lets others know (where its socket is). Whoever takes the lock clears it, so that nothing of a holder
//! before, or of the profile that this one is a copy of, is ever read beside a lock that is held.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::StoreError;
use super::files::{LOCK, ProfileDir, existing, private_file};
use super::process::Process;

/// Tries before the profile counts as taken: [`ProfileLock::holder`] holds the lock for a moment, too.
const TRIES: u32 = 5;
/// Pause between two tries. To wait in `flock` itself would be to wait for as long as somebody works on the profile.
const PAUSE: Duration = Duration::from_millis(10);
/// No holder has more to tell.
const MAX_TOLD: u64 = 8 * 1024;

/// Who has a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The process.
    pub process: Process,
    /// What it told by [`ProfileLock::tell`]; empty when it has told nothing.
    pub told: Vec<u8>,
}

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
                return Err(StoreError::Locked { process: read(&mut file).process });
            }
            tries += 1;
            // Who has it may be another process, which tells nobody when it lets go.
            std::thread::sleep(PAUSE);
        }
        let lock = Self { file };
        lock.tell(&[]);
        Ok(lock)
    }

    /// Writes down what others are to know while the profile is held: in the place of what was told before.
    pub fn tell(&self, what: &[u8]) {
        let bytes = [Process::line_of_this().as_bytes(), b"\n", what].concat();
        // Best effort: on a full or read-only disk others are not told. Shortened last: no block is needed anew.
        let written = self.file.write_all_at(&bytes, 0).and_then(|()| self.file.set_len(bytes.len() as u64));
        if let Err(error) = written {
            tracing::debug!(%error, "the lock does not say who has it");
        }
    }

    /// Who holds the profile in `dir`, if somebody does.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn holder(dir: &Path) -> Result<Option<Holder>, StoreError> {
        let path = dir.join(LOCK);
        let Some(mut file) = existing(&path, File::open(&path))? else { return Ok(None) };
        Ok(if try_lock(&file, &path)? { None } else { Some(read(&mut file)) })
    }
}

impl Drop for ProfileLock {
    fn drop(&mut self) {
        // Best effort: what is left behind is not read without a holder.
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

/// What the file says, beside a lock that is held.
fn read(file: &mut File) -> Holder {
    let mut bytes = Vec::new();
    let found = file.seek(SeekFrom::Start(0)).and_then(|_| file.take(MAX_TOLD).read_to_end(&mut bytes));
    let Some(end) = found.ok().and_then(|_| bytes.iter().position(|byte| *byte == b'\n')) else {
        return Holder { process: Process::Unknown, told: Vec::new() };
    };
    let told = bytes.split_off(end + 1);
    Holder { process: Process::of_line(&String::from_utf8_lossy(&bytes)), told }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn holder(dir: &Path) -> Option<Process> {
        ProfileLock::holder(dir).unwrap().map(|holder| holder.process)
    }

    #[test]
    fn the_second_learns_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let lock = ProfileLock::acquire(dir.path()).unwrap();
        let me = Process::Number(std::process::id());
        assert!(matches!(ProfileLock::acquire(dir.path()), Err(StoreError::Locked { process }) if process == me));
        assert_eq!(holder(dir.path()), Some(me));
        assert_eq!(std::fs::metadata(dir.path().join(LOCK)).unwrap().permissions().mode() & 0o777, 0o600);
        drop(lock);
        assert_eq!(holder(dir.path()), None);
        ProfileLock::acquire(dir.path()).unwrap();
    }

    #[test]
    fn a_number_left_by_a_dead_process_does_not_matter() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let dead = Process::line_of_this().replace(&std::process::id().to_string(), &child.id().to_string()) + "\n";
        std::fs::write(dir.path().join(LOCK), format!("{dead}rubbish")).unwrap();
        // Nobody holds the lock: the number means nothing, nor does the rest.
        let lock = ProfileLock::acquire(dir.path()).unwrap();
        assert_eq!(ProfileLock::holder(dir.path()).unwrap().unwrap().told, b"");
        // Somebody holds it, but the number is of a process that is gone.
        std::fs::write(dir.path().join(LOCK), dead).unwrap();
        let error = ProfileLock::acquire(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::Locked { process: Process::Unknown }), "{error:?}");
        assert_eq!(error.to_string(), "this profile is in use");
        drop(lock);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_number_of_another_container_is_not_told() {
        let dir = tempfile::tempdir().unwrap();
        let _lock = ProfileLock::acquire(dir.path()).unwrap();
        let there = format!("{}7\n", Process::line_of_this());
        std::fs::write(dir.path().join(LOCK), there).unwrap();
        let error = ProfileLock::acquire(dir.path()).unwrap_err();
        assert_eq!(error.to_string(), "this profile is in use by a process of another container");
    }

    #[test]
    fn what_the_holder_tells_is_read_as_long_as_it_holds() {
        let dir = tempfile::tempdir().unwrap();
        let lock = ProfileLock::acquire(dir.path()).unwrap();
        let told = || ProfileLock::holder(dir.path()).unwrap().map(|holder| holder.told);
        assert_eq!(told(), Some(Vec::new()));
        for what in [&b"a long story\nwith \xff and two lines"[..], b"short", b""] {
            lock.tell(what);
            assert_eq!(told().as_deref(), Some(what));
            assert_eq!(holder(dir.path()), Some(Process::Number(std::process::id())));
        }
        lock.tell(b"something");
        // A copy of the folder tells nothing of what the holder of the first one said.
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(dir.path().join(LOCK), copy.path().join(LOCK)).unwrap();
        assert_eq!(ProfileLock::holder(copy.path()).unwrap(), None);
        let other = ProfileLock::acquire(copy.path()).unwrap();
        assert_eq!(ProfileLock::holder(copy.path()).unwrap().unwrap().told, b"");
        drop((lock, other));
        assert_eq!(told(), None);
    }

    #[test]
    fn no_lock_file_no_holder() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(holder(dir.path()), None);
    }
}
