//! How much a contact may bring: what is kept of his messages, how often he may begin a session, and what there must be left of the
//! disk.

use crate::base::event::EventKind;
use crate::base::{Millis, MonoTime, PeerId, RoomId, limits};
use crate::content::{Capsule, Item};

use super::command::{Answer, Refusal};
use super::tables::PeerRow;
use super::tx::{Step, Tx};

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

    /// NET-94: whether a contact may begin a session now.
    pub(super) fn may_begin(&self, peer: &PeerId) -> bool {
        self.sessions_full(peer).since(self.now.mono) <= Millis::from_hours(1)
    }

    /// He has begun one.
    pub(super) fn count_session(&mut self, peer: PeerId) {
        let full = self.sessions_full(&peer);
        self.link(peer).handshakes = Some(full);
    }

    /// When he may begin as many as may be again, if he begins one now.
    fn sessions_full(&self, peer: &PeerId) -> MonoTime {
        const EACH: Millis = Millis(Millis::from_hours(1).0 / limits::CONTACT_HANDSHAKES);
        let now = self.now.mono;
        self.mem.links.get(peer).and_then(|link| link.handshakes).map_or(now, |full| full.max(now)) + EACH
    }

    /// The user says how much is kept of a contact.
    pub(super) fn set_quota(&mut self, peer: &PeerId, bytes: u64) -> Step<Answer> {
        if bytes < limits::MIN_CONTACT_QUOTA {
            return Err(Refusal::SmallQuota.into());
        }
        let mut row = self.contact_row(peer)?;
        row.quota = Some(bytes).filter(|bytes| *bytes != limits::CONTACT_QUOTA);
        self.put_peer(&row)?;
        self.contact_answer(peer)
    }
}

#[cfg(test)]
mod tests;
