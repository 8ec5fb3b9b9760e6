//! Peers who list the DHT and refuse every stream of it.

use super::cards::{fetched, requested};
use super::*;
use crate::envelope::directory::PROTOCOL;

/// What he says by identify: his key, an address, and the DHT.
fn lists_the_dht(seed: u8) -> Vec<u8> {
    let (keypair, _) = identity(&config(seed, &[])).unwrap();
    let addr: libp2p::Multiaddr = "/ip4/127.0.0.1/tcp/9".parse().unwrap();
    let mut message = Vec::new();
    for (number, value) in
        [(1, keypair.public().encode_protobuf()), (2, addr.to_vec()), (3, PROTOCOL.as_bytes().to_vec())]
    {
        message.extend([number << 3 | 2, u8::try_from(value.len()).unwrap()]);
        message.extend(value);
    }
    message.insert(0, u8::try_from(message.len()).unwrap());
    message
}

/// He has told the node so, and is there as long as this is.
async fn refuser(seed: u8, node: &Node) -> Raw {
    let mut raw = Raw::connect_by(seed, node, "/ipfs/id/1.0.0").await;
    let mut asked = timeout(GUARD, raw.inbound.recv()).await.unwrap().unwrap();
    streams::write(&mut asked, &lists_the_dht(seed)).await.unwrap();
    raw
}

/// NET-3, NET-57: while most of those who may come from one address list the DHT and refuse it, others are answered and shown, and the
/// refusers stay and are counted until they go.
#[tokio::test]
async fn who_refuses_what_he_lists_costs_the_others_nothing() {
    const REFUSERS: u8 = 24;
    let mut node = Node::with(NetConfig { dht_server: Some(true), serve_mailbox: true, ..config(1, &[TCP]) }).await;
    let mut refusers = Vec::new();
    for seed in 100..100 + REFUSERS {
        refusers.push(refuser(seed, &node).await);
    }
    // So many fit into one bucket.
    node.dht(|dht| dht.peers >= 20).await;
    node.net.publish_card(node.id(), dht::card(1, 1));
    node.net.announce_mailbox(true);
    for (ticket, seed) in (1..).zip(10..18) {
        let owner = peer_of(200 + seed);
        node.net.find_card(owner, ticket).unwrap();
        let mut newcomer = Node::start(seed, &[TCP]).await;
        connect(&mut newcomer, &mut node).await;
        newcomer.net.fetch_bundle(node.id(), ticket, true).unwrap();
        let (from, request, _) = requested(&mut node).await;
        assert_eq!(from, newcomer.id());
        node.net.answer_bundle(request, vec![seed], None);
        let card = Event::Bundle { peer: node.id(), ticket, card: vec![seed], prekey: None };
        assert_eq!(fetched(&mut newcomer, ticket).await, card);
        node.status(|status| status.peers.len() == usize::from(REFUSERS) + 1).await;
        let nothing = Event::CardNotFound { peer: owner, ticket, asked: 0 };
        node.expect(|event| *event == nothing).await;
        newcomer.net.shutdown().await;
        node.expect(|event| *event == Event::Disconnected(newcomer.id())).await;
    }
    assert!(!node.heard.iter().any(|event| matches!(event, Event::Disconnected(_))), "{:?}", node.heard);
    drop(refusers);
    for seed in 100..100 + REFUSERS {
        node.expect(|event| *event == Event::Disconnected(peer_of(seed))).await;
    }
    node.status(|status| status.peers.is_empty()).await;
}
