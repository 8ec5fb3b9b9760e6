//! The boxes that were kept for others, after a recovery. No snapshot holds them; of a salvaged database they are as far as
//! they open. Which prekeys were handed out nobody knows then, so all are gone.

use std::collections::{BTreeSet, HashMap};

use super::{Order, PAGE};
use crate::base::words::BoxState;
use crate::messenger::memory::number;
use crate::messenger::tables::{
    BoxCards, BoxPrekeys, BoxRow, BoxTokenRow, BoxTokens, Boxes, DepositBodies, DepositMarks, DepositRow, Deposits,
    LOST_KEY, MailTotals, Offered, OwnBoxes, TotalsRow, in_box, of_box, peer_key, tagged,
};
use crate::store::{RowKey, Rows, Scan, StoreError, Table};

/// Envelopes that may have been numbered and are lost: no number is used twice.
const LEAP: u64 = 1 << 32;

impl Order<'_> {
    /// The own mailboxes hand out prekeys whose secrets are lost, and check tokens with a key that is: the boxes there are
    /// ended and made anew. What waits in them is sealed to keys that are lost, too.
    pub(super) fn own_boxes(&mut self) -> Result<(), StoreError> {
        for (_, mut row) in self.buf.scan::<OwnBoxes>(&Scan::all())? {
            row.kept = row.kept.map(|kept| Offered { key: LOST_KEY, ..kept });
            (row.prekeys, row.refilled_at) = (0, None);
            if row.state != BoxState::Leaving {
                row.state = BoxState::Asking;
            }
            self.buf.put::<OwnBoxes>(&peer_key(&row.peer), &row)?;
            self.step(1)?;
        }
        Ok(())
    }

    /// Counts what is in each box, and drops what is of none.
    pub(super) fn boxes(&mut self) -> Result<(), StoreError> {
        let mut totals = self.buf.get::<MailTotals>(&RowKey::new())?.unwrap_or_default();
        (totals.boxes, totals.bytes, totals.beyond, totals.walked) = (0, 0, 0, 0);
        let mut known = BTreeSet::new();
        for (_, row) in self.buf.scan::<Boxes>(&Scan::all())? {
            known.insert(row.number);
            let row = self.one_box(row)?;
            totals.boxes += 1;
            totals.change(0, row.bytes);
            totals.last_box = totals.last_box.max(row.number);
            self.buf.put_under::<Boxes>(&peer_key(&row.owner), row.key, &row)?;
            self.step(1)?;
        }
        self.orphans::<BoxCards>(&known)?;
        self.orphans::<Deposits>(&known)?;
        self.orphans::<BoxPrekeys>(&known)?;
        if totals != TotalsRow::default() {
            self.buf.put::<MailTotals>(&RowKey::new(), &totals)?;
        }
        Ok(())
    }

    fn one_box(&mut self, mut row: BoxRow) -> Result<BoxRow, StoreError> {
        self.buf.take::<BoxPrekeys>(&Scan::new(of_box(row.number)))?;
        (row.prekeys, row.count, row.bytes, row.revoked) = (0, 0, 0, 0);
        (row.slot_count, row.slot_bytes, row.invited_count, row.invited_bytes) = (0, 0, 0, 0);
        (row.void_count, row.void_bytes, row.hidden) = (0, 0, 0);
        let mut tokens = HashMap::new();
        for (_, token) in self.buf.take::<BoxTokens>(&Scan::new(of_box(row.number)))? {
            // Those under the key before count no more.
            row.revoked += u32::from(token.revoked && !token.is_old);
            tokens.insert(token.tag, BoxTokenRow { count: 0, bytes: 0, ..token });
        }
        let mut from = 0;
        loop {
            let page = Scan::new(of_box(row.number)).from(from).limit(PAGE);
            let page = self.buf.scan::<Deposits>(&page)?;
            let full = page.len() == PAGE;
            for (key, deposit) in page {
                let number = number(&key).unwrap_or_default();
                from = number.saturating_add(1);
                self.one_deposit(&mut row, &mut tokens, number, deposit)?;
            }
            if !full {
                break;
            }
        }
        for token in tokens.values().filter(|token| token.count > 0 || token.revoked) {
            self.buf.put_under::<BoxTokens>(&tagged(row.number, &token.tag), row.key, token)?;
            self.step(1)?;
        }
        row.last = row.last.max(from).saturating_add(LEAP);
        Ok(row)
    }

    fn one_deposit(
        &mut self,
        row: &mut BoxRow,
        tokens: &mut HashMap<[u8; 16], BoxTokenRow>,
        number: u64,
        deposit: DepositRow,
    ) -> Result<(), StoreError> {
        let (at, mark) = (in_box(row.number, number), tagged(row.number, &deposit.digest));
        if !self.buf.contains::<DepositBodies>(&at)? {
            self.buf.delete::<Deposits>(&at);
            self.buf.delete::<DepositMarks>(&mark);
            return self.step(2);
        }
        let size = u64::from(deposit.size);
        row.change(deposit.on, size, true);
        if let Some(tag) = deposit.on.tag() {
            let token = tokens.entry(tag).or_insert(BoxTokenRow { tag, ..BoxTokenRow::default() });
            token.count += 1;
            token.bytes += size;
        }
        self.buf.put_under::<DepositMarks>(&mark, row.key, &number)?;
        self.step(1)
    }

    /// Boxes whose own row is lost: their key goes, and the sweep takes what is under it.
    fn orphans<T: Table>(&mut self, known: &BTreeSet<u64>) -> Result<(), StoreError> {
        let mut page = Scan::all().limit(PAGE);
        loop {
            let rows = self.buf.scan::<T>(&page)?;
            for (key, _) in &rows {
                let (parts, _) = key.as_chunks::<8>();
                let at = parts.iter().fold(RowKey::new(), |at, part| at.u64(u64::from_be_bytes(*part)));
                let is_known = parts.first().is_some_and(|part| known.contains(&u64::from_be_bytes(*part)));
                if !is_known && let Some(under) = self.buf.key_of::<T>(&at)? {
                    self.buf.destroy_key(under);
                    self.step(1)?;
                }
            }
            match rows.last() {
                Some((key, _)) if rows.len() == PAGE => page = Scan::all().after_bytes(key).limit(PAGE),
                _ => return Ok(()),
            }
        }
    }
}
