use super::*;
use crate::identity::CardIn;
use crate::messenger::command::Command;
use crate::messenger::query;
use crate::messenger::testing::Office;
use crate::store::Table;

const DAY: Millis = Millis::from_days(1);

/// The secrets of all cards that are kept, and until when they were named.
fn kept(office: &Office, who: usize) -> Vec<(PrekeyId, WallTime)> {
    let rows = office.rows(who).scan::<CardKeysTable>(&Scan::all()).unwrap();
    rows.into_iter().map(|(_, row)| (row.keys.prekey_id, row.named_until)).collect()
}

fn keeps(office: &Office, who: usize, keys: PrekeyId) -> bool {
    kept(office, who).iter().any(|(id, _)| *id == keys)
}

/// Moves to a time, and looks through the secrets there.
fn go_to(office: &mut Office, time: WallTime) {
    office.leap(time.since(office.now.wall));
    office.pass(Millis(1));
}

/// ID-28: the secrets behind a card outlive the last card that named them by 22 days, and are destroyed then.
#[test]
fn the_secrets_of_a_card_are_kept_for_who_may_still_use_it_and_destroyed_then() {
    let mut office = Office::new(1);
    let first = kept(&office, 0)[0].0;
    // On the sixth day another card names them once more: its expiry is the one that counts.
    office.leap(Millis(6 * DAY.0));
    office.command(0, Command::SetPolicy(Policy::Contacts)).unwrap();
    let until = kept(&office, 0)[0].1;
    assert_eq!((kept(&office, 0).len(), until), (1, office.now.wall + limits::CARD_LIFE));
    office.copy_disk(0);
    assert_eq!(office.readable_rows(0, CardKeysTable::ID), 1);

    let over = until + limits::PREKEY_GRACE;
    go_to(&mut office, until);
    assert!(keeps(&office, 0, first) && kept(&office, 0).len() > 1, "others have taken their place in the card");
    go_to(&mut office, WallTime(over.0 - 1));
    assert!(keeps(&office, 0, first), "an envelope may come until the last moment");
    office.renew_state_key(0);
    assert!(keeps(&office, 0, first));
    go_to(&mut office, over + SWEEP);
    assert!(!keeps(&office, 0, first));
    // And with the State key every older copy of the row.
    office.renew_state_key(0);
    assert_eq!(office.readable_rows(0, CardKeysTable::ID), 0);
    let newest = kept(&office, 0).into_iter().max_by_key(|(_, until)| *until).unwrap();
    assert!(newest.1 > office.now.wall, "those that are named now stay");
}

/// ID-28: a card that is made anew every day (its relays change, or what else it says) names other keys after a week nevertheless.
#[test]
fn keys_are_a_week_old_at_most_however_often_the_card_is_made_anew() {
    let mut office = Office::new(1);
    let first = kept(&office, 0)[0].0;
    let mut last = office.card_of(0);
    for day in 1..=8 {
        office.pass(DAY);
        let policy = if day % 2 == 0 { Policy::Requests } else { Policy::Contacts };
        office.command(0, Command::SetPolicy(policy)).unwrap();
        let card = office.card_of(0);
        assert_ne!(std::mem::replace(&mut last, card.clone()), card);
        let named = CardIn::decode(&card).unwrap().verify(office.identity(0).public(), WallTime(0)).unwrap().prekey_id;
        assert_eq!(named == first, day < 7, "{day}");
    }
    assert_eq!(kept(&office, 0).len(), 2);
}

/// ID-28: the same for a one-time prekey that nobody used, counted from its own expiry.
#[test]
fn an_unused_one_time_prekey_is_kept_as_long_and_destroyed_then() {
    let mut office = Office::new(1);
    let count = |office: &Office, expires: WallTime| {
        let rows = office.rows(0).scan::<OneTimeTable>(&Scan::all()).unwrap();
        rows.into_iter().filter(|(_, row)| row.keys.expires == expires).count()
    };
    let expires = office.now.wall + limits::ONE_TIME_LIFE;
    assert_eq!(count(&office, expires), limits::ONE_TIME_BATCH);
    office.copy_disk(0);
    let over = expires + limits::PREKEY_GRACE;
    go_to(&mut office, WallTime(over.0 - 1));
    assert_eq!(count(&office, expires), limits::ONE_TIME_BATCH);
    go_to(&mut office, over + SWEEP);
    assert_eq!(count(&office, expires), 0);
    office.renew_state_key(0);
    assert_eq!(office.readable_rows(0, OneTimeTable::ID), 0);
}

/// ID-28: a first contact that was made with an old card opens as long as its secrets are kept.
#[test]
fn a_first_contact_with_an_old_card_opens_until_its_secrets_go() {
    for (late, opens) in
        [(Millis(limits::PREKEY_GRACE.0 - DAY.0), true), (Millis(limits::PREKEY_GRACE.0 + DAY.0), false)]
    {
        let mut office = Office::new(2);
        let until = kept(&office, 0)[0].1;
        // Without a one-time prekey, whose life is longer.
        office.tx(0, |tx| {
            tx.mem.one_time.clear();
            tx.mem.one_time_total = MAX_ONE_TIME;
        });
        office.loses_letters = true;
        office.say(1, 0, "from long ago");
        let letter = office.envelopes[&1].clone();
        office.close(1);
        office.close(0);
        office.forward(Millis(until.since(office.now.wall).0 + late.0));
        office.open(0);
        office.believe();
        office.inject(1, 0, letter);
        let requests = query::requests(&office.rows(0), office.now.wall).unwrap();
        assert_eq!(requests.len(), usize::from(opens), "{late:?}");
    }
}
