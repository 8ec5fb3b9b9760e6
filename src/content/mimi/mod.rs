//! MIMI content (`draft-ietf-mimi-content-08`): one form for messages, replies, reactions, edits,
//! deletions, expiry and attachments.

mod bare;
mod expiry;
mod extensions;
mod make;
mod part;

pub use bare::{Bare, Origin};
pub use expiry::{Expires, Vanishes};
pub use extensions::{ExtensionKey, Extensions};
pub use make::{Act, deletion, edit, reaction, text, unreaction};
pub use part::{Body, Disposition, External, Part, Semantics};

use crate::base::cbor::{Reader, Writer};
use crate::base::limits::{MAX_PART_DEPTH, MAX_PARTS, MAX_PAYLOAD, MAX_TOPIC};
use crate::base::{MessageId, PeerId};
use crate::content::ContentError;
use crate::crypto::hash::sha256;

/// SHA-256 in the registry of named information: the first byte of every message ID.
const HASH_SHA256: u8 = 1;

/// One message (section 4.1 of the draft). Decoding keeps everything, so that encoding gives the
/// same bytes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MimiContent {
    /// Random, so that the message ID tells nothing of the text.
    pub salt: [u8; 16],
    /// The message this one replaces: an edit, a deletion, an un-reaction.
    pub replaces: Option<MessageId>,
    /// A thread inside the conversation; empty: none.
    pub topic: Vec<u8>,
    /// When it is to vanish: the sender's wish.
    pub expires: Option<Expires>,
    /// The message it answers or reacts to.
    pub in_reply_to: Option<MessageId>,
    /// Sender, room, counter, and what others may have added.
    pub extensions: Extensions,
    /// What it says.
    pub part: Part,
}

impl MimiContent {
    /// Encodes it; the same value gives the same bytes always. The caller keeps to the bounds.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.array(7).bytes(&self.salt).bytes_or_null(self.replaces.as_ref().map(id_bytes)).bytes(&self.topic);
        match self.expires {
            None => writer.put(None::<u8>),
            Some(Expires::AfterReading(seconds)) => writer.array(2).put(true).put(seconds),
            Some(Expires::At(seconds)) => writer.array(2).put(false).put(seconds),
        };
        writer.bytes_or_null(self.in_reply_to.as_ref().map(id_bytes));
        self.extensions.write(&mut writer);
        self.part.write(&mut writer);
        writer.into_bytes()
    }

    /// Decodes what a peer sent (CON-1 to CON-8). What it accepts, [`Self::encode`] gives back byte for byte.
    ///
    /// # Errors
    /// [`ContentError`] for what is not the deterministic encoding of an in-bounds message.
    pub fn decode(bytes: &[u8]) -> Result<Self, ContentError> {
        if bytes.len() > MAX_PAYLOAD {
            return Err(ContentError::TooLarge);
        }
        Reader::whole(bytes, |reader| {
            reader.array_of(7, "message")?;
            Ok(Self {
                salt: reader.byte_array("salt")?,
                replaces: read_id(reader, "replaces")?,
                topic: reader.bytes("topic", MAX_TOPIC)?.to_vec(),
                expires: Expires::read(reader)?,
                in_reply_to: read_id(reader, "in reply to")?,
                extensions: Extensions::read(reader)?,
                part: Part::read(reader, MAX_PART_DEPTH, &mut { MAX_PARTS })?,
            })
        })
    }

    /// The ID of this message; `message` are the bytes it was decoded from or encoded to.
    pub fn message_id(&self, sender_uri: &str, room_uri: &str, message: &[u8]) -> MessageId {
        message_id(sender_uri, room_uri, message, &self.salt)
    }

    /// The sender it names (extension 1).
    pub fn sender_uri(&self) -> Option<&str> {
        self.extensions.text(extensions::SENDER)
    }

    /// The room it names (extension 2).
    pub fn room_uri(&self) -> Option<&str> {
        self.extensions.text(extensions::ROOM)
    }

    /// The sender's counter for the room (extension 3); displayed messages only.
    pub fn counter(&self) -> Option<u64> {
        self.extensions.uint(extensions::COUNTER)
    }
}

impl Expires {
    fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, ContentError> {
        if reader.null() {
            return Ok(None);
        }
        reader.array_of(2, "expires")?;
        let kind = if reader.bool("expires")? { Self::AfterReading } else { Self::At };
        Ok(Some(kind(reader.uint_as("expires")?)))
    }
}

fn id_bytes(id: &MessageId) -> &[u8] {
    id.as_bytes()
}

fn read_id(reader: &mut Reader<'_>, field: &'static str) -> Result<Option<MessageId>, ContentError> {
    if reader.null() {
        return Ok(None);
    }
    let bytes: [u8; 32] = reader.byte_array(field)?;
    // CON-7: an ID by a hash that we do not know can be no message we know.
    if bytes.first() == Some(&HASH_SHA256) { Ok(Some(MessageId::new(bytes))) } else { Err(ContentError::Field(field)) }
}

/// The ID of a message (CON-10, section 3.3 of the draft). The URIs have at most `MAX_URI` bytes.
pub fn message_id(sender: &str, room: &str, message: &[u8], salt: &[u8; 16]) -> MessageId {
    // 0x01 ‖ SHA-256(len16 sender ‖ sender ‖ len16 room ‖ room ‖ message ‖ salt)[0..31]
    let len16 = |uri: &str| u16::try_from(uri.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut id = sha256(&[&len16(sender), sender.as_bytes(), &len16(room), room.as_bytes(), message, salt]);
    // The last byte of the hash makes room for the number of the hash.
    id.rotate_right(1);
    let [first, ..] = &mut id;
    *first = HASH_SHA256;
    MessageId::new(id)
}

/// The URI of a person: `rohrpost:<peer-id>` (CON-13).
pub fn sender_uri(peer: PeerId) -> String {
    format!("rohrpost:{peer}")
}

/// The URI of the conversation of two people: `rohrpost:direct/<peer-id>/<peer-id>`, the lower key first
/// (CON-13).
pub fn direct_room_uri(a: PeerId, b: PeerId) -> String {
    format!("rohrpost:direct/{}/{}", a.min(b), a.max(b))
}

#[cfg(test)]
mod tests;
