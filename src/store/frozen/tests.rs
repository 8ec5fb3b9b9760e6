use std::fs;

use super::*;
use crate::store::testing::{Erasable, Note, Place, Plain, Ratchet, at};
use crate::store::{Rows, Scan, Store};

fn full() -> StoreError {
    StoreError::Full
}

/// A store with rows of all kinds, closed.
fn used() -> Place {
    let mut place = Place::new(1);
    let store = place.open().unwrap();
    for commit in 0..20_u64 {
        let mut buffer = store.begin();
        let key = buffer.create_key(&mut place.rng);
        for number in 0..30 {
            let length = if number == 7 { 9_000 } else { 40 };
            buffer.put::<Plain>(&at(1, commit * 20 + number), &Note(vec![7; length])).unwrap();
            buffer.put_under::<Erasable>(&at(2, commit * 30 + number), key, &Note(vec![8; 20])).unwrap();
        }
        buffer.put::<Ratchet>(&at(3, commit), &Note(vec![9])).unwrap();
        buffer.delete::<Plain>(&at(1, commit * 3));
        store.commit(buffer, &mut place.rng).unwrap();
        if commit == 4 {
            let mut buffer = store.begin();
            buffer.destroy_key(key);
            store.commit(buffer, &mut place.rng).unwrap();
        }
    }
    store.close();
    place
}

#[test]
fn it_shows_what_the_store_shows_and_writes_nothing() {
    let mut place = used();
    let bytes = |place: &Place| place.files().iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>();
    let before = bytes(&place);
    let frozen = Store::open_frozen(place.path(), &place.key, full()).unwrap();
    let mut seen = Vec::new();
    for (scan, reverse) in [(Scan::all(), false), (Scan::all().reverse(), true), (Scan::all().limit(17), false)] {
        let reader = frozen.reader();
        let plain = reader.scan::<Plain>(&scan).unwrap();
        assert!(plain.len() >= 17 && (plain.first().map(|(key, _)| key) < plain.last().map(|(key, _)| key)) != reverse);
        seen.push((plain, reader.scan::<Erasable>(&scan).unwrap(), reader.scan::<Ratchet>(&scan).unwrap()));
    }
    assert_eq!(frozen.reader().get::<Plain>(&at(1, 0)).unwrap(), None);
    assert!(matches!(frozen.frozen(), Some(StoreError::Full)));

    // Nothing can be written, and that does not close it.
    frozen.stock_keys(&mut place.rng).expect("keys are made ahead for what can be written");
    for round in 0..2 {
        let mut buffer = frozen.begin();
        if round == 0 {
            buffer.put::<Plain>(&at(1, 1), &Note(Vec::new())).unwrap();
        } else {
            buffer.create_key(&mut place.rng);
        }
        assert!(matches!(frozen.commit(buffer, &mut place.rng), Err(StoreError::Full)));
        assert!(frozen.reader().contains::<Plain>(&at(1, 1)).unwrap());
    }
    assert!(matches!(frozen.renew_state_key(&mut place.rng, place.now), Err(StoreError::Full)));
    frozen.close();
    assert!(bytes(&place) == before, "a file was changed");

    let store = place.open().unwrap();
    let reader = store.reader();
    for (scan, (plain, erasable, ratchet)) in
        [Scan::all(), Scan::all().reverse(), Scan::all().limit(17)].iter().zip(seen)
    {
        assert!(reader.scan::<Plain>(scan).unwrap() == plain && reader.scan::<Erasable>(scan).unwrap() == erasable);
        assert!(reader.scan::<Ratchet>(scan).unwrap() == ratchet);
    }
}

#[test]
fn what_is_damaged_is_not_shown_as_whole() {
    let place = used();
    let path = place.path().join("db/db");
    let sound = fs::read(&path).unwrap();
    // Half of it, and one row less: rows are counted.
    for cut in [sound.len() / 2, sound.len() / 4 * 3] {
        fs::write(&path, &sound[..cut]).unwrap();
        let error = Store::open_frozen(place.path(), &place.key, full()).err().unwrap();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    }
    fs::remove_file(&path).unwrap();
    let error = Store::open_frozen(place.path(), &place.key, full()).err().unwrap();
    assert!(matches!(error, StoreError::Damaged { what } if what == "its database is missing"));
}
