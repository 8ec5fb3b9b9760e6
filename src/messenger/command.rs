//! What the user can ask for: every change that does not come from a peer or a timer.

use crate::base::limits::MAX_MAILBOXES;
use crate::base::shown::{Contact, Message};
use crate::base::words::{MailService, Policy};
use crate::base::{MessageId, Millis, PeerId};
use crate::identity::{Mailbox, RequestToken};

/// A change the user asks for. Questions are functions of [`super::query`].
#[derive(Clone, Debug)]
pub enum Command {
    /// Set the own display name (empty: none).
    SetName {
        /// At most 64 characters.
        name: String,
    },
    /// Replace the request token, so that links given out before are no longer *invited*.
    RotateToken,
    /// Queue a message; to oneself: keep a note.
    Send(SendCommand),
    /// Give up a message that is still queued.
    Cancel(MessageId),
    /// Mark a conversation as read up to a message, or wholly.
    Read {
        /// Whose conversation.
        peer: PeerId,
        /// The last message read; `None`: all.
        upto: Option<MessageId>,
    },
    /// Delete a conversation: all its messages, and what waits to be sent of them. The contact stays.
    DeleteConversation(PeerId),
    /// Accept a pending request: its sender becomes a contact.
    AcceptRequest(PeerId),
    /// Drop a pending request, and quietly those of the next 30 days.
    DeclineRequest(PeerId),
    /// Make somebody a contact without a message.
    AddContact {
        /// Who.
        peer: PeerId,
        /// Our own name for them.
        name: Option<String>,
        /// Where they may be reached, and their request token: from a link.
        hints: Hints,
    },
    /// Give a contact an own name (empty: back to theirs, as it was when they were first accepted).
    RenameContact {
        /// Who.
        peer: PeerId,
        /// At most 64 characters, and nothing that it could be taken for.
        name: String,
    },
    /// Show a contact under the name that they announce by now, and no longer under another.
    TakeName(PeerId),
    /// Compare the safety number and mark the contact as verified; `None` takes the mark away.
    VerifyContact {
        /// Who.
        peer: PeerId,
        /// The 60 digits that the other side reads out; blanks are ignored.
        number: Option<String>,
    },
    /// How much of a contact's messages is kept at most.
    SetQuota {
        /// Who.
        peer: PeerId,
        /// In bytes, at least `MIN_CONTACT_QUOTA`.
        bytes: u64,
    },
    /// Block a peer: nothing of theirs is kept from now on.
    Block(PeerId),
    /// Undo a block. A contact is a contact again, a request does not come back.
    Unblock(PeerId),
    /// Forget a contact: what they write is a request again. The conversation stays.
    RemoveContact(PeerId),
    /// Who may write to us.
    SetPolicy(Policy),
    /// For whom to keep a mailbox.
    SetMailService(MailService),
    /// Have a mailbox keep what is sent to us while we are away. The same again: other addresses.
    UseMailbox {
        /// Which.
        peer: PeerId,
        /// Multiaddresses in textual form, without the peer ID at the end.
        addrs: Vec<String>,
    },
    /// Leave a mailbox.
    DropMailbox(PeerId),
    /// The wall clock is right: what has passed by it has passed.
    ConfirmClock,
    /// Nothing: whoever hands it in learns that the messenger answers.
    Nothing,
}

impl Command {
    /// Whether it is to delete something: on a full disk it may use the space that is put by.
    pub const fn deletes(&self) -> bool {
        matches!(self, Self::DeclineRequest(_) | Self::Block(_) | Self::RemoveContact(_) | Self::DeleteConversation(_))
    }
}

/// A message to queue.
#[derive(Clone, Debug)]
pub struct SendCommand {
    /// To whom.
    pub to: PeerId,
    /// What.
    pub draft: Draft,
    /// From a link: addresses and token.
    pub hints: Hints,
    /// Accept their request, if one is pending. Without it nothing is sent to somebody whose request is.
    pub accept: bool,
    /// A key of the client's: the second command with it changes nothing and gets the first's answer.
    pub client_id: Option<String>,
}

impl SendCommand {
    /// A text to somebody, and nothing besides.
    pub fn text(to: PeerId, text: impl Into<String>) -> Self {
        let draft = Draft { text: text.into(), ..Draft::default() };
        Self { to, draft, hints: Hints::default(), accept: false, client_id: None }
    }
}

/// What is sent, whoever gets it. What a message can be besides a text has its place here.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// At most `MAX_TEXT` bytes, and not empty.
    pub text: String,
    /// A subject, shown with a request.
    pub subject: Option<String>,
    /// The message it replies to, which must be in the same conversation.
    pub reply_to: Option<MessageId>,
    /// How long it lives on either side; `None`: it stays.
    pub expires: Option<Millis>,
}

/// What a link says about a peer besides the ID. None of it is trusted.
#[derive(Clone, Debug, Default)]
pub struct Hints {
    /// The name in the link.
    pub name: Option<String>,
    /// Multiaddresses in textual form.
    pub addrs: Vec<String>,
    /// The owner's request token.
    pub token: Option<RequestToken>,
    /// Mailboxes that the owner uses, at most `MAX_MAILBOXES`.
    pub mailboxes: Vec<Mailbox>,
}

/// What a command gave.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It is done, and there is nothing more to say.
    Done,
    /// The message, as it is now.
    Sent(Box<Message>),
    /// The contact as it is now.
    Contact(Box<Contact>),
    /// How many messages became read.
    Read(u64),
    /// The conversation is deleted.
    Deleted {
        /// Own messages that were not sent yet, and will not be.
        unsent: u64,
    },
}

/// Why a command was refused. Each has its exit code in `api`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The text is empty.
    #[error("a message needs a text")]
    EmptyText,
    /// A text, subject, name or other field is too long.
    #[error("{what} is too long: {got}, at most {max} {unit}")]
    TooLong {
        /// Which field.
        what: &'static str,
        /// Its length.
        got: usize,
        /// The bound.
        max: usize,
        /// `bytes` or `characters`.
        unit: &'static str,
    },
    /// A name with control characters.
    #[error("{0} contains control characters")]
    ControlCharacters(&'static str),
    /// The peer is blocked by ourselves.
    #[error("you have blocked this peer")]
    Blocked,
    /// One cannot write to, add or block oneself.
    #[error("this is your own peer ID")]
    Oneself,
    /// A request of that peer is pending, and was not accepted with the message.
    #[error("their request is pending, and nothing goes to them before it is accepted")]
    RequestPending,
    /// A name that could be taken for something else.
    #[error("this cannot be a name that you give: {0}")]
    OddName(&'static str),
    /// No pending request from that peer.
    #[error("there is no pending request from this peer")]
    NoRequest,
    /// Not a contact.
    #[error("this peer is not a contact")]
    NotAContact,
    /// No conversation, or no such message in it.
    #[error("there is no such message in this conversation")]
    NoMessage,
    /// It is not queued, or goes out at this moment.
    #[error("this message is not queued any more, or goes out at this moment")]
    NotQueued,
    /// No conversation with that peer, or it was deleted.
    #[error("there is no conversation with this peer")]
    NoConversation,
    /// The message was there, and is not any more: what became of it cannot be told.
    #[error("the message with this client ID was queued, and is gone since")]
    Gone,
    /// Too short or too long a time to live.
    #[error("a message lives for 1 second at least and 366 days at most")]
    Lifetime,
    /// The safety number differs: perhaps somebody is in the middle.
    #[error("the safety number does not match")]
    WrongNumber,
    /// Not 60 digits.
    #[error("a safety number has 60 digits")]
    MalformedNumber,
    /// The outbox of this recipient is full.
    #[error("too many messages are waiting for this recipient")]
    OutboxFull,
    /// No more contacts fit.
    #[error("there are too many contacts")]
    TooManyContacts,
    /// The peer ID is not a sound key.
    #[error("this peer ID is not a sound Ed25519 key")]
    UnsoundPeer,
    /// No more mailboxes fit into a card.
    #[error("there are {MAX_MAILBOXES} mailboxes in use already")]
    TooManyMailboxes,
    /// Not a mailbox of ours.
    #[error("this mailbox is not in use")]
    NotAMailbox,
    /// Less than makes sense.
    #[error("a contact has a quota of 1 MiB at least")]
    SmallQuota,
    /// The same client ID was used for another message.
    #[error("this client ID was used for another message")]
    ClientIdReused,
    /// The store failed; what was asked for did not happen.
    #[error("the store failed: {0}")]
    Store(String),
}
