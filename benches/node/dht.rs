//! The DHT among a thousand nodes on one machine: how long a card takes to stand, and to be found.

use std::fs;
use std::time::Instant;

use crate::crowd::{Crowd, Found, Size};
use crate::figures::{Table, Times, ms};

const SIZE: Size = Size { servers: 100, clients: 880, liars: 20 };
/// So many of them publish: it is the network that is to be measured, not how many handshakes the machine makes in a second.
const CARDS: usize = 240;

pub fn run(table: &mut Table) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let begun = Instant::now();
        let mut crowd = Crowd::gather(SIZE, 1).await;
        let (alone, begun_with) = (resident(), crowd.ends());
        println!("all are there after {} s", begun.elapsed().as_secs());
        let (times, missing) = crowd.publish(CARDS).await;
        let published = Times::new(times);
        let all = SIZE.servers + SIZE.clients + SIZE.liars;
        table.row(
            &format!("a card stands in the DHT, {all} nodes, {} servers, {} liars, p50", SIZE.servers, SIZE.liars),
            ms(published.median()),
            format!(
                "p99 {}, at most {}; {missing} of {CARDS} did not",
                ms(published.percentile(99)),
                ms(published.percentile(100))
            ),
        );
        let (full, ends) = (resident(), crowd.ends());
        found(table, "a card is found", crowd.search().await);
        crowd.churn(SIZE.servers / 5).await;
        found(table, "the same when a fifth of the servers has vanished", crowd.search().await);
        table.row(
            "resident with all connections",
            format!("{} MiB", full >> 20),
            format!("{ends} ends of connections; before cards were published {begun_with}, and {} MiB", alone >> 20),
        );
        table.row(
            "all of it",
            format!("{} s", begun.elapsed().as_secs()),
            format!("{} MiB at its end", resident() >> 20),
        );
    });
}

fn found(table: &mut Table, what: &str, found: Found) {
    assert_eq!(found.wrong, 0);
    let (missing, all) = (found.missing, found.times.len() + found.missing);
    let times = Times::new(found.times);
    let figure = format!("p50 {}, p99 {}", ms(times.median()), ms(times.percentile(99)));
    table.row(what, figure, format!("{missing} of {all} not found, no wrong one"));
}

/// Resident memory of this process, in bytes.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}
