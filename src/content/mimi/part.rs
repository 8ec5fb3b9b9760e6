//! The parts of a message (section 4.4 of the draft).

use std::fmt;

use crate::base::cbor::{Reader, Writer};
use crate::base::limits::{MAX_EXTERNAL_BYTES, MAX_EXTERNAL_TEXT, MAX_MEDIA_TYPE, MAX_PAYLOAD, MAX_SYMBOL};
use crate::content::ContentError;

// Cardinalities.
const NULL: u64 = 0;
const SINGLE: u64 = 1;
const EXTERNAL: u64 = 2;
const MULTI: u64 = 3;

/// What a part is for. Any value is kept; an unknown one is shown as [`Self::RENDER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disposition(pub u8);

impl Disposition {
    /// Not said.
    pub const UNSPECIFIED: Self = Self(0);
    /// To be shown.
    pub const RENDER: Self = Self(1);
    /// A reaction to the message in `in_reply_to`.
    pub const REACTION: Self = Self(2);
    /// A profile.
    pub const PROFILE: Self = Self(3);
    /// To be shown within the text.
    pub const INLINE: Self = Self(4);
    /// A small picture.
    pub const ICON: Self = Self(5);
    /// To be fetched on wish.
    pub const ATTACHMENT: Self = Self(6);
    /// A call or its description.
    pub const SESSION: Self = Self(7);
    /// A preview made by the sender.
    pub const PREVIEW: Self = Self(8);
}

/// A part of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is for.
    pub disposition: Disposition,
    /// Language tags (RFC 5646), separated by commas; may be empty.
    pub language: String,
    /// What is in it.
    pub body: Body,
}

/// What is in a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing: what is replaced is taken back.
    Null,
    /// Content, here.
    Single {
        /// Its media type, as the sender wrote it.
        content_type: String,
        /// Its bytes.
        content: Vec<u8>,
    },
    /// Content, elsewhere.
    External(Box<External>),
    /// Several parts.
    Multi {
        /// How they belong together.
        semantics: Semantics,
        /// The parts; two at least.
        parts: Vec<Part>,
    },
}

/// How the parts of a part belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Semantics {
    /// The receiver shows one of them.
    ChooseOne = 0,
    /// All or none.
    SingleUnit = 1,
    /// As many as the receiver can.
    ProcessAll = 2,
}

/// Content that is fetched from elsewhere.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct External {
    /// Its media type, as the sender wrote it.
    pub content_type: String,
    /// Where it is.
    pub url: String,
    /// Until when it is there, in seconds after the Unix epoch; 0: not said.
    pub expires: u32,
    /// Its size in bytes; 0: not said.
    pub size: u64,
    /// The AEAD it is encrypted with (IANA number); 0: none.
    pub enc_alg: u16,
    /// Key of the AEAD.
    pub key: Vec<u8>,
    /// Nonce of the AEAD.
    pub nonce: Vec<u8>,
    /// Associated data of the AEAD.
    pub aad: Vec<u8>,
    /// The hash (IANA named information number).
    pub hash_alg: u8,
    /// The hash of what is at the URL.
    pub content_hash: Vec<u8>,
    /// A description for people.
    pub description: String,
    /// A name for the file.
    pub filename: String,
}

impl Part {
    /// The text to show, if there is one: of a single part, or of the first part that has one in parts
    /// of which one, or as many as possible, are to be shown.
    pub fn as_text(&self) -> Option<&str> {
        if matches!(self.disposition, Disposition::REACTION | Disposition::PROFILE | Disposition::SESSION) {
            return None;
        }
        match &self.body {
            Body::Single { content_type, content } if is_text(content_type) => std::str::from_utf8(content).ok(),
            Body::Multi { semantics: Semantics::ChooseOne | Semantics::ProcessAll, parts } => {
                parts.iter().find_map(Self::as_text)
            }
            _ => None,
        }
    }

    /// The media type of its first content, as the sender wrote it; `None` for a part without any.
    pub fn media_type(&self) -> Option<&str> {
        match &self.body {
            Body::Null => None,
            Body::Single { content_type, .. } => Some(content_type),
            Body::External(external) => Some(&external.content_type),
            Body::Multi { parts, .. } => parts.iter().find_map(Self::media_type),
        }
    }

    /// The symbols of a reaction; empty if this is none, or one of another kind (a picture, say).
    pub(super) fn symbols(&self) -> Vec<&str> {
        if self.disposition != Disposition::REACTION {
            return Vec::new();
        }
        match &self.body {
            Body::Single { content_type, content } if is_text(content_type) => std::str::from_utf8(content)
                .ok()
                .filter(|symbol| (1..=MAX_SYMBOL).contains(&symbol.len()))
                .into_iter()
                .collect(),
            Body::Multi { parts, .. } => parts.iter().flat_map(Self::symbols).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        let (len, cardinality) = match &self.body {
            Body::Null => (3, NULL),
            Body::Single { .. } => (5, SINGLE),
            Body::External(_) => (15, EXTERNAL),
            Body::Multi { .. } => (5, MULTI),
        };
        writer.array(len).put(self.disposition.0).put(self.language.as_str()).put(cardinality);
        match &self.body {
            Body::Null => {}
            Body::Single { content_type, content } => {
                writer.put(content_type.as_str()).bytes(content);
            }
            Body::External(external) => external.write(writer),
            Body::Multi { semantics, parts } => {
                writer.put(*semantics as u8).array(parts.len());
                for part in parts {
                    part.write(writer);
                }
            }
        }
    }

    /// Reads a part and those in it (CON-4 to CON-7). `levels` of nesting are left, this one included, and
    /// `parts` of the whole message.
    pub(super) fn read(reader: &mut Reader<'_>, levels: usize, parts: &mut usize) -> Result<Self, ContentError> {
        let levels = levels.checked_sub(1).ok_or(ContentError::TooDeep)?;
        *parts = parts.checked_sub(1).ok_or(ContentError::TooMany("parts"))?;
        let len = reader.array("part")?;
        let disposition = Disposition(reader.uint_as("disposition")?);
        let language = reader.text("language", MAX_MEDIA_TYPE)?.to_owned();
        let body = match (reader.uint("cardinality")?, len) {
            (NULL, 3) => Body::Null,
            (SINGLE, 5) => Body::Single {
                content_type: reader.text("content type", MAX_MEDIA_TYPE)?.to_owned(),
                content: reader.bytes("content", MAX_PAYLOAD)?.to_vec(),
            },
            (EXTERNAL, 15) => Body::External(Box::new(External::read(reader)?)),
            (MULTI, 5) => Self::read_multi(reader, levels, parts)?,
            _ => return Err(ContentError::Field("cardinality")),
        };
        Ok(Self { disposition, language, body })
    }

    fn read_multi(reader: &mut Reader<'_>, levels: usize, left: &mut usize) -> Result<Body, ContentError> {
        let semantics = match reader.uint("part semantics")? {
            0 => Semantics::ChooseOne,
            1 => Semantics::SingleUnit,
            2 => Semantics::ProcessAll,
            _ => return Err(ContentError::Field("part semantics")),
        };
        let len = reader.array("parts")?;
        if len < 2 {
            return Err(ContentError::Field("parts"));
        }
        // Before anything is kept of them.
        if len > *left as u64 {
            return Err(ContentError::TooMany("parts"));
        }
        let parts = (0..len).map(|_| Self::read(reader, levels, left)).collect::<Result<_, _>>()?;
        Ok(Body::Multi { semantics, parts })
    }
}

impl External {
    fn write(&self, writer: &mut Writer) {
        writer
            .put(self.content_type.as_str())
            .put(self.url.as_str())
            .put(self.expires)
            .put(self.size)
            .put(self.enc_alg)
            .bytes(&self.key)
            .bytes(&self.nonce)
            .bytes(&self.aad)
            .put(self.hash_alg)
            .bytes(&self.content_hash)
            .put(self.description.as_str())
            .put(self.filename.as_str());
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, ContentError> {
        Ok(Self {
            content_type: reader.text("content type", MAX_MEDIA_TYPE)?.to_owned(),
            url: reader.text("url", MAX_EXTERNAL_TEXT)?.to_owned(),
            expires: reader.uint_as("expires of external content")?,
            size: reader.uint("size")?,
            enc_alg: reader.uint_as("encryption algorithm")?,
            key: reader.bytes("key", MAX_EXTERNAL_BYTES)?.to_vec(),
            nonce: reader.bytes("nonce", MAX_EXTERNAL_BYTES)?.to_vec(),
            aad: reader.bytes("associated data", MAX_EXTERNAL_BYTES)?.to_vec(),
            hash_alg: reader.uint_as("hash algorithm")?,
            content_hash: reader.bytes("content hash", MAX_EXTERNAL_BYTES)?.to_vec(),
            description: reader.text("description", MAX_EXTERNAL_TEXT)?.to_owned(),
            filename: reader.text("file name", MAX_EXTERNAL_TEXT)?.to_owned(),
        })
    }
}

/// The key of the AEAD opens what is at the URL: it is shown no more than any other key.
impl fmt::Debug for External {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("External")
            .field("content_type", &self.content_type)
            .field("url", &self.url)
            .field("size", &self.size)
            .field("filename", &self.filename)
            .finish_non_exhaustive()
    }
}

/// Whether it is text of a kind that can be shown as it is (CON-14; Markdown, too: draft, section 7.1), in UTF-8.
fn is_text(media_type: &str) -> bool {
    let mut pieces = media_type.split(';').map(str::trim);
    let essence = pieces.next().unwrap_or_default();
    let shown = ["text/plain", "text/markdown"].iter().any(|known| essence.eq_ignore_ascii_case(known));
    shown
        && pieces.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim_end().eq_ignore_ascii_case("charset") => {
                let value = value.trim().trim_matches('"');
                ["utf-8", "us-ascii"].iter().any(|known| value.eq_ignore_ascii_case(known))
            }
            _ => true,
        })
}
