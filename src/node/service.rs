//! What the service manager is told (`sd_notify(3)`): that the node is up, that it ends, and, if it has a watchdog, that the
//! node is alive. Without a manager nothing is told.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::task::JoinHandle;

use super::core::Core;
use crate::messenger::Command;

/// The service manager, while the node is up.
pub(crate) struct Service {
    watch: Option<JoinHandle<()>>,
}

impl Service {
    /// The node is up. From now on the watchdog hears of it twice in its time, as long as the messenger's thread answers.
    pub(super) fn ready(core: &Core) -> Self {
        tell(NotifyState::Ready);
        let core = core.clone();
        let watch = sd_notify::watchdog_enabled().map(|time| {
            let is_alive = async move || core.command(Command::Nothing).await.is_ok();
            tokio::spawn(watch(time / 2, is_alive, || tell(NotifyState::Watchdog)))
        });
        Self { watch }
    }

    /// It ends.
    pub(crate) fn stopping(&self) {
        tell(NotifyState::Stopping);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
    }
}

/// Tells at these intervals that somebody is alive who says so himself: of one who does not answer nothing is told.
async fn watch(every: Duration, is_alive: impl AsyncFn() -> bool, tell: impl Fn()) {
    let mut ticks = tokio::time::interval(every.max(Duration::from_millis(1)));
    while is_alive().await {
        tell();
        ticks.tick().await;
    }
}

/// A manager that does not listen is no reason to do anything else.
fn tell(state: NotifyState<'_>) {
    // An empty variable is an unset one.
    if std::env::var_os("NOTIFY_SOCKET").is_none_or(|socket| socket.is_empty()) {
        return;
    }
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager (NOTIFY_SOCKET) is not told");
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_does_not_answer_is_not_said_to_be_alive() {
        let (asked, told) = (Cell::new(0), Cell::new(0));
        let is_alive = async || {
            asked.set(asked.get() + 1);
            if asked.get() > 3 {
                std::future::pending::<()>().await;
            }
            true
        };
        let watching = watch(Duration::from_secs(30), is_alive, || told.set(told.get() + 1));
        assert!(tokio::time::timeout(Duration::from_secs(3600), watching).await.is_err());
        assert_eq!((asked.get(), told.get()), (4, 3));
        watch(Duration::ZERO, async || false, || panic!("it has ended")).await;
    }
}
