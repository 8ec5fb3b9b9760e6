//! Loss of state: sessions are begun again, and what was not delivered comes.

use rohrpost::base::Millis;
use rohrpost::base::words::Direction;
use rohrpost::messenger::Command;

use crate::world::{Weather, World};

/// Bob's store is gone, Alice's is not.
fn after_a_loss(seed: u64) -> (World, crate::world::Who, crate::world::Who) {
    let mut world = World::new(seed, Weather::CALM);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, bob, "before");
    world.settle();
    world.accept(bob, alice);
    world.settle();
    world.say(bob, alice, "known");
    world.settle();
    world.lose_state(bob);
    (world, alice, bob)
}

/// SES-64, CON-29
#[test]
fn a_peer_who_lost_everything_is_written_to_again() {
    let (mut world, alice, bob) = after_a_loss(31);
    // To Bob, Alice is a stranger again, whose session he does not know: nothing is told to her.
    world.say(alice, bob, "into the void");
    world.pass(Millis::from_hours(1));
    // He adds her: now what does not open is healed, and comes.
    let peer = world.id(alice);
    let (name, hints) = (None, rohrpost::messenger::Hints::default());
    world.command(bob, Command::AddContact { peer, name, hints }).unwrap();
    world.say(alice, bob, "and again");
    world.pass(Millis::from_hours(3));
    assert_eq!(world.texts(bob, alice, Direction::In), ["into the void", "and again"]);
    world.say(bob, alice, "here I am");
    world.settle();
    assert_eq!(world.texts(alice, bob, Direction::In), ["known", "here I am"]);
}

#[test]
fn whoever_lost_the_state_can_write_first() {
    let (mut world, alice, bob) = after_a_loss(32);
    world.say(bob, alice, "new disk, same me");
    world.pass(Millis::from_hours(2));
    assert_eq!(world.texts(alice, bob, Direction::In), ["known", "new disk, same me"]);
    world.say(alice, bob, "welcome back");
    world.pass(Millis::from_hours(2));
    assert_eq!(world.texts(bob, alice, Direction::In), ["welcome back"]);
}

/// An old copy of the data folder is started beside the new one: two nodes that take themselves for Bob, in turns.
#[test]
fn an_old_copy_of_the_folder_beside_the_new_one() {
    let mut world = World::new(33, Weather::CALM);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, bob, "before");
    world.settle();
    world.accept(bob, alice);
    world.say(bob, alice, "known");
    world.settle();
    let mut other = world.copy_folder(bob);
    for turn in 1..=4 {
        world.say(alice, bob, &format!("to {turn}"));
        world.say(bob, alice, &format!("from {turn}"));
        world.pass(Millis::from_hours(6));
        world.swap_folder(bob, &mut other);
    }
    world.pass(Millis::from_hours(6));
    // Every message is somewhere, once: Alice has all, and each folder what came while it was in use.
    let mut heard = world.texts(alice, bob, Direction::In);
    heard.sort();
    assert_eq!(heard, ["from 1", "from 2", "from 3", "from 4", "known"]);
    assert_eq!(world.texts(bob, alice, Direction::In), ["before", "to 1", "to 3"]);
    world.swap_folder(bob, &mut other);
    assert_eq!(world.texts(bob, alice, Direction::In), ["before", "to 2", "to 4"]);
}
