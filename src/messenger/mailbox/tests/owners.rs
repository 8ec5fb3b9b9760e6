//! What owners ask.

use std::collections::BTreeSet;

use super::*;
use crate::envelope::mailbox::Delete;
use crate::messenger::query;
use crate::messenger::tables::{BoxCards, BoxPrekeys};

/// MBX-1, MBX-10, MBX-15, MBX-16: the life of a box.
#[test]
fn a_box_is_filled_emptied_and_left() {
    let (mut house, mut owner) = House::with_box(3);
    let envelopes: Vec<_> = (0..5).map(|_| owner.sealed(100)).collect();
    for envelope in &envelopes {
        assert_eq!(house.deposit(&owner, None, envelope), MailAnswer::Stored);
    }
    assert_eq!(house.waiting(&owner), envelopes);
    assert_eq!(house.waiting(&owner), envelopes, "fetching takes nothing away");
    let (more, items) = house.page(&owner, 2);
    assert!(!more);
    assert_eq!(items.iter().map(|item| item.number).collect::<Vec<_>>(), [3, 4, 5]);
    assert_eq!(house.page(&owner, u64::MAX), (false, vec![]));
    // Exact numbers, of which some are not there; then up to one; each twice.
    for _ in 0..2 {
        assert_eq!(house.delete(&owner, Delete::These(vec![2, 4, 77])), MailAnswer::Done);
        assert_eq!(house.waiting(&owner), [&envelopes[0], &envelopes[2], &envelopes[4]].map(Clone::clone));
    }
    house.check(&owner);
    for _ in 0..2 {
        assert_eq!(house.delete(&owner, Delete::UpTo(3)), MailAnswer::Done);
        assert_eq!(house.waiting(&owner), envelopes[4..]);
    }
    house.check(&owner);
    assert_eq!(house.totals().bytes, envelopes[4].len() as u64);
    // A number is not used again, even when the box is empty.
    assert_eq!(house.delete(&owner, Delete::UpTo(u64::MAX)), MailAnswer::Done);
    assert_eq!(house.deposit(&owner, None, &envelopes[0]), MailAnswer::Stored);
    assert_eq!(house.page(&owner, 0).1[0].number, 6);
}

/// MBX-5: the policy holds for who registers, and at once.
#[test]
fn a_mailbox_serves_whom_its_operator_wants() {
    let mut house = House::new(MailService::Off);
    let (mut listed, mut other) = (Owner::new(1), Owner::new(2));
    assert_eq!(house.register(&mut listed, 0), MailAnswer::Refused);
    let set = |house: &mut House, service| house.office.command(0, Command::SetMailService(service)).map(|_| ());
    set(&mut house, MailService::Listed(BTreeSet::from([listed.id()]))).unwrap();
    assert_eq!(house.register(&mut listed, 1), MailAnswer::Kept { prekeys: 1 });
    assert_eq!(house.register(&mut other, 0), MailAnswer::Refused);
    house.restart();
    assert_eq!(house.register(&mut other, 0), MailAnswer::Refused, "the list is a row");
    let envelope = listed.sealed(10);
    assert_eq!(house.deposit(&listed, None, &envelope), MailAnswer::Stored);
    let rows = house.office.rows(0);
    let view = query::mailbox(&rows).unwrap();
    assert_eq!((view.boxes, view.bytes), (1, envelope.len() as u64));
    assert_eq!(query::mail_service(&rows).unwrap(), MailService::Listed(BTreeSet::from([listed.id()])));
    // Nobody is served any more: nothing new comes in, and what is there can be had by its owner.
    set(&mut house, MailService::Off).unwrap();
    assert_eq!(house.renew(&mut listed, &[], 0), MailAnswer::Refused);
    let later = listed.sealed(10);
    assert_eq!(house.deposit(&listed, None, &later), MailAnswer::NoBox);
    assert_eq!(house.ask(NOBODY, &listed.ask_card(true)), MailAnswer::NoBox);
    assert_eq!(house.waiting(&listed), [envelope]);
    assert_eq!(house.leave(&listed), MailAnswer::Done);
    // Contacts.
    set(&mut house, MailService::Contacts).unwrap();
    assert_eq!(house.register(&mut other, 0), MailAnswer::Refused);
    let hints = crate::messenger::Hints::default();
    house.office.command(0, Command::AddContact { peer: other.id(), name: None, hints }).unwrap();
    assert_eq!(house.register(&mut other, 0), MailAnswer::Kept { prekeys: 0 });
    house.office.command(0, Command::Block(other.id())).unwrap();
    assert_eq!(house.renew(&mut other, &[], 0), MailAnswer::Refused);
    let many = (0..=1_000u16).map(|n| {
        let mut key = [0; 32];
        key[..2].copy_from_slice(&n.to_be_bytes());
        PeerId::from_key_bytes(key)
    });
    assert!(matches!(set(&mut house, MailService::Listed(many.collect())), Err(Refusal::TooLong { got: 1_001, .. })));
}

/// MBX-12: whatever is asked of a box that is not the asker's, the bytes of the answer are those for a box that nobody has.
#[test]
fn unknown_and_foreign_boxes_answer_alike() {
    let (mut house, mut alice) = House::with_box(2);
    let (mut bob, mut carol) = (Owner::new(2), Owner::new(3));
    assert_eq!(house.register(&mut bob, 0), MailAnswer::Kept { prekeys: 0 });
    let envelope = alice.sealed(100);
    assert_eq!(house.deposit(&alice, None, &envelope), MailAnswer::Stored);
    let questions = |queue: [u8; 16]| {
        [
            Question::Fetch { queue, after: 0 },
            Question::Delete { queue, what: Delete::UpTo(9) },
            Question::Delete { queue, what: Delete::These(vec![1]) },
            Question::Drop { queue },
        ]
        .map(|question| question.encode().unwrap())
    };
    let unknown = [0xee; 16];
    // Of somebody who has a box himself, and of somebody who has none.
    for asker in [&bob, &carol] {
        for (foreign, nobodys) in questions(alice.queue).iter().zip(&questions(unknown)) {
            let answer = house.raw(asker.id(), nobodys);
            assert_eq!(answer, house.raw(asker.id(), foreign));
            assert_eq!(MailAnswer::decode(&answer), Ok(MailAnswer::NoBox));
        }
    }
    // To renew with a card that names another's queue.
    let now = house.now();
    for asker in [&mut bob, &mut carol] {
        let own = asker.queue;
        let [foreign, nobodys] = [alice.queue, unknown].map(|queue| {
            asker.queue = queue;
            let question = asker.renew(&[], 1, now);
            house.raw(asker.id(), &question)
        });
        asker.queue = own;
        assert_eq!(foreign, nobodys);
        assert_eq!(MailAnswer::decode(&foreign), Ok(MailAnswer::NoBox));
    }
    assert_eq!(house.waiting(&alice), [envelope], "and nothing happened to it");
    assert_eq!(house.totals().boxes, 2);
}

/// MBX-10: a queue belongs to nobody: another's box by that name is another box.
#[test]
fn nobody_can_take_anothers_queue() {
    let (mut house, mut alice) = House::with_box(0);
    let mut thief = Owner::new(2);
    thief.queue = alice.queue;
    assert_eq!(house.register(&mut thief, 0), MailAnswer::Kept { prekeys: 0 });
    let envelope = alice.sealed(50);
    assert_eq!(house.deposit(&alice, None, &envelope), MailAnswer::Stored);
    assert_eq!(house.waiting(&thief), Vec::<Vec<u8>>::new());
    assert_eq!(house.leave(&thief), MailAnswer::Done);
    assert_eq!(house.waiting(&alice), [envelope]);
}

/// MBX-11: nothing of an offer is taken of which anything is wrong.
#[test]
fn an_offer_of_another_changes_nothing() {
    let (mut house, mut owner) = House::with_box(1);
    let (mut other, now) = (Owner::new(2), house.now());
    let before = house.row(&owner).batch;
    // Bob's register, asked by Alice; and her own card with a prekey of his.
    let question = other.register(1, now);
    assert_eq!(house.ask(owner.id(), &question), MailAnswer::Malformed);
    let (card, prekeys) = (owner.card(now), other.prekeys(1, now));
    let mixed = Question::Renew { invitation: owner.invitation(), revoked: vec![], offer: offer(9, &card, &prekeys) };
    assert_eq!(house.ask(owner.id(), &mixed.encode().unwrap()), MailAnswer::Malformed);
    assert_eq!((house.row(&owner).batch, house.row(&owner).prekeys), (before, 1));
    assert_eq!(house.totals().boxes, 1);
    // A card that is over is nothing that a mailbox judges.
    let old = owner.renew(&[], 0, WallTime(1));
    assert_eq!(house.ask(owner.id(), &old), MailAnswer::Kept { prekeys: 1 });
}

/// MBX-4, MBX-13: an offer is taken once, however often it comes, and however late.
#[test]
fn a_prekey_that_was_handed_out_does_not_come_back_with_its_offer() {
    let (mut house, mut owner) = (House::new(MailService::Open), Owner::new(1));
    let first = owner.register(2, house.now());
    assert_eq!(house.ask(owner.id(), &first), MailAnswer::Kept { prekeys: 2 });
    let given = house.card(&owner, true).1.unwrap();
    assert_eq!(house.ask(owner.id(), &first), MailAnswer::Kept { prekeys: 1 }, "a second copy");
    let tag = [5; 16];
    let second = owner.renew(&[tag], 1, house.now());
    assert_eq!(house.ask(owner.id(), &second), MailAnswer::Kept { prekeys: 2 });
    // The first copy comes late: it must not undo what the second said.
    assert_eq!(house.ask(owner.id(), &first), MailAnswer::Kept { prekeys: 2 });
    assert_eq!(house.row(&owner).revoked, 1);
    let rest = [house.card(&owner, true).1.unwrap(), house.card(&owner, true).1.unwrap()];
    assert!(rest[0] != rest[1] && !rest.contains(&given));
    assert_eq!(house.card(&owner, true).1, None);
}

/// MBX-13: of two cards the one with the higher sequence stays.
#[test]
fn an_older_card_does_not_take_the_place_of_a_newer() {
    let (mut house, mut owner) = House::with_box(0);
    let now = house.now();
    let (older, newer) = (owner.card(now), owner.card(now));
    for (number, card) in [(5, &newer), (6, &older)] {
        let question =
            Question::Renew { invitation: owner.invitation(), revoked: vec![], offer: offer(number, card, &[]) };
        assert_eq!(house.ask(owner.id(), &question.encode().unwrap()), MailAnswer::Kept { prekeys: 0 });
        assert_eq!(house.card(&owner, false).0, newer);
    }
}

/// MBX-11: a hundred are held, what is beyond is left out.
#[test]
fn no_more_prekeys_are_held_than_a_batch() {
    let (mut house, mut owner) = House::with_box(60);
    assert_eq!(house.renew(&mut owner, &[], 60), MailAnswer::Kept { prekeys: 100 });
    house.check(&owner);
    assert_eq!(house.count::<BoxPrekeys>(), 100);
    let MailAnswer::Page { prekeys, .. } = house.ask(owner.id(), &owner.fetch(0)) else { panic!() };
    assert_eq!(prekeys, 100, "a page tells it, too");
}

/// MBX-35, MBX-36: each is handed out once, also across a restart; the card is the same for all.
#[test]
fn every_prekey_is_handed_out_once() {
    let (mut house, mut owner) = House::with_box(3);
    let mut given = BTreeSet::new();
    let card = house.card(&owner, false).0;
    for _ in 0..3 {
        let (same, prekey) = house.card(&owner, true);
        assert_eq!(same, card);
        assert!(given.insert(prekey.unwrap()));
        house.restart();
    }
    assert_eq!(house.card(&owner, true), (card, None));
    assert_eq!(house.count::<BoxPrekeys>(), 0);
    // Those that are over are passed over.
    let old = owner.prekeys(2, WallTime(house.now().0 - limits::ONE_TIME_LIFE.0));
    let (good, card) = (owner.prekeys(1, house.now()), owner.card(house.now()));
    let all = [&old[..], &good].concat();
    let question = Question::Renew { invitation: owner.invitation(), revoked: vec![], offer: offer(9, &card, &all) };
    assert_eq!(house.ask(owner.id(), &question.encode().unwrap()), MailAnswer::Kept { prekeys: 3 });
    assert_eq!(house.card(&owner, true).1.as_ref(), Some(&good[0]));
    assert_eq!(house.card(&owner, true).1, None);
    house.check(&owner);
}

/// MBX-37.
#[test]
fn prekeys_are_handed_out_seldom() {
    let (mut house, owner) = House::with_box(100);
    let given = |house: &mut House| (0..20).filter(|_| house.card(&owner, true).1.is_some()).count();
    assert_eq!(given(&mut house), 12);
    house.restart();
    assert_eq!(given(&mut house), 0, "a restart gives nothing back");
    house.office.forward(limits::BOX_PREKEY_INTERVAL);
    assert_eq!(given(&mut house), 1);
    house.office.forward(Millis(5 * limits::BOX_PREKEY_INTERVAL.0));
    assert_eq!(given(&mut house), 5);
    house.office.forward(DAY);
    assert_eq!(given(&mut house), 12);
}

/// MBX-10: a second register takes other keys and another queue, and envelopes stay.
#[test]
fn a_box_can_be_renamed() {
    let (mut house, mut owner) = House::with_box(1);
    let tag = [3; 16];
    let (kept, void) = (owner.sealed(20), owner.sealed(20));
    assert_eq!(house.deposit(&owner, Some(tag), &kept), MailAnswer::Stored);
    assert_eq!(house.renew(&mut owner, &[[4; 16]], 0), MailAnswer::Kept { prekeys: 1 });
    let old = owner.queue;
    owner.queue = [0x77; 16];
    owner.key = QueueKey::from_bytes([0x77; 32]);
    assert_eq!(house.register(&mut owner, 0), MailAnswer::Kept { prekeys: 1 });
    assert_eq!(house.waiting(&owner), [kept]);
    assert_eq!(house.row(&owner).revoked, 0, "tags of the old key");
    house.check(&owner);
    assert_eq!(house.deposit(&owner, None, &void), MailAnswer::NoBox, "it was sealed for the old queue");
    owner.queue = old;
    assert_eq!(house.ask(owner.id(), &owner.fetch(0)), MailAnswer::NoBox);
    assert_eq!(house.totals().boxes, 1);
}

/// MBX-17, MBX-41: nothing of a box that was left can be had, of whatever copy of the disk.
#[test]
fn a_box_that_is_left_is_gone_with_its_key() {
    let (mut house, mut owner) = House::with_box(2);
    let envelopes = [owner.sealed(30), owner.sealed(9_000)];
    for (tag, envelope) in [None, Some([9; 16])].into_iter().zip(&envelopes) {
        assert_eq!(house.deposit(&owner, tag, envelope), MailAnswer::Stored);
    }
    house.office.copy_disk(0);
    let tables =
        [Boxes::ID, BoxCards::ID, BoxPrekeys::ID, BoxTokens::ID, Deposits::ID, DepositBodies::ID, DepositMarks::ID];
    assert!(tables.iter().all(|table| house.office.readable_rows(0, *table) > 0));
    assert_eq!(house.leave(&owner), MailAnswer::Done);
    assert!(tables.iter().all(|table| house.office.readable_rows(0, *table) == 0));
    let left = house.office.desks[0].place.dump();
    assert!(!left.keys().any(|key| tables.contains(&key[0])), "and the rows are gone, too");
    let totals = house.totals();
    assert_eq!((totals.boxes, totals.bytes), (0, 0));
    assert_eq!(house.leave(&owner), MailAnswer::NoBox, "which says that it is done");
    assert_eq!(house.deposit(&owner, None, &envelopes[0]), MailAnswer::NoBox);
    // He comes back: another box.
    assert_eq!(house.register(&mut owner, 0), MailAnswer::Kept { prekeys: 0 });
    assert_eq!(house.waiting(&owner), Vec::<Vec<u8>>::new());
    assert_eq!(house.row(&owner).number, 2);
}

/// MBX-26.
#[test]
fn boxes_are_bounded() {
    let (mut house, mut owner) = House::with_box(0);
    house.office.tx(0, |tx| {
        let totals = TotalsRow { boxes: limits::MAX_BOXES / 4 * 3, ..tx.mail_totals().unwrap() };
        tx.put_mail_totals(&totals).unwrap();
    });
    assert_eq!(house.register(&mut Owner::new(2), 0), FULL);
    assert_eq!(house.register(&mut owner, 0), MailAnswer::Kept { prekeys: 0 }, "who has one keeps it");
}
