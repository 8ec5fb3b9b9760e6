//! Two parties: PQXDH handshake, Double Ratchet with sparse ML-KEM, simultaneous start, retirement
//! (`docs/protocol/session.md`, whose rule numbers `SES-…` stand at the checks).
//!
//! [`SessionSet`] is all that others need: every session with one peer, each a row, and the chain that sends another. It
//! is pure: bytes, time and randomness in, bytes out; and transactional: after an error nothing has changed.
//!
//! What this layer does not own: which cards and prekeys are fetched, kept and erased, and the marks of used
//! card prekeys (`identity`, `messenger`); who may begin a session, and when one is healed (`messenger`); what
//! a plaintext says (`content`); padding and seals (`envelope`); rows and their keys (`store`).

mod error;
mod handshake;
mod label;
mod ratchet;
mod set;

pub use error::SessionError;
pub use handshake::{FirstContact, FirstContactIn, RemoteBundle, ResponderKeys};
pub use ratchet::{Ahead, Sending, Session};
pub use set::{MAX_CAPSULE, Opened, Sealed, SealedKind, SessionSet};

#[cfg(test)]
mod tests;
