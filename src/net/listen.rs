//! Binding the listeners: all that were asked for, or a clear error.

use std::collections::HashSet;
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, Swarm, TransportError};
use socket2::{Domain, Socket, Type};

use super::behaviour::Behaviour;
use super::config::NetConfig;
use super::error::NetError;
use crate::base::limits::{MAX_ADDR_LEN, MAX_LISTEN};

/// Binds the listeners. Their real addresses come as events; gives the listeners of which one is
/// to be awaited.
///
/// # Errors
/// [`NetError`] for the first address that cannot be had. Of the default addresses those that this
/// machine does not have are left out, as long as one remains.
pub(super) fn bind(swarm: &mut Swarm<Behaviour>, wanted: &[String]) -> Result<HashSet<ListenerId>, NetError> {
    if !wanted.is_empty() {
        return wanted.iter().take(MAX_LISTEN).map(|text| bind_one(swarm, text)).collect();
    }
    let (mut bound, mut first_error) = (HashSet::new(), None);
    for text in NetConfig::DEFAULT_LISTEN {
        match bind_one(swarm, text) {
            Ok(listener) => {
                bound.insert(listener);
            }
            Err(error) => {
                tracing::debug!(addr = text, %error, "left out");
                first_error.get_or_insert(error);
            }
        }
    }
    first_error.filter(|_| bound.is_empty()).map_or(Ok(bound), Err)
}

fn bind_one(swarm: &mut Swarm<Behaviour>, text: &str) -> Result<ListenerId, NetError> {
    let (addr, tcp) = parse(text)?;
    if let Some(socket) = tcp.filter(|socket| socket.port() != 0) {
        probe(socket).map_err(|error| explain(text, &error))?;
    }
    swarm.listen_on(addr).map_err(|error| match error {
        TransportError::MultiaddrNotSupported(_) => bad(text, "not an address we can listen on"),
        TransportError::Other(error) => explain(text, &error),
    })
}

/// Reads `/ip4|ip6/…/tcp/…` or `/ip4|ip6/…/udp/…/quic-v1`; for TCP also as a socket address.
fn parse(text: &str) -> Result<(Multiaddr, Option<SocketAddr>), NetError> {
    let addr: Multiaddr = text
        .get(..text.len().min(MAX_ADDR_LEN + 1))
        .filter(|text| text.len() <= MAX_ADDR_LEN)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| bad(text, "not a multiaddress"))?;
    let mut parts = addr.iter();
    let ip: IpAddr = match parts.next() {
        Some(Protocol::Ip4(ip)) => ip.into(),
        Some(Protocol::Ip6(ip)) => ip.into(),
        _ => return Err(bad(text, "it does not begin with an IP address")),
    };
    let tcp = match (parts.next(), parts.next(), parts.next()) {
        (Some(Protocol::Tcp(port)), None, _) => Some(SocketAddr::new(ip, port)),
        (Some(Protocol::Udp(_)), Some(Protocol::QuicV1), None) => None,
        _ => return Err(bad(text, "neither /tcp/… nor /udp/…/quic-v1 follows")),
    };
    Ok((addr, tcp))
}

/// Whether the port is free. libp2p shares listening ports (`SO_REUSEPORT`, which hole punching
/// needs), so a second node of the same user would bind it without an error, and the system would
/// give each of them half of the connections.
fn probe(addr: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(socket2::Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A port whose last connections are still closing is free.
    socket.set_reuse_address(cfg!(unix))?;
    socket.bind(&addr.into())?;
    // Linux lets two sockets of a user be bound that may both reuse the address; only one listens.
    socket.listen(1)
}

/// What the error of a transport means for the one who asked for the address.
fn explain(text: &str, error: &(dyn Error + 'static)) -> NetError {
    let addr = cut(text);
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::AddrInUse => return NetError::AddressInUse { addr },
                io::ErrorKind::PermissionDenied => return NetError::NoPermission { addr },
                io::ErrorKind::AddrNotAvailable => return NetError::NoSuchAddress { addr },
                _ => {}
            }
            // `io::Error::other` holds its error inside; it is not its source but its self.
            if let Some(inner) = io.get_ref() {
                cause = Some(inner);
                continue;
            }
        }
        cause = error.source();
    }
    NetError::Listen { addr, reason: error.to_string() }
}

fn bad(text: &str, reason: &'static str) -> NetError {
    NetError::BadAddress { addr: cut(text), reason }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_ADDR_LEN).collect()
}
