// The numbers in here are small.
#![allow(clippy::cast_possible_truncation)]

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use super::*;
use crate::base::{Millis, PeerId};
use crate::store::database::Database;
use crate::store::durable::Disk;
use crate::store::keyfiles::KeyFiles;
use crate::store::open::Options;
use crate::store::secrets::Secrets;
use crate::store::testing::{Erasable, Note, Place, Plain, Ratchet, Watched, at};
use crate::store::{RowKey, Rows, Scan, Store};

const DAY: Millis = Millis::from_days(1);

fn note(text: &str) -> Note {
    Note(text.as_bytes().to_vec())
}

/// The keys that the stored rows of a table are under.
fn keys_of_rows(place: &Place, table: u8) -> BTreeSet<KeyId> {
    let copy = place.copy();
    let database = Database::open(copy.path(), Arc::new(Disk)).unwrap();
    let rows = database.range(&[table], Some(&[table + 1]), false).unwrap();
    rows.map(|row| Header::of(&row.unwrap().1).unwrap().key).collect()
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[test]
fn nothing_stands_in_clear() {
    let mut place = Place::new(1);
    let store = place.open().unwrap();
    let peer = PeerId::from_key_bytes(*b"the key of a peer, in the clear!");
    let mut buffer = store.begin();
    let key = buffer.create_key(&mut place.rng);
    let row_key = RowKey::new().peer(&peer).blind(b"a secret name");
    let marker = note("a marker that is nowhere");
    buffer.put::<Plain>(&row_key, &marker).unwrap();
    buffer.put::<Ratchet>(&row_key, &marker).unwrap();
    buffer.put_under::<Erasable>(&row_key, key, &marker).unwrap();
    buffer.put_under::<Erasable>(&at(1, 1), key, &Note([&b"a marker that is nowhere"[..]; 900].concat())).unwrap();
    store.commit(buffer, &mut place.rng).unwrap();
    store.renew_state_key(&mut place.rng, place.now).unwrap();
    store.close();
    place.open().unwrap();
    let names = ["a marker", "nowhere", "the key of a peer", "a secret name", "Erasable", "Ratchet"];
    for file in place.files() {
        let bytes = fs::read(&file).unwrap();
        assert!(!contains(&bytes, place.key.expose()), "the store key in {}", file.display());
        for name in names {
            assert!(!contains(&bytes, name.as_bytes()), "'{name}' in {}", file.display());
        }
    }
}

#[test]
fn a_destroyed_key_is_in_no_file_and_its_rows_are_gone() {
    let mut place = Place::new(2);
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    let (doomed, kept) = (buffer.create_key(&mut place.rng), buffer.create_key(&mut place.rng));
    for number in 0..4 {
        let key = if number % 2 == 0 { doomed } else { kept };
        buffer.put_under::<Erasable>(&at(1, number), key, &Note(vec![number as u8; 9_000])).unwrap();
    }
    store.commit(buffer, &mut place.rng).unwrap();
    for file in 0..2 {
        assert!(place.keys_in(file).is_superset(&[doomed, kept].into()), "both files hold a new key");
    }
    let before = place.copy();

    let mut buffer = store.begin();
    buffer.destroy_key(doomed);
    // From this moment on, in the buffer alone.
    assert_eq!(buffer.count::<Erasable>(&Scan::all()).unwrap(), 2);
    assert_eq!(store.reader().count::<Erasable>(&Scan::all()).unwrap(), 4);
    store.commit(buffer, &mut place.rng).unwrap();
    for file in 0..2 {
        let keys = place.keys_in(file);
        assert!(!keys.contains(&doomed) && keys.contains(&kept), "file {file}");
    }
    // The rows are still on the disk, and nothing opens them.
    assert!(keys_of_rows(&place, 203).contains(&doomed));
    let reader = store.reader();
    assert_eq!(reader.get::<Erasable>(&at(1, 0)).unwrap(), None);
    assert_eq!(reader.get::<Erasable>(&at(1, 1)).unwrap(), Some(Note(vec![1; 9_000])));
    assert_eq!(reader.scan::<Erasable>(&Scan::all()).unwrap().len(), 2);
    // It was the key that was erased, and only that: with the key files of before, the row of now opens.
    let secrets = Secrets::derive(&place.key);
    let mut files = KeyFiles::new(before.path(), &secrets.key_files, Arc::new(Disk));
    let stolen = files.load().unwrap().unwrap().contents.keys;
    let row_key = secrets.row_key(203, &at(1, 0));
    let view = store.inner.view();
    let database = &view.opened().unwrap().database;
    let row = database.get(&row_key).unwrap().unwrap();
    let value = open_value(&secrets, &stolen[&doomed].key, &row_key, &row, |chunk| database.get(chunk)).unwrap();
    assert!(value.ends_with(&[0; 9_000]));
}

#[test]
fn a_value_that_shrinks_or_goes_leaves_no_parts() {
    let mut place = Place::new(8);
    let store = place.open().unwrap();
    let mut lengths = Vec::new();
    for length in [Some(20_000), Some(9_000), Some(13_000), Some(100), Some(5_000), None] {
        let mut buffer = store.begin();
        match length {
            Some(length) => buffer.put::<Plain>(&at(1, 1), &Note(vec![1; length])).unwrap(),
            None => buffer.delete::<Plain>(&at(1, 1)),
        }
        store.commit(buffer, &mut place.rng).unwrap();
        assert_eq!(store.reader().get::<Plain>(&at(1, 1)).unwrap().map(|note| note.0.len()), length);
        lengths.push(store.inner.writer().meta.totals.rows);
    }
    assert_eq!(lengths, [5, 3, 4, 1, 2, 0]);
    drop(store);
    place.open().unwrap();
}

#[test]
fn swept_rows_are_off_the_disk() {
    let mut place = Place::new(3);
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    let key = buffer.create_key(&mut place.rng);
    for number in 0..30 {
        buffer.put_under::<Erasable>(&at(1, number), key, &Note(vec![1; 5_000])).unwrap();
        buffer.put::<Plain>(&at(1, number), &note("stays")).unwrap();
    }
    store.commit(buffer, &mut place.rng).unwrap();
    let mut buffer = store.begin();
    buffer.destroy_key(key);
    store.commit(buffer, &mut place.rng).unwrap();
    let mut calls = 1;
    while !store.sweep(25, &mut place.rng).unwrap() {
        calls += 1;
        // Commits go on meanwhile.
        let mut buffer = store.begin();
        buffer.put::<Plain>(&at(2, calls), &note("more")).unwrap();
        store.commit(buffer, &mut place.rng).unwrap();
    }
    assert!(calls >= 3, "{calls}");
    assert!(keys_of_rows(&place, 203).is_empty() && keys_of_rows(&place, 240).is_empty());
    assert_eq!(store.reader().count::<Plain>(&Scan::new(RowKey::new().blind(&[1]))).unwrap(), 30);
    drop(store);
    place.open().unwrap();
}

#[test]
fn a_sweep_that_finds_nothing_commits_nothing() {
    let mut place = Place::new(9);
    let watched = Arc::new(Watched::default());
    let store = place.open_with(&watched.options()).unwrap();
    let mut buffer = store.begin();
    let key = buffer.create_key(&mut place.rng);
    for number in 0..30 {
        buffer.put_under::<Erasable>(&at(1, number), key, &note("stays")).unwrap();
    }
    store.commit(buffer, &mut place.rng).unwrap();
    let commits = store.inner.writer().meta.commits;
    watched.take();
    while !store.sweep(10, &mut place.rng).unwrap() {}
    assert_eq!((watched.take(), store.inner.writer().meta.commits), (Vec::new(), commits));
}

/// Whatever it is that fails, at its first sync or before.
#[test]
fn upkeep_that_fails_closes_the_store() {
    type Upkeep = fn(&Store, &mut Place) -> Result<(), StoreError>;
    let works: [Upkeep; 3] = [
        |store, place| store.stock_keys(&mut place.rng),
        |store, place| store.renew_state_key(&mut place.rng, place.now),
        |store, place| store.sweep(100, &mut place.rng).map(|_| ()),
    ];
    for work in works {
        let mut place = Place::new(10);
        let watched = Arc::new(Watched::default());
        let store = place.open_with(&watched.options()).unwrap();
        let mut buffer = store.begin();
        let key = buffer.create_key(&mut place.rng);
        buffer.put_under::<Erasable>(&at(1, 1), key, &note("goes")).unwrap();
        store.commit(buffer, &mut place.rng).unwrap();
        let mut buffer = store.begin();
        buffer.destroy_key(key);
        // Few are left.
        let _taken: Vec<_> = (0..200).map(|_| buffer.create_key(&mut place.rng)).collect();
        store.commit(buffer, &mut place.rng).unwrap();
        *watched.fails_after.lock().unwrap() = Some(0);
        assert!(matches!(work(&store, &mut place), Err(StoreError::Full)));
        *watched.fails_after.lock().unwrap() = None;
        let because = StoreError::Full.to_string();
        let closed = store.reader().count::<Plain>(&Scan::all());
        assert!(matches!(closed, Err(StoreError::Poisoned { because: b }) if b == because));
    }
    // It cannot read on.
    let mut place = Place::new(11);
    let store = place.open().unwrap();
    let no_row = vec![(vec![201, 1], Some(vec![9]))];
    store.inner.view_mut().opened_mut().unwrap().database.apply(no_row).unwrap();
    assert!(matches!(store.sweep(100, &mut place.rng), Err(StoreError::Damaged { .. })));
    assert!(matches!(store.reader().count::<Plain>(&Scan::all()), Err(StoreError::Poisoned { .. })));
}

/// A store with rows under the State key, some of them long.
fn with_ratchets(place: &mut Place, store: &Store) {
    let mut buffer = store.begin();
    for number in 0..600 {
        let length = if number % 100 == 0 { 10_000 } else { 40 };
        buffer.put::<Ratchet>(&at(1, number), &Note(vec![number as u8; length])).unwrap();
    }
    buffer.put::<Plain>(&at(1, 1), &note("root")).unwrap();
    store.commit(buffer, &mut place.rng).unwrap();
}

fn assert_ratchets(store: &Store) {
    let rows = store.reader().scan::<Ratchet>(&Scan::all()).unwrap();
    assert_eq!(rows.len(), 600);
    for (suffix, row) in rows {
        let number = u64::from_be_bytes(suffix[16..].try_into().unwrap());
        let length = if number % 100 == 0 { 10_000 } else { 40 };
        assert_eq!(row.0, vec![number as u8; length]);
    }
}

#[test]
fn yesterdays_state_key_is_gone_and_its_rows_are_not() {
    let mut place = Place::new(4);
    let store = place.open().unwrap();
    with_ratchets(&mut place, &store);
    let old = keys_of_rows(&place, 202);
    assert_eq!(old.len(), 1);
    place.now.wall = place.now.wall + DAY;
    assert_eq!(store.state_key_age(place.now), DAY);
    // A clock that was years ahead when the key was made must not keep it for years.
    let earlier = Now { wall: place.now.wall - Millis::from_days(900), ..place.now };
    assert_eq!(store.state_key_age(earlier), DAY);
    store.renew_state_key(&mut place.rng, place.now).unwrap();
    assert_eq!(store.state_key_age(place.now), Millis(0));
    assert_ratchets(&store);
    let new = keys_of_rows(&place, 202);
    assert!(new.len() == 1 && new.is_disjoint(&old));
    assert!(keys_of_rows(&place, 240).is_disjoint(&old), "chunk rows, too");
    for file in 0..2 {
        let keys = place.keys_in(file);
        assert!(keys.is_disjoint(&old) && keys.is_superset(&new));
    }
    drop(store);
    assert_ratchets(&place.open().unwrap());
}

#[test]
fn a_renewal_can_be_interrupted_anywhere() {
    for syncs in 0..=9 {
        let mut place = Place::new(5);
        let watched = Arc::new(Watched::default());
        let store = place.open_with(&watched.options()).unwrap();
        with_ratchets(&mut place, &store);
        let old = keys_of_rows(&place, 202);
        let later = Now { wall: place.now.wall + DAY, ..place.now };
        *watched.fails_after.lock().unwrap() = Some(syncs);
        let result = store.renew_state_key(&mut place.rng, later);
        assert_eq!(result.is_ok(), syncs == 9, "{syncs}");
        store.close();
        let store = place.open().unwrap();
        assert_ratchets(&store);
        // Until it is finished, the store asks for it.
        let finished = old.iter().all(|id| !place.keys_in(0).contains(id) && !place.keys_in(1).contains(id));
        assert_eq!(store.state_key_age(later) < DAY, finished, "{syncs}");
        store.renew_state_key(&mut place.rng, later).unwrap();
        assert_ratchets(&store);
        let new = keys_of_rows(&place, 202);
        assert!(new.len() == 1 && new.is_disjoint(&old), "{syncs}");
        for file in 0..2 {
            let keys = place.keys_in(file);
            assert!(keys.is_disjoint(&old) && keys.is_superset(&new), "{syncs}");
        }
    }
}

/// Changes a row of the database behind the store's back.
fn tamper(place: &Place, change: impl FnOnce(&Database) -> (Vec<u8>, Option<Vec<u8>>)) {
    let mut database = Database::open(place.path(), Arc::new(Disk)).unwrap();
    let write = change(&database);
    database.apply(vec![write]).unwrap();
}

#[test]
fn a_row_that_is_missing_or_old_is_damage() {
    let mut place = Place::new(6);
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    for number in 0..10 {
        buffer.put::<Plain>(&at(1, number), &note("first")).unwrap();
    }
    store.commit(buffer, &mut place.rng).unwrap();
    let row_key = store.inner.secrets.row_key(201, &at(1, 4));
    let old = store.inner.view().opened().unwrap().database.get(&row_key).unwrap().unwrap().to_vec();
    let mut buffer = store.begin();
    buffer.put::<Plain>(&at(1, 4), &note("second")).unwrap();
    store.commit(buffer, &mut place.rng).unwrap();
    store.close();

    let mut missing = place.copy();
    tamper(&missing, |_| (row_key.clone(), None));
    let error = missing.open().err().unwrap();
    assert_eq!(error.to_string(), "the store is damaged: there are 9 rows where there should be 10");
    assert!(error.hint().unwrap().contains("rohrpost recover"));
    let mut stale = place.copy();
    tamper(&stale, |_| (row_key.clone(), Some(old)));
    assert_eq!(stale.open().err().unwrap().to_string(), "the store is damaged: rows have fallen back to older ones");
    // Without that, it opens; and having counted once, it does not count again;
    // nor is a log that is large read before.
    place.open().unwrap().close();
    tamper(&place, |_| (row_key.clone(), None));
    let counted = place.open_with(&Options { read_ahead: 0, ..Options::default() }).unwrap();
    assert_eq!(counted.reader().count::<Plain>(&Scan::all()).unwrap(), 9);
}

#[test]
fn a_large_store_is_counted_step_by_step() {
    let options = || Options { counted_at_open: 10, read_ahead: 0, ..Options::default() };
    for damaged in [false, true] {
        let mut place = Place::new(7);
        let store = place.open().unwrap();
        let mut buffer = store.begin();
        for number in 0..60 {
            buffer.put::<Plain>(&at((number % 5) as u8, number), &Note(vec![1; 5_000])).unwrap();
        }
        store.commit(buffer, &mut place.rng).unwrap();
        let last = store.inner.secrets.row_key(201, &at(3, 58));
        drop(store);
        if damaged {
            tamper(&place, |_| (last, None));
        }
        let store = place.open_with(&options()).unwrap();
        let mut steps = 0;
        let result = loop {
            steps += 1;
            match store.check(9) {
                Ok(false) => {}
                other => break other,
            }
            // Meanwhile rows change, come and go, before and behind the place where the count is.
            let mut buffer = store.begin();
            buffer.delete::<Plain>(&at((steps % 5) as u8, steps));
            buffer
                .put::<Plain>(&at((steps % 5) as u8, 7 * steps % 60), &Note(vec![2; 3_000 * steps as usize]))
                .unwrap();
            buffer.put::<Ratchet>(&at(1, steps), &note("new")).unwrap();
            store.commit(buffer, &mut place.rng).unwrap();
        };
        assert!(steps > 10, "{steps}");
        if damaged {
            assert!(matches!(result, Err(StoreError::Damaged { .. })));
            assert!(matches!(store.check(1), Err(StoreError::Poisoned { .. })));
        } else {
            assert!(result.unwrap());
            assert!(store.check(1).unwrap());
        }
    }
}
