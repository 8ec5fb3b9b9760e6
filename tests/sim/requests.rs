//! The request rules, to the letter (protocol, "Requests: the rules").

use rohrpost::base::event::EventKind;
use rohrpost::base::words::{Policy, RequestEnd, State};
use rohrpost::base::{Millis, limits};
use rohrpost::messenger::{Command, Hints, Refusal, SendCommand};

use crate::both_ways;
use crate::world::{Seen, Weather, World};

/// REQ-10
#[test]
fn at_most_three_messages_leave_before_acceptance_and_the_rest_follows() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        for i in 0..6 {
            world.say(alice, bob, &format!("m{i}"));
        }
        world.settle();
        let states: Vec<_> = world.history(alice, bob).iter().map(|m| m.state).collect();
        let (sent, queued) = (State::Sent, State::Queued);
        assert_eq!(states, [sent, sent, sent, queued, queued, queued]);
        assert_eq!(world.requests(bob)[0].messages, 3);
        assert_eq!(world.requests(bob)[0].text, "m0");
        let asked = world.events(bob).iter().filter(|e| matches!(e, EventKind::RequestNew { .. })).count();
        assert_eq!(asked, 1, "only the first message rings");
        world.accept(bob, alice);
        world.settle();
        assert_eq!(world.talk(bob, alice), ["< m0", "< m1", "< m2", "< m3", "< m4", "< m5"]);
    });
}

#[test]
fn whoever_answers_a_request_accepts_it() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        let first = world.say(alice, bob, "may I?");
        world.settle();
        assert_eq!(world.requests(bob).len(), 1);
        world.say(bob, alice, "you may");
        world.settle();
        assert_eq!(world.requests(bob), []);
        assert_eq!(world.talk(bob, alice), ["< may I?", "> (delivered) you may"]);
        assert_eq!(world.talk(alice, bob), ["> (delivered) may I?", "< you may"]);
        assert_eq!(world.state(alice, &first), State::Delivered);
    });
}

#[test]
fn a_declined_peer_is_dropped_quietly_for_thirty_days() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        world.say(alice, bob, "buy my watch");
        world.settle();
        let peer = world.id(alice);
        world.command(bob, Command::DeclineRequest(peer)).unwrap();
        world.restart(bob);
        let again = world.say(alice, bob, "really, buy it");
        world.settle();
        assert_eq!(world.requests(bob), []);
        assert_eq!(world.state(alice, &again), State::Sent, "the sender sees nothing");
    });
    let mut world = World::new(14, Weather::CALM);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.say(alice, bob, "buy my watch");
    world.settle();
    let peer = world.id(alice);
    world.command(bob, Command::DeclineRequest(peer)).unwrap();
    world.pass(Millis::from_days(31));
    world.say(alice, bob, "a month later");
    world.pass(Millis::from_hours(6));
    assert_eq!(world.requests(bob).len(), 1, "after 30 days a request may come again");
}

#[test]
fn a_blocked_peer_leaves_no_trace_and_unblocking_restores_the_contact() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        world.say(alice, bob, "hello");
        world.settle();
        world.accept(bob, alice);
        world.settle();
        let peer = world.id(alice);
        world.command(bob, Command::Block(peer)).unwrap();
        let lost = world.say(alice, bob, "are you there?");
        world.settle();
        assert_eq!(world.talk(bob, alice), ["< hello"]);
        assert_eq!(world.state(alice, &lost), State::Sent);
        assert_eq!(world.try_say(bob, alice, "x"), Err(Refusal::Blocked));
        world.restart(bob);
        assert!(world.contact(bob, alice).unwrap().blocked);
        world.command(bob, Command::Unblock(peer)).unwrap();
        world.say(alice, bob, "again");
        world.settle();
        assert_eq!(world.requests(bob), [], "a contact again, not a request");
        // SES-72: what was taken meanwhile was not kept, and is said again when something later is reported.
        assert_eq!(world.talk(bob, alice), ["< hello", "< are you there?", "< again"]);
    });
}

/// What a stranger sees of us in each standing, for the same conduct of his.
fn seen_from_outside(policy: Policy, act: Option<fn(rohrpost::base::PeerId) -> Command>) -> Vec<Seen> {
    let mut world = World::new(7, Weather::CALM);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.command(bob, Command::SetPolicy(policy)).unwrap();
    world.say(alice, bob, "one");
    world.settle();
    if let Some(act) = act {
        let peer = world.id(alice);
        world.command(bob, act(peer)).unwrap();
        world.settle();
    }
    world.say(alice, bob, "two");
    world.settle();
    world.say(alice, bob, "three");
    world.settle();
    world.restart(alice);
    world.settle();
    world.seen(bob, alice)
}

/// REQ-1, REQ-7
#[test]
fn pending_declined_blocked_and_closed_look_the_same_from_outside() {
    let pending = seen_from_outside(Policy::Requests, None);
    assert!(pending.contains(&Seen::Acknowledge) && pending.contains(&Seen::Card));
    assert_eq!(pending, seen_from_outside(Policy::Requests, Some(Command::DeclineRequest)));
    assert_eq!(pending, seen_from_outside(Policy::Requests, Some(Command::Block)));
    // Whom a card shuts out, which everybody may read, looks for newer ones meanwhile (ID-26); what he sends fares the same.
    let but_for_cards = |seen: Vec<Seen>| seen.into_iter().filter(|seen| *seen != Seen::Card).collect::<Vec<_>>();
    let pending = but_for_cards(pending);
    assert_eq!(pending, but_for_cards(seen_from_outside(Policy::Contacts, None)));
    assert_eq!(pending, but_for_cards(seen_from_outside(Policy::Nobody, None)));
}

/// REQ-5
#[test]
fn the_policy_keeps_strangers_out_and_lets_contacts_in() {
    both_ways(|world| {
        let (alice, bob, carol) = (world.join("alice"), world.join("bob"), world.join("carol"));
        world.say(alice, bob, "hello");
        world.settle();
        world.accept(bob, alice);
        world.command(bob, Command::SetPolicy(Policy::Contacts)).unwrap();
        world.settle();
        world.say(carol, bob, "hello from nobody");
        world.say(alice, bob, "me again");
        world.settle();
        assert_eq!(world.requests(bob), []);
        assert_eq!(world.talk(bob, alice), ["< hello", "< me again"]);
        // Whoever has the link may ask; by *nobody* not even he.
        let (dora, token) = (world.join("dora"), world.token(bob));
        let invited = |text| SendCommand {
            hints: Hints { token: Some(token.clone()), ..Hints::default() },
            ..SendCommand::text(world.id(bob), text)
        };
        let (first, second) = (invited("from the party"), invited("from the other party"));
        world.send(dora, first).unwrap();
        world.settle();
        assert_eq!(world.requests(bob).len(), 1);
        world.command(bob, Command::SetPolicy(Policy::Nobody)).unwrap();
        world.settle();
        let eric = world.join("eric");
        world.send(eric, second).unwrap();
        world.settle();
        assert_eq!(world.requests(bob).len(), 1);
    });
}

#[test]
fn a_link_with_the_token_makes_the_request_invited() {
    both_ways(|world| {
        let (alice, bob) = (world.join("alice"), world.join("bob"));
        let token = world.token(bob);
        let to = world.id(bob);
        let hints = Hints { name: Some("Bob".to_owned()), token: Some(token), ..Hints::default() };
        let mut command = SendCommand { hints, ..SendCommand::text(to, "from the party") };
        command.draft.subject = Some("the party".to_owned());
        world.send(alice, command).unwrap();
        world.settle();
        let request = &world.requests(bob)[0];
        assert!(request.invited);
        assert_eq!(request.subject.as_deref(), Some("the party"));

        let carol = world.join("carol");
        world.command(bob, Command::RotateToken).unwrap();
        let old = Hints { token: Some(world.token(alice)), ..Hints::default() };
        let command = SendCommand { hints: old, ..SendCommand::text(to, "guessed") };
        world.send(carol, command).unwrap();
        world.settle();
        let guessed = world.requests(bob).into_iter().find(|r| r.text == "guessed").unwrap();
        assert!(!guessed.invited);
    });
}

/// REQ-4
#[test]
fn two_hundred_requests_wait_and_the_oldest_uninvited_goes_first() {
    let mut world = World::new(11, Weather::CALM);
    let (bob, friend) = (world.join("bob"), world.join("friend"));
    world.say(friend, bob, "a contact's words");
    world.settle();
    world.accept(bob, friend);
    world.settle();
    let invited = world.join("invited");
    let (to, token) = (world.id(bob), world.token(bob));
    let hints = Hints { token: Some(token), ..Hints::default() };
    world.send(invited, SendCommand { hints, ..SendCommand::text(to, "invited") }).unwrap();
    world.settle();
    for i in 0..limits::MAX_REQUESTS + 2 {
        let stranger = world.join("stranger");
        world.say(stranger, bob, &format!("s{i}"));
        world.settle();
        world.leave(stranger);
    }
    let requests = world.requests(bob);
    assert_eq!(requests.len(), limits::MAX_REQUESTS);
    assert!(requests.iter().any(|r| r.text == "invited"));
    let texts: Vec<_> = requests.iter().map(|r| r.text.as_str()).collect();
    assert!(!texts.contains(&"s0") && !texts.contains(&"s2") && texts.contains(&"s3") && texts.contains(&"s201"));
    let evicted = world
        .events(bob)
        .iter()
        .filter(|e| matches!(e, EventKind::RequestClosed { reason: RequestEnd::Evicted, .. }))
        .count();
    assert_eq!(evicted, 3);
    assert_eq!(world.talk(bob, friend), ["< a contact's words"]);
}

#[test]
fn a_request_expires_after_thirty_days() {
    let mut world = World::new(12, Weather::CALM);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let id = world.say(alice, bob, "is anybody there?");
    world.settle();
    world.leave(alice);
    world.pass(Millis::from_days(29));
    world.restart(bob);
    assert_eq!(world.requests(bob).len(), 1);
    world.pass(Millis::from_days(2));
    assert_eq!(world.requests(bob), []);
    assert!(
        world.events(bob).contains(&EventKind::RequestClosed { peer_id: world.id(alice), reason: RequestEnd::Expired })
    );
    assert_eq!(world.state(alice, &id), State::Undelivered, "told, never silent");
}

#[test]
fn a_first_message_is_bounded() {
    let mut world = World::new(13, Weather::CALM);
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    let long = "x".repeat(limits::MAX_REQUEST_TEXT + 1);
    assert!(matches!(world.try_say(alice, bob, &long), Err(Refusal::TooLong { max: limits::MAX_REQUEST_TEXT, .. })));
    assert!(matches!(world.try_say(alice, bob, "  "), Err(Refusal::EmptyText)));
    world.say(alice, bob, &"x".repeat(limits::MAX_REQUEST_TEXT));
    world.settle();
    world.accept(bob, alice);
    world.settle();
    world.say(alice, bob, &"y".repeat(limits::MAX_TEXT));
    world.settle();
    assert_eq!(world.history(bob, alice).last().unwrap().text.len(), limits::MAX_TEXT);
    let too_long = "y".repeat(limits::MAX_TEXT + 1);
    assert!(matches!(world.try_say(alice, bob, &too_long), Err(Refusal::TooLong { max: limits::MAX_TEXT, .. })));
}
