//! When a session with a contact is begun anew because what is sealed in it does not open (protocol, "Healing").
//!
//! What does not open on a stream says so at once. What does not open out of a mailbox says nothing, since anybody may have sealed
//! it; but that nothing opens for days, though messages of ours lie there, follows from own rows alone.

use crate::base::{PeerId, limits};

use super::tables::PeerRow;
use super::tx::{Step, Tx};

impl Tx<'_> {
    /// Whether a healing handshake is to be made now (SES-67).
    pub(super) fn heals_now(&self, peer: &PeerRow) -> bool {
        let clock = self.deadline_clock();
        peer.heal_due && peer.healed_at.is_none_or(|at| at + limits::HEALING_INTERVAL <= clock)
    }

    /// Something of a contact has opened. If it was healed for his mailboxes, he is there again: what is
    /// not delivered goes again (SES-69).
    pub(super) fn heard(&mut self, row: &mut PeerRow) -> Step {
        let (now, clock) = (self.now.mono, self.deadline_clock());
        self.link(row.peer).heard_at = Some(now);
        if row.heard_at.is_none_or(|at| at + limits::HEARD_NOTE <= clock) {
            row.heard_at = Some(clock);
        }
        if std::mem::take(&mut row.healing) {
            self.begin_anew(row.peer)?;
            self.mem.later.insert(row.peer);
        }
        Ok(())
    }

    /// A contact has begun a session; `sends`: it is the one that sends here from now on. That he refused ours puts nothing off any
    /// more (NET-96), and what was to go in another goes in his.
    pub(super) fn session_begun(&mut self, peer: PeerId, sends: bool) -> Step {
        let link = self.link(peer);
        link.pace.session_begun();
        if sends && std::mem::take(&mut link.rebuild) {
            self.begin_anew(peer)?;
            self.mem.later.insert(peer);
        }
        Ok(())
    }

    /// By the hour: what is to be healed is, and silence makes it so (SES-68).
    pub(super) fn age_healing(&mut self, row: &mut PeerRow) -> Step {
        let clock = self.deadline_clock();
        let unheard = |span| row.heard_at.is_none_or(|at| at + limits::HEARD_NOTE + span <= clock);
        if !row.heal_due && unheard(limits::HEALING_SILENCE) && self.lies_with(&row.peer) {
            self.heal_silence(row)?;
        } else if row.heal_due && unheard(limits::UNDELIVERED_AFTER) && self.mem.out.of(&row.peer).letters.is_empty() {
            // Nobody waits for it, and when he comes again it shows again.
            row.heal_due = false;
            self.put_peer(row)?;
        }
        if row.heal_due {
            self.touch(row.peer);
        }
        Ok(())
    }

    /// He was asked for receipts, an hour ago or more, over the connection that there is, and nothing of his has opened since.
    /// Whether a healing handshake is made because of it.
    pub(super) fn heals_unheard(&mut self, row: &PeerRow) -> Step<bool> {
        let link = self.link(row.peer);
        let is_unheard = link.asked_at.is_some_and(|asked| link.heard_at.is_none_or(|heard| heard < asked));
        if !is_unheard {
            return Ok(false);
        }
        let mut row = row.clone();
        self.heal_silence(&mut row)?;
        Ok(row.heal_due)
    }

    /// Whether a message of ours has lain with him, or at his mailboxes, for that long.
    fn lies_with(&self, peer: &PeerId) -> bool {
        let clock = self.deadline_clock();
        self.mem.out.of(peer).letters.values().any(|letter| {
            let is_there = letter.way.sent || !letter.way.held.is_empty();
            letter.is_message() && is_there && letter.queued_at + limits::HEALING_SILENCE <= clock
        })
    }

    /// Nothing is heard of a contact: that is healed, once in a while.
    fn heal_silence(&mut self, row: &mut PeerRow) -> Step {
        let clock = self.deadline_clock();
        let is_contact = row.is_contact() && row.accepted;
        if is_contact && row.healed_at.is_none_or(|at| at + limits::HEALING_SILENT_INTERVAL <= clock) {
            row.heal_due = true;
            self.put_peer(row)?;
            self.touch(row.peer);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
