//! ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha).

use chacha20poly1305::aead::{Aead, AeadInOut, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, XChaCha20Poly1305};

use super::CryptoError;
use crate::base::Secret;

/// Bytes that a seal adds.
pub const TAG_LEN: usize = 16;

/// A key for one of the two ciphers.
pub type AeadKey = Secret<32>;

/// `ChaCha20-Poly1305(key, nonce, plaintext, aad)` → ciphertext ‖ tag. The nonce must never repeat under a key.
pub fn seal(key: &AeadKey, nonce: &[u8; 12], plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plaintext.len() + TAG_LEN);
    out.extend_from_slice(plaintext);
    // The only error of the cipher is a plaintext of 256 GiB, which no caller can hold.
    #[allow(clippy::expect_used)]
    ChaCha20Poly1305::new(key.expose().into()).encrypt_in_place(nonce.into(), aad, &mut out).expect("fits");
    out
}

/// Opens what [`seal`] made.
///
/// # Errors
/// [`CryptoError::Authentication`].
pub fn open(key: &AeadKey, nonce: &[u8; 12], ciphertext: &[u8], aad: &[u8]) -> Result<Vec<u8>, CryptoError> {
    ChaCha20Poly1305::new(key.expose().into())
        .decrypt(nonce.into(), Payload { msg: ciphertext, aad })
        .map_err(|_| CryptoError::Authentication)
}

/// `XChaCha20-Poly1305(key, nonce, plaintext, aad)` → ciphertext ‖ tag. Random nonces are safe.
pub fn xseal(key: &AeadKey, nonce: &[u8; 24], plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plaintext.len() + TAG_LEN);
    out.extend_from_slice(plaintext);
    // As above.
    #[allow(clippy::expect_used)]
    XChaCha20Poly1305::new(key.expose().into()).encrypt_in_place(nonce.into(), aad, &mut out).expect("fits");
    out
}

/// Appends what [`xseal`] would give.
pub fn xseal_onto(key: &AeadKey, nonce: &[u8; 24], plaintext: &[u8], aad: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(plaintext);
    let sealed = out.get_mut(start..).unwrap_or_default().into();
    // As above.
    #[allow(clippy::expect_used)]
    let tag =
        XChaCha20Poly1305::new(key.expose().into()).encrypt_inout_detached(nonce.into(), aad, sealed).expect("fits");
    out.extend_from_slice(&tag);
}

/// Opens what [`xseal`] made.
///
/// # Errors
/// [`CryptoError::Authentication`].
pub fn xopen(key: &AeadKey, nonce: &[u8; 24], ciphertext: &[u8], aad: &[u8]) -> Result<Vec<u8>, CryptoError> {
    XChaCha20Poly1305::new(key.expose().into())
        .decrypt(nonce.into(), Payload { msg: ciphertext, aad })
        .map_err(|_| CryptoError::Authentication)
}
