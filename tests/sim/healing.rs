//! Loss of state: sessions are begun again, and what was not delivered comes.

use rohrpost::base::Millis;
use rohrpost::base::words::{BoxState, Direction};
use rohrpost::messenger::Command;

use crate::world::{Weather, Who, World};

/// Bob's store is gone, Alice's is not.
fn after_a_loss(seed: u64) -> (World, Who, Who) {
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

const HOUR: Millis = Millis::from_hours(1);

/// Alice and Bob have talked; then Bob's folder is what it was before the last three messages of each.
fn put_back(world: &mut World, bob: Who, talk: impl Fn(&mut World, &str)) {
    talk(world, "before");
    let mut copy = world.copy_folder(bob);
    for text in ["lost 1", "lost 2", "lost 3"] {
        talk(world, text);
    }
    world.swap_folder(bob, &mut copy);
}

/// What comes after the texts that were there before, of one who lost nothing and of one whose folder was put back.
fn shown_behind(world: &World, who: Who, with: Who, last: &str, after: &[&str]) {
    let talk = world.talk(who, with);
    let texts: Vec<&str> = talk.iter().map(|line| line.rsplit(") ").next().unwrap().trim_start_matches("< ")).collect();
    let at = texts.iter().rposition(|text| text.ends_with(last)).unwrap();
    assert_eq!(texts[at + 1..], *after, "{talk:?}");
}

/// SES-67, SES-68, SES-70, SES-71: on a stream, whoever writes first, and if only one of them does.
#[test]
fn what_is_written_after_an_old_copy_was_put_back_arrives_once_and_behind_what_was_there() {
    for (seed, writers) in [(41, [true, true]), (42, [false, true]), (43, [true, false])] {
        let mut world = World::new(seed, Weather::CALM);
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        world.say(alice, bob, "hello");
        world.settle();
        world.accept(bob, alice);
        world.settle();
        put_back(&mut world, bob, |world, text| {
            world.say(alice, bob, &format!("a {text}"));
            world.settle();
            world.say(bob, alice, &format!("b {text}"));
            world.settle();
        });
        let mut said = Vec::new();
        for turn in 1..=3 {
            for ((from, to, name), _) in
                [(alice, bob, "a"), (bob, alice, "b")].into_iter().zip(writers).filter(|(_, writes)| *writes)
            {
                let text = format!("{name} after {turn}");
                world.say(from, to, &text);
                said.push(text);
                world.pass(Millis::from_hours(6));
            }
        }
        world.pass(Millis::from_days(1));
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        shown_behind(&world, alice, bob, "b lost 3", &said);
        shown_behind(&world, bob, alice, "b before", &said);
    }
}

/// SES-71, CON-11: of what Bob's lost folder had said the first never came, and what came next showed the gap. He says something
/// else under the same counter: it is no older than what is there.
#[test]
fn a_counter_that_fell_back_into_a_gap_stands_behind_what_was_there() {
    let mut world = World::new(45, Weather::CALM);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, bob, "hello");
    world.settle();
    world.accept(bob, alice);
    world.settle();
    let mut copy = world.copy_folder(bob);
    world.say(bob, alice, "b known");
    world.settle();
    for text in ["b lost 1", "b lost 2", "b lost 3"] {
        if text == "b lost 2" {
            world.lose_next(bob, alice);
        }
        world.say(bob, alice, text);
    }
    world.pass(Millis(10));
    assert_eq!(world.texts(alice, bob, Direction::In), ["b known", "b lost 1", "b lost 3"]);
    assert!(world.history(alice, bob).last().unwrap().gap);
    world.swap_folder(bob, &mut copy);
    let mut said = Vec::new();
    for turn in 1..=4 {
        let text = format!("b after {turn}");
        world.say(bob, alice, &text);
        said.push(text);
        world.pass(Millis::from_hours(6));
    }
    world.pass(Millis::from_days(1));
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    shown_behind(&world, alice, bob, "b lost 3", &said);
    assert!(world.history(alice, bob).iter().all(|message| !message.gap), "nothing that is still to come is missing");
}

/// SES-68, SES-69: two who never meet come out of a broken session by their mailboxes.
#[test]
fn by_mailboxes_a_broken_session_heals_too() {
    let mut world = World::new(44, Weather::CALM);
    let houses = [world.house("north"), world.house("south")];
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    for who in [alice, bob] {
        houses.iter().for_each(|house| world.use_mailbox(who, *house));
        assert_eq!(world.box_states(who), [BoxState::InUse, BoxState::InUse]);
    }
    world.say(alice, bob, "hello");
    world.settle();
    world.accept(bob, alice);
    world.settle();
    world.stop(alice);
    world.stop(bob);
    let on = |world: &mut World, who: Who| {
        world.come(who);
        world.pass(HOUR);
        world.stop(who);
    };
    put_back(&mut world, bob, |world, text| {
        world.say(alice, bob, &format!("a {text}"));
        on(world, alice);
        on(world, bob);
        world.say(bob, alice, &format!("b {text}"));
        on(world, bob);
        on(world, alice);
        on(world, bob);
    });
    world.say(alice, bob, "a after 1");
    world.say(bob, alice, "b after 1");
    for _ in 0..15 {
        for who in [alice, bob] {
            on(&mut world, who);
            world.pass(Millis::from_hours(11));
        }
    }
    assert_eq!(world.texts(alice, bob, Direction::In).last().unwrap(), "b after 1");
    assert_eq!(world.texts(bob, alice, Direction::In).last().unwrap(), "a after 1");
    for (from, to, text) in [(alice, bob, "a after 2"), (bob, alice, "b after 2")] {
        world.say(from, to, text);
        on(&mut world, from);
        on(&mut world, to);
        assert_eq!(world.texts(to, from, Direction::In).last().unwrap(), text, "without another wait");
    }
    let mut texts = world.texts(alice, bob, Direction::In);
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), world.texts(alice, bob, Direction::In).len());
}
