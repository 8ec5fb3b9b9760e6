//! How far an address reaches: this machine, the site it stands in, the internet.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// This machine.
    Machine,
    /// The local network.
    Local,
    /// The internet.
    Global,
}

impl Scope {
    /// Of an IP address; one of IPv6 that stands for one of IPv4 reaches as far as that.
    pub fn of(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(ip) => scope_v4(ip),
            IpAddr::V6(ip) => stands_for(ip).map_or_else(|| scope_v6(ip), scope_v4),
        }
    }
}

/// The IPv4 address to which a translator, or a tunnel, brings what is sent to this one: mapped (`::ffff:0:0/96`), compatible (`::/96`), NAT64
/// (`64:ff9b::/96`), 6to4 (`2002::/16`), Teredo (`2001::/32`, the client's, inverted), ISATAP.
fn stands_for(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = ip.segments();
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match parts {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..]
        | [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => v4(high, low),
        [0x2001, 0, _, _, _, _, high, low] => v4(!high, !low),
        _ => None,
    }
}

/// Addresses set aside for documentation count as those of the internet: nobody has them but networks made for a test.
fn scope_v4(ip: Ipv4Addr) -> Scope {
    let [a, b, ..] = ip.octets();
    if ip.is_loopback() || a == 0 {
        Scope::Machine
    } else if ip.is_private()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_multicast()
        || a == 100 && b & 0xc0 == 64
        || a == 198 && b & 0xfe == 18
        || a >= 240
    {
        Scope::Local
    } else {
        Scope::Global
    }
}

/// Site-local (`fec0::/10`), or of a site's own translator (`64:ff9b:1::/48`).
fn is_of_a_site(ip: Ipv6Addr) -> bool {
    let [first, second, third, ..] = ip.segments();
    first & 0xffc0 == 0xfec0 || (first, second, third) == (0x64, 0xff9b, 1)
}

fn scope_v6(ip: Ipv6Addr) -> Scope {
    if ip.is_loopback() || ip.is_unspecified() {
        Scope::Machine
    } else if ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_multicast() || is_of_a_site(ip) {
        Scope::Local
    } else {
        Scope::Global
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NET-43: an address that leads inside by a translator or a tunnel is one of the inside.
    #[test]
    fn an_address_reaches_as_far_as_what_it_stands_for() {
        let of = |text: &str| Scope::of(text.parse().unwrap());
        for global in
            ["203.0.113.7", "198.17.0.1", "198.20.0.1", "2001:db8::1", "64:ff9b::203.0.113.7", "2002:cb00:7107::1"]
        {
            assert_eq!(of(global), Scope::Global, "{global}");
        }
        let local = [
            "10.0.0.1",
            "100.64.0.1",
            "198.18.0.1",
            "198.19.255.1",
            "240.0.0.1",
            "255.255.255.255",
            "fd00::1",
            "fec0::1",
            "feff::1",
            "fe80::1",
            "64:ff9b:1::1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::192.168.1.1",
            "2002:c0a8:101::1",
            // Teredo: the last four bytes, inverted, are 192.168.1.1.
            "2001:0:1234::3f57:fefe",
            "2001:db8::5efe:192.168.1.1",
            "2001:db8::200:5efe:10.0.0.1",
        ];
        for local in local {
            assert_eq!(of(local), Scope::Local, "{local}");
        }
        for machine in [
            "127.0.0.1",
            "0.0.0.0",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "2002:7f00:1::",
            "2001:0::80ff:fffe",
        ] {
            assert_eq!(of(machine), Scope::Machine, "{machine}");
        }
    }
}
