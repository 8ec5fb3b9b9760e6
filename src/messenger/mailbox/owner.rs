//! What an owner may ask for his own box.

use crate::base::{Millis, Origin, PeerId, limits};
use crate::envelope::mailbox::{Answer, Delete, InvitationKey, Offer, OfferIn, PageItem, QueueKey, Tag};
use crate::identity::is_ahead;
use crate::messenger::memory::number;
use crate::messenger::tables::{
    BoxCardRow, BoxCards, BoxPrekeyRow, BoxPrekeys, BoxRow, BoxTokenRow, BoxTokens, Boxes, DepositBodies, DepositRow,
    Deposits, Room, in_box, of_box, peer_key, tagged,
};
use crate::messenger::tx::{Step, Tx};
use crate::store::{Rows, Scan, Table};

use super::FULL;

impl Tx<'_> {
    /// Keeps a box for somebody, or renames the one he has and takes other keys for it (MBX-10).
    pub(super) fn register_box(
        &mut self,
        owner: PeerId,
        origin: Option<Origin>,
        (key, invitation): (QueueKey, InvitationKey),
        offer: &OfferIn<'_>,
    ) -> Step<Answer> {
        if !self.serves(&owner)? {
            return Ok(Answer::Refused);
        }
        let Some(offer) = self.sound_offer(owner, offer) else { return Ok(Answer::Malformed) };
        let mut row = match self.box_of(&owner)? {
            Some(row) if offer.batch <= row.batch => return self.seen_again(row),
            Some(row) => row,
            None => {
                if !self.room_for_box(owner, origin)? {
                    return Ok(FULL);
                }
                let mut totals = self.mail_totals()?;
                totals.boxes += 1;
                totals.last_box += 1;
                self.put_mail_totals(&totals)?;
                self.note_box(totals.last_box, owner, origin);
                self.new_box(owner, totals.last_box, &key, &invitation)
            }
        };
        if row.tokens != key {
            self.retire_tags(&mut row)?;
            row.tokens_before = Some(row.tokens.clone());
        }
        (row.tokens, row.invitation) = (key, invitation);
        self.take_offer(row, offer)
    }

    /// Takes a newer card, more prekeys, and makes tokens void (MBX-13, MBX-14).
    pub(super) fn renew_box(
        &mut self,
        owner: PeerId,
        invitation: InvitationKey,
        revoked: &[Tag],
        offer: &OfferIn<'_>,
    ) -> Step<Answer> {
        if !self.serves(&owner)? {
            return Ok(Answer::Refused);
        }
        let Some(offer) = self.sound_offer(owner, offer) else { return Ok(Answer::Malformed) };
        let Some(mut row) = self.own_box(&owner, &offer.card.queue)? else { return Ok(Answer::NoBox) };
        if offer.batch <= row.batch {
            return self.seen_again(row);
        }
        let mut fresh = Vec::new();
        for tag in revoked {
            let token = self.buf.get::<BoxTokens>(&tagged(row.number, tag))?;
            let token = token.filter(|token| !token.is_old);
            let token = token.unwrap_or(BoxTokenRow { tag: *tag, ..BoxTokenRow::default() });
            if !token.revoked && fresh.iter().all(|known: &BoxTokenRow| known.tag != *tag) {
                fresh.push(BoxTokenRow { revoked: true, ..token });
            }
        }
        row.revoked += u32::try_from(fresh.len()).unwrap_or(u32::MAX);
        // MBX-14
        if row.revoked > limits::MAX_REVOKED_TAGS {
            return Ok(FULL);
        }
        for token in &fresh {
            self.put_token(&row, token)?;
        }
        row.invitation = invitation;
        self.take_offer(row, offer)
    }

    /// MBX-11
    fn sound_offer(&self, owner: PeerId, offer: &OfferIn<'_>) -> Option<Offer> {
        let latest = self.mem.clock.row.latest();
        offer.verify(owner).ok().filter(|offer| !is_ahead(offer.card.issued, latest))
    }

    fn new_box(&mut self, owner: PeerId, number: u64, tokens: &QueueKey, invitation: &InvitationKey) -> BoxRow {
        BoxRow {
            owner,
            number,
            // MBX-41: everything of the box goes with it.
            key: self.buf.create_key(&mut *self.rng),
            queue: [0; 16],
            tokens: tokens.clone(),
            tokens_before: None,
            invitation: invitation.clone(),
            work: 0,
            batch: 0,
            // The first day is none of those on which he comes back.
            seen: self.mail_day(),
            visits: 0,
            last: 0,
            count: 0,
            bytes: 0,
            slot_count: 0,
            slot_bytes: 0,
            invited_count: 0,
            invited_bytes: 0,
            void_count: 0,
            void_bytes: 0,
            hidden: 0,
            revoked: 0,
            prekeys: 0,
            last_prekey: 0,
            allowance: limits::BOX_PREKEY_BURST,
            allowance_hour: 0,
        }
    }

    /// A second copy of an offer, or an old one that comes late: a prekey of it may have been handed out, a token of it
    /// revoked since. It changes nothing (MBX-13).
    fn seen_again(&mut self, row: BoxRow) -> Step<Answer> {
        let row = self.note_visit(row)?;
        Ok(Answer::Kept { prekeys: held(&row) })
    }

    /// The card, if it is newer, and as many prekeys as there is room for (MBX-11, MBX-13).
    fn take_offer(&mut self, mut row: BoxRow, offer: Offer) -> Step<Answer> {
        let at = of_box(row.number);
        let known = self.buf.get::<BoxCards>(&at)?;
        if known.is_none_or(|known| offer.card.sequence > known.sequence) {
            let card = BoxCardRow { sequence: offer.card.sequence, bytes: offer.card.bytes().to_vec() };
            self.buf.put_under::<BoxCards>(&at, row.key, &card)?;
            row.queue = offer.card.queue;
            row.work = offer.card.work;
        }
        let room = limits::ONE_TIME_BATCH.saturating_sub(usize::from(held(&row)));
        for (expires, bytes) in offer.prekeys.into_iter().take(room) {
            row.last_prekey += 1;
            row.prekeys += 1;
            let at = in_box(row.number, row.last_prekey);
            self.buf.put_under::<BoxPrekeys>(&at, row.key, &BoxPrekeyRow { expires, bytes })?;
        }
        row.batch = offer.batch;
        self.note_day(&mut row);
        self.put_box(&row)?;
        Ok(Answer::Kept { prekeys: held(&row) })
    }

    /// The tags of another key say nothing of this one: they are void under the one before, and those before that are forgotten.
    fn retire_tags(&mut self, row: &mut BoxRow) -> Step {
        for (_, token) in self.buf.scan::<BoxTokens>(&Scan::new(of_box(row.number)))? {
            if token.revoked {
                self.put_token(row, &BoxTokenRow { revoked: !token.is_old, is_old: true, ..token })?;
            }
        }
        row.revoked = 0;
        Ok(())
    }

    /// The owner was here; written once a day (MBX-43).
    fn note_visit(&mut self, mut row: BoxRow) -> Step<BoxRow> {
        if row.seen != self.mail_day() {
            self.note_day(&mut row);
            self.put_box(&row)?;
        }
        Ok(row)
    }

    /// A page of what waits behind a number (MBX-15).
    pub(super) fn fetch_mail(&mut self, owner: &PeerId, queue: &[u8; 16], after: u64) -> Step<Answer> {
        let Some(row) = self.own_box(owner, queue)? else { return Ok(Answer::NoBox) };
        let mut row = self.note_visit(row)?;
        let (mut items, mut bytes, mut more, mut passed) = (Vec::new(), 0, false, after);
        // What is hidden takes no place in a page, and may be as much as a box holds.
        let all = usize::try_from(limits::BOX_ENVELOPES).unwrap_or(usize::MAX);
        let limit = if row.hidden > 0 { all } else { limits::MAX_BOX_PAGE + 1 };
        if let Some(from) = after.checked_add(1) {
            let page = Scan::new(of_box(row.number)).from(from).limit(limit);
            for (key, deposit) in self.buf.scan_sound::<Deposits>(&page)?.0 {
                let number = number(&key).unwrap_or_default();
                if !deposit.on.is_hidden() {
                    bytes += usize::try_from(deposit.size).unwrap_or(usize::MAX);
                    if items.len() == limits::MAX_BOX_PAGE || bytes > limits::MAX_BOX_PAGE_BYTES {
                        more = true;
                        break;
                    }
                    if let Some(body) = self.buf.get_sound::<DepositBodies>(&in_box(row.number, number))? {
                        items.push(PageItem { number, sealed: body.0 });
                    }
                }
                passed = number;
            }
        }
        self.passed(&mut row, passed, items.is_empty())?;
        Ok(Answer::Page { more, prekeys: held(&row), items })
    }

    /// Whether an owner has to wait for something behind a number; if not, what he is told (MBX-80, MBX-81).
    pub(super) fn wait_for_mail(
        &mut self,
        owner: &PeerId,
        queue: &[u8; 16],
        after: u64,
        seconds: u16,
    ) -> Step<Option<Answer>> {
        let Some(row) = self.own_box(owner, queue)? else { return Ok(Some(Answer::NoBox)) };
        let mut row = self.note_visit(row)?;
        self.waits(&mut row, Millis::from_secs(u64::from(seconds)))?;
        let Some(from) = after.checked_add(1) else { return Ok(None) };
        let came = !self.buf.scan_sound::<Deposits>(&Scan::new(of_box(row.number)).from(from).limit(1))?.0.is_empty();
        Ok(came.then_some(Answer::Waited { came }))
    }

    /// The owner has them (MBX-16).
    pub(super) fn delete_mail(&mut self, owner: &PeerId, queue: &[u8; 16], what: &Delete) -> Step<Answer> {
        let Some(mut row) = self.own_box(owner, queue)? else { return Ok(Answer::NoBox) };
        let before = row.bytes;
        match what {
            Delete::UpTo(last) => {
                let all = Scan::new(of_box(row.number));
                let upto = last.checked_add(1).map_or_else(|| all.clone(), |end| all.clone().to(end));
                for (key, deposit) in self.buf.scan_sound::<Deposits>(&upto)?.0 {
                    self.take_out(&mut row, number(&key).unwrap_or_default(), &deposit)?;
                }
            }
            Delete::These(numbers) => {
                for number in numbers {
                    if let Some(deposit) = self.buf.get::<Deposits>(&in_box(row.number, *number))? {
                        self.take_out(&mut row, *number, &deposit)?;
                    }
                }
            }
        }
        self.take_passed(&mut row)?;
        self.note_day(&mut row);
        self.settle_box(&row, before)?;
        Ok(Answer::Done)
    }

    /// The owner leaves: everything of his goes (MBX-17).
    pub(super) fn leave_box(&mut self, owner: &PeerId, queue: &[u8; 16]) -> Step<Answer> {
        let Some(row) = self.own_box(owner, queue)? else { return Ok(Answer::NoBox) };
        self.drop_box(&row)?;
        Ok(Answer::Done)
    }

    /// Destroys the key of a box, and removes its rows; those that do not open are left to the sweep (MBX-41).
    pub(in crate::messenger) fn drop_box(&mut self, row: &BoxRow) -> Step {
        let mut gone = row.clone();
        for (key, deposit) in self.rows_of::<Deposits>(row) {
            let deposit: DepositRow = deposit;
            // Only the rows matter, not what is left of the counters; its token goes with the others.
            self.take_out(&mut gone, number(&key).unwrap_or_default(), &DepositRow { on: Room::Strangers, ..deposit })?;
        }
        for (_, token) in self.rows_of::<BoxTokens>(row) {
            self.buf.delete::<BoxTokens>(&tagged(row.number, &token.tag));
        }
        for (key, _) in self.rows_of::<BoxPrekeys>(row) {
            self.buf.delete::<BoxPrekeys>(&in_box(row.number, number(&key).unwrap_or_default()));
        }
        self.buf.delete::<BoxCards>(&of_box(row.number));
        self.buf.delete::<Boxes>(&peer_key(&row.owner));
        self.buf.destroy_key(row.key);
        self.forget_box_number(row.number);
        let mut totals = self.mail_totals()?;
        totals.boxes = totals.boxes.saturating_sub(1);
        totals.change(row.bytes, 0);
        self.put_mail_totals(&totals)
    }

    fn rows_of<T: Table>(&self, row: &BoxRow) -> Vec<(Vec<u8>, T::Row)> {
        self.buf.scan::<T>(&Scan::new(of_box(row.number))).unwrap_or_default()
    }
}

/// How many prekeys there are, as an answer tells it.
fn held(row: &BoxRow) -> u16 {
    u16::try_from(row.prekeys).unwrap_or(u16::MAX)
}
