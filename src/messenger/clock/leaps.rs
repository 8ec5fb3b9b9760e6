//! Where the profile's time leapt and where the wall clock went back, and for which of what is dated that counts.

use serde::{Deserialize, Serialize};

use crate::base::{Millis, WallTime};

/// Stretches for which a leap does not count that are remembered. Where there are more, those that are nearest to each other become
/// one: what is dated between them ends later than it might.
const MAX_SPANS: usize = 4;
/// Behind all that is dated.
pub(super) const END: WallTime = WallTime(u64::MAX);

/// The wall clock went back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// What is dated from here on was dated after it.
    pub at: WallTime,
    /// So far it has not made up for it.
    pub by: Millis,
    /// It took back what was believed, and is behind; otherwise what it had claimed.
    pub behind: bool,
    /// For whom it makes up for that.
    pub of: Dated,
    /// The day of the wall clock.
    pub day: u32,
}

/// A stretch of the profile's time in which nobody was there to see it pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leap {
    /// Where it begins.
    pub at: WallTime,
    /// How long it is.
    pub len: Millis,
    /// What is known of it.
    pub what: Passed,
    /// It only made up for how far the clock was behind.
    pub makes_up: bool,
    /// For what it may have passed.
    pub of: Dated,
    /// The day of the wall clock on which it was seen.
    pub day: u32,
}

/// For which of what is dated before a leap it counts: for the rest there was no such time. That rest is kept, from here on and
/// before there, ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dated(pub(super) Vec<(WallTime, WallTime)>);

impl Dated {
    pub(super) fn has(&self, date: WallTime) -> bool {
        !self.0.iter().any(|(from, to)| *from <= date && date < *to)
    }

    pub(super) fn is_nobody(&self) -> bool {
        self.0.first() == Some(&(WallTime(0), END))
    }

    /// The same of what was dated before; for what comes it counts.
    pub(super) fn until(&self, end: WallTime) -> Self {
        Self(self.0.iter().map(|(from, to)| (*from, (*to).min(end))).filter(|(from, to)| from < to).collect())
    }

    /// Without what was dated in between.
    pub(super) fn without(&self, from: WallTime, to: WallTime) -> Self {
        let mut rest: Vec<(WallTime, WallTime)> = Vec::with_capacity(self.0.len() + 1);
        let mut all = self.0.clone();
        all.push((from, to));
        all.sort_unstable();
        for (from, to) in all {
            match rest.last_mut().filter(|last| from <= last.1) {
                Some(last) => last.1 = last.1.max(to),
                None => rest.push((from, to)),
            }
        }
        while rest.len() > MAX_SPANS {
            let gaps = rest.iter().zip(rest.iter().skip(1)).map(|(a, b)| b.0.since(a.1));
            let Some((place, _)) = gaps.enumerate().min_by_key(|(_, gap)| *gap) else { break };
            let (_, to) = rest.remove(place + 1);
            if let Some(first) = rest.get_mut(place) {
                first.1 = to;
            }
        }
        Self(rest)
    }
}

/// What is known of a leap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Passed {
    /// The profile was closed, and the wall clock says for so long. Confirmed, it is no leap any more.
    Closed,
    /// The same of one that was behind: whether that time passed then or earlier is not known.
    Unplaced,
    /// The wall clock was set ahead while we ran.
    Set,
    /// One of these, and that was right.
    Shifted,
    /// The wall clock was set back again: there was no such time.
    Never,
}

impl Passed {
    /// Whether it is still to be confirmed.
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Closed | Self::Unplaced | Self::Set)
    }
}

impl Leap {
    pub(super) fn end(&self) -> WallTime {
        self.at + self.len
    }

    /// Whether it says that the time is later than it would be, and not only that a clock that was behind made up for it.
    pub(super) fn is_claim(&self, what: Passed) -> bool {
        self.what == what && !self.makes_up
    }
}

/// What a clock that went back is to make up for.
pub(super) struct Fallen {
    pub(super) by: Millis,
    pub(super) behind: bool,
    /// Whom it was claimed for…
    pub(super) of: Dated,
    /// …but for what was dated from here on.
    pub(super) from: WallTime,
}
