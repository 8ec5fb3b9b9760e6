//! What follows from the store key, and how keys of rows are made of it.

use super::key::{Part, RowKey};
use crate::base::Secret;
use crate::crypto::aead::AeadKey;
use crate::crypto::kdf::{HmacKey, hkdf};

/// Bytes of a hashed part of a row's key.
pub(super) const BLIND_LEN: usize = 16;

/// The keys that follow from the store key.
pub(super) struct Secrets {
    /// Seals rows under [`super::Under::Root`].
    pub(super) root: AeadKey,
    /// Seals the files of erasable keys.
    pub(super) key_files: AeadKey,
    /// Seals snapshots.
    pub(super) snapshots: AeadKey,
    /// Authenticates the mark of the last commit.
    pub(super) mark: Secret<32>,
    /// Hashes parts of rows' keys.
    blind: HmacKey,
}

impl Secrets {
    /// `HKDF(salt = "", store key, label)` for each.
    pub(super) fn derive(store_key: &Secret<32>) -> Self {
        let derive = |label: &str| -> Secret<32> { hkdf(&[], store_key.expose(), label.as_bytes()) };
        Self {
            root: derive("rohrpost-store-root-v1"),
            key_files: derive("rohrpost-store-keys-v1"),
            snapshots: derive("rohrpost-store-snapshots-v1"),
            mark: derive("rohrpost-store-mark-v1"),
            blind: HmacKey::new(derive("rohrpost-store-blind-v1").expose()),
        }
    }

    /// `table ‖ part ‖ part …`
    pub(super) fn row_key(&self, table: u8, key: &RowKey) -> Vec<u8> {
        let parts = key.parts();
        let mut out = Vec::with_capacity(1 + BLIND_LEN * parts.len());
        out.push(table);
        for part in parts {
            match part {
                Part::Number(number) => out.extend_from_slice(&number.to_be_bytes()),
                Part::Blind(bytes) => {
                    let hash = self.blind(&out, bytes);
                    out.extend_from_slice(&hash);
                }
            }
        }
        out
    }

    /// `HMAC(blind key, length of before (1) ‖ before ‖ bytes)[0..16]`, where `before` is the key so far: the same bytes in
    /// two tables, or in two conversations, do not look the same.
    pub(super) fn blind(&self, before: &[u8], bytes: &[u8]) -> [u8; BLIND_LEN] {
        let hash = self.blind.tag(&[&[u8::try_from(before.len()).unwrap_or(u8::MAX)], before, bytes]);
        let mut out = [0; BLIND_LEN];
        out.iter_mut().zip(hash.expose()).for_each(|(to, from)| *to = *from);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_show_numbers_and_nothing_else() {
        let secrets = Secrets::derive(&Secret::new([1; 32]));
        let key = RowKey::new().blind(b"conversation").u64(0x0102);
        let bytes = secrets.row_key(7, &key);
        assert_eq!(bytes.len(), 1 + 16 + 8);
        assert_eq!((bytes[0], &bytes[17..]), (7, &[0, 0, 0, 0, 0, 0, 1, 2][..]));
        let peer = crate::base::PeerId::from_key_bytes([5; 32]);
        assert_eq!(secrets.row_key(7, &RowKey::new().peer(&peer)), secrets.row_key(7, &RowKey::new().blind(&[5; 32])));
        // Deterministic, a prefix stays a prefix, and another table, place or store key gives another hash.
        assert_eq!(secrets.row_key(7, &key), bytes);
        assert!(bytes.starts_with(&secrets.row_key(7, &RowKey::new().blind(b"conversation"))));
        let hash =
            |store: u8, table, key| Secrets::derive(&Secret::new([store; 32])).row_key(table, &key)[1..].to_vec();
        let plain = hash(1, 7, RowKey::new().blind(b"x"));
        assert_ne!(hash(1, 8, RowKey::new().blind(b"x")), plain);
        assert_ne!(hash(2, 7, RowKey::new().blind(b"x")), plain);
        assert_ne!(hash(1, 7, RowKey::new().u64(1).blind(b"x"))[8..], plain);
    }
}
