//! Small things that every file here needs: peer IDs and times in the forms of others, locks, what handlers hear and tell.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libp2p::swarm::handler::ConnectionEvent;
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent};

use crate::base::{Millis, PeerId, WallTime};

/// Our form of a peer ID; `None` when it is not of an Ed25519 key.
pub(super) fn from_libp2p(peer: &libp2p::PeerId) -> Option<PeerId> {
    PeerId::from_multihash(&peer.to_bytes()).ok()
}

/// libp2p's form of a peer ID.
#[expect(clippy::expect_used, reason = "the multihash of every PeerId is well-formed: the tests try it")]
pub(super) fn to_libp2p(peer: &PeerId) -> libp2p::PeerId {
    libp2p::PeerId::from_bytes(&peer.to_multihash()).expect("an identity multihash of 36 bytes")
}

/// A span of time as the standard library has it.
pub(super) const fn span(millis: Millis) -> Duration {
    Duration::from_millis(millis.0)
}

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "net reads the clock, for its status only")]
pub(super) fn wall_now() -> WallTime {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    WallTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Locks; what a panicking task left behind is still in order, as every change is made whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the swarm tells the handler of a connection.
pub(super) type HandlerInput<'a, H> = ConnectionEvent<
    'a,
    <H as ConnectionHandler>::InboundProtocol,
    <H as ConnectionHandler>::OutboundProtocol,
    <H as ConnectionHandler>::InboundOpenInfo,
    <H as ConnectionHandler>::OutboundOpenInfo,
>;

/// What it tells the swarm.
pub(super) type HandlerOutput<H> = ConnectionHandlerEvent<
    <H as ConnectionHandler>::OutboundProtocol,
    <H as ConnectionHandler>::OutboundOpenInfo,
    <H as ConnectionHandler>::ToBehaviour,
>;

/// Some peer.
#[cfg(test)]
pub(super) fn peer(n: u64) -> PeerId {
    let mut key = [7; 32];
    key[..8].copy_from_slice(&n.to_be_bytes());
    PeerId::from_key_bytes(key)
}
