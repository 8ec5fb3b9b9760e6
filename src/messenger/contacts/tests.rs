use super::*;
use crate::base::event::Event;
use crate::base::limits;
use crate::base::shown::Contact;
use crate::messenger::SendCommand;
use crate::messenger::io::{Class, Input, Order, Output};
use crate::messenger::query::Scope;
use crate::messenger::testing::Office;

const ALICE: usize = 0;
const BOB: usize = 1;
const EVE: usize = 2;

/// The class that the network is told of somebody, if it is told.
fn told(outputs: Vec<Output>, of: PeerId) -> Option<Class> {
    outputs.into_iter().rev().find_map(|output| match output {
        Output::Net(Order::Class { peer, class }) if peer == of => Some(class),
        _ => None,
    })
}

/// REQ-1: rates, places and lanes are those of strangers for whoever is no contact, also for a contact who is blocked: else a burst
/// would tell him.
#[test]
fn for_the_network_a_blocked_contact_is_a_stranger() {
    let mut office = Office::pair();
    let bob = office.id(BOB);
    let gives = |office: &mut Office, command| told(office.hand_in(ALICE, vec![Input::Command(1, command)]), bob);
    assert_eq!(gives(&mut office, Command::Block(bob)), Some(Class::Stranger));
    office.close(ALICE);
    assert_eq!(told(office.opening(ALICE), bob).unwrap_or(Class::Stranger), Class::Stranger, "after a start, too");
    assert_eq!(gives(&mut office, Command::Unblock(bob)), Some(Class::Contact));
    office.close(ALICE);
    assert_eq!(told(office.opening(ALICE), bob), Some(Class::Contact));
    assert_eq!(gives(&mut office, Command::RemoveContact(bob)), Some(Class::Stranger));
    let hints = Hints::default();
    let add = Command::AddContact { peer: bob, name: None, hints };
    assert_eq!(gives(&mut office, add), Some(Class::Contact));
}

/// Three people, who call themselves so.
fn three(names: [&str; 3]) -> Office {
    let mut office = Office::new(3);
    for (who, name) in names.into_iter().enumerate() {
        call(&mut office, who, name);
    }
    office
}

fn call(office: &mut Office, who: usize, name: &str) {
    office.command(who, Command::SetName { name: name.to_owned() }).unwrap();
}

fn contact(office: &Office, whose: usize, who: usize) -> Contact {
    query::contact(&office.rows(whose), office.id(whose), &office.id(who)).unwrap().unwrap()
}

/// Whom a text means to Alice; nobody, or several.
fn meant(office: &Office, scope: Scope, text: &str) -> Option<usize> {
    let found = query::resolve_peer(&office.rows(ALICE), office.id(ALICE), scope, text).ok()?;
    (0..3).find(|who| office.id(*who) == found)
}

fn renamings(office: &Office) -> Vec<PeerId> {
    let told = query::events(&office.rows(ALICE), 0, 1_000).unwrap();
    let renamed = |event: &Event| match event.kind {
        EventKind::ContactRenamed { peer_id } => Some(peer_id),
        _ => None,
    };
    told.iter().filter_map(renamed).collect()
}

#[test]
fn a_stranger_takes_nothing_that_is_meant_for_a_contact_whatever_he_calls_himself() {
    let mut office = three(["Alice", "Bob", "bob"]);
    office.befriend(ALICE, BOB);
    office.say(EVE, ALICE, "may I?");
    assert_eq!(query::requests(&office.rows(ALICE), office.now.wall).unwrap().len(), 1);
    let end = format!("…{}", office.id(EVE).short());
    for text in ["bob", "Bob"] {
        assert_eq!(meant(&office, Scope::People, text), Some(BOB));
        assert_eq!(meant(&office, Scope::Requests, text), Some(EVE));
    }
    assert_eq!((meant(&office, Scope::People, &end), meant(&office, Scope::Requests, &end)), (None, Some(EVE)));
    // Who is removed with his conversation is nobody any more.
    office.command(ALICE, Command::RemoveContact(office.id(BOB))).unwrap();
    assert_eq!(meant(&office, Scope::People, "bob"), Some(BOB), "there is a conversation");
    office.command(ALICE, Command::DeleteConversation(office.id(BOB))).unwrap();
    assert_eq!(meant(&office, Scope::People, "bob"), None);
}

#[test]
fn nothing_goes_to_somebody_whose_request_is_pending_unless_it_is_accepted_with_it() {
    let mut office = three(["Alice", "Bob", "Eve"]);
    office.say(EVE, ALICE, "may I?");
    let (eve, text) = (office.id(EVE), SendCommand::text(office.id(EVE), "a secret"));
    let refused = office.command(ALICE, Command::Send(text.clone())).unwrap_err();
    assert_eq!(refused, Refusal::RequestPending);
    assert!(query::request(&office.rows(ALICE), &eve, office.now.wall).unwrap().is_some());
    assert!(office.history(EVE, ALICE).iter().all(|message| message.text != "a secret"));
    office.send(ALICE, SendCommand { accept: true, ..text }).unwrap();
    assert!(contact(&office, ALICE, EVE).contact);
    assert!(office.history(EVE, ALICE).iter().any(|message| message.text == "a secret"));
}

#[test]
fn a_contact_who_renames_himself_keeps_his_name_until_the_new_one_is_taken_over() {
    let mut office = three(["Alice", "Bob", "Eve"]);
    office.befriend(ALICE, BOB);
    office.befriend(ALICE, EVE);
    assert_eq!((contact(&office, ALICE, BOB).name.as_str(), renamings(&office).as_slice()), ("Bob", &[][..]));
    call(&mut office, EVE, "Bob");
    assert_eq!(renamings(&office), [office.id(EVE)]);
    let eve = contact(&office, ALICE, EVE);
    assert_eq!((eve.name.as_str(), eve.calls_himself.as_deref()), ("Eve", Some("Bob")));
    let listed = query::inbox(&office.rows(ALICE), office.id(ALICE), false, 10, office.now.wall).unwrap();
    let line = listed.iter().find(|line| line.peer_id == office.id(EVE)).unwrap();
    assert_eq!((line.name.as_str(), line.calls_himself.as_deref()), ("Eve", Some("Bob")));
    assert!(office.history(ALICE, EVE).iter().any(|message| message.from_name == "Eve"));
    for (text, who) in [("Bob", BOB), ("eve", EVE)] {
        assert_eq!(meant(&office, Scope::People, text), Some(who), "{text}");
    }
    // A restart changes nothing.
    office.open(ALICE);
    assert_eq!(meant(&office, Scope::People, "Bob"), Some(BOB));
    office.command(ALICE, Command::TakeName(office.id(EVE))).unwrap();
    let eve = contact(&office, ALICE, EVE);
    assert_eq!((eve.name.as_str(), eve.calls_himself), ("Bob", None));
    assert_eq!((meant(&office, Scope::People, "Bob"), meant(&office, Scope::People, "eve")), (None, None));
    // A name that we give tells them apart.
    let rename = |name: &str| Command::RenameContact { peer: office.id(EVE), name: name.to_owned() };
    let (given, back) = (rename(" Eve \u{e9} "), rename(""));
    office.command(ALICE, given).unwrap();
    assert_eq!(contact(&office, ALICE, EVE).name, "Eve \u{e9}");
    for (text, who) in [("bob", BOB), ("EVE E\u{301}", EVE), ("eve", EVE)] {
        assert_eq!(meant(&office, Scope::People, text), Some(who), "{text}");
    }
    office.command(ALICE, back).unwrap();
    assert_eq!(contact(&office, ALICE, EVE).name, "Bob");
}

/// Alice calls Bob Robert, and knows Eve by her peer ID alone: a name comes only afterwards.
#[test]
fn the_first_name_that_a_contact_tells_is_shown_and_takes_nothing_from_others() {
    for (told, means) in [("Eve", EVE), ("ROBERT", BOB), ("Rob", BOB), ("Robertson", EVE)] {
        let mut office = three(["Alice", "Bob", told]);
        office.befriend(ALICE, BOB);
        let (bob, eve) = (office.id(BOB), office.id(EVE));
        office.command(ALICE, Command::RenameContact { peer: bob, name: "Robert".to_owned() }).unwrap();
        office.command(ALICE, Command::AddContact { peer: eve, name: None, hints: Hints::default() }).unwrap();
        assert_eq!(contact(&office, ALICE, EVE).name, "");
        office.say(EVE, ALICE, "hello");
        let named = contact(&office, ALICE, EVE);
        assert_eq!((named.name.as_str(), named.calls_himself.as_deref()), (told, None));
        for (text, who) in [("robert", BOB), ("rob", BOB), (told, means)] {
            assert_eq!(meant(&office, Scope::People, text), Some(who), "{told}: {text}");
        }
        // Later ones are told, and none is taken away.
        assert!(renamings(&office).is_empty());
        call(&mut office, EVE, "");
        assert_eq!(contact(&office, ALICE, EVE), named);
        call(&mut office, EVE, "Robert");
        assert_eq!(renamings(&office), [eve]);
        assert_eq!(contact(&office, ALICE, EVE).name, told);
    }
}

#[test]
fn who_was_removed_or_blocked_has_his_name_when_he_comes_back() {
    let mut office = three(["Alice", "Bob", "Eve"]);
    office.befriend(ALICE, BOB);
    let bob = office.id(BOB);
    office.command(ALICE, Command::RemoveContact(bob)).unwrap();
    office.say(BOB, ALICE, "me again");
    let asking = query::requests(&office.rows(ALICE), office.now.wall).unwrap();
    assert_eq!((asking[0].peer_id, asking[0].name.as_str()), (bob, "Bob"));
    office.command(ALICE, Command::AcceptRequest(bob)).unwrap();
    assert_eq!(contact(&office, ALICE, BOB).name, "Bob");
    // Who is written to is who he was, whatever he called himself meanwhile.
    call(&mut office, BOB, "Boss");
    office.command(ALICE, Command::RemoveContact(bob)).unwrap();
    office.say(ALICE, BOB, "I am sorry");
    let back = contact(&office, ALICE, BOB);
    assert_eq!((back.name.as_str(), back.calls_himself.as_deref()), ("Bob", Some("Boss")));
    // Blocked and unblocked while he is no contact: the conversation still has his name.
    office.command(ALICE, Command::RemoveContact(bob)).unwrap();
    office.command(ALICE, Command::Block(bob)).unwrap();
    office.command(ALICE, Command::Unblock(bob)).unwrap();
    let inbox = query::inbox(&office.rows(ALICE), office.id(ALICE), false, 10, office.now.wall).unwrap();
    assert_eq!(inbox.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(), ["Bob"]);
    // Who asks and is blocked is listed under the name that he had.
    office.say(EVE, ALICE, "may I?");
    office.command(ALICE, Command::Block(office.id(EVE))).unwrap();
    assert_eq!(contact(&office, ALICE, EVE).name, "Eve");
}

#[test]
fn a_name_that_could_be_something_else_is_not_given() {
    let mut office = three(["Alice", "Bob", "Eve"]);
    office.befriend(ALICE, BOB);
    let (bob, eve) = (office.id(BOB), office.id(EVE));
    for odd in ["bob,eve", "me", "-n", "rohrpost:x", "…abcdefgh", "@bob", "#bob", &bob.to_string(), "\u{200B}"] {
        let rename = Command::RenameContact { peer: bob, name: odd.to_owned() };
        assert!(matches!(office.command(ALICE, rename), Err(Refusal::OddName(_))), "{odd}");
        let add = Command::AddContact { peer: eve, name: Some(odd.to_owned()), hints: Hints::default() };
        assert!(matches!(office.command(ALICE, add), Err(Refusal::OddName(_))), "{odd}");
    }
    assert_eq!(contact(&office, ALICE, BOB).name, "Bob");
    assert!(query::contact(&office.rows(ALICE), office.id(ALICE), &eve).unwrap().is_none());
}

/// CON-24, REQ-5, REQ-13: who was a contact is not told that he is none any more. The token of the link goes with what he writes, so
/// that he asks as one who is invited; what he wrote before he had it goes again with it.
#[test]
fn who_was_a_contact_asks_with_the_token_of_the_link() {
    let mut office = Office::pair();
    let (alice, bob) = (office.id(ALICE), office.id(BOB));
    let held = |office: &Office| {
        let request = query::request(&office.rows(ALICE), &bob, office.now.wall).unwrap();
        request.map(|(request, texts)| (request.invited, texts.join(" ")))
    };
    let hints = |office: &Office| {
        let token = query::link(&office.rows(ALICE), alice).unwrap().unwrap().token;
        Hints { token, ..Hints::default() }
    };
    let accept = |office: &mut Office| {
        office.command(ALICE, Command::AcceptRequest(bob)).unwrap();
        office.pass(limits::HEALING_INTERVAL);
        assert_eq!((office.texts(ALICE, BOB), office.undelivered(BOB)), (office.texts(BOB, ALICE), 0));
        office.command(ALICE, Command::RemoveContact(bob)).unwrap();
    };
    office.command(ALICE, Command::SetPolicy(Policy::Contacts)).unwrap();
    office.command(ALICE, Command::RemoveContact(bob)).unwrap();
    // He knows no token: she has written first.
    office.say(BOB, ALICE, "a");
    assert_eq!(held(&office), None);
    let with_link = SendCommand { hints: hints(&office), ..office.text(ALICE, "b") };
    office.send(BOB, with_link).unwrap();
    assert_eq!(held(&office), Some((true, "a b".to_owned())));
    accept(&mut office);
    // From then on he knows it.
    office.say(BOB, ALICE, "c");
    assert_eq!(held(&office), Some((true, "c".to_owned())));
    accept(&mut office);
    // It is void, until he has the new one.
    office.command(ALICE, Command::RotateToken).unwrap();
    office.say(BOB, ALICE, "d");
    assert_eq!(held(&office), None);
    let add = Command::AddContact { peer: alice, name: None, hints: hints(&office) };
    office.command(BOB, add).unwrap();
    assert_eq!(held(&office), Some((true, "d".to_owned())));
    // REQ-10: nothing that he can see bounds what he writes; what is held is, and the rest comes.
    (0..5).for_each(|n| _ = office.say(BOB, ALICE, &n.to_string()));
    assert_eq!(held(&office), Some((true, "d 0 1".to_owned())));
    accept(&mut office);
}

/// What waits for one peer, and who is known, has an end; what is there goes on.
#[test]
fn messages_that_wait_and_contacts_are_bounded() {
    let mut office = Office::new(3);
    office.befriend(ALICE, BOB);
    let (bob, eve) = (office.id(BOB), office.id(EVE));
    office.close(BOB);
    office.say(ALICE, BOB, "the first");
    office.tx(ALICE, |tx| {
        let letters = &tx.mem.out.of(&bob).letters;
        let letter = letters.values().find(|letter| letter.is_message()).unwrap().clone();
        let last = *letters.last_key_value().unwrap().0;
        (1..limits::MAX_OUTBOX_PER_PEER).for_each(|more| drop(tx.mem.out.set(bob, last + more, Some(letter.clone()))));
    });
    let one_more = office.text(BOB, "one more");
    assert_eq!(office.send(ALICE, one_more).unwrap_err(), Refusal::OutboxFull);
    office.tx(ALICE, |tx| tx.mem.contacts = limits::MAX_CONTACTS);
    let add = |peer| Command::AddContact { peer, name: None, hints: Hints::default() };
    assert_eq!(office.command(ALICE, add(eve)).unwrap_err(), Refusal::TooManyContacts);
    assert!(office.command(ALICE, add(bob)).is_ok(), "who is one already");
}
