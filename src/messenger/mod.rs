//! The rules: contacts, requests, policy, conversations, outbox, receipts.
//!
//! Synchronous and pure but for the store: given inputs, the time and a random source, it computes
//! and gathers every change in one write buffer; the buffer is committed and durable before any
//! output leaves. What this layer does not own: how bytes are encrypted (`session`), how they are
//! stored (`store`), how they travel (`net`), when it is called (`node`).

mod boxes;
mod bundles;
mod cards;
mod clock;
pub mod command;
mod contacts;
mod deliver;
mod forget;
mod heal;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub mod io;
mod items;
mod keys;
mod link;
mod links;
mod lookout;
mod mailbox;
mod mailing;
mod maintain;
mod marks;
mod memory;
mod names;
mod newcomers;
mod outgoing;
mod pace;
mod places;
mod post;
mod presence;
pub mod query;
mod quota;
mod receive;
pub mod recovery;
mod requests;
mod seal;
mod send;
mod states;
mod sessions;
mod shared;
mod slots;
pub mod tables;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod timed;
mod told;
mod tx;

use crate::base::{CryptoRng, Millis, Now, PeerId, WallTime, failpoint, limits};
use crate::identity::IdentityKeypair;
use crate::store::{Reader, RowKey, Rows, Store, StoreError, WriteBuffer};

pub use command::{Answer, Command, Draft, Hints, Refusal, SendCommand};
pub use io::{Class, Event, FrameToken, Input, Order, Output, RefuseReason};

use clock::{Clock, ClockRow};
use memory::Memory;
use outgoing::Happening;
use tables::Clocks;
use tx::{Step, Stop, Tx};

/// How often the key of sessions and prekeys is renewed, so that a thief of the disk cannot open
/// what was erased.
const STATE_KEY_LIFE: Millis = Millis::from_hours(24);

/// The rules and their store.
pub struct Messenger {
    store: Store,
    me: IdentityKeypair,
    mem: Memory,
    /// Time passes for it.
    begun: bool,
}

impl std::fmt::Debug for Messenger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Messenger({:?})", self.me.peer_id())
    }
}

impl Messenger {
    /// Opens the messenger of a profile: makes the card and prekeys of a new identity, and derives
    /// from rows what is to be done.
    ///
    /// # Errors
    /// Those of the store.
    pub fn open(
        store: Store,
        me: IdentityKeypair,
        now: Now,
        rng: &mut dyn CryptoRng,
    ) -> Result<(Self, Vec<Output>), StoreError> {
        let mut messenger = Self::at_rest(store, me)?;
        let outputs = messenger.begin(now, rng)?;
        Ok((messenger, outputs))
    }

    /// The same, and nothing changes until [`Self::begin`]: for who may only want to look.
    ///
    /// # Errors
    /// Those of the store.
    pub fn at_rest(store: Store, me: IdentityKeypair) -> Result<Self, StoreError> {
        let mem = Memory::load(&store.begin())?;
        Ok(Self { store, me, mem, begun: false })
    }

    /// Whether it has begun.
    pub const fn has_begun(&self) -> bool {
        self.begun
    }

    /// Begins: to be called before anything is handed in.
    ///
    /// # Errors
    /// Those of the store.
    pub fn begin(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Result<Vec<Output>, StoreError> {
        let (buf, mut out) = self.first(now, rng)?;
        self.store.commit(buf, rng)?;
        self.begun = true;
        self.catch_up(&mut out, now, rng);
        Ok(out)
    }

    /// Whether [`Self::open`] could read what it needs. Writes nothing.
    ///
    /// # Errors
    /// Those of the store.
    pub fn examine(store: Store, me: IdentityKeypair, now: Now, rng: &mut dyn CryptoRng) -> Result<(), StoreError> {
        Self::at_rest(store, me)?.first(now, rng).map(drop)
    }

    /// What is to be written and carried out first.
    fn first(&mut self, now: Now, rng: &mut dyn CryptoRng) -> Result<(WriteBuffer, Vec<Output>), StoreError> {
        self.mem.start(now.mono);
        let mut buf = self.store.begin();
        let mut out = Vec::new();
        let mut tx = self.tx(&mut buf, &mut out, now, rng);
        // Should it not open, the time begins anew with that of the wall.
        let clock = tx.buf.get_sound::<Clocks>(&RowKey::new())?.unwrap_or_else(|| ClockRow::new(now.wall));
        tx.mem.clock = Clock::open(clock, now);
        tx.go_on_waiting()?;
        tx.mark_at_start();
        tx.ensure_profile()?;
        tx.contacts_at_start()?;
        tx.compare_card()?;
        // What this commit dates is not within the leap that the opening found. Without it nothing is written: on a full disk
        // nothing can be.
        if !tx.buf.is_empty() {
            tx.write_clock()?;
        }
        Ok((buf, out))
    }

    /// Takes inputs in order, in one durable commit, and gives what is to be carried out after it (SES-60).
    /// An input that fails undoes only itself.
    pub fn handle(&mut self, inputs: Vec<Input>, now: Now, rng: &mut dyn CryptoRng) -> Vec<Output> {
        let is_old = self.store.state_key_age(now) >= STATE_KEY_LIFE;
        if let Err(error) = if is_old { self.store.renew_state_key(rng, now) } else { Ok(()) } {
            tracing::error!(%error, "the store failed");
            return inputs.iter().filter_map(question).map(|question| question.failed(&error)).collect();
        }
        let mut buf = self.store.begin();
        let mut out = Vec::new();
        self.mem.clock.look(now);
        let (first_event, first_ticket) = (self.mem.next_event, self.mem.next_ticket);
        let mut questions = Vec::with_capacity(inputs.len());
        for input in inputs {
            questions.extend(question(&input));
            self.one(input, &mut buf, &mut out, now, rng);
        }
        self.mem.forget_marks();
        let settled = self.tx(&mut buf, &mut out, now, rng).settle();
        failpoint("computed");
        if let Err(error) = settled.map_err(StoreError::from).and_then(|()| self.store.commit(buf, rng)) {
            tracing::error!(%error, "a commit failed");
            self.forget(first_ticket);
            return questions.into_iter().map(|question| question.failed(&error)).collect();
        }
        failpoint("committed");
        if self.mem.next_event != first_event {
            out.push(Output::Events(self.mem.next_event - 1));
        }
        out.sort_by_key(Output::rank);
        self.mem.forget_marks();
        self.mem.settle_links();
        let wake = self.tx(&mut self.store.begin(), &mut Vec::new(), now, rng).next_wake();
        out.push(Output::WakeAt(wake));
        out
    }

    /// Says whether there is so little left of the disk that no envelopes are taken, but what is no message of contacts.
    pub fn set_disk_low(&mut self, is_low: bool) {
        if is_low != self.mem.is_disk_low {
            tracing::warn!(is_low, "envelopes are taken only while there is room on the disk");
        }
        self.mem.is_disk_low = is_low;
    }

    /// For when nothing waits: does a little of what will be asked for soon, in memory only. Whether there is more.
    pub fn idle(&mut self, now: Now, rng: &mut dyn CryptoRng) -> bool {
        let (mut rows, mut out) = (self.store.begin(), Vec::new());
        // What cannot be read now is told when it is needed.
        self.tx(&mut rows, &mut out, now, rng).turn_ahead().unwrap_or(false)
    }

    /// The earliest that it may be by the wall clock: what is to go with time on the disk goes by it.
    pub fn earliest(&self) -> WallTime {
        self.mem.clock.row.earliest()
    }

    /// What the queries of [`query`] read: committed rows only.
    pub fn reader(&self) -> Reader {
        self.store.reader()
    }

    /// How many messages are not delivered yet.
    pub fn waiting(&self) -> u64 {
        self.mem.out.totals.messages as u64
    }

    /// Who we are.
    pub fn peer_id(&self) -> PeerId {
        self.me.peer_id()
    }
}

impl Messenger {
    fn tx<'a>(
        &'a mut self,
        buf: &'a mut WriteBuffer,
        out: &'a mut Vec<Output>,
        now: Now,
        rng: &'a mut dyn CryptoRng,
    ) -> Tx<'a> {
        Tx { me: &self.me, buf, mem: &mut self.mem, out, rng, now }
    }

    /// Does what became due while nobody was there, before anybody asks.
    fn catch_up(&mut self, out: &mut Vec<Output>, now: Now, rng: &mut dyn CryptoRng) {
        loop {
            let done = self.handle(vec![Input::Timer], now, rng);
            let failed = !done.iter().any(|output| matches!(output, Output::WakeAt(_)));
            out.extend(done);
            let overdue = self.tx(&mut self.store.begin(), &mut Vec::new(), now, rng).is_overdue();
            if failed || !overdue {
                return;
            }
        }
    }

    /// One input; when it fails, nothing of it stays.
    fn one(&mut self, input: Input, buf: &mut WriteBuffer, out: &mut Vec<Output>, now: Now, rng: &mut dyn CryptoRng) {
        let asked = question(&input);
        self.mem.forget_marks();
        if let Err(stop) = self.tx(buf, out, now, rng).attempt(|tx| tx.input(input)) {
            out.extend(answer_to(stop, asked));
        }
    }

    /// After a failed commit memory is dropped and derived from the rows that are there.
    fn forget(&mut self, first_ticket: u64) {
        self.mem.receipts.clear();
        let rows = self.store.begin();
        if let Err(error) = self.mem.reload(&rows, first_ticket) {
            tracing::error!(%error, "rows cannot be read");
        }
    }
}

/// What is answered to an input that did not happen.
fn answer_to(stop: Stop, asked: Option<Question>) -> Option<Output> {
    match (&stop, asked) {
        (Stop::Refused(refusal), Some(Question::Command(id))) => return Some(Output::Reply(id, Err(refusal.clone()))),
        (Stop::Refused(refusal), _) => tracing::debug!(%refusal, "a peer's input was refused"),
        (Stop::Fault(error), _) => tracing::error!(%error, "an input failed"),
    }
    asked.map(|question| question.failed(&stop.into()))
}

/// Who waits for an answer to an input.
#[derive(Clone, Copy)]
enum Question {
    Command(u64),
    Envelope(FrameToken),
    Mail(u64),
}

impl Question {
    /// The answer when the store failed.
    fn failed(self, error: &StoreError) -> Output {
        match self {
            Self::Command(id) => Output::Reply(id, Err(Refusal::Store(error.to_string()))),
            Self::Envelope(token) => Order::Refuse(token, RefuseReason::Unavailable).into(),
            Self::Mail(request) => mailbox::unavailable(request).into(),
        }
    }
}

const fn question(input: &Input) -> Option<Question> {
    match input {
        Input::Command(id, _) => Some(Question::Command(*id)),
        Input::Net(Event::Envelope { token, .. }) => Some(Question::Envelope(*token)),
        Input::Net(Event::Mail { request, .. }) => Some(Question::Mail(*request)),
        Input::Net(_) | Input::Timer => None,
    }
}

impl Tx<'_> {
    fn input(&mut self, input: Input) -> Step {
        match input {
            Input::Command(id, command) => {
                let answer = self.command(command)?;
                self.push(Output::Reply(id, Ok(answer)));
                Ok(())
            }
            Input::Net(event) => self.net_event(event),
            Input::Timer => self.timer(),
        }
    }

    fn net_event(&mut self, event: Event) -> Step {
        match event {
            Event::Connected(peer) => self.connected(peer),
            Event::Disconnected(peer) => self.disconnected(peer),
            Event::Unreachable(peer) => {
                self.link(peer).dialling = false;
                self.touch(peer);
                self.back_off(peer)
            }
            Event::Discovered(peer) => {
                // Anybody in the local network can say so, as often as he likes.
                let soon = self.now.mono + limits::DISCOVERED_PAUSE;
                if self.mem.links.contains_key(&peer) {
                    let link = self.link(peer);
                    link.retry_at = link.retry_at.map(|at| at.min(soon));
                    self.touch(peer);
                }
                Ok(())
            }
            Event::Listening(addrs) => self.listening(addrs),
            Event::Envelope { from, origin, token, bytes } => self.receive(from, origin, token, &bytes),
            Event::Acked { peer, ticket } => self.acked(peer, ticket),
            Event::Refused { peer, ticket, reason } => self.came_back(peer, ticket, Happening::Refused(ticket, reason)),
            Event::Lost { peer, ticket } => self.came_back(peer, ticket, Happening::Lost(ticket)),
            Event::Bundle { peer, ticket, card, prekey } => self.bundle(peer, ticket, &card, prekey.as_deref()),
            Event::BundleFailed { peer, ticket } => self.bundle_failed(peer, ticket),
            Event::BundleRequested { request, want_prekey, .. } => self.answer_bundle(request, want_prekey),
            Event::Mail { from, origin, request, question } => self.mail(from, origin, request, &question),
            Event::MailAnswered { mailbox, ticket, answer } => self.mail_answered(mailbox, ticket, Some(&answer)),
            Event::MailFailed { mailbox, ticket } => self.mail_answered(mailbox, ticket, None),
            Event::CardFound { peer, ticket, card } if peer == self.my_id() => {
                self.own_card_came(ticket, true, Some(&card))
            }
            Event::CardNotFound { peer, ticket, asked } if peer == self.my_id() => {
                self.own_card_came(ticket, asked > 0, None)
            }
            Event::CardFound { peer, ticket, card } => self.card_came(peer, ticket, Some((&card, None))),
            Event::CardNotFound { peer, ticket, asked } => self.card_not_found(peer, ticket, asked),
            // When it stands, and that it stays, is the network's care.
            Event::CardPublished { .. } => Ok(()),
            Event::Relays(relays) => self.relays(relays),
            Event::KnownPeers(peers) => self.keep_known_peers(peers),
        }
    }

    /// When the inputs of a commit are done: what vanishes (it must not be sent any more), every link that changed, and
    /// receipts that became due.
    fn settle(&mut self) -> Step {
        self.note_clock()?;
        self.expire()?;
        self.apart(Self::settle_card);
        self.look_out()?;
        self.ask_own_boxes();
        while let Some(peer) = self.mem.touched.pop_first() {
            if !self.mem.later.contains(&peer) {
                self.for_peer(peer, |tx| tx.pump(peer).and_then(|()| tx.post(peer)));
            }
        }
        self.mem.touched = std::mem::take(&mut self.mem.later);
        self.flush_marks()?;
        self.flush_receipts()?;
        self.write_events()
    }

    /// Does something for which rows of a peer are needed. If they do not open, he waits for the next start, and the others do
    /// not.
    fn for_peer(&mut self, peer: PeerId, work: impl FnOnce(&mut Self) -> Step) {
        if self.mem.links.get(&peer).is_some_and(|link| link.unreadable) {
            return;
        }
        if let Err(Stop::Fault(error)) = self.attempt(work) {
            tracing::error!(%peer, %error, "a peer's rows cannot be read");
            self.link(peer).unreadable = true;
        }
    }
}
