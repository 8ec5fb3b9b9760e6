//! Pending requests, each with an erasable key of its own, and the sessions of all who are no contacts.

use serde::{Deserialize, Serialize};

use super::table;
use crate::base::{MessageId, PeerId, SessionId, WallTime};
use crate::content::mimi::Vanishes;
use crate::store::KeyId;

table! {
    /// Keyed by peer.
    Requests = 60, Given, RequestRow;
    /// Sessions of those who are no contacts, the oldest first; keyed by a number that grows.
    Strangers = 61, State, StrangerRow;
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

impl RequestRow {
    /// One that holds nothing.
    pub const fn empty(peer: PeerId, key: KeyId, received_at: WallTime) -> Self {
        Self { peer, key, name: String::new(), addrs: Vec::new(), received_at, invited: false, messages: Vec::new() }
    }
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

/// A session of somebody who is no contact.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct StrangerRow {
    /// Whose.
    pub peer: PeerId,
    /// Which.
    pub session: SessionId,
    /// When it began, or its peer was a contact for the last time.
    pub since: WallTime,
    /// Whether it began then: a few do so a day.
    pub is_new: bool,
}
