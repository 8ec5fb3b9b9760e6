//! What is known of our place in the network.

use crate::base::{PeerId, WallTime};

/// What a router on the local network has granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum UpnpStatus {
    /// It is not asked.
    #[default]
    Off,
    /// None has answered yet.
    Searching,
    /// It forwards this address (a multiaddress in textual form) to us.
    Mapped(String),
    /// None answers.
    NotFound,
    /// It is itself behind another one.
    NonRoutable,
}

/// A relay on which others can reach us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayStatus {
    /// Whose it is.
    pub peer: PeerId,
    /// Our address there, ending in `/p2p-circuit`.
    pub addr: String,
    /// Since when.
    pub since: WallTime,
}

/// What others use our own relay for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RelayService {
    /// Peers who can be reached through us.
    pub reservations: usize,
    /// Circuits that stand.
    pub circuits: usize,
}
