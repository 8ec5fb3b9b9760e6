//! MIMI content (`draft-ietf-mimi-content-08`): one form for messages, replies, reactions, edits,
//! deletions, expiry and attachments.

mod extensions;
mod make;
mod part;

pub use extensions::{ExtensionKey, Extensions};
pub use make::{Act, deletion, edit, reaction, text, unreaction};
pub use part::{Body, Disposition, External, Part, Semantics};

use super::ContentError;
use crate::base::{MessageId, PeerId};

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

/// When a message is to vanish, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expires {
    /// So many seconds after it was read.
    AfterReading(u32),
    /// At this many seconds after the Unix epoch.
    At(u32),
}

impl MimiContent {
    /// Encodes it; the same value gives the same bytes always.
    pub fn encode(&self) -> Vec<u8> {
        todo!()
    }

    /// Decodes what a peer sent (CON-1 to CON-8).
    ///
    /// # Errors
    /// [`ContentError`] for what is not the deterministic encoding of an in-bounds message.
    pub fn decode(_bytes: &[u8]) -> Result<Self, ContentError> {
        todo!()
    }

    /// The ID of this message; `message` are the bytes it was decoded from or encoded to.
    pub fn message_id(&self, sender_uri: &str, room_uri: &str, message: &[u8]) -> MessageId {
        message_id(sender_uri, room_uri, message, &self.salt)
    }

    /// The sender it names (extension 1).
    pub fn sender_uri(&self) -> Option<&str> {
        todo!()
    }

    /// The room it names (extension 2).
    pub fn room_uri(&self) -> Option<&str> {
        todo!()
    }

    /// The sender's counter for the room (extension 3); displayed messages only.
    pub fn counter(&self) -> Option<u64> {
        todo!()
    }

    /// Holds the sender and room it names against the authenticated ones (CON-9).
    ///
    /// # Errors
    /// [`ContentError::Origin`] when one is missing or another.
    pub fn check_origin(&self, sender_uri: &str, room_uri: &str) -> Result<(), ContentError> {
        if self.sender_uri() == Some(sender_uri) && self.room_uri() == Some(room_uri) {
            Ok(())
        } else {
            Err(ContentError::Origin)
        }
    }
}

/// `0x01 ‖ SHA-256(len16 sender ‖ sender ‖ len16 room ‖ room ‖ message ‖ salt)[0..31]`
pub fn message_id(_sender: &str, _room: &str, _message: &[u8], _salt: &[u8; 16]) -> MessageId {
    todo!()
}

/// The URI of a person: `rohrpost:<peer-id>`.
pub fn sender_uri(peer: PeerId) -> String {
    format!("rohrpost:{peer}")
}

/// The URI of the conversation of two people: `rohrpost:direct/<peer-id>/<peer-id>`, the lower key first.
pub fn direct_room_uri(a: PeerId, b: PeerId) -> String {
    format!("rohrpost:direct/{}/{}", a.min(b), a.max(b))
}
