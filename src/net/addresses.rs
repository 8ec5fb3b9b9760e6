//! Which addresses are worth dialling, and where peers were found.

use std::collections::HashMap;
use std::net::IpAddr;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use super::{from_libp2p, to_libp2p};
use crate::base::PeerId;
use crate::base::limits::{MAX_ADDR_LEN, MAX_DISCOVERED, MAX_PEER_ADDRS};
pub(super) use crate::base::scope::Scope;

/// Reads the addresses a third party claims for a peer: at most `MAX_PEER_ADDRS`, each of a form we
/// can dial (NET-43). The rest is dropped without a word: hints are only hints.
pub(super) fn hints(peer: &PeerId, texts: &[String]) -> Vec<Multiaddr> {
    let mut found = Vec::new();
    for text in texts.iter().filter(|text| text.len() <= MAX_ADDR_LEN).take(4 * MAX_PEER_ADDRS) {
        let Some(addr) = text.parse().ok().and_then(|addr| dialable(peer, &addr)) else { continue };
        if !found.contains(&addr) {
            found.push(addr);
        }
    }
    found.truncate(MAX_PEER_ADDRS);
    found
}

/// Whether an address, in textual form and without the peer ID at its end, is one that can be dialled for this peer (NET-43).
pub fn is_dialable(peer: &PeerId, addr: &str) -> bool {
    addr.len() <= MAX_ADDR_LEN && addr.parse().is_ok_and(|addr| dialable(peer, &addr).is_some())
}

/// The address without the peer ID at its end, if it is one we can dial for this peer: straight, or through a relay.
pub(super) fn dialable(peer: &PeerId, addr: &Multiaddr) -> Option<Multiaddr> {
    if matches!(addr.iter().last(), Some(Protocol::P2p(named)) if named != to_libp2p(peer)) {
        return None;
    }
    let addr = bare(addr);
    let good = match through(&addr) {
        Some((relay, _)) => relay != *peer,
        None => is_direct(&addr),
    };
    good.then_some(addr)
}

/// The address without the peer ID at its end.
pub(super) fn bare(addr: &Multiaddr) -> Multiaddr {
    let mut addr = addr.clone();
    if matches!(addr.iter().last(), Some(Protocol::P2p(_))) {
        addr.pop();
    }
    addr
}

/// The relay of an address `…/p2p/<relay>/p2p-circuit`, perhaps with a peer ID behind it, and where the relay is.
pub(super) fn through(addr: &Multiaddr) -> Option<(PeerId, Multiaddr)> {
    let mut relay = bare(addr);
    if relay.pop() != Some(Protocol::P2pCircuit) {
        return None;
    }
    let Some(Protocol::P2p(named)) = relay.pop() else { return None };
    Some((from_libp2p(&named)?, relay)).filter(|(_, relay)| is_direct(relay))
}

/// Whether the address leads through a relay.
pub(super) fn is_circuit(addr: &Multiaddr) -> bool {
    addr.iter().any(|part| part == Protocol::P2pCircuit)
}

/// `/ip4|ip6|dns|dns4|dns6/…/tcp/…` or `…/udp/…/quic-v1`, with a port, to one machine.
fn is_direct(addr: &Multiaddr) -> bool {
    let parts = &mut addr.iter();
    let mut next = || parts.next();
    let machine = match next() {
        Some(Protocol::Ip4(ip)) => is_one_machine(ip.into()),
        Some(Protocol::Ip6(ip)) => is_one_machine(ip.into()),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)) => true,
        _ => false,
    };
    let carried = match (next(), next()) {
        (Some(Protocol::Tcp(port)), None) | (Some(Protocol::Udp(port)), Some(Protocol::QuicV1)) => port != 0,
        _ => false,
    };
    machine && carried && next().is_none()
}

/// How far an address reaches; of one on a relay, the relay's. A name may lead anywhere; that it leads inside is not seen
/// before it is resolved.
pub(super) fn scope(addr: &Multiaddr) -> Scope {
    scope_of_ip(addr).unwrap_or(Scope::Global)
}

/// The same; nothing of a name.
pub(super) fn scope_of_ip(addr: &Multiaddr) -> Option<Scope> {
    match addr.iter().next()? {
        Protocol::Ip4(ip) => Some(Scope::of(ip.into())),
        Protocol::Ip6(ip) => Some(Scope::of(ip.into())),
        _ => None,
    }
}

/// How far the network reaches that we are part of: as far as the addresses of the peers whom the user has named; without
/// any, to the internet, unless we listen on this machine only. Addresses that strangers name are dialled, and those
/// under which we are seen are believed, when they reach as far.
pub(super) fn reach(bootstrap: &[(PeerId, Vec<String>)], listen: &[String]) -> Scope {
    let widest = |texts: &mut dyn Iterator<Item = &String>| {
        texts.filter_map(|text| text.parse::<Multiaddr>().ok()).map(|addr| scope(&addr)).max()
    };
    let named = widest(&mut bootstrap.iter().flat_map(|(_, addrs)| addrs));
    // The unspecified address is every interface.
    let all = |text: &String| text.starts_with("/ip4/0.0.0.0/") || text.starts_with("/ip6/::/");
    let own = widest(&mut listen.iter()).filter(|own| *own == Scope::Machine && !listen.iter().any(all));
    named.or(own).unwrap_or(Scope::Global)
}

fn is_one_machine(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_unspecified() || ip.is_broadcast() || ip.is_multicast()),
        // Link-local addresses need the name of an interface, which a multiaddress does not carry.
        IpAddr::V6(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_unicast_link_local()),
    }
}

/// How we know an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The local network told; it tells when it is no longer so.
    Mdns,
    /// A connection with the peer had it.
    Seen,
}

/// Addresses of peers, newest first: `MAX_PEER_ADDRS` of each of `MAX_DISCOVERED` peers.
#[derive(Debug, Default)]
pub(super) struct AddressBook {
    map: HashMap<PeerId, Vec<(Multiaddr, Source)>>,
}

impl AddressBook {
    /// Where this peer may be.
    pub(super) fn of(&self, peer: &PeerId) -> impl Iterator<Item = &Multiaddr> {
        self.map.get(peer).into_iter().flatten().map(|(addr, _)| addr)
    }

    /// Whose addresses are known.
    pub(super) fn peers(&self) -> impl Iterator<Item = PeerId> {
        self.map.keys().copied()
    }

    /// Notes an address. When the book is full, it takes the place of a peer whom `keep` does not
    /// name; it is not noted when there is none, or when `keep` does not name its own peer.
    pub(super) fn note(&mut self, peer: PeerId, addr: Multiaddr, source: Source, keep: impl Fn(&PeerId) -> bool) {
        if self.map.len() >= MAX_DISCOVERED && !self.map.contains_key(&peer) {
            let out = self.map.keys().find(|known| !keep(known)).copied();
            let Some(out) = out.filter(|_| keep(&peer)) else { return };
            self.map.remove(&out);
        }
        let addrs = self.map.entry(peer).or_default();
        addrs.retain(|(known, _)| *known != addr);
        addrs.insert(0, (addr, source));
        addrs.truncate(MAX_PEER_ADDRS);
    }

    /// The local network no longer tells of this address.
    pub(super) fn expire(&mut self, peer: &PeerId, addr: &Multiaddr) {
        let Some(addrs) = self.map.get_mut(peer) else { return };
        addrs.retain(|(known, source)| known != addr || *source != Source::Mdns);
        if addrs.is_empty() {
            self.map.remove(peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::convert::peer;

    fn read(text: &str) -> Option<String> {
        hints(&peer(1), &[text.to_owned()]).pop().map(|addr| addr.to_string())
    }

    /// NET-43.
    #[test]
    fn only_addresses_of_one_machine_with_a_port_are_dialled() {
        for good in [
            "/ip4/192.0.2.7/tcp/4001",
            "/ip4/192.0.2.7/udp/4001/quic-v1",
            "/ip6/2001:db8::7/tcp/4001",
            "/ip6/::1/udp/4001/quic-v1",
            "/dns4/example.org/tcp/4001",
            "/dns/example.org/udp/4001/quic-v1",
        ] {
            assert_eq!(read(good).as_deref(), Some(good));
            assert_eq!(read(&format!("{good}/p2p/{}", peer(1))).as_deref(), Some(good));
            assert_eq!(read(&format!("{good}/p2p/{}", peer(2))), None, "somebody else's address");
        }
        for bad in [
            "",
            "192.0.2.7:4001",
            "/ip4/192.0.2.7",
            "/ip4/192.0.2.7/tcp/0",
            "/ip4/192.0.2.7/udp/4001",
            "/ip4/192.0.2.7/tcp/4001/ws",
            "/ip4/0.0.0.0/tcp/4001",
            "/ip4/255.255.255.255/udp/4001/quic-v1",
            "/ip4/224.0.0.251/udp/4001/quic-v1",
            "/ip6/::/tcp/4001",
            "/ip6/ff02::fb/tcp/4001",
            "/ip6/fe80::1/tcp/4001",
            "/dnsaddr/example.org",
            "/unix/tmp",
            "/memory/7",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(read(&format!("/dns4/{}/tcp/1", "a".repeat(300))), None);
    }

    /// NET-43.
    #[test]
    fn a_relay_stands_before_the_peer_and_is_somebody_else() {
        let relay = "/ip4/203.0.113.7/udp/4001/quic-v1";
        let through = format!("{relay}/p2p/{}/p2p-circuit", peer(2));
        assert_eq!(read(&through).as_deref(), Some(through.as_str()));
        assert_eq!(read(&format!("{through}/p2p/{}", peer(1))).as_deref(), Some(through.as_str()));
        for bad in [
            format!("{through}/p2p/{}", peer(3)),
            format!("{relay}/p2p/{}/p2p-circuit", peer(1)),
            format!("{relay}/p2p-circuit"),
            format!("/p2p/{}/p2p-circuit", peer(2)),
            format!("{through}/p2p/{}/p2p-circuit", peer(3)),
            format!("{through}/tcp/1"),
            format!("/ip4/0.0.0.0/tcp/1/p2p/{}/p2p-circuit", peer(2)),
            format!("/ip4/203.0.113.7/p2p/{}/p2p-circuit", peer(2)),
        ] {
            assert_eq!(read(&bad), None, "{bad}");
        }
    }

    #[test]
    fn how_far_the_network_reaches_is_told_by_those_whom_the_user_names() {
        let named = |addrs: &[&str]| vec![(peer(2), addrs.iter().map(|addr| (*addr).to_owned()).collect::<Vec<_>>())];
        let listen = |addr: &str| vec![addr.to_owned()];
        let (lan, wan) = ("/ip4/10.0.0.1/tcp/1", "/ip4/203.0.113.7/tcp/1");
        assert_eq!(reach(&[], &[]), Scope::Global);
        assert_eq!(reach(&[], &listen("/ip4/127.0.0.1/tcp/1")), Scope::Machine);
        assert_eq!(reach(&[], &listen("/ip4/0.0.0.0/tcp/1")), Scope::Global);
        assert_eq!(reach(&[], &listen(lan)), Scope::Global);
        assert_eq!(reach(&named(&[lan]), &[]), Scope::Local);
        assert_eq!(reach(&named(&[lan, wan]), &[]), Scope::Global);
        assert_eq!(reach(&named(&["/ip4/127.0.0.1/tcp/1"]), &listen("/ip4/127.0.0.1/tcp/1")), Scope::Machine);
        assert_eq!(reach(&named(&["/dns4/example.org/tcp/1"]), &[]), Scope::Global);
        assert_eq!(reach(&named(&[wan]), &listen("/ip4/127.0.0.1/tcp/1")), Scope::Global);
    }

    #[test]
    fn hints_are_bounded_and_told_once() {
        let mut texts: Vec<_> = (1..100).map(|port| format!("/ip4/192.0.2.7/tcp/{port}")).collect();
        texts.insert(0, texts[0].clone());
        let found = hints(&peer(1), &texts);
        assert_eq!(found.len(), MAX_PEER_ADDRS);
        assert_eq!(found.iter().filter(|addr| addr.to_string() == texts[0]).count(), 1);
    }

    #[test]
    fn the_book_is_bounded_and_strangers_do_not_push_contacts_out() {
        let addr = |port: u16| format!("/ip4/192.0.2.7/tcp/{port}").parse::<Multiaddr>().unwrap();
        let (contact, mut book) = (peer(60_000), AddressBook::default());
        let keep = |who: &PeerId| *who == contact;
        for n in 0..2_000 {
            book.note(peer(n), addr(1), Source::Mdns, keep);
        }
        assert_eq!(book.map.len(), MAX_DISCOVERED);
        book.note(contact, addr(1), Source::Seen, keep);
        for n in 2_000..4_000 {
            book.note(peer(n), addr(1), Source::Mdns, keep);
        }
        assert_eq!(book.map.len(), MAX_DISCOVERED);
        for port in 1..100 {
            book.note(contact, addr(port), Source::Mdns, keep);
        }
        assert_eq!(book.of(&contact).count(), MAX_PEER_ADDRS);
        assert_eq!(book.of(&contact).next(), Some(&addr(99)), "newest first");
    }

    #[test]
    fn what_mdns_takes_back_is_forgotten_but_not_what_was_seen() {
        let addr: Multiaddr = "/ip4/192.0.2.7/tcp/1".parse().unwrap();
        let mut book = AddressBook::default();
        book.note(peer(1), addr.clone(), Source::Mdns, |_| true);
        book.note(peer(2), addr.clone(), Source::Seen, |_| true);
        book.expire(&peer(1), &addr);
        book.expire(&peer(2), &addr);
        assert_eq!((book.of(&peer(1)).count(), book.of(&peer(2)).count()), (0, 1));
        assert_eq!(book.map.len(), 1);
    }
}
