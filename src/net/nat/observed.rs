//! Under which addresses peers see us, and what that says of the router before us.
//!
//! It is kept raw: libp2p's identify puts our own port in place of the one that was seen when they differ, and
//! then nobody can punch a hole through a router that changes ports (trap 3).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;

use crate::base::PeerId;
use crate::base::limits::MAX_ADDRESS_CANDIDATES;
use crate::base::words::Nat;
use crate::net::addresses::{Scope, scope};

/// An address and a port of one transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    ip: IpAddr,
    port: u16,
    udp: bool,
}

impl Place {
    fn of(addr: &Multiaddr) -> Option<Self> {
        let mut parts = addr.iter();
        let ip = match parts.next()? {
            Protocol::Ip4(ip) => ip.into(),
            Protocol::Ip6(ip) => IpAddr::V6(ip).to_canonical(),
            _ => return None,
        };
        let (port, udp) = match (parts.next()?, parts.next()) {
            (Protocol::Tcp(port), None) => (port, false),
            (Protocol::Udp(port), Some(Protocol::QuicV1)) => (port, true),
            _ => return None,
        };
        let bare = matches!(parts.next(), None | Some(Protocol::P2p(_)));
        (bare && port != 0).then_some(Self { ip, port, udp })
    }

    fn addr(self) -> Multiaddr {
        let ip = Multiaddr::from(self.ip);
        if self.udp {
            ip.with(Protocol::Udp(self.port)).with(Protocol::QuicV1)
        } else {
            ip.with(Protocol::Tcp(self.port))
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    by: PeerId,
    place: Place,
    /// Whether we dialled, so that the router has chosen the port.
    dialled: bool,
}

/// What the peers see, by connection: as many entries as there are connections.
#[derive(Debug, Default)]
pub(in crate::net) struct Observed {
    seen: HashMap<ConnectionId, Seen>,
}

impl Observed {
    /// A peer tells as what he sees us on a direct connection. Tells whether that is new.
    pub(in crate::net) fn note(&mut self, id: ConnectionId, by: PeerId, addr: &Multiaddr, dialled: bool) -> bool {
        let Some(place) = Place::of(addr) else { return false };
        let before = self.seen.insert(id, Seen { by, place, dialled });
        before.is_none_or(|before| before.place != place)
    }

    #[cfg(test)]
    pub(in crate::net) fn count(&self) -> usize {
        self.seen.len()
    }

    /// The connection is gone.
    pub(in crate::net) fn forget(&mut self, id: ConnectionId) {
        self.seen.remove(&id);
    }

    /// Where a hole may be: under what we are seen; and, of a transport by which nobody sees us, our own port at the
    /// same address: most routers keep it.
    pub(in crate::net) fn holes(&self, listening: &[Multiaddr], least: Scope) -> Vec<Multiaddr> {
        let mut holes = self.raw(least);
        let seen: Vec<_> = holes.iter().filter_map(Place::of).collect();
        for own in listening.iter().filter_map(Place::of) {
            let same = |seen: &&Place| seen.ip.is_ipv4() == own.ip.is_ipv4();
            let Some(place) = seen.iter().find(same).filter(|_| !seen.iter().any(|seen| seen.udp == own.udp)) else {
                continue;
            };
            let guess = Place { ip: place.ip, ..own }.addr();
            if !holes.contains(&guess) {
                holes.push(guess);
            }
        }
        holes.truncate(MAX_ADDRESS_CANDIDATES);
        holes
    }

    /// Under what we are seen: what most peers say first.
    fn raw(&self, least: Scope) -> Vec<Multiaddr> {
        let mut votes = BTreeMap::<Place, BTreeSet<PeerId>>::new();
        for seen in self.seen.values() {
            votes.entry(seen.place).or_default().insert(seen.by);
        }
        let mut places: Vec<_> = votes.into_iter().map(|(place, by)| (by.len(), place)).collect();
        places.sort_by(|a, b| b.cmp(a));
        let addrs = places.into_iter().map(|(_, place)| place.addr()).filter(|addr| scope(addr) >= least);
        addrs.take(MAX_ADDRESS_CANDIDATES / 2).collect()
    }

    /// Where we may be reachable without a hole: what is seen, and our own ports at the same address, which a router
    /// may have been told to forward.
    pub(in crate::net) fn doors(&self, listening: &[Multiaddr], least: Scope) -> Vec<Multiaddr> {
        let mut doors = Vec::new();
        for addr in self.raw(least) {
            let Some(seen) = Place::of(&addr) else { continue };
            let own = listening.iter().filter_map(Place::of);
            let alike = own.filter(|own| own.udp == seen.udp && own.ip.is_ipv4() == seen.ip.is_ipv4());
            let forwarded = alike.map(|own| Place { port: own.port, ..seen }.addr());
            for door in forwarded.chain([addr]) {
                if !doors.contains(&door) {
                    doors.push(door);
                }
            }
        }
        doors.truncate(MAX_ADDRESS_CANDIDATES);
        doors
    }

    /// What stands between us and those peers.
    pub(in crate::net) fn kind(&self, listening: &[Multiaddr]) -> Nat {
        let own: Vec<_> = listening.iter().filter_map(Place::of).collect();
        // IPv4 first, and the transport that shares one port among all peers before the other.
        let kinds = [(true, true), (true, false), (false, true), (false, false)]
            .map(|(v4, udp)| self.kind_of(&own, |place| place.ip.is_ipv4() == v4 && place.udp == udp));
        kinds.into_iter().find(|kind| *kind != Nat::Unknown).unwrap_or_default()
    }

    fn kind_of(&self, own: &[Place], which: impl Fn(&Place) -> bool) -> Nat {
        let mut by_peer = BTreeMap::<PeerId, Place>::new();
        for seen in self.seen.values().filter(|seen| which(&seen.place)) {
            if own.iter().any(|own| own.ip == seen.place.ip) {
                return Nat::None;
            }
            // Who has dialled us says what he has dialled.
            if seen.dialled {
                by_peer.insert(seen.by, seen.place);
            }
        }
        let places: BTreeSet<_> = by_peer.values().copied().collect();
        match (by_peer.len(), places.first()) {
            (2.., Some(place)) if places.len() == 1 => {
                let kept = own.iter().any(|own| own.udp == place.udp && own.port == place.port);
                if kept { Nat::Stable } else { Nat::PortChanging }
            }
            (2.., Some(_)) => Nat::Symmetric,
            _ => Nat::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::convert::peer;

    fn addr(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    fn own() -> Vec<Multiaddr> {
        ["/ip4/192.168.1.2/udp/4001/quic-v1", "/ip4/192.168.1.2/tcp/4002"].map(addr).into()
    }

    fn judged(seen: &[(u8, &str)]) -> Nat {
        let mut observed = Observed::default();
        for (n, (by, place)) in seen.iter().enumerate() {
            observed.note(ConnectionId::new_unchecked(n), peer((*by).into()), &addr(place), true);
        }
        observed.kind(&own())
    }

    /// NET-70.
    #[test]
    fn the_router_is_known_by_what_several_peers_see() {
        let (same, other) = ("/ip4/203.0.113.7/udp/4001/quic-v1", "/ip4/203.0.113.7/udp/9/quic-v1");
        assert_eq!(judged(&[]), Nat::Unknown);
        assert_eq!(judged(&[(1, same)]), Nat::Unknown);
        assert_eq!(judged(&[(1, same), (1, other)]), Nat::Unknown, "one peer is no witness against himself");
        assert_eq!(judged(&[(1, same), (2, same)]), Nat::Stable);
        assert_eq!(judged(&[(1, other), (2, other)]), Nat::PortChanging);
        assert_eq!(judged(&[(1, same), (2, other)]), Nat::Symmetric);
        assert_eq!(judged(&[(1, "/ip4/192.168.1.2/udp/4001/quic-v1")]), Nat::None);
        // Those who have dialled us saw what they dialled: a forwarded port, say.
        let mut observed = Observed::default();
        for (n, place) in [same, other, other].into_iter().enumerate() {
            let id = ConnectionId::new_unchecked(n);
            observed.note(id, peer(n as u64), &addr(place), n > 0);
        }
        assert_eq!(observed.kind(&own()), Nat::PortChanging);
        let tcp = "/ip4/203.0.113.7/tcp/4002";
        assert_eq!(judged(&[(1, tcp), (2, tcp)]), Nat::Stable);
        assert_eq!(judged(&[(1, tcp), (2, tcp), (1, same), (2, other)]), Nat::Symmetric, "QUIC goes first");
    }

    /// NET-70: raw, the port as it was seen; for a door our own ports, too.
    #[test]
    fn what_is_seen_is_told_raw() {
        let mut observed = Observed::default();
        let seen = addr("/ip4/203.0.113.7/udp/50000/quic-v1");
        assert!(observed.note(ConnectionId::new_unchecked(1), peer(1), &seen, true));
        assert!(!observed.note(ConnectionId::new_unchecked(1), peer(1), &seen, true));
        assert_eq!(observed.holes(&[], Scope::Global), std::slice::from_ref(&seen));
        assert_eq!(observed.holes(&own(), Scope::Global), [seen.clone(), addr("/ip4/203.0.113.7/tcp/4002")]);
        assert_eq!(observed.doors(&own(), Scope::Global), [addr("/ip4/203.0.113.7/udp/4001/quic-v1"), seen]);
        observed.forget(ConnectionId::new_unchecked(1));
        assert!(observed.holes(&own(), Scope::Machine).is_empty());
    }

    #[test]
    fn liars_and_neighbours_do_not_grow_the_list() {
        let mut observed = Observed::default();
        for n in 0..200_u8 {
            let id = ConnectionId::new_unchecked(n.into());
            observed.note(id, peer(n.into()), &addr(&format!("/ip4/203.0.113.{n}/tcp/{}", 1000 + u16::from(n))), true);
        }
        let near = addr("/ip4/10.0.0.1/tcp/1");
        observed.note(ConnectionId::new_unchecked(1000), peer(201), &near, true);
        assert_eq!(observed.holes(&[], Scope::Global).len(), MAX_ADDRESS_CANDIDATES / 2);
        assert!(!observed.holes(&own(), Scope::Global).contains(&near));
        assert!(observed.doors(&own(), Scope::Global).len() <= MAX_ADDRESS_CANDIDATES);
        for odd in ["/ip4/1.2.3.4", "/ip4/1.2.3.4/tcp/0", "/dns4/example.org/tcp/1", "/ip4/1.2.3.4/tcp/1/ws"] {
            assert!(!observed.note(ConnectionId::new_unchecked(2000), peer(1), &addr(odd), true), "{odd}");
        }
    }
}
