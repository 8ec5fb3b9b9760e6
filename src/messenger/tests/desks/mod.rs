//! Desks that differ only in what a sender is to them: the same hostile envelopes in the same order, and everything that is
//! answered, asked of the store, done with keys, used up and kept is compared (REQ-1).

mod attacker;
mod strangers;
mod work;

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::base::words::{Policy, RequestEnd};
use crate::base::{MessageId, Millis, Origin, PeerId, SessionId, WallTime, limits};
use crate::envelope::{EnvelopeKind, encode};
use crate::identity::{CardContent, CardIn, IdentityKey, RequestPolicy};
use crate::messenger::Command;
use crate::messenger::io::{Event, FrameToken, Input, Order, Output, RefuseReason};
use crate::messenger::newcomers::{Newcomer, Way};
use crate::messenger::receive::Fate;
use crate::messenger::tables::{
    Cards, Events, HeldMessage, Hours, Peers, Profile, ProfileRow, Requests, Timed, Tombs, peer_key,
};
use crate::messenger::testing::Office;
use crate::messenger::tx::Tx;
use crate::store::Table;

use attacker::{Attacker, FIRST_CONTACT_LEN, Made};
use work::Work;

/// What somebody may be to a desk without being its contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Pending,
    Full,
    Evicted,
    Declined,
    Blocked,
    BlockedBefore,
    ClosedToAll,
    ClosedToStrangers,
}

const ALL: [Standing; 8] = [
    Standing::Pending,
    Standing::Full,
    Standing::Evicted,
    Standing::Declined,
    Standing::Blocked,
    Standing::BlockedBefore,
    Standing::ClosedToAll,
    Standing::ClosedToStrangers,
];

/// The tables from this one on are the engine's.
const ENGINE: u8 = 240;
/// Where what is sealed to the desk lies.
const MAILBOX: PeerId = PeerId::from_key_bytes([3; 32]);
/// Tables that say what somebody is to the desk.
const STANDING: [u8; 7] = [Peers::ID, Cards::ID, Requests::ID, Events::ID, Timed::ID, Hours::ID, Tombs::ID];

/// One desk, and what the sender is to it.
struct Desk {
    standing: Standing,
    office: Office,
}

impl Desk {
    fn new(standing: Standing, sender: PeerId) -> Self {
        let mut desk = Self { standing, office: Office::new(1) };
        match standing {
            Standing::BlockedBefore => drop(desk.office.command(0, Command::Block(sender)).unwrap()),
            Standing::ClosedToAll => desk.close(Policy::Nobody),
            Standing::ClosedToStrangers => desk.close(Policy::Contacts),
            _ => {}
        }
        desk
    }

    /// A policy, without a card that says it: that everybody may read.
    fn close(&mut self, policy: Policy) {
        self.office.tx(0, |tx| {
            let profile = ProfileRow { policy, ..tx.profile().unwrap() };
            tx.put_profile(&profile).unwrap();
        });
    }

    /// The user has seen the first message.
    fn judge(&mut self, sender: PeerId) {
        match self.standing {
            Standing::Declined => drop(self.office.command(0, Command::DeclineRequest(sender)).unwrap()),
            Standing::Blocked => drop(self.office.command(0, Command::Block(sender)).unwrap()),
            Standing::Full => self.office.tx(0, |tx| {
                let mut row = tx.request(&sender).unwrap().unwrap();
                for n in [1, 2] {
                    let id = MessageId::new([n; 32]);
                    row.messages.push(HeldMessage { id, counter: u64::from(n) + 1, ..row.messages[0].clone() });
                }
                assert_eq!(row.messages.len(), limits::MAX_REQUEST_MESSAGES);
                tx.buf.put_under::<Requests>(&peer_key(&sender), row.key, &row).unwrap();
                tx.mem.requests.iter_mut().for_each(|pending| pending.is_full = true);
            }),
            Standing::Evicted => {
                self.office.tx(0, |tx| drop(tx.close_request(&sender, RequestEnd::Evicted).unwrap().unwrap()));
            }
            _ => {}
        }
    }

    /// What leaves because of this, and what it costs. Randomness is that of the step, so that who draws more draws nothing else
    /// later.
    fn hand_in(&mut self, step: u64, input: Input) -> (Vec<String>, Work) {
        self.office.desks[0].place.rng = ChaCha20Rng::seed_from_u64(step);
        let (outputs, work) = Work::of(|| self.office.hand_in(0, vec![input]));
        (outputs.iter().filter_map(seen).collect(), work)
    }

    /// A mailbox brings it: what becomes of it there.
    fn bring(&mut self, step: u64, from: PeerId, bytes: &[u8]) -> (Fate, Work) {
        self.office.desks[0].place.rng = ChaCha20Rng::seed_from_u64(step);
        let mut fate = None;
        let ((), work) = Work::of(|| {
            self.office.tx(0, |tx| {
                fate = Some(tx.receive_sealed(from, MAILBOX, bytes).unwrap());
                tx.flush_marks().unwrap();
            });
        });
        (fate.unwrap(), work)
    }

    /// How many sessions strangers may begin still, at the sender's address and by the mailbox: in the end, since they are taken.
    fn shares(&mut self) -> [usize; 2] {
        [Way::Stream(origin()), Way::Sealed(MAILBOX)].map(|way| {
            let mut left = 0;
            self.office.tx(0, |tx| {
                while tx.room_for_session(Newcomer::Stranger, way, None).unwrap().is_none() {
                    left += 1;
                }
            });
            left
        })
    }

    /// All rows, but for those that say what the sender is.
    fn rows(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let place = &self.office.desks[0].place;
        let rows = place.open_all(&place.dump()).into_iter();
        let compared = rows.filter(|(key, _)| !STANDING.contains(&key[0]) && key[0] < ENGINE);
        compared.map(|(key, row)| if key[0] == Profile::ID { (key, masked(&row)) } else { (key, row) }).collect()
    }

    /// What the store was asked to write, by table, but for the standing.
    fn written(&self) -> BTreeMap<u8, u64> {
        let mut written = self.office.written(0);
        written.retain(|table, _| !STANDING.contains(table) && *table != Profile::ID && *table < ENGINE);
        written
    }
}

/// Where the sender is.
fn origin() -> Option<Origin> {
    Some(Origin::of_ip([192, 0, 2, 1].into()))
}

/// The own profile, whatever its policy.
fn masked(row: &[u8]) -> Vec<u8> {
    let row: ProfileRow = postcard::from_bytes(row).unwrap();
    let card = CardIn::decode(&row.card).unwrap().claimed_sequence().to_be_bytes().to_vec();
    postcard::to_allocvec(&ProfileRow { policy: Policy::Requests, card, ..row }).unwrap()
}

/// What of an output others see. When the own card is published is a matter of chance, and of nothing else.
fn seen(output: &Output) -> Option<String> {
    match output {
        Output::Net(Order::PublishCard { .. }) | Output::Events(_) | Output::WakeAt(_) => None,
        other => Some(format!("{other:?}")),
    }
}

/// All of them, before one sender.
struct Hall {
    desks: Vec<Desk>,
    sender: PeerId,
    step: u64,
}

impl Hall {
    fn new(sender: PeerId) -> Self {
        Self { desks: ALL.map(|standing| Desk::new(standing, sender)).into(), sender, step: 0 }
    }

    /// The same for each, and the same of each.
    fn all<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, mut act: impl FnMut(&mut Desk, u64) -> T) -> T {
        self.step += 1;
        let step = self.step;
        let mut first = None;
        for desk in &mut self.desks {
            let done = act(desk, step);
            match &first {
                None => first = Some(done),
                Some(first) => assert_eq!(*first, done, "step {step}, {what}: {:?}", desk.standing),
            }
        }
        first.unwrap()
    }

    fn envelope(&mut self, from: PeerId, bytes: &[u8], what: &str) -> Vec<String> {
        self.all(what, |desk, step| {
            let token = FrameToken { stream: 7, frame: step };
            desk.hand_in(step, Input::Net(Event::Envelope { from, origin: origin(), token, bytes: bytes.to_vec() }))
        })
        .0
    }

    /// The card, and a one-time prekey if one is to be had.
    fn card(&mut self, want_prekey: bool) -> (Vec<u8>, Option<Vec<u8>>) {
        let from = self.sender;
        self.step += 1;
        let step = self.step;
        let mut answers = self.desks.iter_mut().map(|desk| {
            desk.office.desks[0].place.rng = ChaCha20Rng::seed_from_u64(step);
            let input = Input::Net(Event::BundleRequested { from, request: step, want_prekey });
            let (outputs, work) = Work::of(|| desk.office.hand_in(0, vec![input]));
            let answers = outputs.into_iter().find_map(|output| match output {
                Output::Net(Order::AnswerBundle { card, prekey, .. }) => Some((card, prekey)),
                _ => None,
            });
            let (card, prekey) = answers.unwrap();
            let owner = IdentityKey::from_peer_id(desk.office.id(0)).unwrap();
            let said = CardIn::decode(&card).unwrap().verify(&owner, WallTime(0)).unwrap();
            let said = CardContent { policy: RequestPolicy::Requests, ..said.content().clone() };
            ((card, prekey.clone()), (said, prekey, work))
        });
        let (answer, said) = answers.next().unwrap();
        assert!(answers.all(|(_, other)| other == said));
        answer
    }

    fn pass(&mut self, span: Millis) {
        for desk in &mut self.desks {
            desk.office.forward(span);
            // By itself: what it draws depends on how many keys were taken, and the card's next keys would be others.
            desk.office.renew_state_key(0);
        }
        for _ in 0..4 {
            self.all("time", |desk, step| desk.hand_in(step, Input::Timer).0);
        }
    }

    /// Changes all of them behind their backs.
    fn change(&mut self, mut change: impl FnMut(&mut Tx<'_>)) {
        self.all("a change", |desk, step| {
            desk.office.desks[0].place.rng = ChaCha20Rng::seed_from_u64(step);
            desk.office.tx(0, &mut change);
        });
    }

    fn disk_low(&mut self, is_low: bool) {
        self.desks.iter_mut().for_each(|desk| desk.office.desks[0].set_disk_low(is_low));
    }

    fn compare(&mut self) {
        self.all("rows", |desk, _| desk.rows());
        self.all("writes", |desk, _| desk.written());
        self.all("shares", |desk, _| desk.shares());
    }

    /// The sender has written once, with the card's keys, and once more with a one-time prekey: and is what he is.
    fn open(&mut self, sender: &mut Attacker) {
        let now = self.desks[0].office.now.wall;
        let bundle = self.card(true);
        sender.begin(bundle, now);
        let first = sender.seal(Made::Text, now);
        self.envelope(self.sender, &first, "the first");
        for desk in &mut self.desks {
            desk.judge(self.sender);
        }
    }
}

/// How an envelope was answered.
fn answer(seen: &[String]) -> Option<RefuseReason> {
    let [one] = seen else { panic!("{seen:?}") };
    let reasons = [
        RefuseReason::Unsupported,
        RefuseReason::Malformed,
        RefuseReason::PrekeyUnknown,
        RefuseReason::SessionUnknown,
        RefuseReason::Unavailable,
    ];
    let found = reasons.into_iter().find(|reason| one.contains(&format!("{reason:?}")));
    assert!(found.is_some() || one.contains("Acknowledge"), "{one}");
    found
}

/// REQ-1, ENV-1, ENV-7, SES-11, SES-15, SES-17, SES-64, NET-14: the table of answers, the same for all standings.
#[test]
fn every_fault_is_answered_as_the_page_says_whatever_the_sender_is() {
    use RefuseReason::{Malformed, PrekeyUnknown, SessionUnknown, Unavailable, Unsupported};
    let mut sender = Attacker::new(1);
    let mut hall = Hall::new(sender.id());
    hall.open(&mut sender);
    let now = hall.desks[0].office.now.wall;
    let check = |hall: &mut Hall, what: &str, bytes: Vec<u8>, expected: Option<RefuseReason>| {
        let from = hall.sender;
        assert_eq!(answer(&hall.envelope(from, &bytes, what)), expected, "{what}");
    };
    let session = |payload: &[u8]| encode(EnvelopeKind::Session, payload).unwrap();
    let first = |payload: &[u8]| encode(EnvelopeKind::FirstContact, payload).unwrap();
    check(&mut hall, "no envelope", vec![1; 256], Some(Malformed));
    check(&mut hall, "another version", vec![9; 256], Some(Unsupported));
    check(&mut hall, "a group's", encode(EnvelopeKind::Group, &[0; 99]).unwrap(), Some(Unsupported));
    check(&mut hall, "a session message without a form", session(&[7; 10]), Some(Malformed));
    check(&mut hall, "one of no session", session(&[0; 200]), Some(SessionUnknown));
    hall.disk_low(true);
    let later = sender.seal(Made::Text, now);
    check(&mut hall, "a disk that is nearly full", later.clone(), Some(Unavailable));
    hall.disk_low(false);
    check(&mut hall, "the same when it is not", later, None);
    for made in Made::all() {
        let bytes = sender.seal(made, now);
        check(&mut hall, &format!("{made:?}"), bytes.clone(), None);
        check(&mut hall, "a copy", bytes, None);
    }
    let again = sender.seal(Made::Text, now);
    check(&mut hall, "without the header", session(&attacker::payload_of(&again)[FIRST_CONTACT_LEN..]), None);
    check(&mut hall, "a copy of that with it", again.clone(), None);
    let mut broken = sender.seal(Made::Text, now);
    let payload = attacker::payload_of(&broken);
    let with = |at: usize, to: u8| {
        let mut changed = payload.clone();
        changed[at] ^= to;
        first(&changed)
    };
    check(&mut hall, "another version of the header", with(0, 2), Some(Unsupported));
    check(&mut hall, "another flag", with(1, 2), Some(Malformed));
    check(&mut hall, "another initiator", with(2, 1), Some(Malformed));
    check(&mut hall, "another header of that session", with(40, 1), Some(SessionUnknown));
    check(&mut hall, "another body", with(payload.len() - 1, 1), Some(SessionUnknown));
    let mut low_order = payload.clone();
    low_order[FIRST_CONTACT_LEN + 16..FIRST_CONTACT_LEN + 48].fill(0);
    check(&mut hall, "a low-order key", first(&low_order), Some(SessionUnknown));
    let mut unsealed = session(&payload[FIRST_CONTACT_LEN..]);
    std::mem::swap(&mut broken, &mut unsealed);
    check(&mut hall, "the one that was changed, whole", broken, None);

    // The prekey of a session that has begun, in another: whatever the first said.
    for made in [Made::Text, Made::Garbage, Made::TooLong] {
        let bundle = hall.card(true);
        assert!(bundle.1.is_some());
        sender.begin(bundle.clone(), now);
        let opened = sender.seal(made, now);
        check(&mut hall, "a new session", opened, None);
        sender.begin(bundle, now);
        let used = sender.seal(Made::Text, now);
        check(&mut hall, "its prekey again", used, Some(PrekeyUnknown));
    }
    let bundle = hall.card(true);
    sender.begin(bundle, now);
    let fifth = sender.seal(Made::Text, now);
    check(&mut hall, "the fifth session of a day", fifth.clone(), Some(Unavailable));
    hall.pass(Millis::from_hours(25));
    check(&mut hall, "the same a day later", fifth.clone(), None);
    // Others push it out: whose it was does not matter. A copy of what began it is known by its mark.
    hall.change(|tx| {
        for n in 0..limits::MAX_STRANGER_SESSIONS {
            let number = u64::try_from(n).unwrap().to_be_bytes();
            let peer = PeerId::from_key_bytes(std::array::from_fn(|i| number[i % 8] ^ 0x5a));
            tx.add_stranger(peer, SessionId::new(std::array::from_fn(|i| number[i % 8]))).unwrap();
        }
    });
    let later = sender.seal(Made::Text, hall.desks[0].office.now.wall);
    check(
        &mut hall,
        "a session that is gone",
        session(&attacker::payload_of(&later)[FIRST_CONTACT_LEN..]),
        Some(SessionUnknown),
    );
    check(&mut hall, "its header", later, Some(PrekeyUnknown));
    check(&mut hall, "a copy of its first message", fifth, None);
    hall.compare();
}

/// REQ-1: nothing that is sent, in any order, over any time, tells what the sender is.
#[test]
fn nothing_tells_a_sender_what_he_is() {
    for seed in 0..3 {
        let mut sender = Attacker::new(seed);
        let other = Attacker::new(seed + 100).id();
        let mut hall = Hall::new(sender.id());
        hall.open(&mut sender);
        for _ in 0..120 {
            sender.act(&mut hall, other);
        }
        hall.compare();
        assert!(sender.answers.len() >= 4, "{:?}", sender.answers);
    }
}
