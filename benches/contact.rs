//! How long what one envelope of a contact brings takes until its answer may leave: at most 5 ms, a report of 512 messages 50 ms.
//! What is counted of it stands in `messenger::tests::cost`.
//!
//! `cargo bench --bench contact --no-default-features`

// A measurement: what goes wrong has to stop it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs, unreachable_pub, reason = "a bench has no other crate to be reached from")]

mod desk;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rohrpost::base::{MessageId, PeerId, limits};
use rohrpost::content::{self, Capsule, Item, Profile, StatusReport, mimi};
use rohrpost::envelope::{self, EnvelopeKind, encode};
use rohrpost::identity::IdentityKeypair;
use rohrpost::messenger::{Answer, Command, Event, Input, Order, Output, SendCommand};
use rohrpost::session::{SealedKind, SessionSet};

use desk::{Desk, NOW, median_and_most};

const TRIES: usize = 20;

/// A desk, and a contact of it who seals whatever he likes.
struct Contact {
    desk: Desk,
    me: IdentityKeypair,
    set: SessionSet,
    counter: u64,
    rng: ChaCha20Rng,
}

impl Contact {
    fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(2);
        let (me, desk) = (IdentityKeypair::generate(&mut rng), Desk::new());
        let mut contact = Self { desk, me, set: SessionSet::default(), counter: 0, rng };
        contact.begins();
        let hello = contact.message(10);
        let hello = contact.seal(vec![hello]);
        contact.desk.takes(contact.id(), &hello);
        contact.desk.command(Command::AcceptRequest(contact.id()));
        contact.comes();
        contact
    }

    fn id(&self) -> PeerId {
        self.me.peer_id()
    }

    /// A session anew.
    fn begins(&mut self) {
        let bundle = self.desk.bundle();
        self.set.give_up(NOW.wall);
        self.set.begin(&self.me, &bundle, &mut self.rng, NOW.wall).unwrap();
    }

    /// He is connected, and has what waits for him.
    fn comes(&mut self) {
        let peer = self.id();
        let mut input = Some(Input::Net(Event::Connected(peer)));
        while let Some(next) = input.take() {
            for output in self.desk.hand_in(next) {
                input = self.carry_out(&output).or(input);
            }
        }
    }

    /// What the desk sends he opens, and acknowledges.
    fn carry_out(&mut self, output: &Output) -> Option<Input> {
        let Output::Net(Order::Send { ticket, bytes, .. }) = output else { return None };
        let payload = envelope::decode(bytes).unwrap().payload.to_vec();
        self.set.open_session(self.me.peer_id(), self.desk.id(), &payload, NOW.wall).unwrap();
        Some(Input::Net(Event::Acked { peer: self.id(), ticket: *ticket }))
    }

    fn seal(&mut self, items: Vec<Item>) -> Vec<u8> {
        let sealed = self.set.encrypt(&Capsule { items }.encode(), &mut self.rng, NOW.wall).unwrap();
        let kind = if sealed.kind == SealedKind::First { EnvelopeKind::FirstContact } else { EnvelopeKind::Session };
        encode(kind, &sealed.payload).unwrap()
    }

    fn message(&mut self, len: usize) -> Item {
        self.counter += 1;
        let (sender, room) = (content::sender_uri(self.id()), content::direct_room_uri(self.id(), self.desk.id()));
        let salt = std::array::from_fn(|i| self.counter.to_be_bytes()[i % 8]);
        let body = mimi::text(salt, &sender, &room, self.counter, &"x".repeat(len), None).encode();
        Item::Message { sent_at: NOW.wall, body }
    }

    /// The desk's user has said so much to him, all of which he has.
    fn is_told(&mut self, count: usize) -> Vec<MessageId> {
        let (peer, mut told) = (self.id(), Vec::new());
        for n in 0..count {
            let send = Command::Send(SendCommand::text(peer, format!("{n}")));
            let mut input = Some(Input::Command(1, send));
            while let Some(next) = input.take() {
                for output in self.desk.hand_in(next) {
                    if let Output::Reply(_, Ok(Answer::Sent(message))) = &output {
                        told.push(message.message_id);
                    }
                    input = self.carry_out(&output).or(input);
                }
            }
        }
        told
    }

    /// Measures so many of these.
    fn measure(&mut self, what: &str, goal: u32, tries: usize, mut make: impl FnMut(&mut Self) -> Vec<u8>) {
        let mut times = Vec::new();
        for _ in 0..tries {
            let envelope = make(self);
            times.push(self.desk.takes(self.id(), &envelope));
            self.comes();
        }
        let (median, most) = median_and_most(times);
        println!("| {what} | {median:.2} ms | {most:.2} ms | {goal} ms |");
    }
}

fn main() {
    println!("| an envelope of a contact with | median | slowest | goal |\n|---|---|---|---|");
    let mut contact = Contact::new();
    let long = limits::MAX_TEXT;
    for (what, len) in [("a text of 200 bytes", 200), ("the longest text", long)] {
        contact.measure(what, 5, TRIES, |contact| {
            let text = contact.message(len);
            contact.seal(vec![text])
        });
    }
    contact.measure("eight messages whose counters fall back", 5, TRIES, |contact| {
        let counter = contact.counter;
        let items = (0..limits::MAX_CAPSULE_MESSAGES as u64)
            .map(|n| {
                contact.counter = n * 37 % 100;
                contact.message(10)
            })
            .collect();
        contact.counter = counter + 1;
        contact.seal(items)
    });
    contact.measure("a name", 5, TRIES, |contact| {
        contact.counter += 1;
        let name = format!("Bob {}", contact.counter);
        contact.seal(vec![Item::Profile(Profile { name })])
    });
    contact.measure("a jump of 1,000", 5, 2, |contact| {
        (0..limits::MAX_JUMP).for_each(|_| _ = contact.seal(Vec::new()));
        contact.seal(Vec::new())
    });
    contact.measure("a text after two jumps", 5, TRIES, |contact| {
        let text = contact.message(200);
        contact.seal(vec![text])
    });
    contact.measure("a message that does not open", 5, TRIES, |contact| {
        let envelope = contact.seal(Vec::new());
        let mut payload = envelope::decode(&envelope).unwrap().payload.to_vec();
        *payload.last_mut().unwrap() ^= 1;
        encode(EnvelopeKind::Session, &payload).unwrap()
    });
    let mut contact = Contact::new();
    contact.measure("a first contact", 5, 8, |contact| {
        contact.begins();
        let text = contact.message(200);
        contact.seal(vec![text])
    });
    let mut contact = Contact::new();
    contact.comes();
    for named in [64, limits::MAX_STATUS_IDS] {
        let goal = if named == 64 { 7 } else { 50 };
        contact.measure(&format!("a report of {named} that was not known"), goal, 3, |contact| {
            let delivered = contact.is_told(named);
            contact.seal(vec![Item::Status(StatusReport { delivered, read: Vec::new() })])
        });
    }
    let told = contact.is_told(limits::MAX_STATUS_IDS);
    let report = StatusReport { delivered: told, read: Vec::new() };
    let envelope = contact.seal(vec![Item::Status(report.clone())]);
    contact.desk.takes(contact.id(), &envelope);
    contact.measure("a report of 512, again", 50, 5, |contact| contact.seal(vec![Item::Status(report.clone())]));
    let mut n = 0u64;
    contact.measure("a report of 512 that nobody wrote", 50, 5, |contact| {
        let ids = (0..limits::MAX_STATUS_IDS).map(|_| {
            n += 1;
            MessageId::new(std::array::from_fn(|i| n.to_be_bytes()[i % 8]))
        });
        let delivered = ids.collect();
        contact.seal(vec![Item::Status(StatusReport { delivered, read: Vec::new() })])
    });
    contact.is_told(150);
    contact.measure("a reset, with 150 that wait", 5, 1, |contact| {
        contact.begins();
        contact.seal(vec![Item::Reset, Item::Accepted])
    });
}
