//! The transports: QUIC, and TCP with Noise and yamux, over IPv4 and IPv6.

use std::io;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
#[cfg(test)]
use libp2p::tcp;
use libp2p::{PeerId, Transport, noise, relay};

use super::classes::Classes;
use super::doors::{Doors, Ear};
use super::error::NetError;
use super::handshakes::Entrances;
use super::linger::Lingering;
use super::muxer::Yamux;
use super::ports::Ports;
use super::{quic, span};
use crate::base::limits::DIAL_TIMEOUT;

pub(super) type Connections = Boxed<(PeerId, StreamMuxerBox)>;

/// Makes the transports of the identity (NET-1), straight and through relays, if there are any. The class of a peer decides what a
/// connection may hold. Inbound ones have places by their entrance while they are being set up.
///
/// # Errors
/// [`NetError::Start`].
pub(super) fn build(
    keypair: &Keypair,
    classes: &Classes,
    relays: Option<relay::client::Transport>,
    entrances: &Entrances,
) -> Result<Connections, NetError> {
    let straight = direct(keypair, classes, entrances)?;
    let Some(relays) = relays else { return Ok(straight) };
    let class = classes.clone();
    let circuits = relays
        .upgrade(Version::V1Lazy)
        .authenticate(noise(keypair)?)
        .multiplex_ext(move |peer, _| Yamux::new(class.of_libp2p(peer)))
        .timeout(span(DIAL_TIMEOUT))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .map_err(io::Error::other);
    let circuits = Doors::new(circuits, entrances.circuits.clone());
    let both = OrTransport::new(circuits, straight).map(|either, _| either.into_inner());
    Ok(both.map_err(io::Error::other).boxed())
}

fn direct(keypair: &Keypair, classes: &Classes, entrances: &Entrances) -> Result<Connections, NetError> {
    let (classes, places) = (classes.clone(), entrances.tcp.clone());
    let tcp = Ports::default()
        .map(move |socket, point| Ear::new(socket, point, places))
        .upgrade(Version::V1Lazy)
        .authenticate(noise(keypair)?)
        .multiplex_ext(move |peer, _| Yamux::new(classes.of_libp2p(peer)))
        .timeout(span(DIAL_TIMEOUT))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .map_err(io::Error::other);
    let quic = quic::Transport::new(keypair, entrances.clone())?
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(Lingering(muxer))));
    let both = OrTransport::new(quic, Doors::new(tcp, entrances.tcp.clone())).map(|either, _| either.into_inner());
    Ok(both.map_err(io::Error::other).boxed())
}

fn noise(keypair: &Keypair) -> Result<noise::Config, NetError> {
    noise::Config::new(keypair).map_err(|error| NetError::Start(error.to_string()))
}

/// TCP, with streams that nothing bounds, as somebody else's may be.
#[cfg(test)]
pub(super) fn unbound(keypair: &Keypair) -> Connections {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default())
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair).unwrap())
        .multiplex(Yamux::unbound());
    tcp.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer))).map_err(io::Error::other).boxed()
}
