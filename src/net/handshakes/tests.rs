use std::future::pending;
use std::time::Duration;

use futures::future::join_all;
use tokio::time::advance;

use super::*;

/// The address of a host of such a network.
fn host(network: u8, host: u8) -> Multiaddr {
    format!("/ip4/150.0.{network}.{host}/tcp/{}", u16::from(host) + 1000).parse().unwrap()
}

fn here() -> Multiaddr {
    "/ip4/0.0.0.0/tcp/4001".parse().unwrap()
}

/// The places, all taken by these, who say nothing; each has come a millisecond after the one before.
async fn full(
    entrance: impl Fn(&Entrances) -> &Handshakes,
    from: impl Iterator<Item = Multiaddr>,
) -> (Handshakes, Vec<Option<Handshake<()>>>) {
    let places = entrance(&Entrances::default()).clone();
    let mut held = Vec::new();
    for remote in from {
        held.push(Some(begun(claimed(&places, &remote))));
        advance(Duration::from_millis(1)).await;
    }
    (places, held)
}

fn claimed(places: &Handshakes, remote: &Multiaddr) -> Place {
    places.claim(&here(), remote).unwrap()
}

/// One that never ends by itself.
fn begun(place: Place) -> Handshake<()> {
    Handshake::new(Some(place), pending())
}

fn speaks(places: &Handshakes, remote: &Multiaddr) {
    places.heard(&ConnectedPoint::Listener { local_addr: here(), send_back_addr: remote.clone() });
}

/// Those who end now.
fn ended(held: &mut [Option<Handshake<()>>]) -> Vec<usize> {
    let ends = |handshake: &mut Option<Handshake<()>>| {
        let over = handshake.as_mut().is_some_and(|handshake| handshake.now_or_never().is_some());
        if over {
            *handshake = None;
        }
        over
    };
    held.iter_mut().enumerate().filter_map(|(n, handshake)| ends(handshake).then_some(n)).collect()
}

fn count(places: &Handshakes) -> usize {
    lock(&places.0).held.len()
}

/// NET-91: one address has a part of a network's, and a network a part of all; whoever has too many pushes out himself.
#[tokio::test(start_paused = true)]
async fn an_address_and_a_network_push_out_their_own() {
    // Those of the other network are older, and more.
    let crowd = (2..32).chain([1, 1]).map(|n| host(2, n));
    let (places, mut held) = full(|all| &all.tcp, crowd.chain((0..16).map(|_| host(1, 1)))).await;
    let _one = begun(claimed(&places, &host(1, 1)));
    assert_eq!(ended(&mut held), [32], "of the address, the oldest");
    let _other = begun(claimed(&places, &host(2, 99)));
    assert_eq!(ended(&mut held), [30], "of the network, one of the address that holds most");
    let _third = begun(claimed(&places, &host(3, 1)));
    assert!(ended(&mut held).is_empty());
    assert_eq!(count(&places), 49);
}

/// NET-91: when all places are taken, those lose one who hold most, and whoever speaks goes after those who do not.
#[tokio::test(start_paused = true)]
async fn the_network_that_holds_most_makes_room_for_a_newcomer() {
    let lone = host(100, 1);
    let crowd = (0..32).map(|n| host(1, n)).chain((0..31).map(|n| host(2, n)));
    let (places, mut held) = full(|all| &all.tcp, [lone.clone()].into_iter().chain(crowd)).await;
    assert_eq!(count(&places), 64);
    speaks(&places, &host(1, 0));
    let newcomer = host(200, 1);
    let mut new = vec![Some(begun(claimed(&places, &newcomer)))];
    assert_eq!(ended(&mut held), [2], "of the largest network the oldest that is mute");
    assert!(ended(&mut new).is_empty());
    // One network each: it is the oldest, the mute before the others.
    let (places, mut held) = full(|all| &all.tcp, (0..64).map(|n| host(n, 1))).await;
    speaks(&places, &host(0, 1));
    new.push(Some(begun(claimed(&places, &newcomer))));
    assert_eq!((ended(&mut held), count(&places)), (vec![1], 64));
    for network in 1..64 {
        speaks(&places, &host(network, 1));
    }
    speaks(&places, &newcomer);
    new.push(Some(begun(claimed(&places, &host(201, 1)))));
    assert_eq!((ended(&mut held), ended(&mut new)), (vec![0], vec![]));
}

/// NET-91: whoever says nothing for too long ends as soon as half of the places are taken, and not before.
#[tokio::test(start_paused = true)]
async fn the_mute_end_when_places_are_short() {
    let (places, mut held) = full(|all| &all.tcp, (0..32).map(|n| host(n, 1))).await;
    speaks(&places, &host(3, 1));
    advance(span(MUTE_TIMEOUT)).await;
    held.push(Some(begun(claimed(&places, &host(100, 1)))));
    assert_eq!((ended(&mut held), count(&places)), (vec![], 33));
    held.push(Some(begun(claimed(&places, &host(101, 1)))));
    let all_but_the_one_who_spoke: Vec<_> = (0..32).filter(|n| *n != 3).collect();
    assert_eq!((ended(&mut held), count(&places)), (all_but_the_one_who_spoke, 3));
    // Over QUIC a datagram may be lost, and nobody is told of the next.
    let (places, mut held) = full(|all| &all.quic, (0..64).map(|n| host(n, 1))).await;
    advance(span(MUTE_TIMEOUT)).await;
    held.push(Some(begun(claimed(&places, &host(100, 1)))));
    assert_eq!((ended(&mut held), count(&places)), (vec![0], 64));
}

/// NET-92: those who take only what is free push out nobody.
#[tokio::test(start_paused = true)]
async fn whoever_takes_what_is_free_pushes_out_nobody() {
    let places = Entrances::default().unproved;
    let mut held: Vec<_> = (0..8).map(|n| places.spare(&here(), &host(n, 1)).map(begun)).collect();
    assert!(held.iter().all(Option::is_some));
    assert!(places.spare(&here(), &host(100, 1)).is_none());
    assert_eq!((ended(&mut held), count(&places)), (vec![], 8));
    held.pop();
    assert!(places.spare(&here(), &host(100, 1)).is_some());
}

/// However a handshake ends, its place is free.
#[tokio::test(start_paused = true)]
async fn a_place_is_given_back_once_and_whatever_happens() {
    let (places, mut held) = full(|all| &all.tcp, (0..4).map(|n| host(n, 1))).await;
    let mut works = Handshake::new(Some(claimed(&places, &host(9, 1))), async { Ok(7) });
    let fails = Handshake::<()>::new(Some(claimed(&places, &host(9, 1))), async { Err(io::ErrorKind::Other.into()) });
    let never = claimed(&places, &host(9, 1));
    assert_eq!(count(&places), 7);
    assert_eq!(((&mut works).await.unwrap(), count(&places)), (7, 6), "when it is over, not when it is let go");
    assert!(fails.await.is_err());
    assert_eq!(count(&places), 5);
    drop(never);
    held.pop();
    assert_eq!(count(&places), 3);
    // Those who were pushed out are counted no longer before they have heard of it, and not twice after.
    let many: Vec<_> = (0..16).map(|_| begun(claimed(&places, &host(0, 1)))).collect();
    assert_eq!((count(&places), ended(&mut held)), (18, vec![0]));
    drop((many, held));
    assert_eq!(count(&places), 0);
    let none = join_all((0..2).map(|n| Handshake::new(None, async move { Ok(n) }))).await;
    assert_eq!(none.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [0, 1]);
}

/// NET-91: what handshakes cost is bounded for those who begin one after the other, too.
#[tokio::test(start_paused = true)]
async fn an_address_that_begins_very_many_has_a_rate() {
    let places = Entrances::default().quic;
    let begin = |remote: &Multiaddr| places.claim(&here(), remote).is_some();
    assert!((0..256).all(|_| begin(&host(1, 1))));
    assert!(!begin(&host(1, 1)));
    assert!(begin(&host(1, 2)));
    advance(Duration::from_secs(1)).await;
    assert_eq!((0..64).filter(|_| begin(&host(1, 1))).count(), 32);
    assert_eq!(count(&places), 0);
}

/// Circuits are counted by their relay.
#[tokio::test(start_paused = true)]
async fn circuits_of_one_relay_push_out_each_other() {
    let by_relay = |n: u8| format!("/ip4/192.0.2.{n}/tcp/1/p2p-circuit").parse::<Multiaddr>().unwrap();
    let places = Entrances::default().circuits;
    let caller = Multiaddr::empty();
    let mut held: Vec<_> = (0..16).map(|_| Some(begun(places.claim(&by_relay(1), &caller).unwrap()))).collect();
    held.push(Some(begun(places.claim(&by_relay(2), &caller).unwrap())));
    assert!(ended(&mut held).is_empty());
    held.push(Some(begun(places.claim(&by_relay(1), &caller).unwrap())));
    assert_eq!((ended(&mut held), count(&places)), (vec![0], 17));
}
