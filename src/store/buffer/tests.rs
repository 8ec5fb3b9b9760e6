// The numbers in here are small.
#![allow(clippy::cast_possible_truncation)]

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::store::testing::{Erasable, Note, Place, Plain, Ratchet, at};
use crate::store::{Reader, Scan, Store};

/// What can be done to a store.
#[derive(Clone, Debug)]
enum Op {
    Put { table: u8, group: u8, number: u64, length: usize, key: usize },
    Delete { table: u8, group: u8, number: u64 },
    CreateKey,
    DestroyKey(usize),
    Savepoint,
    Rollback,
    Commit,
    Discard,
    Reopen,
    Renew,
    Sweep,
    Check,
    Scan { table: u8, group: u8, from: Option<u64>, to: Option<u64>, reverse: bool, limit: usize },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let table = || 0..3u8;
    let group = || 0..2u8;
    let number = || 0..5u64;
    let length = prop_oneof![6 => 0..300usize, 1 => 4000..4100usize, 1 => 4100..20_000usize];
    let put = (table(), group(), number(), length, any::<usize>());
    let scan = (table(), group(), prop::option::of(number()), prop::option::of(0..6u64), any::<bool>(), 0..9usize);
    let op = prop_oneof![
        20 => put.prop_map(|(table, group, number, length, key)| Op::Put { table, group, number, length, key }),
        6 => (table(), group(), number()).prop_map(|(table, group, number)| Op::Delete { table, group, number }),
        3 => Just(Op::CreateKey),
        1 => any::<usize>().prop_map(Op::DestroyKey),
        3 => Just(Op::Savepoint),
        2 => Just(Op::Rollback),
        4 => Just(Op::Commit),
        1 => Just(Op::Discard),
        1 => Just(Op::Reopen),
        1 => Just(Op::Renew),
        1 => Just(Op::Sweep),
        1 => Just(Op::Check),
        14 => scan.prop_map(|(table, group, from, to, reverse, limit)| Op::Scan { table, group, from, to, reverse, limit }),
    ];
    prop::collection::vec(op, 20..90)
}

/// A table, a group, a number.
type At = (u8, u8, u64);
/// A value, and the erasable key it is under.
type Sealed = (Vec<u8>, Option<KeyId>);

/// The plain version: a map.
#[derive(Clone, Default)]
struct Model {
    rows: BTreeMap<At, Sealed>,
    keys: BTreeSet<KeyId>,
}

impl Model {
    fn destroy(&mut self, key: KeyId) {
        self.keys.remove(&key);
        self.rows.retain(|_, (_, under)| *under != Some(key));
    }

    fn scan(
        &self,
        table: u8,
        group: u8,
        from: Option<u64>,
        to: Option<u64>,
        reverse: bool,
        limit: usize,
    ) -> Vec<(u64, Vec<u8>)> {
        let inside = |number: u64| from.is_none_or(|from| number >= from) && to.is_none_or(|to| number < to);
        let rows = self.rows.iter().filter(|((t, g, n), _)| (*t, *g) == (table, group) && inside(*n));
        let mut rows: Vec<_> = rows.map(|((_, _, n), (value, _))| (*n, value.clone())).collect();
        if reverse {
            rows.reverse();
        }
        rows.truncate(limit);
        rows
    }
}

fn scan_of(group: u8, from: Option<u64>, to: Option<u64>, reverse: bool, limit: usize) -> Scan {
    let mut scan = Scan::new(RowKey::new().blind(&[group])).limit(limit);
    if let Some(from) = from {
        scan = scan.from(from);
    }
    if let Some(to) = to {
        scan = scan.to(to);
    }
    if reverse { scan.reverse() } else { scan }
}

fn get(rows: &impl Rows, table: u8, key: &RowKey) -> Option<Note> {
    match table {
        0 => rows.get::<Plain>(key),
        1 => rows.get::<Ratchet>(key),
        _ => rows.get::<Erasable>(key),
    }
    .unwrap()
}

fn scan_rows(rows: &impl Rows, table: u8, scan: &Scan) -> Vec<(u64, Vec<u8>)> {
    let (found, count) = match table {
        0 => (rows.scan::<Plain>(scan).unwrap(), rows.count::<Plain>(scan).unwrap()),
        1 => (rows.scan::<Ratchet>(scan).unwrap(), rows.count::<Ratchet>(scan).unwrap()),
        _ => (rows.scan::<Erasable>(scan).unwrap(), rows.count::<Erasable>(scan).unwrap()),
    };
    assert_eq!(found.len() as u64, count);
    found.into_iter().map(|(suffix, Note(value))| (u64::from_be_bytes(suffix.try_into().unwrap()), value)).collect()
}

fn assert_equal(rows: &impl Rows, model: &Model) {
    for table in 0..3 {
        for group in 0..2 {
            for number in 0..5 {
                let expected = model.rows.get(&(table, group, number)).map(|(value, _)| Note(value.clone()));
                assert_eq!(get(rows, table, &at(group, number)), expected, "{table} {group} {number}");
            }
        }
        let whole = match table {
            0 => rows.count::<Plain>(&Scan::all()),
            1 => rows.count::<Ratchet>(&Scan::all()),
            _ => rows.count::<Erasable>(&Scan::all()),
        };
        assert_eq!(whole.unwrap(), model.rows.keys().filter(|key| key.0 == table).count() as u64);
    }
}

/// The store and the map, side by side.
struct Pair {
    place: Place,
    store: Option<Store>,
    reader: Reader,
    buffer: WriteBuffer,
    committed: Model,
    buffered: Model,
    savepoints: Vec<(Savepoint, Model)>,
    reopens: bool,
}

impl Pair {
    fn new(reopens: bool) -> Self {
        let mut place = Place::new(1);
        let store = place.open().unwrap();
        let (reader, buffer) = (store.reader(), store.begin());
        let store = Some(store);
        Self {
            place,
            store,
            reader,
            buffer,
            committed: Model::default(),
            buffered: Model::default(),
            savepoints: Vec::new(),
            reopens,
        }
    }

    fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    fn fresh_buffer(&mut self) -> WriteBuffer {
        self.savepoints.clear();
        let buffer = self.store().begin();
        std::mem::replace(&mut self.buffer, buffer)
    }

    fn reopen(&mut self) {
        self.fresh_buffer();
        self.buffered = self.committed.clone();
        self.store.take().unwrap().close();
        let store = self.place.open().unwrap();
        (self.reader, self.buffer) = (store.reader(), store.begin());
        self.store = Some(store);
    }

    fn put(&mut self, (table, group, number): (u8, u8, u64), value: &[u8], key: usize) {
        let (at, note) = (at(group, number), Note(value.to_vec()));
        let mut under = None;
        match table {
            0 => self.buffer.put::<Plain>(&at, &note).unwrap(),
            1 => self.buffer.put::<Ratchet>(&at, &note).unwrap(),
            _ if self.buffered.keys.is_empty() => return,
            _ => {
                let key = *self.buffered.keys.iter().nth(key % self.buffered.keys.len()).unwrap();
                self.buffer.put_under::<Erasable>(&at, key, &note).unwrap();
                under = Some(key);
            }
        }
        self.buffered.rows.insert((table, group, number), (value.to_vec(), under));
    }

    fn delete(&mut self, (table, group, number): (u8, u8, u64)) {
        match table {
            0 => self.buffer.delete::<Plain>(&at(group, number)),
            1 => self.buffer.delete::<Ratchet>(&at(group, number)),
            _ => self.buffer.delete::<Erasable>(&at(group, number)),
        }
        self.buffered.rows.remove(&(table, group, number));
    }

    fn step(&mut self, op: &Op, seed: usize) {
        match *op {
            Op::Put { table, group, number, length, key } => {
                let value: Vec<u8> = (0..length).map(|i| (i * 31 + seed) as u8).collect();
                self.put((table, group, number), &value, key);
            }
            Op::Delete { table, group, number } => self.delete((table, group, number)),
            Op::CreateKey => {
                let key = self.buffer.create_key(&mut self.place.rng);
                self.buffered.keys.insert(key);
            }
            Op::DestroyKey(index) if !self.buffered.keys.is_empty() => {
                let key = *self.buffered.keys.iter().nth(index % self.buffered.keys.len()).unwrap();
                self.buffer.destroy_key(key);
                self.buffered.destroy(key);
                assert!(!self.buffer.has_key(key));
                assert!(self.buffer.put_under::<Erasable>(&at(0, 0), key, &Note(vec![])).is_err());
            }
            Op::DestroyKey(_) => {}
            Op::Savepoint => {
                let savepoint = self.buffer.savepoint();
                self.savepoints.push((savepoint, self.buffered.clone()));
            }
            Op::Rollback => {
                if let Some((savepoint, model)) = self.savepoints.pop() {
                    self.buffer.rollback(savepoint);
                    self.buffered = model;
                }
            }
            Op::Commit => self.commit(),
            Op::Discard => {
                self.fresh_buffer();
                self.buffered = self.committed.clone();
            }
            Op::Reopen => self.reopen(),
            Op::Renew => self.store.as_ref().unwrap().renew_state_key(&mut self.place.rng, self.place.now).unwrap(),
            Op::Sweep => drop(self.store.as_ref().unwrap().sweep(10, &mut self.place.rng).unwrap()),
            Op::Check => drop(self.store().check(3).unwrap()),
            Op::Scan { table, group, from, to, reverse, limit } => {
                let scan = scan_of(group, from, to, reverse, limit);
                let expected = self.buffered.scan(table, group, from, to, reverse, limit);
                assert_eq!(scan_rows(&self.buffer, table, &scan), expected);
                let expected = self.committed.scan(table, group, from, to, reverse, limit);
                assert_eq!(scan_rows(&self.reader, table, &scan), expected);
            }
        }
    }

    fn commit(&mut self) {
        let buffer = self.fresh_buffer();
        self.store.as_ref().unwrap().commit(buffer, &mut self.place.rng).unwrap();
        self.committed = self.buffered.clone();
        if self.reopens {
            self.reopen();
        }
        assert_equal(&self.reader, &self.committed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// The buffer over the store is a map: also with savepoints, scans, keys that come and go, and after each reopening.
    #[test]
    fn the_store_is_a_map(ops in ops(), reopens in any::<bool>()) {
        let mut pair = Pair::new(reopens);
        for (seed, op) in ops.iter().enumerate() {
            pair.step(op, seed);
        }
        assert_equal(&pair.buffer, &pair.buffered);
        assert_equal(&pair.reader, &pair.committed);
        pair.commit();
        pair.reopen();
        assert_equal(&pair.reader, &pair.committed);
    }
}

#[test]
fn scans_merge_both_in_both_directions() {
    let mut pair = Pair::new(false);
    for number in [1, 2, 4, 5, 8] {
        pair.put((0, 0, number), b"stored", 0);
    }
    pair.commit();
    for number in [0, 2, 3, 6, 7, 9] {
        pair.put((0, 0, number), b"buffered", 0);
    }
    pair.delete((0, 0, 4));
    pair.delete((0, 0, 6));
    for from in (0..11).map(Some).chain([None]) {
        for to in (0..11).map(Some).chain([None]) {
            for (reverse, limit) in [(false, 99), (true, 99), (false, 3), (true, 3), (true, 0)] {
                pair.step(&Op::Scan { table: 0, group: 0, from, to, reverse, limit }, 0);
            }
        }
    }
}

#[test]
fn a_rollback_undoes_keys_too() {
    let mut place = Place::new(6);
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    let old = buffer.create_key(&mut place.rng);
    buffer.put_under::<Erasable>(&at(1, 1), old, &Note(vec![1])).unwrap();
    store.commit(buffer, &mut place.rng).unwrap();
    let mut buffer = store.begin();
    let outer = buffer.savepoint();
    let new = buffer.create_key(&mut place.rng);
    let inner = buffer.savepoint();
    buffer.destroy_key(old);
    buffer.destroy_key(new);
    assert!(!buffer.has_key(old) && !buffer.has_key(new) && !buffer.contains::<Erasable>(&at(1, 1)).unwrap());
    buffer.rollback(inner);
    assert!(buffer.has_key(old) && buffer.has_key(new) && buffer.contains::<Erasable>(&at(1, 1)).unwrap());
    buffer.rollback(outer);
    assert!(buffer.has_key(old) && !buffer.has_key(new) && buffer.is_empty());
}

#[test]
fn a_row_goes_with_its_key_also_when_it_was_not_written_yet() {
    let mut place = Place::new(7);
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    let key = buffer.create_key(&mut place.rng);
    buffer.put_under::<Erasable>(&at(1, 1), key, &Note(vec![1])).unwrap();
    buffer.put::<Plain>(&at(1, 1), &Note(vec![1])).unwrap();
    buffer.destroy_key(key);
    assert_eq!(buffer.get::<Erasable>(&at(1, 1)).unwrap(), None);
    assert!(!buffer.contains::<Erasable>(&at(1, 1)).unwrap());
    assert_eq!(buffer.count::<Erasable>(&Scan::all()).unwrap(), 0);
    store.commit(buffer, &mut place.rng).unwrap();
    // The other one, and the name of the key.
    assert_eq!(store.inner.writer().meta.totals.rows, 2);
}

#[test]
fn a_key_is_kept_also_when_no_row_is_under_it() {
    let mut place = Place::new(8);
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    let key = buffer.create_key(&mut place.rng);
    assert!(!buffer.is_empty());
    store.commit(buffer, &mut place.rng).unwrap();
    store.close();
    assert!(place.open().unwrap().begin().has_key(key));
}

#[test]
fn handles_go_to_any_thread() {
    fn anywhere<T: Send + Sync + Clone>() {}
    fn elsewhere<T: Send>() {}
    anywhere::<Store>();
    anywhere::<Reader>();
    elsewhere::<WriteBuffer>();
}

#[test]
fn a_buffer_sees_itself_and_nobody_else_does() {
    let mut place = Place::new(2);
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    assert!(buffer.is_empty());
    buffer.put::<Plain>(&at(1, 1), &Note(b"one".to_vec())).unwrap();
    assert!(!buffer.is_empty());
    assert_eq!(buffer.get::<Plain>(&at(1, 1)).unwrap(), Some(Note(b"one".to_vec())));
    assert!(buffer.contains::<Plain>(&at(1, 1)).unwrap());
    assert_eq!(store.reader().get::<Plain>(&at(1, 1)).unwrap(), None);
    assert_eq!(store.begin().get::<Plain>(&at(1, 1)).unwrap(), None);
    store.commit(buffer, &mut place.rng).unwrap();
    assert!(store.reader().contains::<Plain>(&at(1, 1)).unwrap());
}

#[test]
fn the_table_says_which_key() {
    let mut place = Place::new(3);
    let store = place.open().unwrap();
    let mut buffer = store.begin();
    let key = buffer.create_key(&mut place.rng);
    let note = Note(vec![1]);
    assert!(matches!(buffer.put::<Erasable>(&at(1, 1), &note), Err(StoreError::Fault(_))));
    assert!(matches!(buffer.put_under::<Plain>(&at(1, 1), key, &note), Err(StoreError::Fault(_))));
    assert!(matches!(buffer.put_under::<Erasable>(&at(1, 1), KeyId::ROOT, &note), Err(StoreError::Fault(_))));
    let too_large = Note(vec![0; MAX_VALUE + 1]);
    assert!(matches!(buffer.put::<Plain>(&at(1, 1), &too_large), Err(StoreError::TooLarge { .. })));
    // None of this is a reason to close the store.
    buffer.put::<Plain>(&at(1, 1), &Note(vec![7; MAX_VALUE - 8])).unwrap();
    store.commit(buffer, &mut place.rng).unwrap();
    assert_eq!(store.reader().get::<Plain>(&at(1, 1)).unwrap().unwrap().0.len(), MAX_VALUE - 8);
}

#[test]
fn a_buffer_belongs_to_its_store() {
    let (mut here, mut there) = (Place::new(4), Place::new(5));
    let (one, other) = (here.open().unwrap(), there.open().unwrap());
    let mut buffer = other.begin();
    buffer.delete::<Plain>(&at(1, 1));
    assert!(matches!(one.commit(buffer, &mut here.rng), Err(StoreError::Fault(_))));
}
