//! What is shown is understood, and means one message.

use proptest::prelude::*;

use super::*;
use crate::base::{RoomId, WallTime};
use crate::messenger::query::{ResolveError, resolve_message};
use crate::messenger::tables::{IndexRow, index_key};
use crate::messenger::testing::Office;

/// A profile that has messages with these IDs besides: all stand for one, whose row is there.
fn with(ids: &[MessageId]) -> Office {
    let mut office = Office::new(2);
    office.befriend(0, 1);
    office.say(1, 0, "there");
    let room = RoomId::direct(office.id(1));
    let id = office.history(0, 1).last().unwrap().message_id;
    let row: IndexRow = office.rows(0).get::<MessageIndex>(&index_key(&id)).unwrap().unwrap();
    assert_eq!(row.room, room);
    office.tx(0, |tx| ids.iter().for_each(|id| tx.buf.put::<MessageIndex>(&index_key(id), &row).unwrap()));
    office
}

fn id(begin: &str) -> MessageId {
    format!("{begin:0<64}").parse().unwrap()
}

fn meant(office: &Office, digits: &str) -> Result<MessageId, usize> {
    match resolve_message(&office.rows(0), digits, office.now.wall) {
        Ok((_, id)) => Ok(id),
        Err(ResolveError::NotFound) => Err(0),
        Err(ResolveError::Ambiguous(found, more)) => Err(found.len() + more),
        Err(ResolveError::Store(error)) => panic!("{error}"),
    }
}

#[test]
fn as_many_digits_as_it_takes_and_six_at_least() {
    for (ids, shown) in [
        (&["01a3f9c2"][..], "a3f9c2"),
        (&["01a3f9c2", "01a3f9d4"], "a3f9c2"),
        (&["01a3f9c2", "01a3f9c27"], "a3f9c20"),
        (&["01a3f9c2", "01a3f9c1", "01a3f9c20001"], "a3f9c20000"),
    ] {
        let ids: Vec<_> = ids.iter().map(|begin| id(begin)).collect();
        let office = with(&ids);
        assert_eq!(short_id(&office.rows(0), &ids[0]).unwrap(), shown);
        assert_eq!(meant(&office, shown), Ok(ids[0]));
    }
}

/// Digits that begin as all IDs do could be the beginning of a whole ID, too.
#[test]
fn what_is_shown_of_one_is_not_the_beginning_of_another() {
    let ids = [id("0101a3f9c2"), id("01a3f9c27"), id("01a3f9c3")];
    let office = with(&ids);
    let shown = ids.map(|id| short_id(&office.rows(0), &id).unwrap());
    assert_eq!(shown, ["01a3f9c20", "a3f9c2", "a3f9c3"].map(str::to_owned));
    for (id, shown) in ids.iter().zip(&shown) {
        assert_eq!(meant(&office, shown), Ok(*id));
    }
    assert_eq!(meant(&office, "01a3f9c2"), Err(2), "neither goes before the other");
}

#[test]
fn all_that_could_be_meant_are_counted() {
    let ids: Vec<_> = (0..25_u32).map(|n| id(&format!("01a3f9{n:02x}"))).collect();
    let office = with(&ids);
    assert_eq!((meant(&office, "a3f9"), meant(&office, "01A3F9")), (Err(25), Err(25)));
    assert_eq!(meant(&office, "a3f90"), Err(16));
    for none in ["", "x", "a3f9ff", &format!("{}0", ids[0])] {
        assert_eq!(meant(&office, none), Err(0), "{none}");
    }
    // What is forgotten is not meant, and takes nothing from those that are.
    assert!(matches!(meant(&office, "01"), Err(26..)));
    assert!(resolve_message(&office.rows(0), "01", WallTime(0)).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Of few digits, so that much is shared.
    #[test]
    fn whatever_is_shown_and_whatever_is_longer_means_it(begins in proptest::collection::btree_set("01[01]{0,9}[012]{0,3}", 1..12)) {
        let ids: Vec<MessageId> = (0..).zip(&begins).map(|(n, begin): (u32, _)| format!("{begin:0<60}f{n:03}").parse().unwrap()).collect();
        let office = with(&ids);
        for id in &ids {
            let (whole, shown) = (id.to_string(), short_id(&office.rows(0), id).unwrap());
            prop_assert!(whole[2..].starts_with(&shown) && shown.len() >= SHORTEST);
            for digits in [shown.clone(), shown.to_uppercase(), format!("01{shown}"), whole[2..].to_owned(), whole.clone()] {
                let meant = meant(&office, &digits);
                // With what all begin with before it, it can be shown of another.
                prop_assert!(meant == Ok(*id) || (digits == format!("01{shown}") && meant.is_err()), "{digits}: {meant:?}");
            }
            let less = &shown[..shown.len() - 1];
            prop_assert!(shown.len() == SHORTEST || meant(&office, less).is_err(), "{less} would do");
        }
    }
}
