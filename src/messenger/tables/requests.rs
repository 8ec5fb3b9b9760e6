//! Pending requests. Each has an erasable key of its own.

use serde::{Deserialize, Serialize};

use super::table;
use crate::base::{MessageId, PeerId, WallTime};
use crate::content::mimi::Vanishes;
use crate::store::KeyId;

table! {
    /// Keyed by peer.
    Requests = 60, Given, RequestRow;
}

/// A request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RequestRow {
    /// Who asks.
    pub peer: PeerId,
    /// Seals this row.
    pub key: KeyId,
    /// The name they announce.
    pub name: String,
    /// Where they say they can be reached; not used before acceptance.
    pub addrs: Vec<String>,
    /// When the first message came.
    pub received_at: WallTime,
    /// Whether it carried our request token.
    pub invited: bool,
    /// At most three.
    pub messages: Vec<HeldMessage>,
}

/// A message that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HeldMessage {
    /// Its ID.
    pub id: MessageId,
    /// When the writer says it was sent.
    pub sent_at: WallTime,
    /// When it came.
    pub received_at: WallTime,
    /// The sender's counter for the room.
    pub counter: u64,
    /// The MIMI content, exact.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// Its subject.
    pub subject: Option<String>,
    /// When it vanishes.
    pub vanishes: Option<Vanishes>,
}
