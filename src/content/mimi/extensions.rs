//! The extensions map (section 4.3 of the draft): what is known is typed, all else is kept exactly.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use minicbor::Encode;

use crate::base::cbor::{Key, Reader, Writer};
use crate::base::limits::{MAX_EXTENSION, MAX_EXTENSION_DEPTH, MAX_EXTENSIONS, MAX_URI};
use crate::content::ContentError;

/// Extension 1: the sender's URI.
pub(super) const SENDER: i64 = 1;
/// Extension 2: the room's URI.
pub(super) const ROOM: i64 = 2;
/// Extension 3: the sender's counter for the room.
pub(super) const COUNTER: i64 = 3;

/// Longest textual key in bytes.
const MAX_KEY_TEXT: usize = 255;

/// The key of an extension. Ordered as the deterministic encoding orders them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtensionKey {
    /// Assigned (positive) or private (negative); of at most 53 bits.
    Int(i64),
    /// Private; 1 to 255 bytes.
    Text(String),
}

/// The extensions of a message, in the order of the deterministic encoding; unknown ones are kept exactly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// The values are encoded CBOR items.
    entries: BTreeMap<ExtensionKey, Vec<u8>>,
}

impl Extensions {
    /// The encoded value of an extension.
    pub fn get(&self, key: &ExtensionKey) -> Option<&[u8]> {
        self.entries.get(key).map(Vec::as_slice)
    }

    /// All, in their order: key and encoded value.
    pub fn iter(&self) -> impl Iterator<Item = (&ExtensionKey, &[u8])> {
        self.entries.iter().map(|(key, value)| (key, value.as_slice()))
    }

    pub(super) fn text(&self, key: i64) -> Option<&str> {
        Reader::new(self.get(&ExtensionKey::Int(key))?).text("extension", MAX_URI).ok()
    }

    pub(super) fn uint(&self, key: i64) -> Option<u64> {
        Reader::new(self.get(&ExtensionKey::Int(key))?).uint("extension").ok()
    }

    pub(super) fn set(&mut self, key: i64, value: impl Encode<()>) {
        let mut writer = Writer::new();
        writer.put(value);
        self.entries.insert(ExtensionKey::Int(key), writer.into_bytes());
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.map(self.entries.len());
        for (key, value) in &self.entries {
            match key {
                ExtensionKey::Int(int) => writer.put(int),
                ExtensionKey::Text(text) => writer.put(text.as_str()),
            };
            writer.raw(value);
        }
    }

    /// CON-3, CON-5, CON-6, CON-8.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, ContentError> {
        let len = reader.map("extensions")?;
        if len > MAX_EXTENSIONS as u64 {
            return Err(ContentError::TooMany("extensions"));
        }
        let mut entries = BTreeMap::new();
        for _ in 0..len {
            let key = match reader.key("extension key", MAX_KEY_TEXT)? {
                Key::Int(int) => ExtensionKey::Int(int),
                Key::Text("") => return Err(ContentError::Field("extension key")),
                Key::Text(text) => ExtensionKey::Text(text.to_owned()),
            };
            if entries.last_key_value().is_some_and(|(last, _)| *last >= key) {
                return Err(ContentError::NotDeterministic);
            }
            let value = read_value(&key, reader)?;
            if value.len() > MAX_EXTENSION {
                return Err(ContentError::TooLong("extension"));
            }
            entries.insert(key, value.to_vec());
        }
        Ok(Self { entries })
    }
}

fn read_value<'b>(key: &ExtensionKey, reader: &mut Reader<'b>) -> Result<&'b [u8], ContentError> {
    // The known ones are held to their types on a copy, then taken as they are.
    match key {
        ExtensionKey::Int(SENDER) => drop(reader.clone().text("sender URI", MAX_URI)?),
        ExtensionKey::Int(ROOM) => drop(reader.clone().text("room URI", MAX_URI)?),
        ExtensionKey::Int(COUNTER) => drop(reader.clone().uint("counter")?),
        _ => {}
    }
    // The extensions map is the first level.
    reader.any(MAX_EXTENSION_DEPTH - 1)
}

impl ExtensionKey {
    /// Major type, then value or length, then bytes: as the encodings compare.
    fn rank(&self) -> (u8, u64, &str) {
        match self {
            Self::Int(int @ 0..) => (0, int.unsigned_abs(), ""),
            Self::Int(int) => (1, int.unsigned_abs(), ""),
            Self::Text(text) => (3, text.len() as u64, text),
        }
    }
}

impl Ord for ExtensionKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for ExtensionKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
