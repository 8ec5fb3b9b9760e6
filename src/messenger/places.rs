//! Where a message stands in its conversation: at the end, or in the place that was left for it (CON-11).
//!
//! Places are numbers, one after the other. When a counter jumps, as many places are left free below what has come as
//! counters are missing, so that each can be filled without a look at any other message. Nothing else is put between: what was
//! written later than what showed the gap was never missing there, whatever its counter says, as its writer's state fell back.

use serde::{Deserialize, Serialize};

use crate::base::{WallTime, limits};

/// Ranges of missing counters kept of a sender.
const MAX_GAPS: usize = 64;

/// What is known of the counters of one sender in one room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The highest that came; 0: none.
    pub highest: u64,
    /// What is missing below it, ascending; bounded, the lowest forgotten.
    pub gaps: Vec<Gap>,
}

/// Counters that did not come, and the places left for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// The first.
    first: u64,
    /// The last.
    last: u64,
    /// The place behind that of the last.
    behind: u64,
    /// When that was written which showed the gap, by its writer's clock.
    shown_by: WallTime,
    /// Whether they are known to be missing: of the counters below the first of all nobody knows where they begin.
    known: bool,
}

impl Counters {
    /// The place of a message with this counter, written at this time by its writer's clock, in a room whose last place is `end`;
    /// the counter is noted.
    ///
    /// One above the highest stands at the end, one that is known to be missing where it is missing. Anything else stands
    /// at the end, too: a second copy under another ID, a gap that was forgotten, a message without a counter, and one that was
    /// written after what showed the gap. That one's counter is missing no more: its writer does not know that he used it before.
    pub fn place(&mut self, counter: u64, sent_at: WallTime, end: u64) -> u64 {
        if counter > self.highest {
            return self.place_next(counter, sent_at, end);
        }
        let Some(at) = self.gaps.iter().position(|gap| gap.holds(counter)) else { return end.saturating_add(1) };
        let gap = self.gaps.remove(at);
        let is_late = sent_at > gap.shown_by;
        let place = gap.place(counter);
        let parts = [
            Gap { last: counter.saturating_sub(1), behind: place, ..gap },
            Gap { first: counter.saturating_add(1), known: true, ..gap },
        ];
        for (i, part) in parts.into_iter().filter(|part| part.first <= part.last).enumerate() {
            self.gaps.insert(at + i, part);
        }
        self.bound();
        if is_late { end.saturating_add(1) } else { place }
    }

    /// Whether a message with this counter is known to be missing.
    pub fn is_missing(&self, counter: u64) -> bool {
        self.gaps.iter().any(|gap| gap.known && gap.holds(counter))
    }

    fn place_next(&mut self, counter: u64, sent_at: WallTime, end: u64) -> u64 {
        // Of whom nothing came before, or who lost his state and began anew from the clock: what is below his counter may
        // have been overtaken, or was never there. Room is left, and nothing counts as missing. So a message pushes the
        // places of all others up by no more than an outbox holds, and 10^14 of them would be needed to come to an end.
        let between = counter - self.highest - 1;
        let known = self.highest > 0 && between <= limits::MAX_OUTBOX_PER_PEER;
        let missing = between.min(limits::MAX_OUTBOX_PER_PEER);
        let place = end.saturating_add(missing).saturating_add(1);
        if missing > 0 {
            self.gaps.push(Gap {
                first: counter - missing,
                last: counter - 1,
                behind: place,
                shown_by: sent_at,
                known,
            });
            self.bound();
        }
        self.highest = counter;
        place
    }

    fn bound(&mut self) {
        if self.gaps.len() > MAX_GAPS {
            self.gaps.remove(0);
        }
    }
}

impl Gap {
    fn holds(&self, counter: u64) -> bool {
        (self.first..=self.last).contains(&counter)
    }

    /// The place left for one of its counters.
    const fn place(&self, counter: u64) -> u64 {
        self.behind.saturating_sub(1).saturating_sub(self.last.saturating_sub(counter))
    }
}

#[cfg(test)]
mod tests;
