//! Visits to an own mailbox: what it has is fetched in pages, kept or dropped for good in one durable commit, and only
//! then deleted there (MBX-19).

use crate::base::words::BoxState;
use crate::base::{MonoTime, PeerId, limits};
use crate::envelope::mailbox::{Answer, Delete, PageItem, Question};
use crate::envelope::seal::SealedIn;
use crate::identity::IdentityKey;
use crate::messenger::mailing::{OwnBox, What};
use crate::messenger::pace::jittered;
use crate::messenger::receive::Fate;
use crate::messenger::tables::{LOST_KEY, OwnBoxRow};
use crate::messenger::tx::{Step, Stop, Tx};

use super::Outcome;

impl Tx<'_> {
    /// What to ask an own mailbox now.
    pub(super) fn next_question(&mut self, mut row: OwnBoxRow) -> Step<Option<(What, Vec<u8>)>> {
        let now = self.now.mono;
        let queue = self.profile()?.queue;
        let Some(own) = self.mem.mail.own.get(&row.peer) else { return Ok(None) };
        if !own.done.is_empty() {
            // MBX-19: what they held is durable since the commit that put them here.
            let mut numbers = own.done.clone();
            numbers.sort_unstable();
            numbers.dedup();
            numbers.truncate(limits::MAX_DELETED_AT_ONCE);
            return Ok(Some((What::Delete, Question::Delete { queue, what: Delete::These(numbers) }.encode()?)));
        }
        let (more, emptied, fetch_at) = (own.more, own.emptied, own.fetch_at);
        let offers = own.offer_at.is_none_or(|at| at <= now);
        let leaving = row.state == BoxState::Leaving;
        let is_over = emptied || row.since + limits::BOX_LEAVING <= self.believed(limits::BOX_LEAVING);
        if (leaving && is_over) || row.kept.is_some_and(|kept| kept.key == LOST_KEY) {
            return Ok(Some((What::Drop, Question::Drop { queue }.encode()?)));
        }
        if !leaving
            && !more
            && offers
            && let Some(offer) = self.next_offer(&mut row)?
        {
            return Ok(Some(offer));
        }
        if row.kept.is_none() && !leaving {
            return Ok(None);
        }
        if !more && fetch_at > now {
            return Ok(None);
        }
        let Some(own) = self.mem.mail.own.get_mut(&row.peer) else { return Ok(None) };
        if !more {
            own.begin_visit(now);
        }
        let after = own.cursor;
        Ok(Some((What::Fetch, Question::Fetch { queue, after }.encode()?)))
    }

    /// A page of an own mailbox.
    pub(super) fn page_came(&mut self, mut row: OwnBoxRow, answer: Option<Answer>) -> Step<Outcome> {
        let (more, prekeys, items) = match answer {
            Some(Answer::Page { more, prekeys, items }) => (more, prekeys, items),
            Some(Answer::NoBox) => return self.left(row),
            _ => return Ok(Outcome::Failed),
        };
        if row.prekeys != prekeys {
            row.prekeys = prekeys;
            self.put_own_box(&row)?;
        }
        let last = items.last().map(|item| item.number);
        let done = self.take_items(row.peer, &items)?;
        let is_some_left = done.len() < items.len();
        let Some(own) = self.mem.mail.own.get_mut(&row.peer) else { return Ok(Outcome::Good) };
        own.pages += 1;
        own.done.extend(done);
        if !own.done.is_empty() {
            own.pause = limits::FETCH_PAUSE_MIN;
            own.wait.found();
        }
        // A page without anything, or behind which the numbers do not grow, ends the visit, whatever it says.
        let goes_on = more && last.is_some_and(|last| last > own.cursor);
        own.more = goes_on && own.pages < limits::MAX_FETCHED_PAGES;
        own.rest |= is_some_left || goes_on != own.more;
        own.cursor = own.cursor.max(last.unwrap_or_default());
        if !own.more && own.done.is_empty() {
            self.end_visit(row)?;
        }
        Ok(Outcome::Good)
    }

    /// Takes what is in a page; gives the numbers that need not be kept any longer. One that cannot be taken now, because
    /// a row of ours does not open or because there is no room for it, holds up no other.
    fn take_items(&mut self, mailbox: PeerId, items: &[PageItem]) -> Step<Vec<u64>> {
        let mut done = Vec::with_capacity(items.len());
        for item in items {
            match self.attempt(|tx| tx.take_sealed(mailbox, &item.sealed)) {
                Ok(Fate::Left) => {}
                Ok(Fate::Taken | Fate::Dropped) => done.push(item.number),
                Err(Stop::Fault(error)) => tracing::error!(%error, "an envelope of a mailbox cannot be taken"),
                Err(Stop::Refused(_)) => {}
            }
        }
        Ok(done)
    }

    /// An envelope that waited. What cannot be taken is dropped: nobody is told of it, and nothing is kept (ENV-14, MBX-53).
    fn take_sealed(&mut self, mailbox: PeerId, sealed: &[u8]) -> Step<Fate> {
        let fate = match self.unsealed(sealed)? {
            Some((sender, envelope)) => self.receive_sealed(sender, mailbox, &envelope)?,
            None => Fate::Dropped,
        };
        if fate == Fate::Dropped {
            tracing::debug!("an envelope of a mailbox was dropped");
        }
        Ok(fate)
    }

    /// Who sealed it is not known until it opens (ENV-15).
    fn unsealed(&self, sealed: &[u8]) -> Step<Option<(PeerId, Vec<u8>)>> {
        let queue = self.profile()?.queue;
        let Some(sealed) = SealedIn::decode(sealed).ok().filter(|sealed| *sealed.queue() == queue) else {
            return Ok(None);
        };
        let keys = self.card_keys()?.into_iter().find(|row| row.keys.seal_id == sealed.seal_id());
        let opened = keys.and_then(|row| sealed.open(&row.keys.seal).ok());
        Ok(opened.filter(|(sender, _)| *sender != self.my_id() && IdentityKey::from_peer_id(*sender).is_ok()))
    }

    /// What we have is deleted there.
    pub(super) fn deleted(&mut self, row: OwnBoxRow, answer: Option<&Answer>) -> Step<Outcome> {
        if !matches!(answer, Some(Answer::Done | Answer::NoBox)) {
            return Ok(Outcome::Failed);
        }
        let Some(own) = self.mem.mail.own.get_mut(&row.peer) else { return Ok(Outcome::Good) };
        own.done.sort_unstable();
        own.done.dedup();
        let rest = own.done.len().saturating_sub(limits::MAX_DELETED_AT_ONCE);
        own.done.drain(..own.done.len() - rest);
        if !own.more && own.done.is_empty() {
            self.end_visit(row)?;
        }
        Ok(Outcome::Good)
    }

    /// There is nothing more.
    fn end_visit(&mut self, mut row: OwnBoxRow) -> Step {
        let (now, random) = (self.now.mono, self.rng.next_u64());
        if let Some(own) = self.mem.mail.own.get_mut(&row.peer) {
            let (seen, pages) = (own.cursor, own.pages);
            (own.pages, own.more, own.emptied) = (0, false, !own.rest);
            let again = own.wait.end_visit(now, pages, seen, random);
            let span = own.pause.max(limits::FETCH_PAUSE_MIN);
            own.fetch_at = if again { now } else { now + jittered(span, random) };
            own.pause = crate::base::Millis(span.0 + span.0 / 2).min(limits::FETCH_PAUSE_MAX);
        }
        let clock = self.deadline_clock();
        if row.fetched_at.is_none_or(|at| at + limits::FETCHED_NOTE <= clock) {
            row.fetched_at = Some(clock);
            self.put_own_box(&row)?;
        }
        Ok(())
    }

    /// The box is gone: for good (MBX-17), or it is used again meanwhile, or what was there is lost to us and it begins anew.
    pub(super) fn left(&mut self, mut row: OwnBoxRow) -> Step<Outcome> {
        match row.state {
            BoxState::Leaving => self.forget_box(&row)?,
            _ => self.box_is_gone(&mut row)?,
        }
        Ok(Outcome::Good)
    }
}

impl OwnBox {
    /// A visit begins: at the front, as whoever deletes needs no number that another life of the mailbox gave, or behind what
    /// was left there, which would be fetched and opened each time.
    fn begin_visit(&mut self, now: MonoTime) {
        let is_due = |at: MonoTime| at + limits::FETCH_LEFT_PAUSE <= now;
        if !self.rest || self.whole_at.is_none_or(is_due) {
            (self.cursor, self.rest, self.whole_at) = (0, false, Some(now));
        }
        self.visited_at = Some(now);
        self.wait.begin_visit();
    }

    /// There may be something in it, or it may answer again: it is visited now, but for that not sooner after the last visit than one
    /// in which there was something.
    pub(super) fn hurry(&mut self, now: MonoTime) {
        let at = self.visited_at.map_or(now, |at| now.max(at + limits::FETCH_PAUSE_MIN));
        // Who refused us is not asked again for that.
        if self.attempts > 0 {
            self.retry_at = self.retry_at.map(|retry| retry.min(at));
        }
        (self.fetch_at, self.pause) = (self.fetch_at.min(at), limits::FETCH_PAUSE_MIN);
    }
}
