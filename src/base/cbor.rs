//! Strict CBOR: the deterministic encoding of RFC 8949, section 4.2.1, and nothing else.
//!
//! Writing is `minicbor`'s. Reading is our own, because a decoder that also takes longer forms would
//! let one message have many encodings; here every head is held against the one that is allowed.

use std::convert::Infallible;

use minicbor::bytes::ByteSlice;
use minicbor::{Encode, Encoder};

/// Integers of map keys must fit a double (draft-ietf-mimi-content-08, data model restrictions).
const MAX_KEY_INT: i64 = (1 << 53) - 1;

/// Why bytes of a peer are not the one encoding of what is expected: of content, which has rules beside those of CBOR, or of records,
/// which put it into words of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// Larger than any content may be (CON-1, CON-21).
    #[error("content is too large")]
    TooLarge,
    /// Not well-formed CBOR, or it ends too early (CON-2).
    #[error("content is not well-formed CBOR")]
    Malformed,
    /// Something follows the end (CON-2).
    #[error("bytes follow the end of the content")]
    TrailingBytes,
    /// Well-formed, but not in the deterministic encoding: an indefinite length, a number in more
    /// bytes than it needs, map keys out of order or twice (CON-3).
    #[error("content is not in the deterministic encoding")]
    NotDeterministic,
    /// A field has another type or value than the form allows (CON-4, CON-22).
    #[error("the field '{0}' has a wrong type or value")]
    Field(&'static str),
    /// A text or byte string is longer than allowed (CON-6, CON-24 to CON-26, CON-28).
    #[error("the field '{0}' is too long")]
    TooLong(&'static str),
    /// More entries than allowed (CON-5, CON-21, CON-28).
    #[error("too many {0}")]
    TooMany(&'static str),
    /// Nested deeper than allowed (CON-5).
    #[error("content is nested too deeply")]
    TooDeep,
}

/// What the first three bits of an item say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Major {
    Unsigned,
    Negative,
    Bytes,
    Text,
    Array,
    Map,
    Tag,
    Simple,
}

/// A head: the kind of the item, and its value or length.
#[derive(Clone, Copy, Debug)]
struct Head {
    major: Major,
    value: u64,
}

/// The key of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key<'b> {
    Int(i64),
    Text(&'b str),
}

/// Reads one document.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    pub(crate) const fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Reads a whole document: nothing may follow.
    pub(crate) fn whole<T>(
        bytes: &'b [u8],
        read: impl FnOnce(&mut Self) -> Result<T, CborError>,
    ) -> Result<T, CborError> {
        let mut reader = Self::new(bytes);
        let said = read(&mut reader)?;
        reader.finish()?;
        Ok(said)
    }

    /// Nothing may follow.
    pub(crate) const fn finish(self) -> Result<(), CborError> {
        if self.rest.is_empty() { Ok(()) } else { Err(CborError::TrailingBytes) }
    }

    pub(crate) fn uint(&mut self, field: &'static str) -> Result<u64, CborError> {
        self.expect(Major::Unsigned, field)
    }

    /// An unsigned integer that fits `T`.
    pub(crate) fn uint_as<T: TryFrom<u64>>(&mut self, field: &'static str) -> Result<T, CborError> {
        T::try_from(self.uint(field)?).map_err(|_| CborError::Field(field))
    }

    pub(crate) fn bool(&mut self, field: &'static str) -> Result<bool, CborError> {
        match self.take(1)? {
            [0xf4] => Ok(false),
            [0xf5] => Ok(true),
            _ => Err(CborError::Field(field)),
        }
    }

    /// Takes a null if there is one.
    pub(crate) fn null(&mut self) -> bool {
        match self.rest {
            [0xf6, rest @ ..] => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    pub(crate) fn bytes(&mut self, field: &'static str, max: usize) -> Result<&'b [u8], CborError> {
        let len = self.expect(Major::Bytes, field)?;
        self.take_bounded(len, field, max)
    }

    /// Exactly `N` bytes.
    pub(crate) fn byte_array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], CborError> {
        self.bytes(field, N)?.try_into().map_err(|_| CborError::Field(field))
    }

    pub(crate) fn text(&mut self, field: &'static str, max: usize) -> Result<&'b str, CborError> {
        let len = self.expect(Major::Text, field)?;
        utf8(self.take_bounded(len, field, max)?)
    }

    pub(crate) fn array(&mut self, field: &'static str) -> Result<u64, CborError> {
        self.expect(Major::Array, field)
    }

    /// An array of exactly `len` items.
    pub(crate) fn array_of(&mut self, len: u64, field: &'static str) -> Result<(), CborError> {
        if self.array(field)? == len { Ok(()) } else { Err(CborError::Field(field)) }
    }

    pub(crate) fn map(&mut self, field: &'static str) -> Result<u64, CborError> {
        self.expect(Major::Map, field)
    }

    /// A map key that is an integer or a text.
    pub(crate) fn key(&mut self, field: &'static str, max_text: usize) -> Result<Key<'b>, CborError> {
        match self.clone().head()?.major {
            Major::Unsigned | Major::Negative => self.key_int(field).map(Key::Int),
            _ => self.text(field, max_text).map(Key::Text),
        }
    }

    fn key_int(&mut self, field: &'static str) -> Result<i64, CborError> {
        let Head { major, value } = self.head()?;
        let int = i64::try_from(value).map_err(|_| CborError::Field(field))?;
        match major {
            Major::Unsigned if int <= MAX_KEY_INT => Ok(int),
            Major::Negative if int < MAX_KEY_INT => Ok(-1 - int),
            _ => Err(CborError::Field(field)),
        }
    }

    /// Any value, checked and handed out as its bytes. `levels` is how many arrays, maps and tags may
    /// stand inside each other, so the recursion is bounded by the caller's constant.
    pub(crate) fn any(&mut self, levels: usize) -> Result<&'b [u8], CborError> {
        self.passed(|reader| reader.walk(levels, true))
    }

    /// The same of a value that may stand in a signed record: without tags and floating point (ID-12).
    pub(crate) fn plain(&mut self, levels: usize) -> Result<&'b [u8], CborError> {
        self.passed(|reader| reader.walk(levels, false))
    }

    /// The bytes that are passed over.
    fn passed(&mut self, pass: impl FnOnce(&mut Self) -> Result<(), CborError>) -> Result<&'b [u8], CborError> {
        let before = self.rest;
        pass(self)?;
        let len = before.len() - self.rest.len();
        before.get(..len).ok_or(CborError::Malformed)
    }

    /// Whether tags and floating point may stand there says `all`.
    fn walk(&mut self, levels: usize, all: bool) -> Result<(), CborError> {
        if !all && matches!(self.rest, [0xc0..=0xdb | 0xf9..=0xfb, ..]) {
            return Err(CborError::Field("a tag or a floating point number"));
        }
        let Head { major, value } = self.head()?;
        let inside = levels.checked_sub(1).ok_or(CborError::TooDeep);
        match major {
            Major::Unsigned | Major::Negative | Major::Simple => {}
            Major::Bytes => drop(self.take_len(value)?),
            Major::Text => drop(utf8(self.take_len(value)?)?),
            // Every item takes a byte at least, so these end with the input, whatever the length says.
            Major::Array => {
                let inside = inside?;
                for _ in 0..value {
                    self.walk(inside, all)?;
                }
            }
            Major::Map => self.walk_map(value, inside?, all)?,
            Major::Tag => self.walk(inside?, all)?,
        }
        Ok(())
    }

    fn walk_map(&mut self, len: u64, levels: usize, all: bool) -> Result<(), CborError> {
        let mut last: &[u8] = &[];
        for _ in 0..len {
            let before = self.rest;
            match self.clone().head()?.major {
                Major::Unsigned | Major::Negative => drop(self.key_int("map key")?),
                Major::Bytes | Major::Text => self.walk(0, all)?,
                _ => return Err(CborError::Field("map key")),
            }
            let key = before.get(..before.len() - self.rest.len()).ok_or(CborError::Malformed)?;
            // Keys are sorted by the bytes of their encoding, none is empty, none stands twice.
            if key <= last {
                return Err(CborError::NotDeterministic);
            }
            last = key;
            self.walk(levels, all)?;
        }
        Ok(())
    }

    fn expect(&mut self, major: Major, field: &'static str) -> Result<u64, CborError> {
        let head = self.head()?;
        if head.major == major { Ok(head.value) } else { Err(CborError::Field(field)) }
    }

    fn head(&mut self) -> Result<Head, CborError> {
        let &[first] = self.take_array()?;
        let major = match first >> 5 {
            0 => Major::Unsigned,
            1 => Major::Negative,
            2 => Major::Bytes,
            3 => Major::Text,
            4 => Major::Array,
            5 => Major::Map,
            6 => Major::Tag,
            _ => Major::Simple,
        };
        let (value, smallest) = match first & 0x1f {
            direct @ 0..=23 => (u64::from(direct), 0),
            24 => (u64::from(u8::from_be_bytes(*self.take_array()?)), 24),
            25 => (u64::from(u16::from_be_bytes(*self.take_array()?)), 1 << 8),
            26 => (u64::from(u32::from_be_bytes(*self.take_array()?)), 1 << 16),
            27 => (u64::from_be_bytes(*self.take_array()?), 1 << 32),
            // An indefinite length; under the last major type it is a break, which stands alone nowhere.
            31 if matches!(major, Major::Bytes | Major::Text | Major::Array | Major::Map) => {
                return Err(CborError::NotDeterministic);
            }
            _ => return Err(CborError::Malformed),
        };
        match major {
            // Simple values below 32 have one form only; the rest are floats, whose bits are their own.
            Major::Simple if first == 0xf8 && value < 32 => Err(CborError::Malformed),
            Major::Simple => Ok(Head { major, value }),
            _ if value < smallest => Err(CborError::NotDeterministic),
            _ => Ok(Head { major, value }),
        }
    }

    fn take_bounded(&mut self, len: u64, field: &'static str, max: usize) -> Result<&'b [u8], CborError> {
        match usize::try_from(len) {
            Ok(len) if len <= max => self.take(len),
            _ => Err(CborError::TooLong(field)),
        }
    }

    fn take_len(&mut self, len: u64) -> Result<&'b [u8], CborError> {
        self.take(usize::try_from(len).map_err(|_| CborError::Malformed)?)
    }

    fn take(&mut self, len: usize) -> Result<&'b [u8], CborError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(CborError::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn take_array<const N: usize>(&mut self) -> Result<&'b [u8; N], CborError> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(CborError::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Writes one document. `minicbor` always chooses the shortest form; the caller keeps map keys sorted.
#[derive(Debug)]
pub(crate) struct Writer(Encoder<Vec<u8>>);

impl Writer {
    pub(crate) fn new() -> Self {
        Self(Encoder::new(Vec::new()))
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0.into_writer()
    }

    pub(crate) fn array(&mut self, len: usize) -> &mut Self {
        let done = self.0.array(len as u64).map(drop);
        self.written(&done)
    }

    pub(crate) fn map(&mut self, len: usize) -> &mut Self {
        let done = self.0.map(len as u64).map(drop);
        self.written(&done)
    }

    /// A number, a bool, a text, or null for `None` of any of them.
    pub(crate) fn put(&mut self, value: impl Encode<()>) -> &mut Self {
        let done = self.0.encode(value).map(drop);
        self.written(&done)
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.put(<&ByteSlice>::from(value))
    }

    /// The bytes, or null.
    pub(crate) fn bytes_or_null(&mut self, value: Option<&[u8]>) -> &mut Self {
        self.put(value.map(<&ByteSlice>::from))
    }

    /// An item that is encoded already.
    pub(crate) fn raw(&mut self, item: &[u8]) -> &mut Self {
        self.0.writer_mut().extend_from_slice(item);
        self
    }

    fn written(&mut self, done: &Result<(), minicbor::encode::Error<Infallible>>) -> &mut Self {
        // A vector takes whatever is written to it, and the types we write cannot fail by themselves.
        debug_assert!(done.is_ok());
        self
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, CborError> {
    std::str::from_utf8(bytes).map_err(|_| CborError::Malformed)
}

#[cfg(test)]
mod tests;
