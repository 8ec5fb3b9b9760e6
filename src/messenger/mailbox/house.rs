//! How the house is shared: for whom there is a box, how much of what is free it may have, and which goes when there is no
//! room for another.

use crate::base::budget::Who;
use crate::base::words::MailService;
use crate::base::{Class, Origin, PeerId, limits};
use crate::messenger::tables::{BoxRow, Boxes, MailServices};
use crate::messenger::tx::{Step, Tx};
use crate::store::{RowKey, Rows, Scan};

impl Tx<'_> {
    /// Whether the operator knows this owner: a contact of his, or named by him.
    fn is_known(&self, owner: &PeerId) -> Step<bool> {
        let service = self.buf.get::<MailServices>(&RowKey::new())?.unwrap_or_default();
        Ok(matches!(service, MailService::Contacts | MailService::Listed(_))
            || self.peer(owner)?.is_some_and(|row| row.is_contact()))
    }

    /// Whether a box is a trial still (MBX-44).
    pub(super) fn is_on_trial(&self, row: &BoxRow) -> Step<bool> {
        Ok(row.visits < limits::BOX_TRIAL_VISITS && !self.is_known(&row.owner)?)
    }

    /// How many bytes may wait in a box: what there is always room for, and its share of what is free (MBX-26); and in half of its
    /// slot.
    pub(super) fn box_bounds(&self, row: &BoxRow) -> Step<(u64, u64)> {
        let is_known = self.is_known(&row.owner)?;
        let is_trial = row.visits < limits::BOX_TRIAL_VISITS && !is_known;
        if is_trial {
            // A letter of an invited stranger, one of another, and as much for contacts.
            return Ok((limits::BOX_SURE_BYTES, limits::BOX_SURE_BYTES / 4));
        }
        let all = if is_known { limits::MAX_MAIL_BEYOND } else { limits::MAX_MAIL_BEYOND / 4 * 3 };
        let share = all.saturating_sub(self.mail_totals()?.beyond) / limits::MAIL_SHARE;
        Ok(((limits::BOX_SURE_BYTES + share).min(limits::BOX_BYTES), limits::SLOT_BYTES / 2))
    }

    /// Makes room for one more box; whether there is (MBX-26, NET-94).
    pub(super) fn room_for_box(&mut self, owner: PeerId, origin: Option<Origin>) -> Step<bool> {
        if self.mem.is_disk_low {
            return Ok(false);
        }
        let is_known = self.is_known(&owner)?;
        let class = if is_known { Class::Contact } else { Class::Stranger };
        let who = Who::new(class, Some(owner), origin);
        if !self.mem.house.made.take(&who, self.now.mono) {
            return Ok(false);
        }
        let max = if is_known { limits::MAX_BOXES } else { limits::MAX_BOXES / 4 * 3 };
        while self.mail_totals()?.boxes >= max {
            if self.mem.house.trials.is_none() {
                let (rows, _) = self.buf.scan_sound::<Boxes>(&Scan::all())?;
                let unvisited = rows.into_iter().filter(|(_, row)| row.visits < limits::BOX_TRIAL_VISITS);
                self.mem.house.trials = Some(unvisited.map(|(_, row)| (row.number, row.owner)).collect());
            }
            let Some((number, owner)) = self.mem.house.next_to_go() else { return Ok(false) };
            self.mem.house.forget(number);
            if let Some(row) = self.box_of(&owner)?.filter(|row| row.number == number)
                && self.is_on_trial(&row)?
            {
                self.drop_box(&row)?;
            }
        }
        Ok(true)
    }

    /// A box was made.
    pub(super) fn note_box(&mut self, number: u64, owner: PeerId, origin: Option<Origin>) {
        let house = &mut self.mem.house;
        if let Some(trials) = &mut house.trials {
            trials.insert(number, owner);
        }
        house.neighbours.extend(origin.map(|origin| (number, origin.neighbours())));
    }

    /// The owner came (MBX-43, MBX-44).
    pub(super) fn note_day(&mut self, row: &mut BoxRow) {
        let today = self.mail_day();
        if row.seen == today {
            return;
        }
        row.seen = today;
        row.visits = row.visits.saturating_add(1).min(limits::BOX_TRIAL_VISITS);
        if row.visits == limits::BOX_TRIAL_VISITS {
            self.mem.house.forget(row.number);
        }
    }

    /// What is known beside rows of a box that is gone.
    pub(super) fn forget_box_number(&mut self, number: u64) {
        self.mem.house.forget(number);
        self.mem.house.visits.remove(&number);
    }
}
