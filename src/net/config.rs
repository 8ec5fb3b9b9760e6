//! What the network is given at start.

use tokio::sync::mpsc;

use crate::base::limits::MAX_PROCESS_MEMORY;
use crate::base::{PeerId, Secret};
use crate::envelope::border::{Class, Event};

/// How the network is started.
#[derive(Clone, Debug)]
pub struct NetConfig {
    /// The Ed25519 seed of the identity: the libp2p peer ID is its public key.
    pub identity: Secret<32>,
    /// Multiaddresses to listen on, in textual form; each must be had, or the start fails. Empty:
    /// [`NetConfig::DEFAULT_LISTEN`], of which those that this machine cannot have (no IPv6) are
    /// left out.
    pub listen: Vec<String>,
    /// Where it listened last time: the defaults take the ports of these again where they can be had, so that links
    /// given away stay good.
    pub before: Vec<String>,
    /// Whether to find, and be found by, peers of the local network.
    pub mdns: bool,
    /// Whether questions to our mailbox are taken: else the protocol is not offered, and nobody asks.
    pub serve_mailbox: bool,
    /// Whether we hold records of the DHT for others: `None` is by what is found out of our reachability, and no until
    /// then. To be forced where that finds nothing out: on one machine, or one network.
    pub dht_server: Option<bool>,
    /// Peers of the DHT that were good before ([`Event::KnownPeers`]), asked at start until the DHT is found again.
    pub known: Vec<(PeerId, Vec<String>)>,
    /// Peers whom the user has named, and where they are: they are dialled for ever, and first asked to be our relays.
    pub bootstrap: Vec<(PeerId, Vec<String>)>,
    /// Whether to be a relay for others.
    pub serve_relay: bool,
    /// Whether to ask the router for a way in.
    pub upnp: bool,
    /// Whether others can reach us without help. `None`: it is found out. `Some(true)`: every listen address counts
    /// as reachable at once; `Some(false)`: none ever does.
    pub public: Option<bool>,
    /// Resident memory of the process, in bytes, above which no connection is made or taken. To be raised where one process
    /// holds many networks.
    pub max_memory: usize,
    /// So many places are there for strangers.
    #[cfg(test)]
    pub(crate) strangers: Option<usize>,
    /// The network is said to be the internet, whatever the addresses are.
    #[cfg(test)]
    pub(crate) internet: bool,
}

impl NetConfig {
    /// For this identity: the default listeners, no mDNS, nobody known, nothing offered.
    pub const fn new(identity: Secret<32>) -> Self {
        Self {
            identity,
            listen: Vec::new(),
            before: Vec::new(),
            mdns: false,
            serve_mailbox: false,
            dht_server: None,
            known: Vec::new(),
            bootstrap: Vec::new(),
            serve_relay: false,
            upnp: false,
            public: None,
            max_memory: MAX_PROCESS_MEMORY,
            #[cfg(test)]
            strangers: None,
            #[cfg(test)]
            internet: false,
        }
    }

    /// Whether the user has said that this node is here for others.
    pub(super) fn serves(&self) -> bool {
        self.serve_relay || self.serve_mailbox || self.dht_server == Some(true) || self.public == Some(true)
    }

    /// Where a node listens when it is not told: every interface, on the port of last time or one of the system's choice.
    pub const DEFAULT_LISTEN: [&'static str; 4] =
        ["/ip4/0.0.0.0/udp/0/quic-v1", "/ip4/0.0.0.0/tcp/0", "/ip6/::/udp/0/quic-v1", "/ip6/::/tcp/0"];
}

/// The bounded ways into the node. Streams await them, so that pressure reaches the peer.
#[derive(Clone, Debug)]
pub struct Lanes {
    /// What contacts send, and every answer to a command of ours (a stranger cannot cause more of
    /// these than we asked for). `LANE_CONTACTS` long.
    pub contacts: mpsc::Sender<Event>,
    /// What strangers send. `LANE_STRANGERS` long.
    pub strangers: mpsc::Sender<Event>,
}

impl Lanes {
    /// The lane of what peers of this class send.
    pub(super) const fn of(&self, class: Class) -> &mpsc::Sender<Event> {
        match class {
            Class::Contact => &self.contacts,
            Class::Stranger => &self.strangers,
        }
    }
}
