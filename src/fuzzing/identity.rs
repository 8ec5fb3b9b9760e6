//! Cards, one-time prekeys, key files, links, and the texts of IDs and numbers.

use super::{Bytes, rng};
use crate::base::{PeerId, Secret, WallTime};
use crate::crypto::password::{Cost, Passphrase};
use crate::crypto::sign::Signature;
use crate::identity::fuzzing::{checked_link, right_checksum, signed_card, signed_prekey};
use crate::identity::{
    CardIn, IdentityKey, IdentityKeypair, KeyMaterial, Link, OneTimePrekeyIn, RecordError, SafetyNumber,
    key_file_needs_passphrase, open_key_file, safety_number, seal_key_file,
};

/// When nothing has expired.
const NOW: WallTime = WallTime(0);
/// What Argon2id is tried with: more would be a test of patience.
const SMALL: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

/// The peer whose cards these are.
pub(super) fn owner() -> IdentityKeypair {
    IdentityKeypair::from_seed(&Secret::new([1; 32]))
}

/// A card or one-time prekey, as it came or rightly signed; a key of a peer, and a signature.
pub(super) fn records(bytes: &[u8]) -> bool {
    let mut bytes = Bytes(bytes);
    match bytes.u8() % 5 {
        0 => card(bytes.0, false),
        1 => card(&signed_card(&owner(), bytes.0), true),
        2 => prekey(bytes.0, false),
        3 => prekey(&signed_prekey(&owner(), bytes.0), true),
        _ => {
            let Some((key, signature)) = bytes.0.split_first_chunk() else { return false };
            let Ok(key) = IdentityKey::from_peer_id(PeerId::from_key_bytes(*key)) else { return false };
            assert_eq!(IdentityKey::from_peer_id(key.peer_id()), Ok(key));
            // ID-2, ID-3: a sound key is no point of low order in the other form either.
            assert!(owner().dh_secret().exchange(&key.dh_public()).is_ok());
            let Some((signature, message)) = signature.split_first_chunk() else { return true };
            assert!(key.verify("rohrpost/fuzzing/v1", message, &Signature(*signature)).is_err());
            true
        }
    }
}

fn card(bytes: &[u8], signed: bool) -> bool {
    let Ok(card) = CardIn::decode(bytes) else { return false };
    let owner = owner();
    let claimed = card.claimed_owner();
    match card.verify(owner.public(), NOW) {
        Ok(card) => {
            assert!(signed && claimed == owner.peer_id());
            assert_eq!((card.bytes(), card.peer()), (bytes, claimed));
            // What is within the bounds loses nothing when it is signed again (extensions aside).
            let again = CardIn::decode(&card.content().sign(&owner)).expect("made here");
            assert_eq!(again.verify(owner.public(), NOW).expect("made here").content(), card.content());
        }
        Err(error) => assert!(refused(error, signed, claimed), "{error}"),
    }
    true
}

fn prekey(bytes: &[u8], signed: bool) -> bool {
    let Ok(prekey) = OneTimePrekeyIn::decode(bytes) else { return false };
    match prekey.verify(owner().public(), NOW) {
        Ok(prekey) => assert!(signed && prekey.expires > NOW),
        Err(error) => assert!(refused(error, signed, owner().peer_id()) || error == RecordError::WrongOwner, "{error}"),
    }
    true
}

/// Whether a record may be refused so.
fn refused(error: RecordError, signed: bool, claimed: PeerId) -> bool {
    match error {
        RecordError::WrongOwner => claimed != owner().peer_id(),
        RecordError::Signature => !signed,
        RecordError::Expired => signed,
        _ => false,
    }
}

/// A key file: as it lies there, with its checksum put right, or a true one with a byte changed.
pub(super) fn key_file(bytes: &[u8]) -> bool {
    let mut bytes = Bytes(bytes);
    match bytes.u8() % 3 {
        0 => open_file(bytes.0),
        1 => {
            let mut file = bytes.0.to_vec();
            right_checksum(&mut file);
            open_file(&file)
        }
        _ => change_file(bytes),
    }
}

fn open_file(file: &[u8]) -> bool {
    let Ok(locked) = key_file_needs_passphrase(file) else { return false };
    let passphrase = Passphrase::new("correct horse".to_owned());
    if !locked {
        // ID-40: a plain file has one form.
        let material = open_key_file(file, None).expect("the form was checked, and there is nothing else");
        assert_eq!(open_key_file(file, Some(&passphrase)), Ok(material.clone()));
        assert_eq!(seal_key_file(&material, None, SMALL, &mut rng()), file);
        return true;
    }
    assert!(open_key_file(file, None).is_err());
    // Memory and passes stand at 18; what costs no more than this is tried.
    let cost = |at: usize| u32::from_be_bytes([file[at], file[at + 1], file[at + 2], file[at + 3]]);
    if cost(18) <= 64 && cost(22) <= 2 {
        assert!(open_key_file(file, Some(&passphrase)).is_err(), "nobody seals by chance");
    }
    true
}

/// ID-41, ID-43: a changed byte is found, by the checksum; and behind a right checksum by the seal.
fn change_file(mut bytes: Bytes<'_>) -> bool {
    let (locked, mended, place, bits) = (bytes.u8() % 2 == 1, bytes.u8() % 2 == 1, bytes.u16(), bytes.u8());
    let material = KeyMaterial { identity_seed: Secret::new([5; 32]), store_key: Secret::new([6; 32]) };
    let passphrase = Passphrase::new(String::from_utf8_lossy(bytes.0).into_owned());
    let passphrase = locked.then_some(&passphrase);
    let mut file = seal_key_file(&material, passphrase, SMALL, &mut rng());
    assert_eq!(open_key_file(&file, passphrase), Ok(material.clone()));
    let place = usize::from(place) % file.len();
    file[place] ^= bits;
    if mended {
        // Where Argon2id would become dear.
        if (18..30).contains(&place) {
            return false;
        }
        right_checksum(&mut file);
    }
    let opened = open_key_file(&file, passphrase);
    let secrets = 70..file.len() - 32;
    let checksum_undone = mended && place >= secrets.end;
    match opened {
        Ok(opened) if bits == 0 || checksum_undone => assert_eq!(opened, material),
        // Without a passphrase nothing tells a changed secret from another one but the checksum.
        Ok(opened) => assert!(!locked && mended && secrets.contains(&place) && opened != material),
        Err(error) => assert!(bits != 0, "{error}"),
    }
    true
}

/// A link with whatever stands around it, the hints of one, a peer ID, or a safety number that somebody typed.
pub(super) fn link(bytes: &[u8]) -> bool {
    let mut bytes = Bytes(bytes);
    let kind = bytes.u8() % 4;
    if kind == 2 {
        return shown_again(&checked_link(&owner().peer_id(), bytes.0));
    }
    let Ok(text) = std::str::from_utf8(bytes.0) else { return false };
    match kind {
        0 => shown_again(text),
        1 => {
            let Ok(peer) = text.parse::<PeerId>() else { return false };
            assert_eq!(peer.to_string(), text);
            true
        }
        _ => {
            let number = safety_number_of_two();
            let matched = number.matches(text);
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            assert!(matched != Ok(true) || digits.ends_with(&number.digits()));
            matched.is_ok()
        }
    }
}

/// What is shown of a link always parses, to the same; whatever is left out of it.
fn shown_again(text: &str) -> bool {
    let Ok(link) = text.parse::<Link>() else { return false };
    assert!(Link::is_meant(text));
    for shown in [link.short(), link.within(106).0, link] {
        assert_eq!(shown.to_string().parse(), Ok(shown));
    }
    true
}

/// Computed once: it takes ten thousand hashes.
pub(super) fn safety_number_of_two() -> SafetyNumber {
    static NUMBER: std::sync::OnceLock<SafetyNumber> = std::sync::OnceLock::new();
    let other = || IdentityKeypair::from_seed(&Secret::new([2; 32]));
    NUMBER.get_or_init(|| safety_number(owner().public(), other().public())).clone()
}
