use proptest::prelude::*;

use crate::base::limits::MIN_ENVELOPE;

use super::*;

const KINDS: [EnvelopeKind; 3] = [EnvelopeKind::Session, EnvelopeKind::FirstContact, EnvelopeKind::Group];

fn well_formed(len: usize) -> Vec<u8> {
    encode(EnvelopeKind::Session, &vec![0xaa; len]).unwrap()
}

/// The layout, byte by byte (envelope.md, "Layout").
#[test]
fn the_bytes_are_those_of_the_specification() {
    let mut expected = vec![0; MIN_ENVELOPE];
    expected[..9].copy_from_slice(&[1, 2, 0, 0, 0, 3, b'a', b'b', b'c']);
    assert_eq!(encode(EnvelopeKind::FirstContact, b"abc").unwrap(), expected);
    assert_eq!(decode(&expected), Ok(Envelope { kind: EnvelopeKind::FirstContact, payload: b"abc" }));
}

/// ENV-1: what is checked first is told first.
#[test]
fn checks_have_an_order_and_errors_of_their_own() {
    // Too large, and everything else wrong.
    assert_eq!(decode(&vec![0xff; MAX_ENVELOPE + 1]), Err(WireError::TooLarge));
    assert_eq!(decode(&vec![0xff; MAX_ENVELOPE]), Err(WireError::UnknownVersion(0xff)));
    assert_eq!(decode(&[2]), Err(WireError::UnknownVersion(2)));
    assert_eq!(decode(&[0, 1]), Err(WireError::UnknownVersion(0)));
    assert_eq!(decode(&[1, 0]), Err(WireError::UnknownKind(0)));
    assert_eq!(decode(&[1, 4, 0xff, 0xff, 0xff, 0xff]), Err(WireError::UnknownKind(4)));
    assert_eq!(decode(&[1, 1, 0xff, 0xff, 0xff, 0xff]), Err(WireError::TooLarge));
    for short in [&[][..], &[1], &[1, 1], &[1, 1, 0, 0, 0], &[1, 1, 0, 0, 0, 1]] {
        assert_eq!(decode(short), Err(WireError::Malformed), "{short:?}");
    }
}

/// ENV-3
#[test]
fn the_payload_is_bounded() {
    let largest = well_formed(MAX_PAYLOAD);
    assert!(largest.len() <= MAX_ENVELOPE);
    assert_eq!(decode(&largest).unwrap().payload.len(), MAX_PAYLOAD);
    assert_eq!(encode(EnvelopeKind::Session, &vec![0; MAX_PAYLOAD + 1]), Err(WireError::TooLarge));
    let mut beyond = vec![0; padding::padded_len(HEADER_LEN + MAX_PAYLOAD + 1)];
    beyond[..6].copy_from_slice(&[1, 1, 0, 1, 0, 1]);
    assert_eq!(decode(&beyond), Err(WireError::TooLarge));
}

/// ENV-4
#[test]
fn every_byte_of_padding_is_zero() {
    let envelope = well_formed(100);
    for at in HEADER_LEN + 100..envelope.len() {
        let mut bad = envelope.clone();
        bad[at] = 1;
        assert_eq!(decode(&bad), Err(WireError::Malformed), "byte {at}");
    }
}

/// ENV-5
#[test]
fn more_or_less_padding_is_refused() {
    for len in [0, 100, 300, 5000] {
        let mut longer = well_formed(len);
        longer.push(0);
        assert_eq!(decode(&longer), Err(WireError::Malformed), "{len}");
        let shorter = well_formed(len);
        assert_eq!(decode(&shorter[..shorter.len() - 1]), Err(WireError::Malformed), "{len}");
    }
    // As long as another payload's envelope would be.
    let mut longer = well_formed(100);
    longer.resize(padding::padded_len(1000), 0);
    assert_eq!(decode(&longer), Err(WireError::Malformed));
}

/// Padmé, written down as its definition reads: the least number not below `len` whose binary form has
/// so many zeros at its end as the exponent of `len` has bits more than that exponent's own length.
fn naive_padded_len(len: usize) -> usize {
    if len <= 256 {
        return 256;
    }
    let bits = |mut n: usize| {
        let mut bits = 0;
        while n > 0 {
            n /= 2;
            bits += 1;
        }
        bits
    };
    let exponent = bits(len) - 1;
    let zeros = exponent - bits(exponent);
    let step = (0..zeros).fold(1, |step, _| step * 2);
    (len..).find(|n| n % step == 0).unwrap()
}

#[test]
fn padding_is_padme_above_the_smallest_envelope() {
    for (len, padded) in [(0, 256), (256, 256), (257, 272), (272, 272), (273, 288), (1025, 1088), (65_542, 67_584)] {
        assert_eq!(padding::padded_len(len), padded, "{len}");
    }
    for len in 0..20_000 {
        assert_eq!(padding::padded_len(len), naive_padded_len(len), "{len}");
    }
}

proptest! {
    #[test]
    fn padding_matches_the_reference(len in 0..MAX_ENVELOPE) {
        let padded = padding::padded_len(len);
        prop_assert_eq!(padded, naive_padded_len(len));
        // At most 12 % more, and idempotent.
        prop_assert!(padded <= 256 || padded * 100 <= len * 112, "{} {}", len, padded);
        prop_assert_eq!(padding::padded_len(padded), padded);
    }

    #[test]
    fn payloads_come_back(kind in prop::sample::select(&KINDS), payload in prop::collection::vec(any::<u8>(), 0..3000)) {
        let bytes = encode(kind, &payload).unwrap();
        prop_assert_eq!(decode(&bytes), Ok(Envelope { kind, payload: &payload }));
    }

    /// What is accepted has one form only; nothing panics.
    #[test]
    fn arbitrary_bytes(mut bytes in prop::collection::vec(any::<u8>(), 0..600), plausible: bool, len: u16) {
        if plausible && let Some(head) = bytes.first_chunk_mut::<6>() {
            let len = (len % 700).to_be_bytes();
            *head = [1, 1 + head[1] % 3, 0, 0, len[0], len[1]];
        }
        if let Ok(Envelope { kind, payload }) = decode(&bytes) {
            prop_assert_eq!(encode(kind, payload).unwrap(), bytes);
        }
    }

    #[test]
    fn ids_differ_with_any_bit(payload in prop::collection::vec(any::<u8>(), 1..400), at: prop::sample::Index, bit in 0..8_u8) {
        let mut other = payload.clone();
        other[at.index(payload.len())] ^= 1 << bit;
        let id = |payload: &[u8]| envelope_id(&encode(EnvelopeKind::Session, payload).unwrap());
        prop_assert_ne!(id(&payload), id(&other));
    }
}
