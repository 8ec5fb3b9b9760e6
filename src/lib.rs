//! Rohrpost, the pneumatic post: a messenger without a middle.
//!
//! The modules stand in the order of their layers; each may use only what `docs/architecture.md`
//! lists for it, and `tests/layers.rs` holds them to it.

pub mod base;
pub mod crypto;
pub mod identity;
pub mod content;
pub mod envelope;
pub mod session;
pub mod group;
pub mod store;
pub mod messenger;
#[cfg(feature = "net")]
pub mod net;
#[cfg(feature = "api")]
pub mod api;
#[cfg(feature = "app")]
pub mod node;
#[cfg(feature = "app")]
pub mod client;
#[cfg(feature = "app")]
pub mod cli;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
