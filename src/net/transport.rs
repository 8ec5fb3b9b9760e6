//! The transports: QUIC, and TCP with Noise and yamux, over IPv4 and IPv6, names resolved.

use std::io;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::dummy::DummyTransport;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, Transport, dns, noise, quic, relay, tcp};

use super::classes::Classes;
use super::error::NetError;
use super::linger::Lingering;
use super::muxer::Yamux;
use super::span;
use crate::base::limits::{DIAL_TIMEOUT, MAX_QUIC_BUFFER, MAX_STREAM_BUFFER, MAX_STREAMS_PER_CONNECTION, QUIC_IDLE};

pub(super) type Connections = Boxed<(PeerId, StreamMuxerBox)>;

/// Makes the transports of the identity (NET-1), straight and through relays, if there are any. The class of a peer decides what a
/// connection may hold.
///
/// # Errors
/// [`NetError::Start`].
pub(super) fn build(
    keypair: &Keypair,
    classes: &Classes,
    relays: Option<relay::client::Transport>,
) -> Result<Connections, NetError> {
    let failed = |error: noise::Error| NetError::Start(error.to_string());
    let straight = direct(keypair, classes).map_err(failed)?;
    let Some(relays) = relays else { return named(straight) };
    let class = classes.clone();
    let circuits = relays
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair).map_err(failed)?)
        .multiplex_ext(move |peer, _| Yamux::new(class.of_libp2p(peer)))
        .timeout(span(DIAL_TIMEOUT))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .map_err(io::Error::other);
    let both = OrTransport::new(circuits, straight).map(|either, _| either.into_inner());
    named(both.map_err(io::Error::other).boxed())
}

/// With names resolved by the system's resolver.
fn named(plain: Connections) -> Result<Connections, NetError> {
    // Tried with nothing first, because a resolver that fails takes with it what it was given.
    let empty = DummyTransport::<(PeerId, StreamMuxerBox)>::new();
    if let Err(error) = dns::tokio::Transport::system(empty) {
        // Names in addresses are a convenience. Without a resolver of the system we go without,
        // rather than ask somebody whom nobody has chosen.
        tracing::warn!(%error, "no name resolution: addresses with names will not be reached");
        return Ok(plain);
    }
    dns::tokio::Transport::system(plain).map(Transport::boxed).map_err(|error| NetError::Start(error.to_string()))
}

fn direct(keypair: &Keypair, classes: &Classes) -> Result<Connections, noise::Error> {
    let classes = classes.clone();
    let tcp = tcp::tokio::Transport::new(tcp::Config::default())
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex_ext(move |peer, _| Yamux::new(classes.of_libp2p(peer)))
        .timeout(span(DIAL_TIMEOUT))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let quic = quic::tokio::Transport::new(quic_config(keypair))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(Lingering(muxer))));
    let both = OrTransport::new(quic, tcp).map(|either, _| either.into_inner());
    Ok(both.map_err(io::Error::other).boxed())
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

fn quic_config(keypair: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(keypair);
    config.handshake_timeout = span(DIAL_TIMEOUT);
    config.max_idle_timeout = u32::try_from(QUIC_IDLE.0).unwrap_or(u32::MAX);
    config.keep_alive_interval = span(QUIC_IDLE) / 3;
    config.max_concurrent_stream_limit = u32::try_from(MAX_STREAMS_PER_CONNECTION).unwrap_or(u32::MAX);
    config.max_stream_data = MAX_STREAM_BUFFER;
    config.max_connection_data = MAX_QUIC_BUFFER;
    config
}
