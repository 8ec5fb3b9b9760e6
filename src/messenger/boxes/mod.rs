//! The own mailboxes: registered, kept up to date, emptied, left (docs/protocol/mailbox.md, "The owner").
//!
//! Of each mailbox one thing is asked at a time, beside a question that it may hold. What that is follows from rows: what it has said to keep, and what it
//! should. So nothing is lost with a question or its answer.

mod offers;
mod visits;
mod waits;

use crate::base::words::BoxState;
use crate::base::{MonoTime, PeerId, limits};
use crate::envelope::mailbox::Answer as MailAnswer;
use crate::identity::{IdentityKey, Mailbox};
use crate::store::{RowKey, Rows, Scan};

use super::command::{Answer, Refusal};
use super::io::Order;
use super::mailing::{Asked, OwnBox, What};
use super::pace::{jittered, pause};
use super::send::bounded_node;
use super::tables::{KnownPeers, Offers, OwnBoxRow, OwnBoxes, peer_key};
use super::tx::{Step, Stop, Tx};

impl Tx<'_> {
    /// Uses a mailbox from now on, or finds it elsewhere.
    pub(super) fn use_mailbox(&mut self, peer: PeerId, addrs: &[String]) -> Step<Answer> {
        if peer == self.my_id() {
            return Err(Refusal::Oneself.into());
        }
        // ID-24
        IdentityKey::from_peer_id(peer).map_err(|_| Refusal::UnsoundPeer)?;
        let clock = self.deadline_clock();
        let known = self.used_box(&peer)?;
        let is_used = |row: &OwnBoxRow| row.state != BoxState::Leaving && row.peer != peer;
        let used = self.buf.scan_sound::<OwnBoxes>(&Scan::all())?.0.iter().filter(|(_, row)| is_used(row)).count();
        if used >= limits::MAX_MAILBOXES {
            return Err(Refusal::TooManyMailboxes.into());
        }
        let mut row = known.unwrap_or_else(|| OwnBoxRow::new(peer, clock));
        row.addrs = bounded_node(Mailbox { peer, addrs: addrs.to_vec() }).addrs;
        if matches!(row.state, BoxState::Leaving | BoxState::Refused | BoxState::Full) {
            (row.state, row.since) = (BoxState::Asking, clock);
        }
        self.put_own_box(&row)?;
        self.ensure_queue()?;
        if row.kept.is_some() {
            self.card_is_old();
        }
        // The user is there: what was put off is tried at once.
        let now = self.now.mono;
        let own = self.mem.mail.own.entry(peer).or_insert_with(|| OwnBox { fetch_at: now, ..OwnBox::default() });
        (own.retry_at, own.attempts, own.offer_at) = (None, 0, None);
        self.mem.mail.look = true;
        Ok(Answer::Done)
    }

    /// Leaves a mailbox: what is there is taken out first.
    pub(super) fn drop_mailbox(&mut self, peer: PeerId) -> Step<Answer> {
        let Some(mut row) = self.used_box(&peer)?.filter(|row| row.state != BoxState::Leaving) else {
            return Err(Refusal::NotAMailbox.into());
        };
        // Of those that do not answer no more are told than could be used.
        let rows = self.buf.scan_sound::<OwnBoxes>(&Scan::all())?.0.into_iter().map(|(_, row)| row);
        let mut leaving: Vec<OwnBoxRow> = rows.filter(|row| row.state == BoxState::Leaving).collect();
        leaving.sort_by_key(|row| std::cmp::Reverse(row.since));
        for old in leaving.iter().skip(limits::MAX_MAILBOXES - 1) {
            self.forget_box(old)?;
        }
        let named = row.kept.is_some();
        (row.state, row.since) = (BoxState::Leaving, self.deadline_clock());
        self.put_own_box(&row)?;
        if named {
            self.card_is_old();
        }
        let now = self.now.mono;
        let own = self.mem.mail.own.entry(peer).or_default();
        (own.retry_at, own.attempts, own.emptied, own.fetch_at, own.whole_at) = (None, 0, false, now, None);
        self.mem.mail.look = true;
        Ok(Answer::Done)
    }

    /// Nodes that are good to begin with.
    pub(super) fn keep_known_peers(&mut self, peers: Vec<(PeerId, Vec<String>)>) -> Step {
        let peers = peers.into_iter().take(limits::MAX_KNOWN_PEERS);
        let peers: Vec<Mailbox> = peers.map(|(peer, addrs)| bounded_node(Mailbox { peer, addrs })).collect();
        if self.buf.get::<KnownPeers>(&RowKey::new())?.unwrap_or_default() != peers {
            self.buf.put::<KnownPeers>(&RowKey::new(), &peers)?;
        }
        Ok(())
    }

    pub(super) fn used_box(&self, peer: &PeerId) -> Step<Option<OwnBoxRow>> {
        Ok(self.buf.get::<OwnBoxes>(&peer_key(peer))?)
    }

    pub(super) fn put_own_box(&mut self, row: &OwnBoxRow) -> Step {
        Ok(self.buf.put::<OwnBoxes>(&peer_key(&row.peer), row)?)
    }

    /// Whether nothing can wait in an own mailbox that is sealed to an old key (ID-28): each was emptied not long ago, or
    /// was not reached for so long that its box is gone.
    pub(super) fn boxes_are_empty(&self) -> Step<bool> {
        let clock = self.deadline_clock();
        let lease = crate::base::Millis::from_days(u64::from(limits::BOX_LEASE_DAYS));
        let believed = self.believed(lease);
        let rows = self.buf.scan_sound::<OwnBoxes>(&Scan::all())?.0;
        Ok(rows.iter().all(|(_, row)| {
            let visited = row.fetched_at.unwrap_or(row.since);
            row.kept.is_none() || visited + lease <= believed || clock.since(visited) <= super::keys::SWEEP
        }))
    }

    /// A connection to this peer stands. If he keeps our mail, there may be some; if it is the first one, what failed for
    /// want of a network is tried again. Whoever it is may come and go.
    pub(super) fn network_is_back(&mut self, peer: PeerId, is_first: bool) {
        let now = self.now.mono;
        let is_often = self.mem.asks.back_at.is_some_and(|at| now.since(at) < limits::NETWORK_BACK_PAUSE);
        let is_back = is_first && !is_often;
        let own = self.mem.mail.own.iter_mut().filter(|(mailbox, _)| is_back || **mailbox == peer);
        own.for_each(|(_, own)| own.hurry(now));
        // How often one has failed is counted on.
        if let Some(house) =
            self.mem.asks.houses.get_mut(&peer).filter(|house| house.failures <= limits::RETRY_FORGIVEN)
        {
            house.until = now;
        }
        if is_back {
            self.mem.asks.back_at = Some(now);
            self.mem.asks.houses.clear();
            let soon = now + jittered(limits::RETRY_FIRST, self.rng.next_u64());
            self.mem.mail.lookout.hurry(soon);
            for link in self.mem.all_links() {
                if link.seek_at.is_some() {
                    (link.seek_at, link.post_at) = (None, Some(now));
                }
                // Who could not be reached for want of a network may be there; not at once, as this one may come and go.
                // What failed meanwhile says nothing of them.
                (link.retry_at, link.attempts) = (link.retry_at.map(|at| at.min(soon)), 0);
            }
        }
    }

    /// Asks the own mailboxes what there is to be asked.
    pub(super) fn ask_own_boxes(&mut self) {
        let now = self.now.mono;
        let look = std::mem::take(&mut self.mem.mail.look);
        let is_due = |own: &OwnBox| look || own.due().is_some_and(|at| at <= now);
        let due: Vec<PeerId> = self.mem.mail.own.iter().filter(|(_, own)| is_due(own)).map(|(peer, _)| *peer).collect();
        for peer in due {
            if !self.apart(|tx| tx.ask_own_box(peer)) {
                let own = self.mem.mail.own.entry(peer).or_default();
                own.retry_at = Some(now + limits::BOX_RETRY);
            }
        }
    }

    fn ask_own_box(&mut self, peer: PeerId) -> Step {
        let now = self.now.mono;
        let Some(own) = self.mem.mail.own.get(&peer) else { return Ok(()) };
        if own.asked.is_some() || own.retry_at.is_some_and(|at| at > now) {
            return Ok(());
        }
        let Some(row) = self.used_box(&peer)? else {
            self.mem.mail.own.remove(&peer);
            return Ok(());
        };
        if let Some((what, question)) = self.next_question(row.clone())? {
            let ticket = self.ask(peer, row.addrs, false, what, question);
            let own = self.mem.mail.own.entry(peer).or_default();
            (own.retry_at, own.asked) = (None, Some(ticket));
            return Ok(());
        }
        self.ask_to_wait(&row)?;
        if let Some(own) = self.mem.mail.own.get_mut(&peer).filter(|own| own.due().is_some_and(|at| at <= now)) {
            // What it could be asked it does not want to hear yet.
            own.retry_at = Some(now + limits::FETCH_PAUSE_MAX);
        }
        Ok(())
    }

    /// Asks a mailbox; to be called when the inputs of a commit are done, so that what fails asks nothing.
    pub(super) fn ask(
        &mut self,
        mailbox: PeerId,
        addrs: Vec<String>,
        anonymous: bool,
        what: What,
        question: Vec<u8>,
    ) -> u64 {
        let ticket = self.ticket();
        self.mem.asks.asked.insert(ticket, Asked { mailbox, at: self.now.mono, what });
        self.push(Order::AskMailbox { ticket, mailbox, addrs, anonymous, question });
        ticket
    }

    /// A mailbox answered, or nothing came. What it says is believed only as far as it concerns itself.
    pub(super) fn mail_answered(&mut self, mailbox: PeerId, ticket: u64, answer: Option<&[u8]>) -> Step {
        if self.mem.asks.asked.get(&ticket).is_none_or(|asked| asked.mailbox != mailbox) {
            return Ok(());
        }
        let Some(asked) = self.mem.asks.asked.remove(&ticket) else { return Ok(()) };
        let answer = answer.and_then(|bytes| MailAnswer::decode(bytes).ok());
        match asked.what {
            What::Deposit(shown) => self.deposit_answered(mailbox, ticket, shown, answer.as_ref()),
            What::Card(peer) => {
                let Some(MailAnswer::Card { card, prekey }) = answer else {
                    return self.card_came(peer, ticket, None);
                };
                self.card_came(peer, ticket, Some((&card, prekey.as_deref())))
            }
            What::OwnCard => {
                let card = if let Some(MailAnswer::Card { card, .. }) = &answer { Some(&card[..]) } else { None };
                self.own_card_came(ticket, answer.is_some(), card)
            }
            What::Wait => {
                self.wait_ended(mailbox, ticket, asked.at, answer.as_ref());
                Ok(())
            }
            what => self.own_answered(mailbox, ticket, &what, answer),
        }
    }

    fn own_answered(&mut self, mailbox: PeerId, ticket: u64, what: &What, answer: Option<MailAnswer>) -> Step {
        let Some(own) = self.mem.mail.own.get_mut(&mailbox).filter(|own| own.asked == Some(ticket)) else {
            return Ok(());
        };
        own.asked = None;
        // Should a row not open, what follows from the answer is undone, and this pause stays.
        let before = own.attempts;
        self.put_off(mailbox);
        let done = self.attempt(|tx| tx.take_answer(mailbox, what, answer, before));
        if let Err(Stop::Fault(error)) = &done {
            tracing::error!(%mailbox, %error, "an answer of a mailbox cannot be taken");
            return Ok(());
        }
        done
    }

    fn take_answer(&mut self, mailbox: PeerId, what: &What, answer: Option<MailAnswer>, before: u32) -> Step {
        let Some(row) = self.used_box(&mailbox)? else {
            self.mem.mail.own.remove(&mailbox);
            return Ok(());
        };
        self.mem.mail.look = true;
        let is_sound = match what {
            What::Offer => self.offer_answered(row, answer.as_ref())?,
            What::Fetch => self.page_came(row, answer)?,
            What::Delete => self.deleted(row, answer.as_ref())?,
            _ if matches!(answer, Some(MailAnswer::Done | MailAnswer::NoBox)) => self.left(row)?,
            _ => Outcome::Failed,
        };
        let Some(own) = self.mem.mail.own.get_mut(&mailbox) else { return Ok(()) };
        match is_sound {
            Outcome::Good => {
                (own.retry_at, own.attempts) = (None, 0);
                self.note_answer(mailbox)
            }
            Outcome::Wait(span) => {
                own.attempts = before;
                let random = self.rng.next_u64();
                own.retry_at = Some(self.now.mono + jittered(span, random));
                Ok(())
            }
            Outcome::Failed => self.note_silence(mailbox),
        }
    }

    /// Nothing is asked of an own mailbox for a while.
    fn put_off(&mut self, mailbox: PeerId) {
        let random = self.rng.next_u64();
        let now = self.now.mono;
        let own = self.mem.mail.own.entry(mailbox).or_default();
        own.retry_at = Some(now + pause(limits::BOX_RETRY_FIRST, limits::BOX_RETRY_MAX, own.attempts, random));
        own.attempts = own.attempts.saturating_add(1);
    }

    /// It answers again.
    fn note_answer(&mut self, mailbox: PeerId) -> Step {
        let Some(mut row) = self.used_box(&mailbox)? else { return Ok(()) };
        if row.state == BoxState::Unreachable {
            row.state = if row.kept.is_some() { BoxState::InUse } else { BoxState::Asking };
            row.since = self.deadline_clock();
            self.put_own_box(&row)?;
        }
        Ok(())
    }

    /// It does not answer.
    fn note_silence(&mut self, mailbox: PeerId) -> Step {
        let attempts = self.mem.mail.own.get(&mailbox).map_or(0, |own| own.attempts);
        let Some(mut row) = self.used_box(&mailbox)? else { return Ok(()) };
        let clock = self.deadline_clock();
        if row.state == BoxState::Leaving && row.since + limits::BOX_LEAVING <= self.believed(limits::BOX_LEAVING) {
            return self.forget_box(&row);
        }
        if attempts >= limits::BOX_UNREACHABLE_AFTER && matches!(row.state, BoxState::Asking | BoxState::InUse) {
            (row.state, row.since) = (BoxState::Unreachable, clock);
            self.put_own_box(&row)?;
        }
        Ok(())
    }

    /// It is none of ours any more.
    fn forget_box(&mut self, row: &OwnBoxRow) -> Step {
        self.buf.delete::<OwnBoxes>(&peer_key(&row.peer));
        self.buf.delete::<Offers>(&peer_key(&row.peer));
        self.mem.mail.own.remove(&row.peer);
        self.card_is_old();
        Ok(())
    }

    /// Questions whose outcome was never told count as failed.
    pub(super) fn give_up_questions(&mut self) -> Step {
        let now = self.now.mono;
        let is_over = |asked: &Asked| asked.until() <= now;
        let over = self.mem.asks.asked.iter().filter(|(_, asked)| is_over(asked));
        let over: Vec<_> = over.map(|(ticket, asked)| (*ticket, asked.mailbox)).collect();
        for (ticket, mailbox) in over {
            self.mail_answered(mailbox, ticket, None)?;
        }
        Ok(())
    }

    /// When the timer is to ring for mailboxes.
    pub(super) fn next_mail(&self) -> Option<MonoTime> {
        let mail = &self.mem.mail;
        let own = mail.own.values().filter_map(OwnBox::due).min();
        let asked = self.mem.asks.asked.values().map(Asked::until).min();
        [own, asked, self.next_work(), mail.look.then_some(self.now.mono)].into_iter().flatten().min()
    }
}

/// What came of a question to an own mailbox.
enum Outcome {
    /// It said what it should.
    Good,
    /// It said so, and there is nothing more to ask for a while.
    Wait(crate::base::Millis),
    /// It did not, or said nothing.
    Failed,
}

impl OwnBox {
    /// When there is something to ask.
    fn due(&self) -> Option<MonoTime> {
        let at = self.retry_at.unwrap_or(self.fetch_at);
        let busy = self.more || !self.done.is_empty();
        let at = if busy { self.retry_at.unwrap_or_default() } else { at };
        self.asked.is_none().then(|| self.wait_due().map_or(at, |wait| wait.min(at)))
    }

    /// When it is to be asked to tell what comes: it answered last, and has nothing more.
    fn wait_due(&self) -> Option<MonoTime> {
        let idle = !self.more && self.done.is_empty() && self.attempts == 0 && self.retry_at.is_none();
        (idle && self.wait.may && self.wait.ticket.is_none()).then_some(self.wait.not_before)
    }
}

#[cfg(test)]
mod tests;
