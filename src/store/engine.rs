//! The store itself.

use std::path::Path;
use std::sync::Arc;

use super::{Reader, StoreError, WriteBuffer};
use crate::base::{CryptoRng, Millis, Now, Secret};

/// An open store. Clones share it.
#[derive(Clone)]
pub struct Store {
    _inner: Arc<()>,
}

impl Store {
    /// Opens the store in the profile folder `dir`, or makes one if there is no trace of one.
    ///
    /// # Errors
    /// See [`StoreError`]; a store of which files are missing is [`StoreError::Damaged`], never an empty one.
    pub fn open(_dir: &Path, _key: &Secret<32>, _rng: &mut dyn CryptoRng, _now: Now) -> Result<Self, StoreError> {
        todo!()
    }

    /// As [`Store::open`], but a store that is not there is [`StoreError::Damaged`]: for a profile that had one.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_existing(
        _dir: &Path,
        _key: &Secret<32>,
        _rng: &mut dyn CryptoRng,
        _now: Now,
    ) -> Result<Self, StoreError> {
        todo!()
    }

    /// A view of committed rows, for any thread.
    pub fn reader(&self) -> Reader {
        Reader { store: self.clone() }
    }

    /// An empty write buffer.
    pub fn begin(&self) -> WriteBuffer {
        WriteBuffer { store: self.clone() }
    }

    /// Makes the buffer's changes durable, all or none.
    ///
    /// # Errors
    /// See [`StoreError`]. After any error the store is closed: drop what is in memory and open it again.
    pub fn commit(&self, _buffer: WriteBuffer, _rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        todo!()
    }

    /// Replaces the State key: live rows are sealed again under a fresh key, then the old one is destroyed.
    ///
    /// # Errors
    /// As [`Store::commit`].
    pub fn renew_state_key(&self, _rng: &mut dyn CryptoRng, _now: Now) -> Result<(), StoreError> {
        todo!()
    }

    /// How old the State key is.
    pub fn state_key_age(&self, _now: Now) -> Millis {
        todo!()
    }

    /// Closes the database now, for all clones. Dropping the last clone does the same.
    pub fn close(&self) {
        todo!()
    }
}
