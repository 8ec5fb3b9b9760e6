//! How many orders of a kind are under way: one permit for each, held until its outcome is told.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::SendError;
use crate::base::limits::{MAX_CARD_FETCHES, MAX_CARD_SEARCHES, MAX_MAIL_QUESTIONS};
use crate::envelope::border::Order;

/// The place of an order until its outcome is told; those that are not answered have none.
pub(super) type Permit = Option<OwnedSemaphorePermit>;

/// The places that there are.
#[derive(Clone, Debug)]
pub(super) struct Places {
    fetches: Arc<Semaphore>,
    questions: Arc<Semaphore>,
    searches: Arc<Semaphore>,
}

impl Default for Places {
    fn default() -> Self {
        let of = |places| Arc::new(Semaphore::new(places));
        Self { fetches: of(MAX_CARD_FETCHES), questions: of(MAX_MAIL_QUESTIONS), searches: of(MAX_CARD_SEARCHES) }
    }
}

impl Places {
    /// A place for this order, if there is one.
    pub(super) fn take(&self, order: &Order) -> Result<Permit, SendError> {
        let places = match order {
            Order::FetchBundle { .. } => &self.fetches,
            Order::AskMailbox { .. } => &self.questions,
            Order::FindCard { .. } => &self.searches,
            _ => return Ok(None),
        };
        Arc::clone(places).try_acquire_owned().map(Some).map_err(|_| SendError::Full)
    }

    /// How many questions to mailboxes may be put now.
    #[cfg(test)]
    pub(super) fn questions(&self) -> usize {
        self.questions.available_permits()
    }
}
