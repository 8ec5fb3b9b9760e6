//! The one place that reads the clocks.

use std::time::{Duration, Instant, SystemTime};

use crate::base::{MonoTime, Now, WallTime};

/// Both clocks; monotonic time is counted from when this was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    origin: Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "node reads the clock for everybody below")]
    pub(crate) fn new() -> Self {
        Self { origin: Instant::now() }
    }

    #[expect(clippy::disallowed_methods, reason = "node reads the clock for everybody below")]
    pub(crate) fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Now { wall: WallTime(millis(wall)), mono: MonoTime(millis(self.origin.elapsed())) }
    }

    /// When this will be; `None`: so late that it does not matter.
    pub(crate) fn instant(&self, at: MonoTime) -> Option<Instant> {
        self.origin.checked_add(Duration::from_millis(at.0))
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
