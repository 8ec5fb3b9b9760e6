//! The own card and prekeys: made, rotated, handed out, forgotten (protocol, "Identity").

use crate::base::words::Policy;
use crate::base::{Millis, Tail, WallTime, limits};
use crate::identity::{CardContent, CardKeys, OneTimeKeys, PrekeyId, RequestPolicy, RequestToken, next_sequence};
use crate::store::{RowKey, Rows, Scan};

use super::io::Order;
use super::query;
use super::tables::{CardKeysRow, CardKeysTable, OneTimeRow, OneTimeTable, Profile, ProfileRow, numbered};
use super::tx::{Step, Tx};

/// One-time prekeys with a secret in the store, handed out or not: whoever asks for them without
/// using them cannot make it grow beyond this.
#[cfg(any(test, feature = "fuzzing"))]
pub(super) const MAX_ONE_TIME: usize = limits::MAX_OWN_ONE_TIME + limits::MAX_ALL_BOXED_PREKEYS;
/// How often the secrets of prekeys are looked through.
pub(super) const SWEEP: Millis = Millis::from_hours(24);

impl Tx<'_> {
    /// Makes the profile row, the first card and prekeys of a new identity; does nothing later.
    pub(super) fn ensure_profile(&mut self) -> Step {
        if self.buf.get::<Profile>(&RowKey::new())?.is_some() {
            return Ok(());
        }
        let mut queue = [0; 16];
        self.rng.fill_bytes(&mut queue);
        let mut row = ProfileRow {
            name: String::new(),
            token: RequestToken::random(&mut *self.rng),
            policy: Policy::default(),
            queue,
            card_sequence: 0,
            card: Vec::new(),
            card_issued: WallTime(0),
            addrs: Vec::new(),
            swept: self.now.wall,
            elsewhere: None,
            recovered: None,
            tail: Tail::new(),
        };
        self.issue_card(&mut row, None)?;
        self.put_profile(&row)?;
        self.refill_one_time()
    }

    /// Signs a new card that names these keys, or new ones, and notes until when they are named.
    fn issue_card(&mut self, row: &mut ProfileRow, kept: Option<CardKeysRow>) -> Step {
        let (now, time) = (self.now.wall, self.deadline_clock());
        let (keys, made) = match kept {
            Some(kept) => (kept.keys, kept.made),
            None => (CardKeys::generate(&mut *self.rng), time),
        };
        row.card_sequence = next_sequence(row.card_sequence, now);
        let content = CardContent {
            policy: match row.policy {
                Policy::Requests => RequestPolicy::Requests,
                Policy::Contacts => RequestPolicy::Contacts,
                Policy::Nobody => RequestPolicy::Nobody,
            },
            mailboxes: query::mailboxes_in_use(&*self.buf)?,
            // Until the network tells, those of before are as good as any.
            relays: self.mem.mail.relays.as_ref().unwrap_or(&self.mem.mail.card.relays).clone(),
            work: self.mem.mail.card.work,
            ..CardContent::new(&keys, row.card_sequence, now, row.queue)
        };
        let life = content.expires.since(content.issued);
        row.card = content.sign(self.me);
        row.card_issued = now;
        self.note_own_card(&row.card);
        let key = numbered(keys.prekey_id.0);
        let (named_until, closes) = (time + life, None);
        Ok(self.buf.put::<CardKeysTable>(&key, &CardKeysRow { keys, made, named_until, closes })?)
    }

    /// The keys of the current card, signed anew: after a change of what else it says.
    pub(super) fn reissue_card(&mut self, row: &mut ProfileRow) -> Step {
        let newest = self.newest_card_keys()?;
        self.issue_card(row, newest)
    }

    /// Rotates the keys of the card when they are a week old, however often it was made anew with them, and forgets those that
    /// nobody can use any more.
    pub(super) fn rotate_keys(&mut self) -> Step {
        let now = self.deadline_clock();
        let mut row = self.profile()?;
        let is_old = self.newest_card_keys()?.is_none_or(|newest| newest.made + limits::CARD_ROTATION <= now);
        // The card itself ends by the wall clock.
        if is_old || row.card_issued + limits::CARD_ROTATION <= self.now.wall {
            self.issue_card(&mut row, None)?;
            self.put_profile(&row)?;
        } else if row.card_issued > self.now.wall + limits::CLOCK_WARNING {
            // By a clock that was wrong: others would not keep it (ID-15).
            self.reissue_card(&mut row)?;
            self.put_profile(&row)?;
        }
        self.forget_closed_marks()?;
        // ID-28: what waits in a mailbox may be sealed to an old key.
        if row.swept + SWEEP <= now && self.boxes_are_empty()? {
            row.swept = now;
            self.put_profile(&row)?;
            self.sweep_keys()?;
        }
        self.refill_one_time()
    }

    /// Those of the present card.
    fn newest_card_keys(&self) -> Step<Option<CardKeysRow>> {
        Ok(newest(self.card_keys()?))
    }

    /// So many have begun a session with this card's own prekey that there is soon no room to remember more: another card takes
    /// its place at once, and this prekey serves those who have it for a day (ID-32). Whether it is the present one still.
    pub(super) fn card_is_crowded(&mut self, prekey: PrekeyId) -> Step<bool> {
        let now = self.deadline_clock();
        let all = self.card_keys()?;
        let last = all.iter().filter_map(|row| row.closes).max();
        let since_last = last.map(|closes| WallTime(closes.0.saturating_sub(limits::CROWDED_CARD_GRACE.0)));
        let is_early = since_last.is_some_and(|at| at + limits::CROWDED_CARD_PAUSE > now);
        let Some(crowded) = newest(all).filter(|row| row.keys.prekey_id == prekey) else { return Ok(false) };
        if is_early {
            return Ok(true);
        }
        tracing::info!("very many strangers have written: another card takes the place of the present one");
        let closes = Some(now + limits::CROWDED_CARD_GRACE);
        self.buf.put::<CardKeysTable>(&numbered(prekey.0), &CardKeysRow { closes, ..crowded })?;
        let mut profile = self.profile()?;
        self.issue_card(&mut profile, None)?;
        self.put_profile(&profile)?;
        Ok(false)
    }

    /// Marks of prekeys that begin no session any more say nothing.
    fn forget_closed_marks(&mut self) -> Step {
        let believed = self.believed(limits::CROWDED_CARD_GRACE);
        for row in self.card_keys()?.into_iter().filter(|row| row.is_closed(believed)) {
            let prekey = row.keys.prekey_id;
            if row.closes != Some(WallTime(0)) {
                // Whatever the clock does, it does not open again: its marks are gone.
                let closed = CardKeysRow { closes: Some(WallTime(0)), ..row };
                self.buf.put::<CardKeysTable>(&numbered(prekey.0), &closed)?;
            }
            self.forget_prekey_marks(prekey)?;
        }
        Ok(())
    }

    /// Forgets the secrets that nobody can use any more (ID-28).
    fn sweep_keys(&mut self) -> Step {
        let believed = self.believed(limits::CARD_LIFE.and(limits::PREKEY_GRACE));
        for old in self.card_keys()? {
            if old.named_until + limits::PREKEY_GRACE <= believed {
                self.buf.delete::<CardKeysTable>(&numbered(old.keys.prekey_id.0));
                self.forget_prekey_marks(old.keys.prekey_id)?;
            }
        }
        let believed = self.believed(limits::ONE_TIME_LIFE.and(limits::PREKEY_GRACE));
        for (_, old) in self.buf.scan_sound::<OneTimeTable>(&Scan::all())?.0 {
            if old.made + limits::ONE_TIME_LIFE + limits::PREKEY_GRACE <= believed {
                self.forget_one_time(old.keys.id)?;
            }
        }
        Ok(())
    }

    pub(super) fn card_keys(&self) -> Step<Vec<CardKeysRow>> {
        Ok(self.buf.scan_sound::<CardKeysTable>(&Scan::all())?.0.into_iter().map(|(_, row)| row).collect())
    }

    /// The secrets behind a card's prekey.
    pub(super) fn card_keys_of(&self, prekey: PrekeyId) -> Step<Option<CardKeysRow>> {
        Ok(self.buf.get::<CardKeysTable>(&numbered(prekey.0))?)
    }

    /// The secrets of a one-time prekey.
    pub(super) fn one_time_of(&self, id: PrekeyId) -> Step<Option<OneTimeRow>> {
        Ok(self.buf.get::<OneTimeTable>(&numbered(id.0))?)
    }

    /// Erases a one-time prekey: it was used, or nobody can use it any more.
    pub(super) fn forget_one_time(&mut self, id: PrekeyId) -> Step {
        self.forget_boxed(id)?;
        self.buf.delete::<OneTimeTable>(&numbered(id.0));
        self.mem.one_time_total = self.mem.one_time_total.saturating_sub(1);
        self.mem.one_time.retain(|other| *other != id);
        self.mem.handed_out.retain(|(_, other)| *other != id);
        Ok(())
    }

    /// Makes a batch of one-time prekeys when few are left.
    pub(super) fn refill_one_time(&mut self) -> Step {
        if self.mem.one_time.len() >= limits::ONE_TIME_REFILL {
            return Ok(());
        }
        let (now, made) = (self.now.wall, self.deadline_clock());
        while self.mem.one_time.len() < limits::ONE_TIME_BATCH && self.room_for_one_time()? {
            let keys = OneTimeKeys::generate(&mut *self.rng, now);
            let id = keys.id;
            self.buf.put::<OneTimeTable>(&numbered(id.0), &OneTimeRow { keys, made, handed_out: None })?;
            self.mem.one_time.push_back(id);
            self.mem.one_time_total += 1;
        }
        Ok(())
    }

    /// Whether there is room for another. Those that somebody took long ago and did not use make room.
    fn room_for_one_time(&mut self) -> Step<bool> {
        let boxed: usize = self.mem.mail.boxed.values().sum();
        if self.mem.one_time_total.saturating_sub(boxed) < limits::MAX_OWN_ONE_TIME {
            return Ok(true);
        }
        let believed = self.believed(limits::ONE_TIME_HANDED_LIFE);
        let oldest = self.mem.handed_out.front().filter(|(at, _)| *at + limits::ONE_TIME_HANDED_LIFE <= believed);
        let Some((_, id)) = oldest.copied() else { return Ok(false) };
        self.forget_one_time(id)?;
        Ok(true)
    }

    /// Answers a peer who asks for our card: the same for everyone, blocked or not. A one-time prekey is handed out once
    /// (ID-31).
    pub(super) fn answer_bundle(&mut self, request: u64, want_prekey: bool) -> Step {
        let card = self.profile()?.card;
        if want_prekey && self.mem.one_time.is_empty() {
            self.refill_one_time()?;
        }
        let mut prekey = None;
        while want_prekey && prekey.is_none() {
            let Some(id) = self.mem.one_time.pop_front() else { break };
            if let Some(mut row) = self.one_time_of(id)? {
                let (now, wall) = (self.deadline_clock(), self.now.wall);
                row.handed_out = Some(now);
                if !(wall + limits::CARD_ROTATION..=wall + limits::ONE_TIME_LIFE).contains(&row.keys.expires) {
                    // It was made by a clock that was wrong, and nobody has seen it.
                    (row.keys.expires, row.made) = (wall + limits::ONE_TIME_LIFE, now);
                }
                self.buf.put::<OneTimeTable>(&numbered(id.0), &row)?;
                self.mem.handed_out.push_back((now, id));
                prekey = Some(row.keys.sign(self.me));
            }
        }
        self.refill_one_time()?;
        self.push(Order::AnswerBundle { request, card, prekey });
        Ok(())
    }
}

/// Those of the present card.
fn newest(all: Vec<CardKeysRow>) -> Option<CardKeysRow> {
    all.into_iter().filter(|row| row.closes.is_none()).max_by_key(|row| row.made)
}

#[cfg(test)]
mod tests;
