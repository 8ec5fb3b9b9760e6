//! Conversations and their messages, which stand in slots: each slot has an erasable key.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{in_clear, table};
use crate::base::words::State;
use crate::base::{MessageId, PeerId, RoomId, Tail, WallTime};
use crate::content::mimi::{Act, Bare, Vanishes};
use crate::messenger::places::Counters;
use crate::store::{KeyId, RowKey, Scan};

table! {
    /// Keyed by room.
    Conversations = 10, Root, ConversationRow;
    /// Which conversation was active when: keyed by a number that grows; for the inbox.
    Recent = 11, Root, RoomId;
    /// Keyed by room and position; under the key of its slot, or that of the hour in which the message vanishes.
    Messages = 12, Given, MessageRow;
    /// How far own messages have come; keyed as the message is. It says nothing of what they say, but of when they were read:
    /// so it is in a slot of the conversation and gone with it, and need not be moved when hours of messages end.
    States = 17, Given, StateRow;
    /// What came late, in a place below what was read, and is not read; keyed and sealed as [`States`].
    Late = 18, Given, ();
    /// Where a message stands; keyed by its ID, which is a hash and says nothing. The row of a forgotten message stays
    /// for a while without one in [`Messages`], so that a second copy is known.
    MessageIndex = 13, Root, IndexRow;
    /// The keys of slots that take no more rows; keyed by room and the number of the slot.
    Slots = 19, Root, KeyId;
}

/// Key of [`Conversations`], and of all messages of one.
pub fn room_key(room: &RoomId) -> RowKey {
    RowKey::new().blind(room.as_bytes())
}

/// Those that were not deleted with it.
pub fn kept_of(conversation: &ConversationRow) -> Scan {
    Scan::new(room_key(&conversation.room)).from(conversation.forgotten.saturating_add(1))
}

/// Key of [`Messages`], and of what is said beside one.
pub fn message_key(room: &RoomId, position: u64) -> RowKey {
    room_key(room).u64(position)
}

/// Key of [`MessageIndex`]; in clear, so that a prefix can be looked up.
pub fn index_key(id: &MessageId) -> RowKey {
    in_clear(RowKey::new(), id.as_bytes())
}

/// The message that such a key is of.
pub fn indexed(key: &[u8]) -> Option<MessageId> {
    key.try_into().ok().map(MessageId::new)
}

/// A conversation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConversationRow {
    /// Which.
    pub room: RoomId,
    /// The slot that takes the next row; `None`: it is begun with it.
    pub slot: Option<Slot>,
    /// How many slots were begun and take no more.
    pub slots: u64,
    /// Position of the last message, forgotten or not; 0: none.
    pub last: u64,
    /// Messages up to this position were deleted with the conversation; 0: none.
    pub forgotten: u64,
    /// Messages of others up to this position were read, but for those in [`Late`]; 0: none.
    pub read: u64,
    /// Key of the row in [`Recent`]; 0: none, because the conversation was deleted.
    pub activity: u64,
    /// Unread messages.
    pub unread: u64,
    /// What is kept of the messages of others, in bytes.
    pub kept: u64,
    /// Our counter for the room: that of the last message we sent.
    pub sent_counter: u64,
    /// The counters of the others.
    pub senders: BTreeMap<PeerId, Counters>,
    /// For later.
    pub tail: Tail,
}

/// A slot: rows that share an erasable key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Slot {
    /// Seals its rows.
    pub key: KeyId,
    /// How many rows were put into it.
    pub rows: u64,
    /// How long they are.
    pub bytes: u64,
}

impl ConversationRow {
    /// One without messages. The counter of what we send begins behind `sent_counter`.
    pub fn new(room: RoomId, sent_counter: u64) -> Self {
        Self {
            room,
            slot: None,
            slots: 0,
            last: 0,
            forgotten: 0,
            read: 0,
            activity: 0,
            unread: 0,
            kept: 0,
            sent_counter,
            senders: BTreeMap::new(),
            tail: Tail::new(),
        }
    }
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
    /// The sender's counter for the room.
    pub counter: u64,
    /// The MIMI content, without what room and author say.
    pub body: Bare,
    /// A subject that came beside it.
    pub subject: Option<String>,
    /// When it vanishes; `None`: it stays.
    pub vanishes: Option<Vanishes>,
    /// For later.
    pub tail: Tail,
}

impl MessageRow {
    /// What it takes of the quota of who wrote it.
    pub fn size(&self) -> u64 {
        let said = self.body.length() + self.subject.as_ref().map_or(0, String::len);
        said as u64 + crate::base::limits::MESSAGE_ROWS
    }

    /// Whether it says something of another message (an edit, a deletion, a reaction; CON-12). Nothing is done about it yet:
    /// it is kept with all its bytes, is shown as not understood, and is never unread.
    pub fn is_other(&self) -> bool {
        self.body.decode().is_ok_and(|content| !matches!(content.act(), Act::Post))
    }
}

/// Where a message stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IndexRow {
    /// The conversation.
    pub room: RoomId,
    /// The position in it.
    pub position: u64,
    /// Of an own message the number of its row in the outbox, which is gone when it is delivered; 0: it has none.
    pub outbox: Option<u64>,
    /// Whether it vanishes: what is said beside it is then in another slot.
    pub timed: bool,
}

/// How far an own message has come, as bits for each recipient; in a conversation of two there is one. That a message is sent
/// is in the outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateRow {
    #[serde(with = "serde_bytes")]
    recipients: Vec<u8>,
}

const DELIVERED: u8 = 1 << 1;
const READ: u8 = 1 << 2;
const GIVEN_UP: u8 = 1 << 3;

impl StateRow {
    /// How far it is with one recipient, if it is delivered or given up.
    pub fn state(&self, recipient: usize) -> Option<State> {
        let bits = self.recipients.get(recipient)?;
        let states = [(READ, State::Read), (DELIVERED, State::Delivered), (GIVEN_UP, State::Undelivered)];
        states.into_iter().find(|(bit, _)| bits & bit != 0).map(|(_, state)| state)
    }

    /// Notes that it has come so far; true when that is news.
    pub fn note(&mut self, recipient: usize, state: State) -> bool {
        let before = self.state(recipient);
        let new = match state {
            State::Delivered => DELIVERED,
            State::Read => DELIVERED | READ,
            // What was delivered is not given up any more.
            State::Undelivered if before.is_none() => GIVEN_UP,
            _ => return false,
        };
        if self.recipients.len() <= recipient {
            self.recipients.resize(recipient + 1, 0);
        }
        self.recipients.get_mut(recipient).into_iter().for_each(|bits| *bits |= new);
        self.state(recipient) != before
    }
}

#[cfg(test)]
mod tests;
