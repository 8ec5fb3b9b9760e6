//! The program as it is run: real processes, real sockets on loopback, real signals, real kills.
//!
//! Nothing here sleeps: a test waits for the line `ready`, for an event, for the answer to a call, or for the end of a
//! process. A watchdog kills a process that does not get there; it never decides how a test goes on.

// Test code: what goes wrong has to stop the run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
// A test binary has no other crate to be reached from.
#![allow(unreachable_pub)]

mod alone;
mod bots;
mod clocks;
mod complete;
mod crashes;
mod flood;
mod crowd;
mod dht;
mod disk;
mod editor;
mod forgetting;
mod found;
mod hostile;
mod liar;
mod interrupts;
mod load;
mod local;
mod names;
mod node;
mod offline;
mod openrpc;
mod outcomes;
mod owners;
mod person;
mod quic;
mod secrets;
mod service;
mod socket;
mod recovery;
mod refusing;
mod stories;
mod telling;
mod shares;
mod stranger;
mod strangers;
mod terminal;
mod twins;
mod wire;
