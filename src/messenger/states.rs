//! How far a message is: what its recipient says of one of ours, and what was read of the others. It stands beside the
//! message, which is read once for each new state and never written again.

use crate::base::event::EventKind;
use crate::base::words::State;
use crate::base::{MessageId, PeerId, RoomId};
use crate::store::{Rows, Scan};

use super::command::{Answer, Refusal};
use super::memory::number;
use super::tables::{
    ConversationRow, IndexRow, Late, MessageIndex, MessageRow, Messages, States, WAITING, index_key, message_key,
    room_key,
};
use super::tx::{Step, Tx};

/// Messages that are looked at in one go when they are read.
const PAGE: usize = 256;

impl Tx<'_> {
    /// An own message has come further with a recipient; never back. That it is *sent* is in the outbox, and told by whoever
    /// notes it there.
    pub(super) fn advance(&mut self, peer: PeerId, position: u64, state: State) -> Step {
        let room = RoomId::direct(peer);
        let (Some(mut conversation), Some(message)) = (self.conversation(&room)?, self.message(&room, position)?)
        else {
            return Ok(());
        };
        if state != State::Sent {
            let mut row = self.buf.get::<States>(&message_key(&room, position))?.unwrap_or_default();
            if !row.note(0, state) {
                return Ok(());
            }
            self.put_beside::<States>(&mut conversation, position, message.vanishes.is_none(), &row)?;
        }
        self.event(EventKind::MessageState { conversation: peer, message_id: message.id, state });
        Ok(())
    }

    /// A recipient says how far a message of ours has come with him (CON-25). Nothing of what it says is read: it may be long.
    pub(super) fn reported(&mut self, conversation: &mut ConversationRow, id: &MessageId, state: State) -> Step {
        let index = self.buf.get::<MessageIndex>(&index_key(id))?;
        let ours = |index: &IndexRow| index.outbox.is_some() && index.room == conversation.room;
        let Some(index) = index.filter(ours) else { return Ok(()) };
        let key = message_key(&index.room, index.position);
        let mut row = self.buf.get::<States>(&key)?.unwrap_or_default();
        if !row.note(0, state) || !self.buf.contains::<Messages>(&key)? {
            return Ok(());
        }
        if let Some(number) = index.outbox {
            let passed = &mut self.link(index.room.peer()).passed;
            passed.upto = passed.upto.max(index.position);
            self.unqueue(index.room.peer(), number, index.position)?;
        }
        self.put_beside::<States>(conversation, index.position, !index.timed, &row)?;
        self.event(EventKind::MessageState { conversation: index.room.peer(), message_id: *id, state });
        Ok(())
    }

    /// Marks a conversation as read; the writer is told, once he is a contact.
    pub(super) fn read(&mut self, peer: PeerId, upto: Option<MessageId>) -> Step<Answer> {
        let room = RoomId::direct(peer);
        let Some(mut conversation) = self.conversation(&room)? else { return Err(Refusal::NoMessage.into()) };
        let to = match upto {
            None => conversation.last,
            Some(id) => match self.index(&id)? {
                Some(index) if index.room == room => index.position,
                _ => return Err(Refusal::NoMessage.into()),
            },
        };
        let (mut count, mut started) = (0, false);
        let below = to.saturating_add(1);
        for (key, ()) in self.buf.take::<Late>(&Scan::new(room_key(&room)).to(below))? {
            let position = number(&key).unwrap_or_default();
            if let Some(row) = self.message(&room, position)? {
                count += 1;
                started |= self.mark_read(&mut conversation, position, row)?;
            }
        }
        while conversation.unread > 0 && conversation.read < to {
            let page = Scan::new(room_key(&room)).from(conversation.read.saturating_add(1)).to(below);
            let (rows, _) = self.buf.scan_sound::<Messages>(&page.limit(PAGE))?;
            let Some(last) = rows.last().and_then(|(key, _)| number(key)) else { break };
            conversation.read = last;
            for (key, row) in rows {
                if row.author != self.my_id() {
                    count += u64::from(!row.is_other());
                    started |= self.mark_read(&mut conversation, number(&key).unwrap_or_default(), row)?;
                }
            }
        }
        conversation.read = conversation.read.max(to);
        self.put_conversation(&conversation)?;
        if started {
            self.leave_hour(WAITING, true)?;
        }
        Ok(Answer::Read(count))
    }

    /// One message was read. Says whether it vanishes some time after that.
    fn mark_read(&mut self, conversation: &mut ConversationRow, position: u64, mut row: MessageRow) -> Step<bool> {
        let peer = conversation.room.peer();
        let started = self.start_timer(conversation.room, position, &mut row)?;
        if started {
            self.put_message(conversation, position, &row)?;
        }
        if row.is_other() {
            return Ok(started);
        }
        conversation.unread = conversation.unread.saturating_sub(1);
        self.event(EventKind::MessageState { conversation: peer, message_id: row.id, state: State::Read });
        self.mem.receipts.push((peer, row.id, State::Read));
        Ok(started)
    }
}

#[cfg(test)]
mod tests;
