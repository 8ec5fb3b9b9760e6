//! Requests: what strangers write waits here, bounded, and nothing goes back before acceptance
//! (protocol, "Requests: the rules").

use crate::base::event::EventKind;
use crate::base::words::RequestEnd;
use crate::base::{MessageId, PeerId, RoomId, limits};
use crate::content::mimi::Vanishes;
use crate::content::{Capsule, Introduction, Item, MimiContent};
use crate::identity::RequestToken;
use crate::store::Rows;

use super::command::{Answer, Refusal};
use super::items::{good_subject, note_name};
use super::memory::Pending;
use super::send::merge_addrs;
use super::tables::{Cards, HeldMessage, PeerRow, RequestRow, Requests, peer_key};
use super::tx::{Step, Tx};

impl Tx<'_> {
    /// The pending request of a peer.
    pub(super) fn request(&self, peer: &PeerId) -> Step<Option<RequestRow>> {
        Ok(self.buf.get::<Requests>(&peer_key(peer))?)
    }

    /// Holds the message of a stranger's capsule, if it is one that may wait.
    pub(super) fn hold(&mut self, from: PeerId, capsule: Capsule) -> Step<Option<MessageId>> {
        let mut said = Introduction::default();
        let mut addrs = Vec::new();
        let mut card = None;
        let mut messages = Vec::new();
        for item in capsule.items {
            match item {
                Item::Introduction(introduction) => said = introduction,
                Item::Addresses(told) => addrs = told,
                Item::Card(told) => card = Some(told),
                Item::Message { sent_at, body } => messages.push((sent_at, body)),
                _ => {}
            }
        }
        let mut subject = good_subject(&said);
        let short = |body: &[u8]| {
            MimiContent::decode(body)
                .is_ok_and(|mimi| mimi.as_text().is_some_and(|text| text.len() <= limits::MAX_REQUEST_TEXT))
        };
        let mut kept = None;
        for (sent_at, body) in messages {
            // CON-23: one that is refused does not hide the others.
            let Some(held) = self.checked_message(from, sent_at, body, subject.take()) else { continue };
            if short(&held.body) {
                kept = self.hold_message(from, &said, &addrs, held)?.or(kept);
            }
        }
        // So that an answer finds its way while the sender is away. It goes with the request, unless that is accepted.
        if let Some(card) = card.filter(|_| kept.is_some()) {
            self.pin_told(from, &card)?;
        }
        Ok(kept)
    }

    fn hold_message(
        &mut self,
        from: PeerId,
        said: &Introduction,
        addrs: &[String],
        held: HeldMessage,
    ) -> Step<Option<MessageId>> {
        let id = held.id;
        let invited = match &said.token {
            Some(token) => RequestToken::from_bytes(*token) == self.profile()?.token,
            None => false,
        };
        let existing = self.request(&from)?;
        let first = existing.is_none();
        let mut row = match existing {
            Some(row) => row,
            None if !self.make_room(invited)? => return Ok(None),
            None => RequestRow {
                peer: from,
                key: self.buf.create_key(&mut *self.rng),
                name: String::new(),
                addrs: Vec::new(),
                received_at: self.deadline_clock(),
                invited,
                messages: Vec::new(),
            },
        };
        if row.messages.iter().any(|m| m.id == id) {
            return Ok(Some(id));
        }
        if row.messages.len() >= limits::MAX_REQUEST_MESSAGES {
            return Ok(None);
        }
        note_name(&mut row.name, said.name.as_deref());
        merge_addrs(&mut row.addrs, addrs);
        row.invited |= invited;
        // What counts from reading begins to count after acceptance.
        if let Some(vanishes @ Vanishes::At(_)) = held.vanishes {
            self.watch(id, vanishes, RoomId::direct(from), None)?;
        }
        row.messages.push(held);
        self.buf.put_under::<Requests>(&peer_key(&from), row.key, &row)?;
        if first {
            self.mem.requests.push(Pending { peer: from, received_at: row.received_at, invited: row.invited });
            self.event(EventKind::RequestNew { peer_id: from });
        } else if let Some(pending) = self.mem.requests.iter_mut().find(|r| r.peer == from) {
            pending.invited = row.invited;
        }
        Ok(Some(id))
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
        self.drop_sessions(&oldest)?;
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
        let mut row = self.close_request(&peer, RequestEnd::Accepted)?.ok_or(Refusal::NoRequest)?;
        row.messages.sort_by_key(|held| held.counter);
        let mut contact = self.peer(&peer)?.unwrap_or_else(|| PeerRow::new(peer));
        contact.accepted = true;
        contact.announced_name = row.name;
        merge_addrs(&mut contact.addrs, &row.addrs);
        self.make_contact(&mut contact, String::new())?;
        self.event(EventKind::ContactAdded { peer_id: peer });
        for held in row.messages {
            self.insert_incoming(peer, held)?;
        }
        self.queue_items(peer, vec![Item::Accepted])?;
        self.send_profile(&mut contact)?;
        self.put_peer(&contact)?;
        self.try_now(peer);
        self.contact_answer(&peer)
    }

    /// Declines: gone, and for 30 days what that peer writes is dropped quietly. The session stays
    /// as long, for without it his next envelope would be refused, and he would know.
    pub(super) fn decline(&mut self, peer: PeerId) -> Step<Answer> {
        self.close_request(&peer, RequestEnd::Declined)?.ok_or(Refusal::NoRequest)?;
        let mut row = self.peer(&peer)?.unwrap_or_else(|| PeerRow::new(peer));
        row.declined_until = Some(self.deadline_clock() + limits::DECLINE_LIFE);
        self.put_peer(&row)?;
        Ok(Answer::Done)
    }
}
