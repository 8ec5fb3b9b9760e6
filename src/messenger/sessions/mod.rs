//! Sessions in rows: loaded as one set for each peer, written where they have changed; and what is known of them beside the
//! rows, which goes with the process.

mod beside;
mod strangers;

use crate::base::PeerId;
use crate::session::{Opened, SessionSet};
use crate::store::{Rows, Scan, StoreError};

use super::tables::{SendingChains, Sessions, peer_key, session_key};
use super::tx::{Step, Tx};

pub(super) use beside::Beside;

impl Tx<'_> {
    /// All sessions with a peer.
    pub(super) fn sessions(&self, peer: &PeerId) -> Step<SessionSet> {
        let mut set = load(&*self.buf, self.my_id(), peer)?;
        self.mem.sessions.tell(peer, &mut set);
        Ok(set)
    }

    /// Keeps what has changed of them.
    pub(super) fn put_sessions(&mut self, peer: &PeerId, set: &SessionSet) -> Step {
        for session in set.dropped() {
            self.buf.delete::<Sessions>(&session_key(peer, *session));
            self.forget_strangers(|row| row.peer == *peer && row.session == *session);
        }
        for row in set.changed() {
            self.buf.put::<Sessions>(&session_key(peer, row.id()), row)?;
        }
        if let Some(row) = set.sending_row().filter(|_| set.has_sealed()) {
            self.buf.put::<SendingChains>(&peer_key(peer), &row)?;
        }
        self.mem.sessions.note(*peer, set);
        Ok(())
    }

    /// Keeps the sessions of somebody who is no contact, one of which has opened something.
    pub(super) fn put_strangers_sessions(&mut self, peer: &PeerId, set: &SessionSet, opened: &Opened) -> Step {
        self.put_sessions(peer, set)?;
        // Nothing is answered soon, and contacts' turns need the room.
        self.mem.sessions.due.remove(peer);
        if opened.is_new_session {
            self.add_stranger(*peer, opened.session)?;
        }
        Ok(())
    }

    /// Makes one turn ahead, if one is worth it (SES-21). Whether there may be more.
    pub(super) fn turn_ahead(&mut self) -> Step<bool> {
        let Some(peer) = self.mem.sessions.due.pop_first() else { return Ok(false) };
        if let Some(ahead) = self.sessions(&peer)?.turn_ahead(&mut *self.rng) {
            self.mem.sessions.keep(peer, ahead);
        }
        Ok(true)
    }

    /// Loses them, all of them.
    #[cfg(test)]
    pub(super) fn drop_sessions(&mut self, peer: &PeerId) -> Step {
        self.buf.take::<Sessions>(&Scan::new(peer_key(peer)))?;
        self.buf.delete::<SendingChains>(&peer_key(peer));
        self.forget_strangers(|row| row.peer == *peer);
        self.mem.sessions.forget(peer);
        Ok(())
    }

    /// Sessions that nobody uses forget their old keys here; those in use do so themselves (SES-34, SES-54).
    pub(super) fn prune_sessions(&mut self, peer: &PeerId) -> Step {
        let mut set = self.sessions(peer)?;
        if set.prune(self.aging()) {
            self.put_sessions(peer, &set)?;
        }
        Ok(())
    }
}

/// All sessions of two, as the rows say.
pub(super) fn load(rows: &impl Rows, me: PeerId, peer: &PeerId) -> Result<SessionSet, StoreError> {
    let sending = rows.get::<SendingChains>(&peer_key(peer))?;
    let sessions = rows.scan::<Sessions>(&Scan::new(peer_key(peer)))?;
    Ok(SessionSet::load(me, *peer, sessions.into_iter().map(|(_, row)| row).collect(), sending.as_ref()))
}

#[cfg(test)]
mod tests;
