//! The DHT among a thousand nodes on one machine: how long a card takes to stand, and to be found.

use crate::crowd::{Crowd, Found, Size};
use crate::figures::{Table, Times, ms};

const SIZE: Size = Size { servers: 100, clients: 880, liars: 20 };
/// A tenth of the clients look for a card in each.
const ROUNDS: usize = 5;

pub fn run(table: &mut Table) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut crowd = Crowd::gather(SIZE, 1).await;
        let published = Times::new(crowd.publish().await);
        let all = SIZE.servers + SIZE.clients + SIZE.liars;
        table.row(
            &format!("a card stands in the DHT, {all} nodes, {} servers, {} liars, p50", SIZE.servers, SIZE.liars),
            ms(published.median()),
            format!("p99 {}", ms(published.percentile(99))),
        );
        found(table, "a card is found", crowd.search(ROUNDS).await);
        crowd.churn(SIZE.servers / 5).await;
        found(table, "the same when a fifth of the servers has vanished", crowd.search(ROUNDS).await);
    });
}

fn found(table: &mut Table, what: &str, found: Found) {
    assert_eq!(found.wrong, 0);
    let (missing, all) = (found.missing, found.times.len() + found.missing);
    let times = Times::new(found.times);
    let figure = format!("p50 {}, p99 {}", ms(times.median()), ms(times.percentile(99)));
    table.row(what, figure, format!("{missing} of {all} not found, no wrong one"));
}
