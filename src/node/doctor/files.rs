//! The folder and what is in it: permissions, the lock, snapshots, space.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::api::{ApiError, Area};
use crate::base::limits::SNAPSHOT_LIFE;
use crate::base::shown::{bytes, span};
use crate::base::{Millis, WallTime};
use crate::node::errors;
use crate::node::place::Place;
use crate::store::files::KEY_FILE;
use crate::store::{Blemish, Inspection, StoreError, free_space, is_disk_low, snapshots};

use super::findings::Findings;

/// A node makes one a day.
const OLD_SNAPSHOT: Millis = Millis::from_days(3);
/// What is wrong with a file of somebody else's.
const NOT_YOURS: &str = "give it back to yourself with `chown`, or run as its owner";

/// Looks at folder and key file. Gives the bytes of the key file, if they could be read.
pub(super) fn look_at_folder(place: &Place, found: &mut Findings) -> Result<Option<Vec<u8>>, ApiError> {
    let dir = &place.dir;
    let about = match fs::metadata(dir) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(place.missing()),
        Err(error) => return Err(errors::io(dir, &error)),
    };
    let shown = dir.display();
    if !is_mine(&about) {
        found.problem(Area::Folder, format!("{shown} belongs to another user"), NOT_YOURS);
    } else if about.mode() & 0o077 != 0 {
        found.problem(Area::Folder, format!("{shown} is open to others"), &format!("chmod 700 {shown}"));
    } else if let Some(error) = StoreError::not_own(dir) {
        found.error(Area::Folder, error.into());
    } else {
        found.ok(Area::Folder, shown.to_string());
    }
    look_for_kept(dir, found);
    look_at_key_file(&dir.join(KEY_FILE), found)
}

/// What `recover` has put aside.
fn look_for_kept(dir: &Path, found: &mut Findings) {
    let prefix = format!("{}.damaged-", dir.file_name().unwrap_or_default().to_string_lossy());
    for entry in dir.parent().and_then(|parent| fs::read_dir(parent).ok()).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            let path = entry.path();
            let hint =
                format!("what you delete now is not deleted in it: if nothing is missing, rm -r {}", path.display());
            found.note(Area::Folder, format!("a damaged profile is kept in {}", path.display()), &hint);
        }
    }
}

fn look_at_key_file(path: &Path, found: &mut Findings) -> Result<Option<Vec<u8>>, ApiError> {
    let shown = path.display();
    let (about, bytes) = match fs::metadata(path).and_then(|about| Ok((about, fs::read(path)?))) {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let hint = "put it back from a copy; without it the profile cannot be opened";
            found.problem(Area::KeyFile, format!("{shown} is missing"), hint);
            return Ok(None);
        }
        Err(error) => {
            found.error(Area::KeyFile, StoreError::from_io(path, error).into());
            return Ok(None);
        }
    };
    if !is_mine(&about) {
        found.problem(Area::KeyFile, format!("{shown} belongs to another user"), NOT_YOURS);
    } else if about.mode() & 0o077 != 0 {
        found.problem(Area::KeyFile, format!("{shown} can be read by others"), &format!("chmod 600 {shown}"));
    } else {
        if path.with_extension("new").exists() {
            let hint = "`rohrpost id passphrase` once more overwrites it";
            found.note(Area::KeyFile, format!("an interrupted change left an older key file in {shown}.new"), hint);
        }
        match crate::identity::key_file_needs_passphrase(&bytes) {
            Ok(true) => found.ok(Area::KeyFile, "sealed with a passphrase"),
            Ok(false) => found.ok(Area::KeyFile, "without a passphrase: who can read the disk can be you"),
            // Whoever opens it says what is wrong.
            Err(_) => {}
        }
    }
    Ok(Some(bytes))
}

fn is_mine(about: &fs::Metadata) -> bool {
    about.uid() == rustix::process::geteuid().as_raw()
}

/// What is not as it was written.
pub(super) fn look_at_files(inspection: Result<Inspection, StoreError>, found: &mut Findings) {
    let inspection = match inspection {
        Ok(inspection) => inspection,
        Err(error) => return found.error(Area::Store, error.into()),
    };
    for Blemish { file, what, means } in inspection.blemishes {
        let hint = "nothing to do: opening the profile makes it again; if it comes back, look after the disk";
        found.note(Area::Store, format!("{file} {what}: {means}"), hint);
    }
    for (file, what) in inspection.snapshots {
        let shown = file.path().display();
        let hint = format!("rm {shown}; a running node makes a new one a day");
        found.problem(Area::Snapshots, format!("{shown} {what}: `rohrpost recover` could not rely on it"), &hint);
    }
}

/// When the folder was made, where the file system knows.
pub(super) fn made(place: &Place) -> Option<WallTime> {
    let made = fs::metadata(&place.dir).and_then(|about| about.created()).ok()?;
    u64::try_from(made.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok().map(WallTime)
}

/// `made`: since when there could be some.
pub(super) fn look_at_snapshots(place: &Place, now: WallTime, made: Option<WallTime>, found: &mut Findings) {
    let files = match snapshots(&place.dir) {
        Ok(files) => files,
        Err(error) => return found.error(Area::Snapshots, error.into()),
    };
    let Some(newest) = files.first() else {
        let none = "there is none yet";
        return match made.filter(|made| now.since(*made) <= OLD_SNAPSHOT) {
            Some(_) => found.ok(Area::Snapshots, none),
            None => found.note(Area::Snapshots, none, "a running node makes one a day: `rohrpost run`"),
        };
    };
    let many = format!("{} of {}", files.len(), bytes(files.iter().map(|file| file.bytes).sum()));
    let age = now.since(newest.made);
    if newest.made > now + Millis::from_hours(1) {
        found.note(Area::Snapshots, format!("{many}, the newest of a day that has not come"), "see the clock");
    } else if age > OLD_SNAPSHOT {
        let hint = "a running node makes one a day: `rohrpost run`";
        let days = age.0 / Millis::from_days(1).0;
        found.note(Area::Snapshots, format!("{many}, the newest {days} days old"), hint);
    } else {
        found.ok(Area::Snapshots, format!("{many}, the newest {} old", span(age)));
    }
    if files.iter().any(|file| now.since(file.made) > SNAPSHOT_LIFE) && files.len() > 1 {
        found.note(Area::Snapshots, "some are older than they should be", "the next one removes them");
    }
}

pub(super) fn look_at_disk(place: &Place, found: &mut Findings) {
    let is_read_only =
        rustix::fs::statvfs(&place.dir).is_ok_and(|about| about.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY));
    match free_space(&place.dir) {
        _ if is_read_only => {
            let hint = "mount it writable: until then the profile can only be read";
            found.problem(Area::Disk, "the file system is read-only", hint);
        }
        Ok(free) if is_disk_low(&place.dir) => {
            let hint = "free some space: senders keep what they have, and try again";
            found.problem(Area::Disk, format!("only {} are free: no messages are taken in", bytes(free)), hint);
        }
        Ok(free) => found.ok(Area::Disk, format!("{} are free", bytes(free))),
        Err(error) => found.error(Area::Disk, error.into()),
    }
}
