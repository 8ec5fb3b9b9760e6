//! Rohrpost, the pneumatic post: a messenger without a middle.
//!
//! The modules stand in the order of their layers; each may use only what `docs/architecture.md`
//! lists for it, and `tests/layers.rs` holds them to it.

#[cfg(feature = "app")]
pub mod api;
pub mod base;
#[cfg(feature = "app")]
pub mod cli;
#[cfg(feature = "app")]
pub mod client;
pub mod crypto;
pub mod envelope;
pub mod identity;
#[cfg(feature = "net")]
pub mod net;
#[cfg(feature = "app")]
pub mod node;
pub mod store;
