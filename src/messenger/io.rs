//! What goes into the messenger and what comes out: values, nothing that runs.

use std::sync::Arc;

use crate::base::{MonoTime, PeerId};

pub use crate::envelope::frame::{FrameToken, RefuseReason};

use super::command::{Answer, Command, Refusal};

/// One thing that can change something.
#[derive(Clone, Debug)]
pub enum Input {
    /// The user asks for a change; [`Output::Reply`] with the same number answers.
    Command(u64, Command),
    /// The network tells something.
    Peer(PeerInput),
    /// The time asked for by [`Output::WakeAt`] has come.
    Timer,
}

/// What the network tells.
#[derive(Clone, Debug)]
pub enum PeerInput {
    /// There is a connection now. Noise has proven who is there.
    Connected(PeerId),
    /// The last connection is gone.
    Disconnected(PeerId),
    /// The dial asked for by [`Output::Connect`] failed.
    Unreachable(PeerId),
    /// The local network told of a peer (mDNS); no connection yet.
    Discovered(PeerId),
    /// The addresses our own node listens on now.
    Listening(Vec<String>),
    /// An envelope came on the authenticated stream of `from`. It is answered by exactly one
    /// [`Output::Acknowledge`] or [`Output::Refuse`] with the same token.
    Envelope {
        /// Who is at the other end of the stream.
        from: PeerId,
        /// Which frame of which stream.
        token: FrameToken,
        /// The encoded envelope, at most `MAX_ENVELOPE` bytes.
        bytes: Vec<u8>,
    },
    /// The peer has stored what [`Output::Send`] with this ticket sent.
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
    /// A card, and perhaps a one-time prekey, came in answer to [`Output::FetchBundle`]. Unverified.
    Bundle {
        /// Whose.
        peer: PeerId,
        /// Which question.
        ticket: u64,
        /// The encoded signed card.
        card: Vec<u8>,
        /// The encoded signed one-time prekey.
        prekey: Option<Vec<u8>>,
    },
    /// No card came.
    BundleFailed {
        /// Whose.
        peer: PeerId,
        /// Which question.
        ticket: u64,
    },
    /// A peer asks for our card; answered by [`Output::AnswerBundle`].
    BundleRequested {
        /// Who asks.
        from: PeerId,
        /// Which question.
        request: u64,
        /// Whether a one-time prekey is wanted (and the rate of that peer allows one).
        want_prekey: bool,
    },
    /// A peer asks something of the mailbox that we keep for others; answered by exactly one [`Output::AnswerMail`] or
    /// [`Output::HoldMail`].
    Mail {
        /// Who asks: an owner, or a key made for this one question.
        from: PeerId,
        /// Which question.
        request: u64,
        /// The encoded question, as it came.
        question: Vec<u8>,
    },
    /// What a mailbox answered to [`Output::AskMailbox`]. Unverified: it may say anything.
    MailAnswered {
        /// Which mailbox.
        mailbox: PeerId,
        /// Which question.
        ticket: u64,
        /// The encoded answer, as it came.
        answer: Vec<u8>,
    },
    /// No answer came: it is not known whether the mailbox heard the question.
    MailFailed {
        /// Which mailbox.
        mailbox: PeerId,
        /// Which question.
        ticket: u64,
    },
    /// The distributed hash table has a card of the peer. Unverified.
    CardFound {
        /// Whose it is said to be.
        peer: PeerId,
        /// Which question.
        ticket: u64,
        /// The encoded signed card.
        card: Vec<u8>,
    },
    /// It has none.
    CardNotFound {
        /// Whose.
        peer: PeerId,
        /// Which question.
        ticket: u64,
        /// How many nodes answered; 0: there was nobody to ask.
        asked: u32,
    },
    /// Through whom we can be reached now, and where they are; what was told before is void.
    Relays(Vec<(PeerId, Vec<String>)>),
    /// Nodes that are good to begin with at the next start; what was told before is void.
    KnownPeers(Vec<(PeerId, Vec<String>)>),
}

/// What the node is to carry out, after the commit. All of it can be derived again from the rows.
#[derive(Clone, Debug)]
pub enum Output {
    /// Answer to [`Input::Command`].
    Reply(u64, Result<Answer, Refusal>),
    /// A connection to this peer is wanted; hints where it may be found.
    Connect {
        /// Who.
        peer: PeerId,
        /// Multiaddresses, unverified.
        addrs: Vec<String>,
    },
    /// Send an envelope on the stream to this peer.
    Send {
        /// To whom.
        peer: PeerId,
        /// Returned with the outcome.
        ticket: u64,
        /// The encoded, unsealed envelope.
        bytes: Arc<[u8]>,
    },
    /// Ask this peer for the card.
    FetchBundle {
        /// Whom.
        peer: PeerId,
        /// Returned with the outcome.
        ticket: u64,
        /// Whether to ask for a one-time prekey, too.
        want_prekey: bool,
    },
    /// The frame is stored (or is to look as if): acknowledge it.
    Acknowledge(FrameToken),
    /// Refuse the frame.
    Refuse(FrameToken, RefuseReason),
    /// Answer to [`PeerInput::BundleRequested`].
    AnswerBundle {
        /// Which question.
        request: u64,
        /// The encoded signed card.
        card: Vec<u8>,
        /// A one-time prekey, handed out this once.
        prekey: Option<Vec<u8>>,
    },
    /// Answer to [`PeerInput::Mail`].
    AnswerMail {
        /// Which question.
        request: u64,
        /// The encoded answer.
        answer: Vec<u8>,
    },
    /// The other answer to [`PeerInput::Mail`], to an owner who wants to wait: it is held until [`Output::RingMail`] names him
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
    /// Ask a mailbox; answered by [`PeerInput::MailAnswered`] or [`PeerInput::MailFailed`].
    AskMailbox {
        /// Returned with the outcome.
        ticket: u64,
        /// Which mailbox.
        mailbox: PeerId,
        /// Multiaddresses, unverified.
        addrs: Vec<String>,
        /// Whether it must not learn who asks.
        anonymous: bool,
        /// The encoded question.
        question: Vec<u8>,
    },
    /// Look for a peer's card in the distributed hash table; answered by [`PeerInput::CardFound`] or
    /// [`PeerInput::CardNotFound`].
    FindCard {
        /// Whose.
        peer: PeerId,
        /// Returned with the outcome.
        ticket: u64,
    },
    /// Put a card into the distributed hash table: our own, or one of somebody for whom we keep a box.
    PublishCard {
        /// Whose.
        owner: PeerId,
        /// The encoded signed card.
        card: Vec<u8>,
    },
    /// The peer is a contact from now on, or no longer: decides his lane and his rates.
    Class {
        /// Who.
        peer: PeerId,
        /// Whether he is a contact (a blocked one included).
        contact: bool,
    },
    /// There are new events, up to this sequence number.
    Events(u64),
    /// Hand in [`Input::Timer`] at this time; replaces the one before.
    WakeAt(MonoTime),
}

impl Output {
    /// The place among what follows from one commit; what has the same stays in order. What others wait for goes first:
    /// envelopes on their way, then the news for whoever listens here.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Class { .. } => 0,
            Self::Send { .. } => 1,
            Self::Events(_) => 2,
            _ => 3,
        }
    }
}
