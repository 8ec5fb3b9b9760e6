//! What can go wrong with the store, said so that a person knows what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::owner::{self, Alien};
use super::process::Process;
use crate::base::limits::MAX_VALUE;

/// Why the store refused.
///
/// Everything here is about this machine's disk, never about what a peer sent.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process works on this profile.
    #[error("this profile is in use{}", if *.process == Process::Unknown { String::new() } else { format!(" by {}", .process) })]
    Locked {
        /// Which one.
        process: Process,
    },
    /// Files are missing, torn or changed.
    #[error("the store is damaged: {what}")]
    Damaged {
        /// What was found.
        what: String,
    },
    /// No space, or the quota is used up.
    #[error("the disk is full")]
    Full,
    /// A newer version of the program wrote this store.
    #[error("this store was written by a newer version of rohrpost (format {found}, this version knows up to {known})")]
    TooNew {
        /// The format found.
        found: u32,
        /// The newest format this program knows.
        known: u32,
    },
    /// A version of the program from before the first release wrote this store.
    #[error(
        "this store was written by an older version of rohrpost (format {found}, this version reads from {oldest} on)"
    )]
    TooOld {
        /// The format found.
        found: u32,
        /// The oldest format this program reads.
        oldest: u32,
    },
    /// The store was sealed under another key.
    #[error("the key does not fit this store")]
    WrongKey,
    /// The file system does not allow writing.
    #[error("{} is on a read-only file system", .path.display())]
    ReadOnly {
        /// Where.
        path: PathBuf,
    },
    /// The permissions do not allow it.
    #[error("no permission for {}", .path.display())]
    Permission {
        /// Where.
        path: PathBuf,
    },
    /// The profile, or the folder in which it is to be, is another user's: nothing is made in it.
    #[error("{} belongs to the user {user}", .path.display())]
    OtherUser {
        /// Which folder.
        path: PathBuf,
        /// The user's name, or `#` and the number.
        user: String,
    },
    /// In a folder of this user lies a file of another one, which cannot be used: root made it, most often.
    #[error("{} belongs to the user {user}", .path.display())]
    NotOwn {
        /// Which file or folder.
        path: PathBuf,
        /// The other user's name, or `#` and the number.
        user: String,
        /// The same of this user.
        own: String,
        /// What is to be this user's again: the whole profile, if it is in one.
        lost: PathBuf,
    },
    /// A file stands where a folder is meant.
    #[error("{} is not a folder", .path.display())]
    NotAFolder {
        /// Which file.
        path: PathBuf,
    },
    /// The folder holds something else.
    #[error("{} is open to others and holds files that are not rohrpost's", .path.display())]
    Foreign {
        /// Which folder.
        path: PathBuf,
    },
    /// Where a new profile is to be, there are files.
    #[error("{} is there already, and is not a profile of rohrpost", .path.display())]
    Occupied {
        /// Which folder.
        path: PathBuf,
    },
    /// Any other error of the disk.
    #[error("{} failed: {source}", .path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// An earlier commit failed. What is in memory may be ahead of the disk: drop it, and open the store again.
    #[error("the store is closed after an error: {because}")]
    Poisoned {
        /// The error that closed it.
        because: String,
    },
    /// A value beyond `MAX_VALUE`.
    #[error("a value of {bytes} bytes is too large for the store (at most {MAX_VALUE})")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// A mistake of the program itself.
    #[error("fault in the store: {0}")]
    Fault(String),
}

impl StoreError {
    /// The way out, when there is one.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Locked { .. } => Some("wait until it has ended, or use another profile"),
            Self::Damaged { .. } => Some("copy the profile folder to a safe place, then try `rohrpost recover`"),
            Self::Full => Some("free some space on the disk and try again; nothing that was confirmed is lost"),
            Self::TooNew { .. } => Some("install the newer version of rohrpost"),
            Self::TooOld { .. } => {
                Some("nothing converts it: move the profile folder away and make a new profile with `rohrpost init`")
            }
            Self::WrongKey => {
                Some("the key file and the database belong to different profiles: put the right key file back")
            }
            Self::ReadOnly { .. } => Some("mount it writable, or choose another place with --data-dir"),
            Self::Permission { .. } => Some("the profile folder must belong to you and be writable"),
            Self::OtherUser { .. } => Some("run it as that user: `sudo -u USER rohrpost …`"),
            Self::NotOwn { .. } => Some("give it back to who runs this: `sudo chown -R USER PROFILE`"),
            Self::NotAFolder { .. } => Some("choose a folder with --data-dir"),
            Self::Foreign { .. } => Some("choose an empty folder, or one that only you can read, with --data-dir"),
            Self::Occupied { .. } => Some("move it away, or choose another place with --data-dir"),
            Self::Poisoned { .. } => Some("start the program again"),
            Self::Io { .. } | Self::TooLarge { .. } | Self::Fault(_) => None,
        }
    }

    /// Gives an error of the system the name a person understands.
    pub(crate) fn from_io(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { path: path.to_owned() },
            io::ErrorKind::PermissionDenied => {
                Self::not_own(path).unwrap_or_else(|| Self::Permission { path: path.to_owned() })
            }
            _ => Self::Io { path: path.to_owned(), source: Arc::new(source) },
        }
    }

    /// [`StoreError::NotOwn`], if at `path` or below it is a file of another user.
    pub fn not_own(path: &Path) -> Option<Self> {
        let Alien { path, user, lost } = owner::alien(path)?;
        Some(Self::NotOwn { path, user, own: owner::own_name(), lost })
    }

    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged { what: what.into() }
    }
}
