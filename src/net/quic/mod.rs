//! QUIC as libp2p speaks it, over `quinn` (decision 19): libp2p's own transport begins every handshake that a datagram asks for,
//! whoever sent it.

mod address;
mod config;
mod connection;
mod listener;
mod transport;

pub(super) use self::transport::Transport;

#[cfg(test)]
mod tests;
