//! At least once on the wire, exactly once and in order in the conversation, in any weather.

use rohrpost::base::Millis;
use rohrpost::base::words::{Direction, State};
use rohrpost::messenger::{Refusal, SendCommand};

use crate::world::{Weather, World};
use crate::{both_ways, seeds};

/// Two peers talk through a storm; returns what each said.
fn talk_through(weather: Weather, seed: u64, messages: usize) {
    let mut world = World::new(seed, weather);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, bob, "a0");
    world.settle();
    world.accept(bob, alice);
    let mut said = [vec!["a0".to_owned()], Vec::new()];
    for i in 1..messages {
        let (from, to, name, who) = if i % 3 == 0 { (bob, alice, "b", 1) } else { (alice, bob, "a", 0) };
        let text = format!("{name}{i}");
        world.say(from, to, &text);
        said[who].push(text);
        if i % 4 == 0 {
            world.pass(Millis(u64::try_from(i).unwrap() * 37));
        }
        if i % 17 == 0 {
            world.restart(if i % 2 == 0 { alice } else { bob });
        }
    }
    for _ in 0..4 {
        world.settle();
    }
    assert_eq!(world.texts(bob, alice, Direction::In), said[0], "what alice said, at bob's");
    assert_eq!(world.texts(alice, bob, Direction::In), said[1], "what bob said, at alice's");
    for (who, with) in [(alice, bob), (bob, alice)] {
        let waiting: Vec<_> = world
            .history(who, with)
            .into_iter()
            .filter(|m| m.direction == Direction::Out && m.state < State::Delivered)
            .map(|m| (m.text, m.state))
            .collect();
        assert_eq!(waiting, [], "not delivered");
        assert!(world.history(who, with).iter().all(|m| !m.gap), "no gap stays");
    }
}

#[test]
fn a_storm_loses_and_doubles_nothing() {
    for seed in seeds(3) {
        talk_through(Weather::STORM, seed, 60);
    }
}

/// SES-60: whatever was in memory only is gone, again and again.
#[test]
fn a_storm_with_restarts_loses_and_doubles_nothing() {
    for seed in seeds(1) {
        talk_through(Weather::HURRICANE, seed, 40);
    }
}

#[test]
fn a_burst_larger_than_the_window_arrives_in_order() {
    let mut world = World::new(21, Weather::CALM);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, bob, "0");
    world.settle();
    world.accept(bob, alice);
    world.settle();
    world.leave(bob);
    for i in 1..600 {
        world.say(alice, bob, &i.to_string());
    }
    world.come(bob);
    world.pass(Millis::from_hours(2));
    let expected: Vec<_> = (0..600).map(|i| i.to_string()).collect();
    assert_eq!(world.texts(bob, alice, Direction::In), expected);
}

#[test]
fn many_peers_talk_across_each_other() {
    for seed in seeds(1) {
        let mut world = World::new(seed, Weather { delay: 200, ..Weather::CALM });
        let all: Vec<_> = ["ann", "ben", "cyn", "dan", "eve"].into_iter().map(|n| world.join(n)).collect();
        for a in &all {
            for b in &all {
                if a != b {
                    world.say(*a, *b, "hello");
                }
            }
        }
        world.settle();
        for i in 0..5 {
            for a in &all {
                for b in &all {
                    if a != b {
                        world.say(*a, *b, &i.to_string());
                    }
                }
            }
        }
        world.settle();
        for a in &all {
            for b in all.iter().filter(|b| *b != a) {
                assert_eq!(world.texts(*a, *b, Direction::In), ["hello", "0", "1", "2", "3", "4"]);
            }
        }
    }
}

#[test]
fn the_same_client_id_sends_once() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        let to = world.id(bob);
        let key = || Some("key-1".to_owned());
        let command = |text: &str| SendCommand { client_id: key(), ..SendCommand::text(to, text) };
        let first = world.send(alice, command("once")).unwrap();
        world.restart(alice);
        let second = world.send(alice, command("once")).unwrap();
        assert_eq!(first.message_id, second.message_id);
        assert_eq!(world.send(alice, command("twice")), Err(Refusal::ClientIdReused));
        assert_eq!(world.talk(alice, bob).len(), 1);
    });
}

#[test]
fn a_reply_names_its_message_and_only_one_of_the_same_conversation() {
    both_ways(|world| {
        let (alice, bob, carol) = (world.join("alice"), world.join("bob"), world.join("carol"));
        let question = world.say(alice, bob, "tea?");
        let other = world.say(alice, carol, "coffee?");
        world.settle();
        world.accept(bob, alice);
        world.settle();
        let reply = |reply_to, to| {
            let mut command = SendCommand::text(to, "yes");
            command.draft.reply_to = Some(reply_to);
            command
        };
        let to = world.id(alice);
        world.send(bob, reply(question, to)).unwrap();
        world.settle();
        assert_eq!(world.history(alice, bob).last().unwrap().reply_to, Some(question));
        let to = world.id(bob);
        assert_eq!(world.send(alice, reply(other, to)), Err(Refusal::NoMessage));
    });
}

#[test]
fn a_message_that_never_gets_through_is_told_as_undelivered() {
    let mut world = World::new(23, Weather::CALM);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.leave(bob);
    let id = world.say(alice, bob, "hello?");
    world.pass(Millis::from_days(29));
    assert_eq!(world.state(alice, &id), State::Queued);
    world.restart(alice);
    world.pass(Millis::from_days(2));
    assert_eq!(world.state(alice, &id), State::Undelivered);
}
