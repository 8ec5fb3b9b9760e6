use std::collections::BTreeMap;

use super::*;
use crate::base::{Millis, MonoTime, PeerId, RoomId};
use crate::content::mimi::{Bare, Origin};
use crate::messenger::command::Command;
use crate::messenger::memory::number;
use crate::messenger::tables::{Conversations, Hours, States};
use crate::messenger::testing::Office;
use crate::store::{RowKey, Rows};

const MARK: &str = "MARK-of-a-long-conversation";
const OTHER: &str = "OTHER-of-somebody-else";

fn conversation(office: &Office, who: usize, with: usize) -> ConversationRow {
    let room = RoomId::direct(office.id(with));
    office.rows(who).get::<Conversations>(&room_key(&room)).unwrap().unwrap()
}

/// How many messages stand under each key, in the order in which they stand.
fn keys(office: &mut Office, who: usize, with: usize) -> Vec<(KeyId, u64)> {
    let room = RoomId::direct(office.id(with));
    let mut found: Vec<(KeyId, u64)> = Vec::new();
    office.tx(who, |tx| {
        for (position, _) in tx.buf.scan::<Messages>(&Scan::new(room_key(&room))).unwrap() {
            let position = number(&position).unwrap();
            let key = tx.buf.key_of::<Messages>(&message_key(&room, position)).unwrap().unwrap();
            match found.last_mut().filter(|(last, _)| *last == key) {
                Some((_, count)) => *count += 1,
                None => found.push((key, 1)),
            }
        }
    });
    found
}

/// The slots of a conversation that take no more rows.
fn closed(office: &Office, who: usize, with: usize) -> BTreeMap<u64, KeyId> {
    let room = RoomId::direct(office.id(with));
    let rows = office.rows(who).scan::<Slots>(&Scan::new(room_key(&room))).unwrap();
    let slots: BTreeMap<_, _> = rows.into_iter().map(|(at, key)| (number(&at).unwrap(), key)).collect();
    assert!(slots.keys().copied().eq(1..=conversation(office, who, with).slots));
    slots
}

/// A message with a subject, if it has one, and a body of this length, as it would be when it arrives.
fn add(office: &mut Office, who: usize, from: PeerId, subject: &str, length: u64) {
    office.tx(who, |tx| {
        let mut conversation = tx.open_conversation(RoomId::direct(from)).unwrap();
        let (_, row) = tx.buf.scan::<Messages>(&Scan::all().limit(1)).unwrap().pop().unwrap();
        conversation.last += 1;
        let position = conversation.last;
        let body = Bare::new(vec![7; usize::try_from(length).unwrap()], &Origin::new("", ""));
        let subject = Some(subject.to_owned()).filter(|subject| !subject.is_empty());
        let row = MessageRow { body, subject, vanishes: None, ..row };
        tx.add_message(&mut conversation, position, &row, None).unwrap();
        tx.put_conversation(&conversation).unwrap();
    });
}

#[test]
fn a_slot_ends_with_its_rows_or_its_bytes_and_what_is_larger_is_one_by_itself() {
    let mut office = Office::pair();
    let alice = office.id(0);
    let (rows, before) = (conversation(&office, 1, 0).slot.unwrap().rows, keys(&mut office, 1, 0)[0].1);
    office.receive(1, 0, "short", None, 600);
    let found = keys(&mut office, 1, 0);
    // What is said about messages has places, too.
    let first = 512 - (rows - before);
    assert_eq!(found.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [first, 600 + before - first]);
    // What fits beside what is in it, and ten bytes more.
    let bytes = limits::KEY_SLOT_BYTES;
    let used = conversation(&office, 1, 0).slot.unwrap().bytes;
    add(&mut office, 1, alice, "", bytes + 1);
    add(&mut office, 1, alice, "", bytes - used);
    add(&mut office, 1, alice, "", 10);
    let found = keys(&mut office, 1, 0);
    let counts: Vec<_> = found.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [first, 600 + before - first, 1, 1, 1], "the large one stands between two of one slot");
    assert_eq!(found[1].0, found[3].0);
    let slot = conversation(&office, 1, 0).slot.unwrap();
    assert_eq!((slot.key, slot.rows, slot.bytes), (found[4].0, 1, 10));
    let named = closed(&office, 1, 0);
    assert_eq!(named.into_values().collect::<Vec<_>>(), [found[0].0, found[2].0, found[1].0]);
}

#[test]
fn a_message_as_large_as_a_slot_fills_one_with_its_subject() {
    let mut office = Office::pair();
    let (alice, before) = (office.id(0), conversation(&office, 1, 0).slot.unwrap());
    let bytes = limits::KEY_SLOT_BYTES;
    add(&mut office, 1, alice, "subject", bytes - 7);
    let full = conversation(&office, 1, 0).slot.unwrap();
    assert_eq!((full.rows, full.bytes, full.key == before.key), (1, bytes, false));
    // One byte more, and it is one by itself.
    add(&mut office, 1, alice, "subject", bytes - 6);
    let after = conversation(&office, 1, 0).slot.unwrap();
    assert_eq!((after.key, after.rows, after.bytes), (full.key, 1, bytes));
    let named: Vec<_> = closed(&office, 1, 0).into_values().collect();
    assert!(named.len() == 2 && named[0] == before.key);
}

#[test]
fn a_message_that_is_written_anew_stays_in_its_slot() {
    let mut office = Office::pair();
    office.receive(1, 0, "short", None, 600);
    let before = keys(&mut office, 1, 0);
    let (peer, slot) = (office.id(0), conversation(&office, 1, 0).slot.unwrap().rows);
    office.command(1, Command::Read { peer, upto: None }).unwrap();
    assert_eq!(conversation(&office, 1, 0).unread, 0);
    assert_eq!(keys(&mut office, 1, 0), before);
    assert_eq!(conversation(&office, 1, 0).slot.unwrap().rows, slot);
}

/// The place of what is said about an own message is taken with it: it is written beside it, and the conversation is not.
#[test]
fn an_own_message_has_a_place_for_its_state() {
    let mut office = Office::pair();
    let (alice, room) = (office.id(0), RoomId::direct(office.id(1)));
    let before = conversation(&office, 0, 1);
    let own = |office: &Office| office.history(0, 1).into_iter().filter(|m| m.from == alice).count() as u64;
    let had = own(&office);
    office.online = false;
    office.open(0);
    for n in 0..260 {
        office.say(0, 1, &format!("{n}"));
    }
    let queued = conversation(&office, 0, 1);
    office.online = true;
    office.open(0);
    office.pass(Millis::from_hours(2));
    let delivered = conversation(&office, 0, 1);
    let slot = |row: &ConversationRow| row.slot.as_ref().map(|slot| (slot.key, slot.rows));
    assert_eq!((queued.slots, slot(&queued)), (delivered.slots, slot(&delivered)));
    assert_eq!((queued.slots, own(&office)), (before.slots + 1, had + 260));
    // As many rows are under each key as were counted: at most 512.
    let (mut places, mut found) = (BTreeMap::new(), keys(&mut office, 0, 1));
    found.retain(|(key, _)| places.insert(*key, 0).is_none());
    office.tx(0, |tx| {
        for (at, _) in tx.buf.scan::<Messages>(&Scan::new(room_key(&room))).unwrap() {
            let at = message_key(&room, number(&at).unwrap());
            let key = tx.buf.key_of::<Messages>(&at).unwrap().unwrap();
            *places.get_mut(&key).unwrap() += 1;
            if let Some(beside) = tx.buf.key_of::<States>(&at).unwrap() {
                assert_eq!(beside, key);
                *places.get_mut(&key).unwrap() += 1;
            }
        }
    });
    assert_eq!(found.len(), 2);
    assert!(limits::KEY_SLOT_ROWS - places[&found[0].0] < 2 && places[&found[0].0] <= limits::KEY_SLOT_ROWS);
    assert_eq!(places[&found[1].0], slot(&delivered).unwrap().1);
}

/// What vanishes is under the key of its hour, and its state, which stays there no longer, in a slot all the same.
#[test]
fn the_state_of_what_vanishes_is_in_a_slot() {
    let mut office = Office::pair();
    let room = RoomId::direct(office.id(1));
    let before = conversation(&office, 0, 1).slot.unwrap();
    let mut command = office.text(1, "soon gone");
    command.draft.expires = Some(Millis::from_hours(2));
    office.command(0, Command::Send(command)).unwrap();
    office.pass(Millis::from_secs(60));
    let after = conversation(&office, 0, 1);
    let slot = after.slot.unwrap();
    assert_eq!((slot.key, slot.rows), (before.key, before.rows + 1));
    office.tx(0, |tx| {
        let at = message_key(&room, after.last);
        assert_eq!(tx.buf.key_of::<States>(&at).unwrap(), Some(slot.key));
        assert_ne!(tx.buf.key_of::<Messages>(&at).unwrap(), Some(slot.key));
    });
}

#[test]
fn all_of_a_long_conversation_is_gone_with_one_commit() {
    let mut office = Office::new(3);
    office.befriend(0, 1);
    office.befriend(0, 2);
    office.receive(0, 2, OTHER, None, 2);
    for _ in 0..3 {
        office.receive(0, 1, MARK, None, 400);
    }
    office.receive(0, 1, MARK, Some(Millis::from_hours(2)), 3);
    assert_eq!(keys(&mut office, 0, 1).len(), 4);
    office.copy_disk(0);
    office.take_snapshot(0);
    assert!(office.can_be_had(0, MARK) && office.snapshots_with(0, MARK).0 == 1);
    let peer = office.id(1);
    office.command(0, Command::DeleteConversation(peer)).unwrap();
    assert!(!office.can_be_had(0, MARK) && !office.can_be_seen(0, MARK) && office.can_be_had(0, OTHER));
    assert_eq!(office.snapshots_with(0, MARK), (0, 1));
    assert!(closed(&office, 0, 1).is_empty() && conversation(&office, 0, 1).slot.is_none());
    // What comes next begins a slot.
    office.receive(0, 1, "after", None, 1);
    assert_eq!(keys(&mut office, 0, 1).len(), 1);
    assert_eq!(office.texts(0, 1), ["after"]);
}

#[test]
fn a_recovered_store_knows_every_slot() {
    for is_lost in [false, true] {
        let mut office = Office::pair();
        office.receive(1, 0, MARK, None, 600);
        office.receive(1, 0, "soon gone", Some(Millis::from_hours(2)), 1);
        office.take_snapshot(1);
        let before = keys(&mut office, 1, 0);
        office.copy_disk(1);
        office.recover(1, is_lost);
        let after = keys(&mut office, 1, 0);
        assert_eq!(after, before);
        let named: Vec<_> = closed(&office, 1, 0).into_values().collect();
        assert_eq!(named, [before[0].0, before[1].0], "that of the hour is none");
        assert_eq!(office.rows(1).count::<Hours>(&Scan::all()).unwrap(), 1);
        office.receive(1, 0, MARK, None, 1);
        assert!(!before.contains(&(conversation(&office, 1, 0).slot.unwrap().key, 1)), "it begins another slot");
        assert!(office.can_be_had(1, MARK));
        let peer = office.id(0);
        office.command(1, Command::DeleteConversation(peer)).unwrap();
        assert!(!office.can_be_had(1, MARK), "lost: {is_lost}");
        assert_eq!(office.rows(1).get::<Slots>(&RowKey::new()).unwrap(), None);
    }
}

/// The names of its slots, or its own row, do not open. What others wrote for the same hour stays, also while it moves.
#[test]
fn what_is_damaged_of_a_conversation_goes_with_it_and_nothing_of_others() {
    for (own_row, moves) in [(false, true), (true, true), (true, false)] {
        let mut office = Office::new(4);
        (1..4).for_each(|with| office.befriend(0, with));
        let many = 2 * limits::MAX_MOVED_AT_ONCE as u64 + 10;
        office.receive(0, 2, OTHER, Some(Millis::from_hours(2)), many);
        for with in [1, 3] {
            office.receive(0, with, MARK, Some(Millis::from_hours(2)), 1);
        }
        office.receive(0, 1, MARK, None, 600);
        office.copy_disk(0);
        let (peer, before) = (office.id(1), office.id(3));
        if !moves {
            office.command(0, Command::DeleteConversation(before)).unwrap();
        }
        office.tx(0, |tx| {
            if moves {
                tx.delete_conversation(before).unwrap();
            }
            let of = Scan::new(room_key(&RoomId::direct(peer)));
            let spoiled = if own_row { tx.buf.spoil::<Conversations>(&of) } else { tx.buf.spoil::<Slots>(&of) };
            assert_eq!(spoiled, 1);
            tx.delete_conversation(peer).unwrap();
        });
        office.open(0);
        office.pass(Millis(1));
        assert!(!office.can_be_had(0, MARK), "own row: {own_row}");
        assert_eq!(office.texts(0, 2).iter().filter(|text| *text == OTHER).count() as u64, many);
    }
}

#[test]
fn hours_that_fall_due_together_go_one_after_the_other() {
    let mut office = Office::pair();
    for hour in 1..=720 {
        office.receive(1, 0, MARK, Some(Millis::from_hours(hour)), 1);
    }
    assert_eq!(office.rows(1).count::<Hours>(&Scan::all()).unwrap(), 720);
    office.copy_disk(1);
    office.close(1);
    office.now.wall = office.now.wall + Millis::from_days(31);
    office.now.mono = MonoTime(office.now.mono.0 + Millis::from_days(31).0);
    office.open(1);
    office.believe();
    assert_eq!(office.rows(1).count::<Hours>(&Scan::all()).unwrap(), 0);
    assert!(!office.can_be_had(1, MARK));
}
