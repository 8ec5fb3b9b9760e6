//! What is told and written of a peer's comings and goings: now and then, however often he comes and goes.

use crate::base::{MonoTime, limits};

/// What was told last of whether a peer is there, and when it was written down when he is tried again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Presence {
    /// He was there.
    told: bool,
    /// That he has come or gone is not told before this time; what holds then is.
    told_until: Option<MonoTime>,
    /// The same of writing down when he is tried again.
    noted_until: Option<MonoTime>,
}

impl Presence {
    /// Whether it is to be told now that he is there, or is not: at once, but not again within the pause. Then it counts as told.
    /// Of who is no contact nothing is.
    pub(super) fn tells(&mut self, is_there: bool, is_contact: bool, now: MonoTime) -> bool {
        let is_paused = is_contact && self.told_until.is_some_and(|at| at > now);
        if self.told == is_there || is_paused {
            return false;
        }
        self.told = is_there;
        if is_contact {
            self.told_until = Some(now + limits::PRESENCE_PAUSE);
        }
        is_contact
    }

    /// Whether it may be written down now when he is tried again.
    pub(super) fn may_note(&self, now: MonoTime) -> bool {
        self.noted_until.is_none_or(|at| at <= now)
    }

    /// It was.
    pub(super) fn noted(&mut self, now: MonoTime) {
        self.noted_until = Some(now + limits::PRESENCE_PAUSE);
    }

    /// Whether there is nothing to be told later, if he is not there.
    pub(super) fn is_idle(&self) -> bool {
        !self.told && self.until().is_none()
    }

    /// When a pause is over.
    pub(super) fn until(&self) -> Option<MonoTime> {
        self.told_until.into_iter().chain(self.noted_until).min()
    }

    /// Ends the pauses that are over. Whether there was one.
    pub(super) fn passed(&mut self, now: MonoTime) -> bool {
        let is_over = self.until().is_some_and(|at| at <= now);
        self.told_until = self.told_until.filter(|at| *at > now);
        self.noted_until = self.noted_until.filter(|at| *at > now);
        is_over
    }
}

#[cfg(test)]
mod tests;
