//! ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha).

use rohrpost_symmetric::aead;

use super::CryptoError;
use crate::base::Secret;

/// Bytes that a seal adds.
pub const TAG_LEN: usize = aead::TAG_LEN;

/// A key for one of the two ciphers.
pub type AeadKey = Secret<32>;

/// `ChaCha20-Poly1305(key, nonce, plaintext, aad)` → ciphertext ‖ tag. The nonce must never repeat under a key.
pub fn seal(key: &AeadKey, nonce: &[u8; 12], plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plaintext.len() + TAG_LEN);
    out.extend_from_slice(plaintext);
    // The only error of the cipher is a plaintext of 256 GiB, which no caller can hold.
    #[allow(clippy::expect_used)]
    let tag = aead::seal(key.expose(), nonce, aad, &mut out).expect("fits");
    out.extend_from_slice(&tag);
    out
}

/// Opens what [`seal`] made.
///
/// # Errors
/// [`CryptoError::Authentication`].
pub fn open(key: &AeadKey, nonce: &[u8; 12], ciphertext: &[u8], aad: &[u8]) -> Result<Vec<u8>, CryptoError> {
    opened(ciphertext, |bytes, tag| aead::open(key.expose(), nonce, aad, bytes, tag))
}

/// `XChaCha20-Poly1305(key, nonce, plaintext, aad)` → ciphertext ‖ tag. Random nonces are safe.
pub fn xseal(key: &AeadKey, nonce: &[u8; 24], plaintext: &[u8], aad: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plaintext.len() + TAG_LEN);
    xseal_onto(key, nonce, plaintext, aad, &mut out);
    out
}

/// Appends what [`xseal`] would give.
pub fn xseal_onto(key: &AeadKey, nonce: &[u8; 24], plaintext: &[u8], aad: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(plaintext);
    let bytes = out.get_mut(start..).unwrap_or_default();
    // As above.
    #[allow(clippy::expect_used)]
    let tag = aead::xseal(key.expose(), nonce, aad, bytes).expect("fits");
    out.extend_from_slice(&tag);
}

/// Opens what [`xseal`] made.
///
/// # Errors
/// [`CryptoError::Authentication`].
pub fn xopen(key: &AeadKey, nonce: &[u8; 24], ciphertext: &[u8], aad: &[u8]) -> Result<Vec<u8>, CryptoError> {
    opened(ciphertext, |bytes, tag| aead::xopen(key.expose(), nonce, aad, bytes, tag))
}

fn opened(ciphertext: &[u8], decrypt: impl FnOnce(&mut [u8], &[u8; TAG_LEN]) -> bool) -> Result<Vec<u8>, CryptoError> {
    let (ciphertext, tag) = ciphertext.split_last_chunk().ok_or(CryptoError::Authentication)?;
    let mut bytes = ciphertext.to_vec();
    if decrypt(&mut bytes, tag) { Ok(bytes) } else { Err(CryptoError::Authentication) }
}
