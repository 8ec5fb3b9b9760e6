//! Messengers in one process, driven by hand, and a look at their disks with the keys at hand.

mod disk;
mod wires;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::command::{Answer, Command, Refusal, SendCommand};
use super::io::{Event, FrameToken, Input, Output};
use super::tables::HeldMessage;
use super::tx::Tx;
use super::{Messenger, query};
use crate::base::event::EventKind;
use crate::base::shown::Message;
use crate::base::{MessageId, Millis, MonoTime, Now, PeerId, Secret};
use crate::content::mimi::Vanishes;
use crate::content::{self, Capsule, Item, mimi};
use crate::envelope::{self, EnvelopeKind};
use crate::identity::{CardIn, IdentityKey, IdentityKeypair};
use crate::session::{RemoteBundle, SessionSet};
use crate::store::testing::{Dump, Place};
use crate::store::{Reader, Rows};

/// How often timers may ring at one moment.
const MAX_RINGS: u32 = 2000;

/// One messenger, and everything that was ever on its disk.
pub(crate) struct Desk {
    pub(crate) place: Place,
    seed: Secret<32>,
    pub(crate) id: PeerId,
    messenger: Option<Messenger>,
    wake: MonoTime,
    /// What a thief copied at various times.
    copies: Vec<Dump>,
}

impl Desk {
    pub(crate) fn set_disk_low(&mut self, is_low: bool) {
        self.messenger.as_mut().unwrap().set_disk_low(is_low);
    }
}

/// Several of them.
pub(crate) struct Office {
    pub(crate) desks: Vec<Desk>,
    pub(crate) now: Now,
    /// Whether they reach each other.
    pub(crate) online: bool,
    /// Whether letters disappear on the way, and nobody learns of it.
    pub(crate) loses_letters: bool,
    queue: VecDeque<(usize, Input)>,
    links: BTreeSet<(usize, usize)>,
    reply: Option<Result<Answer, Refusal>>,
    /// Whether mailboxes, which desks are for each other, and the hash table are reached.
    pub(crate) mail: bool,
    /// Whether of the questions to mailboxes that leave together the last arrives first.
    pub(crate) mail_overtakes: bool,
    /// Questions to mailboxes, as they left: who asked whom, whether in his own name, and what.
    pub(crate) questions: Vec<(usize, PeerId, bool, Vec<u8>)>,
    /// Questions that mailboxes hold, by mailbox and owner.
    pub(crate) held: BTreeMap<(usize, PeerId), u64>,
    /// Cards in the hash table.
    pub(crate) table: BTreeMap<PeerId, Vec<u8>>,
    /// The last envelope of each.
    pub(crate) envelopes: BTreeMap<usize, Vec<u8>>,
}

impl Office {
    /// So many, who reach each other.
    pub(crate) fn new(desks: u64) -> Self {
        Self::begun(desks, Place::new(0).now)
    }

    /// The same, when the clocks stand there.
    pub(crate) fn begun(desks: u64, now: Now) -> Self {
        let mut office = Self {
            desks: Vec::new(),
            now,
            online: true,
            loses_letters: false,
            mail: true,
            mail_overtakes: false,
            questions: Vec::new(),
            held: BTreeMap::new(),
            table: BTreeMap::new(),
            queue: VecDeque::new(),
            links: BTreeSet::new(),
            reply: None,
            envelopes: BTreeMap::new(),
        };
        for seed in 0..desks {
            let mut place = Place::new(seed + 1);
            let me = IdentityKeypair::generate(&mut place.rng);
            let (seed, id) = (me.seed(), me.peer_id());
            office.desks.push(Desk { place, seed, id, messenger: None, wake: MonoTime(0), copies: Vec::new() });
            office.open(office.desks.len() - 1);
        }
        office
    }

    /// The same people once more, with copies of their disks. All must be closed, and are opened then.
    pub(crate) fn copy(&self) -> Self {
        let mut copy = Self { now: self.now, table: self.table.clone(), ..Self::new(0) };
        for desk in &self.desks {
            let (place, seed, id) = (desk.place.copy(), desk.seed.clone(), desk.id);
            copy.desks.push(Desk { place, seed, id, messenger: None, wake: MonoTime(u64::MAX), copies: Vec::new() });
        }
        (0..copy.desks.len()).for_each(|who| copy.open(who));
        copy
    }

    /// Two contacts with a confirmed session.
    pub(crate) fn pair() -> Self {
        let mut office = Self::new(2);
        office.befriend(0, 1);
        office
    }

    pub(crate) fn befriend(&mut self, a: usize, b: usize) {
        self.say(a, b, "hello");
        let peer = self.id(a);
        self.command(b, Command::AcceptRequest(peer)).unwrap();
        self.say(b, a, "hello");
    }

    pub(crate) fn id(&self, who: usize) -> PeerId {
        self.desks[who].id
    }

    pub(crate) fn rows(&self, who: usize) -> Reader {
        self.desks[who].messenger.as_ref().unwrap().reader()
    }

    /// Somebody's keys.
    pub(crate) fn identity(&self, who: usize) -> IdentityKeypair {
        IdentityKeypair::from_seed(&self.desks[who].seed)
    }

    /// Somebody's card, as it is signed.
    pub(crate) fn card_of(&self, who: usize) -> Vec<u8> {
        let row = self.rows(who).get::<super::tables::Profile>(&crate::store::RowKey::new()).unwrap();
        row.unwrap().card
    }

    /// The first contact of a session that somebody begins with another's card, apart from those that his messenger knows; the
    /// number makes it another.
    pub(crate) fn first_contact(&self, from: usize, to: usize, number: u64, text: &str) -> Vec<u8> {
        let (me, peer) = (self.id(from), self.id(to));
        let (sender, room) = (content::sender_uri(me), content::direct_room_uri(me, peer));
        let body = mimi::text([1; 16], &sender, &room, number + 1, text, None).encode();
        self.first_contact_of(from, to, number, vec![Item::Message { sent_at: self.now.wall, body }])
    }

    /// The same, and what it says.
    pub(crate) fn first_contact_of(&self, from: usize, to: usize, number: u64, items: Vec<Item>) -> Vec<u8> {
        let (me, now) = (self.identity(from), self.now.wall);
        let mut rng = ChaCha20Rng::seed_from_u64(number);
        let owner = IdentityKey::from_peer_id(self.id(to)).unwrap();
        let card = CardIn::decode(&self.card_of(to)).unwrap().verify(&owner, now).unwrap();
        let mut sessions = SessionSet::default();
        sessions.begin(&me, &RemoteBundle::of_card(&card), &mut rng, now).unwrap();
        let sealed = sessions.encrypt(&Capsule { items }.encode(), &mut rng, now).unwrap();
        envelope::encode(EnvelopeKind::FirstContact, &sealed.payload).unwrap()
    }

    /// How far what waits for another is at somebody's, as rows say.
    pub(crate) fn waiting(&self, who: usize, with: usize) -> Vec<super::tables::Way> {
        let (rows, peer) = (self.rows(who), super::tables::peer_key(&self.id(with)));
        let anew = rows.get::<super::tables::Reaches>(&peer).unwrap().map_or(0, |row| row.anew);
        let waiting = rows.scan::<super::tables::Outbox>(&crate::store::Scan::new(peer)).unwrap();
        waiting.into_iter().map(|(_, row)| row.way_now(anew)).collect()
    }

    /// How many messages of somebody are not delivered.
    pub(crate) fn undelivered(&self, who: usize) -> u64 {
        self.desks[who].messenger.as_ref().unwrap().waiting()
    }

    /// Somebody's sessions with another.
    pub(crate) fn sessions(&self, who: usize, with: usize) -> SessionSet {
        super::sessions::load(&self.rows(who), self.id(who), &self.id(with)).unwrap()
    }

    /// Changes rows behind a messenger's back.
    pub(super) fn tx(&mut self, who: usize, change: impl FnOnce(&mut Tx<'_>)) {
        let (now, desk) = (self.now, &mut self.desks[who]);
        let messenger = desk.messenger.as_mut().unwrap();
        messenger.mem.clock.look(now);
        let mut buf = messenger.store.begin();
        change(&mut messenger.tx(&mut buf, &mut Vec::new(), now, &mut desk.place.rng));
        messenger.mem.receipts.clear();
        messenger.mem.marks.clear();
        messenger.store.commit(buf, &mut desk.place.rng).unwrap();
    }

    pub(crate) fn send(&mut self, from: usize, command: SendCommand) -> Result<Message, Refusal> {
        match self.command(from, Command::Send(command))? {
            Answer::Sent(view) => Ok(*view),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn say(&mut self, from: usize, to: usize, text: &str) -> MessageId {
        let command = self.text(to, text);
        self.send(from, command).unwrap().message_id
    }

    /// A message that lives so long.
    pub(crate) fn whisper(&mut self, from: usize, to: usize, text: &str, life: Millis) -> MessageId {
        let mut command = self.text(to, text);
        command.draft.expires = Some(life);
        self.send(from, command).unwrap().message_id
    }

    /// So many messages of somebody arrive in one commit; they live so long, or for ever.
    pub(crate) fn receive(&mut self, who: usize, from: usize, text: &str, life: Option<Millis>, count: u64) {
        let (peer, me, now) = (self.id(from), self.id(who), self.now.wall);
        let (sender, room) = (content::sender_uri(peer), content::direct_room_uri(me, peer));
        self.tx(who, |tx| {
            for _ in 0..count {
                let mut salt = [0; 16];
                tx.rng.fill_bytes(&mut salt);
                let body = mimi::text(salt, &sender, &room, 1, text, None).encode();
                let id = content::message_id(&sender, &room, &body, &salt);
                let vanishes = life.map(|life| Vanishes::At(now + life));
                let held =
                    HeldMessage { id, sent_at: now, received_at: now, counter: 0, body, subject: None, vanishes };
                tx.insert_incoming(peer, held).unwrap();
            }
        });
    }

    pub(crate) fn text(&self, to: usize, text: &str) -> SendCommand {
        // Whoever asks is accepted, as with everything that is said here.
        SendCommand { accept: true, ..SendCommand::text(self.id(to), text) }
    }

    pub(crate) fn command(&mut self, who: usize, command: Command) -> Result<Answer, Refusal> {
        self.queue.push_back((who, Input::Command(1, command)));
        self.run();
        self.reply.take().unwrap()
    }

    /// Hands in what somebody is said to have sent.
    pub(crate) fn inject(&mut self, from: usize, to: usize, bytes: Vec<u8>) {
        let token = FrameToken { stream: u64::MAX, frame: 0 };
        self.queue.push_back((to, Input::Net(Event::Envelope { from: self.id(from), origin: None, token, bytes })));
        self.run();
    }

    /// Hands inputs to one messenger in one commit; what follows from it is not carried out.
    pub(crate) fn hand_in(&mut self, who: usize, inputs: Vec<Input>) -> Vec<Output> {
        let (now, desk) = (self.now, &mut self.desks[who]);
        let messenger = desk.messenger.as_mut().unwrap();
        let outputs = messenger.handle(inputs, now, &mut desk.place.rng);
        assert!(messenger.mem.links_are_in_order());
        outputs
    }

    /// Nothing waits at somebody's. Whether there was something to be done ahead.
    pub(crate) fn idle(&mut self, who: usize) -> bool {
        let (now, desk) = (self.now, &mut self.desks[who]);
        desk.messenger.as_mut().unwrap().idle(now, &mut desk.place.rng)
    }

    /// Hands inputs to one of them, and carries out what follows, all that waits for one in one commit.
    pub(crate) fn in_commits(&mut self, who: usize, inputs: Vec<Input>) {
        self.queue.extend(inputs.into_iter().map(|input| (who, input)));
        loop {
            for (who, desk) in self.desks.iter_mut().enumerate().filter(|(_, desk)| desk.wake <= self.now.mono) {
                desk.wake = MonoTime(u64::MAX);
                self.queue.push_back((who, Input::Timer));
            }
            let Some((who, _)) = self.queue.front() else { return };
            let who = *who;
            let (his, others) = std::mem::take(&mut self.queue).into_iter().partition(|(other, _)| *other == who);
            self.queue = others;
            let his: VecDeque<(usize, Input)> = his;
            let outputs = self.hand_in(who, his.into_iter().map(|(_, input)| input).collect());
            self.carry_out(who, outputs);
        }
    }

    /// How many rows somebody's store has put and deleted, by table.
    pub(crate) fn written(&self, who: usize) -> BTreeMap<u8, u64> {
        self.desks[who].messenger.as_ref().unwrap().store.written()
    }

    /// Somebody's store fails: every commit from now on.
    pub(crate) fn break_store(&mut self, who: usize) {
        self.desks[who].messenger.as_ref().unwrap().store.close();
    }

    /// Closes a messenger and its store.
    pub(crate) fn close(&mut self, who: usize) {
        self.desks[who].messenger = None;
    }

    /// It ends with the power: what is on the disk now is there afterwards.
    pub(crate) fn kill(&mut self, who: usize) {
        let desk = &mut self.desks[who];
        let disk = desk.place.copy();
        (desk.messenger, desk.place) = (None, disk);
    }

    pub(crate) fn open(&mut self, who: usize) {
        let outputs = self.opening(who);
        self.carry_out(who, outputs);
        self.run();
    }

    /// Opens a messenger; what follows from it is not carried out.
    pub(crate) fn opening(&mut self, who: usize) -> Vec<Output> {
        self.links.retain(|(a, b)| *a != who && *b != who);
        let desk = &mut self.desks[who];
        desk.messenger = None;
        desk.place.now = self.now;
        let store = desk.place.open().unwrap();
        let me = IdentityKeypair::from_seed(&desk.seed);
        let (messenger, outputs) = Messenger::open(store, me, self.now, &mut desk.place.rng).unwrap();
        desk.messenger = Some(messenger);
        outputs
    }

    /// A copy of somebody's profile is opened beside it; others reach only the first of the two.
    pub(crate) fn twin(&mut self, who: usize) -> usize {
        let desk = &self.desks[who];
        let mut place = desk.place.copy();
        place.rng = ChaCha20Rng::seed_from_u64(1_000 + self.desks.len() as u64);
        let (seed, id) = (desk.seed.clone(), desk.id);
        self.desks.push(Desk { place, seed, id, messenger: None, wake: MonoTime(0), copies: Vec::new() });
        let twin = self.desks.len() - 1;
        self.open(twin);
        twin
    }

    /// Somebody only looks.
    pub(crate) fn rest(&mut self, who: usize) {
        let desk = &mut self.desks[who];
        desk.place.now = self.now;
        let me = IdentityKeypair::from_seed(&desk.seed);
        desk.messenger = Some(Messenger::at_rest(desk.place.open().unwrap(), me).unwrap());
    }

    /// Lets time pass, timers ring.
    pub(crate) fn pass(&mut self, span: Millis) {
        let end = self.now.mono + span;
        let mut rings = 0;
        loop {
            let open = self.desks.iter().enumerate().filter(|(_, desk)| desk.messenger.is_some());
            let Some((at, who)) = open.map(|(i, desk)| (desk.wake, i)).min().filter(|(at, _)| *at <= end) else {
                break;
            };
            rings = if at <= self.now.mono { rings + 1 } else { 0 };
            assert!(rings < MAX_RINGS, "the timer of {who} rings and rings");
            self.forward(at.since(self.now.mono));
            self.desks[who].wake = MonoTime(u64::MAX);
            self.queue.push_back((who, Input::Timer));
            self.run();
        }
        self.forward(end.since(self.now.mono));
    }

    /// Lets much time pass, in which nobody is there.
    pub(crate) fn leap(&mut self, span: Millis) {
        (0..self.desks.len()).for_each(|who| self.close(who));
        self.forward(span);
        (0..self.desks.len()).for_each(|who| self.open(who));
        self.believe();
    }

    /// Everybody says that the clocks are right.
    pub(crate) fn believe(&mut self) {
        for who in (0..self.desks.len()).filter(|who| self.desks[*who].messenger.is_some()).collect::<Vec<_>>() {
            self.command(who, Command::ConfirmClock).unwrap();
        }
        self.pass(Millis(0));
    }

    /// Moves both clocks.
    pub(crate) fn forward(&mut self, span: Millis) {
        self.now = Now { wall: self.now.wall + span, mono: self.now.mono + span };
    }

    pub(crate) fn texts(&self, who: usize, with: usize) -> Vec<String> {
        self.history(who, with).into_iter().map(|message| message.text).collect()
    }

    pub(crate) fn history(&self, who: usize, with: usize) -> Vec<Message> {
        query::history(&self.rows(who), self.id(who), &self.id(with), None, 1000, self.now.wall).unwrap()
    }

    pub(crate) fn events(&self, who: usize) -> Vec<EventKind> {
        query::events(&self.rows(who), 0, 1000).unwrap().into_iter().map(|event| event.kind).collect()
    }

    // ---- The network ----------------------------------------------------------------------------

    fn run(&mut self) {
        while let Some((who, input)) = self.queue.pop_front() {
            let now = self.now;
            let desk = &mut self.desks[who];
            let Some(messenger) = &mut desk.messenger else { continue };
            let outputs = messenger.handle(vec![input], now, &mut desk.place.rng);
            assert!(messenger.mem.links_are_in_order());
            self.carry_out(who, outputs);
        }
    }
}
