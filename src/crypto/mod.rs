//! Thin, typed faces of the vetted crates. One role, one type; no protocol.
//!
//! What this layer does not own: which key is used for what, labels and transcripts (`identity`,
//! `session`, `envelope`), where keys are kept (`store`).

pub mod aead;
pub mod dh;
pub mod hash;
pub mod kdf;
pub mod kem;
pub mod password;
pub mod sign;

#[cfg(test)]
thread_local! {
    static OPERATIONS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// How many operations with public or secret keys this thread has done: exchanges, encapsulations, signatures, and keys made.
#[cfg(test)]
pub(crate) fn operations() -> u64 {
    OPERATIONS.get()
}

/// One more.
fn count() {
    #[cfg(test)]
    OPERATIONS.set(OPERATIONS.get() + 1);
}

/// Why a primitive refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The authentication tag does not fit: wrong key, or the bytes were changed.
    #[error("authentication failed")]
    Authentication,
    /// An X25519 exchange gave zeros: the other key is a point of low order.
    #[error("the key exchange did not contribute: a low-order public key")]
    NonContributory,
    /// The bytes are no sound public key (weak, off the curve, or with a torsion component).
    #[error("not a sound public key")]
    InvalidKey,
    /// The signature does not fit.
    #[error("the signature does not verify")]
    Signature,
    /// The parameters of the password hash are outside what is accepted.
    #[error("password hashing parameters out of bounds")]
    PasswordParams,
}
