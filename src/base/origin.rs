//! Where somebody is, as far as an address tells: who holds addresses of his own, and the network around him. Keys are free,
//! addresses are less so: what strangers may do is counted by them, too.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address or the /64 that IPv6 gives to one household, and the /24 or /48 around it. Who comes through a relay is
/// where the relay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin([u8; 8]);

/// The network around an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network([u8; 8]);

impl Origin {
    /// Of an IP address; an IPv4 one that is written as one of IPv6 is the same.
    pub fn of_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Self::v4(ip.octets()),
            IpAddr::V6(ip) => Self::v6(ip),
        }
    }

    /// The /24 or the /48.
    pub const fn network(self) -> Network {
        let [a, b, c, d, e, f, g, _] = self.0;
        match (a, b, c, d) {
            (0, 0, 0xff, 0xff) => Network([a, b, c, d, e, f, g, 0]),
            _ => Network([a, b, c, d, e, f, 0, 0]),
        }
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
        assert_eq!(same("192.0.2.7", "192.0.2.8"), (false, true));
        assert_eq!(same("192.0.2.7", "192.0.3.7"), (false, false));
        assert_eq!(same("2001:db8:1:2::7", "2001:db8:1:2::8"), (true, true));
        assert_eq!(same("2001:db8:1:2::7", "2001:db8:1:103::7"), (false, true));
        assert_eq!(same("2001:db8:1:2::7", "2001:db8:2:2::7"), (false, false));
    }
}
