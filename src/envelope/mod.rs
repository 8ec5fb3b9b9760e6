//! What travels (`docs/protocol/envelope.md`): the padded envelope and its ID, and the seal for mailboxes.
//!
//! What this layer does not own: what is in the payload (`session`, later `group`), and the streams
//! that carry it (`net`).

pub mod padding;

use crate::base::EnvelopeId;
use crate::base::limits::{MAX_ENVELOPE, MAX_PAYLOAD};
use crate::crypto::hash::sha256;

/// The version of the envelope.
const VERSION: u8 = 1;
/// `version ‖ kind ‖ length of the payload, 4 bytes big-endian`
const HEADER_LEN: usize = 6;

/// What the payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EnvelopeKind {
    /// A message of a session.
    Session = 1,
    /// A first contact, with the session's first message in it.
    FirstContact = 2,
    /// A message of a group.
    Group = 3,
}

/// A decoded envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// What the payload is.
    pub kind: EnvelopeKind,
    /// At most `MAX_PAYLOAD` bytes.
    pub payload: &'a [u8],
}

/// The payload exceeds `MAX_PAYLOAD` (ENV-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload of an envelope is at most {MAX_PAYLOAD} bytes, not {0}")]
pub struct TooLarge(pub usize);

/// Why bytes of a peer are no envelope, in the order in which it is checked (ENV-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Larger than any envelope.
    #[error("the envelope is too large")]
    TooLarge,
    /// Of a version we do not know.
    #[error("unknown envelope version {0}")]
    UnknownVersion(u8),
    /// Of a kind we do not know.
    #[error("unknown kind of envelope {0}")]
    UnknownKind(u8),
    /// The length field or the padding is wrong.
    #[error("malformed envelope")]
    Malformed,
}

/// Encodes and pads an envelope.
///
/// # Errors
/// [`TooLarge`].
pub fn encode(_kind: EnvelopeKind, _payload: &[u8]) -> Result<Vec<u8>, TooLarge> {
    todo!()
}

/// Decodes what a peer sent.
///
/// # Errors
/// [`EnvelopeError`], with the first check that failed.
pub fn decode(_bytes: &[u8]) -> Result<Envelope<'_>, EnvelopeError> {
    let _ = (VERSION, HEADER_LEN, MAX_ENVELOPE);
    todo!()
}

/// `SHA-256(unsealed envelope)`: the mark by which a second copy is known (ENV-9).
pub fn envelope_id(envelope: &[u8]) -> EnvelopeId {
    EnvelopeId::new(sha256(&[envelope]))
}
