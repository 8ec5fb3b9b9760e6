//! A profile with a million messages.

use std::time::Instant;

use serde_json::{Value, json};

use crate::figures::{Table, Times, ms};
use crate::filled::{Filling, made};
use crate::machine::Client;

const FRIENDS: usize = 100;
const EACH: usize = 10_000;
const ROUNDS: usize = 50;

pub fn run(table: &mut Table) {
    let person = made("million", &Filling { friends: FRIENDS, each: EACH, strangers: 0 });
    let bytes = person.bytes();
    let all = FRIENDS * EACH;
    let what = format!("store of {all} messages in {FRIENDS} conversations");
    let each = bytes as f64 / all as f64;
    table.row(&what, format!("{:.2} GiB", bytes as f64 / (1 << 30) as f64), format!("{each:.0} B a message"));
    let (node, took) = person.on();
    table.row("start to `ready` with it", ms(took), "");
    let mut client = node.client();
    let inbox = json!({});
    let first = client.call("inbox", &inbox);
    let who = first[FRIENDS / 2]["peer_id"].clone();
    asked(table, "`inbox` with it, in the node", &mut client, "inbox", &inbox, "goal 30 ms");
    let history = json!({"who": who, "limit": 50});
    asked(table, "`history -n 50` with it, in the node", &mut client, "history", &history, "");
    let resident = node.resident() as f64 / f64::from(1 << 20);
    table.row("resident with it", format!("{resident:.1} MiB"), "");
}

fn asked(table: &mut Table, what: &str, client: &mut Client, method: &str, params: &Value, beside: &str) {
    let times = (0..ROUNDS).map(|_| {
        let start = Instant::now();
        client.call(method, params);
        start.elapsed()
    });
    let times = Times::new(times.collect());
    table.row(what, format!("p50 {}, p99 {}", ms(times.median()), ms(times.percentile(99))), beside);
}
