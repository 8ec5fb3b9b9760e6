//! Waiting for mail: an own mailbox holds a question of ours until something comes (MBX-80), so that it is fetched at once.
//!
//! It is asked behind a visit only, when there is nothing left to be fetched, and each of its ends leads to another visit: at
//! once when something came or the time is over (MBX-84), and with the usual pause when the mailbox does not hold questions, or not ours.
//! Nothing depends on it: whoever never answers is visited all the same (MBX-85).

use crate::base::words::BoxState;
use crate::base::{Millis, MonoTime, PeerId, limits};
use crate::envelope::mailbox::{Answer, Question};
use crate::messenger::lookout::is_early;
use crate::messenger::mailing::{Wait, What};
use crate::messenger::pace::{jittered, pause};
use crate::messenger::tables::OwnBoxRow;
use crate::messenger::tx::{Step, Tx};

/// The longest that the protocol allows.
#[allow(clippy::cast_possible_truncation)] // Some minutes.
const PATIENCE: u16 = (limits::MAX_MAIL_WAIT.0 / 1000) as u16;

impl Tx<'_> {
    /// Asks an own mailbox to tell what comes, if that is due and it may know anything of it.
    pub(super) fn ask_to_wait(&mut self, row: &OwnBoxRow) -> Step {
        let now = self.now.mono;
        let Some(own) = self.mem.mail.own.get_mut(&row.peer) else { return Ok(()) };
        if own.asked.is_some() || own.wait_due().is_none_or(|at| at > now) {
            return Ok(());
        }
        own.wait.may = row.kept.is_some() && row.state == BoxState::InUse;
        if !own.wait.may {
            return Ok(());
        }
        let after = own.wait.seen;
        let question = Question::Wait { queue: self.profile()?.queue, after, seconds: PATIENCE }.encode()?;
        tracing::debug!(mailbox = ?row.peer, "a mailbox is to tell what comes");
        let ticket = self.ask(row.peer, row.addrs.clone(), false, What::Wait, question);
        let random = self.rng.next_u64();
        let own = self.mem.mail.own.entry(row.peer).or_default();
        own.wait.ticket = Some(ticket);
        own.wait.not_before = now + limits::WAIT_PAUSE;
        if !own.wait.mute {
            own.fetch_at = own.fetch_at.max(now + jittered(limits::FETCH_PAUSE_WAITING, random));
        }
        Ok(())
    }

    /// The mailbox answered, or no longer holds the question. What it says is a hint to look, no more: how soon it is asked
    /// again follows from what it is worth (MBX-86).
    pub(super) fn wait_ended(&mut self, mailbox: PeerId, ticket: u64, asked_at: MonoTime, answer: Option<&Answer>) {
        let (now, random) = (self.now.mono, self.rng.next_u64());
        let Some(own) = self.mem.mail.own.get_mut(&mailbox).filter(|own| own.wait.ticket == Some(ticket)) else {
            return;
        };
        let span = now.since(asked_at);
        let lasted = span >= limits::WAIT_LASTED;
        (own.wait.ticket, own.wait.may) = (None, false);
        own.wait.silent = match answer {
            Some(Answer::Waited { came }) => lasted && !came,
            // Else the connection ended, and no mailbox tells what comes without one.
            None => span >= limits::MAX_MAIL_WAIT,
            _ => false,
        };
        let next = match answer {
            Some(Answer::Waited { came: true }) => {
                tracing::debug!(?mailbox, "a mailbox told that something came");
                own.wait.rung = true;
                Some(Millis::default())
            }
            Some(Answer::Waited { came: false }) if lasted => Some(Millis::default()),
            // The connection is gone, or the mailbox is: whether it comes back is seen soon.
            None if lasted => Some(jittered(limits::BOX_RETRY_FIRST, random)),
            Some(Answer::Full { retry_after }) => {
                let span = Millis::from_secs((*retry_after).into()).clamp(limits::FETCH_PAUSE_MAX, limits::BOX_RETRY);
                own.wait.not_before = now + jittered(span, random);
                None
            }
            // Now or never: a box that is gone is made anew.
            Some(Answer::NoBox) => {
                own.wait.fail(now, random);
                Some(Millis::default())
            }
            _ => {
                own.wait.fail(now, random);
                None
            }
        };
        if lasted {
            own.wait.failures = 0;
        }
        let is_pushed_out = matches!(answer, Some(Answer::Waited { came: false })) && is_early(span);
        let next = next.unwrap_or_else(|| jittered(own.pause.max(limits::FETCH_PAUSE_MIN), random));
        own.fetch_at = own.fetch_at.min(now + next);
        if is_pushed_out {
            self.was_pushed_out(mailbox);
        }
    }
}

impl Wait {
    /// A visit begins: whether it is because of what was told.
    pub(super) fn begin_visit(&mut self) {
        (self.answering, self.fruitful) = (std::mem::take(&mut self.rung), false);
    }

    /// A visit finds something. A mailbox that was to tell of that and did not is visited as often as one that tells nothing.
    pub(super) fn found(&mut self) {
        self.fruitful = true;
        self.mute = !self.answering && !self.rung && (self.mute || self.silent);
    }

    /// The visit is over; `seen` is the highest number that it saw. Whether another is due at once.
    pub(super) fn end_visit(&mut self, now: MonoTime, pages: u32, seen: u64, random: u64) -> bool {
        (self.may, self.seen, self.silent) = (true, seen, false);
        let answering = std::mem::take(&mut self.answering);
        if answering && !self.fruitful {
            self.fail(now, random);
        } else if answering {
            self.failures = 0;
            let more = u64::from(pages.saturating_sub(1));
            self.not_before = self.not_before.max(now + Millis(more * limits::WAIT_PAUSE.0));
        }
        self.rung
    }

    /// It was worth nothing.
    fn fail(&mut self, now: MonoTime, random: u64) {
        self.not_before = now + pause(limits::BOX_RETRY_FIRST, limits::BOX_RETRY_MAX, self.failures, random);
        self.failures = self.failures.saturating_add(1);
    }
}
