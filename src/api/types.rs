//! What answers are made of. A field is added freely, never renamed or reused.

use std::borrow::Cow;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cursor::Cursor;
use super::error::ApiError;
use crate::base::shown::{ClockWarning, Connection, Elsewhere, MailboxService, RelayInUse, Request};
use crate::base::words::{DhtStatus, LinkPart, Nat, NodeState, Policy, Reachability, RelayService, State, Upnp};
use crate::base::{MessageId, PeerId, WallTime};

/// Paths are bytes, JSON is text: what is not UTF-8 in one is shown as U+FFFD.
pub(super) mod path {
    use std::path::{Path, PathBuf};

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in crate::api) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&path.to_string_lossy())
    }

    pub(in crate::api) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        PathBuf::deserialize(from)
    }

    /// The same where there may be none.
    pub(in crate::api) mod maybe {
        use super::*;

        #[expect(clippy::ref_option, reason = "what serde hands over")]
        pub(in crate::api) fn serialize<S: Serializer>(path: &Option<PathBuf>, to: S) -> Result<S::Ok, S::Error> {
            match path {
                Some(path) => super::serialize(path, to),
                None => to.serialize_none(),
            }
        }

        pub(in crate::api) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
            Option::deserialize(from)
        }
    }
}

/// The own identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Identity {
    /// Who we are.
    pub peer_id: PeerId,
    /// The own display name (may be empty).
    pub name: String,
    /// What to give to others: peer ID, name, addresses and request token.
    pub link: String,
    /// What the link does not hold, because it would have been longer than was asked for.
    pub left_out: Vec<LinkPart>,
    /// Where the node listens; empty when none runs.
    pub addrs: Vec<String>,
}

/// A message that was queued, and how far it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sent {
    /// Its ID.
    pub message_id: MessageId,
    /// The digits of it that people are shown, and type.
    #[serde(default)]
    pub short_id: String,
    /// The conversation: the peer ID of the recipient.
    pub conversation: PeerId,
    /// The recipient.
    pub to: PeerId,
    /// The name to show for the recipient (may be empty); only the commands `send` and `reply` say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How far it is.
    pub state: State,
    /// The client's own key, as given.
    pub client_id: Option<String>,
    /// What is missing for it to go out, or to be delivered, in words; only the command `send` says so, of a message that is queued
    /// or sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// Their card says that they take no messages of strangers, and they have not accepted us: unless they have added us, it is dropped
    /// there. Only the command `send` says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shut_out: bool,
    /// It is a note to oneself; only in the process that has written it.
    #[serde(skip)]
    pub oneself: bool,
    /// Why it is not known whether it came farther; only in the process that has sent it.
    #[serde(skip)]
    pub unfollowed: Option<ApiError>,
}

/// A pending request and all of its messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequestDetail {
    /// The request.
    #[serde(flatten)]
    pub request: Request,
    /// The held messages, oldest first.
    pub texts: Vec<HeldMessage>,
}

/// A message of a pending request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeldMessage {
    /// Its text, exact.
    pub text: String,
}

/// Who may write to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyState {
    /// The policy in force.
    pub policy: Policy,
}

/// What is wrong with the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClockState {
    /// `null` when nothing is.
    pub clock: Option<ClockWarning>,
}

/// What was marked as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadCount {
    /// Whose conversation.
    pub conversation: PeerId,
    /// How many messages became read.
    pub read: u64,
}

/// What was deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeletedConversation {
    /// The conversation: the peer ID of the other side, who stays a contact.
    pub conversation: PeerId,
    /// The name to show (may be empty).
    pub name: String,
    /// Own messages in it that were not sent yet, and will not be.
    pub unsent: u64,
}

/// To whom it was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolved {
    /// The peer.
    pub peer_id: PeerId,
    /// The name to show (may be empty).
    pub name: String,
}

/// Whom a name, a link, a peer ID or the end of one means, and whether they wait for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// The peer.
    pub peer_id: PeerId,
    /// The name to show (may be empty).
    pub name: String,
    /// Whether the name is one that we gave.
    pub given: bool,
    /// Whether a request of theirs is pending: `send` accepts it, or refuses.
    pub asks: bool,
}

impl From<Found> for Resolved {
    fn from(Found { peer_id, name, .. }: Found) -> Self {
        Self { peer_id, name }
    }
}

/// The answer to `listen`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Listening {
    /// The cursor: notifications begin with the event behind it.
    #[schemars(with = "String")]
    pub since: Cursor,
}

/// The answer to `rpc.discover`: the OpenRPC document.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document(pub Value);

impl JsonSchema for Document {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Document".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": true })
    }
}

/// The answer to `ping`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Pong {
    /// What this node wrote beside the lock of its profile; another one at each start.
    pub nonce: String,
    /// Its process, as it counts them itself.
    pub pid: u32,
}

/// The answer to `stop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stopping {
    /// The process that is ending.
    pub pid: u32,
}

/// What the node does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// Who we are; `null` when a profile is locked and no node runs.
    pub peer_id: Option<PeerId>,
    /// The own display name (may be empty).
    pub name: String,
    /// Whether a node runs; one that does not answer runs, too.
    pub running: bool,
    /// The same, more exactly: whether it answers, and whether another process has the profile that may be none.
    #[serde(default)]
    pub node: NodeState,
    /// What is wrong with the wall clock; `null` when nothing is. `doctor` says what helps.
    #[serde(default)]
    pub clock: Option<ClockWarning>,
    /// A sign of another node under this identity; `null` when there is none. `doctor` says what helps.
    #[serde(default)]
    pub elsewhere: Option<Elsewhere>,
    /// How many peers are connected.
    pub peers: u64,
    /// How many messages are not delivered yet.
    pub outbox: u64,
    /// The peer ID of a relay through which we can be reached; `null` when there is none, or none is needed.
    pub relay: Option<String>,
    /// The peer IDs of our mailboxes that are in use.
    pub mailboxes: Vec<String>,
    /// Whether others can dial us.
    pub reachability: Reachability,
    /// How the node is reached, and what it does for others; `null` when none runs.
    pub reach: Option<Reach>,
    /// Pending requests.
    pub requests: u64,
    /// Unread messages.
    pub unread: u64,
    /// Contacts.
    pub contacts: u64,
    /// The newest event: a cursor for `events` and `listen`.
    pub last_event: u64,
    /// Where the node listens.
    pub addrs: Vec<String>,
    /// The connected peers.
    pub connections: Vec<Connection>,
    /// The process of the node, or whatever process has the profile; `null` when there is none, or it has no number here.
    pub pid: Option<u32>,
    /// The socket of the node; `null` when none runs, or it has none.
    #[serde(default, with = "path::maybe")]
    #[schemars(with = "Option<PathBuf>")]
    pub socket: Option<PathBuf>,
    /// The folder of the profile.
    #[serde(with = "path")]
    #[schemars(with = "PathBuf")]
    pub data_dir: PathBuf,
    /// The version of the program that answers.
    pub version: String,
}

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
