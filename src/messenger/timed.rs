//! Messages with a time to live. They are sealed under the erasable key of the hour in which they vanish; the key is
//! destroyed with the last of them. When one vanishes before the others of its hour, these move to a new key, so that
//! the old one can be destroyed at once.

use std::collections::BTreeSet;

use crate::base::{MessageId, Millis, MonoTime, RoomId, WallTime, limits};
use crate::content::mimi::{Expires, Vanishes};
use crate::store::{KeyId, Rows, Scan, StoreError};

use super::command::Refusal;
use super::query;
use super::tables::{
    HourRow, Hours, Late, MessageIndex, MessageRow, Messages, Requests, States, Timed, TimedRow, Tomb, WAITING,
    hour_of, in_hour, index_key, message_key, numbered, peer_key, time_of, timed_key,
};
use super::tx::{Step, Tx};
use crate::base::event::EventKind;
use crate::base::words::{MessageEnd, RequestEnd, State};

impl Tx<'_> {
    /// What a time to live means for a message that is written now: the wish that goes with it, and when our own copy
    /// vanishes.
    pub(super) fn lifetime(&self, life: Millis) -> Result<(Expires, Vanishes), Refusal> {
        // The other side knows nothing of where our clock once was.
        let wish = Expires::after(life, self.now.wall).ok_or(Refusal::Lifetime)?;
        Ok((wish, Vanishes::at_second(self.deadline_clock() + life)))
    }

    /// When a message vanishes that came now, by the profile's time.
    pub(super) fn vanishes(&self, wish: Expires, sent_at: WallTime) -> Vanishes {
        match wish.for_recipient(sent_at, self.now.wall) {
            Vanishes::At(at) => Vanishes::at_second(self.deadline_clock() + at.since(self.now.wall)),
            after @ Vanishes::AfterReading(_) => after,
        }
    }

    /// The key that seals messages that vanish in this hour.
    pub(super) fn key_of_hour(&mut self, vanishes: Vanishes) -> Step<KeyId> {
        let hour = hour_of(time_of(vanishes));
        if let Some(row) = self.hour(hour)? {
            return Ok(row.key);
        }
        let key = self.buf.create_key(&mut *self.rng);
        self.buf.put::<Hours>(&numbered(hour), &HourRow { key, old: Vec::new(), moved: Vec::new() })?;
        Ok(key)
    }

    /// Notes that a message is to vanish; without a position it is held in a request.
    pub(super) fn watch(&mut self, id: MessageId, vanishes: Vanishes, room: RoomId, position: Option<u64>) -> Step {
        let at = time_of(vanishes);
        let key = timed_key(at, &id);
        // Out of a request it counts from when it came.
        let known = self.buf.get::<Timed>(&key)?.map(|row| row.since);
        let since = known.unwrap_or_else(|| self.deadline_clock());
        self.buf.put::<Timed>(&key, &TimedRow { at, since, id, room, position })?;
        if let Some(at) = vanishes.at() {
            self.mem.next_expiry = Some(self.mem.next_expiry.map_or(at, |next| next.min(at)));
        }
        Ok(())
    }

    /// Takes that back.
    pub(super) fn unwatch(&mut self, id: &MessageId, vanishes: Vanishes) {
        self.buf.delete::<Timed>(&timed_key(time_of(vanishes), id));
    }

    /// A message that vanishes some time after reading was read.
    pub(super) fn start_timer(&mut self, room: RoomId, position: u64, row: &mut MessageRow) -> Step<bool> {
        let Some(Vanishes::AfterReading(life)) = row.vanishes else { return Ok(false) };
        self.unwatch(&row.id, Vanishes::AfterReading(life));
        let vanishes = Vanishes::at_second(self.deadline_clock() + life);
        row.vanishes = Some(vanishes);
        self.watch(row.id, vanishes, room, Some(position))?;
        Ok(true)
    }

    /// Lets go of what is due, a bounded number at a time, and destroys the keys that sealed it. What is over by the wall
    /// clock alone is passed over until that is confirmed: questions do not tell of it.
    pub(super) fn expire(&mut self) -> Step {
        let clock = self.deadline_clock();
        if self.mem.next_expiry.is_some_and(|at| at <= clock) {
            let (from, mut first) = match self.mem.held.take().filter(|(_, first)| *first > clock) {
                Some((key, first)) => (Scan::all().after_bytes(&key), Some((key, first))),
                None => (Scan::all(), None),
            };
            let page = from.to(clock.0.saturating_add(1)).limit(limits::MAX_EXPIRED_AT_ONCE);
            let page = self.buf.scan_all::<Timed>(&page)?;
            let is_all = page.len() < limits::MAX_EXPIRED_AT_ONCE;
            let mut hours = BTreeSet::new();
            for (key, row) in page {
                let Some(row) = row else {
                    hours.extend(self.drop_timed(&key)?);
                    continue;
                };
                let over = self.mem.clock.row.over_from(row.since, WallTime(row.at));
                if over > clock {
                    first = Some((key, first.map_or(over, |(_, first)| first.min(over))));
                    continue;
                }
                let hour = hour_of(row.at);
                if hours.insert(hour) {
                    self.hour(hour)?;
                }
                self.buf.delete::<Timed>(&timed_key(row.at, &row.id));
                // The key goes, whatever becomes of the rows.
                self.apart(|tx| match row.position {
                    Some(position) => tx.vanish(&row, position),
                    None => tx.vanish_held(&row),
                });
            }
            self.mem.next_expiry = if is_all { self.next_look(first.as_ref())? } else { Some(clock) };
            self.mem.held = first;
            for hour in hours {
                self.leave_hour(hour, false)?;
            }
        } else if let Some(hour) = self.mem.moving.first().copied() {
            self.move_some(hour)?;
        }
        Ok(())
    }

    /// When there is something to let go of next: one that is passed over, or the first behind these.
    fn next_look(&self, held: Option<&(Vec<u8>, WallTime)>) -> Step<Option<WallTime>> {
        let scan = held.map_or_else(Scan::all, |(key, _)| Scan::all().after_bytes(key));
        let next =
            self.buf.scan_sound::<Timed>(&scan.limit(1))?.0.pop().map(|(_, row)| row.at).filter(|at| *at != WAITING);
        Ok(next.map(WallTime).into_iter().chain(held.map(|(_, first)| *first)).min())
    }

    /// When that is to be called again.
    pub(super) fn next_expiry(&self) -> Option<MonoTime> {
        let busy = !self.mem.moving.is_empty() || self.mem.burying || self.mem.walking.is_some();
        let next = self.mem.next_expiry.map(|at| self.now.mono + at.since(self.deadline_clock()));
        next.into_iter().chain(busy.then_some(self.now.mono)).min()
    }

    /// Whether something should have vanished already.
    pub(super) fn is_overdue(&self) -> bool {
        let clock = self.deadline_clock();
        self.mem.next_expiry.is_some_and(|at| at <= clock) || !self.mem.moving.is_empty()
    }

    fn vanish(&mut self, timed: &TimedRow, position: u64) -> Step {
        let (room, peer) = (timed.room, timed.room.peer());
        let key = message_key(&room, position);
        let message = match self.buf.get::<Messages>(&key) {
            // Of this one only its name is known.
            Err(StoreError::Damaged { .. }) => {
                self.buf.delete::<Messages>(&key);
                return self.bury(Tomb::Message(timed.id));
            }
            read => read?.filter(|message| message.id == timed.id),
        };
        let (Some(mut conversation), Some(message)) = (self.conversation(&room)?, message) else { return Ok(()) };
        let state = query::state(&*self.buf, self.my_id(), &conversation, position, &message)?;
        if state == State::Received {
            conversation.unread = conversation.unread.saturating_sub(1);
        }
        let index = self.index(&message.id)?;
        if let Some(row) = index.map(|index| query::waiting(&*self.buf, &index)).transpose()?.flatten() {
            // What is not delivered now is not to be read any more.
            self.unqueue(peer, row.number, position)?;
        }
        if message.author != self.my_id() {
            conversation.kept = conversation.kept.saturating_sub(message.size());
        }
        self.put_conversation(&conversation)?;
        self.buf.delete::<Messages>(&key);
        self.buf.delete::<States>(&key);
        self.buf.delete::<Late>(&key);
        if message.author == self.my_id() {
            self.buf.delete::<MessageIndex>(&index_key(&message.id));
        } else {
            self.bury(Tomb::Message(message.id))?;
            self.room_is_made(peer)?;
        }
        // What never was told does not end.
        if !message.is_other() {
            let reason = MessageEnd::Expired;
            self.event(EventKind::MessageDeleted { conversation: peer, message_id: message.id, reason, state });
        }
        Ok(())
    }

    /// A message of a pending request vanishes: the request goes on without it, under a new key.
    fn vanish_held(&mut self, timed: &TimedRow) -> Step {
        let peer = timed.room.peer();
        let Some(mut row) = self.request(&peer)? else { return Ok(()) };
        row.messages.retain(|held| held.id != timed.id);
        if row.messages.is_empty() {
            self.close_request(&peer, RequestEnd::Expired)?;
            return Ok(());
        }
        self.buf.destroy_key(row.key);
        row.key = self.buf.create_key(&mut *self.rng);
        Ok(self.buf.put_under::<Requests>(&peer_key(&peer), row.key, &row)?)
    }

    /// The keys of an hour. Where their row does not open it is made again of what is under them: all of them are old.
    fn hour(&mut self, hour: u64) -> Step<Option<HourRow>> {
        let read = self.buf.get::<Hours>(&numbered(hour));
        if !matches!(read, Err(StoreError::Damaged { .. })) {
            return Ok(read?);
        }
        let mut old = BTreeSet::new();
        for (_, row) in self.buf.scan_sound::<Timed>(&in_hour(hour))?.0 {
            if let Some(position) = row.position {
                old.extend(self.buf.key_of::<Messages>(&message_key(&row.room, position))?);
            }
        }
        let row = HourRow { key: self.buf.create_key(&mut *self.rng), old: Vec::from_iter(old), moved: Vec::new() };
        self.buf.put::<Hours>(&numbered(hour), &row)?;
        self.mem.moving.insert(hour);
        Ok(Some(row))
    }

    /// A row that does not open says no more than its time. What it stood for is unreadable with the key of its hour.
    fn drop_timed(&mut self, key: &[u8]) -> Step<Option<u64>> {
        let hour = key.first_chunk().map(|at| hour_of(u64::from_be_bytes(*at)));
        if let Some(hour) = hour {
            self.hour(hour)?;
        }
        self.buf.take::<Timed>(&Scan::all().from_bytes(key).to_bytes(&[key, &[0]].concat()))?;
        Ok(hour)
    }

    /// Something under the key of this hour was forgotten: the key goes, if not `at_once`, then when few are left that
    /// need another, or none.
    pub(super) fn leave_hour(&mut self, hour: u64, at_once: bool) -> Step {
        let Some(row) = self.hour(hour)? else { return Ok(()) };
        let (left, _) = self.buf.scan_sound::<Timed>(&in_hour(hour).limit(limits::MAX_MOVED_EARLY + 1))?;
        let clock = self.deadline_clock();
        if left.iter().any(|(_, row)| self.mem.clock.row.over_from(row.since, WallTime(row.at)) <= clock) {
            // The rest of what is due comes with the next commit.
            return Ok(());
        }
        let many = left.len() > limits::MAX_MOVED_EARLY;
        if !many && left.iter().all(|(_, row)| row.position.is_none()) {
            for key in row.old.into_iter().chain([row.key]) {
                self.buf.destroy_key(key);
            }
            self.buf.delete::<Hours>(&numbered(hour));
            self.mem.moving.remove(&hour);
        } else if !many || at_once {
            self.renew_hour(hour, row)?;
        }
        Ok(())
    }

    /// Gives an hour a new key; the old one is destroyed when the last message has moved.
    fn renew_hour(&mut self, hour: u64, mut row: HourRow) -> Step {
        row.old.push(row.key);
        row.key = self.buf.create_key(&mut *self.rng);
        row.moved.clear();
        self.buf.put::<Hours>(&numbered(hour), &row)?;
        self.mem.moving.insert(hour);
        self.move_some(hour)
    }

    /// Moves some messages of an hour to its new key.
    fn move_some(&mut self, hour: u64) -> Step {
        let Some(mut row) = self.hour(hour)? else {
            self.mem.moving.remove(&hour);
            return Ok(());
        };
        let scan = if row.moved.is_empty() { in_hour(hour) } else { in_hour(hour).after_bytes(&row.moved) };
        let (page, _) = self.buf.scan_sound::<Timed>(&scan.limit(limits::MAX_MOVED_AT_ONCE))?;
        for (_, timed) in &page {
            self.apart(|tx| {
                if let Some(position) = timed.position
                    && let Some(conversation) = tx.conversation(&timed.room)?
                    && let Some(message) = tx.message(&timed.room, position)?
                {
                    tx.put_message(&conversation, position, &message)?;
                }
                Ok(())
            });
        }
        match page.last() {
            Some((key, _)) if page.len() == limits::MAX_MOVED_AT_ONCE => row.moved.clone_from(key),
            _ => {
                for old in row.old.drain(..) {
                    self.buf.destroy_key(old);
                }
                row.moved.clear();
                self.mem.moving.remove(&hour);
            }
        }
        Ok(self.buf.put::<Hours>(&numbered(hour), &row)?)
    }
}

#[cfg(test)]
mod tests;
