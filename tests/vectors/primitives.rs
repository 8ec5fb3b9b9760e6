//! Wycheproof and RFC vectors through the faces in `rohrpost::crypto`: the primitives of SES-1.
//!
//! Where a face takes arrays, a vector of another length is refused by the type: the tests count it
//! as a refusal, and assert that the vector asks for one.

use std::collections::BTreeMap;
use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};
use rohrpost::base::Secret;
use rohrpost::crypto::CryptoError;
use rohrpost::crypto::aead::{self, TAG_LEN};
use rohrpost::crypto::dh::{DhPublic, DhSecret};
use rohrpost::crypto::hash::{sha256, sha512};
use rohrpost::crypto::kdf::{hkdf, hkdf_parts, hmac};
use rohrpost::crypto::kem::{KemCiphertext, KemPublic, KemSecret};
use rohrpost::crypto::password::{Cost, MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES, Passphrase, derive};
use rohrpost::crypto::sign::{Signature, SigningKey, VerifyingKey};
use wycheproof::TestResult::{Acceptable, Invalid, Valid};
use wycheproof::{aead as wy_aead, eddsa, hkdf as wy_hkdf, mac, mlkem, xdh};

/// What the vectors ask for, and how many of each there were.
type Tally = BTreeMap<&'static str, usize>;

fn count(tally: &mut Tally, what: &'static str) {
    *tally.entry(what).or_default() += 1;
}

#[test]
fn x25519() {
    let mut tally = Tally::new();
    for group in xdh::TestSet::load(xdh::TestName::X25519).unwrap().test_groups {
        for test in group.tests {
            let secret = DhSecret::from_bytes(Secret::new(test.private_key[..].try_into().unwrap()));
            let public = DhPublic(test.public_key[..].try_into().unwrap());
            let shared = secret.exchange(&public);
            if test.flags.contains(&xdh::TestFlag::ZeroSharedSecret) {
                // "Acceptable" to RFC 7748; we refuse a result to which the other side did not contribute.
                assert_eq!((test.result, shared), (Acceptable, Err(CryptoError::NonContributory)), "{}", test.tc_id);
                count(&mut tally, "non-contributory");
            } else {
                // Points on the twist and encodings of u ≥ p are "acceptable" too; RFC 7748 defines their result.
                assert_eq!(shared.unwrap().expose()[..], test.shared_secret[..], "{}", test.tc_id);
                count(&mut tally, "agrees");
            }
        }
    }
    assert_eq!(tally, Tally::from([("agrees", 487), ("non-contributory", 31)]));
}

#[test]
fn ed25519_verifies_strictly() {
    let mut tally = Tally::new();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        // Every key of this set is sound, so that it is the signature which decides.
        let key = VerifyingKey::from_bytes(group.key.pk[..].try_into().unwrap()).unwrap();
        for test in group.tests {
            let accepted = match <[u8; 64]>::try_from(&test.sig[..]) {
                Ok(signature) => key.verify(&test.msg, &Signature(signature)).is_ok(),
                Err(_) => {
                    count(&mut tally, "wrong length");
                    false
                }
            };
            // There is no "acceptable" vector in this set: strict verification differs from none of them.
            assert_eq!(accepted, test.result == Valid, "{}: {}", test.tc_id, test.comment);
            assert_ne!(test.result, Acceptable);
            count(&mut tally, if accepted { "verifies" } else { "refused" });
        }
    }
    assert_eq!(tally, Tally::from([("verifies", 88), ("refused", 63), ("wrong length", 12)]));
}

#[test]
fn ed25519_signs_as_rfc_8032_section_7_1() {
    let cases = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555\
             fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da0\
             85ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac1\
             8ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];
    for (seed, public, message, signature) in cases {
        let key = SigningKey::from_seed(&Secret::new(hex(seed).try_into().unwrap()));
        assert_eq!(key.public_bytes()[..], hex(public));
        assert_eq!(key.sign(&hex(message)).0[..], hex(signature));
    }
}

type Seal<const N: usize> = fn(&Secret<32>, &[u8; N], &[u8], &[u8]) -> Vec<u8>;
type Open<const N: usize> = fn(&Secret<32>, &[u8; N], &[u8], &[u8]) -> Result<Vec<u8>, CryptoError>;

fn run_aead<const N: usize>(name: wy_aead::TestName, seal: Seal<N>, open: Open<N>) -> Tally {
    let mut tally = Tally::new();
    for group in wy_aead::TestSet::load(name).unwrap().test_groups {
        assert_eq!((group.key_size, group.tag_size), (256, 8 * TAG_LEN));
        for test in group.tests {
            let key = Secret::new(test.key[..].try_into().unwrap());
            let Ok(nonce) = <[u8; N]>::try_from(&test.nonce[..]) else {
                assert_eq!(test.result, Invalid, "{}", test.tc_id);
                count(&mut tally, "nonce length refused");
                continue;
            };
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let opened = open(&key, &nonce, &sealed, &test.aad);
            match test.result {
                Valid => {
                    assert_eq!(opened.unwrap(), test.pt[..], "{}", test.tc_id);
                    assert_eq!(seal(&key, &nonce, &test.pt, &test.aad), sealed, "{}", test.tc_id);
                    count(&mut tally, "opens and seals");
                }
                Invalid => {
                    assert_eq!(opened, Err(CryptoError::Authentication), "{}", test.tc_id);
                    count(&mut tally, "refused");
                }
                Acceptable => panic!("{}: none is known", test.tc_id),
            }
        }
    }
    tally
}

#[test]
fn chacha20_poly1305() {
    let tally = run_aead::<12>(wy_aead::TestName::ChaCha20Poly1305, aead::seal, aead::open);
    assert_eq!(tally, Tally::from([("opens and seals", 256), ("refused", 60), ("nonce length refused", 9)]));
}

#[test]
fn xchacha20_poly1305() {
    let tally = run_aead::<24>(wy_aead::TestName::XChaCha20Poly1305, aead::xseal, aead::xopen);
    assert_eq!(tally, Tally::from([("opens and seals", 246), ("refused", 60), ("nonce length refused", 9)]));
}

#[test]
fn hkdf_sha256() {
    /// The longest output; beyond it our face does not compile.
    const LONGEST: usize = 255 * 32;
    let mut tally = Tally::new();
    for group in wy_hkdf::TestSet::load(wy_hkdf::TestName::HkdfSha256).unwrap().test_groups {
        for test in group.tests {
            if test.size > LONGEST {
                assert_eq!(test.result, Invalid, "{}", test.tc_id);
                count(&mut tally, "too long");
                continue;
            }
            assert_eq!(test.result, Valid, "{}", test.tc_id);
            // HKDF's outputs are prefixes of one another, so that one constant length serves all.
            let okm = hkdf::<LONGEST>(&test.salt, &test.ikm, &test.info);
            assert_eq!(okm.expose()[..test.size], test.okm[..], "{}", test.tc_id);
            let (head, tail) = test.info.split_at(test.info.len() / 2);
            assert_eq!(hkdf_parts::<LONGEST>(&test.salt, &test.ikm, &[head, tail]), okm, "{}", test.tc_id);
            count(&mut tally, "agrees");
        }
    }
    assert_eq!(tally, Tally::from([("agrees", 83), ("too long", 3)]));
}

#[test]
fn hmac_sha256() {
    let mut tally = Tally::new();
    for group in mac::TestSet::load(mac::TestName::HmacSha256).unwrap().test_groups {
        for test in group.tests {
            let computed = hmac(&test.key, &[&test.msg]);
            // Some groups truncate the tag.
            let same = computed.expose()[..group.tag_size / 8] == test.tag[..];
            assert_eq!(same, test.result == Valid, "{}", test.tc_id);
            count(&mut tally, if same { "agrees" } else { "differs" });
        }
    }
    assert_eq!(tally, Tally::from([("agrees", 66), ("differs", 108)]));
}

#[test]
fn ml_kem_768_key_generation() {
    let mut tally = Tally::new();
    for test in kem_tests(mlkem::TestName::MlKem768KeyGenSeed) {
        let secret = KemSecret::from_seed(Secret::new(test.seed.unwrap()[..].try_into().unwrap()));
        assert_eq!(test.result, Valid);
        assert_eq!(secret.public().as_bytes()[..], test.encaps_key.unwrap()[..], "{}", test.tc_id);
        count(&mut tally, "agrees");
    }
    assert_eq!(tally, Tally::from([("agrees", 100)]));
}

#[test]
fn ml_kem_768_encapsulation() {
    let mut tally = Tally::new();
    for test in kem_tests(mlkem::TestName::MlKem768Encaps) {
        let ek = test.encaps_key.unwrap();
        match (KemPublic::from_bytes(&ek), test.result) {
            (Ok(public), Valid) => {
                let (ct, shared) = public.encapsulate(&mut Fixed(test.msg.unwrap().to_vec()));
                assert_eq!(ct.as_bytes()[..], test.ct.unwrap()[..], "{}", test.tc_id);
                assert_eq!(shared.expose()[..], test.shared_secret.unwrap()[..], "{}", test.tc_id);
                count(&mut tally, "agrees");
            }
            (Err(CryptoError::InvalidKey), Invalid) if ek.len() == 1184 => count(&mut tally, "modulus refused"),
            (Err(CryptoError::InvalidKey), Invalid) => count(&mut tally, "length refused"),
            (key, expected) => panic!("{}: {key:?}, expected {expected:?}", test.tc_id),
        }
    }
    assert_eq!(tally, Tally::from([("agrees", 133), ("modulus refused", 112), ("length refused", 20)]));
}

#[test]
fn ml_kem_768_decapsulation() {
    let mut tally = Tally::new();
    for test in kem_tests(mlkem::TestName::MlKem768) {
        let Ok(seed) = <[u8; 64]>::try_from(&test.seed.unwrap()[..]) else {
            assert_eq!(test.result, Invalid, "{}", test.tc_id);
            count(&mut tally, "seed length refused");
            continue;
        };
        let secret = KemSecret::from_seed(Secret::new(seed));
        let Ok(ct) = KemCiphertext::from_bytes(&test.ct.unwrap()) else {
            assert_eq!(test.result, Invalid, "{}", test.tc_id);
            count(&mut tally, "ciphertext length refused");
            continue;
        };
        // A malleated ciphertext is "valid": it decapsulates to the secret of implicit rejection.
        assert_eq!(test.result, Valid, "{}: {}", test.tc_id, test.comment);
        assert_eq!(secret.public().as_bytes()[..], test.encaps_key.unwrap()[..], "{}", test.tc_id);
        assert_eq!(secret.decapsulate(&ct).expose()[..], test.shared_secret.unwrap()[..], "{}", test.tc_id);
        count(&mut tally, "agrees");
    }
    assert_eq!(tally, Tally::from([("agrees", 161), ("seed length refused", 20), ("ciphertext length refused", 20)]));
}

#[test]
fn sha_2_of_fips_180_4() {
    let abc = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(sha256(&[b"abc"])[..], abc);
    assert_eq!(sha256(&[b"a", b"", b"bc"])[..], abc);
    assert_eq!(
        sha512(&[b"ab", b"c"])[..],
        hex("ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f")
    );
}

/// Wycheproof has no Argon2id, and RFC 9106's vector needs a secret and associated data, which we do
/// not use: these outputs come from OpenSSL's implementation.
#[test]
fn argon2id_agrees_with_openssl() {
    let cases = [
        ("password", (64 * 1024, 3, 4), "81db97a7e67a891784a2599bc879f957cb3512d273984bd97d8a18fc59ff01e2"),
        ("password", (64, 1, 1), "e793d64ef75d58f503d4631b2b149f7f80127c5f3993d89b1c9b781e51d0b413"),
        ("Größe ✉", (256, 2, 4), "600fb2ef42ddbd8cdb8b1a947f71b167220ed55c32bb1abd177eb1622bcf2030"),
    ];
    for (passphrase, (memory_kib, passes, lanes), expected) in cases {
        let cost = Cost { memory_kib, passes, lanes };
        let key = derive(&Passphrase::new(passphrase.into()), b"somesaltsomesalt", cost).unwrap();
        assert_eq!(key.expose()[..], hex(expected), "{cost:?}");
    }
}

#[test]
fn argon2id_refuses_what_would_be_an_attack() {
    let base = Cost { memory_kib: 64, passes: 1, lanes: 1 };
    let refused = [
        Cost { memory_kib: MAX_MEMORY_KIB + 1, ..base },
        Cost { passes: MAX_PASSES + 1, ..base },
        Cost { lanes: MAX_LANES + 1, memory_kib: MAX_MEMORY_KIB, ..base },
        Cost { memory_kib: 0, ..base },
        Cost { passes: 0, ..base },
        Cost { lanes: 0, ..base },
        // Fewer than 8 KiB a lane.
        Cost { memory_kib: 8 * 4 - 1, lanes: 4, ..base },
    ];
    for cost in refused {
        assert_eq!(
            derive(&Passphrase::new("password".into()), &[0; 16], cost),
            Err(CryptoError::PasswordParams),
            "{cost:?}"
        );
    }
}

fn kem_tests(name: mlkem::TestName) -> impl Iterator<Item = mlkem::Test> {
    let set = mlkem::TestSet::load(name).unwrap();
    assert!(set.test_groups.iter().all(|g| g.parameter_set == mlkem::MlKemParameterSet::MlKem768));
    set.test_groups.into_iter().flat_map(|group| group.tests)
}

/// A random source that gives exactly these bytes: the encapsulation's `m`.
struct Fixed(Vec<u8>);

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("only bytes are asked for")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("only bytes are asked for")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        out.copy_from_slice(&self.0);
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

fn hex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0);
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}
