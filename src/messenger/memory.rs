//! What the messenger knows beside the store. All of it but who is connected is derived from rows:
//! after an error or a restart it is loaded again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::base::{MessageId, MonoTime, PeerId, WallTime};
use crate::content::{self, mimi::Origin};
use crate::identity::PrekeyId;
use crate::store::{RowKey, Rows, Scan, StoreError, WriteBuffer};

use super::mailing::{Mailing, Seek};
use super::sessions::Beside;
use super::tables::{
    ClientIdQueue, Events, Hours, OneTimeTable, OutKind, Outbox, Peers, PrekeyMarks, QueuedMark, Recent, Requests,
    Timed, WAITING,
};
use super::view::EventKind;

/// Everything in memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Peers that are connected, or to whom something is to be delivered; in order, so that a run can be repeated.
    pub links: BTreeMap<PeerId, Link>,
    /// Sequence number of the next event.
    pub next_event: u64,
    /// What the present commit tells.
    pub told: Vec<EventKind>,
    /// Number of the next activity.
    pub next_activity: u64,
    /// Number of the next remembered client ID.
    pub next_client: u64,
    /// Number of the next ticket for a question to the network.
    pub next_ticket: u64,
    /// Pending requests, oldest first.
    pub requests: Vec<Pending>,
    /// One-time prekeys that nobody was given.
    pub one_time: VecDeque<PrekeyId>,
    /// All one-time prekeys with a secret in the store.
    pub one_time_total: usize,
    /// Marks that this commit makes, of contacts or not.
    pub marks: Vec<(bool, QueuedMark)>,
    /// Marks of handshakes with card prekeys, once counted.
    pub prekey_marks: Option<u64>,
    /// Contacts in all.
    pub contacts: u64,
    /// Peers whose link is to be looked at when the inputs of this commit are done; those with nothing but receipts, when
    /// those of the next are.
    pub touched: BTreeSet<PeerId>,
    /// Receipts that become due with this commit.
    pub receipts: BTreeMap<PeerId, Receipts>,
    /// The highest wall time seen…
    pub high_water: WallTime,
    /// …and when that was.
    pub high_water_at: MonoTime,
    /// When the next message vanishes.
    pub next_expiry: Option<WallTime>,
    /// Hours whose messages are being moved to a new key.
    pub moving: BTreeSet<u64>,
    /// What is remembered of forgotten messages is being looked through.
    pub burying: bool,
    /// The boxes kept for others are being looked through: those up to this key were.
    pub walking: Option<Vec<u8>>,
    /// When to look after ageing rows next.
    pub maintenance_at: MonoTime,
    /// What is under way with mailboxes, own and others'.
    pub mail: Mailing,
    /// What is known of sessions beside their rows.
    pub sessions: Beside,
}

/// A pending request, as the limits need it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub peer: PeerId,
    pub received_at: WallTime,
    pub invited: bool,
}

/// Receipts for one peer.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    pub delivered: Vec<MessageId>,
    pub read: Vec<MessageId>,
}

/// The way to one peer.
#[derive(Debug, Default)]
pub(super) struct Link {
    pub connected: bool,
    /// A dial was asked for and has not ended.
    pub dialling: bool,
    /// Failed tries since the last success.
    pub attempts: u32,
    /// Nothing is tried before this time.
    pub retry_at: Option<MonoTime>,
    /// The question for a card that is under way.
    pub bundle: Option<u64>,
    /// The session is no good: begin a new one with a fresh card.
    pub rebuild: bool,
    /// When a reset of theirs was last obeyed.
    pub reset_at: Option<MonoTime>,
    /// Outbox rows to be sent, by number.
    pub pending: BTreeSet<u64>,
    /// What is on its way, by ticket: row number and size. An outcome for a ticket that is not here
    /// is of an envelope that was given up meanwhile, and means nothing.
    pub in_flight: BTreeMap<u64, (u64, usize)>,
    /// Rows that are sent and not delivered.
    pub awaiting: u64,
    /// Outbox rows that are no messages: what a peer can make grow, and therefore bounded.
    pub controls: usize,
    /// Messages of which a second copy came since there was no such row: bounded, too.
    pub repeated: BTreeSet<MessageId>,
    /// When the peer is asked for what he did not say to be delivered.
    pub inquire_at: Option<MonoTime>,
    /// Number of the next outbox row.
    pub next_number: u64,
    /// What the two are called in messages, once it was needed.
    pub names: Option<Arc<Names>>,
    /// Since when something waits for the peer, who is not connected.
    pub away_since: Option<MonoTime>,
    /// Of what is pending: what need not be left at mailboxes any more, or cannot be.
    pub posted: BTreeSet<u64>,
    /// Of the rest: what one mailbox has.
    pub halves: BTreeSet<u64>,
    /// When to look again at what could be left at mailboxes.
    pub post_at: Option<MonoTime>,
    /// Mailboxes that are of no use for this peer until then: full, or without his box.
    pub closed: BTreeMap<PeerId, MonoTime>,
    /// Mailboxes at which the token that the peer gave us is void, as they say.
    pub no_token: BTreeSet<PeerId>,
    /// The peer's card is being looked for.
    pub seek: Option<Seek>,
    /// It is not looked for before this time…
    pub seek_at: Option<MonoTime>,
    /// …because that was done so often without help.
    pub seeks: u32,
}

/// What the two sides of a conversation are called in its messages (CON-13).
#[derive(Debug)]
pub(super) struct Names {
    pub me: String,
    pub peer: String,
    pub room: String,
    /// What is not kept of our messages, as it can be made again…
    pub ours: Origin,
    /// …and of those of the other side.
    pub theirs: Origin,
}

impl Names {
    pub(super) fn new(me: PeerId, peer: PeerId) -> Self {
        let room = content::direct_room_uri(me, peer);
        let (me, peer) = (content::sender_uri(me), content::sender_uri(peer));
        let (ours, theirs) = (Origin::new(&me, &room), Origin::new(&peer, &room));
        Self { me, peer, room, ours, theirs }
    }
}

impl Link {
    /// Whether it holds nothing that must be remembered.
    pub(super) fn is_idle(&self) -> bool {
        let at_rest = !self.connected && !self.dialling && self.bundle.is_none();
        at_rest && self.pending.is_empty() && self.in_flight.is_empty() && self.awaiting == 0
    }

    pub(super) fn in_flight_bytes(&self) -> usize {
        self.in_flight.values().map(|(_, size)| size).sum()
    }

    /// What was on its way is to be sent again.
    pub(super) fn return_flights(&mut self) {
        for (number, _) in std::mem::take(&mut self.in_flight).into_values() {
            self.pending.insert(number);
        }
    }
}

impl Memory {
    /// Derives everything from rows.
    pub(super) fn load(rows: &WriteBuffer) -> Result<Self, StoreError> {
        let mut memory = Self { next_ticket: 1, ..Self::default() };
        memory.next_event = last_number::<Events>(rows)? + 1;
        memory.next_activity = last_number::<Recent>(rows)? + 1;
        memory.next_client = last_number::<ClientIdQueue>(rows)? + 1;
        for (_, row) in rows.scan::<Requests>(&Scan::new(RowKey::new()))? {
            memory.requests.push(Pending { peer: row.peer, received_at: row.received_at, invited: row.invited });
        }
        memory.requests.sort_by_key(|r| r.received_at);
        memory.next_expiry = next_expiry(rows)?;
        for (key, row) in rows.scan::<Hours>(&Scan::all())? {
            memory.moving.extend(number(&key).filter(|_| !row.old.is_empty()));
        }
        for (_, row) in rows.scan::<OneTimeTable>(&Scan::new(RowKey::new()))? {
            memory.one_time_total += 1;
            if !row.handed_out {
                memory.one_time.push_back(row.keys.id);
            }
        }
        for (_, row) in rows.scan::<Peers>(&Scan::new(RowKey::new()))? {
            memory.contacts += u64::from(row.contact.is_some());
            if row.heal_due {
                memory.touched.insert(row.peer);
            }
        }
        for (_, row) in rows.scan::<Outbox>(&Scan::new(RowKey::new()))? {
            let link = memory.links.entry(row.peer).or_default();
            link.next_number = link.next_number.max(row.number);
            link.controls += usize::from(matches!(row.kind, OutKind::Control(_)));
            if row.sent {
                link.awaiting += 1;
            } else {
                link.pending.insert(row.number);
            }
            memory.touched.insert(row.peer);
        }
        memory.mail.load(rows)?;
        Ok(memory)
    }

    /// Loads anew, keeping what only the network knows.
    pub(super) fn reload(&mut self, rows: &WriteBuffer) -> Result<(), StoreError> {
        let mut fresh = Self::load(rows)?;
        for (peer, old) in std::mem::take(&mut self.links) {
            let is_busy = old.connected || old.dialling;
            if is_busy || fresh.links.contains_key(&peer) {
                let link = fresh.links.entry(peer).or_default();
                link.connected = old.connected;
                link.dialling = old.dialling;
                link.next_number = link.next_number.max(old.next_number);
                (link.away_since, link.closed, link.post_at) = (old.away_since, old.closed, old.post_at);
                (link.seek, link.seek_at, link.seeks) = (old.seek, old.seek_at, old.seeks);
                (link.no_token, link.repeated, link.inquire_at) = (old.no_token, old.repeated, old.inquire_at);
            }
        }
        fresh.receipts = std::mem::take(&mut self.receipts);
        fresh.told = std::mem::take(&mut self.told);
        fresh.marks = std::mem::take(&mut self.marks);
        fresh.next_ticket = self.next_ticket;
        fresh.high_water = self.high_water;
        fresh.high_water_at = self.high_water_at;
        fresh.burying = self.burying;
        fresh.walking = self.walking.take();
        fresh.maintenance_at = self.maintenance_at;
        fresh.sessions = std::mem::take(&mut self.sessions);
        fresh.mail = std::mem::take(&mut self.mail);
        fresh.mail.load(rows)?;
        *self = fresh;
        Ok(())
    }

    /// How many marks of card prekeys there are.
    pub(super) fn prekey_marks(&mut self, rows: &WriteBuffer) -> Result<u64, StoreError> {
        match self.prekey_marks {
            Some(count) => Ok(count),
            None => {
                let count = rows.scan::<PrekeyMarks>(&Scan::new(RowKey::new()))?.len() as u64;
                self.prekey_marks = Some(count);
                Ok(count)
            }
        }
    }

    /// The link of a peer, made when there is none.
    pub(super) fn link(&mut self, peer: PeerId) -> &mut Link {
        self.links.entry(peer).or_default()
    }
}

/// When the next message vanishes.
pub(super) fn next_expiry(rows: &impl Rows) -> Result<Option<WallTime>, StoreError> {
    let first = rows.scan::<Timed>(&Scan::all().limit(1))?;
    Ok(first.first().filter(|(_, row)| row.at != WAITING).map(|(_, row)| WallTime(row.at)))
}

/// The number that ends a key.
pub(super) fn number(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

fn last_number<T: crate::store::Table>(rows: &WriteBuffer) -> Result<u64, StoreError> {
    let last = rows.scan::<T>(&Scan::new(RowKey::new()).reverse().limit(1))?;
    Ok(last.first().and_then(|(key, _)| number(key)).unwrap_or(0))
}
