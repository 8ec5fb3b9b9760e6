//! What mailboxes and the hash table answer to somebody who has a mailbox and leaves something at others'.
//!
//! Alice uses two mailboxes and writes to Bob, who is away and has the same two. The bytes say what is answered to what she asks,
//! how time passes and what her network tells. Nothing of it may be told as delivered, nothing may be made up, and what she
//! wrote stays.

use std::path::Path;
use std::sync::OnceLock;

use rand_chacha::ChaCha20Rng;

use super::identity::owner;
use super::{Bytes, rng};
use crate::base::words::{Direction, State};
use crate::base::{Millis, MonoTime, Now, PeerId, Secret, WallTime};
use crate::content::mimi::text;
use crate::content::{Capsule, Item, direct_room_uri, sender_uri};
use crate::envelope::mailbox::{Answer, PageItem, Question};
use crate::envelope::seal::seal;
use crate::envelope::{EnvelopeKind, encode};
use crate::identity::{Card, CardContent, CardIn, CardKeys, IdentityKeypair, Mailbox, OneTimeKeys};
use crate::messenger::fuzzing::{bounds_hold, own_card};
use crate::messenger::{Command, Event, Input, Messenger, Order, Output, SendCommand, query};
use crate::session::{RemoteBundle, SessionSet};
use crate::store::Store;

const BEGIN: Now = Now { wall: WallTime(1_700_000_000_000), mono: MonoTime(0) };
/// What happens with one input; more shows nothing new.
const STEPS: usize = 48;
/// Messages that Alice writes at most: before acceptance three go.
const MESSAGES: usize = 4;
const TRUE: &str = "by Bob's own hand";

fn bob() -> IdentityKeypair {
    IdentityKeypair::from_seed(&Secret::new([2; 32]))
}

fn houses() -> [PeerId; 2] {
    [3, 4].map(|seed| IdentityKeypair::from_seed(&Secret::new([seed; 32])).peer_id())
}

/// Alice's folder as it is when an input begins, and what there is to be answered.
struct Template {
    dir: tempfile::TempDir,
    /// Envelopes: a true one of Bob's, twice sealed; one with a bit turned; one that seals nonsense; noise.
    letters: Vec<Vec<u8>>,
    /// Bob's cards, the newer first, and Alice's own.
    cards: Vec<Vec<u8>>,
    prekey: Vec<u8>,
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("there is a place for files")
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let dir = folder();
        let mut desk = Desk::open(dir.path());
        for peer in houses() {
            desk.hand_in(Input::Command(1, Command::UseMailbox { peer, addrs: Vec::new() }));
        }
        // Both say that they keep a box, to the registration and to the card that names them.
        for _ in 0..4 {
            for (mailbox, ticket) in std::mem::take(&mut desk.mail) {
                let answer = Answer::Kept { prekeys: 100 }.encode().expect("is within its bounds");
                desk.hand_in(Input::Net(Event::MailAnswered { mailbox, ticket, answer }));
            }
        }
        let (keys, mut rng) = (CardKeys::generate(&mut rng()), rng());
        let mailboxes = houses().map(|peer| Mailbox { peer, addrs: Vec::new() }).to_vec();
        let card = |sequence| {
            let content = CardContent::new(&keys, sequence, BEGIN.wall, [7; 16]);
            CardContent { mailboxes: mailboxes.clone(), ..content }.sign(&bob())
        };
        let mine = desk.card();
        let letters = letters(&mine, &mut rng);
        let cards = vec![card(2), card(1), mine.bytes().to_vec()];
        let prekey = OneTimeKeys::generate(&mut rng, BEGIN.wall).sign(&bob());
        drop(desk);
        Template { dir, letters, cards, prekey }
    })
}

/// What Bob wrote, and what he did not.
fn letters(alice: &Card, rng: &mut ChaCha20Rng) -> Vec<Vec<u8>> {
    let bob = bob();
    let bundle = RemoteBundle::of_card(alice);
    let mut set = SessionSet::default();
    set.begin(&bob, &bundle, rng, BEGIN.wall).expect("the card is sound");
    let (sender, room) = (sender_uri(bob.peer_id()), direct_room_uri(bob.peer_id(), alice.peer()));
    let body = text([5; 16], &sender, &room, 1, TRUE, None).encode();
    let capsule = Capsule { items: vec![Item::Message { sent_at: BEGIN.wall, body }] }.encode();
    let sealed = set.encrypt(&capsule, rng, BEGIN.wall).expect("there is a session");
    let envelope = encode(EnvelopeKind::FirstContact, &sealed.payload).expect("it is short");
    let mut bent = envelope.clone();
    let middle = bent.len() / 2;
    bent[middle] ^= 1;
    let nonsense = encode(EnvelopeKind::Session, &[1; 300]).expect("it is short");
    let mut letters: Vec<Vec<u8>> = [&envelope, &envelope, &bent, &nonsense]
        .into_iter()
        .map(|bytes| seal(&alice.queue, alice.seal_id, &alice.seal, bob.peer_id(), bytes, rng).expect("it fits"))
        .collect();
    letters.push(vec![1; 400]);
    letters
}

/// Alice, and what she waits for.
struct Desk {
    messenger: Messenger,
    rng: ChaCha20Rng,
    now: Now,
    mail: Vec<(PeerId, u64)>,
    cards: Vec<(PeerId, u64)>,
    said: usize,
}

impl Desk {
    fn open(dir: &Path) -> Self {
        let (messenger, outputs, rng) = load(dir, BEGIN, rng());
        let mut desk = Self { messenger, rng, now: BEGIN, mail: Vec::new(), cards: Vec::new(), said: 0 };
        desk.note(outputs);
        desk
    }

    /// Her process ends and begins anew.
    fn reopen(self, dir: &Path) -> Self {
        let Self { messenger, rng, now, said, .. } = self;
        drop(messenger);
        let (messenger, outputs, rng) = load(dir, now, rng);
        let mut desk = Self { messenger, rng, now, mail: Vec::new(), cards: Vec::new(), said };
        desk.note(outputs);
        desk
    }

    fn hand_in(&mut self, input: Input) {
        let outputs = self.messenger.handle(vec![input], self.now, &mut self.rng);
        assert!(outputs.iter().any(|output| matches!(output, Output::WakeAt(_))), "a commit failed");
        self.note(outputs);
        bounds_hold(&self.messenger);
    }

    fn note(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Net(Order::AskMailbox { mailbox, ticket, anonymous, question, .. }) => {
                    // MBX-60: as herself she asks for nothing but what is hers.
                    let question = Question::decode(&question).expect("was made here");
                    let hidden = match question {
                        Question::Deposit(_) => true,
                        Question::Card { owner: of, .. } => of != owner().peer_id(),
                        _ => false,
                    };
                    assert_eq!(hidden, anonymous);
                    assert!(houses().contains(&mailbox));
                    self.mail.push((mailbox, ticket));
                }
                Output::Net(Order::FindCard { peer, ticket }) => self.cards.push((peer, ticket)),
                _ => {}
            }
        }
    }

    fn card(&self) -> Card {
        let owner = owner();
        let bytes = own_card(&self.messenger).expect("there is a profile");
        CardIn::decode(&bytes).and_then(|card| card.verify(owner.public(), BEGIN.wall)).expect("is her own")
    }

    fn say(&mut self) {
        if self.said == MESSAGES {
            return;
        }
        self.said += 1;
        let command = SendCommand::text(bob().peer_id(), format!("m{}", self.said));
        self.hand_in(Input::Command(1, Command::Send(command)));
    }

    /// What she wrote is there, and not delivered; of Bob there is what he wrote, at most once.
    fn judge(&self) {
        let (rows, me) = (self.messenger.reader(), owner().peer_id());
        let history = query::history(&rows, me, &bob().peer_id(), None, 1_000, self.now.wall).expect("rows are read");
        let (own, his): (Vec<_>, Vec<_>) = history.iter().partition(|m| m.direction == Direction::Out);
        assert!(own.iter().enumerate().all(|(n, m)| m.text == format!("m{}", n + 1)), "{own:?}");
        assert_eq!(own.len(), self.said);
        assert!(own.iter().all(|m| !matches!(m.state, State::Delivered | State::Read)), "{own:?}");
        assert!(his.len() <= 1 && his.iter().all(|m| m.text == TRUE), "{his:?}");
        let requests = query::requests(&rows, self.now.wall).expect("rows are read");
        assert!(requests.len() <= 1 && requests.iter().all(|r| r.peer_id == bob().peer_id() && r.text == TRUE));
    }
}

fn load(dir: &Path, now: Now, mut rng: ChaCha20Rng) -> (Messenger, Vec<Output>, ChaCha20Rng) {
    let store = Store::open(dir, &Secret::new([9; 32]), &mut rng, now).expect("the store opens");
    let (messenger, outputs) = Messenger::open(store, owner(), now, &mut rng).expect("the messenger opens");
    (messenger, outputs, rng)
}

/// The answers, in their order. Whether one of them was understood.
pub(super) fn answers(bytes: &[u8]) -> bool {
    let template = template();
    let dir = folder();
    copy(template.dir.path(), dir.path());
    let mut desk = Desk::open(dir.path());
    desk.say();
    desk.hand_in(Input::Net(Event::Unreachable(bob().peer_id())));
    desk.now = after(desk.now, Millis::from_secs(4));
    desk.hand_in(Input::Timer);
    let (mut bytes, mut understood) = (Bytes(bytes), false);
    for _ in 0..STEPS {
        if bytes.is_empty() {
            break;
        }
        let step = bytes.u8();
        if step == 9 {
            desk = desk.reopen(dir.path());
            continue;
        }
        let Some(input) = input(step, &mut bytes, &mut desk, template) else { continue };
        if let Input::Net(Event::MailAnswered { answer, .. }) = &input {
            understood |= Answer::decode(answer).is_ok();
        }
        understood |= matches!(&input, Input::Net(Event::CardFound { .. }));
        desk.hand_in(input);
    }
    desk.judge();
    desk = desk.reopen(dir.path());
    desk.judge();
    understood
}

/// What comes next.
fn input(step: u8, bytes: &mut Bytes<'_>, desk: &mut Desk, template: &Template) -> Option<Input> {
    let peer = match step % 12 {
        kind @ (0..=3 | 10) => {
            let which = usize::from(bytes.u8());
            let (mailbox, ticket) = match (desk.mail.len(), kind) {
                // A number that nobody gave, or that was answered.
                (_, 10) => (houses()[which % 2], u64::from(bytes.u8())),
                (0, _) => return None,
                (len, _) => desk.mail.swap_remove(which % len),
            };
            desk.mail.retain(|asked| *asked != (mailbox, ticket));
            match kind {
                2 => Event::MailFailed { mailbox, ticket },
                3 => {
                    let len = usize::from(bytes.u8());
                    Event::MailAnswered { mailbox, ticket, answer: bytes.take(len).to_vec() }
                }
                _ => Event::MailAnswered { mailbox, ticket, answer: answer(bytes, template) },
            }
        }
        kind @ (4 | 5) => {
            let (peer, ticket) = desk.cards.pop()?;
            match kind {
                4 => Event::CardFound { peer, ticket, card: card(bytes, template) },
                _ => Event::CardNotFound { peer, ticket, asked: bytes.u8().into() },
            }
        }
        6 => {
            desk.say();
            return None;
        }
        7 => Event::Connected(houses()[usize::from(bytes.u8() % 2)]),
        8 => Event::Disconnected(houses()[usize::from(bytes.u8() % 2)]),
        11 => Event::Unreachable(bob().peer_id()),
        _ => {
            desk.now = after(desk.now, Millis(1 << (bytes.u8() % 32)));
            return Some(Input::Timer);
        }
    };
    Some(Input::Net(peer))
}

/// A card of those that there are, perhaps with a byte changed, or any bytes.
fn card(bytes: &mut Bytes<'_>, template: &Template) -> Vec<u8> {
    let which = usize::from(bytes.u8());
    let Some(card) = template.cards.get(which % 8) else {
        let len = usize::from(bytes.u8());
        return bytes.take(len).to_vec();
    };
    let mut card = card.clone();
    let place = usize::from(bytes.u16()) % card.len();
    card[place] ^= bytes.u8();
    card
}

/// An answer that has a form.
fn answer(bytes: &mut Bytes<'_>, template: &Template) -> Vec<u8> {
    let answer = match bytes.u8() % 12 {
        0 => Answer::Done,
        1 => Answer::Kept { prekeys: bytes.u16() },
        2 => page(bytes, template),
        3 => Answer::Stored,
        4 => {
            let prekey = match bytes.u8() % 3 {
                0 => None,
                1 => Some(template.prekey.clone()),
                _ => Some(template.cards[0].clone()),
            };
            Answer::Card { card: card(bytes, template), prekey }
        }
        5 => Answer::NoBox,
        6 => Answer::Full { retry_after: u32::from(bytes.u16()) << (bytes.u8() % 17) },
        7 => Answer::TooLarge,
        8 => Answer::Refused,
        9 => Answer::Work { level: 1 + bytes.u8() % 24 },
        10 => Answer::Unavailable,
        _ => Answer::Malformed,
    };
    // What is out of bounds has no form, and is no answer.
    answer.encode().unwrap_or_default()
}

fn page(bytes: &mut Bytes<'_>, template: &Template) -> Answer {
    let (flags, prekeys) = (bytes.u8(), u16::from(bytes.u8()));
    let mut number = u64::from(bytes.u8()) << (flags >> 3);
    let mut items = Vec::new();
    for _ in 0..flags & 3 {
        number = number.saturating_add(1);
        let which = usize::from(bytes.u8()) % (template.letters.len() + 1);
        let sealed = template.letters.get(which).cloned().unwrap_or_else(|| {
            let len = usize::from(bytes.u8());
            bytes.take(len).to_vec()
        });
        items.push(PageItem { number, sealed });
    }
    Answer::Page { more: flags & 4 != 0, prekeys, items }
}

const fn after(now: Now, span: Millis) -> Now {
    Now { wall: WallTime(now.wall.0 + span.0), mono: MonoTime(now.mono.0 + span.0) }
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("the template is there") {
        let entry = entry.expect("the template is there");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&to).expect("there is room");
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("there is room");
        }
    }
}
