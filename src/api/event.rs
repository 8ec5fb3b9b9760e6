//! The events that `events` answers with and `listen` tells.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::words::{MessageEnd, RequestEnd, State};
use crate::base::{MessageId, PeerId, WallTime};

use super::time;
use super::types::{Message, Request};

/// One entry of the durable event log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Its place, growing by one: the cursor with which `events` and `listen` go on. `ready` is not in the log and
    /// carries the place of the newest event.
    pub seq: u64,
    /// When it happened.
    #[serde(with = "time")]
    #[schemars(with = "String")]
    pub at: WallTime,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

macro_rules! events {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $word:literal {
        $( $(#[doc = $fdoc:literal])+ $(#[schemars($($sch:tt)*)])? $field:ident : $ty:ty, )*
    } )*) => {
        /// What happened.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "event")]
        pub enum EventKind {
            $( $(#[doc = $doc])+ #[serde(rename = $word)] $variant {
                $( $(#[doc = $fdoc])+ $(#[schemars($($sch)*)])? $field: $ty, )*
            }, )*
            /// Something that only a newer node knows.
            #[serde(other)]
            Unknown,
        }

        impl EventKind {
            /// The stable name.
            pub const fn name(&self) -> &'static str {
                match self { $( Self::$variant { .. } => $word, )* Self::Unknown => "unknown" }
            }

            /// All of them, for the documentation.
            pub const ALL: &'static [EventType] = &[ $( EventType {
                name: $word,
                about: concat!($($doc),+),
                fields: &[ $( (stringify!($field), concat!($($fdoc),+)), )* ],
            }, )* ];
        }
    };
}

/// An event in the documentation.
#[derive(Clone, Copy, Debug)]
pub struct EventType {
    /// The stable name.
    pub name: &'static str,
    /// What happened.
    pub about: &'static str,
    /// Its own fields, and what they say.
    pub fields: &'static [(&'static str, &'static str)],
}

events! {
    /// A message was added to a conversation, in or out.
    MessageNew = "message.new" {
        /// The conversation.
        #[schemars(with = "String")]
        conversation: PeerId,
        /// Which message.
        #[schemars(with = "String")]
        message_id: MessageId,
        /// The message as it is now; `null` when it is gone since.
        message: Option<Box<Message>>,
    }
    /// A message has come further.
    MessageState = "message.state" {
        /// The conversation.
        #[schemars(with = "String")]
        conversation: PeerId,
        /// Which message.
        #[schemars(with = "String")]
        message_id: MessageId,
        /// How far it has come.
        state: State,
    }
    /// A message is gone, and its key with it.
    MessageDeleted = "message.deleted" {
        /// The conversation.
        #[schemars(with = "String")]
        conversation: PeerId,
        /// Which message.
        #[schemars(with = "String")]
        message_id: MessageId,
        /// Why.
        reason: MessageEnd,
        /// How far it had come: one of our own below `delivered` will not arrive any more, unless it was `sent`.
        state: State,
    }
    /// A conversation was deleted by us, with all its messages.
    ConversationDeleted = "conversation.deleted" {
        /// The conversation.
        #[schemars(with = "String")]
        conversation: PeerId,
        /// The name to show (may be empty).
        name: String,
    }
    /// A request waits; told for its first message only.
    RequestNew = "request.new" {
        /// Who asks.
        #[schemars(with = "String")]
        peer_id: PeerId,
        /// The request as it is now; `null` when it is no longer pending.
        request: Option<Box<Request>>,
    }
    /// A request is no longer pending.
    RequestClosed = "request.closed" {
        /// Who asked.
        #[schemars(with = "String")]
        peer_id: PeerId,
        /// How it ended.
        reason: RequestEnd,
    }
    /// Somebody became a contact: by us, or by accepting our request.
    ContactAdded = "contact.added" {
        /// Who.
        #[schemars(with = "String")]
        peer_id: PeerId,
        /// The name to show (may be empty).
        name: String,
    }
    /// The key of a contact changed, or a verified mark was dropped.
    ContactKeyChanged = "contact.key_changed" {
        /// Who.
        #[schemars(with = "String")]
        peer_id: PeerId,
        /// The name to show (may be empty).
        name: String,
    }
    /// A contact's node is connected.
    PeerOnline = "peer.online" {
        /// Who.
        #[schemars(with = "String")]
        peer_id: PeerId,
        /// The name to show (may be empty).
        name: String,
    }
    /// A contact's node is no longer connected.
    PeerOffline = "peer.offline" {
        /// Who.
        #[schemars(with = "String")]
        peer_id: PeerId,
        /// The name to show (may be empty).
        name: String,
    }
    /// The profile was recovered from a damaged store: events before this one, and what they were about, may be missing.
    Recovered = "profile.recovered" {}
    /// The node is up: the first line of `rohrpost run`, not part of the log.
    Ready = "ready" {
        /// Who we are.
        #[schemars(with = "String")]
        peer_id: PeerId,
        /// Where the node listens.
        addrs: Vec<String>,
        /// Its process.
        pid: u32,
        /// Its socket.
        socket: PathBuf,
    }
}

/// The answer to `events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventPage {
    /// The events after the cursor, oldest first. Where `seq` jumps, the log had grown too long in between.
    pub events: Vec<Event>,
    /// The cursor for the next call.
    pub next: u64,
    /// Whether there are more after it.
    pub more: bool,
}
