//! What a desk does for an envelope, counted: however long it takes, it takes as long whatever the sender is.

use std::collections::BTreeMap;

use crate::crypto::operations;
use crate::messenger::tables::{Cards, Events, Hours, Peers, Requests, Timed, Tombs};
use crate::store::{Table, reads_by_table};

/// Tables that are asked when something is held, which is not hidden: what is held is written.
const HOLDING: [u8; 6] = [Cards::ID, Events::ID, Timed::ID, Hours::ID, Tombs::ID, Requests::ID];

/// What was asked of the store and how many rows were opened, by table; and operations with keys.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Work {
    reads: BTreeMap<u8, [u64; 2]>,
    operations: u64,
}

impl Work {
    /// What this takes.
    pub(super) fn of<T>(act: impl FnOnce() -> T) -> (T, Self) {
        let (before, operations_before) = (reads_by_table(), operations());
        let done = act();
        let (mut reads, operations) = (reads_by_table(), operations() - operations_before);
        for (table, count) in &mut reads {
            let [asked, opened] = before.get(table).copied().unwrap_or_default();
            // A row of the sender is there or not.
            *count = [count[0] - asked, if *table == Peers::ID { 0 } else { count[1] - opened }];
        }
        reads.retain(|table, count| !HOLDING.contains(table) && *count != [0, 0]);
        (done, Self { reads, operations })
    }
}
