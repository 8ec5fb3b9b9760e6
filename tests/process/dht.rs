//! The DHT among many: cards are found, and wrong ones are not believed.

use tokio::runtime::Runtime;

use crate::crowd::{Crowd, Size};

#[test]
fn cards_are_found_among_two_hundred_nodes_of_whom_some_lie_and_some_vanish() {
    if std::env::var("TR").is_ok() {
        tracing_subscriber::fmt().with_env_filter(std::env::var("TR").unwrap()).init();
    }
    Runtime::new().unwrap().block_on(async {
        let n = |name: &str, d: usize| std::env::var(name).map_or(d, |v| v.parse().unwrap());
        let size = Size { servers: n("S", 30), clients: n("C", 160), liars: n("L", 10) };
        let mut crowd = Crowd::gather(size, 11).await;
        let published = crowd.publish().await;
        println!("published: median {:?}, slowest {:?}", published[published.len() / 2], published.last());
        let calm = crowd.search(2).await;
        println!("{calm:?}");
        assert_eq!((calm.wrong, calm.missing), (0, 0), "in calm weather");
        crowd.churn(6).await;
        let stormy = crowd.search(2).await;
        println!("after churn: {stormy:?}");
        // A fifth of those who held cards are gone, before anybody has published anew.
        let all = stormy.times.len() + stormy.missing;
        assert!(stormy.wrong == 0 && stormy.missing * 20 <= all, "{stormy:?}");
    });
}
