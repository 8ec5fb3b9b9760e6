//! The Unix socket of a node: where it is bound, who may use it, and what to do about one that is left over.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use super::place::Place;
use crate::api::{ApiError, Code};

/// The socket's name inside the folder of the profile.
pub(crate) const SOCKET_NAME: &str = "node.sock";
/// The name of one that is only tried; as long as the other.
const TRIAL_NAME: &str = "try.sock.";
/// The longest path that every Unix takes as a socket address (104 bytes on some, with the final zero).
const MAX_SOCKET_PATH: usize = 103;

/// A bound socket; its file goes with it.
pub(crate) struct Bound {
    pub(crate) listener: UnixListener,
    pub(crate) file: SocketFile,
}

/// The file of a bound socket, removed on drop if it is still ours.
pub(crate) struct SocketFile {
    path: PathBuf,
    /// `None`: it is gone, and whatever is there is another one.
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is still there: files are cleaned away, and whole folders with them.
    pub(crate) fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| Some((found.dev(), found.ino())) == self.identity)
    }

    /// It is gone: a file that is made now may have its number.
    pub(crate) const fn is_gone(&mut self) {
        self.identity = None;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.is_there() {
            // Best effort: whoever comes next removes what is left over.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds the socket of a profile whose lock this process holds: in the profile's folder, or else, where that can hold none
/// (its path is too long, its file system knows no sockets, or nothing can be written there), in a folder of this user's.
pub(crate) fn bind(place: &Place) -> Result<Bound, ApiError> {
    let inside = place.dir.join(SOCKET_NAME);
    let mut refused = match bind_at(&inside) {
        Ok(bound) => return Ok(bound),
        Err(error) => vec![format!("{}: {error}", inside.display())],
    };
    for folder in &place.elsewhere {
        match private(folder).and_then(|folder| bind_at(&folder.join(name_elsewhere(place)?))) {
            Ok(bound) => {
                tracing::info!(because = refused.join("; "), at = %bound.file.path.display(), "the socket is elsewhere");
                return Ok(bound);
            }
            Err(error) => refused.push(format!("{}: {error}", folder.display())),
        }
    }
    Err(ApiError::new(Code::Io, format!("no socket can be made ({})", refused.join("; ")))
        .with_hint("set XDG_RUNTIME_DIR to a folder of yours on a file system that can hold sockets"))
}

/// Each profile has another name there, and the same one every time, so that one which was left over is found.
fn name_elsewhere(place: &Place) -> io::Result<String> {
    let folder = fs::metadata(&place.dir)?;
    Ok(format!("{:x}-{:x}.sock", folder.dev(), folder.ino()))
}

fn bind_at(path: &Path) -> io::Result<Bound> {
    let length = path.as_os_str().as_bytes().len();
    if length > MAX_SOCKET_PATH {
        return Err(io::Error::other(format!("the path has {length} bytes, at most {MAX_SOCKET_PATH} are possible")));
    }
    remove_left_over(path)?;
    let listener = UnixListener::bind(path)?;
    let found = fs::symlink_metadata(path)?;
    let file = SocketFile { path: path.to_owned(), identity: Some((found.dev(), found.ino())) };
    // The folder lets nobody else in, so nobody can be quicker than this.
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    listener.set_nonblocking(true)?;
    Ok(Bound { listener, file })
}

/// Whether a node could have its socket in the folder of the profile: makes one of another name, and removes it again.
pub(crate) fn try_in(place: &Place) -> io::Result<()> {
    bind_at(&place.dir.join(TRIAL_NAME)).map(drop)
}

/// Removes what a node that was killed has left; nothing else.
fn remove_left_over(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if !found.file_type().is_socket() {
        return Err(io::Error::other("something is there, and is no socket"));
    }
    if UnixStream::connect(path).is_ok() {
        return Err(io::Error::other("another process listens there"));
    }
    fs::remove_file(path)
}

/// Makes the folder, for this user only, and gives the straight way to it. Nobody else can change any part of that way: what
/// is bound there stays there.
fn private(folder: &Path) -> io::Result<PathBuf> {
    let wrong = |path: &Path, what: &str| Err(io::Error::other(format!("{} {what}", path.display())));
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
        return wrong(folder, "is no folder");
    };
    let parent = fs::canonicalize(parent)?;
    let me = rustix::process::geteuid().as_raw();
    for above in parent.ancestors() {
        let found = fs::symlink_metadata(above)?;
        let is_shared = found.mode() & 0o022 != 0 && found.mode() & 0o1000 == 0;
        if is_shared || ![0, me].contains(&found.uid()) {
            return wrong(above, "can be changed by others");
        }
    }
    let folder = parent.join(name);
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(&folder)?;
    if !found.is_dir() {
        return wrong(&folder, "is no folder");
    }
    if found.uid() != me {
        return wrong(&folder, "belongs to another user");
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests;
