//! Message IDs as people see and type them: without what all of them begin with, and no longer than it takes.

use crate::base::MessageId;
use crate::messenger::tables::{MessageIndex, indexed};
use crate::store::{Rows, Scan, StoreError};

/// The digits that all IDs begin with: the number of the hash (CON-10).
const OF_ALL: &str = "01";
/// So many digits are shown at least: what is noted down today is to be good for the messages of tomorrow, too.
const SHORTEST: usize = 6;

/// The beginnings of whole IDs that digits can stand for: they may be such a beginning, or one without what all begin with.
pub(super) fn beginnings(digits: &str) -> [String; 2] {
    [digits.to_owned(), format!("{OF_ALL}{digits}")]
}

/// The least digits by which a message, and no other one of the profile, is meant.
///
/// # Errors
/// Those of the store.
pub fn short_id(rows: &impl Rows, id: &MessageId) -> Result<String, StoreError> {
    let whole = id.to_string();
    let Some(digits) = whole.strip_prefix(OF_ALL) else { return Ok(whole) };
    let shared = shared(rows, id, id.as_bytes(), &whole)?.saturating_sub(OF_ALL.len());
    // Such digits could be the beginning of a whole ID, too.
    let shared = match digits.strip_prefix(OF_ALL) {
        Some(_) => shared.max(self::shared(rows, id, id.as_bytes().get(1..).unwrap_or_default(), digits)?),
        None => shared,
    };
    Ok(digits.chars().take(SHORTEST.max(shared + 1)).collect())
}

/// How many digits the other IDs share with these at most. Keys are in the order of the IDs: it is a neighbour that shares most.
fn shared(rows: &impl Rows, id: &MessageId, bytes: &[u8], digits: &str) -> Result<usize, StoreError> {
    let mut most = 0;
    for scan in [Scan::all().from_bytes(bytes), Scan::all().to_bytes(bytes).reverse()] {
        let near = rows.scan_sound::<MessageIndex>(&scan.limit(2))?.0;
        let near = near.iter().filter_map(|(key, _)| indexed(key)).find(|near| near != id);
        let near = near.map_or_else(String::new, |near| near.to_string());
        most = most.max(near.chars().zip(digits.chars()).take_while(|(one, other)| one == other).count());
    }
    Ok(most)
}

#[cfg(test)]
mod tests;
