//! What one envelope of a contact may cost at most: 64 reads, 64 rows, 8 operations with keys and 64 KiB of rows beside what it
//! says; and for a report so much for each message that it names. A row that is asked for and opened counts as two reads.

use std::collections::BTreeMap;

use crate::base::{MessageId, Millis, limits};
use crate::content::{self, Capsule, Item, Profile, StatusReport, mimi};
use crate::crypto::operations;
use crate::envelope::{self, EnvelopeKind};
use crate::messenger::command::{Answer, Command};
use crate::messenger::io::{Event, FrameToken, Input, Order, Output};
use crate::messenger::tables::{SendingChains, Sessions};
use crate::messenger::testing::Office;
use crate::session::{SealedKind, SessionSet};
use crate::store::{Table, bytes_written, reads};

const ALICE: usize = 0;
const BOB: usize = 1;

/// What something has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cost {
    reads: u64,
    rows: u64,
    operations: u64,
    bytes: u64,
}

/// Alice, and a Bob who seals whatever he likes.
struct Hostile {
    office: Office,
    set: SessionSet,
    counter: u64,
}

impl Hostile {
    fn new() -> Self {
        let mut office = Office::pair();
        // What is due from before is done.
        office.pass(Millis::from_secs(60));
        office.loses_letters = true;
        let set = office.sessions(BOB, ALICE);
        Self { office, set, counter: 1_000 }
    }

    fn seal(&mut self, items: Vec<Item>) -> Vec<u8> {
        self.seal_bytes(&Capsule { items }.encode())
    }

    fn seal_bytes(&mut self, capsule: &[u8]) -> Vec<u8> {
        let now = self.office.now.wall;
        let sealed = self.set.encrypt(capsule, &mut self.office.desks[BOB].place.rng, now).unwrap();
        let kind = if sealed.kind == SealedKind::First { EnvelopeKind::FirstContact } else { EnvelopeKind::Session };
        envelope::encode(kind, &sealed.payload).unwrap()
    }

    /// He begins a session anew, with her card and a one-time prekey.
    fn begins(&mut self) {
        let (alice, bob, now) = (self.office.id(ALICE), self.office.id(BOB), self.office.now.wall);
        let asked = Event::BundleRequested { from: bob, request: 1, want_prekey: true };
        let answer = self.office.hand_in(ALICE, vec![Input::Net(asked)]).into_iter().find_map(|output| match output {
            Output::Net(Order::AnswerBundle { card, prekey, .. }) => Some((card, prekey)),
            _ => None,
        });
        let (card, prekey) = answer.unwrap();
        let mut bundle = None;
        self.office.tx(BOB, |tx| bundle = tx.checked_bundle(alice, &card, prekey.as_deref()).unwrap());
        let me = self.office.identity(BOB);
        self.set.give_up(now);
        self.set.begin(&me, &bundle.unwrap(), &mut self.office.desks[BOB].place.rng, now).unwrap();
    }

    /// A message of so many bytes; it lives so long.
    fn message(&mut self, len: usize, life: Option<Millis>) -> Item {
        self.counter += 1;
        let (alice, bob, now) = (self.office.id(ALICE), self.office.id(BOB), self.office.now.wall);
        let (sender, room) = (content::sender_uri(bob), content::direct_room_uri(alice, bob));
        let salt = *self.counter.to_be_bytes().first_chunk::<8>().unwrap();
        let salt = [salt, [7; 8]].concat().try_into().unwrap();
        let mut content = mimi::text(salt, &sender, &room, self.counter, &"x".repeat(len), None);
        content.expires = life.and_then(|life| mimi::Expires::after(life, now));
        let body = content.encode();
        Item::Message { sent_at: now, body }
    }

    /// What an envelope of his costs her.
    fn cost(&mut self, bytes: Vec<u8>) -> Cost {
        let token = FrameToken { stream: u64::MAX, frame: 0 };
        let rows = |office: &Office| office.written(ALICE).values().sum::<u64>();
        let before =
            Cost { reads: reads(), rows: rows(&self.office), operations: operations(), bytes: bytes_written() };
        let len = bytes.len() as u64;
        let input = Input::Net(Event::Envelope { from: self.office.id(BOB), origin: None, token, bytes });
        let outputs = self.office.hand_in(ALICE, vec![input]);
        let is_answered = |output: &Output| matches!(output, Output::Net(Order::Acknowledge(_) | Order::Refuse(..)));
        assert!(outputs.iter().any(is_answered));
        Cost {
            reads: reads() - before.reads,
            rows: rows(&self.office) - before.rows,
            operations: operations() - before.operations,
            bytes: (bytes_written() - before.bytes).saturating_sub(len),
        }
    }

    /// She has said something to him so many times, which his node has.
    fn said(&mut self, count: usize) -> Vec<MessageId> {
        let peer = self.office.id(BOB);
        let mut said = Vec::new();
        for n in 0..count {
            let say = Input::Command(1, Command::Send(self.office.text(BOB, &format!("{n}"))));
            let mut acked = Vec::new();
            for output in self.office.hand_in(ALICE, vec![say]) {
                match output {
                    Output::Reply(_, Ok(Answer::Sent(message))) => said.push(message.message_id),
                    Output::Net(Order::Send { ticket, .. }) => acked.push(Input::Net(Event::Acked { peer, ticket })),
                    _ => {}
                }
            }
            self.office.hand_in(ALICE, acked);
        }
        assert_eq!(self.office.waiting(ALICE, BOB).iter().filter(|way| way.sent).count(), count);
        said
    }

    fn is_cheap(&mut self, what: &str, bytes: Vec<u8>) {
        let cost = self.cost(bytes);
        eprintln!("{what}: {cost:?}");
        let most = Cost { reads: 64, rows: 64, operations: 8, bytes: 64 * 1024 };
        assert!(cost.reads <= most.reads && cost.rows <= most.rows, "{what}: {cost:?}");
        assert!(cost.operations <= most.operations && cost.bytes <= most.bytes, "{what}: {cost:?}");
        // What is due because of it is not its cost.
        self.office.hand_in(ALICE, Vec::new());
    }
}

fn names(count: usize, first: u8) -> Vec<MessageId> {
    (0..count)
        .map(|n| {
            let mut id = [first; 32];
            id[..8].copy_from_slice(&(n as u64).to_be_bytes());
            MessageId::new(id)
        })
        .collect()
}

#[test]
fn messages_are_cheap() {
    let mut bob = Hostile::new();
    let long = bob.message(limits::MAX_TEXT, None);
    let envelope = bob.seal(vec![long]);
    bob.is_cheap("a long text", envelope);
    for what in ["the first of eight hours", "and again"] {
        let items = (1..=limits::MAX_CAPSULE_MESSAGES as u64)
            .map(|hours| bob.message(10, Some(Millis::from_hours(hours))))
            .collect();
        let envelope = bob.seal(items);
        bob.is_cheap(what, envelope);
    }
    let late = (0..limits::MAX_CAPSULE_MESSAGES).map(|n| {
        bob.counter = (n * 37 % 100) as u64;
        bob.message(10, None)
    });
    let late = late.collect();
    let envelope = bob.seal(late);
    bob.is_cheap("counters that fall back", envelope);
    let nothing = bob.seal_bytes(b"no capsule");
    bob.is_cheap("no capsule", nothing);
    let strange = (0..16).map(|kind| Item::Unknown { kind: 1_000 + kind, bytes: vec![0x40] }).collect();
    let envelope = bob.seal(strange);
    bob.is_cheap("what nobody knows", envelope);
}

#[test]
fn what_somebody_tells_of_himself_is_cheap() {
    let mut bob = Hostile::new();
    let card = bob.office.card_of(BOB);
    let profile = |n: usize| Item::Profile(Profile { name: format!("Bob {n}") });
    let items = (0..5)
        .flat_map(|n| [profile(n), Item::Card(card.clone()), Item::Addresses(vec![format!("/ip4/192.0.2.{n}/tcp/1")])]);
    let items = items.collect();
    let envelope = bob.seal(items);
    bob.is_cheap("five of each", envelope);
    let kinds = [Item::Accepted, Item::Reset].into_iter().cycle().take(16).collect();
    let envelope = bob.seal(kinds);
    bob.is_cheap("accepted, and a reset that is none", envelope);
}

#[test]
fn sessions_are_cheap() {
    let mut bob = Hostile::new();
    for what in ["a first contact", "another"] {
        bob.begins();
        let text = bob.message(10, None);
        let envelope = bob.seal(vec![text]);
        bob.is_cheap(what, envelope);
    }
    // A jump, and another: as many keys as are kept, which each message that follows writes.
    for what in ["a jump", "another jump"] {
        (0..limits::MAX_JUMP).for_each(|_| _ = bob.seal(Vec::new()));
        let envelope = bob.seal(Vec::new());
        bob.is_cheap(what, envelope);
        let envelope = bob.seal(Vec::new());
        bob.is_cheap("what follows it", envelope);
    }
    for what in ["garbage", "and again"] {
        let mut envelope = bob.seal(Vec::new());
        *envelope.last_mut().unwrap() ^= 1;
        let len = envelope.len();
        envelope[len / 2] ^= 1;
        bob.is_cheap(what, envelope);
    }
}

/// SES-60, SES-65: the row of a session is written when one of its messages opens, once in each commit, and not otherwise; what is
/// answered writes the row of its chain.
#[test]
fn the_row_of_a_session_is_written_when_it_opens_something_and_not_otherwise() {
    let mut bob = Hostile::new();
    let written = |bob: &mut Hostile, envelopes: Vec<Vec<u8>>| {
        let rows = |bob: &Hostile| bob.office.written(ALICE).get(&Sessions::ID).copied().unwrap_or_default();
        let (before, from) = (rows(bob), bob.office.id(BOB));
        let token = FrameToken { stream: u64::MAX, frame: 0 };
        let came = envelopes.into_iter().map(|bytes| Event::Envelope { from, origin: None, token, bytes });
        bob.office.hand_in(ALICE, came.map(Input::Net).collect());
        rows(bob) - before
    };
    let first = bob.seal(Vec::new());
    assert_eq!(written(&mut bob, vec![first.clone()]), 1);
    assert_eq!(written(&mut bob, vec![first; 3]), 0, "copies");
    let many = (0..20).map(|_| bob.seal(Vec::new())).collect();
    assert_eq!(written(&mut bob, many), 1, "of one commit");
    let mut garbage = bob.seal(Vec::new());
    *garbage.last_mut().unwrap() ^= 1;
    assert_eq!(written(&mut bob, vec![garbage]), 0, "what does not open");
    assert_eq!(written(&mut bob, Vec::new()), 0);
    // What answers goes in another chain: it begins in the session's row, and leaves it.
    let answers = |bob: &mut Hostile| {
        let say = Command::Send(bob.office.text(BOB, "an answer"));
        let before = bob.office.written(ALICE);
        bob.office.hand_in(ALICE, vec![Input::Command(1, say)]);
        let after = bob.office.written(ALICE);
        let of = |rows: &BTreeMap<u8, u64>, table| rows.get(&table).copied().unwrap_or_default();
        [Sessions::ID, SendingChains::ID].map(|table| of(&after, table) - of(&before, table))
    };
    (0..2).for_each(|_| _ = answers(&mut bob));
    assert_eq!(answers(&mut bob), [0, 1]);
}

/// CON-29: whatever waits, a *reset* is one row, and what goes again goes with a later commit.
#[test]
fn a_reset_is_one_row() {
    let mut costs = Vec::new();
    for count in [1, 150] {
        let mut bob = Hostile::new();
        bob.said(count);
        bob.office.forward(Millis::from_hours(2));
        bob.begins();
        let envelope = bob.seal(vec![Item::Reset, Item::Accepted]);
        let cost = bob.cost(envelope);
        eprintln!("{count}: {cost:?}");
        assert!(cost.reads <= 64 && cost.rows <= 64 && cost.operations <= 8, "{cost:?}");
        costs.push(cost.rows);
        // All of it goes again, and nothing is lost by a restart before it does.
        bob.office.loses_letters = false;
        bob.office.open(ALICE);
        let outbox = bob.office.waiting(ALICE, BOB);
        assert!(outbox.iter().all(|way| !way.sent), "{outbox:?}");
    }
    assert_eq!(costs[0], costs[1]);
}

/// CON-25, CON-32: what names messages costs so much for each, once.
#[test]
fn reports_and_inquiries_cost_little_for_each_message() {
    let mut bob = Hostile::new();
    let count = 100;
    let said = bob.said(count);
    let report = |delivered: Vec<MessageId>, read| Item::Status(StatusReport { delivered, read });
    let many = said.repeat(limits::MAX_STATUS_IDS / count);
    let envelope = bob.seal(vec![report(many.clone(), Vec::new())]);
    let cost = bob.cost(envelope);
    eprintln!("a report: {cost:?}");
    assert!(cost.reads <= 64 + 10 * count as u64 && cost.rows <= 64 + 3 * count as u64, "{cost:?}");
    assert!(cost.rows > count as u64, "nothing was looked at");
    bob.office.hand_in(ALICE, Vec::new());
    let envelope = bob.seal(vec![report(many.clone(), Vec::new())]);
    let cost = bob.cost(envelope);
    eprintln!("the same: {cost:?}");
    assert!(cost.reads <= 64 + 4 * count as u64 && cost.rows <= 64, "{cost:?}");
    // More than a capsule may name are not looked at.
    let items =
        (0..3).map(|n| report(names(limits::MAX_STATUS_IDS, n), names(limits::MAX_STATUS_IDS, n + 100))).take(1);
    let items = items.chain([Item::Inquiry(names(limits::MAX_STATUS_IDS, 77))]).collect();
    let envelope = bob.seal(items);
    let cost = bob.cost(envelope);
    eprintln!("too many: {cost:?}");
    assert!(cost.reads <= 64 + limits::MAX_STATUS_IDS as u64 && cost.rows <= 64, "{cost:?}");
    for first in [7, 8] {
        let envelope = bob.seal(vec![Item::Inquiry(names(limits::MAX_STATUS_IDS, first))]);
        let cost = bob.cost(envelope);
        eprintln!("an inquiry: {cost:?}");
        let most = if first == 7 { 64 + limits::MAX_STATUS_IDS as u64 } else { 64 };
        assert!(cost.reads <= most && cost.rows <= 64, "{cost:?}");
    }
}
