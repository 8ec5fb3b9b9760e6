//! What the network tells the node. Mirrors the inputs of the messenger, one to one.

use crate::base::PeerId;
use crate::envelope::frame::RefuseReason;

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
    /// Somebody can reach us at this address (a multiaddress in textual form): a listener's, a confirmed external
    /// one, or one on a relay (it ends in `/p2p-circuit`).
    Listening(String),
    /// Nobody can any more: the interface or the relay went away.
    Expired(String),
    /// The relays through which we can be reached now, each with its addresses. Told on every change.
    Relays(Vec<(PeerId, Vec<String>)>),
}

/// Names one received frame: the stream (a number of the process, never used twice) and its
/// sequence number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrameToken {
    /// The stream.
    pub stream: u64,
    /// The frame.
    pub frame: u64,
}
