//! What keeps the store in order, a little at a time between commits: all rows are counted, dead ones removed.

use crate::base::{CryptoRng, Millis, MonoTime};
use crate::store::{Store, StoreError};

/// The first step comes so long after the store was opened: short commands do not pay for it.
const BEGIN: Millis = Millis::from_secs(2);
/// Between two steps, so that messages go before.
const PAUSE: Millis = Millis(50);
/// Between two rounds.
const ROUND: Millis = Millis::from_hours(24);
/// Rows of one step: some milliseconds.
const ROWS: usize = 4096;

/// How far it is.
pub(super) struct Upkeep {
    due: MonoTime,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Whether all rows are there.
    Count,
    /// Rows whose key was destroyed.
    Sweep,
}

impl Upkeep {
    /// For a store that was opened at `now`.
    pub(super) fn begin(now: MonoTime) -> Self {
        Self { due: now + BEGIN, stage: Stage::Count }
    }

    /// When the next step is due.
    pub(super) const fn due(&self) -> MonoTime {
        self.due
    }

    /// Does the next step, if it is due.
    ///
    /// # Errors
    /// Those of the store, which is closed then.
    pub(super) fn step(&mut self, store: &Store, now: MonoTime, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        if now < self.due {
            return Ok(());
        }
        let done = match self.stage {
            Stage::Count => store.check(ROWS)?,
            Stage::Sweep => store.sweep(ROWS, rng)?,
        };
        let (stage, pause) = match (self.stage, done) {
            (stage, false) => (stage, PAUSE),
            (Stage::Count, true) => (Stage::Sweep, PAUSE),
            (Stage::Sweep, true) => (Stage::Count, ROUND),
        };
        *self = Self { due: now + pause, stage };
        Ok(())
    }
}
