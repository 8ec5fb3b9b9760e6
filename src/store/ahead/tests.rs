// The numbers in here are small.
#![allow(clippy::cast_possible_truncation)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::store::testing::{Erasable, Note, Place, Plain, Ratchet, at, scale};
use crate::store::{
    KeyId, Keyed, RowKey, Rows, Scan, SnapshotPlan, Store, StoreError, Table, examine, inspect, salvage,
};

const PLAN: SnapshotPlan = SnapshotPlan { without: &[], never: &[], last: &[] };
/// Rows by their keys, of two tables.
type Contents = BTreeMap<(u8, Vec<u8>), Vec<u8>>;

fn write(place: &mut Place, store: &Store, key: KeyId, commits: std::ops::Range<u64>) {
    for commit in commits {
        let mut buffer = store.begin();
        for step in 0..16_u64 {
            let number = if step < 10 { commit * 10 + step } else { (commit * 37 + step * 13) % (commit * 10 + 1) };
            let length = if number % 150 == 5 { 9_000 } else { 200 + number as usize % 200 };
            let value = Note(vec![(commit + step) as u8; length]);
            if number % 2 == 0 {
                buffer.put::<Plain>(&at(number as u8 % 3, number), &value).unwrap();
            } else {
                buffer.put_under::<Erasable>(&at(number as u8 % 3, number), key, &value).unwrap();
            }
        }
        let gone = commit * 3 / 2 * 2;
        buffer.delete::<Plain>(&at(gone as u8 % 3, gone));
        buffer.put::<Ratchet>(&at(1, commit % 20), &Note(vec![1])).unwrap();
        store.commit(buffer, &mut place.rng).unwrap();
    }
}

/// The folder of a process that was killed, and that of one that has closed its store, and looked at it afterwards.
fn bases() -> [(&'static str, Place); 2] {
    let mut place = Place::new(1);
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    let key = buffer.create_key(&mut place.rng);
    store.commit(buffer, &mut place.rng).unwrap();
    write(&mut place, &store, key, 0..150);
    store.close();
    let store = place.open().unwrap();
    write(&mut place, &store, key, 150..250);
    let killed = place.copy();
    store.close();
    place.open().unwrap().close();
    [("killed", killed), ("closed", place)]
}

fn contents(store: &Store) -> Contents {
    fn of<T: Table<Row = Note>>(store: &Store) -> Vec<Keyed<Note>> {
        store.reader().scan::<T>(&Scan::new(RowKey::new())).unwrap()
    }
    let plain = of::<Plain>(store).into_iter().map(|(key, note)| ((Plain::ID, key.to_vec()), note.0));
    let erasable = of::<Erasable>(store).into_iter().map(|(key, note)| ((Erasable::ID, key.to_vec()), note.0));
    plain.chain(erasable).collect()
}

/// What a recovery saves of a folder, of which it changes nothing.
fn recovered(place: &Place, what: &str) -> Contents {
    let before = bytes(place);
    let to = Place::new(2);
    let (store, _) = salvage(place.path(), to.path(), &place.key, PLAN, &mut place.rng.clone(), place.now).unwrap();
    assert!(bytes(place) == before, "{what}: recover has changed the damaged folder");
    contents(&store)
}

/// Every file but the lock of sled, which has no contents.
fn bytes(place: &Place) -> BTreeMap<PathBuf, Vec<u8>> {
    let read = |path: PathBuf| (path.strip_prefix(place.path()).unwrap().to_owned(), fs::read(&path).unwrap());
    place.files().into_iter().map(read).collect()
}

/// What is told of damage is the same before and after a failed opening; that changes no byte, and `recover` saves no less after it.
#[test]
fn damage_is_found_before_anything_is_written() {
    let mut rng = ChaCha20Rng::seed_from_u64(u64::from(std::process::id()) * u64::from(scale() > 1));
    let (mut opened, mut refused, mut faults) = (0, 0, Vec::new());
    for (kind, place) in bases() {
        let all = contents(&place.copy().open().unwrap());
        let sound = fs::read(place.path().join("db/db")).unwrap();
        for round in 0..24 * scale() {
            let length = [1, 16, 4096][round % 3];
            let from = rng.next_u64() as usize % (sound.len() - length);
            let what = format!("{kind}, {length} bytes at {from}");
            let mut copy = place.copy();
            let mut damaged = sound.clone();
            damaged[from..from + length].iter_mut().for_each(|byte| *byte ^= 0x55);
            fs::write(copy.path().join("db/db"), damaged).unwrap();
            let before = bytes(&copy);
            let verdict = |copy: &Place| {
                let fault = inspect(copy.path(), &copy.key, None).unwrap().fault;
                examine(copy.path(), &copy.key).unwrap().or(fault)
            };
            let told = verdict(&copy);
            assert!(bytes(&copy) == before, "{what}: looking at it has changed it");
            match copy.open() {
                Ok(store) => {
                    opened += 1;
                    assert!(contents(&store) == all, "{what}: it opens with other rows");
                    faults.extend(told.map(|told| format!("{what}: it opens, and {told} is said of it")));
                }
                Err(StoreError::Damaged { what: error }) => {
                    refused += 1;
                    let now = bytes(&copy);
                    let changed: Vec<_> = now.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).collect();
                    if !changed.is_empty() || now.len() != before.len() {
                        let names: Vec<_> = changed.iter().map(|(path, _)| path).collect();
                        faults.push(format!("{what}: a failed opening ({error}) has changed {names:?}"));
                    }
                    if told.is_none() || told != verdict(&copy) {
                        faults.push(format!("{what}: opening says {error}, {told:?} was said before"));
                    }
                    let after = recovered(&copy, &what);
                    fs::remove_dir_all(copy.path()).unwrap();
                    before.iter().for_each(|(path, bytes)| {
                        let path = copy.path().join(path);
                        fs::create_dir_all(path.parent().unwrap()).unwrap();
                        fs::write(path, bytes).unwrap();
                    });
                    let direct = recovered(&copy, &what);
                    if direct != after {
                        let (direct, after) = (direct.len(), after.len());
                        faults.push(format!("{what}: {direct} rows are saved, {after} after a failed opening"));
                    }
                }
                Err(error) => panic!("{what}: {error:?}"),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(opened > 4 && refused > 4, "{opened} opened, {refused} refused");
    eprintln!("{opened} opened, {refused} refused");
}
