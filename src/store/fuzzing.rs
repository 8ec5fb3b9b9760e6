//! What the fuzz target `store` calls: the decoders of the store's own files and rows, from bytes and with keys at hand.
//!
//! Behind a seal nobody but the store writes; that what opens is also understood without a panic is for the day on
//! which a bug, or another version, has written it. Each function says whether its bytes were accepted.

// As in tests: a broken promise has to stop the run.
#![allow(clippy::panic, clippy::expect_used, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::StoreError;
use super::durable::Disk;
use super::key::KeyId;
use super::keyfiles::{Contents, Copy, KeyFiles};
use super::keyring::Keyring;
use super::mark;
use super::meta::{Meta, SCHEMA};
use super::row::{Header, META_KEY, open_value, seal_value};
use super::secrets::Secrets;
use crate::base::{CryptoRng, Secret};

/// Where the rows stand; a byte of a table and a key of eight.
const AT: &[u8] = b"\x0c12345678";

fn secrets() -> Secrets {
    Secrets::derive(&Secret::new([1; 32]))
}

/// A row as it stands in the database.
pub(crate) fn row(bytes: &[u8]) -> bool {
    let secrets = secrets();
    let opened = open_value(&secrets, &secrets.root, AT, bytes, |_| Ok(None::<Vec<u8>>));
    assert!(opened.is_err() || Header::of(bytes).is_ok(), "opened without a header");
    opened.is_ok()
}

/// A value of any length comes back; with a byte of one of its rows changed it does not.
pub(crate) fn value(plaintext: &[u8], change: (u8, u16, u8), rng: &mut dyn CryptoRng) -> bool {
    let secrets = secrets();
    let mut rows = Vec::new();
    seal_value(&secrets, (KeyId(9), &secrets.mark), AT.to_vec(), plaintext, rng, &mut rows);
    let mut rows: BTreeMap<_, _> = rows.into_iter().map(|(at, row)| (at, row.expect("is written"))).collect();
    let open = |rows: &BTreeMap<Vec<u8>, Vec<u8>>| {
        let row = rows.get(AT).expect("is there");
        open_value(&secrets, &secrets.mark, AT, row, |at| Ok::<_, StoreError>(rows.get(at)))
    };
    assert_eq!(*open(&rows).expect("opens"), plaintext);
    let (which, place, bits) = change;
    let len = rows.len();
    if let Some(row) = rows.values_mut().nth(usize::from(which) % len) {
        let len = row.len();
        if let Some(byte) = row.get_mut(usize::from(place) % len) {
            *byte ^= bits;
        }
    }
    assert_eq!(open(&rows).is_ok(), bits == 0, "a changed row");
    true
}

/// The plaintext of the store's own row.
pub(crate) fn meta(plaintext: &[u8], rng: &mut dyn CryptoRng) -> bool {
    let secrets = secrets();
    let mut rows = Vec::new();
    seal_value(&secrets, (KeyId::ROOT, &secrets.root), META_KEY.to_vec(), plaintext, rng, &mut rows);
    // In one row it stands, whatever it says.
    let Some((_, Some(row))) = rows.pop().filter(|_| rows.is_empty()) else { return false };
    let Ok((schema, meta)) = Meta::open(&row, &secrets) else { return false };
    assert_eq!(schema, SCHEMA);
    let Ok((_, Some(again))) = meta.seal(schema, &secrets, rng) else { return true };
    assert_eq!(Meta::open(&again, &secrets).expect("was written here"), (schema, meta));
    true
}

/// A file of erasable keys: as it lies on the disk, or, `sealed`, the contents that a right key opens.
pub(crate) fn key_file(bytes: &[u8], sealed: bool, rng: &mut dyn CryptoRng) -> bool {
    let files = KeyFiles::new(Path::new("/nowhere"), &Secret::new([3; 32]), Arc::new(Disk));
    let decode = |file: &[u8]| match files.decode(file) {
        Ok(Copy::Sound(_, contents)) => Some(contents),
        _ => None,
    };
    let file = if sealed { files.seal(1, bytes, rng) } else { bytes.to_vec() };
    let Some(contents) = decode(&file) else { return false };
    let Contents { commits, next, keys } = &contents;
    let again = files.encode(1, &Contents { commits: *commits, next: *next, keys }, 0, rng);
    assert_eq!(decode(&again.expect("they were written before")).as_ref(), Some(&contents));
    if let Ok(ring) = Keyring::new(Secret::new([4; 32]), contents.keys, contents.next) {
        assert!(ring.get(ring.state).is_some());
    }
    true
}

/// The witness of the last commit.
pub(crate) fn witness(bytes: &[u8]) -> bool {
    let Some((bytes, _)) = bytes.split_first_chunk() else { return false };
    let key = Secret::new([5; 32]);
    let Some(witness) = mark::decode(&key, bytes) else { return false };
    assert_eq!(mark::encode(&key, witness), *bytes);
    true
}

// ---- For the seeds ----------------------------------------------------------------------------------

/// A row at its place.
#[cfg(test)]
pub(crate) fn some_row(rng: &mut dyn CryptoRng) -> Vec<u8> {
    let secrets = secrets();
    let mut rows = Vec::new();
    seal_value(&secrets, (KeyId::ROOT, &secrets.root), AT.to_vec(), b"hello", rng, &mut rows);
    rows.pop().unwrap().1.unwrap()
}

/// The plaintext of the store's own row.
#[cfg(test)]
pub(crate) fn some_meta() -> Vec<u8> {
    let meta = Meta { commits: 300, next_key: KeyId(7 << 32 | 3), state_tables: [20, 21].into(), ..Meta::default() };
    postcard::to_extend(&meta, SCHEMA.to_be_bytes().to_vec()).unwrap()
}

/// Two keys, as files hold them.
#[cfg(test)]
fn some_entries() -> super::keyring::Entries {
    use super::keyring::{Entry, Role};
    let entry = |role| Entry { key: Secret::new([8; 32]), role };
    let state = Role::State { made: crate::base::WallTime(1_700_000_000_000) };
    [(KeyId(7 << 32 | 1), entry(Role::Given)), (KeyId(7 << 32 | 2), entry(state))].into()
}

/// A file of keys, without the last bytes of a block: the seeds are to be small.
#[cfg(test)]
pub(crate) fn some_keys(rng: &mut dyn CryptoRng) -> Vec<u8> {
    let files = KeyFiles::new(Path::new("/nowhere"), &Secret::new([3; 32]), Arc::new(Disk));
    files.seal(1, &some_keys_contents(), rng)
}

/// What is sealed in a file of keys.
#[cfg(test)]
pub(crate) fn some_keys_contents() -> Vec<u8> {
    let contents = Contents { commits: 9, next: KeyId(7 << 32 | 3), keys: some_entries() };
    let contents = postcard::to_allocvec(&contents).unwrap();
    [&u32::try_from(contents.len()).unwrap().to_be_bytes()[..], &contents, &[0; 9]].concat()
}

/// A mark.
#[cfg(test)]
pub(crate) fn some_mark() -> Vec<u8> {
    mark::encode(&Secret::new([5; 32]), mark::Witness { commits: 77, checked: 5 }).to_vec()
}
