//! What a message says (`docs/protocol/content.md`): MIMI content, status reports, introductions,
//! profiles, and the capsule that carries them.
//!
//! What this layer does not own: who really wrote it (`session` authenticates the peer, the caller
//! compares with [`MimiContent::sender_uri`] and [`MimiContent::room_uri`]), what is done with it (`messenger`), and how it
//! travels (`envelope`).

mod capsule;
mod introduction;
pub mod mimi;
mod status;

pub use capsule::{Capsule, Item};
pub use introduction::{Introduction, Profile};
pub use mimi::{MimiContent, direct_room_uri, message_id, sender_uri};
pub use status::StatusReport;

use crate::base::cbor::CborError;

/// Why bytes of a peer are no content. Each counts against the peer who sent them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// Larger than any content may be (CON-1, CON-21).
    #[error("content is too large")]
    TooLarge,
    /// Not well-formed CBOR, or it ends too early (CON-2).
    #[error("content is not well-formed CBOR")]
    Malformed,
    /// Something follows the end (CON-2).
    #[error("bytes follow the end of the content")]
    TrailingBytes,
    /// Well-formed, but not in the deterministic encoding: an indefinite length, a number in more
    /// bytes than it needs, map keys out of order or twice (CON-3).
    #[error("content is not in the deterministic encoding")]
    NotDeterministic,
    /// A field has another type or value than the form allows (CON-4, CON-22).
    #[error("the field '{0}' has a wrong type or value")]
    Field(&'static str),
    /// A text or byte string is longer than allowed (CON-6, CON-24 to CON-26, CON-28).
    #[error("the field '{0}' is too long")]
    TooLong(&'static str),
    /// More entries than allowed (CON-5, CON-21, CON-28).
    #[error("too many {0}")]
    TooMany(&'static str),
    /// Nested deeper than allowed (CON-5).
    #[error("content is nested too deeply")]
    TooDeep,
}

impl From<CborError> for ContentError {
    fn from(error: CborError) -> Self {
        match error {
            CborError::Malformed => Self::Malformed,
            CborError::TrailingBytes => Self::TrailingBytes,
            CborError::NotDeterministic => Self::NotDeterministic,
            CborError::Field(field) => Self::Field(field),
            CborError::TooLong(field) => Self::TooLong(field),
            CborError::TooDeep => Self::TooDeep,
        }
    }
}
