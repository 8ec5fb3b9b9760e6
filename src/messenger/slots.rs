//! Which erasable key seals a message. Messages stand in slots, which are filled one after the other; each has a key.
//! Those that vanish are under the key of their hour instead. So what a key takes with it is bounded, and a conversation of
//! any length is forgotten by destroying its keys.

use std::collections::BTreeSet;

use crate::base::{RoomId, limits};
use crate::store::{KeyId, Rows, Scan, Table};

use super::memory::number;
use super::tables::{
    ConversationRow, Hours, IndexRow, MessageIndex, MessageRow, Messages, Slot, Slots, index_key, message_key, room_key,
};
use super::tx::{Step, Tx};
use crate::base::event::EventKind;

impl Tx<'_> {
    /// Puts a new message into its conversation, and tells of it; `outbox`: of an own one, its number there.
    pub(super) fn add_message(
        &mut self,
        conversation: &mut ConversationRow,
        position: u64,
        row: &MessageRow,
        outbox: Option<u64>,
    ) -> Step {
        let (id, room) = (row.id, conversation.room);
        conversation.last = conversation.last.max(position);
        self.bump(conversation)?;
        let key = match row.vanishes {
            Some(vanishes) => self.key_of_hour(vanishes)?,
            None => {
                let bytes = row.body.length() + row.subject.as_ref().map_or(0, String::len);
                // How far an own one has come is to be written beside it: its place is taken now, and the conversation
                // not written for it again.
                let rows = if row.author == self.my_id() { 2 } else { 1 };
                self.key_of_slot(conversation, rows, bytes as u64)?
            }
        };
        self.buf.put_under::<Messages>(&message_key(&room, position), key, row)?;
        self.put_conversation(conversation)?;
        self.buf.put::<MessageIndex>(
            &index_key(&id),
            &IndexRow { room, position, outbox, timed: row.vanishes.is_some() },
        )?;
        if let Some(vanishes) = row.vanishes {
            self.watch(id, vanishes, room, Some(position))?;
        }
        if row.author == self.my_id() || !row.is_other() {
            self.event(EventKind::MessageNew { conversation: room.peer(), message_id: id });
        }
        Ok(())
    }

    /// Writes a message anew: it stays under the key that it has, unless it vanishes and its hour has another by now.
    pub(super) fn put_message(&mut self, conversation: &ConversationRow, position: u64, row: &MessageRow) -> Step {
        let at = message_key(&conversation.room, position);
        let key = match row.vanishes {
            Some(vanishes) => Some(self.key_of_hour(vanishes)?),
            None => self.buf.key_of::<Messages>(&at)?,
        };
        // Without a key it is forgotten.
        Ok(key.map_or(Ok(()), |key| self.buf.put_under::<Messages>(&at, key, row))?)
    }

    /// Puts what is said about a message beside it: in a slot, with which it goes. It holds no text. In that of the message, if
    /// it `has_place` there.
    pub(super) fn put_beside<T: Table>(
        &mut self,
        conversation: &mut ConversationRow,
        position: u64,
        has_place: bool,
        row: &T::Row,
    ) -> Step {
        let at = message_key(&conversation.room, position);
        let mut known = self.buf.key_of::<T>(&at)?;
        if has_place && known.is_none() {
            known = self.buf.key_of::<Messages>(&at)?;
        }
        let key = match known {
            Some(key) => key,
            None => {
                // A few bytes: rows are counted.
                let key = self.key_of_slot(conversation, 1, 0)?;
                self.put_conversation(conversation)?;
                key
            }
        };
        Ok(self.buf.put_under::<T>(&at, key, row)?)
    }

    /// The key for so many more rows: that of the present slot, or of another, when that is full. What is larger than a slot is
    /// one by itself.
    fn key_of_slot(&mut self, conversation: &mut ConversationRow, rows: u64, bytes: u64) -> Step<KeyId> {
        if bytes > limits::KEY_SLOT_BYTES {
            let key = self.buf.create_key(&mut *self.rng);
            self.name_slot(conversation, key)?;
            return Ok(key);
        }
        let (places, room) = (limits::KEY_SLOT_ROWS - rows, limits::KEY_SLOT_BYTES - bytes);
        if let Some(full) = conversation.slot.take_if(|slot| slot.rows > places || slot.bytes > room) {
            self.name_slot(conversation, full.key)?;
        }
        let begin = || Slot { key: self.buf.create_key(&mut *self.rng), rows: 0, bytes: 0 };
        let slot = conversation.slot.get_or_insert_with(begin);
        slot.rows += rows;
        slot.bytes += bytes;
        Ok(slot.key)
    }

    /// A slot takes no more rows.
    fn name_slot(&mut self, conversation: &mut ConversationRow, key: KeyId) -> Step {
        conversation.slots += 1;
        Ok(self.buf.put::<Slots>(&room_key(&conversation.room).u64(conversation.slots), &key)?)
    }

    /// Destroys the keys of slots whose names are lost: they are known by what is under them.
    pub(super) fn destroy_unnamed(&mut self, room: &RoomId) -> Step {
        let hours = self.buf.scan_sound::<Hours>(&Scan::all())?.0;
        let hours: BTreeSet<KeyId> =
            hours.into_iter().flat_map(|(_, row)| row.old.into_iter().chain([row.key])).collect();
        for (key, _) in self.buf.scan_all::<Messages>(&Scan::new(room_key(room)))? {
            let Some(position) = number(&key) else { continue };
            let under = self.buf.key_of::<Messages>(&message_key(room, position))?;
            if let Some(key) = under.filter(|key| !hours.contains(key)) {
                self.buf.destroy_key(key);
            }
        }
        Ok(())
    }

    /// Destroys the keys of all slots of a conversation.
    pub(super) fn destroy_slots(&mut self, conversation: &mut ConversationRow) -> Step {
        let slots = Scan::new(room_key(&conversation.room));
        if self.buf.count_unsound::<Slots>(&slots)? > 0 {
            self.destroy_unnamed(&conversation.room)?;
        }
        for (_, key) in self.buf.take::<Slots>(&slots)? {
            self.buf.destroy_key(key);
        }
        conversation.slots = 0;
        if let Some(slot) = conversation.slot.take() {
            self.buf.destroy_key(slot.key);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
