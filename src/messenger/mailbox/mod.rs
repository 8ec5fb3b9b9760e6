//! The mailbox that is kept for others (docs/protocol/mailbox.md): one question, one durable commit, one answer.
//!
//! What this layer does not own: how questions travel and how many a peer may ask (`net`), and both other sides, the owner's
//! and the depositor's.

mod age;
mod deposit;
mod house;
mod owner;
#[cfg(test)]
mod tests;
mod trials;
mod visits;

use crate::base::words::MailService;
use crate::base::{Millis, Origin, PeerId, limits};
use crate::envelope::WireError;
use crate::envelope::mailbox::{Answer as MailAnswer, Question, Tag, day_of};
use crate::store::{RowKey, Rows, Scan, StoreError};

use super::command::{Answer, Refusal};
use super::io::Order;
use super::tables::{
    BoxRow, BoxTokenRow, BoxTokens, Boxes, DepositBodies, DepositMarks, DepositRow, Deposits, MailServices, MailTotals,
    TotalsRow, in_box, peer_key, tagged,
};
use super::tx::{Step, Tx};

pub(super) use trials::House;

/// The answer when the store failed.
pub(super) fn unavailable(request: u64) -> Order {
    // It has no field that could be out of bounds.
    Order::AnswerMail { request, answer: MailAnswer::Unavailable.encode().unwrap_or_default() }
}

/// There is no room. The same whatever is full (MBX-24).
const FULL: MailAnswer = MailAnswer::Full { retry_after: retry_after() };

#[allow(clippy::cast_possible_truncation)] // An hour.
const fn retry_after() -> u32 {
    (limits::BOX_RETRY.0 / 1000) as u32
}

/// What all boxes amount to. Should its row not open, it is added up.
pub(super) fn totals(rows: &impl Rows) -> Result<TotalsRow, StoreError> {
    if let Some(known) = rows.get_sound::<MailTotals>(&RowKey::new())? {
        return Ok(known);
    }
    let mut totals = TotalsRow::default();
    for (_, row) in rows.scan_sound::<Boxes>(&Scan::all())?.0 {
        totals.boxes += 1;
        totals.last_box = totals.last_box.max(row.number);
        totals.change(0, row.bytes);
    }
    Ok(totals)
}

impl Tx<'_> {
    /// Answers a question of anybody (MBX-1, MBX-4); what is none changes nothing (MBX-2).
    pub(super) fn mail(&mut self, from: PeerId, origin: Option<Origin>, request: u64, question: &[u8]) -> Step {
        let answer = match Question::decode(question) {
            Ok(question) => match self.answer_mail(from, origin, question)? {
                Some(answer) => answer,
                None => {
                    self.push(Order::HoldMail { request });
                    return Ok(());
                }
            },
            Err(WireError::TooLarge) => MailAnswer::TooLarge,
            Err(_) => MailAnswer::Malformed,
        };
        self.push(Order::AnswerMail { request, answer: answer.encode()? });
        Ok(())
    }

    /// What is answered; `None`: an owner has to wait for it.
    fn answer_mail(
        &mut self,
        from: PeerId,
        origin: Option<Origin>,
        question: Question<'_>,
    ) -> Step<Option<MailAnswer>> {
        let answer = match question {
            Question::Register { key, invitation, offer } => self.register_box(from, origin, (key, invitation), &offer),
            Question::Renew { invitation, revoked, offer } => self.renew_box(from, invitation, &revoked, &offer),
            Question::Fetch { queue, after } => self.fetch_mail(&from, &queue, after),
            Question::Wait { queue, after, seconds } => return self.wait_for_mail(&from, &queue, after, seconds),
            Question::Delete { queue, what } => self.delete_mail(&from, &queue, &what),
            Question::Drop { queue } => self.leave_box(&from, &queue),
            Question::Deposit(deposit) => self.deposit(&deposit),
            Question::Card { owner, want_prekey } => self.card_of(&owner, want_prekey),
        };
        answer.map(Some)
    }

    /// For whom boxes are kept from now on.
    pub(super) fn set_mail_service(&mut self, service: &MailService) -> Step<Answer> {
        if let MailService::Listed(owners) = service
            && owners.len() > limits::MAX_SERVED_OWNERS
        {
            let (got, max) = (owners.len(), limits::MAX_SERVED_OWNERS);
            return Err(Refusal::TooLong { what: "the list of the mailbox", got, max, unit: "peers" }.into());
        }
        self.buf.put::<MailServices>(&RowKey::new(), service)?;
        Ok(Answer::Done)
    }

    /// Whether a box is kept for this owner (MBX-5).
    pub(super) fn serves(&self, owner: &PeerId) -> Step<bool> {
        Ok(match self.buf.get_sound::<MailServices>(&RowKey::new())?.unwrap_or_default() {
            MailService::Off => false,
            MailService::Open => true,
            MailService::Contacts => self.peer(owner)?.is_some_and(|row| row.is_contact()),
            MailService::Listed(owners) => owners.contains(owner),
        })
    }

    fn mail_totals(&self) -> Step<TotalsRow> {
        Ok(totals(&*self.buf)?)
    }

    fn put_mail_totals(&mut self, totals: &TotalsRow) -> Step {
        Ok(self.buf.put::<MailTotals>(&RowKey::new(), totals)?)
    }

    fn box_of(&self, owner: &PeerId) -> Step<Option<BoxRow>> {
        Ok(self.buf.get::<Boxes>(&peer_key(owner))?)
    }

    /// The box of whoever asks, if its queue is this one: another's is as if it were not there (MBX-12).
    fn own_box(&self, owner: &PeerId, queue: &[u8; 16]) -> Step<Option<BoxRow>> {
        Ok(self.box_of(owner)?.filter(|row| row.queue == *queue))
    }

    /// A box as others see it: without the policy's consent there is none (MBX-5).
    fn served_box(&self, owner: &PeerId) -> Step<Option<BoxRow>> {
        match self.box_of(owner)? {
            Some(row) if self.serves(owner)? => Ok(Some(row)),
            _ => Ok(None),
        }
    }

    fn put_box(&mut self, row: &BoxRow) -> Step {
        Ok(self.buf.put_under::<Boxes>(&peer_key(&row.owner), row.key, row)?)
    }

    /// The present day: the finest time that a row tells (MBX-40).
    fn mail_day(&self) -> u32 {
        day_of(self.deadline_clock())
    }

    /// The day to compare with what is kept for so many days: what is other people's goes only if these have passed.
    fn mail_day_after(&self, days: u32) -> u32 {
        day_of(self.believed(Millis::from_days(u64::from(days) + 1)))
    }

    /// Takes an envelope out of a box. The rows of box and totals are still to be written.
    fn take_out(&mut self, row: &mut BoxRow, number: u64, deposit: &DepositRow) -> Step {
        self.buf.delete::<Deposits>(&in_box(row.number, number));
        self.buf.delete::<DepositBodies>(&in_box(row.number, number));
        self.buf.delete::<DepositMarks>(&tagged(row.number, &deposit.digest));
        let size = u64::from(deposit.size);
        row.change(deposit.on, size, false);
        deposit.on.tag().map_or(Ok(()), |tag| self.take_of_token(row, &tag, size))
    }

    fn take_of_token(&mut self, row: &BoxRow, tag: &Tag, size: u64) -> Step {
        let key = tagged(row.number, tag);
        if let Some(mut token) = self.buf.get::<BoxTokens>(&key)? {
            token.count = token.count.saturating_sub(1);
            token.bytes = token.bytes.saturating_sub(size);
            self.put_token(row, &token)?;
        }
        Ok(())
    }

    /// A token under which nothing waits and that is not void needs no row.
    fn put_token(&mut self, row: &BoxRow, token: &BoxTokenRow) -> Step {
        let key = tagged(row.number, &token.tag);
        if token.count == 0 && !token.revoked {
            self.buf.delete::<BoxTokens>(&key);
            return Ok(());
        }
        Ok(self.buf.put_under::<BoxTokens>(&key, row.key, token)?)
    }

    /// Writes a box out of which envelopes were taken, and what is in all of them.
    fn settle_box(&mut self, row: &BoxRow, bytes_before: u64) -> Step {
        let mut totals = self.mail_totals()?;
        totals.change(bytes_before, row.bytes);
        self.put_mail_totals(&totals)?;
        self.put_box(row)
    }
}
