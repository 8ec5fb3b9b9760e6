//! What the network tells the node. Mirrors the inputs of the messenger, one to one.

use crate::base::PeerId;
use crate::envelope::frame::{FrameToken, RefuseReason};

/// What the network tells.
///
/// Events of one peer that come from different streams or from the connection itself are not
/// ordered among each other: an envelope may come before [`NetEvent::Connected`], a
/// [`NetEvent::Lost`] after [`NetEvent::Disconnected`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetEvent {
    /// There is a connection now. Noise has proven who is there.
    Connected(PeerId),
    /// The last connection is gone.
    Disconnected(PeerId),
    /// The dial asked for by `NetHandle::connect` failed.
    Unreachable(PeerId),
    /// The local network told of a peer (mDNS); no connection yet.
    Discovered(PeerId),
    /// An envelope came on the authenticated stream of `from`. It is to be answered by exactly one
    /// `NetHandle::acknowledge` or `NetHandle::refuse` with the same token, in any order.
    Envelope {
        /// Who is at the other end of the stream.
        from: PeerId,
        /// Which frame of which stream.
        token: FrameToken,
        /// The encoded envelope, 1 to `MAX_ENVELOPE` bytes, unparsed.
        bytes: Vec<u8>,
    },
    /// The peer has stored what `NetHandle::send_envelope` with this ticket sent.
    Acked {
        /// Who.
        peer: PeerId,
        /// Which.
        ticket: u64,
    },
    /// The peer refused it.
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
    /// A card, and perhaps a one-time prekey, came in answer to `NetHandle::fetch_bundle`. Unverified.
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
    /// A peer asks for our card; to be answered by `NetHandle::answer_bundle` within
    /// `CARD_TIMEOUT`.
    BundleRequested {
        /// Who asks.
        from: PeerId,
        /// Which question.
        request: u64,
        /// Whether a one-time prekey is wanted, and the rate of that peer allows one.
        want_prekey: bool,
    },
    /// A peer asks our mailbox; to be answered by `NetHandle::answer_mail` or `NetHandle::hold_mail`
    /// within `MAIL_ANSWER_TIMEOUT`.
    MailAsked {
        /// Who asks: an owner, or a key made for this one question.
        from: PeerId,
        /// Which question.
        request: u64,
        /// The encoded question, whole, unparsed but for its head.
        question: Vec<u8>,
    },
    /// A mailbox answered what `NetHandle::ask_mailbox` with this ticket asked. Unverified.
    MailAnswered {
        /// Which mailbox.
        mailbox: PeerId,
        /// Which question.
        ticket: u64,
        /// The encoded answer, whole, unparsed but for its head.
        answer: Vec<u8>,
    },
    /// It did not: it is not known whether it heard the question.
    MailFailed {
        /// Which mailbox.
        mailbox: PeerId,
        /// Which question.
        ticket: u64,
    },
    /// The card that `NetHandle::publish_card` was given stands in the DHT: it was read back.
    CardPublished {
        /// Whose.
        owner: PeerId,
        /// How many peers gave it back.
        copies: u32,
    },
    /// The DHT has a card for `NetHandle::find_card`: the signature is the owner's, it is valid now, and of several
    /// it is the one with the highest sequence. That it is not an old one must be judged by who remembers.
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
    /// Peers of the DHT that are worth keeping for the next start, with addresses. Takes the place of what was told before.
    KnownPeers(Vec<(PeerId, Vec<String>)>),
    /// Somebody can reach us at this address (a multiaddress in textual form): a listener's, a confirmed external
    /// one, or one on a relay (it ends in `/p2p-circuit`).
    Listening(String),
    /// Nobody can any more: the interface or the relay went away.
    Expired(String),
    /// The relays through which we can be reached now, each with its addresses. Told on every change.
    Relays(Vec<(PeerId, Vec<String>)>),
}
