//! What waits for somebody who is away is left at his mailboxes (docs/protocol/mailbox.md, "The depositor").
//!
//! Everything follows from the outbox and from what is written beside its rows: which mailboxes have stored what. The row
//! stays until the recipient himself says that he has it, and goes to him directly when he is there.

mod answers;
mod seek;
mod work;

use crate::base::{Millis, MonoTime, PeerId, limits};
use crate::content::{Capsule, Item};
use crate::envelope::mailbox::{Deposit as DepositQuestion, InvitationKey, Proof, Question, day_of};
use crate::envelope::seal::seal;
use crate::identity::{Card, IdentityKey, Mailbox};
use crate::session::SessionSet;
use crate::store::{Rows, Scan};

use super::deliver::earliest;
use super::mailing::{Deposit, What};
use super::tables::{OutDepositRow, OutDeposits, OutKind, OutRow, Outbox, PeerRow, ProfileRow, outbox_key};
use super::tx::{Step, Tx};

/// The work on the rows of one peer.
struct Posting<'a> {
    peer: PeerRow,
    set: SessionSet,
    profile: ProfileRow,
    card: &'a Card,
    /// His mailboxes that can be used at all.
    houses: Vec<&'a Mailbox>,
    /// Mailboxes that are to have each envelope.
    copies: usize,
    /// Deposits that may still be begun.
    window: usize,
    /// Whether something was encrypted.
    encrypted: bool,
    /// When to look again.
    again: Option<MonoTime>,
}

/// What came of a row.
enum Row {
    /// On with the next one.
    Next,
    /// Nothing behind it can go now.
    Stop,
}

impl Tx<'_> {
    /// Does what can be done now for one peer who is away: look for his card, leave at his mailboxes what waits.
    pub(super) fn post(&mut self, id: PeerId) -> Step {
        let now = self.now.mono;
        let link = self.link(id);
        let Some(since) = link.away_since.filter(|_| !link.connected) else { return Ok(()) };
        if link.pending.is_empty() {
            let nothing = self.peer(&id)?.is_none_or(|peer| !self.heals_now(&peer));
            if nothing {
                let link = self.link(id);
                (link.away_since, link.seek, link.post_at) = (None, None, None);
                return Ok(());
            }
        }
        let due = since + limits::DEPOSIT_AFTER;
        if due > now && !self.mem.mail.was_missed(&id, now) {
            self.link(id).post_at = Some(due);
            return Ok(());
        }
        let Some(peer) = self.peer(&id)?.filter(|peer| !peer.blocked && peer.contact.is_some()) else {
            return Ok(());
        };
        self.mem.mail.miss(id, now);
        let heal = self.heals_now(&peer);
        let set = self.sessions(&id)?;
        let stale = self.is_stale(&set);
        let link = self.link(id);
        if link.pending.len() == link.posted.len() && !heal && !stale {
            return Ok(());
        }
        let begin = link.rebuild || heal || !set.can_send();
        let card = self.pinned(&id)?;
        let clock = self.deadline_clock();
        // Where nobody takes anything he has perhaps gone: a newer card may name others.
        let is_closed = |house: &Mailbox| self.closed_until(&id, &house.peer).is_some_and(|until| until > now);
        let is_poor = card.as_ref().is_none_or(|card| card.mailboxes.iter().all(is_closed) || card.expires <= clock);
        if begin || stale || is_poor || self.link(id).seek.is_some() {
            self.seek(id, begin || stale, card.as_ref())?;
        }
        match card {
            Some(card) if !begin => self.post_rows(peer, set, &card),
            _ => Ok(()),
        }
    }

    /// Leaves rows at mailboxes, in their order, as many as the windows take.
    fn post_rows(&mut self, peer: PeerRow, set: SessionSet, card: &Card) -> Step {
        let id = peer.peer;
        // ID-24
        let sound = |house: &&Mailbox| house.peer != self.my_id() && IdentityKey::from_peer_id(house.peer).is_ok();
        let houses: Vec<&Mailbox> = card.mailboxes.iter().filter(sound).collect();
        if houses.is_empty() {
            return Ok(());
        }
        let copies = houses.len().min(limits::DEPOSIT_COPIES);
        let now = self.now.mono;
        let mut next = None;
        let mut open = 0;
        for house in &houses {
            match self.closed_until(&id, &house.peer).filter(|until| *until > now) {
                None => open += 1,
                until => next = earliest(next, until),
            }
        }
        let link = self.link(id);
        link.post_at = earliest(link.post_at.filter(|at| *at > now), next);
        if open == 0 {
            return Ok(());
        }
        let (mut of_all, mut of_peer) = (0, 0);
        for deposit in self.mem.mail.deposits() {
            of_all += 1;
            of_peer += usize::from(deposit.peer == id);
        }
        let window = limits::MAX_DEPOSITS.saturating_sub(of_all);
        let window = window.min(limits::MAX_DEPOSITS_PER_PEER.saturating_sub(of_peer));
        if window == 0 {
            if of_peer == 0 {
                // Nothing of his own will end and bring us back here.
                let link = self.link(id);
                link.post_at = earliest(link.post_at, Some(now + WINDOW_PAUSE));
            }
            return Ok(());
        }
        self.share_envelopes(id)?;
        let profile = self.profile()?;
        let mut work = Posting { peer, set, profile, card, houses, copies, window, encrypted: false, again: None };
        let link = self.link(id);
        // While there is no second mailbox, those that one has are not looked at: others wait behind them.
        let waiting = link.pending.difference(&link.posted).copied();
        let waiting = waiting.filter(|number| open >= copies || !link.halves.contains(number));
        let numbers: Vec<u64> = waiting.take(limits::MAX_POSTED_AT_ONCE).collect();
        let more = numbers.len() == limits::MAX_POSTED_AT_ONCE;
        let mut stopped = false;
        for number in numbers {
            if work.window == 0 || matches!(self.post_row(&mut work, number)?, Row::Stop) {
                stopped = true;
                break;
            }
        }
        if work.encrypted {
            self.put_sessions(&id, &work.set)?;
            self.put_peer(&work.peer)?;
        }
        // All those that were looked at are done with: the rest comes with the next commit.
        let again = if more && !stopped { Some(now) } else { work.again };
        let link = self.link(id);
        link.post_at = earliest(link.post_at.filter(|at| *at > now), again);
        Ok(())
    }

    fn post_row(&mut self, work: &mut Posting<'_>, number: u64) -> Step<Row> {
        let id = work.peer.peer;
        let key = outbox_key(&id, number);
        let (now, clock) = (self.now.mono, self.deadline_clock());
        let Some(row) = self.buf.get::<Outbox>(&key)? else {
            self.link(id).pending.remove(&number);
            return Ok(Row::Next);
        };
        if row.is_inquiry() {
            // It is for a connection, and what it asks for may be on its way to us (CON-32).
            self.forget_row(&row)?;
            return Ok(Row::Next);
        }
        if let Some(wait) = self.receipts_wait(&row) {
            work.again = earliest(work.again, Some(wait));
            return Ok(Row::Next);
        }
        let record = self.buf.get::<OutDeposits>(&key)?;
        let is_waiting = |at: &crate::base::WallTime| *at + limits::DEPOSIT_LIFE > clock;
        let places = record.clone().unwrap_or_default().places.into_iter().filter(|(_, at)| is_waiting(at));
        let stored: Vec<PeerId> = places.map(|(mailbox, _)| mailbox).collect();
        let flying = self.mem.mail.deposits().filter(|deposit| deposit.peer == id && deposit.number == number);
        let flying: Vec<PeerId> = flying.map(|deposit| deposit.mailbox).collect();
        if stored.len() >= work.copies {
            self.posted(&row)?;
            return Ok(Row::Next);
        }
        if !stored.is_empty() {
            self.link(id).halves.insert(number);
        }
        let missing = work.copies.saturating_sub(stored.len() + flying.len());
        let is_open = |house: &&&Mailbox| {
            let is_new = !stored.contains(&house.peer) && !flying.contains(&house.peer);
            is_new && self.closed_until(&id, &house.peer).is_none_or(|until| until <= now)
        };
        let mut open: Vec<&Mailbox> = work.houses.iter().filter(is_open).copied().collect();
        if open.is_empty() && flying.is_empty() {
            // A receipt that one has is worth no more waiting.
            if !stored.is_empty() && matches!(row.kind, OutKind::Control(_)) {
                self.forget_row(&row)?;
            }
        }
        if missing == 0 || open.is_empty() {
            return Ok(Row::Next);
        }
        let Some(envelope) = self.postable(work, row, record.is_some())? else { return Ok(Row::Stop) };
        let Some(envelope) = envelope else { return Ok(Row::Next) };
        open.truncate(missing);
        for house in open {
            self.post_envelope(work, number, house, &envelope)?;
        }
        Ok(Row::Next)
    }

    /// The envelope of a row. The first `None`: nothing more can be encrypted; the second: there is nothing to send.
    #[expect(clippy::option_option, reason = "the two say different things, and only here")]
    fn postable(&mut self, work: &mut Posting<'_>, row: OutRow, fits: bool) -> Step<Option<Option<Vec<u8>>>> {
        // MBX-60: made for a stream, it may tell where we are; that is for who has accepted us (decision 2).
        if row.encrypted
            && (fits || work.peer.accepted)
            && let Some(bytes) = self.envelope_of(&row)?
        {
            return Ok(Some(Some(bytes)));
        }
        if self.must_wait(&work.peer, &row) {
            return Ok(None);
        }
        if row.encrypted {
            self.drop_envelope(&row);
        }
        self.mem.mail.sealed.retain(|old| old.peer != row.peer || old.number != row.number);
        work.encrypted = true;
        let bytes = self.encrypt(&mut work.peer, &mut work.set, &work.profile, row, true)?;
        Ok(Some(bytes))
    }

    /// Seals an envelope for one mailbox.
    fn post_envelope(&mut self, work: &mut Posting<'_>, number: u64, house: &Mailbox, envelope: &[u8]) -> Step {
        let id = work.peer.peer;
        let sealed = match self.mem.mail.sealed_before(&id, number, &house.peer) {
            Some(sealed) => sealed,
            None => {
                let (card, me) = (work.card, self.my_id());
                match seal(&card.queue, card.seal_id, &card.seal, me, envelope, &mut *self.rng) {
                    Ok(sealed) => sealed,
                    Err(error) => {
                        tracing::debug!(%id, %error, "an envelope cannot be sealed to this card");
                        self.link(id).posted.insert(number);
                        return Ok(());
                    }
                }
            }
        };
        let with_token = !self.link(id).no_token.contains(&house.peer) && self.reach(&id)?.token.is_some();
        if !with_token && sealed.len() > limits::MAX_SLOT_DEPOSIT {
            // MBX-25: it waits for him, or for his token.
            self.link(id).posted.insert(number);
            return Ok(());
        }
        let proof = match &work.peer.token {
            Some(token) if !with_token => {
                let (day, hash) = (day_of(self.deadline_clock()), crate::crypto::hash::sha256(&[&sealed]));
                Proof::invitation(&InvitationKey::of(token), &id, day, &hash)
            }
            _ => Proof::None,
        };
        let (mailbox, addrs) = (house.peer, house.addrs.clone());
        work.window = work.window.saturating_sub(1);
        self.mem.mail.ready.push_back(Deposit { peer: id, number, mailbox, addrs, sealed, with_token, proof });
        Ok(())
    }

    /// Sends what is ready. To be called when the inputs of a commit are done.
    pub(super) fn send_deposits(&mut self) -> Step {
        while let Some(deposit) = self.mem.mail.ready.pop_front() {
            let token = match deposit.with_token {
                true => self.reach(&deposit.peer)?.token,
                false => None,
            };
            let (recipient, proof) = (deposit.peer, deposit.proof.clone());
            let question = DepositQuestion { recipient, token, proof, sealed: &deposit.sealed };
            let question = Question::Deposit(question).encode();
            let Ok(question) = question else { continue };
            let (mailbox, addrs) = (deposit.mailbox, deposit.addrs.clone());
            self.ask(mailbox, addrs, true, What::Deposit(deposit), question);
        }
        Ok(())
    }

    /// A row need not be left anywhere any more. What is no message is done with: that its recipient has it he does not
    /// say, and what it said comes again in another way.
    fn posted(&mut self, row: &OutRow) -> Step {
        if matches!(row.kind, OutKind::Control(_)) {
            return self.forget_row(row);
        }
        self.link(row.peer).posted.insert(row.number);
        Ok(())
    }

    /// Until when a mailbox is of no use for this recipient.
    fn closed_until(&self, peer: &PeerId, mailbox: &PeerId) -> Option<MonoTime> {
        let house = self.mem.mail.houses.get(mailbox).map(|house| house.until);
        let link = self.mem.links.get(peer);
        house.max(link.and_then(|link| link.closed.get(mailbox).copied()))
    }

    /// Receipts alone wait for others; until when.
    fn receipts_wait(&self, row: &OutRow) -> Option<MonoTime> {
        let OutKind::Control(bytes) = &row.kind else { return None };
        let clock = self.deadline_clock();
        let until = row.queued_at + limits::RECEIPTS_DEPOSIT_AFTER;
        if until <= clock || row.encrypted {
            return None;
        }
        let capsule = Capsule::decode(bytes).ok()?;
        let receipts = capsule.items.iter().all(|item| matches!(item, Item::Status(_)));
        receipts.then(|| self.now.mono + until.since(clock))
    }

    /// What is no message and was not encrypted yet goes together, so that a day of receipts is not a hundred envelopes.
    fn share_envelopes(&mut self, peer: PeerId) -> Step {
        let link = self.link(peer);
        if link.controls < 2 {
            return Ok(());
        }
        let waiting = link.pending.difference(&link.posted).copied();
        let numbers: Vec<u64> = waiting.take(2 * limits::MAX_POSTED_AT_ONCE).collect();
        let mut into: Option<(OutRow, Vec<Item>, usize)> = None;
        for number in numbers {
            let Some(row) = self.buf.get::<Outbox>(&outbox_key(&peer, number))? else { continue };
            let OutKind::Control(bytes) = &row.kind else { continue };
            let (len, Ok(capsule)) = (bytes.len(), Capsule::decode(bytes)) else { continue };
            if row.encrypted {
                continue;
            }
            match &mut into {
                Some((_, items, size))
                    if items.len() + capsule.items.len() <= limits::MAX_CAPSULE_ITEMS
                        && *size + len <= MAX_SHARED_CAPSULE =>
                {
                    items.extend(capsule.items);
                    *size += len;
                    self.forget_row(&row)?;
                }
                _ => {
                    self.put_shared(into.take())?;
                    into = Some((row, capsule.items, len));
                }
            }
        }
        self.put_shared(into)
    }

    fn put_shared(&mut self, shared: Option<(OutRow, Vec<Item>, usize)>) -> Step {
        let Some((mut row, items, _)) = shared else { return Ok(()) };
        let kind = OutKind::Control(Capsule { items }.encode());
        if row.kind != kind {
            row.kind = kind;
            self.buf.put::<Outbox>(&outbox_key(&row.peer, row.number), &row)?;
        }
        Ok(())
    }

    /// What a mailbox has kept for its time is gone there: it is left again (MBX-61).
    pub(super) fn expire_deposits(&mut self) -> Step {
        let clock = self.deadline_clock();
        for (_, row) in self.buf.scan::<Outbox>(&Scan::all())? {
            let key = outbox_key(&row.peer, row.number);
            let Some(record) = self.buf.get::<OutDeposits>(&key)? else { continue };
            let mut left = record.places.clone();
            left.retain(|(_, at)| *at + limits::DEPOSIT_LIFE > clock);
            if left.len() < record.places.len() {
                self.buf.put::<OutDeposits>(&key, &OutDepositRow { places: left })?;
                let link = self.link(row.peer);
                link.posted.remove(&row.number);
                link.halves.remove(&row.number);
                self.touch(row.peer);
            }
        }
        Ok(())
    }
}

/// When all deposits are those of others, it is looked again after this time.
const WINDOW_PAUSE: Millis = Millis::from_secs(1);
/// Bytes of a capsule that several share: with seal and padding it has half of what a stranger may leave.
const MAX_SHARED_CAPSULE: usize = 6 * 1024;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
