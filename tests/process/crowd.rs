//! Many nodes' networks in one process, on loopback: servers of the DHT, nodes that cannot be dialled, and liars. With the
//! bench that uses it, too.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use libp2p::kad::store::{MemoryStore, RecordStore};
use libp2p::kad::{Record, RecordKey};
use libp2p::swarm::SwarmEvent;
use libp2p::{StreamProtocol, Swarm, SwarmBuilder, identify, kad};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rohrpost::base::{PeerId, Secret, WallTime};
use rohrpost::envelope::directory::{PROTOCOL, card_key};
use rohrpost::identity::{CardContent, CardKeys, IdentityKeypair};
use rohrpost::net::{Classes, Event, Lanes, NetConfig, NetHandle, Order, start};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

/// A guard only.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many join or publish at the same time.
const AT_ONCE: usize = 8;
/// How many search at the same time: the network is to be measured, not the queue of the machine.
const SEARCHES: usize = 3;
/// What the process may hold: all nodes are in one.
const MEMORY: usize = 7 << 30;
/// Cards that whoever puts many has under way.
const PUTS: usize = 16;
/// A node has joined when it is connected with so many.
const AT_HOME: usize = 8;
/// So many of the liars give an older card of its owner; fewer than a searcher has enough of.
const OLD_LIARS: usize = 3;

/// An address of its own for each: what comes from one is bounded.
fn listen(n: u64) -> String {
    format!("/ip4/127.{}.{}.1/udp/0/quic-v1", 1 + n / 250, 1 + n % 250)
}

/// Where a node is.
type Place = (PeerId, Vec<String>);

/// How many of what kind.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub servers: usize,
    pub clients: usize,
    pub liars: usize,
}

/// One node's network, and the card of its owner.
pub struct Member {
    pub net: NetHandle,
    events: mpsc::Receiver<Event>,
    pub card: Vec<u8>,
    /// One that he had before.
    old: Vec<u8>,
}

/// All of them.
pub struct Crowd {
    pub servers: Vec<Member>,
    pub clients: Vec<Member>,
    liars: Vec<JoinHandle<()>>,
    /// What stands.
    published: HashMap<PeerId, Vec<u8>>,
    rng: ChaCha20Rng,
    next: u64,
}

/// What came of searches.
#[derive(Debug, Default)]
pub struct Found {
    pub times: Vec<Duration>,
    pub missing: usize,
    pub wrong: usize,
}

impl Crowd {
    /// Starts them; each knows up to three of the servers that are there before.
    pub async fn gather(size: Size, seed: u64) -> Self {
        let rng = ChaCha20Rng::seed_from_u64(seed);
        let mut crowd = Self {
            servers: Vec::new(),
            clients: Vec::new(),
            liars: Vec::new(),
            published: HashMap::new(),
            rng,
            next: 0,
        };
        for _ in 0..size.servers {
            let mut member = crowd.member(true).await;
            member.connected(crowd.servers.len().min(1)).await;
            crowd.servers.push(member);
        }
        // Not all at the same moment: that is a storm of handshakes, which says nothing of the network.
        let mut joining = JoinSet::new();
        for _ in 0..size.clients {
            let mut member = crowd.member(false).await;
            joining.spawn(async move {
                member.connected(size.servers.min(AT_HOME)).await;
                member
            });
            if joining.len() >= AT_ONCE {
                crowd.clients.extend(joining.join_next().await.map(Result::unwrap));
            }
        }
        crowd.clients.extend(joining.join_all().await);
        let all = || crowd.servers.iter().chain(&crowd.clients);
        let old: Vec<_> = all().map(|m| (m.net.peer_id(), m.old.clone())).collect();
        let false_ones: Vec<_> = all().enumerate().map(|(n, m)| (m.net.peer_id(), lie(n, &old))).collect();
        for n in 0..size.liars {
            crowd.next += 1;
            let begin = crowd.begin();
            let lies = if n < OLD_LIARS { &old } else { &false_ones };
            let mut liar = liar(&mut crowd.rng, lies, &begin, &listen(crowd.next));
            crowd.liars.push(tokio::spawn(async move {
                loop {
                    liar.select_next_some().await;
                }
            }));
        }
        crowd
    }

    /// Three servers, or as many as there are: not the same for all, as each has room for so many only.
    fn begin(&mut self) -> Vec<Place> {
        let all = self.servers.len();
        let picked: Vec<usize> = (0..all.min(3)).map(|_| self.pick(all)).collect();
        picked.into_iter().map(|n| place(&self.servers[n].net)).collect()
    }

    /// A number below this one.
    fn pick(&mut self, below: usize) -> usize {
        usize::try_from(self.rng.next_u64() % below as u64).unwrap()
    }

    /// One more node.
    pub async fn member(&mut self, server: bool) -> Member {
        self.next += 1;
        let mut seed = [0; 32];
        self.rng.fill_bytes(&mut seed);
        let (to_contacts, events) = mpsc::channel(4096);
        let lanes = Lanes { strangers: to_contacts.clone(), contacts: to_contacts };
        let config = NetConfig {
            listen: vec![listen(self.next)],
            bootstrap: self.begin(),
            dht_server: Some(server),
            public: Some(server),
            max_memory: MEMORY,
            ..NetConfig::new(Secret::new(seed))
        };
        let net = start(config, lanes, Classes::default()).await.unwrap();
        let me = IdentityKeypair::from_seed(&Secret::new(seed));
        let (old, card) = (card(&me, 900, &mut self.rng), card(&me, 1_000, &mut self.rng));
        Member { net, events, card, old }
    }

    /// So many publish their cards, servers and clients, some at a time; how long each took until it stood, in order, and how
    /// many did not for long.
    pub async fn publish(&mut self, cards: usize) -> (Vec<Duration>, usize) {
        let (mut times, mut missing) = (Vec::new(), 0);
        let all: Vec<_> =
            self.servers.drain(..).map(|m| (true, m)).chain(self.clients.drain(..).map(|m| (false, m))).collect();
        let mut waiting = all.into_iter();
        let mut left = cards;
        let mut tasks = JoinSet::new();
        loop {
            let room = (AT_ONCE - tasks.len()).min(left);
            for (server, member) in waiting.by_ref().take(room) {
                tasks.spawn(member.publish(server));
                left -= 1;
            }
            let Some(done) = tasks.join_next().await else { break };
            let (server, member, took) = done.unwrap();
            match took {
                Some(took) => {
                    times.push(took);
                    self.published.insert(member.net.peer_id(), member.card.clone());
                }
                None => missing += 1,
            }
            if server { self.servers.push(member) } else { self.clients.push(member) }
        }
        for (server, member) in waiting {
            if server { self.servers.push(member) } else { self.clients.push(member) }
        }
        times.sort_unstable();
        (times, missing)
    }

    /// So many of the servers vanish without a word, and as many new ones come.
    pub async fn churn(&mut self, many: usize) {
        for _ in 0..many.min(self.servers.len().saturating_sub(3)) {
            let gone = self.pick(self.servers.len());
            let gone = self.servers.swap_remove(gone);
            gone.net.shutdown().await;
        }
        for _ in 0..many {
            let member = self.member(true).await;
            self.servers.push(member);
        }
    }

    /// Every card that was published is looked for by a client, a few at a time.
    pub async fn search(&mut self) -> Found {
        let mut wanted: Vec<_> = self.published.clone().into_iter().collect();
        wanted.sort_unstable_by_key(|(owner, _)| *owner);
        for n in (1..wanted.len()).rev() {
            wanted.swap(n, self.pick(n + 1));
        }
        let mut found = Found::default();
        let mut tasks = JoinSet::new();
        // Whoever has looked for one goes to the end of the queue.
        let mut seekers: VecDeque<Member> = self.clients.drain(..).collect();
        loop {
            while tasks.len() < SEARCHES && !wanted.is_empty() {
                let Some(mut member) = seekers.pop_front() else { break };
                let others = wanted.iter().rposition(|(owner, _)| *owner != member.net.peer_id());
                let (owner, card) = wanted.swap_remove(others.unwrap_or_default());
                tasks.spawn(async move {
                    let told = member.find(owner, &card).await;
                    (member, told)
                });
            }
            let Some(done) = tasks.join_next().await else { break };
            let (member, told) = done.unwrap();
            match told {
                Ok(time) => found.times.push(time),
                Err(true) => found.wrong += 1,
                Err(false) => found.missing += 1,
            }
            seekers.push_back(member);
        }
        self.clients.extend(seekers);
        found.times.sort_unstable();
        found
    }

    /// Somebody puts so many cards of fresh keys to one of the servers, from one address, as fast as that answers: to whom, and
    /// how long it took.
    #[allow(dead_code, reason = "the bench does not")]
    pub async fn fill(&mut self, cards: usize) -> (PeerId, Duration) {
        self.next += 1;
        let server = place(&self.servers[0].net);
        let filled = server.0;
        let mut swarm = liar(&mut self.rng, &[], std::slice::from_ref(&server), &listen(self.next));
        let server = libp2p::PeerId::from_bytes(&server.0.to_multihash()).unwrap();
        let connected = async {
            loop {
                if matches!(swarm.select_next_some().await, SwarmEvent::ConnectionEstablished { .. }) {
                    return;
                }
            }
        };
        assert!(tokio::time::timeout(PATIENCE, connected).await.is_ok(), "the server is not reached");
        let (mut put, mut answered, begun) = (0, 0, now());
        while answered < cards {
            while put < cards && put - answered < PUTS {
                let mut seed = [0; 32];
                self.rng.fill_bytes(&mut seed);
                let owner = IdentityKeypair::from_seed(&Secret::new(seed));
                let record = Record::new(card_key(&owner.peer_id()).to_vec(), card(&owner, 1, &mut self.rng));
                let quorum = kad::Quorum::One;
                swarm.behaviour_mut().kad.put_record_to(record, std::iter::once(server), quorum);
                put += 1;
            }
            let event = tokio::time::timeout(PATIENCE, swarm.select_next_some()).await;
            let event = event.unwrap_or_else(|_| panic!("{answered} of {put} are answered, and no more"));
            if let SwarmEvent::Behaviour(LyingEvent::Kad(kad::Event::OutboundQueryProgressed { result, .. })) = event {
                answered += usize::from(matches!(result, kad::QueryResult::PutRecord(Ok(_))));
            }
        }
        (filled, begun.elapsed())
    }

    /// How many cards this server holds, once it says that these are more than so many: a status is told now and then. It is asked
    /// by its name, as who has published comes back in any order.
    #[allow(dead_code, reason = "the bench does not")]
    pub async fn holds_more_than(&self, few: u64, server: PeerId) -> u64 {
        let net = self.servers.iter().map(|member| &member.net).find(|net| net.peer_id() == server).unwrap();
        let told = async {
            while net.status().dht.records <= few {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let _ = tokio::time::timeout(PATIENCE, told).await;
        net.status().dht.records
    }

    /// How many connections there are, each counted at both of its ends; those of liars at one only.
    pub fn ends(&self) -> usize {
        self.servers.iter().chain(&self.clients).map(|member| member.net.status().peers.len()).sum()
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.liars.iter().for_each(JoinHandle::abort);
    }
}

impl Member {
    async fn publish(mut self, server: bool) -> (bool, Self, Option<Duration>) {
        let (begun, me) = (now(), self.net.peer_id());
        self.net.order(Order::PublishCard { owner: me, card: self.card.clone() }).unwrap();
        let stands = self.hears(|event| matches!(event, Event::CardPublished { owner, .. } if *owner == me)).await;
        (server, self, stands.map(|_| begun.elapsed()))
    }

    /// How long it took; `Err(true)`: the card is a wrong one, `Err(false)`: there was none.
    async fn find(&mut self, wanted: PeerId, card: &[u8]) -> Result<Duration, bool> {
        let begun = now();
        self.net.order(Order::FindCard { peer: wanted, ticket: 7 }).unwrap();
        let is_outcome = |event: &Event| matches!(event, Event::CardFound { .. } | Event::CardNotFound { .. });
        match self.until(is_outcome).await {
            Event::CardFound { card: found, peer, .. } if peer == wanted && found == card => Ok(begun.elapsed()),
            Event::CardFound { .. } => Err(true),
            _ => Err(false),
        }
    }

    /// Waits until so many more peers are connected.
    async fn connected(&mut self, peers: usize) {
        for _ in 0..peers {
            self.until(|event| matches!(event, Event::Connected(_))).await;
        }
    }

    pub async fn until(&mut self, fits: impl Fn(&Event) -> bool) -> Event {
        let me = self.net.peer_id();
        self.hears(fits).await.unwrap_or_else(|| panic!("{me} is not told"))
    }

    /// `None`: not for long.
    async fn hears(&mut self, fits: impl Fn(&Event) -> bool) -> Option<Event> {
        let fitting = async {
            loop {
                let event = self.events.recv().await.unwrap();
                if fits(&event) {
                    return event;
                }
            }
        };
        let heard = tokio::time::timeout(PATIENCE, fitting).await.ok();
        if heard.is_none() {
            let status = self.net.status();
            println!("{} hears nothing; {:?}, {} peers", self.net.peer_id(), status.dht, status.peers.len());
        }
        heard
    }
}

/// What is no card of the n-th: rubbish, somebody else's, or nothing at all.
fn lie(n: usize, cards: &[(PeerId, Vec<u8>)]) -> Vec<u8> {
    match n % 3 {
        0 => vec![0xff; 400],
        1 => cards[(n + 1) % cards.len()].1.clone(),
        _ => Vec::new(),
    }
}

/// A server of the DHT that gives whoever asks for a card this one, and takes no other.
fn liar(rng: &mut ChaCha20Rng, lies: &[(PeerId, Vec<u8>)], begin: &[Place], listen: &str) -> Swarm<Lying> {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    let keypair = libp2p::identity::Keypair::ed25519_from_bytes(&mut seed).unwrap();
    let me = keypair.public().to_peer_id();
    let mut store = MemoryStore::new(me);
    for (owner, value) in lies {
        let record =
            Record { key: RecordKey::new(&card_key(owner)), value: value.clone(), publisher: None, expires: None };
        store.put(record).unwrap();
    }
    let mut config = kad::Config::new(StreamProtocol::new(PROTOCOL));
    config.set_record_filtering(kad::StoreInserts::FilterBoth);
    let mut swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_quic()
        .with_behaviour(|keypair| Lying {
            identify: identify::Behaviour::new(identify::Config::new("rohrpost".to_owned(), keypair.public())),
            kad: {
                let mut kad = kad::Behaviour::with_config(me, store, config);
                kad.set_mode(Some(kad::Mode::Server));
                kad
            },
        })
        .unwrap()
        .build();
    swarm.listen_on(listen.parse().unwrap()).unwrap();
    for (peer, addrs) in begin {
        let peer = libp2p::PeerId::from_bytes(&peer.to_multihash()).unwrap();
        for addr in addrs {
            swarm.behaviour_mut().kad.add_address(&peer, addr.parse().unwrap());
        }
    }
    let _ = swarm.behaviour_mut().kad.bootstrap();
    swarm
}

#[derive(libp2p::swarm::NetworkBehaviour)]
struct Lying {
    identify: identify::Behaviour,
    kad: kad::Behaviour<MemoryStore>,
}

fn place(net: &NetHandle) -> Place {
    (net.peer_id(), net.status().listen_addrs)
}

/// A card of this owner, valid now.
pub fn card(owner: &IdentityKeypair, sequence: u64, rng: &mut ChaCha20Rng) -> Vec<u8> {
    #[allow(clippy::disallowed_methods, reason = "a card is valid now")]
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let issued = WallTime(u64::try_from(since.as_millis()).unwrap());
    CardContent::new(&CardKeys::generate(rng), sequence, issued, [9; 16]).sign(owner)
}

#[allow(clippy::disallowed_methods, reason = "how long a search takes is what a bench shows")]
fn now() -> Instant {
    Instant::now()
}
