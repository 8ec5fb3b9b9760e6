//! Published and own test vectors, one module each.

mod mimi;
