//! What time it is for who looks.

use crate::base::WallTime;
use crate::messenger::clock::ClockRow;
use crate::messenger::tables::Clocks;
use crate::store::{RowKey, Rows, StoreError};

/// The profile's clock when the wall clock stands here.
///
/// # Errors
/// Those of the store, as with all questions.
pub fn clock(rows: &impl Rows, wall: WallTime) -> Result<ClockRow, StoreError> {
    Ok(rows.get_sound::<Clocks>(&RowKey::new())?.map_or_else(|| ClockRow::new(wall), |row| row.at(wall)))
}
