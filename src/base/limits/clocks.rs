//! How far wall clocks are believed (docs/store.md, "Time").

use crate::base::time::{Millis, WallTime};

/// A wall clock that stands before this is wrong: the beginning of 2020, in milliseconds since 1970.
pub const CLOCK_FIRST: WallTime = WallTime(1_577_836_800_000);
/// A wall clock that differs by so much from what the monotonic clock says was set.
pub const CLOCK_STEP: Millis = Millis::from_secs(5);
/// How often the clocks are written down, if nothing is seen of them.
pub const CLOCK_NOTE: Millis = Millis::from_secs(60);
/// One that was set by more is told, and what was seen of it before is no sign of what it is now.
pub const CLOCK_WARNING: Millis = Millis::from_secs(600);
/// The same of a clock that has gone on so far while nobody was there: most are away for less.
pub const CLOCK_LEAP: Millis = Millis::from_days(1);
/// A clock that has stood for so long while we ran is believed…
pub const CLOCK_BELIEVED: Millis = Millis::from_hours(24);
/// …or was seen on so many of its days…
pub const CLOCK_DAYS: usize = 3;
/// …or agrees with those of so many contacts…
pub const CLOCK_PEERS: usize = 2;
/// …which is: differs by no more than this.
pub const CLOCK_AGREEMENT: Millis = Millis::from_secs(900);
/// A card that was issued so long after now is of a clock that is wrong (ID-15).
pub const CARD_AHEAD: Millis = Millis::from_days(1);
/// Nothing that is dated before this matters any more: longer than any other deadline.
pub const LONGEST_LIFE: Millis = Millis::from_days(400);
