//! Signed records: deterministic CBOR (RFC 8949, section 4.2.1), and one signature over it.
//!
//! ```text
//! record = [ body: bstr, signature: bstr .size 64 ]       body = { 0: version, 1: owner, … }
//! ```
//!
//! Shared by the contact card, the one-time prekeys and the operations of a group; what the further keys mean is theirs.

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

/// Why a signed record was refused: a contact card, a one-time prekey, an operation of a group.
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
pub(crate) fn sign(me: &IdentityKeypair, label: &'static str, body: &[u8]) -> Vec<u8> {
    let mut record = Writer::new();
    record.array(2).bytes(body).bytes(&me.sign(label, body).0);
    record.into_bytes()
}

/// A record that was taken apart into its two parts: what the body says is not looked at.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    /// The signed bytes.
    pub(crate) body: Vec<u8>,
    signature: Signature,
}

impl Frame {
    /// Of a record of at most `max` bytes: size first, then the frame (ID-10, ID-11).
    pub(crate) fn decode(bytes: &[u8], max: usize) -> Result<Self, RecordError> {
        if bytes.len() > max {
            return Err(RecordError::TooLarge { got: bytes.len(), max });
        }
        let mut frame = Reader::new(bytes);
        frame.array_of(2, "not a body and a signature")?;
        let (body, signature) = (frame.bytes("body", max)?, Signature(frame.byte_array("signature")?));
        frame.finish()?;
        Ok(Self { body: body.to_vec(), signature })
    }

    /// Whether its body was signed by this key (ID-14).
    pub(crate) fn verify(&self, label: &'static str, by: &IdentityKey) -> Result<(), RecordError> {
        by.verify(label, &self.body, &self.signature).map_err(|_| RecordError::Signature)
    }
}

/// A decoded record with an owner, kept until it is verified.
#[derive(Clone, Debug)]
pub(super) struct Unverified {
    /// Whose it says it is.
    pub(super) owner: PeerId,
    pub(super) frame: Frame,
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
        let frame = Frame::decode(bytes, max)?;
        let mut body = Reader::new(&frame.body);
        let pairs = body.begin()?;
        body.field(1)?;
        let owner = PeerId::from_key_bytes(body.byte_array("owner")?);
        let content = read(&mut body)?;
        body.end(pairs, fields)?;
        Ok((Self { owner, frame }, content))
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
        self.frame.verify(label, expected)?;
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
    /// How many pairs a body has, and its version, which is looked at before anything else of it.
    pub(crate) fn begin(&mut self) -> Result<u64, RecordError> {
        let pairs = self.map("expected a map")?;
        self.version()?;
        Ok(pairs)
    }

    /// The rest of a body behind so many fields: extensions, and nothing behind them.
    pub(crate) fn end(mut self, pairs: u64, fields: usize) -> Result<(), RecordError> {
        self.extensions(pairs.checked_sub(fields as u64).ok_or(RecordError::Malformed("a field is missing"))?)?;
        Ok(self.finish()?)
    }

    /// The next key of a map, which has to be this one.
    pub(crate) fn field(&mut self, expected: u64) -> Result<(), RecordError> {
        let key = self.uint("a key is not a number")?;
        if key == expected { Ok(()) } else { Err(RecordError::Malformed("a field is missing or misplaced")) }
    }

    /// Key 0, the version.
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
