//! Delivery: from the outbox to the peer's node. Everything here may happen twice; the recipient keeps one (protocol,
//! "Delivery").
//!
//! What becomes of an envelope is decided in `outgoing`; this file has it happen: to the index, to the row, to the message, and to
//! the way to the peer.

use std::sync::Arc;

use crate::base::{Millis, PeerId, WallTime, limits};
use crate::content::{Capsule, Item};
use crate::session::SessionSet;
use crate::store::Rows;

use super::io::Order;
use super::outgoing::{Effect, Happening, Letter, What, next, step};
use super::pace::pause;
use super::seal::Ready;
use super::tables::{OutKind, OutRow, Outbox, PeerRow, Way, outbox_key};
use super::tx::{Step, Stop, Tx};

impl Tx<'_> {
    /// Appends to the outbox of a peer.
    pub(super) fn queue(&mut self, peer: PeerId, kind: OutKind) -> Step<u64> {
        let mut number = self.mem.out.next_number(&peer);
        // Where a row stands that does not open, another would hide that it is lost.
        while self.mem.out.is_some_lost && self.buf.contains::<Outbox>(&outbox_key(&peer, number))? {
            number += 1;
        }
        let row = OutRow { peer, number, kind, queued_at: self.deadline_clock(), anew: 0, way: Way::default() };
        self.buf.put::<Outbox>(&outbox_key(&peer, number), &row)?;
        self.mem.set_letter(peer, number, Some(Letter::of(&row, 0)));
        self.touch(peer);
        Ok(number)
    }

    /// Queues a capsule that is no message.
    pub(super) fn queue_items(&mut self, peer: PeerId, items: Vec<Item>) -> Step {
        self.queue(peer, OutKind::Control(Capsule { items }.encode()))?;
        Ok(())
    }

    /// Something happens to what waits: to the index, then to its row, and to what else follows.
    pub(super) fn happen(&mut self, peer: PeerId, number: u64, event: Happening) -> Step {
        let Some(letter) = self.mem.out.of(&peer).letters.get(&number).cloned() else { return Ok(()) };
        let what = letter.what;
        let (letter, orders) = step(letter, event, self.deadline_clock());
        self.mem.set_letter(peer, number, letter);
        for order in orders {
            self.carry_out(peer, number, what, order)?;
        }
        Ok(())
    }

    fn carry_out(&mut self, peer: PeerId, number: u64, what: What, order: Effect) -> Step {
        match (order, what) {
            (Effect::Write, _) => self.write_row(peer, number)?,
            (Effect::Delete, _) => self.buf.delete::<Outbox>(&outbox_key(&peer, number)),
            (Effect::Tell(state), What::Message(position)) => self.advance(peer, position, state)?,
            (Effect::Tell(_), What::Control { .. }) => {}
            (Effect::Told(digest), _) => {
                let Some(mut row) = self.peer(&peer)? else { return Ok(()) };
                row.profile_sent = digest;
                self.put_peer(&row)?;
            }
            (Effect::BackOff, _) => self.hold_back(peer)?,
            (Effect::BeginAnew, _) => {
                let (now, random) = (self.now.mono, self.rng.next_u64());
                let link = self.link(peer);
                link.pace.session_refused(now, random);
                link.rebuild = true;
                self.begin_anew(peer)?;
            }
            (Effect::Taken(sealed), _) => self.mem.sessions.take(peer, sealed.session, sealed.number),
        }
        Ok(())
    }

    /// A message need not be delivered any more.
    pub(super) fn unqueue(&mut self, peer: PeerId, number: u64, position: u64) -> Step {
        let letter = self.mem.out.of(&peer).letters.get(&number);
        if letter.is_some_and(|letter| letter.what == What::Message(position)) {
            self.happen(peer, number, Happening::Settled)?;
        }
        Ok(())
    }

    /// The row of what waits, as it is now.
    pub(super) fn write_row(&mut self, peer: PeerId, number: u64) -> Step {
        let key = outbox_key(&peer, number);
        let Some(letter) = self.mem.out.of(&peer).letters.get(&number) else { return Ok(()) };
        let (queued_at, way) = (letter.queued_at, letter.way.clone());
        let kind = match letter.what {
            What::Message(position) => OutKind::Message(position),
            What::Control { .. } => match self.buf.get::<Outbox>(&key)? {
                Some(row) => row.kind,
                None => return Ok(()),
            },
        };
        let anew = self.reach(&peer)?.anew;
        Ok(self.buf.put::<Outbox>(&key, &OutRow { peer, number, kind, queued_at, anew, way })?)
    }

    /// The same thing happens to all that waits for a peer.
    pub(super) fn happen_to_all(&mut self, peer: PeerId, event: &Happening) -> Step {
        let numbers: Vec<u64> = self.mem.out.of(&peer).letters.keys().copied().collect();
        numbers.into_iter().try_for_each(|number| self.happen(peer, number, event.clone()))
    }

    /// Everything that is not delivered goes again, sealed anew, under the same message IDs. That is one row: what goes again is
    /// found out when it goes.
    pub(super) fn begin_anew(&mut self, peer: PeerId) -> Step {
        self.touch(peer);
        if self.mem.begin_anew(peer) {
            self.change_reach(peer, |reach| reach.anew += 1)?;
        }
        Ok(())
    }

    /// A row that is needed does not open: what waits is set aside, and the rest goes on. Anything else is a failure of all.
    pub(super) fn set_aside(&mut self, peer: PeerId, number: u64, stop: Stop) -> Step {
        match stop {
            Stop::Fault(error) => {
                tracing::error!(%peer, %error, "something that waits to be sent cannot be read");
                self.happen(peer, number, Happening::Unreadable)
            }
            refused @ Stop::Refused(_) => Err(refused),
        }
    }

    /// Does what can be done now for one peer: connect, ask for the card, send.
    pub(super) fn pump(&mut self, id: PeerId) -> Step {
        let now = self.now.mono;
        self.send_again(id)?;
        self.send_passed_over(id)?;
        let Some(peer) = self.peer(&id)?.filter(PeerRow::is_contact) else {
            return Ok(());
        };
        let heal = self.heals_now(&peer);
        let waiting = self.mem.out.of(&id);
        let (waits, awaited) = (waiting.idle(0..).next().is_some(), waiting.totals.sent > 0);
        let link = self.link(id);
        if !link.connected && (heal || waits) {
            link.away_since.get_or_insert(now);
        }
        if !(waits || awaited || heal) || link.retry_at.is_some_and(|at| at > now) || link.pace.is_paused(now) {
            return Ok(());
        }
        if !link.connected {
            if !link.dialling {
                link.dialling = true;
                let addrs = self.ways_to(&peer)?;
                self.push(Order::Connect { peer: id, addrs });
            }
            return Ok(());
        }
        if link.bundle.is_some() {
            return Ok(());
        }
        let rebuild = link.rebuild;
        // Of whoever has accepted us the card is not read for it.
        let looks = !peer.accepted && self.looks_for_way_in(&peer, self.pinned(&id)?.as_ref());
        if !(waits || heal || looks) {
            return Ok(());
        }
        let set = self.sessions(&id)?;
        let stale = self.is_stale(&peer, &set);
        let begins = rebuild || heal || stale || !set.can_send() || self.is_stuck(&id, &set);
        if begins || looks {
            if !peer.accepted {
                self.note_look(id);
            }
            let ticket = self.ticket();
            let link = self.link(id);
            (link.bundle, link.rebuild) = (Some(ticket), rebuild || stale);
            self.push(Order::FetchBundle { peer: id, ticket, want_prekey: begins });
            return Ok(());
        }
        self.send_waiting(peer, set)
    }

    /// Whether nothing more is sealed in the chain that sends, and nothing is to be expected of what was (SES-66).
    fn is_stuck(&self, peer: &PeerId, set: &SessionSet) -> bool {
        set.is_stretched() && self.mem.out.of(peer).letters.values().all(|letter| letter.sealed.is_none())
    }

    /// A number for a question to the network.
    pub(super) fn ticket(&mut self) -> u64 {
        self.mem.next_ticket += 1;
        self.mem.next_ticket - 1
    }

    /// Whether a first contact has waited too long for an answer. One that heals is made again by another rule (SES-68).
    pub(super) fn is_stale(&self, peer: &PeerRow, set: &SessionSet) -> bool {
        let clock = self.deadline_clock();
        let since = set.unanswered_since().filter(|_| !peer.healing);
        since.is_some_and(|at| at + limits::FIRST_CONTACT_REBUILD <= clock)
    }

    /// Sends what waits, in order, as much as the window takes.
    fn send_waiting(&mut self, peer: PeerRow, set: SessionSet) -> Step {
        let id = peer.peer;
        self.share_envelopes(id)?;
        let mut work = self.begin_sealing(peer, set)?;
        let mut from = 0;
        while let Some(number) = next::on_stream(self.mem.out.of(&id), &work.gate(), from) {
            from = number + 1;
            match self.ready(&mut work, number, false)? {
                Ready::Envelope(sealed) => {
                    let ticket = self.ticket();
                    self.push(Order::Send { peer: id, ticket, bytes: Arc::clone(&sealed.bytes) });
                    self.mem.set_frame(id, ticket, Some((number, sealed.bytes.len())));
                    self.happen(id, number, Happening::Sent(ticket))?;
                }
                Ready::Gone => {}
                Ready::Wait => break,
            }
        }
        self.end_sealing(&work)
    }

    /// What is no message and was not sealed yet goes together.
    pub(super) fn share_envelopes(&mut self, peer: PeerId) -> Step {
        for group in next::shared(self.mem.out.of(&peer)) {
            let Some(first) = group.first().copied() else { continue };
            if let Err(stop) = self.attempt(|tx| tx.share_envelope(peer, &group)) {
                self.set_aside(peer, first, stop)?;
            }
        }
        Ok(())
    }

    fn share_envelope(&mut self, peer: PeerId, group: &[u64]) -> Step {
        let mut into: Option<(OutRow, Vec<Item>)> = None;
        for number in group {
            let Some(row) = self.buf.get::<Outbox>(&outbox_key(&peer, *number))? else { continue };
            let OutKind::Control(bytes) = &row.kind else { continue };
            let Ok(capsule) = Capsule::decode(bytes) else { continue };
            match &mut into {
                None => into = Some((row, capsule.items)),
                Some((_, items)) => {
                    items.extend(capsule.items);
                    self.happen(peer, *number, Happening::Settled)?;
                }
            }
        }
        let Some((mut row, items)) = into else { return Ok(()) };
        row.kind = OutKind::Control(Capsule { items }.encode());
        // It is nowhere, or it would not be shared.
        row.way = row.clone().way_now(u64::MAX);
        row.anew = 0;
        self.mem.set_letter(peer, row.number, Some(Letter::of(&row, 0)));
        Ok(self.buf.put::<Outbox>(&outbox_key(&peer, row.number), &row)?)
    }

    /// The recipient's node has stored it.
    pub(super) fn acked(&mut self, peer: PeerId, ticket: u64) -> Step {
        self.came_back(peer, ticket, Happening::Acked(ticket))?;
        let waiting = self.mem.out.of(&peer);
        let all = waiting.frames.is_empty() && waiting.idle(0..).next().is_none();
        let link = self.link(peer);
        link.attempts = 0;
        link.pace.acknowledged(all);
        Ok(())
    }

    /// What is on the stream has no outcome that counts any more.
    pub(super) fn leave_stream(&mut self, peer: PeerId) -> Step {
        for (ticket, (number, _)) in self.mem.out.of(&peer).frames.clone() {
            self.mem.set_frame(peer, ticket, None);
            self.happen(peer, number, Happening::Disconnected)?;
        }
        Ok(())
    }

    /// What the network had has this outcome.
    pub(super) fn came_back(&mut self, peer: PeerId, ticket: u64, event: Happening) -> Step {
        self.touch(peer);
        let Some((number, _)) = self.mem.out.of(&peer).frames.get(&ticket).copied() else { return Ok(()) };
        self.mem.set_frame(peer, ticket, None);
        self.happen(peer, number, event)
    }

    /// Puts off what is sent to a peer who is there.
    pub(super) fn hold_back(&mut self, peer: PeerId) -> Step {
        let (now, random) = (self.now.mono, self.rng.next_u64());
        let link = self.link(peer);
        if !link.pace.failed(now, random) {
            return Ok(());
        }
        self.note_next_try(peer)
    }

    /// Puts the next dial off: doubling, with jitter, up to an hour.
    pub(super) fn back_off(&mut self, peer: PeerId) -> Step {
        let random = self.rng.next_u64();
        let now = self.now.mono;
        let link = self.link(peer);
        if link.retry_at.is_some_and(|at| at > now) {
            return Ok(());
        }
        let span = pause(limits::RETRY_FIRST, limits::RETRY_MAX, link.attempts, random);
        link.retry_at = Some(now + span);
        link.attempts = link.attempts.saturating_add(1);
        self.note_next_try(peer)
    }

    /// For the user: when something that waits is tried again, behind every pause. It is written down now and then.
    pub(super) fn note_next_try(&mut self, peer: PeerId) -> Step {
        if self.mem.out.of(&peer).letters.is_empty() {
            return Ok(());
        }
        let (now, clock) = (self.now.mono, self.deadline_clock());
        let link = self.link(peer);
        let until = link.retry_at.max(link.pace.until()).filter(|at| *at > now && link.presence.may_note(now));
        let Some(until) = until else { return Ok(()) };
        let next_try = clock + until.since(now);
        // The clocks are drawn to each other, by little.
        let is_known = |at: WallTime| at.since(next_try).max(next_try.since(at)) < Millis::from_secs(1);
        if self.reach(&peer)?.next_try.is_some_and(is_known) {
            return Ok(());
        }
        self.link(peer).presence.noted(now);
        self.change_reach(peer, |reach| reach.next_try = Some(next_try))
    }
}

#[cfg(test)]
mod tests;
