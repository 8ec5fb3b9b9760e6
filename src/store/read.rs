//! Reading committed rows.

use super::{RowKey, Rows, Scan, Store, StoreError, Table};

/// Sees committed rows only. Cheap to clone, for any thread.
#[derive(Clone)]
pub struct Reader {
    #[expect(dead_code, reason = "signatures first")]
    pub(super) store: Store,
}

impl Rows for Reader {
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
