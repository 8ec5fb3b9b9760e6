//! Marks by which a second copy is known.

use serde::{Deserialize, Serialize};

use super::{in_clear, numbered, table};
use crate::base::{EnvelopeId, PeerId, WallTime};
use crate::crypto::dh::DhPublic;
use crate::crypto::hash::sha256;
use crate::identity::PrekeyId;
use crate::store::RowKey;

table! {
    /// Envelopes that were received; keyed by a hash of who sent them and their ID.
    EnvelopeMarks = 40, Root, ();
    /// Their order, a row for each commit; keyed by owner (all strangers together, or all contacts) and the number of its
    /// first mark.
    MarkQueue = 41, Root, QueuedMarks;
    /// Handshakes with a card's own prekey; keyed by prekey ID and the initiator's ephemeral key.
    PrekeyMarks = 42, Root, DhPublic;
}

/// What is remembered of an envelope and its sender: what another brings is another's, though it is the same bytes (ENV-10).
/// 128 bits are enough, a collision can only be made by the sender himself.
pub fn mark_of(from: &PeerId, id: &EnvelopeId) -> [u8; 16] {
    sha256(&[from.key_bytes(), id.as_bytes()]).first_chunk().copied().unwrap_or_default()
}

/// Key of [`EnvelopeMarks`].
pub fn mark_key(mark: &[u8; 16]) -> RowKey {
    in_clear(RowKey::new(), mark)
}

/// Key of [`PrekeyMarks`].
pub fn prekey_mark_key(prekey: PrekeyId, ephemeral: &DhPublic) -> RowKey {
    in_clear(numbered(prekey.0), &ephemeral.0)
}

/// The marks of one commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct QueuedMarks {
    /// When they came, or were last found to be needed longer.
    pub at: WallTime,
    /// Of which envelopes.
    pub marks: Vec<QueuedMark>,
}

/// An entry of the queue.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct QueuedMark {
    /// Which, and whose: [`mark_of`].
    pub envelope: [u8; 16],
    /// The card prekey and ephemeral key it used: kept as long as that mark lives.
    pub card_prekey: Option<(PrekeyId, DhPublic)>,
}
