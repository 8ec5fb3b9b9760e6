use std::time::Duration;

use proptest::prelude::*;

use super::*;

const LOW: PeerId = PeerId::from_key_bytes([1; 32]);
const HIGH: PeerId = PeerId::from_key_bytes([9; 32]);

fn id(n: usize) -> ConnectionId {
    ConnectionId::new_unchecked(n)
}

fn link(n: usize, way: Way, ours: bool, since: Instant) -> Link {
    Link { id: id(n), way, ours, since, addr: Multiaddr::empty(), local: None }
}

fn idle() -> Traffic {
    Traffic::default()
}

/// A stream is open, and something was answered then.
fn busy(answered: Option<Instant>) -> Traffic {
    Traffic { streams: 1, answered }
}

fn preferred(peers: &Peers, peer: &PeerId) -> ConnectionId {
    peers.preferred(peer).unwrap().0.id
}

fn opened(peers: &mut Peers, peer: PeerId, link: Link) -> Change {
    peers.opened(peer, link, false, WallTime(0))
}

#[test]
fn the_first_connection_connects_and_the_last_one_ends_it() {
    let (mut peers, now) = (Peers::new(LOW), Instant::now());
    assert_eq!(opened(&mut peers, HIGH, link(1, Way::Tcp, true, now)), Change::Connected(id(1)));
    assert_eq!(opened(&mut peers, HIGH, link(2, Way::Quic, true, now)), Change::Moved(id(2)));
    assert_eq!(peers.closed(&HIGH, id(2)), Change::Moved(id(1)));
    assert_eq!(peers.closed(&HIGH, id(2)), Change::Nothing);
    assert_eq!(peers.closed(&HIGH, id(1)), Change::Gone);
    assert_eq!(peers.closed(&HIGH, id(1)), Change::Nothing);
    assert!(!peers.is_connected(&HIGH) && peers.all().next().is_none());
}

/// NET-40: crossing dials, seen from both sides and in both orders.
#[test]
fn both_sides_prefer_the_same_of_crossing_dials() {
    let now = Instant::now();
    let ways = [Way::Tcp, Way::Quic];
    for (way_low, way_high) in ways.into_iter().flat_map(|a| ways.map(|b| (a, b))) {
        // Connection 1 is dialled by the lower peer, connection 2 by the higher.
        let expected = if way_high > way_low { id(2) } else { id(1) };
        for reversed in [false, true] {
            for (me, other) in [(LOW, HIGH), (HIGH, LOW)] {
                let mut peers = Peers::new(me);
                let mut links = vec![link(1, way_low, me == LOW, now), link(2, way_high, me == HIGH, now)];
                if reversed {
                    links.reverse();
                }
                for link in links {
                    opened(&mut peers, other, link);
                }
                assert_eq!(preferred(&peers, &other), expected, "{way_low:?} {way_high:?} {reversed} {me:?}");
            }
        }
    }
}

/// NET-40: a peer who dials though there is a connection has lost it (he was restarted, say).
#[test]
fn a_later_connection_is_preferred_whoever_dialled_it() {
    let (now, later) = (Instant::now(), Instant::now() + 2 * span(CROSSING_WINDOW));
    for ours in [false, true] {
        let mut peers = Peers::new(LOW);
        opened(&mut peers, HIGH, link(1, Way::Quic, true, now));
        opened(&mut peers, HIGH, link(2, Way::Tcp, ours, later));
        assert_eq!(preferred(&peers, &HIGH), id(2));
    }
}

/// NET-40: neither a circuit nor a trial takes over from a direct connection, and a direct one does from both.
#[test]
fn a_way_that_is_not_to_stay_never_takes_over() {
    let (now, later) = (Instant::now(), Instant::now() + 2 * span(CROSSING_WINDOW));
    for worse in [Way::Relay, Way::Trial] {
        for good in [Way::Tcp, Way::Quic] {
            for (first, second) in [(now, later), (later, now), (now, now)] {
                for ours in [false, true] {
                    let mut peers = Peers::new(LOW);
                    opened(&mut peers, HIGH, link(1, good, true, first));
                    opened(&mut peers, HIGH, link(2, worse, ours, second));
                    assert_eq!(preferred(&peers, &HIGH), id(1));
                    let mut peers = Peers::new(LOW);
                    opened(&mut peers, HIGH, link(1, worse, ours, first));
                    opened(&mut peers, HIGH, link(2, good, true, second));
                    assert_eq!(preferred(&peers, &HIGH), id(2));
                }
            }
        }
    }
    let mut peers = Peers::new(LOW);
    opened(&mut peers, HIGH, link(1, Way::Relay, true, now));
    opened(&mut peers, HIGH, link(2, Way::Relay, false, later));
    assert_eq!(preferred(&peers, &HIGH), id(2), "among themselves the later");
}

/// NET-41: a trial lives as long as a trial takes; then whoever made it closes it, or the other side does.
#[test]
fn a_trial_is_closed_when_it_is_over() {
    let begun = Instant::now();
    for (me, other) in [(LOW, HIGH), (HIGH, LOW)] {
        for ours in [true, false] {
            let mut peers = Peers::new(me);
            opened(&mut peers, other, link(1, Way::Quic, true, begun));
            opened(&mut peers, other, link(2, Way::Trial, ours, begun));
            let end = begun + if ours || me == LOW { 1 } else { 2 } * span(DOUBLE_GRACE);
            assert_eq!(peers.overdue(end - Duration::from_millis(1), |_| idle()).0, []);
            assert_eq!(peers.overdue(end, |_| idle()).0, [id(2)]);
        }
    }
}

#[test]
fn a_trial_that_is_left_alone_is_a_connection_like_others() {
    let begun = Instant::now();
    let mut peers = Peers::new(LOW);
    opened(&mut peers, HIGH, link(1, Way::Quic, true, begun));
    opened(&mut peers, HIGH, link(2, Way::Trial, false, begun));
    peers.closed(&HIGH, id(1));
    assert!(peers.preferred(&HIGH).unwrap().0.way.is_lasting());
    opened(&mut peers, HIGH, link(3, Way::Relay, true, begun));
    assert_eq!(preferred(&peers, &HIGH), id(2));
}

/// NET-41: both have asked each other to try an address, and dial for a hole: each takes the other's dial for a trial.
#[test]
fn what_both_take_for_a_trial_leaves_one_connection() {
    let begun = Instant::now();
    let (by_low, by_high) = (1, 2);
    let see = |me: PeerId, other: PeerId, own: usize, others: usize| {
        let mut peers = Peers::new(me);
        opened(&mut peers, other, link(own, Way::Quic, true, begun));
        opened(&mut peers, other, link(others, Way::Trial, false, begun));
        peers
    };
    let low = see(LOW, HIGH, by_low, by_high);
    let mut high = see(HIGH, LOW, by_high, by_low);
    assert_eq!(low.overdue(begun + span(DOUBLE_GRACE), |_| idle()).0, [id(by_high)]);
    assert_eq!(high.overdue(begun + span(DOUBLE_GRACE), |_| idle()).0, []);
    high.closed(&LOW, id(by_high));
    assert_eq!(high.overdue(begun + 9 * span(DOUBLE_GRACE), |_| idle()).0, []);
}

#[test]
fn of_two_dials_by_one_side_the_later_is_preferred() {
    for ours in [false, true] {
        let (mut peers, now) = (Peers::new(LOW), Instant::now());
        opened(&mut peers, HIGH, link(1, Way::Quic, ours, now));
        opened(&mut peers, HIGH, link(2, Way::Quic, ours, now));
        assert_eq!(preferred(&peers, &HIGH), id(2));
    }
}

/// NET-41.
#[test]
fn the_lower_peer_closes_and_the_higher_one_only_when_that_did_not_happen() {
    let begun = Instant::now();
    let second = |n| begun + Duration::from_secs(n);
    for (me, other, without, unanswered) in [(LOW, HIGH, 1, 10), (HIGH, LOW, 10, 20)] {
        let mut peers = Peers::new(me);
        opened(&mut peers, other, link(1, Way::Quic, me == LOW, begun));
        opened(&mut peers, other, link(2, Way::Quic, me != LOW, begun));
        assert_eq!(preferred(&peers, &other), id(1));
        let due = |at, traffic| peers.overdue(at, |_| traffic).0;
        assert_eq!(due(second(without) - Duration::from_millis(1), idle()), []);
        assert_eq!(due(second(without), idle()), [id(2)]);
        assert_eq!(due(second(unanswered) - Duration::from_millis(1), busy(None)), []);
        assert_eq!(due(second(unanswered), busy(None)), [id(2)]);
    }
}

/// NET-41: as long as something is answered there, nothing is cut; but not for ever.
#[test]
fn a_double_that_is_busy_is_left_alone_for_a_while() {
    let begun = Instant::now();
    let second = |n| begun + Duration::from_secs(n);
    for (me, other, later) in [(LOW, HIGH, 0), (HIGH, LOW, 10)] {
        let mut peers = Peers::new(me);
        opened(&mut peers, other, link(1, Way::Quic, me == LOW, begun));
        opened(&mut peers, other, link(2, Way::Quic, me != LOW, begun));
        let due = |at, answered| peers.overdue(second(at), |_| busy(Some(second(answered)))).0;
        for answered in [1, 9, 50, 109] {
            assert_eq!(due(answered + 9 + later, answered), []);
            assert_eq!(due(answered + 10 + later, answered), [id(2)]);
        }
        assert_eq!(due(119 + later, 118), []);
        assert_eq!(due(120 + later, 119), [id(2)]);
        // An answer from before there were two says nothing.
        let before = busy(Some(begun.checked_sub(Duration::from_secs(5)).unwrap()));
        assert_eq!(peers.overdue(second(10 + later), |_| before).0, [id(2)]);
    }
}

#[test]
fn doubles_are_looked_at_again_until_they_are_gone() {
    let (mut peers, now) = (Peers::new(LOW), Instant::now());
    opened(&mut peers, HIGH, link(1, Way::Quic, true, now));
    assert_eq!(peers.overdue(now, |_| idle()), (vec![], None));
    opened(&mut peers, HIGH, link(2, Way::Tcp, true, now));
    let (due, next) = peers.overdue(now, |_| busy(None));
    assert!(due.is_empty() && next.is_some_and(|at| at > now && at <= now + span(DOUBLE_LINGER)));
    peers.closed(&HIGH, id(1));
    assert_eq!(peers.overdue(now, |_| idle()), (vec![], None));
}

#[test]
fn a_class_is_new_once() {
    let mut peers = Peers::new(LOW);
    assert!(!peers.keep(&HIGH, true), "not connected");
    opened(&mut peers, HIGH, link(1, Way::Quic, true, Instant::now()));
    assert!(peers.keep(&HIGH, true));
    assert!(!peers.keep(&HIGH, true));
    assert!(peers.keep(&HIGH, false));
}

proptest! {
    /// However many crossing connections there are, and in whatever order each side sees them come
    /// and go: while the kinds or the dialling sides differ, both sides prefer alike, and the lower
    /// side closes all but one.
    #[test]
    fn one_connection_remains(
        links in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..4),
        turn in any::<prop::sample::Index>(),
    ) {
        let now = Instant::now();
        let links: Vec<_> = links.into_iter().enumerate().collect();
        let see = |me: PeerId, other: PeerId, turned: usize| {
            let mut seen = links.clone();
            seen.rotate_left(turned);
            let mut peers = Peers::new(me);
            for (n, (quic, by_low)) in seen {
                let way = if quic { Way::Quic } else { Way::Tcp };
                opened(&mut peers, other, link(n, way, by_low == (me == LOW), now));
            }
            peers
        };
        let (low, high) = (see(LOW, HIGH, 0), see(HIGH, LOW, turn.index(links.len())));
        let kind = |peers: &Peers, other| {
            let link = peers.preferred(other).unwrap().0.clone();
            (link.way, link.ours == (*other == HIGH))
        };
        prop_assert_eq!(kind(&low, &HIGH), kind(&high, &LOW));
        let (due, _) = low.overdue(now + span(DOUBLE_LINGER), |_| idle());
        prop_assert_eq!(due.len(), links.len() - 1);
        prop_assert!(!due.contains(&preferred(&low, &HIGH)));
        prop_assert!(high.overdue(now + span(DOUBLE_LINGER), |_| idle()).0.is_empty());
    }
}
