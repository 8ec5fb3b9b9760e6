//! The tables: what rows there are, one table per file.
//!
//! Table numbers 240 to 255 belong to the engine.
