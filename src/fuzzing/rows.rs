//! What the store holds: its own files and rows, and the rows of the messenger's tables.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Bytes, rng};
use crate::base::limits::MAX_VALUE;
use crate::messenger::tables as t;
use crate::session::SessionSet;
use crate::store::{Table, fuzzing as files};

/// A row, a value, the store's own row, a file of keys, the mark, or a row of a table.
pub(super) fn store(bytes: &[u8]) -> bool {
    let mut bytes = Bytes(bytes);
    match bytes.u8() % 7 {
        0 => files::row(bytes.0),
        1 => {
            let change = (bytes.u8(), bytes.u16(), bytes.u8());
            let times = usize::from(bytes.u8());
            let value = bytes.0.repeat(times);
            value.len() <= MAX_VALUE && files::value(&value, change, &mut rng())
        }
        2 => files::meta(bytes.0, &mut rng()),
        3 => files::key_file(bytes.0, false, &mut rng()),
        4 => files::key_file(bytes.0, true, &mut rng()),
        5 => files::witness(bytes.0),
        _ => {
            let table = usize::from(bytes.u8()) % ROWS.len();
            ROWS[table](bytes.0)
        }
    }
}

/// The rows of all tables; later ones at the end, because the corpora hold places in this list.
const ROWS: &[fn(&[u8]) -> bool] = &[
    row::<t::Profile>,
    row::<t::Peers>,
    row::<t::Cards>,
    row::<t::Conversations>,
    row::<t::Recent>,
    row::<t::Messages>,
    row::<t::MessageIndex>,
    sessions,
    row::<t::CardKeysTable>,
    row::<t::OneTimeTable>,
    row::<t::Events>,
    row::<t::ClientIds>,
    row::<t::ClientIdQueue>,
    row::<t::EnvelopeMarks>,
    row::<t::MarkQueue>,
    row::<t::PrekeyMarks>,
    row::<t::Outbox>,
    row::<t::OutControls>,
    row::<t::Requests>,
    row::<t::Hours>,
    row::<t::Timed>,
    row::<t::Tombs>,
    row::<t::OutMessages>,
];

fn row<T: Table>(bytes: &[u8]) -> bool {
    comes_back::<T::Row>(bytes).is_some()
}

/// What was read is written and read again without a change.
fn comes_back<R: Serialize + DeserializeOwned>(bytes: &[u8]) -> Option<R> {
    let row: R = postcard::from_bytes(bytes).ok()?;
    let written = postcard::to_allocvec(&row).expect("was read");
    let again: R = postcard::from_bytes(&written).expect("was written here");
    assert_eq!(postcard::to_allocvec(&again).expect("was read"), written);
    Some(row)
}

/// A row of sessions that nobody has written is of no use, but is used without a panic.
fn sessions(bytes: &[u8]) -> bool {
    let Some(mut set) = comes_back::<SessionSet>(bytes) else { return false };
    super::interaction::use_row(&mut set);
    true
}
