//! Strangers in such numbers that something has to go: requests, sessions, room at a mailbox. What goes, and who is told so, is known
//! from the rules (REQ-3 to REQ-6, MBX-23 to MBX-26).

use std::collections::BTreeSet;

use rohrpost::base::words::Policy;
use rohrpost::base::{Millis, PeerId, limits};
use rohrpost::messenger::RefuseReason;

use super::Story;
use crate::world::Stranger;

/// Strangers who ask beyond what may wait.
const BEYOND: usize = 12;
/// Sessions of others that may be among those that are kept of strangers: of two people and the other crowds of a day.
const OTHERS: usize = 250;

impl Story {
    /// More ask than may wait: of those who were not invited the oldest goes, the invited only for each other (REQ-4); and whom the
    /// policy shuts out does not wait (REQ-5).
    pub(super) fn ask_in_masses(&mut self, who: usize) {
        if !self.world.is_on(self.people[who]) {
            return;
        }
        let me = self.people[who];
        self.begin_often(who);
        let card = self.world.card(me);
        let (to, token) = (self.world.id(me), self.world.token(me));
        let mut waiting = self.world.requests(me);
        waiting.sort_by_key(|request| request.received_at);
        let mut waiting: Vec<(PeerId, bool)> = waiting.iter().map(|r| (r.peer_id, r.invited)).collect();
        let invited = [0, 20, 50, 100][self.below(4)];
        for _ in 0..limits::MAX_REQUESTS + BEYOND - waiting.len() {
            let mut stranger = self.world.stranger();
            let is_invited = self.below(100) < invited;
            self.world.begins(&mut stranger, &card);
            let letter = self.world.letter(&mut stranger, to, "may I?", Some(&token).filter(|_| is_invited));
            assert_eq!(self.world.bring(me, &[(&stranger, letter)]), [Ok(())], "whoever he is");
            let is_let_in = match self.policy[who] {
                Policy::Requests => true,
                Policy::Contacts => is_invited,
                Policy::Nobody => false,
            };
            if !is_let_in {
                continue;
            }
            if waiting.len() == limits::MAX_REQUESTS {
                match waiting.iter().position(|(_, invited)| !invited).or(is_invited.then_some(0)) {
                    Some(oldest) => waiting.remove(oldest),
                    None => continue,
                };
            }
            waiting.push((stranger.id(), is_invited));
        }
        self.note(&format!("{who}: strangers ask, {} wait", waiting.len()));
        let mut others: BTreeSet<(PeerId, bool)> = waiting.into_iter().collect();
        let unexpected: Vec<(PeerId, bool)> = self.world.requests(me).iter().map(|r| (r.peer_id, r.invited)).collect();
        let unexpected: Vec<_> = unexpected.into_iter().filter(|one| !others.remove(one)).collect();
        assert!(unexpected.is_empty() && others.is_empty(), "{unexpected:?} wait, and {others:?} should");
    }

    /// One stranger begins no more than four sessions a day (REQ-6).
    fn begin_often(&mut self, who: usize) {
        let (me, to) = (self.people[who], self.world.id(self.people[who]));
        let card = self.world.card(me);
        let mut stranger = self.world.stranger();
        for n in 0..=limits::MAX_STRANGER_SESSIONS_A_DAY {
            self.world.begins(&mut stranger, &card);
            let letter = self.world.letter(&mut stranger, to, "again", None);
            let answer = self.world.bring(me, &[(&stranger, letter)]).remove(0);
            let is_beyond = n == limits::MAX_STRANGER_SESSIONS_A_DAY;
            assert_eq!(answer, if is_beyond { Err(RefuseReason::Unavailable) } else { Ok(()) }, "session {n} of a day");
        }
    }

    /// More begin sessions than are kept of strangers: those that began first go, and whoever had one is told that it is not known
    /// (REQ-6, REQ-8).
    pub(super) fn begin_in_masses(&mut self, who: usize) {
        if !self.world.is_on(self.people[who]) {
            return;
        }
        let me = self.people[who];
        let card = self.world.card(me);
        let count = limits::MAX_STRANGER_SESSIONS + BEYOND;
        let mut strangers: Vec<Stranger> = (0..count).map(|_| self.world.stranger()).collect();
        let mut letters = Vec::new();
        for stranger in &mut strangers {
            self.world.begins(stranger, &card);
            letters.push(self.world.empty_letter(stranger));
        }
        let first: Vec<_> = strangers.iter().zip(letters).collect();
        assert!(self.world.bring(me, &first).iter().all(Result::is_ok), "whatever becomes of their sessions");
        drop(first);
        self.note(&format!("{who}: strangers begin {count} sessions"));
        // In the same session each writes once more.
        let again: Vec<usize> = (0..BEYOND).chain([OTHERS, count / 2, count - 1]).collect();
        let letters: Vec<_> = again.iter().map(|n| self.world.empty_letter(&mut strangers[*n])).collect();
        let brought: Vec<_> = again.iter().map(|n| &strangers[*n]).zip(letters).collect();
        let answers = self.world.bring(me, &brought);
        for (n, answer) in again.iter().zip(answers) {
            let expected = if *n < BEYOND { Err(RefuseReason::PrekeyUnknown) } else { Ok(()) };
            assert_eq!(answer, expected, "stranger {n} of {count} writes again");
        }
    }

    /// Strangers leave letters at somebody's mailbox until there is no room for theirs.
    pub(super) fn fill_slot(&mut self, who: usize) {
        let Some(house) = self.house.filter(|house| self.world.is_on(*house)) else { return };
        if !self.world.has_box(house, self.people[who]) {
            return;
        }
        let card = self.world.card(self.people[who]);
        let most = limits::SLOT_ENVELOPES as usize / 2;
        let kept = self.world.fill_slot(house, &card, most + 1);
        self.note(&format!("{who}: strangers leave {kept} letters"));
        assert!(kept <= most, "{kept} letters of strangers are kept");
    }

    /// A house has more boxes made than it keeps: one that its owner came back to on two days stays.
    pub(super) fn fill_house(&mut self) {
        let Some(house) = self.house.filter(|house| self.world.is_on(*house)) else { return };
        let most = limits::MAX_BOXES as usize / 4 * 3;
        let more = most - usize::try_from(self.world.boxes(house)).unwrap() + BEYOND;
        let sure = [0, 1].map(|who| self.days[who].len() > 3 && self.world.has_box(house, self.people[who]));
        let made = self.world.fill_house(house, more);
        assert_eq!((made, self.world.boxes(house)), (more, most as u64), "a trial makes room");
        for who in (0..2).filter(|who| sure[*who]) {
            assert!(self.world.has_box(house, self.people[who]), "the box of {who} is no trial");
        }
        self.days = Default::default();
        self.note(&format!("strangers have {more} boxes made"));
    }

    /// Somebody who is a contact brings what another has written, which was lost on its way: what is known of envelopes is known of
    /// who brings them (ENV-10).
    pub(super) fn echo(&mut self, from: usize) {
        let (writer, reader) = (self.people[from], self.people[1 - from]);
        if !self.world.is_on(reader) {
            return;
        }
        self.world.lose_next(writer, reader);
        self.say(from);
        let Some(bytes) = self.world.last_envelope(writer, reader) else { return };
        self.befriend_echo(1 - from);
        let eve = self.eve.take().expect("she was made with the first of her friends");
        let answer = self.world.bring(reader, &[(&eve, bytes)]).remove(0);
        self.note(&format!("{from}: what he wrote last is brought by another, {answer:?}"));
        self.eve = Some(eve);
        self.pass(Millis(20));
    }
}
