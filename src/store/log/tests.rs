// The numbers in here are small.
#![allow(clippy::cast_possible_truncation)]

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::message::HEADER;
use super::tree::Tree;
use super::*;
use crate::store::database::Database;
use crate::store::durable::Disk;

mod killed;

fn read(path: &Path) -> Result<Log, StoreError> {
    Log::read(path, &[]).map(Option::unwrap)
}

fn rows_of(database: &Database) -> Vec<(Vec<u8>, Vec<u8>)> {
    let rows = database.range(&[], None, false).unwrap();
    rows.map(Result::unwrap).map(|(key, row)| (key.to_vec(), row.to_vec())).collect()
}

fn rows_in(log: &Log) -> Vec<(Vec<u8>, Vec<u8>)> {
    let there = log.range(&[], None).filter(|(_, found)| found.is_there());
    there.map(|(key, found)| (key.clone(), log.bytes(*found).unwrap().unwrap())).collect()
}

fn rows_as_sled(path: &Path) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rows = Vec::new();
    rows_for_sled(path, &mut |key, row| rows.push((key.to_vec(), row.to_vec()))).unwrap().unwrap();
    rows
}

/// Commits as the store makes them: rows come, change and go, in keys that share beginnings.
fn use_it(database: &mut Database, rng: &mut ChaCha20Rng, commits: usize, keys: u32) {
    for _ in 0..commits {
        let mut writes = BTreeMap::new();
        for _ in 0..1 + rng.next_u32() % 40 {
            let number = rng.next_u32() % keys;
            let key = [&[(number % 5) as u8][..], &[7; 16], &number.to_be_bytes()].concat();
            let value = vec![rng.next_u32() as u8; (rng.next_u32() % 900) as usize];
            writes.insert(key, (!rng.next_u32().is_multiple_of(4)).then_some(value));
        }
        database.apply(writes.into_iter().collect()).unwrap();
    }
}

#[test]
fn it_reads_what_sled_reads() {
    for (seed, keys) in [(1, 30), (2, 1_000), (3, 12_000)] {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        for _ in 0..3 {
            let mut database = Database::open(dir.path(), Arc::new(Disk)).unwrap();
            use_it(&mut database, &mut rng, 100, keys);
            // While it is open, and what was committed must be on the disk.
            let path = dir.path().join("db/db");
            let (log, as_sled) = (read(&path).unwrap(), rows_as_sled(&path));
            assert!(!is_torn(&path).unwrap(), "seed {seed}");
            assert!(rows_in(&log) == rows_of(&database) && as_sled == rows_of(&database), "seed {seed}");
            drop(database);
            let log = read(&path).unwrap();
            let as_sled = rows_as_sled(&path);
            let database = Database::open(dir.path(), Arc::new(Disk)).unwrap();
            assert!(rows_in(&log) == rows_of(&database), "seed {seed}, closed");
            assert!(as_sled == rows_of(&database) && rows_as_sled(&path) == as_sled, "seed {seed}, as sled reads");
            drop(database);
            assert!(!is_torn(&path).unwrap() && rows_as_sled(&path) == as_sled, "seed {seed}, closed again");
        }
    }
}

#[test]
fn what_is_behind_damage_is_read_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db/db");
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let mut database = Database::open(dir.path(), Arc::new(Disk)).unwrap();
    use_it(&mut database, &mut rng, 150, 2_000);
    let all = rows_of(&database);
    drop(database);
    let sound = fs::read(&path).unwrap();
    for round in 0..20 {
        let mut bytes = sound.clone();
        let at = rng.next_u64() as usize % bytes.len();
        bytes[at] ^= 1 << (round % 8);
        fs::write(&path, &bytes).unwrap();
        let found: BTreeMap<_, _> = rows_in(&read(&path).unwrap()).into_iter().collect();
        let lost = all.iter().filter(|(key, row)| found.get(key) != Some(row)).count();
        // One page, at most: some hundred rows of thousands.
        assert!(lost < 400, "round {round}: {lost} of {} rows are lost by the bit at {at}", all.len());
    }
    // Headers of segments are not needed.
    let mut bytes = sound;
    for segment in bytes.chunks_mut(SEGMENT) {
        segment[..HEADER].fill(0);
    }
    fs::write(&path, &bytes).unwrap();
    assert!(rows_in(&read(&path).unwrap()) == all);
}

#[test]
fn half_of_a_batch_is_none_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db/db");
    let mut database = Database::open(dir.path(), Arc::new(Disk)).unwrap();
    let rows = |value: u8| (0..50_u8).map(|n| (vec![1, n], Some(vec![value; 100]))).collect::<Vec<_>>();
    database.apply(rows(1)).unwrap();
    let before = rows_in(&read(&path).unwrap());
    database.apply(rows(2)).unwrap();
    let after = rows_in(&read(&path).unwrap());
    drop(database);
    assert!(before.len() == 50 && after.len() == 50 && before != after);
    // However much of the end is missing: all of the last batch is there, or nothing of it.
    let bytes = fs::read(&path).unwrap();
    let mut seen = [0, 0];
    for cut in (0..bytes.len()).rev().step_by(97) {
        fs::write(&path, &bytes[..cut]).unwrap();
        let found = rows_in(&read(&path).unwrap());
        if found.len() < 50 {
            assert!(found.is_empty(), "{cut}: {} rows", found.len());
            break;
        }
        assert!(found == before || found == after, "{cut}");
        seen[usize::from(found == after)] += 1;
    }
    assert!(seen[0] > 10 && seen[1] == 0, "{seen:?}");
}

/// A power cut may keep any of the sectors that were not synced.
#[test]
fn holes_in_the_last_batch_cost_all_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db/db");
    let mut database = Database::open(dir.path(), Arc::new(Disk)).unwrap();
    let rows = |value: u8| (0..50_u8).map(|n| (vec![1, n], Some(vec![value; 100]))).collect::<Vec<_>>();
    database.apply(rows(1)).unwrap();
    let then = fs::read(&path).unwrap();
    database.apply(rows(2)).unwrap();
    drop(database);
    let sectors = holes(&path, &then);
    assert!(sectors > 8);
}

/// Between two commits reading divides pages that have grown too large: neither half is certain before the commit behind it is.
#[test]
fn holes_in_pages_that_were_divided_before_the_last_batch_cost_all_of_it() {
    // Whether a page is just too large is chance.
    let (mut divided, mut sizes) = (0, (300..4_000).step_by(7));
    while divided < 3 {
        let size = sizes.next().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db/db");
        let mut database = Database::open(dir.path(), Arc::new(Disk)).unwrap();
        let rows = (0..50_u8).map(|n| (vec![1, n], Some(vec![n; size])));
        database.apply(rows.collect()).unwrap();
        let then = fs::read(&path).unwrap();
        (0..50_u8).for_each(|n| assert!(database.get(&[1, n]).unwrap().is_some()));
        database.apply(vec![(vec![2], Some(vec![2; 100]))]).unwrap();
        drop(database);
        divided += usize::from(holes(&path, &then) > 8);
    }
}

/// Leaves out of what was written behind `then` some of the sectors, in every way there is to leave out neighbours and in some others:
/// all of it counts, or none. How many there are.
fn holes(path: &Path, then: &[u8]) -> usize {
    const SECTOR: usize = 512;
    let now = fs::read(path).unwrap();
    let after = rows_in(&read(path).unwrap());
    fs::write(path, then).unwrap();
    let before = rows_in(&read(path).unwrap());
    let differs = |at: &usize| then.get(*at) != Some(&now[*at]);
    let (first, last) = ((0..now.len()).find(differs).unwrap(), (0..now.len()).rfind(differs).unwrap());
    let sectors: Vec<usize> = (first / SECTOR..=last / SECTOR).collect();
    let without = |lost: &dyn Fn(usize) -> bool| {
        let mut bytes = now.clone();
        for sector in sectors.iter().filter(|sector| lost(**sector)) {
            for at in sector * SECTOR..((sector + 1) * SECTOR).min(bytes.len()) {
                bytes[at] = then.get(at).copied().unwrap_or_default();
            }
        }
        // What was lost may be what was there before: zeros.
        let expected = if bytes == now { &after } else { &before };
        fs::write(path, &bytes).unwrap();
        rows_in(&read(path).unwrap()) == *expected
    };
    assert!(without(&|_| false));
    for from in &sectors {
        for upto in sectors.iter().filter(|upto| *upto >= from).take(12) {
            let is_right = without(&|sector| (*from..=*upto).contains(&sector));
            assert!(is_right, "sectors {from} to {upto} of {sectors:?}");
        }
    }
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    for _ in 0..100 {
        let lost: Vec<usize> = sectors.iter().copied().filter(|_| rng.next_u32().is_multiple_of(3)).collect();
        assert!(without(&|sector| lost.contains(&sector)), "without {lost:?}");
    }
    sectors.len()
}

/// sled would take what it does not find for given up, and write over the rest.
#[test]
fn a_log_that_ends_before_what_the_table_of_pages_knows_is_torn() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db/db");
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    let mut database = Database::open(dir.path(), Arc::new(Disk)).unwrap();
    use_it(&mut database, &mut rng, 200, 2_000);
    drop(database);
    // Opening writes the table.
    drop(Database::open(dir.path(), Arc::new(Disk)).unwrap());
    let whole = fs::read(&path).unwrap();
    assert!(!is_torn(&path).unwrap());
    for left in [whole.len() / 3, whole.len() / 2, SEGMENT / 2, SEGMENT, HEADER, 0] {
        fs::write(&path, &whole[..left]).unwrap();
        assert!(is_torn(&path).unwrap(), "{left} of {}", whole.len());
    }
}

/// The half that stays of a page that was divided is lost, and the tree leads to the other: sled would divide it once more, and what
/// comes off would hide the other. What a crash leaves is something else.
#[test]
fn a_division_of_which_one_half_is_lost_is_found() {
    let page = |low: u8, high: &[u8], children: &[(u8, u64)]| page::Shape {
        low: if low == 0 { Vec::new() } else { vec![low] },
        high: high.to_vec(),
        children: children.iter().map(|(low, child)| (vec![*low], *child)).collect(),
        ..page::Shape::default()
    };
    let tree = |pages: Vec<page::Shape>| Tree { root: 1, pages: (1..).zip(pages).collect() };
    let entangled = |pages: Vec<page::Shape>| tree(pages).is_entangled();
    let root = || page(0, &[], &[(0, 2), (5, 3), (9, 4)]);
    let sound = || vec![root(), page(0, &[5], &[]), page(5, &[9], &[]), page(9, &[], &[])];
    assert!(!entangled(sound()));
    for (lost, high) in [(1, &[][..]), (1, &[9]), (1, &[6]), (2, &[])] {
        let mut pages = sound();
        pages[lost].high = high.to_vec();
        assert!(entangled(pages), "{lost}, {high:?}");
    }
    // The tree was not told of what came off; or the next page is going into this one, or is gone.
    assert!(!entangled(vec![page(0, &[], &[(0, 2)]), page(0, &[], &[]), page(5, &[], &[])]));
    let mut pages = sound();
    (pages[1].high, pages[2].merging) = (vec![9], true);
    assert!(!entangled(pages));
    let mut tree = tree(sound());
    tree.pages.get_mut(&2).unwrap().high = vec![9];
    tree.pages.remove(&3);
    assert!(!tree.is_entangled());
    // An inner page has its own pages within it, and no other inner page.
    let high = |high: &[u8]| {
        vec![
            page(0, &[], &[(0, 2), (7, 3)]),
            page(0, high, &[(0, 4), (5, 5)]),
            page(7, &[], &[(7, 6)]),
            page(0, &[5], &[]),
            page(5, &[7], &[]),
            page(7, &[], &[]),
        ]
    };
    assert!(!entangled(high(&[7])) && entangled(high(&[])));
}

#[test]
fn rubbish_is_no_log() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("db");
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    for length in [0, 1, HEADER + 11, SEGMENT, SEGMENT + 1, 3 * SEGMENT - 7] {
        let mut bytes = vec![0; length];
        fs::write(&path, &bytes).unwrap();
        assert!(rows_in(&read(&path).unwrap()).is_empty());
        rng.fill_bytes(&mut bytes);
        fs::write(&path, &bytes).unwrap();
        assert!(rows_in(&read(&path).unwrap()).is_empty());
    }
}
