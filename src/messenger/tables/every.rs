//! What is done with every table there is.

use crate::store::{Rows, Scan, StoreError, Table, WriteBuffer};

use super::{
    BoxCards, BoxPrekeys, BoxTokens, BoxedPrekeys, Boxes, CardKeysTable, Cards, ClientIdQueue, ClientIds, Clocks,
    Conversations, DepositBodies, DepositMarks, Deposits, EnvelopeMarks, Events, GivenTokens, Hours, KnownPeers, Late,
    MailServices, MailTotals, MarkQueue, MessageIndex, Messages, Offers, OneTimeTable, Outbox, OwnBoxes, Peers,
    PrekeyMarks, Profile, Queues, Reaches, Recent, Requests, SendingChains, Sessions, Slots, States, Strangers, Timed,
    Tombs, VoidTags,
};

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
            Requests Strangers
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
