//! NET-94.

use super::*;
use crate::base::words::State;
use crate::base::{MessageId, Millis};
use crate::messenger::command::Command;
use crate::messenger::query;
use crate::messenger::testing::Office;

const ALICE: usize = 0;
const BOB: usize = 1;

fn quota(office: &mut Office, bytes: u64) -> Result<Answer, Refusal> {
    let peer = office.id(BOB);
    office.command(ALICE, Command::SetQuota { peer, bytes })
}

fn shown(office: &Office) -> crate::base::shown::Contact {
    query::contact(&office.rows(ALICE), office.id(ALICE), &office.id(BOB)).unwrap().unwrap()
}

fn state(office: &Office, id: &MessageId) -> State {
    query::message(&office.rows(BOB), office.id(BOB), id, office.now.wall).unwrap().unwrap().state
}

fn told(office: &Office) -> usize {
    let peer_id = office.id(BOB);
    office.events(ALICE).into_iter().filter(|event| *event == EventKind::ContactFull { peer_id }).count()
}

/// Bob has written as much as is kept of him, and two more.
fn full() -> (Office, Vec<MessageId>) {
    let mut office = Office::pair();
    quota(&mut office, limits::MIN_CONTACT_QUOTA).unwrap();
    let long = "x".repeat(limits::MAX_TEXT);
    let sent = (0..24).map(|_| office.say(BOB, ALICE, &long)).collect();
    (office, sent)
}

#[test]
fn more_than_the_quota_waits_and_what_is_no_message_goes_on() {
    let (mut office, sent) = full();
    let contact = shown(&office);
    let kept = contact.kept.unwrap();
    let each = (limits::MAX_TEXT as u64) + limits::MESSAGE_ROWS;
    assert!(contact.full && contact.quota == limits::MIN_CONTACT_QUOTA, "{contact:?}");
    assert!((contact.quota..contact.quota + 2 * each).contains(&kept), "{kept}");
    assert_eq!(told(&office), 1, "once");
    assert_eq!(query::full_contacts(&office.rows(ALICE)).unwrap().len(), 1);
    assert_eq!((state(&office, &sent[0]), state(&office, &sent[23])), (State::Delivered, State::Queued));
    // Her messages and his receipts go on.
    office.pass(Millis::from_hours(1));
    let said = office.say(ALICE, BOB, "enough");
    office.pass(Millis::from_hours(1));
    let seen = query::message(&office.rows(ALICE), office.id(ALICE), &said, office.now.wall).unwrap().unwrap().state;
    assert_eq!(seen, State::Delivered);
    assert_eq!(told(&office), 1, "and once only");
    assert_eq!(shown(&office).kept, Some(kept));
}

#[test]
fn what_is_deleted_counts_no_more() {
    let (mut office, sent) = full();
    let peer = office.id(BOB);
    office.command(ALICE, Command::DeleteConversation(peer)).unwrap();
    assert_eq!(shown(&office).kept, Some(0));
    office.pass(Millis::from_hours(3));
    assert_eq!(state(&office, &sent[23]), State::Delivered);
    assert!(!shown(&office).full && shown(&office).kept.unwrap() < limits::MIN_CONTACT_QUOTA);
    assert_eq!(told(&office), 1);
}

#[test]
fn a_larger_quota_lets_them_in() {
    let (mut office, sent) = full();
    assert_eq!(quota(&mut office, limits::MIN_CONTACT_QUOTA - 1).unwrap_err(), Refusal::SmallQuota);
    quota(&mut office, limits::CONTACT_QUOTA).unwrap();
    office.pass(Millis::from_hours(3));
    assert_eq!(state(&office, &sent[23]), State::Delivered);
    assert!(!shown(&office).full);
}

#[test]
fn what_vanishes_counts_no_more() {
    let mut office = Office::pair();
    let before = shown(&office).kept;
    office.whisper(BOB, ALICE, "for a minute", Millis::from_secs(60));
    assert!(shown(&office).kept > before);
    office.pass(Millis::from_hours(2));
    assert_eq!(shown(&office).kept, before);
}

#[test]
fn what_is_kept_is_counted_anew_when_a_profile_is_recovered() {
    let mut office = Office::pair();
    (0..3).for_each(|_| _ = office.say(BOB, ALICE, "and more"));
    office.say(ALICE, BOB, "of mine");
    let before = shown(&office).kept;
    office.recover(ALICE, false);
    assert_eq!(shown(&office).kept, before);
}

#[test]
fn on_a_disk_that_is_nearly_full_messages_wait_and_the_user_goes_on() {
    let mut office = Office::new(3);
    office.befriend(ALICE, BOB);
    let low = |office: &mut Office, is_low| office.tx(ALICE, |tx| tx.mem.is_disk_low = is_low);
    low(&mut office, true);
    let waits = office.say(BOB, ALICE, "later");
    office.say(2, ALICE, "may I?");
    let goes = office.say(ALICE, BOB, "of mine");
    office.pass(Millis::from_secs(60));
    assert_eq!(office.texts(ALICE, BOB), ["hello", "hello", "of mine"]);
    let seen = |office: &Office| {
        query::message(&office.rows(ALICE), office.id(ALICE), &goes, office.now.wall).unwrap().unwrap().state
    };
    assert_eq!((state(&office, &waits), seen(&office)), (State::Queued, State::Delivered));
    assert_eq!(query::counts(&office.rows(ALICE), office.id(ALICE), office.now.wall).unwrap().requests, 0);
    low(&mut office, false);
    office.pass(Millis::from_hours(3));
    assert_eq!(state(&office, &waits), State::Delivered);
    assert_eq!(query::counts(&office.rows(ALICE), office.id(ALICE), office.now.wall).unwrap().requests, 1);
}

#[test]
fn twenty_sessions_an_hour() {
    let mut office = Office::pair();
    let bob = office.id(BOB);
    office.tx(ALICE, |tx| {
        assert_eq!((0..100).filter(|_| tx.may_begin(bob)).count() as u64, limits::CONTACT_HANDSHAKES);
    });
    office.forward(Millis::from_secs(180));
    office.tx(ALICE, |tx| assert_eq!((0..100).filter(|_| tx.may_begin(bob)).count(), 1));
    office.forward(Millis::from_hours(2));
    office.tx(ALICE, |tx| {
        assert_eq!((0..100).filter(|_| tx.may_begin(bob)).count() as u64, limits::CONTACT_HANDSHAKES);
    });
}
