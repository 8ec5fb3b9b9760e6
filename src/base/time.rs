//! Time as an argument: wall time for what is kept, monotonic time for timers in the process.

#[cfg(feature = "api")]
pub mod text;

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A span of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Millis(pub u64);

impl Millis {
    /// So many seconds.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1000)
    }

    /// So many hours.
    pub const fn from_hours(hours: u64) -> Self {
        Self::from_secs(hours * 3600)
    }

    /// So many days of 24 hours.
    pub const fn from_days(days: u64) -> Self {
        Self::from_hours(days * 24)
    }

    /// Both, one after the other.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left of it without the other.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

macro_rules! instant {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl Add<Millis> for $name {
            type Output = Self;

            fn add(self, span: Millis) -> Self {
                Self(self.0.saturating_add(span.0))
            }
        }

        impl Sub<Millis> for $name {
            type Output = Self;

            fn sub(self, span: Millis) -> Self {
                Self(self.0.saturating_sub(span.0))
            }
        }

        impl $name {
            /// How long after `earlier` this is; zero when it is before.
            pub const fn since(self, earlier: Self) -> Millis {
                Millis(self.0.saturating_sub(earlier.0))
            }
        }
    };
}

instant!(
    /// Wall time: milliseconds since the Unix epoch. For everything that is stored or shown.
    #[cfg_attr(not(feature = "api"), derive(Serialize, Deserialize))]
    WallTime
);
instant!(
    /// Monotonic time: milliseconds since a point that means nothing outside this process.
    MonoTime
);

/// The time by which something ages that is dated as it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aging {
    /// What is dated now has this date.
    pub now: WallTime,
    /// Of the time that has passed since what is about to be over, so much is not believed.
    pub doubtful: Millis,
}

impl Aging {
    /// How long ago a date is, as far as is believed; zero when it is to come.
    pub const fn since(&self, date: WallTime) -> Millis {
        Millis(self.now.since(date).0.saturating_sub(self.doubtful.0))
    }
}

impl From<WallTime> for Aging {
    fn from(now: WallTime) -> Self {
        Self { now, doubtful: Millis(0) }
    }
}

/// In whole milliseconds.
impl Add<Duration> for MonoTime {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        self + Millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// The present, in both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// What is stored and shown.
    pub wall: WallTime,
    /// What timers of the process are measured by.
    pub mono: MonoTime,
}
