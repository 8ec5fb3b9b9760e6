//! How this process takes the signals that ask it to end, or to stop.
//!
//! One that was ignored when the process began stays ignored: that is what `nohup` and `sh -c '… &'` ask for.

use std::fs;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::errors;
use crate::api::ApiError;

/// Signals that were taken by a handler, and whether each still does what it does without one. Once taken, a signal is never
/// given back to the system; where nobody has use for it, the handler does what the system would.
#[derive(Debug, Default)]
pub struct Defaults {
    /// Those that ask the process to end: SIGINT, SIGTERM, SIGHUP.
    pub ends: Arc<AtomicBool>,
    /// The other one that ends it: SIGQUIT.
    pub quits: Arc<AtomicBool>,
    /// The one that stops it: SIGTSTP.
    pub stops: Arc<AtomicBool>,
}

/// Those of this process.
pub fn defaults() -> &'static Defaults {
    static DEFAULTS: OnceLock<Defaults> = OnceLock::new();
    DEFAULTS.get_or_init(Defaults::default)
}

/// Whether a signal of this number is ignored; `false` where the system does not tell.
pub fn is_ignored(signal: i32) -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| stands_in(&status, signal))
}

fn stands_in(status: &str, signal: i32) -> bool {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let set = line.and_then(|set| u64::from_str_radix(set.trim(), 16).ok()).unwrap_or_default();
    u32::try_from(signal - 1).is_ok_and(|bit| set.checked_shr(bit).is_some_and(|set| set & 1 == 1))
}

/// The signals that ask the process to end, but for those that are ignored.
pub(crate) struct Signals(Vec<Signal>);

impl Signals {
    /// From now on they no longer end the process by themselves.
    pub(crate) fn new() -> Result<Self, ApiError> {
        let of = |kind| signal(kind).map_err(|e| errors::internal(format!("signals cannot be waited for: {e}")));
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        let taken =
            kinds.into_iter().filter(|kind| !is_ignored(kind.as_raw_value())).map(of).collect::<Result<_, _>>()?;
        defaults().ends.store(false, Ordering::SeqCst);
        Ok(Self(taken))
    }

    /// Waits for one of them.
    pub(crate) async fn wait(&mut self) {
        poll_fn(|cx| match self.0.iter_mut().any(|signal| signal.poll_recv(cx).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_of_the_system_is_understood() {
        let status = "Name:\tx\nSigBlk:\t0000000000000004\nSigIgn:\t8000000000001001\nSigCgt:\t0000000000000002\n";
        let ignored: Vec<i32> = (-1..70).filter(|signal| stands_in(status, *signal)).collect();
        assert_eq!(ignored, [1, 13, 64]);
        assert!(!stands_in("", 1) && !stands_in("SigIgn:\tx\n", 1));
    }
}
