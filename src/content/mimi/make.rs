//! Making messages, and what a message does.

use crate::base::MessageId;

use super::MimiContent;

/// What a message does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act<'a> {
    /// Adds a message to the conversation: a text, a reply, an attachment, or something unknown.
    Post,
    /// Replaces the content of an earlier message of the same author.
    Edit(MessageId),
    /// Takes back an earlier message.
    Delete(MessageId),
    /// Adds a reaction.
    React {
        /// To which message.
        to: MessageId,
        /// The symbol.
        symbol: &'a str,
        /// An earlier reaction of the same author that this one replaces.
        replaces: Option<MessageId>,
    },
    /// Takes back a reaction; the ID is that of the reaction.
    Unreact(MessageId),
}

/// A text, perhaps a reply. `counter` is the sender's next number for the room.
pub fn text(
    _salt: [u8; 16],
    _sender_uri: &str,
    _room_uri: &str,
    _counter: u64,
    _text: &str,
    _in_reply_to: Option<MessageId>,
) -> MimiContent {
    todo!()
}

/// A reaction with a symbol to a message.
pub fn reaction(_salt: [u8; 16], _sender_uri: &str, _room_uri: &str, _symbol: &str, _to: MessageId) -> MimiContent {
    todo!()
}

/// Takes back the reaction `reaction` to the message `to`.
pub fn unreaction(
    _salt: [u8; 16],
    _sender_uri: &str,
    _room_uri: &str,
    _reaction: MessageId,
    _to: MessageId,
) -> MimiContent {
    todo!()
}

/// Replaces the text of `original` (the first version of the message), which was a reply to `in_reply_to`.
pub fn edit(
    _salt: [u8; 16],
    _sender_uri: &str,
    _room_uri: &str,
    _original: MessageId,
    _text: &str,
    _in_reply_to: Option<MessageId>,
) -> MimiContent {
    todo!()
}

/// Takes back `original` (the first version of the message), which was a reply to `in_reply_to`.
pub fn deletion(
    _salt: [u8; 16],
    _sender_uri: &str,
    _room_uri: &str,
    _original: MessageId,
    _in_reply_to: Option<MessageId>,
) -> MimiContent {
    todo!()
}

impl MimiContent {
    /// The text to show, if it is a text.
    pub fn as_text(&self) -> Option<&str> {
        todo!()
    }

    /// What it does.
    pub fn act(&self) -> Act<'_> {
        todo!()
    }
}
