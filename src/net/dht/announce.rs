//! Saying that we keep an open mailbox: soon and often at first, seldom later (NET-59).

use tokio::time::Instant;

use super::super::span;
use crate::base::limits::{DHT_ANNOUNCE_FIRST, DHT_ANNOUNCE_INTERVAL, DHT_RETRY_FIRST};

/// Whether and when we say that we keep an open mailbox.
#[derive(Debug, Default)]
pub(super) struct Announce {
    open: bool,
    times: u32,
    due: Option<Instant>,
}

impl Announce {
    /// Whether the mailbox is open from now on.
    pub(super) fn set(&mut self, open: bool, now: Instant) {
        if open != self.open {
            (self.open, self.times, self.due) = (open, 0, open.then_some(now));
        }
    }

    /// Whether it is to be said now. Who is `alone` in the network says it to himself only, and soon again.
    pub(super) fn is_due(&mut self, alone: bool, now: Instant) -> bool {
        let due = self.open && self.due.is_some_and(|due| due <= now);
        if due {
            // The first time there may be few who could hear it.
            self.times = self.times.saturating_add(u32::from(!alone));
            let pause = match self.times {
                0 => DHT_RETRY_FIRST,
                1..4 => DHT_ANNOUNCE_FIRST,
                _ => DHT_ANNOUNCE_INTERVAL,
            };
            self.due = Some(now + span(pause));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NET-59
    #[test]
    fn it_is_said_often_first_and_seldom_later() {
        let (mut announce, mut now) = (Announce::default(), Instant::now());
        assert!(!announce.is_due(false, now), "nothing is open");
        announce.set(true, now);
        let mut pauses = Vec::new();
        for round in 0..7 {
            assert!(announce.is_due(round < 2, now));
            announce.set(true, now);
            assert!(!announce.is_due(false, now), "it was said");
            let at = announce.due.unwrap();
            pauses.push(at - now);
            now = at;
        }
        let [alone, first, later] = [DHT_RETRY_FIRST, DHT_ANNOUNCE_FIRST, DHT_ANNOUNCE_INTERVAL].map(span);
        assert_eq!(pauses, [alone, alone, first, first, first, later, later]);
        announce.set(false, now);
        assert!(!announce.is_due(false, now + later));
        announce.set(true, now);
        assert!(announce.is_due(false, now) && announce.due == Some(now + first));
    }
}
