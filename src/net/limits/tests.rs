use std::task::Waker;
use std::time::Duration;

use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use tokio::time::advance;

use super::*;
use crate::base::limits::{MAX_TRIALS_OF_PEER, STRANGER_REST};
use crate::net::{span, to_libp2p};

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

/// An address of the internet, each in a network of its own.
fn far(n: u16) -> Multiaddr {
    let [a, b] = n.to_be_bytes();
    format!("/ip4/150.{a}.{b}.1/tcp/4001").parse().unwrap()
}

fn count(count: usize) -> u16 {
    count.try_into().unwrap()
}

impl Driven {
    /// Peers below 1000 are contacts.
    fn new() -> Self {
        let contacts = (0..1000).filter_map(|n| from_libp2p(&peer(n))).map(|peer| (peer, Class::Contact));
        let activity = Activity::default();
        Self { behaviour: Behaviour::new(contacts.collect(), Told::default(), Scope::Global, activity, false), next: 0 }
    }

    /// All places of strangers are taken, each from a network of its own; the first has come first.
    async fn full(places: usize) -> (Self, Vec<ConnectionId>) {
        let mut driven = Self::new();
        driven.behaviour.set_server(places == MAX_SERVED_STRANGERS);
        let mut seated = Vec::new();
        for n in 0..count(places) {
            seated.push(driven.inbound(peer(2000 + n), &far(n)).unwrap());
            advance(Duration::from_millis(1)).await;
        }
        (driven, seated)
    }

    /// Who has to leave now.
    fn leaves(&mut self) -> Option<ConnectionId> {
        match self.behaviour.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(ToSwarm::CloseConnection { connection: CloseConnection::One(id), .. }) => Some(id),
            Poll::Ready(other) => panic!("{other:?}"),
            Poll::Pending => None,
        }
    }

    fn inbound(&mut self, peer: PeerId, remote: &Multiaddr) -> Result<ConnectionId, Denied> {
        self.next += 1;
        let id = ConnectionId::new_unchecked(self.next);
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

    /// A connection through the relay at this address.
    fn circuit(&mut self, peer: PeerId, relay: &Multiaddr) -> Result<ConnectionId, Denied> {
        self.next += 1;
        let id = ConnectionId::new_unchecked(self.next);
        let local = relay.clone().with(Protocol::P2pCircuit);
        let remote = Multiaddr::from(Protocol::P2p(peer));
        let behaviour = &mut self.behaviour;
        behaviour
            .handle_established_inbound_connection(id, peer, &local, &remote)
            .map_err(|error| error.downcast().unwrap())?;
        self.establish(id, peer, &ConnectedPoint::Listener { local_addr: local, send_back_addr: remote });
        Ok(id)
    }

    /// A dial to these addresses on the word of the peer. It stays under way.
    fn told(&mut self, peer: PeerId, addrs: &[&str]) -> Result<ConnectionId, Denied> {
        self.next += 1;
        let id = ConnectionId::new_unchecked(self.next);
        self.behaviour.told.note(id, Purpose::Trial);
        let addrs: Vec<_> = addrs.iter().map(|addr| addr.parse().unwrap()).collect();
        let denied = self.behaviour.handle_pending_outbound_connection(id, Some(peer), &addrs, Endpoint::Dialer);
        if denied.is_err() {
            self.behaviour.told.done(id);
        }
        denied.map(|_| id).map_err(|error| error.downcast().unwrap())
    }

    /// The same, and it ends at once; whether it was made.
    fn told_and_done(&mut self, peer: PeerId, addrs: &[&str]) -> bool {
        let told = self.told(peer, addrs);
        if let Ok(id) = &told {
            self.behaviour.dials.leave(id);
            self.behaviour.told.done(*id);
        }
        told.is_ok()
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
        let peer_id = self.behaviour.established[&connection_id].peer;
        let endpoint = ConnectedPoint::Listener { local_addr: Multiaddr::empty(), send_back_addr: Multiaddr::empty() };
        self.behaviour.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id,
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
    for _ in 0..32 {
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
    for n in 0..count(MAX_STRANGER_CONNECTIONS) {
        driven.inbound(peer(2000 + n), &far(n)).unwrap();
    }
    assert_eq!(driven.inbound(peer(9000), &addr(251)), Err(Denied::Strangers), "all have just come");
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
    for n in 0..8 {
        if n % 2 == 0 { driven.inbound(peer(1), &addr(1)) } else { driven.outbound(peer(1), &addr(1)) }.unwrap();
    }
    assert_eq!(driven.inbound(peer(1), &addr(1)), Err(Denied::Peer));
    assert_eq!(driven.outbound(peer(1), &addr(1)), Err(Denied::Peer));
}

/// NET-2.
#[test]
fn another_kind_of_key_is_denied() {
    let digest = [&[0x12, 0x20][..], &[7; 32]].concat();
    let rsa = PeerId::from_bytes(&digest).unwrap();
    assert_eq!(Driven::new().inbound(rsa, &addr(1)), Err(Denied::KeyType));
    assert_eq!(Driven::new().outbound(rsa, &addr(1)), Err(Denied::KeyType));
}

/// NET-65: circuits have no address but the relay's.
#[tokio::test(start_paused = true)]
async fn those_who_come_through_relays_are_bounded_in_all_and_per_relay() {
    let mut driven = Driven::new();
    let per_relay = 6;
    for n in 0..per_relay {
        driven.circuit(peer(2000 + n), &addr(1)).unwrap();
    }
    assert_eq!(driven.circuit(peer(3000), &addr(1)), Err(Denied::Circuits));
    driven.inbound(peer(3001), &addr(1)).expect("the relay's own address has its own count");
    advance(Duration::from_secs(200)).await;
    let mut others = (0..).map(|n| (peer(4000 + n), far(2 + n / per_relay)));
    for _ in per_relay..32 {
        let (stranger, relay) = others.next().unwrap();
        driven.circuit(stranger, &relay).unwrap();
    }
    assert_eq!(driven.circuit(peer(3000), &addr(9)), Err(Denied::Circuits));
    for n in 32..64 {
        driven.circuit(peer(n), &addr(1)).unwrap();
    }
    assert_eq!(driven.circuit(peer(999), &addr(1)), Err(Denied::Circuits), "contacts, too, in all");
}

/// NET-65: each costs handshakes and dials, even when it ends at once.
#[tokio::test(start_paused = true)]
async fn circuits_of_strangers_have_a_rate() {
    let mut driven = Driven::new();
    for n in 0..16 {
        let id = driven.circuit(peer(2000 + n), &addr(1)).unwrap();
        driven.close(id);
    }
    assert_eq!(driven.circuit(peer(3000), &addr(1)), Err(Denied::Circuits));
    assert_eq!(driven.circuit(peer(3000), &addr(2)), Err(Denied::Circuits), "of the same network");
    let other = driven.circuit(peer(3000), &far(1)).expect("through another relay");
    driven.close(other);
    driven.circuit(peer(1), &addr(1)).expect("a contact's have none");
    advance(Duration::from_secs(4)).await;
    driven.circuit(peer(3000), &addr(1)).unwrap();
}

/// NET-66: nobody makes us knock at the doors of our own network, nor at somebody else's behind a name or a relay.
#[tokio::test(start_paused = true)]
async fn a_strangers_word_leads_to_the_internet_or_to_himself() {
    let stranger = peer(2000);
    let relayed = format!("/ip4/203.0.113.1/tcp/1/p2p/{}/p2p-circuit", peer(9));
    for bad in [
        "/ip4/127.0.0.1/tcp/22",
        "/ip4/192.168.1.1/tcp/80",
        "/ip4/10.0.0.1/udp/53/quic-v1",
        "/ip4/100.64.0.1/tcp/1",
        "/ip4/169.254.169.254/tcp/80",
        "/ip6/::1/tcp/1",
        "/ip6/fd00::1/tcp/1",
        "/ip6/::ffff:192.168.1.1/tcp/1",
        "/dns4/router.lan/tcp/80",
        &relayed,
    ] {
        assert_eq!(Driven::new().told(stranger, &[bad]), Err(Denied::Told), "{bad}");
        assert_eq!(Driven::new().told(stranger, &["/ip4/203.0.113.7/tcp/1", bad]), Err(Denied::Told), "{bad}");
        Driven::new().told(peer(1), &[bad]).expect("a contact may");
    }
    let mut driven = Driven::new();
    driven.told(stranger, &["/ip4/203.0.113.7/tcp/1", "/ip6/2001:db8::1/udp/1/quic-v1"]).unwrap();
    // A neighbour is tried at the address from which he came.
    driven.inbound(stranger, &"/ip4/192.168.1.9/tcp/50000".parse().unwrap()).unwrap();
    driven.told(stranger, &["/ip4/192.168.1.9/tcp/4001"]).unwrap();
    assert_eq!(driven.told(stranger, &["/ip4/192.168.1.1/tcp/4001"]), Err(Denied::Told));
    // But not at the relay's.
    driven.circuit(peer(2001), &"/ip4/192.168.1.7/tcp/1".parse().unwrap()).unwrap();
    assert_eq!(driven.told(peer(2001), &["/ip4/192.168.1.7/tcp/2"]), Err(Denied::Told));
}

/// NET-66.
#[tokio::test(start_paused = true)]
async fn dials_on_the_word_of_peers_are_bounded_and_have_a_rate() {
    let (mut driven, addrs) = (Driven::new(), ["/ip4/203.0.113.7/tcp/1"]);
    for _ in 0..16 {
        driven.told(peer(1), &addrs).unwrap();
    }
    assert_eq!(driven.told(peer(1), &addrs), Err(Denied::Pending));
    assert_eq!(driven.behaviour.told.count(), 16);
    let mut driven = Driven::new();
    assert!((0..64).all(|_| driven.told_and_done(peer(1), &addrs)));
    assert_eq!(driven.told(peer(1), &addrs), Err(Denied::Pending));
    advance(Duration::from_secs(1)).await;
    driven.told(peer(1), &addrs).unwrap();
}

/// NET-66: one who asks for all there is keeps nobody else from being tried, whatever keys he has.
#[tokio::test(start_paused = true)]
async fn dials_on_the_word_of_one_stranger_leave_room_for_others() {
    let (mut driven, addrs) = (Driven::new(), ["/ip4/203.0.113.7/tcp/1"]);
    for n in 2000..2003 {
        driven.inbound(peer(n), &addr(1)).unwrap();
    }
    driven.inbound(peer(2003), &addr(2)).unwrap();
    for n in [2000, 2001] {
        for _ in 0..MAX_TRIALS_OF_PEER {
            driven.told(peer(n), &addrs).unwrap();
        }
        assert_eq!(driven.told(peer(n), &addrs), Err(Denied::Pending), "of one peer");
    }
    assert_eq!(driven.told(peer(2002), &addrs), Err(Denied::Pending), "at one address");
    driven.told(peer(2003), &addrs).unwrap();
    driven.told(peer(1), &addrs).unwrap();
    // What he has used up comes back to him alone.
    let mut driven = Driven::new();
    let at_once = |driven: &mut Driven, n| driven.told_and_done(peer(n), &addrs);
    assert_eq!((0..64).filter(|_| at_once(&mut driven, 2000)).count(), 32);
    assert!(at_once(&mut driven, 2001));
    advance(Duration::from_secs(60)).await;
    assert!(at_once(&mut driven, 2000) && !at_once(&mut driven, 2000));
}

/// NET-66: nor does a network, whatever addresses somebody has there.
#[tokio::test(start_paused = true)]
async fn dials_on_the_word_of_one_network_leave_room_for_others() {
    let (mut driven, addrs) = (Driven::new(), ["/ip4/203.0.113.7/tcp/1"]);
    for n in 0..20 {
        driven.inbound(peer(2000 + n), &addr(u8::try_from(n).unwrap())).unwrap();
    }
    driven.inbound(peer(3000), &far(1)).unwrap();
    assert_eq!((2000..2020).filter(|n| driven.told(peer(*n), &addrs).is_ok()).count(), 12);
    driven.told(peer(3000), &addrs).expect("somebody elsewhere");
    let mut driven = Driven::new();
    for n in 0..20 {
        driven.inbound(peer(2000 + n), &addr(u8::try_from(n).unwrap())).unwrap();
    }
    driven.inbound(peer(3000), &far(1)).unwrap();
    let had = (0..200).filter(|n| driven.told_and_done(peer(2000 + n % 20), &addrs)).count();
    assert_eq!(had, 56);
    assert!(driven.told_and_done(peer(3000), &addrs), "somebody elsewhere");
}

/// NET-4: whoever has a whole network has no more than a part of the places. Contacts are not denied, and within a site all are
/// of few networks.
#[test]
fn one_network_has_a_bound() {
    let mut driven = Driven::new();
    driven.behaviour.set_server(true);
    let host = |n: u16| addr(u8::try_from(n).unwrap());
    for n in 0..64 {
        driven.inbound(peer(2000 + n), &host(n)).unwrap();
    }
    assert_eq!(driven.inbound(peer(3000), &addr(200)), Err(Denied::Network));
    driven.inbound(peer(3000), &far(1)).unwrap();
    driven.inbound(peer(1), &addr(200)).unwrap();
    for n in 0..128 {
        driven.inbound(peer(4000 + n), &format!("/ip4/192.168.1.{}/tcp/1", n + 1).parse().unwrap()).unwrap();
    }
}

/// NET-90
#[tokio::test(start_paused = true)]
async fn the_longest_idle_stranger_makes_room() {
    let (mut driven, seated) = Driven::full(MAX_STRANGER_CONNECTIONS).await;
    advance(span(STRANGER_REST)).await;
    driven.behaviour.activity.touch(seated[0]);
    advance(Duration::from_millis(1)).await;
    drop(driven.behaviour.activity.begin(seated[2]));
    advance(Duration::from_millis(1)).await;
    let mut newcomers = 3000..;
    for out in [1, 3, 4] {
        let n = newcomers.next().unwrap();
        driven.inbound(peer(n), &far(n)).unwrap();
        assert_eq!((driven.leaves(), driven.leaves()), (Some(seated[out]), None));
        driven.close(seated[out]);
    }
    // Those who came last have just come, but the two first are idle again by now.
    advance(span(STRANGER_REST)).await;
    for _ in 5..MAX_STRANGER_CONNECTIONS {
        let n = newcomers.next().unwrap();
        driven.inbound(peer(n), &far(n)).unwrap();
        let out = driven.leaves().unwrap();
        assert!(out != seated[0] && out != seated[2]);
        driven.close(out);
    }
    let n = newcomers.next().unwrap();
    driven.inbound(peer(n), &far(n)).unwrap();
    assert_eq!(driven.leaves(), Some(seated[0]));
}

/// NET-90: nobody is pushed out who is no stranger, has something under way, or is needed.
#[tokio::test(start_paused = true)]
async fn who_has_something_under_way_makes_no_room() {
    let (mut driven, mut seated) = Driven::full(MAX_STRANGER_CONNECTIONS).await;
    driven.close(seated.pop().unwrap());
    driven.circuit(peer(9001), &addr(1)).unwrap();
    let contact = driven.inbound(peer(1), &far(9002)).unwrap();
    let under_way: Vec<_> = seated[2..].iter().map(|id| driven.behaviour.activity.begin(*id)).collect();
    driven.behaviour.need(peer(2000), true);
    driven.behaviour.relay_for(peer(2001), true);
    driven.behaviour.relay_for(peer(9999), true);
    advance(10 * span(STRANGER_REST)).await;
    assert_eq!(driven.inbound(peer(9000), &far(9000)), Err(Denied::Strangers));
    assert_eq!(driven.leaves(), None);
    driven.inbound(peer(2), &far(9003)).expect("a contact has room all the same");
    // And then it has ended.
    drop(under_way);
    driven.behaviour.need(peer(2000), false);
    assert_eq!(driven.inbound(peer(9000), &far(9000)).map(|_| driven.leaves()), Ok(Some(seated[0])));
    driven.close(contact);
    for id in seated {
        driven.close(id);
    }
    let Behaviour { needed, relayed, .. } = &driven.behaviour;
    assert!(needed.is_empty() && relayed.is_empty(), "who is gone is forgotten");
}

/// NET-90: a flood out of a few networks goes round in these, and the others stay.
#[tokio::test(start_paused = true)]
async fn a_flood_pushes_out_itself() {
    let (mut driven, seated) = Driven::full(MAX_SERVED_STRANGERS).await;
    advance(10 * span(STRANGER_REST)).await;
    let mut others = seated.len();
    for n in 0..2_000 {
        let flood: Multiaddr = format!("/ip4/160.0.{}.{}/tcp/1", n % 4, 1 + n / 4 % 250).parse().unwrap();
        if driven.inbound(peer(10_000 + n), &flood).is_ok()
            && let Some(out) = driven.leaves()
        {
            others -= usize::from(seated.contains(&out));
            driven.close(out);
        }
        advance(span(STRANGER_REST)).await;
    }
    // Each of the four networks had none before, so as many as one of the others has.
    assert_eq!(others, seated.len() - 4);
    driven.inbound(peer(9000), &far(9000)).expect("a newcomer from elsewhere");
}

/// NET-90: whoever says something all the time, or has something under way, keeps nobody out: one of the network that holds most goes.
#[tokio::test(start_paused = true)]
async fn who_is_never_idle_keeps_nobody_out() {
    let (mut driven, seated) = Driven::full(MAX_STRANGER_CONNECTIONS - 6).await;
    let busy = |n: u16, of: u16| format!("/ip4/160.0.{of}.{n}/tcp/1").parse::<Multiaddr>().unwrap();
    let mut most = Vec::new();
    for n in 1..=6 {
        let id = driven.inbound(peer(8000 + n), &busy(n, u16::from(n > 4))).unwrap();
        if n <= 4 {
            most.push(id);
        }
    }
    let all: Vec<_> = driven.behaviour.established.keys().copied().collect();
    let under_way: Vec<_> =
        all.iter().filter(|id| **id != most[2]).map(|id| driven.behaviour.activity.begin(*id)).collect();
    driven.behaviour.activity.touch(most[2]);
    driven.behaviour.need(peer(8001), true);
    // The one who only said something goes first, then those who are at it, but for the one who is needed.
    for (n, out) in [(9000, most[2]), (9001, most[1])] {
        driven.inbound(peer(n), &far(n)).unwrap();
        assert_eq!(driven.leaves(), Some(out));
        driven.close(out);
    }
    // Two each are left of both networks, one of them needed.
    for n in [9002, 9003] {
        driven.inbound(peer(n), &far(n)).unwrap();
        let out = driven.leaves().unwrap();
        assert!(!seated.contains(&out));
        driven.close(out);
    }
    assert_eq!(driven.inbound(peer(9004), &far(9004)), Err(Denied::Strangers), "nobody holds more than he would");
    assert_eq!(driven.inbound(peer(9005), &busy(9, 0)), Err(Denied::Strangers));
    drop((under_way, seated));
}

/// NET-90: those who leave take their time; contacts do not wait for it.
#[tokio::test(start_paused = true)]
async fn few_leave_at_a_time() {
    let (mut driven, seated) = Driven::full(MAX_STRANGER_CONNECTIONS).await;
    advance(span(STRANGER_REST)).await;
    for n in 0..count(MAX_LEAVING) {
        driven.inbound(peer(5000 + n), &far(5000 + n)).unwrap();
    }
    assert_eq!(driven.inbound(peer(9000), &far(9000)), Err(Denied::Strangers));
    for n in 0..count(MAX_INBOUND_CONNECTIONS as usize - MAX_STRANGER_CONNECTIONS - MAX_LEAVING) {
        driven.inbound(peer(n), &far(9001)).unwrap();
    }
    let leave = std::iter::from_fn(|| driven.leaves()).collect::<Vec<_>>();
    assert_eq!(leave, seated[..MAX_LEAVING]);
    driven.close(leave[0]);
    driven.inbound(peer(9000), &far(9000)).unwrap();
}

/// NET-90: who serves has room for more, and as much for others as before.
#[tokio::test(start_paused = true)]
async fn who_serves_has_more_places() {
    let (mut driven, _) = Driven::full(MAX_SERVED_STRANGERS).await;
    assert_eq!(driven.inbound(peer(9000), &far(9000)), Err(Denied::Strangers));
    for n in 0..count(MAX_INBOUND_CONNECTIONS as usize - MAX_STRANGER_CONNECTIONS) {
        driven.inbound(peer(n), &far(9000)).unwrap();
    }
    assert_eq!(driven.inbound(peer(900), &far(9000)), Err(Denied::Inbound));
    for n in 0..count((MAX_CONNECTIONS - MAX_INBOUND_CONNECTIONS) as usize) {
        driven.outbound(peer(500 + n), &addr(252)).unwrap();
    }
    assert_eq!(driven.outbound(peer(900), &addr(252)), Err(Denied::Total));
}
