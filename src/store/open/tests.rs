// The numbers in here are small.
#![allow(clippy::cast_possible_truncation)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::store::durable::Synced;
use crate::store::guard::thread_panics;
use crate::store::testing::{Note, Place, Plain, Ratchet, Watched, at, scale};
use crate::store::{RowKey, Rows, Scan, SnapshotPlan, inspect, salvage};

fn put(store: &Store, place: &mut Place, number: u64, value: Vec<u8>) {
    let mut buffer = store.begin();
    buffer.put::<Plain>(&at(1, number), &Note(value)).unwrap();
    store.commit(buffer, &mut place.rng).unwrap();
}

/// A store with one row, closed.
fn used(seed: u64) -> Place {
    let mut place = Place::new(seed);
    let store = place.open().unwrap();
    put(&store, &mut place, 1, b"here".to_vec());
    store.close();
    place
}

fn damage(place: &mut Place) -> String {
    match place.open() {
        Err(StoreError::Damaged { what }) => what,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it opened"),
    }
}

#[test]
fn another_key_does_not_open_it_and_does_no_harm() {
    let mut place = used(1);
    let right = place.key.clone();
    place.key = Secret::new([9; 32]);
    let error = place.open().err().unwrap();
    assert!(matches!(error, StoreError::WrongKey), "{error:?}");
    assert!(error.hint().is_some());
    place.key = right;
    assert!(place.open().unwrap().reader().contains::<Plain>(&at(1, 1)).unwrap());
}

#[test]
fn what_is_missing_is_never_taken_for_new() {
    let place = used(2);
    let without = |names: &[&str]| {
        let copy = place.copy();
        for name in names {
            let path = copy.path().join(name);
            if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
        }
        copy
    };
    assert_eq!(damage(&mut without(&["db"])), "its database is missing");
    assert_eq!(damage(&mut without(&["db", "mark"])), "its database is missing");
    assert_eq!(damage(&mut without(&["db/db"])), "its database is missing");
    assert_eq!(damage(&mut without(&["keys.a", "keys.b"])), "keys.a and keys.b are missing");
    assert_eq!(damage(&mut without(&["keys.a", "keys.b", "db"])), "it is missing");
    let mut empty = place.copy();
    fs::write(empty.path().join("db/db"), b"").unwrap();
    assert_eq!(damage(&mut empty), "its database is missing");
    // With one of two it goes on, and makes the other again.
    for names in [&["keys.a"][..], &["keys.b"], &["mark"], &["db/conf"], &["keys.a", "mark"]] {
        let mut copy = without(names);
        for _ in 0..2 {
            let store = copy.open().unwrap();
            assert!(store.reader().contains::<Plain>(&at(1, 1)).unwrap(), "{names:?}");
        }
        assert!(names.iter().all(|name| copy.path().join(name).exists()), "{names:?}");
    }
    // A profile whose key file is there, and nothing else.
    let mut fresh = Place::new(3);
    let options = Options { existing: true, ..Options::default() };
    assert!(matches!(fresh.open_with(&options), Err(StoreError::Damaged { what }) if what == "it is missing"));
    assert!(!ProfileDir::open(fresh.path()).unwrap().unwrap().path().join("keys.a").exists());
    assert!(fresh.open().is_ok());
}

#[test]
fn key_files_or_database_of_another_day_are_noticed() {
    let mut place = used(4);
    let (old, store) = (place.copy(), place.open().unwrap());
    put(&store, &mut place, 2, b"later".to_vec());
    store.renew_state_key(&mut place.rng, place.now).unwrap();
    store.close();
    let mut keys = place.copy();
    for name in KEYS {
        fs::copy(old.path().join(name), keys.path().join(name)).unwrap();
    }
    assert_eq!(damage(&mut keys), "its key files are older than its database");
    let mut database = place.copy();
    fs::remove_dir_all(database.path().join("db")).unwrap();
    fs::create_dir_all(database.path().join("db")).unwrap();
    crate::store::testing::copy_folder(&old.path().join("db"), &database.path().join("db"));
    assert!(damage(&mut database).ends_with("commits are gone"));
    // The whole profile of yesterday is a backup, and opens.
    let mut old = old;
    assert!(old.open().is_ok());
}

#[test]
fn a_newer_store_is_refused_and_not_touched() {
    let mut place = used(5);
    let store = place.open().unwrap();
    store.inner.writer().schema = SCHEMA + 1;
    put(&store, &mut place, 2, b"to come".to_vec());
    store.close();
    let log = fs::read(place.path().join("db/db")).unwrap();
    let error = place.open().err().unwrap();
    assert!(matches!(error, StoreError::TooNew { found, known: SCHEMA } if found == SCHEMA + 1), "{error:?}");
    assert!(
        error.to_string().contains(&format!("format {}", SCHEMA + 1))
            && error.hint().unwrap().contains("newer version")
    );
    assert_eq!(fs::read(place.path().join("db/db")).unwrap(), log);
}

#[test]
fn a_store_from_before_the_first_release_is_refused_and_not_touched() {
    let mut place = used(6);
    let store = place.open().unwrap();
    store.inner.writer().schema = SCHEMA - 1;
    put(&store, &mut place, 2, b"of old".to_vec());
    store.close();
    let log = fs::read(place.path().join("db/db")).unwrap();
    let error = place.open().err().unwrap();
    assert!(matches!(error, StoreError::TooOld { found, oldest: SCHEMA } if found == SCHEMA - 1), "{error:?}");
    assert!(
        error.to_string().contains(&format!("format {}", SCHEMA - 1))
            && error.hint().unwrap().contains("rohrpost init")
    );
    assert_eq!(fs::read(place.path().join("db/db")).unwrap(), log);
    // Nor does a recovery take its rows for others.
    let to = Place::new(7);
    let plan = SnapshotPlan { without: &[], never: &[], last: &[] };
    let salvaged = salvage(place.path(), to.path(), &place.key, plan, &mut place.rng.clone(), place.now);
    assert!(matches!(salvaged, Err(StoreError::TooOld { found, .. }) if found == SCHEMA - 1));
}

/// A store of which a power cut has torn the last commit, in the middle.
fn torn(seed: u64) -> Place {
    let mut place = used(seed);
    let before = place.copy();
    let log = |place: &Place| fs::read(place.path().join("db/db")).unwrap();
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    (2..40).for_each(|number| buffer.put::<Plain>(&at(1, number), &Note(vec![7; 200])).unwrap());
    store.commit(buffer, &mut place.rng).unwrap();
    store.close();
    let (then, mut now) = (log(&before), log(&place));
    let from = (0..now.len()).find(|at| then.get(*at) != Some(&now[*at])).unwrap();
    now[from..from + 512].fill(0);
    fs::write(before.path().join("db/db"), now).unwrap();
    before
}

#[test]
fn what_is_kept_of_a_torn_log_is_whole_and_is_gone_before_the_next_commit() {
    let rows = |store: &Store| store.reader().scan::<Plain>(&Scan::new(RowKey::new())).unwrap().len();
    // Interrupted at any sync, and not at all.
    for syncs in (0..16).map(Some).chain([None]) {
        let mut place = torn(31);
        let (copy, log) = (place.path().join("db/torn/db"), place.path().join("db/db"));
        let bytes = fs::read(&log).unwrap();
        let disk = Arc::new(Watched::default());
        *disk.fails_after.lock().unwrap() = syncs;
        let (kept, whole) = (copy.clone(), bytes.clone());
        let mut seen = 0;
        *disk.before.lock().unwrap() = Some(Box::new(move |what| {
            let found = fs::read(&kept).ok();
            seen += 1;
            match what {
                // The first is of the copy, which has not its name yet.
                Synced::Whole if seen == 1 => assert!(found.is_none()),
                Synced::Database => assert!(found.is_none(), "a commit while the old log is still there"),
                _ => assert!(found.is_none_or(|found| found == whole)),
            }
        }));
        let mut rng = place.rng.clone();
        let opened = open(place.path(), &place.key, &mut rng, place.now, &disk.options());
        assert!(syncs.is_some() || opened.is_ok());
        let told = disk.take();
        if syncs.is_none_or(|syncs| syncs > 1) {
            // There is no table of pages yet.
            let copies = [Synced::Whole, Synced::Folder, Synced::Folder];
            assert!(told[..told.len().min(3)] == copies[..told.len().min(3)], "the copy, and its name: {told:?}");
        }
        drop(opened);
        let store = place.open().unwrap();
        assert_eq!(rows(&store), 1, "after {syncs:?} syncs");
        assert!(!copy.exists());
        store.close();
    }
}

#[test]
fn a_snapshot_that_was_being_written_does_not_matter() {
    let mut place = used(6);
    fs::write(place.path().join("db/snap.FFFFFFFFFFFFFFFF.generating"), b"half").unwrap();
    assert!(place.open().unwrap().reader().contains::<Plain>(&at(1, 1)).unwrap());
}

#[test]
fn what_sled_keeps_beside_its_log_is_made_again_when_it_is_damaged() {
    let (place, rows) = well_used(3);
    let folder = place.path().join("db");
    let table = beside::tables(&folder).unwrap().remove(0);
    for path in [table, folder.join("conf")] {
        let sound = fs::read(&path).unwrap();
        let name = path.file_name().unwrap();
        for kind in 0..5 {
            let mut copy = place.copy();
            let there = copy.path().join("db").join(name);
            match kind {
                0 => fs::remove_file(&there).unwrap(),
                1 => fs::write(&there, &sound[..sound.len() / 2]).unwrap(),
                2 => fs::write(&there, "").unwrap(),
                3 => fs::write(&there, vec![7; sound.len()]).unwrap(),
                _ => {
                    let mut bytes = sound.clone();
                    bytes[sound.len() / 2] ^= 1;
                    fs::write(&there, bytes).unwrap();
                }
            }
            let what = format!("{}, {kind}", path.display());
            let is_told = |place: &Place| !inspect(place.path(), &place.key, None).unwrap().blemishes.is_empty();
            // Without a table sled begins at the beginning: that is not told.
            assert!(is_told(&copy) || kind == 0 && name != "conf", "{what}");
            check(&mut copy, &rows, &what).unwrap();
            assert!(!is_told(&copy) && !copy.path().join("db/torn").exists(), "{what}");
        }
    }
}

#[test]
fn what_others_put_beside_the_database_stops_no_commit_and_what_sled_puts_there_does() {
    let mut place = used(8);
    let blobs = place.path().join("db/blobs");
    fs::write(blobs.join(".nfs0000000000000001"), "x").unwrap();
    fs::write(blobs.join(".DS_Store"), "x").unwrap();
    let store = place.open().unwrap();
    put(&store, &mut place, 2, b"goes on".to_vec());
    fs::write(blobs.join("77"), "x").unwrap();
    let mut buffer = store.begin();
    buffer.put::<Plain>(&at(1, 3), &Note(vec![1])).unwrap();
    assert!(matches!(store.commit(buffer, &mut place.rng), Err(StoreError::Fault(_))));
    // What was there before is none of sled's.
    drop(store);
    let store = place.open().unwrap();
    put(&store, &mut place, 4, b"goes on".to_vec());
    assert!(blobs.join("77").exists());
}

#[test]
fn a_log_that_an_interrupted_opening_has_put_by_is_the_log() {
    let place = used(9);
    let (log, torn) = (place.path().join("db/db"), place.path().join("db/torn/db"));
    fs::create_dir(torn.parent().unwrap()).unwrap();
    fs::rename(&log, &torn).unwrap();
    fs::write(&log, vec![0; 4096]).unwrap();
    assert_eq!(crate::store::examine(place.path(), &place.key).unwrap(), None);
    let told = inspect(place.path(), &place.key, None).unwrap();
    assert!(matches!(&told.blemishes[..], [blemish] if blemish.file == "db/torn"), "{told:?}");
    let mut place = place;
    assert!(place.open().unwrap().reader().contains::<Plain>(&at(1, 1)).unwrap());
}

/// Some megabytes of rows, new ones and such as are written more than once, in so many sessions.
fn well_used(sessions: u64) -> (Place, Vec<Vec<u8>>) {
    let mut place = Place::new(7);
    let mut rows = Vec::new();
    for session in 0..sessions {
        let store = place.open().unwrap();
        for commit in 0..180 / sessions {
            let mut buffer = store.begin();
            for step in 0..16_u64 {
                let number = if step < 8 { rows.len() as u64 } else { (commit * 37 + step * 13) % rows.len() as u64 };
                let length = if number % 200 == 5 { 9_000 } else { 250 };
                let value: Vec<u8> = (0..length).map(|i| (commit + step + i * session) as u8).collect();
                buffer.put::<Plain>(&at((number % 3) as u8, number), &Note(value.clone())).unwrap();
                rows.resize(rows.len().max(number as usize + 1), Vec::new());
                rows[number as usize] = value;
            }
            store.commit(buffer, &mut place.rng).unwrap();
        }
        store.close();
    }
    (place, rows)
}

/// Opens the store and reads every row: right, or an error.
fn check(place: &mut Place, rows: &[Vec<u8>], what: &str) -> Result<(), ()> {
    let store = match place.open() {
        Err(StoreError::Damaged { .. }) => return Err(()),
        result => result.unwrap_or_else(|error| panic!("{what}: {error:?}")),
    };
    let reader = store.reader();
    for (number, value) in (0_u64..).zip(rows) {
        match reader.get::<Plain>(&at((number % 3) as u8, number)) {
            Ok(found) => assert!(found.as_ref().map(|note| &note.0) == Some(value), "{what}: row {number}"),
            Err(StoreError::Damaged { .. }) => {}
            Err(error) => panic!("{what}: {error:?}"),
        }
    }
    Ok(())
}

#[test]
fn damage_is_an_error_or_does_not_matter() {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let (mut opened, mut refused) = (0, 0);
    for sessions in [1, 3] {
        let (place, rows) = well_used(sessions);
        let files = place.files();
        for round in 0..36 * scale() {
            let mut copy = place.copy();
            // The database file is the one that matters most; the others get their turn.
            let file = &files[if round % 3 == 0 { rng.next_u32() as usize % files.len() } else { 1 }];
            let path = copy.path().join(file.strip_prefix(place.path()).unwrap());
            let mut bytes = fs::read(&path).unwrap();
            let position = rng.next_u64() as usize % bytes.len().max(1);
            let end = (position + [1, 64, 4096, 600_000][rng.next_u32() as usize % 4]).min(bytes.len());
            let kind = round % 4;
            match kind {
                0 => bytes[position] ^= 1 << (rng.next_u32() % 8),
                1 => bytes.truncate(position),
                2 => bytes[position..end].fill(0),
                _ => rng.fill_bytes(&mut bytes[position..end]),
            }
            fs::write(&path, &bytes).unwrap();
            let what = format!("round {round}, kind {kind}, {}..{end} of {}", position, path.display());
            match check(&mut copy, &rows, &what) {
                // What was damaged once does not look sound the second time, because sled has tidied up.
                Err(()) => {
                    refused += 1;
                    let _ = check(&mut copy, &rows, &what);
                }
                Ok(()) => opened += 1,
            }
        }
    }
    // How many of each differs from run to run: where sled has put what is known to it alone.
    assert!(opened > 5 && refused > 5, "{opened} opened, {refused} refused");
    assert!(thread_panics() < 4, "sled has lost {} threads", thread_panics());
}

const DAMAGED: &str = "ROHRPOST_TEST_STORE_TO_OPEN";

/// Not a test of its own: the process whose terminal the next test watches.
#[test]
fn opens_what_is_damaged() {
    let Some(dir) = std::env::var_os(DAMAGED) else { return };
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let key = well_used(0).0.key;
    let result = Store::open(Path::new(&dir), &key, &mut rng, Now::default());
    println!("said: {}", result.err().map_or_else(|| "nothing".to_owned(), |error| error.to_string()));
}

#[test]
fn a_panic_of_the_engine_does_not_reach_the_terminal() {
    let (place, _) = well_used(1);
    let mut panics = 0;
    for round in 1..20_usize {
        let copy = place.copy();
        let path = copy.path().join("db/db");
        let mut bytes = fs::read(&path).unwrap();
        let position = round * bytes.len() / 20;
        bytes[position..position + 4096].fill(round as u8);
        fs::write(&path, &bytes).unwrap();
        let child = this_test("opens_what_is_damaged").env(DAMAGED, copy.path()).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
        assert!(child.status.success() && !err.contains("panicked"), "{err}");
        panics += usize::from(out.contains("said: the store is damaged: the database engine gave up"));
    }
    assert!(panics > 0, "sled has learned not to panic");
}

/// Another process of this test binary, running one test.
fn this_test(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("store::open::tests::{name}"), "--nocapture"]);
    command
}

const CHILD: &str = "ROHRPOST_TEST_STORE_TO_KILL";

/// Not a test of its own: the process that the next test kills. Commits numbers, and says each when it is durable.
#[test]
fn commits_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    let mut rng = ChaCha20Rng::seed_from_u64(u64::from(std::process::id()));
    let store = Store::open(Path::new(&dir), &Secret::new([1; 32]), &mut rng, Now::default()).unwrap();
    let first = store
        .reader()
        .get::<Plain>(&at(0, 0))
        .unwrap()
        .map_or(0, |note| u64::from_be_bytes(note.0.try_into().unwrap()));
    for number in first + 1.. {
        let mut buffer = store.begin();
        let value = number.to_be_bytes().to_vec();
        buffer.put::<Plain>(&at(0, 0), &Note(value.clone())).unwrap();
        let length = if number % 7 == 0 { 1_200 } else { 10 };
        for row in 0..number % 15 {
            buffer.put::<Plain>(&at(1, number * row % 500), &Note(value.repeat(length))).unwrap();
        }
        buffer.delete::<Plain>(&at(1, number * 3 % 500));
        buffer.put::<Ratchet>(&at(0, 0), &Note(value)).unwrap();
        store.commit(buffer, &mut rng).unwrap();
        if number % 50 == 0 {
            store.renew_state_key(&mut rng, Now::default()).unwrap();
        }
        println!("durable {number}");
    }
}

#[test]
fn a_killed_process_loses_nothing_and_leaves_nothing_half_done() {
    let place = Place::new(8);
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let mut last = 0;
    for round in 0..8 * scale() {
        let mut child = this_test("commits_until_it_is_killed")
            .env(CHILD, place.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stdout.take().unwrap());
        let wanted = last + 1 + rng.next_u64() % 100;
        for line in said.lines() {
            let line = line.unwrap();
            let Some(number) = line.split("durable ").nth(1) else { continue };
            last = number.parse().unwrap();
            if last >= wanted {
                std::thread::sleep(Duration::from_micros(rng.next_u64() % 2_000));
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(last >= wanted, "round {round}: the child ended by itself after {last}");
        // Opening counts all rows.
        let store = Store::open(place.path(), &Secret::new([1; 32]), &mut rng, Now::default());
        let reader = store.unwrap_or_else(|error| panic!("round {round}, after {last}: {error}")).reader();
        let number = |note: Option<Note>| u64::from_be_bytes(note.unwrap().0.try_into().unwrap());
        let found = number(reader.get::<Plain>(&at(0, 0)).unwrap());
        assert!(found >= last, "round {round}: {found} after {last} was said to be durable");
        assert_eq!(number(reader.get::<Ratchet>(&at(0, 0)).unwrap()), found);
    }
}
