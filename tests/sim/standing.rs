//! Who was acknowledged and dropped: what he wrote comes again, and he can always ask again.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rohrpost::base::words::{Direction, Policy, State};
use rohrpost::base::{Millis, limits};
use rohrpost::messenger::{Command, Hints};

use crate::world::{Weather, Who, World};
use crate::{both_ways, seeds};

fn befriend(world: &mut World, alice: Who, bob: Who) {
    world.say(alice, bob, "hello");
    world.settle();
    world.accept(bob, alice);
    world.settle();
}

fn received(world: &World, bob: Who, alice: Who) -> Vec<String> {
    world.texts(bob, alice, Direction::In)
}

/// REQ-2, REQ-3, REQ-11, REQ-12: what is beyond three messages, or too long, is told apart by nothing, and comes when the request is accepted.
#[test]
fn what_a_request_did_not_hold_comes_when_it_is_accepted() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        befriend(world, alice, bob);
        let peer = world.id(alice);
        world.command(bob, Command::RemoveContact(peer)).unwrap();
        let long = "y".repeat(limits::MAX_REQUEST_CONTENT);
        let texts = ["m0", &long, "m1", "m2", "m3", "m4"];
        let ids = texts.map(|text| {
            let id = world.say(alice, bob, text);
            world.settle();
            id
        });
        assert!(ids.iter().all(|id| world.state(alice, id) == State::Sent), "acknowledged, all alike");
        assert_eq!(world.requests(bob)[0].messages as usize, limits::MAX_REQUEST_MESSAGES);
        world.accept(bob, alice);
        world.settle();
        let mut expected = vec!["hello".to_owned()];
        expected.extend(["m0", "m1", "m2", &long, "m3", "m4"].map(str::to_owned));
        let mut came = received(world, bob, alice);
        assert_eq!(came.len(), expected.len());
        came.sort();
        expected.sort();
        assert_eq!(came, expected);
        assert!(ids.iter().all(|id| world.state(alice, id) == State::Delivered));
    });
}

/// REQ-12: who is added, or written to, was not held before and is told, too.
#[test]
fn what_was_shut_out_comes_when_its_writer_is_added() {
    both_ways(|world| {
        let (alice, bob, carol) = (world.join("alice"), world.join("bob"), world.join("carol"));
        for who in [alice, carol] {
            world.say(who, bob, "buy");
            world.settle();
            let peer = world.id(who);
            world.command(bob, Command::DeclineRequest(peer)).unwrap();
            world.say(who, bob, "please");
            world.settle();
            assert_eq!(world.requests(bob), []);
        }
        let add = Command::AddContact { peer: world.id(alice), name: None, hints: Hints::default() };
        world.command(bob, add).unwrap();
        world.say(bob, carol, "what was it?");
        world.settle();
        for who in [alice, carol] {
            assert_eq!(received(world, bob, who), ["buy", "please"]);
            assert!(
                world.history(who, bob).iter().all(|m| m.direction == Direction::In || m.state == State::Delivered)
            );
        }
    });
}

/// REQ-1, REQ-9, REQ-11, REQ-12: in whatever order somebody is removed, declined, blocked and let in again, and however long it takes, he can ask again;
/// and what was acknowledged to him is shown in the end, once, or was given up and he was told.
#[test]
fn who_was_a_contact_can_always_ask_again() {
    for seed in seeds(4) {
        let mut world = World::new(seed, Weather::CALM);
        let mut dice = ChaCha20Rng::seed_from_u64(seed);
        let mut below = |n: u64| usize::try_from(dice.next_u64() % n).unwrap();
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        befriend(&mut world, alice, bob);
        let peer = world.id(alice);
        let (mut said, mut trail) = (vec!["hello".to_owned()], Vec::new());
        for n in 0..25 {
            let act = match below(9) {
                0 | 1 => Command::RemoveContact(peer),
                2 => Command::DeclineRequest(peer),
                3 => Command::Block(peer),
                4 | 5 => Command::Unblock(peer),
                6 => Command::AcceptRequest(peer),
                7 => Command::SetPolicy([Policy::Requests, Policy::Contacts, Policy::Nobody][below(3)]),
                _ => Command::AddContact { peer, name: None, hints: Hints::default() },
            };
            let shown = format!("{act:?}");
            // Much of it is refused, as it must be.
            let done = world.command(bob, act).is_ok();
            for _ in 0..below(4) {
                let text = format!("{n}.{}", said.len());
                world.say(alice, bob, &text);
                said.push(text);
            }
            let hours = [0, 1, 30, 24 * 8, 24 * 31][below(5)];
            world.pass(Millis::from_hours(hours));
            trail.push(format!("{shown} {done}, {} said, {hours} h", said.len()));
        }
        // At last he is nobody to Bob, who takes requests: he asks, and is accepted.
        drop(world.command(bob, Command::Unblock(peer)));
        drop(world.command(bob, Command::RemoveContact(peer)));
        world.command(bob, Command::SetPolicy(Policy::Requests)).unwrap();
        drop(world.command(bob, Command::DeclineRequest(peer)));
        world.pass(Millis::from_days(31));
        world.say(alice, bob, "at last");
        said.push("at last".to_owned());
        world.pass(Millis::from_hours(30));
        assert_eq!(world.requests(bob).len(), 1, "{trail:#?}");
        world.accept(bob, alice);
        world.pass(Millis::from_hours(30));
        let mut came = received(&world, bob, alice);
        let told = world.history(alice, bob);
        for message in told.iter().filter(|message| message.direction == Direction::Out) {
            let shown = came.iter().filter(|text| **text == message.text).count();
            let ok = match message.state {
                State::Delivered | State::Read => shown == 1,
                State::Undelivered => shown <= 1,
                _ => false,
            };
            assert!(ok, "{} is {:?}, and is shown {shown} times: {trail:#?}", message.text, message.state);
        }
        came.retain(|text| !said.contains(text));
        assert_eq!(came, [""; 0]);
        assert_eq!(told.len(), said.len());
    }
}
