//! The own mailboxes: registered, emptied, kept up to date, left (docs/protocol/mailbox.md, "The owner").

use crate::base::{PeerId, limits};
use crate::identity::{IdentityKey, Mailbox};
use crate::store::{RowKey, Rows, Scan};

use super::command::{Answer, Refusal};
use super::tables::{KnownPeers, OwnBoxRow, OwnBoxes, peer_key};
use super::tx::{Step, Tx};

impl Tx<'_> {
    /// Uses a mailbox from now on, or finds it elsewhere.
    pub(super) fn use_mailbox(&mut self, peer: PeerId, addrs: &[String]) -> Step<Answer> {
        if peer == self.my_id() {
            return Err(Refusal::Oneself.into());
        }
        // ID-24
        IdentityKey::from_peer_id(peer).map_err(|_| Refusal::UnsoundPeer)?;
        let known = self.buf.get::<OwnBoxes>(&peer_key(&peer))?;
        if known.is_none() && self.buf.scan::<OwnBoxes>(&Scan::all())?.len() >= limits::MAX_MAILBOXES {
            return Err(Refusal::TooManyMailboxes.into());
        }
        let mut row = known.unwrap_or_else(|| OwnBoxRow::new(peer, self.deadline_clock()));
        row.addrs = addrs.iter().filter(|addr| addr.len() <= limits::MAX_ADDR_LEN).cloned().collect();
        row.addrs.truncate(limits::MAX_ADDRS);
        self.buf.put::<OwnBoxes>(&peer_key(&peer), &row)?;
        Ok(Answer::Done)
    }

    /// Leaves a mailbox.
    pub(super) fn drop_mailbox(&mut self, peer: PeerId) -> Step<Answer> {
        if self.buf.get::<OwnBoxes>(&peer_key(&peer))?.is_none() {
            return Err(Refusal::NotAMailbox.into());
        }
        self.buf.delete::<OwnBoxes>(&peer_key(&peer));
        Ok(Answer::Done)
    }

    /// Nodes that are good to begin with.
    pub(super) fn keep_known_peers(&mut self, peers: Vec<(PeerId, Vec<String>)>) -> Step {
        let peers = peers.into_iter().take(limits::MAX_KNOWN_PEERS);
        let peers: Vec<Mailbox> = peers.map(|(peer, addrs)| bounded(peer, addrs)).collect();
        if self.buf.get::<KnownPeers>(&RowKey::new())?.unwrap_or_default() != peers {
            self.buf.put::<KnownPeers>(&RowKey::new(), &peers)?;
        }
        Ok(())
    }
}

/// A node with no more addresses than one may have.
fn bounded(peer: PeerId, mut addrs: Vec<String>) -> Mailbox {
    addrs.retain(|addr| addr.len() <= limits::MAX_ADDR_LEN);
    addrs.truncate(limits::MAX_ADDRS);
    Mailbox { peer, addrs }
}

// Filled in with what asks and looks for cards.
impl Tx<'_> {
    pub(super) fn mail_answered(&mut self, _mailbox: PeerId, _ticket: u64, _answer: Option<&[u8]>) -> Step {
        Ok(())
    }

    pub(super) fn card_found(&mut self, _peer: PeerId, _ticket: u64, _card: &[u8]) -> Step {
        Ok(())
    }

    pub(super) fn card_not_found(&mut self, _peer: PeerId, _ticket: u64, _asked: u32) -> Step {
        Ok(())
    }

    pub(super) fn relays(&mut self, _relays: Vec<(PeerId, Vec<String>)>) -> Step {
        Ok(())
    }
}
