//! The event log and the idempotency keys of clients. IDs only, never text.

use serde::{Deserialize, Serialize};

use super::table;
use crate::base::event::{Event, EventKind};
use crate::base::{MessageId, Tail, WallTime};
use crate::store::RowKey;

table! {
    /// What one commit tells; keyed by the sequence number of the last of them.
    Events = 30, Root, EventsRow;
    /// Commands that were carried out; keyed by the client's ID.
    ClientIds = 31, Root, ClientIdRow;
    /// Their order, so that the oldest is forgotten; keyed by a number that grows.
    ClientIdQueue = 32, Root, String;
}

/// Key of [`ClientIds`].
pub fn client_id_key(id: &str) -> RowKey {
    RowKey::new().blind(id.as_bytes())
}

/// Events that happened together; their sequence numbers follow each other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EventsRow {
    /// When.
    pub at: WallTime,
    /// What; at least one, at most `MAX_EVENTS_ROW`.
    pub kinds: Vec<EventKind>,
    /// What other versions know.
    pub tail: Tail,
}

impl EventsRow {
    /// What happened at this time.
    pub const fn new(at: WallTime, kinds: Vec<EventKind>) -> Self {
        Self { at, kinds, tail: Tail::new() }
    }

    /// Each by itself; `last` is the number of the last.
    pub fn events(self, last: u64) -> impl Iterator<Item = Event> {
        let first = last.saturating_add(1).saturating_sub(self.kinds.len() as u64);
        (first..).zip(self.kinds).map(move |(seq, kind)| Event { seq, at: self.at, kind })
    }
}

/// What a client's ID stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientIdRow {
    /// The message it made.
    pub message: MessageId,
    /// Digest of what was asked for and the message's own salt, which goes with the message: the same ID with another
    /// message is refused, and of a message that is gone nothing can be guessed.
    pub digest: [u8; 32],
}
