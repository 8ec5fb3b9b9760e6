//! The Unix socket: where it is bound, who may use it, and what to do about one that is left over.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;

use super::errors;
use super::place::Place;
use crate::api::{ApiError, Code};
use crate::store::ProfileLock;

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
    identity: (u64, u64),
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.identity) {
            // Best effort: whoever comes next removes what is left over.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Binds the socket of a profile whose lock this process holds: what is left over of a former node is removed.
pub(crate) fn bind(place: &Place) -> Result<Bound, ApiError> {
    let path = &place.socket;
    let at = |e: io::Error| errors::io(path, &e);
    private_parent(path)?;
    let address = Address::of(path)?;
    match UnixStream::connect(&address.path) {
        // We hold the lock, so this is the node of another folder under the same name.
        Ok(stream) => {
            let pid = peer_pid(&stream).map_or_else(String::new, |pid| format!(" (process {pid})"));
            let message = format!("{} belongs to the node of another data folder{pid}", path.display());
            return Err(ApiError::new(Code::NodeRunning, message).with_hint("choose another profile name with `-P`"));
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(_) => remove_left_over(path)?,
    }
    let listener = UnixListener::bind(&address.path).map_err(at)?;
    // The folder lets nobody else in, so nobody can be quicker than this.
    fs::set_permissions(path, Permissions::from_mode(0o600)).map_err(at)?;
    listener.set_nonblocking(true).map_err(at)?;
    let found = fs::symlink_metadata(path).map_err(at)?;
    let file = SocketFile { path: path.to_owned(), identity: (found.dev(), found.ino()) };
    Ok(Bound { listener, file })
}

fn remove_left_over(path: &Path) -> Result<(), ApiError> {
    use std::os::unix::fs::FileTypeExt;
    let at = |e: io::Error| errors::io(path, &e);
    if !fs::symlink_metadata(path).map_err(at)?.file_type().is_socket() {
        let message = format!("{} is in the way of the socket, and is none", path.display());
        return Err(ApiError::new(Code::Config, message).with_hint("move it away"));
    }
    fs::remove_file(path).map_err(at)
}

/// Makes the folder of the socket, for this user only.
fn private_parent(path: &Path) -> Result<(), ApiError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let at = |e: io::Error| errors::io(parent, &e);
    DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(at)?;
    let found = fs::metadata(parent).map_err(at)?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(ApiError::new(Code::Config, format!("{} belongs to another user", parent.display())));
    }
    if found.mode() & 0o077 != 0 {
        fs::set_permissions(parent, Permissions::from_mode(0o700)).map_err(at)?;
    }
    Ok(())
}

/// Whether a node could bind a socket of this path.
pub(crate) fn check_path(path: &Path) -> Result<(), ApiError> {
    if path.as_os_str().as_bytes().len() <= MAX_SOCKET_PATH || !path.parent().is_some_and(Path::exists) {
        return Ok(());
    }
    Address::of(path).map(|_| ())
}

/// Whether somebody listens at the socket of the profile, whoever it is.
pub(crate) fn answers(place: &Place) -> Result<bool, ApiError> {
    Ok(dial(&place.socket)?.is_some())
}

/// Connects to the node of a profile; `None` when none runs.
pub(crate) fn connect(place: &Place) -> Result<Option<UnixStream>, ApiError> {
    if !place.socket.exists() {
        return Ok(None);
    }
    Ok(dial(&place.socket)?.filter(|stream| is_node_of(stream, place)))
}

/// Connects to whoever listens there.
fn dial(path: &Path) -> Result<Option<UnixStream>, ApiError> {
    match UnixStream::connect(&Address::of(path)?.path) {
        Ok(stream) => Ok(Some(stream)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(e) => Err(errors::io(path, &e)),
    }
}

/// Whether the process at the other end holds the profile: another data folder can have a profile of the same name.
fn is_node_of(stream: &UnixStream, place: &Place) -> bool {
    let Some(pid) = peer_pid(stream) else { return true };
    match ProfileLock::holder(&place.dir) {
        Ok(Some(Some(holder))) => holder == pid,
        // It could not be told who holds it.
        Ok(Some(None)) | Err(_) => true,
        Ok(None) => false,
    }
}

#[cfg(target_os = "linux")]
fn peer_pid(stream: &UnixStream) -> Option<u32> {
    let peer = rustix::net::sockopt::socket_peercred(stream).ok()?;
    u32::try_from(peer.pid.as_raw_nonzero().get()).ok()
}

#[cfg(not(target_os = "linux"))]
const fn peer_pid(_: &UnixStream) -> Option<u32> {
    None
}

/// A path that the kernel takes as a socket address.
struct Address {
    path: PathBuf,
    /// Keeps the short way to the folder open.
    _folder: Option<OwnedFd>,
}

impl Address {
    fn of(path: &Path) -> Result<Self, ApiError> {
        if path.as_os_str().as_bytes().len() <= MAX_SOCKET_PATH {
            return Ok(Self { path: path.to_owned(), _folder: None });
        }
        Self::through_folder(path)
    }

    /// A socket address holds about 100 bytes; through a descriptor of its folder a longer path fits.
    #[cfg(target_os = "linux")]
    fn through_folder(path: &Path) -> Result<Self, ApiError> {
        use rustix::fd::AsRawFd;
        use rustix::fs::{Mode, OFlags};
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(too_long(path)) };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(parent, flags, Mode::empty()).map_err(|e| errors::io(parent, &e.into()))?;
        let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        if short.as_os_str().as_bytes().len() > MAX_SOCKET_PATH || !short.parent().is_some_and(Path::exists) {
            return Err(too_long(path));
        }
        Ok(Self { path: short, _folder: Some(folder) })
    }

    #[cfg(not(target_os = "linux"))]
    fn through_folder(path: &Path) -> Result<Self, ApiError> {
        Err(too_long(path))
    }
}

fn too_long(path: &Path) -> ApiError {
    let length = path.as_os_str().len();
    let message = format!(
        "the path of the socket has {length} bytes, at most {MAX_SOCKET_PATH} are possible: {}",
        path.display()
    );
    ApiError::new(Code::Config, message).with_hint("choose a shorter `--data-dir`, or set XDG_RUNTIME_DIR")
}

#[cfg(test)]
mod tests;
