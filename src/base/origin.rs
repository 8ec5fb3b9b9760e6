//! Where somebody is, as far as an address tells: who holds addresses of his own, and the network around him. Keys are free,
//! addresses are less so: what strangers may do is counted by them, too.

use std::net::{IpAddr, Ipv6Addr};

use super::scope::Scope;

/// An IPv4 address or the /64 that IPv6 gives to one household, and the /24 or /48 around it. Who comes through a relay is
/// where the relay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin([u8; 8]);

/// The network around an origin of the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network([u8; 8]);

/// Those who are taken for one where somebody has to go, or to be chosen: of the internet a network; within a site, where all are of
/// few networks, an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Neighbours {
    /// A network of the internet.
    Network(Network),
    /// An address of a site, or of this machine.
    Address(Origin),
}

impl Origin {
    /// Of an IP address; an IPv4 one that is written as one of IPv6, or stands behind a translator (NAT64), is the same.
    pub fn of_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::v4(ip.octets()),
            IpAddr::V6(ip) => match ip.octets() {
                [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, v4 @ ..] => Self::v4(v4),
                _ => Self::v6(ip),
            },
        }
    }

    /// The /24 or the /48, of an address of the internet. Within a site all are of few networks, and none of them says who
    /// belongs together: there is none.
    pub fn network(self) -> Option<Network> {
        let [a, b, c, d, e, f, g, _] = self.0;
        let network = match (a, b, c, d) {
            (0, 0, 0xff, 0xff) => Network([a, b, c, d, e, f, g, 0]),
            _ => Network([a, b, c, d, e, f, 0, 0]),
        };
        (Scope::of(self.first()) == Scope::Global).then_some(network)
    }

    /// With whom he is taken for one.
    pub fn neighbours(self) -> Neighbours {
        self.network().map_or(Neighbours::Address(self), Neighbours::Network)
    }

    /// The first address of it: the IPv4 address itself.
    pub fn first(self) -> IpAddr {
        let [a, b, c, d, e, f, g, h] = self.0;
        match (a, b, c, d) {
            (0, 0, 0xff, 0xff) => [e, f, g, h].into(),
            _ => [a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 1].into(),
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
        Origin::of_ip(text.parse().unwrap())
    }

    #[test]
    fn a_household_and_its_network() {
        let same = |a, b| (of(a) == of(b), of(a).network() == of(b).network());
        assert_eq!(same("192.0.2.7", "192.0.2.7"), (true, true));
        assert_eq!(same("192.0.2.7", "::ffff:192.0.2.7"), (true, true));
        assert_eq!(same("192.0.2.7", "64:ff9b::192.0.2.7"), (true, true));
        assert_eq!(same("192.0.2.7", "192.0.2.8"), (false, true));
        assert_eq!(same("192.0.2.7", "192.0.3.7"), (false, false));
        assert_eq!(same("2001:db8:1:2::7", "2001:db8:1:2::8"), (true, true));
        assert_eq!(same("2001:db8:1:2::7", "2001:db8:1:103::7"), (false, true));
        assert_eq!(same("2001:db8:1:2::7", "2001:db8:2:2::7"), (false, false));
    }

    /// NET-4: whoever shares a site with many has no network with them.
    #[test]
    fn a_site_has_no_networks() {
        let public =
            ["192.0.2.7", "2001:db8:1:2::7", "64:ff9b::192.0.2.7", "172.32.0.1", "100.128.0.1", "2002:cb00:7107::1"];
        for ip in public {
            let network = of(ip).network().unwrap();
            assert_eq!(of(ip).neighbours(), Neighbours::Network(network), "{ip}");
        }
        let inside = [
            "10.0.0.7",
            "172.16.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.1.1",
            "127.0.0.1",
            "fd00::1",
            "fe80::1",
            "::1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:a00:1::1",
        ];
        for ip in inside {
            assert_eq!(of(ip).network(), None, "{ip}");
            assert_eq!(of(ip).neighbours(), Neighbours::Address(of(ip)), "{ip}");
        }
    }
}
