//! Published and own test vectors, one module per subject; each asserts how many vectors it ran,
//! so that an empty run fails.

// Test code: a vector that cannot be read has to stop the run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod envelope;
mod group;
mod mimi;
mod network;
mod primitives;
mod session;
mod values;
