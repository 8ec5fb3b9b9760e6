//! Whatever ends a connection, and whenever: no count of it is left.

use futures::future::select_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::envelope::mailbox::{Answer, Question};
use crate::net::contained::faults;

/// Dice.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }
}

/// A way to an address on which each connection is cut after some bytes: amid the handshake, in identify, or later.
async fn scissors(target: &str, mut dice: Dice) -> String {
    let port = target.rsplit('/').next().unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = format!("/ip4/127.0.0.1/tcp/{}", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(format!("127.0.0.1:{port}")).await else { continue };
            let bytes = dice.below(8_000);
            tokio::spawn(carry(near, far, bytes));
        }
    });
    addr
}

async fn carry(near: TcpStream, far: TcpStream, mut left: usize) {
    let (mut a, mut b) = (near.into_split(), far.into_split());
    let (mut there, mut back) = ([0; 512], [0; 512]);
    while left > 0 {
        let (count, from, to) = tokio::select! {
            count = a.0.read(&mut there) => (count, &there, &mut b.1),
            count = b.0.read(&mut back) => (count, &back, &mut a.1),
        };
        let Ok(count @ 1..) = count else { return };
        let count = count.min(left);
        if to.write_all(&from[..count]).await.is_err() {
            return;
        }
        left -= count;
    }
}

/// Nodes that do with each other whatever there is to be done.
struct Town {
    nodes: Vec<Node>,
    /// To each, in the same order.
    cut: Vec<String>,
    dice: Dice,
    ticket: u64,
}

impl Town {
    /// One that serves others in every way, two behind it that punch holes, and a stranger to all.
    async fn new(seed: u64) -> Self {
        let hub = NetConfig {
            serve_relay: true,
            serve_mailbox: true,
            dht_server: Some(true),
            public: Some(true),
            ..config(50, &[TCP, QUIC])
        };
        let hub = Node::with(hub).await;
        let bootstrap = vec![(hub.id(), hub.addrs())];
        let near =
            |n, listen: &[&str]| NetConfig { public: Some(false), bootstrap: bootstrap.clone(), ..config(n, listen) };
        let (alice, bob) = (Node::with(near(51, &[TCP, QUIC])).await, Node::with(near(52, &[TCP])).await);
        alice.befriend(bob.id());
        bob.befriend(alice.id());
        let nodes = vec![hub, alice, bob, Node::start(53, &[TCP]).await];
        let mut cut = Vec::new();
        for (n, node) in nodes.iter().enumerate() {
            let tcp = node.addrs().into_iter().find(|addr| addr.contains("/tcp/")).unwrap();
            cut.push(scissors(&tcp, Dice(seed * 31 + n as u64 + 1)).await);
        }
        Self { nodes, cut, dice: Dice(seed), ticket: 0 }
    }

    /// Begins something; the ticket of its outcome, if there will be one.
    fn begin(&mut self) -> Option<u64> {
        let from = self.dice.below(self.nodes.len());
        let to = (from + 1 + self.dice.below(self.nodes.len() - 1)) % self.nodes.len();
        let (what, cut) = (self.dice.below(9), self.cut[to].clone());
        self.ticket += 1;
        let (from, to, ticket) = (&self.nodes[from], &self.nodes[to], self.ticket);
        let id = to.id();
        let circuits = || to.net.status().relays.into_iter().map(|relay| relay.addr).collect::<Vec<_>>();
        let question = Question::Card { owner: peer_of(99), want_prekey: true }.encode().unwrap();
        let ask = |anonymous| Order::AskMailbox { ticket, mailbox: id, addrs: to.addrs(), anonymous, question };
        let begun = match what {
            0 => return from.net.connect(id, &to.addrs()).err().map(|_| 0),
            1 => return from.net.connect(id, &[cut]).err().map(|_| 0),
            2 => return from.net.connect(id, &circuits()).err().map(|_| 0),
            3 => {
                from.net.dial_again(id, &cut);
                return None;
            }
            4 => from.net.fetch_bundle(id, ticket, true),
            5 => from.net.order(ask(self.dice.below(2) == 0)),
            _ => from.send(id, ticket, &vec![7; 1 + self.dice.below(3_000)]),
        };
        begun.ok().map(|()| ticket)
    }

    /// The next event of any of them, answered if it wants an answer; the ticket whose outcome it is.
    async fn next(&mut self) -> Option<u64> {
        let lanes = self.nodes.iter_mut().map(|node| {
            Box::pin(async {
                tokio::select! { event = node.contacts.recv() => event, event = node.strangers.recv() => event }
            })
        });
        let (event, at, _) = timeout(GUARD, select_all(lanes)).await.expect("something has no outcome");
        let net = &self.nodes[at].net;
        match event.unwrap() {
            Event::Envelope { token, .. } => net.acknowledge(token),
            Event::BundleRequested { request, .. } => net.answer_bundle(request, vec![3; 600], Some(vec![4; 500])),
            Event::Mail { request, .. } => net.answer_mail(request, Answer::NoBox.encode().unwrap()),
            Event::Acked { ticket, .. }
            | Event::Lost { ticket, .. }
            | Event::Refused { ticket, .. }
            | Event::Bundle { ticket, .. }
            | Event::BundleFailed { ticket, .. }
            | Event::MailAnswered { ticket, .. }
            | Event::MailFailed { ticket, .. } => return Some(ticket),
            _ => {}
        }
        None
    }

    /// So much of it, some at a time, each until it has its outcome.
    async fn live(&mut self, rounds: usize) {
        for _ in 0..rounds {
            let mut open: Vec<_> = (0..6).filter_map(|_| self.begin()).filter(|ticket| *ticket > 0).collect();
            while !open.is_empty() {
                let ended = self.next().await;
                open.retain(|ticket| Some(*ticket) != ended);
            }
        }
    }

    /// All leave but this one: nothing is counted there any more.
    async fn leave(mut self, stays: usize) {
        let stays = self.nodes.swap_remove(stays);
        for node in self.nodes.drain(..) {
            node.net.shutdown().await;
        }
        let mut counts = stays.net.shared().counts.subscribe();
        let is_zero = |counts: &Vec<(&str, usize)>| !counts.is_empty() && counts.iter().all(|(_, count)| *count == 0);
        let zero = timeout(GUARD, counts.wait_for(is_zero)).await.map(|found| found.is_ok());
        assert!(zero.is_ok_and(|zero| zero), "it is still counted: {:?}", stays.net.shared().counts.borrow());
    }
}

/// Connections are cut and killed at random, by panics in handlers and by the end of their tasks, while they are dialled and
/// negotiated, in identify, while streams are open and answered, while they are closed, through relays, and while holes are punched:
/// everything that was begun has its outcome, and no count is left.
#[tokio::test]
async fn nothing_is_counted_of_a_connection_that_has_ended() {
    for (seed, stays) in [(1, 0), (2, 1), (3, 2), (4, 3)] {
        let mut town = Town::new(seed).await;
        faults::set(seed, 700, 1_500);
        town.live(60).await;
        faults::set(seed, 0, 0);
        town.leave(stays).await;
    }
}
