use proptest::prelude::*;

use super::super::testing::{NOW, alice, bit_flips, bob, cbor, counting, hex, rng};
use super::*;
use crate::base::{Millis, Secret};
use crate::crypto::hash::sha256;

/// The example of the specification.
fn example() -> OneTimeKeys {
    OneTimeKeys {
        id: PrekeyId(0x0123_4567_89ab_cdef),
        dh: DhSecret::from_bytes(Secret::new([0x55; 32])),
        kem: KemSecret::from_seed(Secret::new(counting(0))),
        expires: NOW + ONE_TIME_LIFE,
    }
}

/// ID-29: neither a counter nor shorter than it says.
#[test]
fn names_of_prekeys_are_random() {
    let mut rng = rng(29);
    let names: Vec<u64> = (0..100).map(|_| OneTimeKeys::generate(&mut rng, NOW).id.0).collect();
    assert!(
        (0..64)
            .all(|bit| names.iter().any(|name| name >> bit & 1 == 1) && names.iter().any(|name| name >> bit & 1 == 0))
    );
    let card = CardKeys::generate(&mut rng);
    let all = [&names[..], &[card.prekey_id.0, card.kem_id.0, card.seal_id.0]].concat();
    let distinct: std::collections::BTreeSet<&u64> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}

/// ID-30: computed by another implementation.
#[test]
fn example_of_the_specification() {
    let bytes = example().sign(&alice());
    assert_eq!(bytes.len(), 1351);
    assert_eq!(sha256(&[&bytes])[..], hex("f1658c02e850fa03e303bd4de3bac25d092628a9ffe6ca3a8bdf6e9f0e75a502"));
}

#[test]
fn what_the_owner_signs_a_peer_verifies() {
    let keys = OneTimeKeys::generate(&mut rng(1), NOW);
    let prekey = OneTimePrekeyIn::decode(&keys.sign(&alice())).unwrap().verify(alice().public(), NOW).unwrap();
    let expected =
        OneTimePrekey { id: keys.id, dh: keys.dh.public(), kem: keys.kem.public(), expires: NOW + ONE_TIME_LIFE };
    assert_eq!(prekey, expected);
}

/// ID-14, ID-15.
#[test]
fn another_owner_and_a_late_use_are_refused() {
    let bytes = example().sign(&alice());
    let verify = |key: &IdentityKeypair, now| OneTimePrekeyIn::decode(&bytes).unwrap().verify(key.public(), now);
    assert_eq!(verify(&bob(), NOW), Err(RecordError::WrongOwner));
    let expires = example().expires;
    assert!(verify(&alice(), expires - Millis(1)).is_ok());
    assert_eq!(verify(&alice(), expires), Err(RecordError::Expired));
}

/// ID-14: a signature under another label, or by another key over the owner's name, does not count.
#[test]
fn a_foreign_label_or_key_is_refused() {
    let bytes = example().sign(&alice());
    let body = &OneTimePrekeyIn::decode(&bytes).unwrap().unverified.frame.body;
    for forged in [record::sign(&alice(), "rohrpost/identity/card/v1", body), record::sign(&bob(), LABEL, body)] {
        let result = OneTimePrekeyIn::decode(&forged).unwrap().verify(alice().public(), NOW);
        assert_eq!(result, Err(RecordError::Signature));
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = example().sign(&alice());
    for flipped in bit_flips(&bytes) {
        assert!(OneTimePrekeyIn::decode(&flipped).and_then(|p| p.verify(alice().public(), NOW)).is_err());
    }
}

/// ID-10 to ID-13, ID-16, ID-30.
#[test]
fn other_forms_are_refused() {
    let keys = example();
    let decode = |version: u64, kem: &[u8], more: &[u8]| {
        let body = cbor(|w| {
            w.map(FIELDS + usize::from(!more.is_empty())).put(0u8).put(version);
            w.put(1u8).bytes(alice().peer_id().key_bytes()).put(2u8).put(keys.id.0);
            w.put(3u8).bytes(&keys.dh.public().0).put(4u8).bytes(kem).put(5u8).put(keys.expires.0)
        });
        OneTimePrekeyIn::decode(&record::sign(&alice(), LABEL, &[&body, more].concat())).map(|_| ())
    };
    let kem = keys.kem.public();
    assert_eq!(decode(1, kem.as_bytes(), &[]), Ok(()));
    assert_eq!(decode(1, kem.as_bytes(), &hex("182041aa")), Ok(()), "an extension");
    assert!(decode(1, kem.as_bytes(), &hex("0641aa")).is_err(), "an unknown field");
    assert!(decode(1, kem.as_bytes(), &hex("182041aa00")).is_err(), "trailing bytes");
    assert_eq!(decode(2, kem.as_bytes(), &[]), Err(RecordError::UnknownVersion(2)));
    assert_eq!(decode(1, &[0xff; 1184], &[]), Err(RecordError::Malformed("not an ML-KEM-768 key")));
    let large = vec![0; MAX_ONE_TIME_PREKEY + 1];
    assert!(matches!(OneTimePrekeyIn::decode(&large), Err(RecordError::TooLarge { .. })));
}

#[test]
fn rows_carry_the_secret_parts_and_debug_does_not() {
    let (card, pair) = (CardKeys::generate(&mut rng(2)), OneTimeKeys::generate(&mut rng(3), NOW));
    let row = postcard::to_allocvec(&(&card, &pair)).unwrap();
    assert_eq!(postcard::from_bytes::<(CardKeys, OneTimeKeys)>(&row).unwrap(), (card.clone(), pair.clone()));
    let shown = format!("{card:?} {pair:?}");
    assert_eq!(shown.matches("(redacted)").count(), 5, "{shown}");
    let ids = [card.prekey_id, card.kem_id, card.seal_id, pair.id];
    assert!((1..4).all(|i| !ids[..i].contains(&ids[i])));
}

proptest! {
    #[test]
    fn damage_never_panics(at in 0usize..1351, with in proptest::collection::vec(any::<u8>(), 0..8), cut in 0usize..1400) {
        let mut bytes = example().sign(&alice());
        let end = (at + with.len()).min(bytes.len());
        bytes.splice(at..end, with);
        bytes.truncate(cut);
        if let Ok(prekey) = OneTimePrekeyIn::decode(&bytes).and_then(|p| p.verify(alice().public(), NOW)) {
            prop_assert_eq!(prekey.id, example().id);
        }
    }
}
