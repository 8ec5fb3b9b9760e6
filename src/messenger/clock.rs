//! The profile's time, and how much of it is believed (docs/store.md, "Time").
//!
//! All that is kept is dated by the *profile's time*. It begins with the wall clock and never goes back: it follows the
//! monotonic clock while a process has the profile open, and *leaps* where the wall clock is further ahead than that, at an
//! opening or because it was set. A leap is a claim, and is remembered with its place. What is dated behind it is right
//! either way. Of what is dated before it, its length counts as age when it is confirmed; if the wall clock is set back first,
//! it never does. A clock that is set while we run moves deadlines with it: such a leap counts for nothing but messages with
//! a time to live, whose end is a promise about the wall clock.
//!
//! A clock that goes back falls back behind what was dated by it before, and makes that up first. Whether it does because it was
//! set right, or because time passed by it, is not to be known of a profile that was closed meanwhile: messages with a time to
//! live that were dated since then, or before the claim that it took back, end by what it says; nothing else does, and what was
//! dated by that claim is as young as if the clock had stood.
//!
//! Pure: the clocks are arguments. What is done with it stands with each deadline.

mod leaps;
mod row;

use std::collections::BTreeSet;

use self::leaps::Passed;
use self::row::LAST;
use crate::base::limits::{CLOCK_AGREEMENT, CLOCK_BELIEVED, CLOCK_PEERS, CLOCK_STEP, CLOCK_WARNING};
use crate::base::{Millis, MonoTime, Now, PeerId, WallTime};

pub use self::row::ClockRow;

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
                row.wall = wall;
                match ahead > Millis(0) {
                    true => row.leap(ahead, Passed::Set),
                    false => row.set_back(back),
                }
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
        if row.is_open() && (row.stood >= CLOCK_BELIEVED || self.heard.len() >= CLOCK_PEERS) {
            self.confirm();
        }
        self.is_news |= self.row.confirm_by_days();
    }
}

#[cfg(test)]
mod tests;
