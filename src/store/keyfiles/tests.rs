use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::base::WallTime;
use crate::store::durable::Disk;
use crate::store::keyring::{Entry, Role};

struct Folder {
    dir: tempfile::TempDir,
    rng: ChaCha20Rng,
}

impl Folder {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), rng: ChaCha20Rng::seed_from_u64(1) }
    }

    fn files(&self, key: u8) -> KeyFiles {
        KeyFiles::new(self.dir.path(), &Secret::new([key; 32]), Arc::new(Disk))
    }

    fn keys(&mut self, count: u64) -> Entries {
        let role = Role::State { made: WallTime(5) };
        (0..count).map(|id| (KeyId(id), Entry { key: Secret::random(&mut self.rng), role })).collect()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.dir.path().join(name)).unwrap()
    }
}

const fn saying(keys: &Entries, commits: u64) -> Contents<&Entries> {
    Contents { commits, next: KeyId(1_000), keys }
}

#[test]
fn the_newer_file_counts_and_the_older_is_overwritten() {
    let mut folder = Folder::new();
    assert!(folder.files(1).load().unwrap().is_none());
    let (one, two, three) = (folder.keys(1), folder.keys(2), folder.keys(3));
    let mut files = folder.files(1);
    assert_eq!(files.write(&saying(&one, 7), &mut folder.rng).unwrap(), 1);
    let loaded = folder.files(1).load().unwrap().unwrap();
    assert_eq!(
        (loaded.contents.keys, loaded.contents.commits, loaded.files),
        (one, 7, [Condition::Sound, Condition::Missing])
    );
    assert_eq!(files.write(&saying(&two, 8), &mut folder.rng).unwrap(), 2);
    // A new process goes on where the last one was.
    let mut files = folder.files(1);
    let loaded = files.load().unwrap().unwrap();
    assert_eq!(
        (loaded.contents.keys, loaded.contents.commits, loaded.files, files.generation),
        (two.clone(), 8, [Condition::Behind, Condition::Sound], 2)
    );
    let second = folder.bytes("keys.b");
    assert_eq!(files.write(&saying(&three, 9), &mut folder.rng).unwrap(), 3);
    assert_eq!(folder.bytes("keys.b"), second, "the newer file was overwritten");
    // Whichever of the two is the newer.
    let mut files = folder.files(1);
    let loaded = files.load().unwrap().unwrap();
    assert_eq!((loaded.contents.keys, loaded.files), (three.clone(), [Condition::Sound, Condition::Behind]));
    let first = folder.bytes("keys.a");
    // At rest, both hold the same.
    files.write(&saying(&three, 9), &mut folder.rng).unwrap();
    assert_eq!(folder.bytes("keys.a"), first, "the newer file was overwritten");
    assert!(folder.files(1).load().unwrap().unwrap().files == BOTH);
}

#[test]
fn a_file_is_overwritten_whole_and_never_gets_shorter() {
    use std::os::unix::fs::MetadataExt;
    let mut folder = Folder::new();
    let mut files = folder.files(1);
    let (many, few) = (folder.keys(600), folder.keys(1));
    for keys in [&many, &many] {
        files.write(&saying(keys, 1), &mut folder.rng).unwrap();
    }
    let path = folder.dir.path().join("keys.a");
    let (before, node) = (folder.bytes("keys.a"), fs::metadata(&path).unwrap().ino());
    assert!(before.len() > 4 * BLOCK && before.len().is_multiple_of(BLOCK));
    for keys in [&few, &few] {
        files.write(&saying(keys, 1), &mut folder.rng).unwrap();
    }
    let after = folder.bytes("keys.a");
    assert_eq!(
        (after.len(), fs::metadata(&path).unwrap().ino()),
        (before.len(), node),
        "the blocks were not overwritten"
    );
    let same = before.iter().zip(&after).skip(16).filter(|(a, b)| a == b).count();
    assert!(same < before.len() / 64, "{same} bytes are as they were");
    assert_eq!(folder.files(1).load().unwrap().unwrap().contents.keys, few);
}

#[test]
fn a_torn_or_damaged_file_leaves_the_other() {
    let mut folder = Folder::new();
    let (old, new) = (folder.keys(2), folder.keys(3));
    let mut files = folder.files(1);
    files.write(&saying(&old, 1), &mut folder.rng).unwrap();
    files.write(&saying(&new, 2), &mut folder.rng).unwrap();
    let good = folder.bytes("keys.b");
    let path = folder.dir.path().join("keys.b");
    let load = |folder: &Folder| folder.files(1).load().unwrap().unwrap();
    for at in (0..good.len()).step_by(37) {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, &bad).unwrap();
        let loaded = load(&folder);
        let damaged = [Condition::Sound, Condition::Damaged];
        assert!(loaded.contents.keys == old && loaded.contents.commits == 1 && loaded.files == damaged, "{at}");
        fs::write(&path, &good[..at]).unwrap();
        let loaded = load(&folder);
        assert!(loaded.contents.keys == old && loaded.files == damaged, "{at}");
    }
    // The damaged one is the one that is written next.
    let mut files = folder.files(1);
    files.load().unwrap();
    files.write(&saying(&old, 3), &mut folder.rng).unwrap();
    assert!(load(&folder).files == BOTH);
    for name in ["keys.a", "keys.b"] {
        fs::write(folder.dir.path().join(name), [0; 5000]).unwrap();
    }
    assert!(matches!(folder.files(1).load(), Err(StoreError::Damaged { .. })));
}

#[test]
fn another_key_is_not_damage() {
    let mut folder = Folder::new();
    let keys = folder.keys(1);
    let mut files = folder.files(1);
    files.write(&saying(&keys, 1), &mut folder.rng).unwrap();
    assert!(matches!(folder.files(2).load(), Err(StoreError::WrongKey)));
    files.write(&saying(&keys, 1), &mut folder.rng).unwrap();
    assert!(matches!(folder.files(2).load(), Err(StoreError::WrongKey)));
    fs::write(folder.dir.path().join("keys.a"), b"rubbish").unwrap();
    assert!(matches!(folder.files(2).load(), Err(StoreError::WrongKey)));
    // One of another profile beside a sound one is said to be that.
    let mut other = Folder::new();
    other.files(2).write(&saying(&keys, 1), &mut other.rng).unwrap();
    fs::write(folder.dir.path().join("keys.a"), other.bytes("keys.a")).unwrap();
    let loaded = folder.files(1).load().unwrap().unwrap();
    assert_eq!((loaded.contents.keys, loaded.files), (keys, [Condition::Foreign, Condition::Sound]));
}

/// They come of two copies of a profile, both of which were used.
#[test]
fn of_two_files_of_one_generation_the_second_counts() {
    let (mut folder, mut other) = (Folder::new(), Folder::new());
    let (one, two) = (folder.keys(1), other.keys(2));
    folder.files(1).write(&saying(&one, 1), &mut folder.rng).unwrap();
    other.files(1).write(&saying(&two, 1), &mut other.rng).unwrap();
    fs::write(folder.dir.path().join("keys.b"), other.bytes("keys.a")).unwrap();
    let mut files = folder.files(1);
    let loaded = files.load().unwrap().unwrap();
    assert_eq!((loaded.contents.keys, loaded.files), (two.clone(), [Condition::Behind, Condition::Sound]));
    files.write(&saying(&two, 2), &mut folder.rng).unwrap();
    assert_eq!(folder.bytes("keys.b"), other.bytes("keys.a"), "the one that counts was overwritten");
}

#[test]
fn an_older_file_cannot_be_passed_off_as_a_newer_one() {
    let mut folder = Folder::new();
    let (old, new) = (folder.keys(2), folder.keys(1));
    let mut files = folder.files(1);
    files.write(&saying(&old, 1), &mut folder.rng).unwrap();
    files.write(&saying(&new, 2), &mut folder.rng).unwrap();
    let mut bytes = folder.bytes("keys.a");
    bytes[15] = 9;
    fs::write(folder.dir.path().join("keys.a"), summed(&bytes)).unwrap();
    let loaded = folder.files(1).load().unwrap().unwrap();
    assert_eq!((loaded.contents.keys, loaded.files), (new, [Condition::Foreign, Condition::Sound]));
}

#[test]
fn a_file_that_others_could_read_is_private_when_it_is_written() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let mut folder = Folder::new();
    let (keys, mut files) = (folder.keys(1), folder.files(1));
    let paths = KEYS.map(|name| folder.dir.path().join(name));
    for round in 0..4 {
        files.write(&saying(&keys, 1), &mut folder.rng).unwrap();
        let path = &paths[round % 2];
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600, "{round}");
        fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    }
}

#[test]
fn keys_of_any_length_fill_whole_blocks() {
    let mut folder = Folder::new();
    let files = folder.files(1);
    let mut beyond = Vec::new();
    let mut keys = folder.keys(110);
    for longer in 0..100 {
        // A later moment takes one byte more.
        keys.get_mut(&KeyId(longer)).unwrap().role = Role::State { made: WallTime(1_000) };
        let bytes = files.encode(1, &saying(&keys, 1), 0, &mut folder.rng).unwrap();
        let length = OVERHEAD + 4 + postcard::to_allocvec(&saying(&keys, 1)).unwrap().len();
        assert!(bytes.len().is_multiple_of(BLOCK) && bytes.len() >= length && bytes.len() < length + BLOCK, "{length}");
        assert!(matches!(files.decode(&bytes), Ok(Copy::Sound(1, found)) if found.keys == keys), "{length}");
        beyond.push(length.checked_signed_diff(BLOCK).unwrap());
    }
    assert!((-8..=8).all(|length| beyond.contains(&length)), "{beyond:?}");
}

#[test]
fn what_is_said_to_be_longer_than_it_is_does_not_open() {
    let mut folder = Folder::new();
    let (keys, files) = (folder.keys(1), folder.files(1));
    let contents = postcard::to_allocvec(&saying(&keys, 1)).unwrap();
    let length = u32::try_from(contents.len()).unwrap();
    for (said, opens) in [(length, true), (length + 1, false), (u32::MAX, false), (length - 1, false)] {
        let padded = [&said.to_be_bytes()[..], &contents].concat();
        let found = files.decode(&files.seal(1, &padded, &mut folder.rng)).unwrap();
        assert_eq!(matches!(found, Copy::Sound(..)), opens, "{said}");
    }
}

/// A larger file is damage, so none is written; what else has become so large is brought back.
#[test]
fn no_file_is_larger_than_one_that_is_read() {
    let mut folder = Folder::new();
    let (keys, mut files) = (folder.keys(1), folder.files(1));
    let contents = saying(&keys, 1);
    files.write(&contents, &mut folder.rng).unwrap();
    assert!(matches!(files.encode(1, &contents, MAX_FILE + 1, &mut folder.rng), Err(StoreError::Fault(_))));
    // Sound, were it not for its length.
    let sealed = postcard::to_allocvec(&contents).unwrap();
    let mut padded = [&u32::try_from(sealed.len()).unwrap().to_be_bytes()[..], &sealed].concat();
    padded.resize(MAX_FILE - OVERHEAD + 1, 0);
    let large = files.seal(9, &padded, &mut folder.rng);
    assert!(matches!(files.decode(&large), Ok(Copy::Sound(9, _))));
    let path = folder.dir.path().join("keys.b");
    fs::write(&path, &large).unwrap();
    let mut files = folder.files(1);
    assert_eq!(files.load().unwrap().unwrap().files, [Condition::Sound, Condition::Damaged]);
    files.write(&contents, &mut folder.rng).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().len(), MAX_FILE as u64);
    assert_eq!(folder.files(1).load().unwrap().unwrap().files, BOTH);
}

#[test]
fn another_version_is_named() {
    let mut folder = Folder::new();
    let keys = folder.keys(1);
    folder.files(1).write(&saying(&keys, 1), &mut folder.rng).unwrap();
    let mut bytes = folder.bytes("keys.a");
    for version in [3, 1] {
        bytes[7] = version;
        fs::write(folder.dir.path().join("keys.a"), summed(&bytes)).unwrap();
        let error = folder.files(1).load().err().unwrap();
        assert!(matches!(
            (version, error),
            (3, StoreError::TooNew { found: 3, known: 2 }) | (1, StoreError::TooOld { found: 1, oldest: 2 })
        ));
    }
    // What has another name is no such file, of whatever version.
    for version in 1..=3 {
        (bytes[0], bytes[7]) = (b'r', version);
        fs::write(folder.dir.path().join("keys.a"), summed(&bytes)).unwrap();
        assert!(matches!(folder.files(1).load(), Err(StoreError::Damaged { .. })), "{version}");
    }
}

/// A file with the checksum that it should have.
fn summed(file: &[u8]) -> Vec<u8> {
    let rest = &file[..file.len() - CHECKSUM_LEN];
    [rest, &sha256(&[rest])[..CHECKSUM_LEN]].concat()
}
