//! What mailboxes of others say to deposits. None of it is believed further than it costs: *stored* is not *delivered*,
//! and who refuses is passed over.

use crate::base::{Millis, PeerId, RoomId, limits};
use crate::envelope::mailbox::{Answer, Proof};
use crate::messenger::deliver::{jittered, pause};
use crate::messenger::mailing::{Deposit, House};
use crate::messenger::tables::{OutDeposits, OutKind, Outbox, outbox_key};
use crate::messenger::tx::{Step, Tx};
use crate::messenger::view::State;
use crate::store::Rows;

impl Tx<'_> {
    /// A deposit has an outcome.
    pub(in crate::messenger) fn deposit_answered(&mut self, deposit: Deposit, answer: Option<&Answer>) -> Step {
        let (peer, mailbox) = (deposit.peer, deposit.mailbox);
        self.touch(peer);
        if answer.is_some() && !matches!(answer, Some(Answer::Unavailable | Answer::Malformed | Answer::Refused)) {
            self.mem.mail.houses.remove(&mailbox);
        }
        match answer {
            Some(Answer::Stored) => self.stored(&deposit),
            Some(Answer::Work { level }) => {
                self.asked_for_work(deposit, *level);
                Ok(())
            }
            Some(Answer::NoBox) => {
                // Perhaps his card names others by now.
                self.close_house(peer, mailbox, limits::SEEK_MAX);
                self.want_card(peer);
                Ok(())
            }
            Some(Answer::Full { retry_after }) => {
                let span = Millis::from_secs((*retry_after).into());
                let span = span.clamp(limits::DEPOSIT_RETRY_MAX, limits::MAX_RETRY_AFTER);
                self.close_house(peer, mailbox, span);
                Ok(())
            }
            Some(Answer::TooLarge) if deposit.with_token => {
                // Void, then: with a good token everything fits.
                self.link(peer).no_token.insert(mailbox);
                Ok(())
            }
            Some(Answer::TooLarge) => {
                self.link(peer).posted.insert(deposit.number);
                Ok(())
            }
            _ => {
                self.house_failed(mailbox);
                // It may have heard: the same bytes again are no second envelope (MBX-27).
                self.mem.mail.keep_sealed(deposit);
                Ok(())
            }
        }
    }

    /// A mailbox has it, as it says.
    fn stored(&mut self, deposit: &Deposit) -> Step {
        let key = outbox_key(&deposit.peer, deposit.number);
        let Some(row) = self.buf.get::<Outbox>(&key)?.filter(|row| !row.sent && row.encrypted) else { return Ok(()) };
        let clock = self.deadline_clock();
        let mut record = self.buf.get::<OutDeposits>(&key)?.unwrap_or_default();
        let is_first = record.places.is_empty();
        record.places.retain(|(mailbox, _)| *mailbox != deposit.mailbox);
        record.places.push((deposit.mailbox, clock));
        self.buf.put::<OutDeposits>(&key, &record)?;
        match row.kind {
            OutKind::Message(position) if is_first => {
                self.advance(RoomId::direct(deposit.peer), position, deposit.peer, State::Sent)
            }
            _ => Ok(()),
        }
    }

    /// The token is void, or there is none: an invitation or work has to stand for it.
    fn asked_for_work(&mut self, mut deposit: Deposit, level: u8) {
        let peer = deposit.peer;
        match deposit.proof {
            // It asks for more than was shown, or for what was: another mailbox may be content.
            Proof::Work { .. } if level < limits::MAX_WORK => self.house_failed(deposit.mailbox),
            Proof::Work { .. } => self.close_house(peer, deposit.mailbox, limits::MAX_RETRY_AFTER),
            _ if deposit.with_token => {
                self.link(peer).no_token.insert(deposit.mailbox);
                deposit.with_token = false;
                // The same bytes, so that they are not left twice; what else to show is found out there.
                self.mem.mail.keep_sealed(deposit);
            }
            _ => self.queue_work(deposit, level),
        }
    }

    /// A mailbox is of no use for this recipient for a while.
    pub(super) fn close_house(&mut self, peer: PeerId, mailbox: PeerId, span: Millis) {
        let until = self.now.mono + jittered(span, self.rng.next_u64());
        self.link(peer).closed.insert(mailbox, until);
    }

    /// A mailbox does not answer as it should.
    pub(super) fn house_failed(&mut self, mailbox: PeerId) {
        let (now, random) = (self.now.mono, self.rng.next_u64());
        let houses = &mut self.mem.mail.houses;
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
