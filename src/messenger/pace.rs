//! How fast a peer is tried again who is there and does not take what is sent (protocol, "Pace"): every failure makes the pause
//! longer, whatever he does meanwhile, so that nobody can make us seal, write and send without end.

use crate::base::{Millis, MonoTime, limits};

/// What is known of one peer's failures.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// Refusals, broken streams, cards that do not come or serve (NET-95).
    tries: Failures,
    /// Sessions that he refused (NET-96).
    sessions: Failures,
    /// Envelopes acknowledged since he last failed.
    acknowledged: u32,
    /// When, at an even pace, the next failure would be due, had none been before its time; it goes ahead of the clock by those that were.
    next: MonoTime,
    /// Nothing is tried before this time, whatever he took since: he failed so often.
    rest: Option<MonoTime>,
}

/// Failures of one kind, one after another.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u32,
    /// When the last one was.
    last: MonoTime,
    /// How long nothing was to be tried after it…
    pause: Millis,
    /// …and before this time nothing is.
    until: Option<MonoTime>,
}

impl Pace {
    /// Until when nothing is tried.
    pub(super) fn until(&self) -> Option<MonoTime> {
        self.tries.until.max(self.sessions.until).max(self.rest)
    }

    /// Whether nothing is tried now.
    pub(super) fn is_paused(&self, now: MonoTime) -> bool {
        self.until().is_some_and(|until| until > now)
    }

    /// Until when no session is begun because he refused one.
    pub(super) fn no_session_until(&self, now: MonoTime) -> Option<MonoTime> {
        self.sessions.until.filter(|until| *until > now)
    }

    /// Something failed. Says whether that is a failure of its own: a window full of them is one.
    pub(super) fn failed(&mut self, now: MonoTime, random: u64) -> bool {
        self.acknowledged = 0;
        if self.is_paused(now) {
            return false;
        }
        self.tries.add(now, 0, random);
        self.next = self.next.max(now) + limits::FAILURE_INTERVAL;
        let ahead = self.next.since(now);
        self.rest =
            ahead.0.checked_sub(limits::FAILURES_AT_ONCE * limits::FAILURE_INTERVAL.0).map(|over| now + Millis(over));
        true
    }

    /// He refused a session. The first time a new one is begun at once.
    pub(super) fn session_refused(&mut self, now: MonoTime, random: u64) {
        self.acknowledged = 0;
        self.sessions.add(now, 1, random);
    }

    /// An envelope was acknowledged; `all`: nothing else waits. An acknowledgement now and then ends no pause to come: what was
    /// acknowledged goes again when a session is begun anew.
    pub(super) fn acknowledged(&mut self, all: bool) {
        self.acknowledged = self.acknowledged.saturating_add(1);
        if all || self.acknowledged >= limits::RETRY_PROGRESS {
            self.tries = Failures::default();
        }
    }

    /// How many messages he may have on their way, if fewer than the window takes: whoever failed gets one first, and nothing more before
    /// he has taken something; who has failed often, or refused a session, as many more as he has taken since. What comes and goes so
    /// gets no window each time, and who has everything go again in another session no more than he takes.
    pub(super) fn narrow(&self) -> Option<usize> {
        let opens = if self.tries.count <= limits::RETRY_FORGIVEN { 1 } else { limits::RETRY_PROGRESS };
        let is_narrow = self.tries.count > 0 && self.acknowledged < opens || self.sessions.count > 0;
        is_narrow.then(|| self.acknowledged as usize + 1)
    }

    /// There is another connection: what failed for want of one is not put off for long. How often is counted on.
    pub(super) fn connected(&mut self, now: MonoTime) {
        let Failures { count, last, pause, until } = self.tries;
        let left = Millis(pause.0 / limits::RETRY_CONNECTED_SHARE);
        let at_most = if count <= limits::RETRY_FORGIVEN { now } else { last + left };
        self.tries.until = until.map(|until| until.min(at_most)).filter(|until| *until > now);
    }

    /// What was sent goes again because he takes it by now. How often he did not is counted on. Says whether there was a pause.
    pub(super) fn let_in(&mut self, now: MonoTime) -> bool {
        self.tries.until.take().is_some_and(|until| until > now)
    }

    /// He has begun a session himself.
    pub(super) fn session_begun(&mut self) {
        self.sessions.until = None;
    }

    /// A pause is over.
    pub(super) fn passed(&mut self, now: MonoTime) {
        for failures in [&mut self.tries, &mut self.sessions] {
            failures.until = failures.until.filter(|until| *until > now);
        }
        self.rest = self.rest.filter(|until| *until > now);
    }

    /// Whether no refused session is to be remembered.
    pub(super) fn is_idle(&self) -> bool {
        self.sessions.count == 0
    }
}

impl Failures {
    /// One more. So many of them in a row make no pause.
    fn add(&mut self, now: MonoTime, free: u32, random: u64) {
        if self.last + limits::RETRY_FORGOTTEN <= now {
            self.count = 0;
        }
        if let Some(doubled) = self.count.checked_sub(free) {
            self.pause = pause(limits::RETRY_FIRST, limits::RETRY_MAX, doubled, random);
            self.until = Some(now + self.pause);
        }
        (self.count, self.last) = (self.count.saturating_add(1), now);
    }
}

/// `min(first · 2^attempts, max)`, and up to a quarter less or more.
pub(super) fn pause(first: Millis, max: Millis, attempts: u32, random: u64) -> Millis {
    let doubled = first.0.saturating_mul(1 << attempts.min(20));
    jittered(Millis(doubled.min(max.0)), random)
}

/// Up to a quarter less or more.
pub(super) const fn jittered(span: Millis, random: u64) -> Millis {
    Millis(span.0 - span.0 / 4 + random % (span.0 / 2 + 1))
}

#[cfg(test)]
mod tests;
