//! What is known of our place in the network.

use crate::base::{PeerId, WallTime};

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
