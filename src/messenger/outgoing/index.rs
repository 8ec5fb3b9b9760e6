//! The index: what waits for each peer, in order, and what it amounts to. Derived from the rows of the outbox; everything
//! that it counts changes in one place.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeFrom;
use std::sync::LazyLock;

use crate::base::{PeerId, limits};

use super::step::{Deposit, Letter};

/// What waits for everybody.
#[derive(Debug, Default)]
pub(in crate::messenger) struct Outgoing {
    peers: BTreeMap<PeerId, Waiting>,
    /// What waits in all.
    pub totals: Totals,
    /// Some rows did not open when all were loaded; whose they are is not known.
    pub is_some_lost: bool,
}

/// What waits for one peer.
#[derive(Debug, Default)]
pub(in crate::messenger) struct Waiting {
    /// All of it, in order.
    pub letters: BTreeMap<u64, Letter>,
    /// What may go: neither sent nor on the stream.
    idle: BTreeSet<u64>,
    /// What the network was given and has told no outcome of, by ticket: number and length. What becomes of the row by other
    /// means (a receipt, a new session) takes nothing out of it: the window bounds what the network has.
    pub frames: BTreeMap<u64, (u64, usize)>,
    /// Digests of what is told of ourselves by envelopes that are not taken yet.
    telling: BTreeMap<u64, u64>,
    /// What all of it amounts to.
    pub totals: Totals,
}

/// What some envelopes amount to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::messenger) struct Totals {
    /// Messages.
    pub messages: usize,
    /// What is none: what a peer can make grow, and therefore bounded.
    pub controls: usize,
    /// Sent and not delivered.
    pub sent: usize,
    /// Bytes that are kept until they are taken.
    pub kept: usize,
    /// Deposits under way.
    pub deposits: usize,
    /// Of no use for mailboxes.
    pub barred: usize,
}

impl Totals {
    fn of(letter: &Letter) -> Self {
        Self {
            messages: usize::from(letter.is_message()),
            controls: usize::from(!letter.is_message()),
            sent: usize::from(letter.way.sent),
            kept: letter.kept(),
            deposits: letter.deposits.iter().filter(|deposit| Deposit::is_under_way(deposit)).count(),
            barred: usize::from(letter.barred),
        }
    }

    fn change(&mut self, less: Self, more: Self) {
        let counts = [
            (&mut self.messages, less.messages, more.messages),
            (&mut self.controls, less.controls, more.controls),
            (&mut self.sent, less.sent, more.sent),
            (&mut self.kept, less.kept, more.kept),
            (&mut self.deposits, less.deposits, more.deposits),
            (&mut self.barred, less.barred, more.barred),
        ];
        counts.into_iter().for_each(|(now, less, more)| *now = (*now + more).saturating_sub(less));
    }
}

impl Outgoing {
    /// What waits for a peer.
    pub(in crate::messenger) fn of(&self, peer: &PeerId) -> &Waiting {
        static NOTHING: LazyLock<Waiting> = LazyLock::new(Waiting::default);
        self.peers.get(peer).unwrap_or(&NOTHING)
    }

    /// All for whom something waits.
    pub(in crate::messenger) fn peers(&self) -> impl Iterator<Item = (&PeerId, &Waiting)> {
        self.peers.iter()
    }

    /// The number of the next row for a peer: no two that are there at a time have the same.
    pub(in crate::messenger) fn next_number(&self, peer: &PeerId) -> u64 {
        self.of(peer).letters.last_key_value().map_or(1, |(number, _)| number + 1)
    }

    /// Puts an envelope into its place, or takes it out of it. Gives the one that was there.
    pub(in crate::messenger) fn set(&mut self, peer: PeerId, number: u64, letter: Option<Letter>) -> Option<Letter> {
        let waiting = self.peers.entry(peer).or_default();
        let before = waiting.letters.remove(&number);
        let less = before.as_ref().map(Totals::of).unwrap_or_default();
        let more = letter.as_ref().map(Totals::of).unwrap_or_default();
        self.totals.change(less, more);
        waiting.totals.change(less, more);
        waiting.idle.remove(&number);
        waiting.telling.remove(&number);
        match letter {
            Some(letter) => waiting.put(number, letter),
            None => self.forget_empty(peer),
        }
        before
    }

    /// All that waits for a peer begins anew, in one pass: there may be very much of it. Gives those that this has changed, as they
    /// were.
    pub(in crate::messenger) fn begin_anew(&mut self, peer: &PeerId) -> Vec<(u64, Letter)> {
        let Some(waiting) = self.peers.get_mut(peer) else { return Vec::new() };
        let mut before = Vec::new();
        for (number, letter) in &mut waiting.letters {
            let Some(anew) = letter.anew() else { continue };
            let (less, more) = (Totals::of(letter), Totals::of(&anew));
            self.totals.change(less, more);
            waiting.totals.change(less, more);
            if !anew.unreadable {
                waiting.idle.insert(*number);
            }
            before.push((*number, std::mem::replace(letter, anew)));
        }
        waiting.telling.clear();
        before
    }

    /// Notes something as given to the network, or as not there any more. Gives what was noted.
    pub(in crate::messenger) fn set_frame(
        &mut self,
        peer: PeerId,
        ticket: u64,
        frame: Option<(u64, usize)>,
    ) -> Option<(u64, usize)> {
        let frames = &mut self.peers.entry(peer).or_default().frames;
        let before = match frame {
            Some(frame) => frames.insert(ticket, frame),
            None => frames.remove(&ticket),
        };
        self.forget_empty(peer);
        before
    }

    /// Notes as given to the network what was so before this ticket.
    pub(in crate::messenger) fn keep_frames(&mut self, before: &Self, below: u64) {
        for (peer, waiting) in &before.peers {
            for (ticket, frame) in waiting.frames.range(..below) {
                self.set_frame(*peer, *ticket, Some(*frame));
            }
        }
    }

    fn forget_empty(&mut self, peer: PeerId) {
        if self.of(&peer).letters.is_empty() && self.of(&peer).frames.is_empty() {
            self.peers.remove(&peer);
        }
    }

    /// Whether another envelope of a peer may be kept. Each may have one, whatever others take.
    pub(in crate::messenger) fn has_room(&self, peer: &PeerId) -> bool {
        let kept = self.of(peer).totals.kept;
        kept == 0 || (kept < limits::MAX_SEALED_PER_PEER && self.totals.kept < limits::MAX_SEALED)
    }

    /// Envelopes that may make room for one of this peer: his own that a mailbox has, then what others do not get anyway.
    pub(in crate::messenger) fn squeezable(&self, peer: &PeerId) -> Vec<(PeerId, u64)> {
        let is_idle = |letter: &Letter| letter.kept() > 0 && !letter.is_under_way();
        let own = self.of(peer).letters.iter().filter(|(_, letter)| is_idle(letter) && !letter.way.held.is_empty());
        let own: Vec<_> = own.map(|(number, _)| (*peer, *number)).take(limits::MAX_IN_FLIGHT).collect();
        if !own.is_empty() || self.of(peer).totals.kept >= limits::MAX_SEALED_PER_PEER {
            return own;
        }
        let others = self.peers.iter().filter(|(other, waiting)| *other != peer && waiting.totals.kept > 0);
        let others = others.flat_map(|(other, waiting)| waiting.letters.iter().map(move |entry| (other, entry)));
        let idle = others.filter(|(_, (_, letter))| is_idle(letter));
        idle.map(|(other, (number, _))| (*other, *number)).take(limits::MAX_IN_FLIGHT).collect()
    }
}

impl Waiting {
    fn put(&mut self, number: u64, letter: Letter) {
        if letter.ticket.is_none() && !letter.way.sent && !letter.unreadable {
            self.idle.insert(number);
        }
        if let Some(digest) = letter.sealed.as_ref().and_then(|sealed| sealed.tells) {
            self.telling.insert(number, digest);
        }
        self.letters.insert(number, letter);
    }

    /// What may go, in order.
    pub(in crate::messenger) fn idle(&self, from: RangeFrom<u64>) -> impl Iterator<Item = (u64, &Letter)> {
        self.idle.range(from).filter_map(|number| Some((*number, self.letters.get(number)?)))
    }

    /// Whether the network has as much as it is given.
    pub(in crate::messenger) fn is_window_full(&self) -> bool {
        let bytes = || self.frames.values().map(|(_, len)| len).sum::<usize>();
        self.frames.len() >= limits::MAX_IN_FLIGHT || bytes() >= limits::MAX_IN_FLIGHT_BYTES
    }

    /// How many messages the network has been given and told no outcome of. What was settled by other means counts as one.
    pub(in crate::messenger) fn messages_on_stream(&self) -> usize {
        let is_message = |number: &u64| self.letters.get(number).is_none_or(Letter::is_message);
        self.frames.values().filter(|(number, _)| is_message(number)).count()
    }

    /// Whether an envelope that is not taken yet tells this of ourselves.
    pub(in crate::messenger) fn tells(&self, digest: u64) -> bool {
        self.telling.values().any(|told| *told == digest)
    }
}
