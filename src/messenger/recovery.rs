//! What a recovered store needs before a messenger works on it (protocol, "First contact": recovery).
//!
//! Its rows are of several days, and some are missing. So everything that follows from other rows is made again: the
//! index, the inbox, the counters, the outbox. Sessions, prekeys and the marks of envelopes are gone, all of them: whoever
//! sends an old envelope is told that its session is unknown, makes a new one, and encrypts again what has not arrived
//! (SES-63). A mark without its message would acknowledge what is lost.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::base::event::EventKind;
use crate::base::{CryptoRng, MessageId, Now, PeerId, RoomId, WallTime, limits};
use crate::store::{KeyId, RowKey, Rows, Scan, SnapshotPlan, Store, StoreError, Table, WriteBuffer};

use super::clock::ClockRow;
use super::memory::{last_number, number};
use super::tables::{
    BoxCards, BoxPrekeys, BoxTokens, Boxes, ClientIdQueue, ClientIds, Clocks, ConversationRow, Conversations,
    DepositBodies, DepositMarks, Deposits, EnvelopeMarks, Events, EventsRow, Hours, IndexRow, Late, MailTotals,
    MarkQueue, MessageIndex, MessageRow, Messages, OutKind, OutRow, Outbox, Peers, PrekeyMarks, Profile, Recent,
    Requests, Slots, States, Timed, Tomb, TombRow, Tombs, Way, client_id_key, hour_of, index_key, indexed, message_key,
    numbered, outbox_key, peer_key, room_key, tomb_key,
};

/// What a snapshot holds: not what follows from other rows, nor what a recovery throws away; messages last. What is kept for
/// others is in none: an old copy of a box would bring back what its owner has deleted, and hand out prekeys twice.
pub const SNAPSHOT: SnapshotPlan = SnapshotPlan {
    without: &[Recent::ID, EnvelopeMarks::ID, MarkQueue::ID, PrekeyMarks::ID],
    never: &[
        MailTotals::ID,
        Boxes::ID,
        BoxCards::ID,
        BoxPrekeys::ID,
        BoxTokens::ID,
        Deposits::ID,
        DepositBodies::ID,
        DepositMarks::ID,
    ],
    last: &[Messages::ID],
};

/// Events that may have been told and are lost: the log goes on behind them, so that no number is used twice.
const LEAP: u64 = limits::MAX_EVENTS / 10;
/// Places that may have been taken by messages that are lost: the index may name them, and none is taken twice.
const LOST_PLACES: u64 = 1 << 32;
/// Rows of one page, and of one commit.
const PAGE: usize = 500;

/// What there is after a recovery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InOrder {
    /// Whether the own name, token and policy are known.
    pub profile: bool,
    /// Contacts.
    pub contacts: u64,
    /// Conversations.
    pub conversations: u64,
    /// Of these, such as had messages of which none is left: their keys are lost.
    pub emptied: u64,
    /// Messages.
    pub messages: u64,
    /// Messages that wait in the outbox again.
    pub queued: u64,
    /// Pending requests.
    pub requests: u64,
}

/// Puts the rows of a recovered store of ours in order. `keys`: whether the key files were there, so that a key that is missing
/// was destroyed on purpose.
///
/// # Errors
/// Those of the store. Interrupted, it is done again from the start.
pub fn put_in_order(
    store: &Store,
    me: PeerId,
    keys: bool,
    now: Now,
    rng: &mut dyn CryptoRng,
) -> Result<InOrder, StoreError> {
    let (forgotten, done) = (HashMap::new(), InOrder::default());
    let (buf, clock, destroyed) = (store.begin(), ClockRow::new(now.wall), BTreeSet::new());
    let mut order = Order { store, me, buf, changes: 0, rng, now, clock, keys, destroyed, forgotten, done };
    // What does not open in a database that is whole opens nowhere else.
    super::tables::discard_unsound(&mut order.buf)?;
    let peers = order.peers()?;
    order.profile()?;
    order.hours()?;
    let mut active = order.conversations(&peers)?;
    active.sort_unstable();
    for (activity, (_, _, room)) in (1..).zip(active) {
        order.buf.put::<Recent>(&numbered(activity), &room)?;
        if let Some(mut row) = order.buf.get::<Conversations>(&room_key(&room))? {
            row.activity = activity;
            order.buf.put::<Conversations>(&room_key(&room), &row)?;
        }
        order.step(2)?;
    }
    order.index()?;
    order.clients()?;
    order.events()?;
    order.boxes()?;
    order.own_boxes()?;
    order.done.requests = order.buf.scan::<Requests>(&Scan::all())?.len() as u64;
    order.commit()?;
    Ok(order.done)
}

/// The work, in commits of some hundred rows.
struct Order<'a> {
    store: &'a Store,
    me: PeerId,
    buf: WriteBuffer,
    changes: usize,
    rng: &'a mut dyn CryptoRng,
    now: Now,
    /// The profile's time, and what of it is believed.
    clock: ClockRow,
    keys: bool,
    /// Hours whose key was destroyed.
    destroyed: BTreeSet<u64>,
    /// Positions up to which messages were deleted with their conversation.
    forgotten: HashMap<RoomId, u64>,
    done: InOrder,
}

/// What the messages of a conversation amount to.
#[derive(Default)]
struct Walked {
    count: u64,
    last: u64,
    unread: u64,
    /// What is kept of the messages of others.
    kept: u64,
    sent_counter: u64,
    /// The highest counter of each of the others.
    received: BTreeMap<PeerId, u64>,
    /// The keys of slots.
    keys: BTreeSet<KeyId>,
    /// Own messages that are to go again: positions and when they were written.
    undelivered: Vec<(u64, WallTime)>,
}

impl Order<'_> {
    fn commit(&mut self) -> Result<(), StoreError> {
        let buf = std::mem::replace(&mut self.buf, self.store.begin());
        self.changes = 0;
        self.store.commit(buf, self.rng)
    }

    fn step(&mut self, changes: usize) -> Result<(), StoreError> {
        self.changes += changes;
        if self.changes >= PAGE { self.commit() } else { Ok(()) }
    }

    /// Every contact who has accepted us gets a fresh session; the others get one when there is something to send.
    fn peers(&mut self) -> Result<BTreeSet<PeerId>, StoreError> {
        let mut peers = BTreeSet::new();
        for (_, mut row) in self.buf.scan::<Peers>(&Scan::all())? {
            peers.insert(row.peer);
            self.done.contacts += u64::from(row.contact.is_some());
            row.heal_due = row.contact.is_some() && row.accepted;
            (row.healed_at, row.reset_at) = (None, None);
            row.profile_sent = 0;
            // What went to somebody who has not accepted goes again, and counts again.
            row.unaccepted_sent.clear();
            self.buf.put::<Peers>(&peer_key(&row.peer), &row)?;
            self.step(1)?;
        }
        Ok(peers)
    }

    /// The card named prekeys that are gone: it counts as old, so that the next look at it makes another.
    fn profile(&mut self) -> Result<(), StoreError> {
        let Some(mut row) = self.buf.get::<Profile>(&RowKey::new())? else { return Ok(()) };
        self.done.profile = true;
        row.card_issued = WallTime(0);
        (row.recovered, row.elsewhere) = (Some(self.now.wall), None);
        if let Some(clock) = self.buf.get_sound::<Clocks>(&RowKey::new())? {
            self.clock = clock.at(self.now.wall);
        }
        self.buf.put::<Profile>(&RowKey::new(), &row)
    }

    /// The key of an hour may be gone: it was renewed later than the row was written. With the next message the hour begins
    /// anew; a key before it that was to be destroyed still is.
    fn hours(&mut self) -> Result<(), StoreError> {
        for (key, mut row) in self.buf.scan::<Hours>(&Scan::all())? {
            if self.buf.has_key(row.key) {
                continue;
            }
            let hour = number(&key).unwrap_or_default();
            self.destroyed.extend(self.keys.then_some(hour));
            let hour = numbered(hour);
            row.old.retain(|old| self.buf.has_key(*old));
            if row.old.is_empty() {
                self.buf.delete::<Hours>(&hour);
            } else {
                row.key = self.buf.create_key(self.rng);
                row.moved.clear();
                self.buf.put::<Hours>(&hour, &row)?;
            }
            self.step(1)?;
        }
        Ok(())
    }

    /// Gives with whom there is a conversation, oneself among them, and its place in the inbox.
    fn conversations(&mut self, peers: &BTreeSet<PeerId>) -> Result<Vec<(u64, u64, RoomId)>, StoreError> {
        let rows = self.buf.scan::<Conversations>(&Scan::all())?;
        let mut known: BTreeMap<RoomId, Option<ConversationRow>> =
            peers.iter().chain([&self.me]).map(|peer| (RoomId::direct(*peer), None)).collect();
        known.extend(rows.into_iter().map(|(_, row)| (row.room, Some(row))));
        let mut active = Vec::new();
        for (room, row) in known {
            let walked = self.walk(&room, row.as_ref().map_or(0, |row| row.read))?;
            let last = row.as_ref().map(|row| row.last);
            let Some(row) = self.conversation(room, row, &walked)? else {
                if let Some(last) = last {
                    self.buf.delete::<Conversations>(&room_key(&room));
                    self.bury(room, last)?;
                }
                continue;
            };
            self.forgotten.insert(room, row.forgotten);
            self.done.conversations += u64::from(row.activity > 0 || walked.count > 0);
            self.done.messages += walked.count;
            // Two that claim one place are told apart by their last message.
            // A deleted conversation is none of the inbox, until somebody writes.
            if row.activity > 0 || walked.count > 0 {
                active.push((row.activity, row.last, room));
            }
            self.outbox(&row, walked.undelivered)?;
            self.buf.put::<Conversations>(&room_key(&room), &row)?;
            self.step(1)?;
        }
        Ok(active)
    }

    /// The conversation was deleted, though a row of it is left: what is known of its messages keeps them from coming back.
    fn bury(&mut self, room: RoomId, upto: u64) -> Result<(), StoreError> {
        self.forgotten.insert(room, upto);
        let of = Tomb::Conversation { room, upto, seen: Vec::new() };
        let row = TombRow { until: self.clock.time + limits::FORGOTTEN_LIFE, of };
        self.buf.put::<Tombs>(&tomb_key(&row), &row)?;
        self.step(2)
    }

    /// What was to vanish by now and is not there has vanished, though what was remembered of it is lost: if its time is over as far
    /// as is confirmed, or by the wall clock, and its key was destroyed. Anything else is lost, and may come again.
    fn vanished(&mut self) -> Result<(), StoreError> {
        let time = self.clock.time;
        for (_, row) in self.buf.scan::<Timed>(&Scan::all().to(time.0.saturating_add(1)))? {
            let (Some(position), end) = (row.position, WallTime(row.at)) else { continue };
            let over = match self.destroyed.contains(&hour_of(row.at)) {
                true => self.clock.hidden_from(row.since, end),
                false => self.clock.over_from(row.since, end),
            };
            if over <= time && !self.buf.contains::<Messages>(&message_key(&row.room, position))? {
                let until = time + limits::FORGOTTEN_LIFE;
                let tomb = TombRow { until, of: Tomb::Message(row.id) };
                self.buf.put::<Tombs>(&tomb_key(&tomb), &tomb)?;
                self.step(1)?;
            }
        }
        Ok(())
    }

    /// A message of the index that is not there was forgotten, and must not come back, or it is lost, and may.
    fn index(&mut self) -> Result<(), StoreError> {
        self.vanished()?;
        let tombs = self.buf.scan::<Tombs>(&Scan::all())?.into_iter();
        let buried: BTreeSet<MessageId> =
            tombs.filter_map(|(_, row)| if let Tomb::Message(id) = row.of { Some(id) } else { None }).collect();
        let mut page = Scan::all().limit(PAGE);
        loop {
            let rows = self.buf.scan::<MessageIndex>(&page)?;
            for (key, row) in &rows {
                let Some(id) = indexed(key) else { continue };
                let message = self.buf.get::<Messages>(&message_key(&row.room, row.position))?;
                let is_there = message.is_some_and(|message| message.id == id);
                let deleted = self.forgotten.get(&row.room).is_some_and(|upto| row.position <= *upto);
                if !is_there && !deleted && !buried.contains(&id) {
                    self.buf.delete::<MessageIndex>(&index_key(&id));
                    self.step(1)?;
                }
            }
            match rows.last() {
                Some((key, _)) if rows.len() == PAGE => page = Scan::all().after_bytes(key).limit(PAGE),
                _ => return Ok(()),
            }
        }
    }

    /// Reads all messages of a conversation, and writes where each is.
    fn walk(&mut self, room: &RoomId, read: u64) -> Result<Walked, StoreError> {
        let mut walked = Walked::default();
        let mut from = 0;
        loop {
            let page = Scan::new(room_key(room)).from(from).limit(PAGE);
            let rows = self.buf.scan::<Messages>(&page)?;
            let more = rows.len() == PAGE;
            for (key, row) in rows {
                let position = number(&key).unwrap_or_default();
                from = position.saturating_add(1);
                let place = message_key(room, position);
                // What vanishes is under the key of its hour, and what is said about it in a slot.
                let key = self.buf.key_of::<Messages>(&place)?.filter(|_| row.vanishes.is_none());
                let beside = [self.buf.key_of::<States>(&place)?, self.buf.key_of::<Late>(&place)?];
                walked.keys.extend(key.into_iter().chain(beside.into_iter().flatten()));
                let outbox = if row.author == self.me {
                    let is_settled = room.peer() == self.me || self.buf.contains::<States>(&place)?;
                    Some(walked.note_own(position, &row, is_settled))
                } else {
                    walked.note_other(&row, position > read || self.buf.contains::<Late>(&place)?);
                    walked.kept += row.size();
                    None
                };
                walked.count += 1;
                walked.last = walked.last.max(position);
                let index = IndexRow { room: *room, position, outbox, timed: row.vanishes.is_some() };
                self.buf.put::<MessageIndex>(&index_key(&row.id), &index)?;
                self.step(1)?;
            }
            if !more {
                return Ok(walked);
            }
        }
    }

    /// The row of a conversation, as its messages say; `None` when there is none (any more).
    fn conversation(
        &mut self,
        room: RoomId,
        row: Option<ConversationRow>,
        walked: &Walked,
    ) -> Result<Option<ConversationRow>, StoreError> {
        let present = row.as_ref().and_then(|row| row.slot.as_ref()).map(|slot| slot.key);
        let (had, slots) = self.slots(&room, present, walked)?;
        if row.is_none() && walked.count == 0 {
            return Ok(None);
        }
        if had && slots == 0 && walked.count == 0 {
            // Without key files the messages are lost; with them, the conversation was deleted.
            if self.keys {
                return Ok(None);
            }
            self.done.emptied += 1;
        }
        let mut row = row.unwrap_or_else(|| ConversationRow::new(room, 0));
        (row.slot, row.slots) = (None, slots);
        row.last = row.last.max(walked.last).saturating_add(LOST_PLACES);
        (row.unread, row.kept) = (walked.unread, walked.kept);
        for (author, highest) in &walked.received {
            let counters = row.senders.entry(*author).or_default();
            counters.highest = counters.highest.max(*highest);
        }
        // Messages may be lost that the other side has: a counter used twice would put new ones among the old. They begin at the
        // profile's time. The other side shows a gap, which is what there may be.
        row.sent_counter = row.sent_counter.max(walked.sent_counter).max(self.clock.time.0);
        Ok(Some(row))
    }

    /// Names every slot whose key is there; none takes more rows. Gives whether there were any, and how many there are.
    fn slots(&mut self, room: &RoomId, present: Option<KeyId>, walked: &Walked) -> Result<(bool, u64), StoreError> {
        let mut keys: BTreeSet<KeyId> = present.into_iter().collect();
        keys.extend(self.buf.take::<Slots>(&Scan::new(room_key(room)))?.into_iter().map(|(_, key)| key));
        let had = !keys.is_empty();
        keys.extend(&walked.keys);
        let mut slots = 0;
        for key in keys.into_iter().filter(|key| self.buf.has_key(*key)).collect::<Vec<_>>() {
            slots += 1;
            self.buf.put::<Slots>(&room_key(room).u64(slots), &key)?;
            self.changes += 1;
        }
        Ok((had, slots))
    }

    /// What had not been delivered is sent again, under the same message IDs.
    fn outbox(&mut self, row: &ConversationRow, undelivered: Vec<(u64, WallTime)>) -> Result<(), StoreError> {
        let peer = row.room.peer();
        for (number, (position, sent_at)) in (1..).zip(undelivered) {
            // Its age is by the wall clock, its date by the profile's time.
            let queued_at = self.clock.time - self.now.wall.since(sent_at);
            let kind = OutKind::Message(position);
            let out = OutRow { peer, number, kind, queued_at, anew: 0, way: Way::default() };
            self.buf.put::<Outbox>(&outbox_key(&peer, number), &out)?;
            self.done.queued += 1;
            self.step(1)?;
        }
        Ok(())
    }

    /// A client's ID of a message that is lost must not stand for it: it is asked for again.
    fn clients(&mut self) -> Result<(), StoreError> {
        for (key, id) in self.buf.scan::<ClientIdQueue>(&Scan::all())? {
            let row = self.buf.get::<ClientIds>(&client_id_key(&id))?;
            let is_there = match row {
                Some(row) => self.buf.contains::<MessageIndex>(&index_key(&row.message))?,
                None => false,
            };
            if !is_there {
                self.buf.delete::<ClientIds>(&client_id_key(&id));
                self.buf.delete::<ClientIdQueue>(&numbered(number(&key).unwrap_or_default()));
                self.step(2)?;
            }
        }
        Ok(())
    }

    /// The log of events goes on behind all that may have been told.
    fn events(&mut self) -> Result<(), StoreError> {
        let seq = last_number::<Events>(&self.buf)? + LEAP;
        self.buf.put::<Events>(&numbered(seq), &EventsRow::new(self.now.wall, vec![EventKind::Recovered {}]))?;
        let oldest = (seq + 1).saturating_sub(limits::MAX_EVENTS);
        let gone = self.buf.take::<Events>(&Scan::all().to(oldest))?.len();
        self.step(gone)
    }
}

impl Walked {
    /// An own message: says which number it has in the outbox.
    fn note_own(&mut self, position: u64, row: &MessageRow, is_settled: bool) -> u64 {
        self.sent_counter = self.sent_counter.max(row.counter);
        if is_settled {
            return 0;
        }
        self.undelivered.push((position, row.sent_at));
        self.undelivered.len() as u64
    }

    fn note_other(&mut self, row: &MessageRow, is_unread: bool) {
        let highest = self.received.entry(row.author).or_default();
        *highest = row.counter.max(*highest);
        self.unread += u64::from(is_unread && !row.is_other());
    }
}

mod boxes;
#[cfg(test)]
mod tests;
