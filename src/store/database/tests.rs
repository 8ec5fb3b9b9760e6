use std::io;

use super::*;
use crate::store::durable::Disk;

fn row(key: u8, length: usize) -> Write {
    (vec![key], Some(vec![key; length]))
}

#[test]
fn rows_come_in_order_and_from_both_ends() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!Database::exists(dir.path()));
    let mut database = Database::open(dir.path(), Arc::new(Disk)).unwrap();
    database.apply((0..100).map(|key| row(key, 10)).collect()).unwrap();
    database.apply(vec![(vec![7], None), row(8, 20)]).unwrap();
    let read = |low: u8, high: Option<u8>, reverse| {
        let high = high.map(|high| vec![high]);
        let mut range = database.range(&[low], high.as_deref(), reverse).unwrap();
        let mut keys = Vec::new();
        while let Some((key, row)) = range.next().transpose().unwrap() {
            assert_eq!(row.len(), if key[0] == 8 { 20 } else { 10 });
            keys.push(key[0]);
        }
        keys
    };
    assert_eq!(read(5, Some(10), false), [5, 6, 8, 9]);
    assert_eq!(read(5, Some(10), true), [9, 8, 6, 5]);
    assert_eq!(read(97, None, false), [97, 98, 99]);
    assert_eq!(read(97, None, true), [99, 98, 97]);
    assert!(database.get(&[7]).unwrap().is_none());
    drop(database);
    assert!(Database::exists(dir.path()));
}

#[test]
fn errors_of_the_engine_get_the_name_a_person_understands() {
    let folder = Path::new("/somewhere");
    let io = |kind: ErrorKind| named(folder, sled::Error::Io(io::Error::from(kind)));
    assert!(matches!(io(ErrorKind::StorageFull), StoreError::Full));
    assert!(matches!(io(ErrorKind::QuotaExceeded), StoreError::Full));
    assert!(matches!(io(ErrorKind::ReadOnlyFilesystem), StoreError::ReadOnly { path } if path == folder));
    assert!(matches!(io(ErrorKind::PermissionDenied), StoreError::Permission { path } if path == folder));
    assert!(matches!(io(ErrorKind::UnexpectedEof), StoreError::Damaged { .. }));
    assert!(matches!(io(ErrorKind::TimedOut), StoreError::Io { .. }));
    // As sled hands on an error of one of its threads: the text of it, and its kind.
    let handed_on = io::Error::new(ErrorKind::StorageFull, "Os { code: 28, kind: StorageFull, .. }");
    assert!(matches!(named(folder, sled::Error::Io(handed_on)), StoreError::Full));
    assert!(matches!(named(folder, sled::Error::Corruption { at: None, bt: () }), StoreError::Damaged { .. }));
    assert!(matches!(named(folder, sled::Error::Unsupported("x".to_owned())), StoreError::Damaged { .. }));
}

#[test]
fn panics_of_the_engine_are_damage_or_a_full_disk() {
    assert!(matches!(named_panic("called `unwrap` on: Os { code: 28, kind: StorageFull }"), StoreError::Full));
    assert!(matches!(named_panic("index out of bounds"), StoreError::Damaged { .. }));
}

#[test]
fn errors_a_person_can_mend_have_a_hint() {
    for kind in [ErrorKind::StorageFull, ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied] {
        assert!(StoreError::from_io(Path::new("/x"), kind.into()).hint().is_some());
    }
}

#[test]
fn a_panic_inside_is_an_error_and_the_engine_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join(DATABASE);
    let result: Result<(), _> = flatten(&folder, catch(|| panic!("page 5 is gone")));
    assert!(matches!(result, Err(StoreError::Damaged { what }) if what.contains("page 5 is gone")));
}

#[test]
fn a_flush_that_waits_for_a_dead_thread_comes_to_an_end() {
    // Whoever opens a database has this in place: it counts the dead.
    catch(|| ()).unwrap();
    let dying = thread::Builder::new().name("sled-io-dying".to_owned()).spawn(|| {
        // It has to die while somebody waits, and nobody can be told that he does. Should it die before, the test proves
        // less, and does not fail.
        thread::sleep(Duration::from_millis(300));
        panic!("a thread of the engine");
    });
    let (answer, answers) = sync_channel(1);
    let mut keeper = Keeper { orders: None, answers: Mutex::new(answers) };
    let (told, waited) = sync_channel(1);
    let waiting = thread::spawn(move || {
        told.send(keeper.wait(PATIENCE).is_err()).unwrap();
        keeper
    });
    assert!(waited.recv_timeout(Duration::from_secs(60)).unwrap());
    dying.unwrap().join().unwrap_err();
    // An answer is an answer, also a late one; a keeper that has ended gives none.
    let mut keeper = waiting.join().unwrap();
    answer.send(Ok(Ok(3))).unwrap();
    assert!(matches!(keeper.wait(PATIENCE), Ok(Ok(3))));
    drop(answer);
    assert!(keeper.wait(PATIENCE).is_err() && keeper.flush().is_err());
}

#[test]
fn closing_lets_go_of_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let mut database = Database::open(dir.path(), Arc::new(Disk)).unwrap();
        database.apply(vec![row(round, 10)]).unwrap();
    }
}
