//! How a node is reached, and what it does for others: relays, mailboxes, the DHT.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::words::{BoxState, DhtStatus, Nat, RelayService, ServeMailbox, Upnp};
use crate::base::{PeerId, WallTime};

use super::time;

/// A relay through which we can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelayInUse {
    /// Who.
    pub peer_id: PeerId,
    /// Where we reach it.
    pub addr: String,
    /// Since when it has a place for us.
    #[serde(with = "time")]
    #[schemars(with = "String")]
    pub since: WallTime,
}

/// What the node does for others as a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MailboxService {
    /// For whom.
    pub serves: ServeMailbox,
    /// Boxes.
    pub boxes: u64,
    /// Bytes of the envelopes in them.
    pub bytes: u64,
}

/// How a running node is reached, and what it does for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// A mailbox of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mailbox {
    /// Who keeps it.
    pub peer_id: PeerId,
    /// The name to show (may be empty).
    pub name: String,
    /// Where.
    pub addrs: Vec<String>,
    /// How it stands.
    pub state: BoxState,
    /// Since when it is ours.
    #[serde(with = "time")]
    #[schemars(with = "String")]
    pub since: WallTime,
    /// When it last answered a fetch; `null`: never.
    #[serde(with = "time::option")]
    #[schemars(with = "Option<String>")]
    pub fetched_at: Option<WallTime>,
    /// One-time prekeys that it holds for us.
    pub prekeys: u64,
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
    #[serde(with = "time::option")]
    #[schemars(with = "Option<String>")]
    pub since: Option<WallTime>,
    /// Whether it is kept as a way back into the network.
    pub known: bool,
}
