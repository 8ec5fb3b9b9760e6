//! ML-KEM-768 (FIPS 203).

use std::fmt;

use libcrux_ml_kem::mlkem768::{self, MlKem768Ciphertext, MlKem768KeyPair, MlKem768PublicKey};
use serde::{Deserialize, Serialize};

use super::CryptoError;
use crate::base::{CryptoRng, Secret};

/// Bytes of an encapsulation key.
pub const EK_LEN: usize = 1184;
/// Bytes of an expanded decapsulation key.
const DK_LEN: usize = 2400;
/// Bytes of a ciphertext.
pub const CT_LEN: usize = 1088;

/// What an encapsulation gave.
pub type KemShared = Secret<32>;

/// A decapsulation key, kept as its seed `d ‖ z` (FIPS 203, section 7.1) from which it is expanded at use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KemSecret(Secret<64>);

/// An encapsulation key that passed the modulus check (FIPS 203, section 7.2).
#[derive(Clone, PartialEq, Eq)]
pub struct KemPublic(Box<[u8; EK_LEN]>);

/// A ciphertext.
#[derive(Clone, PartialEq, Eq)]
pub struct KemCiphertext(pub Box<[u8; CT_LEN]>);

impl KemSecret {
    /// A fresh key.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self(Secret::random(rng))
    }

    /// From the seed `d ‖ z`.
    pub const fn from_seed(seed: Secret<64>) -> Self {
        Self(seed)
    }

    /// The public half.
    pub fn public(&self) -> KemPublic {
        self.expanded(|pair| KemPublic(Box::new(*pair.pk())))
    }

    /// `Decaps(dk, ct)`: a wrong ciphertext gives another secret, not an error (implicit rejection).
    pub fn decapsulate(&self, ct: &KemCiphertext) -> KemShared {
        let ct = MlKem768Ciphertext::from(*ct.0);
        self.expanded(|pair| Secret::new(mlkem768::decapsulate(pair.private_key(), &ct)))
    }

    /// Does something with the expanded pair, which is overwritten afterwards: its type does not do that by itself.
    fn expanded<T>(&self, with: impl FnOnce(&MlKem768KeyPair) -> T) -> T {
        super::count();
        let mut pair = mlkem768::generate_key_pair(*self.0.expose());
        let done = with(&pair);
        pair = MlKem768KeyPair::new([0; DK_LEN], [0; EK_LEN]);
        // Nobody reads it: without this the compiler need not write it either.
        std::hint::black_box(&pair);
        done
    }
}

impl KemPublic {
    /// From bytes a peer sent.
    ///
    /// # Errors
    /// [`CryptoError::InvalidKey`] for another length or a failed modulus check.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CryptoError> {
        let bytes: [u8; EK_LEN] = bytes.try_into().map_err(|_| CryptoError::InvalidKey)?;
        if !mlkem768::validate_public_key(&MlKem768PublicKey::from(bytes)) {
            return Err(CryptoError::InvalidKey);
        }
        Ok(Self(Box::new(bytes)))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; EK_LEN] {
        &self.0
    }

    /// `Encaps(ek)` with randomness from `rng`.
    pub fn encapsulate(&self, rng: &mut (impl CryptoRng + ?Sized)) -> (KemCiphertext, KemShared) {
        super::count();
        let m = Secret::<32>::random(rng);
        let (ct, shared) = mlkem768::encapsulate(&MlKem768PublicKey::from(*self.0), *m.expose());
        (KemCiphertext(Box::new(*ct.as_slice())), Secret::new(shared))
    }
}

impl KemCiphertext {
    /// From bytes a peer sent.
    ///
    /// # Errors
    /// [`CryptoError::InvalidKey`] for another length.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CryptoError> {
        bytes.try_into().map(|b| Self(Box::new(b))).map_err(|_| CryptoError::InvalidKey)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; CT_LEN] {
        &self.0
    }
}

impl fmt::Debug for KemPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KemPublic(…)")
    }
}

impl fmt::Debug for KemCiphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KemCiphertext(…)")
    }
}

macro_rules! as_serde_bytes {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_bytes(&self.0[..])
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                // As bytes, not as a sequence: a thousand steps of the decoder less for every row.
                $name::from_bytes(<&[u8]>::deserialize(d)?).map_err(serde::de::Error::custom)
            }
        }
    };
}
as_serde_bytes!(KemPublic);
as_serde_bytes!(KemCiphertext);
