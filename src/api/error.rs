//! Errors as every front end shows them: a stable code, an exit code, what went wrong, and the way out.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::shown::Message;
use crate::base::words::Direction;
use crate::base::{MessageId, PeerId, WallTime};

macro_rules! codes {
    ($( $(#[doc = $doc:literal])+ $variant:ident = $name:literal, $number:literal, $exit:literal, $hint:expr; )*) => {
        /// What kind of error it is. Names and numbers are stable: scripts rely on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $( $(#[doc = $doc])+ $variant, )* }

        impl Code {
            /// The whole entry of the table.
            pub const fn info(self) -> &'static CodeInfo {
                match self { $( Self::$variant => &CodeInfo {
                    name: $name,
                    number: $number,
                    exit: $exit,
                    hint: $hint,
                    about: concat!($($doc),+),
                }, )* }
            }
        }

        /// Every code, in the order of the documentation.
        pub const CODES: &[Code] = &[ $( Code::$variant, )* ];
    };
}

/// One entry of the table of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeInfo {
    /// The stable word.
    pub name: &'static str,
    /// The number in a JSON-RPC error object.
    pub number: i64,
    /// The exit code of a command that ends with it.
    pub exit: u8,
    /// The way out, unless the error knows a better one.
    pub hint: Option<&'static str>,
    /// One line about it.
    pub about: &'static str,
}

codes! {
    /// The line is not JSON.
    ParseError = "parse_error", -32700, 2, Some("send one JSON object per line");
    /// JSON, but not a JSON-RPC 2.0 request.
    InvalidRequest = "invalid_request", -32600, 2, Some("a request has \"jsonrpc\": \"2.0\", a \"method\", \"params\" and an \"id\"");
    /// There is no such method.
    UnknownMethod = "unknown_method", -32601, 2, Some("docs/rpc.md lists the methods");
    /// A parameter is missing, unknown or of the wrong type.
    InvalidParams = "invalid_params", -32602, 2, Some("docs/rpc.md lists the parameters of each method");
    /// A fault of the program.
    Internal = "internal", -32603, 3, Some("this is a bug; the log of the node says more");

    /// Nobody is meant: no contact and no conversation has this name, and no peer ID this end.
    NotFound = "not_found", -32001, 6, Some("give a name as `rohrpost contacts` shows it, or a peer ID or the end of one; `rohrpost requests` shows who asks to be a contact");
    /// Several people or messages are meant: `candidates` or `messages` lists them.
    Ambiguous = "ambiguous", -32002, 6, Some("give the end of the peer ID, such as …abcdefgh, or more of the message ID");
    /// There is no pending request from this peer.
    NoRequest = "no_request", -32003, 6, Some("`rohrpost requests` lists the pending ones");
    /// The peer is not a contact.
    NotAContact = "not_a_contact", -32004, 6, Some("`rohrpost contacts add` makes a contact of a link or a peer ID");
    /// There is no such message.
    NoMessage = "no_message", -32005, 6, Some("`rohrpost history` shows the messages of a conversation with their IDs");
    /// There is no conversation with this peer.
    NoConversation = "no_conversation", -32007, 6, Some("`rohrpost inbox` shows the conversations");
    /// The message was there, and is gone: its time was over, or its conversation was deleted.
    MessageGone = "message_gone", -32008, 6, None;
    /// The cursor is of another log of events, or ahead of the end of this one: an older copy of the profile was put back, or it is another profile.
    WrongCursor = "wrong_cursor", -32000, 6, Some("`listen --since 0` (in JSON-RPC `since: 0`) begins with the oldest event that is kept, without a cursor it begins now");
    /// This peer keeps no mailbox for us.
    NoMailbox = "no_mailbox", -32009, 6, Some("`rohrpost mailbox list` shows yours");
    /// There is no such profile.
    NoProfile = "no_profile", -32006, 6, Some("`rohrpost init` makes one");

    /// The text is empty.
    EmptyText = "empty_text", -32010, 1, Some("write a text, or pipe one in with `-`");
    /// A text, name, subject or list is too long.
    TooLong = "too_long", -32011, 1, Some("shorten it");
    /// A name or subject contains control characters.
    ControlCharacters = "control_characters", -32012, 1, Some("leave them out");
    /// One's own peer ID, where another's is needed.
    Oneself = "oneself", -32013, 1, None;
    /// The peer ID is not a sound key.
    UnsoundPeer = "unsound_peer", -32014, 1, Some("ask them for their link once more");
    /// The text is not a sound `rohrpost:` link.
    BadLink = "bad_link", -32015, 1, Some("ask them for their link once more");
    /// The client ID was used for another message.
    ClientIdReused = "client_id_reused", -32016, 1, Some("give every message a client ID of its own");
    /// A request of theirs is pending, and was not accepted with the message: nothing is sent.
    RequestPending = "request_pending", -32025, 1, Some("see it with `rohrpost requests show`; `rohrpost send --accept` (in JSON-RPC `accept: true`) accepts it and sends");
    /// The message is not queued any more, or goes out at this moment: it cannot be cancelled.
    NotQueued = "not_queued", -32027, 1, Some("`rohrpost history` says how far it is");
    /// A name that one gives could be taken for something else: a peer ID, a link, an option, several recipients, oneself.
    OddName = "odd_name", -32026, 1, Some("choose another name");
    /// Not a safety number: it has 60 digits.
    MalformedNumber = "malformed_number", -32017, 1, Some("a safety number has 12 groups of 5 digits");
    /// Not an address of a node: a multiaddress that ends in `/p2p/` and a peer ID.
    BadAddress = "bad_address", -32023, 1, Some("such an address ends in /p2p/ and the peer ID, as `rohrpost id` shows it");
    /// There is a profile already.
    Exists = "exists", -32018, 1, Some("`rohrpost id` shows it; another profile is made with `-P NAME`");
    /// There is nothing to recover.
    Sound = "sound", -32022, 1, Some("if something else is wrong, `rohrpost doctor` may know more");
    /// The configuration, an environment variable or a path cannot be used.
    Config = "config", -32019, 1, None;

    /// One's own block stands in the way.
    Blocked = "blocked", -32020, 7, Some("`rohrpost contacts unblock` takes the block away");
    /// With `--wait`: the recipient's card says that they take no messages of strangers, and they have not accepted us.
    ShutOut = "shut_out", -32024, 7, Some("the message stays in the outbox, and goes again when they add you or write to you");
    /// The safety number does not match: perhaps somebody is in the middle.
    WrongNumber = "wrong_number", -32021, 4, Some("compare once more over another way, such as a call; if it still differs, do not write anything secret");

    /// Too many messages wait for this recipient.
    OutboxFull = "outbox_full", -32030, 5, Some("they go out when the recipient's node appears; send more then");
    /// No more contacts fit.
    TooManyContacts = "too_many_contacts", -32031, 5, Some("remove some with `rohrpost contacts remove`");
    /// There are three mailboxes already.
    TooManyMailboxes = "too_many_mailboxes", -32034, 5, Some("leave one with `rohrpost mailbox drop`");
    /// No more clients are served at the moment.
    TooManyClients = "too_many_clients", -32032, 5, Some("close other clients, or try again in a moment");
    /// The request is larger than one line may be.
    TooLarge = "too_large", -32033, 5, Some("split it up");

    /// The store failed; what was asked for did not happen.
    Store = "store", -32040, 3, Some("see whether the disk is well; the log of the node says more");
    /// The disk is full; what was asked for did not happen.
    DiskFull = "disk_full", -32041, 3, Some("free some space and try again");
    /// A file of the profile is damaged.
    Damaged = "damaged", -32042, 3, Some("keep a copy of the folder as it is before you try anything");
    /// The profile was written by a newer program.
    TooNew = "too_new", -32043, 3, Some("install the newest rohrpost");
    /// The profile was written by an older program, and nothing converts it.
    TooOld = "too_old", -32046, 3, Some("move its folder away, and make a new one with `rohrpost init`");
    /// The profile, the folder in which it is to be, or a file in it belongs to another user.
    OtherUser = "other_user", -32047, 1, Some("run it as that user: `sudo -u USER rohrpost …`");
    /// Reading or writing a file or the socket failed.
    Io = "io", -32044, 3, None;
    /// The network could not be used.
    Network = "network", -32045, 3, Some("see that another address is given with `--listen`");

    /// The profile is locked with a passphrase.
    PassphraseNeeded = "passphrase_needed", -32050, 8, Some("run it on a terminal, or give `--passphrase-file`");
    /// The passphrase is wrong.
    WrongPassphrase = "wrong_passphrase", -32051, 8, Some("type it again");

    /// A node of this profile runs already.
    NodeRunning = "node_running", -32060, 9, Some("`rohrpost stop` ends it");
    /// Another process works on this profile.
    Busy = "busy", -32061, 9, Some("wait for it, or end it");
    /// A running node is needed.
    NodeNeeded = "node_needed", -32062, 9, Some("`rohrpost run` starts one");
    /// The node does not answer: it was stopped (Ctrl-Z), or hangs.
    NotAnswering = "not_answering", -32064, 9, Some("`kill -CONT` and the number of its process lets one that was stopped go on");
    /// The node is shutting down.
    Stopping = "stopping", -32063, 9, Some("try again in a moment");

    /// What `--wait` asked for was not reached in time.
    WaitTimeout = "wait_timeout", -32070, 10, Some("the message stays in the outbox and goes out when a node runs and the recipient's node can be reached");
}

impl Code {
    /// The stable word.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// The exit code.
    pub const fn exit(self) -> u8 {
        self.info().exit
    }

    /// The number in a JSON-RPC error object.
    pub const fn number(self) -> i64 {
        self.info().number
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One of several things that were meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// The peer.
    pub peer_id: PeerId,
    /// The name it is known by (may be empty).
    pub name: String,
    /// Whether the name is one that we gave.
    #[serde(default)]
    pub given: bool,
    /// Whether it is a contact.
    #[serde(default)]
    pub contact: bool,
    /// Whether the safety number was compared.
    #[serde(default)]
    pub verified: bool,
}

/// One of several messages that were meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CandidateMessage {
    /// Its ID.
    pub message_id: MessageId,
    /// The digits of it that mean this one alone.
    pub short_id: String,
    /// The conversation: the peer ID of the other side.
    pub conversation: PeerId,
    /// The name to show for the writer (may be empty).
    pub from_name: String,
    /// Which way it went.
    pub direction: Direction,
    /// When it came, or was sent.
    pub at: WallTime,
    /// The first 80 characters of its text.
    pub text: String,
}

impl From<Message> for CandidateMessage {
    fn from(message: Message) -> Self {
        Self {
            message_id: message.message_id,
            short_id: message.short_id,
            conversation: message.conversation,
            from_name: message.from_name,
            direction: message.direction,
            at: message.received_at.unwrap_or(message.sent_at),
            text: message.text.chars().take(80).collect(),
        }
    }
}

/// An error that reaches a person or a script: `{"code","exit","message","hint"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// The stable word of [`CODES`]; text, because a newer node may know more of them.
    pub code: Cow<'static, str>,
    /// The exit code of a command that ends with it.
    pub exit: u8,
    /// What went wrong. May contain text of peers as it is.
    pub message: String,
    /// The way out, where there is one.
    pub hint: Option<String>,
    /// What an ambiguous name could mean.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub candidates: Box<[Candidate]>,
    /// What an ambiguous beginning of a message ID could mean.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub messages: Box<[CandidateMessage]>,
}

impl ApiError {
    /// With the hint of the table.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code: Cow::Borrowed(code.name()),
            exit: code.exit(),
            message: message.into(),
            hint: code.info().hint.map(str::to_owned),
            candidates: Box::default(),
            messages: Box::default(),
        }
    }

    /// With a better hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With what could be meant.
    #[must_use]
    pub fn with_candidates(mut self, candidates: Vec<Candidate>) -> Self {
        self.candidates = candidates.into();
        self
    }

    /// With the messages that could be meant.
    #[must_use]
    pub fn with_messages(mut self, messages: Vec<CandidateMessage>) -> Self {
        self.messages = messages.into();
        self
    }

    /// Which code it is; `None` for one of a newer node.
    pub fn known(&self) -> Option<Code> {
        CODES.iter().copied().find(|code| code.name() == self.code)
    }

    /// Whether it is this one.
    pub fn is(&self, code: Code) -> bool {
        self.code == code.name()
    }

    /// The number in a JSON-RPC error object.
    pub fn number(&self) -> i64 {
        self.known().unwrap_or(Code::Internal).number()
    }
}

#[cfg(test)]
mod tests;
