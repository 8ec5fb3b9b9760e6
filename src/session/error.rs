//! Why a session refused.

use crate::crypto::CryptoError;

/// Why something was refused. After every one of them the state is what it was before (SES-61).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The bytes do not have the form, or carry what only the other side may send (SES-11, SES-31, SES-42).
    #[error("not a well-formed session message")]
    Malformed,
    /// A first contact of another version (SES-11).
    #[error("first contact of unknown version {0}")]
    UnknownVersion(u8),
    /// What is to be sent, or what came, is longer than an envelope may carry (SES-30, SES-31).
    #[error("{len} bytes are more than the {max} that fit a session message")]
    TooLarge {
        /// How long it is.
        len: usize,
        /// How long it may be.
        max: usize,
    },
    /// There is no session to send with: a card is needed first.
    #[error("there is no session with this peer yet")]
    NoSession,
    /// The message belongs to a session that is not, or no longer, known (SES-54).
    #[error("the message belongs to an unknown session")]
    UnknownSession,
    /// A first contact of a session that is not known: the secret keys it names are needed.
    #[error("this first contact needs the secret keys it names")]
    NeedsKeys,
    /// The initiator named is not the authenticated sender, or the sessions are those of another pair (SES-14).
    #[error("the message does not belong to this pair of peers")]
    WrongPeer,
    /// Our own message came back, or a session with ourselves was asked for (SES-14, SES-37).
    #[error("our own message came back")]
    Reflected,
    /// The tag does not fit: other keys, changed bytes, or counters that the sender cannot have used (SES-36).
    #[error("the message does not authenticate")]
    Authentication,
    /// A public X25519 key is a point of low order (SES-3).
    #[error("a public key of low order")]
    NonContributory,
    /// An ML-KEM key fails the checks of FIPS 203 (SES-4).
    #[error("not a sound ML-KEM key")]
    InvalidKey,
    /// The counter is more than 1,000 ahead of what was received in its chain (SES-33).
    #[error("the message is too far ahead of what was received")]
    TooFarAhead,
    /// This (ratchet key, N) was opened before. Never a failure (SES-35).
    #[error("the message was opened before")]
    Duplicate,
    /// The key was skipped, and is no longer kept: too old, or one of too many (SES-35).
    #[error("the key of this late message is no longer kept")]
    Forgotten,
    /// The chain has used all its counters; only an answer, or a new session, goes on (SES-32).
    #[error("the sending chain is used up")]
    Exhausted,
}

impl From<CryptoError> for SessionError {
    fn from(error: CryptoError) -> Self {
        match error {
            CryptoError::NonContributory => Self::NonContributory,
            CryptoError::InvalidKey => Self::InvalidKey,
            CryptoError::Authentication | CryptoError::Signature | CryptoError::PasswordParams => Self::Authentication,
        }
    }
}
