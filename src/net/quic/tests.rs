//! Two transports on loopback, and libp2p's own as a peer of another implementation.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::core::muxing::{StreamMuxerBox, StreamMuxerExt};
use libp2p::core::transport::{Boxed, DialOpts, ListenerId, PortUse, Transport as _, TransportEvent};
use libp2p::core::{Endpoint, Multiaddr};
use libp2p::identity::Keypair;
use libp2p::{PeerId, quic};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::handshakes::Entrances;
use super::*;

const GUARD: std::time::Duration = std::time::Duration::from_secs(30);
const REUSE: DialOpts = DialOpts { role: Endpoint::Dialer, port_use: PortUse::Reuse };

type Boxes = Boxed<(PeerId, StreamMuxerBox)>;

/// A transport, and whose.
fn ours() -> (Boxes, PeerId) {
    let keypair = Keypair::generate_ed25519();
    let transport = Transport::new(&keypair, Entrances::default()).unwrap();
    (transport.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer))).boxed(), keypair.public().to_peer_id())
}

/// libp2p's.
fn theirs() -> (Boxes, PeerId) {
    let keypair = Keypair::generate_ed25519();
    let transport = quic::tokio::Transport::new(quic::Config::new(&keypair));
    (transport.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer))).boxed(), keypair.public().to_peer_id())
}

/// Listens, and gives the first address that is named.
async fn listen(transport: &mut Boxes, addr: &str) -> (ListenerId, Multiaddr) {
    let id = ListenerId::next();
    transport.listen_on(id, addr.parse().unwrap()).unwrap();
    match timeout(GUARD, transport.next()).await.unwrap().unwrap() {
        TransportEvent::NewAddress { listener_id, listen_addr } if listener_id == id => (id, listen_addr),
        other => panic!("{other:?}"),
    }
}

/// The other end of the next connection: who it is, and from where.
async fn accept(transport: &mut Boxes) -> (PeerId, StreamMuxerBox, Multiaddr) {
    loop {
        if let TransportEvent::Incoming { upgrade, send_back_addr, .. } = transport.next().await.unwrap() {
            let (peer, muxer) = upgrade.await.unwrap();
            return (peer, muxer, send_back_addr);
        }
    }
}

/// Both ends of a connection.
async fn connect(
    dialler: &mut Boxes,
    listener: &mut Boxes,
    addr: &Multiaddr,
) -> ((PeerId, StreamMuxerBox), (PeerId, StreamMuxerBox, Multiaddr)) {
    let dial = dialler.dial(addr.clone(), REUSE).unwrap();
    // Whoever listens has to be asked, or he is told nothing.
    let both = async { tokio::join!(dial, accept(listener)) };
    let (dialled, accepted) = timeout(GUARD, both).await.unwrap();
    (dialled.unwrap(), accepted)
}

/// Echoes one stream.
async fn echo(mut muxer: StreamMuxerBox, done: mpsc::Sender<()>) {
    let mut stream = poll_fn(|cx| muxer.poll_inbound_unpin(cx)).await.unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    stream.write_all(&said).await.unwrap();
    stream.close().await.unwrap();
    stream.close().await.expect("twice is once");
    let _ = done.send(()).await;
    // Until the other side says goodbye.
    assert!(poll_fn(|cx| muxer.poll_inbound_unpin(cx)).await.is_err());
}

/// Ours and libp2p's talk, whoever dials: who they are comes out, streams carry, halves close, and a goodbye is heard.
#[tokio::test]
async fn we_talk_with_libp2ps_own() {
    for (mut dialler, mut listener) in [(ours(), theirs()), (theirs(), ours()), (ours(), ours())] {
        let (_, addr) = listen(&mut listener.0, "/ip4/127.0.0.1/udp/0/quic-v1").await;
        let ((peer, mut muxer), (from, far, _)) = connect(&mut dialler.0, &mut listener.0, &addr).await;
        assert_eq!((peer, from), (listener.1, dialler.1));
        let (done, mut heard) = mpsc::channel(1);
        let far = tokio::spawn(echo(far, done));
        let mut stream = poll_fn(|cx| muxer.poll_outbound_unpin(cx)).await.unwrap();
        let text = vec![7; 1 << 20];
        stream.write_all(&text).await.unwrap();
        stream.close().await.unwrap();
        let mut back = Vec::new();
        stream.read_to_end(&mut back).await.unwrap();
        assert!(back == text);
        heard.recv().await.unwrap();
        poll_fn(|cx| muxer.poll_close_unpin(cx)).await.unwrap();
        timeout(GUARD, far).await.unwrap().unwrap();
    }
}

/// Whatever ends a connection, a task that is cut off, say, ends what is read from it, and the other side hears of it: a stream that
/// somebody still holds does not keep it.
#[tokio::test]
async fn a_connection_ends_with_its_owner() {
    let (mut dialler, mut listener) = (ours(), ours());
    let (_, addr) = listen(&mut listener.0, "/ip4/127.0.0.1/udp/0/quic-v1").await;
    let ((_, mut near), (_, mut far, _)) = connect(&mut dialler.0, &mut listener.0, &addr).await;
    let mut said = poll_fn(|cx| near.poll_outbound_unpin(cx)).await.unwrap();
    said.write_all(b"still").await.unwrap();
    let mut heard = poll_fn(|cx| far.poll_inbound_unpin(cx)).await.unwrap();
    drop(far);
    assert!(timeout(GUARD, heard.read_to_end(&mut Vec::new())).await.unwrap().is_err());
    assert!(timeout(GUARD, poll_fn(|cx| near.poll_inbound_unpin(cx))).await.unwrap().is_err());
    assert!(timeout(GUARD, said.read_to_end(&mut Vec::new())).await.unwrap().is_err());
}

/// NET-92: when those who have shown nothing hold all of their places, whoever comes shows that he is there, and no place is
/// taken for the question.
#[tokio::test]
async fn a_retry_is_answered_by_everybody_and_costs_no_place() {
    for (mut dialler, _) in [ours(), theirs()] {
        let (keypair, entrances) = (Keypair::generate_ed25519(), Entrances::default());
        let transport = Transport::new(&keypair, entrances.clone()).unwrap();
        let mut listener = transport.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer))).boxed();
        let (_, addr) = listen(&mut listener, "/ip4/127.0.0.1/udp/0/quic-v1").await;
        let full: Vec<_> = std::iter::from_fn(|| entrances.unproved.spare(&addr, &addr)).collect();
        assert_eq!(full.len(), 8);
        let dial = dialler.dial(addr, REUSE).unwrap();
        let dialled = tokio::spawn(dial);
        let upgrade = loop {
            if let TransportEvent::Incoming { upgrade, .. } = timeout(GUARD, listener.next()).await.unwrap().unwrap() {
                break upgrade;
            }
        };
        // The one that came is the one who has shown where he is.
        entrances.quic.until(1).await;
        entrances.unproved.until(8).await;
        upgrade.await.unwrap();
        let (peer, _) = timeout(GUARD, dialled).await.unwrap().unwrap().unwrap();
        assert_eq!(peer, keypair.public().to_peer_id());
        entrances.quic.until(0).await;
    }
}

/// Trap 4: the port from which we dial is the one at which we listen, unless a new one is wanted; it is another only as long as
/// we listen nowhere.
#[tokio::test]
async fn dials_leave_by_the_port_at_which_we_listen() {
    let ((mut dialler, _), (mut far, _)) = (ours(), ours());
    let (_, addr) = listen(&mut far, "/ip4/127.0.0.1/udp/0/quic-v1").await;
    let (_first, (.., before)) = connect(&mut dialler, &mut far, &addr).await;
    let (_second, (.., again)) = connect(&mut dialler, &mut far, &addr).await;
    assert_eq!(before, again);
    let (id, own) = listen(&mut dialler, "/ip4/0.0.0.0/udp/0/quic-v1").await;
    let port = |addr: &Multiaddr| address::socket(addr).map(|socket: SocketAddr| socket.port());
    let (_third, (.., from)) = connect(&mut dialler, &mut far, &addr).await;
    assert_eq!(port(&from), port(&own));
    let opts = DialOpts { port_use: PortUse::New, ..REUSE };
    let dial = dialler.dial(addr.clone(), opts).unwrap();
    let (dialled, (.., other)) = timeout(GUARD, async { tokio::join!(dial, accept(&mut far)) }).await.unwrap();
    dialled.unwrap();
    assert!(port(&other) != port(&own));
    assert!(dialler.remove_listener(id) && !dialler.remove_listener(id));
    let (_last, (.., after)) = connect(&mut dialler, &mut far, &addr).await;
    assert!(port(&after) != port(&own));
}

/// Trap 4: of several ports it is always the same one, whatever comes in meanwhile, or who sees us would take us for one behind a
/// router that changes ports.
#[tokio::test]
async fn dials_leave_by_the_same_of_several_ports() {
    let ((mut node, _), (mut far, _)) = (ours(), ours());
    let mut doors = Vec::new();
    for _ in 0..3 {
        doors.push(listen(&mut node, "/ip4/127.0.0.1/udp/0/quic-v1").await.1);
    }
    let (_, to_far) = listen(&mut far, "/ip4/127.0.0.1/udp/0/quic-v1").await;
    for door in [&doors[0], &doors[1], &doors[2], &doors[0]] {
        let (_out, (.., from)) = connect(&mut node, &mut far, &to_far).await;
        assert_eq!(from, doors[0]);
        let (_in, _) = connect(&mut far, &mut node, door).await;
    }
}

/// Both sides dial at once, one of them in the role of the listener, as for a hole (DCUtR): two connections stand.
#[tokio::test]
async fn two_who_dial_at_once_have_two_connections() {
    let ((mut alice, a), (mut bob, b)) = (ours(), ours());
    let (_, to_alice) = listen(&mut alice, "/ip4/127.0.0.1/udp/0/quic-v1").await;
    let (_, to_bob) = listen(&mut bob, "/ip4/127.0.0.1/udp/0/quic-v1").await;
    let by_alice = alice.dial(to_bob.clone(), REUSE).unwrap();
    let by_bob = bob.dial(to_alice.clone(), DialOpts { role: Endpoint::Listener, ..REUSE }).unwrap();
    let all = async { tokio::join!(by_alice, by_bob, accept(&mut alice), accept(&mut bob)) };
    let (by_alice, by_bob, at_alice, at_bob) = timeout(GUARD, all).await.unwrap();
    assert_eq!((by_alice.unwrap().0, by_bob.unwrap().0, at_alice.0, at_bob.0), (b, a, b, a));
    assert_eq!((at_alice.2, at_bob.2), (to_bob, to_alice));
}

/// A listener names its addresses and says when it is over, IPv4 and IPv6 share a port, and one that ends is told.
#[tokio::test]
async fn listeners_come_and_go() {
    let (mut transport, _) = ours();
    let (first, addr) = listen(&mut transport, "/ip4/0.0.0.0/udp/0/quic-v1").await;
    let socket = address::socket(&addr).unwrap();
    assert!(!socket.ip().is_unspecified() && socket.port() != 0);
    assert!(transport.listen_on(ListenerId::next(), addr).is_err(), "it is taken");
    // Not every machine has IPv6.
    if std::net::UdpSocket::bind("[::1]:0").is_ok() {
        let same_port = format!("/ip6/::/udp/{}/quic-v1", socket.port()).parse().unwrap();
        transport.listen_on(ListenerId::next(), same_port).unwrap();
        let named = |event: &TransportEvent<_, _>| match event {
            TransportEvent::NewAddress { listen_addr, .. } => address::socket(listen_addr).unwrap().is_ipv6(),
            _ => false,
        };
        while !named(&timeout(GUARD, transport.next()).await.unwrap().unwrap()) {}
    }
    assert!(transport.remove_listener(first));
    loop {
        let event = timeout(GUARD, poll_fn(|cx| Pin::new(&mut transport).poll(cx))).await.unwrap();
        if let TransportEvent::ListenerClosed { listener_id, reason } = event {
            assert_eq!(listener_id, first);
            reason.unwrap();
            break;
        }
    }
    for bad in ["/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/0.0.0.0/udp/9/quic-v1", "/ip4/127.0.0.1/tcp/9"] {
        assert!(transport.dial(bad.parse().unwrap(), REUSE).is_err(), "{bad}");
    }
}
