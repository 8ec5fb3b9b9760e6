use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use ed25519_dalek::Verifier;
use proptest::prelude::*;

use super::super::testing::{alice, bit_flips, bob, counting, hex, rng};
use super::*;
use crate::base::Secret;
use crate::crypto::hash::sha512;
use crate::identity::IdentityKeypair;

const LABEL: &str = "rohrpost/identity/example/v1";

fn check(bytes: [u8; 32]) -> Result<IdentityKey, IdentityError> {
    IdentityKey::from_peer_id(PeerId::from_key_bytes(bytes))
}

/// The examples of the specification (ID-1, ID-3, ID-4), computed by another implementation.
#[test]
fn examples_of_the_specification() {
    let (alice, bob) = (alice(), bob());
    assert_eq!(alice.peer_id().to_string(), "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB");
    assert_eq!(bob.peer_id().to_string(), "12D3KooWCd3eX8r5ihRvzK7P1yPq5aakaBJhG5GNj18YTztPhoCa");
    let dh = hex("4701d08488451f545a409fb58ae3e58581ca40ac3f7f114698cd71deac73ca01");
    assert_eq!(alice.public().dh_public().0[..], dh);
    let signature = hex("95ecd1fa8a1aa1c9fa0ac762d377291fffdf6a8631e510e0ad7127a15f012b29\
                         0e167f25c6229911eb63c5e36946fd6d600159d299d04f6ed0430ede5242a70f");
    assert_eq!(alice.sign(LABEL, b"message").0[..], signature);
}

/// ID-3.
#[test]
fn the_key_for_exchange_is_the_same_key() {
    for pair in [alice(), bob(), IdentityKeypair::generate(&mut rng(1))] {
        assert_eq!(pair.dh_secret().public(), pair.public().dh_public());
    }
    let (alice, bob) = (alice(), bob());
    let shared = alice.dh_secret().exchange(&bob.public().dh_public()).unwrap();
    assert_eq!(shared, bob.dh_secret().exchange(&alice.public().dh_public()).unwrap());
}

#[test]
fn a_keypair_comes_back_from_its_seed_and_shows_no_secret() {
    let pair = IdentityKeypair::generate(&mut rng(2));
    let again = IdentityKeypair::from_seed(&pair.seed());
    assert_eq!((again.public(), again.seed()), (pair.public(), pair.seed()));
    assert_eq!(alice().seed(), Secret::new(counting(0)));
    assert_eq!(format!("{:?}", alice()), "IdentityKeypair(…HYdBfeSB, redacted)");
    assert_eq!(format!("{:?}", alice().public()), "IdentityKey(…HYdBfeSB)");
}

/// ID-2: points of low order.
#[test]
fn weak_keys_are_refused() {
    for point in EIGHT_TORSION {
        let mut bytes = point.compress().to_bytes();
        assert_eq!(check(bytes), Err(IdentityError::UnsoundKey), "{point:?}");
        bytes[31] ^= 0x80;
        assert_eq!(check(bytes), Err(IdentityError::UnsoundKey), "{point:?} with the other sign");
    }
}

/// ID-2: a sound key with a torsion component verifies under half of the libraries, and names a second peer.
#[test]
fn keys_with_a_torsion_component_are_refused() {
    let sound = CompressedEdwardsY(*alice().peer_id().key_bytes()).decompress().unwrap();
    for (i, torsion) in EIGHT_TORSION.iter().enumerate() {
        let mixed = check((sound + torsion).compress().to_bytes());
        assert_eq!(mixed.is_ok(), i == 0, "torsion point {i}");
    }
}

/// ID-2: `y ≥ p`, and a sign bit where `x = 0`. None of these points is of prime order, so that the check of
/// the encoding refuses nothing that the others would let pass; it spares the next reader that proof.
#[test]
fn encodings_that_are_not_canonical_are_refused() {
    let mut on_curve = 0;
    for above in 0..19u8 {
        for sign in [0x7f, 0xff] {
            // p = 2²⁵⁵ − 19, little endian: ed ff … ff 7f.
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (0xed + above, sign);
            if let Some(point) = CompressedEdwardsY(bytes).decompress() {
                on_curve += 1;
                assert!(!point.is_torsion_free() || point.is_small_order());
            }
            assert_eq!(check(bytes), Err(IdentityError::UnsoundKey), "p + {above}");
        }
    }
    assert_eq!(on_curve, 24, "most of them are points, whom a lenient decoder takes");
}

/// ID-4, ID-5.
#[test]
fn a_signature_holds_for_its_label_message_and_key_only() {
    let (alice, bob) = (alice(), bob());
    let signature = alice.sign(LABEL, b"message");
    let verify =
        |key: &IdentityKey, label, message: &[u8], signature: &Signature| key.verify(label, message, signature);
    assert_eq!(verify(alice.public(), LABEL, b"message", &signature), Ok(()));
    let refused = Err(IdentityError::Signature);
    assert_eq!(verify(bob.public(), LABEL, b"message", &signature), refused);
    assert_eq!(verify(alice.public(), LABEL, b"messagf", &signature), refused);
    assert_eq!(verify(alice.public(), "rohrpost/identity/other/v1", b"message", &signature), refused);
    let bare = crate::crypto::sign::SigningKey::from_seed(&alice.seed()).sign(b"message");
    assert_eq!(verify(alice.public(), LABEL, b"message", &bare), refused, "a signature without a label");
    // The label ends where it ends.
    let shifted = alice.sign("rohrpost/identity/example/v", b"1message");
    assert_eq!(verify(alice.public(), LABEL, b"message", &shifted), refused);
    for flipped in bit_flips(&signature.0) {
        let flipped = Signature(flipped.try_into().unwrap());
        assert_eq!(verify(alice.public(), LABEL, b"message", &flipped), refused);
    }
}

/// ID-5: with `R` the neutral point and `S = k·a` the equation holds, and everybody but a strict verifier accepts.
#[test]
fn a_signature_with_a_small_order_r_is_refused() {
    let alice = alice();
    let message = labelled(LABEL, b"message");
    let r = curve25519_dalek::EdwardsPoint::identity().compress().to_bytes();
    let k = Scalar::from_bytes_mod_order_wide(&sha512(&[&r, alice.peer_id().key_bytes(), &message]));
    let seed = ed25519_dalek::SigningKey::from_bytes(alice.seed().expose());
    let s = k * seed.to_scalar();
    let forged: [u8; 64] = [r, s.to_bytes()].concat().try_into().unwrap();

    let lax = seed.verifying_key().verify(&message, &ed25519_dalek::Signature::from_bytes(&forged));
    assert!(lax.is_ok(), "the equation holds");
    assert_eq!(alice.public().verify(LABEL, b"message", &Signature(forged)), Err(IdentityError::Signature));
}

proptest! {
    #[test]
    fn any_bytes_are_one_key_or_none(bytes: [u8; 32]) {
        if let Ok(key) = check(bytes) {
            prop_assert_eq!(*key.peer_id().key_bytes(), bytes);
        }
    }
}
