//! The event log and the idempotency keys of clients. IDs only, never text.

use serde::{Deserialize, Serialize};

use super::table;
use crate::base::MessageId;
use crate::messenger::view::Event;
use crate::store::RowKey;

table!(
    /// Keyed by sequence number.
    Events = 30, Root, Event
);
table!(
    /// Commands that were carried out; keyed by the client's ID.
    ClientIds = 31, Root, ClientIdRow
);
table!(
    /// Their order, so that the oldest is forgotten; keyed by a number that grows.
    ClientIdQueue = 32, Root, String
);

/// Key of [`ClientIds`].
pub fn client_id_key(id: &str) -> RowKey {
    RowKey::new().blind(id.as_bytes())
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
