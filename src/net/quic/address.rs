//! `/ip4|ip6/…/udp/…/quic-v1`, and nothing else.

use std::net::{IpAddr, SocketAddr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

/// The socket of such an address; a peer ID may follow.
pub(super) fn socket(addr: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = addr.iter();
    let ip: IpAddr = match parts.next()? {
        Protocol::Ip4(ip) => ip.into(),
        Protocol::Ip6(ip) => ip.into(),
        _ => return None,
    };
    let (Protocol::Udp(port), Protocol::QuicV1) = (parts.next()?, parts.next()?) else { return None };
    parts.all(|part| matches!(part, Protocol::P2p(_))).then(|| SocketAddr::new(ip, port))
}

/// The address of a socket.
pub(super) fn of(socket: SocketAddr) -> Multiaddr {
    Multiaddr::from(socket.ip()).with(Protocol::Udp(socket.port())).with(Protocol::QuicV1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_quic_version_1_is_meant() {
        let socket_of = |text: &str| socket(&text.parse().unwrap());
        let peer = "12D3KooW9xk7Zp1gejwfwNpfm6L9zH5NL4Bx5rm94LRYJJHJuARZ";
        for text in ["/ip4/192.0.2.7/udp/9/quic-v1", "/ip6/2001:db8::7/udp/9/quic-v1"] {
            let found = socket_of(text).unwrap();
            assert_eq!((of(found).to_string().as_str(), found.port()), (text, 9));
            assert_eq!(socket_of(&format!("{text}/p2p/{peer}")), Some(found));
            assert_eq!(socket_of(&format!("{text}/p2p/{peer}/p2p-circuit")), None);
        }
        for text in [
            "/ip4/192.0.2.7/udp/9",
            "/ip4/192.0.2.7/udp/9/quic",
            "/ip4/192.0.2.7/udp/9/quic-v1/webtransport",
            "/ip4/192.0.2.7/tcp/9",
            "/dns4/example.org/udp/9/quic-v1",
        ] {
            assert_eq!(socket_of(text), None, "{text}");
        }
    }
}
