//! What is known of the boxes of others beside their rows. Where an owner came from is known while the process lives and is never written down
//! (MBX-26, MBX-40).

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::base::budget::Budget;
use crate::base::limits::MAIL_BOXES;
use crate::base::origin::Neighbours;
use crate::base::{MonoTime, PeerId};

/// What is known of boxes beside their rows.
#[derive(Debug)]
pub(in crate::messenger) struct House {
    /// How many more are made.
    pub(super) made: Budget<(), MonoTime>,
    /// Boxes on trial by number, the oldest first, once it was needed. Some may be on trial no more, or gone.
    pub(super) trials: Option<BTreeMap<u64, PeerId>>,
    /// By whom boxes were registered.
    pub(super) neighbours: HashMap<u64, Neighbours>,
    /// What owners did last.
    pub(super) visits: HashMap<u64, Visit>,
}

/// What the owner of a box did last, as long as the process lives.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Visit {
    /// What has a number up to this he was shown, or would have been.
    pub(super) passed: u64,
    /// Until when he waits for what comes, if his connection stands.
    pub(super) waits_until: MonoTime,
    /// Since when there is something that he is not shown, if there is.
    pub(super) hidden_at: MonoTime,
}

impl Default for House {
    fn default() -> Self {
        Self { made: Budget::new(MAIL_BOXES), trials: None, neighbours: HashMap::new(), visits: HashMap::new() }
    }
}

impl House {
    /// The oldest box on trial of those neighbours who have most of them.
    pub(super) fn next_to_go(&self) -> Option<(u64, PeerId)> {
        let mut held: HashMap<Option<&Neighbours>, (usize, Reverse<u64>)> = HashMap::new();
        let trials = self.trials.as_ref()?;
        for number in trials.keys() {
            held.entry(self.neighbours.get(number)).or_insert((0, Reverse(*number))).0 += 1;
        }
        let Reverse(oldest) = held.into_values().max()?.1;
        trials.get(&oldest).map(|owner| (oldest, *owner))
    }

    /// Rows may not be what they were to be.
    pub(in crate::messenger) fn reload(&mut self) {
        self.trials = None;
    }

    /// This box is on trial no more, or gone.
    pub(super) fn forget(&mut self, number: u64) {
        self.neighbours.remove(&number);
        if let Some(trials) = &mut self.trials {
            trials.remove(&number);
        }
    }
}
