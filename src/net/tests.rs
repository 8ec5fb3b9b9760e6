//! Two and more nodes on loopback, mDNS off. Nothing sleeps: tests wait for events, and the time
//! they may take is only a guard.

mod abuse;
mod cards;
mod delivery;
pub(in crate::net) mod dht;
mod doubles;
mod ends;
mod handshakes;
mod inside;
mod liars;
mod lost;
mod mail;
mod refusers;
mod relayed;
mod start;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use libp2p::swarm::{ConnectionId, NetworkBehaviour};
use libp2p::{Stream, StreamProtocol};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::*;
use crate::base::Secret;
use crate::base::limits::{LANE_CONTACTS, LANE_STRANGERS};

const GUARD: Duration = Duration::from_secs(60);
const TCP: &str = "/ip4/127.0.0.1/tcp/0";
const QUIC: &str = "/ip4/127.0.0.1/udp/0/quic-v1";
const ALL_TCP: &str = "/ip4/0.0.0.0/tcp/0";
const ALL_QUIC: &str = "/ip4/0.0.0.0/udp/0/quic-v1";

/// A running network and what it tells.
struct Node {
    net: NetHandle,
    contacts: mpsc::Receiver<Event>,
    strangers: mpsc::Receiver<Event>,
    heard: VecDeque<Event>,
}

fn config(seed: u8, listen: &[&str]) -> NetConfig {
    let listen = listen.iter().map(|addr| (*addr).to_owned()).collect();
    NetConfig { listen, ..NetConfig::new(Secret::new([seed; 32])) }
}

fn peer_of(seed: u8) -> PeerId {
    identity(&config(seed, &[])).unwrap().1
}

impl Node {
    async fn start(seed: u8, listen: &[&str]) -> Self {
        Self::with_lanes(seed, listen, LANE_CONTACTS, LANE_STRANGERS).await
    }

    async fn with_lanes(seed: u8, listen: &[&str], contact_lane: usize, stranger_lane: usize) -> Self {
        Self::launch(config(seed, listen), contact_lane, stranger_lane).await
    }

    async fn with(config: NetConfig) -> Self {
        Self::launch(config, LANE_CONTACTS, LANE_STRANGERS).await
    }

    async fn launch(config: NetConfig, contact_lane: usize, stranger_lane: usize) -> Self {
        let (to_contacts, contacts) = mpsc::channel(contact_lane);
        let (to_strangers, strangers) = mpsc::channel(stranger_lane);
        let lanes = Lanes { contacts: to_contacts, strangers: to_strangers };
        let net = start(config, lanes, Classes::default()).await.unwrap();
        Self { net, contacts, strangers, heard: VecDeque::new() }
    }

    fn id(&self) -> PeerId {
        self.net.peer_id()
    }

    fn addrs(&self) -> Vec<String> {
        self.net.status().listen_addrs
    }

    fn befriend(&self, peer: PeerId) {
        self.net.order(Order::Class { peer, class: Class::Contact }).unwrap();
    }

    /// The next event of either lane that is wanted; the others are kept for later.
    async fn expect(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        if let Some(place) = self.heard.iter().position(&wanted) {
            return self.heard.remove(place).unwrap();
        }
        loop {
            let event = timeout(GUARD, async {
                tokio::select! { event = self.contacts.recv() => event, event = self.strangers.recv() => event }
            });
            let event = event.await.unwrap_or_else(|_| panic!("not told, but {:?}", self.heard)).unwrap();
            if wanted(&event) {
                return event;
            }
            self.heard.push_back(event);
        }
    }

    async fn expect_connected(&mut self, peer: PeerId) {
        self.expect(|event| *event == Event::Connected(peer)).await;
    }

    async fn expect_envelope(&mut self) -> (PeerId, FrameToken, Vec<u8>) {
        match self.expect(|event| matches!(event, Event::Envelope { .. })).await {
            Event::Envelope { from, token, bytes, .. } => (from, token, bytes),
            other => panic!("{other:?}"),
        }
    }

    /// The outcome of this ticket.
    async fn outcome(&mut self, wanted: u64) -> Event {
        let of = |event: &Event| match event {
            Event::Acked { ticket, .. } | Event::Refused { ticket, .. } | Event::Lost { ticket, .. } => {
                *ticket == wanted
            }
            _ => false,
        };
        self.expect(of).await
    }

    fn send(&self, peer: PeerId, ticket: u64, bytes: &[u8]) -> Result<(), SendError> {
        self.net.send_envelope(peer, ticket, bytes.into())
    }

    /// Waits until the status is so.
    async fn status(&self, wanted: impl Fn(&NetStatus) -> bool) -> NetStatus {
        let mut places = self.net.shared().places.subscribe();
        let so = async {
            loop {
                let status = self.net.status();
                if wanted(&status) {
                    return status;
                }
                places.changed().await.unwrap();
            }
        };
        timeout(GUARD, so).await.unwrap_or_else(|_| panic!("never so, but {:?}", self.net.status()))
    }

    /// Waits until the peer is connected straight, and by one connection.
    async fn direct(&self, peer: PeerId) {
        self.status(|status| status.peers.iter().any(|there| there.peer_id == peer && there.direct)).await;
        self.links(peer, 1).await;
    }

    /// Waits until there are so many connections with the peer.
    async fn links(&self, peer: PeerId, count: usize) {
        let mut links = self.net.shared().links.subscribe();
        let so_many = links.wait_for(|links| links.get(&peer).copied().unwrap_or_default() == count);
        timeout(GUARD, so_many).await.unwrap_or_else(|_| panic!("never {count} connections")).unwrap();
    }
}

/// Orders, each by its name.
impl NetHandle {
    fn connect(&self, peer: PeerId, addrs: &[String]) -> Result<(), SendError> {
        self.order(Order::Connect { peer, addrs: addrs.to_vec() })
    }

    fn send_envelope(&self, peer: PeerId, ticket: u64, bytes: Arc<[u8]>) -> Result<(), SendError> {
        self.order(Order::Send { peer, ticket, bytes })
    }

    fn fetch_bundle(&self, peer: PeerId, ticket: u64, want_prekey: bool) -> Result<(), SendError> {
        self.order(Order::FetchBundle { peer, ticket, want_prekey })
    }

    fn find_card(&self, peer: PeerId, ticket: u64) -> Result<(), SendError> {
        self.order(Order::FindCard { peer, ticket })
    }

    fn acknowledge(&self, token: FrameToken) {
        self.order(Order::Acknowledge(token)).unwrap();
    }

    fn refuse(&self, token: FrameToken, reason: RefuseReason) {
        self.order(Order::Refuse(token, reason)).unwrap();
    }

    fn answer_bundle(&self, request: u64, card: Vec<u8>, prekey: Option<Vec<u8>>) {
        // Nobody may wait for it any more.
        let _ = self.order(Order::AnswerBundle { request, card, prekey });
    }

    fn answer_mail(&self, request: u64, answer: Vec<u8>) {
        self.order(Order::AnswerMail { request, answer }).unwrap();
    }

    fn hold_mail(&self, request: u64) {
        self.order(Order::HoldMail { request }).unwrap();
    }

    fn ring_mail(&self, owner: &PeerId) {
        self.order(Order::RingMail { owner: *owner }).unwrap();
    }

    fn publish_card(&self, owner: PeerId, card: Vec<u8>) {
        self.order(Order::PublishCard { owner, card }).unwrap();
    }
}

/// Connects two nodes, the first dialling.
async fn connect(from: &mut Node, to: &mut Node) {
    from.net.connect(to.id(), &to.addrs()).unwrap();
    from.expect_connected(to.id()).await;
    to.expect_connected(from.id()).await;
}

/// Two nodes that are contacts of each other, connected.
async fn friends(seed: u8, listen: &str) -> (Node, Node) {
    let (mut alice, mut bob) = (Node::start(seed, &[listen]).await, Node::start(seed + 1, &[listen]).await);
    alice.befriend(bob.id());
    bob.befriend(alice.id());
    connect(&mut alice, &mut bob).await;
    (alice, bob)
}

/// Two nodes that do not know each other, connected.
async fn strangers(seed: u8, listen: &str) -> (Node, Node) {
    let (mut alice, mut bob) = (Node::start(seed, &[listen]).await, Node::start(seed + 1, &[listen]).await);
    connect(&mut alice, &mut bob).await;
    (alice, bob)
}

/// A peer who speaks libp2p as we do, and on envelope streams whatever a test wants.
struct Raw {
    opens: mpsc::Sender<streams::Reply>,
    inbound: mpsc::Receiver<Stream>,
}

#[derive(NetworkBehaviour)]
struct RawBehaviour {
    streams: streams::Behaviour,
}

impl Raw {
    /// Dials the node, for envelope streams.
    async fn connect(seed: u8, node: &Node) -> Self {
        Self::connect_by(seed, node, crate::envelope::frame::PROTOCOL).await
    }

    /// Dials the node, for streams of this protocol.
    async fn connect_by(seed: u8, node: &Node, protocol: &'static str) -> Self {
        let (keypair, _) = identity(&config(seed, &[])).unwrap();
        let transport = transport::build(&keypair, &Classes::default(), None, &Entrances::default()).unwrap();
        Self::connect_over(seed, transport, node, protocol).await
    }

    /// The same over this transport.
    async fn connect_over(seed: u8, transport: transport::Connections, node: &Node, protocol: &'static str) -> Self {
        let (keypair, _) = identity(&config(seed, &[])).unwrap();
        let streams = streams::Behaviour::new(StreamProtocol::new(protocol), 2, Classes::all(Class::Contact));
        let behaviour = RawBehaviour { streams };
        let config = libp2p::swarm::Config::with_tokio_executor();
        let mut swarm = Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config);
        let target = to_libp2p(&node.id());
        let addrs = node.addrs().iter().map(|addr| addr.parse().unwrap()).collect();
        swarm.dial(libp2p::swarm::dial_opts::DialOpts::peer_id(target).addresses(addrs).build()).unwrap();
        let (opens, wanted) = mpsc::channel(8);
        let (to_inbound, inbound) = mpsc::channel(8);
        let (ready, connected) = oneshot::channel();
        tokio::spawn(run_raw(swarm, target, wanted, to_inbound, ready));
        timeout(GUARD, connected).await.unwrap().unwrap();
        Self { opens, inbound }
    }

    async fn open(&self) -> Stream {
        let (reply, stream) = oneshot::channel();
        self.opens.send(reply).await.unwrap();
        timeout(GUARD, stream).await.unwrap().unwrap()
    }
}

async fn run_raw(
    mut swarm: Swarm<RawBehaviour>,
    target: libp2p::PeerId,
    mut wanted: mpsc::Receiver<streams::Reply>,
    inbound: mpsc::Sender<Stream>,
    ready: oneshot::Sender<()>,
) {
    use futures::StreamExt;
    use libp2p::swarm::SwarmEvent;

    let (mut ready, mut connection) = (Some(ready), None::<ConnectionId>);
    loop {
        tokio::select! {
            event = swarm.select_next_some() => match event {
                SwarmEvent::ConnectionEstablished { connection_id, .. } => {
                    connection = Some(connection_id);
                    ready.take().unwrap().send(()).unwrap();
                }
                SwarmEvent::Behaviour(RawBehaviourEvent::Streams(taken)) => {
                    let _ = inbound.try_send(taken.stream);
                    // The slot is given back at once: this peer takes all there are.
                }
                _ => {}
            },
            reply = wanted.recv() => match reply {
                Some(reply) => swarm.behaviour_mut().streams.open(target, connection.unwrap(), reply),
                None => return,
            },
        }
    }
}

#[test]
fn the_peer_id_is_libp2ps_own() {
    for seed in 0..20 {
        let (keypair, me) = identity(&config(seed, &[])).unwrap();
        assert_eq!(to_libp2p(&me), keypair.public().to_peer_id());
        assert_eq!(me.to_string(), keypair.public().to_peer_id().to_string());
        assert_eq!(from_libp2p(&to_libp2p(&me)), Some(me));
    }
}
