//! Two nodes that talk: start, latency, burst.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::figures::{Table, Times, ms, ratio};
use crate::limits;
use crate::machine::{Client, Node, Person};

const ONE_BY_ONE: usize = 1_000;
const BURST: usize = 10_000;
const STARTS: usize = 15;
/// Rows that a message puts into the commits on its way: the sender's before it leaves, the recipient's before it is told.
const ROWS_SENT: u64 = 6;
const ROWS_RECEIVED: u64 = 5;
const MIB: f64 = 1024.0 * 1024.0;

/// From the start of the process to `ready`, with a plain key file.
pub fn ready(table: &mut Table) {
    let person = Person::new("Alice");
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let (node, took) = person.on();
        times.push(took);
        node.off();
    }
    let times = Times::new(times);
    table.row("start to `ready`, median", ms(times.median()), format!("slowest {}", ms(times.percentile(100))));
    let (node, _) = person.on();
    let mut client = node.client();
    client.call("status", &json!({}));
    table.row("resident, idle", format!("{:.1} MiB", node.resident() as f64 / MIB), "goal 40 MiB");
}

/// Two contacts, both on, connected.
fn contacts() -> (Person, Node, Person, Node) {
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    let ((alice_node, _), (bob_node, _)) = (alice.on(), bob.on());
    for (one, other) in [(&alice_node, &bob_node), (&bob_node, &alice_node)] {
        let link = other.client().call("id.show", &json!({}))["link"].clone();
        one.client().call("contacts.add", &json!({"who": link}));
    }
    let hello = json!({"to": bob.peer, "text": "hello", "wait": "delivered"});
    assert_eq!(alice_node.client().call("send", &hello)["state"], "delivered");
    let hello = json!({"to": alice.peer, "text": "hello", "wait": "delivered"});
    assert_eq!(bob_node.client().call("send", &hello)["state"], "delivered");
    (alice, alice_node, bob, bob_node)
}

fn is_new(event: &Value) -> bool {
    event["event"] == "message.new"
}

fn is_delivered(event: &Value) -> bool {
    event["event"] == "message.state" && event["state"] == "delivered"
}

/// One after the other: from the call of `send` to the event at the other side, whose row is durable then. Either the
/// nodes come to rest before the next one, or it is written while the receipt of the one before is still on its way.
pub fn latency(table: &mut Table) {
    let (_alice, alice_node, bob, bob_node) = contacts();
    let mut writer = alice_node.client();
    let mut reader: Client = bob_node.client().listening();
    let mut receipts: Client = alice_node.client().listening();
    let message = json!({"to": bob.peer, "text": "x".repeat(200)});
    let mut once = |rest: Option<&mut Client>| {
        let start = Instant::now();
        writer.write("send", [&message]);
        reader.event(is_new);
        let took = start.elapsed();
        writer.read();
        if let Some(receipts) = rest {
            receipts.event(is_delivered);
        }
        took
    };
    for _ in 0..ONE_BY_ONE / 10 {
        once(Some(&mut receipts));
    }
    // The limits beside it, in alternation, since such machines change their mind.
    let (mut times, mut busy, mut singles, mut trips) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut bounds = Vec::new();
    for _ in 0..5 {
        times.extend((0..ONE_BY_ONE / 5).map(|_| once(Some(&mut receipts))));
        busy.extend((0..ONE_BY_ONE / 5).map(|_| once(None)));
        (0..ONE_BY_ONE / 5).for_each(|_| drop(receipts.event(is_delivered)));
        let some = ONE_BY_ONE / 5;
        singles.push(limits::commit(some, 1).median());
        let (sent, received) = (limits::commit(some, ROWS_SENT), limits::commit(some, ROWS_RECEIVED));
        let trip = limits::round_trip(some);
        trips.push(trip.median());
        bounds.push([50, 99].map(|p| sent.percentile(p) + received.percentile(p) + trip.percentile(p)));
    }
    let (times, busy) = (Times::new(times), Times::new(busy));
    let (single, trip) = (Times::new(singles).median(), Times::new(trips).median());
    let [bound, bound_99] = [0, 1].map(|i| Times::new(bounds.iter().map(|of| of[i]).collect()).median());
    let limit = single * 2 + trip;
    table.row("sled, one row flushed and synced", ms(single), "limit");
    table.row("libp2p round trip, TCP", ms(trip), "limit");
    table.row("two commits of as many rows and a round trip, p50", ms(bound), "limit");
    table.row("the same limit, p99", ms(bound_99), "limit");
    table.row(
        "one way, 200 B, `send` to durable row and event, p50",
        ms(times.median()),
        format!(
            "{} × the limit, goal 2.5 and at most 1 ms above; {} × with commits of one row ({})",
            ratio(times.median().as_secs_f64(), bound.as_secs_f64()),
            ratio(times.median().as_secs_f64(), limit.as_secs_f64()),
            ms(limit)
        ),
    );
    let high = times.percentile(99);
    let beside = format!("{} × its limit, goal 3", ratio(high.as_secs_f64(), bound_99.as_secs_f64()));
    table.row("the same, p99", ms(high), beside);
    table.row("the same without waiting for the receipt before, p50", ms(busy.median()), "");
    table.row("the same, p99", ms(busy.percentile(99)), "");
}

/// As fast as it goes: each message is durable at the sender before it is answered, and at the recipient before it is
/// acknowledged.
pub fn burst(table: &mut Table) {
    let (alice, alice_node, bob, bob_node) = contacts();
    let mut reader = bob_node.client().listening();
    let message = json!({"to": bob.peer, "text": "x".repeat(200)});
    let before = alice.bytes() + bob.bytes();
    let mut writer = alice_node.client();
    let start = Instant::now();
    let mut answers = writer.answers();
    let writing = std::thread::spawn(move || {
        for _ in 0..BURST / 100 {
            writer.write("send", std::iter::repeat_n(&message, 100));
        }
    });
    let sending = std::thread::spawn(move || {
        (0..BURST).for_each(|_| assert!(answers.read()["error"].is_null()));
        start.elapsed()
    });
    (0..BURST).for_each(|_| drop(reader.event(is_new)));
    let took = start.elapsed();
    let queued = sending.join().unwrap();
    writing.join().unwrap();
    let rate = |took: Duration| format!("{:.0}/s", BURST as f64 / took.as_secs_f64());
    table.row("burst of 10,000, end to end", rate(took), "goal 5,000/s");
    table.row("the same, answered to the sender", rate(queued), "");
    let after = alice.bytes() + bob.bytes();
    let each = (after - before) as f64 / BURST as f64 / 2.0;
    table.row("disk, a message and side, not compacted", format!("{each:.0} B"), "text 200 B");
    for (who, node) in [("sender", &alice_node), ("recipient", &bob_node)] {
        let what = format!("resident after the burst, {who}");
        table.row(&what, format!("{:.1} MiB", node.resident() as f64 / MIB), "");
    }
}
