use super::*;
use crate::base::shown::UNREADABLE;
use crate::base::words::{Direction, State};
use crate::base::{Millis, WallTime};
use crate::messenger::tables::{
    BoxCards, BoxPrekeys, BoxTokens, BoxedPrekeys, Boxes, CardKeysTable, Cards, ClientIdQueue, ClientIds, Clocks,
    DepositBodies, DepositMarks, Deposits, EnvelopeMarks, GivenTokens, Hours, KnownPeers, Late, MailTotals, MarkQueue,
    MessageIndex, Offers, OneTimeTable, Outbox, OwnBoxes, PrekeyMarks, Queues, Reaches, SendingChains, Sessions, Slots,
    States, Strangers, Timed, Tombs, VoidTags,
};
use crate::messenger::tables::{Messages, every_table, index_key, message_key, room_key, unsound};
use crate::messenger::testing::Office;
use crate::store::Table;

const ALICE: usize = 0;
const BOB: usize = 1;
const CAROL: usize = 2;

/// Alice has a contact with whom she has written, and one who is away; a stranger asks.
fn busy() -> Office {
    let mut office = Office::new(4);
    office.befriend(ALICE, BOB);
    office.befriend(ALICE, CAROL);
    for text in ["one", "two", "three"] {
        office.say(ALICE, BOB, text);
        office.say(BOB, ALICE, text);
    }
    office.whisper(BOB, ALICE, "not for long", Millis::from_days(3));
    office.say(3, ALICE, "may I?");
    office.online = false;
    (0..4).for_each(|who| office.open(who));
    office.say(ALICE, CAROL, "waits");
    office
}

#[test]
fn a_message_that_does_not_open_is_one_line_and_the_rest_is_shown() {
    let mut office = busy();
    let before = office.history(ALICE, BOB);
    let room = crate::base::RoomId::direct(office.id(BOB));
    let place = |office: &Office, at: usize| {
        let id = before[at].message_id;
        office.rows(ALICE).get::<MessageIndex>(&index_key(&id)).unwrap().unwrap().position
    };
    // One of ours, one of theirs, and the last.
    let spoilt = [before.iter().position(|m| m.text == "two").unwrap(), before.len() - 3, before.len() - 1];
    let places = spoilt.map(|at| place(&office, at));
    office.tx(ALICE, |tx| {
        for place in places {
            let one = Scan::new(room_key(&room)).from(place).to(place + 1);
            assert_eq!(tx.buf.spoil::<Messages>(&one), 1);
        }
    });
    assert!(office.rows(ALICE).get::<Messages>(&message_key(&room, places[0])).is_err());
    let after = office.history(ALICE, BOB);
    for (at, (before, after)) in before.iter().zip(&after).enumerate() {
        if spoilt.contains(&at) {
            assert_eq!((after.kind.as_str(), after.text.as_str()), (UNREADABLE, ""));
            assert_eq!((after.message_id, after.direction), (before.message_id, before.direction));
            assert_eq!(
                (after.from, &after.from_name, after.state == State::Read),
                (before.from, &before.from_name, before.state == State::Read && before.direction == Direction::In)
            );
            assert!(after.sent_at > WallTime(0));
        } else {
            assert_eq!(before, after);
        }
    }
    assert_eq!(before.len(), after.len());
    // Pages go on from it, and the inbox shows it.
    let page = history(
        &office.rows(ALICE),
        office.id(ALICE),
        &office.id(BOB),
        Some(&after[spoilt[1]].message_id),
        2,
        office.now.wall,
    );
    assert_eq!(page.unwrap(), after[spoilt[1] - 2..spoilt[1]]);
    let shown = inbox(&office.rows(ALICE), office.id(ALICE), false, 10, office.now.wall).unwrap();
    let with_bob = shown.iter().find(|shown| shown.peer_id == office.id(BOB)).unwrap();
    assert_eq!(with_bob.last, after.last().cloned());
    assert_eq!(super::unsound(&office.rows(ALICE)).unwrap(), [("Messages", 3)]);
    // Without its row in the index it has no ID.
    office.tx(ALICE, |tx| tx.buf.delete::<MessageIndex>(&index_key(&before[spoilt[1]].message_id)));
    assert_eq!(office.history(ALICE, BOB)[spoilt[1]].message_id, crate::base::MessageId::new([0; 32]));
}

/// Every question that lists, asked at once.
fn ask_everything(office: &Office, what: &str) {
    let (rows, me, wall) = (office.rows(ALICE), office.id(ALICE), office.now.wall);
    let sound = |asked: Result<(), StoreError>| asked.unwrap_or_else(|error| panic!("{what}: {error}"));
    sound(inbox(&rows, me, false, 100, wall).map(drop));
    sound(requests(&rows, wall).map(drop));
    sound(contacts(&rows, me).map(drop));
    sound(events(&rows, 0, 1000).map(drop));
    sound(counts(&rows, me, wall).map(drop));
    sound(mailboxes(&rows, wall).map(drop));
    sound(clock(&rows, wall).map(drop));
    for who in 1..4 {
        let peer = office.id(who);
        sound(history(&rows, me, &peer, None, 1000, wall).map(drop));
        sound(name(&rows, &peer).map(drop));
    }
    assert!(!matches!(resolve_peer(&rows, me, Scope::People, "nobody"), Err(ResolveError::Store(_))), "{what}");
    assert!(!matches!(resolve_peer(&rows, me, Scope::Requests, "nobody"), Err(ResolveError::Store(_))), "{what}");
    assert!(!matches!(resolve_message(&rows, "0", wall), Err(ResolveError::Store(_))), "{what}");
}

/// With one row of a table that does not open: it is counted, nothing that lists fails over it, and the profile opens.
/// `None`: there is none, or what it says says nothing.
fn with_one_spoilt<T: Table>() -> Option<&'static str> {
    let mut office = busy();
    office.tx(ALICE, |tx| _ = tx.buf.spoil::<T>(&Scan::all().reverse().limit(1)));
    let counted = unsound(&office.rows(ALICE)).unwrap();
    if counted.is_empty() {
        return None;
    }
    assert_eq!(counted, [(T::NAME, 1)]);
    ask_everything(&office, T::NAME);
    // Without that row nobody knows who we are.
    if T::ID != Profile::ID {
        office.open(ALICE);
        ask_everything(&office, T::NAME);
    }
    Some(T::NAME)
}

#[test]
fn no_row_that_does_not_open_stops_a_question_or_a_start() {
    macro_rules! each {
        ($($table:ident)*) => { [$(with_one_spoilt::<$table>()),*] };
    }
    let tried: Vec<&str> = every_table!(each).into_iter().flatten().collect();
    assert!(tried.len() >= 18, "{tried:?}");
    for what in
        ["Messages", "Conversations", "Requests", "Peers", "Events", "Outbox", "States", "Timed", "Hours", "Profile"]
    {
        assert!(tried.contains(&what), "{what} is not among {tried:?}");
    }
}

/// A table that is declared is looked at.
#[test]
fn the_list_of_tables_is_complete() {
    let mut declared = Vec::new();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src/messenger/tables")).unwrap() {
        let path = file.unwrap().path();
        let text = if path.is_file() { std::fs::read_to_string(path).unwrap() } else { String::new() };
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [name, "=", _, under, ..] = words[..]
                && ["Root,", "State,", "Given,"].contains(&under)
            {
                declared.push(name.to_owned());
            }
        }
    }
    macro_rules! names {
        ($($table:ident)*) => { vec![$(<$table as Table>::NAME.to_owned()),*] };
    }
    let mut listed: Vec<String> = every_table!(names);
    listed.sort();
    declared.sort();
    assert_eq!(listed, declared);
}
