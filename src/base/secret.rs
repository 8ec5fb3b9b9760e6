//! Secret bytes: wiped when dropped, never shown.

use std::fmt;

use rand_core::CryptoRng;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// `N` secret bytes. No `Display`, a redacted `Debug`, wiped on drop; compared in constant time.
///
/// It serialises, because secrets live in sealed rows and in the sealed key file; nothing else
/// may be made of that form.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>([u8; N]);

impl<const N: usize> Secret<N> {
    /// Takes the bytes over.
    pub const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// Fresh random bytes.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = [0; N];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The bytes, for a computation; the name makes each use easy to find.
    pub const fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// The bytes to be filled in place.
    pub const fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret<{N}>(redacted)")
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(&self.0[..], &other.0[..]).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

impl<const N: usize> Serialize for Secret<N> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(&self.0)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Secret<N> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(d)?;
        bytes.try_into().map(Self).map_err(|_| D::Error::invalid_length(bytes.len(), &format!("{N} bytes").as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_redacted() {
        assert_eq!(format!("{:?}", Secret::new([0x42; 4])), "Secret<4>(redacted)");
    }

    #[test]
    fn rows_carry_it_and_refuse_another_length() {
        let row = postcard::to_allocvec(&Secret::new([9u8; 32])).unwrap();
        assert!(postcard::from_bytes::<Secret<32>>(&row).unwrap() == Secret::new([9; 32]));
        assert!(postcard::from_bytes::<Secret<16>>(&row).is_err());
    }
}
