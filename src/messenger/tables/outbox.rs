//! What waits to be delivered. A row stays until the recipient says *delivered* (a control item: until the recipient's node
//! has stored it, or enough of his mailboxes). It holds no ciphertext: what was sealed is in memory until it is taken.

use serde::{Deserialize, Serialize};

use super::table;
use crate::base::{PeerId, Tail, WallTime};
use crate::store::RowKey;

table! {
    /// Keyed by recipient and a number that grows. 51, 52 and 87 were envelopes and where they lay.
    Outbox = 50, State, OutRow;
}

/// Key of [`Outbox`].
pub fn outbox_key(peer: &PeerId, number: u64) -> RowKey {
    RowKey::new().peer(peer).u64(number)
}

/// One thing to deliver.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OutRow {
    /// To whom.
    pub peer: PeerId,
    /// Its number.
    pub number: u64,
    /// What.
    pub kind: OutKind,
    /// Since when.
    pub queued_at: WallTime,
    /// How often everything for this peer had begun anew when the row was written: where it was before that does not count.
    pub anew: u64,
    /// How far it is; ends in the row's tail.
    pub way: Way,
}

impl OutRow {
    /// How far it is, now that everything has begun anew so often.
    pub fn way_now(self, anew: u64) -> Way {
        if self.anew == anew { self.way } else { Way { sent: false, held: Vec::new(), ..self.way } }
    }
}

/// How far something is on its way, as far as that must survive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Way {
    /// Whether it was counted among the messages for somebody who has not accepted.
    pub counted: bool,
    /// Whether the recipient's node has stored it.
    pub sent: bool,
    /// The mailboxes that have stored it, as they say, and when.
    pub held: Vec<(PeerId, WallTime)>,
    /// What other versions know.
    pub tail: Tail,
}

/// What is to be delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutKind {
    /// The message at this position of the conversation.
    Message(u64),
    /// A capsule of receipts, profile, acceptance or reset, encoded.
    Control(#[serde(with = "serde_bytes")] Vec<u8>),
}
