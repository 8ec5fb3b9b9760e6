//! What a contact says: messages, receipts, profile, acceptance, reset.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::event::EventKind;
use crate::base::words::State;
use crate::base::{MessageId, Millis, PeerId, RoomId, Tail, WallTime, limits};
use crate::content::mimi::Bare;
use crate::content::{self, Capsule, Introduction, Item, MimiContent, StatusReport};
use crate::envelope::mailbox::TokenIn;
use crate::session::Opened;
use crate::store::Rows;

use super::names::{check_name, told_name};
use super::outgoing::{Letter, What};
use super::send::merge_addrs;
use super::tables::{HeldMessage, IndexRow, Late, MessageIndex, MessageRow, Messages, PeerRow, index_key, message_key};
use super::told::introduction;
use super::tx::{Step, Tx};

impl Tx<'_> {
    /// Applies the capsule of a contact.
    pub(super) fn apply(&mut self, mut row: PeerRow, capsule: Capsule, opened: &Opened) -> Step {
        let peer = row.peer;
        let before = row.clone();
        // He has begun anew already: a session of ours beside his would leave each of us in his own (SES-55).
        row.heal_due &= !opened.is_new_session;
        self.heard(&mut row)?;
        // Whoever writes to us within a session has accepted us: crossing requests accept each other.
        if !row.accepted {
            row.accepted = true;
            row.unaccepted_sent.clear();
            self.event(EventKind::ContactAdded { peer_id: peer });
            self.send_profile(&mut row)?;
            self.try_now(peer);
        }
        let (mut subject, mut is_accepted, mut names) = (None, false, limits::MAX_STATUS_IDS);
        self.note_own_name(&mut row, told_name(&capsule.items))?;
        for item in latest(capsule.items) {
            match item {
                Item::Introduction(said) => subject = good_subject(&said),
                Item::Message { sent_at, body } => {
                    let subject = subject.take();
                    self.mem.reading = Some((peer, sent_at));
                    if let Some(held) = self.checked_message(peer, sent_at, body, subject) {
                        self.insert_incoming(peer, held)?;
                    }
                }
                Item::Status(report) => self.apply_status(&row, &report, &mut names)?,
                Item::Addresses(addrs) => merge_addrs(&mut row.addrs, &addrs),
                Item::Card(bytes) => self.told_card(peer, &bytes).map_or(Ok(()), |card| self.keep_card(card))?,
                Item::Token(token) => {
                    let token = TokenIn::from_bytes(&token);
                    self.link(peer).places.values_mut().for_each(|place| place.is_void = false);
                    self.unbar(peer)?;
                    self.change_reach(peer, |reach| reach.token = Some(token))?;
                }
                Item::Inquiry(messages) => {
                    let upto = names.min(messages.len());
                    names -= upto;
                    self.answer_inquiry(peer, messages.get(..upto).unwrap_or_default())?;
                }
                // CON-29. Messages that waited go before it, so that it need not stand in the first one.
                Item::Reset if opened.is_first_contact => self.obey_reset(&mut row)?,
                Item::Accepted => is_accepted = true,
                // What is not known (yet) is skipped.
                Item::Profile(_) | Item::Reset | Item::Unknown { .. } => {}
            }
        }
        if is_accepted {
            self.come_again(peer)?;
        }
        if row != before {
            self.put_peer(&row)?;
        }
        Ok(())
    }

    /// A message whose sender and room are those of this stream; `None` for anything else.
    pub(super) fn checked_message(
        &mut self,
        from: PeerId,
        sent_at: WallTime,
        body: Vec<u8>,
        subject: Option<String>,
    ) -> Option<HeldMessage> {
        let names = self.names(from);
        let (sender, room) = (&names.peer, &names.room);
        // CON-23: it is decoded by itself, and the other items of the capsule stand.
        let mimi = match MimiContent::decode(&body) {
            Ok(mimi) => mimi,
            Err(error) => {
                tracing::debug!(%from, %error, "a message does not decode");
                return None;
            }
        };
        if mimi.sender_uri() != Some(sender) || mimi.room_uri() != Some(room) {
            tracing::debug!(%from, "a message names another sender or room than it came from");
            return None;
        }
        let id = content::message_id(sender, room, &body, &mimi.salt);
        let counter = mimi.counter().unwrap_or(0);
        let vanishes = mimi.expires.map(|wish| self.vanishes(wish, sent_at));
        Some(HeldMessage { id, sent_at, received_at: self.now.wall, counter, body, subject, vanishes })
    }

    /// Puts a message into the conversation, once; also when it was forgotten since.
    pub(super) fn insert_incoming(&mut self, peer: PeerId, held: HeldMessage) -> Step {
        let id = held.id;
        let again = self.buf.get::<MessageIndex>(&index_key(&id))?.is_some();
        if !again || self.receipt_is_due_again(peer) {
            self.mem.receipts.push((peer, id, State::Delivered));
        }
        if again {
            return Ok(());
        }
        let mut conversation = self.open_conversation(RoomId::direct(peer))?;
        let end = conversation.last;
        let mut position = conversation.senders.entry(peer).or_default().place(held.counter, held.sent_at, end);
        // What was recovered of a store may know of a gap that was filled.
        if position <= end && self.buf.contains::<Messages>(&message_key(&conversation.room, position))? {
            position = end.saturating_add(1);
        }
        let row = MessageRow {
            id,
            author: peer,
            sent_at: held.sent_at,
            received_at: Some(held.received_at),
            counter: held.counter,
            body: Bare::new(held.body, &self.names(peer).theirs),
            subject: held.subject,
            vanishes: held.vanishes,
            tail: Tail::new(),
        };
        conversation.kept = conversation.kept.saturating_add(row.size());
        let is_other = row.is_other();
        conversation.unread += u64::from(!is_other);
        self.add_message(&mut conversation, position, &row, None)?;
        if position <= conversation.read && !is_other {
            self.put_beside::<Late>(&mut conversation, position, false, &())?;
        }
        Ok(())
    }

    /// Receipts for our messages. Each is looked at once, however often it is named, and no more than may be `left` (CON-25).
    fn apply_status(&mut self, row: &PeerRow, report: &StatusReport, left: &mut usize) -> Step {
        let peer = row.peer;
        let Some(mut conversation) = self.conversation(&RoomId::direct(peer))? else { return Ok(()) };
        let mut seen = BTreeSet::new();
        let read = report.read.iter().map(|id| (id, State::Read));
        let named = read.chain(report.delivered.iter().map(|id| (id, State::Delivered)));
        for (id, state) in named.take(*left).filter(|(id, _)| seen.insert(*id)) {
            self.reported(&mut conversation, id, state)?;
        }
        *left = left.saturating_sub(report.read.len() + report.delivered.len());
        self.touch(peer);
        self.look_at_passed_over(row);
        Ok(())
    }

    /// CON-32: our receipts for these have not come. He may ask once in a while.
    pub(super) fn answer_inquiry(&mut self, peer: PeerId, messages: &[MessageId]) -> Step {
        let now = self.now.mono;
        let link = self.link(peer);
        if link.answered_at.is_some_and(|at| now.since(at) < limits::RECEIPTS_OVERDUE) {
            return Ok(());
        }
        link.answered_at = Some(now);
        let Some(conversation) = self.conversation(&RoomId::direct(peer))? else { return Ok(()) };
        for id in messages {
            let index = self.buf.get::<MessageIndex>(&index_key(id))?;
            let theirs = |index: &IndexRow| index.outbox.is_none() && index.room == conversation.room;
            let Some(index) = index.filter(theirs) else { continue };
            if !self.receipt_is_due_again(peer) {
                continue;
            }
            let key = message_key(&index.room, index.position);
            let is_there = index.position <= conversation.read && self.buf.contains::<Messages>(&key)?;
            let is_read = is_there && !self.buf.contains::<Late>(&key)?;
            self.mem.receipts.push((peer, *id, if is_read { State::Read } else { State::Delivered }));
        }
        Ok(())
    }

    /// CON-32: asks somebody who is connected for the receipts that did not come.
    pub(super) fn inquire(&mut self, peer: PeerId) -> Step {
        let totals = self.mem.out.of(&peer).totals;
        if totals.sent == 0 {
            return Ok(());
        }
        self.link(peer).inquire_at = Some(self.now.mono + limits::INQUIRY_PAUSE);
        // What is on its way to him may be an inquiry.
        if totals.controls > 0 {
            return Ok(());
        }
        let Some(row) = self.peer(&peer)?.filter(PeerRow::is_contact) else { return Ok(()) };
        if self.heals_unheard(&row)? {
            return Ok(());
        }
        let now = self.now.mono;
        let link = self.link(peer);
        if let Some(again) = link.asked_at.map(|at| at + limits::INQUIRY_PAUSE).filter(|again| *again > now) {
            link.inquire_at = Some(again);
            return Ok(());
        }
        // What begins a session anew sends everything anew.
        let set = self.sessions(&peer)?;
        if self.link(peer).rebuild || !set.can_send() || self.is_stale(&row, &set) {
            return Ok(());
        }
        let sent = self.mem.out.of(&peer).letters.values().filter(|letter| letter.way.sent);
        let mut messages = Vec::new();
        for letter in sent.take(limits::MAX_STATUS_IDS) {
            if let What::Message(position) = letter.what
                && let Ok(Some(message)) = self.message(&RoomId::direct(peer), position)
            {
                messages.push(message.id);
            }
        }
        if messages.is_empty() {
            return Ok(());
        }
        let mut items = Vec::new();
        if !row.accepted {
            // CON-24: he may have accepted, and it did not reach us.
            items.push(introduction(&self.profile()?, &row, None));
        }
        items.push(Item::Inquiry(messages));
        let link = self.link(peer);
        (link.asked_at, link.inquire_at) = (Some(now), Some(now + limits::INQUIRY_ANSWERED));
        self.queue_items(peer, items)
    }

    /// The other side lost its state: all that is not delivered goes again, at most once an hour.
    fn obey_reset(&mut self, row: &mut PeerRow) -> Step {
        let clock = self.deadline_clock();
        if row.reset_at.is_some_and(|at| clock < at + limits::HEALING_INTERVAL) {
            return Ok(());
        }
        row.reset_at = Some(clock);
        row.heal_due = false;
        self.begin_anew(row.peer)?;
        // SES-70, SES-71: all of it goes again, and not on account of this envelope.
        self.mem.later.insert(row.peer);
        self.queue_items(row.peer, vec![Item::Accepted])?;
        row.profile_sent = 0;
        self.send_profile(row)?;
        Ok(())
    }

    /// REQ-12: he has accepted us, and may have dropped before what he acknowledged: all that is not delivered goes again, soon,
    /// but not twice within the hour, however often he says so.
    pub(super) fn come_again(&mut self, peer: PeerId) -> Step {
        self.touch(peer);
        if self.link(peer).again_at.is_some() {
            return Ok(());
        }
        let left = self.until_again(&peer)?;
        self.link(peer).again_at = Some(self.now.mono + left);
        if left == Millis(0) {
            return Ok(());
        }
        self.change_reach(peer, |reach| reach.again = true)
    }

    /// How long it is until all may go again. A restart changes nothing of that, however often there is one.
    fn until_again(&self, peer: &PeerId) -> Step<Millis> {
        let went = self.reach(peer)?.came_again;
        let left = went.map_or(Millis(0), |at| (at + limits::HEALING_INTERVAL).since(self.deadline_clock()));
        Ok(left.min(limits::HEALING_INTERVAL))
    }

    /// At the start: what was put off has waited for a part of its hour.
    pub(super) fn go_on_waiting(&mut self) -> Step {
        let put_off = self.mem.links.iter().filter(|(_, link)| link.again_at.is_some());
        for peer in put_off.map(|(peer, _)| *peer).collect::<Vec<_>>() {
            let left = self.until_again(&peer)?;
            self.link(peer).again_at = Some(self.now.mono + left);
        }
        Ok(())
    }

    /// Does so when it is time.
    pub(super) fn send_again(&mut self, peer: PeerId) -> Step {
        let now = self.now.mono;
        let link = self.link(peer);
        if link.again_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        link.again_at = None;
        // NET-95: he may have room again.
        let was_paused = link.pace.let_in(now);
        // What is sealed and not acknowledged may be there, dropped, and would be a second copy as it is.
        let is_begun = |letter: &Letter| letter.is_message() && letter.is_begun();
        let goes_again = self.mem.out.of(&peer).letters.values().any(is_begun);
        let clock = self.deadline_clock();
        self.change_reach(peer, |reach| {
            reach.again = false;
            if goes_again || was_paused {
                reach.came_again = Some(clock);
            }
        })?;
        if goes_again { self.begin_anew(peer) } else { Ok(()) }
    }

    /// Whether a second copy makes its receipt due again: the first receipt may be lost (mailboxes lie). While receipts
    /// wait to be sent it does so a bounded number of times, or whoever repeats himself could make the outbox grow.
    pub(super) fn receipt_is_due_again(&mut self, peer: PeerId) -> bool {
        let none_waits = self.mem.out.of(&peer).totals.controls == 0;
        let link = self.link(peer);
        link.repeats = if none_waits { 1 } else { link.repeats + 1 };
        link.repeats <= limits::MAX_REPEATED_RECEIPTS
    }

    /// Turns the receipts that became due into capsules. They are encrypted with the next commit: whoever waits for a
    /// message need not wait for its receipt.
    pub(super) fn flush_receipts(&mut self) -> Step {
        let mut reports: BTreeMap<PeerId, StatusReport> = BTreeMap::new();
        for (peer, id, state) in std::mem::take(&mut self.mem.receipts) {
            let due = reports.entry(peer).or_default();
            if state == State::Read { &mut due.read } else { &mut due.delivered }.push(id);
        }
        for (peer, due) in reports {
            self.for_peer(peer, |tx| tx.report(peer, due));
        }
        Ok(())
    }

    fn report(&mut self, peer: PeerId, mut due: StatusReport) -> Step {
        let contact = self.peer(&peer)?.is_some_and(|row| row.is_contact() && row.accepted);
        // Whoever sends and takes no receipts does without those beyond the bound.
        if !contact || self.mem.out.of(&peer).totals.controls >= limits::MAX_CONTROL_ROWS {
            return Ok(());
        }
        // Read says delivered as well.
        due.delivered.retain(|id| !due.read.contains(id));
        due.delivered.dedup();
        // As many as a capsule may name, of both together.
        let (mut delivered, mut read) = (due.delivered.as_slice(), due.read.as_slice());
        while !(delivered.is_empty() && read.is_empty()) {
            let (now, later) = read.split_at(read.len().min(limits::MAX_STATUS_IDS));
            let (too, last) = delivered.split_at(delivered.len().min(limits::MAX_STATUS_IDS - now.len()));
            self.queue_items(peer, vec![Item::Status(StatusReport { delivered: too.to_vec(), read: now.to_vec() })])?;
            (delivered, read) = (last, later);
        }
        Ok(())
    }
}

/// The items of a capsule; of what the last one replaces, that one alone: each may cost a signature and a few rows.
fn latest(mut items: Vec<Item>) -> Vec<Item> {
    let is_replaced = |item: &Item| {
        !matches!(item, Item::Message { .. } | Item::Introduction(_) | Item::Status(_) | Item::Inquiry(_))
    };
    let mut seen = Vec::new();
    items.reverse();
    items.retain(|item| {
        let kind = std::mem::discriminant(item);
        let is_last = !is_replaced(item) || !seen.contains(&kind);
        seen.push(kind);
        is_last
    });
    items.reverse();
    items
}

pub(super) fn good_subject(said: &Introduction) -> Option<String> {
    said.subject.clone().filter(|s| !s.is_empty() && check_name("the subject", s).is_ok())
}

#[cfg(test)]
pub(super) mod tests;
