//! ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha).

use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, XChaCha20Poly1305};

/// Bytes that a seal adds.
pub const TAG_LEN: usize = 16;

/// Encrypts in place, and gives the tag. `None` when the plaintext has more than the 256 GiB that the cipher can take.
pub fn seal(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], bytes: &mut [u8]) -> Option<[u8; TAG_LEN]> {
    ChaCha20Poly1305::new(key.into()).encrypt_inout_detached(nonce.into(), aad, bytes.into()).ok().map(Into::into)
}

/// The same with a nonce that may be random.
pub fn xseal(key: &[u8; 32], nonce: &[u8; 24], aad: &[u8], bytes: &mut [u8]) -> Option<[u8; TAG_LEN]> {
    XChaCha20Poly1305::new(key.into()).encrypt_inout_detached(nonce.into(), aad, bytes.into()).ok().map(Into::into)
}

/// Decrypts in place; `false`, and nothing changed, when the tag is another.
pub fn open(key: &[u8; 32], nonce: &[u8; 12], aad: &[u8], bytes: &mut [u8], tag: &[u8; TAG_LEN]) -> bool {
    ChaCha20Poly1305::new(key.into()).decrypt_inout_detached(nonce.into(), aad, bytes.into(), tag.into()).is_ok()
}

/// The same for [`xseal`].
pub fn xopen(key: &[u8; 32], nonce: &[u8; 24], aad: &[u8], bytes: &mut [u8], tag: &[u8; TAG_LEN]) -> bool {
    XChaCha20Poly1305::new(key.into()).decrypt_inout_detached(nonce.into(), aad, bytes.into(), tag.into()).is_ok()
}
