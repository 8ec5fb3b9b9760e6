//! Many nodes' networks in one process, on loopback: servers of the DHT, nodes that cannot be dialled, and liars. With the
//! bench that uses it, too.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use libp2p::kad::store::{MemoryStore, RecordStore};
use libp2p::kad::{Record, RecordKey};
use libp2p::{StreamProtocol, Swarm, SwarmBuilder, identify, kad};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rohrpost::base::{PeerId, Secret, WallTime};
use rohrpost::envelope::directory::{PROTOCOL, card_key};
use rohrpost::identity::{CardContent, CardKeys, IdentityKeypair};
use rohrpost::net::{Lanes, NetConfig, NetEvent, NetHandle, start};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

/// A guard only.
const PATIENCE: Duration = Duration::from_secs(120);
/// How many publish at the same time.
const AT_ONCE: usize = 16;

/// A network of its own for each: what comes from one address, or one /24, is bounded.
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
    events: mpsc::Receiver<NetEvent>,
    pub card: Vec<u8>,
}

/// All of them.
pub struct Crowd {
    pub servers: Vec<Member>,
    pub clients: Vec<Member>,
    liars: Vec<JoinHandle<()>>,
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
        let mut crowd = Self { servers: Vec::new(), clients: Vec::new(), liars: Vec::new(), rng, next: 0 };
        for _ in 0..size.servers {
            let member = crowd.member(true).await;
            crowd.servers.push(member);
        }
        for _ in 0..size.clients {
            let member = crowd.member(false).await;
            crowd.clients.push(member);
        }
        let cards: Vec<(PeerId, Vec<u8>)> =
            crowd.servers.iter().chain(&crowd.clients).map(|m| (m.net.peer_id(), m.card.clone())).collect();
        for _ in 0..size.liars {
            crowd.next += 1;
            let begin = crowd.begin();
            let mut liar = liar(&mut crowd.rng, &cards, &begin, &listen(crowd.next));
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
            ..NetConfig::new(Secret::new(seed))
        };
        let net = start(config, lanes, Arc::new(|_| false)).await.unwrap();
        let me = IdentityKeypair::from_seed(&Secret::new(seed));
        let card = card(&me, 1_000, &mut self.rng);
        Member { net, events, card }
    }

    /// Everybody publishes his card, some at a time; how long each took until it stood, in order.
    pub async fn publish(&mut self) -> Vec<Duration> {
        let mut times = Vec::new();
        let all: Vec<_> =
            self.servers.drain(..).map(|m| (true, m)).chain(self.clients.drain(..).map(|m| (false, m))).collect();
        let mut waiting = all.into_iter();
        let mut tasks = JoinSet::new();
        loop {
            for (server, member) in waiting.by_ref().take(AT_ONCE - tasks.len()) {
                tasks.spawn(member.publish(server));
            }
            let Some(done) = tasks.join_next().await else { break };
            let (server, member, took) = done.unwrap();
            times.push(took);
            if server { self.servers.push(member) } else { self.clients.push(member) }
        }
        times.sort_unstable();
        times
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

    /// Clients look for the cards of others, some at a time.
    pub async fn search(&mut self, rounds: usize) -> Found {
        let cards: HashMap<PeerId, Vec<u8>> =
            self.clients.iter().map(|member| (member.net.peer_id(), member.card.clone())).collect();
        let cards = Arc::new(cards);
        let all: Vec<PeerId> = cards.keys().copied().collect();
        let mut found = Found::default();
        for _ in 0..rounds {
            let mut tasks = JoinSet::new();
            let members: Vec<_> = self.clients.drain(..).collect();
            for (n, mut member) in members.into_iter().enumerate() {
                let wanted = all[self.pick(all.len())];
                let cards = Arc::clone(&cards);
                // A tenth of them at the same time: the machine is to be measured, not its queue.
                let looks = n % 10 == 0;
                tasks.spawn(async move {
                    let told = if looks { Some(member.find(wanted, &cards[&wanted]).await) } else { None };
                    (member, told)
                });
            }
            for (member, told) in tasks.join_all().await {
                match told {
                    Some(Ok(time)) => found.times.push(time),
                    Some(Err(true)) => found.wrong += 1,
                    Some(Err(false)) => found.missing += 1,
                    None => {}
                }
                self.clients.push(member);
            }
        }
        found.times.sort_unstable();
        found
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.liars.iter().for_each(JoinHandle::abort);
    }
}

impl Member {
    async fn publish(mut self, server: bool) -> (bool, Self, Duration) {
        let (begun, me) = (now(), self.net.peer_id());
        self.net.publish_card(me, self.card.clone());
        self.until(|event| matches!(event, NetEvent::CardPublished { owner, .. } if *owner == me)).await;
        (server, self, begun.elapsed())
    }

    /// How long it took; `Err(true)`: the card is a wrong one, `Err(false)`: there was none.
    async fn find(&mut self, wanted: PeerId, card: &[u8]) -> Result<Duration, bool> {
        let begun = now();
        self.net.find_card(wanted, 7).unwrap();
        let is_outcome = |event: &NetEvent| matches!(event, NetEvent::CardFound { .. } | NetEvent::CardNotFound { .. });
        match self.until(is_outcome).await {
            NetEvent::CardFound { card: found, peer, .. } if peer == wanted && found == card => Ok(begun.elapsed()),
            NetEvent::CardFound { .. } => Err(true),
            _ => Err(false),
        }
    }

    pub async fn until(&mut self, fits: impl Fn(&NetEvent) -> bool) -> NetEvent {
        let fitting = async {
            loop {
                let event = self.events.recv().await.unwrap();
                if fits(&event) {
                    return event;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, fitting).await {
            Ok(event) => event,
            Err(_) => {
                let status = self.net.status();
                panic!("{} is not told; {:?}, {} peers", self.net.peer_id(), status.dht, status.peers.len())
            }
        }
    }
}

/// A server of the DHT that holds, for everybody, a card that is older, somebody else's, or nothing at all, and gives it to whoever asks.
fn liar(rng: &mut ChaCha20Rng, cards: &[(PeerId, Vec<u8>)], begin: &[Place], listen: &str) -> Swarm<Lying> {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    let keypair = libp2p::identity::Keypair::ed25519_from_bytes(&mut seed).unwrap();
    let me = keypair.public().to_peer_id();
    let mut store = MemoryStore::new(me);
    for (n, (owner, _)) in cards.iter().enumerate() {
        let value = match n % 3 {
            0 => vec![0xff; 400],
            1 => cards[(n + 1) % cards.len()].1.clone(),
            _ => Vec::new(),
        };
        let key = RecordKey::new(&card_key(owner));
        // As many as it takes.
        let _ = store.put(Record { key, value, publisher: None, expires: None });
    }
    let mut swarm = SwarmBuilder::with_existing_identity(keypair)
        .with_tokio()
        .with_quic()
        .with_behaviour(|keypair| Lying {
            identify: identify::Behaviour::new(identify::Config::new("rohrpost".to_owned(), keypair.public())),
            kad: {
                let mut kad = kad::Behaviour::with_config(me, store, kad::Config::new(StreamProtocol::new(PROTOCOL)));
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
