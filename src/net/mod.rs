//! libp2p: the swarm task, its protocols and who is found where. Bytes and peer IDs, never
//! plaintext, no disk (docs/protocol/network.md).

mod config;
mod error;
mod event;
mod handle;

pub use self::config::{Classify, Lanes, NetConfig};
pub use self::error::{NetError, SendError};
pub use self::event::{FrameToken, NetEvent};
pub use self::handle::{NetHandle, NetStatus, PeerStatus};
pub use crate::envelope::frame::RefuseReason;

/// Starts the network. Returns when every listener is bound; `NetHandle::status` then names the
/// real addresses, and [`NetEvent::Listening`] is told for each.
///
/// # Errors
/// [`NetError`], each with a hint.
pub async fn start(config: NetConfig, lanes: Lanes, classify: Classify) -> Result<NetHandle, NetError> {
    let _ = (config, lanes, classify);
    todo!()
}
