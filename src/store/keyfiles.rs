//! The erasable keys on the disk: two files, written by turns and in place.
//!
//! ```text
//! file      = magic (8) ‖ generation (8) ‖ nonce (24) ‖ XChaCha20-Poly1305(key of the key files, nonce, padded, magic ‖ generation)
//!             ‖ SHA-256(all before)[0..16]
//! padded    = length of contents (4) ‖ contents ‖ zeros, so that the file fills whole blocks and never gets shorter
//! ```
//!
//! In place, and never shorter, because a removed or replaced file would leave the old keys in blocks that nothing
//! overwrites. The checksum tells a damaged file from a wrong key. New keys are in one file before the commit that takes
//! them, and in both after it; whoever destroys keys writes both after the commit.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::StoreError;
use super::durable::{Durable, Synced};
use super::files::{KEYS, existing, private_file, replace_file, tighten};
use super::key::KeyId;
use super::keyring::Entries;
use crate::base::{CryptoRng, Secret, failpoint};
use crate::crypto::aead::{AeadKey, TAG_LEN, xopen, xseal};
use crate::crypto::hash::sha256;

/// The last byte is the version.
const MAGIC: [u8; 8] = *b"RPKEYS\0\x02";
const CHECKSUM_LEN: usize = 16;
const OVERHEAD: usize = MAGIC.len() + 8 + 24 + TAG_LEN + CHECKSUM_LEN;
/// Files fill whole blocks of this many bytes.
const BLOCK: usize = 4096;
/// The largest file that is written and read: more than a million keys.
const MAX_FILE: usize = 64 * 1024 * 1024;

/// What the files say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Contents<K = Entries> {
    /// At least so many commits were made.
    pub(super) commits: u64,
    /// The name of the next key to be made.
    pub(super) next: KeyId,
    pub(super) keys: K,
}

/// What was found at the start.
pub(super) struct Loaded {
    /// Of the newer one.
    pub(super) contents: Contents,
    /// How each of the two is.
    pub(super) files: [Condition; 2],
}

/// Both files are sound and hold the same keys: no writing of them was interrupted.
pub(super) const BOTH: [Condition; 2] = [Condition::Sound; 2];

/// How one of the files is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    Missing,
    Damaged,
    /// Sound, but sealed under another key.
    Foreign,
    /// Sound, but without the keys of the newer one.
    Behind,
    Sound,
}

/// Writes the files by turns.
pub(super) struct KeyFiles {
    paths: [PathBuf; 2],
    key: AeadKey,
    disk: Arc<dyn Durable>,
    /// Of the newest file.
    pub(super) generation: u64,
    /// Whether the second file is the one to write next: the older of the two.
    second: bool,
}

/// One file, as it was found.
pub(super) enum Copy {
    Missing,
    Damaged,
    /// Sound, but sealed under another key.
    Foreign,
    Sound(u64, Contents),
}

impl KeyFiles {
    /// For the profile folder `dir`, before anything was read or written.
    pub(super) fn new(dir: &Path, key: &Secret<32>, disk: Arc<dyn Durable>) -> Self {
        Self { paths: KEYS.map(|name| dir.join(name)), key: key.clone(), disk, generation: 0, second: false }
    }

    /// Reads both files and takes the newer one; `None` when there is neither.
    ///
    /// # Errors
    /// [`StoreError::WrongKey`], [`StoreError::Damaged`], [`StoreError::TooNew`], [`StoreError::TooOld`], those of the disk.
    pub(super) fn load(&mut self) -> Result<Option<Loaded>, StoreError> {
        let [first, second] = &self.paths;
        let (a, b) = (self.read(first)?, self.read(second)?);
        let files = conditions(&a, &b);
        let (second, generation, contents) = match (a, b) {
            (Copy::Missing, Copy::Missing) => return Ok(None),
            (Copy::Sound(a, contents), Copy::Sound(b, _)) if a > b => (true, a, contents),
            (_, Copy::Sound(b, contents)) => (false, b, contents),
            (Copy::Sound(a, contents), _) => (true, a, contents),
            (Copy::Foreign, _) | (_, Copy::Foreign) => return Err(StoreError::WrongKey),
            _ => return Err(StoreError::damaged(format!("neither {} nor {} can be read", KEYS[0], KEYS[1]))),
        };
        (self.generation, self.second) = (generation, second);
        Ok(Some(Loaded { contents, files }))
    }

    /// Writes the older file anew and makes it durable. Returns its generation.
    pub(super) fn write(&mut self, contents: &Contents<&Entries>, rng: &mut dyn CryptoRng) -> Result<u64, StoreError> {
        let generation = self.generation + 1;
        let [first, second] = &self.paths;
        let path = if self.second { second } else { first };
        let at = |error| StoreError::from_io(path, error);
        let held = existing(path, fs::metadata(path))?;
        // What is behind the largest file there can be was not written here.
        let held = held.map_or(0, |found| usize::try_from(found.len()).unwrap_or(MAX_FILE).min(MAX_FILE));
        let bytes = self.encode(generation, contents, held, rng)?;
        if held == 0 {
            // The first time there is nothing to overwrite, and a torn file would look like damage.
            let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
                return Err(StoreError::Fault("a key file without a name".to_owned()));
            };
            replace_file(folder, name, &bytes, self.disk.as_ref())?;
        } else {
            tighten(path)?;
            let file = private_file().open(path).map_err(at)?;
            file.write_all_at(&bytes, 0).map_err(at)?;
            file.set_len(bytes.len() as u64).map_err(at)?;
            failpoint("key-file-written");
            self.disk.sync(&file, Synced::Keys).map_err(at)?;
            failpoint("key-file-synced");
        }
        (self.generation, self.second) = (generation, !self.second);
        Ok(generation)
    }

    pub(super) fn encode(
        &self,
        generation: u64,
        contents: &Contents<&Entries>,
        held: usize,
        rng: &mut dyn CryptoRng,
    ) -> Result<Vec<u8>, StoreError> {
        let fault = |error| StoreError::Fault(format!("the keys cannot be written: {error}"));
        let contents = Zeroizing::new(postcard::to_allocvec(contents).map_err(fault)?);
        let total = (OVERHEAD + 4 + contents.len()).max(held).next_multiple_of(BLOCK);
        // A larger one would not be read again.
        let length = u32::try_from(contents.len()).ok().filter(|_| total <= MAX_FILE);
        let length = length.ok_or_else(|| StoreError::Fault("too many keys".to_owned()))?;
        let mut padded = Zeroizing::new(Vec::with_capacity(total - OVERHEAD));
        padded.extend_from_slice(&length.to_be_bytes());
        padded.extend_from_slice(&contents);
        padded.resize(total - OVERHEAD, 0);
        Ok(self.seal(generation, &padded, rng))
    }

    /// The bytes of a file with these contents, which are padded already.
    pub(super) fn seal(&self, generation: u64, padded: &[u8], rng: &mut dyn CryptoRng) -> Vec<u8> {
        let mut nonce = [0; 24];
        rng.fill_bytes(&mut nonce);
        let head = [MAGIC, generation.to_be_bytes()].concat();
        let mut out = [&head, &nonce[..], &xseal(&self.key, &nonce, padded, &head)].concat();
        let checksum = sha256(&[&out]);
        out.extend(checksum.iter().take(CHECKSUM_LEN));
        out
    }

    fn read(&self, path: &Path) -> Result<Copy, StoreError> {
        let Some(file) = existing(path, File::open(path))? else { return Ok(Copy::Missing) };
        let mut bytes = Vec::new();
        file.take(MAX_FILE as u64).read_to_end(&mut bytes).map_err(|error| StoreError::from_io(path, error))?;
        self.decode(&bytes)
    }

    /// What the bytes of a file hold.
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<Copy, StoreError> {
        let sound =
            bytes.split_last_chunk::<CHECKSUM_LEN>().filter(|(rest, sum)| sha256(&[rest]).starts_with(&sum[..]));
        let Some((rest, _)) = sound else { return Ok(Copy::Damaged) };
        let Some(([name @ .., version], sealed)) = rest.split_first_chunk::<8>() else { return Ok(Copy::Damaged) };
        let [known_name @ .., known] = &MAGIC;
        if name != known_name {
            return Ok(Copy::Damaged);
        }
        match (u32::from(*version), u32::from(*known)) {
            (found, known) if found > known => Err(StoreError::TooNew { found, known }),
            (found, oldest) if found < oldest => Err(StoreError::TooOld { found, oldest }),
            _ => Ok(self.open(rest, sealed).unwrap_or(Copy::Foreign)),
        }
    }

    /// `None` when the file is sealed under another key.
    fn open(&self, rest: &[u8], sealed: &[u8]) -> Option<Copy> {
        let (generation, sealed) = sealed.split_first_chunk()?;
        let (nonce, sealed) = sealed.split_first_chunk()?;
        let padded = Zeroizing::new(xopen(&self.key, nonce, sealed, rest.get(..16)?).ok()?);
        let (length, contents) = padded.split_first_chunk()?;
        let contents = contents.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        let contents = postcard::from_bytes(contents).ok()?;
        Some(Copy::Sound(u64::from_be_bytes(*generation), contents))
    }
}

/// How the files are of which these were read.
fn conditions(a: &Copy, b: &Copy) -> [Condition; 2] {
    let alone = |copy: &Copy| match copy {
        Copy::Missing => Condition::Missing,
        Copy::Damaged => Condition::Damaged,
        Copy::Foreign => Condition::Foreign,
        Copy::Sound(..) => Condition::Sound,
    };
    match (a, b) {
        (Copy::Sound(newer, a), Copy::Sound(older, b)) if a.keys != b.keys => match newer > older {
            true => [Condition::Sound, Condition::Behind],
            false => [Condition::Behind, Condition::Sound],
        },
        _ => [alone(a), alone(b)],
    }
}

#[cfg(test)]
mod tests;
