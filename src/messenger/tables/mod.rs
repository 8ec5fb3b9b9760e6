//! The tables of the messenger, one subject per file: what a row says, how its key is made and
//! under which key it is sealed. IDs are never reused.
//!
//! They live here and not in `store`, because rows hold sessions, prekeys and identifiers of the
//! layers above it; `store` is the engine and knows no row.

mod boxes;
mod contacts;
mod conversations;
mod every;
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
#[cfg(test)]
pub(super) use every::every_table;
pub use every::{discard_unsound, unsound};
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
pub use profile::{Clocks, ElsewhereRow, Profile, ProfileRow};
pub use requests::{HeldMessage, RequestRow, Requests, StrangerRow, Strangers};

use crate::store::RowKey;

/// The key of what is named by a number, and nothing else.
pub fn numbered(number: u64) -> RowKey {
    RowKey::new().u64(number)
}

/// A key that goes on with bytes in clear, eight at a time.
fn in_clear(key: RowKey, bytes: &[u8]) -> RowKey {
    bytes.as_chunks::<8>().0.iter().fold(key, |key, part| key.u64(u64::from_be_bytes(*part)))
}

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
