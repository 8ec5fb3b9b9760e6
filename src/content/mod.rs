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

/// Why bytes of a peer are no content. Each counts against the peer who sent them.
pub use crate::base::cbor::CborError as ContentError;
