use super::*;
use crate::base::limits::{DOUBLE_GRACE, MAX_IN_FLIGHT};

/// Answers what comes and waits for the outcomes of these tickets: all are acknowledged.
async fn settle(alice: &mut Node, bob: &mut Node, tickets: u64) {
    for _ in 0..tickets {
        let (_, token, _) = bob.expect_envelope().await;
        bob.net.acknowledge(token);
    }
    for ticket in 1..=tickets {
        assert_eq!(alice.outcome(ticket).await, Event::Acked { peer: bob.id(), ticket });
    }
}

/// Both dial at once, on all transports they have; nothing that is sent at once is lost.
#[tokio::test]
async fn crossing_dials_end_in_one_connection() {
    for listen in [&[TCP][..], &[QUIC], &[TCP, QUIC]] {
        let (mut alice, mut bob) = (Node::start(1, listen).await, Node::start(2, listen).await);
        alice.befriend(bob.id());
        bob.befriend(alice.id());
        alice.net.connect(bob.id(), &bob.addrs()).unwrap();
        bob.net.connect(alice.id(), &alice.addrs()).unwrap();
        alice.expect_connected(bob.id()).await;
        for ticket in 1..=50 {
            alice.send(bob.id(), ticket, b"from alice").unwrap();
        }
        bob.expect_connected(alice.id()).await;
        for ticket in 1..=50 {
            bob.send(alice.id(), ticket, b"from bob").unwrap();
        }
        settle(&mut alice, &mut bob, 50).await;
        settle(&mut bob, &mut alice, 50).await;
        alice.links(bob.id(), 1).await;
        bob.links(alice.id(), 1).await;
        let told = |node: &Node| node.heard.iter().any(|event| matches!(event, Event::Connected(_)));
        assert!(!told(&alice) && !told(&bob), "connected is told once");
    }
}

/// A double on purpose, dialled by either side, while the window is full: it ends in one connection, and
/// nothing is lost (NET-40 to NET-42).
#[tokio::test]
async fn a_double_moves_what_is_sent_and_loses_nothing() {
    for listen in [TCP, QUIC] {
        for alice_dials_again in [false, true] {
            let (mut alice, mut bob) = friends(1, listen).await;
            for ticket in 1..=MAX_IN_FLIGHT as u64 {
                alice.send(bob.id(), ticket, b"x").unwrap();
            }
            let (dialler, dialled) = if alice_dials_again { (&alice, &bob) } else { (&bob, &alice) };
            dialler.net.dial_again(dialled.id(), &dialled.addrs()[0]);
            alice.links(bob.id(), 2).await;
            bob.links(alice.id(), 2).await;
            settle(&mut alice, &mut bob, MAX_IN_FLIGHT as u64).await;
            alice.links(bob.id(), 1).await;
            bob.links(alice.id(), 1).await;
            alice.send(bob.id(), 1, b"after").unwrap();
            settle(&mut alice, &mut bob, 1).await;
            let ended = |event: &Event| matches!(event, Event::Disconnected(_));
            assert!(!alice.heard.iter().chain(&bob.heard).any(ended));
        }
    }
}

/// NET-41: a double that is slow and busy is left to end; what was on its way there comes once.
#[tokio::test]
async fn a_double_on_a_slow_line_is_left_to_end() {
    const COUNT: u64 = 5;
    for listen in [TCP, QUIC] {
        for (first, second) in [(1, 2), (2, 1)] {
            let (mut alice, mut bob) = (Node::start(first, &[listen]).await, Node::start(second, &[listen]).await);
            alice.befriend(bob.id());
            bob.befriend(alice.id());
            connect(&mut alice, &mut bob).await;
            for ticket in 1..=COUNT {
                alice.send(bob.id(), ticket, b"x").unwrap();
            }
            let mut tokens = Vec::new();
            for _ in 0..COUNT {
                tokens.push(bob.expect_envelope().await.1);
            }
            alice.net.dial_again(bob.id(), &bob.addrs()[0]);
            alice.links(bob.id(), 2).await;
            bob.links(alice.id(), 2).await;
            for (ticket, token) in (1..=COUNT).zip(tokens) {
                // Some seconds pass in which nothing is answered there. (One at a time: signs of life have to come meanwhile.)
                for _ in 0..DOUBLE_GRACE.0 / 1000 - 3 {
                    tokio::time::pause();
                    tokio::time::advance(Duration::from_secs(1)).await;
                    tokio::time::resume();
                    bob.send(alice.id(), 1, b"by the other").unwrap();
                    settle(&mut bob, &mut alice, 1).await;
                }
                bob.net.acknowledge(token);
                assert_eq!(alice.outcome(ticket).await, Event::Acked { peer: bob.id(), ticket });
            }
            alice.links(bob.id(), 1).await;
            bob.links(alice.id(), 1).await;
            alice.send(bob.id(), 1, b"after").unwrap();
            settle(&mut alice, &mut bob, 1).await;
            assert!(bob.heard.iter().all(|event| !matches!(event, Event::Envelope { .. })), "nothing came twice");
        }
    }
}

/// NET-43.
#[tokio::test]
async fn connecting_again_changes_nothing_and_oneself_is_not_dialled() {
    let (alice, bob) = friends(1, QUIC).await;
    for _ in 0..10 {
        alice.net.connect(bob.id(), &bob.addrs()).unwrap();
        bob.net.connect(alice.id(), &alice.addrs()).unwrap();
    }
    // Answered by the swarm task after the commands before.
    alice.net.fetch_bundle(bob.id(), 1, false).unwrap();
    alice.links(bob.id(), 1).await;
    assert_eq!(alice.net.connect(alice.id(), &alice.addrs()), Err(SendError::Oneself));
}
