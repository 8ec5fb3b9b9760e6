//! What keeps the store in order, a little at a time between commits: keys are made ahead, all rows are counted, dead ones
//! removed, and what is there is copied into a snapshot.

use crate::base::{CryptoRng, Millis, MonoTime, Now};
use crate::messenger::recovery::SNAPSHOT;
use crate::store::{Snapshotting, Store, StoreError};

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
    /// When the next step is.
    pub(super) due: MonoTime,
    stage: Stage,
    /// Whether the first step is done.
    begun: bool,
}

enum Stage {
    /// Whether all rows are there.
    Count,
    /// Rows whose key was destroyed.
    Sweep,
    /// A snapshot, of rows that were counted; `None`: it has not begun.
    Snapshot(Option<Box<Snapshotting>>),
}

impl Upkeep {
    /// For a store that was opened at `now`.
    pub(super) fn begin(now: MonoTime) -> Self {
        Self { due: now + BEGIN, stage: Stage::Count, begun: false }
    }

    /// Does the next step, if it is due. Keys that are needed soon are made whenever few are left.
    ///
    /// # Errors
    /// Those of the store, which is closed then.
    pub(super) fn step(&mut self, store: &Store, now: Now, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        self.begun |= now.mono >= self.due;
        if self.begun {
            store.stock_keys(rng)?;
        }
        if now.mono < self.due {
            return Ok(());
        }
        let (stage, pause) = match &mut self.stage {
            Stage::Count if store.check(ROWS)? => (Stage::Sweep, PAUSE),
            Stage::Sweep if store.sweep(ROWS, rng)? => {
                if let Err(error) = store.keep_reserve() {
                    tracing::debug!(%error, "no space is put by");
                }
                (Stage::Snapshot(None), PAUSE)
            }
            Stage::Count | Stage::Sweep => {
                self.due = now.mono + PAUSE;
                return Ok(());
            }
            Stage::Snapshot(snapshot) => match copy(snapshot, store, now, rng) {
                Ok(true) => (Stage::Count, ROUND),
                Ok(false) => {
                    self.due = now.mono + PAUSE;
                    return Ok(());
                }
                // The store goes on without it, until the next round.
                Err(error) => {
                    tracing::warn!(%error, "no snapshot could be made");
                    (Stage::Count, ROUND)
                }
            },
        };
        (self.due, self.stage) = (now.mono + pause, stage);
        Ok(())
    }
}

/// Goes on with a snapshot, if one is due. Says whether it is done.
fn copy(
    snapshot: &mut Option<Box<Snapshotting>>,
    store: &Store,
    now: Now,
    rng: &mut dyn CryptoRng,
) -> Result<bool, StoreError> {
    let mut under_way = match snapshot.take() {
        Some(under_way) => under_way,
        None if !store.snapshot_is_due(now)? => return Ok(true),
        None => Box::new(store.begin_snapshot(SNAPSHOT, rng, now)?),
    };
    if under_way.step(store, ROWS)? {
        tracing::info!("a snapshot of the store was made");
        return Ok(true);
    }
    *snapshot = Some(under_way);
    Ok(false)
}
