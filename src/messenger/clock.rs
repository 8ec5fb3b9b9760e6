//! The profile's time, and how much of it is believed (docs/store.md, "Time").
//!
//! All that is kept is dated by the *profile's time*. It begins with the wall clock and never goes back: it follows the
//! monotonic clock while a process has the profile open, and *leaps* where the wall clock is further ahead than that, at an
//! opening or because it was set. A leap is a claim, and is remembered with its place. What is dated behind it is right
//! either way. Of what is dated before it, its length counts as age when it is confirmed; if the wall clock is set back first,
//! it never does. A clock that is set while we run moves deadlines with it: such a leap counts for nothing but messages with
//! a time to live, whose end is a promise about the wall clock.
//!
//! Pure: the clocks are arguments. What is done with it stands with each deadline.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::base::limits::{
    CLOCK_AGREEMENT, CLOCK_BELIEVED, CLOCK_DAYS, CLOCK_LEAP, CLOCK_PEERS, CLOCK_STEP, CLOCK_WARNING, LONGEST_LIFE,
};
use crate::base::shown::{ClockFault, ClockWarning};
use crate::base::{Aging, Millis, MonoTime, Now, PeerId, WallTime};

/// Leaps that are remembered. Where there are more, the two that are nearest to each other become one: what is dated between
/// them is as young as the second.
const MAX_LEAPS: usize = 32;
/// The end of the year 9999: a clock beyond it stands there.
const LAST: WallTime = WallTime(253_402_300_799_999);
const DAY: u64 = Millis::from_days(1).0;

/// What is kept of the clocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockRow {
    /// The profile's time…
    pub time: WallTime,
    /// …when the wall clock stood here.
    pub wall: WallTime,
    /// The wall clock is so far before where it was and should be.
    pub behind: Millis,
    /// That was so when the profile was opened: how long it was closed is not known yet, and has room in the leap that begins
    /// here.
    pub room: Option<WallTime>,
    /// Where the profile's time went on by what the wall clock says alone; ascending.
    pub leaps: Vec<Leap>,
    /// How long we have run with the wall clock as it is, while something is to be confirmed.
    pub stood: Millis,
    /// Days of the wall clock on which we did.
    pub days: Vec<u32>,
}

/// A stretch of the profile's time in which nobody was there to see it pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leap {
    /// Where it begins.
    pub at: WallTime,
    /// How long it is.
    pub len: Millis,
    /// What is known of it.
    pub what: Passed,
}

/// What is known of a leap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Passed {
    /// The profile was closed, and the wall clock says for so long. Confirmed, it is no leap any more.
    Closed,
    /// The wall clock was set ahead while we ran.
    Set,
    /// The same, and that was right.
    Shifted,
    /// The wall clock was set back again: there was no such time.
    Never,
}

impl Passed {
    /// Whether it is still to be confirmed.
    const fn is_open(self) -> bool {
        matches!(self, Self::Closed | Self::Set)
    }
}

impl Leap {
    fn end(&self) -> WallTime {
        self.at + self.len
    }
}

impl ClockRow {
    /// The clock of a new profile.
    pub fn new(wall: WallTime) -> Self {
        let wall = wall.min(LAST);
        Self { time: wall, wall, ..Self::default() }
    }

    /// The clock of a profile that is opened, or looked at, when the wall clock stands here.
    #[must_use]
    pub fn at(mut self, wall: WallTime) -> Self {
        let wall = wall.min(LAST);
        let (gap, back) = (wall.since(self.wall), self.wall.since(wall));
        if gap > Millis(0) {
            self.leap(gap, Passed::Closed);
        } else if back > Millis(0) {
            self.set_back(back);
            if self.behind > Millis(0) && self.room.is_none() {
                self.room = Some(self.time);
                self.go_on(LONGEST_LIFE, Passed::Never);
            }
        }
        self.wall = wall;
        self.note_day();
        self
    }

    /// Whether something is to be confirmed.
    pub fn is_open(&self) -> bool {
        self.behind > Millis(0) || self.leaps.iter().any(|leap| leap.what.is_open())
    }

    /// The wall clock is right: what is said to have passed has passed.
    pub fn confirm(&mut self) {
        self.leaps.retain(|leap| leap.what != Passed::Closed);
        for leap in &mut self.leaps {
            if leap.what == Passed::Set {
                leap.what = Passed::Shifted;
            }
        }
        (self.behind, self.room) = (Millis(0), None);
        self.begin_anew();
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
        end + self.after(since, |what| what == Passed::Never)
    }

    /// When it has ended as far as is confirmed: behind it, it is destroyed.
    pub fn over_from(&self, since: WallTime, end: WallTime) -> WallTime {
        end + self.after(since, |what| what != Passed::Shifted)
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
        self.wall - self.after(WallTime(0), Passed::is_open)
    }

    /// The latest that it may be.
    pub fn latest(&self) -> WallTime {
        self.wall + self.behind
    }

    /// What the user is to be told.
    pub fn warning(&self) -> Option<ClockWarning> {
        let open = |what| self.after(WallTime(0), |it| it == what);
        let (closed, set) = (open(Passed::Closed), open(Passed::Set));
        let told = |fault, by: u64| ClockWarning { fault, seconds: by / 1000 };
        if self.behind > CLOCK_WARNING {
            return Some(told(ClockFault::Behind, self.behind.0));
        }
        let is_far = closed > CLOCK_LEAP || set > CLOCK_WARNING;
        is_far.then(|| told(ClockFault::Ahead, closed.0.saturating_add(set.0)))
    }

    /// The length of the leaps behind this time. A date within a leap is one from before it: a leap begins where the clock was
    /// written down last, and nothing is dated in it by whoever knows of it.
    fn after(&self, since: WallTime, counts: impl Fn(Passed) -> bool) -> Millis {
        let leaps = self.leaps.iter().rev().take_while(|leap| leap.end() > since).filter(|leap| counts(leap.what));
        Millis(leaps.fold(0, |sum, leap| sum.saturating_add(leap.len.0)))
    }

    /// The wall clock is ahead of where it should be, by so much. What it was behind is made up for first.
    fn leap(&mut self, by: Millis, what: Passed) {
        let back = by.min(self.behind);
        self.behind = Millis(self.behind.0 - back.0);
        let len = Millis(by.0 - back.0);
        let room = self.room.filter(|_| self.behind == Millis(0));
        self.room = self.room.filter(|_| self.behind > Millis(0));
        let most = if what == Passed::Closed { CLOCK_LEAP } else { CLOCK_WARNING };
        if len > most || back > CLOCK_WARNING {
            self.begin_anew();
        }
        match room {
            Some(at) => self.fill(at, len),
            None if len > Millis(0) => self.go_on(len, what),
            None => {}
        }
    }

    /// The time goes on by so much, and nobody was there. A leap that ends here stays one of its own: whoever noted it may have
    /// dated something behind it, and not have noted that.
    fn go_on(&mut self, len: Millis, what: Passed) {
        let at = self.time;
        self.time = at + len;
        self.leaps.push(Leap { at, len, what });
        self.tidy();
    }

    /// The profile was closed for so long, before it was opened behind: as far as there is room for it.
    fn fill(&mut self, at: WallTime, len: Millis) {
        let is_it = |leap: &Leap| leap.at <= at && at < leap.end() && leap.what == Passed::Never;
        let Some(place) = self.leaps.iter().position(is_it) else { return };
        let Some(leap) = self.leaps.get_mut(place) else { return };
        let len = len.min(leap.len);
        let end = leap.end();
        leap.len = Millis(leap.len.0 - len.0);
        self.leaps.insert(place + 1, Leap { at: end - len, len, what: Passed::Closed });
        self.leaps.retain(|leap| leap.len > Millis(0));
        self.tidy();
    }

    /// The wall clock is before where it should be, by so much: what it claimed and nobody has confirmed never was.
    fn set_back(&mut self, by: Millis) {
        let mut left = by;
        let mut leaps = Vec::with_capacity(self.leaps.len() + 1);
        for mut leap in std::mem::take(&mut self.leaps).into_iter().rev() {
            if leap.what.is_open() && left > Millis(0) {
                let never = leap.len.min(left);
                left = Millis(left.0 - never.0);
                leap.len = Millis(leap.len.0 - never.0);
                leaps.push(Leap { at: leap.end(), len: never, what: Passed::Never });
                if leap.len == Millis(0) {
                    continue;
                }
            }
            leaps.push(leap);
        }
        leaps.reverse();
        self.leaps = leaps;
        self.behind = Millis(self.behind.0.saturating_add(left.0));
        if by > CLOCK_WARNING {
            self.begin_anew();
        }
        self.tidy();
    }

    /// What was seen of the wall clock as it was is no sign of what it is now.
    fn begin_anew(&mut self) {
        self.stood = Millis(0);
        self.days.clear();
    }

    fn note_day(&mut self) {
        let day = u32::try_from(self.wall.0 / DAY).unwrap_or(u32::MAX);
        if self.is_open() && !self.days.contains(&day) && self.days.len() < CLOCK_DAYS {
            self.days.push(day);
        }
    }

    /// Forgets leaps before which nothing is dated that could matter, and keeps the bound.
    fn tidy(&mut self) {
        let oldest = self.by(LONGEST_LIFE) - LONGEST_LIFE;
        self.leaps.retain(|leap| leap.what.is_open() || leap.end() > oldest);
        while self.leaps.len() > MAX_LEAPS {
            let pairs = self.leaps.iter().zip(self.leaps.iter().skip(1));
            let apart = pairs.map(|(a, b)| (a.what != b.what, b.at.since(a.end())));
            let Some((place, _)) = apart.enumerate().min_by_key(|(_, apart)| *apart) else { return };
            let first = self.leaps.remove(place);
            let Some(second) = self.leaps.get_mut(place) else { return };
            let what = if first.what == second.what { first.what } else { Passed::Never };
            let len = Millis(first.len.0.saturating_add(second.len.0));
            *second = Leap { at: second.end() - len, len, what };
        }
    }
}

/// The clock of an open profile.
#[derive(Clone, Debug, Default)]
pub(super) struct Clock {
    /// As of the last look.
    pub(super) row: ClockRow,
    /// When that was.
    at: MonoTime,
    /// Contacts whose clocks agree with ours as it stands.
    heard: BTreeSet<PeerId>,
    /// The row on the disk is as of then…
    pub(super) noted: WallTime,
    /// …and says something else that matters.
    pub(super) is_news: bool,
    /// The wall clock was set.
    pub(super) was_set: bool,
}

impl Clock {
    /// The profile is opened.
    pub(super) fn open(row: ClockRow, now: Now) -> Self {
        let before = row.wall;
        let row = row.at(now.wall);
        let was_set = before.since(row.wall) > CLOCK_WARNING;
        let mut clock = Self { row, at: now.mono, was_set, ..Self::default() };
        clock.judge();
        clock
    }

    /// The profile's time.
    pub(super) fn time(&self, now: MonoTime) -> WallTime {
        self.row.time + now.since(self.at)
    }

    /// Looks at the clocks.
    pub(super) fn look(&mut self, now: Now) {
        let ran = now.mono.since(self.at);
        self.at = now.mono;
        let (row, wall) = (&mut self.row, now.wall.min(LAST));
        let expected = row.wall + ran;
        let (ahead, back) = (wall.since(expected), expected.since(wall));
        let apart = ahead.max(back);
        // Clocks are drawn to each other, by less than a thousandth: that is no other time.
        if apart.0 <= ran.0 / 1000 + 2 {
            row.time = row.time + Millis(ran.0.saturating_add(ahead.0).saturating_sub(back.0));
            row.wall = wall;
        } else {
            row.time = row.time + ran;
            row.wall = expected;
            if apart > CLOCK_STEP {
                match ahead > Millis(0) {
                    true => row.leap(ahead, Passed::Set),
                    false => row.set_back(back),
                }
                row.wall = wall;
                self.is_news = true;
                if apart > CLOCK_WARNING {
                    self.heard.clear();
                    self.was_set = true;
                }
            }
        }
        if row.is_open() {
            row.stood = Millis(row.stood.0.saturating_add(ran.0));
            row.note_day();
            self.judge();
        }
    }

    /// A contact's clock stands here now, as he says on his own stream.
    pub(super) fn hear(&mut self, peer: PeerId, reading: WallTime) {
        let apart = reading.since(self.row.wall).max(self.row.wall.since(reading));
        if self.row.is_open() && apart <= CLOCK_AGREEMENT {
            self.heard.insert(peer);
            self.judge();
        }
    }

    /// The user says that the wall clock is right.
    pub(super) fn confirm(&mut self) {
        self.row.confirm();
        self.heard.clear();
        self.is_news = true;
    }

    fn judge(&mut self) {
        let row = &self.row;
        let is_old = row.stood >= CLOCK_BELIEVED || row.days.len() >= CLOCK_DAYS;
        if row.is_open() && (is_old || self.heard.len() >= CLOCK_PEERS) {
            self.confirm();
        }
    }
}

#[cfg(test)]
mod tests;
