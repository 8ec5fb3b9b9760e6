//! What is to be forgotten and when, and what is remembered of it. No text is in these rows.

use serde::{Deserialize, Serialize};

use super::table;
use crate::base::{MessageId, Millis, RoomId, WallTime};
use crate::content::mimi::Vanishes;
use crate::store::{KeyId, RowKey, Scan};

table! {
    /// The erasable keys of messages with a time to live; keyed by the end of the hour in which they vanish.
    Hours = 14, Root, HourRow;
    /// The messages with a time to live, the next to vanish first; keyed by time and message.
    Timed = 15, Root, TimedRow;
    /// When to forget that something was forgotten; keyed by time and what it is about.
    Tombs = 16, Root, TombRow;
}

/// The length of the slot that shares a key.
const HOUR: u64 = Millis::from_hours(1).0;

/// The slot of messages that vanish so long after they were read, and are not read yet: after all others.
pub const WAITING: u64 = u64::MAX;

/// An erasable key of messages that vanish within one hour.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HourRow {
    /// Seals their rows.
    pub key: KeyId,
    /// Keys before it that still seal some, while these are being moved: destroyed when that is done.
    pub old: Vec<KeyId>,
    /// The rows of [`Timed`] up to this key were moved.
    #[serde(with = "serde_bytes")]
    pub moved: Vec<u8>,
}

/// A message that is to vanish.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TimedRow {
    /// When: the first part of the key.
    pub at: u64,
    /// When that was reckoned, by the profile's time.
    pub since: WallTime,
    /// Which.
    pub id: MessageId,
    /// In which conversation.
    pub room: RoomId,
    /// Its position in the conversation; `None`: it is held in a pending request.
    pub position: Option<u64>,
}

/// What is remembered of something forgotten, and until when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TombRow {
    /// Until when: the first part of the key.
    pub until: WallTime,
    /// What.
    pub of: Tomb,
}

/// What was forgotten.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Tomb {
    /// The row of a message in the index.
    Message(MessageId),
    /// Those of a deleted conversation.
    Conversation {
        /// Which.
        room: RoomId,
        /// Up to this position.
        upto: u64,
        /// The rows of the index up to this key were looked at.
        #[serde(with = "serde_bytes")]
        seen: Vec<u8>,
    },
}

/// The time in a row of [`Timed`].
pub fn time_of(vanishes: Vanishes) -> u64 {
    vanishes.at().map_or(WAITING, |at| at.0)
}

/// When the key of a message with this time is destroyed at the latest: the end of its hour.
pub const fn hour_of(at: u64) -> u64 {
    // A time in the last hour of all belongs to those that wait.
    match at.div_ceil(HOUR).checked_mul(HOUR) {
        Some(end) => end,
        None => WAITING,
    }
}

/// Key of [`Timed`].
pub fn timed_key(at: u64, id: &MessageId) -> RowKey {
    RowKey::new().u64(at).blind(id.as_bytes())
}

/// The rows of [`Timed`] in one slot.
pub fn in_hour(hour: u64) -> Scan {
    if hour == WAITING {
        return Scan::all().from(WAITING / HOUR * HOUR + 1);
    }
    Scan::all().from(hour.saturating_sub(HOUR) + 1).to(hour + 1)
}

/// Key of [`Tombs`].
pub fn tomb_key(row: &TombRow) -> RowKey {
    let key = RowKey::new().u64(row.until.0);
    match &row.of {
        Tomb::Message(id) => key.blind(id.as_bytes()),
        Tomb::Conversation { room, .. } => key.blind(room.as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_has_the_times_up_to_its_end() {
        for (at, hour) in [(1, HOUR), (HOUR, HOUR), (HOUR + 1, 2 * HOUR), (0, 0), (u64::MAX, WAITING)] {
            assert_eq!(hour_of(at), hour, "{at}");
        }
        assert_eq!(hour_of(time_of(Vanishes::AfterReading(Millis(1)))), WAITING);
        let last = u64::MAX / HOUR * HOUR;
        assert_eq!((hour_of(last), hour_of(last + 1)), (last, WAITING));
    }
}
