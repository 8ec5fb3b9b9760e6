//! What crosses the border between the rules (`messenger`) and the network (`net`): what one orders, what the other tells.
//!
//! One pair of enums for both sides: `node` carries them over as they are. What this module does not own: when something is
//! ordered, and what follows from what is told.

use std::sync::Arc;

use crate::base::{Origin, PeerId};

pub use super::frame::{FrameToken, RefuseReason};
pub use crate::base::Class;

/// What the network is to do. It takes an order without waiting, or refuses it at once.
#[derive(Clone, Debug)]
pub enum Order {
    /// A connection to this peer is wanted. Nothing follows when there is one; otherwise [`Event::Connected`] or
    /// [`Event::Unreachable`].
    Connect {
        /// Who.
        peer: PeerId,
        /// Where he may be found: multiaddresses, unverified hints of third parties.
        addrs: Vec<String>,
    },
    /// Send an envelope on the stream to this peer; answered by exactly one of [`Event::Acked`], [`Event::Refused`],
    /// [`Event::Lost`].
    Send {
        /// To whom.
        peer: PeerId,
        /// Returned with the outcome.
        ticket: u64,
        /// The encoded, unsealed envelope, 1 to `MAX_ENVELOPE` bytes.
        bytes: Arc<[u8]>,
    },
    /// Ask this connected peer for the card; answered by [`Event::Bundle`] or [`Event::BundleFailed`].
    FetchBundle {
        /// Whom.
        peer: PeerId,
        /// Returned with the outcome.
        ticket: u64,
        /// Whether to ask for a one-time prekey, too.
        want_prekey: bool,
    },
    /// The frame is stored (or is to look as if): acknowledge it. Nothing happens when its stream has ended.
    Acknowledge(FrameToken),
    /// Refuse the frame.
    Refuse(FrameToken, RefuseReason),
    /// Answer to [`Event::BundleRequested`]. Nothing happens when the question is no longer open.
    AnswerBundle {
        /// Which question.
        request: u64,
        /// The encoded signed card.
        card: Vec<u8>,
        /// A one-time prekey, handed out this once.
        prekey: Option<Vec<u8>>,
    },
    /// Answer to [`Event::Mail`]. Nothing happens when the question is no longer open.
    AnswerMail {
        /// Which question.
        request: u64,
        /// The encoded answer.
        answer: Vec<u8>,
    },
    /// The other answer to [`Event::Mail`], to an owner who wants to wait: it is held until [`Order::RingMail`] names him
    /// or his time is over.
    HoldMail {
        /// Which question.
        request: u64,
    },
    /// Something was stored for this owner: answer the question of his that is held, if there is one.
    RingMail {
        /// Whose box it is.
        owner: PeerId,
    },
    /// Ask a mailbox; answered by [`Event::MailAnswered`] or [`Event::MailFailed`].
    AskMailbox {
        /// Returned with the outcome.
        ticket: u64,
        /// Which mailbox.
        mailbox: PeerId,
        /// Where it may be found: multiaddresses, unverified.
        addrs: Vec<String>,
        /// Whether it must not learn who asks: the question goes under a key made for this mailbox and this hour, from a
        /// socket of its own. Else as ourselves.
        anonymous: bool,
        /// The encoded question.
        question: Vec<u8>,
    },
    /// Look for a peer's card in the DHT; answered by [`Event::CardFound`] or [`Event::CardNotFound`].
    FindCard {
        /// Whose.
        peer: PeerId,
        /// Returned with the outcome.
        ticket: u64,
    },
    /// Put a card into the DHT, our own or one of somebody for whom we keep a box, and read it back, again and again until
    /// it stands; then [`Event::CardPublished`] follows. A newer one of the same owner takes its place.
    PublishCard {
        /// Whose.
        owner: PeerId,
        /// The encoded signed card.
        card: Vec<u8>,
    },
    /// The peer is of this class from now on.
    Class {
        /// Who.
        peer: PeerId,
        /// What he is.
        class: Class,
    },
}

/// What the network tells.
///
/// Events of one peer that come from different streams or from the connection itself are not ordered among each other: an
/// envelope may come before [`Event::Connected`], an [`Event::Lost`] after [`Event::Disconnected`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// There is a connection now. Noise has proven who is there.
    Connected(PeerId),
    /// The last connection is gone.
    Disconnected(PeerId),
    /// The dial asked for by [`Order::Connect`] failed.
    Unreachable(PeerId),
    /// The local network told of a peer (mDNS); no connection yet.
    Discovered(PeerId),
    /// Where we can be reached now, multiaddresses in textual form: listeners, confirmed external addresses, and those on
    /// relays, which end in `/p2p-circuit`. What was told before is void.
    Listening(Vec<String>),
    /// An envelope came on the authenticated stream of `from`. It is answered by exactly one [`Order::Acknowledge`] or
    /// [`Order::Refuse`] with the same token, in any order.
    Envelope {
        /// Who is at the other end of the stream.
        from: PeerId,
        /// Where he is, as far as the connection tells.
        origin: Option<Origin>,
        /// Which frame of which stream.
        token: FrameToken,
        /// The encoded envelope, 1 to `MAX_ENVELOPE` bytes, unparsed.
        bytes: Vec<u8>,
    },
    /// The peer has stored what [`Order::Send`] with this ticket sent.
    Acked {
        /// Who.
        peer: PeerId,
        /// Which.
        ticket: u64,
    },
    /// The peer refused it, for good.
    Refused {
        /// Who.
        peer: PeerId,
        /// Which.
        ticket: u64,
        /// Why.
        reason: RefuseReason,
    },
    /// The stream ended first: it is not known whether the peer has it.
    Lost {
        /// Who.
        peer: PeerId,
        /// Which.
        ticket: u64,
    },
    /// A card, and perhaps a one-time prekey, came in answer to [`Order::FetchBundle`]. Unverified.
    Bundle {
        /// Whose.
        peer: PeerId,
        /// Which question.
        ticket: u64,
        /// The encoded signed card, at most `MAX_CARD` bytes.
        card: Vec<u8>,
        /// The encoded signed one-time prekey, at most `MAX_ONE_TIME_PREKEY` bytes.
        prekey: Option<Vec<u8>>,
    },
    /// No card came.
    BundleFailed {
        /// Whose.
        peer: PeerId,
        /// Which question.
        ticket: u64,
    },
    /// A peer asks for our card; answered by [`Order::AnswerBundle`] within `CARD_TIMEOUT`.
    BundleRequested {
        /// Who asks.
        from: PeerId,
        /// Which question.
        request: u64,
        /// Whether a one-time prekey is wanted, and the rate of that peer allows one.
        want_prekey: bool,
    },
    /// A peer asks something of the mailbox that we keep for others; answered by exactly one [`Order::AnswerMail`] or
    /// [`Order::HoldMail`] within `MAIL_ANSWER_TIMEOUT`.
    Mail {
        /// Who asks: an owner, or a key made for this one question.
        from: PeerId,
        /// Where he is, as far as the connection tells. Never written down (MBX-40).
        origin: Option<Origin>,
        /// Which question.
        request: u64,
        /// The encoded question, whole, unparsed but for its head.
        question: Vec<u8>,
    },
    /// What a mailbox answered to [`Order::AskMailbox`]. Unverified: it may say anything.
    MailAnswered {
        /// Which mailbox.
        mailbox: PeerId,
        /// Which question.
        ticket: u64,
        /// The encoded answer, whole, unparsed but for its head.
        answer: Vec<u8>,
    },
    /// No answer came: it is not known whether the mailbox heard the question.
    MailFailed {
        /// Which mailbox.
        mailbox: PeerId,
        /// Which question.
        ticket: u64,
    },
    /// The DHT has a card for [`Order::FindCard`]: the signature is the owner's, it is valid now, and of several it is the
    /// one with the highest sequence. That it is not an old one must be judged by who remembers.
    CardFound {
        /// Whose.
        peer: PeerId,
        /// Which search.
        ticket: u64,
        /// The encoded signed card.
        card: Vec<u8>,
    },
    /// The DHT has none.
    CardNotFound {
        /// Whose.
        peer: PeerId,
        /// Which search.
        ticket: u64,
        /// How many peers answered; 0: there was nobody to ask.
        asked: u32,
    },
    /// The card of [`Order::PublishCard`] stands in the DHT: it was read back.
    CardPublished {
        /// Whose.
        owner: PeerId,
        /// How many peers gave it back.
        copies: u32,
    },
    /// Through whom we can be reached now, and where they are; what was told before is void.
    Relays(Vec<(PeerId, Vec<String>)>),
    /// Peers of the DHT that are good to begin with at the next start; what was told before is void.
    KnownPeers(Vec<(PeerId, Vec<String>)>),
}

impl Order {
    /// The number that is returned with the outcome.
    pub const fn ticket_mut(&mut self) -> Option<&mut u64> {
        match self {
            Self::Send { ticket, .. }
            | Self::FetchBundle { ticket, .. }
            | Self::AskMailbox { ticket, .. }
            | Self::FindCard { ticket, .. } => Some(ticket),
            _ => None,
        }
    }

    /// What is told when it comes to nothing; of some orders nobody waits for an end.
    pub const fn failed(&self) -> Option<Event> {
        Some(match *self {
            Self::Connect { peer, .. } => Event::Unreachable(peer),
            Self::Send { peer, ticket, .. } => Event::Lost { peer, ticket },
            Self::FetchBundle { peer, ticket, .. } => Event::BundleFailed { peer, ticket },
            Self::AskMailbox { mailbox, ticket, .. } => Event::MailFailed { mailbox, ticket },
            Self::FindCard { peer, ticket } => Event::CardNotFound { peer, ticket, asked: 0 },
            _ => return None,
        })
    }
}

impl Event {
    /// The number of the order of which it is the outcome.
    pub const fn ticket_mut(&mut self) -> Option<&mut u64> {
        match self {
            Self::Acked { ticket, .. }
            | Self::Refused { ticket, .. }
            | Self::Lost { ticket, .. }
            | Self::Bundle { ticket, .. }
            | Self::BundleFailed { ticket, .. }
            | Self::MailAnswered { ticket, .. }
            | Self::MailFailed { ticket, .. }
            | Self::CardFound { ticket, .. }
            | Self::CardNotFound { ticket, .. } => Some(ticket),
            _ => None,
        }
    }
}
