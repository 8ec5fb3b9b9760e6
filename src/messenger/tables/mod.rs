//! The tables of the messenger, one subject per file: what a row says, how its key is made and
//! under which key it is sealed. IDs are never reused.
//!
//! They live here and not in `store`, because rows hold sessions, prekeys and identifiers of the
//! layers above it; `store` is the engine and knows no row.

mod boxes;
mod contacts;
mod conversations;
mod forgetting;
mod keys;
mod log;
mod mailbox;
mod marks;
mod outbox;
mod profile;
mod requests;

pub use boxes::{
    BoxedPrekeys, GivenTokenRow, GivenTokens, KnownPeers, LOST_KEY, OfferRow, Offered, Offers, OwnBoxRow, OwnBoxes,
    QueueRow, Queues, ReachRow, Reaches, VoidTags,
};
pub use contacts::{CardRow, Cards, Contact, PeerRow, Peers, peer_key};
pub use conversations::{
    ConversationRow, Conversations, IndexRow, Late, MessageIndex, MessageRow, Messages, Recent, Slot, Slots, StateRow,
    States, index_key, indexed, kept_of, message_key, room_key,
};
pub use forgetting::{
    HourRow, Hours, Timed, TimedRow, Tomb, TombRow, Tombs, WAITING, hour_of, in_hour, time_of, timed_key, tomb_key,
};
pub use keys::{CardKeysRow, CardKeysTable, OneTimeRow, OneTimeTable, SendingChains, Sessions, session_key};
pub use log::{ClientIdQueue, ClientIdRow, ClientIds, Events, EventsRow, client_id_key};
pub use mailbox::{
    BoxCardRow, BoxCards, BoxPrekeyRow, BoxPrekeys, BoxRow, BoxTokenRow, BoxTokens, Boxes, DepositBodies, DepositBody,
    DepositMarks, DepositRow, Deposits, MailServices, MailTotals, Room, TotalsRow, in_box, of_box, tagged,
};
pub use marks::{EnvelopeMarks, MarkQueue, PrekeyMarks, QueuedMark, QueuedMarks, mark_key, mark_of, prekey_mark_key};
pub use outbox::{OutKind, OutRow, Outbox, Way, outbox_key};
pub use profile::{Clocks, Profile, ProfileRow};
pub use requests::{HeldMessage, RequestRow, Requests, StrangerRow, Strangers};

use crate::store::{RowKey, Rows, Scan, StoreError, Table, WriteBuffer};

/// The key of what is named by a number, and nothing else.
pub fn numbered(number: u64) -> RowKey {
    RowKey::new().u64(number)
}

/// A key that goes on with bytes in clear, eight at a time.
fn in_clear(key: RowKey, bytes: &[u8]) -> RowKey {
    bytes.as_chunks::<8>().0.iter().fold(key, |key, part| key.u64(u64::from_be_bytes(*part)))
}

/// Does something with every table there is.
macro_rules! every_table {
    ($each:ident) => {
        $each! {
            BoxedPrekeys GivenTokens KnownPeers Offers OwnBoxes Queues Reaches VoidTags
            Cards Peers
            Conversations Late MessageIndex Messages Recent Slots States
            Hours Timed Tombs
            CardKeysTable OneTimeTable SendingChains Sessions
            ClientIdQueue ClientIds Events
            BoxCards BoxPrekeys BoxTokens Boxes DepositBodies DepositMarks Deposits MailServices MailTotals
            EnvelopeMarks MarkQueue PrekeyMarks
            Outbox
            Clocks Profile
            Requests
        }
    };
}

/// How many rows do not open, by the name of their table; tables that are sound are left out.
///
/// # Errors
/// Those of the disk.
pub fn unsound(rows: &impl Rows) -> Result<Vec<(&'static str, u64)>, StoreError> {
    macro_rules! count {
        ($($table:ident)*) => { vec![$((<$table as Table>::NAME, rows.count_unsound::<$table>(&Scan::all())?)),*] };
    }
    let mut counted = every_table!(count);
    counted.retain(|(_, unsound)| *unsound > 0);
    Ok(counted)
}

/// Removes the rows that do not open; says how many.
///
/// # Errors
/// Those of the disk.
pub fn discard_unsound(rows: &mut WriteBuffer) -> Result<u64, StoreError> {
    macro_rules! discard {
        ($($table:ident)*) => { 0 $(+ rows.discard_unsound::<$table>()?)* };
    }
    Ok(every_table!(discard))
}

#[cfg(test)]
pub(in crate::messenger) use every_table;

/// Declares tables: their types, numbers, protection and rows.
macro_rules! table {
    ($($(#[$doc:meta])* $name:ident = $id:literal, $under:ident, $row:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub struct $name;

        impl crate::store::Table for $name {
            const ID: u8 = $id;
            const NAME: &'static str = stringify!($name);
            const UNDER: crate::store::Under = crate::store::Under::$under;
            type Row = $row;
        }
    )*};
}
use table;

#[cfg(test)]
mod tests;
