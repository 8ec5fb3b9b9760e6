//! The face of the network for the node: commands that never wait.

use std::sync::Arc;

use super::error::SendError;
use super::event::FrameToken;
use crate::base::{PeerId, WallTime};
use crate::envelope::frame::RefuseReason;

/// A handle of the running network. Clones name the same network; it stops by
/// [`NetHandle::shutdown`], or when the last handle is dropped.
///
/// No method but `shutdown` waits. What cannot be taken is refused at once with a [`SendError`],
/// and then no event follows for that ticket: the caller treats it as [`super::NetEvent::Lost`],
/// `BundleFailed` or `Unreachable`.
#[derive(Clone, Debug)]
pub struct NetHandle {}

impl NetHandle {
    /// Who we are.
    pub fn peer_id(&self) -> PeerId {
        todo!()
    }

    /// Asks for a connection. Nothing happens when there is one, or one is being dialled; otherwise
    /// [`super::NetEvent::Connected`] or [`super::NetEvent::Unreachable`] follows. The addresses are
    /// hints of third parties: at most `MAX_PEER_ADDRS` sensible ones are tried, besides those found
    /// on the local network.
    ///
    /// # Errors
    /// [`SendError::Oneself`], or [`SendError::Full`] when too many commands wait.
    pub fn connect(&self, peer: PeerId, addrs: &[String]) -> Result<(), SendError> {
        todo!()
    }

    /// Sends an envelope on the stream to this peer. On `Ok` exactly one of `Acked`, `Refused`,
    /// `Lost` follows with this ticket.
    ///
    /// # Errors
    /// [`SendError::NotConnected`]; [`SendError::Full`] when `MAX_IN_FLIGHT` envelopes or
    /// `MAX_IN_FLIGHT_BYTES` are on their way to this peer; [`SendError::TooLarge`].
    pub fn send_envelope(&self, peer: PeerId, ticket: u64, bytes: Arc<[u8]>) -> Result<(), SendError> {
        todo!()
    }

    /// Asks a connected peer for the card. On `Ok` exactly one of `Bundle`, `BundleFailed` follows.
    ///
    /// # Errors
    /// [`SendError::NotConnected`]; [`SendError::Full`] when `MAX_CARD_FETCHES` questions are open.
    pub fn fetch_bundle(&self, peer: PeerId, ticket: u64, want_prekey: bool) -> Result<(), SendError> {
        todo!()
    }

    /// The envelope with this token is stored: the sender may forget it. Unknown tokens (the stream
    /// has ended) are ignored.
    pub fn acknowledge(&self, token: FrameToken) {
        todo!()
    }

    /// The envelope with this token is refused. Unknown tokens are ignored.
    pub fn refuse(&self, token: FrameToken, reason: RefuseReason) {
        todo!()
    }

    /// Answers `BundleRequested`. Ignored when the question is no longer open, or the answer is
    /// larger than the protocol allows.
    pub fn answer_bundle(&self, request: u64, card: Vec<u8>, prekey: Option<Vec<u8>>) {
        todo!()
    }

    /// Where we listen and with whom we are connected.
    pub fn status(&self) -> NetStatus {
        todo!()
    }

    /// Closes every connection and listener, and returns when that is done.
    pub async fn shutdown(&self) {
        todo!()
    }
}

/// Where we listen and with whom we are connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetStatus {
    /// Real addresses of the listeners, multiaddresses in textual form.
    pub listen_addrs: Vec<String>,
    /// The connected peers, in the order of their IDs.
    pub peers: Vec<PeerStatus>,
}

/// One connected peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Who.
    pub peer: PeerId,
    /// The remote address of the preferred connection.
    pub addr: String,
    /// Since when there is a connection.
    pub since: WallTime,
    /// Whether the preferred connection goes straight to the peer, not through a relay.
    pub direct: bool,
}
