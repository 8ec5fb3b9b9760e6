//! Where a connection comes from.

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use super::addresses::is_circuit;

pub(super) use crate::base::origin::{Neighbours, Origin};

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
    }
}
