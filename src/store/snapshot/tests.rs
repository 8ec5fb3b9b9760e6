use std::os::unix::fs::MetadataExt;

use super::*;
use crate::base::Millis;
use crate::store::secrets::Secrets;
use crate::store::testing::{Erasable, Note, Place, Plain, Ratchet, at};
use crate::store::{Store, Table};

const PLAN: SnapshotPlan = SnapshotPlan { without: &[], never: &[], last: &[Erasable::ID] };

fn take(place: &mut Place, store: &Store, plan: SnapshotPlan, rows: usize) {
    let mut new = store.begin_snapshot(plan, &mut place.rng, place.now).unwrap();
    while !new.step(store, rows).unwrap() {}
}

fn entries(place: &Place, file: &SnapshotFile) -> (Vec<Entry>, bool) {
    let mut reading = Reading::open(file, &Secrets::derive(&place.key)).unwrap();
    let mut all = Vec::new();
    while let Some(entries) = reading.next() {
        all.extend(entries);
    }
    (all, reading.whole)
}

fn filled(seed: u64) -> (Place, Store) {
    let mut place = Place::new(seed);
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    let key = buffer.create_key(&mut place.rng);
    for number in 0..300 {
        let length = if number % 50 == 0 { 9_000 } else { 300 };
        buffer.put::<Plain>(&at(1, number), &Note(vec![1; length])).unwrap();
        buffer.put_under::<Erasable>(&at(2, number), key, &Note(vec![2; length])).unwrap();
        buffer.put::<Ratchet>(&at(3, number), &Note(vec![3; 100])).unwrap();
    }
    store.commit(buffer, &mut place.rng).unwrap();
    (place, store)
}

#[test]
fn it_holds_what_it_should_and_no_ratchets() {
    let (mut place, store) = filled(1);
    for rows in [7, 10_000] {
        place.now.wall = place.now.wall + Millis(1);
        take(&mut place, &store, PLAN, rows);
        let found = snapshots(place.path()).unwrap();
        let (all, whole) = entries(&place, &found[0]);
        let count = |table| all.iter().filter(|entry| entry.key[0] == table).count();
        assert!(whole && count(Plain::ID) == 300 && count(Erasable::ID) == 300, "{rows}");
        assert_eq!((count(Ratchet::ID), all.len()), (0, 600));
        // The last ones come last; each row with its chunks.
        assert!(all[..300].iter().all(|entry| entry.key[0] == Plain::ID));
        assert!(all.iter().any(|entry| entry.chunks.len() == 2));
    }
    place.now.wall = place.now.wall + Millis(1);
    take(&mut place, &store, SnapshotPlan { without: &[Plain::ID], never: &[], last: &[] }, 100);
    let (all, _) = entries(&place, &snapshots(place.path()).unwrap()[0]);
    assert!(all.len() == 300 && all.iter().all(|entry| entry.key[0] == Erasable::ID));
}

#[test]
fn it_is_private_finished_or_not_there() {
    let (mut place, store) = filled(2);
    let folder = place.path().join(SNAPSHOTS);
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    let mut new = store.begin_snapshot(PLAN, &mut place.rng, place.now).unwrap();
    assert!(!new.step(&store, 50).unwrap());
    assert_eq!((mode(&folder), mode(&folder.join("unfinished"))), (0o700, 0o600));
    assert!(snapshots(place.path()).unwrap().is_empty() && store.snapshot_is_due(place.now).unwrap());
    drop(new);
    assert!(fs::read_dir(&folder).unwrap().next().is_none());
    // What a killed process left is in nobody's way.
    fs::write(folder.join("unfinished"), "half").unwrap();
    take(&mut place, &store, PLAN, 100);
    assert!(!folder.join("unfinished").exists() && !store.snapshot_is_due(place.now).unwrap());
    assert_eq!(mode(&fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path()), 0o600);
}

#[test]
fn a_few_are_kept_and_old_ones_go() {
    let (mut place, store) = filled(3);
    let mut days = Vec::new();
    for _ in 0..MAX_SNAPSHOTS + 2 {
        assert!(store.snapshot_is_due(place.now).unwrap());
        take(&mut place, &store, PLAN, 1_000);
        days.insert(0, place.now.wall);
        place.now.wall = place.now.wall + SNAPSHOT_INTERVAL;
    }
    let made = |place: &Place| snapshots(place.path()).unwrap().iter().map(|file| file.made).collect::<Vec<_>>();
    assert_eq!(made(&place), days[..MAX_SNAPSHOTS]);
    // After a long pause only the new one stays.
    place.now.wall = place.now.wall + SNAPSHOT_LIFE;
    take(&mut place, &store, PLAN, 1_000);
    assert_eq!(made(&place), [place.now.wall]);
    // The clock was wrong when it was made: it does not keep others from being made.
    place.now.wall = days[0];
    assert!(store.snapshot_is_due(place.now).unwrap());
}

#[test]
fn damage_costs_its_block_and_is_known() {
    let (mut place, store) = filled(4);
    take(&mut place, &store, PLAN, 1_000);
    let file = snapshots(place.path()).unwrap().remove(0);
    let sound = fs::read(&file.path).unwrap();
    let all = entries(&place, &file).0.len();
    for at in (40..sound.len()).step_by(4_999) {
        let mut bytes = sound.clone();
        bytes[at] ^= 4;
        fs::write(&file.path, &bytes).unwrap();
        let Ok(_) = Reading::open(&file, &Secrets::derive(&place.key)) else { continue };
        let (left, whole) = entries(&place, &file);
        assert!(!whole && left.len() < all, "{at}");
    }
    for cut in (0..sound.len()).step_by(4_999) {
        fs::write(&file.path, &sound[..cut]).unwrap();
        if Reading::open(&file, &Secrets::derive(&place.key)).is_ok() {
            assert!(!entries(&place, &file).1, "{cut}");
        }
    }
    fs::write(&file.path, &sound).unwrap();
    assert!(Reading::open(&file, &Secrets::derive(&crate::base::Secret::new([9; 32]))).is_err());
}
