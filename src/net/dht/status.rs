//! What is told of our part in the DHT.

/// Our part in the DHT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DhtStatus {
    /// Whether we hold records for others.
    pub server: bool,
    /// Peers in our routing table.
    pub peers: usize,
    /// Records that we hold.
    pub records: usize,
    /// Whether our own card stands there.
    pub published: bool,
}
