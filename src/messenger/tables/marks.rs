//! Marks by which a second copy is known.

use serde::{Deserialize, Serialize};

use super::table;
use crate::base::{EnvelopeId, MessageId, PeerId, WallTime};
use crate::crypto::dh::DhPublic;
use crate::identity::PrekeyId;
use crate::store::RowKey;

table!(
    /// Envelopes that were received; keyed by the first half of the ID, which is a hash.
    EnvelopeMarks = 40, Root, EnvelopeMark
);
table!(
    /// Their order; keyed by owner (a contact, or all strangers together) and a number that grows.
    MarkQueue = 41, Root, QueuedMark
);
table!(
    /// Handshakes with a card's own prekey; keyed by prekey ID and the initiator's ephemeral key.
    PrekeyMarks = 42, Root, PrekeyMark
);

/// Key of [`EnvelopeMarks`]: 128 bits are enough, a collision can only be made by the sender himself.
pub fn mark_key(id: &EnvelopeId) -> RowKey {
    let (parts, _) = id.as_bytes().as_chunks::<8>();
    parts.iter().take(2).fold(RowKey::new(), |key, part| key.u64(u64::from_be_bytes(*part)))
}

/// Key of [`PrekeyMarks`].
pub fn prekey_mark_key(prekey: PrekeyId, ephemeral: &DhPublic) -> RowKey {
    ephemeral
        .0
        .as_chunks::<8>()
        .0
        .iter()
        .fold(RowKey::new().u64(prekey.0), |key, part| key.u64(u64::from_be_bytes(*part)))
}

/// What is known of a received envelope.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EnvelopeMark {
    /// The message that was in it, if one was kept: its receipt is due again on a second copy.
    pub message: Option<(PeerId, MessageId)>,
}

/// An entry of the queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueuedMark {
    /// Which envelope.
    pub envelope: EnvelopeId,
    /// When it came.
    pub at: WallTime,
    /// The card prekey and ephemeral key it used: kept as long as that mark lives.
    pub card_prekey: Option<(PrekeyId, DhPublic)>,
}

/// A handshake that was seen.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PrekeyMark {
    /// The initiator's ephemeral key.
    pub ephemeral: DhPublic,
}
