//! The store itself: what its parts share, and the ways in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::StoreError;
use super::frozen::Backing;
use super::key::KeyId;
use super::keyfiles::KeyFiles;
use super::keyring::Keyring;
use super::mark::Mark;
use super::meta::{Meta, Totals};
use super::secrets::Secrets;

/// An open store. Clones share it.
#[derive(Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

impl Store {
    /// How many rows were put and deleted since the store was opened, by table; the engine's own row left out, which goes with
    /// every commit.
    pub fn written(&self) -> BTreeMap<u8, u64> {
        self.inner.writer().written.clone()
    }

    /// Why nothing can be written, if this one can only be read.
    pub fn frozen(&self) -> Option<StoreError> {
        self.inner.frozen()
    }

    /// Closes the database now, for all clones and readers. Dropping the last of them does the same.
    pub fn close(&self) {
        self.inner.shut("it was closed".to_owned());
    }
}

/// What the parts of an open store share.
pub(super) struct Inner {
    /// The profile folder.
    pub(super) dir: PathBuf,
    pub(super) secrets: Secrets,
    /// What readers need. Held for writing while a commit becomes durable, so that nobody sees half of one, or one
    /// that a power cut could undo.
    view: RwLock<View>,
    /// What a commit needs; taken before the view.
    writer: Mutex<Writer>,
}

/// What readers see: the store works, or what closed it.
pub(super) struct View(Result<Box<Opened>, StoreError>);

/// Rows, and the keys that open them.
pub(super) struct Opened {
    pub(super) database: Backing,
    pub(super) keyring: Keyring,
}

/// What the committing side keeps.
pub(super) struct Writer {
    pub(super) schema: u32,
    pub(super) meta: Meta,
    pub(super) key_files: KeyFiles,
    pub(super) mark: Mark,
    /// Keys that rows name as doomed, though they are in neither key file any more: the next commit removes the rows.
    pub(super) doomed: Vec<KeyId>,
    /// The commit after which all rows were last found to be there.
    pub(super) checked: u64,
    /// A count of the rows that is under way.
    pub(super) count: Option<Count>,
    /// Where the next sweep begins.
    pub(super) swept: Vec<u8>,
    /// Rows put and deleted, by table.
    pub(super) written: BTreeMap<u8, u64>,
}

/// A count of the rows, in several steps between commits.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    /// Rows below this key were counted.
    pub(super) upto: Vec<u8>,
    /// What they amount to, kept up to date with commits.
    pub(super) totals: Totals,
}

impl View {
    pub(super) fn opened(&self) -> Result<&Opened, StoreError> {
        self.0.as_deref().map_err(Clone::clone)
    }

    pub(super) fn opened_mut(&mut self) -> Result<&mut Opened, StoreError> {
        self.0.as_deref_mut().map_err(|closed| closed.clone())
    }
}

impl Inner {
    pub(super) fn new(dir: &Path, secrets: Secrets, opened: Opened, writer: Writer) -> Self {
        Self { dir: dir.to_owned(), secrets, view: RwLock::new(View(Ok(Box::new(opened)))), writer: Mutex::new(writer) }
    }

    pub(super) fn view(&self) -> RwLockReadGuard<'_, View> {
        self.view.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn view_mut(&self) -> RwLockWriteGuard<'_, View> {
        self.view.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic while it was held (in a row's own `Serialize`, say) happened before anything was written.
    pub(super) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is an erasable key that callers may use.
    pub(super) fn is_given(&self, id: KeyId) -> bool {
        self.view().opened().is_ok_and(|opened| opened.keyring.is_given(id))
    }

    /// Takes back keys that were taken and never used, the last one first.
    pub(super) fn give_back(&self, taken: impl IntoIterator<Item = KeyId>) {
        let mut taken = taken.into_iter().peekable();
        if taken.peek().is_some()
            && let Ok(opened) = self.view_mut().opened_mut()
        {
            taken.for_each(|id| opened.keyring.give_back(id));
        }
    }

    /// Why nothing can be written, if this one can only be read.
    pub(super) fn frozen(&self) -> Option<StoreError> {
        self.view().opened().ok().and_then(|opened| opened.database.frozen().cloned())
    }

    /// Closes the store for good, the database with it.
    pub(super) fn shut(&self, because: String) {
        let mut view = self.view_mut();
        // What closed it first is what a person wants to know.
        if view.0.is_ok() {
            view.0 = Err(StoreError::Poisoned { because });
        }
    }

    /// After an error in a commit nobody knows what is on the disk: nothing must go on from what is in memory.
    pub(super) fn failed(&self, error: StoreError) -> StoreError {
        // Of a store that can only be read nothing was changed.
        if self.frozen().is_none() && !matches!(error, StoreError::Poisoned { .. }) {
            tracing::error!(%error, "the store is closed");
            self.shut(error.to_string());
        }
        error
    }
}

#[cfg(test)]
mod tests;
