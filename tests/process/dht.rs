//! The DHT among many: cards are found, and wrong ones are not believed.

use tokio::runtime::Runtime;

use crate::crowd::{Crowd, Size};

/// In an ordinary run as many as two cores take in an unoptimised build: each node has connections with most servers. A thousand
/// are in the bench.
const SIZE: Size = Size { servers: 10, clients: 24, liars: 4 };

#[test]
fn cards_are_found_though_some_lie_and_some_vanish() {
    Runtime::new().unwrap().block_on(async {
        let mut crowd = Crowd::gather(SIZE, 11).await;
        let published = crowd.publish().await;
        println!("published: median {:?}, slowest {:?}", published[published.len() / 2], published.last());
        let calm = crowd.search(3).await;
        println!("{calm:?}");
        assert_eq!((calm.wrong, calm.missing), (0, 0), "in calm weather");
        crowd.churn(SIZE.servers / 5).await;
        let stormy = crowd.search(3).await;
        println!("after churn: {stormy:?}");
        // A fifth of those who held cards are gone, before anybody has published anew.
        assert_eq!((stormy.wrong, stormy.missing), (0, 0), "after churn");
    });
}
