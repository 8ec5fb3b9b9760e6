//! What comes under void tokens takes the room that it would take under good ones, so that nobody learns from a mailbox that he
//! was blocked or removed (MBX-22). Of most of it the owner gets nothing; it goes when he would have taken it.

use crate::base::{Millis, limits};
use crate::messenger::memory::number;
use crate::messenger::tables::{BoxRow, Deposits, of_box};
use crate::messenger::tx::{Step, Tx};
use crate::store::{Rows, Scan};

use super::trials::Visit;

impl Tx<'_> {
    /// The owner was shown everything up to this number. What he has he deletes; where there was nothing he has nothing to delete,
    /// and what he was not shown goes at once.
    pub(super) fn passed(&mut self, row: &mut BoxRow, upto: u64, is_empty: bool) -> Step {
        self.mem.house.visits.entry(row.number).or_default().passed = upto;
        if is_empty { self.let_go(row) } else { Ok(()) }
    }

    /// The owner waits: what he was not shown would have been told to him, and taken.
    pub(super) fn waits(&mut self, row: &mut BoxRow, span: Millis) -> Step {
        let waits_until = self.now.mono + span;
        self.mem.house.visits.entry(row.number).or_default().waits_until = waits_until;
        self.let_go(row)
    }

    /// Something came that the owner is not shown.
    pub(super) fn note_hidden(&mut self, row: &BoxRow) {
        if row.hidden == 1 {
            self.mem.house.visits.entry(row.number).or_default().hidden_at = self.now.mono;
        }
    }

    /// Something comes, or would. While the owner waits, what came before has been taken by now: so often he asks (MBX-86).
    pub(super) fn pass_hidden(&mut self, row: &mut BoxRow) -> Step {
        let now = self.now.mono;
        let is_there = self.mem.links.get(&row.owner).is_some_and(|link| link.connected);
        let has_come = |visit: &Visit| visit.waits_until > now && visit.hidden_at + limits::WAIT_PAUSE <= now;
        let waits = is_there && self.mem.house.visits.get(&row.number).is_some_and(has_come);
        if waits { self.let_go(row) } else { Ok(()) }
    }

    /// The owner deletes: what he passed over goes, too. The rows of box and totals are still to be written.
    pub(super) fn take_passed(&mut self, row: &mut BoxRow) -> Step {
        let passed = self.mem.house.visits.get(&row.number).map_or(0, |visit| visit.passed);
        self.take_hidden(row, passed)
    }

    /// All of it goes.
    fn let_go(&mut self, row: &mut BoxRow) -> Step {
        if row.hidden == 0 {
            return Ok(());
        }
        let before = row.bytes;
        self.take_hidden(row, u64::MAX)?;
        self.settle_box(row, before)
    }

    fn take_hidden(&mut self, row: &mut BoxRow, upto: u64) -> Step {
        if row.hidden == 0 {
            return Ok(());
        }
        let scan = Scan::new(of_box(row.number));
        let scan = upto.checked_add(1).map_or_else(|| scan.clone(), |end| scan.clone().to(end));
        for (key, deposit) in self.buf.scan_sound::<Deposits>(&scan)?.0 {
            if deposit.on.is_hidden() {
                self.take_out(row, number(&key).unwrap_or_default(), &deposit)?;
            }
        }
        Ok(())
    }
}
