//! People who are never awake together, and the mailboxes between them.

use rohrpost::base::Millis;
use rohrpost::base::words::{BoxState, Direction, MailService, State};
use rohrpost::messenger::{Command, Hints, Refusal};

use crate::world::{Lies, Weather, Who, World};

const A_WHILE: Millis = Millis::from_secs(120);

/// In calm weather, and with messengers that die and come back between any two steps.
fn both_ways(scenario: impl Fn(&mut World)) {
    scenario(&mut World::new(1, Weather::CALM));
    scenario(&mut World::new(2, Weather { reload: 5, ..Weather::CALM }));
}

/// Alice and Bob, each with two mailboxes; both are on.
fn two_with_houses(world: &mut World) -> (Who, Who, [Who; 2]) {
    let houses = [world.house("north"), world.house("south")];
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    for who in [alice, bob] {
        houses.iter().for_each(|house| world.use_mailbox(who, *house));
        // In a storm the first question may be lost.
        for _ in 0..10 {
            if world.box_states(who) != [BoxState::InUse, BoxState::InUse] {
                world.pass(Millis::from_secs(300));
            }
        }
        assert_eq!(world.box_states(who), [BoxState::InUse, BoxState::InUse]);
    }
    (alice, bob, houses)
}

/// One is on for a while, alone.
fn on(world: &mut World, who: Who, span: Millis) {
    world.come(who);
    world.pass(span);
    world.stop(who);
}

/// The whole story: never both online.
#[test]
fn strangers_who_are_never_on_together_write_to_each_other() {
    both_ways(|world| {
        let (alice, bob, houses) = two_with_houses(world);
        world.stop(alice);
        world.stop(bob);
        // Alice knows nothing of Bob but his ID.
        let first = world.say(alice, bob, "may I?");
        on(world, alice, A_WHILE);
        assert_eq!(world.state(alice, &first), State::Sent);
        assert!(houses.iter().all(|house| world.kept(*house) > 0), "both have it");
        // Her card came inside (CON-30).
        let peer = world.id(alice);
        world.table.remove(&peer);
        on(world, bob, A_WHILE);
        assert_eq!(world.requests(bob)[0].text, "may I?");
        assert!(houses.iter().all(|house| world.kept(*house) == 0), "both are emptied");
        world.accept(bob, alice);
        world.say(bob, alice, "you may");
        on(world, bob, A_WHILE);
        on(world, alice, A_WHILE);
        assert_eq!(world.talk(alice, bob), ["> (delivered) may I?", "< you may"]);
        for (from, to, text) in [(alice, bob, "one"), (bob, alice, "two"), (alice, bob, "three")] {
            world.say(from, to, text);
            on(world, from, A_WHILE);
            on(world, to, A_WHILE);
        }
        on(world, bob, A_WHILE);
        on(world, alice, A_WHILE);
        let said = ["> (delivered) may I?", "< you may", "> (delivered) one", "< two", "> (delivered) three"];
        assert_eq!(world.talk(alice, bob), said);
        assert_eq!(world.texts(bob, alice, Direction::In), ["may I?", "one", "three"]);
        assert!(world.reach(alice, bob).has_token && world.reach(bob, alice).has_token);
    });
}

/// With a link that names a mailbox nobody need have published anything, and what was invited is shown as such.
#[test]
fn a_link_leads_to_the_mailbox_without_the_hash_table() {
    let mut world = World::new(3, Weather::CALM);
    let (alice, bob, _) = two_with_houses(&mut world);
    world.stop(bob);
    world.table.clear();
    let link = world.identity(bob);
    assert_eq!(link.mailboxes.len(), 2);
    let hints = Hints { token: link.token, mailboxes: link.mailboxes, ..Hints::default() };
    let id = world.send_to(alice, bob, "I have your link", hints);
    world.pass(Millis::from_secs(5));
    assert_eq!(world.state(alice, &id), State::Sent, "five seconds after it was written");
    on(&mut world, bob, A_WHILE);
    let request = &world.requests(bob)[0];
    assert!(request.invited);
}

/// Fetched in three seconds, deposited in four.
#[test]
fn mail_does_not_lie_about() {
    let mut world = World::new(4, Weather::CALM);
    let (alice, bob, houses) = two_with_houses(&mut world);
    world.stop(bob);
    let id = world.say(alice, bob, "quick");
    world.pass(Millis::from_secs(4));
    assert_eq!(world.state(alice, &id), State::Sent);
    let next = world.say(alice, bob, "he is known to be away");
    world.pass(Millis(100));
    assert_eq!(world.state(alice, &next), State::Sent, "nothing is waited for again");
    assert!(houses.iter().all(|house| world.kept(*house) > 0));
    world.come(bob);
    world.pass(Millis::from_secs(3));
    assert_eq!(world.requests(bob)[0].messages, 2);
}

/// How long it takes until somebody has heard something.
fn until_heard(world: &mut World, who: Who, from: Who, text: &str) -> Millis {
    let mut span = Millis(0);
    while !world.texts(who, from, Direction::In).iter().any(|heard| heard == text) {
        world.pass(Millis(10));
        span.0 += 10;
        assert!(span < Millis::from_hours(1), "'{text}' is never heard");
    }
    span
}

/// MBX-80: two who are both on and cannot connect talk by their mailboxes as if they could. Only the first word, of which it is
/// not known whether it can go directly, waits for three seconds.
#[test]
fn two_who_are_on_and_cannot_connect_talk_at_once() {
    let mut world = World::new(1, Weather { delay: 40, ..Weather::CALM });
    let (alice, bob, houses) = two_with_houses(&mut world);
    world.say(alice, bob, "hello");
    world.pass(A_WHILE);
    world.accept(bob, alice);
    world.pass(A_WHILE);
    world.wall(alice, bob);
    // Nobody has fetched for a while, nor would for a while.
    world.pass(A_WHILE);
    for (from, to) in [(alice, bob), (bob, alice)] {
        world.say(from, to, "are you there?");
        let span = until_heard(&mut world, to, from, "are you there?");
        assert!(span < Millis::from_secs(4), "the first took {} ms", span.0);
    }
    for n in 0..12 {
        let (from, to) = if n % 3 == 0 { (bob, alice) } else { (alice, bob) };
        // A pause in which receipts come back, and one in which they do not.
        world.pass(Millis::from_secs(if n % 2 == 0 { 30 } else { 2 }));
        let text = format!("m{n}");
        world.say(from, to, &text);
        let span = until_heard(&mut world, to, from, &text);
        assert!(span < Millis(500), "{text} took {} ms", span.0);
    }
    world.pass(A_WHILE);
    assert!(houses.iter().all(|house| world.kept(*house) == 0), "all is fetched");
}

/// MBX-84: who is on and hears of nothing asks each of his mailboxes two things in five minutes.
#[test]
fn waiting_is_cheap() {
    let mut world = World::new(3, Weather::CALM);
    let (alice, ..) = two_with_houses(&mut world);
    world.pass(A_WHILE);
    let asked = |world: &World| [1, 2, 3, 4, 5, 6].map(|kind| world.questions(alice, kind));
    let before = asked(&world);
    world.pass(Millis::from_hours(1));
    let now = asked(&world);
    let asked: Vec<u64> = now.iter().zip(before).map(|(now, then)| now - then).collect();
    assert_eq!((asked[0], asked[1], asked[3], asked[4]), (0, 0, 0, 0));
    assert!((22..=26).contains(&asked[2]) && (22..=26).contains(&asked[5]), "{asked:?} an hour");
}

/// Who was on and has gone is written to through the mailbox; who is back gets it directly, and once.
#[test]
fn what_was_deposited_goes_directly_too() {
    both_ways(|world| {
        let (alice, bob, _) = two_with_houses(world);
        world.say(alice, bob, "hello");
        world.pass(A_WHILE);
        world.accept(bob, alice);
        // MBX-44: so much does not wait in a box on trial.
        world.pass(Millis::from_days(3));
        world.stop(bob);
        let texts: Vec<String> = (0..40).map(|i| format!("m{i}")).collect();
        let ids: Vec<_> = texts.iter().map(|text| world.say(alice, bob, text)).collect();
        world.pass(A_WHILE);
        assert!(ids.iter().all(|id| world.state(alice, id) == State::Sent));
        assert_eq!(world.reach(alice, bob).deposited, 40);
        world.come(bob);
        world.pass(A_WHILE);
        // He comes, and she reaches him; what she sends meanwhile is what the mailboxes have.
        world.say(alice, bob, "last");
        world.pass(Millis::from_secs(600));
        let mut all = vec!["hello".to_owned()];
        all.extend(texts);
        all.push("last".to_owned());
        assert_eq!(world.texts(bob, alice, Direction::In), all);
        assert!(ids.iter().all(|id| world.state(alice, id) == State::Delivered));
        assert_eq!(world.reach(alice, bob).deposited, 0);
    });
}

/// One of two mailboxes says that it has everything and keeps nothing, the other changes, repeats and shuffles: nothing is
/// lost, nothing is doubled, nothing is made up.
#[test]
fn two_mailboxes_lie_in_their_own_ways() {
    let forgets = Lies { forgets: 100, ..Lies::default() };
    let bends = Lies { repeats: 60, shuffles: true, babbles: 20, ..Lies::default() };
    let mut world = World::new(5, Weather::CALM);
    let (alice, bob, [north, south]) = two_with_houses(&mut world);
    world.say(alice, bob, "hello");
    world.pass(A_WHILE);
    world.accept(bob, alice);
    world.pass(A_WHILE);
    world.lies(north, forgets);
    world.lies(south, bends);
    world.stop(bob);
    let texts: Vec<String> = (0..20).map(|i| format!("m{i}")).collect();
    let ids: Vec<_> = texts.iter().map(|text| world.say(alice, bob, text)).collect();
    world.pass(Millis::from_secs(900));
    world.stop(alice);
    on(&mut world, bob, Millis::from_secs(900));
    assert_eq!(world.texts(bob, alice, Direction::In)[1..], texts);
    // Bob's receipts went to the same two.
    on(&mut world, alice, Millis::from_secs(900));
    assert!(ids.iter().all(|id| world.state(alice, id) == State::Delivered));
}

/// Both drop everything: the sender sees that nothing arrived, and it goes when the two meet.
#[test]
fn two_mailboxes_that_drop_everything_delay_and_lose_nothing() {
    let mut world = World::new(6, Weather::CALM);
    let (alice, bob, houses) = two_with_houses(&mut world);
    world.say(alice, bob, "hello");
    world.pass(A_WHILE);
    world.accept(bob, alice);
    world.pass(A_WHILE);
    for house in houses {
        world.lies(house, Lies { forgets: 50, tampers: 100, ..Lies::default() });
    }
    world.stop(bob);
    let id = world.say(alice, bob, "into the dark");
    world.pass(A_WHILE);
    world.stop(alice);
    on(&mut world, bob, A_WHILE);
    on(&mut world, alice, A_WHILE);
    assert_eq!(world.state(alice, &id), State::Sent, "sent is not delivered");
    world.come(alice);
    world.come(bob);
    world.pass(Millis::from_hours(2));
    assert_eq!(world.state(alice, &id), State::Delivered);
    assert_eq!(world.texts(bob, alice, Direction::In), ["hello", "into the dark"]);
}

/// Alice's mailboxes keep nothing, Bob's are sound; the two are contacts, and off.
fn whose_receipts_are_lost(world: &mut World) -> (Who, Who) {
    let (lost, sound) = (world.house("lost"), world.house("sound"));
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.use_mailbox(alice, lost);
    world.use_mailbox(bob, sound);
    world.say(alice, bob, "hello");
    world.pass(A_WHILE);
    world.accept(bob, alice);
    world.pass(A_WHILE);
    world.lies(lost, Lies { forgets: 100, ..Lies::default() });
    (alice, bob)
}

/// What he has he has not told: his receipts went to mailboxes that lost them. When the two meet, all is told.
#[test]
fn receipts_that_a_mailbox_lost_come_with_the_second_copies() {
    let mut world = World::new(13, Weather::CALM);
    let (alice, bob) = whose_receipts_are_lost(&mut world);
    world.stop(bob);
    let ids: Vec<_> = (0..20).map(|i| world.say(alice, bob, &format!("m{i}"))).collect();
    world.pass(A_WHILE);
    world.stop(alice);
    on(&mut world, bob, A_WHILE);
    assert_eq!(world.texts(bob, alice, Direction::In).len(), 21);
    on(&mut world, alice, A_WHILE);
    assert!(ids.iter().all(|id| world.state(alice, id) == State::Sent), "no receipt has come");
    world.come(alice);
    world.come(bob);
    world.pass(A_WHILE);
    assert!(ids.iter().all(|id| world.state(alice, id) == State::Delivered));
    assert_eq!(world.texts(bob, alice, Direction::In).len(), 21);
}

/// CON-32: his node has taken it on the stream, so that no second copy would come by itself.
#[test]
fn a_receipt_that_a_mailbox_lost_is_asked_for() {
    let mut world = World::new(14, Weather::CALM);
    let (alice, bob) = whose_receipts_are_lost(&mut world);
    let id = world.say(alice, bob, "did you get it?");
    while world.state(alice, &id) == State::Queued {
        world.pass(Millis(1));
    }
    assert_eq!(world.state(alice, &id), State::Sent);
    world.stop(bob);
    world.stop(alice);
    on(&mut world, bob, A_WHILE);
    on(&mut world, alice, A_WHILE);
    assert_eq!(world.state(alice, &id), State::Sent, "the receipt was left, and lost");
    world.come(alice);
    world.come(bob);
    world.pass(Millis::from_secs(300));
    assert_eq!(world.state(alice, &id), State::Delivered);
    assert_eq!(world.texts(bob, alice, Direction::In), ["hello", "did you get it?"]);
}

/// The acceptance is lost like that, too, and what Alice wrote was taken long ago.
#[test]
fn an_acceptance_that_a_mailbox_lost_comes_when_the_two_meet() {
    let mut world = World::new(15, Weather::CALM);
    let lost = world.house("lost");
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.use_mailbox(alice, lost);
    world.lies(lost, Lies { forgets: 100, ..Lies::default() });
    let id = world.say(alice, bob, "may I?");
    world.pass(A_WHILE);
    world.stop(alice);
    world.accept(bob, alice);
    world.pass(A_WHILE);
    world.stop(bob);
    on(&mut world, alice, A_WHILE);
    assert_eq!(world.state(alice, &id), State::Sent);
    world.come(alice);
    world.come(bob);
    world.pass(Millis::from_secs(300));
    assert_eq!(world.talk(alice, bob), ["> (delivered) may I?"]);
    assert_eq!(world.texts(bob, alice, Direction::In), ["may I?"]);
}

/// The only mailbox that a card names is gone for good; its owner has another, and is found by his newer card.
#[test]
fn who_has_moved_to_another_mailbox_is_found_there() {
    let mut world = World::new(16, Weather::CALM);
    let (north, south) = (world.house("north"), world.house("south"));
    let (alice, bob) = (world.join("alice"), world.join("bob"));
    world.use_mailbox(bob, north);
    world.say(alice, bob, "hello");
    world.pass(A_WHILE);
    world.accept(bob, alice);
    world.say(bob, alice, "hello");
    world.pass(A_WHILE);
    world.stop(alice);
    world.stop(north);
    let old = world.id(north);
    world.command(bob, Command::DropMailbox(old)).unwrap();
    world.use_mailbox(bob, south);
    world.stop(bob);
    world.come(alice);
    let id = world.say(alice, bob, "where are you now?");
    world.pass(Millis::from_secs(300));
    assert_eq!(world.state(alice, &id), State::Sent);
    on(&mut world, bob, A_WHILE);
    assert_eq!(world.texts(bob, alice, Direction::In), ["hello", "where are you now?"]);
}

/// A mailbox that lost everything is registered at again, and what waited in it comes when the two meet.
#[test]
fn a_mailbox_loses_its_state() {
    let mut world = World::new(7, Weather::CALM);
    let (alice, bob, [north, south]) = two_with_houses(&mut world);
    world.stop(bob);
    let id = world.say(alice, bob, "hello");
    world.pass(A_WHILE);
    for house in [north, south] {
        world.lose_state(house);
        world.command(house, Command::SetMailService(MailService::Open)).unwrap();
    }
    world.stop(alice);
    on(&mut world, bob, A_WHILE);
    assert_eq!(world.box_states(bob), [BoxState::InUse, BoxState::InUse]);
    assert!(world.mailboxes(bob).iter().all(|view| view.prekeys == 100), "with fresh prekeys");
    assert_eq!(world.requests(bob), []);
    assert_eq!(world.state(alice, &id), State::Sent);
    world.come(bob);
    world.come(alice);
    world.pass(Millis::from_secs(60));
    assert_eq!(world.requests(bob).len(), 1);
}

/// A storm, houses that die and come back, people who are on at odd times.
#[test]
fn a_storm_with_mailboxes_loses_and_doubles_nothing() {
    for seed in crate::seeds(2) {
        let mut world = World::new(seed, Weather { reload: 2, ..Weather::STORM });
        let (alice, bob, houses) = two_with_houses(&mut world);
        world.say(alice, bob, "hello");
        world.pass(Millis::from_hours(1));
        world.accept(bob, alice);
        world.pass(Millis::from_secs(600));
        let mut said = vec!["hello".to_owned()];
        for round in 0..6 {
            world.leave(if round % 2 == 0 { bob } else { alice });
            for i in 0..3 {
                let text = format!("round {round}, {i}");
                world.say(alice, bob, &text);
                said.push(text);
            }
            world.restart(houses[round % 2]);
            world.pass(Millis::from_secs(100));
            world.come(alice);
            world.come(bob);
            world.pass(Millis::from_secs(40));
        }
        world.pass(Millis::from_hours(4));
        let mut heard = world.texts(bob, alice, Direction::In);
        assert_eq!(heard.len(), said.len(), "seed {seed}");
        heard.sort_unstable();
        said.sort_unstable();
        assert_eq!(heard, said, "seed {seed}");
        let states: Vec<_> = world.history(alice, bob).iter().map(|message| message.state).collect();
        assert!(states.iter().all(|state| *state == State::Delivered), "seed {seed}: {states:?}");
    }
}

/// The rule of three messages holds for deposits, too.
#[test]
fn three_messages_go_to_a_mailbox_before_acceptance() {
    let mut world = World::new(8, Weather::CALM);
    let (alice, bob, _) = two_with_houses(&mut world);
    world.stop(bob);
    for i in 0..5 {
        world.say(alice, bob, &format!("m{i}"));
    }
    world.pass(Millis::from_hours(1));
    let states: Vec<_> = world.history(alice, bob).iter().map(|m| m.state).collect();
    let (sent, queued) = (State::Sent, State::Queued);
    assert_eq!(states, [sent, sent, sent, queued, queued]);
    world.stop(alice);
    world.come(bob);
    world.pass(A_WHILE);
    world.accept(bob, alice);
    on(&mut world, bob, A_WHILE);
    on(&mut world, alice, A_WHILE);
    on(&mut world, bob, A_WHILE);
    assert_eq!(world.texts(bob, alice, Direction::In), ["m0", "m1", "m2", "m3", "m4"]);
}

/// MBX-20, MBX-22: whoever is blocked is a stranger to the mailbox, and sees nothing of it.
#[test]
fn a_blocked_contact_loses_his_token_and_learns_nothing() {
    let mut world = World::new(9, Weather::CALM);
    let (alice, bob, houses) = two_with_houses(&mut world);
    world.say(alice, bob, "hello");
    world.pass(A_WHILE);
    world.accept(bob, alice);
    world.pass(A_WHILE);
    assert!(world.reach(alice, bob).has_token);
    let peer = world.id(alice);
    world.command(bob, Command::Block(peer)).unwrap();
    world.pass(A_WHILE);
    world.stop(bob);
    let lost = world.say(alice, bob, "are you there?");
    world.pass(A_WHILE);
    assert_eq!(world.state(alice, &lost), State::Sent);
    on(&mut world, bob, A_WHILE);
    assert!(houses.iter().all(|house| world.kept(*house) == 0), "fetched and dropped");
    assert_eq!(world.texts(bob, alice, Direction::In), ["hello"]);
    // A contact again, he gets another token, with the next thing that is said.
    world.command(bob, Command::Unblock(peer)).unwrap();
    world.come(bob);
    world.pass(Millis::from_hours(2));
    world.say(bob, alice, "I am");
    world.pass(Millis::from_hours(2));
    assert!(world.texts(alice, bob, Direction::In).contains(&"I am".to_owned()));
}

/// What is kept at a mailbox that is left comes first, and then the box is gone.
#[test]
fn a_mailbox_is_left() {
    let mut world = World::new(10, Weather::CALM);
    let (alice, bob, houses) = two_with_houses(&mut world);
    world.stop(bob);
    world.say(alice, bob, "hello");
    world.pass(A_WHILE);
    for house in houses {
        let peer = world.id(house);
        world.command(bob, Command::DropMailbox(peer)).unwrap();
        assert_eq!(world.command(bob, Command::DropMailbox(peer)).unwrap_err(), Refusal::NotAMailbox);
    }
    assert_eq!(world.box_states(bob), [BoxState::Leaving, BoxState::Leaving]);
    world.come(bob);
    world.pass(A_WHILE);
    assert_eq!(world.mailboxes(bob), []);
    assert_eq!(world.requests(bob).len(), 1, "what was there was fetched first");
    assert_eq!(world.boxes(houses[0]), 1, "only Alice's is left");
    world.stop(bob);
    // Her card of his still names them: they say that there is no box, and she looks for another card.
    let id = world.say(alice, bob, "where are you?");
    world.pass(Millis::from_hours(3));
    assert_eq!(world.state(alice, &id), State::Queued);
    assert_eq!(world.reach(alice, bob).card.unwrap().mailboxes, []);
}

#[test]
fn three_mailboxes_are_enough_and_one_may_refuse() {
    let mut world = World::new(11, Weather::CALM);
    let houses: Vec<Who> = ["a", "b", "c", "d"].map(|name| world.house(name)).to_vec();
    let bob = world.join("bob");
    world.command(houses[0], Command::SetMailService(MailService::Off)).unwrap();
    for house in &houses[..3] {
        world.use_mailbox(bob, *house);
    }
    let mut states = world.box_states(bob);
    states.sort_unstable_by_key(|state| *state as u8);
    assert_eq!(states, [BoxState::InUse, BoxState::InUse, BoxState::Refused]);
    assert_eq!(world.identity(bob).mailboxes.len(), 2, "the card names two");
    let (peer, addrs) = (world.id(houses[3]), Vec::new());
    let command = Command::UseMailbox { peer, addrs };
    assert_eq!(world.command(bob, command).unwrap_err(), Refusal::TooManyMailboxes);
    let peer = world.id(bob);
    let command = Command::UseMailbox { peer, addrs: Vec::new() };
    assert_eq!(world.command(bob, command).unwrap_err(), Refusal::Oneself);
    // The user asks again, and is served by now.
    world.command(houses[0], Command::SetMailService(MailService::Open)).unwrap();
    world.use_mailbox(bob, houses[0]);
    assert_eq!(world.box_states(bob), [BoxState::InUse; 3]);
    // One goes away.
    world.leave(houses[1]);
    world.pass(Millis::from_secs(300));
    assert_eq!(world.box_states(bob).iter().filter(|state| **state == BoxState::Unreachable).count(), 1);
    world.come(houses[1]);
    world.pass(Millis::from_secs(600));
    assert_eq!(world.box_states(bob), [BoxState::InUse; 3]);
}

/// MBX-61: a mailbox forgets after 21 days; what is not delivered is left again, and told as undelivered after 30.
#[test]
fn what_waits_too_long_is_left_again_and_given_up_in_the_end() {
    let mut world = World::new(12, Weather::CALM);
    let (north, alice, bob) = (world.house("north"), world.join("alice"), world.join("bob"));
    world.use_mailbox(bob, north);
    world.say(alice, bob, "hello");
    world.pass(A_WHILE);
    world.accept(bob, alice);
    world.say(bob, alice, "hello");
    // MBX-44: his box is no trial any more.
    world.pass(Millis::from_days(3));
    world.stop(bob);
    let id = world.say(alice, bob, "for later");
    world.pass(A_WHILE);
    let before = world.questions(alice, 16);
    world.pass(Millis::from_days(20));
    // On day 4 a session is begun anew, since nothing is heard of him (SES-68, SES-69); on day 11 his card is too old.
    assert_eq!(world.questions(alice, 16), before + 1, "nothing is left twice meanwhile");
    world.pass(Millis::from_days(2));
    assert_eq!(world.questions(alice, 16), before + 2);
    assert!(world.kept(north) > 0);
    assert_eq!(world.state(alice, &id), State::Sent);
    world.pass(Millis::from_days(9));
    assert_eq!(world.state(alice, &id), State::Undelivered);
}

/// Some people, three houses of which one lies, and nobody is on for long: in the end everybody has heard everything once.
#[test]
fn many_come_and_go() {
    for seed in crate::seeds(1) {
        let mut world = World::new(seed, Weather { drop: 5, drop_ack: 5, delay: 200, ..Weather::CALM });
        let houses = [world.house("a"), world.house("b"), world.house("c")];
        let people: Vec<Who> = ["d", "e", "f", "g", "h"].map(|name| world.join(name)).to_vec();
        for (n, who) in people.iter().enumerate() {
            world.use_mailbox(*who, houses[n % 3]);
            world.use_mailbox(*who, houses[(n + 1) % 3]);
        }
        let pairs: Vec<(Who, Who)> =
            people.iter().flat_map(|a| people.iter().map(move |b| (*a, *b))).filter(|(a, b)| a < b).collect();
        for (a, b) in &pairs {
            world.say(*a, *b, "hello");
        }
        world.pass(Millis::from_secs(600));
        for (a, b) in &pairs {
            world.accept(*b, *a);
        }
        world.pass(Millis::from_secs(600));
        world.lies(
            houses[0],
            Lies { forgets: 50, tampers: 20, repeats: 20, shuffles: true, babbles: 10, ..Lies::default() },
        );
        let mut said = Vec::new();
        for round in 0..12_usize {
            let away = [people[round % 5], people[(round * 2 + 1) % 5], people[(round * 3 + 2) % 5]];
            away.iter().for_each(|who| world.stop(*who));
            if round % 4 == 3 {
                world.restart(houses[round % 3]);
            }
            for (n, (a, b)) in pairs.iter().enumerate() {
                if !away.contains(a) && (n + round) % 2 == 0 {
                    let text = format!("{round}.{n}");
                    world.say(*a, *b, &text);
                    said.push((*a, *b, text));
                }
            }
            world.pass(Millis::from_secs(30 + 20 * round as u64));
            away.iter().for_each(|who| world.come(*who));
            world.pass(Millis::from_secs(5));
        }
        world.pass(Millis::from_hours(3));
        for (a, b) in &pairs {
            let mut expected: Vec<_> = said.iter().filter(|(from, to, _)| from == a && to == b).collect();
            expected.sort_by(|one, other| one.2.cmp(&other.2));
            let mut heard: Vec<_> = world.texts(*b, *a, Direction::In).into_iter().filter(|t| t != "hello").collect();
            heard.sort_unstable();
            assert_eq!(heard, expected.iter().map(|(.., text)| text.clone()).collect::<Vec<_>>(), "seed {seed}");
            let states: Vec<_> = world.history(*a, *b).iter().map(|message| message.state).collect();
            let done = |state: &State| matches!(state, State::Delivered | State::Received);
            assert!(states.iter().all(done), "seed {seed}: {states:?}");
        }
    }
}
