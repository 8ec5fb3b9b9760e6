//! When a message is to vanish: what its sender wishes, and what that means on either side (CON-15, CON-16).

use serde::{Deserialize, Serialize};

use crate::base::limits::{EXPIRY_GRACE, MAX_LIFETIME, MIN_LIFETIME};
use crate::base::{Millis, WallTime};

/// When a message is to vanish, in whole seconds, as its sender wishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expires {
    /// So many seconds after it was read.
    AfterReading(u32),
    /// At this many seconds after the Unix epoch.
    At(u32),
}

/// When our copy of a message vanishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Vanishes {
    /// At this time, by our clock.
    At(WallTime),
    /// So long after it was read, which it is not yet.
    AfterReading(Millis),
}

impl Expires {
    /// The wish of a message that is written at `now` and is to live for `life`: the absolute form, rounded up to a
    /// whole second. `None` when `life` is out of bounds, or the end cannot be written.
    pub fn after(life: Millis, now: WallTime) -> Option<Self> {
        let sound = (MIN_LIFETIME..=MAX_LIFETIME).contains(&life);
        let seconds = u32::try_from((now + life).0.div_ceil(1000)).ok();
        seconds.filter(|_| sound).map(Self::At)
    }

    /// The time it names; `None` for the relative form.
    pub fn at(self) -> Option<WallTime> {
        match self {
            Self::At(seconds) => Some(WallTime(u64::from(seconds) * 1000)),
            Self::AfterReading(_) => None,
        }
    }

    /// What it means for the one who received it at `now`, by his clock (CON-16).
    ///
    /// The sender's clock is not trusted: of what he says, only the difference of two of his own times counts for how
    /// long the message may stay, and a time that is over here already does not take it away unseen.
    pub fn for_recipient(self, sent_at: WallTime, now: WallTime) -> Vanishes {
        match self {
            Self::AfterReading(seconds) => Vanishes::AfterReading(bounded(Millis::from_secs(seconds.into()))),
            Self::At(seconds) => {
                let at = WallTime(u64::from(seconds) * 1000);
                let life = bounded(at.since(sent_at));
                let wish = if at > now { at } else { now + EXPIRY_GRACE };
                Vanishes::at_second(wish.min(now + life))
            }
        }
    }
}

impl Vanishes {
    /// At this time, or when its second is over: so that nobody makes us forget a thousand times a second.
    pub const fn at_second(time: WallTime) -> Self {
        Self::At(WallTime(time.0.div_ceil(1000).saturating_mul(1000)))
    }

    /// The time, where there is one already.
    pub const fn at(self) -> Option<WallTime> {
        match self {
            Self::At(at) => Some(at),
            Self::AfterReading(_) => None,
        }
    }
}

fn bounded(life: Millis) -> Millis {
    life.clamp(MIN_LIFETIME, MAX_LIFETIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: WallTime = WallTime(1_700_000_000_400);
    const HOUR: Millis = Millis::from_hours(1);

    /// CON-15
    #[test]
    fn a_wish_is_rounded_up_to_a_second_and_bounded() {
        assert_eq!(Expires::after(Millis::from_secs(2), NOW), Some(Expires::At(1_700_000_003)));
        assert_eq!(Expires::after(Millis::from_secs(2), WallTime(5_000)), Some(Expires::At(7)));
        for life in [Millis(0), Millis(999), Millis(MAX_LIFETIME.0 + 1), Millis(u64::MAX)] {
            assert_eq!(Expires::after(life, NOW), None, "{life:?}");
        }
        assert_eq!(Expires::after(HOUR, WallTime(u64::from(u32::MAX) * 1000)), None, "the format ends in 2106");
    }

    /// CON-16
    #[test]
    fn both_sides_agree_when_their_clocks_do() {
        let wish = Expires::after(HOUR, NOW).unwrap();
        assert_eq!(wish.at(), Some(WallTime(1_700_003_601_000)));
        assert_eq!(wish.for_recipient(NOW, NOW + Millis::from_secs(9)).at(), wish.at());
    }

    #[test]
    fn the_clock_of_the_sender_is_not_trusted() {
        let wish = Expires::after(HOUR, NOW).unwrap();
        let life = WallTime(1_700_003_601_000).since(NOW);
        let stays = |now: WallTime| wish.for_recipient(NOW, now).at().unwrap().since(now);
        let rest_of_second = Millis(600);
        // Our clock is behind: no longer than the sender meant.
        assert_eq!(stays(NOW - Millis::from_days(3)), life);
        // It is ahead: not gone unseen.
        assert_eq!(stays(NOW + Millis::from_days(3)), Millis(EXPIRY_GRACE.0 + rest_of_second.0).min(life));
        assert_eq!(stays(wish.at().unwrap()), EXPIRY_GRACE.min(life), "over at this moment is over");
        let short = Expires::after(Millis::from_secs(2), NOW).unwrap().for_recipient(NOW, NOW + HOUR);
        assert_eq!(short, Vanishes::At(NOW + HOUR + Millis(2_600)), "never longer than the sender meant");
        // Nonsense is bounded.
        let never = Expires::At(u32::MAX).for_recipient(WallTime(0), NOW);
        assert_eq!(never, Vanishes::At(NOW + MAX_LIFETIME + rest_of_second));
        let past = Expires::At(0).for_recipient(WallTime(u64::MAX), NOW);
        assert_eq!(past, Vanishes::At(NOW + MIN_LIFETIME + rest_of_second));
    }

    #[test]
    fn the_relative_form_waits_for_the_reader() {
        let life = |seconds| Expires::AfterReading(seconds).for_recipient(NOW, NOW);
        assert_eq!(life(60), Vanishes::AfterReading(Millis::from_secs(60)));
        assert_eq!(life(0), Vanishes::AfterReading(MIN_LIFETIME));
        assert_eq!(life(u32::MAX), Vanishes::AfterReading(MAX_LIFETIME));
        assert_eq!(life(60).at(), None);
    }
}
