//! What runs inside a namespace: the network alone, told what to do on its input, telling what
//! happens on its output, a line each.

use std::io::{BufRead, Write};

use rohrpost::base::limits::{LANE_CONTACTS, LANE_STRANGERS, MAX_ENVELOPE};
use rohrpost::base::{PeerId, Secret};
use rohrpost::net::{Class, Classes, Event, Lanes, NetConfig, NetHandle, Order, start};
use tokio::sync::mpsc;

/// Runs until the input ends; listens where it is told, or where it likes.
pub(crate) fn run(seed: u8, listen: &[&str]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(serve(seed, listen));
}

async fn serve(seed: u8, listen: &[&str]) {
    let (to_contacts, mut contacts) = mpsc::channel(LANE_CONTACTS);
    let (to_strangers, mut strangers) = mpsc::channel(LANE_STRANGERS);
    let lanes = Lanes { contacts: to_contacts, strangers: to_strangers };
    let listen: Vec<_> = listen.iter().map(|addr| (*addr).to_owned()).collect();
    let config = NetConfig { mdns: listen.is_empty(), listen, ..NetConfig::new(Secret::new([seed; 32])) };
    let net = start(config, lanes, Classes::all(Class::Contact)).await.unwrap();
    say(&format!("ready {}", net.peer_id()));
    let (mut orders, mut flood) = (orders(), Flood::default());
    loop {
        tokio::select! {
            Some(event) = contacts.recv() => match event {
                Event::Acked { peer, .. } if flood.open > 0 => flood.acked(&net, peer),
                event => tell(&net, event),
            },
            Some(event) = strangers.recv() => tell(&net, event),
            order = orders.recv() => match order {
                Some(order) => obey(&net, &order, &mut flood),
                None => break,
            },
        }
    }
    net.shutdown().await;
}

/// The lines of the input, read by a thread: a blocking read must not hold up the runtime.
fn orders() -> mpsc::Receiver<String> {
    let (lines, orders) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    orders
}

/// Large envelopes to one peer, as many at a time as may be; the end is told.
#[derive(Default)]
struct Flood {
    /// Not sent, and not acknowledged.
    left: u64,
    open: u64,
}

impl Flood {
    fn go_on(&mut self, net: &NetHandle, peer: PeerId) {
        let order = |ticket| Order::Send { peer, ticket, bytes: vec![b'x'; MAX_ENVELOPE].into() };
        while self.left > 0 && net.order(order(self.left)).is_ok() {
            (self.left, self.open) = (self.left - 1, self.open + 1);
        }
    }

    fn acked(&mut self, net: &NetHandle, peer: PeerId) {
        self.open -= 1;
        self.go_on(net, peer);
        if self.open == 0 {
            say(&format!("flooded {peer}"));
        }
    }
}

/// `connect <peer> [<address>]`, `send <peer> <text>` or `flood <peer> <how many>`.
fn obey(net: &NetHandle, order: &str, flood: &mut Flood) {
    let words: Vec<_> = order.splitn(3, ' ').collect();
    let order = match words.as_slice() {
        ["flood", peer, count] => {
            flood.left = count.parse().unwrap();
            return flood.go_on(net, peer.parse().unwrap());
        }
        ["connect", peer, addr] => Order::Connect { peer: peer.parse().unwrap(), addrs: vec![(*addr).to_owned()] },
        ["connect", peer] => Order::Connect { peer: peer.parse().unwrap(), addrs: Vec::new() },
        ["send", peer, text] => Order::Send { peer: peer.parse().unwrap(), ticket: 1, bytes: text.as_bytes().into() },
        _ => panic!("unknown order: {order}"),
    };
    net.order(order).unwrap();
}

fn tell(net: &NetHandle, event: Event) {
    let about = |what: &str, peer: PeerId| say(&format!("{what} {peer}"));
    match event {
        Event::Listening(addrs) => say(&format!("listening {}", addrs.join(" "))),
        Event::Discovered(peer) => about("discovered", peer),
        Event::Connected(peer) => about("connected", peer),
        Event::Disconnected(peer) => about("disconnected", peer),
        Event::Unreachable(peer) => about("unreachable", peer),
        Event::Acked { peer, .. } => about("acked", peer),
        Event::Lost { peer, .. } => about("lost", peer),
        Event::Envelope { from, token, bytes, .. } => {
            net.order(Order::Acknowledge(token)).unwrap();
            let beginning = bytes.get(..256).unwrap_or(&bytes);
            say(&format!("envelope {from} {}", String::from_utf8_lossy(beginning)));
        }
        other => say(&format!("{other:?}")),
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // The test has gone; so will we.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
