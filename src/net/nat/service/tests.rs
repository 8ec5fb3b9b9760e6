use std::time::Duration;

use super::*;
use crate::base::limits::MAX_RELAYED_CIRCUITS;
use crate::net::to_libp2p;

fn peer(n: u8) -> PeerId {
    to_libp2p(&crate::base::PeerId::from_key_bytes([n; 32]))
}

/// How many of so many, by peers with these numbers at these addresses, are granted.
fn granted(tries: u8, one: impl Fn(PeerId, &Multiaddr) -> bool, who: impl Fn(u8) -> (u8, String)) -> usize {
    let one = |n: &u8| {
        let (peer_id, at) = who(*n);
        one(peer(peer_id), &at.parse().unwrap())
    };
    (0..tries).filter(one).count()
}

/// NET-64: keys are free, and so are the addresses within a household.
#[test]
fn reservations_and_circuits_have_a_rate_by_peer_and_by_household() {
    let (usage, now) = (Usage::default(), tokio::time::Instant::now());
    let after = |secs| now + Duration::from_secs(secs);
    let home = |n: u8| format!("/ip6/2001:db8:1:2::{n:x}/tcp/1");
    let reserve = |at| {
        let usage = usage.clone();
        move |peer, addr: &Multiaddr| usage.may_reserve(peer, addr, at)
    };
    assert_eq!(granted(100, reserve(now), |n| (1, home(n))), 30);
    assert_eq!(granted(100, reserve(now), |n| (n + 2, home(n))), 60 - 30, "the rest of the household's");
    assert_eq!(granted(9, reserve(now), |n| (n + 2, format!("/ip4/192.0.2.{n}/tcp/1"))), 9, "somebody else");
    assert_eq!(granted(9, reserve(after(119)), |_| (1, home(1))), 0);
    assert_eq!(granted(9, reserve(after(120)), |_| (1, home(1))), 1);

    let open = |at| {
        let usage = usage.clone();
        move |peer, addr: &Multiaddr| usage.may_open(peer, addr, at)
    };
    assert_eq!(granted(100, open(now), |n| (1, home(n))), 30, "they are counted for themselves");
    assert_eq!(granted(100, open(now), |n| (n + 2, home(n))), 60 - 30);
    assert_eq!(granted(9, open(after(30)), |_| (1, home(1))), 1);
}

#[test]
fn what_it_is_used_for_follows_from_what_the_crate_tells() {
    let usage = Usage::default();
    let tell = |event: &Event, connected: bool| usage.on_event(event, |_| connected, |_| None).len();
    let told = || (usage.told().reservations, usage.told().circuits);
    let accepted = |n, renewed| Event::ReservationReqAccepted { src_peer_id: peer(n), renewed };
    let closed = |n| Event::ReservationClosed { src_peer_id: peer(n) };
    for event in [accepted(1, false), accepted(1, true), accepted(2, false)] {
        assert_eq!(tell(&event, true), 1);
    }
    assert_eq!(told(), (2, 0), "one that is renewed is the same");
    assert_eq!((tell(&closed(1), true), told()), (0, (2, 0)), "another of his connections has ended");
    assert_eq!((tell(&closed(1), false), told()), (1, (1, 0)));
    assert_eq!((tell(&closed(1), false), told()), (1, (1, 0)), "once");
    assert!(usage.serves(&peer(2)) && !usage.serves(&peer(1)));
    tell(&Event::ReservationTimedOut { src_peer_id: peer(2) }, true);
    assert!(!usage.serves(&peer(2)));

    let opened = |from, to| Event::CircuitReqAccepted { src_peer_id: peer(from), dst_peer_id: peer(to) };
    let ended = |from, to| Event::CircuitClosed { src_peer_id: peer(from), dst_peer_id: peer(to), error: None };
    for event in [opened(3, 4), opened(3, 4), opened(3, 5), ended(3, 4), ended(4, 3)] {
        assert_eq!(tell(&event, true), 2);
    }
    assert_eq!(told(), (0, 2), "one of two between the same");
    assert!([3, 4, 5].iter().all(|n| usage.serves(&peer(*n))));
    // Ends that are never told.
    for _ in 0..100 {
        tell(&opened(6, 7), true);
    }
    assert_eq!(told(), (0, MAX_RELAYED_CIRCUITS as u64));
    assert!(!usage.serves(&peer(3)), "the oldest are taken for ended");
}

/// NET-64: one network holds few of the places; within a site all are of few networks.
#[test]
fn one_network_holds_few_places() {
    let now = tokio::time::Instant::now();
    for (near, network, reservations, circuits) in
        [("/ip4/198.51.100", "/ip4/198.51.101", 8, 4), ("/ip4/10.0.0", "/ip4/10.0.1", 16, 16)]
    {
        let usage = Usage::default();
        let at = |n: u8| format!("{near}.{n}/tcp/1").parse::<Multiaddr>().unwrap();
        let hold = |event: &Event, n| _ = usage.on_event(event, |_| true, |_| Origin::of(&at(n)));
        let reserved = (1..=16).filter(|n| {
            let granted = usage.may_reserve(peer(*n), &at(*n), now);
            if granted {
                hold(&Event::ReservationReqAccepted { src_peer_id: peer(*n), renewed: false }, *n);
            }
            granted
        });
        assert_eq!(reserved.count(), reservations);
        assert!(usage.may_reserve(peer(1), &at(1), now), "one that is renewed has its place");
        let opened = (101..=116).filter(|n| {
            let granted = usage.may_open(peer(*n), &at(*n), now);
            if granted {
                hold(&Event::CircuitReqAccepted { src_peer_id: peer(*n), dst_peer_id: peer(1) }, *n);
            }
            granted
        });
        assert_eq!(opened.count(), circuits);
        let other = format!("{network}.1/tcp/1").parse().unwrap();
        assert!(usage.may_reserve(peer(200), &other, now) && usage.may_open(peer(200), &other, now), "from elsewhere");
    }
}
