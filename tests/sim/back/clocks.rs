//! What the rules of clocks (docs/store.md, "Time") let a program believe of how old something is, at most.

/// A day, in milliseconds.
const DAY: u64 = 24 * 3_600_000;
/// A clock that was set by more says nothing any more of how it stood before.
const FAR: u64 = 600_000;
/// A clock is believed when it has stood for a day, or was seen on three days. Two hops of less than a day do not count as
/// setting it, so that the three may be nearer to each other.
const BELIEVED: u64 = 16 * 3_600_000;

/// When the program sees that its clock is another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// When it begins.
    AtStart,
    /// While it runs.
    Running,
}

#[derive(Clone, Debug)]
struct Leap {
    at: u64,
    len: u64,
    /// The same with what it made up for, and since when it was behind: what was dated from then on vanishes by the clock that it was
    /// dated by, if the program was closed.
    full: u64,
    since: u64,
    seen: Seen,
    believed: bool,
}

/// The clock of one person, as his program has seen it.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// By how much it is wrong, in milliseconds.
    wrong: i64,
    leaps: Vec<Leap>,
    /// It has been set back by so much, beyond what it was set ahead.
    behind: u64,
    /// Since when.
    fell: u64,
    /// Since when it stands as it does.
    since: u64,
}

impl Clock {
    /// The program sees at this time that it is wrong by so much.
    pub fn see(&mut self, now: u64, wrong: i64, seen: Seen) {
        self.settle(now);
        let by = wrong.abs_diff(self.wrong);
        if wrong > self.wrong {
            let len = by - by.min(self.behind);
            self.behind -= by.min(self.behind);
            self.leaps.push(Leap { at: now, len, full: by, since: self.fell, seen, believed: false });
        } else {
            // What nobody has believed yet never was.
            let mut left = by;
            for leap in self.leaps.iter_mut().rev().filter(|leap| !leap.believed) {
                let never = leap.len.min(left);
                (leap.len, leap.full, left) = (leap.len - never, leap.full - never, left - never);
            }
            if self.behind == 0 {
                self.fell = now;
            }
            if self.leaps.iter().all(|leap| !leap.believed) {
                self.behind += left;
            }
        }
        let far = if wrong > self.wrong && seen == Seen::AtStart { DAY } else { FAR };
        if by > far {
            self.since = now;
        }
        self.wrong = wrong;
    }

    fn settle(&mut self, now: u64) {
        if now - self.since >= BELIEVED {
            self.behind = 0;
            self.leaps.iter_mut().for_each(|leap| leap.believed = true);
        }
    }

    /// How much older than it is something may be taken for that was dated at this time: by leaps that are believed. Those that were
    /// seen while the program ran count only for what is to vanish, whose end is a promise about the wall clock.
    pub fn older(&self, now: u64, dated: u64, vanishes: bool) -> u64 {
        let mut clock = self.clone();
        clock.settle(now);
        let counts = |leap: &&Leap| leap.believed && leap.at >= dated && (vanishes || leap.seen == Seen::AtStart);
        let made_up = |leap: &Leap| vanishes && leap.seen == Seen::AtStart && dated >= leap.since;
        clock.leaps.iter().filter(counts).map(|leap| if made_up(leap) { leap.full } else { leap.len }).sum()
    }
}
