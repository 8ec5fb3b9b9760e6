//! Older stores brought up to the present form, one step after another.
//!
//! To change the form of stored rows: append a step here. It runs once, in one commit together with the new schema
//! number, before anybody reads. Steps are never removed or changed.

use super::meta::OLDEST;
use super::{StoreError, WriteBuffer};
use crate::base::CryptoRng;

/// Brings a store from one schema to the next.
pub(super) struct Migration {
    /// For the log.
    pub(super) name: &'static str,
    /// Writes what has to change.
    pub(super) run: fn(&mut WriteBuffer, &mut dyn CryptoRng) -> Result<(), StoreError>,
}

/// All steps: the first leads from [`OLDEST`] to the schema after it.
pub(super) const MIGRATIONS: &[Migration] = &[];

/// The schema after these steps.
pub(super) fn schema_after(migrations: &[Migration]) -> u32 {
    u32::try_from(migrations.len()).unwrap_or(u32::MAX).saturating_add(OLDEST)
}
