//! Two parties and a conversation between them, in memory.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rohrpost::base::WallTime;
use rohrpost::identity::{CardKeys, IdentityKeypair};
use rohrpost::session::{FirstContactIn, RemoteBundle, ResponderKeys, SealedKind, SessionSet};

/// A message of 200 bytes.
pub const TEXT: &[u8] = &[b'x'; 200];

const NOW: WallTime = WallTime(1_767_225_600_000);

struct Party {
    keys: IdentityKeypair,
    card: CardKeys,
    set: SessionSet,
}

pub struct Pair {
    alice: Party,
    bob: Party,
    rng: ChaCha20Rng,
}

impl Party {
    fn new(rng: &mut ChaCha20Rng) -> Self {
        Self { keys: IdentityKeypair::generate(rng), card: CardKeys::generate(rng), set: SessionSet::default() }
    }
}

impl Pair {
    /// Two who do not know each other.
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        Self { alice: Party::new(&mut rng), bob: Party::new(&mut rng), rng }
    }

    /// Two whose session both have confirmed.
    pub fn confirmed(seed: u64) -> Self {
        let mut pair = Self::new(seed);
        let first = pair.first();
        pair.open_first(&first);
        pair.bob_says();
        pair
    }

    /// Alice begins, and seals a first message.
    pub fn first(&mut self) -> Vec<u8> {
        let bundle = RemoteBundle::of(&self.bob.keys, &self.bob.card, None);
        self.alice.set.begin(&self.alice.keys, &bundle, &mut self.rng, NOW).unwrap();
        let sealed = self.alice.set.encrypt(TEXT, &mut self.rng, NOW).unwrap();
        assert_eq!(sealed.kind, SealedKind::First);
        sealed.payload
    }

    /// Bob opens it.
    pub fn open_first(&mut self, payload: &[u8]) {
        let first = FirstContactIn::parse(payload).unwrap();
        let (bob, peer) = (&mut self.bob, self.alice.keys.public());
        let keys = ResponderKeys { prekey: &bob.card.prekey, kem: &bob.card.kem, one_time: None };
        let opened = bob.set.open_first(&bob.keys, peer, &first, Some(keys), NOW).unwrap();
        assert_eq!(*opened.plaintext, TEXT);
    }

    pub fn alice_says(&mut self) {
        say(&mut self.alice, &mut self.bob, &mut self.rng);
    }

    pub fn bob_says(&mut self) {
        say(&mut self.bob, &mut self.alice, &mut self.rng);
    }

    /// What a node does while nothing waits: the next turn of whoever answers.
    pub fn alice_turns_ahead(&mut self) {
        turn_ahead(&mut self.alice, &mut self.rng);
    }

    pub fn bob_turns_ahead(&mut self) {
        turn_ahead(&mut self.bob, &mut self.rng);
    }
}

fn turn_ahead(who: &mut Party, rng: &mut ChaCha20Rng) {
    let ahead = who.set.turn_ahead(rng).unwrap();
    who.set.take_ahead(ahead);
}

fn say(from: &mut Party, to: &mut Party, rng: &mut ChaCha20Rng) {
    let sealed = from.set.encrypt(TEXT, rng, NOW).unwrap();
    let (me, peer) = (to.keys.peer_id(), from.keys.peer_id());
    let opened = to.set.open_session(me, peer, &sealed.payload, NOW).unwrap();
    assert_eq!(*opened.plaintext, TEXT);
}
