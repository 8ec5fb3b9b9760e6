//! Places at which tests let the program die.
//!
//! Without the feature `failpoints` nothing of it is in the program, and with it a release build is refused. With it,
//! `ROHRPOST_FAILPOINTS` names what is to happen: `flushed=3` kills the process when it comes to the failpoint `flushed`
//! for the third time, [`SKIP_SYNC`] makes it forget to sync its database. Several are separated by commas.

#[cfg(all(feature = "failpoints", not(debug_assertions)))]
compile_error!("failpoints are for tests: they have no place in a release build");

/// The failpoints, in the order in which an envelope comes to them.
pub const POINTS: &[&str] = &[
    // Opening the store.
    "opened",
    "at-rest",
    // A commit.
    "received",
    "computed",
    "keys-made",
    "sealed",
    "applied",
    "flushed",
    "synced",
    "marked",
    "key-file-written",
    "key-file-synced",
    "keys-settled",
    "committed",
    // What follows from it.
    "replying",
    "replied",
    "acknowledging",
    "acknowledged",
    "acknowledgement-sent",
    "sending",
    "handed-over",
    "envelope-sent",
];

/// The database is not synced: a test of the tests, which then have to find that something is lost.
pub const SKIP_SYNC: &str = "store-skip-sync";

/// Here a test may have the process die.
#[cfg(not(any(test, feature = "failpoints")))]
#[inline(always)]
pub const fn failpoint(_name: &str) {}

#[cfg(all(test, not(feature = "failpoints")))]
pub use watch::come_to as failpoint;

/// Whether a test wants something to be left out.
#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub const fn is_left_out(_name: &str) -> bool {
    false
}

#[cfg(feature = "failpoints")]
pub use set::{failpoint, is_left_out};

#[cfg(feature = "failpoints")]
mod set {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use rustix::process::{Signal, getpid, kill_process};

    /// What was asked for: a name and how many times it may still be come to.
    type Point = (String, Option<AtomicUsize>);

    fn points() -> &'static [Point] {
        static POINTS: OnceLock<Vec<Point>> = OnceLock::new();
        POINTS.get_or_init(|| {
            let asked = std::env::var("ROHRPOST_FAILPOINTS").unwrap_or_default();
            asked.split(',').filter(|point| !point.is_empty()).map(parse).collect()
        })
    }

    fn parse(point: &str) -> Point {
        match point.split_once('=') {
            Some((name, times)) => (name.to_owned(), times.parse().ok().map(AtomicUsize::new)),
            None => (point.to_owned(), None),
        }
    }

    /// Here a test may have the process die.
    pub fn failpoint(name: &str) {
        debug_assert!(super::POINTS.contains(&name), "{name} is not in the list");
        #[cfg(test)]
        super::watch::come_to(name);
        let asked = points().iter().find(|(asked, _)| asked == name);
        let Some((_, Some(left))) = asked else { return };
        if left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let _ = kill_process(getpid(), Signal::KILL);
            loop {
                std::thread::park();
            }
        }
    }

    /// Whether a test wants something to be left out.
    pub fn is_left_out(name: &str) -> bool {
        points().iter().any(|(asked, _)| asked == name)
    }
}

/// For tests of this crate: what would be left if the process died here.
#[cfg(test)]
pub mod watch {
    use std::cell::RefCell;

    type Watcher = Box<dyn FnMut(&str)>;

    thread_local! {
        static WATCHER: RefCell<Option<Watcher>> = const { RefCell::new(None) };
    }

    /// Calls `watcher` at each failpoint that this thread comes to, from now on; not at those that it comes to itself.
    pub fn watch(watcher: impl FnMut(&str) + 'static) {
        WATCHER.set(Some(Box::new(watcher)));
    }

    /// Nobody watches any more.
    pub fn end() {
        WATCHER.set(None);
    }

    /// A failpoint is come to.
    pub fn come_to(name: &str) {
        if let Some(mut watcher) = WATCHER.take() {
            watcher(name);
            WATCHER.set(Some(watcher));
        }
    }
}
