//! The key file: the identity seed and the store's key, under a passphrase or plainly.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 16 | `rohrpost-keyfile` |
//! | 16 | 1 | version: 1 |
//! | 17 | 1 | protection: 0 none, 1 passphrase |
//! | 18 | 12 | Argon2id memory in KiB, passes, lanes: 32 bits each, big endian |
//! | 30 | 16 | Argon2id salt |
//! | 46 | 24 | XChaCha20-Poly1305 nonce |
//! | 70 | 64 or 80 | identity seed ‖ store key, plain or sealed |
//! | … | 32 | checksum |
//!
//! Owns the bytes only; the file itself and its permissions are the store's.

use zeroize::Zeroizing;

use crate::base::{CryptoRng, Secret};
use crate::crypto::aead::{self, TAG_LEN};
use crate::crypto::hash::sha256;
use crate::crypto::password::{self, Cost, MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES, Passphrase};

/// Put before the header as associated data of the seal (ID-43).
const SEAL_LABEL: &str = "rohrpost/identity/key-file/v1";
/// Put before everything that the checksum covers (ID-41).
const CHECKSUM_LABEL: &str = "rohrpost/identity/key-file-checksum/v1";

const MAGIC: &[u8; 16] = b"rohrpost-keyfile";
const VERSION: u8 = 1;
const PLAIN: u8 = 0;
const SEALED: u8 = 1;
/// Bytes from the Argon2id cost to the nonce.
const PARAMS_LEN: usize = 52;
const HEADER_LEN: usize = 18 + PARAMS_LEN;
const SECRETS_LEN: usize = 64;
pub(super) const CHECKSUM_LEN: usize = 32;

/// Why a key file was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// The first bytes are not those of a key file.
    #[error("this is not a rohrpost key file")]
    NotAKeyFile,
    /// Cut short, or changed: the checksum does not fit.
    #[error("the key file is damaged")]
    Damaged,
    /// Written by a newer program.
    #[error("the key file has version {version}; this program knows version 1")]
    TooNew {
        /// Its version.
        version: u8,
    },
    /// It is under a passphrase, and none was given.
    #[error("the key file is locked with a passphrase")]
    PassphraseNeeded,
    /// The passphrase does not open it.
    #[error("wrong passphrase")]
    WrongPassphrase,
    /// Opening it would take more memory or time than any file of ours asks for.
    #[error("the key file asks for {memory_kib} KiB of memory, {passes} passes and {lanes} lanes, which is refused")]
    TooExpensive {
        /// Memory in KiB; at most 1 GiB is accepted.
        memory_kib: u32,
        /// Passes; at most 64.
        passes: u32,
        /// Lanes; at most 64.
        lanes: u32,
    },
}

impl KeyFileError {
    /// What a person can do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotAKeyFile => "check that the data folder is the right one",
            Self::Damaged => "put the key file back from a copy; without it the profile cannot be opened",
            Self::TooNew { .. } => "update rohrpost",
            Self::PassphraseNeeded => "enter the passphrase, or name a file that holds it with --passphrase-file",
            Self::WrongPassphrase => "try again; mind the keyboard layout and Caps Lock",
            Self::TooExpensive { .. } => "no version of rohrpost writes such a file: somebody else did",
        }
    }
}

/// What the key file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyMaterial {
    /// The seed of the identity keypair.
    pub identity_seed: Secret<32>,
    /// The root key of the store. Random, not derived: a new passphrase rewrites this small file only.
    pub store_key: Secret<32>,
}

impl KeyMaterial {
    /// A fresh identity and store key.
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        Self { identity_seed: Secret::random(rng), store_key: Secret::random(rng) }
    }
}

/// The bytes of a key file, under a passphrase or, with `None`, plainly (ID-40 to ID-43).
///
/// A cost outside what [`open_key_file`] accepts is brought inside those bounds.
pub fn seal_key_file(
    material: &KeyMaterial,
    passphrase: Option<&Passphrase>,
    cost: Cost,
    rng: &mut dyn CryptoRng,
) -> Vec<u8> {
    let secrets = Zeroizing::new([*material.identity_seed.expose(), *material.store_key.expose()]);
    let secrets = secrets.as_flattened();
    let (header, payload) = match passphrase {
        None => (header(PLAIN, &[0; PARAMS_LEN]), Zeroizing::new(secrets.to_vec())),
        Some(passphrase) => {
            let params = Params { cost: bounded(cost), salt: random(rng), nonce: random(rng) };
            let header = header(SEALED, &params.encode());
            // The cost is inside the bounds of Argon2id, so that nothing is left that could fail.
            #[allow(clippy::expect_used)]
            let key = password::derive(passphrase, &params.salt, params.cost).expect("bounded cost");
            let sealed = aead::xseal(&key, &params.nonce, secrets, &associated(&header));
            (header, Zeroizing::new(sealed))
        }
    };
    let checksum = checksum(&header, &payload);
    // Sized in advance: growing would leave a copy of plain secrets behind in freed memory.
    let mut file = Vec::with_capacity(header.len() + payload.len() + checksum.len());
    file.extend_from_slice(&header);
    file.extend_from_slice(&payload);
    file.extend_from_slice(&checksum);
    file
}

/// Opens a key file. A passphrase given for a plain one is not looked at.
///
/// # Errors
/// Any [`KeyFileError`]. Argon2id runs only after every other check (ID-42).
pub fn open_key_file(file: &[u8], passphrase: Option<&Passphrase>) -> Result<KeyMaterial, KeyFileError> {
    let parsed = Parsed::parse(file)?;
    let Some(params) = parsed.params else {
        return material(parsed.payload);
    };
    let passphrase = passphrase.ok_or(KeyFileError::PassphraseNeeded)?;
    // Above the maxima it was refused already; what Argon2id still refuses is below its minima.
    let key = password::derive(passphrase, &params.salt, params.cost).map_err(|_| KeyFileError::Damaged)?;
    let secrets = aead::xopen(&key, &params.nonce, parsed.payload, &associated(parsed.header))
        .map_err(|_| KeyFileError::WrongPassphrase)?;
    material(&Zeroizing::new(secrets))
}

/// Whether the file is under a passphrase.
///
/// # Errors
/// As [`open_key_file`], but for what concerns the passphrase.
pub fn key_file_needs_passphrase(file: &[u8]) -> Result<bool, KeyFileError> {
    Ok(Parsed::parse(file)?.params.is_some())
}

/// What the passphrase is hashed with, and the nonce of the seal.
struct Params {
    cost: Cost,
    salt: [u8; 16],
    nonce: [u8; 24],
}

impl Params {
    fn encode(&self) -> [u8; PARAMS_LEN] {
        let mut out = [0; PARAMS_LEN];
        let Cost { memory_kib, passes, lanes } = self.cost;
        let cost = [memory_kib.to_be_bytes(), passes.to_be_bytes(), lanes.to_be_bytes()];
        let bytes = cost.as_flattened().iter().chain(&self.salt).chain(&self.nonce);
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        out
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut number = || take(&mut rest).map(u32::from_be_bytes);
        let cost = Cost { memory_kib: number()?, passes: number()?, lanes: number()? };
        Some(Self { cost, salt: take(&mut rest)?, nonce: take(&mut rest)? })
    }
}

/// A key file whose form and checksum are right.
struct Parsed<'b> {
    /// The bytes before the payload.
    header: &'b [u8],
    /// `None`: not under a passphrase.
    params: Option<Params>,
    /// The secrets, plain or sealed.
    payload: &'b [u8],
}

impl<'b> Parsed<'b> {
    /// In this order: magic, version, length, checksum, cost (ID-42).
    fn parse(file: &'b [u8]) -> Result<Self, KeyFileError> {
        let damaged = || KeyFileError::Damaged;
        let (sealed, params) = match file.strip_prefix(MAGIC).ok_or(KeyFileError::NotAKeyFile)? {
            [version, ..] if *version > VERSION => return Err(KeyFileError::TooNew { version: *version }),
            [VERSION, PLAIN, rest @ ..] => (false, rest),
            [VERSION, SEALED, rest @ ..] => (true, rest),
            _ => return Err(damaged()),
        };
        let (header, rest) = file.split_at_checked(HEADER_LEN).ok_or_else(damaged)?;
        let payload_len = SECRETS_LEN + if sealed { TAG_LEN } else { 0 };
        let (payload, stored) = rest.split_at_checked(payload_len).ok_or_else(damaged)?;
        if stored != checksum(header, payload) {
            return Err(damaged());
        }
        if !sealed {
            let unused = params.iter().take(PARAMS_LEN);
            return if unused.eq(&[0; PARAMS_LEN]) {
                Ok(Self { header, params: None, payload })
            } else {
                Err(damaged())
            };
        }
        let params = Params::parse(params).ok_or_else(damaged)?;
        let Cost { memory_kib, passes, lanes } = params.cost;
        if !params.cost.is_accepted() {
            return Err(KeyFileError::TooExpensive { memory_kib, passes, lanes });
        }
        Ok(Self { header, params: Some(params), payload })
    }
}

fn header(protection: u8, params: &[u8; PARAMS_LEN]) -> Vec<u8> {
    [&MAGIC[..], &[VERSION, protection], params].concat()
}

/// `label ‖ 0x00 ‖ header`: the associated data of the seal (ID-43).
fn associated(header: &[u8]) -> Vec<u8> {
    [SEAL_LABEL.as_bytes(), &[0], header].concat()
}

/// `SHA-256(label ‖ 0x00 ‖ header ‖ payload)`: tells damage from a wrong passphrase (ID-41).
pub(super) fn checksum(header: &[u8], payload: &[u8]) -> [u8; CHECKSUM_LEN] {
    sha256(&[CHECKSUM_LABEL.as_bytes(), &[0], header, payload])
}

fn material(secrets: &[u8]) -> Result<KeyMaterial, KeyFileError> {
    let mut rest = secrets;
    let mut secret = || take(&mut rest).map(Secret::new).ok_or(KeyFileError::Damaged);
    Ok(KeyMaterial { identity_seed: secret()?, store_key: secret()? })
}

/// Inside what Argon2id allows (8 KiB a lane, one pass, one lane) and what we accept.
fn bounded(cost: Cost) -> Cost {
    let lanes = cost.lanes.clamp(1, MAX_LANES);
    Cost {
        memory_kib: cost.memory_kib.clamp(8 * lanes, MAX_MEMORY_KIB),
        passes: cost.passes.clamp(1, MAX_PASSES),
        lanes,
    }
}

fn random<const N: usize>(rng: &mut dyn CryptoRng) -> [u8; N] {
    let mut out = [0; N];
    rng.fill_bytes(&mut out);
    out
}

/// Takes `N` bytes off the front.
fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests;
