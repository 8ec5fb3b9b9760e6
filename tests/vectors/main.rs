//! Published and own test vectors, one module each.

mod envelope;
mod mimi;
