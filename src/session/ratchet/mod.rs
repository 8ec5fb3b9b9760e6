//! The Double Ratchet, with ML-KEM mixed into the root as it turns (docs/protocol/session.md, sections 4 to 6).

mod chain_key;
mod chains;
mod header;
mod kem;
mod message_key;
mod receiving;
mod root_key;
mod sending;
mod session;
mod side;

#[cfg(test)]
pub(super) use header::KemPart;
pub(super) use header::{HEADER_LEN, MAX_KEM_PART, MessageIn, take};
pub(super) use root_key::RootKey;
pub use sending::Sending;
pub(super) use session::Pair;
pub use session::{Ahead, Session};
