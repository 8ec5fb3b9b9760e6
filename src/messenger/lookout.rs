//! The look for cards of ours that this store did not make: a second node of the same identity makes them, or made them before
//! an old copy of the profile was put back (protocol, "Identity": ID-33, ID-34).
//!
//! The hash table and the own mailboxes are asked, at the start and twice a day. Whoever answers can show us no more than what
//! is signed by our own key: each card that does not verify is nothing, and an older one of ours is none of news.

use crate::base::event::EventKind;
use crate::base::words::BoxState;
use crate::base::{Millis, PeerId, WallTime, limits};
use crate::envelope::mailbox::Question;
use crate::store::{Rows, Scan};

use super::io::Order;
use super::mailing::What;
use super::pace::{jittered, pause};
use super::tables::{ElsewhereRow, OwnBoxRow, OwnBoxes};
use super::tx::{Step, Tx};

impl Tx<'_> {
    /// Asks for the own card when that is due; to be called when the inputs of a commit are done.
    pub(super) fn look_out(&mut self) -> Step {
        let now = self.now.mono;
        if let Some((mailbox, _)) = self.mem.mail.lookout.hint.take_if(|(_, at)| *at <= now) {
            self.apart(|tx| match tx.used_box(&mailbox)? {
                Some(row) => tx.ask_for_own_card(&row).map(drop),
                None => Ok(()),
            });
        }
        if self.mem.mail.lookout.at > now {
            return Ok(());
        }
        if !self.mem.mail.lookout.asked.is_empty() {
            // Whoever did not answer by now does not.
            self.mem.mail.lookout.asked.clear();
            return self.end_look();
        }
        let (me, ticket) = (self.my_id(), self.ticket());
        self.push(Order::FindCard { peer: me, ticket });
        self.mem.mail.lookout.begin(ticket, now);
        for (_, row) in self.buf.scan_sound::<OwnBoxes>(&Scan::all())?.0 {
            if row.kept.is_some() && row.state != BoxState::Leaving {
                let ticket = self.ask_for_own_card(&row)?;
                self.mem.mail.lookout.asked.insert(ticket);
            }
        }
        Ok(())
    }

    fn ask_for_own_card(&mut self, row: &OwnBoxRow) -> Step<u64> {
        let question = Question::Card { owner: self.my_id(), want_prekey: false }.encode()?;
        Ok(self.ask(row.peer, row.addrs.clone(), false, What::OwnCard, question))
    }

    /// The hash table or an own mailbox was asked for our card; `heard`: it answered, perhaps that it has none.
    pub(super) fn own_card_came(&mut self, ticket: u64, heard: bool, card: Option<&[u8]>) -> Step {
        if let Some(card) = card {
            self.judge_own_card(card)?;
        }
        let lookout = &mut self.mem.mail.lookout;
        if !lookout.asked.remove(&ticket) {
            // A mailbox was asked for itself.
            return Ok(());
        }
        lookout.heard |= heard;
        if lookout.asked.is_empty() { self.end_look() } else { Ok(()) }
    }

    /// ID-34: a card of ours that is not older than the one we made, and is another.
    fn judge_own_card(&mut self, bytes: &[u8]) -> Step {
        let me = self.my_id();
        let Some(card) = self.verified(me, bytes, self.earliest()) else { return Ok(()) };
        let mut profile = self.profile()?;
        if card.sequence < profile.card_sequence || card.bytes() == profile.card {
            return Ok(());
        }
        // What was issued before this node was started may be of a life before an old copy was put back.
        let running = card.issued > self.opened_at();
        let known = profile.elsewhere.as_ref().map(|known| known.running);
        let is_own = profile.recovered.is_some_and(|at| card.issued <= at);
        if !is_own {
            if known.is_none_or(|was| running && !was) {
                tracing::warn!(issued = card.issued.0, running, "a card of this identity was made by another copy");
                self.event(EventKind::ProfileElsewhere { issued: card.issued, running });
            }
            let (found, running) = (self.deadline_clock(), running || known == Some(true));
            profile.elsewhere = Some(ElsewhereRow { issued: card.issued, found, running });
        }
        // Whoever holds it would take none of ours with a lower sequence.
        profile.card_sequence = card.sequence;
        self.put_profile(&profile)?;
        self.card_is_due();
        Ok(())
    }

    /// When the messenger was opened, by the wall clock of now.
    fn opened_at(&self) -> WallTime {
        let running = self.now.mono.since(self.mem.mail.lookout.opened);
        WallTime(self.now.wall.0.saturating_sub(running.0))
    }

    /// All have answered, or will not.
    fn end_look(&mut self) -> Step {
        let (now, random) = (self.now.mono, self.rng.next_u64());
        let lookout = &mut self.mem.mail.lookout;
        if !lookout.heard {
            // The network is not there, or knows nobody yet.
            let span = pause(limits::OWN_CARD_LOOK_FIRST, limits::SEEK_MAX, lookout.misses, random);
            (lookout.at, lookout.misses) = (now + span, lookout.misses.saturating_add(1));
            return Ok(());
        }
        (lookout.at, lookout.misses) = (now + jittered(limits::OWN_CARD_LOOK, random), 0);
        if !std::mem::replace(&mut lookout.renewed, true) {
            // ID-33: two that begin with the same card would not see each other.
            self.card_is_due();
        }
        self.forget_elsewhere()
    }

    /// Whoever still runs has made another card since, as we have.
    fn forget_elsewhere(&mut self) -> Step {
        let believed = self.believed(limits::ELSEWHERE_LIFE);
        let mut profile = self.profile()?;
        let is_over = |row: &ElsewhereRow| row.found + limits::ELSEWHERE_LIFE <= believed;
        if profile.elsewhere.as_ref().is_some_and(is_over) {
            profile.elsewhere = None;
            self.put_profile(&profile)?;
        }
        Ok(())
    }

    /// An own mailbox gave up a question of ours before its time: as it does when the same owner asks again, from elsewhere.
    /// That node looks first itself, and makes its card then: so it is waited for, and what comes meanwhile is one hint.
    pub(super) fn was_pushed_out(&mut self, mailbox: PeerId) {
        let at = self.now.mono + limits::OWN_CARD_HINT_PAUSE;
        self.mem.mail.lookout.hint.get_or_insert((mailbox, at));
    }
}

/// Whether a wait that so long was held ended before its time, by what the mailbox said.
pub(super) fn is_early(held: Millis) -> bool {
    held.and(limits::WAIT_LASTED) < limits::MAX_MAIL_WAIT
}

#[cfg(test)]
mod tests;
