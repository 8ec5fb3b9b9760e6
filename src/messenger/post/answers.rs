//! What mailboxes of others say to deposits. None of it is believed further than it costs: *stored* is not *delivered*,
//! and who refuses is passed over.

use crate::base::{Millis, PeerId, limits};
use crate::envelope::mailbox::Answer;
use crate::messenger::mailing::{House, Shown};
use crate::messenger::outgoing::{Answered, Happening};
use crate::messenger::pace::{jittered, pause};
use crate::messenger::tx::{Step, Tx};

impl Tx<'_> {
    /// A deposit has an outcome.
    pub(in crate::messenger) fn deposit_answered(
        &mut self,
        mailbox: PeerId,
        ticket: u64,
        shown: Shown,
        answer: Option<&Answer>,
    ) -> Step {
        let peer = shown.peer;
        self.touch(peer);
        if answer.is_some() && !matches!(answer, Some(Answer::Unavailable | Answer::Malformed | Answer::Refused)) {
            self.mem.asks.houses.remove(&mailbox);
        }
        let came = match answer {
            Some(Answer::Stored) => Answered::Stored(self.copies(self.pinned(&peer)?.as_ref())),
            Some(Answer::Work { level }) => self.asked_for_work(mailbox, ticket, shown, *level),
            Some(Answer::NoBox) => {
                // Perhaps his card names others by now.
                self.close_house(peer, mailbox, limits::SEEK_MAX);
                self.want_card(peer);
                Answered::Declined
            }
            Some(Answer::Full { retry_after }) => {
                let span = Millis::from_secs((*retry_after).into());
                self.close_house(peer, mailbox, span.clamp(limits::DEPOSIT_RETRY_MAX, limits::MAX_RETRY_AFTER));
                Answered::Declined
            }
            // Void, then: with a good token everything fits.
            Some(Answer::TooLarge) if shown.token => self.token_is_void(peer, mailbox),
            Some(Answer::TooLarge) => Answered::TooLarge,
            _ => {
                self.house_failed(mailbox);
                Answered::Nothing
            }
        };
        self.happen(peer, shown.number, Happening::Answered(ticket, came))
    }

    /// The token is void, or there is none: an invitation or work has to stand for it.
    fn asked_for_work(&mut self, mailbox: PeerId, ticket: u64, shown: Shown, level: u8) -> Answered {
        // It asks for more than was shown, or for what was: another mailbox may be content.
        if shown.work && level < limits::MAX_WORK {
            self.house_failed(mailbox);
        } else if shown.work {
            self.close_house(shown.peer, mailbox, limits::MAX_RETRY_AFTER);
        } else if shown.token {
            // What else to show is found out there.
            return self.token_is_void(shown.peer, mailbox);
        } else if self.queue_work(mailbox, ticket, shown, level) {
            return Answered::Work;
        } else {
            // Its turn comes when it is left again.
            self.house_failed(mailbox);
            return Answered::Nothing;
        }
        Answered::Declined
    }

    fn token_is_void(&mut self, peer: PeerId, mailbox: PeerId) -> Answered {
        self.link(peer).places.entry(mailbox).or_default().is_void = true;
        Answered::Void
    }

    /// A mailbox is of no use for this recipient for a while.
    fn close_house(&mut self, peer: PeerId, mailbox: PeerId, span: Millis) {
        let until = self.now.mono + jittered(span, self.rng.next_u64());
        self.link(peer).places.entry(mailbox).or_default().closed_until = until;
    }

    /// A mailbox does not answer as it should.
    fn house_failed(&mut self, mailbox: PeerId) {
        let (now, random) = (self.now.mono, self.rng.next_u64());
        let houses = &mut self.mem.asks.houses;
        if houses.len() >= limits::MAX_HOUSES {
            houses.retain(|_, house| house.until > now);
        }
        if houses.len() >= limits::MAX_HOUSES {
            houses.clear();
        }
        let house = houses.entry(mailbox).or_insert(House { failures: 0, until: now });
        // A window full of failures is one.
        if house.until > now {
            return;
        }
        let span = pause(limits::DEPOSIT_RETRY_FIRST, limits::DEPOSIT_RETRY_MAX, house.failures, random);
        house.until = now + span;
        house.failures = house.failures.saturating_add(1);
    }
}
