//! What methods take. Unknown names are refused, so that a typing error is not silently without effect.
//!
//! Fields stand in the order of positional parameters; optional ones may be left out at the end.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cursor::Cursor;
use crate::base::words::{Policy, State, words};

/// Nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoParams {}

/// Somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Who {
    /// A name that you gave, a peer ID or its end (`…abcdefgh`), a contact's own name, or three letters and more of a name that
    /// you gave; a `rohrpost:` link will do, too.
    pub who: String,
}

impl Who {
    /// As typed.
    pub fn new(who: impl Into<String>) -> Self {
        Self { who: who.into() }
    }
}

/// Parameters of `id.show`: how long the link may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkParams {
    /// The short link, of at most 160 characters: it holds the token and one mailbox.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub short: bool,
    /// So many characters at most, if it can: `left_out` says what it then does not hold. The token is never left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longest: Option<u32>,
}

/// Parameters of `id.name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NameParams {
    /// The new display name, at most 64 characters; empty: none.
    pub name: String,
}

words! {
    /// Which state to wait for.
    WaitFor {
        /// In the outbox, durably.
        Queued = "queued",
        /// Stored by the recipient's node.
        Sent = "sent",
        /// Delivered, says the recipient's node.
        Delivered = "delivered",
        /// Read by the recipient.
        Read = "read",
    }
}

impl WaitFor {
    /// Whether a message in this state has come as far.
    pub const fn reached_by(self, state: State) -> bool {
        match state {
            State::Read => true,
            State::Delivered => !matches!(self, Self::Read),
            State::Sent => matches!(self, Self::Queued | Self::Sent),
            State::Queued => matches!(self, Self::Queued),
            State::Undelivered | State::Received => false,
        }
    }

    /// Whether there is nothing left to wait for: it has come as far, or was given up, or is not ours.
    pub const fn over(self, state: State) -> bool {
        self.reached_by(state) || matches!(state, State::Undelivered | State::Received)
    }
}

/// Parameters of `send`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendParams {
    /// The recipient: a contact or somebody with whom there is a conversation, as wherever `who` is meant; anybody by a whole
    /// peer ID or a `rohrpost:` link; oneself by `me` or the own peer ID; empty: the other side of the message in `reply_to`.
    pub to: String,
    /// The text, exact.
    pub text: String,
    /// A subject, shown with a request; at most 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The message it replies to: an ID or an unambiguous prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// A key of the client's own, of 1 to 128 bytes: the second call with it changes nothing and gets the first one's
    /// answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Answer only when this state is reached, or the time is over; the answer says which state it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<WaitFor>,
    /// How long to wait, in milliseconds; 15 seconds when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long the message lives, here and there, in seconds: 1 to 31,622,400 (366 days); it stays when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_s: Option<u64>,
    /// Accept their request, if one is pending: without this nothing is sent to them, and the error is `request_pending`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept: bool,
}

/// Parameters of `reply`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplyParams {
    /// The message to reply to: an ID or an unambiguous prefix.
    pub message: String,
    /// The text, exact.
    pub text: String,
    /// A key of the client's own, of 1 to 128 bytes: the second call with it changes nothing and gets the first one's
    /// answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Answer only when this state is reached, or the time is over; the answer says which state it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<WaitFor>,
    /// How long to wait, in milliseconds; 15 seconds when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// How long the message lives, here and there, in seconds: 1 to 31,622,400 (366 days); it stays when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_s: Option<u64>,
    /// Accept their request, if one is pending: without this nothing is sent to them, and the error is `request_pending`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept: bool,
}

/// Parameters of `message`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageParams {
    /// An ID or an unambiguous prefix.
    pub message: String,
    /// Answer only when this state is reached, or the time is over; the answer says which state it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<WaitFor>,
    /// How long to wait, in milliseconds; 15 seconds when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// Parameters of `message.cancel`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelParams {
    /// An ID or an unambiguous prefix.
    pub message: String,
}

/// Parameters of `inbox`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InboxParams {
    /// Only conversations with unread messages.
    #[serde(default)]
    pub unread: bool,
    /// How many lines at most, 1 to 1000; 1000 when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Parameters of `history`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistoryParams {
    /// Whose conversation.
    pub who: String,
    /// How many messages at most, 1 to 1000; 50 when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only messages before this one: an ID or an unambiguous prefix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// Parameters of `read`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadParams {
    /// Whose conversation.
    pub who: String,
    /// The last message read: an ID or an unambiguous prefix; missing: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upto: Option<String>,
}

/// Parameters of `contacts.add`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddContact {
    /// A `rohrpost:` link or a peer ID (or the name of somebody with whom there is a conversation).
    pub who: String,
    /// Our own name for them, at most 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Parameters of `contacts.rename`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameParams {
    /// The contact.
    pub who: String,
    /// Our own name for them, at most 64 characters; empty: back to theirs, as it was when they were first accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Instead: show them under the name that they announce by now.
    #[serde(default)]
    pub theirs: bool,
}

/// Parameters of `contacts.verify`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifyParams {
    /// The contact.
    pub who: String,
    /// The 60 digits that the other side reads out, blanks ignored; missing: nothing changes, the answer shows our number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// Take the mark away instead.
    #[serde(default)]
    pub clear: bool,
}

/// Parameters of `contacts.set`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetContact {
    /// The contact.
    pub who: String,
    /// How much of their messages is kept at most, in bytes; 1 MiB (1048576) or more.
    pub quota: u64,
}

/// Parameters of `policy.set`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyParams {
    /// The policy from now on.
    pub policy: Policy,
}

/// Parameters of `doctor`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DoctorParams {
    /// Somebody: look at the ways to them instead of at everything. A name, a peer ID or its end, or a `rohrpost:` link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
}

/// Parameters of `mailbox.use`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailboxParams {
    /// Addresses of one node, each ending in `/p2p/PEER-ID`; or a peer ID, a link or the name of a contact, if it is
    /// known where they are.
    pub at: Vec<String>,
}

/// Parameters of `events`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsParams {
    /// The cursor: only events behind it. 0 or missing: from the oldest that is kept; another number is a place in whatever log.
    #[serde(default)]
    pub since: Cursor,
    /// How many at most, 1 to 1000; 1000 when missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// Parameters of `listen`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ListenParams {
    /// The cursor: begin with the event behind it, as in `events`; missing: only what happens from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Cursor>,
}
