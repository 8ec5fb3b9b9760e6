//! When a session with a contact is begun anew because what is sealed in it does not open (protocol, "Healing").
//!
//! What does not open on a stream says so at once. What does not open out of a mailbox says nothing, since anybody may have sealed
//! it; but that nothing opens for days, though messages of ours lie there, follows from own rows alone.

use crate::base::{Millis, PeerId, WallTime, limits};

use super::outgoing::{Letter, What};
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

    /// He has reported something: what was said before it, and has been with him for a while, goes again (SES-72).
    pub(super) fn look_at_passed_over(&mut self, peer: PeerId) {
        let (now, clock) = (self.now.mono, self.deadline_clock());
        let Some(passed) = self.mem.links.get(&peer).map(|link| link.passed) else { return };
        let letters = &self.mem.out.of(&peer).letters;
        let first = letters.values().find(|letter| is_passed_over(letter, passed.upto, clock));
        if let (Some(letter), None) = (first, passed.due) {
            let wait = (letter.queued_at + limits::RECEIPTS_OVERDUE).since(clock);
            let due = (now + wait).max(passed.rests_until);
            let passed = &mut self.link(peer).passed;
            (passed.due, passed.from) = (Some(due), 0);
        }
    }

    /// Does so when it is time, of so many at a time.
    pub(super) fn send_passed_over(&mut self, peer: PeerId) -> Step {
        let (now, clock) = (self.now.mono, self.deadline_clock());
        let Some(passed) = self.mem.links.get(&peer).map(|link| link.passed) else { return Ok(()) };
        if passed.due.is_none_or(|at| at > now) {
            return Ok(());
        }
        let is_over = |letter: &Letter| {
            is_passed_over(letter, passed.upto, clock) && letter.queued_at + limits::RECEIPTS_OVERDUE <= clock
        };
        let letters = self.mem.out.of(&peer).letters.range(passed.from..).filter(|(_, letter)| is_over(letter));
        let anew = letters.filter_map(|(number, letter)| Some((*number, letter.anew()?)));
        let over: Vec<_> = anew.take(limits::PASSED_OVER).collect();
        let count = over.len();
        let last = over.last().map(|(number, _)| *number);
        for (number, letter) in over {
            self.mem.set_letter(peer, number, Some(letter));
            self.write_row(peer, number)?;
        }
        let passed = &mut self.link(peer).passed;
        passed.due = None;
        if let (Some(last), limits::PASSED_OVER) = (last, count) {
            (passed.due, passed.from) = (Some(now), last + 1);
        } else if last.is_some() || passed.from > 0 {
            if now.since(passed.rests_until) > limits::PASSED_OVER_FORGOTTEN {
                passed.times = 0;
            }
            let pause = Millis(limits::HEALING_INTERVAL.0 << passed.times.min(MAX_DOUBLINGS));
            (passed.rests_until, passed.times) = (now + pause, passed.times + 1);
        }
        Ok(())
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

/// How often the pause between two goes of what is passed over doubles.
const MAX_DOUBLINGS: u32 = 5;

/// Whether it is a message that was said before that place, and that his node has taken, or that has lain at a mailbox for longer than
/// he leaves it there while he is on.
fn is_passed_over(letter: &Letter, upto: u64, clock: WallTime) -> bool {
    let is_before = matches!(letter.what, What::Message(position) if position < upto);
    let lies = letter.way.held.iter().any(|(_, at)| *at + limits::HEALING_INTERVAL <= clock);
    is_before && !letter.is_under_way() && (letter.way.sent || lies)
}

#[cfg(test)]
mod tests;
