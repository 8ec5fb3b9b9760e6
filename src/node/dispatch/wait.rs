//! Waiting for a message to get somewhere.

use std::time::Duration;

use super::{Dispatcher, Until};
use crate::api::{ApiError, Code, Message, WaitFor};
use crate::base::MessageId;
use crate::messenger::query;
use crate::node::clock::Clock;

/// How long a call waits when it does not say.
pub(super) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(15);

impl Until {
    /// What the parameters `wait` and `timeout_ms` mean; `None`: nothing to wait for.
    pub(super) fn new(wait: Option<WaitFor>, timeout_ms: Option<u64>) -> Option<Self> {
        let wait = wait.filter(|wait| *wait != WaitFor::Queued)?;
        Some(Self { wait, timeout: timeout_ms.map_or(DEFAULT_TIMEOUT, Duration::from_millis) })
    }
}

impl Dispatcher {
    /// The message as soon as it has come so far; as it is when the time is over.
    pub(super) async fn until(&self, id: MessageId, until: Until) -> Result<Message, ApiError> {
        let mut events = self.core.events.clone();
        let deadline = tokio::time::sleep(until.timeout);
        tokio::pin!(deadline);
        loop {
            // Marked as seen before looking, so that what happens while we look wakes us again.
            events.borrow_and_update();
            let message = self.shown(id).await.map_err(|error| match error.is(Code::NoMessage) {
                true => ApiError::new(Code::MessageGone, "this message vanished before it was that far"),
                false => error,
            })?;
            if until.wait.over(message.state) {
                return Ok(message);
            }
            tokio::select! {
                changed = events.changed() => if changed.is_err() {
                    return Err(ApiError::new(Code::Stopping, "the node is shutting down"));
                },
                () = &mut deadline => return Ok(message),
            }
        }
    }

    /// A message as it is now.
    pub(super) async fn shown(&self, id: MessageId) -> Result<Message, ApiError> {
        self.core
            .read(move |reader, me| {
                let found = query::message(reader, me, &id, Clock::wall())?;
                found.ok_or_else(|| ApiError::new(Code::NoMessage, "this message is gone"))
            })
            .await
    }
}
