//! Signed records: deterministic CBOR (RFC 8949, section 4.2.1), and one signature over it.
//!
//! ```text
//! record = [ body: bstr, signature: bstr .size 64 ]       body = { 0: version, 1: owner, … }
//! ```
//!
//! Shared by the contact card and the one-time prekeys; what the further keys mean is theirs.

use super::key::IdentityKey;
use super::keypair::IdentityKeypair;
use crate::base::cbor::{CborError, Reader, Writer};
use crate::base::{PeerId, WallTime};
use crate::crypto::kem::KemPublic;
use crate::crypto::sign::{SIGNATURE_LEN, Signature};

/// The version of records that this program writes and reads.
const VERSION: u64 = 1;
/// The first key of a map that a reader may skip without knowing it (ID-13).
const FIRST_EXTENSION: u64 = 32;

/// Why a signed record, a contact card or a one-time prekey, was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// More bytes than such a record may have (ID-10); nothing of it was parsed.
    #[error("too large: {got} bytes, at most {max}")]
    TooLarge {
        /// Its length in bytes.
        got: usize,
        /// The bound in bytes.
        max: usize,
    },
    /// Not the deterministic encoding of such a record (ID-11 to ID-13).
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// A field is outside its bounds.
    #[error("out of bounds: {0}")]
    Bounds(&'static str),
    /// Made by a newer program.
    #[error("unknown version {0}")]
    UnknownVersion(u64),
    /// About another peer than the one it was asked for (ID-14).
    #[error("it belongs to another peer")]
    WrongOwner,
    /// Not signed by its owner as such a record (ID-14).
    #[error("the signature does not verify")]
    Signature,
    /// Sound, but its time is over (ID-15).
    #[error("expired")]
    Expired,
}

/// Bytes that the frame adds to a body of 256 to 65,535 bytes: array head, two byte string heads, signature.
pub(super) const FRAME_LEN: usize = 1 + 3 + 2 + SIGNATURE_LEN;

/// Begins a body of so many fields with its version and its owner.
pub(super) fn begin(fields: usize, owner: PeerId) -> Writer {
    let mut body = Writer::new();
    body.map(fields).put(0u8).put(VERSION).put(1u8).bytes(owner.key_bytes());
    body
}

/// Signs a body and encodes the record.
pub(super) fn sign(me: &IdentityKeypair, label: &'static str, body: &[u8]) -> Vec<u8> {
    let mut record = Writer::new();
    record.array(2).bytes(body).bytes(&me.sign(label, body).0);
    record.into_bytes()
}

/// The body and signature of a decoded record, kept until it is verified.
#[derive(Clone, Debug)]
pub(super) struct Unverified {
    /// Whose it says it is.
    pub(super) owner: PeerId,
    /// The signed bytes.
    pub(super) body: Vec<u8>,
    signature: Signature,
}

impl Unverified {
    /// Takes a record of at most `max` bytes apart: size first, then the frame, the version, the owner, the others of its
    /// `fields`, which `read` reads, and the end (ID-10 to ID-13).
    pub(super) fn decode<T>(
        bytes: &[u8],
        max: usize,
        fields: usize,
        read: impl FnOnce(&mut Reader<'_>) -> Result<T, RecordError>,
    ) -> Result<(Self, T), RecordError> {
        if bytes.len() > max {
            return Err(RecordError::TooLarge { got: bytes.len(), max });
        }
        let mut frame = Reader::new(bytes);
        frame.array_of(2, "not a body and a signature")?;
        let (signed, signature) = (frame.bytes("body", max)?, Signature(frame.byte_array("signature")?));
        frame.finish()?;
        let mut body = Reader::new(signed);
        let pairs = body.map("expected a map")?;
        body.version()?;
        body.field(1)?;
        let owner = PeerId::from_key_bytes(body.byte_array("owner")?);
        let content = read(&mut body)?;
        body.extensions(pairs.checked_sub(fields as u64).ok_or(RecordError::Malformed("a field is missing"))?)?;
        body.finish()?;
        Ok((Self { owner, body: signed.to_vec(), signature }, content))
    }

    /// Owner, signature, then time (ID-14, ID-15).
    pub(super) fn verify(
        &self,
        label: &'static str,
        expected: &IdentityKey,
        expires: WallTime,
        now: WallTime,
    ) -> Result<(), RecordError> {
        if self.owner != expected.peer_id() {
            return Err(RecordError::WrongOwner);
        }
        expected.verify(label, &self.body, &self.signature).map_err(|_| RecordError::Signature)?;
        if now >= expires { Err(RecordError::Expired) } else { Ok(()) }
    }
}

impl From<CborError> for RecordError {
    fn from(error: CborError) -> Self {
        Self::Malformed(match error {
            CborError::Malformed => "not well-formed CBOR, or cut short",
            CborError::TrailingBytes => "trailing bytes",
            CborError::NotDeterministic => "not the shortest encoding",
            CborError::Field(what) => what,
            CborError::TooLong(_) | CborError::TooDeep | CborError::TooMany(_) | CborError::TooLarge => {
                "longer or deeper than the record"
            }
        })
    }
}

/// What records have beside other documents in deterministic CBOR (ID-12).
impl Reader<'_> {
    /// The next key of a map, which has to be this one.
    pub(super) fn field(&mut self, expected: u64) -> Result<(), RecordError> {
        let key = self.uint("a key is not a number")?;
        if key == expected { Ok(()) } else { Err(RecordError::Malformed("a field is missing or misplaced")) }
    }

    /// Key 0, the version, looked at before anything else of the body.
    fn version(&mut self) -> Result<(), RecordError> {
        self.field(0)?;
        match self.uint("version")? {
            VERSION => Ok(()),
            version => Err(RecordError::UnknownVersion(version)),
        }
    }

    /// An ML-KEM-768 encapsulation key that passes the modulus check of FIPS 203 (ID-16).
    pub(super) fn kem(&mut self) -> Result<KemPublic, RecordError> {
        let bytes = self.bytes("ML-KEM-768 key", usize::MAX)?;
        KemPublic::from_bytes(bytes).map_err(|_| RecordError::Malformed("not an ML-KEM-768 key"))
    }

    /// The rest of a map: extensions, byte strings under ascending keys, which are skipped (ID-13).
    fn extensions(&mut self, pairs: u64) -> Result<(), RecordError> {
        let mut lowest = FIRST_EXTENSION;
        for _ in 0..pairs {
            let key = self.uint("a key is not a number")?;
            if key < lowest {
                return Err(RecordError::Malformed("an unknown, repeated or misplaced field"));
            }
            self.bytes("an extension is no bytes", usize::MAX)?;
            lowest = key.checked_add(1).ok_or(RecordError::Bounds("the key of an extension"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
