//! What a person is shown: conversations and who is in them, mailboxes and relays. Answers of the local API are made of
//! these: a field is added freely, never renamed or reused.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::{MessageId, PeerId};
use super::time::{Millis, WallTime};
use super::words::{BoxState, Direction, ServeMailbox, State, words};

words! {
    /// What kind of conversation it is.
    ConversationKind {
        /// With one peer.
        Direct = "direct",
        /// With a group.
        Group = "group",
        /// With oneself: notes, which go nowhere.
        Oneself = "self",
    }
}

words! {
    /// Where the wall clock stands.
    ClockFault {
        /// Further ahead than we have seen time pass.
        Ahead = "ahead",
        /// Before the time that it showed already.
        Behind = "behind",
    }
}

/// The wall clock is not where it should be. Nothing is given up or destroyed because of it, until it is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
pub struct ClockWarning {
    /// Where it stands.
    pub fault: ClockFault,
    /// By how many seconds.
    pub seconds: u64,
}

/// A contact card of this identity was found that this profile did not make. It is forgotten a day after the last was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
pub struct Elsewhere {
    /// When it was issued, by the clock of whoever made it.
    pub issued: WallTime,
    /// Whether that was while this node ran: then another one runs under the same identity. Else this may be an old copy of the profile that was put back.
    pub running: bool,
}

/// The kind of what says something of another message (an edit, a deletion, a reaction), and is not understood yet.
pub const OTHER: &str = "other";
/// The kind of a message that is there, and damaged here.
pub const UNREADABLE: &str = "unreadable";

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
pub struct Message {
    /// Its ID.
    pub message_id: MessageId,
    /// What people are shown of it, and type: the least digits, six or more, by which it is meant and no other of the profile; without the first two, which all have. Empty when the ID is not known.
    #[serde(default)]
    pub short_id: String,
    /// The conversation: the peer ID of the other side.
    pub conversation: PeerId,
    /// Who wrote it.
    pub from: PeerId,
    /// The name to show for the writer (may be empty).
    pub from_name: String,
    /// What the writer, a contact, calls himself by now, if that is not the name to show and we gave him none.
    #[serde(default)]
    pub calls_himself: Option<String>,
    /// Which way it went.
    pub direction: Direction,
    /// `text`; `other` for an edit, a deletion or a reaction, which is not understood yet; `unreadable` for one whose row is damaged here, of which little is known; or the media type of what cannot be shown.
    pub kind: String,
    /// Its text, exact.
    pub text: String,
    /// The subject, on a first message.
    pub subject: Option<String>,
    /// When the writer says it was sent.
    pub sent_at: WallTime,
    /// When it came; `null` for our own.
    #[serde(default)]
    pub received_at: Option<WallTime>,
    /// How far it is.
    pub state: State,
    /// What it replies to.
    pub reply_to: Option<MessageId>,
    /// Whether the text is not the first one.
    pub edited: bool,
    /// Reactions: symbol → who.
    pub reactions: BTreeMap<String, Vec<PeerId>>,
    /// When it vanishes here; `null`: it stays (or, from other programs: not before it was read).
    #[serde(default)]
    pub expires_at: Option<WallTime>,
    /// Attached files; always empty as yet.
    #[cfg(feature = "api")]
    #[schemars(with = "Vec<BTreeMap<String, String>>")]
    pub files: Vec<serde_json::Value>,
    /// Whether messages of the same sender before this one are missing.
    pub gap: bool,
}

/// One line of the inbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
pub struct Conversation {
    /// The conversation: the peer ID of the other side; with oneself the own.
    pub conversation: PeerId,
    /// Of which kind.
    pub kind: ConversationKind,
    /// The name to show (may be empty).
    pub name: String,
    /// What a contact calls himself by now, if that is not the name to show and we gave him none.
    #[serde(default)]
    pub calls_himself: Option<String>,
    /// With whom.
    pub peer_id: PeerId,
    /// Unread messages.
    pub unread: u64,
    /// The last message.
    pub last: Option<Message>,
}

/// One pending request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
pub struct Request {
    /// Who asks.
    pub peer_id: PeerId,
    /// The name they announce (may be empty).
    pub name: String,
    /// The subject of the first message.
    pub subject: Option<String>,
    /// The first message.
    pub text: String,
    /// When it came.
    pub received_at: WallTime,
    /// How many messages are held.
    pub messages: u32,
    /// Whether it carried our request token.
    pub invited: bool,
    /// Of which kind.
    pub kind: ConversationKind,
}

/// One contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
pub struct Contact {
    /// Who.
    pub peer_id: PeerId,
    /// The name to show: ours for them, else the one they had when they were first accepted (may be empty).
    pub name: String,
    /// The name they announce (may be empty).
    pub announced_name: String,
    /// The same, if it is not the name to show and we gave them none.
    #[serde(default)]
    pub calls_himself: Option<String>,
    /// Whether the safety number was compared.
    pub verified: bool,
    /// Whether they are blocked.
    pub blocked: bool,
    /// Whether they are a contact: a blocked stranger is listed, too.
    pub contact: bool,
    /// Since when; `null` for a blocked stranger.
    #[serde(default)]
    pub added_at: Option<WallTime>,
    /// How much of their messages is kept, in bytes; `null` in lists.
    #[serde(default)]
    pub kept: Option<u64>,
    /// How much is kept at most: beyond it their messages are not taken.
    pub quota: u64,
    /// Whether that is so, and messages of theirs wait for room.
    pub full: bool,
    /// Our common safety number: 60 digits in groups of five. `null` in lists: it takes thousands of hashes.
    pub safety_number: Option<String>,
}

/// A mailbox of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
pub struct Mailbox {
    /// Who keeps it.
    pub peer_id: PeerId,
    /// The name to show (may be empty).
    pub name: String,
    /// Where.
    pub addrs: Vec<String>,
    /// How it stands.
    pub state: BoxState,
    /// Since when it is ours.
    pub since: WallTime,
    /// When it last answered a fetch; `null`: never.
    pub fetched_at: Option<WallTime>,
    /// One-time prekeys that it holds for us.
    pub prekeys: u64,
}

/// A relay through which we can be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
pub struct RelayInUse {
    /// Who.
    pub peer_id: PeerId,
    /// Where we reach it.
    pub addr: String,
    /// Since when it has a place for us.
    pub since: WallTime,
}

/// What the node does for others as a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
pub struct MailboxService {
    /// For whom.
    pub serves: ServeMailbox,
    /// Boxes.
    pub boxes: u64,
    /// Bytes of the envelopes in them.
    pub bytes: u64,
}

/// One connected peer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(schemars::JsonSchema))]
pub struct Connection {
    /// Who.
    pub peer_id: PeerId,
    /// The name to show (may be empty).
    pub name: String,
    /// Over which address.
    pub addr: String,
    /// Whether it goes straight, through no relay.
    pub direct: bool,
    /// Since when.
    pub since: WallTime,
}

/// A number of bytes, in the largest unit of which there is a whole one.
pub fn bytes(count: u64) -> String {
    let unit = |shift: u32, name: &str| {
        let tenths = count.saturating_mul(10) >> shift;
        if tenths.is_multiple_of(10) {
            format!("{} {name}", tenths / 10)
        } else {
            format!("{}.{} {name}", tenths / 10, tenths % 10)
        }
    };
    match count {
        0..1_024 => format!("{count} bytes"),
        1_024..1_048_576 => unit(10, "KiB"),
        1_048_576..1_073_741_824 => unit(20, "MiB"),
        _ => unit(30, "GiB"),
    }
}

/// A span of time, in words: in the largest unit of which there are two.
pub fn span(span: Millis) -> String {
    let seconds = span.0.div_ceil(1000);
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} minutes", seconds / 60),
        7_200..=172_799 => format!("{} hours", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}
