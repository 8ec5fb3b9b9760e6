//! Many messengers in one process: a virtual clock, and a seeded network that drops, delays,
//! doubles and reorders. A failure prints the seed.

mod crowd;
mod life;
mod mail;
mod table;

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rohrpost::base::event::EventKind;
use rohrpost::base::shown::{Contact, Message, Request};
use rohrpost::base::words::{Direction, State};
use rohrpost::base::{MessageId, Millis, MonoTime, Now, PeerId, Secret, WallTime};
use rohrpost::identity::{IdentityKeypair, RequestToken};
use rohrpost::messenger::{
    Answer, Class, Command, Event, FrameToken, Hints, Input, Messenger, Order, Output, Refusal, RefuseReason,
    SendCommand, query,
};
use rohrpost::store::{Reader, Store};

pub use crowd::Stranger;
pub use mail::Lies;
pub use table::{COPIES, Forgery, Table};

/// When the virtual clock starts: 2026-01-01.
const EPOCH: u64 = 1_767_225_600_000;

/// For timers that do not ring.
const NEVER: u64 = u64::MAX;

/// How unkind the network is, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// Frames that never arrive; their stream ends.
    pub drop: u64,
    /// Frames that arrive, but whose acknowledgement is lost.
    pub drop_ack: u64,
    /// Frames that arrive twice.
    pub double: u64,
    /// Longest delay in milliseconds; frames overtake each other.
    pub delay: u64,
    /// Handled batches after which the messenger is dropped and loaded again from its store.
    pub reload: u64,
}

impl Weather {
    pub const CALM: Self = Self { drop: 0, drop_ack: 0, double: 0, delay: 0, reload: 0 };
    pub const RELOADING: Self = Self { reload: 20, ..Self::CALM };
    pub const STORM: Self = Self { drop: 15, drop_ack: 10, double: 10, delay: 400, reload: 0 };
    pub const HURRICANE: Self = Self { reload: 10, ..Self::STORM };
}

/// Handle of a peer in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Who(usize);

struct Node {
    name: String,
    seed: Secret<32>,
    store_key: Secret<32>,
    id: PeerId,
    dir: tempfile::TempDir,
    /// `None` while the process does not run.
    messenger: Option<Messenger>,
    rng: ChaCha20Rng,
    /// When its timer rings; [`NEVER`] when it does not run.
    wake: u64,
    online: bool,
    /// By how many milliseconds its wall clock is wrong.
    wrong: i64,
    /// Its machine sleeps: the process stands still.
    asleep: bool,
    /// How that ended which was under way when it fell asleep.
    missed: Vec<Parcel>,
    /// Counts restarts: what was asked for before one is void.
    generation: u64,
    replies: HashMap<u64, Result<Answer, Refusal>>,
    contacts: BTreeSet<PeerId>,
}

/// Something under way.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Flight {
    at: std::cmp::Reverse<u64>,
    order: std::cmp::Reverse<u64>,
    to: usize,
    what: Parcel,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Parcel {
    Frame { from: usize, generation: u64, ticket: u64, bytes: Vec<u8>, acks: bool },
    Acked { from: usize, generation: u64, ticket: u64 },
    Refused { from: usize, generation: u64, ticket: u64, reason: u8 },
    Lost { from: usize, generation: u64, ticket: u64 },
    Ask { from: usize, generation: u64, ticket: u64, want: bool },
    Bundle { from: usize, generation: u64, ticket: u64, card: Vec<u8>, prekey: Option<Vec<u8>> },
    Connected { from: usize },
    Unreachable { from: usize, generation: u64 },
    Question { from: usize, generation: u64, ticket: u64, anonymous: bool, bytes: Vec<u8>, answered: bool },
    Answer { from: usize, mailbox: PeerId, generation: u64, ticket: u64, bytes: Option<Vec<u8>> },
    Card { from: usize, peer: PeerId, generation: u64, ticket: u64, card: Option<Vec<u8>>, asked: u32 },
    Waited { from: usize, request: u64 },
}

impl Parcel {
    fn from(&self) -> usize {
        match self {
            Self::Frame { from, .. }
            | Self::Acked { from, .. }
            | Self::Refused { from, .. }
            | Self::Lost { from, .. }
            | Self::Ask { from, .. }
            | Self::Bundle { from, .. }
            | Self::Connected { from }
            | Self::Question { from, .. }
            | Self::Answer { from, .. }
            | Self::Card { from, .. }
            | Self::Waited { from, .. }
            | Self::Unreachable { from, .. } => *from,
        }
    }
}

/// What left a node towards another, as an observer on the wire (inside Noise) sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Envelope(usize),
    Acknowledge,
    Refuse(RefuseReason),
    Card,
}

/// Whoever asks in no name of his own.
const ANONYMOUS: PeerId = PeerId::from_key_bytes([0x55; 32]);

type Pending = (usize, u64, u64, bool);

pub struct World {
    seed: u64,
    now: u64,
    order: u64,
    weather: Weather,
    rng: ChaCha20Rng,
    nodes: Vec<Node>,
    by_id: HashMap<PeerId, usize>,
    flights: BinaryHeap<Flight>,
    /// When whose timer rings.
    timers: BTreeSet<(u64, usize)>,
    links: BTreeSet<(usize, usize)>,
    /// Who cannot connect with whom.
    walls: BTreeSet<(usize, usize)>,
    tokens: BTreeMap<FrameToken, Pending>,
    requests: BTreeMap<u64, (usize, u64, u64)>,
    next: u64,
    seen: BTreeMap<(usize, usize), Vec<Seen>>,
    envelopes: BTreeMap<(usize, usize), Vec<u8>>,
    /// Cards in the hash table.
    pub table: Table,
    mail: mail::Post,
    crowd: crowd::Crowd,
    /// Whose next envelope to whom is lost.
    losing: BTreeSet<(usize, usize)>,
    /// Shows all that leaves a messenger: for a look at a failing seed.
    trace: bool,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the seed of this world was {} ({:?})", self.seed, self.weather);
        }
    }
}

impl World {
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self {
            seed,
            now: 0,
            order: 0,
            weather,
            rng: ChaCha20Rng::seed_from_u64(seed),
            nodes: Vec::new(),
            by_id: HashMap::new(),
            flights: BinaryHeap::new(),
            timers: BTreeSet::new(),
            links: BTreeSet::new(),
            walls: BTreeSet::new(),
            tokens: BTreeMap::new(),
            requests: BTreeMap::new(),
            next: 1,
            seen: BTreeMap::new(),
            envelopes: BTreeMap::new(),
            table: Table::default(),
            mail: mail::Post::default(),
            crowd: crowd::Crowd::default(),
            losing: BTreeSet::new(),
            trace: std::env::var_os("ROHRPOST_TRACE").is_some(),
        }
    }

    /// A new identity with a node that is on.
    pub fn join(&mut self, name: impl Into<String>) -> Who {
        let name = name.into();
        let mut rng = ChaCha20Rng::seed_from_u64(self.rng.next_u64());
        let me = IdentityKeypair::generate(&mut rng);
        let node = Node {
            name: name.clone(),
            seed: me.seed(),
            store_key: Secret::random(&mut rng),
            id: me.peer_id(),
            dir: folder(),
            messenger: None,
            rng,
            wake: NEVER,
            online: true,
            wrong: 0,
            asleep: false,
            missed: Vec::new(),
            generation: 0,
            replies: HashMap::new(),
            contacts: BTreeSet::new(),
        };
        let index = self.nodes.len();
        self.by_id.insert(node.id, index);
        self.nodes.push(node);
        self.load(index);
        self.handle(index, vec![Input::Command(0, Command::SetName { name })]);
        Who(index)
    }

    // ---- What a person does ---------------------------------------------------------------------

    pub fn say(&mut self, from: Who, to: Who, text: &str) -> MessageId {
        self.try_say(from, to, text).unwrap()
    }

    /// Says something that lives so long.
    pub fn whisper(&mut self, from: Who, to: Who, text: &str, life: Millis) -> MessageId {
        self.try_whisper(from, to, text, Some(life)).unwrap()
    }

    pub fn try_say(&mut self, from: Who, to: Who, text: &str) -> Result<MessageId, Refusal> {
        self.try_whisper(from, to, text, None)
    }

    /// Says something that lives so long, or for ever.
    pub fn try_whisper(
        &mut self,
        from: Who,
        to: Who,
        text: &str,
        expires: Option<Millis>,
    ) -> Result<MessageId, Refusal> {
        let to = self.id(to);
        let mut command = SendCommand { accept: true, ..SendCommand::text(to, text) };
        command.draft.expires = expires;
        self.send(from, command).map(|view| view.message_id)
    }

    pub fn send(&mut self, from: Who, command: SendCommand) -> Result<Message, Refusal> {
        match self.command(from, Command::Send(command))? {
            Answer::Sent(view) => Ok(*view),
            other => panic!("a send answered {other:?}"),
        }
    }

    pub fn command(&mut self, who: Who, command: Command) -> Result<Answer, Refusal> {
        self.next += 1;
        let number = self.next;
        self.handle(who.0, vec![Input::Command(number, command)]);
        self.nodes[who.0].replies.remove(&number).expect("every command is answered")
    }

    pub fn accept(&mut self, who: Who, peer: Who) {
        let peer = self.id(peer);
        self.command(who, Command::AcceptRequest(peer)).unwrap();
    }

    // ---- What happens to a node -----------------------------------------------------------------

    /// Takes a node off the network; its store can still be used.
    pub fn leave(&mut self, who: Who) {
        self.nodes[who.0].online = false;
        self.cut(who.0);
        self.load(who.0);
    }

    /// Brings it back.
    pub fn come(&mut self, who: Who) {
        self.nodes[who.0].online = true;
        self.table.forget(&self.nodes[who.0].id, true);
        self.load(who.0);
    }

    /// Drops the messenger and loads it from its store; connections break.
    pub fn restart(&mut self, who: Who) {
        self.cut(who.0);
        self.load(who.0);
    }

    /// Replaces the store by an empty one with the same identity: all state is lost.
    pub fn lose_state(&mut self, who: Who) {
        self.cut(who.0);
        self.nodes[who.0].messenger = None;
        self.nodes[who.0].dir = folder();
        self.load(who.0);
    }

    /// A copy of the data folder, as a person makes one.
    pub fn copy_folder(&mut self, who: Who) -> tempfile::TempDir {
        self.cut(who.0);
        self.nodes[who.0].messenger = None;
        let copy = folder();
        copy_into(self.nodes[who.0].dir.path(), copy.path());
        self.load(who.0);
        copy
    }

    /// Another folder of the same person takes the place of the one in use.
    pub fn swap_folder(&mut self, who: Who, other: &mut tempfile::TempDir) {
        self.cut(who.0);
        self.nodes[who.0].messenger = None;
        std::mem::swap(&mut self.nodes[who.0].dir, other);
        self.load(who.0);
    }

    /// The network forgets what is under way between nodes, and connections break.
    fn cut(&mut self, index: usize) {
        let broken: Vec<_> = self.links.iter().copied().filter(|(a, b)| *a == index || *b == index).collect();
        self.links.retain(|link| !broken.contains(link));
        self.questions_die(index);
        // What was on the broken streams is gone; what was read from them is not.
        let flights = std::mem::take(&mut self.flights);
        // That somebody was not there is known to who has dialled, whatever becomes of the other.
        let is_kept =
            |f: &Flight| f.to != index && (f.what.from() != index || matches!(f.what, Parcel::Unreachable { .. }));
        self.flights = flights.into_iter().filter(is_kept).collect();
        let reload = std::mem::take(&mut self.weather.reload);
        for (a, b) in broken {
            let other = a + b - index;
            let (here, there) = (self.nodes[index].id, self.nodes[other].id);
            self.handle(other, vec![Input::Net(Event::Disconnected(here))]);
            self.handle(index, vec![Input::Net(Event::Disconnected(there))]);
        }
        self.weather.reload = reload;
    }

    fn load(&mut self, index: usize) {
        let now = self.clock_of(index);
        let node = &mut self.nodes[index];
        node.generation += 1;
        node.contacts.clear();
        // The old one must let go of the folder first.
        drop(node.messenger.take());
        let store = Store::open(node.dir.path(), &node.store_key, &mut node.rng, now).unwrap();
        let me = IdentityKeypair::from_seed(&node.seed);
        let (messenger, outputs) = Messenger::open(store, me, now, &mut node.rng).unwrap();
        node.messenger = Some(messenger);
        self.carry_out(index, outputs);
    }

    // ---- Time -----------------------------------------------------------------------------------

    fn clock(&self) -> Now {
        Now { wall: WallTime(EPOCH + self.now), mono: MonoTime(self.now) }
    }

    /// The clocks of one machine: that of the wall may be wrong.
    fn clock_of(&self, index: usize) -> Now {
        let now = self.clock();
        Now { wall: WallTime(now.wall.0.saturating_add_signed(self.nodes[index].wrong)), ..now }
    }

    /// Somebody's wall clock is set so many milliseconds beside the right time.
    pub fn set_clock(&mut self, who: Who, wrong: i64) {
        self.nodes[who.0].wrong = wrong;
    }

    /// From now on the network is kind.
    pub const fn calm(&mut self) {
        self.weather = Weather::CALM;
    }

    /// Milliseconds since the world began.
    pub const fn now(&self) -> u64 {
        self.now
    }

    /// Lets the world run for a while.
    pub fn pass(&mut self, span: Millis) {
        let end = self.now + span.0;
        let mut steps = 0_u64;
        loop {
            steps += 1;
            assert!(steps < 200_000, "the world does not come to rest");
            let flight = self.flights.peek().map(|f| f.at.0);
            let timer = self.timers.first().map(|(at, _)| *at);
            let next = [flight, timer].into_iter().flatten().min().filter(|at| *at <= end);
            let Some(at) = next else { break };
            self.now = self.now.max(at);
            if flight == Some(at) {
                let flight = self.flights.pop().unwrap();
                self.land(flight);
            } else {
                let (_, index) = *self.timers.first().unwrap();
                self.set_timer(index, NEVER);
                self.handle(index, vec![Input::Timer]);
            }
        }
        self.now = end;
    }

    fn set_timer(&mut self, index: usize, at: u64) {
        let wake = &mut self.nodes[index].wake;
        self.timers.remove(&(*wake, index));
        *wake = at;
        if at != NEVER {
            self.timers.insert((at, index));
        }
    }

    /// Lets the world come to rest: long enough for every retry in this weather.
    pub fn settle(&mut self) {
        let calm = self.weather.drop == 0 && self.weather.drop_ack == 0;
        self.pass(if calm { Millis::from_secs(120) } else { Millis::from_hours(30) });
    }

    // ---- What an observer sees --------------------------------------------------------------------

    pub fn id(&self, who: Who) -> PeerId {
        self.nodes[who.0].id
    }

    pub fn rows(&self, who: Who) -> Reader {
        self.nodes[who.0].messenger.as_ref().unwrap().reader()
    }

    /// Texts of a conversation, oldest first, ours with a mark for their state.
    pub fn talk(&self, who: Who, with: Who) -> Vec<String> {
        self.history(who, with).into_iter().map(|m| format!("{}{}", mark(&m), m.text)).collect()
    }

    pub fn history(&self, who: Who, with: Who) -> Vec<Message> {
        query::history(&self.rows(who), self.id(who), &self.id(with), None, 1000, self.clock_of(who.0).wall).unwrap()
    }

    pub fn texts(&self, who: Who, with: Who, direction: Direction) -> Vec<String> {
        self.history(who, with).into_iter().filter(|m| m.direction == direction).map(|m| m.text).collect()
    }

    pub fn state(&self, who: Who, id: &MessageId) -> State {
        query::message(&self.rows(who), self.id(who), id, self.clock_of(who.0).wall)
            .unwrap()
            .expect("the message is there")
            .state
    }

    pub fn requests(&self, who: Who) -> Vec<Request> {
        query::requests(&self.rows(who), self.clock_of(who.0).wall).unwrap()
    }

    pub fn contact(&self, who: Who, peer: Who) -> Option<Contact> {
        query::contact(&self.rows(who), self.id(who), &self.id(peer)).unwrap()
    }

    pub fn unread(&self, who: Who) -> u64 {
        query::counts(&self.rows(who), self.id(who), self.clock_of(who.0).wall).unwrap().unread
    }

    pub fn events(&self, who: Who) -> Vec<EventKind> {
        query::events(&self.rows(who), 0, 1000).unwrap().into_iter().map(|e| e.kind).collect()
    }

    /// What somebody was told, and when.
    pub fn told(&self, who: Who) -> Vec<(EventKind, u64)> {
        let events = query::events(&self.rows(who), 0, 10_000).unwrap();
        events.into_iter().map(|event| (event.kind, event.at.0.saturating_sub(EPOCH))).collect()
    }

    /// Whose peer ID this is.
    pub fn who(&self, peer: &PeerId) -> Who {
        Who(self.by_id[peer])
    }

    pub fn token(&self, who: Who) -> RequestToken {
        query::link(&self.rows(who), self.id(who)).unwrap().unwrap().token.unwrap()
    }

    /// Everything that went from one node to another so far.
    pub fn seen(&self, from: Who, to: Who) -> Vec<Seen> {
        self.seen.get(&(from.0, to.0)).cloned().unwrap_or_default()
    }

    // ---- The network ----------------------------------------------------------------------------

    fn handle(&mut self, index: usize, inputs: Vec<Input>) {
        let now = self.clock_of(index);
        let node = &mut self.nodes[index];
        let messenger = node.messenger.as_mut().expect("it runs");
        let outputs = messenger.handle(inputs, now, &mut node.rng);
        while messenger.idle(now, &mut node.rng) {}
        self.carry_out(index, outputs);
        if self.weather.reload > 0 && self.rng.next_u64() % 100 < self.weather.reload {
            self.load_quietly(index);
        }
    }

    /// The process dies and is started again at once: streams break, connections come back.
    fn load_quietly(&mut self, index: usize) {
        let weather = self.weather;
        self.weather.reload = 0;
        let peers: Vec<usize> =
            self.links.iter().filter(|(a, b)| *a == index || *b == index).map(|(a, b)| a + b - index).collect();
        self.cut(index);
        self.load(index);
        for other in peers {
            self.links.insert((index.min(other), index.max(other)));
            self.post(index, Parcel::Connected { from: other });
            self.post(other, Parcel::Connected { from: index });
        }
        self.weather = weather;
    }

    fn carry_out(&mut self, index: usize, outputs: Vec<Output>) {
        for output in outputs {
            self.one(index, output);
        }
    }

    fn one(&mut self, index: usize, output: Output) {
        if self.trace {
            eprintln!("{:>9} {:>6} ⇒ {}", self.now, self.nodes[index].name, brief(&output));
        }
        let generation = self.nodes[index].generation;
        match output {
            Output::Reply(number, answer) => {
                self.nodes[index].replies.insert(number, answer);
            }
            Output::Net(Order::Connect { peer, .. }) => self.connect(index, peer),
            Output::Net(Order::Send { peer, ticket, bytes }) => self.transmit(index, peer, ticket, &bytes),
            Output::Net(Order::FetchBundle { peer, ticket, want_prekey }) => {
                let to = self.by_id[&peer];
                if self.linked(index, to) {
                    self.post(to, Parcel::Ask { from: index, generation, ticket, want: want_prekey });
                } else {
                    self.post(index, Parcel::Unreachable { from: to, generation });
                    self.handle(index, vec![Input::Net(Event::BundleFailed { peer, ticket })]);
                }
            }
            Output::Net(Order::Acknowledge(token)) => {
                let (from, old, ticket, acks) = self.tokens.remove(&token).expect("answered once");
                self.note(index, from, Seen::Acknowledge);
                if from == crowd::NOBODY {
                    self.crowd.letters.insert(ticket, Ok(()));
                } else if acks {
                    self.post(from, Parcel::Acked { from: index, generation: old, ticket });
                }
            }
            Output::Net(Order::Refuse(token, reason)) => {
                let (from, old, ticket, _) = self.tokens.remove(&token).expect("answered once");
                self.note(index, from, Seen::Refuse(reason));
                if from == crowd::NOBODY {
                    self.crowd.letters.insert(ticket, Err(reason));
                    return;
                }
                let reason = reason_number(reason);
                self.post(from, Parcel::Refused { from: index, generation: old, ticket, reason });
            }
            Output::Net(Order::AnswerBundle { request, card, prekey }) => {
                let (from, old, ticket) = self.requests.remove(&request).expect("answered once");
                self.note(index, from, Seen::Card);
                if from == crowd::NOBODY {
                    return self.crowd.card(ticket, card);
                }
                self.post(from, Parcel::Bundle { from: index, generation: old, ticket, card, prekey });
            }
            Output::Net(Order::Class { peer, class }) => {
                let contacts = &mut self.nodes[index].contacts;
                if class == Class::Contact {
                    contacts.insert(peer)
                } else {
                    contacts.remove(&peer)
                };
            }
            Output::Net(Order::AskMailbox { ticket, mailbox, anonymous, question, .. }) => {
                self.ask_mailbox(index, ticket, mailbox, anonymous, question);
            }
            Output::Net(Order::AnswerMail { request, answer }) => self.answer_mail(index, request, &answer),
            Output::Net(Order::HoldMail { request }) => self.hold_mail(index, request),
            Output::Net(Order::RingMail { owner }) => self.ring_mail(index, owner),
            Output::Net(Order::FindCard { peer, ticket }) => self.find_card(index, peer, ticket),
            Output::Net(Order::PublishCard { owner, card }) => self.publish(index, owner, &card),
            Output::Events(_) => {}
            Output::WakeAt(at) => self.set_timer(index, at.0.max(self.now + 1)),
        }
    }

    /// The next envelope of the one to the other never arrives.
    pub fn lose_next(&mut self, from: Who, to: Who) {
        self.losing.insert((from.0, to.0));
    }

    /// From now on the two cannot connect, whoever dials; both may be on.
    pub fn wall(&mut self, a: Who, b: Who) {
        let pair = (a.0.min(b.0), a.0.max(b.0));
        self.walls.insert(pair);
        self.links.remove(&pair);
        for (who, other) in [(a, b), (b, a)] {
            self.handle(who.0, vec![Input::Net(Event::Disconnected(self.id(other)))]);
        }
    }

    fn connect(&mut self, index: usize, peer: PeerId) {
        let generation = self.nodes[index].generation;
        let on = |to: &usize| self.nodes[*to].online && self.nodes[index].online;
        let free = |to: &usize| !self.walls.contains(&(index.min(*to), index.max(*to)));
        let reachable = self.by_id.get(&peer).copied().filter(|to| on(to) && free(to));
        match reachable {
            Some(to) => {
                let new = self.links.insert((index.min(to), index.max(to)));
                self.post(index, Parcel::Connected { from: to });
                if new {
                    self.post(to, Parcel::Connected { from: index });
                }
            }
            None => {
                let from = self.by_id.get(&peer).copied().unwrap_or(usize::MAX);
                self.post(index, Parcel::Unreachable { from, generation });
            }
        }
    }

    fn transmit(&mut self, index: usize, peer: PeerId, ticket: u64, bytes: &Arc<[u8]>) {
        let generation = self.nodes[index].generation;
        let to = self.by_id[&peer];
        self.note(index, to, Seen::Envelope(bytes.len()));
        self.envelopes.insert((index, to), bytes.to_vec());
        let dice = self.rng.next_u64() % 100;
        let Weather { drop, drop_ack, double, .. } = self.weather;
        let lost = Parcel::Lost { from: to, generation, ticket };
        if !self.linked(index, to) || dice < drop || self.losing.remove(&(index, to)) {
            return self.post(index, lost);
        }
        let acks = dice >= drop + drop_ack;
        if !acks {
            self.post(index, lost);
        }
        if self.rng.next_u64() % 100 < double {
            let copy = Parcel::Frame { from: index, generation, ticket, bytes: bytes.to_vec(), acks: false };
            self.post(to, copy);
        }
        self.post(to, Parcel::Frame { from: index, generation, ticket, bytes: bytes.to_vec(), acks });
    }

    fn post(&mut self, to: usize, what: Parcel) {
        self.order += 1;
        let delay = if self.weather.delay == 0 { 1 } else { 1 + self.rng.next_u64() % self.weather.delay };
        let (at, order) = (std::cmp::Reverse(self.now + delay), std::cmp::Reverse(self.order));
        self.flights.push(Flight { at, order, to, what });
    }

    fn land(&mut self, flight: Flight) {
        let to = flight.to;
        if self.nodes[to].asleep {
            return self.misses(to, &flight);
        }
        let current = self.nodes[to].generation;
        let input = match flight.what {
            Parcel::Frame { from, generation, ticket, bytes, acks } => {
                if !self.nodes[to].online {
                    return;
                }
                self.next += 1;
                let token = FrameToken { stream: from as u64, frame: self.next };
                self.tokens.insert(token, (from, generation, ticket, acks));
                Event::Envelope { from: self.nodes[from].id, origin: None, token, bytes }
            }
            Parcel::Ask { from, generation, ticket, want } => {
                self.next += 1;
                self.requests.insert(self.next, (from, generation, ticket));
                Event::BundleRequested { from: self.nodes[from].id, request: self.next, want_prekey: want }
            }
            Parcel::Acked { from, generation, ticket } if generation == current => {
                Event::Acked { peer: self.nodes[from].id, ticket }
            }
            Parcel::Refused { from, generation, ticket, reason } if generation == current => {
                Event::Refused { peer: self.nodes[from].id, ticket, reason: REASONS[usize::from(reason)] }
            }
            Parcel::Lost { from, generation, ticket } if generation == current => {
                Event::Lost { peer: self.nodes[from].id, ticket }
            }
            Parcel::Bundle { from, generation, ticket, card, prekey } if generation == current => {
                Event::Bundle { peer: self.nodes[from].id, ticket, card, prekey }
            }
            Parcel::Question { from, generation, ticket, anonymous, bytes, answered } => {
                return self.question_lands(to, from, generation, ticket, anonymous, bytes, answered);
            }
            Parcel::Waited { request, .. } => return self.wait_over(to, request),
            Parcel::Answer { mailbox, generation, ticket, bytes, .. } if generation == current => match bytes {
                Some(answer) => Event::MailAnswered { mailbox, ticket, answer },
                None => Event::MailFailed { mailbox, ticket },
            },
            Parcel::Card { peer, generation, ticket, card, asked, .. } if generation == current => match card {
                Some(card) => Event::CardFound { peer, ticket, card },
                None => Event::CardNotFound { peer, ticket, asked },
            },
            Parcel::Connected { from } if self.linked(from, to) => Event::Connected(self.nodes[from].id),
            Parcel::Unreachable { from, generation } if generation == current && from < self.nodes.len() => {
                Event::Unreachable(self.nodes[from].id)
            }
            // Told to a process that is no more.
            _ => return,
        };
        self.handle(to, vec![Input::Net(input)]);
    }

    fn linked(&self, a: usize, b: usize) -> bool {
        self.links.contains(&(a.min(b), a.max(b)))
    }

    fn note(&mut self, from: usize, to: usize, what: Seen) {
        self.seen.entry((from, to)).or_default().push(what);
    }

    /// Hands a node an envelope as if `from` had sent it; what comes back is in [`World::seen`].
    pub fn inject(&mut self, from: Who, to: Who, bytes: Vec<u8>) {
        let generation = self.nodes[from.0].generation;
        self.links.insert((from.0.min(to.0), from.0.max(to.0)));
        let frame = Parcel::Frame { from: from.0, generation, ticket: u64::MAX, bytes, acks: false };
        self.post(to.0, frame);
    }

    /// The last envelope that went from one to the other.
    pub fn last_envelope(&self, from: Who, to: Who) -> Option<Vec<u8>> {
        self.envelopes.get(&(from.0, to.0)).cloned()
    }

    pub fn name(&self, who: Who) -> &str {
        &self.nodes[who.0].name
    }
}

/// A folder in memory where there is one: these tests drop and open stores thousands of times, and
/// what a disk does at a power cut is not their subject.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

fn copy_into(from: &std::path::Path, to: &std::path::Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            std::fs::create_dir(&to).unwrap();
            copy_into(&from, &to);
        } else {
            std::fs::copy(from, to).unwrap();
        }
    }
}

fn brief(output: &Output) -> String {
    match output {
        Output::Net(Order::Send { peer, ticket, bytes }) => format!("Send({peer:?}, {ticket}, {} bytes)", bytes.len()),
        Output::Net(Order::AnswerBundle { request, .. }) => format!("AnswerBundle({request})"),
        other => format!("{other:?}"),
    }
}

const REASONS: [RefuseReason; 6] = [
    RefuseReason::Unsupported,
    RefuseReason::Malformed,
    RefuseReason::PrekeyUnknown,
    RefuseReason::SessionUnknown,
    RefuseReason::TooMany,
    RefuseReason::Unavailable,
];

fn reason_number(reason: RefuseReason) -> u8 {
    u8::try_from(REASONS.iter().position(|r| *r == reason).unwrap()).unwrap()
}

fn mark(message: &Message) -> &'static str {
    match (message.direction, message.state) {
        (Direction::In, _) => "< ",
        (_, State::Queued) => "> (queued) ",
        (_, State::Sent) => "> (sent) ",
        (_, State::Delivered) => "> (delivered) ",
        (_, State::Read) => "> (read) ",
        (_, State::Undelivered) => "> (undelivered) ",
        (_, State::Received) => "> (received?) ",
    }
}
