//! The handle of the messenger's thread: commands in, answers and committed rows out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::errors;
use crate::api::{ApiError, Code};
use crate::base::PeerId;
use crate::messenger::{Answer, Command, Refusal};
use crate::store::Reader;

/// How long an ending thread may take to say how it ended.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A command and whoever waits for its answer.
pub(super) type Asked = (Command, oneshot::Sender<Result<Answer, Refusal>>);

/// How the messenger's thread ended.
pub(crate) type End = Option<Result<(), ApiError>>;

/// Reaches the messenger's thread. Clones name the same one.
#[derive(Clone)]
pub(crate) struct Core {
    /// Who we are.
    pub(super) me: PeerId,
    pub(super) user: mpsc::Sender<Asked>,
    /// Of the store that is open now: after a failed commit it is opened anew.
    pub(super) reader: watch::Receiver<Reader>,
    /// The place of the newest event.
    pub(super) events: watch::Receiver<u64>,
    /// How many messages are not delivered, as of the last commit.
    pub(super) waiting: Arc<AtomicU64>,
    pub(super) ended: watch::Receiver<End>,
}

impl Core {
    /// Hands a command in and waits for its durable outcome. When many wait already, it waits for room first.
    pub(crate) async fn command(&self, command: Command) -> Result<Answer, ApiError> {
        self.submit(command).await.outcome().await
    }

    /// Hands a command in. Commands take effect in the order in which they were handed in.
    pub(crate) async fn submit(&self, command: Command) -> Submitted {
        let (reply, answer) = oneshot::channel();
        // Whoever does not take it drops the other end, and the outcome is that nobody answers.
        let _ = self.user.send((command, reply)).await;
        Submitted { core: self.clone(), answer }
    }

    /// Reads committed rows on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader, PeerId) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let (reader, me) = (self.reader.borrow().clone(), self.me);
        tokio::task::spawn_blocking(move || question(&reader, me))
            .await
            .unwrap_or_else(|_| Err(errors::internal("a question failed; the log says more")))
    }

    /// Tells when the store was opened anew, from now on.
    pub(crate) fn openings(&self) -> watch::Receiver<Reader> {
        let mut openings = self.reader.clone();
        openings.mark_unchanged();
        openings
    }

    /// How many messages are not delivered yet.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Waits until the thread is gone and the profile free.
    pub(crate) async fn ended(&self) -> Result<(), ApiError> {
        let mut ended = self.ended.clone();
        match ended.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or(Ok(())),
            Err(_) => Err(errors::internal("the messenger's thread vanished")),
        }
    }

    /// Why nobody answers: the thread is ending, and says in a moment how.
    async fn gone(&self) -> ApiError {
        match tokio::time::timeout(LAST_WORDS, self.ended()).await {
            Ok(Err(error)) => error,
            Ok(Ok(())) | Err(_) => ApiError::new(Code::Stopping, "the node is shutting down"),
        }
    }
}

/// A command that was handed in.
pub(crate) struct Submitted {
    core: Core,
    answer: oneshot::Receiver<Result<Answer, Refusal>>,
}

impl Submitted {
    /// Its durable outcome.
    pub(crate) async fn outcome(self) -> Result<Answer, ApiError> {
        match self.answer.await {
            Ok(answer) => answer.map_err(ApiError::from),
            Err(_) => Err(self.core.gone().await),
        }
    }
}
