//! The sealed form of a row.
//!
//! ```text
//! row    = format (1) ‖ key id (8) ‖ chunks (2) ‖ nonce (24) ‖ XChaCha20-Poly1305(key, nonce, plaintext, AD)
//! AD     = label ‖ key of the row ‖ format ‖ key id ‖ chunks ‖ value id
//! ```
//!
//! A plaintext that does not fit into `MAX_ROW` is split: the row holds a random value id and the first part, and
//! `chunks` more rows in the engine's own table hold the others. They are bound to this row and this writing of it by
//! the value id in their associated data (it is empty in the row itself).

use zeroize::Zeroizing;

use super::StoreError;
use super::key::KeyId;
use super::secrets::Secrets;
use crate::base::CryptoRng;
use crate::base::limits::{MAX_ROW, MAX_VALUE};
use crate::crypto::aead::{AeadKey, TAG_LEN, xopen, xseal_onto};

/// The table of chunk rows: `0xF0 ‖ blind(key of the row) ‖ index (2)`.
pub(super) const CHUNK_TABLE: u8 = 240;
/// The table of keys that are destroyed: `0xF1 ‖ name (8)`, each row empty. It stands until the key is in neither key file.
pub(super) const DOOMED_TABLE: u8 = 241;
/// The key of the one row in which the engine keeps its own state.
pub(super) const META_KEY: &[u8] = &[255];
/// Tables from here on are the engine's.
pub(super) const FIRST_ENGINE_TABLE: u8 = 240;

const LABEL: &[u8] = b"rohrpost-store-row-v1";
const FORMAT: u8 = 1;
const HEADER_LEN: usize = 1 + 8 + 2;
const NONCE_LEN: usize = 24;
const VALUE_ID_LEN: usize = 16;
/// Plaintext that fits into one row.
const CAPACITY: usize = MAX_ROW - HEADER_LEN - NONCE_LEN - TAG_LEN;
/// Plaintext beside the value id in the first row of several.
const FIRST_CAPACITY: usize = CAPACITY - VALUE_ID_LEN;

// The number of chunks is written in two bytes.
const _: () = assert!(MAX_VALUE / CAPACITY < u16::MAX as usize);

/// What a row shows before it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The key it is sealed under.
    pub(super) key: KeyId,
    /// How many chunk rows belong to it.
    pub(super) chunks: u16,
}

impl Header {
    /// Reads the header, and gives the nonce and the ciphertext behind it.
    fn split(row: &[u8]) -> Option<(Self, &[u8; NONCE_LEN], &[u8])> {
        let (&format, rest) = row.split_first()?;
        let (key, rest) = rest.split_first_chunk()?;
        let (chunks, rest) = rest.split_first_chunk()?;
        let (nonce, sealed) = rest.split_first_chunk()?;
        let header = Self { key: KeyId(u64::from_be_bytes(*key)), chunks: u16::from_be_bytes(*chunks) };
        (format == FORMAT).then_some((header, nonce, sealed))
    }

    /// The header of a row.
    pub(super) fn of(row: &[u8]) -> Result<Self, StoreError> {
        Self::split(row).map(|(header, ..)| header).ok_or_else(|| StoreError::damaged("a row has no header"))
    }

    fn bytes(self) -> [u8; HEADER_LEN] {
        let mut out = [FORMAT; HEADER_LEN];
        let id = self.key.0.to_be_bytes();
        out.iter_mut().skip(1).zip(id.into_iter().chain(self.chunks.to_be_bytes())).for_each(|(to, from)| *to = from);
        out
    }
}

/// The tag at the end of a row, as a number: the same row again would have another, so the sum over all rows says
/// whether every one of them is there, in its newest writing.
pub(super) fn tag(row: &[u8]) -> u128 {
    row.last_chunk().map_or(0, |tag| u128::from_le_bytes(*tag))
}

/// The key of the row that names a doomed key.
pub(super) fn doomed_key(id: KeyId) -> Vec<u8> {
    [&[DOOMED_TABLE][..], &id.0.to_be_bytes()].concat()
}

/// The doomed key that such a row names.
pub(super) fn doomed_by(key: &[u8]) -> Option<KeyId> {
    key.strip_prefix(&[DOOMED_TABLE])?.as_array().map(|id| KeyId(u64::from_be_bytes(*id)))
}

/// A change of the database: a key, and its new row or its removal.
pub(super) type Write = (Vec<u8>, Option<Vec<u8>>);

/// Seals a value into its row and, when it is long, its chunk rows.
pub(super) fn seal_value(
    secrets: &Secrets,
    (id, key): (KeyId, &AeadKey),
    at: Vec<u8>,
    plaintext: &[u8],
    rng: &mut dyn CryptoRng,
    out: &mut Vec<Write>,
) {
    if plaintext.len() <= CAPACITY {
        let header = Header { key: id, chunks: 0 };
        let row = seal(key, header, &at, &[], plaintext, rng);
        out.push((at, Some(row)));
        return;
    }
    let mut value_id = [0; VALUE_ID_LEN];
    rng.fill_bytes(&mut value_id);
    let (first, rest) = plaintext.split_at(FIRST_CAPACITY);
    let chunk_keys = ChunkKeys::of(secrets, &at);
    let mut chunks = 0;
    for (index, chunk) in (1..).zip(rest.chunks(CAPACITY)) {
        let chunk_key = chunk_keys.at(index);
        let row = seal(key, Header { key: id, chunks: 0 }, &chunk_key, &value_id, chunk, rng);
        out.push((chunk_key, Some(row)));
        chunks = index;
    }
    let first = Zeroizing::new([&value_id, first].concat());
    let row = seal(key, Header { key: id, chunks }, &at, &[], &first, rng);
    out.push((at, Some(row)));
}

/// Opens a value, fetching its chunk rows with `fetch`.
pub(super) fn open_value<B: AsRef<[u8]>>(
    secrets: &Secrets,
    key: &AeadKey,
    at: &[u8],
    row: &[u8],
    mut fetch: impl FnMut(&[u8]) -> Result<Option<B>, StoreError>,
) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let header = Header::of(row)?;
    let first = open(key, at, &[], row)?;
    if header.chunks == 0 {
        return Ok(first);
    }
    let torn = || StoreError::damaged("a part of a row is missing");
    let (value_id, first) = first.split_first_chunk::<VALUE_ID_LEN>().ok_or_else(torn)?;
    // Room for all of it at once: growing would leave copies behind.
    let mut value = Zeroizing::new(Vec::with_capacity((usize::from(header.chunks) + 1) * CAPACITY));
    value.extend_from_slice(first);
    let chunk_keys = ChunkKeys::of(secrets, at);
    for index in 1..=header.chunks {
        let chunk_key = chunk_keys.at(index);
        let chunk = fetch(&chunk_key)?.ok_or_else(torn)?;
        value.extend_from_slice(&open(key, &chunk_key, value_id, chunk.as_ref())?);
    }
    Ok(value)
}

/// The keys of the chunk rows of one row.
pub(super) struct ChunkKeys([u8; super::secrets::BLIND_LEN]);

impl ChunkKeys {
    pub(super) fn of(secrets: &Secrets, row_key: &[u8]) -> Self {
        Self(secrets.blind(&[CHUNK_TABLE], row_key))
    }

    pub(super) fn at(&self, index: u16) -> Vec<u8> {
        [&[CHUNK_TABLE], &self.0[..], &index.to_be_bytes()].concat()
    }
}

fn seal(
    key: &AeadKey,
    header: Header,
    at: &[u8],
    value_id: &[u8],
    plaintext: &[u8],
    rng: &mut dyn CryptoRng,
) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    rng.fill_bytes(&mut nonce);
    let header = header.bytes();
    let mut row = Vec::with_capacity(HEADER_LEN + NONCE_LEN + plaintext.len() + TAG_LEN);
    row.extend_from_slice(&header);
    row.extend_from_slice(&nonce);
    xseal_onto(key, &nonce, plaintext, &[LABEL, at, &header, value_id].concat(), &mut row);
    row
}

fn open(key: &AeadKey, at: &[u8], value_id: &[u8], row: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    let changed = || StoreError::damaged("a row does not open: its bytes were changed");
    let (header, nonce, sealed) = Header::split(row).ok_or_else(changed)?;
    let plaintext = xopen(key, nonce, sealed, &[LABEL, at, &header.bytes(), value_id].concat());
    plaintext.map(Zeroizing::new).map_err(|_| changed())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::base::Secret;

    type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

    const AT: &[u8] = b"\x07key";

    fn sealed(plaintext: &[u8], seed: u64) -> (Secrets, AeadKey, Rows) {
        let (secrets, key) = (Secrets::derive(&Secret::new([1; 32])), Secret::new([2; 32]));
        let mut out = Vec::new();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        seal_value(&secrets, (KeyId(9), &key), AT.to_vec(), plaintext, &mut rng, &mut out);
        let rows = out.into_iter().map(|(key, row)| (key, row.unwrap())).collect();
        (secrets, key, rows)
    }

    fn opened(secrets: &Secrets, key: &AeadKey, rows: &Rows) -> Result<Vec<u8>, StoreError> {
        open_value(secrets, key, AT, &rows[AT], |at| Ok(rows.get(at))).map(|value| value.to_vec())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_length_comes_back(length in prop_oneof![0..200usize, CAPACITY - 3..CAPACITY + 3, 2 * CAPACITY - 20..2 * CAPACITY + 3, 0..50_000usize]) {
            let plaintext: Vec<u8> = (0..=250_u8).cycle().take(length).collect();
            let (secrets, key, rows) = sealed(&plaintext, 1);
            prop_assert!(rows.values().all(|row| row.len() <= MAX_ROW));
            prop_assert_eq!(usize::from(Header::of(&rows[AT]).unwrap().chunks), rows.len() - 1);
            prop_assert_eq!(opened(&secrets, &key, &rows).unwrap(), plaintext);
        }

        #[test]
        fn no_byte_can_be_changed(length in prop_oneof![0..100usize, 9_000..9_100usize], row in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let (secrets, key, mut rows) = sealed(&vec![5; length], 1);
            let name = rows.keys().nth(row.index(rows.len())).unwrap().clone();
            let row = rows.get_mut(&name).unwrap();
            let at = at.index(row.len());
            row[at] ^= 1 << bit;
            prop_assert!(opened(&secrets, &key, &rows).is_err());
        }
    }

    #[test]
    fn a_row_belongs_to_its_place_and_its_writing() {
        let (secrets, key, rows) = sealed(b"hello", 1);
        assert!(open(&key, b"\x07kez", &[], &rows[AT]).is_err());
        assert!(open(&key, AT, &[], &rows[AT]).is_ok());
        // A chunk of an older writing of the same value, in the place of the new one.
        let (_, _, mut old) = sealed(&[1; 10_000], 1);
        let (_, _, new) = sealed(&[2; 10_000], 2);
        old.insert(AT.to_vec(), new[AT].clone());
        assert!(opened(&secrets, &key, &old).is_err());
        let (_, _, mut missing) = sealed(&[1; 10_000], 1);
        missing.pop_last().unwrap();
        assert!(opened(&secrets, &key, &missing).is_err());
    }

    #[test]
    fn rubbish_is_refused() {
        for row in [&[][..], &[1; 10], &[1; 34], &[2; 60]] {
            assert!(Header::of(row).is_err(), "{row:?}");
        }
    }
}
