//! How much may be asked of our mailbox: at a time, and as time goes by (MBX-72, MBX-73).

use tokio::time::Instant;

use super::super::budget::{Budget, Who};
use crate::base::limits::{MAIL_HELD, MAIL_QUESTIONS, MAIL_WAITING};

/// Why a question is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shut {
    /// There is no place; one may be free in a moment.
    Full,
    /// Too much was asked lately.
    TooMany,
}

/// Counts and rates.
#[derive(Debug)]
pub(super) struct Gate {
    /// Questions that are being read, answered or written.
    open: Budget<u64>,
    /// Questions that wait for mail: they have places of their own.
    held: Budget<u64>,
    /// Questions that wait for a place.
    waiting: Budget<u64>,
    last: u64,
}

impl Default for Gate {
    fn default() -> Self {
        let (open, held, waiting) = (Budget::new(MAIL_QUESTIONS), Budget::new(MAIL_HELD), Budget::new(MAIL_WAITING));
        Self { open, held, waiting, last: 0 }
    }
}

impl Gate {
    /// Lets a question in, or not. What was let in is let out by [`Gate::leave`] with its number.
    pub(super) fn enter(&mut self, who: Who, now: Instant) -> Result<u64, Shut> {
        self.open.room(&who).map_err(|_| Shut::Full)?;
        if !self.open.take(&who, now) {
            return Err(Shut::TooMany);
        }
        self.last += 1;
        self.open.hold(self.last, who);
        Ok(self.last)
    }

    /// Lets a question wait for a place, if it may: its number, with which it leaves.
    pub(super) fn wait(&mut self, who: Who) -> Option<u64> {
        self.last += 1;
        self.waiting.enter(self.last, who).ok().map(|()| self.last)
    }

    /// Gives a question that was let in a place among those that are held, if there is one, in exchange for the one it has.
    pub(super) fn hold(&mut self, id: u64) -> bool {
        let fits = self.open.held().get(&id).is_some_and(|who| self.held.enter(id, *who).is_ok());
        if fits {
            self.open.leave(&id);
        }
        fits
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held.held().len()
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.open.held().len() + self.held.held().len() + self.waiting.held().len()
    }

    pub(super) fn leave(&mut self, id: u64) {
        for places in [&mut self.open, &mut self.held, &mut self.waiting] {
            places.leave(&id);
        }
    }
}

#[cfg(test)]
mod tests;
