//! Nodes that meet through relays. A node whose network is said to be the internet takes no address of this machine
//! for its own, so that no hole is punched.

use super::*;
use crate::base::limits::{MAX_CIRCUIT_BYTES, MAX_ENVELOPE, MAX_RELAYED_CIRCUITS_PER_PEER};
use crate::base::words::{Nat, Reachability};
use crate::envelope::mailbox;

/// A relay that everybody can reach.
async fn relay(seed: u8, listen: &[&str]) -> Node {
    Node::with(NetConfig { serve_relay: true, public: Some(true), ..config(seed, listen) }).await
}

/// How somebody is set up whom nobody can reach, but through these relays.
fn hidden(seed: u8, relays: &[&Node]) -> NetConfig {
    let bootstrap = relays.iter().map(|relay| (relay.id(), relay.addrs())).collect();
    NetConfig { public: Some(false), internet: true, bootstrap, ..config(seed, &[QUIC]) }
}

fn circuits(node: &Node) -> Vec<String> {
    node.net.status().relays.into_iter().map(|relay| relay.addr).collect()
}

/// Waits until the node can be reached through so many relays.
async fn reachable(node: &mut Node, relays: usize) {
    let told = node.expect(|event| matches!(event, Event::Relays(told) if told.len() == relays)).await;
    let Event::Relays(told) = told else { panic!("{told:?}") };
    // What is told goes into the card, where the way through the relay is put behind it.
    assert!(told.iter().flat_map(|(_, addrs)| addrs).all(|addr| !addr.contains("/p2p")), "{told:?}");
}

/// Two contacts, hidden behind a relay, connected through it.
async fn pair(relay: &Node) -> (Node, Node) {
    let (mut alice, mut bob) = (Node::with(hidden(11, &[relay])).await, Node::with(hidden(12, &[relay])).await);
    alice.befriend(bob.id());
    bob.befriend(alice.id());
    reachable(&mut bob, 1).await;
    alice.net.connect(bob.id(), &circuits(&bob)).unwrap();
    alice.expect_connected(bob.id()).await;
    bob.expect_connected(alice.id()).await;
    (alice, bob)
}

/// One envelope from one to the other.
async fn deliver(from: &mut Node, to: &mut Node, ticket: u64) {
    from.send(to.id(), ticket, b"through").unwrap();
    let (sender, token, bytes) = to.expect_envelope().await;
    assert_eq!((sender, bytes.as_slice()), (from.id(), &b"through"[..]));
    to.net.acknowledge(token);
    assert_eq!(from.outcome(ticket).await, Event::Acked { peer: to.id(), ticket });
}

/// NET-60, NET-62: over a relay of either transport.
#[tokio::test]
async fn an_envelope_goes_through_a_relay() {
    for listen in [QUIC, TCP] {
        let relay = relay(10, &[listen]).await;
        let (mut alice, mut bob) = pair(&relay).await;
        deliver(&mut alice, &mut bob, 1).await;
        deliver(&mut bob, &mut alice, 2).await;
        for node in [&alice, &bob] {
            let status = node.net.status();
            let other = status.peers.iter().find(|there| there.peer_id != relay.id()).unwrap();
            assert!(!other.direct && other.addr.contains("/p2p-circuit"), "{status:?}");
            assert_eq!(status.reachability, Reachability::Private);
        }
        let told = bob.net.present().remove(0);
        assert_eq!(told, Event::Relays(vec![(relay.id(), relay.addrs())]), "where it is, not where we are");
        let status = bob.net.status();
        assert!(status.listen_addrs.contains(&status.relays[0].addr), "{status:?}");
        let service = relay.net.status().relay_service.unwrap();
        assert!(service.reservations == 2 && service.circuits >= 1, "{service:?}");
    }
}

/// MBX-75: who keeps a mailbox behind a router is asked through his relay, by another than us.
#[tokio::test]
async fn a_hidden_mailbox_is_asked_through_its_relay() {
    let relay = relay(10, &[QUIC]).await;
    let mut house = Node::with(NetConfig { serve_mailbox: true, ..hidden(12, &[&relay]) }).await;
    reachable(&mut house, 1).await;
    let question = mailbox::Question::Card { owner: peer_of(99), want_prekey: true }.encode().unwrap();
    let answer = mailbox::Answer::NoBox.encode().unwrap();
    // There it was once, and is no more.
    let gone = "/ip4/127.0.0.1/tcp/1".to_owned();
    for (seed, straight) in [(11, None), (13, Some(gone))] {
        let mut alice = Node::start(seed, &[QUIC]).await;
        let addrs = straight.into_iter().chain(circuits(&house)).collect();
        let question = question.clone();
        let ask = Order::AskMailbox { ticket: 7, mailbox: house.id(), addrs, anonymous: true, question };
        alice.net.order(ask).unwrap();
        let asked = house.expect(|event| matches!(event, Event::Mail { .. })).await;
        let Event::Mail { from, request, .. } = asked else { panic!("{asked:?}") };
        assert!(from != alice.id() && from != relay.id());
        house.net.answer_mail(request, answer.clone());
        let told = alice.expect(|event| matches!(event, Event::MailAnswered { .. } | Event::MailFailed { .. })).await;
        assert_eq!(told, Event::MailAnswered { mailbox: house.id(), ticket: 7, answer: answer.clone() });
        assert!(alice.net.status().peers.is_empty(), "it is no connection of ours");
    }
}

/// NET-60: a hole is punched, what was on its way is delivered once, and the circuit is closed.
#[tokio::test]
async fn the_direct_connection_takes_over_from_the_circuit() {
    for listen in [QUIC, TCP] {
        let relay = relay(10, &[QUIC, TCP]).await;
        let near = |seed, relay: &Node| NetConfig {
            public: Some(false),
            bootstrap: vec![(relay.id(), relay.addrs())],
            ..config(seed, &[listen])
        };
        let (mut alice, mut bob) = (Node::with(near(11, &relay)).await, Node::with(near(12, &relay)).await);
        alice.befriend(bob.id());
        bob.befriend(alice.id());
        reachable(&mut bob, 1).await;
        alice.net.connect(bob.id(), &circuits(&bob)).unwrap();
        alice.expect_connected(bob.id()).await;
        for ticket in 1..=100 {
            alice.send(bob.id(), ticket, &ticket.to_be_bytes()).unwrap();
        }
        for ticket in 1..=100_u64 {
            let (_, token, bytes) = bob.expect_envelope().await;
            assert_eq!(bytes, ticket.to_be_bytes(), "in order, once");
            bob.net.acknowledge(token);
        }
        for ticket in 1..=100 {
            assert_eq!(alice.outcome(ticket).await, Event::Acked { peer: bob.id(), ticket });
        }
        alice.direct(bob.id()).await;
        bob.direct(alice.id()).await;
        deliver(&mut alice, &mut bob, 101).await;
        let ended = |event: &Event| matches!(event, Event::Disconnected(_));
        assert!(!alice.heard.iter().chain(&bob.heard).any(ended));
    }
}

/// NET-63: one relay dies, the other goes on; when it is back, it is asked again.
#[tokio::test]
async fn a_lost_relay_is_replaced_and_asked_again_when_it_is_back() {
    let (one, other) = (relay(10, &[TCP]).await, relay(20, &[TCP]).await);
    let mut bob = Node::with(hidden(12, &[&one, &other])).await;
    reachable(&mut bob, 2).await;
    let (addr, id) = (one.addrs().remove(0), one.id());
    one.net.shutdown().await;
    drop(one);
    reachable(&mut bob, 1).await;
    assert_eq!(bob.net.status().relays[0].peer_id, other.id());
    let mut alice = Node::with(hidden(11, &[&other])).await;
    alice.net.connect(bob.id(), &circuits(&bob)).unwrap();
    alice.expect_connected(bob.id()).await;
    deliver(&mut alice, &mut bob, 1).await;
    let one = relay(10, &[&addr]).await;
    assert_eq!(one.id(), id);
    reachable(&mut bob, 2).await;
}

/// NET-64: a circuit carries so much and no more; what was cut is lost, and goes by another circuit.
#[tokio::test]
async fn a_circuit_carries_so_much_and_no_more() {
    let relay = relay(10, &[TCP]).await;
    let (mut alice, mut bob) = pair(&relay).await;
    let many = 2 * MAX_CIRCUIT_BYTES / MAX_ENVELOPE as u64;
    for ticket in 1..=many {
        alice.send(bob.id(), ticket, &vec![7; MAX_ENVELOPE]).unwrap();
    }
    let mut lost = None;
    for ticket in 1..=many {
        let outcome = loop {
            tokio::select! {
                event = alice.expect(|event| matches!(event, Event::Acked { .. } | Event::Lost { .. })) => break event,
                (_, token, _) = bob.expect_envelope() => bob.net.acknowledge(token),
            }
        };
        match outcome {
            Event::Lost { .. } => lost = lost.or(Some(ticket)),
            _ => assert!(lost.is_none(), "nothing overtakes what is lost"),
        }
    }
    let lost = lost.expect("the circuit has a bound");
    assert!(lost * MAX_ENVELOPE as u64 <= MAX_CIRCUIT_BYTES + MAX_ENVELOPE as u64);
    alice.expect(|event| matches!(event, Event::Disconnected(peer) if *peer == bob.id())).await;
    bob.expect(|event| matches!(event, Event::Disconnected(peer) if *peer == alice.id())).await;
    alice.net.connect(bob.id(), &circuits(&bob)).unwrap();
    alice.expect_connected(bob.id()).await;
    deliver(&mut alice, &mut bob, 1000).await;
}

/// NET-64: one peer has so many circuits through a relay and no more.
#[tokio::test]
async fn the_circuits_of_one_peer_are_bounded() {
    let relay = relay(10, &[TCP]).await;
    let mut alice = Node::with(hidden(11, &[&relay])).await;
    let mut others = Vec::new();
    for n in 0..=MAX_RELAYED_CIRCUITS_PER_PEER {
        let mut other = Node::with(hidden(100 + u8::try_from(n).unwrap(), &[&relay])).await;
        reachable(&mut other, 1).await;
        alice.net.connect(other.id(), &circuits(&other)).unwrap();
        let peer = other.id();
        let told = alice.expect(|event| *event == Event::Connected(peer) || *event == Event::Unreachable(peer)).await;
        assert_eq!(told == Event::Connected(peer), n < MAX_RELAYED_CIRCUITS_PER_PEER, "{n}");
        others.push(other);
    }
}

/// NET-67: nobody waits for ever for a relay that is not there, or that has no reservation.
#[tokio::test]
async fn a_peer_whose_relay_is_gone_is_unreachable() {
    let relay = relay(10, &[TCP]).await;
    let mut alice = Node::with(hidden(11, &[&relay])).await;
    reachable(&mut alice, 1).await;
    let nobody = peer_of(99);
    let unreachable = |event: &Event| *event == Event::Unreachable(peer_of(99));
    alice.net.connect(nobody, &circuits(&alice)).unwrap();
    alice.expect(unreachable).await;
    let gone = circuits(&alice)[0].replace(&relay.id().to_string(), &peer_of(98).to_string());
    alice.net.connect(nobody, &[gone]).unwrap();
    alice.expect(unreachable).await;
    let own = format!("{}/p2p/{}/p2p-circuit", alice.addrs()[0], alice.id());
    alice.net.connect(nobody, &[own]).unwrap();
    alice.expect(unreachable).await;
}

/// NET-71, NET-72: a node finds out that it can be reached, with the help of one that has dialled it, and one that it
/// has. The connections that this takes end, and move nothing.
#[tokio::test]
async fn two_nodes_tell_each_other_that_they_can_be_reached() {
    for listen in [QUIC, TCP] {
        let first = Node::start(10, &[listen]).await;
        let bootstrap = vec![(first.id(), first.addrs())];
        let mut second = Node::with(NetConfig { bootstrap, serve_relay: true, ..config(11, &[listen]) }).await;
        second.expect_connected(first.id()).await;
        let way = second.net.status().peers[0].addr.clone();
        for node in [&first, &second] {
            let status = node.status(|status| status.reachability == Reachability::Public).await;
            assert_eq!(status.external_addrs, status.listen_addrs);
            assert_eq!(status.nat, Nat::None);
        }
        first.links(second.id(), 1).await;
        second.links(first.id(), 1).await;
        assert_eq!(second.net.status().peers[0].addr, way);
    }
}

/// NET-62, NET-64: a relay offers its service when it has found out that it can be reached, and those who are connected
/// hear of it at once.
#[tokio::test]
async fn a_relay_is_found_when_it_has_become_one() {
    for listen in [QUIC, TCP] {
        let relay = Node::with(NetConfig { serve_relay: true, ..config(10, &[listen]) }).await;
        let bootstrap = vec![(relay.id(), relay.addrs())];
        let mut bob = Node::with(NetConfig { public: Some(false), bootstrap, ..config(11, &[listen]) }).await;
        reachable(&mut bob, 1).await;
        assert_eq!(relay.net.status().reachability, Reachability::Public);
    }
}
