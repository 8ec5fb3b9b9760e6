//! The wiring: the only room that knows the store, the messenger, the network and tokio at once.

mod config;
mod place;

pub use config::{Environment, RunOptions, Tap};
pub use place::Place;

pub use crate::crypto::password::Passphrase;
