//! Making messages, and what a message does (section 5 of the draft: the examples).

use crate::base::MessageId;

use super::{Body, Disposition, Extensions, MimiContent, Part, extensions};

/// The media type of the texts we make.
const TEXT: &str = "text/plain;charset=utf-8";

/// What a message does to its conversation. Whether its author may is for the caller to decide (CON-12).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act<'a> {
    /// Adds a message: a text, a reply, an attachment, or something unknown.
    Post,
    /// Replaces what an earlier message of the same author says.
    Edit(MessageId),
    /// Takes back an earlier message.
    Delete(MessageId),
    /// Adds a reaction.
    React {
        /// To which message.
        to: MessageId,
        /// The symbols; one at least, each of 1 to `MAX_SYMBOL` bytes.
        symbols: Vec<&'a str>,
        /// An earlier reaction of the same author that this one replaces.
        replaces: Option<MessageId>,
    },
    /// Takes back a reaction; the ID is that of the reaction, not of the message reacted to.
    Unreact(MessageId),
}

/// A text, perhaps a reply. `counter` is the sender's next number for the room (CON-11).
pub fn text(
    salt: [u8; 16],
    sender_uri: &str,
    room_uri: &str,
    counter: u64,
    text: &str,
    in_reply_to: Option<MessageId>,
) -> MimiContent {
    let mut content = message(salt, sender_uri, room_uri, text_part(Disposition::RENDER, text));
    content.extensions.set(extensions::COUNTER, counter);
    content.in_reply_to = in_reply_to;
    content
}

/// A reaction with a symbol to a message.
pub fn reaction(salt: [u8; 16], sender_uri: &str, room_uri: &str, symbol: &str, to: MessageId) -> MimiContent {
    let mut content = message(salt, sender_uri, room_uri, text_part(Disposition::REACTION, symbol));
    content.in_reply_to = Some(to);
    content
}

/// Takes back the reaction `reaction` to the message `to`.
pub fn unreaction(salt: [u8; 16], sender_uri: &str, room_uri: &str, reaction: MessageId, to: MessageId) -> MimiContent {
    let mut content = message(salt, sender_uri, room_uri, null_part(Disposition::REACTION));
    content.replaces = Some(reaction);
    content.in_reply_to = Some(to);
    content
}

/// Replaces the text of `original` (the first version of the message), which was a reply to `in_reply_to`.
pub fn edit(
    salt: [u8; 16],
    sender_uri: &str,
    room_uri: &str,
    original: MessageId,
    text: &str,
    in_reply_to: Option<MessageId>,
) -> MimiContent {
    let mut content = message(salt, sender_uri, room_uri, text_part(Disposition::RENDER, text));
    content.replaces = Some(original);
    content.in_reply_to = in_reply_to;
    content
}

/// Takes back `original` (the first version of the message), which was a reply to `in_reply_to`.
pub fn deletion(
    salt: [u8; 16],
    sender_uri: &str,
    room_uri: &str,
    original: MessageId,
    in_reply_to: Option<MessageId>,
) -> MimiContent {
    let mut content = message(salt, sender_uri, room_uri, null_part(Disposition::RENDER));
    content.replaces = Some(original);
    content.in_reply_to = in_reply_to;
    content
}

impl MimiContent {
    /// The text to show, if there is one.
    pub fn as_text(&self) -> Option<&str> {
        self.part.as_text()
    }

    /// The text, if it is one that says nothing of an earlier message.
    pub fn new_text(&self) -> Option<&str> {
        self.as_text().filter(|_| self.act() == Act::Post)
    }

    /// What it does.
    pub fn act(&self) -> Act<'_> {
        let symbols = self.part.symbols();
        match (self.replaces, self.in_reply_to, &self.part.body) {
            (Some(of), _, Body::Null) if self.part.disposition == Disposition::REACTION => Act::Unreact(of),
            (Some(of), _, Body::Null) => Act::Delete(of),
            (replaces, Some(to), _) if !symbols.is_empty() => Act::React { to, symbols, replaces },
            (Some(of), _, _) => Act::Edit(of),
            // A reaction that is no symbol, or to nothing, is shown as a message (section 5.3).
            (None, _, _) => Act::Post,
        }
    }
}

/// A message with its origin, and nothing else around its part.
fn message(salt: [u8; 16], sender_uri: &str, room_uri: &str, part: Part) -> MimiContent {
    let mut extensions = Extensions::default();
    extensions.set(extensions::SENDER, sender_uri);
    extensions.set(extensions::ROOM, room_uri);
    MimiContent { salt, replaces: None, topic: Vec::new(), expires: None, in_reply_to: None, extensions, part }
}

fn text_part(disposition: Disposition, text: &str) -> Part {
    let body = Body::Single { content_type: TEXT.to_owned(), content: text.as_bytes().to_vec() };
    Part { disposition, language: String::new(), body }
}

fn null_part(disposition: Disposition) -> Part {
    Part { disposition, language: String::new(), body: Body::Null }
}
