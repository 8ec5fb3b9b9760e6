// The numbers in here are small.
#![allow(clippy::cast_possible_truncation)]

use std::collections::BTreeMap;
use std::fs;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::base::Millis;
use crate::store::testing::{Erasable, Note, Place, Plain, Ratchet, at};
use crate::store::{RowKey, Rows, Scan, Table, inspect};

/// Rows that one damaged place may cost: those of one page of sled's, written anew as a whole.
const PAGE: usize = 200;

const PLAN: SnapshotPlan = SnapshotPlan { without: &[], never: &[], last: &[Erasable::ID] };
type Expected = BTreeMap<(u8, u64), Vec<u8>>;

/// A store, what is in it, and what was in it when its snapshot was made.
struct Used {
    place: Place,
    now: Expected,
    then: Expected,
    /// What rows were between the two.
    between: BTreeSet<((u8, u64), Vec<u8>)>,
}

fn write(place: &mut Place, store: &Store, expected: &mut Expected, commits: u64, key: KeyId, from: u64) {
    for commit in from..from + commits {
        let mut buffer = store.begin();
        for step in 0..12_u64 {
            let number = if step < 6 { commit * 6 + step } else { (commit * 37 + step * 13) % (commit * 6 + 1) };
            let length = if number % 90 == 5 { 9_000 } else { 250 };
            let value = vec![(commit + step) as u8; length];
            if number % 2 == 0 {
                buffer.put::<Plain>(&at(1, number), &Note(value.clone())).unwrap();
            } else {
                buffer.put_under::<Erasable>(&at(1, number), key, &Note(value.clone())).unwrap();
            }
            expected.insert((number as u8 % 2, number), value);
        }
        let gone = commit * 3 / 2 * 2;
        buffer.delete::<Plain>(&at(1, gone));
        expected.remove(&(0, gone));
        buffer.put::<Ratchet>(&at(1, commit), &Note(vec![1])).unwrap();
        store.commit(buffer, &mut place.rng).unwrap();
    }
}

fn used(seed: u64) -> Used {
    let mut place = Place::new(seed);
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    let key = buffer.create_key(&mut place.rng);
    store.commit(buffer, &mut place.rng).unwrap();
    let mut now = Expected::new();
    write(&mut place, &store, &mut now, 60, key, 0);
    let mut new = store.begin_snapshot(PLAN, &mut place.rng, place.now).unwrap();
    while !new.step(&store, 1_000).unwrap() {}
    let then = now.clone();
    let mut between = BTreeSet::new();
    for commit in 60..80 {
        write(&mut place, &store, &mut now, 1, key, commit);
        between.extend(now.iter().map(|(at, value)| (*at, value.clone())));
    }
    store.close();
    Used { place, now, then, between }
}

/// What `recover` makes of a folder.
fn recovered(place: &mut Place) -> (Place, Store, Salvaged) {
    let to = Place::new(99);
    let mut rng = ChaCha20Rng::seed_from_u64(98);
    let (store, told) = salvage(place.path(), to.path(), &place.key, PLAN, &mut rng, place.now).unwrap();
    let to = to.with_key(&place.key);
    (to, store, told)
}

fn contents(store: &Store) -> Expected {
    let reader = store.reader();
    let mut found = Expected::new();
    for (key, note) in reader.scan::<Plain>(&Scan::new(RowKey::new())).unwrap() {
        found.insert((0, u64::from_be_bytes(*key.last_chunk().unwrap())), note.0);
    }
    for (key, note) in reader.scan::<Erasable>(&Scan::new(RowKey::new())).unwrap() {
        found.insert((1, u64::from_be_bytes(*key.last_chunk().unwrap())), note.0);
    }
    assert_eq!(reader.count::<Ratchet>(&Scan::all()).unwrap(), 0, "a ratchet came back");
    found
}

#[test]
fn a_sound_store_is_found_sound_and_copied_whole() {
    let mut used = used(1);
    assert_eq!(examine(used.place.path(), &used.place.key).unwrap(), None);
    let (mut to, store, told) = recovered(&mut used.place);
    assert!(contents(&store) == used.now);
    let (from_database, gone) = (used.now.len() as u64, Some(Gone::default()));
    let expected = Salvaged { keys: true, from_database, gone, ..Salvaged::default() };
    assert_eq!(told, expected);
    // It is a store as any other: it opens again, takes commits and renews its key.
    store.close();
    let store = to.open().unwrap();
    let mut buffer = store.begin();
    buffer.put::<Ratchet>(&at(1, 1), &Note(vec![1])).unwrap();
    store.commit(buffer, &mut to.rng).unwrap();
    store.renew_state_key(&mut to.rng, to.now).unwrap();
    assert!(store.check(usize::MAX).unwrap());
    assert_eq!(examine(to.path(), &to.key).unwrap(), None);
}

#[test]
fn a_lost_database_comes_back_as_it_was_when_the_snapshot_was_made() {
    for lost in [&["db"][..], &["db/db"], &["db", "mark"]] {
        let mut used = used(2);
        for name in lost {
            let path = used.place.path().join(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        let (_to, store, told) = recovered(&mut used.place);
        assert!(contents(&store) == used.then, "{lost:?}");
        assert_eq!(told.snapshot, Some((used.place.now.wall, true)));
        assert!(told.damage.is_some() && told.from_database == 0);
    }
}

#[test]
fn lost_key_files_cost_what_was_under_them() {
    let mut used = used(3);
    fs::remove_file(used.place.path().join("keys.a")).unwrap();
    let (_to, store, told) = recovered(&mut used.place);
    assert!(contents(&store) == used.now && told.keys);
    fs::remove_file(used.place.path().join("keys.b")).unwrap();
    let (_to, store, told) = recovered(&mut used.place);
    let plain: Expected = used.now.iter().filter(|((table, _), _)| *table == 0).map(|(k, v)| (*k, v.clone())).collect();
    assert!(contents(&store) == plain && !told.keys && told.without_key > 0, "{told:?}");
}

#[test]
fn what_was_forgotten_does_not_come_back() {
    let mut used = used(4);
    let store = used.place.open().unwrap();
    // One conversation is deleted, with the snapshot already made.
    let mut buffer = store.begin();
    let key = buffer.key_of::<Erasable>(&at(1, 1)).unwrap().unwrap();
    buffer.destroy_key(key);
    store.commit(buffer, &mut used.place.rng).unwrap();
    store.close();
    for lost in ["mark", "db"] {
        let path = used.place.path().join(lost);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        let (_to, store, told) = recovered(&mut used.place);
        assert!(contents(&store).keys().all(|(table, _)| *table == 0), "without {lost}");
        assert!(told.without_key > 0);
    }
}

#[test]
fn an_interrupted_destruction_is_finished() {
    // The commit that names the doomed key is durable, the key files are of before it.
    let mut used = used(5);
    let store = used.place.open().unwrap();
    let before = used.place.copy();
    let mut buffer = store.begin();
    let key = buffer.key_of::<Erasable>(&at(1, 1)).unwrap().unwrap();
    buffer.destroy_key(key);
    store.commit(buffer, &mut used.place.rng).unwrap();
    store.close();
    for name in ["keys.a", "keys.b"] {
        fs::copy(before.path().join(name), used.place.path().join(name)).unwrap();
    }
    let (_to, store, _) = recovered(&mut used.place);
    assert!(contents(&store).keys().all(|(table, _)| *table == 0));
}

/// Everything that comes back is something that was there, and what neither damage has touched comes back.
fn check(used: &Used, found: &Expected, what: &str) -> usize {
    for (at, value) in found {
        let was = used.then.get(at) == Some(value) || used.between.contains(&(*at, value.clone()));
        assert!(was, "{what}: row {at:?} was never this");
    }
    for (at, value) in &used.then {
        let changed_since =
            used.between.iter().any(|(was, then)| was == at && then != value) || used.now.get(at) != Some(value);
        assert!(changed_since || found.contains_key(at), "{what}: row {at:?} is in the snapshot, and was not changed");
    }
    used.now.iter().filter(|(at, value)| found.get(at) != Some(value)).count()
}

#[test]
fn a_cut_log_costs_what_was_cut_off_and_no_more() {
    let used = used(6);
    let path = used.place.path().join("db/db");
    let sound = fs::read(&path).unwrap();
    for step in 0..40 {
        let cut = sound.len() * step / 40;
        let mut copy = used.place.copy();
        fs::write(copy.path().join("db/db"), &sound[..cut]).unwrap();
        let (_to, store, told) = recovered(&mut copy);
        assert!(told.damage.is_some(), "{cut}");
        check(&used, &contents(&store), &format!("cut at {cut} of {}", sound.len()));
    }
}

/// What is told to be lost is what is lost, at most: where nothing is told, all is there.
fn check_told(used: &Used, found: &Expected, told: &Salvaged, what: &str) {
    let Some(gone) = told.gone else { return };
    let absent = used.now.keys().filter(|at| !found.contains_key(at)).count() as u64;
    if gone == Gone::default() && told.from_snapshot == 0 {
        assert!(*found == used.now, "{what}: {absent} rows are lost, and nothing is told");
    }
    if gone.commits == 0 && !gone.older {
        assert!(absent <= gone.rows, "{what}: {absent} rows are lost, and {} are told", gone.rows);
    }
}

#[test]
fn flipped_bits_cost_a_page_and_zeroed_blocks_what_was_in_them() {
    let used = used(7);
    let sound = fs::read(used.place.path().join("db/db")).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let mut lost = 0;
    for round in 0..200 * crate::store::testing::scale() {
        let mut bytes = sound.clone();
        let at = rng.next_u64() as usize % bytes.len();
        let block = round % 4 == 3;
        if block {
            let end = (at / 4096 * 4096 + 4096).min(bytes.len());
            bytes[at / 4096 * 4096..end].fill(0);
        } else {
            bytes[at] ^= 1 << (rng.next_u32() % 8);
        }
        let mut copy = used.place.copy();
        fs::write(copy.path().join("db/db"), &bytes).unwrap();
        let (_to, store, told) = recovered(&mut copy);
        let found = contents(&store);
        check_told(&used, &found, &told, &format!("round {round}, {at}"));
        let now = check(&used, &found, &format!("round {round}, {at}"));
        assert!(block || now < PAGE, "round {round}: one bit cost {now} rows");
        lost += now;
    }
    assert!(lost < 200 * 40, "{lost} rows of {}", used.now.len());
}

/// sled stops at the first damaged byte and erases what comes behind it: it must not get that far.
#[test]
fn opening_what_is_damaged_leaves_to_recover_what_is_behind_the_damage() {
    let mut place = Place::new(11);
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    let key = buffer.create_key(&mut place.rng);
    store.commit(buffer, &mut place.rng).unwrap();
    let mut expected = Expected::new();
    write(&mut place, &store, &mut expected, 120, key, 0);
    store.close();
    let path = place.path().join("db/db");
    let sound = fs::read(&path).unwrap();
    let (mut refused, mut lost_in_all) = (0, 0);
    for step in 1..20 {
        let mut bytes = sound.clone();
        let at = bytes.len() * step / 20;
        bytes[at..at + 64].fill(0xaa);
        let lost = |place: &mut Place| {
            let (_to, store, _) = recovered(place);
            let found = contents(&store);
            expected.iter().filter(|(at, value)| found.get(at) != Some(value)).count()
        };
        let mut copy = place.copy();
        fs::write(copy.path().join("db/db"), &bytes).unwrap();
        let before = lost(&mut copy);
        let opened = copy.open().map(drop);
        assert!(!copy.path().join("db/torn").exists());
        refused += usize::from(matches!(opened, Err(StoreError::Damaged { .. })));
        assert!(opened.is_err() || before == 0, "damage at {at} of {}: it opens without {before} rows", bytes.len());
        let after = lost(&mut copy);
        let (of, rows) = (bytes.len(), expected.len());
        assert_eq!(after, before, "damage at {at} of {of}: of {rows} rows are lost without opening it and after that");
        lost_in_all += after;
    }
    // With all that is behind the damage half of the rows would be lost on average.
    assert!(refused > 0 && lost_in_all < 19 * expected.len() / 6, "{refused} refused, {lost_in_all} rows lost");
}

#[test]
fn without_a_snapshot_what_the_log_has_is_taken() {
    let mut used = used(8);
    fs::remove_dir_all(used.place.path().join("snapshots")).unwrap();
    let path = used.place.path().join("db/db");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 3;
    bytes[middle..middle + 4096].fill(0);
    fs::write(&path, &bytes).unwrap();
    let (_to, store, told) = recovered(&mut used.place);
    let found = contents(&store);
    assert!(told.snapshot.is_none() && found.len() * 10 > used.now.len() * 8, "{told:?}");
    // Nothing at all is left: the store is empty, and it is said.
    fs::remove_dir_all(used.place.path().join("db")).unwrap();
    let (_to, store, told) = recovered(&mut used.place);
    assert!(contents(&store).is_empty() && told.from_database + told.from_snapshot == 0);
    assert_eq!(told.damage.as_deref(), Some("its database is missing"));
}

#[test]
fn the_newest_snapshot_that_opens_is_used() {
    let mut used = used(9);
    let store = used.place.open().unwrap();
    used.place.now.wall = used.place.now.wall + Millis::from_days(1);
    let mut new = store.begin_snapshot(PLAN, &mut used.place.rng, used.place.now).unwrap();
    while !new.step(&store, 1_000).unwrap() {}
    store.close();
    fs::remove_dir_all(used.place.path().join("db")).unwrap();
    let (_to, store, told) = recovered(&mut used.place);
    assert!(contents(&store) == used.now && told.snapshot == Some((used.place.now.wall, true)));
    let newest = used.place.path().join("snapshots").join(format!("{:020}", used.place.now.wall.0));
    fs::write(newest, "rubbish").unwrap();
    let (_to, store, _) = recovered(&mut used.place);
    assert!(contents(&store) == used.then);
}

#[test]
fn another_key_is_said_to_be_one() {
    let used = used(10);
    assert!(matches!(examine(used.place.path(), &Secret::new([9; 32])), Err(StoreError::WrongKey)));
}

/// Of two snapshots the older is used when the newer is not whole; of one that is not, what is left.
#[test]
fn a_snapshot_of_which_parts_are_missing_is_used_only_where_there_is_no_other() {
    let mut used = used(41);
    used.place.now.wall = used.place.now.wall + Millis::from_days(1);
    let store = used.place.open().unwrap();
    let mut newer = store.begin_snapshot(PLAN, &mut used.place.rng, used.place.now).unwrap();
    while !newer.step(&store, 1_000).unwrap() {}
    store.close();
    let files = crate::store::snapshots(used.place.path()).unwrap();
    let [newest, oldest] = &files[..] else { panic!("{files:?}") };
    let bytes = fs::read(newest.path()).unwrap();
    fs::write(newest.path(), &bytes[..bytes.len() / 2]).unwrap();
    fs::remove_dir_all(used.place.path().join("db")).unwrap();
    let told = inspect(used.place.path(), &used.place.key, None).unwrap();
    assert!(
        matches!(&told.snapshots[..], [(file, what)] if file.path() == newest.path() && what == "was cut"),
        "{told:?}"
    );
    let (_to, store, told) = recovered(&mut used.place);
    assert_eq!(told.snapshot, Some((oldest.made, true)));
    assert!(contents(&store) == used.then);
    let middle = bytes.len() / 3;
    let mut bytes = fs::read(oldest.path()).unwrap();
    bytes[middle] ^= 1;
    fs::write(oldest.path(), bytes).unwrap();
    let (_to, _, told) = recovered(&mut used.place);
    assert_eq!(told.snapshot.map(|(made, _)| made), Some(newest.made));
}
