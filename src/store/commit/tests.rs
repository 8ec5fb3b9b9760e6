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
use crate::base::failpoint::watch;
use crate::base::{Millis, Secret};
use crate::store::durable::{Disk, Durable, Synced};
use crate::store::open::Options;
use crate::store::row::doomed_by;
use crate::store::testing::{Dump, Erasable, Note, Place, Plain, Watched, at, copy_folder, scale};
use crate::store::{RowKey, Rows, Scan, Store, WriteBuffer};

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

/// A simulation is played again by its seed: also what many keys leave that go at once.
#[test]
fn the_same_randomness_makes_the_same_rows() {
    let dump = || {
        let mut place = Place::new(7);
        let store = place.open().unwrap();
        let mut buffer = store.begin();
        let keys: Vec<_> = (0..20).map(|number| take(&mut buffer, &mut place, number)).collect();
        store.commit(buffer, &mut place.rng).unwrap();
        let mut buffer = store.begin();
        keys.iter().for_each(|key| buffer.destroy_key(*key));
        store.commit(buffer, &mut place.rng).unwrap();
        store.close();
        place.dump()
    };
    assert!(dump() == dump());
}

/// A disk beside which another is kept that has what was synced, and nothing else: what is left when the power is cut.
struct Mirrored {
    dir: PathBuf,
    durable: TempDir,
}

impl Durable for Mirrored {
    fn sync(&self, file: &File, what: Synced) -> io::Result<()> {
        Disk.sync(file, what)?;
        let inode = file.metadata()?.ino();
        for name in ["db/db", "keys.a", "keys.b"] {
            if fs::metadata(self.dir.join(name))?.ino() == inode {
                fs::copy(self.dir.join(name), self.durable.path().join(name))?;
            }
        }
        Ok(())
    }
}

/// A conversation, by its slots, and what came to its store in the commit that deletes it.
#[derive(Clone)]
struct Long {
    slots: u64,
    rows: u64,
    doomed: Vec<KeyId>,
    /// Of another conversation.
    others: u64,
}

impl Long {
    /// Puts it into a store, some thousand rows a commit.
    fn fill(slots: u64, rows: u64, store: &Store, place: &mut Place) -> Self {
        let (mut doomed, others) = (Vec::new(), 200);
        let mut buffer = store.begin();
        let kept = buffer.create_key(&mut place.rng);
        for number in 0..others {
            let note = Note(b"of another conversation".to_vec());
            buffer.put_under::<Erasable>(&at(2, number), kept, &note).unwrap();
        }
        for slot in 0..slots {
            let key = buffer.create_key(&mut place.rng);
            for row in 0..rows {
                let text = Note(format!("marker {slot} {row}").into_bytes());
                buffer.put_under::<Erasable>(&at(1, slot * rows + row), key, &text).unwrap();
            }
            doomed.push(key);
            if (slot * rows) % 2_000 > (slot * rows + rows) % 2_000 {
                store.commit(buffer, &mut place.rng).unwrap();
                buffer = store.begin();
            }
        }
        store.commit(buffer, &mut place.rng).unwrap();
        Self { slots, rows, doomed, others }
    }

    /// Whether it is gone from a store; half of it never is.
    fn is_gone(&self, store: &Store) -> bool {
        let of = |group: u8| store.reader().count::<Erasable>(&Scan::new(RowKey::new().blind(&[group]))).unwrap();
        let left = of(1);
        assert!(left == 0 || left == self.slots * self.rows, "{left} rows are left");
        assert_eq!(of(2), self.others);
        assert_eq!(store.reader().contains::<Erasable>(&at(3, 1)).unwrap(), left == 0, "what was said afterwards");
        left == 0
    }

    /// The process died, and this is what the disk has: whether the conversation is gone. If so, for good.
    fn is_gone_from(&self, disk: &Path, key: &Secret<32>) -> bool {
        let mut copy = Place::new(6).with_key(key);
        copy_folder(disk, copy.path());
        let store = copy.open().unwrap();
        while !store.check(usize::MAX).unwrap() {}
        let gone = self.is_gone(&store);
        if gone {
            for file in 0..2 {
                let keys = copy.keys_in(file);
                assert!(self.doomed.iter().all(|key| !keys.contains(key)), "a key is in file {file}");
            }
        }
        let mut buffer = store.begin();
        assert!(self.doomed.iter().all(|key| buffer.has_key(*key) != gone));
        assert!(!self.doomed.contains(&buffer.create_key(&mut copy.rng)));
        buffer.put::<Plain>(&at(1, 1), &Note(Vec::new())).unwrap();
        store.commit(buffer, &mut copy.rng).unwrap();
        store.close();
        copy.now.wall = copy.now.wall + Millis::from_days(1);
        copy.open().unwrap();
        gone
    }
}

/// With `ROHRPOST_TEST_SCALE=256` two million rows in 4,000 slots: a million messages, and how far they have come.
#[test]
fn a_conversation_of_any_length_is_gone_with_one_commit_whatever_interrupts_it() {
    let (slots, rows) = ((500 * scale() as u64).min(4_000), (2 * scale() as u64).min(512));
    let mut place = Place::new(5);
    let store = place.open().unwrap();
    let long = Long::fill(slots, rows, &store, &mut place);
    store.close();
    let before = place.dump();
    // Each key is tried on each row: of many rows some have to do.
    let step = before.len() / 20_000 + 1;
    let before: Dump = before.into_iter().step_by(step).collect();
    let durable = tempfile::tempdir().unwrap();
    copy_folder(place.path(), durable.path());
    let (dir, after_a_cut) = (place.path().to_owned(), durable.path().to_owned());
    let disk = Arc::new(Mirrored { dir: dir.clone(), durable });
    let options = Options { disk: Arc::clone(&disk) as Arc<dyn Durable>, ..Options::default() };
    let store = place.open_with(&options).unwrap();

    // Something new is said in the same commit, under a key that is made in it.
    let mut buffer = store.begin();
    long.doomed.iter().for_each(|key| buffer.destroy_key(*key));
    let new = buffer.create_key(&mut place.rng);
    buffer.put_under::<Erasable>(&at(3, 1), new, &Note(b"afterwards".to_vec())).unwrap();
    let deaths = Arc::new(Mutex::new(Vec::new()));
    let (noted, conversation, key) = (Arc::clone(&deaths), long.clone(), place.key.clone());
    watch::watch(move |point| {
        let gone = [&dir, &after_a_cut].map(|disk| conversation.is_gone_from(disk, &key));
        noted.lock().unwrap().push((point.to_owned(), gone));
    });
    store.commit(buffer, &mut place.rng).unwrap();
    watch::end();
    assert!(long.is_gone(&store));
    all_is_forgotten(&mut place, &long.doomed, &before);

    // The rows that name the keys are gone with the next commit.
    let mut buffer = store.begin();
    buffer.put::<Plain>(&at(1, 1), &Note(Vec::new())).unwrap();
    store.commit(buffer, &mut place.rng).unwrap();
    store.close();
    assert!(place.dump().keys().all(|key| doomed_by(key).is_none()));

    let mut deaths = std::mem::take(&mut *deaths.lock().unwrap());
    println!("a conversation of {} rows in {slots} slots: {deaths:?}", slots * rows);
    // Of what was applied, and not handed to the system, some may be on the disk: all counts, or nothing.
    if let Some((_, gone)) = deaths.iter_mut().find(|(point, _)| point == "applied") {
        gone[0] = false;
    }
    let [there, written, gone] = [[false, false], [true, false], [true, true]];
    let file = |gone| ["key-file-written", "key-file-synced"].map(|point| (point.to_owned(), gone));
    let expected = [
        file(there).to_vec(),
        [("keys-made", there), ("sealed", there), ("applied", there), ("flushed", written)].map(named).to_vec(),
        [("synced", gone), ("marked", gone)].map(named).to_vec(),
        file(gone).to_vec(),
        vec![named(("keys-settled", gone))],
        file(gone).to_vec(),
        vec![named(("keys-settled", gone))],
    ];
    assert_eq!(deaths, expected.concat());
}

fn named((point, gone): (&str, [bool; 2])) -> (String, [bool; 2]) {
    (point.to_owned(), gone)
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
