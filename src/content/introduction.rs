//! Who writes: what a first message says of its sender, and what a contact says of themself.

use std::fmt;

use crate::base::cbor::{Reader, Writer};
use crate::base::limits::MAX_NAME_CHARS;

use super::ContentError;

/// Goes with a message to somebody who is not known to have accepted us.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Introduction {
    /// The name the sender announces: 1 to `MAX_NAME_CHARS` characters. A claim, nothing more.
    pub name: Option<String>,
    /// What it is about: 1 to `MAX_NAME_CHARS` characters.
    pub subject: Option<String>,
    /// The request token from the recipient's link: shows the request as invited.
    pub token: Option<[u8; 16]>,
}

/// What a contact announces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The display name, at most `MAX_NAME_CHARS` characters; empty: none.
    pub name: String,
}

impl Introduction {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer
            .array(3)
            .put(self.name.as_deref())
            .put(self.subject.as_deref())
            .bytes_or_null(self.token.as_ref().map(<[u8; 16]>::as_slice));
        writer.into_bytes()
    }

    /// CON-24.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        Reader::whole(bytes, |reader| {
            reader.array_of(3, "introduction")?;
            Ok(Self {
                name: non_empty(reader, "name")?,
                subject: non_empty(reader, "subject")?,
                token: if reader.null() { None } else { Some(reader.byte_array("token")?) },
            })
        })
    }
}

impl fmt::Debug for Introduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The token is a secret of the recipient's.
        f.debug_struct("Introduction")
            .field("name", &self.name)
            .field("subject", &self.subject)
            .field("token", &self.token.map(|_| "redacted"))
            .finish()
    }
}

impl Profile {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(1).put(self.name.as_str());
        writer.into_bytes()
    }

    /// CON-26.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        Reader::whole(bytes, |reader| {
            reader.array_of(1, "profile")?;
            Ok(Self { name: short_text(reader, "name")? })
        })
    }
}

fn non_empty(reader: &mut Reader<'_>, field: &'static str) -> Result<Option<String>, ContentError> {
    if reader.null() {
        return Ok(None);
    }
    // One form only for "none": null.
    Some(short_text(reader, field)?).filter(|text| !text.is_empty()).map(Some).ok_or(ContentError::Field(field))
}

fn short_text(reader: &mut Reader<'_>, field: &'static str) -> Result<String, ContentError> {
    // A character has four bytes at most.
    let text = reader.text(field, MAX_NAME_CHARS * 4)?;
    if text.chars().count() > MAX_NAME_CHARS { Err(ContentError::TooLong(field)) } else { Ok(text.to_owned()) }
}
