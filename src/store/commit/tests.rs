// The numbers in here are small.
#![allow(clippy::cast_possible_truncation)]

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::*;
use crate::base::Millis;
use crate::store::durable::{Disk, Durable, Synced};
use crate::store::open::Options;
use crate::store::row::doomed_by;
use crate::store::testing::{Dump, Erasable, Note, Place, Plain, Watched, at, copy_folder, scale};
use crate::store::{Rows, Scan, Store, WriteBuffer};

/// Takes a key and puts a row under it.
fn take(buffer: &mut WriteBuffer, place: &mut Place, number: u64) -> KeyId {
    let key = buffer.create_key(&mut place.rng);
    buffer.put_under::<Erasable>(&at(1, number), key, &Note(vec![7; 20])).unwrap();
    key
}

#[test]
fn taking_a_key_that_was_made_ahead_writes_no_file() {
    let mut place = Place::new(1);
    let watched = Arc::new(Watched::default());
    let store = place.open_with(&watched.options()).unwrap();
    watched.take();
    store.stock_keys(&mut place.rng).unwrap();
    assert_eq!(watched.take(), [Synced::Keys, Synced::Keys]);
    let mut stocked = 0;
    for number in 0..400 {
        let mut buffer = store.begin();
        take(&mut buffer, &mut place, number);
        store.commit(buffer, &mut place.rng).unwrap();
        assert_eq!(watched.take(), [Synced::Database], "{number}");
        store.stock_keys(&mut place.rng).unwrap();
        match watched.take().as_slice() {
            [] => {}
            [Synced::Keys, Synced::Keys] => stocked += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(stocked, 2);
}

#[test]
fn no_name_is_given_out_twice_whatever_was_interrupted() {
    let mut place = Place::new(2);
    let mut given = BTreeSet::new();
    let mut committed = BTreeSet::new();
    for round in 0..40 {
        let watched = Arc::new(Watched::default());
        let store = place.open_with(&watched.options()).unwrap();
        // What was in a commit has its key, and what was in one that failed counts as lost, unless it did not fail.
        let buffer = store.begin();
        let kept: BTreeSet<KeyId> = given.iter().copied().filter(|id| buffer.has_key(*id)).collect();
        assert!(kept.is_superset(&committed), "round {round}: a key is gone");
        for number in 0..given.len() as u64 {
            if let Some(key) = buffer.key_of::<Erasable>(&at(1, number)).unwrap() {
                assert!(kept.contains(&key) && buffer.get::<Erasable>(&at(1, number)).unwrap().is_some());
            }
        }
        committed = kept;
        drop(buffer);
        // Keys that are not used may come again: those of a dropped buffer, and those that were rolled back.
        let mut buffer = store.begin();
        let dropped: Vec<_> = (0..3).map(|_| buffer.create_key(&mut place.rng)).collect();
        assert!(dropped.iter().all(|id| !given.contains(id)), "round {round}");
        drop(buffer);
        let mut buffer = store.begin();
        let savepoint = buffer.savepoint();
        assert_eq!(buffer.create_key(&mut place.rng), dropped[0]);
        buffer.rollback(savepoint);
        assert!(!buffer.has_key(dropped[0]));
        *watched.fails_after.lock().unwrap() = Some(round % 8);
        let mut failed = round % 3 == 0 && store.stock_keys(&mut place.rng).is_err();
        while !failed {
            let count = if round % 5 == 0 { 300 } else { 2 };
            for _ in 0..count {
                let number = given.len() as u64;
                assert!(given.insert(take(&mut buffer, &mut place, number)), "round {round}: given out twice");
            }
            failed = store.commit(buffer, &mut place.rng).is_err();
            if !failed {
                committed.clone_from(&given.iter().copied().filter(|id| store.begin().has_key(*id)).collect());
            }
            buffer = store.begin();
        }
        store.close();
    }
    assert!(committed.len() > 300 && committed.len() < given.len(), "{} of {}", committed.len(), given.len());
}

#[test]
fn a_new_store_takes_no_name_of_another() {
    let names = |seed| {
        let mut place = Place::new(seed);
        let store = place.open().unwrap();
        let mut buffer = store.begin();
        (0..300).map(|_| buffer.create_key(&mut place.rng)).collect::<BTreeSet<_>>()
    };
    assert!(names(3).is_disjoint(&names(4)));
}

/// A disk that puts aside what it would hold at each sync: before and after it, if the process died there, and if the power
/// was cut and nothing stayed that was not synced.
struct Aside {
    dir: PathBuf,
    /// What was synced.
    durable: TempDir,
    states: Mutex<Vec<TempDir>>,
    active: Mutex<bool>,
}

impl Aside {
    fn put(&self, from: &Path) {
        let to = tempfile::tempdir().unwrap();
        copy_folder(from, to.path());
        self.states.lock().unwrap().push(to);
    }
}

impl Durable for Aside {
    fn sync(&self, file: &File, what: Synced) -> io::Result<()> {
        if !*self.active.lock().unwrap() {
            return Disk.sync(file, what);
        }
        self.put(&self.dir);
        self.put(self.durable.path());
        Disk.sync(file, what)?;
        let inode = file.metadata()?.ino();
        for name in ["db/db", "keys.a", "keys.b"] {
            if fs::metadata(self.dir.join(name))?.ino() == inode {
                fs::copy(self.dir.join(name), self.durable.path().join(name))?;
            }
        }
        self.put(&self.dir);
        self.put(self.durable.path());
        Ok(())
    }
}

/// What of a long conversation is in a store: none, all, or something in between.
fn left(store: &Store, slots: u64) -> u64 {
    let count = store.reader().count::<Erasable>(&Scan::new(crate::store::RowKey::new().blind(&[1]))).unwrap();
    assert!(count == 0 || count >= slots, "half of it is gone");
    count
}

/// With `ROHRPOST_TEST_SCALE=256` two million rows in 4,000 slots.
#[test]
fn a_conversation_of_any_length_is_gone_with_one_commit_whatever_interrupts_it() {
    let (slots, rows) = ((500 * scale() as u64).min(4_000), (2 * scale() as u64).min(512));
    let mut place = Place::new(5);
    let mut doomed = Vec::new();
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    let kept = buffer.create_key(&mut place.rng);
    buffer.put_under::<Erasable>(&at(2, 1), kept, &Note(b"of another conversation".to_vec())).unwrap();
    for slot in 0..slots {
        let key = buffer.create_key(&mut place.rng);
        for row in 0..rows {
            let text = Note(format!("marker {slot} {row}").into_bytes());
            buffer.put_under::<Erasable>(&at(1, slot * rows + row), key, &text).unwrap();
        }
        doomed.push(key);
        if (slot * rows) % 2_000 > (slot * rows + rows) % 2_000 || slot + 1 == slots {
            store.commit(buffer, &mut place.rng).unwrap();
            buffer = store.begin();
        }
    }
    drop(buffer);
    store.close();
    let durable = tempfile::tempdir().unwrap();
    copy_folder(place.path(), durable.path());
    let disk =
        Arc::new(Aside { dir: place.path().to_owned(), durable, states: Mutex::default(), active: Mutex::new(false) });
    let options = Options { disk: Arc::clone(&disk) as Arc<dyn Durable>, ..Options::default() };
    let store = place.open_with(&options).unwrap();
    let before = place.dump();
    *disk.active.lock().unwrap() = true;
    let mut buffer = store.begin();
    doomed.iter().for_each(|key| buffer.destroy_key(*key));
    store.commit(buffer, &mut place.rng).unwrap();
    *disk.active.lock().unwrap() = false;
    assert_eq!(left(&store, slots), 0);
    all_is_forgotten(&mut place, &doomed, &before);

    // The rows that name the keys are gone with the next commit.
    let mut buffer = store.begin();
    buffer.put::<Plain>(&at(1, 1), &Note(Vec::new())).unwrap();
    store.commit(buffer, &mut place.rng).unwrap();
    store.close();
    assert!(place.dump().keys().all(|key| doomed_by(key).is_none()));

    let mut outcomes = BTreeSet::new();
    for (number, state) in disk.states.lock().unwrap().iter().enumerate() {
        let mut copy = Place::new(6).with_key(&place.key);
        copy_folder(state.path(), copy.path());
        let store = copy.open().unwrap_or_else(|error| panic!("state {number}: {error}"));
        let all = left(&store, slots);
        assert!(store.reader().contains::<Erasable>(&at(2, 1)).unwrap());
        outcomes.insert((number >= 2, all == 0));
        // After the sync of the database it is gone, and before it, it is all there or gone.
        assert!(number < 2 || all == 0, "state {number}: what was committed came back");
        if all == 0 {
            for file in 0..2 {
                let keys = copy.keys_in(file);
                assert!(doomed.iter().all(|key| !keys.contains(key)), "state {number}, file {file}");
            }
        }
        let mut buffer = store.begin();
        assert!(doomed.iter().all(|key| buffer.has_key(*key) == (all > 0)));
        assert!(!doomed.contains(&buffer.create_key(&mut copy.rng)));
        buffer.put::<Plain>(&at(1, 1), &Note(Vec::new())).unwrap();
        store.commit(buffer, &mut copy.rng).unwrap();
        store.close();
        copy.now.wall = copy.now.wall + Millis::from_days(1);
        copy.open().unwrap();
    }
    // The power was cut before the sync, and after it.
    assert!(outcomes.contains(&(false, false)) && outcomes.contains(&(true, true)), "{outcomes:?}");
}

/// Nothing of what is on the disk, or was on it, opens.
fn all_is_forgotten(place: &mut Place, doomed: &[KeyId], before: &Dump) {
    for file in 0..2 {
        let keys = place.keys_in(file);
        assert!(doomed.iter().all(|key| !keys.contains(key)), "a key is in file {file}");
    }
    let opened = place.open_all(before);
    assert!(opened.iter().any(|(_, value)| value.ends_with(b"of another conversation")), "nothing opens at all");
    assert!(opened.iter().all(|(_, value)| !value.windows(7).any(|part| part == b"marker ")), "a row opens");
}
