//! The Double Ratchet, with ML-KEM mixed into the root as it turns (docs/protocol/session.md, sections 4 to 6).

mod chains;
mod header;
mod keys;
mod receiving;
mod sending;
mod session;
mod side;

#[cfg(test)]
pub(super) use header::KemPart;
pub(super) use header::{HEADER_LEN, MAX_KEM_PART, MessageIn, take};
pub(super) use keys::RootKey;
pub use sending::Sending;
pub(super) use sending::SendingChain;
pub(super) use session::Pair;
pub use session::{Ahead, Session};
