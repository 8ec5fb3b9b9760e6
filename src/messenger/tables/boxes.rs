//! The own mailboxes, what is needed to use those of others, and where to begin at the next start.

use serde::{Deserialize, Serialize};

use super::table;
use crate::base::words::BoxState;
use crate::base::{PeerId, WallTime};
use crate::envelope::mailbox::{QueueKey, Tag, TokenIn};
use crate::identity::{Mailbox, PrekeyId};

table! {
    /// Mailboxes that keep our mail; keyed by mailbox.
    OwnBoxes = 80, Root, OwnBoxRow;
    /// The key of our queue; one row, with an empty key. A recovery loses it, and the boxes are registered anew.
    Queues = 81, State, QueueRow;
    /// The token that a contact has for our queue; keyed by contact.
    GivenTokens = 82, State, GivenTokenRow;
    /// Tags of tokens that are void; keyed by a number that grows.
    VoidTags = 83, State, Tag;
    /// What is known of the way to somebody, beside the card; keyed by peer.
    Reaches = 84, State, ReachRow;
    /// One-time prekeys that were given to a mailbox; keyed by ID.
    BoxedPrekeys = 85, State, PeerId;
    /// The offer to a mailbox that it has not answered; keyed by mailbox.
    Offers = 86, State, OfferRow;
    /// Nodes that were good to begin with; one row, with an empty key.
    KnownPeers = 88, Root, Vec<Mailbox>;
}

/// Stands for a key of the queue that was lost, with all else that was offered under it.
pub const LOST_KEY: u64 = 0;

/// A mailbox that keeps our mail.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OwnBoxRow {
    /// Who.
    pub peer: PeerId,
    /// Where it is found, as the user said.
    pub addrs: Vec<String>,
    /// How far it is.
    pub state: BoxState,
    /// Since when.
    pub since: WallTime,
    /// When it was last emptied; written seldom.
    pub fetched_at: Option<WallTime>,
    /// One-time prekeys that it says it holds.
    pub prekeys: u16,
    /// What it has said that it keeps.
    pub kept: Option<Offered>,
    /// When it was last given prekeys.
    pub refilled_at: Option<WallTime>,
}

impl OwnBoxRow {
    /// A mailbox that was not asked yet.
    pub const fn new(peer: PeerId, now: WallTime) -> Self {
        Self {
            peer,
            addrs: Vec::new(),
            state: BoxState::Asking,
            since: now,
            fetched_at: None,
            prekeys: 0,
            kept: None,
            refilled_at: None,
        }
    }
}

/// What an offer tells a mailbox, beside the prekeys. It is made again when one of these has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// Names the key of the queue.
    pub key: u64,
    /// Sequence of the card.
    pub card: u64,
    /// Digest of the key of invitations.
    pub invitation: u64,
    /// Void tags up to this number.
    pub voids: u64,
}

/// The key of our queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueueRow {
    /// Random: tells this key from one before.
    pub id: u64,
    /// Makes tokens.
    pub key: QueueKey,
    /// Number of the last offer (MBX-13).
    pub last_offer: u64,
    /// Number of the last void tag.
    pub last_void: u64,
    /// How many there are under this key.
    pub voids: u32,
}

/// A token that a contact has.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct GivenTokenRow {
    /// Names the key of the queue it was made with.
    pub key: u64,
    /// Tells it from others.
    pub tag: Tag,
}

/// What is known of the way to somebody, beside the card.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReachRow {
    /// Mailboxes named by a link.
    pub hinted: Vec<Mailbox>,
    /// The token that they gave us for their queue.
    pub token: Option<TokenIn>,
    /// When no card of theirs was found last, and how many nodes were asked.
    pub not_found: Option<(WallTime, u32)>,
    /// When the next try to connect is made.
    pub next_try: Option<WallTime>,
    /// How often everything that waits for them has begun anew.
    pub anew: u64,
    /// When all that waits for them went again last because they have accepted us, by the profile's time (REQ-12)…
    pub came_again: Option<WallTime>,
    /// …and whether it is to do so once more when the hour is over.
    pub again: bool,
}

/// An offer that was made and not answered: asked again it says the same, so that no prekey is lost with an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OfferRow {
    /// Its number.
    pub number: u64,
    /// What it tells.
    pub offered: Offered,
    /// The signed card.
    #[serde(with = "serde_bytes")]
    pub card: Vec<u8>,
    /// Which prekeys are in it.
    pub prekeys: Vec<PrekeyId>,
}
