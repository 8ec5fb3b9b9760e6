//! Where a connection comes from.

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use super::addresses::{Scope, is_circuit, scope_of};

pub(super) use crate::base::origin::{Network, Origin};

impl Origin {
    /// Of the remote address of a connection, unless that begins with a name. A relayed one comes from its relay.
    pub(super) fn of(addr: &Multiaddr) -> Option<Self> {
        match addr.iter().next()? {
            Protocol::Ip4(ip) => Some(Self::of_ip(ip.into())),
            Protocol::Ip6(ip) => Some(Self::of_ip(ip.into())),
            _ => None,
        }
    }

    /// Of an inbound connection. One through a relay has no address of its own: the relay's is at our end of it.
    pub(super) fn of_inbound(local: &Multiaddr, remote: &Multiaddr) -> Option<Self> {
        Self::of(if is_circuit(local) { local } else { remote })
    }

    /// Whether it is of the internet.
    pub(super) fn is_public(self) -> bool {
        scope_of(self.first()) == Scope::Global
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_counts_and_not_the_port() {
        let of = |text: &str| Origin::of(&text.parse().unwrap());
        assert_eq!(of("/ip4/192.0.2.7/tcp/1"), of("/ip4/192.0.2.7/udp/9/quic-v1"));
        assert_eq!(of("/ip4/192.0.2.7/tcp/1"), of("/ip6/::ffff:192.0.2.7/tcp/1"));
        assert!(of("/ip4/192.0.2.7/tcp/1").is_some_and(|here| of("/ip4/192.0.2.8/tcp/1") != Some(here)));
        assert_eq!(of("/dns/example.org/tcp/1"), None);
        for (there, public) in [
            ("/ip4/203.0.113.7/tcp/1", true),
            ("/ip6/2001:db8::1/tcp/1", true),
            ("/ip4/10.0.0.7/tcp/1", false),
            ("/ip4/127.0.0.1/tcp/1", false),
            ("/ip6/fd00::1/tcp/1", false),
            ("/ip6/::1/tcp/1", false),
        ] {
            assert_eq!(of(there).map(Origin::is_public), Some(public), "{there}");
        }
    }
}
