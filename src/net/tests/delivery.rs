use super::*;
use crate::base::limits::{MAX_ENVELOPE, MAX_IN_FLIGHT, MAX_IN_FLIGHT_BYTES};

/// An envelope each way, over one kind of address.
async fn talk(seed: u8, listen: &str) {
    let (mut alice, mut bob) = friends(seed, listen).await;
    for (ticket, size) in [(1, 1), (2, 256), (3, MAX_ENVELOPE)] {
        let bytes = vec![u8::try_from(ticket).unwrap(); size];
        alice.send(bob.id(), ticket, &bytes).unwrap();
        let (from, token, got) = bob.expect_envelope().await;
        assert_eq!((from, got), (alice.id(), bytes));
        bob.net.acknowledge(token);
        assert_eq!(alice.outcome(ticket).await, Event::Acked { peer: bob.id(), ticket });
    }
    bob.send(alice.id(), 9, b"back").unwrap();
    let (from, token, got) = alice.expect_envelope().await;
    assert_eq!((from, got.as_slice()), (bob.id(), &b"back"[..]));
    alice.net.acknowledge(token);
    assert_eq!(bob.outcome(9).await, Event::Acked { peer: alice.id(), ticket: 9 });

    let status = alice.net.status();
    assert_eq!(status.peers.iter().map(|there| there.peer_id).collect::<Vec<_>>(), [bob.id()]);
    let way = if listen.contains("quic") { "/quic-v1" } else { "/tcp/" };
    assert!(status.peers[0].addr.contains(way) && status.peers[0].direct, "{status:?}");
}

/// NET-1
#[tokio::test]
async fn two_nodes_talk_over_tcp() {
    talk(1, TCP).await;
}

/// NET-1
#[tokio::test]
async fn two_nodes_talk_over_quic() {
    talk(1, QUIC).await;
}

/// NET-1
#[tokio::test]
async fn two_nodes_talk_over_ipv6() {
    talk(1, "/ip6/::1/tcp/0").await;
    talk(1, "/ip6/::1/udp/0/quic-v1").await;
}

/// NET-16: the node may answer in any order, the outcomes come in the order of sending.
#[tokio::test]
async fn answers_may_come_out_of_order_and_a_refusal_has_its_place() {
    let (mut alice, mut bob) = friends(1, QUIC).await;
    for ticket in 1..=4 {
        alice.send(bob.id(), ticket, b"x").unwrap();
    }
    let mut tokens = Vec::new();
    for _ in 1..=4 {
        tokens.push(bob.expect_envelope().await.1);
    }
    bob.net.acknowledge(tokens[3]);
    bob.net.refuse(tokens[1], RefuseReason::PrekeyUnknown);
    bob.net.acknowledge(tokens[2]);
    bob.net.acknowledge(tokens[0]);
    let is_outcome = |event: &Event| matches!(event, Event::Acked { .. } | Event::Refused { .. });
    let peer = bob.id();
    for expected in [
        Event::Acked { peer, ticket: 1 },
        Event::Refused { peer, ticket: 2, reason: RefuseReason::PrekeyUnknown },
        Event::Acked { peer, ticket: 3 },
        Event::Acked { peer, ticket: 4 },
    ] {
        assert_eq!(alice.expect(is_outcome).await, expected);
    }
}

#[tokio::test]
async fn every_reason_arrives_as_it_was_given() {
    let (mut alice, mut bob) = friends(1, QUIC).await;
    for (ticket, reason) in [
        RefuseReason::Unsupported,
        RefuseReason::Malformed,
        RefuseReason::PrekeyUnknown,
        RefuseReason::SessionUnknown,
        RefuseReason::TooMany,
        RefuseReason::Unavailable,
    ]
    .into_iter()
    .enumerate()
    {
        let ticket = ticket as u64;
        alice.send(bob.id(), ticket, b"x").unwrap();
        let (_, token, _) = bob.expect_envelope().await;
        bob.net.refuse(token, reason);
        assert_eq!(alice.outcome(ticket).await, Event::Refused { peer: bob.id(), ticket, reason });
    }
}

/// NET-17: each ticket that was taken has exactly one outcome, whatever breaks.
#[tokio::test]
async fn what_is_unanswered_when_the_connection_ends_is_lost_once_and_can_be_sent_again() {
    for listen in [TCP, QUIC] {
        let (mut alice, mut bob) = friends(1, listen).await;
        for ticket in 1..=100 {
            alice.send(bob.id(), ticket, &[7; 1000]).unwrap();
        }
        let (_, first, _) = bob.expect_envelope().await;
        bob.net.acknowledge(first);
        assert_eq!(alice.outcome(1).await, Event::Acked { peer: bob.id(), ticket: 1 });
        bob.net.shutdown().await;
        for ticket in 2..=100 {
            assert_eq!(alice.outcome(ticket).await, Event::Lost { peer: bob.id(), ticket });
        }
        alice.expect(|event| *event == Event::Disconnected(peer_of(2))).await;
        assert_eq!(alice.send(bob.id(), 101, b"x"), Err(SendError::NotConnected));
        assert_eq!(alice.net.status().peers, []);
        let again = |event: &Event| matches!(event, Event::Lost { .. } | Event::Acked { .. });
        assert!(!alice.heard.iter().any(again), "{:?}", alice.heard);

        // The same peer comes back, and the whole window is free again.
        let mut bob = Node::start(2, &[listen]).await;
        bob.befriend(alice.id());
        connect(&mut alice, &mut bob).await;
        for ticket in 0..MAX_IN_FLIGHT as u64 {
            alice.send(bob.id(), 1_000 + ticket, b"again").unwrap();
        }
        for ticket in 0..MAX_IN_FLIGHT as u64 {
            let (_, token, bytes) = bob.expect_envelope().await;
            assert_eq!(bytes, b"again");
            bob.net.acknowledge(token);
            assert_eq!(alice.outcome(1_000 + ticket).await, Event::Acked { peer: bob.id(), ticket: 1_000 + ticket });
        }
    }
}

#[tokio::test]
async fn a_token_of_a_stream_that_has_ended_is_ignored() {
    let (alice, mut bob) = friends(1, QUIC).await;
    alice.send(bob.id(), 1, b"x").unwrap();
    let (_, token, _) = bob.expect_envelope().await;
    alice.net.shutdown().await;
    bob.expect(|event| matches!(event, Event::Disconnected(_))).await;
    bob.net.acknowledge(token);
    bob.net.refuse(FrameToken { stream: 999, frame: 1 }, RefuseReason::Malformed);
}

/// NET-18: a receiver whose lane is full is not sent more than the window, and loses nothing.
#[tokio::test]
async fn a_full_lane_stalls_the_sender_within_the_window() {
    for listen in [TCP, QUIC] {
        let (mut alice, mut bob) = (Node::start(1, &[listen]).await, Node::with_lanes(2, &[listen], 4, 4).await);
        alice.befriend(bob.id());
        bob.befriend(alice.id());
        connect(&mut alice, &mut bob).await;
        // By bytes: large envelopes fill the window long before their number does.
        let large = vec![7; 60_000];
        let fit = MAX_IN_FLIGHT_BYTES / large.len();
        for ticket in 0..fit as u64 {
            alice.send(bob.id(), ticket, &large).unwrap();
        }
        assert_eq!(alice.send(bob.id(), 9_999, &large), Err(SendError::Full));
        for ticket in 0..fit as u64 {
            let (_, token, bytes) = bob.expect_envelope().await;
            assert_eq!(bytes.len(), large.len());
            bob.net.acknowledge(token);
            alice.outcome(ticket).await;
        }
        // By number.
        for ticket in 0..MAX_IN_FLIGHT as u64 {
            alice.send(bob.id(), ticket, b"x").unwrap();
        }
        assert_eq!(alice.send(bob.id(), 9_999, b"x"), Err(SendError::Full));
        for ticket in 0..MAX_IN_FLIGHT as u64 {
            let (_, token, _) = bob.expect_envelope().await;
            bob.net.acknowledge(token);
            alice.outcome(ticket).await;
        }
        alice.send(bob.id(), 1, b"x").unwrap();
    }
}

/// A stranger's envelopes go another way than a contact's, from the moment he is one.
#[tokio::test]
async fn the_lane_follows_the_class() {
    let (mut alice, mut bob) = strangers(1, QUIC).await;
    alice.send(bob.id(), 1, b"x").unwrap();
    let event = timeout(GUARD, bob.strangers.recv()).await.unwrap().unwrap();
    let Event::Envelope { token, .. } = event else { panic!("{event:?}") };
    bob.net.acknowledge(token);
    alice.outcome(1).await;
    bob.befriend(alice.id());
    alice.send(bob.id(), 2, b"x").unwrap();
    loop {
        let event = timeout(GUARD, bob.contacts.recv()).await.unwrap().unwrap();
        if matches!(event, Event::Envelope { .. }) {
            break;
        }
        assert!(matches!(event, Event::Listening(_)), "{event:?}");
    }
}

/// Run by hand: `cargo test --features net --no-default-features frames_per_second -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn frames_per_second() {
    // Below the burst of a contact: more would be refused for a while.
    const FRAMES: u64 = 20_000;
    for listen in [TCP, QUIC] {
        let (alice, mut bob) = friends(1, listen).await;
        let peer = bob.id();
        let begun = tokio::time::Instant::now();
        let bytes: Arc<[u8]> = vec![7; 1024].into();
        let sender = tokio::spawn(async move {
            let mut alice = alice;
            let (mut sent, mut acked) = (0, 0);
            while acked < FRAMES {
                while sent < FRAMES && alice.net.send_envelope(peer, sent, Arc::clone(&bytes)).is_ok() {
                    sent += 1;
                }
                match alice.contacts.recv().await.unwrap() {
                    Event::Acked { .. } => acked += 1,
                    Event::Lost { .. } | Event::Refused { .. } => panic!("not taken"),
                    _ => {}
                }
            }
            alice
        });
        for _ in 0..FRAMES {
            let token = loop {
                if let Event::Envelope { token, .. } = bob.contacts.recv().await.unwrap() {
                    break token;
                }
            };
            bob.net.acknowledge(token);
        }
        let _alice = sender.await.unwrap();
        println!("{listen}: {:.0} acknowledged 1 KiB frames/s", FRAMES as f64 / begun.elapsed().as_secs_f64());
    }
}
