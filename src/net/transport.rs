//! The transports: QUIC, and TCP with Noise and yamux, over IPv4 and IPv6, names resolved.

use std::io;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, OrTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, Transport, dns, noise, quic, tcp};

use super::error::NetError;
use super::muxer::Yamux;
use super::span;
use crate::base::limits::{DIAL_TIMEOUT, MAX_STREAM_BUFFER, MAX_STREAMS_PER_CONNECTION, MAX_YAMUX_BUFFER, QUIC_IDLE};

type Connections = Boxed<(PeerId, StreamMuxerBox)>;

/// Makes the transports of the identity.
///
/// # Errors
/// [`NetError::Start`].
pub(super) fn build(keypair: &Keypair) -> Result<Connections, NetError> {
    let plain = || direct(keypair).map_err(|error| NetError::Start(error.to_string()));
    match dns::tokio::Transport::system(plain()?) {
        Ok(named) => Ok(named.boxed()),
        Err(error) => {
            // Names in addresses are a convenience. Without a resolver of the system we go without,
            // rather than ask somebody whom nobody has chosen.
            tracing::warn!(%error, "no name resolution: addresses with names will not be reached");
            plain()
        }
    }
}

fn direct(keypair: &Keypair) -> Result<Connections, noise::Error> {
    let tcp = tcp::tokio::Transport::new(tcp::Config::default())
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(Yamux::new())
        .timeout(span(DIAL_TIMEOUT))
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let quic =
        quic::tokio::Transport::new(quic_config(keypair)).map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let both = OrTransport::new(quic, tcp).map(|either, _| either.into_inner());
    Ok(both.map_err(io::Error::other).boxed())
}

fn quic_config(keypair: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(keypair);
    config.handshake_timeout = span(DIAL_TIMEOUT);
    config.max_idle_timeout = u32::try_from(QUIC_IDLE.0).unwrap_or(u32::MAX);
    config.keep_alive_interval = span(QUIC_IDLE) / 3;
    config.max_concurrent_stream_limit = u32::try_from(MAX_STREAMS_PER_CONNECTION).unwrap_or(u32::MAX);
    config.max_stream_data = MAX_STREAM_BUFFER;
    config.max_connection_data = u32::try_from(MAX_YAMUX_BUFFER).unwrap_or(u32::MAX);
    config
}
