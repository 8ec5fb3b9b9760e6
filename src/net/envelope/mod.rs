//! The envelope protocol: one stream in each direction, each opened by the side that sends.
//!
//! `wire` reads and writes frames with deadlines, `ledger` keeps what was received and how it was
//! answered, `inbound` and `outbound` are the tasks, one of each kind per stream. They await the
//! lanes; a stream whose lane is full is not read, and so the peer feels it.

pub(super) mod inbound;
mod ledger;
pub(super) mod outbound;
#[cfg(test)]
mod testing;
mod wire;

pub(super) use self::ledger::Verdict;
