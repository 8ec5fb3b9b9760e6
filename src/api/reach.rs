//! How a node is reached, and what it does for others: relays, mailboxes, the DHT.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::shown::{MailboxService, RelayInUse};
use crate::base::words::{DhtStatus, Nat, RelayService, Upnp};
use crate::base::{PeerId, WallTime};

/// How a running node is reached, and what it does for others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reach {
    /// The NAT.
    pub nat: Nat,
    /// The router.
    pub upnp: Upnp,
    /// Addresses at which somebody else has reached us.
    pub external_addrs: Vec<String>,
    /// Relays through which we can be reached.
    pub relays: Vec<RelayInUse>,
    /// The DHT.
    pub dht: DhtStatus,
    /// What it does as a relay; `null` when it is none.
    pub relay_service: Option<RelayService>,
    /// What it does as a mailbox; `null` when it is none.
    pub mailbox_service: Option<MailboxService>,
}

/// A mailbox that serves everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenMailbox {
    /// Who keeps it.
    pub peer_id: PeerId,
    /// Where, each with the peer ID: what `mailbox use` takes.
    pub addrs: Vec<String>,
}

/// A peer of the network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Peer {
    /// Who.
    pub peer_id: PeerId,
    /// The name to show (may be empty).
    pub name: String,
    /// Whether a contact.
    pub contact: bool,
    /// Whether there is a connection.
    pub connected: bool,
    /// Over which address; without a connection, where it was found.
    pub addr: Option<String>,
    /// Whether the connection goes straight, through no relay.
    pub direct: bool,
    /// Since when there is a connection.
    pub since: Option<WallTime>,
    /// Whether it is kept as a way back into the network.
    pub known: bool,
}
