//! Where a connection comes from: who holds addresses of his own, and the network around him. Keys are free, addresses
//! are less so: what strangers may do is counted by them, too.

use std::net::Ipv6Addr;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use super::addresses::is_circuit;

/// An IPv4 address or the /64 that IPv6 gives to one household, and the /24 or /48 around it. A relayed connection comes
/// from its relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Origin([u8; 8]);

/// The network around an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Network([u8; 8]);

impl Origin {
    /// Of the remote address of a connection.
    pub(super) fn of(addr: &Multiaddr) -> Option<Self> {
        let wide = match addr.iter().next()? {
            Protocol::Ip4(ip) => return Some(Self::v4(ip.octets())),
            Protocol::Ip6(ip) => ip,
            _ => return None,
        };
        Some(wide.to_ipv4_mapped().map_or_else(|| Self::v6(wide), |ip| Self::v4(ip.octets())))
    }

    /// Of an inbound connection. One through a relay has no address of its own: the relay's is at our end of it.
    pub(super) fn of_inbound(local: &Multiaddr, remote: &Multiaddr) -> Option<Self> {
        Self::of(if is_circuit(local) { local } else { remote })
    }

    /// The /24 or the /48.
    pub(super) const fn network(self) -> Network {
        let [a, b, c, d, e, f, g, _] = self.0;
        match (a, b, c, d) {
            (0, 0, 0xff, 0xff) => Network([a, b, c, d, e, f, g, 0]),
            _ => Network([a, b, c, d, e, f, 0, 0]),
        }
    }

    const fn v4([a, b, c, d]: [u8; 4]) -> Self {
        // The prefix ::ffff:0:0/96 is of no household.
        Self([0, 0, 0xff, 0xff, a, b, c, d])
    }

    fn v6(ip: Ipv6Addr) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = ip.octets();
        Self([a, b, c, d, e, f, g, h])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Origin {
        Origin::of(&text.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_household_and_its_network() {
        let same = |a, b| (of(a) == of(b), of(a).network() == of(b).network());
        assert_eq!(same("/ip4/192.0.2.7/tcp/1", "/ip4/192.0.2.7/udp/9/quic-v1"), (true, true));
        assert_eq!(same("/ip4/192.0.2.7/tcp/1", "/ip6/::ffff:192.0.2.7/tcp/1"), (true, true));
        assert_eq!(same("/ip4/192.0.2.7/tcp/1", "/ip4/192.0.2.8/tcp/1"), (false, true));
        assert_eq!(same("/ip4/192.0.2.7/tcp/1", "/ip4/192.0.3.7/tcp/1"), (false, false));
        assert_eq!(same("/ip6/2001:db8:1:2::7/tcp/1", "/ip6/2001:db8:1:2::8/tcp/1"), (true, true));
        assert_eq!(same("/ip6/2001:db8:1:2::7/tcp/1", "/ip6/2001:db8:1:103::7/tcp/1"), (false, true));
        assert_eq!(same("/ip6/2001:db8:1:2::7/tcp/1", "/ip6/2001:db8:2:2::7/tcp/1"), (false, false));
        assert_eq!(Origin::of(&"/dns/example.org/tcp/1".parse().unwrap()), None);
    }
}
