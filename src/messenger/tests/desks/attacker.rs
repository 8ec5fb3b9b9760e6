//! Who writes what no honest program does, and much that one does.

use std::collections::BTreeSet;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Hall, answer};
use crate::base::{MessageId, Millis, PeerId, SessionId, WallTime, limits};
use crate::content::mimi::{self, Expires};
use crate::content::{self, Capsule, Introduction, Item, Profile, StatusReport};
use crate::envelope::{self, EnvelopeKind, encode};
use crate::identity::{CardContent, CardIn, CardKeys, IdentityKeypair, OneTimePrekeyIn};
use crate::session::{RemoteBundle, SealedKind, SessionSet};

/// Bytes of the header of a first contact (SES-11).
pub(super) const FIRST_CONTACT_LEN: usize = 1_170;

/// What a sealed capsule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    Text,
    Several,
    TooLong,
    TooMuchAround,
    Timed,
    Reaction,
    InAnothersName,
    NoMessage,
    OnlyProfile,
    Control,
    Empty,
    Garbage,
    TooManyItems,
    LongName,
    WithHisCard,
}

impl Made {
    pub(super) fn all() -> [Self; 15] {
        use Made::*;
        [
            Text,
            Several,
            TooLong,
            TooMuchAround,
            Timed,
            Reaction,
            InAnothersName,
            NoMessage,
            OnlyProfile,
            Control,
            Empty,
            Garbage,
            TooManyItems,
            LongName,
            WithHisCard,
        ]
    }
}

/// The payload of an envelope.
pub(super) fn payload_of(bytes: &[u8]) -> Vec<u8> {
    envelope::decode(bytes).unwrap().payload.to_vec()
}

pub(super) struct Attacker {
    me: IdentityKeypair,
    desk: PeerId,
    set: SessionSet,
    rng: ChaCha20Rng,
    counter: u64,
    bundles: Vec<RemoteBundle>,
    sent: Vec<Vec<u8>>,
    /// How he was answered.
    pub(super) answers: BTreeSet<String>,
}

impl Attacker {
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let me = IdentityKeypair::generate(&mut rng);
        let desk = crate::messenger::testing::Office::new(1).id(0);
        let (set, bundles, sent) = (SessionSet::default(), Vec::new(), Vec::new());
        Self { me, desk, set, rng, counter: 0, bundles, sent, answers: BTreeSet::new() }
    }

    pub(super) fn id(&self) -> PeerId {
        self.me.peer_id()
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.rng.next_u64() % n as u64).unwrap()
    }

    /// Begins a session with what he was given.
    pub(super) fn begin(&mut self, (card, prekey): (Vec<u8>, Option<Vec<u8>>), now: WallTime) {
        let card = CardIn::decode(&card).unwrap();
        let owner = crate::identity::IdentityKey::from_peer_id(self.desk).unwrap();
        let card = card.verify(&owner, WallTime(0)).unwrap();
        let one_time =
            prekey.map(|bytes| OneTimePrekeyIn::decode(&bytes).unwrap().verify(&owner, WallTime(0)).unwrap());
        let bundle = RemoteBundle { one_time, ..RemoteBundle::of_card(&card) };
        self.begin_with(&bundle, now);
        self.bundles.push(bundle);
    }

    fn begin_with(&mut self, bundle: &RemoteBundle, now: WallTime) {
        self.set.give_up(now);
        self.set.begin(&self.me, bundle, &mut self.rng, now).unwrap();
    }

    fn message(&mut self, made: Made, now: WallTime) -> Item {
        let mut salt = [0; 16];
        self.rng.fill_bytes(&mut salt);
        self.counter += 1;
        let author = if made == Made::InAnothersName { self.desk } else { self.id() };
        let (sender, room) = (content::sender_uri(author), content::direct_room_uri(self.id(), self.desk));
        let text = match made {
            Made::TooLong => "x".repeat(limits::MAX_REQUEST_CONTENT),
            _ => format!("no. {}", self.counter),
        };
        let mut mimi = mimi::text(salt, &sender, &room, self.counter, &text, None);
        match made {
            Made::Reaction => mimi = mimi::reaction(salt, &sender, &room, "+", MessageId::new([1; 32])),
            Made::TooMuchAround => mimi.topic = vec![b'x'; limits::MAX_REQUEST_CONTENT],
            Made::Timed => {
                let time = u32::try_from(now.0 / 1_000 + 3_600).unwrap();
                mimi.expires = Some(Expires::At(time));
            }
            _ => {}
        }
        Item::Message { sent_at: now, body: mimi.encode() }
    }

    fn capsule(&mut self, made: Made, now: WallTime) -> Vec<u8> {
        let name = Item::Introduction(Introduction { name: Some("Eve".to_owned()), ..Introduction::default() });
        let items = match made {
            Made::Empty => Vec::new(),
            Made::Garbage => return vec![0xff; 40],
            Made::TooManyItems => vec![Item::Accepted; limits::MAX_CAPSULE_ITEMS + 1],
            Made::OnlyProfile => vec![Item::Profile(Profile { name: "Eve".to_owned() })],
            Made::NoMessage => {
                vec![name, Item::Addresses(vec!["/ip4/10.0.0.1/tcp/1".to_owned()]), Item::Card(vec![1; 99])]
            }
            Made::Control => {
                let ids = vec![MessageId::new([1; 32])];
                let report = StatusReport { delivered: ids.clone(), read: Vec::new() };
                vec![Item::Accepted, Item::Reset, Item::Status(report), Item::Inquiry(ids)]
            }
            Made::LongName => {
                let mut bytes = Capsule { items: vec![name, self.message(made, now)] }.encode();
                let at = bytes.windows(3).position(|window| window == b"Eve").unwrap();
                bytes[at] = 0xff;
                return bytes;
            }
            Made::WithHisCard => {
                let keys = CardKeys::generate(&mut self.rng);
                let card = CardContent::new(&keys, self.counter, now, [1; 16]).sign(&self.me);
                vec![name, Item::Card(card), self.message(made, now)]
            }
            Made::Several => vec![name, self.message(made, now), self.message(made, now), self.message(made, now)],
            _ => vec![name, self.message(made, now)],
        };
        Capsule { items }.encode()
    }

    /// An envelope that opens.
    pub(super) fn seal(&mut self, made: Made, now: WallTime) -> Vec<u8> {
        let plain = self.capsule(made, now);
        let sealed = self.set.encrypt(&plain, &mut self.rng, now).unwrap();
        assert_eq!(sealed.kind, SealedKind::First, "nobody answers him");
        let bytes = encode(EnvelopeKind::FirstContact, &sealed.payload).unwrap();
        self.sent.push(bytes.clone());
        bytes
    }

    fn random(&mut self, max: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.below(max)];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn one_sent(&mut self) -> Vec<u8> {
        let at = self.below(self.sent.len());
        self.sent[at].clone()
    }

    /// Something that he has sent, changed.
    fn changed(&mut self) -> Vec<u8> {
        let before = self.one_sent();
        let mut payload = payload_of(&before);
        match self.below(6) {
            0 => payload.truncate(self.below(payload.len() + 1)),
            1 => payload.extend(self.random(50)),
            2 => drop(payload.drain(..FIRST_CONTACT_LEN)),
            3 => {
                let mut raw = before;
                let at = self.below(raw.len().min(64));
                raw[at] ^= 1 << self.below(8);
                return raw;
            }
            _ => {
                // Most of it is the ML-KEM ciphertext: the fields around it are tried as often.
                let field =
                    [0, 1, 2, 34, 66, 74, 82, FIRST_CONTACT_LEN, FIRST_CONTACT_LEN + 16, FIRST_CONTACT_LEN + 48]
                        [self.below(10)];
                let at = (field + self.below(40)).min(payload.len() - 1);
                payload[at] ^= 1 << self.below(8);
            }
        }
        let kinds = [EnvelopeKind::FirstContact, EnvelopeKind::Session];
        encode(kinds[self.below(2)], &payload).unwrap()
    }

    /// One act of his, before all.
    pub(super) fn act(&mut self, hall: &mut Hall, other: PeerId) {
        let (me, now) = (self.id(), hall.desks[0].office.now.wall);
        let made = Made::all()[self.below(Made::all().len())];
        let bytes = match self.below(14) {
            0 => {
                let bundle = hall.card(self.below(3) > 0);
                self.begin(bundle, now);
                return;
            }
            1 => {
                let at = self.below(self.bundles.len());
                let bundle = self.bundles[at].clone();
                self.begin_with(&bundle, now);
                self.seal(made, now)
            }
            2 | 3 => self.seal(made, now),
            4 => self.seal(Made::Text, now),
            5 => encode(EnvelopeKind::Session, &payload_of(&self.seal(made, now))[FIRST_CONTACT_LEN..]).unwrap(),
            6..=8 => self.changed(),
            9 => self.one_sent(),
            10 => {
                let kinds = [EnvelopeKind::FirstContact, EnvelopeKind::Session, EnvelopeKind::Group];
                encode(kinds[self.below(3)], &self.random(1_500)).unwrap()
            }
            11 => {
                // Another brings his, and perhaps before him.
                let bytes = self.seal(made, now);
                hall.envelope(other, &bytes, "another's");
                bytes
            }
            12 => {
                let spans = [Millis::from_secs(60), Millis::from_hours(7), Millis::from_days(8), Millis::from_days(31)];
                return hall.pass(spans[self.below(4)]);
            }
            _ => {
                let (count, from) = (self.below(limits::MAX_STRANGER_SESSIONS), self.rng.next_u64());
                return hall.change(|tx| {
                    for n in 0..count as u64 {
                        let bytes = from.wrapping_add(n).to_be_bytes();
                        let peer = PeerId::from_key_bytes(std::array::from_fn(|i| bytes[i % 8]));
                        tx.add_stranger(peer, SessionId::new(std::array::from_fn(|i| bytes[i % 8]))).unwrap();
                    }
                });
            }
        };
        if self.below(6) == 0 {
            hall.all("sealed", |desk, step| desk.bring(step, me, &bytes));
        }
        let seen = hall.envelope(me, &bytes, &format!("{made:?}"));
        self.answers.insert(format!("{:?}", answer(&seen)));
    }
}
