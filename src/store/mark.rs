//! The witness of the last commit.
//!
//! A damaged byte in sled's log makes sled forget everything behind it, without a word. So after each commit its number
//! is written to a file of its own, and a database that knows fewer commits than that file has lost some. The file is
//! not synced: it may be behind after a power cut (then it witnesses less), but never ahead, because it is written
//! after the commit has become durable.
//!
//! Beside it stands the commit after which all rows were last counted and found to be there, so that this is done once
//! and not at every start.
//!
//! ```text
//! mark = magic (8) ‖ number of commits (8) ‖ of them checked (8) ‖ HMAC(mark key, all before)[0..16]
//! ```

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::StoreError;
use super::files::{MARK, private_file};
use crate::base::Secret;
use crate::crypto::kdf::hmac;

const MAGIC: &[u8; 8] = b"RPMARK\0\x01";
pub(super) const LEN: usize = 40;

/// The open file.
pub(super) struct Mark {
    /// `None`: nothing is witnessed.
    file: Option<File>,
    key: Secret<32>,
}

/// What it says; zeros for a mark that is new, torn, or of another store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Witness {
    /// The number of the last commit.
    pub(super) commits: u64,
    /// The commit after which all rows were there.
    pub(super) checked: u64,
}

impl Mark {
    /// Opens or makes the file in the profile folder.
    pub(super) fn open(dir: &Path, key: &Secret<32>) -> Result<Self, StoreError> {
        let path = dir.join(MARK);
        let file = private_file().open(&path).map_err(|error| StoreError::from_io(&path, error))?;
        Ok(Self { file: Some(file), key: key.clone() })
    }

    /// For a store to which nothing is written.
    pub(super) fn none(key: &Secret<32>) -> Self {
        Self { file: None, key: key.clone() }
    }

    /// What was witnessed last in the profile folder, which is not touched; `None` when that cannot be read.
    pub(super) fn look(dir: &Path, key: &Secret<32>) -> Option<Witness> {
        let mut bytes = [0; LEN];
        let read = File::open(dir.join(MARK)).and_then(|file| file.read_exact_at(&mut bytes, 0));
        read.ok().and_then(|()| decode(key, &bytes))
    }

    /// Witnesses a commit. An error only means that this commit is not witnessed.
    pub(super) fn write(&self, witness: Witness) {
        let Some(file) = &self.file else { return };
        if let Err(error) = file.write_all_at(&encode(&self.key, witness), 0) {
            tracing::warn!(%error, "the mark of the last commit could not be written");
        }
    }
}

/// The witness, if the bytes are a mark made with this key.
pub(super) fn decode(key: &Secret<32>, bytes: &[u8; LEN]) -> Option<Witness> {
    let [_, commits, checked, ..] = *bytes.as_chunks::<8>().0 else { return None };
    let witness = Witness { commits: u64::from_be_bytes(commits), checked: u64::from_be_bytes(checked) };
    (encode(key, witness) == *bytes).then_some(witness)
}

/// The bytes of a mark.
pub(super) fn encode(key: &Secret<32>, witness: Witness) -> [u8; LEN] {
    let (commits, checked) = (witness.commits.to_be_bytes(), witness.checked.to_be_bytes());
    let tag = hmac(key.expose(), &[MAGIC, &commits, &checked]);
    let all = MAGIC.iter().chain(&commits).chain(&checked).chain(tag.expose());
    let mut out = [0; LEN];
    out.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_witnesses_and_ignores_rubbish() {
        let dir = tempfile::tempdir().unwrap();
        let look = |key| Mark::look(dir.path(), &Secret::new([key; 32]));
        assert_eq!(look(1), None);
        let witness = Witness { commits: 77, checked: 5 };
        Mark::open(dir.path(), &Secret::new([1; 32])).unwrap().write(witness);
        assert_eq!((look(1), look(2)), (Some(witness), None));
        let path = dir.path().join(MARK);
        let good = std::fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&path, &bad).unwrap();
            assert_eq!(look(1), None, "{at}");
        }
        std::fs::write(&path, &good[..20]).unwrap();
        assert_eq!(look(1), None);
    }
}
