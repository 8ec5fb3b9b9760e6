//! Signed records: deterministic CBOR (RFC 8949, section 4.2.1), and one signature over it.
//!
//! ```text
//! record = [ body: bstr, signature: bstr .size 64 ]       body = { 0: version, 1: owner, … }
//! ```
//!
//! Shared by the contact card and the one-time prekeys; what the further keys mean is theirs.

use std::convert::Infallible;

use minicbor::Encoder;

use super::key::IdentityKey;
use super::keypair::IdentityKeypair;
use crate::base::PeerId;
use crate::base::cbor::{self, CborError};
use crate::crypto::kem::KemPublic;
use crate::crypto::sign::{SIGNATURE_LEN, Signature};

/// What the encoder could fail with; into a vector it never does.
pub(super) type EncodeError = minicbor::encode::Error<Infallible>;

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

/// Signs a body and encodes the record.
pub(super) fn sign(me: &IdentityKeypair, label: &'static str, body: &[u8]) -> Vec<u8> {
    let signature = me.sign(label, body);
    encode(|e| e.array(2)?.bytes(body)?.bytes(&signature.0)?.ok())
}

/// A record taken apart, not verified.
#[derive(Clone, Copy, Debug)]
pub(super) struct SignedIn<'b> {
    /// The signed bytes.
    pub(super) body: &'b [u8],
    /// The signature over them.
    pub(super) signature: Signature,
}

impl<'b> SignedIn<'b> {
    /// Size first, then the frame (ID-10, ID-11).
    pub(super) fn decode(bytes: &'b [u8], max: usize) -> Result<Self, RecordError> {
        if bytes.len() > max {
            return Err(RecordError::TooLarge { got: bytes.len(), max });
        }
        let mut reader = Reader::new(bytes);
        if reader.array()? != 2 {
            return Err(RecordError::Malformed("not a body and a signature"));
        }
        let (body, signature) = (reader.bytes()?, Signature(reader.fixed::<SIGNATURE_LEN>()?));
        reader.end()?;
        Ok(Self { body, signature })
    }
}

/// The body and signature of a decoded record, kept until it is verified.
#[derive(Clone, Debug)]
pub(super) struct Unverified {
    /// Whose it says it is.
    pub(super) owner: PeerId,
    body: Vec<u8>,
    signature: Signature,
}

impl Unverified {
    pub(super) fn new(owner: PeerId, signed: SignedIn<'_>) -> Self {
        Self { owner, body: signed.body.to_vec(), signature: signed.signature }
    }

    /// Owner, then signature (ID-14).
    pub(super) fn verify(&self, label: &'static str, expected: &IdentityKey) -> Result<(), RecordError> {
        if self.owner != expected.peer_id() {
            return Err(RecordError::WrongOwner);
        }
        expected.verify(label, &self.body, &self.signature).map_err(|_| RecordError::Signature)
    }
}

/// Encodes into fresh bytes; minicbor writes the shortest heads, as determinism asks.
pub(super) fn encode(fill: impl FnOnce(&mut Encoder<Vec<u8>>) -> Result<(), EncodeError>) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    // Writing into a vector cannot fail, and nothing we write has an error of its own.
    #[allow(clippy::expect_used)]
    fill(&mut encoder).expect("writes into a vector");
    encoder.into_writer()
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

/// Reads deterministic CBOR and nothing else (ID-12), in the form that records have.
#[derive(Debug)]
pub(super) struct Reader<'b>(cbor::Reader<'b>);

impl<'b> Reader<'b> {
    pub(super) const fn new(bytes: &'b [u8]) -> Self {
        Self(cbor::Reader::new(bytes))
    }

    pub(super) fn uint(&mut self) -> Result<u64, RecordError> {
        Ok(self.0.uint("expected a number")?)
    }

    pub(super) fn bytes(&mut self) -> Result<&'b [u8], RecordError> {
        Ok(self.0.bytes("expected bytes", usize::MAX)?)
    }

    /// A byte string of exactly `N` bytes.
    pub(super) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        self.bytes()?.try_into().map_err(|_| RecordError::Malformed("wrong length of a key, ID or signature"))
    }

    pub(super) fn text(&mut self) -> Result<&'b str, RecordError> {
        Ok(self.0.text("expected text", usize::MAX)?)
    }

    /// The head of an array: how many items follow.
    pub(super) fn array(&mut self) -> Result<u64, RecordError> {
        Ok(self.0.array("expected an array")?)
    }

    /// The head of a map: how many pairs follow.
    pub(super) fn map(&mut self) -> Result<u64, RecordError> {
        Ok(self.0.map("expected a map")?)
    }

    /// The next key of a map, which has to be this one.
    pub(super) fn key(&mut self, expected: u64) -> Result<(), RecordError> {
        if self.uint()? == expected { Ok(()) } else { Err(RecordError::Malformed("a field is missing or misplaced")) }
    }

    /// Key 0, the version, looked at before anything else of the body.
    pub(super) fn version(&mut self, known: u64) -> Result<(), RecordError> {
        self.key(0)?;
        match self.uint()? {
            version if version == known => Ok(()),
            version => Err(RecordError::UnknownVersion(version)),
        }
    }

    /// An ML-KEM-768 encapsulation key that passes the modulus check of FIPS 203 (ID-16).
    pub(super) fn kem(&mut self) -> Result<KemPublic, RecordError> {
        KemPublic::from_bytes(self.bytes()?).map_err(|_| RecordError::Malformed("not an ML-KEM-768 key"))
    }

    /// The rest of a map: extensions, byte strings under ascending keys, which are skipped (ID-13).
    pub(super) fn extensions(&mut self, pairs: u64) -> Result<(), RecordError> {
        let mut lowest = FIRST_EXTENSION;
        for _ in 0..pairs {
            let key = self.uint()?;
            if key < lowest {
                return Err(RecordError::Malformed("an unknown, repeated or misplaced field"));
            }
            self.bytes()?;
            lowest = key.checked_add(1).ok_or(RecordError::Bounds("the key of an extension"))?;
        }
        Ok(())
    }

    /// Nothing may follow (ID-12).
    pub(super) fn end(&self) -> Result<(), RecordError> {
        Ok(self.0.clone().finish()?)
    }
}

#[cfg(test)]
mod tests;
