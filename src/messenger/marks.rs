//! Marks of received envelopes and of handshakes with a card's prekey: bounded, and kept as long as
//! a replay could do harm (protocol, "Envelope" and "First contact").
//!
//! What a session has opened needs none: the session knows it (SES-35). Marks are for first contacts, and for what of a
//! contact did not open ([decision 11](../../docs/decisions/0011-the-ratchet-is-the-mark.md)).

use crate::base::{EnvelopeId, PeerId, limits};
use crate::crypto::dh::DhPublic;
use crate::identity::PrekeyId;
use crate::store::{RowKey, Rows, Scan};

use super::memory::number;
use super::tables::{
    EnvelopeMarks, MarkQueue, PrekeyMarks, QueuedMark, QueuedMarks, mark_key, mark_of, numbered, prekey_mark_key,
};
use super::tx::{Step, Tx};

/// How many protected marks one commit may move to the end of the queue: some rows of them.
const MAX_MOVES: usize = 1_024;
/// Rows of expired marks that one commit removes.
const EXPIRED_AT_A_TIME: usize = 4;

/// The queue of all contacts, or of all strangers.
fn queue_of(contact: bool) -> RowKey {
    numbered(u64::from(contact))
}

impl Tx<'_> {
    /// Whether an envelope of this peer is known.
    pub(super) fn is_marked(&self, from: &PeerId, id: &EnvelopeId) -> Step<bool> {
        Ok(self.buf.contains::<EnvelopeMarks>(&mark_key(&mark_of(from, id)))?)
    }

    /// Remembers an envelope of this peer, who is a contact or not.
    pub(super) fn put_mark(
        &mut self,
        from: &PeerId,
        id: EnvelopeId,
        contact: bool,
        card_prekey: Option<(PrekeyId, DhPublic)>,
    ) -> Step {
        let envelope = mark_of(from, &id);
        self.buf.put::<EnvelopeMarks>(&mark_key(&envelope), &())?;
        self.mem.marks.push((contact, QueuedMark { envelope, card_prekey }));
        Ok(())
    }

    /// Puts the marks of this commit into the order in which they go again: one row, and the oldest make room.
    pub(super) fn flush_marks(&mut self) -> Step {
        let fresh = std::mem::take(&mut self.mem.marks);
        let of = |whose: bool| fresh.iter().filter(|(contact, _)| *contact == whose).map(|(_, mark)| *mark).collect();
        let (contacts, strangers) = (of(true), of(false));
        self.queue_marks(true, contacts, limits::MAX_CONTACT_MARKS)?;
        self.queue_marks(false, strangers, limits::MAX_STRANGER_MARKS)
    }

    fn queue_marks(&mut self, contact: bool, mut marks: Vec<QueuedMark>, max: u64) -> Step {
        if marks.is_empty() {
            return Ok(());
        }
        let (queue, clock) = (queue_of(contact), self.deadline_clock());
        let believed = self.believed(limits::ENVELOPE_MARK_LIFE);
        // A row's number is that of its first mark.
        let last = self.buf.scan::<MarkQueue>(&Scan::new(queue.clone()).reverse().limit(1))?.pop();
        let next = last.map_or(1, |(key, row)| number(&key).unwrap_or_default() + row.marks.len() as u64);
        let (mut moves, mut expired) = (0, 0);
        while let Some((key, oldest)) = self.buf.scan::<MarkQueue>(&Scan::new(queue.clone()).limit(1))?.pop() {
            let first = number(&key).unwrap_or_default();
            let is_full = (next + marks.len() as u64).saturating_sub(first) > max;
            let is_old = oldest.at + limits::ENVELOPE_MARK_LIFE <= believed && expired < EXPIRED_AT_A_TIME;
            if !is_full && !is_old {
                break;
            }
            self.buf.delete::<MarkQueue>(&queue.clone().u64(first));
            expired += 1;
            for mark in oldest.marks {
                if moves < MAX_MOVES && self.protected(&mark)? {
                    marks.push(mark);
                    moves += 1;
                } else {
                    self.buf.delete::<EnvelopeMarks>(&mark_key(&mark.envelope));
                }
            }
        }
        Ok(self.buf.put::<MarkQueue>(&queue.u64(next), &QueuedMarks { at: clock, marks })?)
    }

    /// A stranger's mark outlives its turn while the mark of its card prekey lives.
    fn protected(&self, mark: &QueuedMark) -> Step<bool> {
        match &mark.card_prekey {
            Some((prekey, ephemeral)) => self.prekey_marked(*prekey, ephemeral),
            None => Ok(false),
        }
    }

    /// Whether a handshake with the card's own prekey was seen before.
    pub(super) fn prekey_marked(&self, prekey: PrekeyId, ephemeral: &DhPublic) -> Step<bool> {
        Ok(self.buf.get::<PrekeyMarks>(&prekey_mark_key(prekey, ephemeral))?.is_some())
    }

    /// How many were seen. Counted once, in pages; then it is known.
    pub(super) fn prekey_marks(&mut self, prekey: PrekeyId) -> Step<u64> {
        if let Some(count) = self.mem.prekey_marks.get(&prekey) {
            return Ok(*count);
        }
        let count = self.buf.count::<PrekeyMarks>(&Scan::new(numbered(prekey.0)))?;
        self.mem.prekey_marks.insert(prekey, count);
        Ok(count)
    }

    /// Remembers one. When there are very many the card is made anew.
    pub(super) fn mark_prekey(&mut self, prekey: PrekeyId, ephemeral: &DhPublic) -> Step {
        let count = self.prekey_marks(prekey)? + 1;
        self.buf.put::<PrekeyMarks>(&prekey_mark_key(prekey, ephemeral), ephemeral)?;
        self.mem.prekey_marks.insert(prekey, count);
        if count >= limits::MAX_CARD_PREKEY_MARKS {
            self.card_is_crowded(prekey)?;
        }
        Ok(())
    }

    /// Forgets all marks of a prekey with which no session is begun any more.
    pub(super) fn forget_prekey_marks(&mut self, prekey: PrekeyId) -> Step {
        let page = Scan::new(numbered(prekey.0)).limit(limits::MARKS_PAGE);
        loop {
            let marks = self.buf.scan::<PrekeyMarks>(&page)?;
            for (_, ephemeral) in &marks {
                self.buf.delete::<PrekeyMarks>(&prekey_mark_key(prekey, ephemeral));
            }
            if marks.len() < limits::MARKS_PAGE {
                self.mem.prekey_marks.remove(&prekey);
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
