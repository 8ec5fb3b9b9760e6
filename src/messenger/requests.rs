//! Requests: what strangers write waits here, bounded, and nothing goes back before acceptance
//! (protocol, REQ).

use crate::base::event::EventKind;
use crate::base::words::{Policy, RequestEnd};
use crate::base::{MessageId, PeerId, RoomId, limits};
use crate::content::mimi::Vanishes;
use crate::content::{Capsule, Introduction, Item, MimiContent, StatusReport};
use crate::identity::{Card, RequestToken};
use crate::store::Rows;

use super::command::{Answer, Refusal};
use super::items::good_subject;
use super::memory::Pending;
use super::names::note_name;
use super::send::merge_addrs;
use super::tables::{Cards, HeldMessage, PeerRow, RequestRow, Requests, peer_key};
use super::tx::{Step, Tx};

/// What somebody says beside his messages.
#[derive(Default)]
struct Said {
    introduction: Introduction,
    addrs: Vec<String>,
    card: Option<Card>,
    /// Whether he has our request token.
    invited: bool,
}

/// Whether a message may wait in a request: a new text, and short in all its parts (REQ-2).
fn may_wait(body: &[u8]) -> bool {
    body.len() <= limits::MAX_REQUEST_CONTENT && MimiContent::decode(body).is_ok_and(|mimi| mimi.new_text().is_some())
}

impl Tx<'_> {
    /// The pending request of a peer. One that does not open holds nothing any more: that comes again when it is accepted (REQ-12).
    pub(super) fn request(&self, peer: &PeerId) -> Step<Option<RequestRow>> {
        let at = peer_key(peer);
        if let Some(row) = self.buf.get_sound::<Requests>(&at)? {
            return Ok(Some(row));
        }
        let key = self.buf.key_of::<Requests>(&at)?;
        Ok(key.map(|key| RequestRow::empty(*peer, key, self.deadline_clock())))
    }

    /// Somebody who is no contact says this. The same is read, checked and looked up of everybody; then it is held, or dropped by
    /// the rules (REQ-2 to REQ-5).
    pub(super) fn hold(&mut self, from: PeerId, capsule: Capsule) -> Step {
        let mut said = Said::default();
        let mut messages = Vec::new();
        for item in capsule.items {
            match item {
                Item::Introduction(introduction) => said.introduction = introduction,
                Item::Addresses(told) => said.addrs = told,
                Item::Card(told) => said.card = self.told_card(from, &told),
                Item::Message { sent_at, body } => messages.push((sent_at, body)),
                _ => {}
            }
        }
        let profile = self.profile()?;
        let token = said.introduction.token.as_ref().map(|token| RequestToken::from_bytes(*token));
        said.invited = token.is_some_and(|token| token == profile.token);
        let mut subject = good_subject(&said.introduction);
        // CON-23: one that is refused does not hide the others.
        let checked = messages.into_iter().filter_map(|(sent_at, body)| {
            self.checked_message(from, sent_at, body, subject.take()).filter(|held| may_wait(&held.body))
        });
        let checked: Vec<HeldMessage> = checked.collect();
        // Which of them has a row is not looked up in the store: to open one would take longer than to find none.
        let pending = self.mem.requests.iter().find(|r| r.peer == from).copied();
        let is_full = pending.is_some_and(|r| r.is_full);
        let is_let_in = pending.is_some()
            || match profile.policy {
                Policy::Requests => true,
                Policy::Contacts => said.invited,
                Policy::Nobody => false,
            };
        let is_shut_out = self.is_shut_out(&from)?;
        if is_let_in && !is_shut_out && !is_full && !checked.is_empty() {
            self.hold_messages(from, said, checked)?;
        }
        Ok(())
    }

    /// Whether a peer is blocked, or was declined.
    fn is_shut_out(&self, peer: &PeerId) -> Step<bool> {
        let clock = self.believed(limits::DECLINE_LIFE);
        let row = self.peer(peer)?;
        Ok(row.is_some_and(|row| row.blocked || row.declined_until.is_some_and(|until| until > clock)))
    }

    fn hold_messages(&mut self, from: PeerId, said: Said, messages: Vec<HeldMessage>) -> Step {
        // One that did not open is in no list.
        let first = self.mem.requests.iter().all(|pending| pending.peer != from);
        let mut row = match self.request(&from)? {
            Some(row) => row,
            None if !self.make_room(said.invited)? => return Ok(()),
            None => {
                let key = self.buf.create_key(&mut *self.rng);
                RequestRow { invited: said.invited, ..RequestRow::empty(from, key, self.deadline_clock()) }
            }
        };
        let before = row.messages.len();
        for held in messages {
            if row.messages.iter().any(|known| known.id == held.id) {
                continue;
            }
            // What is beyond comes again when the request is accepted (REQ-12).
            if row.messages.len() >= limits::MAX_REQUEST_MESSAGES {
                break;
            }
            // What counts from reading begins to count after acceptance.
            if let Some(vanishes @ Vanishes::At(_)) = held.vanishes {
                self.watch(held.id, vanishes, RoomId::direct(from), None)?;
            }
            row.messages.push(held);
        }
        // So that an answer finds its way while the sender is away. It goes with the request, unless that is accepted. Nothing waits
        // for him (REQ-7), so there is nothing to be looked after.
        if let Some(card) = said.card {
            self.pin_verified(card)?;
        }
        if row.messages.len() == before {
            return Ok(());
        }
        note_name(&mut row.name, said.introduction.name.as_deref());
        // Who was a contact tells his name no more than once.
        if row.name.is_empty()
            && let Some(known) = self.peer(&from)?
        {
            known.shown_name().clone_into(&mut row.name);
        }
        merge_addrs(&mut row.addrs, &said.addrs);
        row.invited |= said.invited;
        self.buf.put_under::<Requests>(&peer_key(&from), row.key, &row)?;
        if first {
            self.mem.requests.push(Pending::new(&row));
            self.event(EventKind::RequestNew { peer_id: from });
        } else if let Some(pending) = self.mem.requests.iter_mut().find(|r| r.peer == from) {
            *pending = Pending::new(&row);
        }
        Ok(())
    }

    /// Makes room for one more request: the oldest uninvited one goes. Invited ones go only for an
    /// invited one.
    fn make_room(&mut self, invited: bool) -> Step<bool> {
        if self.mem.requests.len() < limits::MAX_REQUESTS {
            return Ok(true);
        }
        let oldest =
            self.mem.requests.iter().find(|r| !r.invited).or_else(|| self.mem.requests.first().filter(|_| invited));
        let Some(oldest) = oldest.map(|r| r.peer) else { return Ok(false) };
        self.close_request(&oldest, RequestEnd::Evicted)?;
        Ok(true)
    }

    /// Takes a request away and destroys its key.
    pub(super) fn close_request(&mut self, peer: &PeerId, how: RequestEnd) -> Step<Option<RequestRow>> {
        let Some(row) = self.request(peer)? else { return Ok(None) };
        self.buf.delete::<Requests>(&peer_key(peer));
        self.buf.destroy_key(row.key);
        // Those of one that is accepted are watched on, from when they came.
        for held in row.messages.iter().filter(|_| how != RequestEnd::Accepted) {
            if let Some(vanishes) = held.vanishes {
                self.unwatch(&held.id, vanishes);
            }
        }
        self.mem.requests.retain(|r| r.peer != *peer);
        if how != RequestEnd::Accepted && self.peer(peer)?.is_none() {
            self.buf.delete::<Cards>(&peer_key(peer));
        }
        self.event(EventKind::RequestClosed { peer_id: *peer, reason: how });
        Ok(Some(row))
    }

    /// Accepts: a contact from now on; what waited is in the inbox, and the other side learns it.
    pub(super) fn accept(&mut self, peer: PeerId) -> Step<Answer> {
        let row = self.close_request(&peer, RequestEnd::Accepted)?.ok_or(Refusal::NoRequest)?;
        let mut contact = self.peer(&peer)?.unwrap_or_else(|| PeerRow::new(peer));
        contact.accepted = true;
        contact.unaccepted_sent.clear();
        if !row.name.is_empty() {
            contact.known_as.clone_from(&row.name);
            contact.announced_name = row.name;
        }
        merge_addrs(&mut contact.addrs, &row.addrs);
        self.make_contact(&mut contact, String::new())?;
        self.event(EventKind::ContactAdded { peer_id: peer });
        // What was held is delivered, and need not come again.
        let delivered: Vec<MessageId> = row.messages.iter().map(|held| held.id).collect();
        // CON-11: in the order in which they came, as of a contact.
        for held in row.messages {
            self.insert_incoming(peer, held)?;
        }
        self.mem.receipts.retain(|(whose, id, _)| *whose != peer || !delivered.contains(id));
        self.say_accepted(peer, delivered)?;
        self.send_profile(&mut contact)?;
        self.put_peer(&contact)?;
        self.try_now(peer);
        self.contact_answer(&peer)
    }

    /// Tells somebody that he is accepted: what he wrote and was not held comes again (REQ-12).
    pub(super) fn say_accepted(&mut self, peer: PeerId, delivered: Vec<MessageId>) -> Step {
        let report = StatusReport { delivered, ..StatusReport::default() };
        let held = (!report.delivered.is_empty()).then_some(Item::Status(report));
        self.queue_items(peer, held.into_iter().chain([Item::Accepted]).collect())
    }

    /// Declines: gone, and for 30 days what that peer writes is dropped quietly.
    pub(super) fn decline(&mut self, peer: PeerId) -> Step<Answer> {
        self.close_request(&peer, RequestEnd::Declined)?.ok_or(Refusal::NoRequest)?;
        let mut row = self.peer(&peer)?.unwrap_or_else(|| PeerRow::new(peer));
        row.declined_until = Some(self.deadline_clock() + limits::DECLINE_LIFE);
        self.put_peer(&row)?;
        Ok(Answer::Done)
    }
}

#[cfg(test)]
mod tests;
