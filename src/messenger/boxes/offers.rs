//! What an own mailbox is told: token key, invitation key, card, one-time prekeys, void tags.

use crate::base::limits;
use crate::base::words::BoxState;
use crate::crypto::hash::sha256;
use crate::envelope::mailbox::{Answer, InvitationKey, OfferIn, Question, QueueKey, Tag};
use crate::identity::{OneTimeKeys, PrekeyId, next_sequence};
use crate::messenger::mailing::What;
use crate::messenger::pace::jittered;
use crate::messenger::tables::{
    BoxedPrekeys, GivenTokens, LOST_KEY, OfferRow, Offered, Offers, OneTimeRow, OneTimeTable, OwnBoxRow, PeerRow,
    ProfileRow, QueueRow, Queues, VoidTags, numbered, peer_key,
};
use crate::messenger::tx::{Step, Tx};
use crate::store::{RowKey, Rows, Scan};

use super::Outcome;

impl Tx<'_> {
    /// The key of our queue. One that does not open is as if there were none: another takes its place, as if it were lost.
    pub(in crate::messenger) fn queue_row(&self) -> Step<Option<QueueRow>> {
        Ok(self.buf.get_sound::<Queues>(&RowKey::new())?)
    }

    fn put_queue_row(&mut self, row: &QueueRow) -> Step {
        self.mem.mail.queue = Some(row.id);
        Ok(self.buf.put::<Queues>(&RowKey::new(), row)?)
    }

    fn key_id(&mut self) -> u64 {
        self.rng.next_u64().max(LOST_KEY + 1)
    }

    /// The same, made when there is none.
    pub(super) fn ensure_queue(&mut self) -> Step<QueueRow> {
        if let Some(row) = self.queue_row()? {
            return Ok(row);
        }
        let (id, key) = (self.key_id(), QueueKey::random(&mut *self.rng));
        let row = QueueRow { id, key, last_offer: 0, last_void: 0, voids: 0 };
        self.put_queue_row(&row)?;
        Ok(row)
    }

    /// Makes the token void that a peer has: what he leaves counts as a stranger's from then on. Another is sent with
    /// the next profile, if there is one (MBX-54).
    pub(in crate::messenger) fn void_token(&mut self, peer: &mut PeerRow) -> Step {
        let key = peer_key(&peer.peer);
        let Some(given) = self.buf.get::<GivenTokens>(&key)? else { return Ok(()) };
        self.buf.delete::<GivenTokens>(&key);
        peer.profile_sent = 0;
        let Some(mut queue) = self.queue_row()?.filter(|queue| queue.id == given.key) else { return Ok(()) };
        queue.last_void += 1;
        queue.voids += 1;
        self.buf.put::<VoidTags>(&numbered(queue.last_void), &given.tag)?;
        self.put_queue_row(&queue)?;
        self.mem.mail.look = true;
        // MBX-14
        if queue.voids >= limits::MAX_REVOKED_TAGS { self.renew_queue(queue) } else { Ok(()) }
    }

    /// Another key of the queue: no token of the one before is good any more, and contacts get new ones.
    fn renew_queue(&mut self, mut queue: QueueRow) -> Step {
        self.buf.take::<VoidTags>(&Scan::all())?;
        (queue.id, queue.key) = (self.key_id(), QueueKey::random(&mut *self.rng));
        queue.voids = 0;
        self.put_queue_row(&queue)?;
        self.mem.mail.look = true;
        self.mem.mail.card_changed = true;
        Ok(())
    }

    /// What a mailbox is to keep. Void tags are told behind the registration, in steps.
    fn wanted(&self, row: &OwnBoxRow, profile: &ProfileRow, queue: &QueueRow) -> Offered {
        let hash = sha256(&[InvitationKey::of(&profile.token).expose()]);
        let first = queue.last_void.saturating_sub(u64::from(queue.voids));
        let told = row.kept.filter(|kept| kept.key == queue.id).map(|kept| kept.voids.max(first));
        let next = told.map_or(first, |told| queue.last_void.min(told + limits::MAX_REVOKED_AT_ONCE as u64));
        Offered {
            key: queue.id,
            card: profile.card_sequence,
            invitation: hash.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes)),
            voids: next,
        }
    }

    /// The question that brings a mailbox up to date, if it is not.
    pub(super) fn next_offer(&mut self, row: &mut OwnBoxRow) -> Step<Option<(What, Vec<u8>)>> {
        let (profile, queue) = (self.profile()?, self.ensure_queue()?);
        let wanted = self.wanted(row, &profile, &queue);
        let key = peer_key(&row.peer);
        let asked_before = self.buf.get::<Offers>(&key)?;
        let offer = match asked_before {
            // MBX-4, MBX-13, MBX-51: nobody knows whether it was heard, and prekeys of it may have been handed out.
            Some(offer) if offer.offered == wanted => offer,
            asked_before => {
                let count = if asked_before.is_some() { 0 } else { self.prekeys_due(row)? };
                if asked_before.is_none() && row.kept == Some(wanted) && count == 0 {
                    return Ok(None);
                }
                self.make_offer(row, &profile, queue.clone(), wanted, count)?
            }
        };
        let question = self.offer_question(row, &profile, &queue, &offer)?;
        Ok(Some((What::Offer, question)))
    }

    /// How many prekeys a mailbox is to be given.
    fn prekeys_due(&self, row: &OwnBoxRow) -> Step<usize> {
        let clock = self.deadline_clock();
        let held = usize::from(row.prekeys);
        let is_early = row.refilled_at.is_some_and(|at| at + limits::BOX_REFILL_PAUSE > clock);
        if held >= limits::ONE_TIME_REFILL || is_early {
            return Ok(0);
        }
        let boxed = self.mem.mail.boxed.get(&row.peer).copied().unwrap_or(0);
        let left = limits::MAX_BOXED_PREKEYS.saturating_sub(boxed);
        let all: usize = self.mem.mail.boxed.values().sum();
        Ok((limits::ONE_TIME_BATCH - held).min(left).min(limits::MAX_ALL_BOXED_PREKEYS.saturating_sub(all)))
    }

    /// A new offer, with prekeys that nobody else is given (MBX-18, MBX-52).
    fn make_offer(
        &mut self,
        row: &mut OwnBoxRow,
        profile: &ProfileRow,
        mut queue: QueueRow,
        offered: Offered,
        count: usize,
    ) -> Step<OfferRow> {
        let (made, wall) = (self.deadline_clock(), self.now.wall);
        queue.last_offer = next_sequence(queue.last_offer, wall);
        self.put_queue_row(&queue)?;
        let mut prekeys = Vec::with_capacity(count);
        for _ in 0..count {
            let keys = OneTimeKeys::generate(&mut *self.rng, wall);
            prekeys.push(keys.id);
            self.buf.put::<BoxedPrekeys>(&numbered(keys.id.0), &row.peer)?;
            let row = OneTimeRow { keys, made, handed_out: Some(made) };
            self.buf.put::<OneTimeTable>(&numbered(row.keys.id.0), &row)?;
        }
        self.mem.one_time_total += count;
        *self.mem.mail.boxed.entry(row.peer).or_default() += count;
        if count > 0 {
            row.refilled_at = Some(made);
            self.put_own_box(row)?;
        }
        let offer = OfferRow { number: queue.last_offer, offered, card: profile.card.clone(), prekeys };
        self.buf.put::<Offers>(&peer_key(&row.peer), &offer)?;
        Ok(offer)
    }

    fn offer_question(
        &self,
        row: &OwnBoxRow,
        profile: &ProfileRow,
        queue: &QueueRow,
        offer: &OfferRow,
    ) -> Step<Vec<u8>> {
        let mut prekeys = Vec::with_capacity(offer.prekeys.len());
        for id in &offer.prekeys {
            // One that is gone was used: then the offer was heard.
            prekeys.extend(self.one_time_of(*id)?.map(|found| found.keys.sign(self.me)));
        }
        let invitation = InvitationKey::of(&profile.token);
        let prekeys = prekeys.iter().map(Vec::as_slice).collect();
        let content = OfferIn { batch: offer.number, card: &offer.card, prekeys };
        match row.kept.filter(|kept| kept.key == queue.id) {
            None => Ok(Question::Register { key: queue.key.clone(), invitation, offer: content }.encode()?),
            Some(kept) => {
                let revoked = self.tags_between(kept.voids, offer.offered.voids)?;
                Ok(Question::Renew { invitation, revoked, offer: content }.encode()?)
            }
        }
    }

    /// Void tags with numbers above the one and up to the other.
    fn tags_between(&self, above: u64, upto: u64) -> Step<Vec<Tag>> {
        let scan = Scan::all().from(above.saturating_add(1)).to(upto.saturating_add(1));
        let rows = self.buf.scan::<VoidTags>(&scan.limit(limits::MAX_REVOKED_AT_ONCE))?;
        Ok(rows.into_iter().map(|(_, tag)| tag).collect())
    }

    /// What a mailbox said to an offer.
    pub(super) fn offer_answered(&mut self, mut row: OwnBoxRow, answer: Option<&Answer>) -> Step<Outcome> {
        let key = peer_key(&row.peer);
        let Some(offer) = self.buf.get::<Offers>(&key)? else { return Ok(Outcome::Failed) };
        let clock = self.deadline_clock();
        match answer {
            Some(Answer::Kept { prekeys }) => {
                self.buf.delete::<Offers>(&key);
                let was_named = row.kept.is_some() && row.state != BoxState::Refused;
                (row.kept, row.prekeys) = (Some(offer.offered), *prekeys);
                if matches!(row.state, BoxState::Asking | BoxState::Refused | BoxState::Full | BoxState::Unreachable) {
                    (row.state, row.since) = (BoxState::InUse, clock);
                }
                self.put_own_box(&row)?;
                if !was_named {
                    // MBX-50: from now on the card may name it.
                    self.card_is_due();
                }
                Ok(Outcome::Good)
            }
            Some(Answer::Full { .. }) if row.kept.is_some() => {
                // Tags are made void no more often than there is room for (MBX-14): it says what is not so.
                self.buf.delete::<Offers>(&key);
                Ok(Outcome::Failed)
            }
            Some(Answer::Full { .. }) => self.not_kept(row, BoxState::Full),
            Some(Answer::Refused) => self.not_kept(row, BoxState::Refused),
            Some(Answer::NoBox) => {
                self.box_is_gone(&mut row)?;
                Ok(Outcome::Good)
            }
            Some(Answer::Malformed | Answer::TooLarge) => {
                // It will not be understood the next time either.
                self.buf.delete::<Offers>(&key);
                Ok(Outcome::Failed)
            }
            _ => Ok(Outcome::Failed),
        }
    }

    /// It does not keep a box for us (any longer): the card does not name it, and it is asked again after hours. What is
    /// in the box, if there is one, may still be fetched (MBX-5).
    fn not_kept(&mut self, mut row: OwnBoxRow, state: BoxState) -> Step<Outcome> {
        let was_named = row.kept.is_some();
        if row.state != BoxState::Leaving && row.state != state {
            (row.state, row.since) = (state, self.deadline_clock());
        }
        self.put_own_box(&row)?;
        if !was_named {
            return Ok(Outcome::Wait(limits::BOX_ASK_AGAIN));
        }
        self.card_is_old();
        let until = self.now.mono + jittered(limits::BOX_ASK_AGAIN, self.rng.next_u64());
        if let Some(own) = self.mem.mail.own.get_mut(&row.peer) {
            own.offer_at = Some(until);
        }
        Ok(Outcome::Good)
    }

    /// It has lost our box: it is registered anew.
    pub(super) fn box_is_gone(&mut self, row: &mut OwnBoxRow) -> Step {
        self.buf.delete::<Offers>(&peer_key(&row.peer));
        (row.kept, row.prekeys, row.refilled_at) = (None, 0, None);
        if let Some(own) = self.mem.mail.own.get_mut(&row.peer) {
            // Its numbers begin anew, and there is nothing to go on with.
            (own.cursor, own.pages, own.more, own.rest) = (0, 0, false, false);
        }
        if matches!(row.state, BoxState::InUse | BoxState::Unreachable) {
            (row.state, row.since) = (BoxState::Asking, self.deadline_clock());
        }
        self.put_own_box(row)
    }

    /// A one-time prekey is gone, whoever had it.
    pub(in crate::messenger) fn forget_boxed(&mut self, id: PrekeyId) -> Step {
        let Some(mailbox) = self.buf.get::<BoxedPrekeys>(&numbered(id.0))? else { return Ok(()) };
        self.buf.delete::<BoxedPrekeys>(&numbered(id.0));
        if let Some(count) = self.mem.mail.boxed.get_mut(&mailbox) {
            *count = count.saturating_sub(1);
        }
        Ok(())
    }
}
