//! Argon2id (RFC 9106).

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::CryptoError;
use crate::base::Secret;

/// The most memory a file may ask for, in KiB (1 GiB): beyond it, opening a hostile file would be an attack.
pub const MAX_MEMORY_KIB: u32 = 1024 * 1024;
/// The most passes a file may ask for.
pub const MAX_PASSES: u32 = 64;
/// The most lanes a file may ask for.
pub const MAX_LANES: u32 = 64;

/// What a person typed; wiped on drop, never shown.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Passphrase(String);

impl Passphrase {
    /// Takes the text over.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// Whether there is anything in it.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(redacted)")
    }
}

impl PartialEq for Passphrase {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.0.as_bytes(), other.0.as_bytes()).into()
    }
}

/// What a hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// What new files get: 64 MiB, 3 passes, 4 lanes (RFC 9106, section 4, second recommendation).
    pub const DEFAULT: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };

    /// Whether a file may ask for it: nothing of it is above its maximum.
    pub const fn is_accepted(self) -> bool {
        self.memory_kib <= MAX_MEMORY_KIB && self.passes <= MAX_PASSES && self.lanes <= MAX_LANES
    }
}

/// `Argon2id(passphrase, salt, cost)` → 32 bytes.
///
/// # Errors
/// [`CryptoError::PasswordParams`] when the cost is outside what is accepted, or invalid.
pub fn derive(passphrase: &Passphrase, salt: &[u8; 16], cost: Cost) -> Result<Secret<32>, CryptoError> {
    let bad = CryptoError::PasswordParams;
    if !cost.is_accepted() {
        return Err(bad);
    }
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).map_err(|_| bad)?;
    let mut out = Secret::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.0.as_bytes(), salt, out.expose_mut())
        .map_err(|_| bad)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The maxima themselves are accepted, each with the others; one more is not.
    #[test]
    fn a_cost_is_accepted_up_to_its_maxima() {
        let most = Cost { memory_kib: MAX_MEMORY_KIB, passes: MAX_PASSES, lanes: MAX_LANES };
        let passphrase = Passphrase::new("password".into());
        assert!(most.is_accepted() && Cost::DEFAULT.is_accepted());
        for beyond in [
            Cost { memory_kib: MAX_MEMORY_KIB + 1, ..Cost::DEFAULT },
            Cost { passes: MAX_PASSES + 1, ..Cost::DEFAULT },
            Cost { lanes: MAX_LANES + 1, ..Cost::DEFAULT },
        ] {
            assert!(!beyond.is_accepted(), "{beyond:?}");
            assert_eq!(derive(&passphrase, &[0; 16], beyond), Err(CryptoError::PasswordParams));
        }
    }

    #[test]
    fn passphrases_are_compared_and_not_shown() {
        let passphrase = |text: &str| Passphrase::new(text.into());
        assert!(passphrase("").is_empty() && !passphrase(" ").is_empty());
        assert_eq!(passphrase("correct horse"), passphrase("correct horse"));
        for other in ["", "correct", "correct horsf", "correct horse "] {
            assert!(passphrase("correct horse") != passphrase(other), "{other}");
        }
        assert_eq!(format!("{:?}", passphrase("correct horse")), "Passphrase(redacted)");
    }
}
