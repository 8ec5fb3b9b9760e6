use std::time::Duration;

use super::*;
use crate::base::WallTime;
use crate::net::convert::peer;

const OURS: &str = "/ip4/203.0.113.7/tcp/4001";

fn addr(text: &str) -> Multiaddr {
    text.parse().unwrap()
}

fn at(secs: u64) -> Instant {
    static BEGUN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    *BEGUN + Duration::from_secs(secs)
}

/// A connection that we have dialled, at the beginning.
fn dialled(n: usize, remote: &str) -> Link {
    let id = ConnectionId::new_unchecked(n);
    Link { id, way: Way::of(&addr(remote)), ours: true, since: at(0), addr: addr(remote), local: None }
}

/// One that has come in.
fn inbound(n: usize, remote: &str, local: &str, since: u64) -> Link {
    Link { ours: false, local: Some(addr(local)), since: at(since), ..dialled(n, remote) }
}

/// Somebody who tries addresses, by his number, at this address.
fn server(probe: &mut Probe, peers: &mut Peers, n: u64, remote: &str) {
    let link = dialled(usize::try_from(n).unwrap(), remote);
    peers.opened(peer(n), link, false, WallTime(0));
    probe.offers(peer(n), true);
}

/// Who is asked now, each with the number of his question.
fn asks(probe: &mut Probe, peers: &Peers, secs: u64) -> Vec<(PeerId, u64)> {
    let before: Vec<_> = probe.open.keys().copied().collect();
    let asked = probe.ask(peers, at(secs));
    let mut found = Vec::new();
    for (number, question) in probe.open.iter().filter(|(number, _)| !before.contains(number)) {
        let who = asked.iter().find(|(_, by, _)| *by == question.by).unwrap().0;
        found.push((who, *number));
    }
    found
}

/// One who is asked reaches us, and says so.
fn reaches(probe: &mut Probe, peers: &mut Peers, secs: u64) -> Option<Found> {
    let [(who, number)] = asks(probe, peers, secs)[..] else { panic!("one is asked") };
    let n = 1_000 + usize::try_from(secs).unwrap();
    let link = inbound(n, &format!("/ip4/192.0.2.1/tcp/{n}"), "/ip4/192.168.1.2/tcp/4001", secs + 1);
    peers.opened(who, link.clone(), false, WallTime(0));
    assert!(probe.on_number(number, &who, link.id, peers));
    peers.closed(&who, link.id);
    probe.on_answer(number, Some(true), peers)
}

/// NET-72: the number counts on a connection that proves something, and on no other.
#[tokio::test]
async fn a_number_proves_nothing_where_anybody_could_say_it() {
    let (asked, home, outside) =
        ("/ip4/198.51.100.1/tcp/4001", "/ip4/192.168.1.2/tcp/4001", "/ip4/198.51.100.1/tcp/50000");
    let circuit = "/ip4/198.51.100.9/tcp/1/p2p/12D3KooWLbJX3dhp2hUVRzVHWUxWnq4xGmKYKVe7HwxYCCqRqQ6B/p2p-circuit";
    let good = || inbound(2, outside, home, 11);
    let cases = [
        ("it came from elsewhere, to our door behind the router", good(), true),
        ("it came to that very address", inbound(2, outside, OURS, 11), true),
        ("we have dialled it", Link { ours: true, ..good() }, false),
        ("it is a hole, in which he was the one who is dialled", Link { local: None, ..good() }, false),
        ("it goes through a relay", Link { way: Way::Relay, addr: addr(circuit), ..good() }, false),
        ("it was there before", inbound(2, outside, home, 10), false),
        (
            "by another transport",
            inbound(2, "/ip4/198.51.100.1/udp/9/quic-v1", "/ip4/192.168.1.2/udp/4001/quic-v1", 11),
            false,
        ),
        ("by the other family", inbound(2, "/ip6/2001:db8::1/tcp/5", "/ip6/fd00::1/tcp/4001", 11), false),
        (
            "to another address of ours, which is of the internet itself",
            inbound(2, outside, "/ip4/203.0.113.8/tcp/4001", 11),
            false,
        ),
        ("from this machine", inbound(2, "/ip4/127.0.0.1/tcp/5", "/ip4/127.0.0.1/tcp/4001", 11), false),
        ("from our own network", inbound(2, "/ip4/192.168.1.9/tcp/5", home, 11), false),
        ("by the way of another connection, which our router lets in", inbound(2, asked, home, 11), false),
    ];
    for (what, link, proves) in cases {
        let (mut probe, mut peers) = (Probe::new(Scope::Global), Peers::new(peer(0)));
        server(&mut probe, &mut peers, 1, asked);
        probe.candidate(&addr(OURS));
        let [(who, number)] = asks(&mut probe, &peers, 10)[..] else { panic!("one is asked") };
        assert!(!probe.on_number(number, &who, ConnectionId::new_unchecked(1), &peers), "by the way of the question");
        peers.opened(peer(1), link.clone(), false, WallTime(0));
        assert!(!probe.on_number(number ^ 1, &who, link.id, &peers), "another number");
        assert_eq!(probe.on_number(number, &who, link.id, &peers), proves, "{what}");
        let voice = Voice::of(peer(1), &addr(asked));
        let found = probe.on_answer(number, Some(true), &peers);
        assert_eq!(found, proves.then(|| Found::Reached(addr(OURS), voice)), "{what}");
        assert_eq!(probe.on_answer(number, Some(true), &peers), None, "once");
    }
}

/// NET-73: each address is tried by two who have nothing to do with each other, until all are tried anew; and no more than so many.
#[tokio::test]
async fn two_from_different_places_are_asked() {
    let (mut probe, mut peers) = (Probe::new(Scope::Global), Peers::new(peer(0)));
    for (n, remote) in [(1, "/ip4/198.51.100.1/tcp/1"), (2, "/ip4/198.51.100.2/tcp/1"), (3, "/ip4/192.0.2.9/tcp/1")] {
        server(&mut probe, &mut peers, n, remote);
    }
    server(&mut probe, &mut peers, 4, "/ip4/10.0.0.1/tcp/1");
    probe.candidate(&addr(OURS));
    let mut voices = HashSet::new();
    for secs in [10, 20] {
        let Some(Found::Reached(found, voice)) = reaches(&mut probe, &mut peers, secs) else {
            panic!("it was reached")
        };
        assert_eq!(found, addr(OURS));
        voices.insert(voice);
    }
    assert_eq!(voices.len(), 2);
    assert!(probe.ask(&peers, at(30)).is_empty());
    probe.again();
    assert!(probe.ask(&peers, at(40)).is_empty());
    probe.candidate(&addr(OURS));
    assert_eq!(probe.ask(&peers, at(50)).len(), 1);
    for n in 0..1_000 {
        probe.candidate(&addr(&format!("/ip4/203.0.113.{}/tcp/{}", n % 250, 1 + n)));
    }
    assert_eq!(probe.candidates.len(), MAX_ADDRESS_CANDIDATES);
    assert_eq!(probe.ask(&peers, at(60)).len(), 3 * MAX_TRIALS_OF_PEER - 1, "each once at a time, of each peer a few");
}

/// NET-71: that nobody reaches us is said only; one who lies is not enough, where there are others.
#[tokio::test]
async fn that_it_was_not_reached_is_believed_of_two() {
    let (mut probe, mut peers) = (Probe::new(Scope::Global), Peers::new(peer(0)));
    server(&mut probe, &mut peers, 1, "/ip4/198.51.100.1/tcp/1");
    server(&mut probe, &mut peers, 2, "/ip4/192.0.2.9/tcp/1");
    probe.candidate(&addr(OURS));
    let said = |probe: &mut Probe, peers: &Peers, secs, said| {
        let [(_, number)] = asks(probe, peers, secs)[..] else { panic!("one is asked") };
        probe.on_answer(number, said, peers)
    };
    assert_eq!(said(&mut probe, &peers, 10, Some(false)), None);
    assert_eq!(said(&mut probe, &peers, 20, Some(false)), Some(Found::Unreached(addr(OURS))));
    assert!(probe.ask(&peers, at(30)).is_empty());
    // One of two is right.
    for reached_first in [true, false] {
        probe.again();
        probe.candidate(&addr(OURS));
        if reached_first {
            assert!(matches!(reaches(&mut probe, &mut peers, 40), Some(Found::Reached(..))));
            assert_eq!(said(&mut probe, &peers, 50, Some(false)), None);
        } else {
            assert_eq!(said(&mut probe, &peers, 60, Some(false)), None);
            assert!(matches!(reaches(&mut probe, &mut peers, 70), Some(Found::Reached(..))));
        }
    }
    // Who says that he has, and has not, is as silent as who refuses.
    probe.again();
    probe.candidate(&addr(OURS));
    assert_eq!(said(&mut probe, &peers, 80, Some(true)), None);
    assert_eq!(said(&mut probe, &peers, 90, None), None);
    // The only one there is.
    peers.closed(&peer(2), ConnectionId::new_unchecked(2));
    probe.gone(&peer(2));
    probe.again();
    probe.candidate(&addr(OURS));
    assert_eq!(said(&mut probe, &peers, 100, Some(false)), Some(Found::Unreached(addr(OURS))));
    // He has come somewhere, though not as it should be.
    probe.again();
    probe.candidate(&addr(OURS));
    let [(who, number)] = asks(&mut probe, &peers, 105)[..] else { panic!("one is asked") };
    assert!(!probe.on_number(number, &who, ConnectionId::new_unchecked(1), &peers));
    assert_eq!(probe.on_answer(number, Some(false), &peers), None);
    server(&mut probe, &mut peers, 3, "/ip4/192.0.2.10/tcp/1");
    assert!(
        matches!(reaches(&mut probe, &mut peers, 110), Some(Found::Reached(..))),
        "one who comes later knows better"
    );
}

/// NET-71: whoever could have said something else has gone before he was asked.
#[tokio::test]
async fn that_it_was_not_reached_is_believed_of_the_only_one_who_is_left() {
    let (mut probe, mut peers) = (Probe::new(Scope::Global), Peers::new(peer(0)));
    server(&mut probe, &mut peers, 1, "/ip4/198.51.100.1/tcp/1");
    server(&mut probe, &mut peers, 2, "/ip4/192.0.2.9/tcp/1");
    probe.candidate(&addr(OURS));
    let [(who, number)] = asks(&mut probe, &peers, 10)[..] else { panic!("one is asked") };
    assert_eq!(probe.on_answer(number, Some(false), &peers), None);
    assert_eq!(probe.settled(&peers), [], "another one can be asked");
    let other = if who == peer(1) { 2 } else { 1 };
    let [(_, number)] = asks(&mut probe, &peers, 20)[..] else { panic!("the other one is asked") };
    peers.closed(&peer(other), ConnectionId::new_unchecked(usize::try_from(other).unwrap()));
    probe.gone(&peer(other));
    assert_eq!(probe.settled(&peers), [], "he may have answered");
    assert_eq!(probe.on_broken(number, &peers), Some(Found::Unreached(addr(OURS))));
    assert_eq!(probe.settled(&peers), [], "it is told once");

    probe.again();
    server(&mut probe, &mut peers, other, "/ip4/203.0.113.9/tcp/1");
    probe.candidate(&addr(OURS));
    let [(who, number)] = asks(&mut probe, &peers, 30)[..] else { panic!("one is asked") };
    assert_eq!(probe.on_answer(number, Some(false), &peers), None);
    let other = if who == peer(1) { 2 } else { 1 };
    peers.closed(&peer(other), ConnectionId::new_unchecked(usize::try_from(other).unwrap()));
    probe.gone(&peer(other));
    assert_eq!(probe.settled(&peers), [Found::Unreached(addr(OURS))]);
    assert_eq!(probe.settled(&peers), []);
}

/// NET-73: a question that breaks says nothing: it is put again, to another peer first, but not without end.
#[tokio::test]
async fn a_question_that_breaks_is_put_again() {
    let (mut probe, mut peers) = (Probe::new(Scope::Global), Peers::new(peer(0)));
    server(&mut probe, &mut peers, 1, "/ip4/198.51.100.1/tcp/1");
    probe.candidate(&addr(OURS));
    let breaks = |probe: &mut Probe, peers: &Peers, secs| {
        let [(who, number)] = asks(probe, peers, secs)[..] else { panic!("one is asked") };
        // The task has no stream, as when the connection is gone.
        assert_eq!(probe.on_heard(number, Heard::Broken, peers), None);
        who
    };
    assert_eq!(breaks(&mut probe, &peers, 10), peer(1));
    assert!(matches!(reaches(&mut probe, &mut peers, 20), Some(Found::Reached(..))), "the only one there is");
    for n in 2..4 {
        server(&mut probe, &mut peers, n, &format!("/ip4/192.{n}.2.9/tcp/1"));
    }
    probe.again();
    probe.candidate(&addr(OURS));
    let first: HashSet<_> = [30, 40, 50].map(|secs| breaks(&mut probe, &peers, secs)).into();
    assert_eq!(first.len(), 3, "each once before one twice");
    for secs in 60..60 + (MAX_TRIALS - 3) as u64 {
        breaks(&mut probe, &peers, secs);
    }
    assert!(asks(&mut probe, &peers, 70).is_empty(), "so often, and no more");
}

/// A stream that is never opened, or that breaks, is no answer.
#[tokio::test]
async fn whoever_says_nothing_has_not_refused() {
    let (reply, stream) = oneshot::channel();
    drop(reply);
    assert!(matches!(put(stream, addr(OURS), 1).await, Heard::Broken));
}
