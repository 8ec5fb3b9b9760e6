//! Whose files are.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

/// The file that holds the identity and the store key, sealed by the passphrase if there is one.
pub const KEY_FILE: &str = "key";

/// How deep below a profile its files lie.
const DEPTH: usize = 3;

/// Another user's file in a folder of this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Alien {
    pub(super) path: PathBuf,
    pub(super) user: String,
    /// What is to be this user's again: the profile, which may hold more of the kind; outside of one, the file.
    pub(super) lost: PathBuf,
}

/// A user's name, or `#` and the number.
pub(super) fn name(uid: u32) -> String {
    let number = uid.to_string();
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut lines = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = lines
        .find(|fields| fields.get(2) == Some(&number.as_str()))
        .and_then(|fields| fields.first().map(|name| (*name).to_owned()));
    found.unwrap_or_else(|| format!("#{number}"))
}

/// The name of who runs this.
pub(super) fn own_name() -> String {
    name(geteuid().as_raw())
}

/// What of another user is at `path`, on the way there or below it, and in a folder of this user: what root made in a profile, most
/// often. What lies in a folder of others is theirs by right.
pub(super) fn alien(path: &Path) -> Option<Alien> {
    let (found, metadata) = path.ancestors().find_map(alone).or_else(|| below(path, DEPTH))?;
    let in_profile = found.ancestors().skip(1).take(DEPTH).find(|folder| folder.join(KEY_FILE).exists());
    let lost = in_profile.unwrap_or(&found).to_owned();
    Some(Alien { user: name(metadata.uid()), lost, path: found })
}

/// Whether just this is another's.
fn alone(path: &Path) -> Option<(PathBuf, Metadata)> {
    let is_own = |found: &Metadata| found.uid() == geteuid().as_raw();
    let parent = path.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    let found = fs::symlink_metadata(path).ok().filter(|found| !is_own(found))?;
    fs::metadata(parent?).is_ok_and(|parent| is_own(&parent)).then(|| (path.to_owned(), found))
}

fn below(folder: &Path, depth: usize) -> Option<(PathBuf, Metadata)> {
    let entries = fs::read_dir(folder).ok().filter(|_| depth > 0)?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths.find_map(|path| alone(&path).or_else(|| below(&path, depth - 1)))
}
