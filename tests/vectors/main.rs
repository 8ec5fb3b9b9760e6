//! Published and own test vectors, one module each.

// Clippy knows test functions, but not that the helpers beside them are tests, too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod envelope;
mod mimi;
