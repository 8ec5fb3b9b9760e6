//! Conversations of a pair. Every scenario runs twice: with the sets kept in memory; and with what has changed of them
//! written to rows and read back around every step, and turns made ahead now and then.

mod bounds;
mod conversation;
mod healing;
mod hostile;
mod model;
mod rows;
mod start;

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::ratchet::{KemPart, MessageIn};
use super::{
    Ahead, FirstContactIn, Opened, RemoteBundle, ResponderKeys, Sealed, SealedKind, Sending, Session, SessionError,
    SessionSet,
};
use crate::base::limits::MAX_PAYLOAD;
use crate::base::{Millis, PeerId, SessionId, WallTime};
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
    disk: Disk,
    /// The next turn, made ahead.
    ahead: Option<Ahead>,
}

/// The rows of a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Disk {
    sessions: BTreeMap<SessionId, Vec<u8>>,
    sending: Option<Vec<u8>>,
    /// Bytes written so far.
    written: usize,
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
    /// How often a set was read back.
    loads: u32,
    /// Whether the rows around every refusal are compared: almost always.
    compare: bool,
}

/// Runs a scenario in both ways.
fn both_ways(scenario: impl Fn(&mut World)) {
    scenario(&mut World::new(1, false));
    scenario(&mut World::new(1, true));
}

impl Disk {
    /// Writes what has changed, as a messenger does.
    fn apply(&mut self, set: &SessionSet) {
        for id in set.dropped() {
            self.sessions.remove(id);
        }
        for row in set.changed() {
            let row = (row.id(), postcard::to_allocvec(row).unwrap());
            self.written += row.1.len();
            self.sessions.insert(row.0, row.1);
        }
        if let Some(row) = set.sending_row().filter(|_| set.has_sealed()) {
            let row = postcard::to_allocvec(&row).unwrap();
            self.written += row.len();
            self.sending = Some(row);
        }
    }

    /// Reads them back.
    fn load(&self, me: PeerId, peer: PeerId) -> SessionSet {
        let rows = self.sessions.values().map(|row| postcard::from_bytes::<Session>(row).unwrap());
        let sending = self.sending.as_ref().map(|row| postcard::from_bytes::<Sending>(row).unwrap());
        SessionSet::load(me, peer, rows.collect(), sending.as_ref())
    }
}

impl Party {
    fn new(rng: &mut ChaCha20Rng) -> Self {
        Self {
            keys: IdentityKeypair::generate(rng),
            card: CardKeys::generate(rng),
            one_time: BTreeMap::new(),
            used: BTreeSet::new(),
            set: SessionSet::default(),
            disk: Disk::default(),
            ahead: None,
        }
    }

    fn bundle(&self, one_time: Option<OneTimePrekey>) -> RemoteBundle {
        RemoteBundle::of(&self.keys, &self.card, one_time)
    }

    /// All that its rows say.
    fn row(&self) -> Vec<u8> {
        let sessions: Vec<&Session> = self.set.rows().collect();
        postcard::to_allocvec(&(sessions, self.set.sending_row())).unwrap()
    }
}

impl SessionSet {
    /// Whether the peer has proven that he holds the session that sends (SES-50).
    pub(crate) fn is_confirmed(&self) -> bool {
        self.sending().is_some_and(Session::is_confirmed)
    }
}

impl World {
    fn new(seed: u64, reload: bool) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let (alice, bob) = (Party::new(&mut rng), Party::new(&mut rng));
        Self { alice, bob, rng, now: WallTime(1_750_000_000_000), reload, loads: 0, compare: true }
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

    /// Before a step: through rows and back, which must not change anything; from here on is told what changes. Two times
    /// of three the next turn is made ahead.
    fn load(&mut self, who: Who) {
        if !self.reload {
            return;
        }
        self.loads += 1;
        let (peer, makes, mut rng) = (self.party(who.other()).keys.peer_id(), self.loads % 3, self.rng.clone());
        let party = self.party(who);
        let before = party.row();
        let rows = party.set.rows().map(|row| (row.id(), postcard::to_allocvec(row).unwrap())).collect();
        let sending = party.set.sending_row().map(|row| postcard::to_allocvec(&row).unwrap());
        party.disk = Disk { sessions: rows, sending, written: 0 };
        party.set = party.disk.load(party.keys.peer_id(), peer);
        assert_eq!(party.row(), before);
        let next = party.ahead.take().or_else(|| party.set.turn_ahead(&mut rng).filter(|_| makes > 0));
        if let Some(next) = next.clone() {
            party.set.take_ahead(next);
        }
        party.ahead = next.filter(|_| party.set.next_turn() == Some(true));
        self.rng = rng;
    }

    /// After a step: what has changed is written, and must be all that has.
    fn store(&mut self, who: Who) {
        if !self.reload {
            return;
        }
        let peer = self.party(who.other()).keys.peer_id();
        let party = self.party(who);
        let after = party.row();
        party.disk.apply(&party.set);
        party.set = party.disk.load(party.keys.peer_id(), peer);
        assert_eq!(party.row(), after, "something changed that was not written");
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
        self.load(who);
        let now = self.now;
        let mut rng = self.rng.clone();
        let party = self.party(who);
        let before = party.row();
        let result = party.set.begin(&party.keys, bundle, &mut rng, now);
        if result.is_err() {
            assert_eq!(party.row(), before, "SES-61: an error changed the state");
        }
        self.rng = rng;
        self.store(who);
        result
    }

    fn send(&mut self, from: Who, text: impl AsRef<[u8]>) -> Letter {
        self.try_send(from, text).unwrap()
    }

    fn try_send(&mut self, from: Who, text: impl AsRef<[u8]>) -> Result<Letter, SessionError> {
        self.load(from);
        let text = text.as_ref().to_vec();
        let (now, mut rng) = (self.now, self.rng.clone());
        let party = self.party(from);
        let before = party.row();
        let result = party.set.encrypt(&text, &mut rng, now);
        if result.is_err() {
            assert_eq!(party.row(), before, "SES-61: an error changed the state");
        }
        self.rng = rng;
        self.store(from);
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
        self.load(to);
        let before = self.compare.then(|| self.party(to).row());
        let result = match letter.sealed.kind {
            SealedKind::Session => self.open_session(to, &letter.sealed.payload),
            SealedKind::First => self.open_first(to, &letter.sealed.payload),
        };
        if let (Err(_), Some(before)) = (&result, before) {
            assert_eq!(self.party(to).row(), before, "SES-61: an error changed the state");
        }
        self.store(to);
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
        let now = self.now;
        let party = self.party(to);
        let mark = (first.header.prekey_id, first.header.ephemeral.0);
        if !party.set.knows_session(&first.session) && party.used.contains(&mark) {
            return Err(SessionError::Duplicate);
        }
        let one_time = first.one_time_id().and_then(|id| party.one_time.get(&id));
        let keys = match (first.one_time_id(), one_time) {
            _ if first.header.prekey_id != party.card.prekey_id => None,
            (Some(_), None) => None,
            (Some(_), Some(pair)) => {
                Some(ResponderKeys { prekey: &party.card.prekey, kem: &pair.kem, one_time: Some(&pair.dh) })
            }
            (None, _) if first.header.kem_id != party.card.kem_id => None,
            (None, _) => Some(ResponderKeys { prekey: &party.card.prekey, kem: &party.card.kem, one_time: None }),
        };
        let opened = party.set.open_first(&party.keys, &peer, &first, keys, now)?;
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
        assert_eq!(self.deliver(letter).map(|opened| opened.plaintext.to_vec()), Ok(letter.text.clone()));
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
