//! How long an envelope of somebody who is no contact takes, by what he is to the desk (REQ-1): three desks with the same keys and
//! the same strangers, two of which hold requests and one of which drops them. The medians of two that differ are to be no
//! farther apart than those of two that do not.
//!
//! `cargo bench --bench standing --no-default-features`

// A measurement: what goes wrong has to stop it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rohrpost::base::words::Policy;
use rohrpost::base::{MonoTime, Now, PeerId, Secret, WallTime};
use rohrpost::content::{self, Capsule, Introduction, Item, mimi};
use rohrpost::envelope::{EnvelopeKind, encode};
use rohrpost::identity::{CardIn, IdentityKey, IdentityKeypair};
use rohrpost::messenger::{Command, Event, FrameToken, Input, Messenger, Order, Output};
use rohrpost::session::{RemoteBundle, SessionSet};
use rohrpost::store::Store;

const NOW: Now = Now { wall: WallTime(1_767_225_600_000), mono: MonoTime(0) };
const TRIES: u64 = 200;

/// A messenger, and the folder it is in.
struct Desk {
    messenger: Messenger,
    rng: ChaCha20Rng,
    _dir: tempfile::TempDir,
}

impl Desk {
    fn new(policy: Policy) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let dir = tempfile::tempdir().unwrap();
        let me = IdentityKeypair::generate(&mut rng);
        let store = Store::open(dir.path(), &Secret::random(&mut rng), &mut rng, NOW).unwrap();
        let (mut messenger, _) = Messenger::open(store, me, NOW, &mut rng).unwrap();
        messenger.handle(vec![Input::Command(1, Command::SetPolicy(policy))], NOW, &mut rng);
        Self { messenger, rng, _dir: dir }
    }

    fn card(&mut self) -> Vec<u8> {
        let from = PeerId::from_key_bytes([7; 32]);
        let asked = Input::Net(Event::BundleRequested { from, request: 1, want_prekey: false });
        let outputs = self.messenger.handle(vec![asked], NOW, &mut self.rng);
        let card = outputs.into_iter().find_map(|output| match output {
            Output::Net(Order::AnswerBundle { card, .. }) => Some(card),
            _ => None,
        });
        card.unwrap()
    }

    /// How long it takes until the answer may leave.
    #[expect(clippy::disallowed_methods, reason = "it is measured")]
    fn takes(&mut self, from: PeerId, bytes: &[u8]) -> Duration {
        let token = FrameToken { stream: 1, frame: 1 };
        let input = Input::Net(Event::Envelope { from, origin: None, token, bytes: bytes.to_vec() });
        let begun = Instant::now();
        let outputs = self.messenger.handle(vec![input], NOW, &mut self.rng);
        let took = begun.elapsed();
        let is_answer = |output: &Output| matches!(output, Output::Net(Order::Acknowledge(_) | Order::Refuse(..)));
        assert!(outputs.iter().any(is_answer));
        took
    }
}

/// The first message of a stranger, and the same with a changed end.
fn letters(number: u64, desk: PeerId, card: &[u8]) -> (PeerId, [Vec<u8>; 2]) {
    let mut rng = ChaCha20Rng::seed_from_u64(1_000 + number);
    let me = IdentityKeypair::generate(&mut rng);
    let owner = IdentityKey::from_peer_id(desk).unwrap();
    let card = CardIn::decode(card).unwrap().verify(&owner, NOW.wall).unwrap();
    let bundle = RemoteBundle {
        identity: owner,
        prekey_id: card.prekey_id,
        prekey: card.prekey,
        kem_id: card.kem_id,
        kem: card.kem.clone(),
        one_time: None,
    };
    let mut set = SessionSet::default();
    set.begin(&me, &bundle, &mut rng, NOW.wall).unwrap();
    let (sender, room) = (content::sender_uri(me.peer_id()), content::direct_room_uri(me.peer_id(), desk));
    let body = mimi::text([7; 16], &sender, &room, 1, &"x".repeat(500), None).encode();
    let introduction = Introduction { name: Some("A stranger".to_owned()), ..Introduction::default() };
    let items = vec![Item::Introduction(introduction), Item::Message { sent_at: NOW.wall, body }];
    let sealed = set.encrypt(&Capsule { items }.encode(), &mut rng, NOW.wall).unwrap();
    let mut broken = sealed.payload.clone();
    *broken.last_mut().unwrap() ^= 1;
    (me.peer_id(), [broken, sealed.payload].map(|payload| encode(EnvelopeKind::FirstContact, &payload).unwrap()))
}

fn main() {
    let mut desks = [Policy::Requests, Policy::Nobody, Policy::Requests].map(Desk::new);
    let (me, card) = (desks[0].messenger.peer_id(), desks[0].card());
    let mut times = [[const { Vec::new() }; 3], [const { Vec::new() }; 3]];
    for number in 0..TRIES {
        let (from, letters) = letters(number, me, &card);
        for (letter, times) in letters.iter().zip(&mut times) {
            // Each is first as often as the others.
            for turn in 0..3 {
                let which = usize::try_from((number + turn) % 3).unwrap();
                times[which].push(desks[which].takes(from, letter));
            }
        }
    }
    println!("| what | held | dropped | held, measured again |\n|---|---|---|---|");
    for (what, times) in ["a first contact that does not open", "a first contact"].iter().zip(times) {
        let medians = times.map(|mut times: Vec<Duration>| {
            times.sort_unstable();
            format!("{:.3} ms", times[times.len() / 2].as_secs_f64() * 1e3)
        });
        println!("| {what} | {} |", medians.join(" | "));
    }
}
