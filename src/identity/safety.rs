//! Safety numbers: two people compare 60 digits and know that nobody is between them.
//!
//! As Signal's numeric fingerprint: 30 digits for each of the two keys, sorted, so that both see
//! the same number. Ours differs in its label, so that the two can never be confused.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::key::IdentityKey;
use crate::crypto::hash::sha512;

/// What the first hash begins with (ID-60).
const LABEL: &str = "rohrpost/identity/safety-number/v1";
/// Hashes for one fingerprint: makes searching for a key with a similar number dear (ID-60).
const ITERATIONS: u32 = 5_200;
/// Digits of one fingerprint.
const HALF: usize = 30;
/// Digits of a safety number.
const DIGITS: usize = 2 * HALF;
/// Digits that are shown together.
const GROUP: usize = 5;
/// What the text of the QR code begins with: letters of its alphanumeric mode, which keeps it small (ID-63). Such a text is read
/// here; none is shown yet.
const QR_PREFIX: &str = "ROHRPOST-SAFETY:1:";

/// The half of a safety number that belongs to one key: 30 digits. It takes some milliseconds to
/// compute and never changes, so it may be kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Of this key (ID-60, ID-61).
    pub fn of(key: &IdentityKey) -> Self {
        let peer = key.peer_id();
        let key = peer.key_bytes();
        // h₁ = SHA-512(label ‖ 0x00 ‖ key)        hᵢ₊₁ = SHA-512(hᵢ ‖ key)
        let mut hash = sha512(&[LABEL.as_bytes(), &[0], key]);
        for _ in 1..ITERATIONS {
            hash = sha512(&[&hash, key]);
        }
        // Six times: five bytes, big endian, modulo 100,000, in five digits.
        let groups = hash.as_chunks::<GROUP>().0.iter().take(HALF / GROUP);
        Self(groups.map(|bytes| format!("{:05}", big_endian(bytes) % 100_000)).collect())
    }

    /// With another one it makes a safety number; the order does not matter (ID-62).
    pub fn with(&self, other: &Self) -> SafetyNumber {
        let (low, high) = if self <= other { (self, other) } else { (other, self) };
        SafetyNumber(format!("{}{}", low.0, high.0))
    }
}

/// What two peers compare. `Display` shows 12 groups of 5 digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafetyNumber(String);

/// Why a text is not a safety number at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SafetyNumberError {
    /// Something that is neither a digit nor a blank.
    #[error("a safety number consists of digits")]
    NotDigits,
    /// Too short or too long.
    #[error("a safety number has {DIGITS} digits, this one has {0}")]
    Length(usize),
    /// A QR code of another version.
    #[error("this safety code is of another version: both sides need the same rohrpost")]
    Version,
}

/// The safety number of two keys; the order does not matter.
pub fn safety_number(a: &IdentityKey, b: &IdentityKey) -> SafetyNumber {
    Fingerprint::of(a).with(&Fingerprint::of(b))
}

impl SafetyNumber {
    /// The 60 digits without blanks.
    pub fn digits(&self) -> String {
        self.0.clone()
    }

    /// Whether a text that was typed, or scanned from the other side's QR code, is this number.
    /// Blanks are ignored (ID-64).
    ///
    /// # Errors
    /// [`SafetyNumberError`] when it is no safety number at all, which says nothing about the peer.
    pub fn matches(&self, text: &str) -> Result<bool, SafetyNumberError> {
        let text = match text.trim().strip_prefix(QR_PREFIX) {
            Some(digits) => digits,
            None if text.trim_start().starts_with("ROHRPOST-SAFETY:") => return Err(SafetyNumberError::Version),
            None => text,
        };
        let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(SafetyNumberError::NotDigits);
        }
        if digits.len() != DIGITS {
            return Err(SafetyNumberError::Length(digits.len()));
        }
        Ok(digits == self.0)
    }
}

impl fmt::Display for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, digit) in self.0.chars().enumerate() {
            if i > 0 && i % GROUP == 0 {
                f.write_str(" ")?;
            }
            write!(f, "{digit}")?;
        }
        Ok(())
    }
}

fn big_endian(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number * 256 + u64::from(*byte))
}

#[cfg(test)]
mod tests;
