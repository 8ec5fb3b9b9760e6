use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::testing::{bit_flips, counting, hex, rng};
use super::*;

/// Cheap, so that the tests are quick.
const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

fn phrase(text: &str) -> Passphrase {
    Passphrase::new(text.to_owned())
}

fn example() -> KeyMaterial {
    KeyMaterial { identity_seed: Secret::new(counting(0)), store_key: Secret::new(counting(32)) }
}

fn sealed() -> Vec<u8> {
    seal_key_file(&example(), Some(&phrase("correct horse")), CHEAP, &mut rng(1))
}

fn plain() -> Vec<u8> {
    seal_key_file(&example(), None, CHEAP, &mut rng(1))
}

/// A file whose checksum was made right again after something was changed: not damage, but malice.
fn tampered(file: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let (content, _) = file.split_at(file.len() - CHECKSUM_LEN);
    let mut content = content.to_vec();
    change(&mut content);
    let sum = checksum(&content, &[]);
    [content, sum.to_vec()].concat()
}

/// ID-40, ID-41: computed by another implementation.
#[test]
fn examples_of_the_specification() {
    let file = plain();
    assert_eq!(file.len(), 166);
    assert_eq!(file[134..], hex("9ccf92f933e179db1d73645bbc38b8fca9addd57c1f3127325c39815b5ea4a40"));
    assert_eq!(open_key_file(&file, None), Ok(example()));

    let file = hex("726f6872706f73742d6b657966696c650101000000400000000100000001404142434445464748494a4b4c4d4e4f\
                    505152535455565758595a5b5c5d5e5f60616263646566677b1ca60e3dcf637118cd7a951d7f4253c492c2c470b5\
                    9bcb267a53848d547dada2e5088f981328e00d23c423bc7b7aa182cee8c7bf9ffee1f8e7bf043b8d3e16238cd7e8\
                    5ec4bfd83d2dcba74d0f7edb55ec8b216d36c49fe6292f9c63473c55f676b204c0f839912f1a9675e4854203");
    assert_eq!(file.len(), 182);
    assert_eq!(open_key_file(&file, Some(&phrase("correct horse"))), Ok(example()));
}

#[test]
fn what_was_sealed_opens() {
    let material = KeyMaterial::generate(&mut rng(2));
    assert_ne!(material.identity_seed, material.store_key);
    for passphrase in [None, Some(phrase("")), Some(phrase("Größe ✉"))] {
        let file = seal_key_file(&material, passphrase.as_ref(), CHEAP, &mut rng(3));
        assert_eq!(key_file_needs_passphrase(&file), Ok(passphrase.is_some()));
        assert_eq!(open_key_file(&file, passphrase.as_ref()), Ok(material.clone()));
    }
    assert_eq!(open_key_file(&plain(), Some(&phrase("not needed"))), Ok(example()));
}

#[test]
fn files_made_with_the_default_cost_open() {
    let file = seal_key_file(&example(), Some(&phrase("a")), Cost::DEFAULT, &mut rng(4));
    assert_eq!(file[18..30], [0, 1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 4]);
    assert_eq!(open_key_file(&file, Some(&phrase("a"))), Ok(example()));
}

#[test]
fn a_sealed_file_holds_no_secret_and_never_the_same_bytes() {
    let (file, other) = (sealed(), seal_key_file(&example(), Some(&phrase("correct horse")), CHEAP, &mut rng(5)));
    let seed: [u8; 32] = counting(0);
    assert!(!file.windows(8).any(|w| seed.starts_with(w)));
    assert_ne!(file[30..70], other[30..70]);
    assert!(!format!("{:?}", example()).contains('1'));
}

#[test]
fn each_trouble_has_its_own_error() {
    assert_eq!(open_key_file(&sealed(), None), Err(KeyFileError::PassphraseNeeded));
    assert_eq!(open_key_file(&sealed(), Some(&phrase("Correct horse"))), Err(KeyFileError::WrongPassphrase));
    assert_eq!(open_key_file(b"", None), Err(KeyFileError::NotAKeyFile));
    assert_eq!(open_key_file(b"-----BEGIN OPENSSH PRIVATE KEY-----", None), Err(KeyFileError::NotAKeyFile));
    let newer = tampered(&sealed(), |file| file[16] = 2);
    assert_eq!(open_key_file(&newer, None), Err(KeyFileError::TooNew { version: 2 }));
    assert_eq!(key_file_needs_passphrase(&newer), Err(KeyFileError::TooNew { version: 2 }));
}

#[test]
fn each_trouble_has_a_hint_of_its_own() {
    let troubles = [
        KeyFileError::NotAKeyFile,
        KeyFileError::Damaged,
        KeyFileError::TooNew { version: 2 },
        KeyFileError::PassphraseNeeded,
        KeyFileError::WrongPassphrase,
        KeyFileError::TooExpensive { memory_kib: u32::MAX, passes: 1, lanes: 1 },
    ];
    let hints: BTreeSet<_> = troubles.iter().map(KeyFileError::hint).collect();
    assert_eq!(hints.len(), troubles.len());
    assert!(!hints.contains(""));
}

/// ID-42: without running Argon2id, which would take the memory.
#[test]
fn a_file_that_asks_for_too_much_is_refused() {
    let ask = |at: usize, value: u32| {
        let file = tampered(&sealed(), |file| file[at..at + 4].copy_from_slice(&value.to_be_bytes()));
        assert_eq!(key_file_needs_passphrase(&file).is_err(), value > 1024, "said before it is asked for");
        open_key_file(&file, Some(&phrase("correct horse")))
    };
    let too_expensive = |memory_kib, passes, lanes| Err(KeyFileError::TooExpensive { memory_kib, passes, lanes });
    assert_eq!(ask(18, 1024 * 1024 + 1), too_expensive(1024 * 1024 + 1, 1, 1));
    assert_eq!(ask(18, u32::MAX), too_expensive(u32::MAX, 1, 1));
    assert_eq!(ask(22, 1025), too_expensive(64, 1025, 1));
    assert_eq!(ask(26, u32::MAX), too_expensive(64, 1, u32::MAX));
    // Below what Argon2id is defined for.
    for at in [18, 22, 26] {
        assert_eq!(ask(at, 0), Err(KeyFileError::Damaged));
    }
}

/// ID-41: damage is told from a wrong passphrase.
#[test]
fn every_flipped_bit_is_noticed_before_the_passphrase_is_tried() {
    for file in [sealed(), plain()] {
        for flipped in bit_flips(&file) {
            let error = open_key_file(&flipped, Some(&phrase("correct horse"))).unwrap_err();
            assert!(
                matches!(error, KeyFileError::Damaged | KeyFileError::NotAKeyFile | KeyFileError::TooNew { .. }),
                "{error:?}"
            );
        }
    }
}

/// ID-43: who makes the checksum right again still fails at the seal, header and all.
#[test]
fn every_tampered_bit_is_noticed_by_the_seal() {
    let file = sealed();
    for bit in 0..(file.len() - CHECKSUM_LEN) * 8 {
        // The high bytes of memory and passes: within the bounds, but slow; refused or run elsewhere.
        if (18 * 8..26 * 8).contains(&bit) && bit / 8 % 4 != 1 {
            continue;
        }
        let file = tampered(&file, |content| content[bit / 8] ^= 1 << (bit % 8));
        assert!(open_key_file(&file, Some(&phrase("correct horse"))).is_err(), "bit {bit}");
    }
}

#[test]
fn every_other_length_is_refused() {
    for file in [sealed(), plain()] {
        for len in 0..file.len() {
            assert!(open_key_file(&file[..len], Some(&phrase("correct horse"))).is_err(), "{len}");
        }
        let longer = [&file[..], &[0]].concat();
        assert_eq!(open_key_file(&longer, None), Err(KeyFileError::Damaged));
    }
}

/// ID-40: what a plain file does not use is zero.
#[test]
fn a_plain_file_has_one_form() {
    for at in 18..70 {
        assert_eq!(open_key_file(&tampered(&plain(), |file| file[at] = 1), None), Err(KeyFileError::Damaged));
    }
    assert_eq!(open_key_file(&tampered(&plain(), |file| file[17] = 2), None), Err(KeyFileError::Damaged));
    assert_eq!(open_key_file(&tampered(&plain(), |file| file[16] = 0), None), Err(KeyFileError::Damaged));
}

#[test]
fn a_cost_out_of_bounds_is_brought_inside() {
    assert_eq!(bounded(Cost { memory_kib: 0, passes: 0, lanes: 0 }), Cost { memory_kib: 8, passes: 1, lanes: 1 });
    assert_eq!(
        bounded(Cost { memory_kib: u32::MAX, passes: u32::MAX, lanes: u32::MAX }),
        Cost { memory_kib: MAX_MEMORY_KIB, passes: MAX_PASSES, lanes: MAX_LANES }
    );
    assert_eq!(bounded(Cost::DEFAULT), Cost::DEFAULT);
    for lanes in [0, 4] {
        let least = Cost { memory_kib: 0, passes: 0, lanes };
        let file = seal_key_file(&example(), Some(&phrase("a")), least, &mut rng(6));
        assert_eq!(open_key_file(&file, Some(&phrase("a"))), Ok(example()));
    }
}

proptest! {
    #[test]
    fn any_bytes_open_or_are_refused(
        version in 0u8..3,
        protection in 0u8..3,
        rest in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let file = [&MAGIC[..], &[version, protection], &rest].concat();
        prop_assert!(open_key_file(&file, None).is_err());
        prop_assert!(open_key_file(&rest, None).is_err());
    }
}
