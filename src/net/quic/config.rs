//! What our connections over QUIC are like.

use std::sync::Arc;

use libp2p::identity::Keypair;
use libp2p::tls;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, EndpointConfig, IdleTimeout, NoneTokenLog, NoneTokenStore, ServerConfig, TransportConfig,
    ValidationTokenConfig, VarInt,
};

use super::super::error::NetError;
use super::super::span;
use crate::base::limits::{
    MAX_QUIC_BUFFER, MAX_QUIC_KNOCK_BYTES, MAX_QUIC_KNOCKS, MAX_STREAM_BUFFER, MAX_STREAMS_PER_CONNECTION, QUIC_IDLE,
};

/// What an endpoint is made of.
pub(super) struct Config {
    pub(super) client: ClientConfig,
    pub(super) server: ServerConfig,
    pub(super) endpoint: EndpointConfig,
}

impl Config {
    /// For this identity: the certificates are libp2p's, made anew for it.
    ///
    /// # Errors
    /// [`NetError::Start`].
    pub(super) fn new(keypair: &Keypair) -> Result<Self, NetError> {
        let failed = |error: &dyn std::error::Error| NetError::Start(error.to_string());
        let client = tls::make_client_config(keypair, None).map_err(|error| failed(&error))?;
        let client = QuicClientConfig::try_from(client).map_err(|error| failed(&error))?;
        let server = tls::make_server_config(keypair).map_err(|error| failed(&error))?;
        let server = QuicServerConfig::try_from(server).map_err(|error| failed(&error))?;
        let transport = Arc::new(transport());
        let mut endpoint = EndpointConfig::default();
        endpoint.supported_versions(vec![1]);
        Ok(Self { client: dialling(client, &transport), server: listening(server, &transport), endpoint })
    }
}

fn transport() -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(u32::try_from(MAX_STREAMS_PER_CONNECTION).unwrap_or(u32::MAX)))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_receive_buffer_size(None)
        .stream_receive_window(VarInt::from_u32(MAX_STREAM_BUFFER))
        .receive_window(VarInt::from_u32(MAX_QUIC_BUFFER))
        .keep_alive_interval(Some(span(QUIC_IDLE) / 3))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(u32::try_from(QUIC_IDLE.0).unwrap_or(u32::MAX)))))
        // It tells whoever watches the line how far the other side is away.
        .allow_spin(false);
    config
}

fn dialling(crypto: QuicClientConfig, transport: &Arc<TransportConfig>) -> ClientConfig {
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::clone(transport));
    // All peers have one name in TLS: what one gave us would be shown to another.
    config.token_store(Arc::new(NoneTokenStore));
    config
}

fn listening(crypto: QuicServerConfig, transport: &Arc<TransportConfig>) -> ServerConfig {
    let mut tokens = ValidationTokenConfig::default();
    tokens.sent(0).log(Arc::new(NoneTokenLog));
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config
        .transport_config(Arc::clone(transport))
        .validation_token_config(tokens)
        .max_incoming(MAX_QUIC_KNOCKS)
        .incoming_buffer_size(MAX_QUIC_KNOCK_BYTES)
        .incoming_buffer_size_total(MAX_QUIC_KNOCK_BYTES * MAX_QUIC_KNOCKS as u64)
        // Whoever counts connections by address is told nothing of a new one.
        .migration(false);
    config
}
