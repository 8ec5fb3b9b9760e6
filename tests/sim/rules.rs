//! Contacts, names, verification, keys that rotate.

use rohrpost::base::Millis;
use rohrpost::base::words::State;
use rohrpost::messenger::{Answer, Command, Hints, Refusal};

use crate::both_ways;
use crate::world::Seen;

/// ID-55: a name in a link or a profile is a hint, the own one stands.
#[test]
fn names_are_announced_to_contacts_and_own_names_win() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        world.say(alice, bob, "hi");
        world.settle();
        assert_eq!(world.contact(alice, bob).unwrap().name, "", "no profile before acceptance");
        world.accept(bob, alice);
        world.settle();
        assert_eq!(world.contact(alice, bob).unwrap().name, "bob");
        world.command(bob, Command::SetName { name: "Robert".to_owned() }).unwrap();
        world.settle();
        let contact = world.contact(alice, bob).unwrap();
        assert_eq!((contact.name.as_str(), contact.calls_himself.as_deref()), ("bob", Some("Robert")));
        let peer = world.id(bob);
        world.command(alice, Command::RenameContact { peer, name: "Bobby".to_owned() }).unwrap();
        let contact = world.contact(alice, bob).unwrap();
        assert_eq!((contact.name.as_str(), contact.announced_name.as_str()), ("Bobby", "Robert"));
    });
}

#[test]
fn safety_numbers_agree_and_a_wrong_one_is_refused() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        world.say(alice, bob, "hi");
        world.settle();
        world.accept(bob, alice);
        let number = world.contact(alice, bob).unwrap().safety_number.unwrap();
        assert_eq!(number, world.contact(bob, alice).unwrap().safety_number.unwrap());
        let peer = world.id(alice);
        let verify = |number: String| Command::VerifyContact { peer, number: Some(number) };
        let wrong: String = number.chars().rev().collect();
        assert_eq!(world.command(bob, verify(wrong)).unwrap_err(), Refusal::WrongNumber);
        assert_eq!(world.command(bob, verify("12345".to_owned())).unwrap_err(), Refusal::MalformedNumber);
        assert!(!world.contact(bob, alice).unwrap().verified);
        let Answer::Contact(contact) = world.command(bob, verify(number.replace(' ', ""))).unwrap() else { panic!() };
        assert!(contact.verified);
    });
}

#[test]
fn a_removed_contact_is_a_stranger_again() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        world.say(alice, bob, "hi");
        world.settle();
        world.accept(bob, alice);
        world.settle();
        let peer = world.id(alice);
        world.command(bob, Command::RemoveContact(peer)).unwrap();
        world.say(alice, bob, "still there?");
        world.settle();
        assert_eq!(world.requests(bob)[0].text, "still there?");
        assert_eq!(world.talk(bob, alice), ["< hi"], "the conversation stays");
        world.accept(bob, alice);
        world.settle();
        assert_eq!(world.talk(bob, alice), ["< hi", "< still there?"]);
    });
}

#[test]
fn one_is_no_contact_of_ones_own_and_nobody_is_a_contact() {
    both_ways(|world| {
        let alice = world.join("alice");
        let note = world.try_say(alice, alice, "note to self").unwrap();
        assert_eq!(
            (world.state(alice, &note), world.talk(alice, alice)),
            (State::Read, vec!["> (read) note to self".to_owned()])
        );
        let me = world.id(alice);
        assert_eq!(world.command(alice, Command::Block(me)).unwrap_err(), Refusal::Oneself);
        assert_eq!(world.command(alice, Command::AcceptRequest(me)).unwrap_err(), Refusal::NoRequest);
        let weak = rohrpost::base::PeerId::from_key_bytes([0; 32]);
        let add = Command::AddContact { peer: weak, name: None, hints: Hints::default() };
        assert_eq!(world.command(alice, add).unwrap_err(), Refusal::UnsoundPeer);
    });
}

#[test]
fn a_conversation_outlives_the_rotation_of_keys() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        world.say(alice, bob, "0");
        world.settle();
        world.accept(bob, alice);
        world.settle();
        for week in 1..5 {
            world.pass(Millis::from_days(8));
            let id = world.say(alice, bob, &week.to_string());
            world.pass(Millis::from_hours(2));
            assert_eq!(world.state(alice, &id), State::Delivered);
        }
        let cards = world.seen(bob, alice).iter().filter(|s| **s == Seen::Card).count();
        assert_eq!(cards, 1, "a confirmed session needs no second card");
    });
}
