//! What is kept of the clocks, and what follows from it.

use serde::{Deserialize, Serialize};

use super::leaps::{Back, Dated, END, Fallen, Leap, Passed};
use crate::base::limits::{CLOCK_DAYS, CLOCK_FIRST, CLOCK_LEAP, CLOCK_NOTE, CLOCK_STEP, CLOCK_WARNING, LONGEST_LIFE};
use crate::base::shown::{ClockFault, ClockWarning};
use crate::base::{Aging, Millis, WallTime};

/// Leaps that are remembered. Where there are more, the two that are nearest to each other become one: what is dated between
/// them is as young as the second.
pub(super) const MAX_LEAPS: usize = 32;
/// The same of how far it was set back: the two oldest become one.
const MAX_BACKS: usize = 8;
/// The end of the year 9999: a clock beyond it stands there.
pub(super) const LAST: WallTime = WallTime(253_402_300_799_999);
const DAY: u64 = Millis::from_days(1).0;

/// What is kept of the clocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockRow {
    /// The profile's time…
    pub time: WallTime,
    /// …when the wall clock stood here.
    pub wall: WallTime,
    /// How far the wall clock went back and has not made up for, what is made up first last.
    pub backs: Vec<Back>,
    /// When the profile was opened last.
    pub opened: WallTime,
    /// Where the profile's time went on by what the wall clock says alone; ascending.
    pub leaps: Vec<Leap>,
    /// How long we have run with the wall clock as it is, while something is to be confirmed.
    pub stood: Millis,
    /// The last days of the wall clock on which we did.
    pub days: Vec<u32>,
}

impl ClockRow {
    /// The clock of a new profile.
    pub fn new(wall: WallTime) -> Self {
        let wall = wall.min(LAST);
        let mut new = Self { time: wall, wall, opened: wall, ..Self::default() };
        // There was no such program then.
        new.fall_back(vec![Fallen {
            by: CLOCK_FIRST.since(wall),
            behind: true,
            of: Dated::default(),
            from: WallTime(0),
        }]);
        new
    }

    /// The clock of a profile that is opened, or looked at, when the wall clock stands here.
    #[must_use]
    pub fn at(mut self, wall: WallTime) -> Self {
        let wall = wall.min(LAST);
        let back = self.wall.since(wall);
        // Less is no other time, as while it runs.
        let is_back = back > CLOCK_STEP;
        let now = if is_back { wall } else { wall.max(self.wall) };
        let before = std::mem::replace(&mut self.wall, now);
        let fallen = if is_back { self.undo(back) } else { Vec::new() };
        self.leap(self.wall.since(before), Passed::Closed);
        if is_back || !self.backs.is_empty() {
            // Whoever ran before may have dated something behind what he noted; that is from before it was opened.
            self.go_on(CLOCK_NOTE, Passed::Never, Dated::default(), false);
        }
        self.fall_back(fallen);
        self.opened = self.time;
        self.note_day();
        self
    }

    /// How far the wall clock is before where it was and should be.
    pub fn behind(&self) -> Millis {
        let behind = self.backs.iter().filter(|back| back.behind);
        behind.fold(Millis(0), |sum, back| sum.and(back.by))
    }

    /// Whether something is to be confirmed.
    pub fn is_open(&self) -> bool {
        !self.backs.is_empty() || self.leaps.iter().any(|leap| leap.what.is_open())
    }

    /// The wall clock is right: what is said to have passed has passed.
    pub fn confirm(&mut self) {
        self.confirm_until(u32::MAX);
        self.begin_anew();
    }

    /// On the third day on which the profile was opened, what was seen on the first is confirmed. Whether anything was.
    pub(super) fn confirm_by_days(&mut self) -> bool {
        let first = self.days.first().copied().filter(|_| self.days.len() == CLOCK_DAYS);
        first.is_some_and(|day| self.confirm_until(day))
    }

    /// What was seen until this day is right. Whether anything was still to be confirmed.
    fn confirm_until(&mut self, day: u32) -> bool {
        let is_open = |leap: &Leap| leap.what.is_open() && leap.day <= day;
        let was_open = self.backs.iter().any(|back| back.day <= day) || self.leaps.iter().any(is_open);
        self.leaps.retain(|leap| !(is_open(leap) && leap.what == Passed::Closed));
        for leap in self.leaps.iter_mut().filter(|leap| is_open(leap)) {
            leap.what = Passed::Shifted;
        }
        self.backs.retain(|back| back.day > day);
        was_open
    }

    /// The time to compare a deadline of `date + span` with: the deadline is over if so much of the time since that date is
    /// believed.
    pub fn by(&self, span: Millis) -> WallTime {
        let (mut left, mut end, mut doubtful) = (span, self.time, Millis(0));
        for leap in self.leaps.iter().rev() {
            let stretch = end.since(leap.end());
            if left <= stretch {
                break;
            }
            left = Millis(left.0 - stretch.0);
            end = leap.at;
            doubtful = Millis(doubtful.0.saturating_add(leap.len.0));
        }
        self.time - doubtful
    }

    /// The same, with the time of now beside it, for what dates and compares.
    pub fn aging(&self, span: Millis) -> Aging {
        Aging { now: self.time, doubtful: self.time.since(self.by(span)) }
    }

    /// When something that was dated at `since` to end at `end` has ended as far as the wall clock says: behind it nobody is
    /// shown it. A clock that is set back shows it again.
    pub fn hidden_from(&self, since: WallTime, end: WallTime) -> WallTime {
        end + self.other(since, |what| what != Passed::Never)
    }

    /// When it has ended as far as is confirmed: behind it, it is destroyed.
    pub fn over_from(&self, since: WallTime, end: WallTime) -> WallTime {
        end + self.other(since, |what| what == Passed::Shifted)
    }

    /// Whether nothing is to be told apart: what has ended has ended.
    pub fn is_plain(&self) -> bool {
        self.leaps.is_empty()
    }

    /// What the wall clock, as it stands now, showed at a profile's time.
    pub fn shown(&self, date: WallTime) -> WallTime {
        self.shown_end(date, date)
    }

    /// What it will show at the end of something that was dated at `since` to end at `end`.
    pub fn shown_end(&self, since: WallTime, end: WallTime) -> WallTime {
        self.hidden_from(since, end) + self.wall.since(self.time) - self.time.since(self.wall)
    }

    /// The earliest that it may be: without what is to be confirmed. What others have signed is over by this clock only.
    pub fn earliest(&self) -> WallTime {
        let open = [Passed::Closed, Passed::Unplaced, Passed::Set];
        open.into_iter().fold(self.wall, |wall, what| wall - self.claimed(what))
    }

    /// The latest that it may be.
    pub fn latest(&self) -> WallTime {
        self.wall + self.behind()
    }

    /// What the user is to be told.
    pub fn warning(&self) -> Option<ClockWarning> {
        let closed = self.claimed(Passed::Closed).and(self.claimed(Passed::Unplaced));
        let set = self.claimed(Passed::Set);
        let told = |fault, by: u64| ClockWarning { fault, seconds: by / 1000 };
        if self.behind() > CLOCK_WARNING {
            return Some(told(ClockFault::Behind, self.behind().0));
        }
        let is_far = closed > CLOCK_LEAP || set > CLOCK_WARNING;
        is_far.then(|| told(ClockFault::Ahead, closed.0.saturating_add(set.0)))
    }

    /// The length of the leaps behind this date that do not count for it. A date within a leap is one from before it: a leap
    /// begins where the clock was written down last, and nothing is dated in it by whoever knows of it.
    fn other(&self, date: WallTime, counts: impl Fn(Passed) -> bool) -> Millis {
        let leaps = self.leaps.iter().rev().take_while(|leap| leap.end() > date);
        length(leaps.filter(|leap| !(counts(leap.what) && leap.of.has(date))))
    }

    /// By how much the wall clock claims in this way that it is later, and nobody has confirmed it.
    fn claimed(&self, what: Passed) -> Millis {
        length(self.leaps.iter().filter(|leap| leap.is_claim(what)))
    }

    /// The wall clock is ahead of where it should be, by so much. What it went back is made up for first.
    pub(super) fn leap(&mut self, by: Millis, what: Passed) {
        let mut left = by;
        let (mut made_up, mut behind, mut of) = (Millis(0), Millis(0), Dated::default());
        while left > Millis(0)
            && let Some(mut last) = self.backs.pop()
        {
            let back = left.min(last.by);
            (left, last.by, made_up) = (left.less(back), last.by.less(back), made_up.and(back));
            if last.behind {
                behind = behind.and(back);
            }
            // What was dated since it went back was seen to be young, if that was while we run.
            let (what, whose) = match what {
                Passed::Closed => (Passed::Unplaced, last.of.clone()),
                _ => (what, last.of.without(last.at, END)),
            };
            if !whose.is_nobody() {
                self.go_on(back, what, whose, last.behind);
            }
            if what != Passed::Unplaced && last.at <= self.opened {
                of = Dated::default().without(self.opened, END);
            }
            if last.by > Millis(0) {
                self.backs.push(last);
            }
        }
        let was_set = if what == Passed::Closed { made_up } else { made_up.max(left) };
        if was_set > CLOCK_WARNING {
            self.begin_anew();
        } else if left > CLOCK_LEAP {
            self.stood = Millis(0);
        }
        // By how much it was wrong is known where that was little.
        let is_placed = what != Passed::Closed || (behind <= CLOCK_WARNING && made_up <= CLOCK_LEAP);
        self.go_on(left, if is_placed { what } else { Passed::Unplaced }, of, false);
    }

    /// The time goes on by so much, and nobody was there. A leap that ends here stays one of its own: whoever noted it may have
    /// dated something behind it, and not have noted that.
    fn go_on(&mut self, len: Millis, what: Passed, of: Dated, makes_up: bool) {
        if len > Millis(0) {
            let at = self.time;
            self.time = at + len;
            self.leaps.push(Leap { at, len, what, makes_up, of, day: day_of(self.wall) });
            self.tidy();
        }
    }

    /// The wall clock is before where it should be, by so much.
    pub(super) fn set_back(&mut self, by: Millis) {
        let fallen = self.undo(by);
        // What is dated in this millisecond is from before.
        self.go_on(Millis(1), Passed::Never, Dated::default(), false);
        self.fall_back(fallen);
    }

    /// What the wall clock claimed last and nobody has confirmed never was, as far as it went back. Gives what is to be made up for.
    fn undo(&mut self, by: Millis) -> Vec<Fallen> {
        let (mut left, mut fallen) = (by, Vec::new());
        let mut leaps = Vec::with_capacity(self.leaps.len() + 1);
        for mut leap in std::mem::take(&mut self.leaps).into_iter().rev() {
            let undone = left.min(leap.len);
            if !leap.what.is_open() || undone == Millis(0) {
                leaps.push(leap);
                continue;
            }
            // It counts again for whom it counted; what was dated behind it was dated by what it claimed.
            fallen.push(Fallen { by: undone, behind: leap.makes_up, of: leap.of.clone(), from: leap.end() });
            left = left.less(undone);
            leap.len = leap.len.less(undone);
            let never = Leap { at: leap.end(), len: undone, what: Passed::Never, of: Dated::default(), ..leap.clone() };
            leaps.push(never);
            if leap.len > Millis(0) {
                leaps.push(leap);
            }
        }
        leaps.reverse();
        self.leaps = leaps;
        fallen.push(Fallen { by: left, behind: true, of: Dated::default(), from: WallTime(0) });
        if by > CLOCK_WARNING {
            self.begin_anew();
        }
        self.tidy();
        fallen
    }

    /// The wall clock went back, and is where it is from now on.
    fn fall_back(&mut self, fallen: Vec<Fallen>) {
        let (at, day) = (self.time, day_of(self.wall));
        for Fallen { by, behind, of, from } in fallen.into_iter().filter(|fallen| fallen.by > Millis(0)) {
            self.backs.push(Back { at, by, behind, of: of.until(from).without(from, at), day });
        }
        while self.backs.len() > MAX_BACKS {
            let first = self.backs.remove(0);
            if let Some(second) = self.backs.first_mut() {
                // What was dated between the two ends later than it might.
                second.by = second.by.and(first.by);
                second.of = first.of.0.iter().fold(second.of.clone(), |of, (from, to)| of.without(*from, *to));
            }
        }
    }

    /// What was seen of the wall clock as it was is no sign of what it is now.
    fn begin_anew(&mut self) {
        self.stood = Millis(0);
        self.days.clear();
    }

    pub(super) fn note_day(&mut self) {
        let day = day_of(self.wall);
        if self.is_open() && !self.days.contains(&day) {
            self.days.push(day);
            if self.days.len() > CLOCK_DAYS {
                self.days.remove(0);
            }
        }
    }

    /// Forgets leaps before which nothing is dated that could matter, and keeps the bound.
    fn tidy(&mut self) {
        let oldest = self.by(LONGEST_LIFE) - LONGEST_LIFE;
        self.leaps.retain(|leap| leap.what.is_open() || leap.end() > oldest);
        while self.leaps.len() > MAX_LEAPS {
            let pairs = self.leaps.iter().zip(self.leaps.iter().skip(1));
            let alike = |a: &Leap, b: &Leap| (a.what, a.makes_up, &a.of) == (b.what, b.makes_up, &b.of);
            let apart = pairs.map(|(a, b)| (!alike(a, b), b.at.since(a.end())));
            let Some((place, _)) = apart.enumerate().min_by_key(|(_, apart)| *apart) else { return };
            let first = self.leaps.remove(place);
            let Some(second) = self.leaps.get_mut(place) else { return };
            let len = first.len.and(second.len);
            let at = second.end() - len;
            *second = match alike(&first, second) {
                true => Leap { at, len, ..second.clone() },
                false => Leap { at, len, what: Passed::Never, of: Dated::default(), ..second.clone() },
            };
        }
    }
}

fn day_of(wall: WallTime) -> u32 {
    u32::try_from(wall.0 / DAY).unwrap_or(u32::MAX)
}

fn length<'a>(leaps: impl Iterator<Item = &'a Leap>) -> Millis {
    leaps.fold(Millis(0), |sum, leap| sum.and(leap.len))
}
