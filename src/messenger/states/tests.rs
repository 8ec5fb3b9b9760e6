use super::*;
use crate::base::Millis;
use crate::content::{Capsule, Item, StatusReport};
use crate::messenger::command::Command;
use crate::messenger::io::{Input, Order, Output};
use crate::messenger::items::tests::comes;
use crate::messenger::query;
use crate::messenger::tables::StateRow;
use crate::messenger::testing::Office;

fn states(office: &Office, who: usize, with: usize) -> Vec<State> {
    office.history(who, with).into_iter().map(|message| message.state).collect()
}

/// The rows of messages, as they are on the disk.
fn messages(office: &Office, who: usize) -> Vec<Vec<u8>> {
    let dump = office.desks[who].place.dump();
    dump.into_iter().filter(|(key, _)| key.first() == Some(&12)).map(|(_, row)| row).collect()
}

fn told(office: &Office, who: usize, id: MessageId) -> Vec<State> {
    let of = |event| match event {
        EventKind::MessageState { message_id: message, state, .. } if message == id => Some(state),
        _ => None,
    };
    office.events(who).into_iter().filter_map(of).collect()
}

#[test]
fn a_message_is_written_once_and_how_far_it_is_beside_it() {
    let mut office = Office::pair();
    office.online = false;
    office.open(0);
    let id = office.say(0, 1, "once");
    let before = messages(&office, 0);
    assert_eq!(states(&office, 0, 1).last(), Some(&State::Queued));
    office.online = true;
    office.open(0);
    office.pass(Millis::from_hours(2));
    assert_eq!(states(&office, 0, 1).last(), Some(&State::Delivered));
    let peer = office.id(0);
    office.command(1, Command::Read { peer, upto: None }).unwrap();
    office.pass(Millis::from_secs(60));
    assert_eq!(states(&office, 0, 1).last(), Some(&State::Read));
    assert_eq!(told(&office, 0, id), [State::Sent, State::Delivered, State::Read]);
    assert_eq!(messages(&office, 0), before);
    let row = office.rows(0).scan::<States>(&Scan::all()).unwrap().pop().unwrap().1;
    assert!(postcard::to_allocvec(&row).unwrap().len() == 2, "{row:?}");
}

/// CON-25
#[test]
fn a_report_is_looked_at_once_and_of_its_own_messages_only() {
    let mut office = Office::new(3);
    office.befriend(0, 1);
    office.befriend(0, 2);
    office.online = false;
    office.open(0);
    let (one, two) = (office.say(0, 1, "to the first"), office.say(0, 2, "to the second"));
    let theirs = office.history(0, 1)[1].message_id;
    let peer = office.id(1);
    office.tx(0, |tx| {
        let delivered = [one, two, theirs, MessageId::new([3; 32])].repeat(50);
        let item = Item::Status(StatusReport { delivered, read: vec![one; 50] });
        let row = tx.peer(&peer).unwrap().unwrap();
        let (plaintext, session) = (Vec::new(), crate::base::SessionId::new([0; 16]));
        let opened = crate::session::Opened {
            plaintext: plaintext.into(),
            session,
            is_new_session: false,
            is_first_contact: false,
        };
        tx.apply(row, Capsule { items: vec![item] }, &opened).unwrap();
        tx.write_events().unwrap();
    });
    assert_eq!(told(&office, 0, one), [State::Read]);
    assert_eq!((told(&office, 0, two), told(&office, 0, theirs)), (vec![], vec![]));
    assert_eq!(office.undelivered(0), 1);
}

#[test]
fn what_comes_late_below_what_was_read_is_unread() {
    let mut office = Office::pair();
    let peer = office.id(0);
    let mut highest = 0;
    office.tx(1, |tx| {
        highest = tx.conversation(&RoomId::direct(peer)).unwrap().unwrap().senders[&peer].highest;
    });
    comes(&mut office, highest + 4, "4");
    let upto = office.history(1, 0).last().unwrap().message_id;
    let read = |office: &mut Office, upto| match office.command(1, Command::Read { peer, upto }).unwrap() {
        Answer::Read(count) => count,
        other => panic!("{other:?}"),
    };
    assert_eq!(read(&mut office, Some(upto)), 2, "with the greeting");
    for (ahead, text) in [(3, "3"), (1, "1"), (5, "5")] {
        comes(&mut office, highest + ahead, text);
    }
    let (new, old) = (State::Received, State::Read);
    assert_eq!(states(&office, 1, 0)[2..], [new, new, old, new], "{:?}", office.texts(1, 0));
    let unread = |office: &Office| query::counts(&office.rows(1), office.id(1), office.now.wall).unwrap().unread;
    assert_eq!(unread(&office), 3);
    let first = office.history(1, 0)[2].message_id;
    assert_eq!((read(&mut office, Some(first)), unread(&office)), (1, 2));
    assert_eq!(states(&office, 1, 0)[2..], [old, new, old, new]);
    office.recover(1, false);
    assert_eq!((states(&office, 1, 0).last(), unread(&office)), (Some(&new), 2), "a recovery counts them again");
    assert_eq!((read(&mut office, None), unread(&office)), (2, 0));
    assert_eq!(states(&office, 1, 0)[2..], [old; 4]);
    assert_eq!(office.rows(1).count::<Late>(&Scan::all()).unwrap(), 0);
}

#[test]
fn a_recovery_knows_what_was_delivered_and_sends_the_rest_again() {
    for is_lost in [true, false] {
        let mut office = Office::pair();
        office.say(0, 1, "delivered");
        office.pass(Millis::from_hours(2));
        office.online = false;
        office.open(0);
        office.say(0, 1, "waits");
        office.take_snapshot(0);
        let done = office.recover(0, is_lost);
        assert_eq!(done.queued, 1);
        assert_eq!(states(&office, 0, 1).iter().rev().take(2).collect::<Vec<_>>(), [&State::Queued, &State::Delivered]);
        office.online = true;
        office.open(0);
        office.pass(Millis::from_hours(2));
        assert_eq!(office.texts(1, 0), ["hello", "hello", "delivered", "waits"]);
        assert_eq!(states(&office, 0, 1).last(), Some(&State::Delivered));
    }
}

/// It is given up once, whatever becomes of the connection, of the program and of its row; what came before and after it goes.
#[test]
fn what_is_cancelled_stays_here() {
    let mut office = Office::pair();
    let cancel = |office: &mut Office, who, id| match office.command(who, Command::Cancel(id))? {
        Answer::Sent(message) => Ok(message.state),
        other => panic!("{other:?}"),
    };
    let there = office.history(0, 1).last().unwrap().message_id;
    let sent = office.say(0, 1, "sent");
    office.online = false;
    office.open(0);
    let [one, two, three] = ["one", "two", "three"].map(|text| office.say(0, 1, text));
    assert_eq!(cancel(&mut office, 0, two), Ok(State::Undelivered));
    assert_eq!((told(&office, 0, two), office.undelivered(0)), (vec![State::Undelivered], 3));
    for (id, refusal) in [
        (two, Refusal::NotQueued),
        (sent, Refusal::NotQueued),
        (there, Refusal::NotQueued),
        (MessageId::new([3; 32]), Refusal::NoMessage),
    ] {
        assert_eq!(cancel(&mut office, 0, id), Err(refusal));
    }
    office.open(0);
    office.online = true;
    office.open(0);
    office.pass(Millis::from_hours(2));
    assert_eq!(office.texts(1, 0), ["hello", "hello", "sent", "one", "three"]);
    let last = states(&office, 0, 1).split_off(3);
    assert_eq!(last, [State::Delivered, State::Undelivered, State::Delivered]);
    assert_eq!(told(&office, 0, two), [State::Undelivered]);
    assert!([one, three].map(|id| cancel(&mut office, 0, id)).iter().all(Result::is_err));

    // What goes out at this moment may be there already.
    let command = office.text(1, "four");
    let outputs = office.hand_in(0, vec![Input::Command(1, Command::Send(command))]);
    let four = office.history(0, 1).last().unwrap().message_id;
    assert!(outputs.iter().any(|output| matches!(output, Output::Net(Order::Send { .. }))), "{outputs:?}");
    let answer = office.hand_in(0, vec![Input::Command(2, Command::Cancel(four))]);
    assert!(answer.iter().any(|output| matches!(output, Output::Reply(2, Err(Refusal::NotQueued)))), "{answer:?}");
}

#[test]
fn states_go_forward() {
    let (delivered, read, given_up) = (State::Delivered, State::Read, State::Undelivered);
    for (steps, state) in [
        (&[(delivered, true), (delivered, false), (read, true), (delivered, false)][..], read),
        (&[(given_up, true), (given_up, false), (delivered, true), (given_up, false)], delivered),
        (&[(read, true), (given_up, false), (State::Sent, false), (State::Queued, false)], read),
    ] {
        let mut row = StateRow::default();
        // The last of as many as a group has.
        assert!(steps.iter().all(|(step, news)| row.note(249, *step) == *news), "{steps:?}");
        assert_eq!((row.state(249), row.state(0), row.state(250)), (Some(state), None, None));
    }
}
