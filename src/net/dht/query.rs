//! What is asked of the DHT, and for whom.

use std::collections::{HashMap, HashSet};

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use crate::base::PeerId;
use crate::net::places::Permit;

/// A search for a card. It holds its permit until its one outcome is told.
#[derive(Debug)]
pub(in crate::net) struct Find {
    pub(in crate::net) peer: PeerId,
    pub(in crate::net) ticket: u64,
    pub(in crate::net) permit: Permit,
}

/// Who waits for open mailboxes.
pub(in crate::net) type MailboxReply = oneshot::Sender<Vec<(PeerId, Vec<String>)>>;

/// A card that is being put.
#[derive(Debug)]
pub(super) struct Putting {
    pub(super) owner: PeerId,
    pub(super) sequence: u64,
    pub(super) slot: OwnedSemaphorePermit,
}

/// What a query is for.
#[derive(Debug)]
pub(super) enum Query {
    /// Who is nearest to the key of this card.
    Nearest(Putting),
    /// The card is put to them.
    Put(Putting),
    /// The card is read back, from these.
    ReadBack(Putting, HashSet<libp2p::PeerId>),
    /// The card of a peer.
    Find { find: Find, best: Option<(u64, Vec<u8>)>, copies: usize },
    /// Open mailboxes.
    Mailboxes { reply: MailboxReply, found: HashMap<PeerId, Vec<String>> },
    /// Where a peer is.
    Seek { peer: PeerId },
}

impl Query {
    /// For the log.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Nearest(_) => "nearest",
            Self::Put(_) => "put",
            Self::ReadBack(..) => "read back",
            Self::Find { .. } => "find",
            Self::Mailboxes { .. } => "mailboxes",
            Self::Seek { .. } => "seek",
        }
    }
}

/// A query that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) what: Query,
    /// When it is ended, though it might bring more.
    pub(super) enough_at: Option<Instant>,
}
