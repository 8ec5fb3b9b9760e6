use super::*;
use crate::base::Millis;

fn peer(n: u8) -> PeerId {
    PeerId::from_key_bytes([n; 32])
}

fn addr(n: u8) -> Multiaddr {
    format!("/ip4/203.0.113.{n}/tcp/4001").parse().unwrap()
}

fn offering(ranks: &[(u8, Rank)]) -> Relays {
    let mut relays = Relays::default();
    for (n, rank) in ranks {
        relays.offered(peer(*n), addr(*n), *rank, Instant::now());
    }
    relays
}

/// Asks whoever comes next; gives his number and the listener.
fn ask(relays: &mut Relays, now: Instant) -> Option<(u8, ListenerId)> {
    let (relay, place) = relays.next(now)?;
    let listener = ListenerId::next();
    relays.asked(relay, place, listener, now);
    Some((relay.key_bytes()[0], listener))
}

/// NET-62.
#[test]
fn two_are_asked_and_those_whom_the_user_named_first() {
    let now = Instant::now();
    let mut relays = offering(&[(1, Rank::Stranger), (2, Rank::Named), (3, Rank::Contact), (4, Rank::Stranger)]);
    let first = ask(&mut relays, now).unwrap();
    let second = ask(&mut relays, now).unwrap();
    assert_eq!((first.0, second.0), (2, 3));
    assert_eq!(relays.next(now), None);
    assert!(relays.standing().is_empty(), "asked is not granted");
    assert!(relays.granted(first.1, addr(7), WallTime(5)));
    assert!(!relays.granted(first.1, addr(7), WallTime(6)), "told once");
    let standing = relays.standing();
    assert_eq!((standing.len(), standing[0].relay, standing[0].since), (1, peer(2), WallTime(5)));
}

/// NET-63.
#[test]
fn when_one_is_lost_another_takes_its_place_and_the_lost_one_is_asked_again_later() {
    let now = Instant::now();
    let mut relays = offering(&[(1, Rank::Named), (2, Rank::Named), (3, Rank::Stranger)]);
    let (lost, listener) = ask(&mut relays, now).unwrap();
    relays.granted(listener, addr(1), WallTime(0));
    ask(&mut relays, now).unwrap();
    assert_eq!(relays.closed(listener, now), Some(vec![addr(1)]));
    assert_eq!(relays.closed(listener, now), None);
    assert_eq!(ask(&mut relays, now).unwrap().0, 3);
    // Alone, it is asked again, after pauses that grow.
    let mut alone = offering(&[(lost, Rank::Named)]);
    let (mut at, mut last) = (now, Duration::ZERO);
    for _ in 0..20 {
        let (_, listener) = ask(&mut alone, at).unwrap();
        alone.closed(listener, at);
        let until = alone.paused_until(&peer(lost)).unwrap();
        assert!(until - at >= last && until - at <= span(RELAY_PAUSE_MAX));
        assert_eq!(alone.next(until - Duration::from_millis(1)), None);
        (last, at) = (until - at, until);
    }
    assert_eq!(last, span(RELAY_PAUSE_MAX));
    // One that stood begins anew, and a new network ends every pause.
    for (stood, next) in
        [(RESERVATION_SHORTEST, RELAY_PAUSE_FIRST), (RELAY_PAUSE_FIRST, Millis(2 * RELAY_PAUSE_FIRST.0))]
    {
        let (_, listener) = ask(&mut alone, at).unwrap();
        alone.granted(listener, addr(1), WallTime(0));
        at += span(stood);
        alone.closed(listener, at);
        let until = at + span(next);
        assert_eq!(alone.paused_until(&peer(lost)), Some(until));
        at = until;
    }
    at -= Duration::from_millis(1);
    assert!(ask(&mut alone, at).is_none());
    alone.wake();
    assert!(ask(&mut alone, at).is_some());
}

/// NET-63: a relay whose reservations end as soon as they are granted would be asked without end.
#[test]
fn one_whose_reservations_do_not_last_is_left_alone() {
    let now = Instant::now();
    let mut relays = offering(&[(1, Rank::Named)]);
    let (_, listener) = ask(&mut relays, now).unwrap();
    relays.granted(listener, addr(1), WallTime(0));
    assert_eq!(relays.renewed(&peer(1), now), None);
    let good = now + span(RESERVATION_SHORTEST);
    assert_eq!(relays.renewed(&peer(1), good), None);
    let soon = good + Duration::from_secs(1);
    assert_eq!(relays.renewed(&peer(1), soon), Some(listener));
    relays.closed(listener, soon);
    relays.wake();
    let until = soon + span(RELAY_PAUSE_MAX);
    assert_eq!(ask(&mut relays, until - Duration::from_millis(1)), None);
    assert!(ask(&mut relays, until).is_some());
}

/// NET-67.
#[test]
fn relays_whose_circuits_break_come_after_others() {
    let now = Instant::now();
    let later = |seconds| now + Duration::from_secs(seconds);
    let mut relays = Relays::default();
    let both = [peer(1), peer(2)];
    assert_eq!(relays.first(&both, now), both);
    relays.circuit_broke(peer(1), now);
    assert_eq!(relays.first(&both, later(1)), [peer(2)]);
    relays.circuit_broke(peer(2), later(2));
    assert_eq!(relays.first(&both, later(3)), [peer(1)], "each in turn");
    relays.circuit_broke(peer(1), later(4));
    assert_eq!(relays.first(&both, later(5)), [peer(2)]);
    assert_eq!(relays.first(&both, now + 2 * span(CIRCUIT_DISTRUST)), both);
    assert_eq!(relays.first(&[], now), []);
    for n in 0..=255 {
        relays.circuit_broke(peer(n), later(u64::from(n)));
    }
    assert!(relays.broken.len() <= MAX_RELAY_CANDIDATES && relays.broken.contains_key(&peer(255)));
}

#[test]
fn one_who_does_not_answer_is_given_up() {
    let now = Instant::now();
    let mut relays = offering(&[(1, Rank::Named)]);
    let (_, listener) = ask(&mut relays, now).unwrap();
    assert_eq!(relays.overdue(now), []);
    assert_eq!(relays.overdue(now + span(RESERVATION_TIMEOUT)), [listener]);
    relays.granted(listener, addr(1), WallTime(0));
    assert_eq!(relays.overdue(now + 2 * span(RESERVATION_TIMEOUT)), []);
}

#[test]
fn candidates_addresses_and_pauses_are_bounded() {
    let now = Instant::now();
    let mut relays = Relays::default();
    for n in 0..=255 {
        relays.offered(peer(n), addr(n), Rank::Stranger, now);
        relays.pause(peer(n), now);
    }
    assert!(relays.candidates.len() <= MAX_RELAY_CANDIDATES && relays.pauses.len() <= MAX_RELAY_CANDIDATES);
    relays.offered(PeerId::from_key_bytes([255; 32]), addr(1), Rank::Named, now);
    relays.wake();
    let (named, listener) = ask(&mut relays, now).unwrap();
    assert_eq!(named, 255);
    for n in 0..50 {
        relays.granted(listener, addr(n), WallTime(0));
    }
    assert_eq!(relays.standing()[0].addrs.len(), MAX_RELAY_ADDRS);
}

/// NET-62: no key wins by being one; of equals those of another network, then those who are there for a while.
#[test]
fn among_equals_lots_are_drawn() {
    let now = Instant::now();
    let at = |n: u8| format!("/ip4/203.0.{n}.1/tcp/4001").parse::<Multiaddr>().unwrap();
    let mut firsts = std::collections::BTreeSet::new();
    for _ in 0..200 {
        let mut relays = Relays::default();
        for (n, network) in [(255, 7), (254, 7), (3, 1), (2, 2), (1, 3)] {
            relays.offered(peer(n), at(network), Rank::Stranger, now);
        }
        let (first, second) = (ask(&mut relays, now).unwrap().0, ask(&mut relays, now).unwrap().0);
        firsts.insert(first);
        assert!(!(first >= 254 && second >= 254), "two of one network");
    }
    assert_eq!(firsts, [1, 2, 3, 254, 255].into());
    let later = now + span(RELAY_KNOWN);
    for _ in 0..50 {
        let mut relays = Relays::default();
        for (n, since) in [(1, now), (2, later), (3, later), (255, later)] {
            relays.offered(peer(n), at(n), Rank::Stranger, since);
        }
        assert_eq!(ask(&mut relays, later).unwrap().0, 1, "who is there for a while");
        relays.offered(peer(9), at(1), Rank::Contact, later);
        assert_eq!(ask(&mut relays, later).unwrap().0, 9, "rank goes before network");
    }
}
