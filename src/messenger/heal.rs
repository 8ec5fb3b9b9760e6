//! When a session with a contact is begun anew because what is sealed in it does not open (protocol, "Healing").
//!
//! What does not open on a stream says so at once. What does not open out of a mailbox says nothing, since anybody may have sealed
//! it; but that nothing opens for days, though messages of ours lie there, follows from own rows alone.

use crate::base::{Millis, PeerId, WallTime, limits};

use super::link::PassedOver;
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
        self.mark_taken(row);
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

    /// He was asked for receipts, minutes ago, over the connection that there is, and nothing of his has opened since.
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

    /// When this process begins: what each has by now.
    pub(super) fn mark_at_start(&mut self) {
        let peers: Vec<PeerId> = self.mem.out.peers().map(|(peer, _)| *peer).collect();
        for peer in peers {
            self.link(peer).passed.mark = self.newest_with(&peer);
        }
    }

    /// Something of his has opened: what he had when that was so before, a minute ago or more, he would have reported by now (SES-72).
    fn mark_taken(&mut self, row: &PeerRow) {
        let (peer, now) = (row.peer, self.now.mono);
        let passed = self.link(peer).passed;
        if passed.marked_at.is_some_and(|at| at + limits::RECEIPTS_OVERDUE > now) {
            return;
        }
        let newest = self.newest_with(&peer);
        let upto = passed.upto.max(passed.mark);
        self.link(peer).passed = PassedOver { upto, mark: newest, marked_at: Some(now), ..passed };
        self.look_at_passed_over(row);
    }

    /// The place behind the newest message that he has, or a mailbox of his.
    fn newest_with(&self, peer: &PeerId) -> u64 {
        let place = |letter: &Letter| match letter.what {
            What::Message(position) if letter.way.sent || !letter.way.held.is_empty() => Some(position + 1),
            _ => None,
        };
        self.mem.out.of(peer).letters.values().rev().find_map(place).unwrap_or_default()
    }

    /// Whether he passed something over; if so, when it goes again.
    pub(super) fn look_at_passed_over(&mut self, row: &PeerRow) {
        let (now, clock) = (self.now.mono, self.deadline_clock());
        let passed = self.link(row.peer).passed;
        if passed.due.is_some() {
            return;
        }
        let letters = &self.mem.out.of(&row.peer).letters;
        let Some(first) = letters.values().find(|letter| is_passed_over(letter, passed.upto, clock)) else { return };
        let wait = match first.way.sent {
            true => (first.queued_at + limits::RECEIPTS_OVERDUE).since(clock),
            // He may just have come, and fetches it now.
            false if first.queued_at + limits::HEALING_SILENCE > clock => limits::RECEIPTS_OVERDUE,
            false => Millis::default(),
        };
        let rest = rests_until(row).map_or(Millis::default(), |until| until.since(clock));
        let passed = &mut self.link(row.peer).passed;
        (passed.due, passed.from) = (Some(now + wait.max(rest)), 0);
        self.touch(row.peer);
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
        let next = last.filter(|_| count == limits::PASSED_OVER).map(|last| last + 1);
        self.link(peer).passed = PassedOver { due: next.map(|_| now), from: next.unwrap_or_default(), ..passed };
        if next.is_none()
            && (last.is_some() || passed.from > 0)
            && let Some(mut row) = self.peer(&peer)?
        {
            let is_forgotten = rests_until(&row).is_none_or(|until| until + limits::PASSED_OVER_FORGOTTEN < clock);
            row.passed_times = if is_forgotten { 1 } else { row.passed_times.saturating_add(1) };
            row.passed_at = Some(clock);
            self.put_peer(&row)?;
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

/// Until when nothing that a contact passed over goes again.
fn rests_until(row: &PeerRow) -> Option<WallTime> {
    let doublings = row.passed_times.saturating_sub(1).min(MAX_DOUBLINGS);
    row.passed_at.map(|at| at + Millis(limits::HEALING_INTERVAL.0 << doublings))
}

/// Whether it is a message that was said before that place, and that his node has taken, or that has lain at a mailbox for longer than
/// he leaves it there while he is on.
fn is_passed_over(letter: &Letter, upto: u64, clock: WallTime) -> bool {
    let is_before = matches!(letter.what, What::Message(position) if position < upto);
    let lies = letter.way.held.iter().any(|(_, at)| *at + limits::HEALING_INTERVAL <= clock);
    is_before && !letter.is_under_way() && (letter.way.sent || lies)
}

#[cfg(test)]
mod tests;
