//! What is known of our place in the network.

use crate::base::{PeerId, WallTime};

/// Whether peers can reach us without anybody's help.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reachability {
    /// Nobody has tried yet.
    #[default]
    Unknown,
    /// At least one of our external addresses was tried from outside, and answered.
    Public,
    /// None of those that were tried did.
    Private,
}

/// What stands between us and the internet, judged by the addresses under which several peers see us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NatKind {
    /// Too few peers have told.
    #[default]
    Unknown,
    /// Nothing: they see an address of this machine.
    None,
    /// All see the same address and our own port: holes can be punched.
    EndpointIndependent,
    /// All see the same address, but another port than our own: holes can be punched.
    PortChanging,
    /// Each sees another port: holes cannot be punched from here.
    Symmetric,
}

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
