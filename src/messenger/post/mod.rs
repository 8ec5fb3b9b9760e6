//! What waits for somebody who is away is left at his mailboxes (docs/protocol/mailbox.md, "The depositor").
//!
//! Everything follows from the outbox: which mailboxes have stored what stands in its rows. A row stays until the recipient himself
//! says that he has it, and goes to him directly when he is there.

mod answers;
mod seek;
mod work;

use std::sync::Arc;

use crate::base::{Millis, MonoTime, PeerId, limits};
use crate::envelope::mailbox::{Deposit, InvitationKey, Proof, Question, day_of};
use crate::envelope::seal::seal;
use crate::identity::{Card, IdentityKey, Mailbox};
use crate::session::SessionSet;

use super::mailing::{Shown, What};
use super::outgoing::next::{self, Leave, Place};
use super::outgoing::{Happening, Sealed};
use super::seal::{Ready, Sealing};
use super::tables::PeerRow;
use super::tx::{Step, Tx};

/// The work on the rows of one peer.
struct Posting<'a> {
    sealing: Sealing,
    card: &'a Card,
    /// His mailboxes that can be used at all…
    houses: Vec<&'a Mailbox>,
    /// …and now.
    places: Vec<Place>,
    /// Mailboxes that are to have each envelope.
    copies: usize,
    /// Deposits that may still be begun.
    window: usize,
}

impl Tx<'_> {
    /// Does what can be done now for one peer who is away: look for his card, leave at his mailboxes what waits.
    pub(super) fn post(&mut self, id: PeerId) -> Step {
        let now = self.now.mono;
        let link = self.link(id);
        let Some(since) = link.away_since.filter(|_| !link.connected) else { return Ok(()) };
        if self.mem.out.of(&id).idle(0..).next().is_none() && self.peer(&id)?.is_none_or(|peer| !self.heals_now(&peer))
        {
            let link = self.link(id);
            (link.away_since, link.seek, link.post_at) = (None, None, None);
            return Ok(());
        }
        let due = since + limits::DEPOSIT_AFTER;
        if due > now && !self.mem.asks.was_missed(&id, now) {
            self.link(id).post_at = Some(due);
            return Ok(());
        }
        let Some(peer) = self.peer(&id)?.filter(PeerRow::is_contact) else {
            return Ok(());
        };
        self.mem.asks.miss(id, now);
        let heal = self.heals_now(&peer);
        let set = self.sessions(&id)?;
        let stale = self.is_stale(&peer, &set);
        let card = self.pinned(&id)?;
        let is_left = self.is_all_left(&id, card.as_ref());
        let looks = self.looks_for_way_in(&peer, card.as_ref());
        if is_left && !heal && !stale && !looks {
            return Ok(());
        }
        let link = self.link(id);
        // NET-96, whichever way it would go.
        if let Some(until) = link.pace.no_session_until(now).filter(|_| link.rebuild) {
            link.look_again(now, Some(until));
            return Ok(());
        }
        // What is to be healed goes on as it is until there is a card: he may just be away.
        let must_begin = link.rebuild || !set.can_send();
        let begin = must_begin || heal;
        let clock = self.earliest();
        // Where nobody takes anything he has perhaps gone: a newer card may name others.
        let is_closed = |house: &Mailbox| self.closed_until(&id, &house.peer).is_some_and(|until| until > now);
        let is_poor = card.as_ref().is_none_or(|card| card.mailboxes.iter().all(is_closed) || card.expires <= clock);
        if looks {
            self.note_look(id);
        }
        if begin || stale || is_poor || looks || self.link(id).seek.is_some() {
            self.seek(id, begin || stale, card.as_ref())?;
        }
        match card {
            Some(card) if !must_begin => {
                // A session may have begun just now.
                let (peer, set) = (self.peer(&id)?.unwrap_or(peer), self.sessions(&id)?);
                self.post_rows(peer, set, &card)
            }
            _ => Ok(()),
        }
    }

    /// Whether all that waits is where it can be, so that nothing is to be done until time passes or somebody comes.
    fn is_all_left(&self, id: &PeerId, card: Option<&Card>) -> bool {
        let copies = self.copies(card);
        self.mem.out.of(id).idle(0..).all(|(_, letter)| letter.barred || letter.way.held.len() >= copies)
    }

    /// How many mailboxes are to have each envelope.
    fn copies(&self, card: Option<&Card>) -> usize {
        card.map_or(1, |card| self.houses(card).len().clamp(1, limits::DEPOSIT_COPIES))
    }

    /// The mailboxes of a card that can be used at all (ID-24).
    fn houses<'a>(&self, card: &'a Card) -> Vec<&'a Mailbox> {
        let sound = |house: &&Mailbox| house.peer != self.my_id() && IdentityKey::from_peer_id(house.peer).is_ok();
        card.mailboxes.iter().filter(sound).collect()
    }

    /// Leaves rows at mailboxes, in their order, as many as the windows take.
    fn post_rows(&mut self, peer: PeerRow, set: SessionSet, card: &Card) -> Step {
        let id = peer.peer;
        let houses = self.houses(card);
        if houses.is_empty() {
            return Ok(());
        }
        let now = self.now.mono;
        let closed = |house: &&Mailbox| self.closed_until(&id, &house.peer).filter(|until| *until > now);
        let place = |house: &&Mailbox| Place { mailbox: house.peer, is_open: closed(house).is_none() };
        let (places, next): (Vec<_>, _) = (houses.iter().map(place).collect(), houses.iter().filter_map(closed).min());
        self.link(id).look_again(now, next);
        if places.iter().all(|place| !place.is_open) {
            return Ok(());
        }
        let of_peer = self.mem.out.of(&id).totals.deposits;
        let window = limits::MAX_DEPOSITS.saturating_sub(self.mem.out.totals.deposits);
        let window = window.min(limits::MAX_DEPOSITS_PER_PEER.saturating_sub(of_peer));
        if window == 0 {
            if of_peer == 0 {
                // Nothing of his own will end and bring us back here.
                self.link(id).look_again(now, Some(now + WINDOW_PAUSE));
            }
            return Ok(());
        }
        self.share_envelopes(id)?;
        let copies = houses.len().min(limits::DEPOSIT_COPIES);
        let sealing = self.begin_sealing(peer, set)?;
        let mut work = Posting { sealing, card, houses, places, copies, window };
        let mut from = 0;
        while work.window > 0 {
            let next = self.mem.out.of(&id).idle(from..).next().map(|(number, _)| number);
            let Some(number) = next else { break };
            from = number + 1;
            if !self.post_row(&mut work, number)? {
                break;
            }
        }
        self.end_sealing(&work.sealing)
    }

    /// Says whether what is behind it may go.
    fn post_row(&mut self, work: &mut Posting<'_>, number: u64) -> Step<bool> {
        let id = work.sealing.peer.peer;
        let (now, clock) = (self.now.mono, self.deadline_clock());
        let Some(letter) = self.mem.out.of(&id).letters.get(&number) else { return Ok(true) };
        match next::at_mailboxes(letter, &work.sealing.gate(), &work.places, work.copies, clock) {
            Leave::At(mailboxes) => match self.ready(&mut work.sealing, number, true)? {
                Ready::Envelope(sealed) => {
                    for mailbox in mailboxes.into_iter().take(work.window) {
                        self.leave(work, number, mailbox, &sealed)?;
                    }
                }
                Ready::Gone => {}
                Ready::Wait => return Ok(false),
            },
            Leave::Wait(until) => self.link(id).look_again(now, Some(now + until.since(clock))),
            Leave::Drop => self.happen(id, number, Happening::Settled)?,
            Leave::Nothing => {}
            Leave::Stop => return Ok(false),
        }
        Ok(true)
    }

    /// Asks one mailbox to keep an envelope.
    fn leave(&mut self, work: &mut Posting<'_>, number: u64, mailbox: PeerId, envelope: &Sealed) -> Step {
        let id = work.sealing.peer.peer;
        let Some(house) = work.houses.iter().find(|house| house.peer == mailbox) else { return Ok(()) };
        let Some(letter) = self.mem.out.of(&id).letters.get(&number) else { return Ok(()) };
        let known = letter.deposit_at(&mailbox);
        let proof = known.and_then(|deposit| deposit.proof().cloned());
        let sealed = match known.map(|deposit| Arc::clone(&deposit.sealed)) {
            Some(sealed) => sealed,
            None => {
                let (card, me) = (work.card, self.my_id());
                match seal(&card.queue, card.seal_id, &card.seal, me, &envelope.bytes, &mut *self.rng) {
                    Ok(sealed) => Arc::from(sealed),
                    Err(error) => {
                        tracing::debug!(%id, %error, "an envelope cannot be sealed to this card");
                        return self.happen(id, number, Happening::Barred);
                    }
                }
            }
        };
        let is_void = self.link(id).places.get(&mailbox).is_some_and(|place| place.is_void);
        let token = if is_void { None } else { self.reach(&id)?.token };
        if token.is_none() && sealed.len() > limits::MAX_SLOT_DEPOSIT {
            // MBX-25: it waits for him, or for his token.
            return self.happen(id, number, Happening::Barred);
        }
        let shown = Shown { peer: id, number, token: token.is_some(), work: proof.is_some() };
        let proof = match (&work.sealing.peer.token, proof) {
            (_, Some(proof)) => proof,
            (Some(link), None) if token.is_none() => {
                let (day, hash) = (day_of(self.now.wall), crate::crypto::hash::sha256(&[&sealed]));
                Proof::invitation(&InvitationKey::of(link), &id, day, &hash)
            }
            _ => Proof::None,
        };
        let question = Question::Deposit(Deposit { recipient: id, token, proof, sealed: &sealed }).encode();
        let Ok(question) = question else { return self.happen(id, number, Happening::Barred) };
        work.window = work.window.saturating_sub(1);
        let ticket = self.ask(mailbox, house.addrs.clone(), true, What::Deposit(shown), question);
        self.happen(id, number, Happening::Asked { mailbox, sealed, ticket })
    }

    /// Until when a mailbox is of no use for this recipient.
    fn closed_until(&self, peer: &PeerId, mailbox: &PeerId) -> Option<MonoTime> {
        let house = self.mem.asks.houses.get(mailbox).map(|house| house.until);
        let place = self.mem.links.get(peer).and_then(|link| link.places.get(mailbox));
        house.max(place.map(|place| place.closed_until))
    }

    /// Gives up what has waited too long (NET-93). What a mailbox has kept for its time is gone there: it is left again (MBX-61).
    pub(super) fn age_outbox(&mut self) -> Step {
        let (clock, believed) = (self.deadline_clock(), self.believed(limits::UNDELIVERED_AFTER));
        let mut due = Vec::new();
        for (peer, waiting) in self.mem.out.peers() {
            for (number, letter) in waiting.letters.iter().filter(|(_, letter)| !letter.unreadable) {
                if letter.queued_at + limits::UNDELIVERED_AFTER <= believed {
                    due.push((*peer, *number, Happening::GivenUp));
                } else if letter.way.held.iter().any(|(_, at)| *at + limits::DEPOSIT_LIFE <= clock) {
                    due.push((*peer, *number, Happening::Aged));
                }
            }
        }
        for (peer, number, event) in due {
            self.touch(peer);
            if let Err(stop) = self.attempt(|tx| tx.happen(peer, number, event)) {
                self.set_aside(peer, number, stop)?;
            }
        }
        Ok(())
    }

    /// A new card, or a token: what no mailbox took may be taken now.
    pub(super) fn unbar(&mut self, peer: PeerId) -> Step {
        if self.mem.out.of(&peer).totals.barred == 0 {
            return Ok(());
        }
        self.touch(peer);
        self.happen_to_all(peer, &Happening::Unbarred)
    }
}

/// When all deposits are those of others, it is looked again after this time.
const WINDOW_PAUSE: Millis = Millis::from_secs(1);

#[cfg(test)]
mod tests;
