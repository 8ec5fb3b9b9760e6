//! What the tests of this module share.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::IdentityKeypair;
use crate::base::cbor::Writer;
use crate::base::{Secret, WallTime};

/// A point in time for the tests.
pub(super) const NOW: WallTime = WallTime(1_700_000_000_000);

/// The first peer of the examples in the specification: its seed is 00 01 … 1f.
pub(super) fn alice() -> IdentityKeypair {
    IdentityKeypair::from_seed(&Secret::new(counting(0)))
}

/// The second one: its seed is 20 21 … 3f.
pub(super) fn bob() -> IdentityKeypair {
    IdentityKeypair::from_seed(&Secret::new(counting(32)))
}

/// `first, first + 1, …`
pub(super) fn counting<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|i| first + u8::try_from(i).unwrap())
}

pub(super) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub(super) fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// The bytes of what is written.
pub(super) fn cbor(write: impl FnOnce(&mut Writer) -> &mut Writer) -> Vec<u8> {
    let mut writer = Writer::new();
    write(&mut writer);
    writer.into_bytes()
}

/// Every copy of these bytes with one bit flipped.
pub(super) fn bit_flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut copy = bytes.to_vec();
        copy[bit / 8] ^= 1 << (bit % 8);
        copy
    })
}
