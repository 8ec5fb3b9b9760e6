//! Binding the listeners: all that were asked for, or a clear error.

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, SocketAddr};

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, Swarm, TransportError};
use socket2::{Domain, Socket, Type};

use super::behaviour::Behaviour;
use super::config::NetConfig;
use super::contained::Contained;
use super::error::NetError;
use crate::base::limits::{MAX_ADDR_LEN, MAX_LISTEN};

/// Binds the listeners. Their real addresses come as events; gives the listeners of which one is
/// to be awaited.
///
/// # Errors
/// [`NetError`] for the first address that cannot be had. Of the default addresses those that this
/// machine does not have are left out, as long as one remains.
pub(super) fn bind(
    swarm: &mut Swarm<Contained<Behaviour>>,
    config: &NetConfig,
) -> Result<HashSet<ListenerId>, NetError> {
    if !config.listen.is_empty() {
        return config.listen.iter().take(MAX_LISTEN).map(|text| bind_one(swarm, text)).collect();
    }
    let (mut bound, mut first_error) = (HashSet::new(), None);
    for text in NetConfig::DEFAULT_LISTEN {
        let again = with_port_of(text, &config.before);
        let kept = again.and_then(|again| {
            bind_one(swarm, &again)
                .inspect_err(|error| tracing::info!(addr = again, %error, "not to be had again"))
                .ok()
        });
        match kept.map_or_else(|| bind_one(swarm, text), Ok) {
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

/// A default address with the port of the first of these addresses that is of its kind.
fn with_port_of(default: &str, before: &[String]) -> Option<String> {
    let (addr, socket, kind) = parse(default).ok()?;
    let alike = |(_, other, other_kind): &(Multiaddr, SocketAddr, Type)| {
        other.is_ipv4() == socket.is_ipv4() && *other_kind == kind && other.port() != 0
    };
    let (_, other, _) = before.iter().filter_map(|text| parse(text).ok()).find(alike)?;
    let port = |part: Protocol<'_>| match part {
        Protocol::Tcp(_) => Protocol::Tcp(other.port()),
        Protocol::Udp(_) => Protocol::Udp(other.port()),
        part => part.acquire(),
    };
    Some(addr.iter().map(port).collect::<Multiaddr>().to_string())
}

/// Whether this is the form of an address to listen on.
///
/// # Errors
/// [`NetError::BadAddress`].
pub fn check_listen(text: &str) -> Result<(), NetError> {
    parse(text).map(drop)
}

fn bind_one(swarm: &mut Swarm<Contained<Behaviour>>, text: &str) -> Result<ListenerId, NetError> {
    let (addr, socket, kind) = parse(text)?;
    probe(socket, kind).map_err(|error| explain(text, &error))?;
    swarm.listen_on(addr).map_err(|error| match error {
        TransportError::MultiaddrNotSupported(_) => bad(text, "not an address we can listen on"),
        TransportError::Other(error) => explain(text, &error),
    })
}

/// Reads `/ip4|ip6/…/tcp/…` or `/ip4|ip6/…/udp/…/quic-v1`, and what socket that means.
fn parse(text: &str) -> Result<(Multiaddr, SocketAddr, Type), NetError> {
    let short = Some(text).filter(|text| text.len() <= MAX_ADDR_LEN);
    let addr: Multiaddr = short.and_then(|text| text.parse().ok()).ok_or_else(|| bad(text, "not a multiaddress"))?;
    let mut parts = addr.iter();
    let ip: IpAddr = match parts.next() {
        Some(Protocol::Ip4(ip)) => ip.into(),
        Some(Protocol::Ip6(ip)) => ip.into(),
        _ => return Err(bad(text, "it does not begin with an IP address")),
    };
    let (port, kind) = match (parts.next(), parts.next(), parts.next()) {
        (Some(Protocol::Tcp(port)), None, _) => (port, Type::STREAM),
        (Some(Protocol::Udp(port)), Some(Protocol::QuicV1), None) => (port, Type::DGRAM),
        _ => return Err(bad(text, "neither /tcp/… nor /udp/…/quic-v1 follows")),
    };
    Ok((addr, SocketAddr::new(ip, port), kind))
}

/// Whether the address can be had.
///
/// libp2p shares listening TCP ports (`SO_REUSEPORT`, which hole punching needs), so a second node
/// of the same user would bind one without an error, and the system would give each of them half of
/// the connections. Also, the errors of its transports hide those of the system.
fn probe(addr: SocketAddr, kind: Type) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(addr), kind, None)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if kind == Type::DGRAM {
        return socket.bind(&addr.into());
    }
    // A port whose last connections are still closing is free. Of two sockets that say so, only one
    // may listen.
    socket.set_reuse_address(cfg!(unix))?;
    socket.bind(&addr.into())?;
    socket.listen(1)
}

/// What the error means for the one who asked for the address.
fn explain(text: &str, error: &io::Error) -> NetError {
    let addr = cut(text);
    match error.kind() {
        io::ErrorKind::AddrInUse => NetError::AddressInUse(addr),
        io::ErrorKind::PermissionDenied => NetError::NoPermission(addr),
        io::ErrorKind::AddrNotAvailable => NetError::NoSuchAddress(addr),
        _ => NetError::Listen { addr, reason: error.to_string() },
    }
}

fn bad(text: &str, reason: &'static str) -> NetError {
    NetError::BadAddress { addr: cut(text), reason }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_ADDR_LEN).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_takes_the_port_of_its_kind() {
        let before: Vec<_> = ["rubbish", "/ip4/10.0.0.1/udp/7/quic-v1", "/ip4/10.0.0.1/tcp/8", "/ip6/fe80::1/tcp/9"]
            .map(str::to_owned)
            .into();
        let port = |default| with_port_of(default, &before);
        assert_eq!(port("/ip4/0.0.0.0/udp/0/quic-v1").as_deref(), Some("/ip4/0.0.0.0/udp/7/quic-v1"));
        assert_eq!(port("/ip4/0.0.0.0/tcp/0").as_deref(), Some("/ip4/0.0.0.0/tcp/8"));
        assert_eq!(port("/ip6/::/tcp/0").as_deref(), Some("/ip6/::/tcp/9"));
        assert_eq!(port("/ip6/::/udp/0/quic-v1"), None);
    }
}
