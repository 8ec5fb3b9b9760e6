//! Loads that want to use up what there is for strangers: many fresh keys at few places.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rohrpost::envelope::frame::Frame;
use rohrpost::envelope::mailbox::Answer;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::load::{AT_ONCE, from, say};
use crate::stranger::{Stranger, Target};

/// Handshakes of one peer.
const EACH: u64 = 25;
/// Peers of one address: of what a network has, an address has half. (On one machine there are no networks.)
const PEERS: u64 = 125;

/// What came of all of them.
#[derive(Default)]
struct Came {
    taken: AtomicU64,
    refused: AtomicU64,
    turned_away: AtomicU64,
}

/// So many strangers, some at a time, each until he was let in.
#[expect(clippy::disallowed_methods, reason = "a measurement, not a condition")]
async fn each<F>(count: u64, what: &str, words: [&str; 2], one: impl Fn(u64, Arc<Came>) -> F)
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    let (places, came, begun) = (Arc::new(Semaphore::new(AT_ONCE)), Arc::<Came>::default(), Instant::now());
    let mut tasks = JoinSet::new();
    for number in 0..count {
        let place = Arc::clone(&places).acquire_owned().await.unwrap();
        let came = Arc::clone(&came);
        let first = one(number, Arc::clone(&came));
        tasks.spawn(async move {
            if first.await.is_err() {
                came.turned_away.fetch_add(1, Ordering::Relaxed);
            }
            drop(place);
        });
        while tasks.try_join_next().is_some_and(|task| task.is_ok()) {}
    }
    tasks.join_all().await;
    let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
    say(&json!({
        "done": what,
        words[0]: of(&came.taken),
        words[1]: of(&came.refused),
        "turned_away": of(&came.turned_away),
        "addresses": count.div_ceil(PEERS),
        "seconds": begun.elapsed().as_secs(),
    }));
}

/// Handshakes with the card's own prekey, a new session each, that say nothing: no request is made of them.
pub async fn marks(count: u64, target: Target) {
    each(count.div_ceil(EACH), "marks", ["acknowledged", "refused"], |number, came| async move {
        let mut stranger = Stranger::new(7_000_000 + number);
        let line = loop {
            // Who is turned away comes again.
            if let Ok(line) = stranger.connect(target, from(number / PEERS)).await {
                break line;
            }
        };
        let card = loop {
            if let Ok(card) = line.ask_card(false).await {
                break card;
            }
            tokio::task::yield_now().await;
        };
        let envelopes: Vec<_> = (0..EACH)
            .map(|_| {
                stranger.begin_with(card.clone(), target);
                stranger.sealed(Vec::new())
            })
            .collect();
        let (mut settled, mut refused) = (0, 0);
        for frame in line.deliver(&envelopes).await? {
            match frame {
                Frame::Ack { upto } => settled = upto,
                Frame::Refusal { seq, .. } => (settled, refused) = (seq, refused + 1),
                _ => {}
            }
        }
        assert_eq!(settled, EACH, "stranger {number}");
        came.taken.fetch_add(EACH - refused, Ordering::Relaxed);
        came.refused.fetch_add(refused, Ordering::Relaxed);
        Ok(())
    })
    .await;
}

/// Boxes under fresh keys, to which nobody will come back.
pub async fn boxes(count: u64, target: Target) {
    each(count, "boxes", ["kept", "full"], |number, came| async move {
        let mut stranger = Stranger::new(8_000_000 + number);
        let question = stranger.register();
        // Who is turned away, or asked too much, comes again.
        let answer = loop {
            let Ok(line) = stranger.connect(target, from(number / PEERS)).await else { continue };
            if let Ok(answer) = stranger.ask_mailbox(&line, &question).await {
                break answer;
            }
            tokio::task::yield_now().await;
        };
        match answer {
            Answer::Kept { .. } => came.taken.fetch_add(1, Ordering::Relaxed),
            Answer::Full { .. } => came.refused.fetch_add(1, Ordering::Relaxed),
            other => panic!("{other:?}"),
        };
        Ok(())
    })
    .await;
}
