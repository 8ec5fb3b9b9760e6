//! Deleting a conversation, and what is remembered of forgotten messages, so that they do not come back.

use std::collections::BTreeSet;

use crate::base::event::EventKind;
use crate::base::{PeerId, RoomId, limits};
use crate::store::{Rows, Scan, StoreError};

use super::command::{Answer, Refusal};
use super::memory::number;
use super::outgoing::Happening;
use super::places::Counters;
use super::tables::{
    ConversationRow, Conversations, MessageIndex, Messages, Recent, Timed, Tomb, TombRow, Tombs, hour_of, index_key,
    indexed, message_key, numbered, room_key, timed_key, tomb_key,
};
use super::tx::{Step, Tx};

impl Tx<'_> {
    /// Deletes a conversation: its keys are destroyed, and with them every message and what waits to be sent of them. The
    /// contact stays, and so do the counters: what comes next is no gap.
    ///
    /// The rows of the index stay as long as a second copy of a message may come (they hold IDs only).
    pub(super) fn delete_conversation(&mut self, peer: PeerId) -> Step<Answer> {
        let room = RoomId::direct(peer);
        let mut conversation = match self.buf.get::<Conversations>(&room_key(&room)) {
            Err(StoreError::Damaged { .. }) => self.conversation_anew(room)?,
            read => read?.filter(|row| row.activity != 0).ok_or(Refusal::NoConversation)?,
        };
        let mut unsent = 0;
        let messages = self.mem.out.of(&peer).letters.iter().filter(|(_, letter)| letter.is_message());
        let messages: Vec<_> = messages.map(|(number, letter)| (*number, letter.way.sent)).collect();
        for (number, sent) in messages {
            unsent += u64::from(!sent);
            self.happen(peer, number, Happening::Settled)?;
        }
        let mut hours = BTreeSet::new();
        for (_, row) in self.buf.scan_sound::<Timed>(&Scan::all())?.0 {
            let Some(position) = row.position.filter(|_| row.room == room) else { continue };
            self.buf.delete::<Timed>(&timed_key(row.at, &row.id));
            self.buf.delete::<Messages>(&message_key(&room, position));
            hours.insert(hour_of(row.at));
        }
        self.mem.next_expiry = super::memory::next_expiry(&*self.buf)?;
        for hour in hours {
            self.leave_hour(hour, true)?;
        }
        self.destroy_slots(&mut conversation)?;
        self.buf.delete::<Recent>(&numbered(conversation.activity));
        conversation.forgotten = conversation.last;
        conversation.read = conversation.last;
        // Their places are gone.
        conversation.senders.values_mut().for_each(Counters::forget_places);
        conversation.activity = 0;
        (conversation.unread, conversation.kept) = (0, 0);
        self.put_conversation(&conversation)?;
        self.room_is_made(peer)?;
        self.bury(Tomb::Conversation { room, upto: conversation.forgotten, seen: Vec::new() })?;
        self.event(EventKind::ConversationDeleted { conversation: peer });
        Ok(Answer::Deleted { unsent })
    }

    /// A conversation whose row does not open, as it is after everything in it was deleted, but for its place in the inbox.
    fn conversation_anew(&mut self, room: RoomId) -> Step<ConversationRow> {
        self.destroy_unnamed(&room)?;
        let mut row = ConversationRow::new(room, self.deadline_clock().0);
        let newest = self.buf.scan_all::<Messages>(&Scan::new(room_key(&room)).reverse().limit(1))?;
        row.last = newest.first().and_then(|(key, _)| number(key)).unwrap_or_default();
        let (recent, _) = self.buf.scan_sound::<Recent>(&Scan::all())?;
        let place = recent.iter().find(|(_, of)| *of == room).and_then(|(key, _)| number(key));
        row.activity = place.unwrap_or_default();
        Ok(row)
    }

    /// What was received is forgotten: its row in the index stays as long as a second copy may come.
    pub(super) fn bury(&mut self, of: Tomb) -> Step {
        let row = TombRow { until: self.deadline_clock() + limits::FORGOTTEN_LIFE, of };
        Ok(self.buf.put::<Tombs>(&tomb_key(&row), &row)?)
    }

    /// Forgets what was remembered long enough, a bounded number at a time.
    pub(super) fn forget_tombs(&mut self) -> Step {
        let clock = self.believed(limits::FORGOTTEN_LIFE);
        let due = Scan::all().to(clock.0.saturating_add(1)).limit(limits::MAX_BURIED_AT_ONCE);
        let due = self.buf.take::<Tombs>(&due)?;
        self.mem.burying = due.len() == limits::MAX_BURIED_AT_ONCE;
        for (_, row) in due {
            match row.of.clone() {
                Tomb::Message(id) => {
                    if self.index(&id)?.is_none() {
                        self.buf.delete::<MessageIndex>(&index_key(&id));
                    }
                }
                Tomb::Conversation { room, upto, seen } => {
                    if let Some(seen) = self.forget_index(&room, upto, &seen)? {
                        let row = TombRow { of: Tomb::Conversation { room, upto, seen }, ..row };
                        self.buf.put::<Tombs>(&tomb_key(&row), &row)?;
                        self.mem.burying = true;
                        // One walk through the index is enough for one commit.
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes forgotten messages of a deleted conversation out of the index, from behind `seen` on. Says where to go on.
    fn forget_index(&mut self, room: &RoomId, upto: u64, seen: &[u8]) -> Step<Option<Vec<u8>>> {
        let scan = Scan::all().after_bytes(seen).limit(limits::MAX_BURIED_AT_ONCE);
        let page = self.buf.scan_all::<MessageIndex>(&scan)?;
        for (key, index) in &page {
            if let Some(index) = index
                && index.room == *room
                && index.position <= upto
                && let Some(id) = indexed(key)
                && self.index(&id)?.is_none()
            {
                self.buf.delete::<MessageIndex>(&index_key(&id));
            }
        }
        let full = page.len() == limits::MAX_BURIED_AT_ONCE;
        Ok(page.last().filter(|_| full).map(|(key, _)| key.clone()))
    }
}

#[cfg(test)]
mod tests;
