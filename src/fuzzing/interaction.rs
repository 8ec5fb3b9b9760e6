//! Two people who write to each other, and an attacker between them who holds the wires and no keys.
//!
//! The bytes say what happens: who writes, begins anew or waits, and what the attacker does with the letters. After
//! every step both states go through a row and back. What must hold: nothing panics; what is refused changes nothing;
//! nothing opens but what was written, at the one whom it was written to, and once; and, as long as nobody fell back
//! to an old state, a letter opens whenever it first arrives.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use rand_chacha::ChaCha20Rng;

use super::{Bytes, rng};
use crate::base::limits::MAX_ARCHIVED_SESSIONS;
use crate::base::{Millis, WallTime};
use crate::crypto::hash::sha256;
use crate::identity::{CardKeys, IdentityKeypair, OneTimeKeys, OneTimePrekey};
use crate::session::{
    FirstContactIn, Opened, RemoteBundle, ResponderKeys, Sealed, SealedKind, Sending, Session, SessionError, SessionSet,
};

/// Letters of a run, so that it ends.
const MAX_LETTERS: usize = 160;
/// Below what makes a letter too old for its key: nothing is ever forgotten here.
const MAX_WAIT: Millis = Millis::from_days(29);
/// Bytes of the first-contact header.
const FIRST_LEN: usize = 1_170;
/// Where the fields of a message stand.
const FIELDS: [(usize, usize); 6] = [(0, 16), (16, 32), (48, 4), (52, 4), (56, 16), (72, 5)];
/// Where those of a first-contact header stand.
const FIRST_FIELDS: [(usize, usize); 6] = [(0, 1), (1, 1), (2, 32), (34, 32), (66, 8), (74, 8)];

/// Runs what the bytes say. Whether a letter opened.
pub(super) fn interaction(bytes: &[u8]) -> bool {
    let mut run = Run::new();
    let mut bytes = Bytes(bytes);
    while !bytes.is_empty() && run.letters.len() < MAX_LETTERS {
        run.step(&mut bytes);
    }
    run.deliver_all();
    !run.sides.iter().all(|side| side.opened.is_empty())
}

/// Uses a row that came from somewhere, as a messenger would.
pub(super) fn use_row(row: Session) {
    let [alice, bob] = people();
    let mut set = SessionSet::load(alice.keys.peer_id(), bob.keys.peer_id(), vec![row], None);
    let mut rng = rng();
    let now = WallTime(1_750_000_000_000);
    let _ = set.prune(now);
    if let Ok(sealed) = set.encrypt(b"hello", &mut rng, now) {
        let _ = set.open_session(alice.keys.peer_id(), bob.keys.peer_id(), &sealed.payload, now);
        let _ = set.open_session(bob.keys.peer_id(), alice.keys.peer_id(), &sealed.payload, now);
    }
    let _ = set.begin(&alice.keys, &bob.bundle(None), &mut rng, now);
    let _ = set.encrypt(b"hello", &mut rng, now);
}

/// One of the two, with the keys of a card.
#[derive(Clone)]
struct Person {
    keys: IdentityKeypair,
    card: CardKeys,
}

/// What changes of a person, and could come back from an old copy.
#[derive(Clone, Default)]
struct Side {
    set: SessionSet,
    one_time: Vec<OneTimeKeys>,
    /// Ephemeral keys of the handshakes with the card's prekey (SES-18).
    marks: BTreeSet<[u8; 32]>,
    /// Hashes of the messages that opened.
    opened: BTreeSet<[u8; 32]>,
}

/// A letter on its way, or long there.
struct Letter {
    from: usize,
    sealed: Sealed,
    text: Vec<u8>,
    /// Whether it has been brought to its recipient.
    arrived: bool,
}

struct Run {
    sides: [Side; 2],
    letters: Vec<Letter>,
    /// An old copy of each state.
    copies: [Side; 2],
    /// Whether somebody fell back, since when letters may be lost.
    fell_back: bool,
    begun: usize,
    waited: Millis,
    now: WallTime,
    rng: ChaCha20Rng,
}

/// The same two at every run: to make keys takes longer than to use them.
fn people() -> &'static [Person; 2] {
    static PEOPLE: OnceLock<[Person; 2]> = OnceLock::new();
    PEOPLE.get_or_init(|| {
        let mut rng = rng();
        [(), ()].map(|()| Person { keys: IdentityKeypair::generate(&mut rng), card: CardKeys::generate(&mut rng) })
    })
}

/// What somebody else wrote to each of the two, in sessions of their own.
fn foreign() -> &'static [Sealed; 2] {
    static LETTERS: OnceLock<[Sealed; 2]> = OnceLock::new();
    LETTERS.get_or_init(|| {
        let mut rng = rng();
        // The first numbers were used for the two.
        let mallory = (0..3).map(|_| IdentityKeypair::generate(&mut rng)).last().expect("three");
        [0, 1].map(|to: usize| {
            let mut set = SessionSet::default();
            let now = WallTime(1_750_000_000_000);
            set.begin(&mallory, &people()[to].bundle(None), &mut rng, now).expect("a sound bundle");
            set.encrypt(b"from Mallory", &mut rng, now).expect("it has begun")
        })
    })
}

impl Person {
    fn bundle(&self, one_time: Option<OneTimePrekey>) -> RemoteBundle {
        RemoteBundle::of(&self.keys, &self.card, one_time)
    }
}

impl Side {
    fn row(&self) -> Vec<u8> {
        let sessions: Vec<&Session> = self.set.rows().collect();
        postcard::to_allocvec(&(sessions, self.set.sending_row())).expect("rows can be written")
    }
}

impl Run {
    fn new() -> Self {
        let side = Side::default;
        Self {
            sides: [side(), side()],
            letters: Vec::new(),
            copies: [side(), side()],
            fell_back: false,
            begun: 0,
            waited: Millis(0),
            now: WallTime(1_750_000_000_000),
            rng: rng(),
        }
    }

    fn step(&mut self, bytes: &mut Bytes<'_>) {
        let op = bytes.u8();
        let who = usize::from(op >> 7);
        match op & 0x1f {
            0..=5 => self.send(who, usize::from(op >> 5 & 3) + 1),
            6..=10 => self.deliver_next(who),
            11 => self.deliver_all(),
            12 => self.deliver(usize::from(bytes.u8())),
            13 => self.begin(who, false),
            14 => self.begin(who, true),
            15 => self.wait(Millis::from_hours(u64::from(bytes.u8()))),
            16 => self.send(who, 60),
            17 => self.change(bytes),
            18 => self.splice(bytes),
            19 => self.patch(bytes),
            20 => self.strip(bytes),
            21 => self.other_kind(bytes),
            22 => self.reflect(bytes),
            23 => self.inject(who, SealedKind::Session, &foreign()[who].payload[FIRST_LEN..]),
            24 => self.inject(who, SealedKind::First, &foreign()[who].payload),
            25 => {
                let len = usize::from(bytes.u8());
                self.inject(who, SealedKind::Session, bytes.take(len));
            }
            26 => {
                let len = usize::from(bytes.u16());
                self.inject(who, SealedKind::First, bytes.take(len));
            }
            27 => self.copies[who] = self.sides[who].clone(),
            28 => self.fall_back(who),
            29 => {
                let len = usize::from(bytes.u16()) % 4_096;
                self.write(who, &vec![bytes.u8(); len]);
            }
            _ => {
                self.sides[who].set.prune(self.now);
            }
        }
        self.reload();
    }

    /// Through rows and back, which must not change anything.
    fn reload(&mut self) {
        let [alice, bob] = people().each_ref().map(|person| person.keys.peer_id());
        for (side, (me, peer)) in self.sides.iter_mut().zip([(alice, bob), (bob, alice)]) {
            let row = side.row();
            let (sessions, sending): (_, Option<Sending>) = postcard::from_bytes(&row).expect("was written here");
            side.set = SessionSet::load(me, peer, sessions, sending.as_ref());
            assert_eq!(side.row(), row);
        }
    }

    fn begin(&mut self, who: usize, one_time: bool) {
        // One more, and the oldest would no longer receive.
        if self.begun >= MAX_ARCHIVED_SESSIONS {
            return;
        }
        self.begun += 1;
        let one_time = one_time.then(|| {
            let keys = OneTimeKeys::generate(&mut self.rng, self.now);
            let (id, dh, kem, expires) = (keys.id, keys.dh.public(), keys.kem.public(), keys.expires);
            self.sides[1 - who].one_time.push(keys);
            OneTimePrekey { id, dh, kem, expires }
        });
        let bundle = people()[1 - who].bundle(one_time);
        let begun = self.sides[who].set.begin(&people()[who].keys, &bundle, &mut self.rng, self.now);
        begun.expect("the bundle is sound");
    }

    fn send(&mut self, who: usize, count: usize) {
        for _ in 0..count {
            self.write(who, &u64::try_from(self.letters.len()).expect("few").to_be_bytes());
        }
    }

    fn write(&mut self, who: usize, text: &[u8]) {
        if !self.sides[who].set.can_send() {
            self.begin(who, false);
        }
        if !self.sides[who].set.can_send() || self.letters.len() >= MAX_LETTERS {
            return;
        }
        let sealed = self.sides[who].set.encrypt(text, &mut self.rng, self.now).expect("there is a session");
        self.letters.push(Letter { from: who, sealed, text: text.to_vec(), arrived: false });
    }

    fn deliver_next(&mut self, from: usize) {
        if let Some(next) = self.letters.iter().position(|letter| letter.from == from && !letter.arrived) {
            self.deliver(next);
        }
    }

    /// The last ones first: the worst order.
    fn deliver_all(&mut self) {
        for letter in (0..self.letters.len()).rev() {
            if !self.letters[letter].arrived {
                self.deliver(letter);
            }
        }
    }

    /// A letter arrives, for the first time or again.
    fn deliver(&mut self, which: usize) {
        let Some(letter) = self.letters.get_mut(which % MAX_LETTERS) else { return };
        let first_time = !std::mem::replace(&mut letter.arrived, true);
        let (to, kind, payload) = (1 - letter.from, letter.sealed.kind, letter.sealed.payload.clone());
        let was_opened = self.sides[to].opened.contains(&digest(kind, &payload));
        match self.arrives(to, kind, &payload) {
            Ok(()) => assert!(!was_opened),
            Err(error) if was_opened => assert!(error == SessionError::Duplicate || self.fell_back, "{error}"),
            // The attacker may have brought its message before, in the other kind of envelope.
            Err(error) => assert!(self.fell_back, "{first_time}: {error}"),
        }
    }

    /// Bytes that the attacker has made for somebody.
    fn inject(&mut self, to: usize, kind: SealedKind, payload: &[u8]) {
        // They open if they are a letter after all; `arrives` sees to that.
        let _ = self.arrives(to, kind, payload);
    }

    /// Something arrives, as from the other of the two. What opens must have been written so.
    fn arrives(&mut self, to: usize, kind: SealedKind, payload: &[u8]) -> Result<(), SessionError> {
        let before = self.sides[to].row();
        match self.open(to, kind, payload) {
            Ok(opened) => {
                let digest = digest(kind, payload);
                let written = self.letters.iter().find(|letter| letter.is(digest));
                let written = written.expect("what opens was written by somebody");
                assert_eq!((1 - written.from, &written.text), (to, &*opened.plaintext));
                assert!(self.sides[to].opened.insert(digest), "opened twice");
                Ok(())
            }
            Err(error) => {
                assert_eq!(self.sides[to].row(), before, "a refusal changed the state: {error}");
                Err(error)
            }
        }
    }

    /// What a messenger does with an envelope.
    fn open(&mut self, to: usize, kind: SealedKind, payload: &[u8]) -> Result<Opened, SessionError> {
        let [me, peer] = [to, 1 - to].map(|who| &people()[who]);
        let side = &mut self.sides[to];
        if kind == SealedKind::Session {
            return side.set.open_session(me.keys.peer_id(), peer.keys.peer_id(), payload, self.now);
        }
        let first = FirstContactIn::parse(payload)?;
        let used = side.marks.contains(&first.header.ephemeral.0);
        if used && first.one_time_id().is_none() && !side.set.knows_session(&first.session) {
            return Err(SessionError::Duplicate);
        }
        let one_time = first.one_time_id().map(|id| side.one_time.iter().find(|keys| keys.id == id));
        let (kem, one_time) = match one_time {
            Some(keys) => (keys.map(|keys| &keys.kem), keys.map(|keys| &keys.dh)),
            None => (Some(&me.card.kem).filter(|_| first.header.kem_id == me.card.kem_id), None),
        };
        let kem = kem.filter(|_| first.header.prekey_id == me.card.prekey_id);
        let keys = kem.map(|kem| ResponderKeys { prekey: &me.card.prekey, kem, one_time });
        let opened = side.set.open_first(&me.keys, peer.keys.public(), &first, keys, self.now)?;
        if opened.is_new_session {
            match first.one_time_id() {
                Some(id) => side.one_time.retain(|keys| keys.id != id),
                None => drop(side.marks.insert(first.header.ephemeral.0)),
            }
        }
        Ok(opened)
    }

    fn wait(&mut self, span: Millis) {
        if self.waited.0 + span.0 < MAX_WAIT.0 {
            self.waited = Millis(self.waited.0 + span.0);
            self.now = self.now + span;
        }
    }

    /// An old copy of the state takes the place of the new one, as after a backup was put back.
    fn fall_back(&mut self, who: usize) {
        self.fell_back = true;
        std::mem::swap(&mut self.sides[who], &mut self.copies[who]);
    }

    /// A letter chosen by the next byte: its recipient, kind and bytes.
    fn pick(&self, bytes: &mut Bytes<'_>) -> Option<(usize, SealedKind, Vec<u8>)> {
        let which = usize::from(bytes.u8());
        let letter = self.letters.get(which % self.letters.len().max(1))?;
        Some((1 - letter.from, letter.sealed.kind, letter.sealed.payload.clone()))
    }

    /// One byte of a letter is another.
    fn change(&mut self, bytes: &mut Bytes<'_>) {
        let Some((to, kind, mut payload)) = self.pick(bytes) else { return };
        let place = usize::from(bytes.u16()) % payload.len();
        payload[place] ^= bytes.u8();
        self.inject(to, kind, &payload);
    }

    /// The beginning of one letter and the end of another.
    fn splice(&mut self, bytes: &mut Bytes<'_>) {
        let (Some((to, kind, one)), Some((_, _, two))) = (self.pick(bytes), self.pick(bytes)) else { return };
        let cut = usize::from(bytes.u16());
        let (from, until) = (cut % (two.len() + 1), cut % (one.len() + 1));
        self.inject(to, kind, &[&one[..until], &two[from..]].concat());
    }

    /// A field of a header gets a value that somebody may not have thought of.
    fn patch(&mut self, bytes: &mut Bytes<'_>) {
        let Some((to, kind, mut payload)) = self.pick(bytes) else { return };
        let field = usize::from(bytes.u8());
        let start = if kind == SealedKind::First { FIRST_LEN } else { 0 };
        let (place, len) = match FIRST_FIELDS.get(field / FIELDS.len()) {
            Some(_) if start > 0 && field % 2 == 0 => FIRST_FIELDS[field % FIRST_FIELDS.len()],
            _ => (start + FIELDS[field % FIELDS.len()].0, FIELDS[field % FIELDS.len()].1),
        };
        let value = interesting(bytes.u8(), len);
        let Some(target) = payload.get_mut(place..place + len) else { return };
        target.copy_from_slice(&value);
        self.inject(to, kind, &payload);
    }

    /// The ML-KEM part is cut out, or put in.
    fn strip(&mut self, bytes: &mut Bytes<'_>) {
        let Some((to, kind, mut payload)) = self.pick(bytes) else { return };
        let flags = if kind == SealedKind::First { FIRST_LEN } else { 0 } + 72;
        let part = match payload[flags] {
            0 => 0,
            1 => 4 + 1_184,
            _ => 4 + 1_088,
        };
        payload[flags] = bytes.u8() % 3;
        let new = match payload[flags] {
            0 => 0,
            1 => 4 + 1_184,
            _ => 4 + 1_088,
        };
        if part != new {
            payload.splice(flags + 1..flags + 1 + part, vec![bytes.u8(); new]);
        }
        self.inject(to, kind, &payload);
    }

    /// With the header of another letter's first contact, or without its own.
    fn other_kind(&mut self, bytes: &mut Bytes<'_>) {
        let (Some((to, kind, payload)), Some((_, other, from))) = (self.pick(bytes), self.pick(bytes)) else { return };
        match (kind, other) {
            (SealedKind::First, _) => self.inject(to, SealedKind::Session, &payload[FIRST_LEN..]),
            (SealedKind::Session, SealedKind::First) => {
                self.inject(to, SealedKind::First, &[&from[..FIRST_LEN], &payload].concat());
            }
            _ => self.inject(to, SealedKind::First, &payload),
        }
    }

    /// A letter comes back to the one who wrote it.
    fn reflect(&mut self, bytes: &mut Bytes<'_>) {
        let Some((to, kind, payload)) = self.pick(bytes) else { return };
        assert!(self.arrives(1 - to, kind, &payload).is_err(), "one's own letter");
    }
}

impl Letter {
    fn is(&self, message: [u8; 32]) -> bool {
        digest(self.sealed.kind, &self.sealed.payload) == message
    }
}

/// Names the session message in a payload: a header may stand before it or not.
fn digest(kind: SealedKind, payload: &[u8]) -> [u8; 32] {
    let start = if kind == SealedKind::First { FIRST_LEN } else { 0 };
    sha256(&[payload.get(start..).unwrap_or_default()])
}

/// Numbers at their ends, and points of low order.
fn interesting(choice: u8, len: usize) -> Vec<u8> {
    const NUMBERS: [u32; 8] = [0, 1, 2, 1_000, 1_001, 10_000, u32::MAX - 1, u32::MAX];
    let mut value = vec![0; len];
    match (choice, len) {
        (_, 4) => value.copy_from_slice(&NUMBERS[usize::from(choice) % NUMBERS.len()].to_be_bytes()),
        (0, _) => {}
        (1, _) => value[0] = 1,
        (2, 32) => value.copy_from_slice(&ORDER_EIGHT[0]),
        (3, 32) => value.copy_from_slice(&ORDER_EIGHT[1]),
        (4, 32) => {
            value = vec![0xff; 32];
            (value[0], value[31]) = (0xec, 0x7f);
        }
        _ => value = vec![choice; len],
    }
    value
}

/// The points of order eight of Curve25519.
const ORDER_EIGHT: [[u8; 32]; 2] = [
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ],
];
