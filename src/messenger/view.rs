//! What a person is shown: the answers to questions.

use std::collections::BTreeMap;

use crate::base::words::{BoxState, Direction, MailService, State};
use crate::base::{MessageId, PeerId, WallTime};
use crate::identity::{Mailbox, RequestToken};

/// The mailbox that is kept for others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailboxView {
    /// For whom.
    pub service: MailService,
    /// How many boxes there are.
    pub boxes: u32,
    /// Bytes of envelopes in them.
    pub bytes: u64,
}

/// A mailbox that keeps our mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMailboxView {
    /// Who.
    pub peer: PeerId,
    /// Where it is found, as the user said.
    pub addrs: Vec<String>,
    /// How far it is.
    pub state: BoxState,
    /// Since when.
    pub since: WallTime,
    /// When it was last emptied; told every few minutes at most.
    pub fetched_at: Option<WallTime>,
    /// One-time prekeys of ours that it says it holds.
    pub prekeys: u16,
}

/// What is known of the ways to a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReachView {
    /// The newest card of theirs that we have verified.
    pub card: Option<CardView>,
    /// When no card of theirs could be found last, and how many nodes were asked; `None`: one was found, or it was not
    /// looked for.
    pub not_found: Option<(WallTime, u32)>,
    /// Mailboxes named by a link.
    pub hinted: Vec<Mailbox>,
    /// Addresses from a link, or that they told us.
    pub addrs: Vec<String>,
    /// Whether there is a session in which we could write.
    pub has_session: bool,
    /// Whether they gave us a token for their mailboxes.
    pub has_token: bool,
    /// Messages and other things that nobody has stored yet.
    pub queued: u64,
    /// Those that a mailbox of theirs has stored.
    pub deposited: u64,
    /// Those that their node has stored, and has not said to be delivered.
    pub awaiting: u64,
    /// When the next try to connect is made at the latest; `None`: nothing waits, or it is tried now.
    pub next_try: Option<WallTime>,
}

/// What a card says, as far as it tells how its owner is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardView {
    /// Its sequence.
    pub sequence: u64,
    /// When it was made.
    pub issued: WallTime,
    /// Until when it is valid.
    pub expires: WallTime,
    /// Where envelopes may be left.
    pub mailboxes: Vec<Mailbox>,
    /// Through whom the owner may be reached.
    pub relays: Vec<Mailbox>,
    /// The work asked of strangers, in leading zero bits.
    pub work: u8,
}

/// One message as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageView {
    /// Its ID.
    pub message_id: MessageId,
    /// With whom the conversation is.
    pub conversation: PeerId,
    /// Who wrote it.
    pub from: PeerId,
    /// The name to show for the writer (our own name for them, else theirs; may be empty).
    pub from_name: String,
    /// Which way.
    pub direction: Direction,
    /// `text`, or the media type of what cannot be shown.
    pub kind: String,
    /// Its text, exact.
    pub text: String,
    /// The subject, on a first message.
    pub subject: Option<String>,
    /// When the writer says it was sent.
    pub sent_at: WallTime,
    /// When it came; `None` for our own.
    pub received_at: Option<WallTime>,
    /// How far it is.
    pub state: State,
    /// What it replies to.
    pub reply_to: Option<MessageId>,
    /// Whether the text is not the first one.
    pub edited: bool,
    /// Reactions: symbol → who.
    pub reactions: BTreeMap<String, Vec<PeerId>>,
    /// When it vanishes.
    pub expires_at: Option<WallTime>,
    /// Whether messages of the same sender before this one are missing (a gap in the counters).
    pub gap: bool,
}

/// One line of the inbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversationView {
    /// With whom.
    pub peer: PeerId,
    /// The name to show (may be empty).
    pub name: String,
    /// Unread messages.
    pub unread: u64,
    /// The last message.
    pub last: Option<MessageView>,
}

/// One pending request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestView {
    /// Who asks.
    pub peer: PeerId,
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
}

/// One contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactView {
    /// Who.
    pub peer: PeerId,
    /// The name to show: ours for them, else theirs (may be empty).
    pub name: String,
    /// The name they announce.
    pub announced_name: String,
    /// Whether the safety number was compared.
    pub verified: bool,
    /// Whether they are blocked.
    pub blocked: bool,
    /// Whether they are a contact (a blocked stranger is listed, too).
    pub contact: bool,
    /// Since when.
    pub added_at: WallTime,
    /// Our common safety number: 60 digits in groups of five.
    pub safety_number: String,
}

/// The own identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityView {
    /// Who we are.
    pub peer: PeerId,
    /// The own display name (may be empty).
    pub name: String,
    /// The request token for the link.
    pub token: RequestToken,
    /// Addresses the node last listened on.
    pub addrs: Vec<String>,
    /// Mailboxes that keep our mail, for the link.
    pub mailboxes: Vec<Mailbox>,
}

/// Numbers for `status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that are not delivered yet.
    pub outbox: u64,
    /// Pending requests.
    pub requests: u64,
    /// Unread messages.
    pub unread: u64,
    /// Contacts.
    pub contacts: u64,
    /// The newest event.
    pub last_event: u64,
}
