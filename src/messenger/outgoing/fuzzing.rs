//! What the fuzz target `outgoing` does: what waits for some peers goes as `deliver`, `seal` and `post` have it go, without
//! what is said, and what must hold is looked at after every step (docs/outgoing.md).

// As in tests: a broken promise has to stop the run.
#![allow(clippy::panic, clippy::expect_used, clippy::indexing_slicing)]

mod promises;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use promises::never_goes_back;

use super::next::{self, Leave, Place};
use super::step::Control;
use super::{Answered, Deposit, Effect, Gate, Happening, Letter, Outgoing, Sealed, Stage, What, step};
use crate::base::words::State;
use crate::base::{Millis, PeerId, SessionId, WallTime, limits};
use crate::envelope::frame::RefuseReason;
use crate::envelope::mailbox::Proof;
use crate::messenger::tables::Way;

/// Five, since four have all the room there is.
const PEERS: usize = 5;
const ROWS: usize = 12;
/// Lengths of envelopes.
const SIZES: [usize; 3] = [300, 60_000, limits::MAX_SEALED_PER_PEER / 2];
const MAILBOXES: [PeerId; 3] =
    [PeerId::from_key_bytes([21; 32]), PeerId::from_key_bytes([22; 32]), PeerId::from_key_bytes([23; 32])];

/// A row of the outbox, without what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    what: What,
    queued_at: WallTime,
    way: Way,
}

/// A peer, as far as it matters.
#[derive(Default)]
struct Peer {
    connected: bool,
    gate: Gate,
    /// Mailboxes that his card names, by bits, and those that are closed.
    named: u8,
    closed: u8,
    /// His session, and the next number in it.
    session: u8,
    number: u64,
}

/// All that waits, its rows, and what is under way.
pub(crate) struct Desk {
    out: Outgoing,
    rows: BTreeMap<(PeerId, u64), Row>,
    peers: [Peer; PEERS],
    now: WallTime,
    next_ticket: u64,
    /// What was handed to a stream or a mailbox, as long as no answer came.
    streams: Vec<(PeerId, u64)>,
    questions: Vec<(PeerId, u64, u64)>,
    /// For which row each number of a session was used.
    sealed: BTreeMap<(PeerId, SessionId, u64), u64>,
    arrived: bool,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            out: Outgoing::default(),
            rows: BTreeMap::new(),
            peers: std::array::from_fn(|_| Peer { named: 3, ..Peer::default() }),
            now: WallTime(1_700_000_000_000),
            next_ticket: 0,
            streams: Vec::new(),
            questions: Vec::new(),
            sealed: BTreeMap::new(),
            arrived: false,
        }
    }
}

fn id(who: usize) -> PeerId {
    PeerId::from_key_bytes([u8::try_from(who).unwrap_or(0) + 1; 32])
}

/// Bytes of this length, made once.
fn bytes(size: usize) -> Arc<[u8]> {
    static ALL: OnceLock<[Arc<[u8]>; 3]> = OnceLock::new();
    Arc::clone(&ALL.get_or_init(|| SIZES.map(|size| Arc::from(vec![0; size])))[size % SIZES.len()])
}

impl Desk {
    /// Whether something was acknowledged or stored.
    pub(crate) const fn has_arrived(&self) -> bool {
        self.arrived
    }

    /// One thing happens, and all promises are looked at.
    pub(crate) fn happens(&mut self, what: u8, who: u8, which: u8) {
        let who = usize::from(who) % PEERS;
        let (peer, choice) = (id(who), usize::from(which));
        match what % 16 {
            0 => self.queue(peer, choice),
            1 => self.connect(who),
            2 => self.go_on_stream(who),
            3 => self.go_to_mailboxes(who),
            4 => self.stream_answers(who, choice),
            5 => self.mailbox_answers(choice),
            6 => self.work_is_done(peer, choice),
            7 => self.all(peer, &Happening::Unbarred),
            8 => self.wait(Millis::from_hours(u64::from(which))),
            9 => self.one(peer, choice, &Happening::Settled),
            10 => self.one(peer, choice, &Happening::Unreadable),
            11 => self.begin_anew(who),
            12 => self.gate_changes(who, which),
            13 => self.share(peer),
            14 => self.restart(),
            _ => {
                let others = [Happening::Barred, Happening::Squeezed, Happening::Aged, Happening::Lost(9)];
                self.one(peer, choice / 4, &others[choice % 4]);
            }
        }
        self.look();
    }

    fn queue(&mut self, peer: PeerId, choice: usize) {
        if self.out.of(&peer).letters.len() >= ROWS {
            return;
        }
        let number = self.out.next_number(&peer);
        let control = |says| What::Control { says, items: 1 + choice % 9, size: 10 + 20 * choice };
        let what = match choice % 6 {
            0 => control(Control::Receipts),
            1 => control(Control::Inquiry),
            2 => control(Control::Other),
            // Its length stands in its position.
            _ => What::Message(choice as u64),
        };
        let row = Row { what, queued_at: self.now, way: Way::default() };
        self.out.set(peer, number, Some(letter(&row)));
        assert!(self.rows.insert((peer, number), row).is_none(), "a row was written over");
    }

    fn connect(&mut self, who: usize) {
        self.peers[who].connected ^= true;
        if !self.peers[who].connected {
            let frames: Vec<_> = self.out.of(&id(who)).frames.keys().copied().collect();
            for ticket in frames {
                let (number, _) = self.out.set_frame(id(who), ticket, None).expect("it was there");
                self.happen(id(who), number, &Happening::Disconnected);
            }
        }
    }

    fn go_on_stream(&mut self, who: usize) {
        let (peer, mut from) = (id(who), 0);
        while self.peers[who].connected
            && let Some(number) = next::on_stream(self.out.of(&peer), &self.peers[who].gate, from)
        {
            assert!(number >= from, "out of order");
            from = number + 1;
            let letter = self.out.of(&peer).letters.get(&number).expect("what may go is there");
            assert!(letter.ticket.is_none() && !letter.way.sent && !letter.unreadable, "it is there or under way");
            let most = self.peers[who].gate.narrow.filter(|_| letter.is_message());
            assert!(most.is_none_or(|most| self.out.of(&peer).messages_on_stream() < most), "more than he may have");
            let Some(sealed) = self.ready(who, number, false) else { break };
            let ticket = self.ticket();
            self.streams.push((peer, ticket));
            self.out.set_frame(peer, ticket, Some((number, sealed.bytes.len())));
            self.happen(peer, number, &Happening::Sent(ticket));
        }
    }

    fn go_to_mailboxes(&mut self, who: usize) {
        let peer = id(who);
        let has = |bits: u8, n: usize| bits >> n & 1 == 1;
        let Peer { connected, named, closed, .. } = self.peers[who];
        let places = (0..MAILBOXES.len()).filter(|n| has(named, *n));
        let places: Vec<_> = places.map(|n| Place { mailbox: MAILBOXES[n], is_open: !has(closed, n) }).collect();
        if connected || places.is_empty() {
            return;
        }
        let copies = places.len().min(limits::DEPOSIT_COPIES);
        let numbers: Vec<u64> = self.out.of(&peer).idle(0..).map(|(number, _)| number).collect();
        for number in numbers {
            let (own, all) = (self.out.of(&peer).totals.deposits, self.out.totals.deposits);
            let room = limits::MAX_DEPOSITS_PER_PEER.saturating_sub(own).min(limits::MAX_DEPOSITS.saturating_sub(all));
            if room == 0 {
                return;
            }
            let Some(letter) = self.out.of(&peer).letters.get(&number).cloned() else { continue };
            match next::at_mailboxes(&letter, &self.peers[who].gate, &places, copies, self.now) {
                Leave::At(mailboxes) => {
                    assert!(mailboxes.iter().all(|mailbox| {
                        places.contains(&Place { mailbox: *mailbox, is_open: true })
                            && !letter.deposit_at(mailbox).is_some_and(Deposit::is_under_way)
                            && !holds(&letter, self.now).any(|held| held == *mailbox)
                    }));
                    let Some(sealed) = self.ready(who, number, true) else { return };
                    assert!(sealed.for_mailbox || self.peers[who].gate.accepted, "it tells where we are");
                    mailboxes.into_iter().take(room).for_each(|mailbox| self.ask(peer, number, mailbox, &sealed));
                }
                Leave::Drop => {
                    assert!(!letter.is_message(), "a message was dropped");
                    self.happen(peer, number, &Happening::Settled);
                }
                Leave::Wait(until) => assert!(until > self.now),
                Leave::Nothing => {}
                Leave::Stop => return,
            }
        }
    }

    fn ask(&mut self, peer: PeerId, number: u64, mailbox: PeerId, envelope: &Sealed) {
        let letter = self.out.of(&peer).letters.get(&number).expect("it is left now");
        let sealed = letter.deposit_at(&mailbox).map_or(&envelope.bytes, |deposit| &deposit.sealed);
        let (sealed, ticket) = (Arc::clone(sealed), self.ticket());
        self.questions.push((peer, number, ticket));
        self.happen(peer, number, &Happening::Asked { mailbox, sealed, ticket });
    }

    /// The envelope of what waits, as `seal` has it. `None` when there is no room.
    fn ready(&mut self, who: usize, number: u64, for_mailbox: bool) -> Option<Arc<Sealed>> {
        let (peer, gate) = (id(who), self.peers[who].gate);
        let letter = self.out.of(&peer).letters.get(&number).cloned().expect("it waits");
        let fits = !for_mailbox || next::fits_mailbox(&letter, &gate);
        if let Some(sealed) = letter.sealed.as_ref().filter(|_| fits) {
            return Some(Arc::clone(sealed));
        }
        if !self.out.has_room(&peer) {
            for (other, number) in self.out.squeezable(&peer) {
                let idle = self.out.of(&other).letters.get(&number).is_some_and(|letter| !letter.is_under_way());
                assert!(idle, "what is under way makes no room");
                self.happen(other, number, &Happening::Squeezed);
            }
        }
        let (own, all) = (self.kept(&peer), (0..PEERS).map(|who| self.kept(&id(who))).sum::<usize>());
        let has_room = own == 0 || (own < limits::MAX_SEALED_PER_PEER && all < limits::MAX_SEALED);
        assert_eq!(self.out.has_room(&peer), has_room, "the budget");
        if !has_room {
            return None;
        }
        assert!(!gate.is_shut, "nothing is sealed in a chain that is shut");
        let counts = !gate.accepted && !letter.way.counted && letter.is_message();
        let Peer { session, number: taken, gate, .. } = &mut self.peers[who];
        *taken += 1;
        gate.unaccepted_sent += usize::from(counts);
        assert!(gate.unaccepted_sent <= limits::MAX_UNACCEPTED_SENT, "a fourth before acceptance");
        let size =
            if let What::Message(position) = letter.what { usize::try_from(position).unwrap_or(0) / 8 } else { 0 };
        let (session, tells) = (SessionId::new([*session; 16]), letter.is_message().then_some(*taken));
        let sealed = Arc::new(Sealed { bytes: bytes(size), for_mailbox, session, number: *taken, tells });
        assert!(self.sealed.insert((peer, session, sealed.number), number).is_none());
        self.happen(peer, number, &Happening::Sealed(Arc::clone(&sealed), counts));
        Some(sealed)
    }

    fn stream_answers(&mut self, who: usize, choice: usize) {
        const REASONS: [RefuseReason; 6] = [
            RefuseReason::TooMany,
            RefuseReason::Unavailable,
            RefuseReason::PrekeyUnknown,
            RefuseReason::SessionUnknown,
            RefuseReason::Malformed,
            RefuseReason::Unsupported,
        ];
        if self.streams.is_empty() {
            return;
        }
        // Now and then a ticket counts twice.
        let at = choice / 8 % self.streams.len();
        let (peer, ticket) = if who == 0 { self.streams[at] } else { self.streams.remove(at) };
        let event = match choice % 8 {
            0 => Happening::Lost(ticket),
            1 => Happening::Acked(ticket),
            other => Happening::Refused(ticket, REASONS[other - 2]),
        };
        let Some((number, _)) = self.out.set_frame(peer, ticket, None) else { return };
        let counts = self.out.of(&peer).letters.get(&number).is_some_and(|letter| letter.ticket == Some(ticket));
        self.arrived |= counts && matches!(event, Happening::Acked(_));
        self.happen(peer, number, &event);
    }

    fn mailbox_answers(&mut self, choice: usize) {
        if self.questions.is_empty() {
            return;
        }
        let at = choice / 8 % self.questions.len();
        let (peer, number, ticket) = self.questions.remove(at);
        let who = (0..PEERS).find(|who| id(*who) == peer).expect("one of them");
        let copies = (self.peers[who].named.count_ones() as usize).clamp(1, limits::DEPOSIT_COPIES);
        let answer = match choice % 8 {
            0 => Answered::Nothing,
            1 => Answered::Void,
            2 => Answered::Work,
            3 => Answered::Declined,
            4 => Answered::TooLarge,
            _ => Answered::Stored(copies),
        };
        let is_asked = |letter: &Letter| letter.deposits.iter().any(|deposit| deposit.stage == Stage::Asked(ticket));
        let counts = self.out.of(&peer).letters.get(&number).is_some_and(is_asked);
        let before = self.out.of(&peer).letters.get(&number).cloned();
        self.happen(peer, number, &Happening::Answered(ticket, answer));
        self.arrived |= counts && matches!(answer, Answered::Stored(_));
        assert!(
            counts || before.as_ref() == self.out.of(&peer).letters.get(&number),
            "an answer to nothing means nothing"
        );
    }

    fn work_is_done(&mut self, peer: PeerId, choice: usize) {
        let mailbox = MAILBOXES[choice % MAILBOXES.len()];
        self.one(peer, choice / MAILBOXES.len(), &Happening::Proven(mailbox, Proof::Work { day: 1, nonce: 2 }));
    }

    fn wait(&mut self, span: Millis) {
        self.now = self.now + span;
        let mut due = Vec::new();
        for (peer, waiting) in self.out.peers() {
            for (number, letter) in waiting.letters.iter().filter(|(_, letter)| !letter.unreadable) {
                let is_over = letter.queued_at + limits::UNDELIVERED_AFTER <= self.now;
                due.push((*peer, *number, if is_over { Happening::GivenUp } else { Happening::Aged }));
            }
        }
        due.into_iter().for_each(|(peer, number, event)| self.happen(peer, number, &event));
    }

    fn begin_anew(&mut self, who: usize) {
        let peer = &mut self.peers[who];
        (peer.session, peer.gate.is_shut) = (peer.session.wrapping_add(1), false);
        // One row says so, whatever waits.
        self.out.begin_anew(&id(who));
        let rows = self.rows.iter_mut().filter(|((peer, _), _)| *peer == id(who));
        rows.for_each(|(_, row)| (row.way.sent, row.way.held) = (false, Vec::new()));
    }

    fn gate_changes(&mut self, who: usize, how: u8) {
        let peer = &mut self.peers[who];
        match how % 4 {
            0 => peer.gate.accepted = true,
            1 if how & 4 == 0 => peer.gate.is_shut ^= true,
            1 => peer.gate.narrow = (how >> 3).checked_sub(1).map(usize::from),
            2 => peer.named = how >> 2 & 7,
            _ => peer.closed = how >> 2 & 7,
        }
    }

    /// As `deliver` puts capsules into one.
    fn share(&mut self, peer: PeerId) {
        for group in next::shared(self.out.of(&peer)) {
            let (mut all, mut bytes) = (0, 0);
            for number in &group {
                let letter = self.out.of(&peer).letters.get(number).expect("it waits");
                let What::Control { items, size, .. } = letter.what else { panic!("a message is shared") };
                assert!(letter.sealed.is_none() && letter.way.held.is_empty(), "it is somewhere");
                (all, bytes) = (all + items, bytes + size);
            }
            assert!(all <= limits::MAX_CAPSULE_ITEMS, "too many items");
            group[1..].iter().for_each(|number| self.happen(peer, *number, &Happening::Settled));
            let row = self.rows.get_mut(&(peer, group[0])).expect("it has a row");
            row.what = What::Control { says: Control::Other, items: all, size: bytes };
            self.out.set(peer, group[0], Some(letter(row)));
        }
    }

    /// The process ends, and all is derived from the rows.
    fn restart(&mut self) {
        self.out = Outgoing::default();
        self.rows.iter().for_each(|((peer, number), row)| drop(self.out.set(*peer, *number, Some(letter(row)))));
        (self.next_ticket, self.streams, self.questions) = (0, Vec::new(), Vec::new());
        self.peers.iter_mut().for_each(|peer| peer.connected = false);
    }

    fn ticket(&mut self) -> u64 {
        self.next_ticket += 1;
        self.next_ticket - 1
    }

    fn all(&mut self, peer: PeerId, event: &Happening) {
        let numbers: Vec<u64> = self.out.of(&peer).letters.keys().copied().collect();
        numbers.into_iter().for_each(|number| self.happen(peer, number, event));
    }

    fn one(&mut self, peer: PeerId, choice: usize, event: &Happening) {
        let numbers: Vec<u64> = self.out.of(&peer).letters.keys().copied().collect();
        if let Some(number) = numbers.get(choice % numbers.len().max(1)) {
            self.happen(peer, *number, event);
        }
    }

    /// Something happens to one, and what follows of it is carried out.
    fn happen(&mut self, peer: PeerId, number: u64, event: &Happening) {
        let Some(before) = self.out.of(&peer).letters.get(&number).cloned() else { return };
        let (after, orders) = step(before.clone(), event.clone(), self.now);
        if let Some(after) = &after {
            never_goes_back(&before, event, after);
        }
        self.out.set(peer, number, after.clone());
        let mut anew = false;
        for order in orders {
            match order {
                Effect::Write => {
                    let after = after.as_ref().expect("what is gone has no row");
                    self.rows.get_mut(&(peer, number)).expect("it has a row").way = after.way.clone();
                }
                Effect::Delete => {
                    assert!(after.is_none(), "its row is deleted, and it is there");
                    self.rows.remove(&(peer, number)).expect("it has a row");
                }
                Effect::Tell(state) => {
                    assert!(before.is_message() && !before.way.sent || state == State::Undelivered, "told of nothing");
                    assert_eq!(state == State::Undelivered, after.is_none(), "what is given up is gone");
                }
                Effect::Taken(sealed) => {
                    let of = self.sealed.get(&(peer, sealed.session, sealed.number));
                    assert_eq!(of, Some(&number), "a number of another is taken");
                }
                Effect::Told(digest) => {
                    assert_eq!(before.sealed.as_ref().and_then(|sealed| sealed.tells), Some(digest));
                }
                Effect::BackOff => {}
                Effect::BeginAnew => anew = true,
            }
        }
        if anew {
            self.begin_anew((0..PEERS).find(|who| id(*who) == peer).expect("one of them"));
        }
    }

    /// Bytes that are kept for a peer, counted anew.
    fn kept(&self, peer: &PeerId) -> usize {
        self.out.of(peer).letters.values().map(Letter::kept).sum()
    }
}

/// Mailboxes that have it.
fn holds(letter: &Letter, now: WallTime) -> impl Iterator<Item = PeerId> {
    let alive = letter.way.held.iter().filter(move |(_, at)| *at + limits::DEPOSIT_LIFE > now);
    alive.map(|(mailbox, _)| *mailbox)
}

fn row(letter: &Letter) -> Row {
    Row { what: letter.what, queued_at: letter.queued_at, way: letter.way.clone() }
}

/// What waits, as its row says.
fn letter(Row { what, queued_at, way }: &Row) -> Letter {
    let (what, queued_at, way, deposits) = (*what, *queued_at, way.clone(), Vec::new());
    Letter { what, queued_at, way, sealed: None, ticket: None, deposits, barred: false, unreadable: false }
}
