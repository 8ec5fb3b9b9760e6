//! What the store holds: its own files and rows, and the rows of the messenger's tables.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Bytes, rng};
use crate::base::limits::MAX_VALUE;
use crate::messenger::tables as t;
use crate::session::Session;
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
            // By its number; what is none stands for one, too.
            let table = bytes.u8();
            let any = &ROWS[usize::from(table) % ROWS.len()];
            let (_, row) = ROWS.iter().find(|(id, _)| *id == table).unwrap_or(any);
            row(bytes.0)
        }
    }
}

/// The number of a table, and what its rows go through.
type RowTarget = (u8, fn(&[u8]) -> bool);

/// The rows of all tables, in the order of their numbers.
const ROWS: &[RowTarget] = &[
    (t::Profile::ID, row::<t::Profile>),
    (t::Peers::ID, row::<t::Peers>),
    (t::Cards::ID, row::<t::Cards>),
    (t::Conversations::ID, row::<t::Conversations>),
    (t::Recent::ID, row::<t::Recent>),
    (t::Messages::ID, row::<t::Messages>),
    (t::MessageIndex::ID, row::<t::MessageIndex>),
    (t::Hours::ID, row::<t::Hours>),
    (t::Timed::ID, row::<t::Timed>),
    (t::Tombs::ID, row::<t::Tombs>),
    (t::States::ID, row::<t::States>),
    (t::Late::ID, row::<t::Late>),
    (t::Sessions::ID, sessions),
    (t::CardKeysTable::ID, row::<t::CardKeysTable>),
    (t::OneTimeTable::ID, row::<t::OneTimeTable>),
    (t::Events::ID, row::<t::Events>),
    (t::ClientIds::ID, row::<t::ClientIds>),
    (t::ClientIdQueue::ID, row::<t::ClientIdQueue>),
    (t::EnvelopeMarks::ID, row::<t::EnvelopeMarks>),
    (t::MarkQueue::ID, row::<t::MarkQueue>),
    (t::PrekeyMarks::ID, row::<t::PrekeyMarks>),
    (t::Outbox::ID, row::<t::Outbox>),
    (t::SendingChains::ID, row::<t::SendingChains>),
    (t::Requests::ID, row::<t::Requests>),
    (t::Strangers::ID, row::<t::Strangers>),
    (t::MailServices::ID, row::<t::MailServices>),
    (t::MailTotals::ID, row::<t::MailTotals>),
    (t::Boxes::ID, row::<t::Boxes>),
    (t::BoxCards::ID, row::<t::BoxCards>),
    (t::BoxPrekeys::ID, row::<t::BoxPrekeys>),
    (t::BoxTokens::ID, row::<t::BoxTokens>),
    (t::Deposits::ID, row::<t::Deposits>),
    (t::DepositBodies::ID, row::<t::DepositBodies>),
    (t::DepositMarks::ID, row::<t::DepositMarks>),
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

/// A session that nobody has written is of no use, but is used without a panic.
fn sessions(bytes: &[u8]) -> bool {
    let Some(row) = comes_back::<Session>(bytes) else { return false };
    super::interaction::use_row(row);
    true
}
