//! Reads the log of events from a cursor on, as it grows.

use tokio::sync::watch;

use super::dispatch::Dispatcher;
use crate::api::Event;
use crate::store::Reader;

/// A reader with a place in the log. It misses nothing: what cannot be read now is told when the store is open again.
pub(crate) struct News {
    dispatcher: Dispatcher,
    /// The place of the newest event.
    newest: watch::Receiver<u64>,
    /// That of the last one read.
    cursor: u64,
    /// The store could not be read.
    closed: Option<watch::Receiver<Reader>>,
}

impl News {
    /// Begins behind this place.
    pub(crate) fn after(dispatcher: &Dispatcher, cursor: u64) -> Self {
        Self { newest: dispatcher.core().events.clone(), dispatcher: dispatcher.clone(), cursor, closed: None }
    }

    /// Waits until there may be something to read; may be dropped at any time. `false`: there never will be.
    pub(crate) async fn ready(&mut self) -> bool {
        if let Some(openings) = &mut self.closed
            && openings.changed().await.is_err()
        {
            // The node has ended, and whoever waits with it is told so.
            std::future::pending::<()>().await;
        }
        self.closed = None;
        let cursor = self.cursor;
        self.newest.wait_for(|newest| *newest > cursor).await.is_ok()
    }

    /// The next events, at most so many. Nothing when they cannot be read now.
    pub(crate) async fn read(&mut self, limit: usize) -> Vec<Event> {
        let newest = *self.newest.borrow();
        let openings = self.dispatcher.core().openings();
        match self.dispatcher.behind(self.cursor, limit).await {
            Ok(events) => {
                // Where the log is shorter than it says, waiting for the missing ones would never end.
                self.cursor = events.last().map_or(newest, |event| event.seq);
                events
            }
            Err(error) => {
                tracing::debug!(%error, "events cannot be read now");
                self.closed = Some(openings);
                Vec::new()
            }
        }
    }
}
