//! Behind which kind of router we are, and how we are reached all the same.
//!
//! - `status` is what is told of it.

pub(super) mod status;
