//! Conversations of a pair. Every scenario runs twice: with the sets kept in memory, and with each of them
//! written to a row and read back around every step.

mod bounds;
mod conversation;
mod healing;
mod hostile;
mod model;
mod start;

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::ratchet::{KemPart, MessageIn};
use super::{FirstContactIn, Opened, RemoteBundle, ResponderKeys, Sealed, SealedKind, SessionError, SessionSet};
use crate::base::limits::MAX_PAYLOAD;
use crate::base::{Millis, SessionId, WallTime};
use crate::identity::{CardKeys, IdentityKeypair, OneTimeKeys, OneTimePrekey, PrekeyId};

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Alice,
    Bob,
}
use Who::{Alice, Bob};

impl Who {
    fn other(self) -> Self {
        match self {
            Alice => Bob,
            Bob => Alice,
        }
    }
}

/// One of the two, with all a node would keep.
struct Party {
    keys: IdentityKeypair,
    card: CardKeys,
    one_time: BTreeMap<PrekeyId, OneTimeKeys>,
    /// The marks of used card prekeys (SES-18), which the messenger keeps.
    used: BTreeSet<(PrekeyId, [u8; 32])>,
    set: SessionSet,
}

/// A sealed message on its way.
#[derive(Clone, Debug)]
struct Letter {
    from: Who,
    sealed: Sealed,
    text: Vec<u8>,
}

struct World {
    alice: Party,
    bob: Party,
    rng: ChaCha20Rng,
    now: WallTime,
    reload: bool,
    /// Whether the rows around every refusal are compared: almost always.
    compare: bool,
}

/// Runs a scenario in both ways.
fn both_ways(scenario: impl Fn(&mut World)) {
    scenario(&mut World::new(1, false));
    scenario(&mut World::new(1, true));
}

impl Party {
    fn new(rng: &mut ChaCha20Rng) -> Self {
        Self {
            keys: IdentityKeypair::generate(rng),
            card: CardKeys::generate(rng),
            one_time: BTreeMap::new(),
            used: BTreeSet::new(),
            set: SessionSet::default(),
        }
    }

    fn bundle(&self, one_time: Option<OneTimePrekey>) -> RemoteBundle {
        RemoteBundle::of(&self.keys, &self.card, one_time)
    }

    fn row(&self) -> Vec<u8> {
        postcard::to_allocvec(&self.set).unwrap()
    }
}

impl World {
    fn new(seed: u64, reload: bool) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (alice, bob) = (Party::new(&mut rng), Party::new(&mut rng));
        Self { alice, bob, rng, now: WallTime(1_750_000_000_000), reload, compare: true }
    }

    /// Alice's first contact and Bob's reply have opened.
    fn confirmed(seed: u64, reload: bool) -> Self {
        let mut world = Self::new(seed, reload);
        world.begin(Alice);
        world.says(Alice, "hello");
        world.says(Bob, "hello yourself");
        world
    }

    fn party(&mut self, who: Who) -> &mut Party {
        match who {
            Alice => &mut self.alice,
            Bob => &mut self.bob,
        }
    }

    fn set(&mut self, who: Who) -> &mut SessionSet {
        &mut self.party(who).set
    }

    fn wait(&mut self, span: Millis) {
        self.now = self.now + span;
    }

    /// Through a row and back, which must not change anything.
    fn step(&mut self, who: Who) {
        if self.reload {
            let row = self.party(who).row();
            *self.set(who) = postcard::from_bytes(&row).unwrap();
            assert_eq!(self.party(who).row(), row);
        }
    }

    fn begin(&mut self, who: Who) -> SessionId {
        let bundle = self.party(who.other()).bundle(None);
        self.begin_with(who, &bundle).unwrap()
    }

    /// With a fresh one-time pair of the other's.
    fn begin_one_time(&mut self, who: Who) -> SessionId {
        let keys = OneTimeKeys::generate(&mut self.rng, self.now);
        let prekey = OneTimePrekey { id: keys.id, dh: keys.dh.public(), kem: keys.kem.public(), expires: keys.expires };
        let other = self.party(who.other());
        other.one_time.insert(keys.id, keys);
        let bundle = other.bundle(Some(prekey));
        self.begin_with(who, &bundle).unwrap()
    }

    fn begin_with(&mut self, who: Who, bundle: &RemoteBundle) -> Result<SessionId, SessionError> {
        self.step(who);
        let now = self.now;
        let mut rng = self.rng.clone();
        let party = self.party(who);
        let before = party.row();
        let result = party.set.begin(&party.keys, bundle, &mut rng, now);
        if result.is_err() {
            assert_eq!(party.row(), before, "SES-61: an error changed the state");
        }
        self.rng = rng;
        self.step(who);
        result
    }

    fn send(&mut self, from: Who, text: impl AsRef<[u8]>) -> Letter {
        self.try_send(from, text).unwrap()
    }

    fn try_send(&mut self, from: Who, text: impl AsRef<[u8]>) -> Result<Letter, SessionError> {
        self.step(from);
        let text = text.as_ref().to_vec();
        let (now, mut rng) = (self.now, self.rng.clone());
        let party = self.party(from);
        let before = party.row();
        let result = party.set.encrypt(&text, &mut rng, now);
        if result.is_err() {
            assert_eq!(party.row(), before, "SES-61: an error changed the state");
        }
        self.rng = rng;
        self.step(from);
        let sealed = result?;
        assert!(sealed.payload.len() <= MAX_PAYLOAD, "SES-30");
        Ok(Letter { from, sealed, text })
    }

    /// Brings a letter to the other side.
    fn deliver(&mut self, letter: &Letter) -> Result<Opened, SessionError> {
        self.deliver_to(letter.from.other(), letter)
    }

    /// Brings a letter to somebody, perhaps the wrong one; after an error nothing may have changed.
    fn deliver_to(&mut self, to: Who, letter: &Letter) -> Result<Opened, SessionError> {
        self.step(to);
        let before = self.compare.then(|| self.party(to).row());
        let result = match letter.sealed.kind {
            SealedKind::Session => self.open_session(to, &letter.sealed.payload),
            SealedKind::First => self.open_first(to, &letter.sealed.payload),
        };
        if let (Err(_), Some(before)) = (&result, before) {
            assert_eq!(self.party(to).row(), before, "SES-61: an error changed the state");
        }
        self.step(to);
        result
    }

    fn open_session(&mut self, to: Who, payload: &[u8]) -> Result<Opened, SessionError> {
        let peer = self.party(to.other()).keys.peer_id();
        let now = self.now;
        let party = self.party(to);
        party.set.open_session(party.keys.peer_id(), peer, payload, now)
    }

    /// What a messenger does with a first contact.
    fn open_first(&mut self, to: Who, payload: &[u8]) -> Result<Opened, SessionError> {
        let first = FirstContactIn::parse(payload)?;
        let peer = *self.party(to.other()).keys.public();
        let (now, mut rng) = (self.now, self.rng.clone());
        let party = self.party(to);
        let mark = (first.prekey_id(), first.ephemeral().0);
        if !party.set.knows_session(&first.session_id()) && party.used.contains(&mark) {
            return Err(SessionError::Duplicate);
        }
        let one_time = first.one_time_id().and_then(|id| party.one_time.get(&id));
        let keys = match (first.one_time_id(), one_time) {
            _ if first.prekey_id() != party.card.prekey_id => None,
            (Some(_), None) => None,
            (Some(_), Some(pair)) => {
                Some(ResponderKeys { prekey: &party.card.prekey, kem: &pair.kem, one_time: Some(&pair.dh) })
            }
            (None, _) if first.kem_id() != party.card.kem_id => None,
            (None, _) => Some(ResponderKeys { prekey: &party.card.prekey, kem: &party.card.kem, one_time: None }),
        };
        let opened = party.set.open_first(&party.keys, &peer, &first, keys, &mut rng, now)?;
        if opened.is_new_session {
            party.used.insert(mark);
            if let Some(id) = first.one_time_id() {
                party.one_time.remove(&id);
            }
        }
        Ok(opened)
    }

    /// Sends and delivers at once.
    fn says(&mut self, from: Who, text: impl AsRef<[u8]>) -> Letter {
        let letter = self.send(from, text);
        self.arrives(&letter);
        letter
    }

    /// Delivers; it must open.
    fn arrives(&mut self, letter: &Letter) {
        assert_eq!(self.deliver(letter).map(|opened| opened.plaintext), Ok(letter.text.clone()));
    }

    /// Delivers; it must be refused so.
    fn refused(&mut self, letter: &Letter, error: SessionError) {
        assert_eq!(self.deliver(letter), Err(error));
    }

    /// The session that somebody sends with.
    fn sends_with(&mut self, who: Who) -> SessionId {
        self.set(who).sending().unwrap().id()
    }
}

impl Letter {
    fn message(&self) -> MessageIn<'_> {
        MessageIn::parse(&self.sealed.payload[self.start()..]).unwrap()
    }

    /// Where the session message starts.
    fn start(&self) -> usize {
        match self.sealed.kind {
            SealedKind::First => super::handshake::FIRST_CONTACT_LEN,
            SealedKind::Session => 0,
        }
    }

    fn has_offer(&self) -> bool {
        matches!(self.message().header.kem, KemPart::Offer { .. })
    }

    fn has_answer(&self) -> bool {
        matches!(self.message().header.kem, KemPart::Answer { .. })
    }

    fn with_payload(&self, payload: Vec<u8>) -> Self {
        Self { from: self.from, sealed: Sealed { payload, ..self.sealed.clone() }, text: self.text.clone() }
    }
}
