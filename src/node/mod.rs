//! The wiring: the only room that knows the store, the messenger, the network and tokio at once.
//!
//! ```text
//! socket ── server ── connection ── dispatch ── core ─┐ user
//!                                                      ├── lanes ── engine (a thread: messenger and store)
//! net ── contacts, strangers ──────────────────────────┘               │
//!  ▲                                                                   │
//!  └──────────────────────────── carry ◄───────────────────────────────┘ outputs, after the commit
//! ```
//!
//! Owns the clocks, the system's randomness, the one timer, the socket and the shutdown; no rule of the messenger and
//! no byte of a protocol.

mod addresses;
mod carry;
mod clock;
mod config;
mod connection;
mod core;
mod dispatch;
mod doctor;
mod engine;
mod errors;
mod find;
mod lanes;
mod metrics;
mod news;
mod place;
mod profile;
mod random;
mod recover;
mod run;
mod server;
mod service;
mod signals;
mod socket;
mod upkeep;
mod views;
mod whereabouts;

pub use config::{From, RunOptions, Setting, Tapping};
pub use place::Place;
pub use profile::{Ask, Person, Work, beside, change_passphrase, create, exists, needs_passphrase, unlock};
pub use recover::recover;
pub use signals::{Defaults, defaults, is_ignored};

pub(crate) use dispatch::Dispatcher;
pub(crate) use doctor::doctor;
pub(crate) use find::{Found, SILENCE, connect, find, holder};
pub(crate) use news::News;
pub(crate) use profile::{Profile, lock};
pub(crate) use run::{Local, Node};
pub(crate) use signals::Signals;

pub(crate) use crate::store::ProfileLock as Lock;

pub use crate::crypto::password::Passphrase;
