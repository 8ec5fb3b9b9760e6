//! Conversations and their messages. A conversation has an erasable key of its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::table;
use crate::base::{MessageId, PeerId, RoomId, WallTime};
use crate::content::mimi::Vanishes;
use crate::messenger::places::Counters;
use crate::messenger::view::State;
use crate::store::{KeyId, RowKey, Scan};

table!(
    /// Keyed by room.
    Conversations = 10, Root, ConversationRow
);
table!(
    /// Which conversation was active when: keyed by a number that grows; for the inbox.
    Recent = 11, Root, RecentRow
);
table!(
    /// Keyed by room and position; under the key of the conversation, or that of the hour in which the message vanishes.
    Messages = 12, Given, MessageRow
);
table!(
    /// Where a message stands; keyed by its ID, which is a hash and says nothing. The row of a forgotten message stays
    /// for a while without one in [`Messages`], so that a second copy is known.
    MessageIndex = 13, Root, IndexRow
);

/// Key of [`Recent`].
pub fn recent_key(activity: u64) -> RowKey {
    RowKey::new().u64(activity)
}

/// Key of [`Conversations`], and of all messages of one.
pub fn room_key(room: &RoomId) -> RowKey {
    RowKey::new().blind(room.as_bytes())
}

/// Those that were not deleted with it.
pub fn kept_of(conversation: &ConversationRow) -> Scan {
    Scan::new(room_key(&conversation.room)).from(conversation.forgotten.saturating_add(1))
}

/// Key of [`Messages`].
pub fn message_key(room: &RoomId, position: u64) -> RowKey {
    room_key(room).u64(position)
}

/// Key of [`MessageIndex`]; in clear, so that a prefix can be looked up.
pub fn index_key(id: &MessageId) -> RowKey {
    id.as_bytes().as_chunks::<8>().0.iter().fold(RowKey::new(), |key, part| key.u64(u64::from_be_bytes(*part)))
}

/// A conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConversationRow {
    /// Which.
    pub room: RoomId,
    /// Seals the messages.
    pub key: KeyId,
    /// Position of the last message, forgotten or not; 0: none.
    pub last: u64,
    /// Messages up to this position were deleted with the conversation; 0: none.
    pub forgotten: u64,
    /// Key of the row in [`Recent`]; 0: none, because the conversation was deleted.
    pub activity: u64,
    /// Unread messages.
    pub unread: u64,
    /// Own messages that are not delivered yet.
    pub undelivered: u64,
    /// Our counter for the room: that of the last message we sent.
    pub sent_counter: u64,
    /// The counters of the others.
    pub senders: BTreeMap<PeerId, Counters>,
}

impl ConversationRow {
    /// One without messages, sealed under this key. The counter of what we send begins behind `sent_counter`.
    pub fn new(room: RoomId, key: KeyId, sent_counter: u64) -> Self {
        Self {
            room,
            key,
            last: 0,
            forgotten: 0,
            activity: 0,
            unread: 0,
            undelivered: 0,
            sent_counter,
            senders: BTreeMap::new(),
        }
    }
}

/// Which conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecentRow {
    /// Which.
    pub room: RoomId,
}

/// A message.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MessageRow {
    /// Its ID.
    pub id: MessageId,
    /// Who wrote it.
    pub author: PeerId,
    /// When the writer says it was sent.
    pub sent_at: WallTime,
    /// When it came.
    pub received_at: Option<WallTime>,
    /// How far it is.
    pub state: State,
    /// The sender's counter for the room.
    pub counter: u64,
    /// The MIMI content, exact.
    #[serde(with = "serde_bytes")]
    pub body: Vec<u8>,
    /// A subject that came beside it.
    pub subject: Option<String>,
    /// Its row in the outbox, until it is delivered.
    pub outbox: Option<u64>,
    /// When it vanishes; `None`: it stays.
    pub vanishes: Option<Vanishes>,
}

/// Where a message stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IndexRow {
    /// The message.
    pub id: MessageId,
    /// The conversation.
    pub room: RoomId,
    /// The position in it.
    pub position: u64,
}
