//! How long it takes across routers, and how much goes through a relay: `cargo test --release --test nat -- --ignored
//! figures`. It asserts nothing but that all arrives; `docs/benchmarks.md` says what the rows mean.

#![expect(clippy::disallowed_methods, reason = "what a clock shows is what it is for")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::lab::{Nat, Net};
use crate::machine::Machine;
use crate::reach::Town;
use crate::station::Station;

/// Starts of each kind.
const STARTS: usize = 7;

/// A message of which twenty go through a circuit (1 MiB), and how many are sent at once in the long run.
const BULKY: usize = 47 * 1024;
const OF_ONE_CIRCUIT: usize = 20;
const LONG: usize = 200;

pub(crate) fn figures() {
    for (way, delay) in [("no delay", 0), ("50 ms each way", 50)] {
        for nat in [Nat::Home, Nat::Symmetric] {
            let net = if delay == 0 { Net::lay().unwrap() } else { Net::long(delay, 0, 1).unwrap() };
            let gateways = [net.gateway(nat).unwrap(), net.gateway(nat).unwrap()];
            let mut town = Town::behind(net, gateways);
            town.talk("the weather");
            let name = format!("{nat:?}, {way}");
            starts(&mut town, &name, false);
            starts(&mut town, &name, true);
            if nat == Nat::Symmetric {
                throughput(&town, &name);
            }
        }
    }
}

/// How much one stream carries when each way takes 50 ms: `cargo test --test nat -- --ignored one_stream --nocapture`.
pub(crate) fn one_stream() {
    // Fewer than the lines that a machine may say before somebody listens.
    const COUNT: usize = 800;
    for listen in ["tcp/4001", "udp/4001/quic-v1"] {
        let net = Net::long(50, 0, 1).unwrap();
        let hosts = [net.host().unwrap(), net.host().unwrap()];
        let everywhere = format!("/ip4/0.0.0.0/{listen}");
        let [mut alice, mut bob] = [(&hosts[0], 1), (&hosts[1], 2)]
            .map(|(host, seed)| Machine::boot_at(&host.namespace, seed, &[&everywhere]));
        alice.order(&format!("connect {} /ip4/{}/{listen}", bob.id, hosts[1].addr));
        alice.hears(&format!("connected {}", bob.id));
        bob.hears("connected");
        let begun = Instant::now();
        alice.order(&format!("flood {} {COUNT}", bob.id));
        alice.hears(&format!("flooded {}", bob.id));
        let rate = (COUNT * rohrpost::base::limits::MAX_ENVELOPE) as f64 / begun.elapsed().as_secs_f64() / 1e6;
        println!("| one stream by {listen}, 50 ms each way | {rate:.1} MB/s | {COUNT} envelopes of 76 KiB |");
    }
}

/// Alice's process begins, and has something to say to Bob, who is on, or begins at the same moment.
fn starts(town: &mut Town, name: &str, both: bool) {
    let (mut ready, mut delivered, mut relayed, mut direct) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for n in 0..STARTS {
        town.alice.off();
        let id = town.alice.person.peer().to_owned();
        if both {
            town.bob.off();
        } else {
            let gone = |status: &serde_json::Value| !status["connections"].to_string().contains(&id);
            town.bob.settles("alone", gone);
        }
        let (begun, clock) = (Instant::now(), now());
        if both {
            town.bob.start();
        }
        town.alice.start();
        ready.push(begun.elapsed());
        send(&town.alice, &town.bob, &format!("{name} {both} {n}"), "delivered");
        delivered.push(begun.elapsed());
        if town.nat() == Nat::Home {
            town.alice.is_connected(&town.bob, true);
        }
        let log = town.alice.node().errors();
        relayed.extend(told(&log, town.bob.person.peer(), true).map(|at| at.saturating_sub(clock)));
        direct.extend(told(&log, town.bob.person.peer(), false).map(|at| at.saturating_sub(clock)));
    }
    let who = if both { "both start" } else { "one starts" };
    row(&format!("{name}: {who}, ready"), ready);
    row(&format!("{name}: {who}, connected through a relay"), relayed);
    row(&format!("{name}: {who}, delivered"), delivered);
    row(&format!("{name}: {who}, connected straight"), direct);
}

/// As much as one circuit carries, and far more.
fn throughput(town: &Town, name: &str) {
    for count in [OF_ONE_CIRCUIT, LONG] {
        // A circuit on which nothing was carried yet.
        town.alice.settles("idle", |status| status["outbox"] == 0);
        let begun = Instant::now();
        let mut call = town.alice.node().call();
        let ids: Vec<String> = (0..count)
            .map(|n| {
                let text = format!("{n} {}", "x".repeat(BULKY));
                let sent = call.ask("send", &json!({"to": town.bob.person.peer(), "text": text}));
                sent["result"]["message_id"].as_str().unwrap().to_owned()
            })
            .collect();
        for id in &ids {
            town.alice.node().reached(id, "delivered");
        }
        let took = begun.elapsed();
        let rate = (count * BULKY) as f64 / took.as_secs_f64() / 1e6;
        println!("| {name}: {count} messages of 47 KiB through relays | {rate:.2} MB/s | {} |", ms(took));
    }
}

fn send(from: &Station, to: &Station, text: &str, wait: &str) {
    let params = json!({"to": to.person.peer(), "text": text, "wait": wait, "timeout_ms": 60_000});
    let sent = from.node().call().ask("send", &params);
    assert_eq!(sent["result"]["state"], wait, "{sent}");
}

/// When, on this day, the log first tells of a connection with the peer, through a relay or not.
fn told(log: &str, peer: &str, relay: bool) -> Option<Duration> {
    let short = &peer[peer.len() - 8..];
    let of = |line: &&str| {
        line.contains(" connected peer=") && line.contains(short) && line.contains("/p2p-circuit") == relay
    };
    // 2026-11-22T01:28:47.255500Z
    let time = log.lines().find(of)?.split(['T', 'Z']).nth(1)?;
    let parts: Vec<f64> = time.split(':').map(|part| part.parse().unwrap()).collect();
    Some(Duration::from_secs_f64(parts[0] * 3600.0 + parts[1] * 60.0 + parts[2]))
}

/// The time of this day.
fn now() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Duration::from_secs(since.as_secs() % 86_400) + Duration::from_nanos(since.subsec_nanos().into())
}

fn row(what: &str, mut times: Vec<Duration>) {
    times.sort();
    if let (Some(median), Some(slowest)) = (times.get(times.len() / 2), times.last()) {
        println!("| {what} | {} | slowest of {}: {} |", ms(*median), times.len(), ms(*slowest));
    }
}

fn ms(time: Duration) -> String {
    format!("{:.0} ms", time.as_secs_f64() * 1000.0)
}
