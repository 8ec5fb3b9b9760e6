//! What the messenger knows beside the store. All of it but who is connected is derived from rows:
//! after an error or a restart it is loaded again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::{Deref, DerefMut};

use crate::base::event::EventKind;
use crate::base::words::State;
use crate::base::{MessageId, MonoTime, PeerId, WallTime, limits};
use crate::identity::PrekeyId;
use crate::store::{Rows, Scan, StoreError, Table, WriteBuffer};

use super::clock::Clock;
use super::link::Link;
use super::mailbox::House;
use super::mailing::{Asks, Mailing, OwnBox};
use super::newcomers::Newcomers;
use super::outgoing::{Letter, Outgoing};
use super::sessions::Beside;
use super::shared::Shared;
use super::tables::{
    BoxedPrekeys, ClientIdQueue, Events, Hours, OneTimeTable, Outbox, Peers, QueuedMark, Reaches, Recent, RequestRow,
    Requests, StrangerRow, Strangers, Timed, WAITING, numbered, peer_key,
};

/// Everything in memory.
///
/// What an input that fails has changed of it is undone, as its rows are: a [`Mark`] keeps what follows from rows (its large
/// parts are shared until they change), and links and envelopes are noted one by one when they change. What was
/// asked of the network and what it told stays.
#[derive(Debug, Default)]
pub(super) struct Memory {
    known: Known,
    /// Peers that are connected, or to whom something is to be delivered; in order, so that a run can be repeated.
    pub links: BTreeMap<PeerId, Link>,
    /// What waits for them.
    pub out: Outgoing,
    /// Peers whose link is to be looked at when the inputs of this commit are done; those with nothing but receipts, when
    /// those of the next are.
    pub touched: BTreeSet<PeerId>,
    /// Those whose link is not looked at before the next commit, because there may be much to do.
    pub later: BTreeSet<PeerId>,
    /// Marks that this commit makes, of contacts or not.
    pub marks: Vec<(bool, QueuedMark)>,
    /// What the envelope that is being read says of its writer's clock.
    pub reading: Option<(PeerId, WallTime)>,
    /// What the present commit tells.
    pub told: Vec<EventKind>,
    /// Receipts that become due with this commit: *delivered* or *read*.
    pub receipts: Vec<(PeerId, MessageId, State)>,
    /// What was asked of mailboxes.
    pub asks: Asks,
    /// What is known of sessions beside their rows.
    pub sessions: Beside,
    /// How many sessions strangers may begin.
    pub newcomers: Newcomers,
    /// What is known of boxes kept for others beside their rows.
    pub house: House,
    /// What is to be put back when a step fails.
    undo: Vec<Undo>,
    /// How many marks there were: what was noted since the last one need not be noted again.
    marked: u64,
    /// When links are to be looked at, as of the last commit…
    due: BTreeSet<(MonoTime, PeerId)>,
    /// …and those to which something has happened since.
    changed: BTreeSet<PeerId>,
}

/// What follows from rows, and the clocks of what is to be done.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    /// Sequence number of the next event.
    pub next_event: u64,
    /// Number of the next activity.
    pub next_activity: u64,
    /// Number of the next remembered client ID.
    pub next_client: u64,
    /// Number of the next ticket for a question to the network.
    pub next_ticket: u64,
    /// Pending requests, oldest first.
    pub requests: Shared<Vec<Pending>>,
    /// Sessions of those who are no contacts, by number: the oldest first.
    pub strangers: Shared<BTreeMap<u64, StrangerRow>>,
    /// One-time prekeys that nobody was given.
    pub one_time: Shared<VecDeque<PrekeyId>>,
    /// Those that peers were given and have not used, in that order; not those that mailboxes have.
    pub handed_out: Shared<VecDeque<(WallTime, PrekeyId)>>,
    /// All one-time prekeys with a secret in the store.
    pub one_time_total: usize,
    /// Marks of handshakes with each card prekey, once counted.
    pub prekey_marks: Shared<BTreeMap<PrekeyId, u64>>,
    /// Contacts in all.
    pub contacts: u64,
    /// The profile's time.
    pub clock: Clock,
    /// When to look for messages that vanish.
    pub next_expiry: Option<WallTime>,
    /// Rows of messages that seem to be over, and are not destroyed yet: up to this key, and the first of them then.
    pub held: Option<(Vec<u8>, WallTime)>,
    /// Hours whose messages are being moved to a new key.
    pub moving: Shared<BTreeSet<u64>>,
    /// What is remembered of forgotten messages is being looked through.
    pub burying: bool,
    /// The boxes kept for others are being looked through: those up to this key were.
    pub walking: Option<Vec<u8>>,
    /// There is so little left of the disk that no envelopes are taken.
    pub is_disk_low: bool,
    /// When to look after ageing rows next.
    pub maintenance_at: MonoTime,
    /// The own mailboxes and the own card.
    pub mail: Mailing,
}

/// What memory was like.
pub(super) struct Mark {
    known: Known,
    steps: usize,
    /// How much there was of marks, of what is told, and of receipts.
    fresh: [usize; 3],
}

/// Something as it was.
#[derive(Debug)]
enum Undo {
    Link(PeerId, Option<Box<Link>>),
    Letter(PeerId, u64, Option<Letter>),
    Frame(PeerId, u64, Option<(u64, usize)>),
}

impl Deref for Memory {
    type Target = Known;

    fn deref(&self) -> &Known {
        &self.known
    }
}

impl DerefMut for Memory {
    fn deref_mut(&mut self) -> &mut Known {
        &mut self.known
    }
}

/// A pending request, as the limits need it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub peer: PeerId,
    pub received_at: WallTime,
    pub invited: bool,
    /// It holds as many messages as it may.
    pub is_full: bool,
}

impl Pending {
    pub(super) fn new(row: &RequestRow) -> Self {
        let is_full = row.messages.len() >= limits::MAX_REQUEST_MESSAGES;
        Self { peer: row.peer, received_at: row.received_at, invited: row.invited, is_full }
    }
}

impl Memory {
    /// Derives everything from rows.
    pub(super) fn load(rows: &WriteBuffer) -> Result<Self, StoreError> {
        let mut memory = Self::default();
        memory.known.next_ticket = 1;
        memory.next_event = last_number::<Events>(rows)? + 1;
        memory.next_activity = last_number::<Recent>(rows)? + 1;
        memory.next_client = last_number::<ClientIdQueue>(rows)? + 1;
        for (_, row) in rows.scan_sound::<Requests>(&Scan::all())?.0 {
            memory.requests.push(Pending::new(&row));
        }
        memory.requests.sort_by_key(|r| r.received_at);
        let (strangers, _) = rows.scan_sound::<Strangers>(&Scan::all())?;
        memory.strangers.extend(strangers.into_iter().filter_map(|(key, row)| Some((number(&key)?, row))));
        memory.next_expiry = next_expiry(rows)?;
        for (key, row) in rows.scan_sound::<Hours>(&Scan::all())?.0 {
            memory.moving.extend(number(&key).filter(|_| !row.old.is_empty()));
        }
        for (_, row) in rows.scan_sound::<OneTimeTable>(&Scan::all())?.0 {
            memory.one_time_total += 1;
            match row.handed_out {
                None => memory.one_time.push_back(row.keys.id),
                Some(at) if !rows.contains::<BoxedPrekeys>(&numbered(row.keys.id.0))? => {
                    memory.handed_out.push_back((at, row.keys.id));
                }
                Some(_) => {}
            }
        }
        memory.handed_out.make_contiguous().sort_unstable();
        for (_, row) in rows.scan_sound::<Peers>(&Scan::all())?.0 {
            memory.contacts += u64::from(row.contact.is_some());
            if row.heal_due {
                memory.touched.insert(row.peer);
            }
        }
        let (waiting, lost) = rows.scan_sound::<Outbox>(&Scan::all())?;
        memory.out.is_some_lost = lost > 0;
        let mut anew = None;
        for (_, row) in waiting {
            let known = anew.filter(|(peer, _)| *peer == row.peer);
            let (_, times) = *anew.insert(known.unwrap_or_else(|| (row.peer, memory.times_anew(rows, &row.peer))));
            memory.out.set(row.peer, row.number, Some(Letter::of(&row, times)));
            memory.touched.insert(row.peer);
        }
        memory.mail.load(rows)?;
        Ok(memory)
    }

    /// Derives everything anew, after a commit has failed whose first ticket is this one: nothing of what was asked or sent is
    /// under way. Who is connected, how the ways to others are, and what the network was given before stays.
    pub(super) fn reload(&mut self, rows: &WriteBuffer, first_ticket: u64) -> Result<(), StoreError> {
        let mut fresh = Self::load(rows)?;
        fresh.out.keep_frames(&self.out, first_ticket);
        fresh.mail = self.mail.clone();
        fresh.mail.own.values_mut().for_each(|own| *own = OwnBox::default());
        fresh.mail.load(rows)?;
        let put_off = std::mem::replace(&mut fresh.links, std::mem::take(&mut self.links));
        for link in fresh.all_links() {
            (link.dialling, link.bundle, link.seek, link.unreadable, link.due) = (false, None, None, false, None);
        }
        for (peer, known) in put_off {
            let link = fresh.link(peer);
            link.again_at = link.again_at.or(known.again_at);
        }
        fresh.touched.append(&mut self.touched);
        fresh.touched.append(&mut self.later);
        fresh.asks = std::mem::take(&mut self.asks);
        (fresh.asks.asked, fresh.asks.works) = (BTreeMap::new(), VecDeque::new());
        fresh.sessions = std::mem::take(&mut self.sessions);
        fresh.newcomers = std::mem::take(&mut self.newcomers);
        fresh.house = std::mem::take(&mut self.house);
        fresh.house.reload();
        fresh.next_ticket = self.next_ticket;
        fresh.clock = self.clock.clone();
        fresh.clock.is_news = true;
        (fresh.known.burying, fresh.known.walking) = (self.burying, self.known.walking.take());
        (fresh.maintenance_at, fresh.is_disk_low) = (self.maintenance_at, self.is_disk_low);
        *self = fresh;
        Ok(())
    }

    /// How often everything for a peer has begun anew, once more where that cannot be read. That it is to do so again is noted.
    fn times_anew(&mut self, rows: &impl Rows, peer: &PeerId) -> u64 {
        let Ok(reach) = rows.get::<Reaches>(&peer_key(peer)) else { return u64::MAX };
        let reach = reach.unwrap_or_default();
        if reach.again {
            self.link(*peer).again_at = Some(MonoTime::default());
        }
        reach.anew
    }

    /// Begins.
    pub(super) fn start(&mut self, now: MonoTime) {
        self.maintenance_at = now;
        self.mail.start(now);
    }

    /// Marks what memory is like now.
    pub(super) fn mark(&mut self) -> Mark {
        self.marked += 1;
        let fresh = [self.marks.len(), self.told.len(), self.receipts.len()];
        Mark { known: self.known.clone(), steps: self.undo.len(), fresh }
    }

    /// Undoes everything since a mark but what the network was asked and told.
    pub(super) fn undo(&mut self, to: Mark) {
        self.marked += 1;
        self.known = to.known;
        let [marks, told, receipts] = to.fresh;
        self.marks.truncate(marks);
        self.told.truncate(told);
        self.receipts.truncate(receipts);
        for step in self.undo.split_off(to.steps.min(self.undo.len())).into_iter().rev() {
            match step {
                Undo::Link(peer, Some(link)) => drop(self.links.insert(peer, *link)),
                Undo::Link(peer, None) => drop(self.links.remove(&peer)),
                Undo::Letter(peer, number, letter) => drop(self.out.set(peer, number, letter)),
                Undo::Frame(peer, ticket, frame) => drop(self.out.set_frame(peer, ticket, frame)),
            }
        }
        self.asks.asked.split_off(&self.known.next_ticket);
    }

    /// Nothing before this is undone any more.
    pub(super) fn forget_marks(&mut self) {
        self.undo.clear();
        self.marked += 1;
    }

    /// Puts an envelope into the index, or takes it out.
    pub(super) fn set_letter(&mut self, peer: PeerId, number: u64, letter: Option<Letter>) {
        self.changed.insert(peer);
        let before = self.out.set(peer, number, letter);
        self.undo.push(Undo::Letter(peer, number, before));
    }

    /// All that waits for a peer begins anew. Whether some of it was somewhere, as rows say.
    pub(super) fn begin_anew(&mut self, peer: PeerId) -> bool {
        self.changed.insert(peer);
        let before = self.out.begin_anew(&peer);
        let was_somewhere = before.iter().any(|(_, letter)| letter.way.sent || !letter.way.held.is_empty());
        self.undo.extend(before.into_iter().map(|(number, letter)| Undo::Letter(peer, number, Some(letter))));
        was_somewhere
    }

    /// Notes an envelope as given to the network, or as not there any more.
    pub(super) fn set_frame(&mut self, peer: PeerId, ticket: u64, frame: Option<(u64, usize)>) {
        let before = self.out.set_frame(peer, ticket, frame);
        self.undo.push(Undo::Frame(peer, ticket, before));
    }

    /// Behind a commit: forgets the links of whom nothing is known, and puts the others into the order of their times.
    pub(super) fn settle_links(&mut self) {
        for peer in std::mem::take(&mut self.changed) {
            let waiting = self.out.of(&peer);
            let Some(link) = self.links.get_mut(&peer) else { continue };
            let is_idle = link.is_idle() && waiting.letters.is_empty();
            let due = link.due_at(waiting.totals.sent > 0).filter(|_| !is_idle);
            let before = std::mem::replace(&mut link.due, due);
            if before != due {
                before.map(|at| self.due.remove(&(at, peer)));
                self.due.extend(due.map(|at| (at, peer)));
            }
            if is_idle {
                self.links.remove(&peer);
            }
        }
    }

    /// Whose link is to be looked at by now.
    pub(super) fn due_links(&self, now: MonoTime) -> impl Iterator<Item = PeerId> {
        self.due.iter().take_while(move |(at, _)| *at <= now).map(|(_, peer)| *peer)
    }

    /// When that is so next.
    pub(super) fn next_link(&self) -> Option<MonoTime> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Whether links are in the order of their times, but for those to which something has happened since.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn links_are_in_order(&self) -> bool {
        let mut settled = self.links.iter().filter(|(peer, _)| !self.changed.contains(peer));
        let is_settled = |(peer, link): (&PeerId, &Link)| {
            let waiting = self.out.of(peer);
            let is_needed = !link.is_idle() || !waiting.letters.is_empty();
            is_needed && link.due == link.due_at(waiting.totals.sent > 0)
        };
        let due: BTreeSet<_> = self.links.iter().filter_map(|(peer, link)| Some((link.due?, *peer))).collect();
        settled.all(is_settled) && due == self.due
    }

    /// Something has happened to all links.
    pub(super) fn all_links(&mut self) -> impl Iterator<Item = &mut Link> {
        self.changed.extend(self.links.keys());
        self.links.values_mut()
    }

    /// The link of a peer, made when there is none.
    pub(super) fn link(&mut self, peer: PeerId) -> &mut Link {
        let known = self.links.get(&peer);
        if known.is_none_or(|link| link.noted != self.marked) {
            self.undo.push(Undo::Link(peer, known.cloned().map(Box::new)));
            self.changed.insert(peer);
        }
        let link = self.links.entry(peer).or_default();
        link.noted = self.marked;
        link
    }
}

/// When the next message vanishes.
pub(super) fn next_expiry(rows: &impl Rows) -> Result<Option<WallTime>, StoreError> {
    let first = rows.scan_sound::<Timed>(&Scan::all().limit(1))?.0;
    Ok(first.first().filter(|(_, row)| row.at != WAITING).map(|(_, row)| WallTime(row.at)))
}

/// The number that ends a key.
pub(super) fn number(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

/// The highest number that a row of a table has; 0: there is none.
pub(super) fn last_number<T: Table>(rows: &impl Rows) -> Result<u64, StoreError> {
    let last = rows.scan_all::<T>(&Scan::all().reverse().limit(1))?;
    Ok(last.first().and_then(|(key, _)| number(key)).unwrap_or(0))
}
