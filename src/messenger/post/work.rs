//! Proofs of work for mailboxes that ask for them: done in slices between commits, and no more in an hour than one honest
//! demand may cost.

use crate::base::{Millis, MonoTime, PeerId, limits};
use crate::crypto::hash::sha256;
use crate::envelope::mailbox::{Proof, day_of, search};
use crate::messenger::mailing::{Shown, Work};
use crate::messenger::outgoing::{Deposit, Happening, Stage};
use crate::messenger::tx::{Step, Tx};

const HOUR: Millis = Millis::from_hours(1);

impl Tx<'_> {
    /// Work is wanted for a deposit; says whether it will be done.
    pub(super) fn queue_work(&mut self, mailbox: PeerId, ticket: u64, shown: Shown, level: u8) -> bool {
        let Shown { peer, number, .. } = shown;
        let is_it = |deposit: &&Deposit| deposit.stage == Stage::Asked(ticket);
        let letter = self.mem.out.of(&peer).letters.get(&number);
        let deposit = letter.and_then(|letter| letter.deposits.iter().find(is_it));
        let Some(hash) = deposit.map(|deposit| sha256(&[&deposit.sealed])) else { return false };
        if self.mem.asks.works.len() >= limits::MAX_WORKS {
            return false;
        }
        let day = day_of(self.now.wall);
        let next = self.rng.next_u64() >> 1;
        self.mem.asks.works.push_back(Work { peer, number, mailbox, hash, level, day, next });
        true
    }

    /// Does a slice of it (MBX-62).
    pub(in crate::messenger) fn do_work(&mut self) -> Step {
        let hour = self.now.mono.0 / HOUR.0;
        let asks = &mut self.mem.asks;
        if asks.worked.0 != hour {
            asks.worked = (hour, 0);
        }
        if asks.worked.1 >= limits::WORK_PER_HOUR {
            return Ok(());
        }
        let Some(mut work) = asks.works.pop_front() else { return Ok(()) };
        // What it was for may be gone, or sealed anew.
        let letter = self.mem.out.of(&work.peer).letters.get(&work.number);
        let waits = |deposit: &Deposit| deposit.stage == Stage::Working && sha256(&[&deposit.sealed]) == work.hash;
        if !letter.and_then(|letter| letter.deposit_at(&work.mailbox)).is_some_and(waits) {
            return Ok(());
        }
        let asks = &mut self.mem.asks;
        asks.worked.1 += limits::WORK_SLICE;
        match search(&work.peer, work.day, &work.hash, work.level, work.next, limits::WORK_SLICE) {
            Some(nonce) => {
                self.touch(work.peer);
                let proof = Proof::Work { day: work.day, nonce };
                self.happen(work.peer, work.number, Happening::Proven(work.mailbox, proof))
            }
            None => {
                work.next = work.next.wrapping_add(limits::WORK_SLICE);
                asks.works.push_front(work);
                Ok(())
            }
        }
    }

    /// When to go on with it.
    pub(in crate::messenger) fn next_work(&self) -> Option<MonoTime> {
        let asks = &self.mem.asks;
        if asks.works.is_empty() {
            return None;
        }
        let hour = self.now.mono.0 / HOUR.0;
        let spent = asks.worked.0 == hour && asks.worked.1 >= limits::WORK_PER_HOUR;
        Some(if spent { MonoTime((hour + 1) * HOUR.0) } else { self.now.mono })
    }
}
