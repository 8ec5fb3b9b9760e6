//! What keeps the keys in this process: no core dump, no debugger of the same user, no file that others may read.
//!
//! Set before anything is read, for every command: which of them open a key changes, and none needs the opposite.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit, umask};

/// Hardens this process.
///
/// # Errors
/// What the system said when it refused. Nobody is in the way of a lower limit, so this is rare.
pub(super) fn harden() -> io::Result<()> {
    // Files and folders are made with their modes; this one is for those that a library makes (the database), and
    // gives the owner his rights back where the mask that was inherited takes them away.
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    not_dumpable()
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
