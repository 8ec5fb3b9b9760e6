//! What travels (`docs/protocol/envelope.md`): the padded envelope and its ID, and the seal for mailboxes; and what those
//! who write and those who carry say to each other (`border`).
//!
//! What this layer does not own: what is in the payload (`session`, later `group`), and the streams
//! that carry it (`net`).

pub mod border;
pub mod directory;
pub mod exchange;
pub mod frame;
pub mod mailbox;
pub mod padding;
pub mod seal;
mod wire;

pub use wire::WireError;

use crate::base::EnvelopeId;
use crate::base::limits::{MAX_ENVELOPE, MAX_PAYLOAD};
use crate::crypto::hash::sha256;
use wire::Take;

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

/// Encodes and pads an envelope.
///
/// # Errors
/// [`WireError::TooLarge`]: the payload exceeds `MAX_PAYLOAD` (ENV-3).
pub fn encode(kind: EnvelopeKind, payload: &[u8]) -> Result<Vec<u8>, WireError> {
    let len: u32 = wire::count(payload.len(), MAX_PAYLOAD)?;
    let padded = padding::padded_len(HEADER_LEN + payload.len());
    // ENV-2: version ‖ kind ‖ length ‖ payload ‖ zeros
    let mut out = Vec::with_capacity(padded);
    out.extend_from_slice(&[VERSION, kind as u8]);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(payload);
    out.resize(padded, 0);
    Ok(out)
}

/// Decodes what a peer sent.
///
/// # Errors
/// [`WireError`], with the first check that failed (ENV-1).
pub fn decode(bytes: &[u8]) -> Result<Envelope<'_>, WireError> {
    // ENV-1: size, version, kind, then the rest.
    if bytes.len() > MAX_ENVELOPE {
        return Err(WireError::TooLarge);
    }
    let mut rest = Take(bytes);
    rest.version(VERSION)?;
    let kind = EnvelopeKind::try_from(rest.u8()?)?;
    let len = usize::try_from(rest.u32()?).map_err(|_| WireError::TooLarge)?;
    if len > MAX_PAYLOAD {
        return Err(WireError::TooLarge);
    }
    let (payload, padding) = (rest.bytes(len)?, rest.rest());
    // ENV-4, ENV-5: one payload has one envelope.
    if bytes.len() != padding::padded_len(HEADER_LEN + len) || padding.iter().any(|&byte| byte != 0) {
        return Err(WireError::Malformed);
    }
    Ok(Envelope { kind, payload })
}

/// `SHA-256(unsealed envelope)`: the mark by which a second copy is known (ENV-9).
pub fn envelope_id(envelope: &[u8]) -> EnvelopeId {
    EnvelopeId::new(sha256(&[envelope]))
}

impl TryFrom<u8> for EnvelopeKind {
    type Error = WireError;

    fn try_from(kind: u8) -> Result<Self, WireError> {
        match kind {
            1 => Ok(Self::Session),
            2 => Ok(Self::FirstContact),
            3 => Ok(Self::Group),
            other => Err(WireError::UnknownKind(other)),
        }
    }
}

#[cfg(test)]
mod tests;
