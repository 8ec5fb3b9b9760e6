//! What a row carries for later versions, and for others.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::ser::{Error as _, SerializeTuple as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::Bytes;

use super::limits::MAX_TAIL;

/// What stands under small numbers at the end of a row, so that something is added without another form of it. Who does not
/// know a number keeps what stands there, and writes it again. The numbers of each kind of row: `docs/protocol/README.md`.
///
/// In postcard alone, and as the last field of a row: it reaches to the end of the bytes. An empty one is no bytes at all,
/// so that a row from before there was one has an empty one.
///
/// ```text
/// tail = entry ‖ entry …    entry = number (1) ‖ length (varint) ‖ bytes, numbers ascending
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tail(BTreeMap<u8, Vec<u8>>);

impl Tail {
    /// An empty one.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// What stands under this number.
    pub fn get(&self, number: u8) -> Option<&[u8]> {
        self.0.get(&number).map(Vec::as_slice)
    }

    /// Puts something there, in place of what was. All of a tail has at most `MAX_TAIL` bytes, or the row is not written.
    pub fn set(&mut self, number: u8, bytes: Vec<u8>) {
        self.0.insert(number, bytes);
    }

    /// Nothing stands there any more.
    pub fn clear(&mut self, number: u8) {
        self.0.remove(&number);
    }

    fn to_bytes(&self) -> postcard::Result<Vec<u8>> {
        let entries = self.0.iter().map(|(number, bytes)| (number, Bytes::new(bytes)));
        entries.into_iter().try_fold(Vec::new(), |written, entry| postcard::to_extend(&entry, written))
    }

    /// Each number stands there once, and in order, so that there is one form.
    fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut entries = BTreeMap::new();
        while !bytes.is_empty() {
            let ((number, value), rest) = postcard::take_from_bytes::<(u8, &Bytes)>(bytes).ok()?;
            if entries.last_key_value().is_some_and(|(last, _)| *last >= number) {
                return None;
            }
            entries.insert(number, value.to_vec());
            bytes = rest;
        }
        Some(Self(entries))
    }
}

impl Serialize for Tail {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let bytes = self.to_bytes().map_err(S::Error::custom)?;
        if bytes.len() > MAX_TAIL {
            return Err(S::Error::custom("the tail of a row is too long"));
        }
        // Bytes without their number, as a tuple is written.
        let mut out = s.serialize_tuple(bytes.len())?;
        bytes.iter().try_for_each(|byte| out.serialize_element(byte))?;
        out.end()
    }
}

impl<'de> Deserialize<'de> for Tail {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_tuple(MAX_TAIL + 1, ToTheEnd)
    }
}

/// Takes all bytes that are left.
struct ToTheEnd;

impl<'de> Visitor<'de> for ToTheEnd {
    type Value = Tail;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the tail of a row")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut left: A) -> Result<Tail, A::Error> {
        let mut bytes = Vec::new();
        // Reading a byte fails at the end, and for nothing else.
        while let Ok(Some(byte)) = left.next_element() {
            bytes.push(byte);
        }
        let tail = if bytes.len() > MAX_TAIL { None } else { Tail::from_bytes(&bytes) };
        tail.ok_or_else(|| A::Error::custom("the tail of a row cannot be read"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Before {
        name: String,
        count: u32,
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        name: String,
        count: u32,
        tail: Tail,
    }

    fn row(entries: &[(u8, &[u8])]) -> Row {
        let tail = Tail(entries.iter().map(|(number, bytes)| (*number, bytes.to_vec())).collect());
        Row { name: "a".to_owned(), count: 300, tail }
    }

    #[test]
    fn rows_of_the_version_before_and_of_one_after_are_read_and_keep_what_they_carry() {
        let before = postcard::to_allocvec(&Before { name: "a".to_owned(), count: 300 }).unwrap();
        let read: Row = postcard::from_bytes(&before).unwrap();
        assert_eq!(read, row(&[]));
        assert_eq!(postcard::to_allocvec(&read).unwrap(), before, "an empty tail is no bytes");
        let after = [&before[..], b"\x01\x02hi\x7f\x00"].concat();
        let mut read: Row = postcard::from_bytes(&after).unwrap();
        assert_eq!(read, row(&[(1, b"hi"), (127, b"")]));
        read.count = 4;
        let written = postcard::to_allocvec(&read).unwrap();
        assert!(written.ends_with(b"\x04\x01\x02hi\x7f\x00"), "{written:?}");
        // Who came before tails reads it, too.
        assert_eq!(postcard::from_bytes::<Before>(&written).unwrap().count, 4);
    }

    #[test]
    fn what_stands_under_a_number_is_replaced_and_taken_away() {
        let mut tail = Tail::new();
        tail.set(7, b"one".to_vec());
        tail.set(7, b"two".to_vec());
        assert_eq!((tail.get(7), tail.get(8)), (Some(&b"two"[..]), None));
        tail.clear(7);
        assert_eq!(tail, Tail::new());
    }

    #[test]
    fn a_tail_that_is_cut_doubled_out_of_order_or_too_long_is_refused() {
        let bytes = postcard::to_allocvec(&row(&[])).unwrap();
        for tail in [&b"\x01"[..], b"\x01\x02h", b"\x01\x00\x01\x00", b"\x02\x00\x01\x00", b"\x01\xff\xff\xff\xff\xff"]
        {
            let bytes = [&bytes[..], tail].concat();
            assert!(postcard::from_bytes::<Row>(&bytes).is_err(), "{tail:?}");
        }
        let mut long = row(&[(1, &[0; MAX_TAIL - 4])]);
        let written = postcard::to_allocvec(&long).unwrap();
        assert_eq!(postcard::from_bytes::<Row>(&written).unwrap(), long);
        long.tail.set(2, vec![0; 3]);
        assert!(postcard::to_allocvec(&long).is_err());
        assert!(postcard::from_bytes::<Row>(&[&written[..], b"\x02\x03abc"].concat()).is_err());
    }
}
