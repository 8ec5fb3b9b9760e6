use std::collections::HashSet;

use futures::StreamExt;
use libp2p::kad::{self, store::MemoryStore};
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, identify};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::base::limits::{MAX_CARD, MAX_DHT_KNOWN};
use crate::base::words::DhtStatus;
use crate::base::{Millis, WallTime};
use crate::envelope::directory::{PROTOCOL, card_key, mailboxes_key};
use crate::identity::{CardContent, CardIn, CardKeys, IdentityKeypair, PrekeyId, RequestPolicy};

/// A card of this owner, which says when it was made and how long it is valid.
fn card_at(seed: u8, sequence: u64, issued: WallTime, life: Millis) -> Vec<u8> {
    let owner = IdentityKeypair::from_seed(&Secret::new([seed; 32]));
    let keys = CardKeys::generate(&mut ChaCha20Rng::seed_from_u64(sequence));
    let content = CardContent {
        sequence,
        issued,
        expires: issued + life,
        prekey_id: PrekeyId(1),
        prekey: keys.prekey.public(),
        kem_id: PrekeyId(2),
        kem: keys.kem.public(),
        seal_id: PrekeyId(3),
        seal: keys.seal.public(),
        queue: [4; 16],
        mailboxes: Vec::new(),
        relays: Vec::new(),
        policy: RequestPolicy::Requests,
        work: 0,
    };
    content.sign(&owner)
}

pub(in crate::net) fn card(seed: u8, sequence: u64) -> Vec<u8> {
    card_at(seed, sequence, wall_now(), Millis::from_days(7))
}

/// A node that holds records for others.
async fn server(seed: u8) -> Node {
    Node::with(NetConfig { dht_server: Some(true), ..config(seed, &[QUIC]) }).await
}

impl Node {
    /// Waits until our part in the DHT is so.
    pub(super) async fn dht(&self, so: impl FnMut(&DhtStatus) -> bool) -> DhtStatus {
        let mut status = self.net.shared().dht.subscribe();
        *timeout(GUARD, status.wait_for(so)).await.expect("the DHT does not come to that").unwrap()
    }

    async fn find(&mut self, peer: PeerId, wanted: u64) -> Event {
        self.net.find_card(peer, wanted).unwrap();
        let of = |event: &Event| match event {
            Event::CardFound { ticket, .. } | Event::CardNotFound { ticket, .. } => *ticket == wanted,
            _ => false,
        };
        self.expect(of).await
    }

    async fn published(&mut self, of: PeerId) -> u32 {
        let wanted = |event: &Event| matches!(event, Event::CardPublished { owner, .. } if *owner == of);
        match self.expect(wanted).await {
            Event::CardPublished { copies, .. } => copies,
            other => panic!("{other:?}"),
        }
    }
}

/// So many servers that all know each other, and a client of the first.
async fn network(servers: u8) -> (Vec<Node>, Node) {
    let mut nodes = vec![server(1).await];
    for seed in 2..=servers {
        let mut node = server(seed).await;
        connect(&mut node, &mut nodes[0]).await;
        nodes.push(node);
    }
    let mut client = Node::start(100, &[QUIC]).await;
    connect(&mut client, &mut nodes[0]).await;
    for node in nodes.iter().chain([&client]) {
        let others = usize::from(servers) - usize::from(node.id() != client.id());
        node.dht(|dht| dht.peers == others as u64).await;
    }
    (nodes, client)
}

/// NET-51, NET-52, NET-56: by a client, of a client, found by another; and nobody has a client in his table.
#[tokio::test]
async fn a_card_is_published_and_found() {
    let (mut nodes, mut client) = network(5).await;
    let mine = card(100, 7);
    client.net.publish_card(client.id(), mine.clone());
    assert!((1..=5).contains(&client.published(client.id()).await));
    assert!(
        client.dht(|dht| dht.published).await == DhtStatus { server: false, peers: 5, records: 0, published: true }
    );

    let mut seeker = Node::start(101, &[TCP, QUIC]).await;
    connect(&mut seeker, &mut nodes[3]).await;
    seeker.dht(|dht| dht.peers > 0).await;
    let found = Event::CardFound { peer: client.id(), ticket: 1, card: mine };
    assert_eq!(seeker.find(client.id(), 1).await, found);
    let none = seeker.find(peer_of(200), 2).await;
    assert!(matches!(none, Event::CardNotFound { asked: 1.., ticket: 2, .. }), "{none:?}");
}

/// NET-57: what a node tells of itself when it becomes a server is not what the others say.
#[tokio::test]
async fn who_becomes_a_server_takes_nobody_else_for_one() {
    let server = Node::with(config(1, &[TCP])).await;
    let bootstrap = vec![(server.id(), server.addrs())];
    let client = Node::with(NetConfig { public: Some(false), bootstrap, ..config(2, &[TCP]) }).await;
    // The client has tried its address, and is told what it is now.
    server.dht(|dht| dht.server).await;
    client.dht(|dht| dht.peers == 1).await;
    let mut status = server.net.shared().dht.subscribe();
    for _ in 0..3 {
        timeout(GUARD, status.changed()).await.unwrap().unwrap();
        assert_eq!(status.borrow_and_update().peers, 0);
    }
}

/// NET-51: who holds no records is in nobody's table; a table of five is one of the five servers.
#[tokio::test]
async fn clients_are_in_no_routing_table() {
    let (mut nodes, client) = network(3).await;
    for node in &mut nodes {
        connect(&mut Node::start(150, &[QUIC]).await, node).await;
        let status = node.dht(|dht| dht.server).await;
        assert_eq!(status.peers, 2);
    }
    // The status is told by ticks: after a card has gone round nobody has more.
    let mut client = client;
    client.net.publish_card(client.id(), card(100, 1));
    client.published(client.id()).await;
    for node in &nodes {
        assert_eq!(node.net.status().dht.peers, 2);
    }
}

/// NET-53: put by whomever, the newest stands; an older one, or another of the same number, does not come back.
#[tokio::test]
async fn the_newest_card_stands() {
    let (mut nodes, mut client) = network(3).await;
    for sequence in [7, 9] {
        client.net.publish_card(client.id(), card(100, sequence));
        client.published(client.id()).await;
    }
    // A mailbox that has an old one cannot make it stand: it goes on trying, and so nothing is told.
    nodes[1].net.publish_card(client.id(), card(100, 8));
    nodes[1].net.publish_card(peer_of(2), card(2, 1));
    nodes[1].published(peer_of(2)).await;
    let wanted = CardIn::decode(&card(100, 9)).unwrap().claimed_sequence();
    for (ticket, node) in (1..).zip(&mut nodes) {
        match node.find(client.id(), ticket).await {
            Event::CardFound { card, .. } => assert_eq!(CardIn::decode(&card).unwrap().claimed_sequence(), wanted),
            other => panic!("{other:?}"),
        }
    }
    assert!(!nodes[1].heard.iter().any(|event| matches!(event, Event::CardPublished { .. })));
}

/// NET-56: it waits for somebody to put it to.
#[tokio::test]
async fn a_card_waits_for_the_dht() {
    let mut alice = Node::start(100, &[QUIC]).await;
    alice.net.publish_card(alice.id(), card(100, 1));
    alice.net.publish_card(alice.id(), b"no card".to_vec());
    alice.net.publish_card(alice.id(), card(101, 1));
    alice.dht(|dht| !dht.published).await;
    let mut bob = server(1).await;
    connect(&mut alice, &mut bob).await;
    assert_eq!(alice.published(alice.id()).await, 1);
    bob.dht(|dht| dht.records == 1).await;
}

/// NET-54
#[tokio::test]
async fn with_nobody_to_ask_there_is_no_card() {
    let mut alice = Node::start(100, &[QUIC]).await;
    let nothing = Event::CardNotFound { peer: peer_of(7), ticket: 1, asked: 0 };
    assert_eq!(alice.find(peer_of(7), 1).await, nothing);
    assert_eq!(alice.net.find_mailboxes().await, []);
}

/// NET-58: without bootstrap, by what was told before; and what is told is worth it.
#[tokio::test]
async fn a_node_finds_the_dht_again_by_those_it_knew() {
    let (nodes, mut client) = network(3).await;
    let told = client.expect(|event| matches!(event, Event::KnownPeers(_))).await;
    let Event::KnownPeers(known) = told else { panic!() };
    assert!((1..=MAX_DHT_KNOWN).contains(&known.len()));
    assert!(known.iter().all(|(peer, addrs)| nodes.iter().any(|node| node.id() == *peer && node.addrs() == *addrs)));
    let again = Node::with(NetConfig { known, ..config(101, &[QUIC]) }).await;
    again.dht(|dht| dht.peers == 3).await;
}

/// NET-59
#[tokio::test]
async fn open_mailboxes_are_announced_and_found() {
    let (nodes, client) = network(4).await;
    assert_eq!(client.net.find_mailboxes().await, []);
    nodes[2].net.announce_mailbox(true);
    loop {
        let found = client.net.find_mailboxes().await;
        if let [(peer, addrs)] = &found[..] {
            assert_eq!((*peer, addrs), (nodes[2].id(), &nodes[2].addrs()));
            break;
        }
        // The next tick announces it.
        let mut status = client.net.shared().dht.subscribe();
        timeout(GUARD, status.changed()).await.unwrap().unwrap();
    }
}

/// NET-68: `connect` without an address finds a peer who is in the DHT, once, and tells of one who is not.
#[tokio::test]
async fn a_peer_without_an_address_is_looked_for() {
    let (mut nodes, mut client) = network(4).await;
    let mut alone = Node::start(101, &[QUIC]).await;
    connect(&mut alone, &mut nodes[0]).await;
    alone.dht(|dht| dht.peers > 0).await;
    alone.net.connect(peer_of(4), &[]).unwrap();
    alone.expect_connected(peer_of(4)).await;
    client.net.connect(peer_of(200), &["/ip4/127.0.0.1/tcp/1".to_owned()]).unwrap();
    client.expect(|event| *event == Event::Unreachable(peer_of(200))).await;
}

/// A peer who speaks Kademlia as it is, and puts and answers what a test wants.
#[derive(NetworkBehaviour)]
struct LiarBehaviour {
    kad: kad::Behaviour<MemoryStore>,
    identify: identify::Behaviour,
}

struct Liar {
    swarm: Swarm<LiarBehaviour>,
    target: libp2p::PeerId,
}

impl Liar {
    /// One who says that he holds records, at these addresses.
    async fn connect(seed: u8, node: &Node, claims: &[&str]) -> Self {
        Self::connect_as(seed, node, claims, kad::Mode::Server).await
    }

    async fn connect_as(seed: u8, node: &Node, claims: &[&str], mode: kad::Mode) -> Self {
        let (keypair, _) = identity(&config(seed, &[])).unwrap();
        let me = keypair.public().to_peer_id();
        let kad = kad::Config::new(StreamProtocol::new(PROTOCOL));
        let mut kad = kad::Behaviour::with_config(me, MemoryStore::new(me), kad);
        kad.set_mode(Some(mode));
        let identify = identify::Behaviour::new(identify::Config::new("liar".to_owned(), keypair.public()));
        let transport = transport::build(&keypair, &Classes::default(), None, &Entrances::default()).unwrap();
        let config = libp2p::swarm::Config::with_tokio_executor();
        let mut swarm = Swarm::new(transport, LiarBehaviour { kad, identify }, me, config);
        swarm.listen_on(QUIC.parse().unwrap()).unwrap();
        for claim in claims {
            swarm.add_external_address(claim.parse().unwrap());
        }
        let target = to_libp2p(&node.id());
        let addrs: Vec<Multiaddr> = node.addrs().iter().map(|addr| addr.parse().unwrap()).collect();
        for addr in &addrs {
            swarm.behaviour_mut().kad.add_address(&target, addr.clone());
        }
        let mut liar = Self { swarm, target };
        liar.until(|event| matches!(event, SwarmEvent::NewListenAddr { .. })).await;
        liar.swarm.dial(libp2p::swarm::dial_opts::DialOpts::peer_id(target).addresses(addrs).build()).unwrap();
        liar.until(|event| {
            matches!(event, SwarmEvent::Behaviour(LiarBehaviourEvent::Identify(identify::Event::Sent { .. })))
        })
        .await;
        liar
    }

    async fn until(&mut self, wanted: impl Fn(&SwarmEvent<LiarBehaviourEvent>) -> bool) {
        let ends = async { while !wanted(&self.swarm.select_next_some().await) {} };
        timeout(GUARD, ends).await.expect("it does not happen");
    }

    /// Goes on while something else happens.
    async fn while_<T>(&mut self, other: impl Future<Output = T>) -> T {
        tokio::pin!(other);
        loop {
            tokio::select! { done = &mut other => return done, _ = self.swarm.select_next_some() => {} }
        }
    }

    fn put(&mut self, key: &[u8], value: Vec<u8>) -> kad::QueryId {
        let record = kad::Record::new(key.to_vec(), value);
        self.swarm.behaviour_mut().kad.put_record_to(record, std::iter::once(self.target), kad::Quorum::One)
    }

    async fn puts(&mut self, key: &[u8], value: Vec<u8>) {
        let query = self.put(key, value);
        self.until(|event| {
            matches!(event, SwarmEvent::Behaviour(LiarBehaviourEvent::Kad(
                kad::Event::OutboundQueryProgressed { id, .. })) if *id == query)
        })
        .await;
    }

    /// Who provides this, by what the node says and those he names.
    async fn providers(&mut self, key: &[u8]) -> HashSet<libp2p::PeerId> {
        let query = self.swarm.behaviour_mut().kad.get_providers(kad::RecordKey::new(&key));
        let mut found = HashSet::new();
        loop {
            let event = timeout(GUARD, self.swarm.select_next_some()).await.unwrap();
            let SwarmEvent::Behaviour(LiarBehaviourEvent::Kad(kad::Event::OutboundQueryProgressed {
                id,
                result,
                step,
                ..
            })) = event
            else {
                continue;
            };
            if id == query {
                if let kad::QueryResult::GetProviders(Ok(kad::GetProvidersOk::FoundProviders { providers, .. })) =
                    result
                {
                    found.extend(providers);
                }
                if step.last {
                    return found;
                }
            }
        }
    }

    /// What the node has under this key.
    async fn gets(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        let query = self.swarm.behaviour_mut().kad.get_record(kad::RecordKey::new(&key));
        loop {
            let event = timeout(GUARD, self.swarm.select_next_some()).await.unwrap();
            let SwarmEvent::Behaviour(LiarBehaviourEvent::Kad(kad::Event::OutboundQueryProgressed {
                id,
                result,
                step,
                ..
            })) = event
            else {
                continue;
            };
            match result {
                kad::QueryResult::GetRecord(Ok(kad::GetRecordOk::FoundRecord(found))) if id == query => {
                    return Some(found.record.value);
                }
                _ if id == query && step.last => return None,
                _ => {}
            }
        }
    }
}

/// NET-52, NET-53: on put. The answer is kind, as always.
#[tokio::test]
async fn only_sound_cards_are_held() {
    let node = server(1).await;
    let mut liar = Liar::connect(2, &node, &[]).await;
    let (owner, good) = (peer_of(50), card(50, 7));
    let key = card_key(&owner);
    let forged = {
        let mut bytes = good.clone();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        bytes
    };
    let now = wall_now();
    let over = card_at(50, 8, WallTime(now.0 - Millis::from_days(8).0), Millis::from_days(7));
    let other_key = card_key(&peer_of(51));
    for (key, value) in [
        (&key[..], b"no card".to_vec()),
        (&key[..], Vec::new()),
        (&key[..], forged),
        (&key[..], card(51, 7)),
        (&key[..], over),
        (&key[..], vec![0; MAX_CARD + 1]),
        (&other_key[..], good.clone()),
        (&b"another key"[..], good.clone()),
        (&mailboxes_key()[..], good.clone()),
    ] {
        liar.puts(key, value).await;
        assert_eq!(liar.gets(key).await, None);
    }
    // Sound ones: newer, the same again; and not back.
    for (sequence, held) in [(7, 7), (9, 9), (8, 9), (9, 9)] {
        liar.puts(&key, card_at(50, sequence, WallTime(now.0), Millis::from_days(7))).await;
        let found = liar.gets(&key).await.unwrap();
        assert_eq!(CardIn::decode(&found).unwrap().claimed_sequence(), held);
    }
    // Of the same number, and another: the first stays.
    let first = liar.gets(&key).await;
    liar.puts(&key, card_at(50, 9, WallTime(now.0 + 1), Millis::from_days(7))).await;
    assert_eq!(liar.gets(&key).await, first);
}

/// NET-54: on get. Of what liars answer the newest sound card is found; without one, none, though many answered.
#[tokio::test]
async fn what_is_not_sound_is_not_found() {
    let owner = peer_of(50);
    let lies = [
        b"no card".to_vec(),
        card(51, 99),
        card_at(50, 98, WallTime(wall_now().0 - Millis::from_days(8).0), Millis::from_days(7)),
    ];
    for sound in [&[][..], &[3], &[4, 3], &[3, 5]] {
        let mut seeker = Node::start(100, &[QUIC]).await;
        let all = lies.iter().cloned().chain(sound.iter().map(|sequence| card(50, *sequence)));
        let mut liars = 0;
        for (seed, value) in (2..).zip(all) {
            let mut liar = Liar::connect(seed, &seeker, &[]).await;
            let record = kad::Record::new(card_key(&owner).to_vec(), value);
            kad::store::RecordStore::put(liar.swarm.behaviour_mut().kad.store_mut(), record).unwrap();
            tokio::spawn(async move { liar.until(|_| false).await });
            liars += 1;
        }
        seeker.dht(|dht| dht.peers == liars).await;
        match (seeker.find(owner, 1).await, sound.iter().max()) {
            (Event::CardNotFound { asked, .. }, None) => assert_eq!(asked, 3),
            (Event::CardFound { card, .. }, Some(newest)) => {
                assert_eq!(CardIn::decode(&card).unwrap().claimed_sequence(), *newest);
            }
            other => panic!("{other:?}"),
        }
    }
}

/// NET-57: a peer comes into the table with the address he speaks from, and with nobody else's.
#[tokio::test]
async fn a_peer_leads_nobody_to_others() {
    let victim = Node::start(30, &[TCP]).await;
    let other = format!("/ip4/192.0.2.7/udp/4001/quic-v1/p2p/{}", peer_of(2));
    let claims =
        ["/ip4/192.0.2.7/tcp/22", "/dns4/example.org/tcp/443", &other, "/ip6/::1/tcp/9", "/ip4/10.0.0.1/tcp/80"];
    let mut node = server(1).await;
    let mut liar = Liar::connect(2, &node, &claims).await;
    liar.while_(node.dht(|dht| dht.peers == 1)).await;
    let told = liar.while_(node.expect(|event| matches!(event, Event::KnownPeers(_)))).await;
    let Event::KnownPeers(known) = told else { panic!() };
    let [(peer, addrs)] = &known[..] else { panic!("{known:?}") };
    assert_eq!(*peer, peer_of(2));
    assert!(addrs.iter().all(|addr| addr.starts_with("/ip4/127.0.0.1/udp/")) && addrs.len() == 1, "{addrs:?}");
    drop(victim);
}

/// NET-59: providers of other keys are not kept.
#[tokio::test]
async fn nothing_else_is_provided_here() {
    let node = server(1).await;
    // A client, whom nobody asks what he has himself.
    let mut liar = Liar::connect_as(2, &node, &["/ip4/127.0.0.1/tcp/9"], kad::Mode::Client).await;
    let mut other = Liar::connect_as(3, &node, &[], kad::Mode::Client).await;
    for key in [&b"a film"[..], &mailboxes_key()] {
        liar.swarm.behaviour_mut().kad.start_providing(kad::RecordKey::new(&key)).unwrap();
    }
    // The second is kept, so the first was judged before.
    let kept = async { while !other.providers(&mailboxes_key()).await.contains(&to_libp2p(&peer_of(2))) {} };
    timeout(GUARD, liar.while_(kept)).await.expect("not kept");
    assert!(liar.while_(other.providers(b"a film")).await.is_empty());
}
