//! What a commit tells.

use crate::base::event::EventKind;
use crate::base::limits::{MAX_EVENTS, MAX_EVENTS_ROW};
use crate::messenger::query;
use crate::messenger::tables::Events;
use crate::messenger::testing::Office;
use crate::messenger::{Command, Input, SendCommand};
use crate::store::{Rows, Scan, reads};

fn rows(office: &Office) -> u64 {
    office.rows(0).count::<Events>(&Scan::all()).unwrap()
}

#[test]
fn a_commit_of_200_inputs_writes_one_row_of_events_and_each_is_read_once() {
    let mut office = Office::new(3);
    office.befriend(0, 1);
    office.say(2, 0, "may I?");
    let (before, last) =
        (rows(&office), query::counts(&office.rows(0), office.id(0), office.now.wall).unwrap().last_event);
    // Some of them are refused when a request was already accepted for them: that is undone, and not told.
    let texts = (0..200).map(|n| if n % 50 == 7 { (2, String::new()) } else { (1, format!("message {n}")) });
    let sends = texts.map(|(to, text)| Command::Send(SendCommand::text(office.id(to), text)));
    let inputs: Vec<Input> = sends.enumerate().map(|(n, send)| Input::Command(n as u64, send)).collect();
    office.hand_in(0, inputs);
    assert_eq!(rows(&office), before + 1);
    let reader = office.rows(0);
    let mut told = Vec::new();
    let mut cursor = last;
    while let [event] = &query::events(&reader, cursor, 1).unwrap()[..] {
        assert_eq!(event.seq, cursor + 1);
        cursor = event.seq;
        let EventKind::MessageNew { message_id: message, .. } = event.kind else { panic!("{event:?}") };
        told.push(query::message(&reader, office.id(0), &message, office.now.wall).unwrap().unwrap().text);
    }
    let sent: Vec<_> = (0..200).filter(|n| n % 50 != 7).map(|n| format!("message {n}")).collect();
    assert_eq!(told, sent);
    assert_eq!(query::counts(&reader, office.id(0), office.now.wall).unwrap().last_event, cursor);
    // Pages may begin and end within the row, or before it.
    let from = |since, limit| query::events(&reader, since, limit).unwrap().into_iter().map(|e| e.seq);
    assert!(from(last + 50, 7).eq(last + 51..=last + 57));
    assert!(from(0, 1_000).eq(1..=cursor));
    assert_eq!(from(cursor, 1_000).count() + from(u64::MAX, 1_000).count(), 0);
}

#[test]
fn the_log_keeps_the_newest() {
    let mut office = Office::new(1);
    let peer = office.id(0);
    office.tx(0, |tx| {
        for events in [MAX_EVENTS_ROW + 1, usize::try_from(MAX_EVENTS).unwrap(), 1] {
            (0..events).for_each(|_| tx.event(EventKind::PeerOnline { peer_id: peer }));
            tx.write_events().unwrap();
        }
    });
    let first = query::events(&office.rows(0), 0, 1).unwrap()[0].seq;
    let last = query::counts(&office.rows(0), office.id(0), office.now.wall).unwrap().last_event;
    assert_eq!(last, MAX_EVENTS + MAX_EVENTS_ROW as u64 + 2);
    // Whole rows are forgotten.
    let kept = last + 1 - first;
    assert!((MAX_EVENTS..MAX_EVENTS + MAX_EVENTS_ROW as u64).contains(&kept), "{kept}");
    // Of a hundred rows no more are opened than are told: looked for one, opened it.
    let before = reads();
    assert_eq!(query::events(&office.rows(0), first, 100).unwrap().len(), 100);
    assert_eq!(reads() - before, 2);
}
