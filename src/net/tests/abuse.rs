use std::collections::HashSet;

use futures::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::base::limits::{MAX_ENVELOPE, MAX_ENVELOPE_STREAMS};
use crate::envelope::frame::{Frame, decode, put_envelope, put_hello};

/// Above its bound of memory a node makes and takes no connection, and others hear of it.
#[tokio::test]
async fn without_memory_nobody_is_dialled_nor_taken() {
    let mut full = Node::with(NetConfig { max_memory: 1, ..config(1, &[TCP]) }).await;
    let mut other = Node::start(2, &[TCP]).await;
    full.net.connect(other.id(), &other.addrs()).unwrap();
    full.expect(|event| *event == Event::Unreachable(other.id())).await;
    other.net.connect(full.id(), &full.addrs()).unwrap();
    other.expect(|event| *event == Event::Unreachable(full.id())).await;
}

/// Reads to the end of the stream, however it ends: the frames that came.
async fn rest(stream: &mut Stream) -> Vec<Frame> {
    let (mut bytes, mut frames) = (Vec::new(), Vec::new());
    // A reset is an end, too.
    let _ = timeout(GUARD, stream.read_to_end(&mut bytes)).await.expect("the stream does not end");
    let mut rest = bytes.as_slice();
    while let Some((frame, used)) = decode(rest).unwrap() {
        frames.push(frame);
        rest = &rest[used..];
    }
    frames
}

async fn say(stream: &mut Stream, put: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = Vec::new();
    put(&mut bytes);
    stream.write_all(&bytes).await.unwrap();
    stream.flush().await.unwrap();
}

/// NET-8, NET-9: over real streams of both kinds. The connection lives on.
#[tokio::test]
async fn garbage_and_oversized_frames_close_the_stream_only() {
    for listen in [TCP, QUIC] {
        let mut node = Node::start(1, &[listen]).await;
        let raw = Raw::connect(2, &node).await;
        node.expect_connected(peer_of(2)).await;
        let garbage: [&[u8]; 4] = [
            b"GET / HTTP/1.1\r\n\r\n................",
            &[0xff; 64],
            // An envelope of one byte too many, with the beginning of its body.
            &[&[2, 0, 0, 0, 0, 0, 0, 0, 1][..], &u32::try_from(MAX_ENVELOPE + 1).unwrap().to_be_bytes(), &[7; 100]]
                .concat(),
            &[2, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff],
        ];
        for bytes in garbage {
            let mut stream = raw.open().await;
            say(&mut stream, put_hello).await;
            say(&mut stream, |out| out.extend_from_slice(bytes)).await;
            rest(&mut stream).await;
        }
        let mut stream = raw.open().await;
        say(&mut stream, |out| put_envelope(out, 1, b"no hello")).await;
        rest(&mut stream).await;

        let mut good = raw.open().await;
        say(&mut good, |out| {
            put_hello(out);
            put_envelope(out, 1, b"good");
        })
        .await;
        let (from, token, bytes) = node.expect_envelope().await;
        assert_eq!((from, bytes.as_slice()), (peer_of(2), &b"good"[..]));
        node.net.acknowledge(token);
        good.close().await.unwrap();
        assert_eq!(rest(&mut good).await, [Frame::Hello { version: 1 }, Frame::Ack { upto: 1 }]);
        assert!(!node.heard.iter().any(|event| matches!(event, Event::Envelope { .. })), "{:?}", node.heard);
    }
}

/// NET-20, end to end: the excess of a stranger is refused, and told as such to his node.
#[tokio::test]
async fn a_strangers_excess_is_refused() {
    let (mut alice, mut bob) = strangers(1, QUIC).await;
    let burst = 60;
    for ticket in 1..=burst + 40 {
        alice.send(bob.id(), ticket, b"x").unwrap();
    }
    for ticket in 1..=burst {
        let (_, token, _) = bob.expect_envelope().await;
        bob.net.acknowledge(token);
        assert_eq!(alice.outcome(ticket).await, Event::Acked { peer: bob.id(), ticket });
    }
    let refused = alice.expect(|event| matches!(event, Event::Refused { .. })).await;
    assert!(matches!(refused, Event::Refused { reason: RefuseReason::TooMany, ticket, .. } if ticket > burst));
}

/// NET-22.
#[tokio::test]
async fn streams_of_one_connection_are_bounded() {
    let mut node = Node::start(1, &[QUIC]).await;
    let raw = Raw::connect(2, &node).await;
    node.expect_connected(peer_of(2)).await;
    let mut open = Vec::new();
    for seq in 0..MAX_ENVELOPE_STREAMS {
        let mut stream = raw.open().await;
        say(&mut stream, |out| {
            put_hello(out);
            put_envelope(out, 1, &[u8::try_from(seq).unwrap() + 1]);
        })
        .await;
        let (_, token, _) = node.expect_envelope().await;
        node.net.acknowledge(token);
        open.push(stream);
    }
    let mut one_more = raw.open().await;
    // It may be reset before or while this is said.
    let _ = one_more.write_all(&[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]).await;
    assert_eq!(rest(&mut one_more).await, []);
    // A place that is given back can be taken again.
    drop(open.pop());
    loop {
        let mut again = raw.open().await;
        let mut bytes = Vec::new();
        put_hello(&mut bytes);
        put_envelope(&mut bytes, 1, b"again");
        let _ = again.write_all(&bytes).await;
        let _ = again.flush().await;
        let mut first = [0];
        if again.read_exact(&mut first).await.is_ok() {
            break;
        }
    }
    assert_eq!(node.expect_envelope().await.2, b"again");
}

/// NET-4, on the wire: the connections of one peer are bounded, and the node serves the others.
#[tokio::test]
async fn connections_of_one_peer_are_bounded() {
    let mut node = Node::start(1, &[TCP]).await;
    let mut raws = Vec::new();
    for _ in 0..8 {
        raws.push(Raw::connect(2, &node).await);
    }
    node.links(peer_of(2), 8).await;
    // The dialling side sees it made, and closed at once.
    let denied = Raw::connect(2, &node).await;
    let (reply, stream) = oneshot::channel();
    denied.opens.send(reply).await.unwrap();
    if let Ok(mut stream) = timeout(GUARD, stream).await.unwrap() {
        let _ = stream.write_all(&[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]).await;
        assert_eq!(rest(&mut stream).await, []);
    }
    let mut other = Node::start(3, &[TCP]).await;
    connect(&mut other, &mut node).await;
}

/// NET-17: a peer who takes the stream and breaks it, again and again, costs one outcome each.
#[tokio::test]
async fn a_peer_who_breaks_every_stream_loses_no_ticket() {
    let mut node = Node::start(1, &[TCP]).await;
    let mut raw = Raw::connect(2, &node).await;
    node.expect_connected(peer_of(2)).await;
    for ticket in 1..=20 {
        node.send(peer_of(2), ticket, b"x").unwrap();
        drop(timeout(GUARD, raw.inbound.recv()).await.unwrap());
        assert_eq!(node.outcome(ticket).await, Event::Lost { peer: peer_of(2), ticket });
    }
}

/// NET-90, on the wire: of three strangers the one who has nothing under way, and has been silent longest, makes room.
#[tokio::test]
async fn an_idle_stranger_makes_room_and_a_busy_one_does_not() {
    let mut node = Node::with(NetConfig { strangers: Some(3), ..config(1, &[TCP]) }).await;
    let busy = Raw::connect(2, &node).await;
    node.expect_connected(peer_of(2)).await;
    let mut stream = busy.open().await;
    say(&mut stream, |out| {
        put_hello(out);
        put_envelope(out, 1, b"not answered yet");
    })
    .await;
    let (_, token, _) = node.expect_envelope().await;
    let mut idle = Vec::new();
    for seed in [3, 4] {
        idle.push(Raw::connect(seed, &node).await);
        node.expect_connected(peer_of(seed)).await;
    }
    // It dials again and again.
    let bootstrap = vec![(node.id(), node.addrs())];
    let newcomer = Node::with(NetConfig { bootstrap, ..config(5, &[TCP]) }).await;
    node.expect_connected(newcomer.id()).await;
    node.expect(|event| *event == Event::Disconnected(peer_of(3))).await;
    let there: HashSet<_> = node.net.status().peers.iter().map(|there| there.peer_id).collect();
    assert_eq!(there, HashSet::from([peer_of(2), peer_of(4), newcomer.id()]));
    node.net.acknowledge(token);
    stream.close().await.unwrap();
    assert_eq!(rest(&mut stream).await, [Frame::Hello { version: 1 }, Frame::Ack { upto: 1 }]);
}
