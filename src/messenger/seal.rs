//! Sealing: what a row of the outbox says becomes an envelope, which is kept in memory until it is taken.

use std::sync::Arc;

use crate::base::{PeerId, RoomId};
use crate::content::{Capsule, Introduction, Item};
use crate::envelope::{self, EnvelopeKind};
use crate::session::{SealedKind, SessionSet};
use crate::store::{Rows, StoreError};

use super::outgoing::{Gate, Happening, Letter, Sealed, What, next};
use super::query;
use super::tables::{OutKind, Outbox, PeerRow, ProfileRow, outbox_key};
use super::told::{addresses_item, introduction, token};
use super::tx::{Step, Tx};

/// The work on what waits for one peer.
pub(super) struct Sealing {
    pub peer: PeerRow,
    set: SessionSet,
    profile: ProfileRow,
    /// So many messages may be on the stream.
    narrow: Option<usize>,
    /// Whether something was sealed.
    sealed: bool,
    /// Whether the peer's row has changed.
    changed: bool,
}

/// What came of asking for an envelope.
pub(super) enum Ready {
    Envelope(Arc<Sealed>),
    /// There is nothing to send, or it cannot be read.
    Gone,
    /// Others have to be taken first.
    Wait,
}

impl Sealing {
    /// What decides beside the envelopes.
    pub(super) fn gate(&self) -> Gate {
        Gate {
            accepted: self.peer.accepted,
            unaccepted_sent: self.peer.unaccepted_sent.len(),
            is_shut: self.set.is_stretched(),
            narrow: self.narrow,
        }
    }
}

impl Tx<'_> {
    /// Begins the work on what waits for a peer.
    pub(super) fn begin_sealing(&self, peer: PeerRow, set: SessionSet) -> Step<Sealing> {
        let narrow = self.mem.links.get(&peer.peer).and_then(|link| link.pace.narrow());
        Ok(Sealing { peer, set, profile: self.profile()?, narrow, sealed: false, changed: false })
    }

    /// Writes what it has changed.
    pub(super) fn end_sealing(&mut self, work: &Sealing) -> Step {
        if work.sealed {
            self.put_sessions(&work.peer.peer, &work.set)?;
        }
        if work.changed {
            self.put_peer(&work.peer)?;
        }
        Ok(())
    }

    /// The envelope of what waits, sealed if it is not. What is to be left at a mailbox does not tell where we are to
    /// somebody who has not accepted us.
    pub(super) fn ready(&mut self, work: &mut Sealing, number: u64, for_mailbox: bool) -> Step<Ready> {
        let id = work.peer.peer;
        let Some(letter) = self.mem.out.of(&id).letters.get(&number).cloned() else { return Ok(Ready::Gone) };
        if self.is_over(id, &letter)? {
            return Ok(Ready::Gone);
        }
        let fits = !for_mailbox || next::fits_mailbox(&letter, &work.gate());
        if let Some(sealed) = letter.sealed.as_ref().filter(|_| fits) {
            return Ok(Ready::Envelope(Arc::clone(sealed)));
        }
        if !self.make_room_for(id)? {
            return Ok(Ready::Wait);
        }
        match self.attempt(|tx| tx.seal(work, number, &letter, for_mailbox)) {
            Ok(Some(sealed)) => {
                let counts = !work.peer.accepted && !letter.way.counted && letter.is_message();
                work.peer.unaccepted_sent.extend(counts.then(|| self.deadline_clock()));
                (work.sealed, work.changed) = (true, work.changed || counts);
                self.happen(id, number, Happening::Sealed(Arc::clone(&sealed), counts))?;
                Ok(Ready::Envelope(sealed))
            }
            Ok(None) => self.happen(id, number, Happening::Settled).map(|()| Ready::Gone),
            Err(stop) => self.set_aside(id, number, stop).map(|()| Ready::Gone),
        }
    }

    /// Whether its time is over as far as the wall clock says: it waits until that is confirmed, or was not so.
    fn is_over(&self, peer: PeerId, letter: &Letter) -> Step<bool> {
        let (Some(_), What::Message(position)) = (&self.mem.held, letter.what) else { return Ok(false) };
        let message = self.message(&RoomId::direct(peer), position)?;
        let clock = &self.mem.clock.row;
        Ok(match message {
            Some(message) => query::is_hidden(&*self.buf, clock, &message.id, message.vanishes)?,
            None => false,
        })
    }

    /// Makes room for another envelope of a peer; says whether there is some.
    fn make_room_for(&mut self, peer: PeerId) -> Step<bool> {
        if !self.mem.out.has_room(&peer) {
            for (other, number) in self.mem.out.squeezable(&peer) {
                self.happen(other, number, Happening::Squeezed)?;
            }
        }
        Ok(self.mem.out.has_room(&peer))
    }

    /// `None` when there is nothing to send any more.
    fn seal(
        &mut self,
        work: &mut Sealing,
        number: u64,
        letter: &Letter,
        for_mailbox: bool,
    ) -> Step<Option<Arc<Sealed>>> {
        let Some((plain, tells)) = self.capsule(work, number, letter, for_mailbox)? else { return Ok(None) };
        let aging = self.aging();
        let sealed = work.set.encrypt(&plain, &mut *self.rng, aging);
        let sealed = sealed.map_err(|error| StoreError::damaged(format!("a session cannot encrypt: {error}")))?;
        let kind = match sealed.kind {
            SealedKind::First => EnvelopeKind::FirstContact,
            SealedKind::Session => EnvelopeKind::Session,
        };
        let bytes = envelope::encode(kind, &sealed.payload);
        let bytes = bytes.map_err(|error| StoreError::damaged(format!("an envelope is too large: {error}")))?.into();
        let (session, number) = (sealed.session, sealed.number);
        Ok(Some(Arc::new(Sealed { bytes, for_mailbox, session, number, tells })))
    }

    /// What a row says, as a capsule, and the digest of what it tells of ourselves.
    fn capsule(
        &mut self,
        work: &Sealing,
        number: u64,
        letter: &Letter,
        for_mailbox: bool,
    ) -> Step<Option<(Vec<u8>, Option<u64>)>> {
        let (peer, profile) = (&work.peer, &work.profile);
        let What::Message(position) = letter.what else {
            let row = self.buf.get::<Outbox>(&outbox_key(&peer.peer, number))?;
            return Ok(row.and_then(|row| match row.kind {
                OutKind::Control(bytes) => Some((bytes, None)),
                OutKind::Message(_) => None,
            }));
        };
        let Some(message) = self.message(&RoomId::direct(peer.peer), position)? else { return Ok(None) };
        let (mut items, mut tells) = (Vec::new(), None);
        if peer.accepted {
            let digest = self.profile_digest(profile);
            if peer.profile_sent != digest && !self.mem.out.of(&peer.peer).tells(digest) {
                tells = Some(digest);
                items.extend(self.profile_items(&peer.peer, profile)?);
            }
            // CON-24: he may have removed us since.
            let (subject, token) = (message.subject.clone(), token(peer));
            if subject.is_some() || token.is_some() {
                items.push(Item::Introduction(Introduction { name: None, subject, token }));
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
        Ok(Some((Capsule { items }.encode(), tells)))
    }
}
