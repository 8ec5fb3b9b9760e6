//! How much a contact may bring: what is kept of his messages, how often he may begin a session, and what there must be left of the
//! disk.

use crate::base::event::EventKind;
use crate::base::{Millis, MonoTime, PeerId, RoomId, limits};
use crate::content::{Capsule, Item};
use crate::envelope::mailbox::TokenIn;
use crate::store::Rows;

use super::command::{Answer, Refusal};
use super::names::told_name;
use super::send::merge_addrs;
use super::tables::{Cards, Conversations, PeerRow, Peers, peer_key, room_key};
use super::tx::{Step, Tx};

/// After this time a contact may begin one more session.
const EACH_SESSION: Millis = Millis(Millis::from_hours(1).0 / limits::CONTACT_HANDSHAKES);

impl Tx<'_> {
    /// NET-94: whether there is no room for what a contact says: the disk is nearly full, or as much is kept of him as may be. It is not
    /// taken then, and may come again. What says nothing that is kept (receipts, a profile) is taken all the same.
    pub(super) fn has_no_room(&mut self, row: &mut PeerRow, said: &Capsule) -> Step<bool> {
        if !said.items.iter().any(|item| matches!(item, Item::Message { .. })) {
            return Ok(false);
        }
        let kept = self.conversation(&RoomId::direct(row.peer))?.map_or(0, |conversation| conversation.kept);
        let is_full = kept >= row.quota();
        if is_full != row.full_told {
            // Once, and again when there was room meanwhile.
            row.full_told = is_full;
            self.put_peer(row)?;
            if is_full {
                self.event(EventKind::ContactFull { peer_id: row.peer });
            }
        }
        Ok(is_full || self.mem.is_disk_low)
    }

    /// NET-95: there may be room again for what a contact writes. Whoever was refused for want of it learns so, and need not wait for
    /// the end of his pause.
    pub(super) fn room_is_made(&mut self, peer: PeerId) -> Step {
        // A row that does not open is in the way of nothing that makes room.
        let row = self.buf.get_sound::<Peers>(&peer_key(&peer))?;
        let Some(mut row) = row.filter(|row| row.full_told) else { return Ok(()) };
        let conversation = self.buf.get_sound::<Conversations>(&room_key(&RoomId::direct(peer)))?;
        let kept = conversation.map_or(0, |conversation| conversation.kept);
        if kept >= row.quota() {
            return Ok(());
        }
        row.full_told = false;
        self.put_peer(&row)?;
        // Bounded like receipts, for one who fills it again and again and takes nothing.
        if row.is_contact() && self.mem.out.of(&peer).totals.controls < limits::MAX_CONTROL_ROWS {
            self.say_accepted(peer, Vec::new())?;
        }
        Ok(())
    }

    /// NET-94: whether a contact may begin a session now.
    pub(super) fn may_begin(&self, peer: &PeerId) -> bool {
        let before = self.mem.links.get(peer).and_then(|link| link.handshakes);
        one_more(before, self.now.mono, EACH_SESSION).since(self.now.mono) <= Millis::from_hours(1)
    }

    /// He has begun one.
    pub(super) fn count_session(&mut self, peer: PeerId) {
        let now = self.now.mono;
        let link = self.link(peer);
        link.handshakes = Some(one_more(link.handshakes, now, EACH_SESSION));
    }

    /// NET-94: whether a contact says something else of himself than is known, and did so too often. If not, it is counted.
    pub(super) fn changes_too_often(&mut self, row: &PeerRow, said: &Capsule) -> Step<bool> {
        if !self.changes(row, said)? {
            return Ok(false);
        }
        let now = self.now.mono;
        let link = self.link(row.peer);
        let full = one_more(link.changes, now, limits::CONTACT_CHANGE_PAUSE);
        if full.since(now).0 > limits::CONTACT_CHANGE_PAUSE.0 * limits::CONTACT_CHANGES {
            return Ok(true);
        }
        link.changes = Some(full);
        Ok(false)
    }

    /// Whether something that he says of himself is to be looked at: it is not what is known.
    fn changes(&self, row: &PeerRow, said: &Capsule) -> Step<bool> {
        let (mut addrs, mut card, mut token) = (row.addrs.clone(), None, None);
        for item in &said.items {
            match item {
                Item::Addresses(told) => merge_addrs(&mut addrs, told),
                Item::Card(bytes) => card = Some(bytes),
                Item::Token(bytes) => token = Some(TokenIn::from_bytes(bytes)),
                _ => {}
            }
        }
        if told_name(&said.items).is_some_and(|name| name != row.announced_name) || addrs != row.addrs {
            return Ok(true);
        }
        if let Some(card) = card
            && self.buf.get_sound::<Cards>(&peer_key(&row.peer))?.is_none_or(|pinned| pinned.bytes != *card)
        {
            return Ok(true);
        }
        Ok(token.is_some() && self.reach(&row.peer)?.token != token)
    }

    /// The user says how much is kept of a contact.
    pub(super) fn set_quota(&mut self, peer: &PeerId, bytes: u64) -> Step<Answer> {
        if bytes < limits::MIN_CONTACT_QUOTA {
            return Err(Refusal::SmallQuota.into());
        }
        let mut row = self.contact_row(peer)?;
        row.quota = Some(bytes).filter(|bytes| *bytes != limits::CONTACT_QUOTA);
        self.put_peer(&row)?;
        self.room_is_made(*peer)?;
        self.contact_answer(peer)
    }
}

/// When as many are had again as may be, if one more is taken now of what comes back one by one.
fn one_more(full: Option<MonoTime>, now: MonoTime, each: Millis) -> MonoTime {
    full.map_or(now, |full| full.max(now)) + each
}

#[cfg(test)]
mod tests;
