//! Sessions in rows: loaded as one set for each peer, written where they have changed.

use crate::base::PeerId;
use crate::session::SessionSet;
use crate::store::Rows;

use super::tables::{Sessions, peer_key};
use super::tx::{Step, Tx};

impl Tx<'_> {
    /// All sessions with a peer.
    pub(super) fn sessions(&self, peer: &PeerId) -> Step<SessionSet> {
        Ok(self.buf.get::<Sessions>(&peer_key(peer))?.unwrap_or_default())
    }

    /// Keeps them.
    pub(super) fn put_sessions(&mut self, peer: &PeerId, set: &SessionSet) -> Step {
        Ok(self.buf.put::<Sessions>(&peer_key(peer), set)?)
    }

    /// Forgets them, all of them.
    pub(super) fn drop_sessions(&mut self, peer: &PeerId) -> Step {
        self.buf.delete::<Sessions>(&peer_key(peer));
        Ok(())
    }

    /// Sessions that nobody uses forget their old keys here; those in use do so themselves (SES-34, SES-54).
    pub(super) fn prune_sessions(&mut self, peer: &PeerId) -> Step {
        let mut set = self.sessions(peer)?;
        if set.prune(self.deadline_clock()) {
            self.put_sessions(peer, &set)?;
        }
        Ok(())
    }
}
