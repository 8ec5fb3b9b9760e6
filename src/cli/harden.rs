//! What keeps the keys in this process: no core dump, no debugger of the same user, no file that others may read; and room for
//! its connections.
//!
//! Set before anything is read, for every command: which of them open a key changes, and none needs the opposite.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

/// Open files that are enough for all connections, the store and the local interface.
const OPEN_FILES: u64 = 4_096;

/// Hardens this process.
///
/// # Errors
/// What the system said when it refused. Nobody is in the way of a lower limit, so this is rare.
pub(super) fn harden() -> io::Result<()> {
    // Files and folders are made with their modes; this one is for those that a library makes (the database), and
    // gives the owner his rights back where the mask that was inherited takes them away.
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    room_for_connections();
    not_dumpable()
}

/// Each connection over TCP is a file, and so is much of the store: the usual 1,024 do not hold those that a node may have.
/// What the system allows without being asked for more is enough.
fn room_for_connections() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |maximum| maximum.min(OPEN_FILES));
    if limit.current.is_some_and(|current| current < wanted) {
        // Where it cannot be had, the node has fewer connections at a time.
        _ = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit });
    }
}

/// The limit does not hold where the kernel hands dumps to a program; this does. It also gives what is about this
/// process in `/proc` to root, memory and environment among it, and keeps debuggers of the same user away.
#[cfg(target_os = "linux")]
fn not_dumpable() -> io::Result<()> {
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
const fn not_dumpable() -> io::Result<()> {
    Ok(())
}
