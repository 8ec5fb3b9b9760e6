//! Proofs of work for mailboxes that ask for them: done in slices between commits, and no more in an hour than one honest
//! demand may cost.

use crate::base::{Millis, MonoTime, limits};
use crate::crypto::hash::sha256;
use crate::envelope::mailbox::{Proof, day_of, search};
use crate::messenger::mailing::{Deposit, Work};
use crate::messenger::tx::Tx;

const HOUR: Millis = Millis::from_hours(1);

impl Tx<'_> {
    /// Work is wanted for a deposit.
    pub(super) fn queue_work(&mut self, deposit: Deposit, level: u8) {
        if self.mem.mail.works.len() >= limits::MAX_WORKS {
            // Its turn comes when it is left again.
            self.house_failed(deposit.mailbox);
            self.mem.mail.keep_sealed(deposit);
            return;
        }
        let day = day_of(self.deadline_clock());
        let next = self.rng.next_u64() >> 1;
        self.mem.mail.works.push_back(Work { deposit, level, day, next });
    }

    /// Does a slice of it (MBX-62).
    pub(in crate::messenger) fn do_work(&mut self) {
        let hour = self.now.mono.0 / HOUR.0;
        let mail = &mut self.mem.mail;
        if mail.worked.0 != hour {
            mail.worked = (hour, 0);
        }
        if mail.worked.1 >= limits::WORK_PER_HOUR {
            return;
        }
        let Some(mut work) = mail.works.pop_front() else { return };
        mail.worked.1 += limits::WORK_SLICE;
        let hash = sha256(&[&work.deposit.sealed]);
        let found = search(&work.deposit.peer, work.day, &hash, work.level, work.next, limits::WORK_SLICE);
        match found {
            Some(nonce) => {
                work.deposit.proof = Proof::Work { day: work.day, nonce };
                mail.ready.push_back(work.deposit);
            }
            None => {
                work.next = work.next.wrapping_add(limits::WORK_SLICE);
                mail.works.push_front(work);
            }
        }
    }

    /// When to go on with it.
    pub(in crate::messenger) fn next_work(&self) -> Option<MonoTime> {
        let mail = &self.mem.mail;
        if mail.works.is_empty() {
            return None;
        }
        let hour = self.now.mono.0 / HOUR.0;
        let spent = mail.worked.0 == hour && mail.worked.1 >= limits::WORK_PER_HOUR;
        Some(if spent { MonoTime((hour + 1) * HOUR.0) } else { self.now.mono })
    }
}
