//! What the messenger remembers of mailboxes beside the rows: questions under way, pauses, work.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use crate::base::{Millis, MonoTime, PeerId, limits};
use crate::crypto::hash::sha256;
use crate::identity::{Card, CardIn, IdentityKey, Mailbox};
use crate::store::{RowKey, Rows, Scan, StoreError, WriteBuffer};

use super::shared::Shared;
use super::tables::{BoxedPrekeys, OwnBoxes, Profile, Queues};

/// The own mailboxes and the own card.
#[derive(Clone, Debug, Default)]
pub(super) struct Mailing {
    /// The own mailboxes.
    pub own: Shared<BTreeMap<PeerId, OwnBox>>,
    /// Something changed of which they may have to be told.
    pub look: bool,
    /// One-time prekeys that each mailbox was given, and that are not used.
    pub boxed: Shared<HashMap<PeerId, usize>>,
    /// Names the key of our queue, if there is one.
    pub queue: Option<u64>,
    /// What our card says.
    pub card: Shared<OwnCard>,
    /// Through whom we are reached, as the network told last; `None`: nothing yet.
    pub relays: Shared<Option<Vec<Mailbox>>>,
    /// It says something else since contacts were told.
    pub card_changed: bool,
    /// Strangers may be more or fewer since the work that it asks was judged.
    pub crowd_changed: bool,
    /// When it is to be made anew.
    pub reissue_at: Option<MonoTime>,
    /// When it is to be put into the hash table.
    pub publish_at: MonoTime,
    /// The same for the cards of those for whom we keep boxes…
    pub publish_others_at: MonoTime,
    /// …and behind which of them to go on.
    pub publishing: Option<Vec<u8>>,
    /// The look for cards of ours that others made.
    pub lookout: Lookout,
}

/// What is known of the look for cards of ours that this store did not make.
#[derive(Clone, Debug, Default)]
pub(super) struct Lookout {
    /// When to look next, or, while questions are under way, when that is over.
    pub at: MonoTime,
    /// Questions of this look that have no outcome yet.
    pub asked: BTreeSet<u64>,
    /// Whether anybody has answered one.
    pub heard: bool,
    /// Looks in a row in which nobody did.
    pub misses: u32,
    /// A card was made since the messenger was opened.
    pub renewed: bool,
    /// When it was opened.
    pub opened: MonoTime,
    /// This own mailbox may have another card of ours by this time.
    pub hint: Option<(PeerId, MonoTime)>,
}

impl Lookout {
    /// A look begins with this question.
    pub(super) fn begin(&mut self, ticket: u64, now: MonoTime) {
        self.asked = BTreeSet::from([ticket]);
        (self.heard, self.at) = (false, now + limits::ASK_TIMEOUT);
    }

    /// There is a network again: what nobody answered is asked again.
    pub(super) fn hurry(&mut self, at: MonoTime) {
        if self.misses > 0 && self.asked.is_empty() {
            (self.at, self.misses) = (self.at.min(at), 0);
        }
    }
}

/// What was asked of mailboxes, own and others', and what came of it. A step that fails does not undo it.
#[derive(Debug, Default)]
pub(super) struct Asks {
    /// Questions to mailboxes that have no outcome yet, by ticket.
    pub asked: BTreeMap<u64, Asked>,
    /// Deposits that wait for their work.
    pub works: VecDeque<Work>,
    /// Hashes done in this hour of the process.
    pub worked: (u64, u64),
    /// Peers for whom a connection was waited in vain, and when last.
    pub missed: HashMap<PeerId, MonoTime>,
    /// Other people's mailboxes that did not answer.
    pub houses: HashMap<PeerId, House>,
    /// When there was last a connection after there was none, and all was tried again for it.
    pub back_at: Option<MonoTime>,
}

/// What the own card says of how we are reached.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnCard {
    pub mailboxes: Vec<Mailbox>,
    pub relays: Vec<Mailbox>,
    pub work: u8,
    /// Digest of what contacts need to know of it.
    pub told: u64,
}

impl OwnCard {
    pub(super) fn of(card: &Card) -> Self {
        let mut text = Vec::new();
        for mailbox in &card.mailboxes {
            text.extend_from_slice(mailbox.peer.key_bytes());
            for addr in &mailbox.addrs {
                text.extend_from_slice(addr.as_bytes());
                text.push(0);
            }
        }
        let hash = sha256(&[&card.queue, &card.seal_id.0.to_be_bytes(), &text]);
        Self {
            mailboxes: card.mailboxes.clone(),
            relays: card.relays.clone(),
            work: card.work,
            told: hash.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes)),
        }
    }

    /// Of the own encoded card.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let card = CardIn::decode(bytes).ok()?;
        let owner = IdentityKey::from_peer_id(card.claimed_owner()).ok()?;
        Some(Self::of(&card.verify(&owner, crate::base::WallTime(0)).ok()?))
    }
}

/// An own mailbox.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnBox {
    /// The question that is under way.
    pub asked: Option<u64>,
    /// Nothing is asked before this time.
    pub retry_at: Option<MonoTime>,
    /// Failures in a row.
    pub attempts: u32,
    /// It is not told anything new before this time: it does not want it.
    pub offer_at: Option<MonoTime>,
    /// When it is to be emptied next.
    pub fetch_at: MonoTime,
    /// When the last visit began.
    pub visited_at: Option<MonoTime>,
    /// How long after that again.
    pub pause: Millis,
    /// Envelopes up to this number were seen.
    pub cursor: u64,
    /// Some of them were left there, or more would have been seen: visits go on behind it…
    pub rest: bool,
    /// …but for one in a while, which begins at the front. When the last did.
    pub whole_at: Option<MonoTime>,
    /// There are more behind it.
    pub more: bool,
    /// Pages of this visit.
    pub pages: u32,
    /// Numbers that are to be deleted.
    pub done: Vec<u64>,
    /// The last visit left nothing in it.
    pub emptied: bool,
    /// Whether it tells us what comes.
    pub wait: Wait,
}

/// What is known of an own mailbox that is to tell us what comes.
#[derive(Clone, Debug, Default)]
pub(super) struct Wait {
    /// The question that it holds.
    pub ticket: Option<u64>,
    /// It may be asked: there was a visit since it told something last.
    pub may: bool,
    /// It is not asked before this time.
    pub not_before: MonoTime,
    /// How often in a row that was worth nothing.
    pub failures: u32,
    /// The highest number that the last visit saw.
    pub seen: u64,
    /// It told that something came, and no visit has begun since.
    pub rung: bool,
    /// The visit that is under way was begun for that.
    pub answering: bool,
    /// Something was found in it.
    pub fruitful: bool,
    /// It held the last question to the end and told nothing.
    pub silent: bool,
    /// It did not tell of something that came.
    pub mute: bool,
}

/// A question to a mailbox.
#[derive(Debug)]
pub(super) struct Asked {
    pub mailbox: PeerId,
    /// Since when.
    pub at: MonoTime,
    pub what: What,
}

/// What was asked.
#[derive(Debug)]
pub(super) enum What {
    /// An own mailbox: to keep this offer.
    Offer,
    /// An own mailbox: what it has.
    Fetch,
    /// An own mailbox: to tell what comes.
    Wait,
    /// An own mailbox: to delete what we have.
    Delete,
    /// An own mailbox: to end the box.
    Drop,
    /// Somebody's: his card.
    Card(PeerId),
    /// An own mailbox: our card.
    OwnCard,
    /// Somebody's: to keep an envelope.
    Deposit(Shown),
}

/// An envelope for somebody's mailbox, and what was shown with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    /// For whom.
    pub peer: PeerId,
    /// Which row of the outbox.
    pub number: u64,
    /// The token that he gave us.
    pub token: bool,
    /// Work.
    pub work: bool,
}

/// A deposit for which work is done.
#[derive(Debug)]
pub(super) struct Work {
    pub peer: PeerId,
    pub number: u64,
    pub mailbox: PeerId,
    /// Digest of the sealed envelope.
    pub hash: [u8; 32],
    pub level: u8,
    pub day: u32,
    /// The first nonce that was not tried.
    pub next: u64,
}

/// Somebody's mailbox that did not answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct House {
    pub failures: u32,
    /// It is not asked before this time.
    pub until: MonoTime,
}

/// The search for somebody's card.
#[derive(Clone, Debug, Default)]
pub(super) struct Seek {
    /// The question that is under way, to a mailbox or the hash table.
    pub ticket: Option<u64>,
    /// Since when.
    pub at: MonoTime,
    /// Mailboxes to be asked.
    pub places: VecDeque<Mailbox>,
    /// Those that were.
    pub asked: BTreeSet<PeerId>,
    /// Whether the hash table was asked.
    pub table: bool,
    /// Whether a session is to be begun with it.
    pub begin: bool,
}

impl Seek {
    /// When the question that is under way counts as failed.
    pub(super) fn until(&self) -> Option<MonoTime> {
        self.ticket.map(|_| self.at + limits::ASK_TIMEOUT)
    }
}

impl Asked {
    /// When it counts as failed.
    pub(super) fn until(&self) -> MonoTime {
        let held = if matches!(self.what, What::Wait) { limits::MAX_MAIL_WAIT } else { Millis::default() };
        self.at + limits::ASK_TIMEOUT + held
    }
}

impl Mailing {
    /// What is to be done soon after the start.
    pub(super) fn start(&mut self, now: MonoTime) {
        self.publish_at = now;
        // After the network has found its way.
        self.publish_others_at = now + limits::CARDS_PUBLISHED_PAUSE;
        (self.lookout.opened, self.lookout.at) = (now, now + limits::OWN_CARD_LOOK_FIRST);
        self.own.values_mut().for_each(|own| own.fetch_at = now);
    }

    /// Derives from rows what follows from them.
    pub(super) fn load(&mut self, rows: &WriteBuffer) -> Result<(), StoreError> {
        let mut own = std::mem::take(&mut *self.own);
        for (_, row) in rows.scan_sound::<OwnBoxes>(&Scan::all())?.0 {
            self.own.insert(row.peer, own.remove(&row.peer).unwrap_or_default());
        }
        (self.look, self.crowd_changed) = (true, true);
        // Of what was asked nothing is under way.
        self.lookout.asked.clear();
        self.boxed.clear();
        for (_, mailbox) in rows.scan_sound::<BoxedPrekeys>(&Scan::all())?.0 {
            *self.boxed.entry(mailbox).or_default() += 1;
        }
        self.queue = rows.get_sound::<Queues>(&RowKey::new())?.map(|row| row.id);
        if let Some(profile) = rows.get::<Profile>(&RowKey::new())? {
            *self.card = OwnCard::read(&profile.card).unwrap_or_default();
        }
        Ok(())
    }
}

impl Asks {
    /// A connection with this peer was waited for in vain, or would be.
    pub(super) fn miss(&mut self, peer: PeerId, now: MonoTime) {
        if self.missed.len() >= limits::MAX_MISSED {
            self.missed.retain(|_, at| now.since(*at) < limits::MISSED_LIFE);
        }
        if self.missed.len() < limits::MAX_MISSED || self.missed.contains_key(&peer) {
            self.missed.insert(peer, now);
        }
    }

    /// Whether that was so not long ago.
    pub(super) fn was_missed(&self, peer: &PeerId, now: MonoTime) -> bool {
        self.missed.get(peer).is_some_and(|at| now.since(*at) < limits::MISSED_LIFE)
    }
}
