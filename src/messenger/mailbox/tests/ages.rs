//! What time does.

use super::*;
use crate::messenger::tables::BoxPrekeys;

/// MBX-42: an envelope waits for 21 days beside the one on which it came, and is gone then.
#[test]
fn an_envelope_waits_for_three_weeks() {
    let (mut house, mut owner) = House::with_box(0);
    let (first, second) = (owner.sealed(10), owner.sealed(10));
    assert_eq!(house.deposit(&owner, None, &first), MailAnswer::Stored);
    house.office.pass(DAY);
    assert_eq!(house.deposit(&owner, Some([1; 16]), &second), MailAnswer::Stored);
    // To the last day of the first one.
    house.sleep(Millis(20 * DAY.0));
    assert_eq!(house.waiting(&owner), [first, second.clone()]);
    house.office.pass(DAY);
    assert_eq!(house.waiting(&owner), [second]);
    house.check(&owner);
    house.office.pass(DAY);
    assert_eq!(house.waiting(&owner), Vec::<Vec<u8>>::new());
    house.check(&owner);
    assert_eq!((house.totals().bytes, house.count::<BoxTokens>(), house.count::<DepositBodies>()), (0, 0, 0));
    assert_eq!(house.totals().boxes, 1, "the box stays");
}

/// MBX-42: however many there are, and in however many boxes; also when nobody was there for long.
#[test]
fn much_expires_in_small_steps() {
    let mut house = House::new(MailService::Open);
    let mut owners: Vec<Owner> = (1..=70).map(Owner::new).collect();
    for owner in &mut owners {
        assert_eq!(house.register(owner, 0), MailAnswer::Kept { prekeys: 0 });
        house.establish(owner);
        assert_eq!(house.fill(owner, None, 1, 10), [MailAnswer::Stored]);
    }
    house.fill(&mut owners[3], Some([1; 16]), 512, 10);
    house.fill(&mut owners[3], Some([2; 16]), 200, 10);
    assert_eq!(house.count::<Deposits>(), 782);
    house.sleep(Millis(23 * DAY.0));
    assert_eq!((house.count::<Deposits>(), house.count::<DepositBodies>(), house.count::<DepositMarks>()), (0, 0, 0));
    for owner in &owners {
        house.check(owner);
    }
    let totals = house.totals();
    assert_eq!((totals.boxes, totals.bytes, totals.walked), (70, 0, day_of(house.now())));
}

/// MBX-43: a box whose owner does not come is dropped with its key; each visit counts.
#[test]
fn a_box_waits_for_its_owner_for_sixty_days() {
    let mut house = House::new(MailService::Open);
    let (mut gone, mut here) = (Owner::new(1), Owner::new(2));
    for owner in [&mut gone, &mut here] {
        assert_eq!(house.register(owner, 1), MailAnswer::Kept { prekeys: 1 });
        house.establish(owner);
    }
    house.sleep(Millis(30 * DAY.0));
    assert_eq!(house.waiting(&here), Vec::<Vec<u8>>::new());
    house.sleep(Millis(30 * DAY.0));
    let letter = gone.sealed(10);
    assert_eq!(house.deposit(&gone, None, &letter), MailAnswer::Stored);
    house.office.copy_disk(0);
    house.office.pass(DAY);
    assert_eq!(house.ask(gone.id(), &gone.fetch(0)), MailAnswer::NoBox);
    assert_eq!(house.ask(NOBODY, &gone.ask_card(true)), MailAnswer::NoBox);
    assert_eq!((house.totals().boxes, house.totals().bytes), (1, 0));
    assert_eq!(house.count::<Boxes>(), 1);
    // What was copied before opens for one box only.
    assert_eq!(house.office.readable_rows(0, Boxes::ID), 1);
    assert_eq!(house.office.readable_rows(0, BoxPrekeys::ID), 1);
    assert_eq!(house.waiting(&here), Vec::<Vec<u8>>::new());
}
