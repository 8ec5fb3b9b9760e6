//! What waits to be delivered. A row stays until the recipient says *delivered* (a control item:
//! until the recipient's node has stored it).

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::table;
use crate::base::{PeerId, WallTime};
use crate::content::{Capsule, Item};
use crate::store::RowKey;

table!(
    /// Keyed by recipient and a number that grows.
    Outbox = 50, State, OutRow
);
table!(
    /// The envelope of a capsule without a message, encrypted and not stored by the recipient yet; the same key.
    OutControls = 51, State, ByteBuf
);
table!(
    /// The same of a message; under the key of the message, because an older state of the session opens it.
    OutMessages = 52, Given, ByteBuf
);

/// Key of all three tables.
pub fn outbox_key(peer: &PeerId, number: u64) -> RowKey {
    RowKey::new().peer(peer).u64(number)
}

/// One thing to deliver.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutRow {
    /// To whom.
    pub peer: PeerId,
    /// Its number.
    pub number: u64,
    /// What.
    pub kind: OutKind,
    /// Since when.
    pub queued_at: WallTime,
    /// Whether there is a row in [`OutControls`] or [`OutMessages`].
    pub encrypted: bool,
    /// Whether the recipient's node has stored it.
    pub sent: bool,
    /// Whether it was counted among the messages for somebody who has not accepted.
    pub counted: bool,
}

impl OutRow {
    /// Whether it asks for receipts and says nothing else (CON-32).
    pub fn is_inquiry(&self) -> bool {
        let OutKind::Control(bytes) = &self.kind else { return false };
        let is_one = |item: &Item| matches!(item, Item::Inquiry(_) | Item::Introduction(_));
        Capsule::decode(bytes).is_ok_and(|capsule| capsule.items.iter().all(is_one))
    }
}

/// What is to be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutKind {
    /// The message at this position of the conversation.
    Message(u64),
    /// A capsule of receipts, profile, acceptance or reset, encoded.
    Control(#[serde(with = "serde_bytes")] Vec<u8>),
}
