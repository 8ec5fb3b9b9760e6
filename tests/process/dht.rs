//! The DHT among many: cards are found, and wrong ones are not believed.

use std::time::Duration;

use tokio::runtime::Runtime;

use crate::crowd::{Crowd, Size};
use crate::flood::scaled;

/// A thousand are in the bench.
const SIZE: Size = Size { servers: 24, clients: 168, liars: 8 };
/// So many of them publish: each has to reach the twenty servers nearest to his card, and handshakes are what costs here.
const CARDS: usize = 48;

#[test]
fn cards_are_found_though_some_lie_and_some_vanish() {
    Runtime::new().unwrap().block_on(async {
        let mut crowd = Crowd::gather(SIZE, 11).await;
        let (published, missing) = crowd.publish(CARDS).await;
        assert_eq!(missing, 0, "of those that were to stand");
        print("published", &published);
        let calm = crowd.search().await;
        print("found", &calm.times);
        println!("{} peers connected in all", crowd.ends());
        assert_eq!((calm.wrong, calm.missing), (0, 0), "in calm weather");
        crowd.churn(SIZE.servers / 5).await;
        let stormy = crowd.search().await;
        print("found after churn", &stormy.times);
        // A fifth of those who held cards are gone, before anybody has published anew.
        assert_eq!((stormy.wrong, stormy.missing), (0, 0), "after churn");
    });
}

/// Somebody puts 20,000 cards of fresh keys from one address (a hundredth, unless the scale says more): before, those were
/// held, and whoever's card was farther went. Few of them are, and cards of others are held and found.
#[test]
fn cards_from_one_address_keep_no_others_out() {
    Runtime::new().unwrap().block_on(async {
        let mut crowd = Crowd::gather(Size { servers: 2, clients: 2, liars: 0 }, 12).await;
        let count = scaled(20_000);
        let (filled, took) = crowd.fill(usize::try_from(count).unwrap()).await;
        let (published, missing) = crowd.publish(3).await;
        let found = crowd.search().await;
        // Three honest ones are among them.
        let held = crowd.holds_more_than(3, filled).await - 3;
        println!("cards: {held} of {count} are held, put within {took:?}");
        assert!((1..=50 + 5 * (took.as_secs() + 1)).contains(&held), "{held}");
        print("published", &published);
        print("found", &found.times);
        assert_eq!((missing, found.wrong, found.missing), (0, 0, 0));
    });
}

fn print(what: &str, times: &[Duration]) {
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{what}: {} cards, p50 {:?}, p99 {:?}", times.len(), at(50), at(99));
}
