//! The mailbox protocol: `serve` takes questions of others to the node, which `desk` keeps until they are
//! answered, within what `gate` allows; `ask` puts ours, as
//! ourselves, and `courier` puts those that must not name us; `wire` reads and writes both (docs/protocol/mailbox.md).
//!
//! On streams of our own behaviour, like envelopes: so it is known before the first byte who asks and from where, and a
//! question goes over the preferred connection.

pub(super) mod ask;
pub(super) mod courier;
pub(super) mod desk;
mod gate;
pub(super) mod serve;
pub(super) mod wire;
