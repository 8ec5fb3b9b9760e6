//! How long an envelope of somebody who is no contact takes, by what he is to the desk (REQ-1): four desks with the same keys and
//! the same strangers, two of which hold requests and two of which drop them. The medians of two that differ are to be no
//! farther apart than those of two that do not.
//!
//! `cargo bench --bench standing --no-default-features`

// A measurement: what goes wrong has to stop it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(missing_docs, unreachable_pub, reason = "a bench has no other crate to be reached from")]

mod desk;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rohrpost::base::PeerId;
use rohrpost::base::words::Policy;
use rohrpost::content::{self, Capsule, Introduction, Item, mimi};
use rohrpost::envelope::{EnvelopeKind, encode};
use rohrpost::identity::IdentityKeypair;
use rohrpost::messenger::Command;
use rohrpost::session::{RemoteBundle, SessionSet};

use desk::{Desk, NOW, median_and_most};

const TRIES: u64 = 200;
/// What a stranger sends, in this order.
const WHAT: [&str; 5] =
    ["a first contact that does not open", "a first contact", "a second", "a third", "one too many"];
/// The two that hold, and the two that drop.
const DESKS: [Policy; 4] = [Policy::Requests, Policy::Nobody, Policy::Requests, Policy::Nobody];

/// What a stranger sends.
fn letters(number: u64, bundle: &RemoteBundle) -> (PeerId, [Vec<u8>; WHAT.len()]) {
    let mut rng = ChaCha20Rng::seed_from_u64(1_000 + number);
    let me = IdentityKeypair::generate(&mut rng);
    let mut set = SessionSet::default();
    set.begin(&me, bundle, &mut rng, NOW.wall).unwrap();
    let desk = bundle.identity.peer_id();
    let (sender, room) = (content::sender_uri(me.peer_id()), content::direct_room_uri(me.peer_id(), desk));
    let mut seal = |n: u8| {
        let body = mimi::text([n; 16], &sender, &room, n.into(), &"x".repeat(500), None).encode();
        let introduction = Introduction { name: Some("A stranger".to_owned()), ..Introduction::default() };
        let items = vec![Item::Introduction(introduction), Item::Message { sent_at: NOW.wall, body }];
        set.encrypt(&Capsule { items }.encode(), &mut rng, NOW.wall).unwrap().payload
    };
    let [first, second, third, fourth] = [1, 2, 3, 4].map(&mut seal);
    let mut broken = first.clone();
    *broken.last_mut().unwrap() ^= 1;
    let payloads = [broken, first, second, third, fourth];
    (me.peer_id(), payloads.map(|payload| encode(EnvelopeKind::FirstContact, &payload).unwrap()))
}

fn main() {
    let mut desks = DESKS.map(|policy| {
        let mut desk = Desk::new();
        desk.command(Command::SetPolicy(policy));
        desk
    });
    let bundle = desks[0].bundle();
    let mut times = WHAT.map(|_| DESKS.map(|_| Vec::new()));
    for number in 0..TRIES {
        let (from, letters) = letters(number, &bundle);
        for (letter, times) in letters.iter().zip(&mut times) {
            // Each is first as often as the others.
            for turn in 0..4 {
                let which = usize::try_from((number + turn) % 4).unwrap();
                times[which].push(desks[which].takes(from, letter));
            }
        }
    }
    println!("| what, median | held | dropped | held, again | dropped, again |\n|---|---|---|---|---|");
    for (what, times) in WHAT.iter().zip(times) {
        let medians = times.map(|times| format!("{:.3} ms", median_and_most(times).0));
        println!("| {what} | {} |", medians.join(" | "));
    }
}
