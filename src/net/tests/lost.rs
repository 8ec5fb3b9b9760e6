//! Connections that end without a word.

use tokio::runtime::Runtime;

use super::*;

/// A node that can be killed: nothing of it says goodbye.
struct Mortal {
    runtime: Runtime,
    id: PeerId,
    addrs: Vec<String>,
}

impl Mortal {
    /// Starts it elsewhere; it dials this node, and takes whatever it is sent.
    async fn start(config: NetConfig, dials: &Node) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (friend, addrs) = (dials.id(), dials.addrs());
        let (ready, started) = oneshot::channel();
        runtime.spawn(async move {
            let mut node = Node::with(config).await;
            node.befriend(friend);
            node.net.connect(friend, &addrs).unwrap();
            ready.send((node.id(), node.addrs())).unwrap();
            loop {
                let (_, token, _) = node.expect_envelope().await;
                node.net.acknowledge(token);
            }
        });
        let (id, addrs) = started.await.unwrap();
        Self { runtime, id, addrs }
    }

    /// When this returns, nothing of it runs any more.
    fn kill(self) {
        std::thread::spawn(move || self.runtime.shutdown_timeout(GUARD)).join().unwrap();
    }
}

/// NET-81: over QUIC nothing tells of a peer who was killed. What is sent to him is lost, not stuck, and when he is
/// back there is one connection.
#[tokio::test]
async fn a_killed_peer_is_noticed() {
    for listen in [QUIC, TCP] {
        let mut alice = Node::start(1, &[listen]).await;
        let bob = Mortal::start(config(2, &[listen]), &alice).await;
        let (id, addrs) = (bob.id, bob.addrs.clone());
        alice.befriend(id);
        alice.expect_connected(id).await;
        alice.send(id, 1, b"alive").unwrap();
        assert_eq!(alice.outcome(1).await, Event::Acked { peer: id, ticket: 1 });
        bob.kill();
        alice.send(id, 2, b"dead").unwrap();
        assert_eq!(alice.outcome(2).await, Event::Lost { peer: id, ticket: 2 });
        alice.expect(|event| *event == Event::Disconnected(id)).await;

        let bob = Mortal::start(config(2, &[&addrs[0]]), &alice).await;
        alice.expect_connected(id).await;
        bob.kill();
        // Back before anybody has noticed.
        let bob = Mortal::start(config(2, &[listen]), &alice).await;
        alice.links(id, 1).await;
        let mut ticket = 3;
        while alice.send(id, ticket, b"again").is_err() || !matches!(alice.outcome(ticket).await, Event::Acked { .. }) {
            ticket += 1;
            tokio::task::yield_now().await;
        }
        alice.links(id, 1).await;
        bob.kill();
    }
}

/// NET-80: a peer whom the user has named is found again when he is back, though nobody asks for him.
#[tokio::test]
async fn a_named_peer_is_dialled_again_when_he_is_back() {
    let hub = Node::start(1, &[TCP]).await;
    let (id, addrs) = (hub.id(), hub.addrs());
    let bootstrap = vec![(id, addrs.clone())];
    let mut leaf = Node::with(NetConfig { bootstrap, ..config(2, &[TCP]) }).await;
    leaf.expect_connected(id).await;
    hub.net.shutdown().await;
    drop(hub);
    leaf.expect(|event| *event == Event::Disconnected(id)).await;
    let mut hub = Node::start(1, &[&addrs[0]]).await;
    leaf.expect_connected(id).await;
    hub.expect_connected(leaf.id()).await;
}
