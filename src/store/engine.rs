//! The store itself: what its parts share, and the ways in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::frozen::Backing;
use super::key::KeyId;
use super::keyfiles::KeyFiles;
use super::keyring::Keyring;
use super::mark::Mark;
use super::meta::{Meta, Totals};
use super::open::{Options, open};
use super::secrets::Secrets;
use super::{Reader, StoreError, WriteBuffer};
use crate::base::{CryptoRng, Millis, Now, Secret};

/// An open store. Clones share it.
#[derive(Clone)]
pub struct Store {
    pub(super) inner: Arc<Inner>,
}

impl Store {
    /// Opens the store in the profile folder `dir`, or makes one if there is no trace of one.
    ///
    /// # Errors
    /// See [`StoreError`]; a store of which files are missing is [`StoreError::Damaged`], never an empty one.
    pub fn open(dir: &Path, key: &Secret<32>, rng: &mut dyn CryptoRng, now: Now) -> Result<Self, StoreError> {
        open(dir, key, rng, now, &Options::default())
    }

    /// As [`Store::open`], but a store that is not there is [`StoreError::Damaged`]: for a profile that had one.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_existing(dir: &Path, key: &Secret<32>, rng: &mut dyn CryptoRng, now: Now) -> Result<Self, StoreError> {
        open(dir, key, rng, now, &Options { existing: true, ..Options::default() })
    }

    /// A view of committed rows, for any thread.
    pub fn reader(&self) -> Reader {
        Reader { inner: Arc::clone(&self.inner) }
    }

    /// An empty write buffer.
    pub fn begin(&self) -> WriteBuffer {
        WriteBuffer::new(Arc::clone(&self.inner))
    }

    /// Makes the buffer's changes durable, all or none. Readers see them when they are.
    ///
    /// # Errors
    /// See [`StoreError`]. After any error the store is closed: drop what is in memory and open it again.
    pub fn commit(&self, buffer: WriteBuffer, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let (inner, overlay) = buffer.into_parts();
        if !Arc::ptr_eq(&inner, &self.inner) {
            return Err(StoreError::Fault("a write buffer of another store".to_owned()));
        }
        self.inner.commit(&overlay, rng)
    }

    /// Makes erasable keys ahead, when few are left: for when nobody waits, so that taking one writes no file.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn stock_keys(&self, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        let mut writer = self.inner.writer();
        self.inner.stock_keys(&mut writer, rng).map_err(|error| self.inner.failed(error))
    }

    /// Replaces the State key: live rows are sealed again under a fresh key, then the old one is destroyed.
    ///
    /// It is the only thing that makes yesterday's ratchets unreadable to the thief of the disk: to be called when
    /// [`Store::state_key_age`] says a day. A call that was interrupted is made up for by the next.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn renew_state_key(&self, rng: &mut dyn CryptoRng, now: Now) -> Result<(), StoreError> {
        self.inner.renew_state_key(rng, now)
    }

    /// How old the State key is: the oldest, while a renewal is not finished. Zero when the store is closed; a day when
    /// it was made in the future, because then the clock was wrong, and waiting for it would take too long.
    pub fn state_key_age(&self, now: Now) -> Millis {
        let view = self.inner.view();
        let made = view.opened().ok().and_then(|opened| opened.keyring.oldest_state());
        made.map_or(Millis(0), |made| if made > now.wall { Millis::from_days(1) } else { now.wall.since(made) })
    }

    /// How many rows were put and deleted since the store was opened, by table; the engine's own row left out, which goes with
    /// every commit.
    pub fn written(&self) -> BTreeMap<u8, u64> {
        self.inner.writer().written.clone()
    }

    /// Removes rows whose key was destroyed (they count as absent already) from the next `rows` rows, going round.
    /// Says whether it has come to the end.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn sweep(&self, rows: usize, rng: &mut dyn CryptoRng) -> Result<bool, StoreError> {
        self.inner.sweep(rows, rng)
    }

    /// Goes on counting whether all rows are there, by `rows` rows. Says whether that is done.
    ///
    /// A small store is counted when it is opened; for a large one this is to be called, now and then, until it says
    /// `true`: only then is it known that no damage to the disk has taken rows away unnoticed.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when rows are missing; the store is closed then.
    pub fn check(&self, rows: usize) -> Result<bool, StoreError> {
        self.inner.check(rows)
    }

    /// Why nothing can be written, if this one can only be read.
    pub fn frozen(&self) -> Option<StoreError> {
        self.inner.view().opened().ok().and_then(|opened| opened.database.frozen().cloned())
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

/// What readers see.
pub(super) enum View {
    /// The store works.
    Opened(Box<Opened>),
    /// It does not any more, because of this.
    Closed(String),
}

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
        match self {
            Self::Opened(opened) => Ok(opened),
            Self::Closed(because) => Err(StoreError::Poisoned { because: because.clone() }),
        }
    }

    pub(super) fn opened_mut(&mut self) -> Result<&mut Opened, StoreError> {
        match self {
            Self::Opened(opened) => Ok(opened),
            Self::Closed(because) => Err(StoreError::Poisoned { because: because.clone() }),
        }
    }
}

impl Inner {
    pub(super) fn new(dir: &Path, secrets: Secrets, opened: Opened, writer: Writer) -> Self {
        Self {
            dir: dir.to_owned(),
            secrets,
            view: RwLock::new(View::Opened(Box::new(opened))),
            writer: Mutex::new(writer),
        }
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

    /// How many commits there were, and the schema.
    pub(super) fn standing(&self) -> (u64, u32) {
        let writer = self.writer();
        (writer.meta.commits, writer.schema)
    }

    /// Whether this is an erasable key that callers may use.
    pub(super) fn is_given(&self, id: KeyId) -> bool {
        let view = self.view();
        view.opened().is_ok_and(|opened| opened.keyring.is_given(id))
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

    /// Closes the store for good.
    pub(super) fn shut(&self, because: String) {
        let mut view = self.view_mut();
        // What closed it first is what a person wants to know.
        if matches!(*view, View::Closed(_)) {
            return;
        }
        if let View::Opened(opened) = std::mem::replace(&mut *view, View::Closed(because)) {
            opened.database.close();
        }
    }

    /// After an error in a commit nobody knows what is on the disk: nothing must go on from what is in memory.
    pub(super) fn failed(&self, error: StoreError) -> StoreError {
        // Of a store that can only be read nothing was changed.
        let frozen = self.view().opened().is_ok_and(|opened| opened.database.frozen().is_some());
        if !frozen && !matches!(error, StoreError::Poisoned { .. }) {
            tracing::error!(%error, "the store is closed");
            self.shut(error.to_string());
        }
        error
    }
}

#[cfg(test)]
mod tests;
