//! The main job: a stranger writes, a request waits, a conversation begins.

use rohrpost::base::Millis;
use rohrpost::base::event::EventKind;
use rohrpost::base::words::{RequestEnd, State};

use crate::both_ways;
use crate::world::Seen;

#[test]
fn a_stranger_writes_is_accepted_and_both_talk() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        let first = world.say(alice, bob, "hello, are you the Bob from the lake?");
        world.settle();

        let requests = world.requests(bob);
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].text, "hello, are you the Bob from the lake?");
        assert_eq!((requests[0].name.as_str(), requests[0].invited, requests[0].messages), ("alice", false, 1));
        assert_eq!(world.unread(bob), 0, "a request never counts as unread");
        assert_eq!(world.talk(bob, alice), [""; 0]);
        assert_eq!(world.state(alice, &first), State::Sent, "not delivered before it is accepted");
        assert!(world.seen(bob, alice).iter().all(|s| matches!(s, Seen::Acknowledge | Seen::Card)));

        world.accept(bob, alice);
        world.settle();
        assert_eq!(world.state(alice, &first), State::Delivered);
        assert_eq!(world.unread(bob), 1);
        world.say(bob, alice, "yes! who asks?");
        world.settle();
        world.say(alice, bob, "the one who capsized");
        world.settle();

        assert_eq!(
            world.talk(alice, bob),
            [
                "> (delivered) hello, are you the Bob from the lake?",
                "< yes! who asks?",
                "> (delivered) the one who capsized"
            ]
        );
        assert_eq!(
            world.talk(bob, alice),
            ["< hello, are you the Bob from the lake?", "> (delivered) yes! who asks?", "< the one who capsized"]
        );
        assert_eq!(world.requests(bob), []);
        let events = world.events(bob);
        let (stranger, count) = (world.id(alice), |e: &EventKind| events.iter().filter(|x| *x == e).count());
        assert_eq!(count(&EventKind::RequestNew { peer_id: stranger }), 1);
        assert_eq!(count(&EventKind::RequestClosed { peer_id: stranger, reason: RequestEnd::Accepted }), 1);
    });
}

#[test]
fn the_request_is_read_and_accepted_offline() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        world.say(alice, bob, "first");
        world.settle();
        world.leave(bob);
        assert_eq!(world.requests(bob)[0].text, "first");
        world.accept(bob, alice);
        assert_eq!(world.talk(bob, alice), ["< first"]);
        world.say(alice, bob, "while you were away");
        world.pass(Millis::from_hours(2));
        assert_eq!(world.talk(alice, bob), ["> (sent) first", "> (queued) while you were away"]);
        world.come(bob);
        world.pass(Millis::from_hours(2));
        assert_eq!(world.talk(alice, bob), ["> (delivered) first", "> (delivered) while you were away"]);
        assert_eq!(world.talk(bob, alice), ["< first", "< while you were away"]);
    });
}

#[test]
fn both_write_at_the_same_time_and_accept_each_other() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        world.say(alice, bob, "from alice");
        world.say(bob, alice, "from bob");
        world.settle();
        assert_eq!((world.requests(alice), world.requests(bob)), (vec![], vec![]));
        for (who, with) in [(alice, bob), (bob, alice)] {
            for i in 0..5 {
                world.say(who, with, &format!("{} {i}", world.name(who)));
            }
        }
        world.settle();
        for (who, with) in [(alice, bob), (bob, alice)] {
            let talk = world.talk(who, with);
            assert_eq!(talk.len(), 12);
            assert_eq!(talk.iter().filter(|t| t.starts_with("> (delivered)")).count(), 6, "{talk:?}");
        }
    });
}

#[test]
fn reading_is_told_to_a_contact() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        let first = world.say(alice, bob, "one");
        world.settle();
        world.accept(bob, alice);
        world.settle();
        let second = world.say(alice, bob, "two");
        world.settle();
        assert_eq!(world.unread(bob), 2);
        let peer = world.id(alice);
        world.command(bob, rohrpost::messenger::Command::Read { peer, upto: Some(first) }).unwrap();
        world.settle();
        assert_eq!((world.state(alice, &first), world.state(alice, &second)), (State::Read, State::Delivered));
        assert_eq!(world.unread(bob), 1);
        world.command(bob, rohrpost::messenger::Command::Read { peer, upto: None }).unwrap();
        world.settle();
        assert_eq!((world.unread(bob), world.state(alice, &second)), (0, State::Read));
    });
}

#[test]
fn restarts_on_either_side_lose_and_double_nothing() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        world.say(alice, bob, "0");
        world.settle();
        world.accept(bob, alice);
        let mut expected = vec!["0".to_owned()];
        for i in 1..12 {
            world.say(alice, bob, &i.to_string());
            expected.push(i.to_string());
            match i % 3 {
                0 => world.restart(alice),
                1 => world.restart(bob),
                _ => world.settle(),
            }
        }
        world.pass(Millis::from_hours(3));
        let got: Vec<_> = world.history(bob, alice).into_iter().map(|m| m.text).collect();
        assert_eq!(got, expected);
    });
}
