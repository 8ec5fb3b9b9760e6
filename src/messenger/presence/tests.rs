use super::*;
use crate::base::Millis;
use crate::base::event::EventKind;
use crate::messenger::Command;
use crate::messenger::io::{Event, Input};
use crate::messenger::testing::Office;

const ALICE: usize = 0;
const BOB: usize = 1;
const STEP: Millis = Millis(100);

/// Alice, who has Bob for a contact, and reaches him no more.
fn pair() -> Office {
    let mut office = Office::pair();
    (office.online, office.loses_letters) = (false, true);
    office.open(ALICE);
    office.pass(Millis::from_secs(60));
    office
}

/// What was told of Bob: he is there.
fn told(office: &Office, from: usize) -> Vec<bool> {
    let peer = office.id(BOB);
    let events = office.events(ALICE).into_iter().skip(from).filter_map(|event| match event {
        EventKind::PeerOnline { peer_id } if peer_id == peer => Some(true),
        EventKind::PeerOffline { peer_id } if peer_id == peer => Some(false),
        _ => None,
    });
    events.collect()
}

/// The network says so, and the timers ring that are due.
fn net(office: &mut Office, event: Event) {
    office.in_commits(ALICE, vec![Input::Net(event), Input::Timer]);
}

/// Bob comes and goes ten times a second for so long. How many rows that wrote.
fn comes_and_goes(office: &mut Office, span: Millis) -> u64 {
    let bob = office.id(BOB);
    let rows = |office: &Office| office.written(ALICE).values().sum::<u64>();
    let before = rows(office);
    for step in 0..span.0 / STEP.0 {
        let event = if step % 2 == 0 { Event::Connected(bob) } else { Event::Disconnected(bob) };
        net(office, event);
        office.pass(STEP);
    }
    rows(office) - before
}

#[test]
fn the_first_change_is_told_at_once_and_what_holds_when_the_pause_is_over() {
    let mut office = pair();
    let (bob, from) = (office.id(BOB), office.events(ALICE).len());
    net(&mut office, Event::Connected(bob));
    assert_eq!(told(&office, from), [true]);
    net(&mut office, Event::Disconnected(bob));
    office.pass(Millis(limits::PRESENCE_PAUSE.0 - 1));
    assert_eq!(told(&office, from), [true]);
    office.pass(Millis(1));
    assert_eq!(told(&office, from), [true, false]);
    // What changes and changes back within the pause was nothing.
    office.pass(limits::PRESENCE_PAUSE);
    net(&mut office, Event::Connected(bob));
    net(&mut office, Event::Disconnected(bob));
    net(&mut office, Event::Connected(bob));
    office.pass(Millis::from_hours(1));
    assert_eq!(told(&office, from), [true, false, true]);
    net(&mut office, Event::Disconnected(bob));
    assert_eq!(told(&office, from), [true, false, true, false]);
    office.pass(limits::PRESENCE_PAUSE);
    office.tx(ALICE, |tx| {
        let Presence { told, told_until, .. } = tx.link(bob).presence;
        assert!(!told && told_until.is_none(), "and nothing more is due");
    });
}

#[test]
fn whoever_comes_and_goes_fills_neither_the_log_nor_the_disk() {
    for waiting in [0, 20] {
        let mut office = pair();
        (0..waiting).for_each(|n| _ = office.say(ALICE, BOB, &format!("{n}")));
        office.pass(Millis::from_hours(2));
        let from = office.events(ALICE).len();
        let pauses = 12;
        let rows = comes_and_goes(&mut office, Millis(limits::PRESENCE_PAUSE.0 * pauses));
        let told = told(&office, from);
        assert!((2..=pauses + 1).contains(&(told.len() as u64)), "{waiting}: {told:?}");
        // An event, the oldest event, and when he is tried again: of each one in a pause.
        assert!(rows <= 4 * (pauses + 1), "{waiting}: {rows} rows");
    }
}

/// Of those who are no contacts nothing is told; becoming one, or being one no more, tells nothing of it either.
#[test]
fn only_contacts_are_told_of() {
    let mut office = pair();
    let (bob, from) = (office.id(BOB), office.events(ALICE).len());
    office.command(ALICE, Command::RemoveContact(bob)).unwrap();
    comes_and_goes(&mut office, Millis::from_secs(60));
    net(&mut office, Event::Connected(bob));
    assert!(told(&office, from).is_empty());
    office.command(ALICE, Command::AddContact { peer: bob, name: None, hints: Default::default() }).unwrap();
    assert!(told(&office, from).is_empty());
    net(&mut office, Event::Disconnected(bob));
    assert_eq!(told(&office, from), [false]);
    office.pass(limits::PRESENCE_PAUSE);
    net(&mut office, Event::Connected(bob));
    office.command(ALICE, Command::RemoveContact(bob)).unwrap();
    net(&mut office, Event::Disconnected(bob));
    office.pass(Millis::from_secs(60));
    assert_eq!(told(&office, from), [false, true]);
}
