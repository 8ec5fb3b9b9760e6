//! Every label of this module: each use of a key has its own (SES-2).

/// PQXDH's root key (SES-13).
pub(super) const PQXDH: &[u8] = b"rohrpost/session/pqxdh/v1";
/// A root step by DH alone (SES-21).
pub(super) const ROOT_DH: &[u8] = b"rohrpost/session/root-dh/v1";
/// A root step by DH and ML-KEM (SES-22).
pub(super) const ROOT_KEM: &[u8] = b"rohrpost/session/root-kem/v1";
/// Key and nonce of one message's body (SES-24). With at most 22 bytes the second block of HKDF's output costs
/// one compression of SHA-256 less, for every message.
pub(super) const MESSAGE: &[u8] = b"rohrpost/session/mk/v1";
/// The associated data of a body (SES-25).
pub(super) const ASSOCIATED: &[u8] = b"rohrpost/session/associated-data/v1";
