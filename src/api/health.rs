//! What `doctor` and `recover` say.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::types::path;
use crate::base::words::{NodeState, words};
use crate::base::{PeerId, WallTime};

words! {
    /// What was looked at.
    Area {
        /// Whether a node runs for the profile.
        Node = "node",
        /// The profile folder: owner and permissions.
        Folder = "folder",
        /// The key file.
        KeyFile = "key_file",
        /// Who works on the profile.
        Lock = "lock",
        /// The store: whether every row is there.
        Store = "store",
        /// The automatic snapshots.
        Snapshots = "snapshots",
        /// The disk: space, and whether it can be written to.
        Disk = "disk",
        /// Whether another node runs under this identity.
        Identity = "identity",
        /// The clock.
        Clock = "clock",
        /// The configuration file.
        Config = "config",
        /// The node's socket.
        Socket = "socket",
        /// The network: interfaces, addresses, mDNS.
        Network = "network",
        /// Whether others can dial us: NAT, router, relays.
        Reachability = "reachability",
        /// The DHT, in which cards are found.
        Dht = "dht",
        /// Our mailboxes.
        Mailboxes = "mailboxes",
        /// Who a peer is to us.
        Peer = "peer",
        /// The card of a peer: without it no message can be encrypted for them.
        Card = "card",
        /// Of whom a peer takes messages, as their card says.
        Policy = "policy",
        /// Whether a peer has accepted us.
        Acceptance = "acceptance",
        /// The way to a peer.
        Way = "way",
        /// What waits for a peer.
        Outbox = "outbox",
    }
}

words! {
    /// How it is.
    Health {
        /// Well.
        Ok = "ok",
        /// Worth knowing.
        Note = "note",
        /// To be mended.
        Problem = "problem",
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What.
    pub area: Area,
    /// How it is.
    pub health: Health,
    /// In words.
    pub message: String,
    /// What to do about it; `null` when there is nothing to do.
    pub hint: Option<String>,
}

/// The answer to `doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// Whether there is nothing to be mended.
    pub well: bool,
    /// Whether a node runs; one that does not answer runs, too.
    pub running: bool,
    /// The same, more exactly.
    #[serde(default)]
    pub node: NodeState,
    /// Everything that was looked at.
    pub findings: Vec<Finding>,
}

/// What `recover` did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recovery {
    /// Who we are, still.
    pub peer_id: PeerId,
    /// The own name (may be empty).
    pub name: String,
    /// What was wrong with the store.
    pub damage: String,
    /// Where the damaged folder is now.
    #[serde(with = "path")]
    #[schemars(with = "PathBuf")]
    pub kept: PathBuf,
    /// Rows that could be read in the damaged database.
    pub from_database: u64,
    /// Rows that came from a snapshot.
    pub from_snapshot: u64,
    /// When that snapshot was made; `null` when there was none.
    pub snapshot: Option<WallTime>,
    /// Contacts there are now.
    pub contacts: u64,
    /// Conversations there are now.
    pub conversations: u64,
    /// Messages there are now.
    pub messages: u64,
    /// Pending requests there are now.
    pub requests: u64,
    /// Messages that wait to be sent again.
    pub queued: u64,
    /// What is lost, or may be, in sentences.
    pub lost: Vec<String>,
}
