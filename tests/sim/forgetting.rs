//! Messages that vanish, conversations that are deleted: gone, once and for all, in any weather.

use rohrpost::base::Millis;
use rohrpost::base::event::EventKind;
use rohrpost::base::words::{Direction, State};
use rohrpost::messenger::{Answer, Command, Refusal};

use crate::both_ways;
use crate::seeds;
use crate::world::{Weather, Who, World};

/// Two contacts.
fn pair(world: &mut World) -> (Who, Who) {
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, bob, "hello");
    world.settle();
    world.accept(bob, alice);
    world.settle();
    (alice, bob)
}

fn delete(world: &mut World, who: Who, with: Who) -> u64 {
    let peer = world.id(with);
    match world.command(who, Command::DeleteConversation(peer)).unwrap() {
        Answer::Deleted { unsent } => unsent,
        other => panic!("{other:?}"),
    }
}

fn vanished(world: &World, who: Who) -> usize {
    world.events(who).iter().filter(|event| matches!(event, EventKind::MessageDeleted { .. })).count()
}

#[test]
fn a_whisper_is_heard_and_gone() {
    both_ways(|world| {
        let (alice, bob) = pair(world);
        world.whisper(alice, bob, "the code is 4711", Millis::from_hours(1));
        world.say(alice, bob, "got it?");
        world.settle();
        assert_eq!(world.talk(bob, alice), ["< hello", "< the code is 4711", "< got it?"]);
        assert_eq!(world.unread(bob), 3);
        let at = world.history(alice, bob)[1].expires_at;
        assert!(at.is_some());
        assert_eq!(world.history(bob, alice)[1].expires_at, at, "both sides agree");
        world.pass(Millis::from_hours(1));
        for (who, with) in [(alice, bob), (bob, alice)] {
            assert_eq!(world.history(who, with).len(), 2);
            assert_eq!(vanished(world, who), 1);
        }
        assert_eq!(world.unread(bob), 2);
        world.say(bob, alice, "too late");
        world.settle();
        assert_eq!(world.talk(alice, bob).last().unwrap(), "< too late");
        assert!(world.history(bob, alice).iter().all(|message| !message.gap), "what vanished is no gap");
    });
}

#[test]
fn a_storm_brings_nothing_back_that_vanished() {
    for seed in seeds(1) {
        let mut world = World::new(seed, Weather::HURRICANE);
        let (alice, bob) = pair(&mut world);
        let mut lasting = vec!["hello".to_owned()];
        for i in 0..24 {
            if i % 2 == 0 {
                world.whisper(alice, bob, &format!("whisper {i}"), Millis::from_secs(60 * (i + 1)));
            } else {
                world.say(alice, bob, &format!("word {i}"));
                lasting.push(format!("word {i}"));
            }
            world.pass(Millis(i * 1000));
        }
        world.settle();
        for (who, with, direction) in [(alice, bob, Direction::Out), (bob, alice, Direction::In)] {
            assert_eq!(world.texts(who, with, direction), lasting);
        }
        assert_eq!(vanished(&world, alice), 12, "each is told once");
        assert!(vanished(&world, bob) <= 12);
        assert!(world.history(alice, bob).iter().all(|message| message.state >= State::Delivered));
    }
}

#[test]
fn a_deleted_conversation_begins_anew() {
    both_ways(|world| {
        let (alice, bob) = pair(world);
        world.say(bob, alice, "from bob");
        world.whisper(bob, alice, "psst", Millis::from_hours(5));
        world.settle();
        assert_eq!(delete(world, bob, alice), 0);
        assert_eq!(world.talk(bob, alice), [""; 0]);
        assert_eq!(world.unread(bob), 0);
        assert_eq!(world.talk(alice, bob).len(), 3, "the other side keeps theirs");
        let peer = world.id(alice);
        assert!(world.contact(bob, alice).is_some_and(|contact| contact.contact));
        let again = world.command(bob, Command::DeleteConversation(peer)).unwrap_err();
        assert_eq!(again, Refusal::NoConversation);
        world.restart(bob);
        world.say(alice, bob, "still there?");
        world.settle();
        world.say(bob, alice, "of course");
        world.settle();
        assert_eq!(world.talk(bob, alice), ["< still there?", "> (delivered) of course"]);
        world.pass(Millis::from_hours(5));
        assert_eq!(world.history(alice, bob).len(), 4, "without the whisper");
    });
}

#[test]
fn a_conversation_deleted_in_a_storm_loses_and_doubles_nothing() {
    for seed in seeds(1) {
        let mut world = World::new(seed, Weather::HURRICANE);
        let (alice, bob) = pair(&mut world);
        let mut seen = Vec::new();
        let mut said = vec!["hello".to_owned()];
        for i in 0..24 {
            world.say(alice, bob, &i.to_string());
            said.push(i.to_string());
            world.pass(Millis(i * 700));
            if i % 8 == 7 {
                seen.extend(world.texts(bob, alice, Direction::In));
                delete(&mut world, bob, alice);
            }
        }
        world.settle();
        seen.extend(world.texts(bob, alice, Direction::In));
        let order = |text: &String| text.parse::<u64>().unwrap_or(0);
        seen.sort_by_key(order);
        said.sort_by_key(order);
        assert_eq!(seen, said, "each was seen once, before or after");
        assert!(world.history(alice, bob).iter().all(|message| message.state == State::Delivered));
    }
}

#[test]
fn what_waits_in_a_deleted_conversation_never_leaves() {
    both_ways(|world| {
        let (alice, bob) = pair(world);
        world.leave(bob);
        world.say(alice, bob, "do not read this");
        world.whisper(alice, bob, "nor this", Millis::from_days(2));
        assert_eq!(delete(world, alice, bob), 2);
        world.come(bob);
        world.say(alice, bob, "this");
        world.pass(Millis::from_hours(3));
        assert_eq!(world.texts(bob, alice, Direction::In), ["hello", "this"]);
        assert_eq!(world.talk(alice, bob), ["> (delivered) this"]);
    });
}
