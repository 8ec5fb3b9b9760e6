use futures::StreamExt;
use libp2p::identify;
use libp2p::swarm::SwarmEvent;

use super::*;

async fn fails(listen: &[&str]) -> NetError {
    let (lane, _events) = mpsc::channel(8);
    let lanes = Lanes { contacts: lane.clone(), strangers: lane };
    start(config(1, listen), lanes, Classes::default()).await.expect_err("it must not start")
}

#[tokio::test]
async fn the_real_addresses_are_known_at_once_and_told() {
    let wanted = [TCP, QUIC, "/ip6/::1/tcp/0", "/ip6/::1/udp/0/quic-v1"];
    let mut node = Node::start(1, &wanted).await;
    let addrs = node.addrs();
    assert_eq!(addrs.len(), wanted.len(), "{addrs:?}");
    assert!(addrs.iter().all(|addr| !addr.contains("/0")), "{addrs:?}");
    node.expect(|event| *event == Event::Listening(addrs.clone())).await;
}

#[tokio::test]
async fn without_wishes_it_listens_on_what_the_machine_has() {
    let node = Node::start(1, &[]).await;
    let addrs = node.addrs();
    assert!(addrs.iter().any(|addr| addr.starts_with("/ip4/127.0.0.1/udp/")), "{addrs:?}");
    assert!(addrs.iter().any(|addr| addr.starts_with("/ip4/127.0.0.1/tcp/")), "{addrs:?}");
}

/// TCP too, though libp2p shares listening ports between the processes of one user.
#[tokio::test]
async fn an_address_in_use_is_said_to_be() {
    let node = Node::start(1, &[TCP, QUIC]).await;
    for addr in node.addrs() {
        let error = fails(&[&addr]).await;
        assert!(matches!(&error, NetError::AddressInUse(told) if *told == addr), "{error:?}");
        assert!(!error.hint().is_empty());
    }
    // And free again when the other has stopped.
    let addrs = node.addrs();
    node.net.shutdown().await;
    drop(node);
    let again: Vec<_> = addrs.iter().map(String::as_str).collect();
    assert_eq!(Node::start(1, &again).await.addrs().len(), 2);
}

#[tokio::test]
async fn wrong_addresses_are_refused_with_a_reason() {
    for bad in ["", "127.0.0.1:4001", "/ip4/127.0.0.1", "/dns/localhost/tcp/0", "/ip4/127.0.0.1/tcp/0/ws", "/memory/1"]
    {
        let error = fails(&[bad]).await;
        assert!(matches!(&error, NetError::BadAddress { addr, .. } if addr == bad), "{bad}: {error:?}");
    }
    let long = "é".repeat(5_000);
    assert!(matches!(fails(&[&long]).await, NetError::BadAddress { addr, .. } if addr.len() < 1_000));
    for elsewhere in ["/ip4/192.0.2.1/tcp/0", "/ip4/192.0.2.1/udp/0/quic-v1"] {
        let error = fails(&[elsewhere]).await;
        assert!(matches!(error, NetError::NoSuchAddress(_)), "{error:?}");
    }
}

/// NET-44: whoever told the address, who answers there proves who he is.
#[tokio::test]
async fn an_unreachable_peer_is_told_and_can_be_tried_again() {
    let mut alice = Node::start(1, &[TCP]).await;
    let nobody = peer_of(9);
    let tells = |event: &Event| matches!(event, Event::Unreachable(peer) if *peer == peer_of(9));
    // No address at all; addresses that are none; one where nobody is; one where somebody else is.
    let bob = Node::start(2, &[TCP, QUIC]).await;
    let gone = Node::start(3, &[TCP]).await;
    let closed = gone.addrs();
    gone.net.shutdown().await;
    for addrs in [vec![], vec!["nonsense".to_owned()], closed, bob.addrs(), alice.addrs()] {
        alice.net.connect(nobody, &addrs).unwrap();
        alice.expect(tells).await;
    }
    assert_eq!(alice.net.status().peers, []);
    assert_eq!(alice.send(nobody, 1, b"x"), Err(SendError::NotConnected));
    assert_eq!(alice.net.fetch_bundle(nobody, 1, true), Err(SendError::NotConnected));
}

/// What was seen once need not be told again: a contact is found where he was.
#[tokio::test]
async fn a_peer_is_found_again_where_he_was_seen() {
    // By TCP: a QUIC socket stays until the other side has heard of its end.
    let (mut alice, bob) = friends(1, TCP).await;
    let addrs = bob.addrs();
    bob.net.shutdown().await;
    drop(bob);
    alice.expect(|event| matches!(event, Event::Disconnected(_))).await;
    let mut bob = Node::start(2, &[&addrs[0]]).await;
    alice.net.connect(bob.id(), &[]).unwrap();
    alice.expect_connected(bob.id()).await;
    bob.expect_connected(alice.id()).await;
}

#[tokio::test]
async fn a_stopped_network_takes_nothing_and_closes_its_lanes() {
    let (alice, mut bob) = friends(1, QUIC).await;
    bob.net.shutdown().await;
    bob.net.shutdown().await;
    assert_eq!(bob.net.connect(peer_of(9), &[]), Err(SendError::Stopped));
    assert_eq!(bob.send(alice.id(), 1, b"x"), Err(SendError::NotConnected));
    assert_eq!(bob.net.status(), NetStatus::default());
    drop(bob.net);
    while timeout(GUARD, bob.contacts.recv()).await.unwrap().is_some() {}
    while timeout(GUARD, bob.strangers.recv()).await.unwrap().is_some() {}
}

/// The last handle stops it.
#[tokio::test]
async fn a_network_without_a_handle_stops() {
    let (mut alice, bob) = friends(1, QUIC).await;
    drop(bob);
    alice.expect(|event| matches!(event, Event::Disconnected(_))).await;
}

#[tokio::test]
async fn sizes_are_checked_before_anything_is_sent() {
    let (alice, bob) = friends(1, QUIC).await;
    assert_eq!(alice.send(bob.id(), 1, b""), Err(SendError::TooLarge));
    let large = vec![0; crate::base::limits::MAX_ENVELOPE + 1];
    assert_eq!(alice.send(bob.id(), 1, &large), Err(SendError::TooLarge));
}

/// What identify tells a stranger of this node: the names of its versions, where it listens, and its protocols.
async fn identified(node: &Node) -> ([String; 2], Vec<String>, Vec<String>) {
    let (keypair, _) = identity(&config(2, &[])).unwrap();
    let behaviour = identify::Behaviour::new(identify::Config::new("test".to_owned(), keypair.public()));
    let transport = transport::build(&keypair, &Classes::default(), None, &Entrances::default()).unwrap();
    let config = libp2p::swarm::Config::with_tokio_executor();
    let mut swarm = Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config);
    swarm.dial(node.addrs()[0].parse::<libp2p::Multiaddr>().unwrap()).unwrap();
    let heard = async {
        loop {
            let event = swarm.select_next_some().await;
            if let SwarmEvent::Behaviour(identify::Event::Received { info, .. }) = event {
                return info;
            }
        }
    };
    let info = timeout(GUARD, heard).await.unwrap();
    let sorted = |mut texts: Vec<String>| {
        texts.sort();
        texts
    };
    let addrs = info.listen_addrs.iter().map(ToString::to_string).collect();
    let protocols = info.protocols.iter().map(ToString::to_string).collect();
    ([info.protocol_version, info.agent_version], sorted(addrs), sorted(protocols))
}

const PROTOCOLS: [&str; 8] = [
    "/ipfs/id/1.0.0",
    "/ipfs/id/push/1.0.0",
    "/ipfs/ping/1.0.0",
    "/libp2p/autonat/2/dial-back",
    "/libp2p/autonat/2/dial-request",
    "/libp2p/circuit/relay/0.2.0/stop",
    "/rohrpost/card/1",
    "/rohrpost/env/1",
];

/// NET-5: what everybody is told of a node is the same for every node, and names no address.
#[tokio::test]
async fn identify_tells_nothing_of_a_node() {
    let (versions, addrs, protocols) = identified(&Node::start(1, &[TCP, QUIC]).await).await;
    assert_eq!(versions, ["rohrpost", "rohrpost"]);
    assert_eq!((addrs, protocols), (vec![], PROTOCOLS.map(str::to_owned).to_vec()));
}

/// NET-5, NET-50, NET-57, MBX-70: who serves others says what, and a server of the DHT where.
#[tokio::test]
async fn identify_tells_what_a_node_does_for_others() {
    let serving = NetConfig { dht_server: Some(true), serve_mailbox: true, ..config(1, &[TCP, QUIC]) };
    let node = Node::with(serving).await;
    let (versions, addrs, protocols) = identified(&node).await;
    let mut listening = node.addrs();
    listening.sort();
    let expected: Vec<_> = PROTOCOLS.into_iter().chain(["/rohrpost/kad/1", "/rohrpost/mbox/1"]).collect();
    assert_eq!((versions, addrs), (["rohrpost".to_owned(), "rohrpost".to_owned()], listening));
    assert_eq!(protocols, expected);
}
