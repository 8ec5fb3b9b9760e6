//! A messenger on a real disk, and what an envelope costs it until the answer may leave.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rohrpost::base::{MonoTime, Now, PeerId, Secret, WallTime};
use rohrpost::identity::{CardIn, IdentityKey, IdentityKeypair};
use rohrpost::messenger::{Answer, Command, Event, FrameToken, Input, Messenger, Order, Output};
use rohrpost::session::RemoteBundle;
use rohrpost::store::Store;

pub const NOW: Now = Now { wall: WallTime(1_767_225_600_000), mono: MonoTime(0) };

/// A messenger, and the folder it is in.
pub struct Desk {
    messenger: Messenger,
    store: Store,
    rng: ChaCha20Rng,
    _dir: tempfile::TempDir,
}

impl Desk {
    /// All of them have the same keys.
    pub fn new() -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let chosen = std::env::var_os("ROHRPOST_BENCH_DIR");
        let folder = chosen.map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
        let dir = tempfile::tempdir_in(folder).unwrap();
        let me = IdentityKeypair::generate(&mut rng);
        let store = Store::open(dir.path(), &Secret::random(&mut rng), &mut rng, NOW).unwrap();
        let (messenger, _) = Messenger::open(store.clone(), me, NOW, &mut rng).unwrap();
        Self { messenger, store, rng, _dir: dir }
    }

    pub fn id(&self) -> PeerId {
        self.messenger.peer_id()
    }

    pub fn hand_in(&mut self, input: Input) -> Vec<Output> {
        let outputs = self.messenger.handle(vec![input], NOW, &mut self.rng);
        // As a node does it: keys are made ahead between commits.
        self.store.stock_keys(&mut self.rng).unwrap();
        outputs
    }

    pub fn command(&mut self, command: Command) -> Answer {
        let replies = self.hand_in(Input::Command(1, command)).into_iter().find_map(|output| match output {
            Output::Reply(_, answer) => Some(answer),
            _ => None,
        });
        replies.unwrap().unwrap()
    }

    /// What the card offers whoever begins a session.
    pub fn bundle(&mut self) -> RemoteBundle {
        let from = PeerId::from_key_bytes([7; 32]);
        let asked = Input::Net(Event::BundleRequested { from, request: 1, want_prekey: false });
        let card = self.hand_in(asked).into_iter().find_map(|output| match output {
            Output::Net(Order::AnswerBundle { card, .. }) => Some(card),
            _ => None,
        });
        let identity = IdentityKey::from_peer_id(self.id()).unwrap();
        let card = CardIn::decode(&card.unwrap()).unwrap().verify(&identity, NOW.wall).unwrap();
        let (prekey_id, prekey) = (card.prekey_id, card.prekey);
        RemoteBundle { identity, prekey_id, prekey, kem_id: card.kem_id, kem: card.kem.clone(), one_time: None }
    }

    /// How long it takes until the answer may leave.
    #[expect(clippy::disallowed_methods, reason = "it is measured")]
    pub fn takes(&mut self, from: PeerId, bytes: &[u8]) -> Duration {
        let token = FrameToken { stream: 1, frame: 1 };
        let input = Input::Net(Event::Envelope { from, origin: None, token, bytes: bytes.to_vec() });
        let begun = Instant::now();
        let outputs = self.messenger.handle(vec![input], NOW, &mut self.rng);
        let took = begun.elapsed();
        let is_answer = |output: &Output| matches!(output, Output::Net(Order::Acknowledge(_) | Order::Refuse(..)));
        assert!(outputs.iter().any(is_answer));
        self.store.stock_keys(&mut self.rng).unwrap();
        took
    }
}

/// The middle one, and the longest.
pub fn median_and_most(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let ms = |time: &Duration| time.as_secs_f64() * 1e3;
    (times.get(times.len() / 2).map_or(0.0, ms), times.last().map_or(0.0, ms))
}
