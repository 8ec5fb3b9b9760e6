//! Marks of received envelopes and of handshakes with a card's prekey: bounded, and kept as long as
//! a replay could do harm (protocol, "Envelope" and "First contact").

use crate::base::{EnvelopeId, PeerId, limits};
use crate::crypto::dh::DhPublic;
use crate::identity::PrekeyId;
use crate::store::{RowKey, Rows, Scan};

use super::tables::{
    EnvelopeMark, EnvelopeMarks, MarkQueue, PrekeyMark, PrekeyMarks, QueuedMark, mark_key, prekey_mark_key,
};
use super::tx::{Step, Tx};

/// How many protected marks one insertion may move to the end of the queue.
const MAX_MOVES: usize = 8;
/// How many expired marks one insertion removes.
const EXPIRED_AT_A_TIME: usize = 4;

/// The queue of one contact, or of all strangers together.
pub(super) fn queue_of(owner: Option<PeerId>) -> RowKey {
    match owner {
        Some(peer) => RowKey::new().u64(1).peer(&peer),
        None => RowKey::new().u64(0),
    }
}

impl Tx<'_> {
    /// What is known of an envelope.
    pub(super) fn mark(&self, id: &EnvelopeId) -> Step<Option<EnvelopeMark>> {
        Ok(self.buf.get::<EnvelopeMarks>(&mark_key(id))?)
    }

    /// Remembers an envelope; the oldest of the same owner makes room.
    pub(super) fn put_mark(
        &mut self,
        id: EnvelopeId,
        owner: Option<PeerId>,
        mark: &EnvelopeMark,
        card_prekey: Option<(PrekeyId, DhPublic)>,
    ) -> Step {
        self.buf.put::<EnvelopeMarks>(&mark_key(&id), mark)?;
        let (mut first, mut next) = self.mem.mark_range(self.buf, owner)?;
        let entry = QueuedMark { envelope: id, at: self.deadline_clock(), card_prekey };
        self.buf.put::<MarkQueue>(&queue_of(owner).u64(next), &entry)?;
        next += 1;
        let max = if owner.is_some() { limits::MAX_CONTACT_MARKS } else { limits::MAX_STRANGER_MARKS };
        let (mut moves, mut expired) = (0, 0);
        while first < next {
            let full = next - first > max;
            if !full && expired == EXPIRED_AT_A_TIME {
                break;
            }
            let key = queue_of(owner).u64(first);
            let Some(oldest) = self.buf.get::<MarkQueue>(&key)? else {
                first += 1;
                continue;
            };
            let old = oldest.at + limits::ENVELOPE_MARK_LIFE <= self.deadline_clock();
            if !full && !old {
                break;
            }
            self.buf.delete::<MarkQueue>(&key);
            first += 1;
            if moves < MAX_MOVES && self.protected(&oldest)? {
                self.buf.put::<MarkQueue>(&queue_of(owner).u64(next), &oldest)?;
                next += 1;
                moves += 1;
                continue;
            }
            self.buf.delete::<EnvelopeMarks>(&mark_key(&oldest.envelope));
            expired += 1;
        }
        self.mem.marks.insert(owner, (first, next));
        Ok(())
    }

    /// A stranger's mark outlives its turn while the mark of its card prekey lives.
    fn protected(&self, mark: &QueuedMark) -> Step<bool> {
        match &mark.card_prekey {
            Some((prekey, ephemeral)) => {
                Ok(self.buf.get::<PrekeyMarks>(&prekey_mark_key(*prekey, ephemeral))?.is_some())
            }
            None => Ok(false),
        }
    }

    /// Whether a handshake with the card's own prekey was seen before.
    pub(super) fn prekey_marked(&self, prekey: PrekeyId, ephemeral: &DhPublic) -> Step<bool> {
        Ok(self.buf.get::<PrekeyMarks>(&prekey_mark_key(prekey, ephemeral))?.is_some())
    }

    /// Remembers one. False when there is no room: then a stranger's handshake is dropped, never a mark.
    pub(super) fn mark_prekey(&mut self, prekey: PrekeyId, ephemeral: &DhPublic, contact: bool) -> Step<bool> {
        let count = self.mem.prekey_marks(self.buf)?;
        if !contact && count >= limits::MAX_CARD_PREKEY_MARKS {
            return Ok(false);
        }
        self.buf.put::<PrekeyMarks>(&prekey_mark_key(prekey, ephemeral), &PrekeyMark { ephemeral: *ephemeral })?;
        self.mem.prekey_marks = Some(count + 1);
        Ok(true)
    }

    /// Forgets all marks of a prekey whose secret is gone.
    pub(super) fn forget_prekey_marks(&mut self, prekey: PrekeyId) -> Step {
        for (_, row) in self.buf.scan::<PrekeyMarks>(&Scan::new(RowKey::new().u64(prekey.0)))? {
            self.buf.delete::<PrekeyMarks>(&prekey_mark_key(prekey, &row.ephemeral));
        }
        self.mem.prekey_marks = None;
        Ok(())
    }
}
