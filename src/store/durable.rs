//! What "durable" hangs on: the one call that makes the disk keep what was written.

use std::fs::File;
use std::io;

use crate::base::failpoint::{SKIP_SYNC, is_left_out};

/// Makes a file's contents survive a power cut. A trait only so that tests can watch it and make it fail.
pub(super) trait Durable: Send + Sync {
    /// Returns when what was written to `file` would survive.
    fn sync(&self, file: &File, what: Synced) -> io::Result<()>;
}

/// What is being made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Synced {
    /// The database file, at the end of a commit.
    Database,
    /// One of the two files of erasable keys.
    Keys,
    /// A file that is written once: the key file, sled's own settings.
    Whole,
    /// A folder, after a name in it has changed.
    Folder,
}

/// The disk itself.
#[derive(Debug)]
pub(super) struct Disk;

impl Durable for Disk {
    fn sync(&self, file: &File, what: Synced) -> io::Result<()> {
        match what {
            Synced::Database if is_left_out(SKIP_SYNC) => Ok(()),
            // The length and the data, without the time stamps: this one is paid for every commit.
            Synced::Database => file.sync_data(),
            Synced::Keys | Synced::Whole | Synced::Folder => file.sync_all(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_is_asked() {
        // It has nothing to sync there, and says so. That is how we know that it was asked.
        let nowhere = File::open("/dev/null").unwrap();
        for what in [Synced::Database, Synced::Keys, Synced::Whole, Synced::Folder] {
            assert!(Disk.sync(&nowhere, what).is_err(), "{what:?}");
        }
        for what in [Synced::Database, Synced::Keys, Synced::Whole, Synced::Folder] {
            Disk.sync(&tempfile::tempfile().unwrap(), what).unwrap();
        }
    }
}
