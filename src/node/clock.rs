//! The one place that reads the clocks.

use std::time::{Duration, Instant, SystemTime};

use crate::base::{Millis, MonoTime, Now, WallTime};

/// Both clocks; monotonic time is counted from when this was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Duration,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { origin: steady() }
    }

    pub(crate) fn now(&self) -> Now {
        Now { wall: Self::wall(), mono: MonoTime(millis(steady().saturating_sub(self.origin))) }
    }

    /// The wall clock alone.
    #[expect(clippy::disallowed_methods, reason = "node reads the clock for everybody below")]
    pub(crate) fn wall() -> WallTime {
        WallTime(millis(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()))
    }

    /// When this will be, if the machine does not sleep; `None`: so late that it does not matter.
    #[expect(clippy::disallowed_methods, reason = "node reads the clock for everybody below")]
    pub(crate) fn instant(&self, at: MonoTime) -> Option<Instant> {
        let Millis(left) = at.since(self.now().mono);
        Instant::now().checked_add(Duration::from_millis(left))
    }
}

/// Time that nobody sets, and that passes while the machine sleeps.
#[cfg(target_os = "linux")]
fn steady() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(now.tv_sec.try_into().unwrap_or_default(), now.tv_nsec.try_into().unwrap_or_default())
}

/// Time that nobody sets: of the process. Elsewhere it stands still while the machine sleeps, or not.
#[cfg(not(target_os = "linux"))]
#[expect(clippy::disallowed_methods, reason = "node reads the clock for everybody below")]
fn steady() -> Duration {
    static BEGIN: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    BEGIN.elapsed()
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
