//! How the house is shared.

use super::*;
use crate::base::limits::{BOX_SURE_BYTES, MAX_BOXES, MAX_MAIL_BEYOND};
use crate::messenger::tables::PeerRow;

/// Some address of a network.
fn origin(network: u16, host: u8) -> Option<Origin> {
    let [a, b] = network.to_be_bytes();
    Some(Origin::of_ip([150, a, b, host].into()))
}

/// An owner of whom there are more than 255.
fn owner(n: u32) -> Owner {
    let mut seed = [9; 32];
    seed[..4].copy_from_slice(&n.to_be_bytes());
    Owner { me: IdentityKeypair::from_seed(&Secret::new(seed)), ..Owner::new(7) }
}

impl House {
    fn register_from(&mut self, owner: &mut Owner, network: u16, host: u8) -> bool {
        self.origin = origin(network, host);
        match self.register(owner, 0) {
            MailAnswer::Kept { .. } => true,
            answer => {
                assert_eq!(answer, FULL);
                false
            }
        }
    }

    /// The house has so many boxes more, as if.
    fn crowd(&mut self, boxes: u32) {
        self.office.tx(0, |tx| {
            let totals = tx.mail_totals().unwrap();
            tx.put_mail_totals(&TotalsRow { boxes: totals.boxes + boxes, ..totals }).unwrap();
        });
    }

    fn has(&self, owner: &Owner) -> bool {
        self.office.rows(0).contains::<Boxes>(&peer_key(&owner.id())).unwrap()
    }
}

/// MBX-44: a box is small and short until its owner has come back on two days.
#[test]
fn a_box_is_a_trial_until_its_owner_has_come_back() {
    let mut house = House::new(MailService::Open);
    let (mut here, mut gone) = (owner(1), owner(2));
    for owner in [&mut here, &mut gone] {
        assert!(house.register_from(owner, 1, 1));
        let large = house.fill(owner, Some([1; 16]), 4, 16_000);
        assert_eq!(large.iter().filter(|answer| **answer == MailAnswer::Stored).count(), 3);
        assert!(house.row(owner).bytes <= BOX_SURE_BYTES);
    }
    // The day on which it was made counts for nothing, however often he comes.
    for _ in 0..5 {
        assert_eq!(house.waiting(&here).len(), 3);
    }
    for day in 1..=2 {
        assert_eq!(house.row(&here).visits, day - 1);
        house.sleep(DAY);
        assert!(house.has(&gone));
        assert_eq!(house.waiting(&here).len(), 3);
    }
    assert_eq!(house.fill(&mut here, Some([1; 16]), 9, 16_000), vec![MailAnswer::Stored; 9]);
    assert_eq!(house.fill(&mut gone, Some([1; 16]), 1, 16_000), [FULL]);
    house.sleep(DAY);
    assert!(house.has(&here) && !house.has(&gone));
    house.check(&here);
    assert_eq!(house.totals().bytes, house.row(&here).bytes);
    house.sleep(Millis(59 * DAY.0));
    assert!(house.has(&here));
    assert_eq!(house.totals().boxes, 1);
}

/// MBX-26, MBX-44: those whom the operator knows have no trial, and as many boxes at one address as they are.
#[test]
fn whom_the_operator_knows_has_no_trial() {
    let mut known = owner(1);
    let mut others: Vec<Owner> = (2..40).map(owner).collect();
    let listed = others.iter().chain([&known]).map(Owner::id).collect();
    let mut house = House::new(MailService::Listed(listed));
    assert!(others.iter_mut().all(|owner| house.register_from(owner, 1, 1)));
    assert!(house.register_from(&mut known, 1, 1));
    let large = house.fill(&mut known, Some([1; 16]), 9, 16_000);
    assert_eq!(large, vec![MailAnswer::Stored; 9]);
    house.sleep(Millis(60 * DAY.0));
    assert!(house.has(&known));
}

/// MBX-26: however many keys one makes, an address and a network get few boxes, and others get theirs.
#[test]
fn boxes_are_had_by_address_and_network() {
    let mut house = House::new(MailService::Open);
    let made = (0..60).filter(|n| house.register_from(&mut owner(*n), 1, 1)).count();
    assert_eq!(made, 8, "of one address");
    let made = (60..120).filter(|n| house.register_from(&mut owner(*n), 1, (*n % 250) as u8)).count();
    assert_eq!(made, 8, "the rest of the network");
    assert!(house.register_from(&mut owner(200), 2, 1));
    assert!(house.register_from(&mut owner(3), 1, 1), "who has one is no newcomer");
    house.office.forward(Millis::from_hours(3));
    assert!(house.register_from(&mut owner(201), 1, 1));
    assert!(!house.register_from(&mut owner(202), 1, 1));
}

/// MBX-26: when the house is full, boxes to which nobody came back go, of the network that has most of them.
#[test]
fn a_full_house_takes_from_who_holds_most() {
    let mut house = House::new(MailService::Open);
    let (mut old, mut honest) = (owner(1_000), owner(1_001));
    assert!(house.register_from(&mut old, 1, 1));
    house.establish(&old);
    assert!(house.register_from(&mut honest, 2, 1));
    // The oldest box of his networks is of somebody whom the operator comes to know.
    let mut friend = owner(5_000);
    assert!(house.register_from(&mut friend, 100, 9));
    // One who has many networks, and has not done yet.
    let mut his: Vec<Owner> = (0..48).map(owner).collect();
    for (n, owner) in (0..).zip(&mut his) {
        assert!(house.register_from(owner, 100 + n / 6, (n % 3) as u8));
    }
    house.office.tx(0, |tx| {
        let mut row = PeerRow::new(friend.id());
        tx.make_contact(&mut row, String::new()).unwrap();
        tx.put_peer(&row).unwrap();
    });
    house.crowd(MAX_BOXES / 4 * 3 - house.totals().boxes);
    let mut late: Vec<Owner> = (2_000..2_020).map(owner).collect();
    for (n, owner) in (0..).zip(&mut late) {
        assert!(house.register_from(owner, 200 + n, 1));
        assert_eq!(house.totals().boxes, MAX_BOXES / 4 * 3);
    }
    assert!(house.has(&old) && house.has(&honest) && house.has(&friend) && late.iter().all(|owner| house.has(owner)));
    assert_eq!(his.iter().filter(|owner| house.has(owner)).count(), 28);
    // After a restart nobody knows networks any more: the oldest trials go. Who has come back stays.
    house.restart();
    let mut last = owner(3_000);
    assert!(house.register_from(&mut last, 300, 1));
    assert!(house.has(&old) && !house.has(&honest) && house.has(&last));
    // Those whom the operator knows have a quarter that nobody else takes.
    let known = owner(4_000);
    house.office.command(0, Command::SetMailService(MailService::Listed([known.id()].into()))).unwrap();
    let (mut known, boxes) = (known, house.totals().boxes);
    assert!(house.register_from(&mut known, 1, 1));
    assert_eq!(house.totals().boxes, boxes + 1);
}

/// MBX-26: whoever fills all the boxes he has, a newcomer has what there is always room for, and then a share of what is free.
#[test]
fn who_fills_his_boxes_leaves_room_for_others() {
    let (mut house, mut newcomer) = House::with_box(0);
    let (pool, mut beyond) = (MAX_MAIL_BEYOND / 4 * 3, 0);
    let mut had = Vec::new();
    for _ in 0..40 {
        house.office.tx(0, |tx| {
            let totals = tx.mail_totals().unwrap();
            tx.put_mail_totals(&TotalsRow { beyond, ..totals }).unwrap();
            let row = tx.box_of(&newcomer.id()).unwrap().unwrap();
            let (bound, _) = tx.box_bounds(&row).unwrap();
            had.push(bound - BOX_SURE_BYTES);
            beyond += bound - BOX_SURE_BYTES;
        });
    }
    assert!(beyond < pool && had.is_sorted_by(|a, b| a > b), "{had:?}");
    // And if there were no end to them.
    house.office.tx(0, |tx| {
        tx.put_mail_totals(&TotalsRow { beyond: u64::MAX / 2, ..tx.mail_totals().unwrap() }).unwrap();
    });
    let answers = house.fill(&mut newcomer, Some([1; 16]), 4, 16_000);
    assert_eq!(answers[..3], vec![MailAnswer::Stored; 3]);
    assert_eq!(answers[3], FULL);
}
