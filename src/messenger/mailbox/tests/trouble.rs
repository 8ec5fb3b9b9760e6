//! Crashes, damage, garbage.

use super::*;
use crate::envelope::mailbox::Delete;
use crate::messenger::tables::of_box;

/// MBX-2: whatever is no question changes nothing, and is answered.
#[test]
fn what_is_no_question_is_answered_as_such() {
    let (mut house, mut owner) = House::with_box(1);
    let envelope = owner.sealed(10);
    let good = owner.deposit(None, Proof::None, &envelope);
    for cut in [0, 1, 5, 6, 40, good.len() - 1] {
        assert_eq!(house.ask(NOBODY, &good[..cut]), MailAnswer::Malformed, "{cut}");
    }
    let mut other = good.clone();
    other[0] = 2;
    assert_eq!(house.ask(NOBODY, &other), MailAnswer::Malformed);
    other[0] = 1;
    other[1] = 99;
    assert_eq!(house.ask(NOBODY, &other), MailAnswer::Malformed);
    let mut long = good;
    long[2..6].copy_from_slice(&u32::MAX.to_be_bytes());
    assert_eq!(house.ask(NOBODY, &long), MailAnswer::TooLarge);
    assert_eq!(house.count::<Deposits>(), 0);
}

/// MBX-1: what was answered survives; what was not may come again. The death is between the commit and the answer, or
/// before the commit.
#[test]
fn a_death_before_the_answer_loses_nothing_and_doubles_nothing() {
    let (mut house, mut owner) = House::with_box(2);
    let envelope = owner.sealed(10);
    let question = owner.deposit(Some([1; 16]), Proof::None, &envelope);
    // The answer is lost with the process.
    house.at_once(vec![(NOBODY, question.clone())]);
    house.restart();
    assert_eq!(house.ask(NOBODY, &question), MailAnswer::Stored);
    assert_eq!(house.waiting(&owner), std::slice::from_ref(&envelope));
    house.check(&owner);
    // The same with a card: the prekey of the lost answer is spent.
    let lost = house.at_once(vec![(NOBODY, owner.ask_card(true))]);
    let MailAnswer::Card { prekey: Some(lost), .. } = MailAnswer::decode(&lost[0]).unwrap() else { panic!() };
    house.restart();
    assert!(house.card(&owner, true).1.is_some_and(|other| other != lost));
    // The process dies before the commit: as if nothing had been asked.
    let later = owner.sealed(10);
    let before = house.office.desks[0].place.copy();
    assert_eq!(house.deposit(&owner, None, &later), MailAnswer::Stored);
    house.office.close(0);
    house.office.desks[0].place = before;
    house.office.open(0);
    assert_eq!(house.waiting(&owner), std::slice::from_ref(&envelope));
    assert_eq!(house.deposit(&owner, None, &later), MailAnswer::Stored);
    assert_eq!(house.waiting(&owner), [envelope, later]);
    // And the deletion whose answer was lost.
    assert_eq!(house.delete(&owner, Delete::UpTo(1)), MailAnswer::Done);
    house.restart();
    assert_eq!(house.delete(&owner, Delete::UpTo(1)), MailAnswer::Done);
    assert_eq!(house.waiting(&owner).len(), 1);
    house.check(&owner);
}

/// MBX-1: when the store fails nobody is told that anything is kept, and everybody is told something.
#[test]
fn a_store_that_fails_is_unavailable() {
    let (mut house, mut owner) = House::with_box(1);
    let envelope = owner.sealed(10);
    let questions = [owner.deposit(None, Proof::None, &envelope), owner.fetch(0), owner.ask_card(true)];
    let all: Vec<_> = questions.iter().map(|question| (owner.id(), question.clone())).collect();
    house.office.break_store(0);
    let answers = house.at_once(all.clone());
    assert!(answers.iter().all(|answer| MailAnswer::decode(answer) == Ok(MailAnswer::Unavailable)), "{answers:?}");
    house.restart();
    let answers = house.at_once(all);
    assert!(answers.iter().all(|answer| MailAnswer::decode(answer) != Ok(MailAnswer::Unavailable)));
    assert_eq!(house.waiting(&owner), [envelope]);
}

/// A question that fails undoes only itself, and is answered.
#[test]
fn one_that_fails_undoes_only_itself() {
    let (mut house, mut owner) = House::with_box(0);
    let mut damaged = Owner::new(2);
    assert_eq!(house.register(&mut damaged, 0), MailAnswer::Kept { prekeys: 0 });
    damage::<Boxes>(&mut house, &damaged, &peer_key(&damaged.id()));
    let [one, two] = [owner.sealed(10), owner.sealed(10)];
    let lost = damaged.sealed(10);
    let questions = [
        owner.deposit(None, Proof::None, &one),
        damaged.deposit(None, Proof::None, &lost),
        owner.deposit(None, Proof::None, &two),
    ];
    let answers = house.at_once(questions.into_iter().map(|question| (NOBODY, question)).collect());
    let answers: Vec<_> = answers.iter().map(|answer| MailAnswer::decode(answer).unwrap()).collect();
    assert_eq!(answers, [MailAnswer::Stored, MailAnswer::Unavailable, MailAnswer::Stored]);
    assert_eq!(house.waiting(&owner), [one, two]);
    house.check(&owner);
}

/// Rows that do not open keep nobody from the rest: not the owner from leaving, and not the house from its daily work.
#[test]
fn damaged_rows_stay_where_they_are() {
    let (mut house, mut owner) = House::with_box(0);
    house.fill(&mut owner, None, 2, 10);
    let number = house.row(&owner).number;
    // An envelope without a body is passed over, and deleted as any.
    house.office.tx(0, |tx| tx.buf.delete::<DepositBodies>(&in_box(number, 1)));
    assert_eq!(house.page(&owner, 0).1.len(), 1);
    damage::<Deposits>(&mut house, &owner, &in_box(number, 2));
    house.fill(&mut owner, None, 1, 10);
    assert_eq!(house.page(&owner, 0).1.len(), 1, "the rest is fetched");
    house.sleep(Millis(30 * DAY.0));
    assert_ne!(house.totals().walked, 0, "the walk comes to its end");
    assert_eq!(house.page(&owner, 0).1.len(), 0, "and takes out what is old");
    assert_eq!(house.office.command(0, Command::SetMailService(MailService::Open)).map(|_| ()), Ok(()));
    let rotated = house.office.rows(0).get::<crate::messenger::tables::Profile>(&RowKey::new()).unwrap().unwrap();
    assert!(rotated.card_issued > WallTime(house.now().0 - 8 * DAY.0), "and the rest of the house went on");
    assert_eq!(house.leave(&owner), MailAnswer::Done);
    assert_eq!(house.register(&mut owner, 0), MailAnswer::Kept { prekeys: 0 });
    assert_eq!(house.waiting(&owner), Vec::<Vec<u8>>::new());
    assert_eq!(house.office.rows(0).count::<Deposits>(&Scan::new(of_box(number))).unwrap(), 0);
}

/// A mark without its envelope would call stored what is lost.
#[test]
fn a_mark_alone_is_no_envelope() {
    let (mut house, mut owner) = House::with_box(0);
    let envelope = owner.sealed(10);
    assert_eq!(house.deposit(&owner, None, &envelope), MailAnswer::Stored);
    let number = house.row(&owner).number;
    house.office.tx(0, |tx| tx.buf.delete::<Deposits>(&in_box(number, 1)));
    assert_eq!(house.deposit(&owner, None, &envelope), MailAnswer::Stored);
    assert_eq!(house.waiting(&owner), [envelope]);
}

/// MBX-36: no snapshot holds a box; the policy is in all. After the loss of the database owners begin anew.
#[test]
fn boxes_are_in_no_snapshot() {
    let (mut house, mut owner) = House::with_box(2);
    let envelope = owner.sealed(10);
    assert_eq!(house.deposit(&owner, Some([1; 16]), &envelope), MailAnswer::Stored);
    house.office.take_snapshot(0);
    let tables = 71..=78;
    let snapshots = house.office.desks[0].place.snapshots();
    assert!(!snapshots.is_empty() && snapshots.iter().all(|dump| !dump.keys().any(|key| tables.contains(&key[0]))));
    house.office.recover(0, true);
    assert_eq!(house.ask(owner.id(), &owner.fetch(0)), MailAnswer::NoBox);
    assert_eq!(house.totals(), TotalsRow::default());
    assert_eq!(house.register(&mut owner, 1), MailAnswer::Kept { prekeys: 1 });
}

/// MBX-36: of a salvaged database envelopes stay, prekeys go; no number comes twice; and what is of no box is forgotten.
#[test]
fn boxes_of_a_salvaged_database_are_put_in_order() {
    let (mut house, mut owner) = House::with_box(2);
    let mut lost = Owner::new(2);
    assert_eq!(house.register(&mut lost, 1), MailAnswer::Kept { prekeys: 1 });
    for owner in [&mut owner, &mut lost] {
        house.fill(owner, Some([1; 16]), 3, 10);
        house.fill(owner, None, 2, 10);
    }
    assert_eq!(house.renew(&mut owner, &[[2; 16]], 0), MailAnswer::Kept { prekeys: 2 });
    let waiting = house.waiting(&owner);
    // One envelope has lost its body, one box its row; the counters are of another day.
    let number = house.row(&owner).number;
    house.office.tx(0, |tx| {
        tx.buf.delete::<DepositBodies>(&in_box(number, 2));
        tx.buf.delete::<Boxes>(&peer_key(&lost.id()));
        let row = BoxRow { count: 77, bytes: 9, slot_bytes: 1, ..tx.box_of(&owner.id()).unwrap().unwrap() };
        tx.put_box(&row).unwrap();
    });
    house.office.copy_disk(0);
    house.office.recover(0, false);
    house.check(&owner);
    let row = house.row(&owner);
    assert_eq!((row.prekeys, row.revoked, row.count), (0, 1, 4));
    assert_eq!((house.totals().boxes, house.totals().bytes), (1, row.bytes));
    assert_eq!(house.waiting(&owner), [&waiting[..1], &waiting[2..]].concat());
    assert_eq!(house.count::<Deposits>(), 4, "nothing of the other box counts any more");
    assert_eq!(house.office.readable_rows(0, crate::messenger::tables::BoxCards::ID), 1);
    let another = owner.sealed(10);
    assert_eq!(house.deposit(&owner, None, &waiting[4]), MailAnswer::Stored);
    assert_eq!(house.deposit(&owner, None, &another), MailAnswer::Stored);
    assert!(house.page(&owner, 5).1[0].number > 5);
    assert_eq!(house.waiting(&owner).len(), 5, "of those that are there a second copy is known");
}

/// MBX-10, MBX-14: tags that were void under the key before take no place of those under the present one, also after a recovery.
#[test]
fn tags_void_under_the_key_before_count_no_more_when_boxes_are_put_in_order() {
    let (mut house, mut owner) = House::with_box(0);
    let (old, new) = ([1; 16], [2; 16]);
    house.renew(&mut owner, &[old], 0);
    owner.key = QueueKey::from_bytes([0x99; 32]);
    house.register(&mut owner, 0);
    house.renew(&mut owner, &[new], 0);
    assert_eq!(house.row(&owner).revoked, 1);
    house.office.copy_disk(0);
    house.office.recover(0, false);
    assert_eq!((house.row(&owner).revoked, house.count::<BoxTokens>()), (1, 2));
}

/// A table's rows, written by somebody else.
struct Wrong<T>(std::marker::PhantomData<T>);

impl<T: Table> Table for Wrong<T> {
    const ID: u8 = T::ID;
    const NAME: &'static str = T::NAME;
    const UNDER: crate::store::Under = T::UNDER;
    type Row = [u8; 3];
}

fn damage<T: Table>(house: &mut House, owner: &Owner, at: &RowKey) {
    let key = house.row(owner).key;
    house.office.tx(0, |tx| tx.buf.put_under::<Wrong<T>>(at, key, &[0xff; 3]).unwrap());
}

/// NET-94, MBX-24: on a disk that is nearly full nothing more is kept for others, whatever token is with it, and nobody's box goes for
/// it. What is there can be had, and a second copy is known.
#[test]
fn on_a_disk_that_is_nearly_full_nothing_more_is_kept() {
    let (mut house, mut owner) = House::with_box(2);
    let (good, void) = ([1; 16], [2; 16]);
    assert_eq!(house.renew(&mut owner, &[void], 0), MailAnswer::Kept { prekeys: 2 });
    let tokens = [None, Some(good), Some(void)];
    let known = tokens.map(|tag| (tag, owner.sealed(10)));
    for (tag, envelope) in &known {
        assert_eq!(house.deposit(&owner, *tag, envelope), MailAnswer::Stored);
    }
    let waiting = house.waiting(&owner);
    house.office.tx(0, |tx| tx.mem.is_disk_low = true);
    for (tag, envelope) in &known {
        assert_eq!(house.deposit(&owner, *tag, envelope), MailAnswer::Stored, "a copy: {tag:?}");
    }
    for tag in tokens {
        let envelope = owner.sealed(10);
        assert_eq!(house.deposit(&owner, tag, &envelope), FULL, "{tag:?}");
    }
    let mut other = Owner::new(2);
    assert_eq!(house.register(&mut other, 1), FULL);
    assert_eq!((house.totals().boxes, house.row(&owner).count), (1, 3));
    assert_eq!(house.waiting(&owner), waiting);
    assert!(house.card(&owner, true).1.is_some());
    assert_eq!(house.delete(&owner, Delete::UpTo(u64::MAX)), MailAnswer::Done);
    house.office.tx(0, |tx| tx.mem.is_disk_low = false);
    let envelope = owner.sealed(10);
    assert_eq!(house.deposit(&owner, Some(good), &envelope), MailAnswer::Stored);
    assert_eq!(house.register(&mut other, 1), MailAnswer::Kept { prekeys: 1 });
}
