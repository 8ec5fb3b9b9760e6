//! The profile folder and the key file in it.
//!
//! Everything in the folder is made with the permissions it keeps: folders 0700, files 0600.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use super::StoreError;
use super::durable::{Disk, Durable, Synced};
use super::owner;
pub use super::owner::KEY_FILE;

/// The folder of the database.
pub(super) const DATABASE: &str = "db";
/// sled's log, in that folder.
pub(super) const LOG: &str = "db";
/// The folder of the log and its tables of pages as they were, while sled opens a log that may be torn.
pub(super) const TORN: &str = "torn";
/// The two files of erasable keys.
pub(super) const KEYS: [&str; 2] = ["keys.a", "keys.b"];
/// The witness of the last commit.
pub(super) const MARK: &str = "mark";
/// Space that is put by.
pub(super) const RESERVE: &str = "reserve";
/// The folder of the snapshots.
pub(super) const SNAPSHOTS: &str = "snapshots";
/// The lock file.
pub(super) const LOCK: &str = "lock";

/// The largest key file that is read: anything larger is not one.
const MAX_KEY_FILE: u64 = 64 * 1024;

/// The profile folder.
#[derive(Clone, Debug)]
pub struct ProfileDir {
    path: PathBuf,
}

impl ProfileDir {
    /// Opens the folder, tightening its permissions; makes it (and its parents) if it is not there.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] for a folder open to others that holds other files; those of the disk.
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        if let Some(profile) = Self::open(path)? {
            return Ok(profile);
        }
        may_make(path)?;
        private_folder(path)?;
        sync_parent(path)?;
        Ok(Self { path: path.to_owned() })
    }

    /// Opens the folder if it is there, tightening its permissions.
    ///
    /// # Errors
    /// As [`ProfileDir::create`].
    pub fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let at = |error| StoreError::from_io(path, error);
        let Some(found) = Self::own(path)? else { return Ok(None) };
        if found.mode() & 0o077 != 0 {
            // `--data-dir /tmp` must not take /tmp away from everybody else.
            let mut entries = fs::read_dir(path).map_err(at)?;
            let ours = [KEY_FILE, LOCK, MARK].iter().chain(&KEYS).any(|name| path.join(name).exists());
            if !ours && entries.next().is_some() {
                return Err(StoreError::Foreign { path: path.to_owned() });
            }
            fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(at)?;
        }
        Ok(Some(Self { path: path.to_owned() }))
    }

    /// Looks whether the folder is there, and this user's; nothing is touched.
    ///
    /// # Errors
    /// [`StoreError::OtherUser`], [`StoreError::NotAFolder`], those of the disk.
    pub fn own(path: &Path) -> Result<Option<Metadata>, StoreError> {
        let found = match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotADirectory => return Err(not_a_folder(path)),
            found => existing(path, found)?,
        };
        match found {
            Some(found) if !found.is_dir() => Err(not_a_folder(path)),
            Some(found) if found.uid() != geteuid().as_raw() => Err(other_user(path, &found)),
            found => Ok(found),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a trace of a store.
    pub fn has_store(&self) -> bool {
        [DATABASE, MARK].iter().chain(&KEYS).any(|name| self.path.join(name).exists())
    }

    /// The bytes of the key file; `None` when there is none.
    ///
    /// # Errors
    /// Those of the disk; [`StoreError::Damaged`] when it is absurdly large.
    pub fn read_key_file(&self) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path.join(KEY_FILE);
        let at = |error| StoreError::from_io(&path, error);
        let Some(file) = existing(&path, File::open(&path))? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(MAX_KEY_FILE + 1).read_to_end(&mut bytes).map_err(at)?;
        if bytes.len() as u64 > MAX_KEY_FILE {
            return Err(StoreError::damaged(format!("{} is not a key file: it is too large", path.display())));
        }
        Ok(Some(bytes))
    }

    /// Replaces the key file, wholly or not at all, and durably.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn write_key_file(&self, bytes: &[u8]) -> Result<(), StoreError> {
        replace_secret_file(&self.path, KEY_FILE, bytes, &Disk)
    }
}

/// Whether this user may make something at `path`: not in another user's folder, whatever its permissions are. Root would lock
/// the owner out.
pub(super) fn may_make(path: &Path) -> Result<(), StoreError> {
    for above in path.ancestors() {
        match fs::metadata(above) {
            Ok(found) if !found.is_dir() => return Err(not_a_folder(above)),
            Ok(found) if ![0, geteuid().as_raw()].contains(&found.uid()) => return Err(other_user(above, &found)),
            Ok(_) => return Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
            Err(error) => return Err(StoreError::from_io(above, error)),
        }
    }
    Ok(())
}

/// That a file stands at `path`, or on the way there.
fn not_a_folder(path: &Path) -> StoreError {
    let file = path.ancestors().find(|above| fs::metadata(above).is_ok_and(|found| !found.is_dir()));
    StoreError::NotAFolder { path: file.unwrap_or(path).to_owned() }
}

fn other_user(path: &Path, found: &Metadata) -> StoreError {
    StoreError::OtherUser { path: path.to_owned(), user: owner::name(found.uid()) }
}

/// What was asked for of `path`; `None` when nothing is there.
pub(super) fn existing<T>(path: &Path, result: io::Result<T>) -> Result<Option<T>, StoreError> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        result => result.map(Some).map_err(|error| StoreError::from_io(path, error)),
    }
}

/// Makes a folder, and its parents, for this user only.
pub(super) fn private_folder(path: &Path) -> Result<(), StoreError> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| StoreError::from_io(path, error))
}

/// How files are opened to be written: for this user only from the first moment.
pub(super) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    options
}

/// Takes what others may do with it away from a file (to 0600) or a folder (to 0700).
pub(super) fn tighten(path: &Path) -> Result<(), StoreError> {
    let at = |error| StoreError::from_io(path, error);
    let found = fs::metadata(path).map_err(at)?;
    let wanted = if found.is_dir() { 0o700 } else { 0o600 };
    if found.mode() & 0o777 != wanted {
        fs::set_permissions(path, Permissions::from_mode(wanted)).map_err(at)?;
    }
    Ok(())
}

/// Writes `name` in `folder` so that after a power cut either the old contents are there or the new ones.
pub(super) fn replace_file(folder: &Path, name: &str, bytes: &[u8], disk: &dyn Durable) -> Result<(), StoreError> {
    let path = folder.join(name);
    let fresh = folder.join(format!("{name}.new"));
    let at = |error| StoreError::from_io(&path, error);
    let mut file = private_file().truncate(true).open(&fresh).map_err(at)?;
    tighten(&fresh)?;
    file.write_all(bytes).map_err(at)?;
    disk.sync(&file, Synced::Whole).map_err(at)?;
    fs::rename(&fresh, &path).map_err(at)?;
    sync_folder(folder, disk)
}

/// As [`replace_file`], and what was there before is overwritten in place before its blocks are given back, so that whoever has
/// the disk does not find it there. Interrupted, it may be left as `NAME.new`, which the next replacement overwrites.
pub(super) fn replace_secret_file(
    folder: &Path,
    name: &str,
    bytes: &[u8],
    disk: &dyn Durable,
) -> Result<(), StoreError> {
    let (path, fresh) = (folder.join(name), folder.join(format!("{name}.new")));
    let at = |error| StoreError::from_io(&fresh, error);
    overwrite(&fresh, disk)?;
    if !path.exists() {
        return replace_file(folder, name, bytes, disk);
    }
    let mut file = private_file().truncate(true).open(&fresh).map_err(at)?;
    tighten(&fresh)?;
    file.write_all(bytes).map_err(at)?;
    disk.sync(&file, Synced::Whole).map_err(at)?;
    // By its handle it is reached when nothing names it any more.
    let old = OpenOptions::new().write(true).open(&path).map_err(at)?;
    match exchange(&fresh, &path) {
        Ok(()) => {
            sync_folder(folder, disk)?;
            overwrite(&fresh, disk)?;
            fs::remove_file(&fresh).map_err(at)?;
        }
        Err(_) => {
            fs::rename(&fresh, &path).map_err(at)?;
            overwrite_open(&old, disk).map_err(at)?;
        }
    }
    sync_folder(folder, disk)
}

/// Writes zeros over a file, if it is there.
fn overwrite(path: &Path, disk: &dyn Durable) -> Result<(), StoreError> {
    let Some(file) = existing(path, OpenOptions::new().write(true).open(path))? else { return Ok(()) };
    overwrite_open(&file, disk).map_err(|error| StoreError::from_io(path, error))
}

fn overwrite_open(file: &File, disk: &dyn Durable) -> io::Result<()> {
    let length = usize::try_from(file.metadata()?.len().min(MAX_KEY_FILE)).unwrap_or_default();
    file.write_all_at(&vec![0; length], 0)?;
    disk.sync(file, Synced::Whole)
}

/// Swaps the names of two files or folders.
#[cfg(target_os = "linux")]
pub(super) fn exchange(one: &Path, other: &Path) -> rustix::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

#[cfg(not(target_os = "linux"))]
pub(super) const fn exchange(_: &Path, _: &Path) -> rustix::io::Result<()> {
    Err(rustix::io::Errno::NOSYS)
}

/// Makes the names in a folder durable.
pub(super) fn sync_folder(folder: &Path, disk: &dyn Durable) -> Result<(), StoreError> {
    let at = |error| StoreError::from_io(folder, error);
    disk.sync(&File::open(folder).map_err(at)?, Synced::Folder).map_err(at)
}

/// Makes the name of what is at `path` durable.
pub(super) fn sync_parent(path: &Path) -> Result<(), StoreError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.map_or(Ok(()), |parent| sync_folder(parent, &Disk))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn a_new_profile_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("share/rohrpost/default");
        assert!(ProfileDir::open(&path).unwrap().is_none());
        let profile = ProfileDir::create(&path).unwrap();
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o700, 0o700));
        assert!(profile.read_key_file().unwrap().is_none() && !profile.has_store());
        profile.write_key_file(b"first").unwrap();
        profile.write_key_file(b"second").unwrap();
        assert_eq!(profile.read_key_file().unwrap().unwrap(), b"second");
        assert_eq!(mode(&path.join(KEY_FILE)), 0o600);
        assert!(!path.join("key.new").exists());
        assert_eq!(ProfileDir::open(&path).unwrap().unwrap().path(), path);
    }

    #[test]
    fn permissions_are_tightened_but_only_of_a_profile() {
        let dir = tempfile::tempdir().unwrap();
        let open = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
        let empty = dir.path().join("empty");
        fs::create_dir(&empty).unwrap();
        open(&empty);
        ProfileDir::create(&empty).unwrap();
        assert_eq!(mode(&empty), 0o700);
        // A folder that others work in.
        let foreign = dir.path().join("foreign");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("letter.txt"), "x").unwrap();
        open(&foreign);
        assert!(matches!(ProfileDir::create(&foreign), Err(StoreError::Foreign { .. })));
        assert_eq!(mode(&foreign), 0o755);
        fs::write(foreign.join(KEY_FILE), "x").unwrap();
        ProfileDir::create(&foreign).unwrap();
        assert_eq!(mode(&foreign), 0o700);
    }

    #[test]
    fn what_is_no_folder_and_no_key_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "x").unwrap();
        let not_a_folder = |result| matches!(result, Err(StoreError::NotAFolder { path }) if path == file);
        assert!(not_a_folder(ProfileDir::create(&file).map(drop)) && not_a_folder(ProfileDir::open(&file).map(drop)));
        // Or on the way.
        assert!(not_a_folder(ProfileDir::create(&file.join("default")).map(drop)));
        let profile = ProfileDir::create(&dir.path().join("profile")).unwrap();
        fs::write(profile.path().join(KEY_FILE), vec![0; 70_000]).unwrap();
        assert!(matches!(profile.read_key_file(), Err(StoreError::Damaged { .. })));
    }

    /// The blocks of the old one are looked at by a second name of it.
    #[test]
    fn what_a_key_file_held_is_overwritten_when_another_takes_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let profile = ProfileDir::create(&dir.path().join("profile")).unwrap();
        let (path, fresh) = (profile.path().join(KEY_FILE), profile.path().join("key.new"));
        let kept = |number: u8| dir.path().join(format!("kept-{number}"));
        profile.write_key_file(b"the first, without a passphrase").unwrap();
        fs::hard_link(&path, kept(1)).unwrap();
        profile.write_key_file(b"the second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"the second");
        assert_eq!(fs::read(kept(1)).unwrap(), [0; 31]);
        assert!(!fresh.exists() && mode(&path) == 0o600);
        // Interrupted behind the exchange, the old one still has a name, and is overwritten the next time.
        fs::write(&fresh, "an old one").unwrap();
        fs::hard_link(&fresh, kept(2)).unwrap();
        profile.write_key_file(b"the third").unwrap();
        assert!(!fs::read(kept(2)).unwrap().starts_with(b"an old"));
        // Whatever sync fails, the one or the other is there, whole.
        for syncs in 0..5 {
            let watched = crate::store::testing::Watched::default();
            *watched.fails_after.lock().unwrap() = Some(syncs);
            let replaced = replace_secret_file(profile.path(), KEY_FILE, b"the last", &watched);
            let found = fs::read(&path).unwrap();
            assert!(found == b"the third" || found == b"the last", "{syncs}: {found:?}");
            assert!(replaced.is_err() || found == b"the last");
            profile.write_key_file(b"the third").unwrap();
        }
    }

    #[test]
    fn a_key_file_is_durable_before_it_has_its_name() {
        use crate::store::testing::Watched;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("name");
        let watched = Watched::default();
        let there = path.clone();
        *watched.before.lock().unwrap() =
            Some(Box::new(move |what| assert_eq!(there.exists(), what == Synced::Folder)));
        replace_file(dir.path(), "name", b"bytes", &watched).unwrap();
        assert_eq!(watched.take(), [Synced::Whole, Synced::Folder]);
        // The disk fails: the old contents stay.
        *watched.before.lock().unwrap() = None;
        *watched.fails_after.lock().unwrap() = Some(0);
        assert!(matches!(replace_file(dir.path(), "name", b"other", &watched), Err(StoreError::Full)));
        assert_eq!(fs::read(&path).unwrap(), b"bytes");
    }
}
