//! What is told of the network when it is asked.

use crate::base::PeerId;
use crate::base::shown::{Connection, RelayInUse};
use crate::base::words::{DhtStatus, Nat, Reachability, RelayService, Upnp};

/// Where we listen and with whom we are connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetStatus {
    /// Where we can be reached, multiaddresses in textual form: the listeners first, then what was confirmed from
    /// outside, then the relays.
    pub listen_addrs: Vec<String>,
    /// The connected peers, in the order of their IDs; their names are not known here, and the node's to fill in.
    pub peers: Vec<Connection>,
    /// Our part in the DHT; whether the card that was put is still the current one the node knows.
    pub dht: DhtStatus,
    /// Whether peers can reach us without help.
    pub reachability: Reachability,
    /// Addresses that were reached from outside.
    pub external_addrs: Vec<String>,
    /// The relays through which we can be reached.
    pub relays: Vec<RelayInUse>,
    /// Where they are, as others are told of them.
    pub relay_places: Vec<(PeerId, Vec<String>)>,
    /// The router before us.
    pub nat: Nat,
    /// What it grants.
    pub upnp: Upnp,
    /// Our own relay, if it is offered.
    pub relay_service: Option<RelayService>,
    /// Whether peers are looked for in the local network.
    pub mdns: MdnsStatus,
}

/// Whether peers are looked for in the local network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MdnsStatus {
    /// They are not.
    #[default]
    Off,
    /// They are.
    On,
    /// No longer: somebody told of more addresses there than are kept.
    Flooded,
}
