//! Delivery: from the outbox to the peer's node. Everything here may happen twice; the recipient
//! keeps one (protocol, "Delivery").
//!
//! One file, because it is one life: a row of the outbox is sent, answered, sent again or given up, and each step
//! has to leave the link, the row and the message as the others expect them.

use std::sync::Arc;

use serde_bytes::ByteBuf;

use crate::base::{Millis, MonoTime, PeerId, RoomId, limits};
use crate::content::{Capsule, Introduction, Item};
use crate::envelope::{self, EnvelopeKind};
use crate::session::{SealedKind, SessionSet};
use crate::store::{KeyId, Rows, Scan, StoreError};

use super::io::{Order, RefuseReason};
use super::query;
use super::tables::{
    Messages, OutControls, OutDepositRow, OutDeposits, OutKind, OutMessages, OutRow, Outbox, PeerRow, ProfileRow,
    message_key, outbox_key, peer_key,
};
use super::told::{addresses_item, introduction};
use super::tx::{Step, Stop, Tx};
use super::view::State;

impl Tx<'_> {
    /// Does what can be done now for one peer: connect, ask for the card, send.
    pub(super) fn pump(&mut self, id: PeerId) -> Step {
        let now = self.now.mono;
        let Some(peer) = self.peer(&id)?.filter(|p| !p.blocked && p.contact.is_some()) else {
            return Ok(());
        };
        let heal = self.heals_now(&peer);
        let link = self.link(id);
        if !link.connected && (heal || !link.pending.is_empty()) {
            link.away_since.get_or_insert(now);
        }
        if (link.pending.is_empty() && link.awaiting == 0 && !heal) || link.retry_at.is_some_and(|at| at > now) {
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
        if link.bundle.is_some() || (link.pending.is_empty() && !heal) {
            return Ok(());
        }
        let set = self.sessions(&id)?;
        let (rebuild, stale) = (self.link(id).rebuild, self.is_stale(&set));
        if rebuild || heal || stale || !set.can_send() {
            let ticket = self.mem.next_ticket;
            self.mem.next_ticket += 1;
            let link = self.link(id);
            link.bundle = Some(ticket);
            link.rebuild = rebuild || stale;
            self.push(Order::FetchBundle { peer: id, ticket, want_prekey: true });
            return Ok(());
        }
        self.send_pending(peer, set)
    }

    /// Whether a healing handshake is to be made now.
    pub(super) fn heals_now(&self, peer: &PeerRow) -> bool {
        let clock = self.deadline_clock();
        peer.heal_due && peer.healed_at.is_none_or(|at| at + limits::HEALING_INTERVAL <= clock)
    }

    /// Whether a first contact has waited too long for an answer.
    pub(super) fn is_stale(&self, set: &SessionSet) -> bool {
        let clock = self.deadline_clock();
        set.unanswered_since().is_some_and(|at| at + limits::FIRST_CONTACT_REBUILD <= clock)
    }

    /// Sends rows in order, as many as the window takes.
    fn send_pending(&mut self, mut peer: PeerRow, mut set: SessionSet) -> Step {
        let profile = self.profile()?;
        let id = peer.peer;
        let numbers: Vec<u64> = self.link(id).pending.iter().copied().take(limits::MAX_IN_FLIGHT).collect();
        let mut encrypted = false;
        for number in numbers {
            let link = self.link(id);
            if link.in_flight.len() >= limits::MAX_IN_FLIGHT || link.in_flight_bytes() >= limits::MAX_IN_FLIGHT_BYTES {
                break;
            }
            let Some(row) = self.buf.get::<Outbox>(&outbox_key(&id, number))? else {
                self.link(id).pending.remove(&number);
                continue;
            };
            let stored = match row.encrypted {
                true => self.envelope_of(&row)?,
                false => None,
            };
            let bytes = match stored {
                Some(bytes) => bytes,
                None if self.must_wait(&peer, &row) => break,
                None => {
                    encrypted = true;
                    match self.encrypt(&mut peer, &mut set, &profile, row, false)? {
                        Some(bytes) => bytes,
                        None => continue,
                    }
                }
            };
            let ticket = self.mem.next_ticket;
            self.mem.next_ticket += 1;
            let link = self.link(id);
            link.pending.remove(&number);
            link.in_flight.insert(ticket, (number, bytes.len()));
            self.push(Order::Send { peer: id, ticket, bytes: Arc::from(bytes) });
        }
        if encrypted {
            self.put_sessions(&id, &set)?;
            self.put_peer(&peer)?;
        }
        Ok(())
    }

    /// A fourth message to somebody who has not accepted stays queued here.
    pub(super) fn must_wait(&self, peer: &PeerRow, row: &OutRow) -> bool {
        let full = peer.unaccepted_sent as usize >= limits::MAX_UNACCEPTED_SENT;
        !peer.accepted && full && !row.counted && matches!(row.kind, OutKind::Message(_))
    }

    /// Encrypts a row; the envelope is stored beside it until the recipient's node has it. `None`
    /// when there is nothing to send any more. What is to be left at a mailbox does not tell where we are to somebody
    /// who has not accepted us.
    pub(super) fn encrypt(
        &mut self,
        peer: &mut PeerRow,
        set: &mut SessionSet,
        profile: &ProfileRow,
        mut row: OutRow,
        for_mailbox: bool,
    ) -> Step<Option<Vec<u8>>> {
        let key = outbox_key(&peer.peer, row.number);
        let Some((plain, under)) = self.capsule(peer, profile, &row, for_mailbox)? else {
            self.link(peer.peer).pending.remove(&row.number);
            self.buf.delete::<Outbox>(&key);
            return Ok(None);
        };
        let clock = self.deadline_clock();
        let sealed = set
            .encrypt(&plain, &mut *self.rng, clock)
            .map_err(|e| Stop::Fault(StoreError::damaged(format!("a session cannot encrypt: {e}"))))?;
        let kind = match sealed.kind {
            SealedKind::First => EnvelopeKind::FirstContact,
            SealedKind::Session => EnvelopeKind::Session,
        };
        let bytes = envelope::encode(kind, &sealed.payload)
            .map(ByteBuf::from)
            .map_err(|e| Stop::Fault(StoreError::damaged(format!("an envelope is too large: {e}"))))?;
        if !peer.accepted && !row.counted && matches!(row.kind, OutKind::Message(_)) {
            row.counted = true;
            peer.unaccepted_sent += 1;
        }
        row.encrypted = true;
        self.put_envelope(&row, under, &bytes)?;
        self.buf.put::<Outbox>(&key, &row)?;
        if for_mailbox {
            self.buf.put::<OutDeposits>(&key, &OutDepositRow::default())?;
        } else {
            self.buf.delete::<OutDeposits>(&key);
        }
        Ok(Some(bytes.into_vec()))
    }

    /// The envelope of a row that was encrypted before.
    pub(super) fn envelope_of(&self, row: &OutRow) -> Step<Option<Vec<u8>>> {
        let key = outbox_key(&row.peer, row.number);
        Ok(match row.kind {
            OutKind::Message(_) => self.buf.get::<OutMessages>(&key)?,
            OutKind::Control(_) => self.buf.get::<OutControls>(&key)?,
        }
        .map(ByteBuf::into_vec))
    }

    /// Keeps it; that of a message `under` its key, with which it is forgotten.
    fn put_envelope(&mut self, row: &OutRow, under: Option<KeyId>, bytes: &ByteBuf) -> Step {
        let key = outbox_key(&row.peer, row.number);
        match under {
            Some(under) => self.buf.put_under::<OutMessages>(&key, under, bytes)?,
            None => self.buf.put::<OutControls>(&key, bytes)?,
        }
        Ok(())
    }

    pub(super) fn drop_envelope(&mut self, row: &OutRow) {
        let key = outbox_key(&row.peer, row.number);
        self.buf.delete::<OutDeposits>(&key);
        match row.kind {
            OutKind::Message(_) => self.buf.delete::<OutMessages>(&key),
            OutKind::Control(_) => self.buf.delete::<OutControls>(&key),
        }
    }

    /// What a row says, as a capsule, and the key of the message in it.
    fn capsule(
        &mut self,
        peer: &mut PeerRow,
        profile: &ProfileRow,
        row: &OutRow,
        for_mailbox: bool,
    ) -> Step<Option<(Vec<u8>, Option<KeyId>)>> {
        let position = match &row.kind {
            OutKind::Control(bytes) => return Ok(Some((bytes.clone(), None))),
            OutKind::Message(position) => *position,
        };
        let room = RoomId::direct(peer.peer);
        let Some(message) = self.message(&room, position)? else { return Ok(None) };
        let under = match message.vanishes {
            Some(vanishes) => Some(self.key_of_hour(vanishes)?),
            None => self.buf.key_of::<Messages>(&message_key(&room, position))?,
        };
        let mut items = Vec::new();
        if peer.accepted {
            let digest = self.profile_digest(profile);
            if peer.profile_sent != digest {
                peer.profile_sent = digest;
                items.extend(self.profile_items(&peer.peer, profile)?);
            }
            if message.subject.is_some() {
                let subject = message.subject.clone();
                items.push(Item::Introduction(Introduction { subject, ..Introduction::default() }));
            }
        } else {
            items.push(introduction(profile, peer, message.subject.clone()));
            if !for_mailbox {
                items.extend(addresses_item(profile));
            }
            items.extend(self.card_item(profile));
        }
        let body = message.body.whole(&self.names(peer.peer).ours);
        items.push(Item::Message { sent_at: message.sent_at, body });
        Ok(Some((Capsule { items }.encode(), under)))
    }

    /// The recipient's node has stored it.
    pub(super) fn acked(&mut self, peer: PeerId, ticket: u64) -> Step {
        let link = self.link(peer);
        link.attempts = 0;
        let Some((number, _)) = link.in_flight.remove(&ticket) else { return Ok(()) };
        let key = outbox_key(&peer, number);
        self.touch(peer);
        let Some(mut row) = self.buf.get::<Outbox>(&key)? else { return Ok(()) };
        let is_news = !row.sent && !query::is_left(&*self.buf, &row)?;
        self.drop_envelope(&row);
        let OutKind::Message(position) = row.kind else {
            self.buf.delete::<Outbox>(&key);
            let link = self.link(peer);
            link.controls = link.controls.saturating_sub(1);
            return Ok(());
        };
        row.sent = true;
        row.encrypted = false;
        self.buf.put::<Outbox>(&key, &row)?;
        let link = self.link(peer);
        link.posted.remove(&number);
        link.halves.remove(&number);
        link.awaiting += 1;
        if is_news { self.advance(RoomId::direct(peer), position, peer, State::Sent) } else { Ok(()) }
    }

    /// It is not known whether the peer has it: it goes again when there is a way.
    pub(super) fn lost(&mut self, peer: PeerId, ticket: u64) -> Step {
        let link = self.link(peer);
        if let Some((number, _)) = link.in_flight.remove(&ticket) {
            link.pending.insert(number);
        }
        self.touch(peer);
        Ok(())
    }

    /// The peer refused it.
    pub(super) fn refused(&mut self, peer: PeerId, ticket: u64, reason: RefuseReason) -> Step {
        let link = self.link(peer);
        let Some((number, _)) = link.in_flight.remove(&ticket) else { return Ok(()) };
        link.pending.insert(number);
        self.touch(peer);
        match reason {
            RefuseReason::TooMany | RefuseReason::Unavailable => self.back_off(peer),
            // Nothing goes again because of what is only asked (CON-32).
            RefuseReason::PrekeyUnknown | RefuseReason::SessionUnknown if self.asks_only(peer, number)? => {
                self.give_up(peer, number)
            }
            // The session is no good for the other side: all that it encrypted goes again in a new one.
            RefuseReason::PrekeyUnknown | RefuseReason::SessionUnknown => {
                self.link(peer).rebuild = true;
                self.requeue(peer)
            }
            // Nothing that goes again would fare better.
            RefuseReason::Unsupported | RefuseReason::Malformed => self.give_up(peer, number),
        }
    }

    fn asks_only(&self, peer: PeerId, number: u64) -> Step<bool> {
        Ok(self.buf.get::<Outbox>(&outbox_key(&peer, number))?.is_some_and(|row| row.is_inquiry()))
    }

    /// Gives up a row: an own message is told as undelivered.
    pub(super) fn give_up(&mut self, peer: PeerId, number: u64) -> Step {
        let key = outbox_key(&peer, number);
        let Some(row) = self.buf.get::<Outbox>(&key)? else { return Ok(()) };
        self.forget_row(&row)?;
        if let OutKind::Message(position) = row.kind {
            self.settled(RoomId::direct(peer), position, peer, State::Undelivered)?;
        }
        Ok(())
    }

    /// Takes a row out of the outbox.
    pub(super) fn forget_row(&mut self, row: &OutRow) -> Step {
        let key = outbox_key(&row.peer, row.number);
        self.buf.delete::<Outbox>(&key);
        if row.encrypted {
            self.drop_envelope(row);
        }
        let link = self.link(row.peer);
        link.pending.remove(&row.number);
        link.posted.remove(&row.number);
        link.halves.remove(&row.number);
        link.in_flight.retain(|_, (number, _)| *number != row.number);
        if matches!(row.kind, OutKind::Control(_)) {
            link.controls = link.controls.saturating_sub(1);
        }
        if row.sent {
            link.awaiting = link.awaiting.saturating_sub(1);
        }
        Ok(())
    }

    /// Everything that is not delivered goes again, encrypted anew, under the same message IDs.
    pub(super) fn requeue(&mut self, peer: PeerId) -> Step {
        for (_, mut row) in self.buf.scan::<Outbox>(&Scan::new(peer_key(&peer)))? {
            let key = outbox_key(&peer, row.number);
            if row.encrypted {
                self.drop_envelope(&row);
            }
            if row.encrypted || row.sent {
                row.encrypted = false;
                row.sent = false;
                self.buf.put::<Outbox>(&key, &row)?;
            }
            self.link(peer).pending.insert(row.number);
        }
        let link = self.link(peer);
        link.in_flight.clear();
        link.posted.clear();
        link.halves.clear();
        link.awaiting = 0;
        self.mem.mail.forget_deposits(&peer);
        self.touch(peer);
        Ok(())
    }

    /// Puts the next try off: doubling, with jitter, up to an hour.
    pub(super) fn back_off(&mut self, peer: PeerId) -> Step {
        let random = self.rng.next_u64();
        let now = self.now.mono;
        let link = self.link(peer);
        // A window full of refusals is one failure.
        if link.retry_at.is_some_and(|at| at > now) {
            return Ok(());
        }
        let span = pause(limits::RETRY_FIRST, limits::RETRY_MAX, link.attempts, random);
        link.retry_at = Some(now + span);
        link.attempts = link.attempts.saturating_add(1);
        if link.pending.is_empty() && link.awaiting == 0 {
            return Ok(());
        }
        let next_try = Some(self.deadline_clock() + span);
        self.change_reach(peer, |reach| reach.next_try = next_try)
    }
}

/// `min(first · 2^attempts, max)`, and up to a quarter less or more.
pub(super) fn pause(first: Millis, max: Millis, attempts: u32, random: u64) -> Millis {
    let doubled = first.0.saturating_mul(1 << attempts.min(20));
    jittered(Millis(doubled.min(max.0)), random)
}

/// Up to a quarter less or more.
pub(super) const fn jittered(span: Millis, random: u64) -> Millis {
    Millis(span.0 - span.0 / 4 + random % (span.0 / 2 + 1))
}

/// The earliest of two times, either of which may be missing.
pub(super) fn earliest(a: Option<MonoTime>, b: Option<MonoTime>) -> Option<MonoTime> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
