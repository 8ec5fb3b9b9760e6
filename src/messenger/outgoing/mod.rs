//! The outgoing envelope: one row of the outbox on its way, as a state machine without a store, a clock or a network
//! (docs/outgoing.md has its tables).
//!
//! [`step()`] says what becomes of one envelope when something happens to it; [`Outgoing`] is the index of what waits for
//! peers, derived from rows, so that deciding reads none; [`next`] says what of it may go. Who connects, seals, asks
//! mailboxes and writes rows is not decided here (`deliver`, `seal`, `post`).

#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzzing;
mod index;
pub(super) mod next;
mod step;

pub(super) use index::Outgoing;
pub(super) use next::Gate;
pub(super) use step::{Answered, Deposit, Effect, Happening, Letter, Sealed, Stage, What, step};

#[cfg(test)]
mod tests;
