// The numbers in here are small.
#![allow(clippy::cast_possible_truncation)]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::sync_channel;
use std::thread;

use super::*;
use crate::base::Millis;
use crate::store::durable::Synced;
use crate::store::testing::{Erasable, Note, Place, Plain, Ratchet, Watched, at, copy_folder};
use crate::store::{Rows, Scan};

fn note(text: &str) -> Note {
    Note(text.as_bytes().to_vec())
}

fn put(store: &Store, place: &mut Place, number: u64, text: &str) -> Result<(), StoreError> {
    let mut buffer = store.begin();
    buffer.put::<Plain>(&at(1, number), &note(text)).unwrap();
    store.commit(buffer, &mut place.rng)
}

#[test]
fn what_is_committed_is_there_after_reopening() {
    let mut place = Place::new(1);
    let store = place.open().unwrap();
    put(&store, &mut place, 1, "kept").unwrap();
    let mut buffer = store.begin();
    buffer.put::<Plain>(&at(1, 2), &note("dropped")).unwrap();
    drop((buffer, store));
    let reader = place.open().unwrap().reader();
    assert_eq!(reader.get::<Plain>(&at(1, 1)).unwrap(), Some(note("kept")));
    assert_eq!(reader.get::<Plain>(&at(1, 2)).unwrap(), None);
}

#[test]
fn every_commit_syncs_the_database_file_and_keys_in_their_order() {
    let mut place = Place::new(2);
    let watched = Arc::new(Watched::default());
    let store = place.open_with(&watched.options()).unwrap();
    let inode = fs::metadata(place.path().join("db/db")).unwrap().ino();
    let keys = ["keys.a", "keys.b"].map(|name| fs::metadata(place.path().join(name)).unwrap().ino());
    watched.take();

    put(&store, &mut place, 1, "plain").unwrap();
    assert_eq!(watched.seen.lock().unwrap().drain(..).collect::<Vec<_>>(), [(Synced::Database, inode)]);

    let mut buffer = store.begin();
    let key = buffer.create_key(&mut place.rng);
    buffer.put_under::<Erasable>(&at(1, 1), key, &note("secret")).unwrap();
    store.commit(buffer, &mut place.rng).unwrap();
    let seen: Vec<_> = watched.seen.lock().unwrap().drain(..).collect();
    assert_eq!(seen.iter().map(|(what, _)| *what).collect::<Vec<_>>(), [Synced::Keys, Synced::Database, Synced::Keys]);
    assert!(seen[1].1 == inode && seen[0].1 != seen[2].1 && keys.contains(&seen[0].1) && keys.contains(&seen[2].1));

    // There are more of them now.
    let mut buffer = store.begin();
    let another = buffer.create_key(&mut place.rng);
    buffer.put_under::<Erasable>(&at(1, 2), another, &note("secret")).unwrap();
    store.commit(buffer, &mut place.rng).unwrap();
    assert_eq!(watched.take(), [Synced::Database]);

    let mut buffer = store.begin();
    buffer.destroy_key(key);
    store.commit(buffer, &mut place.rng).unwrap();
    assert_eq!(watched.take(), [Synced::Database, Synced::Keys, Synced::Keys]);

    // It is gone: nothing has to be forgotten, and no key file follows.
    let mut buffer = store.begin();
    buffer.destroy_key(key);
    store.commit(buffer, &mut place.rng).unwrap();
    assert_eq!(watched.take(), [Synced::Database]);

    // Nothing to do, nothing to sync.
    store.commit(store.begin(), &mut place.rng).unwrap();
    assert_eq!(watched.take(), []);
}

#[test]
fn rows_that_are_put_and_deleted_are_counted_by_table() {
    let mut place = Place::new(11);
    let store = place.open().unwrap();
    assert_eq!(store.written(), BTreeMap::new());
    let mut buffer = store.begin();
    buffer.put::<Plain>(&at(1, 1), &note("short")).unwrap();
    buffer.put::<Plain>(&at(1, 2), &Note(vec![1; 9_000])).unwrap();
    buffer.put::<Ratchet>(&at(1, 1), &note("short")).unwrap();
    // It was never there.
    buffer.delete::<Plain>(&at(1, 3));
    store.commit(buffer, &mut place.rng).unwrap();
    assert_eq!(store.written(), BTreeMap::from([(201, 2), (202, 1), (240, 2)]));
    let mut buffer = store.begin();
    buffer.delete::<Plain>(&at(1, 2));
    store.commit(buffer, &mut place.rng).unwrap();
    assert_eq!(store.written(), BTreeMap::from([(201, 3), (202, 1), (240, 4)]));
}

#[test]
fn when_the_sync_begins_everything_is_written() {
    let mut place = Place::new(3);
    let watched = Arc::new(Watched::default());
    let store = place.open_with(&watched.options()).unwrap();
    // At each sync of the database, what the system was given so far is put aside.
    let aside = place.copy();
    let (from, to) = (place.path().to_owned(), aside.path().to_owned());
    *watched.before.lock().unwrap() = Some(Box::new(move |what| {
        if what == Synced::Database {
            copy_folder(&from, &to);
        }
    }));
    let mut buffer = store.begin();
    let key = buffer.create_key(&mut place.rng);
    buffer.put_under::<Erasable>(&at(1, 1), key, &note("under a new key")).unwrap();
    buffer.put::<Plain>(&at(1, 1), &Note(vec![9; 30_000])).unwrap();
    store.commit(buffer, &mut place.rng).unwrap();
    let mut aside = aside;
    let reader = aside.open().unwrap().reader();
    assert_eq!(reader.get::<Plain>(&at(1, 1)).unwrap(), Some(Note(vec![9; 30_000])));
    assert_eq!(reader.get::<Erasable>(&at(1, 1)).unwrap(), Some(note("under a new key")));
}

#[test]
fn a_failed_sync_closes_the_store_until_it_is_opened_again() {
    for step in 0..4 {
        let mut place = Place::new(4);
        let watched = Arc::new(Watched::default());
        let store = place.open_with(&watched.options()).unwrap();
        let mut buffer = store.begin();
        let old = buffer.create_key(&mut place.rng);
        buffer.put_under::<Erasable>(&at(1, 1), old, &note("old")).unwrap();
        store.commit(buffer, &mut place.rng).unwrap();
        store.close();

        // A process that has no keys left makes new ones in the commit.
        let store = place.open_with(&watched.options()).unwrap();
        let mut buffer = store.begin();
        let new = buffer.create_key(&mut place.rng);
        buffer.put_under::<Erasable>(&at(1, 2), new, &note("new")).unwrap();
        buffer.destroy_key(old);
        *watched.fails_after.lock().unwrap() = Some(step);
        let reader = store.reader();
        assert!(matches!(store.commit(buffer, &mut place.rng), Err(StoreError::Full)), "{step}");
        // Nothing goes on: not reading, not writing. What has closed it first is why.
        *watched.fails_after.lock().unwrap() = None;
        store.close();
        let because = StoreError::Full.to_string();
        assert!(matches!(reader.get::<Plain>(&at(1, 1)), Err(StoreError::Poisoned { because: b }) if b == because));
        assert!(matches!(store.begin().scan::<Plain>(&Scan::all()), Err(StoreError::Poisoned { .. })));
        assert!(matches!(put(&store, &mut place, 1, "x"), Err(StoreError::Poisoned { .. })));
        assert!(matches!(store.commit(store.begin(), &mut place.rng), Err(StoreError::Poisoned { .. })));
        assert!(matches!(store.check(1), Err(StoreError::Poisoned { .. })));
        assert_eq!(store.state_key_age(place.now), Millis(0));

        // The old handles are still there, and do not stand in the way. All of the commit is there, or nothing of it.
        let store = place.open().unwrap();
        let reader = store.reader();
        let committed = step > 0;
        assert_eq!(reader.get::<Erasable>(&at(1, 1)).unwrap().is_some(), !committed, "{step}");
        assert_eq!(reader.get::<Erasable>(&at(1, 2)).unwrap().is_some(), committed, "{step}");
        assert_eq!((store.begin().has_key(old), store.begin().has_key(new)), (!committed, committed));
    }
}

#[test]
fn making_a_store_can_be_interrupted_anywhere() {
    let mut syncs = 0;
    loop {
        let mut place = Place::new(5);
        let watched = Arc::new(Watched::default());
        *watched.fails_after.lock().unwrap() = Some(syncs);
        let result = place.open_with(&watched.options());
        if result.is_ok() {
            break;
        }
        drop(result);
        let store = place.open().unwrap_or_else(|error| panic!("after {syncs} syncs: {error}"));
        put(&store, &mut place, 1, "works").unwrap();
        drop(store);
        // However it came about: it was in use, and what is missing now is missed.
        fs::remove_dir_all(place.path().join("db")).unwrap();
        fs::remove_file(place.path().join("mark")).unwrap();
        assert!(matches!(place.open(), Err(StoreError::Damaged { .. })), "after {syncs} syncs");
        syncs += 1;
    }
    // Two key files with their folders, sled's files and folders, the first commit, both key files again.
    assert!(syncs >= 10, "{syncs}");
}

#[test]
fn everything_is_private() {
    let mut place = Place::new(6);
    let place_of = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    for _ in 0..3 {
        let store = place.open().unwrap();
        put(&store, &mut place, 1, "x").unwrap();
        let files = place.files();
        assert!(files.len() >= 5, "{files:?}");
        for file in files {
            assert_eq!(place_of(&file), 0o600, "{}", file.display());
        }
        for folder in ["", "db", "db/blobs"] {
            assert_eq!(place_of(&place.path().join(folder)), 0o700, "{folder}");
        }
    }
}

#[test]
fn a_file_in_blobs_is_a_fault() {
    let mut place = Place::new(7);
    let store = place.open().unwrap();
    let blobs = place.path().join("db/blobs");
    put(&store, &mut place, 1, "fits").unwrap();
    let mut buffer = store.begin();
    for number in 0..200 {
        buffer.put::<Plain>(&at(1, number), &Note(vec![7; 3_900 + number as usize * 100])).unwrap();
    }
    store.commit(buffer, &mut place.rng).unwrap();
    assert_eq!(fs::read_dir(&blobs).unwrap().count(), 0);
    fs::write(blobs.join("17"), "a page").unwrap();
    assert!(matches!(put(&store, &mut place, 1, "again"), Err(StoreError::Fault(_))));
    assert!(matches!(put(&store, &mut place, 1, "again"), Err(StoreError::Poisoned { .. })));
}

#[test]
fn one_store_at_a_time() {
    let mut place = Place::new(8);
    let store = place.open().unwrap();
    let lock = crate::store::ProfileLock::acquire(place.path()).unwrap();
    let me = crate::store::Process::Number(std::process::id());
    assert!(matches!(place.open(), Err(StoreError::Locked { process }) if process == me));
    drop((store, lock));
    place.open().unwrap();
}

#[test]
fn a_closed_store_says_so_and_opens_again() {
    let mut place = Place::new(9);
    let store = place.open().unwrap();
    let (reader, buffer) = (store.reader(), store.begin());
    store.close();
    store.close();
    assert!(
        matches!(reader.count::<Plain>(&Scan::all()), Err(StoreError::Poisoned { because }) if because == "it was closed")
    );
    assert!(!buffer.has_key(KeyId(7)));
    place.open().unwrap();
}

#[test]
fn readers_see_whole_and_durable_commits() {
    const COMMITS: u64 = 150;
    let mut place = Place::new(10);
    let watched = Arc::new(Watched::default());
    let store = place.open_with(&watched.options()).unwrap();
    watched.take();
    let reader = store.reader();
    let (seen, (done, finished)) = (Arc::clone(&watched), sync_channel::<()>(1));
    let watching = thread::spawn(move || {
        let number = |table: Option<Note>| table.map_or(0, |note| u64::from_be_bytes(note.0.try_into().unwrap()));
        let mut states = 0;
        let mut last = 0;
        while finished.try_recv().is_err() {
            let rows = reader.scan::<Plain>(&Scan::all()).unwrap();
            let all: Vec<_> = rows.into_iter().map(|(_, note)| number(Some(note))).collect();
            // One scan, one commit.
            assert!(all.windows(2).all(|two| two[0] == two[1]), "{all:?}");
            let present = all.first().copied().unwrap_or(0);
            let durable = seen.seen.lock().unwrap().len() as u64;
            assert!(present <= durable, "{present} seen, {durable} durable");
            // A row of another table is of the same commit or a later one.
            assert!(number(reader.get::<Ratchet>(&at(9, 9)).unwrap()) >= present);
            states += u64::from(present != last);
            last = present;
        }
        states
    });
    for commit in 1..=COMMITS {
        let mut buffer = store.begin();
        let value = Note(commit.to_be_bytes().to_vec());
        for number in 0..20 {
            buffer.put::<Plain>(&at((number % 3) as u8, number), &value).unwrap();
        }
        buffer.put::<Ratchet>(&at(9, 9), &value).unwrap();
        store.commit(buffer, &mut place.rng).unwrap();
    }
    done.send(()).unwrap();
    assert!(watching.join().unwrap() > 3, "the reader saw next to nothing");
}
