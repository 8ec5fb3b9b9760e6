use std::collections::BTreeSet;

use super::*;
use crate::base::event::EventKind;
use crate::base::words::State;
use crate::base::{MessageId, Millis, RoomId};
use crate::messenger::command::{Answer, Command, Refusal};
use crate::messenger::io::{Event, Input, Output};
use crate::messenger::query;
use crate::messenger::tables::{Messages, Peers, Sessions, message_key, peer_key};
use crate::messenger::testing::Office;
use crate::store::{RowKey, Scan, Table, Under, reads};

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;
const DAVE: usize = 3;

/// A row of another table's form in the place of one of Alice's: it does not open as what it should be.
struct Wrong<const NUMBER: u8>;

impl<const NUMBER: u8> Table for Wrong<NUMBER> {
    const ID: u8 = NUMBER;
    const NAME: &'static str = "Wrong";
    const UNDER: Under = Under::State;
    type Row = u8;
}

fn spoil<const TABLE: u8>(office: &mut Office, key: &RowKey) {
    office.tx(ALICE, |tx| tx.buf.put::<Wrong<TABLE>>(key, &255).unwrap());
}

fn state(office: &Office, id: &MessageId) -> State {
    query::message(&office.rows(ALICE), office.id(ALICE), id, office.now.wall).unwrap().unwrap().state
}

fn unreadable(office: &Office) -> usize {
    query::unreadable(&office.rows(ALICE)).unwrap()
}

/// Alice, whose rows will be spoilt, and three contacts of hers; nobody is reached.
fn apart() -> Office {
    let mut office = Office::new(4);
    [BOB, CAROL, DAVE].into_iter().for_each(|who| office.befriend(ALICE, who));
    office.online = false;
    (0..4).for_each(|who| office.open(who));
    office
}

fn together(office: &mut Office) {
    office.online = true;
    office.pass(Millis::from_hours(2));
}

#[test]
fn a_message_that_does_not_open_stays_and_the_others_go() {
    let mut office = apart();
    let bob = RoomId::direct(office.id(BOB));
    let sent = ["one", "two", "three"].map(|text| office.say(ALICE, BOB, text));
    let lost = query::index(&office.rows(ALICE), &sent[1]).unwrap().unwrap().position;
    spoil::<{ Messages::ID }>(&mut office, &message_key(&bob, lost));
    assert_eq!(unreadable(&office), 1);
    together(&mut office);
    assert_eq!(office.texts(BOB, ALICE), ["hello", "hello", "one", "three"]);
    assert_eq!([state(&office, &sent[0]), state(&office, &sent[2])], [State::Delivered; 2]);
    // It is tried again after the next start, and given up in no commit.
    office.open(ALICE);
    office.say(ALICE, CAROL, "and so on");
    office.pass(Millis::from_days(31));
    assert_eq!(office.texts(CAROL, ALICE), ["hello", "hello", "and so on"]);
    assert_eq!(unreadable(&office), 1);
}

#[test]
fn a_row_of_the_outbox_that_does_not_open_stops_neither_the_start_nor_the_others() {
    let mut office = apart();
    let bob = office.id(BOB);
    office.say(ALICE, BOB, "one");
    let first = office.rows(ALICE).scan::<Outbox>(&Scan::new(peer_key(&bob))).unwrap().remove(0).1.number;
    office.say(ALICE, BOB, "two");
    spoil::<{ Outbox::ID }>(&mut office, &outbox_key(&bob, first));
    office.open(ALICE);
    assert_eq!(unreadable(&office), 1);
    together(&mut office);
    assert_eq!(office.texts(BOB, ALICE), ["hello", "hello", "two"]);
}

#[test]
fn a_peer_whose_rows_do_not_open_waits_and_the_others_do_not() {
    let mut office = apart();
    let bob = office.id(BOB);
    spoil::<{ Sessions::ID }>(&mut office, &peer_key(&bob));
    let waits = office.say(ALICE, BOB, "cannot be sealed");
    let goes = office.say(ALICE, CAROL, "can be");
    together(&mut office);
    assert_eq!((state(&office, &waits), state(&office, &goes)), (State::Queued, State::Delivered));
    assert_eq!(unreadable(&office), 1);
    // Nor does the row of the other.
    office.online = false;
    office.open(ALICE);
    office.say(ALICE, CAROL, "one");
    office.say(ALICE, CAROL, "two");
    let carol = office.id(CAROL);
    spoil::<{ Peers::ID }>(&mut office, &peer_key(&carol));
    assert_eq!(unreadable(&office), 3);
    // Neither stops a start, what is done by the day, or questions.
    office.open(ALICE);
    let dave = office.id(DAVE);
    office.pass(Millis::from_hours(48));
    let last = office.say(ALICE, DAVE, "goes on");
    together(&mut office);
    assert_eq!((state(&office, &last), unreadable(&office)), (State::Delivered, 3));
    let shown = query::contacts(&office.rows(ALICE), office.id(ALICE)).unwrap();
    let shown: BTreeSet<_> = shown.iter().map(|contact| contact.peer_id).collect();
    assert_eq!(shown, BTreeSet::from([bob, dave]));
}

/// What is connected, and waits for receipts, is asked for them once, and not again and again when that cannot be.
#[test]
fn a_peer_whose_row_does_not_open_is_not_looked_at_without_end() {
    let mut office = apart();
    let bob = office.id(BOB);
    office.say(ALICE, BOB, "one");
    let outputs = office.hand_in(ALICE, vec![Input::Net(Event::Connected(bob))]);
    let ticket = outputs.iter().find_map(|output| match output {
        Output::Net(Order::Send { ticket, .. }) => Some(*ticket),
        _ => None,
    });
    office.hand_in(ALICE, vec![Input::Net(Event::Acked { peer: bob, ticket: ticket.unwrap() })]);
    spoil::<{ Peers::ID }>(&mut office, &peer_key(&bob));
    office.forward(Millis::from_hours(2));
    office.hand_in(ALICE, vec![Input::Timer]);
    let now = office.now.mono;
    let wakes = |output: &Output| matches!(output, Output::WakeAt(at) if *at <= now);
    assert!(!office.hand_in(ALICE, vec![Input::Timer]).iter().any(wakes));
}

/// The user is told of the later of two pauses: nothing is tried before both are over.
#[test]
fn the_next_try_that_is_told_is_behind_every_pause() {
    let mut office = apart();
    let bob = office.id(BOB);
    office.say(ALICE, BOB, "waits");
    // It is not written down so soon again.
    office.forward(limits::PRESENCE_PAUSE);
    office.hand_in(ALICE, vec![Input::Net(Event::Connected(bob))]);
    let now = office.now.mono;
    office.tx(ALICE, |tx| (0..5).for_each(|n| tx.link(bob).pace.session_refused(now, n)));
    office.hand_in(ALICE, vec![Input::Net(Event::Disconnected(bob))]);
    office.tx(ALICE, |tx| {
        let clock = tx.deadline_clock();
        let link = tx.link(bob);
        let (dialled, tried) = (link.retry_at.unwrap(), link.pace.until().unwrap());
        assert!(dialled < tried);
        assert_eq!(tx.reach(&bob).unwrap().next_try, Some(clock + tried.since(now)));
    });
}

/// What the other says of a message that does not open is taken, and what the user does with one whose row does not.
#[test]
fn receipts_go_on_though_a_row_does_not_open() {
    let mut office = apart();
    together(&mut office);
    office.say(ALICE, BOB, "one");
    let last = office.say(ALICE, BOB, "two");
    office.say(BOB, ALICE, "three");
    let place = query::index(&office.rows(ALICE), &last).unwrap().unwrap().position;
    let (alice, bob) = (office.id(ALICE), office.id(BOB));
    spoil::<{ Messages::ID }>(&mut office, &message_key(&RoomId::direct(bob), place));
    office.command(BOB, Command::Read { peer: alice, upto: None }).unwrap();
    office.pass(Millis::from_hours(1));
    assert_eq!(office.undelivered(BOB), 0);
    assert!(office.rows(BOB).scan::<Outbox>(&Scan::all()).unwrap().is_empty());
    spoil::<{ Peers::ID }>(&mut office, &peer_key(&bob));
    office.command(ALICE, Command::Read { peer: bob, upto: None }).unwrap();
}

/// What a step that fails has changed of memory is undone, and no row is read for it.
#[test]
fn a_step_that_fails_leaves_nothing_in_memory() {
    let mut office = apart();
    let (bob, carol) = (office.id(BOB), office.id(CAROL));
    office.say(ALICE, BOB, "waits");
    office.tx(ALICE, |tx| {
        tx.link(bob).handshakes = Some(tx.now.mono);
        tx.mem.forget_marks();
        let shown = |tx: &Tx<'_>| format!("{:?} {:?} {:?}", tx.mem.links, tx.mem.out, **tx.mem);
        let (before, rows) = (shown(tx), tx.buf.count::<Outbox>(&Scan::all()).unwrap());
        let refused = tx.attempt(|tx| {
            tx.queue_items(bob, vec![Item::Reset])?;
            tx.queue_items(carol, vec![Item::Reset])?;
            tx.event(EventKind::ContactAdded { peer_id: bob });
            tx.happen_to_all(bob, &Happening::Settled)?;
            let link = tx.link(bob);
            (link.handshakes, link.attempts, link.rebuild) = (None, 9, true);
            let stranger = PeerId::from_key_bytes([7; 32]);
            tx.link(stranger).connected = true;
            tx.mem.one_time.clear();
            tx.mem.mail.card.relays.clear();
            tx.mem.moving.insert(3);
            tx.mem.contacts += 5;
            // One within the other.
            let inner = tx.attempt(|tx| {
                tx.link(bob).attempts = 10;
                tx.mem.one_time.push_back(crate::identity::PrekeyId(4));
                Err::<(), Stop>(Refusal::EmptyText.into())
            });
            assert!(inner.is_err() && tx.link(bob).attempts == 9 && tx.mem.one_time.is_empty());
            Err::<(), Stop>(Refusal::EmptyText.into())
        });
        assert!(matches!(refused, Err(Stop::Refused(Refusal::EmptyText))));
        assert_eq!(shown(tx), before);
        assert_eq!(tx.buf.count::<Outbox>(&Scan::all()).unwrap(), rows);
    });
}

#[test]
fn a_refused_command_reads_no_rows() {
    let mut office = Office::pair();
    office.online = false;
    office.open(ALICE);
    (0..100).for_each(|n| _ = office.say(ALICE, BOB, &format!("{n}")));
    office.pass(Millis::from_secs(60));
    let refused = Command::Send(office.text(BOB, " "));
    let before = reads();
    assert_eq!(office.command(ALICE, refused).unwrap_err(), Refusal::EmptyText);
    assert_eq!(reads(), before);
}

/// A process that ends takes the envelopes with it: what was not taken is sealed anew, and comes once.
#[test]
fn what_was_not_taken_is_sealed_anew_after_a_restart() {
    let mut office = Office::pair();
    office.loses_letters = true;
    let sent = ["one", "two", "three"].map(|text| office.say(ALICE, BOB, text));
    let first = office.envelopes[&ALICE].clone();
    // It came, and nobody told Alice.
    office.inject(ALICE, BOB, first.clone());
    office.loses_letters = false;
    office.open(ALICE);
    office.pass(Millis::from_secs(60));
    assert_ne!(office.envelopes[&ALICE], first);
    assert_eq!(office.texts(BOB, ALICE), ["hello", "hello", "one", "two", "three"]);
    assert_eq!(sent.map(|id| state(&office, &id)), [State::Delivered; 3]);
}

/// A second copy under another key, of a message in a pending request, takes none of its three places.
#[test]
fn a_second_copy_takes_no_place_of_a_request() {
    let mut office = Office::new(2);
    office.loses_letters = true;
    office.say(ALICE, BOB, "may I?");
    let first = office.envelopes[&ALICE].clone();
    office.inject(ALICE, BOB, first.clone());
    office.loses_letters = false;
    office.open(ALICE);
    office.pass(Millis::from_secs(60));
    assert_ne!(office.envelopes[&ALICE], first, "under another key");
    let held =
        |office: &Office| query::request(&office.rows(BOB), &office.id(ALICE), office.now.wall).unwrap().unwrap().1;
    assert_eq!(held(&office), ["may I?"]);
    for text in ["please", "do", "a fourth"] {
        office.say(ALICE, BOB, text);
    }
    assert_eq!(held(&office), ["may I?", "please", "do"]);
}

/// SES-66: what was sealed and not taken is bounded over restarts, and no session has to be healed for it.
#[test]
fn ten_deaths_with_a_window_on_its_way_lose_and_heal_nothing() {
    let mut office = Office::pair();
    office.loses_letters = true;
    let sent: Vec<MessageId> = (0..limits::MAX_IN_FLIGHT).map(|n| office.say(ALICE, BOB, &format!("{n}"))).collect();
    let mut sessions = std::collections::BTreeSet::new();
    for _ in 0..10 {
        office.open(ALICE);
        office.pass(Millis::from_secs(60));
        sessions.insert(office.sessions(ALICE, BOB).sending().unwrap().id());
        assert!(office.sessions(ALICE, BOB).sending().is_some());
    }
    assert!(sessions.len() > 2, "the chains were stretched: {}", sessions.len());
    office.loses_letters = false;
    office.open(ALICE);
    office.pass(Millis::from_hours(1));
    let texts = office.texts(BOB, ALICE);
    assert_eq!(texts.len(), 2 + sent.len());
    assert!(texts[2..].iter().enumerate().all(|(n, text)| *text == n.to_string()));
    assert!(sent.iter().all(|id| state(&office, id) == State::Delivered));
    let (alice, bob) = (office.id(ALICE), office.id(BOB));
    office.tx(ALICE, |tx| assert_eq!(tx.peer(&bob).unwrap().unwrap().healed_at, None));
    office.tx(BOB, |tx| assert_eq!(tx.peer(&alice).unwrap().unwrap().healed_at, None));
}

/// The tickets of what is sent.
fn sends(outputs: &[Output]) -> Vec<u64> {
    let ticket = |output: &Output| match output {
        Output::Net(Order::Send { ticket, .. }) => Some(*ticket),
        _ => None,
    };
    outputs.iter().filter_map(ticket).collect()
}

/// A commit that fails takes nothing back from the network: what it was given before fills the window.
#[test]
fn a_failed_commit_makes_no_room_in_the_window() {
    let mut office = Office::pair();
    office.in_commits(ALICE, Vec::new());
    let (bob, half) = (office.id(BOB), limits::MAX_IN_FLIGHT / 2);
    let texts = |office: &Office| (0..half).map(|_| Input::Command(1, Command::Send(office.text(BOB, "?")))).collect();
    let inputs = texts(&office);
    let tickets = sends(&office.hand_in(ALICE, inputs));
    assert_eq!(tickets.len(), half);
    // What this one was to give it did not get there.
    let mut next = 0;
    office.tx(ALICE, |tx| next = tx.mem.next_ticket);
    let inputs = texts(&office);
    assert_eq!(sends(&office.hand_in(ALICE, inputs)).len(), half);
    office.tx(ALICE, |tx| tx.mem.reload(tx.buf, next).unwrap());
    assert_eq!(sends(&office.hand_in(ALICE, Vec::new())).len(), half);
    let acked = Event::Acked { peer: bob, ticket: tickets[0] };
    assert_eq!(sends(&office.hand_in(ALICE, vec![Input::Net(acked)])).len(), 1, "a place is free");
}

/// A receipt says that a message has come, and not that its frame was taken in: who acknowledges nothing gets one window.
#[test]
fn receipts_make_no_room_in_the_window() {
    let mut office = Office::pair();
    let bob = office.id(BOB);
    let mut tickets = Vec::new();
    for n in 0..limits::MAX_IN_FLIGHT + 3 {
        let send = Command::Send(office.text(BOB, &format!("{n}")));
        let outputs = office.hand_in(ALICE, vec![Input::Command(1, send)]);
        tickets.extend(sends(&outputs));
        let id = outputs.iter().find_map(|output| match output {
            Output::Reply(_, Ok(Answer::Sent(message))) => Some(message.message_id),
            _ => None,
        });
        office.tx(ALICE, |tx| {
            let mut conversation = tx.conversation(&RoomId::direct(bob)).unwrap().unwrap();
            tx.reported(&mut conversation, &id.unwrap(), State::Delivered).unwrap();
        });
    }
    assert_eq!(tickets.len(), limits::MAX_IN_FLIGHT);
    let acked = Event::Acked { peer: bob, ticket: tickets[0] };
    let say = Command::Send(office.text(BOB, "waits"));
    assert_eq!(sends(&office.hand_in(ALICE, vec![Input::Command(1, say)])), [0; 0]);
    assert_eq!(sends(&office.hand_in(ALICE, vec![Input::Net(acked)])).len(), 1, "a place is free");
}
