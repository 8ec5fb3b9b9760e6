//! What anybody may ask: leave an envelope, have a card.

use crate::base::{PeerId, limits};
use crate::crypto::hash::sha256;
use crate::envelope::mailbox::{Answer, Deposit, Tag, day_of, needed_work};
use crate::envelope::seal::SealedIn;
use crate::messenger::io::Order;
use crate::messenger::tables::{
    BoxCards, BoxPrekeys, BoxRow, BoxTokenRow, BoxTokens, DepositBodies, DepositBody, DepositMarks, DepositRow,
    Deposits, Room, in_box, of_box, tagged,
};
use crate::messenger::tx::{Step, Tx};
use crate::store::{Rows, Scan};

use super::FULL;

impl Tx<'_> {
    /// Takes an envelope (MBX-20 to MBX-28).
    pub(super) fn deposit(&mut self, deposit: &Deposit<'_>) -> Step<Answer> {
        // Its head was looked at when the question was decoded.
        let Ok(sealed) = SealedIn::decode(deposit.sealed) else { return Ok(Answer::Malformed) };
        let found = self.served_box(&deposit.recipient)?;
        // MBX-21: who does not know the queue has no card of the owner's, and learns nothing of the box.
        let Some(mut row) = found.filter(|row| row.queue == *sealed.queue()) else { return Ok(Answer::NoBox) };
        self.pass_hidden(&mut row)?;
        let hash = sha256(&[deposit.sealed]);
        let digest = hash.first_chunk().copied().unwrap_or_default();
        // MBX-27: a second copy, perhaps because the first answer was lost.
        if let Some(number) = self.buf.get::<DepositMarks>(&tagged(row.number, &digest))?
            && self.buf.contains::<Deposits>(&in_box(row.number, number))?
        {
            return Ok(Answer::Stored);
        }
        let size = deposit.sealed.len();
        let mut token = self.token(&row, deposit)?;
        // MBX-32: of this clock as it stands.
        let (day, today) = (self.mail_day(), day_of(self.now.wall));
        let is_proven = |level| deposit.proof.is_enough(level, &deposit.recipient, today, &hash, &row.invitation);
        let on = match &token {
            Some(token) if token.revoked => {
                let is_given = self.has_room_for_void(&row, size)? && is_proven(needed_work(row.work, row.void_count));
                if is_given { Room::Void(token.tag) } else { Room::Hidden(token.tag) }
            }
            Some(token) => Room::Token(token.tag),
            None if deposit.proof.is_invitation(&deposit.recipient, today, &hash, &row.invitation) => Room::Invited,
            None => Room::Strangers,
        };
        if let Some(refusal) = self.room(&row, on, token.as_ref(), size)? {
            return Ok(refusal);
        }
        // MBX-31: before anything is written.
        let level = needed_work(row.work, row.slot_count);
        if on == Room::Strangers && !is_proven(level) {
            return Ok(Answer::Work { level });
        }
        let number = row.last + 1;
        let bytes = size as u64;
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        let (at, mark) = (in_box(row.number, number), tagged(row.number, &digest));
        self.buf.put_under::<Deposits>(&at, row.key, &DepositRow { digest, size, day, on })?;
        self.buf.put_under::<DepositBodies>(&at, row.key, &DepositBody(deposit.sealed.to_vec()))?;
        self.buf.put_under::<DepositMarks>(&mark, row.key, &number)?;
        row.last = number;
        row.change(on, bytes, true);
        if let Some(token) = &mut token {
            token.count += 1;
            token.bytes += bytes;
            self.put_token(&row, token)?;
        }
        let mut totals = self.mail_totals()?;
        totals.change(row.bytes - bytes, row.bytes);
        self.put_mail_totals(&totals)?;
        self.put_box(&row)?;
        if on.is_hidden() {
            self.note_hidden(&row);
        } else {
            // MBX-81: behind the commit, like the answer.
            self.push(Order::RingMail { owner: row.owner });
        }
        Ok(Answer::Stored)
    }

    /// What is known of a token that is good, or was until its owner made it void, under the present key or the one before. One
    /// that is forged is none.
    fn token(&self, row: &BoxRow, deposit: &Deposit<'_>) -> Step<Option<BoxTokenRow>> {
        let Some(token) = &deposit.token else { return Ok(None) };
        for (key, is_old) in [(Some(&row.tokens), false), (row.tokens_before.as_ref(), true)] {
            let Some(tag): Option<Tag> = key.and_then(|key| token.verify(key)) else { continue };
            let known = self.buf.get::<BoxTokens>(&tagged(row.number, &tag))?;
            match known {
                Some(known) if known.revoked && known.is_old == is_old => return Ok(Some(known)),
                Some(known) if !known.revoked && !is_old => return Ok(Some(known)),
                None if !is_old => return Ok(Some(BoxTokenRow { tag, ..BoxTokenRow::default() })),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Whether the owner gets one more that comes under a void token: of them all as many as a stranger's half of the slot takes
    /// (MBX-22).
    fn has_room_for_void(&self, row: &BoxRow, size: usize) -> Step<bool> {
        let (_, slot) = self.box_bounds(row)?;
        let has_room = row.void_count < limits::SLOT_ENVELOPES / 2 && row.void_bytes + size as u64 <= slot;
        Ok(has_room && size <= limits::MAX_SLOT_DEPOSIT)
    }

    /// Whether there is room (MBX-23 to MBX-26, NET-94); if not, what is answered.
    fn room(&self, row: &BoxRow, on: Room, token: Option<&BoxTokenRow>, size: usize) -> Step<Option<Answer>> {
        if token.is_none() && size > limits::MAX_SLOT_DEPOSIT {
            return Ok(Some(Answer::TooLarge));
        }
        let (in_box, slot) = self.box_bounds(row)?;
        let (count, bytes, max_count, max_bytes) = match (token, on) {
            (Some(token), _) => (token.count, token.bytes, limits::TOKEN_ENVELOPES, limits::TOKEN_BYTES),
            (None, Room::Invited) => (row.invited_count, row.invited_bytes, limits::SLOT_ENVELOPES / 2, slot),
            (None, _) => (row.slot_count, row.slot_bytes, limits::SLOT_ENVELOPES / 2, slot),
        };
        let size = size as u64;
        let fits = !self.mem.is_disk_low
            && count < max_count
            && bytes + size <= max_bytes
            && row.count < limits::BOX_ENVELOPES
            && row.bytes + size <= in_box;
        Ok((!fits).then_some(FULL))
    }

    /// Hands out a card, and, seldom enough, a one-time prekey: each once (MBX-35 to MBX-37).
    pub(super) fn card_of(&mut self, owner: &PeerId, want_prekey: bool) -> Step<Answer> {
        let Some(mut row) = self.served_box(owner)? else { return Ok(Answer::NoBox) };
        let Some(card) = self.buf.get::<BoxCards>(&of_box(row.number))? else { return Ok(Answer::NoBox) };
        let mut prekey = None;
        if want_prekey && row.prekeys > 0 {
            let hour = self.deadline_clock().0 / limits::BOX_PREKEY_INTERVAL.0;
            let earned = u32::try_from(hour.saturating_sub(row.allowance_hour)).unwrap_or(u32::MAX);
            let allowance = row.allowance.saturating_add(earned).min(limits::BOX_PREKEY_BURST);
            if let Some(left) = allowance.checked_sub(1) {
                prekey = self.next_prekey(&mut row)?;
                (row.allowance, row.allowance_hour) = (left, hour);
                self.put_box(&row)?;
            }
        }
        Ok(Answer::Card { card: card.bytes, prekey })
    }

    /// The oldest prekey that is still good; it is gone with the commit behind which the answer leaves (MBX-36).
    fn next_prekey(&mut self, row: &mut BoxRow) -> Step<Option<Vec<u8>>> {
        let clock = self.earliest();
        let all = Scan::new(of_box(row.number)).limit(limits::ONE_TIME_BATCH);
        for (key, prekey) in self.buf.scan::<BoxPrekeys>(&all)? {
            let number = crate::messenger::memory::number(&key).unwrap_or_default();
            self.buf.delete::<BoxPrekeys>(&in_box(row.number, number));
            row.prekeys = row.prekeys.saturating_sub(1);
            if prekey.expires > clock {
                return Ok(Some(prekey.bytes));
            }
        }
        row.prekeys = 0;
        Ok(None)
    }
}
