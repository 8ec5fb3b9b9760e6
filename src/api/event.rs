//! The events that `events` answers with and `listen` tells.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cursor::Cursor;
use super::types::path;
use crate::base::event::events;
use crate::base::shown::{Message, Request};
use crate::base::words::{MessageEnd, RequestEnd, State};
use crate::base::{MessageId, PeerId, WallTime};

/// One entry of the durable event log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Its place, growing by one. `ready` is not in the log and carries the place of the newest event.
    pub seq: u64,
    /// With which `events` and `listen` go on behind it.
    #[schemars(with = "String")]
    pub cursor: Cursor,
    /// When it happened.
    pub at: WallTime,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

impl Event {
    /// An event of the log.
    pub const fn new(seq: u64, at: WallTime, kind: EventKind) -> Self {
        Self { seq, cursor: Cursor::behind(seq, at), at, kind }
    }
}

macro_rules! shown {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $word:literal {
        $( $(#[doc = $fdoc:literal])+ $field:ident : $ty:ty, )*
    } + {
        $( $(#[doc = $adoc:literal])+ $added:ident : $aty:ty = $of:ident, )*
    } )*) => {
        /// What happened.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(tag = "event")]
        pub enum EventKind {
            $( $(#[doc = $doc])+ #[serde(rename = $word)] $variant {
                $( $(#[doc = $fdoc])+ $field: $ty, )*
                $( $(#[doc = $adoc])+ $added: $aty, )*
            }, )*
            /// The node is up: the first line of `rohrpost run`, not part of the log. Its cursor is from before the start: what comes while it begins to listen follows.
            #[serde(rename = "ready")]
            Ready {
                /// Who we are.
                peer_id: PeerId,
                /// Where the node listens.
                addrs: Vec<String>,
                /// Its process.
                pid: u32,
                /// Its socket.
                #[serde(with = "path")]
                #[schemars(with = "PathBuf")]
                socket: PathBuf,
            },
            /// Something that only a newer node knows.
            #[serde(other)]
            Unknown,
        }

        impl EventKind {
            /// The stable name.
            pub const fn name(&self) -> &'static str {
                match self {
                    $( Self::$variant { .. } => $word, )*
                    Self::Ready { .. } => "ready",
                    Self::Unknown => "unknown",
                }
            }

            /// The same without what was looked up to be shown: neither a name nor a text is left.
            #[must_use]
            pub fn bare(self) -> Self {
                match self {
                    $( Self::$variant { $($field,)* .. } => {
                        Self::$variant { $($field,)* $($added: Default::default(),)* }
                    } )*
                    other => other,
                }
            }
        }
    };
}
events!(shown);

/// The answer to `events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventPage {
    /// The events after the cursor, oldest first. Where `seq` jumps, the log had grown too long in between.
    pub events: Vec<Event>,
    /// The cursor for the next call.
    #[schemars(with = "String")]
    pub next: Cursor,
    /// Whether there are more after it.
    pub more: bool,
}
