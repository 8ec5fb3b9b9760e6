//! Envelopes and boxes whose time is over.

use crate::base::limits;
use crate::messenger::memory::number;
use crate::messenger::tables::{BoxRow, Boxes, DepositRow, Deposits, of_box};
use crate::messenger::tx::{Step, Stop, Tx};
use crate::store::{Rows, Scan};

impl Tx<'_> {
    /// Once a day all boxes are looked through.
    pub(in crate::messenger) fn begin_walk(&mut self) -> Step {
        let totals = self.mail_totals()?;
        if self.mem.walking.is_none() && totals.boxes > 0 && totals.walked != self.mail_day() {
            self.mem.walking = Some(Vec::new());
        }
        Ok(())
    }

    /// They are looked through again, whatever day it is.
    pub(in crate::messenger) fn walk_again(&mut self) -> Step {
        let mut totals = self.mail_totals()?;
        if totals.boxes > 0 {
            totals.walked = 0;
            self.put_mail_totals(&totals)?;
        }
        Ok(())
    }

    /// Goes on with that by some boxes. A row that does not open must not keep the rest of the house from its work.
    pub(in crate::messenger) fn walk_boxes(&mut self) -> Step {
        let Some(from) = self.mem.walking.clone() else { return Ok(()) };
        self.mem.walking = match self.attempt(|tx| tx.walk_some(from)) {
            Ok(next) => next,
            Err(stop) => {
                if let Stop::Fault(error) = stop {
                    tracing::error!(%error, "the mailboxes kept for others cannot be looked through");
                }
                None
            }
        };
        Ok(())
    }

    /// The boxes behind a key. Where to go on; `None` at the end.
    fn walk_some(&mut self, mut from: Vec<u8>) -> Step<Option<Vec<u8>>> {
        let (today, leases) = (self.mail_day(), self.mail_day_after(limits::BOX_LEASE_DAYS));
        let (trials, mail) =
            (self.mail_day_after(limits::BOX_TRIAL_DAYS), self.mail_day_after(limits::BOX_ENVELOPE_DAYS));
        let scan = Scan::all().after_bytes(&from).limit(limits::MAX_BOXES_AT_ONCE);
        let (page, _) = self.buf.scan_sound::<Boxes>(&scan)?;
        let full = page.len() == limits::MAX_BOXES_AT_ONCE;
        let mut expired = 0;
        for (key, row) in page {
            // MBX-43, MBX-44
            let (upto, days) = match self.is_on_trial(&row)? {
                true => (trials, limits::BOX_TRIAL_DAYS),
                false => (leases, limits::BOX_LEASE_DAYS),
            };
            if upto > row.seen.saturating_add(days) {
                self.drop_box(&row)?;
                return Ok(Some(key));
            }
            let gone = self.expire_mail(row, mail)?;
            if gone == limits::MAX_MAIL_EXPIRED_AT_ONCE {
                // There may be more in this one.
                return Ok(Some(from));
            }
            from = key;
            expired += gone;
            if expired >= limits::MAX_MAIL_EXPIRED_AT_ONCE {
                return Ok(Some(from));
            }
        }
        if full {
            return Ok(Some(from));
        }
        let mut totals = self.mail_totals()?;
        totals.walked = today;
        self.put_mail_totals(&totals)?;
        Ok(None)
    }

    /// Takes out what waited too long, the oldest first: numbers grow with the days (MBX-42).
    fn expire_mail(&mut self, mut row: BoxRow, today: u32) -> Step<usize> {
        if row.count == 0 {
            return Ok(0);
        }
        let oldest = Scan::new(of_box(row.number)).limit(limits::MAX_MAIL_EXPIRED_AT_ONCE);
        let is_over = |deposit: &DepositRow| today > deposit.day.saturating_add(limits::BOX_ENVELOPE_DAYS);
        let (before, mut gone) = (row.bytes, 0);
        for (key, deposit) in self.buf.scan_sound::<Deposits>(&oldest)?.0 {
            if !is_over(&deposit) {
                break;
            }
            self.take_out(&mut row, number(&key).unwrap_or_default(), &deposit)?;
            gone += 1;
        }
        if gone > 0 {
            self.settle_box(&row, before)?;
        }
        Ok(gone)
    }
}
