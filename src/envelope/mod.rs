//! What travels between two nodes.

pub mod exchange;
pub mod frame;
