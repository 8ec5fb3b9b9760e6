//! Panics made on purpose, on the thread of a test.

use std::cell::Cell;

/// Where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Fault {
    /// In a handler, where it is contained.
    Handler,
    /// In the task of a connection, which ends.
    Task,
}

thread_local! {
    /// The dice, and one in how many calls panics, of each kind; 0: none.
    static ODDS: Cell<(u64, u64, u64)> = const { Cell::new((1, 0, 0)) };
}

/// From now on one in so many calls panics.
pub(in crate::net) fn set(seed: u64, handler: u64, task: u64) {
    ODDS.set((seed.max(1), handler, task));
}

/// Panics, or not.
pub(super) fn strike(fault: Fault) {
    let (mut dice, handler, task) = ODDS.get();
    let odds = if fault == Fault::Handler { handler } else { task };
    if odds == 0 {
        return;
    }
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    ODDS.set((dice, handler, task));
    assert!(dice % odds != 0, "a panic on purpose: {fault:?}");
}
