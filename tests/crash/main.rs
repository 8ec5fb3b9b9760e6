//! Death in the middle of a conversation, and the cutting of the power.
//!
//! Two real nodes write to each other on loopback; one of them, or both, die: at a failpoint (with the feature
//! `failpoints`), between two operations on their disk, or at some line of their output. All writing goes through a
//! shim (`shim.c`) that keeps a journal, so that the test can put a disk in the place of the profile that has forgotten
//! what was not synced. Then nothing that was acknowledged may be missing.
//!
//! A seed decides what is tried; when exactly something happens the machine decides. `ROHRPOST_TEST_SCALE` multiplies
//! the number of seeds, `ROHRPOST_TEST_SEED` is the first. What is left of a round that failed is kept, and said where.

// Test code: what goes wrong has to stop the run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
// A test binary has no other crate to be reached from.
#![allow(unreachable_pub)]

mod calls;
mod check;
mod dice;
mod disk;
mod init;
mod model;
#[allow(dead_code, reason = "the tests of processes use all of it")]
#[path = "../process/node.rs"]
mod node;
mod pair;
#[allow(dead_code, reason = "the tests of processes use all of it")]
#[path = "../process/person.rs"]
mod person;
#[cfg(feature = "failpoints")]
mod points;
mod rounds;
mod shim;
mod side;
