use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::envelope::{EnvelopeKind, encode};

use super::*;

const QUEUE: [u8; 16] = [3; 16];
const SEAL_ID: PrekeyId = PrekeyId(0x0102_0304_0506_0708);

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn alice() -> PeerId {
    PeerId::from_key_bytes([9; 32])
}

fn seal_key() -> DhSecret {
    DhSecret::generate(&mut rng(1))
}

fn envelope(payload: &[u8]) -> Vec<u8> {
    encode(EnvelopeKind::Session, payload).unwrap()
}

fn sealed(envelope: &[u8], seed: u8) -> Vec<u8> {
    seal(&QUEUE, SEAL_ID, &seal_key().public(), alice(), envelope, &mut rng(seed)).unwrap()
}

fn open(bytes: &[u8]) -> Result<(PeerId, Vec<u8>), SealError> {
    SealedIn::decode(bytes)?.open(&seal_key())
}

#[test]
fn what_is_sealed_opens() {
    let envelope = envelope(b"payload");
    let bytes = sealed(&envelope, 2);
    assert_eq!(bytes.len(), envelope.len() + OVERHEAD);
    let decoded = SealedIn::decode(&bytes).unwrap();
    assert_eq!((decoded.queue(), decoded.seal_id()), (&QUEUE, SEAL_ID));
    assert_eq!(decoded.open(&seal_key()), Ok((alice(), envelope)));
    // ENV-14: the mailbox sees neither the sender nor the envelope.
    assert!(!bytes.windows(16).any(|window| window == &alice().key_bytes()[..16] || window == [0; 16]));
}

/// ENV-13: the same envelope, sealed again, looks like another.
#[test]
fn every_seal_has_a_key_of_its_own() {
    let envelope = envelope(b"payload");
    let (one, other) = (sealed(&envelope, 2), sealed(&envelope, 3));
    assert_ne!(one[25..57], other[25..57]);
    assert!(one[57..].iter().zip(&other[57..]).filter(|(a, b)| a == b).count() < 20);
}

#[test]
fn another_key_does_not_open_it() {
    let bytes = sealed(&envelope(b"payload"), 2);
    let other = DhSecret::generate(&mut rng(7));
    assert_eq!(SealedIn::decode(&bytes).unwrap().open(&other), Err(SealError::Authentication));
}

/// ENV-16: a point of low order gives zeros whatever the other key is.
#[test]
fn keys_of_low_order_are_refused() {
    let low = [[0; 32], {
        let mut one = [0; 32];
        one[0] = 1;
        one
    }];
    for point in low {
        let refused = seal(&QUEUE, SEAL_ID, &DhPublic(point), alice(), &envelope(b""), &mut rng(2));
        assert_eq!(refused, Err(SealError::Key));
        let mut bytes = sealed(&envelope(b""), 2);
        bytes[25..57].copy_from_slice(&point);
        assert_eq!(open(&bytes), Err(SealError::Key));
    }
}

/// ENV-11
#[test]
fn checks_have_an_order_and_errors_of_their_own() {
    let decode = |bytes: &[u8]| SealedIn::decode(bytes).map(drop);
    assert_eq!(decode(&vec![0xff; MAX_ENVELOPE + 1]), Err(SealError::TooLarge));
    assert_eq!(decode(&vec![0xff; MAX_ENVELOPE]), Err(SealError::UnknownVersion(0xff)));
    assert_eq!(decode(&[0]), Err(SealError::UnknownVersion(0)));
    assert_eq!(decode(&[]), Err(SealError::Malformed));
    let shortest = sealed(&envelope(b""), 2);
    assert_eq!(decode(&shortest), Ok(()));
    assert_eq!(decode(&shortest[..shortest.len() - 1]), Err(SealError::Malformed));
}

#[test]
fn the_largest_envelope_can_be_sealed_and_nothing_larger() {
    let largest = envelope(&vec![1; crate::base::limits::MAX_PAYLOAD]);
    assert_eq!(open(&sealed(&largest, 2)), Ok((alice(), largest)));
    let at_the_bound = vec![0; MAX_ENVELOPE - OVERHEAD];
    assert_eq!(open(&sealed(&at_the_bound, 2)), Ok((alice(), at_the_bound)));
    let beyond = vec![0; MAX_ENVELOPE - OVERHEAD + 1];
    let refused = seal(&QUEUE, SEAL_ID, &seal_key().public(), alice(), &beyond, &mut rng(2));
    assert_eq!(refused, Err(SealError::TooLarge));
}

proptest! {
    #[test]
    fn envelopes_come_back(payload in prop::collection::vec(any::<u8>(), 0..600), seed: u8) {
        let envelope = envelope(&payload);
        prop_assert_eq!(open(&sealed(&envelope, seed)), Ok((alice(), envelope)));
    }

    /// ENV-14: not one bit may change, of the header either.
    #[test]
    fn every_flipped_bit_is_refused(payload in prop::collection::vec(any::<u8>(), 0..99), at: prop::sample::Index, bit in 0..8_u8) {
        let mut bytes = sealed(&envelope(&payload), 2);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(open(&bytes).is_err(), "byte {} bit {}", at, bit);
    }

    #[test]
    fn arbitrary_bytes_do_not_open(mut bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Some(version) = bytes.first_mut() {
            *version = VERSION;
        }
        prop_assert!(open(&bytes).is_err());
    }
}

/// ENV-14, ENV-16: every bit of the header, the key `e` among them. The highest bit of `e` does not enter the
/// exchange (RFC 7748 masks it), so only the associated data and the derivation hold it.
#[test]
fn every_bit_of_the_header_is_bound() {
    let bytes = sealed(&envelope(b"payload"), 2);
    for at in 0..HEADER_LEN {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(open(&changed).is_err(), "byte {at} bit {bit}");
        }
    }
}
