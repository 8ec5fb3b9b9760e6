//! Messages as they are kept: without their origin, which whoever keeps them knows.

use serde::{Deserialize, Serialize};

use super::{MimiContent, extensions};
use crate::base::cbor::Writer;
use crate::content::ContentError;

/// Sender and room, as they stand in every message (CON-9): one extension behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Vec<u8>);

impl Origin {
    /// With the URIs of the two.
    pub fn new(sender_uri: &str, room_uri: &str) -> Self {
        let mut writer = Writer::new();
        writer.put(extensions::SENDER).put(sender_uri).put(extensions::ROOM).put(room_uri);
        Self(writer.into_bytes())
    }
}

/// An encoded message without the bytes of its origin. Put together again it is what it was, byte for byte, whatever it is:
/// one in which they are not found is kept whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bare {
    /// Where they stood; 0: nowhere.
    at: u32,
    #[serde(with = "serde_bytes")]
    bytes: Vec<u8>,
}

impl Bare {
    /// Takes them out.
    pub fn new(mut message: Vec<u8>, Origin(origin): &Origin) -> Self {
        let at = message.windows(origin.len()).position(|window| window == origin).unwrap_or(0);
        match u32::try_from(at) {
            Ok(at32 @ 1..) => {
                message.drain(at..at + origin.len());
                Self { at: at32, bytes: message }
            }
            _ => Self { at: 0, bytes: message },
        }
    }

    /// How long it is, as it is kept.
    pub const fn length(&self) -> usize {
        self.bytes.len()
    }

    /// What it says, but for its origin: in its place stands one that names nobody.
    ///
    /// # Errors
    /// [`ContentError`] for what is no message.
    pub fn decode(&self) -> Result<MimiContent, ContentError> {
        MimiContent::decode(&self.whole(&Origin::new("", "")))
    }

    /// Puts them back.
    pub fn whole(&self, Origin(origin): &Origin) -> Vec<u8> {
        match self.bytes.split_at_checked(self.at as usize) {
            Some((before, behind)) if self.at > 0 => [before, origin, behind].concat(),
            _ => self.bytes.clone(),
        }
    }
}
