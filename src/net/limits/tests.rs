use std::sync::Arc;

use libp2p::core::ConnectedPoint;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};

use super::*;
use crate::net::to_libp2p;

/// The behaviour, driven as a swarm drives it.
struct Driven {
    behaviour: Behaviour,
    next: usize,
}

fn peer(n: u16) -> PeerId {
    let [a, b] = n.to_be_bytes();
    let mut key = [7; 32];
    (key[0], key[1]) = (a, b);
    to_libp2p(&crate::base::PeerId::from_key_bytes(key))
}

fn addr(n: u8) -> Multiaddr {
    format!("/ip4/192.0.2.{n}/tcp/4001").parse().unwrap()
}

impl Driven {
    /// Peers below 1000 are contacts.
    fn new() -> Self {
        let classify: Classify = Arc::new(|peer| peer.key_bytes()[0] < 4);
        Self { behaviour: Behaviour::new(classify, Told::default(), Scope::Global), next: 0 }
    }

    fn pending(&mut self, remote: &Multiaddr) -> Result<ConnectionId, Denied> {
        self.next += 1;
        let id = ConnectionId::new_unchecked(self.next);
        let denied = self.behaviour.handle_pending_inbound_connection(id, &Multiaddr::empty(), remote);
        denied.map(|()| id).map_err(|error| error.downcast().unwrap())
    }

    fn inbound(&mut self, peer: PeerId, remote: &Multiaddr) -> Result<ConnectionId, Denied> {
        let id = self.pending(remote)?;
        let local = Multiaddr::empty();
        self.behaviour
            .handle_established_inbound_connection(id, peer, &local, remote)
            .map_err(|error| error.downcast().unwrap())?;
        let endpoint = ConnectedPoint::Listener { local_addr: local, send_back_addr: remote.clone() };
        self.establish(id, peer, &endpoint);
        Ok(id)
    }

    fn outbound(&mut self, peer: PeerId, remote: &Multiaddr) -> Result<ConnectionId, Denied> {
        self.next += 1;
        let id = ConnectionId::new_unchecked(self.next);
        let behaviour = &mut self.behaviour;
        behaviour
            .handle_pending_outbound_connection(id, Some(peer), &[], Endpoint::Dialer)
            .map_err(|error| error.downcast().unwrap())?;
        behaviour
            .handle_established_outbound_connection(id, peer, remote, Endpoint::Dialer, PortUse::Reuse)
            .map_err(|error| error.downcast().unwrap())?;
        let endpoint = ConnectedPoint::Dialer {
            address: remote.clone(),
            role_override: Endpoint::Dialer,
            port_use: PortUse::Reuse,
        };
        self.establish(id, peer, &endpoint);
        Ok(id)
    }

    fn establish(&mut self, connection_id: ConnectionId, peer_id: PeerId, endpoint: &ConnectedPoint) {
        self.behaviour.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id,
            connection_id,
            endpoint,
            failed_addresses: &[],
            other_established: 0,
        }));
    }

    fn close(&mut self, connection_id: ConnectionId) {
        let endpoint = ConnectedPoint::Listener { local_addr: Multiaddr::empty(), send_back_addr: Multiaddr::empty() };
        self.behaviour.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id: peer(0),
            connection_id,
            endpoint: &endpoint,
            cause: None,
            remaining_established: 0,
        }));
    }
}

/// NET-4.
#[test]
fn one_ip_address_has_a_bound_that_does_not_hold_for_contacts() {
    let mut driven = Driven::new();
    let mut stranger = 2000..;
    let mut ids = Vec::new();
    for _ in 0..MAX_CONNECTIONS_PER_IP {
        ids.push(driven.inbound(peer(stranger.next().unwrap()), &addr(1)).unwrap());
    }
    assert_eq!(driven.inbound(peer(3000), &addr(1)), Err(Denied::Ip));
    driven.inbound(peer(3000), &addr(2)).unwrap();
    driven.inbound(peer(1), &addr(1)).unwrap();
    driven.close(ids[0]);
    driven.close(ids[1]);
    driven.inbound(peer(3001), &addr(1)).unwrap();
    assert_eq!(driven.inbound(peer(3002), &addr(1)), Err(Denied::Ip));
}

#[test]
fn a_household_of_ipv6_counts_as_one_and_a_mapped_address_as_the_other() {
    let origin = |text: &str| Origin::of(&text.parse().unwrap());
    assert_eq!(origin("/ip6/2001:db8:1:2::1/tcp/1"), origin("/ip6/2001:db8:1:2:ffff::9/udp/9/quic-v1"));
    assert_ne!(origin("/ip6/2001:db8:1:2::1/tcp/1"), origin("/ip6/2001:db8:1:3::1/tcp/1"));
    assert_eq!(origin("/ip6/::ffff:192.0.2.1/tcp/1"), origin("/ip4/192.0.2.1/tcp/1"));
    assert_ne!(origin("/ip4/192.0.2.2/tcp/1"), origin("/ip4/192.0.2.1/tcp/1"));
    assert_eq!(origin("/dns/example.org/tcp/1"), None);
}

#[test]
fn strangers_leave_room_for_contacts() {
    let mut driven = Driven::new();
    let mut host = (1..=250u8).cycle();
    for n in 0..u16::try_from(MAX_STRANGER_CONNECTIONS).unwrap() {
        driven.inbound(peer(2000 + n), &addr(host.next().unwrap())).unwrap();
    }
    assert_eq!(driven.inbound(peer(9000), &addr(251)), Err(Denied::Strangers));
    for n in 0..u16::try_from(MAX_INBOUND_CONNECTIONS).unwrap() - u16::try_from(MAX_STRANGER_CONNECTIONS).unwrap() {
        driven.inbound(peer(n), &addr(251)).unwrap();
    }
    assert_eq!(driven.inbound(peer(900), &addr(251)), Err(Denied::Inbound));
    for n in 0..u16::try_from(MAX_CONNECTIONS - MAX_INBOUND_CONNECTIONS).unwrap() {
        driven.outbound(peer(500 + n), &addr(252)).unwrap();
    }
    assert_eq!(driven.outbound(peer(900), &addr(252)), Err(Denied::Total));
}

#[test]
fn one_peer_has_few_connections() {
    let mut driven = Driven::new();
    for n in 0..MAX_CONNECTIONS_PER_PEER {
        if n % 2 == 0 { driven.inbound(peer(1), &addr(1)) } else { driven.outbound(peer(1), &addr(1)) }.unwrap();
    }
    assert_eq!(driven.inbound(peer(1), &addr(1)), Err(Denied::Peer));
    assert_eq!(driven.outbound(peer(1), &addr(1)), Err(Denied::Peer));
}

#[test]
fn handshakes_under_way_are_bounded_in_all_and_per_ip_address() {
    let mut driven = Driven::new();
    for _ in 0..MAX_PENDING_PER_IP {
        driven.pending(&addr(1)).unwrap();
    }
    assert_eq!(driven.pending(&addr(1)), Err(Denied::Ip));
    for n in u32::try_from(MAX_PENDING_PER_IP).unwrap()..MAX_PENDING_CONNECTIONS {
        driven.pending(&addr(u8::try_from(n).unwrap())).unwrap();
    }
    assert_eq!(driven.pending(&addr(250)), Err(Denied::Pending));
    assert!(driven.behaviour.pending_in.len() <= MAX_PENDING_CONNECTIONS as usize);
}

/// NET-2.
#[test]
fn another_kind_of_key_is_denied() {
    let digest = [&[0x12, 0x20][..], &[7; 32]].concat();
    let rsa = PeerId::from_bytes(&digest).unwrap();
    assert_eq!(Driven::new().inbound(rsa, &addr(1)), Err(Denied::KeyType));
    assert_eq!(Driven::new().outbound(rsa, &addr(1)), Err(Denied::KeyType));
}
