//! What runs inside a namespace: the network alone, told what to do on its input, telling what
//! happens on its output, a line each.

use std::io::{BufRead, Write};

use rohrpost::base::limits::{LANE_CONTACTS, LANE_STRANGERS};
use rohrpost::base::{PeerId, Secret};
use rohrpost::net::{Class, Classes, Event, Lanes, NetConfig, NetHandle, Order, start};
use tokio::sync::mpsc;

/// Runs until the input ends.
pub(crate) fn run(seed: u8) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(serve(seed));
}

async fn serve(seed: u8) {
    let (to_contacts, mut contacts) = mpsc::channel(LANE_CONTACTS);
    let (to_strangers, mut strangers) = mpsc::channel(LANE_STRANGERS);
    let lanes = Lanes { contacts: to_contacts, strangers: to_strangers };
    let config = NetConfig { mdns: true, ..NetConfig::new(Secret::new([seed; 32])) };
    let net = start(config, lanes, Classes::all(Class::Contact)).await.unwrap();
    say(&format!("ready {}", net.peer_id()));
    let mut orders = orders();
    loop {
        tokio::select! {
            Some(event) = contacts.recv() => tell(&net, event),
            Some(event) = strangers.recv() => tell(&net, event),
            order = orders.recv() => match order {
                Some(order) => obey(&net, &order),
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

/// `connect <peer>` or `send <peer> <text>`.
fn obey(net: &NetHandle, order: &str) {
    let words: Vec<_> = order.splitn(3, ' ').collect();
    let order = match words.as_slice() {
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
        Event::Envelope { from, token, bytes } => {
            net.order(Order::Acknowledge(token)).unwrap();
            say(&format!("envelope {from} {}", String::from_utf8_lossy(&bytes)));
        }
        other => say(&format!("{other:?}")),
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // The test has gone; so will we.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
