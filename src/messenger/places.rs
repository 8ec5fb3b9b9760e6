//! Where a message stands in its conversation: at the end, or in the place that was left for it (CON-11).
//!
//! Places are numbers, one after the other. When a counter jumps, as many places are left free below what has come as
//! counters are missing, so that each can be filled without a look at any other message. Nothing else is put between: what was
//! written later than what showed the gap was never missing there, whatever its counter says, as its writer's state fell back.
//!
//! Whose state fell back uses counters again, and what he says then may come in any order, too. So places are also left free below
//! whatever comes at the end: for lower counters that were used, and come anew, written before it.

use serde::{Deserialize, Serialize};

use crate::base::{WallTime, limits};

/// Ranges of missing counters kept of a sender.
const MAX_GAPS: usize = 64;
/// Messages of a sender of which it is kept when they were written and where they stand: the last of those that came at the end.
const MAX_RECENT: usize = 16;
/// Places that are left below such a message at least.
const ROOM: u64 = 1_000;

/// What is known of the counters of one sender in one room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// The highest that came; 0: none.
    pub highest: u64,
    /// What is missing below it, ascending; bounded, the lowest forgotten.
    pub gaps: Vec<Gap>,
    /// What came at the end last, in the order of places; bounded, the first forgotten.
    recent: Vec<Recent>,
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

/// A message that came at the end, with those of the counters directly below its own that stand before it, or are missing there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Recent {
    /// The lowest of the counters.
    first: u64,
    /// The place of that one.
    place: u64,
    /// How many places below that are free.
    free: u64,
    /// When that one was written, by its writer's clock, or which showed that it is missing.
    sent_at: WallTime,
}

impl Counters {
    /// The place of a message with this counter, written at this time by its writer's clock, in a room whose last place is `end`;
    /// the counter is noted.
    ///
    /// One that is known to be missing stands where it is missing, unless it was written after what showed the gap: that one's
    /// counter is missing no more, as its writer does not know that he used it before. It and whatever else is not above the highest
    /// (used under another ID, or in a gap that was forgotten) stands before those at the end that were written later under higher
    /// counters, and behind what was written before. Anything else stands at the end, also a message without a counter.
    pub fn place(&mut self, counter: u64, sent_at: WallTime, end: u64) -> u64 {
        if counter == 0 {
            return end.saturating_add(1);
        }
        let place = if counter > self.highest {
            None
        } else {
            self.place_missing(counter, sent_at).or_else(|| self.place_again(counter, sent_at))
        };
        place.unwrap_or_else(|| self.place_last(counter, sent_at, end))
    }

    /// Whether a message with this counter is known to be missing.
    pub fn is_missing(&self, counter: u64) -> bool {
        self.gaps.iter().any(|gap| gap.known && gap.holds(counter))
    }

    /// Nothing that is said from now on stands before what was said until now.
    pub fn forget_places(&mut self) {
        self.gaps.clear();
        self.recent.clear();
    }

    /// In a gap, which is cut in two.
    fn place_missing(&mut self, counter: u64, sent_at: WallTime) -> Option<u64> {
        let at = self.gaps.iter().position(|gap| gap.holds(counter))?;
        let gap = self.gaps.remove(at);
        let place = gap.place(counter);
        let parts = [
            Gap { last: counter.saturating_sub(1), behind: place, ..gap },
            Gap { first: counter.saturating_add(1), known: true, ..gap },
        ];
        for (i, part) in parts.into_iter().filter(|part| part.first <= part.last).enumerate() {
            self.gaps.insert(at + i, part);
        }
        self.bound();
        (sent_at <= gap.shown_by).then_some(place)
    }

    /// Before those at the end that were written later under higher counters, if what stands before them was written earlier: where
    /// that is not so its writer's clock was set, and says nothing.
    fn place_again(&mut self, counter: u64, sent_at: WallTime) -> Option<u64> {
        let is_behind = |other: &Recent| other.first > counter && other.sent_at >= sent_at;
        let at = self.recent.iter().rposition(|other| !is_behind(other))?;
        let [stop, next, ..] = *self.recent.get(at..)? else { return None };
        let between = next.first - counter;
        if stop.sent_at > sent_at || between > next.free {
            return None;
        }
        let place = next.place - between;
        let before = Recent { first: counter, place, free: next.free - between, sent_at };
        let after = (between > 1).then_some(Recent { free: between - 1, ..next });
        self.recent.splice(at + 1..at + 2, [before].into_iter().chain(after));
        self.bound();
        Some(place)
    }

    /// At the end.
    fn place_last(&mut self, counter: u64, sent_at: WallTime, end: u64) -> u64 {
        // Of whom nothing came before, or who lost his state and began anew from the clock: what is below his counter may
        // have been overtaken, or was never there. Room is left, and nothing counts as missing. So a message pushes the
        // places of all others up by no more than an outbox holds, and 10^14 of them would be needed to come to an end.
        let below = counter - 1;
        let between = below.saturating_sub(self.highest);
        let known = self.highest > 0 && between <= limits::MAX_OUTBOX_PER_PEER;
        let missing = between.min(limits::MAX_OUTBOX_PER_PEER);
        let room = missing.max(below.min(ROOM));
        let place = end.saturating_add(room).saturating_add(1);
        let first = counter - missing;
        if missing > 0 {
            self.gaps.push(Gap { first, last: below, behind: place, shown_by: sent_at, known });
        }
        self.recent.push(Recent { first, place: place.saturating_sub(missing), free: room - missing, sent_at });
        self.bound();
        self.highest = self.highest.max(counter);
        place
    }

    fn bound(&mut self) {
        if self.gaps.len() > MAX_GAPS {
            self.gaps.remove(0);
        }
        if self.recent.len() > MAX_RECENT {
            self.recent.remove(0);
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
