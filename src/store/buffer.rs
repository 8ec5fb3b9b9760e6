//! The write buffer: everything one commit will change, visible to its own reads.

use super::{KeyId, RowKey, Rows, Scan, Store, StoreError, Table};
use crate::base::CryptoRng;

/// Changes over committed rows. Dropping it forgets them.
pub struct WriteBuffer {
    #[expect(dead_code, reason = "signatures first")]
    pub(super) store: Store,
}

/// A point in a [`WriteBuffer`] to come back to.
#[derive(Debug)]
#[must_use]
pub struct Savepoint {
    _mark: usize,
}

impl WriteBuffer {
    /// Writes a row of a table whose rows are under the Root or the State key.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`]; [`StoreError::Fault`] for a table whose rows need a given key.
    pub fn put<T: Table>(&mut self, _key: &RowKey, _row: &T::Row) -> Result<(), StoreError> {
        todo!()
    }

    /// Writes a row under an erasable key.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`]; [`StoreError::Fault`] when there is no such key, or the table takes none.
    pub fn put_under<T: Table>(&mut self, _key: &RowKey, _under: KeyId, _row: &T::Row) -> Result<(), StoreError> {
        todo!()
    }

    /// Removes a row, if it is there.
    pub fn delete<T: Table>(&mut self, _key: &RowKey) {
        todo!()
    }

    /// A new erasable key; it becomes durable before the first row under it.
    pub fn create_key(&mut self, _rng: &mut dyn CryptoRng) -> KeyId {
        todo!()
    }

    /// Erases a key: after the commit nothing on the disk opens the rows under it, and they count as absent.
    pub fn destroy_key(&mut self, _key: KeyId) {
        todo!()
    }

    /// Whether a key can still seal rows.
    pub fn has_key(&self, _key: KeyId) -> bool {
        todo!()
    }

    /// Marks the present state.
    pub fn savepoint(&mut self) -> Savepoint {
        todo!()
    }

    /// Undoes everything since `to`.
    pub fn rollback(&mut self, _to: Savepoint) {
        todo!()
    }

    /// Whether a commit would change anything.
    pub fn is_empty(&self) -> bool {
        todo!()
    }
}

impl Rows for WriteBuffer {
    fn get<T: Table>(&self, _key: &RowKey) -> Result<Option<T::Row>, StoreError> {
        todo!()
    }

    fn scan<T: Table>(&self, _scan: &Scan) -> Result<Vec<(Vec<u8>, T::Row)>, StoreError> {
        todo!()
    }

    fn count<T: Table>(&self, _scan: &Scan) -> Result<u64, StoreError> {
        todo!()
    }

    fn contains<T: Table>(&self, _key: &RowKey) -> Result<bool, StoreError> {
        todo!()
    }
}
