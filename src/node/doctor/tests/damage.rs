//! A sound profile, of which one file after another is damaged in one way after another: the doctor is never content where
//! opening fails, or where something was lost.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::messenger::recovery::SNAPSHOT;
use crate::messenger::{Answer, Command, Input, Output};
use crate::node::profile::Profile;

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    Removed,
    /// So many of 16 parts are left.
    Cut(usize),
    /// A bit turned, behind so many of 16 parts.
    Turned(usize),
    /// What was there some commits ago.
    Older,
}

const HARMS: [Harm; 10] = [
    Harm::Removed,
    Harm::Cut(0),
    Harm::Cut(5),
    Harm::Cut(15),
    Harm::Turned(0),
    Harm::Turned(3),
    Harm::Turned(8),
    Harm::Turned(12),
    Harm::Turned(15),
    Harm::Older,
];

fn command(open: &mut profile::Open, command: Command, clock: &Clock) -> Answer {
    let outputs = open.messenger.handle(vec![Input::Command(1, command)], clock.now(), &mut random::system());
    let mut answers = outputs.into_iter().filter_map(|output| match output {
        Output::Reply(1, answer) => Some(answer.unwrap()),
        _ => None,
    });
    answers.next().unwrap()
}

fn open(place: &Place) -> Result<profile::Open, StoreError> {
    let profile = Profile::unlock(place, &mut never).map_err(|error| StoreError::damaged(error.to_string()))?;
    profile.open(Clock::new().now(), &mut random::system()).map(|(open, _)| open)
}

/// Some sessions of work, each with commits and a new state key; a snapshot in the last but one.
fn work(place: &Place, sessions: std::ops::Range<u32>) {
    let clock = Clock::new();
    for session in sessions {
        let mut open = open(place).unwrap();
        for step in 0..8_u32 {
            command(&mut open, Command::SetName { name: format!("Alice {session} {step}") }, &clock);
        }
        open.store.stock_keys(&mut random::system()).unwrap();
        open.store.renew_state_key(&mut random::system(), clock.now()).unwrap();
        let mut snapshot = open.store.begin_snapshot(SNAPSHOT, &mut random::system(), clock.now()).unwrap();
        while !snapshot.step(&open.store, 64).unwrap() {}
    }
}

fn name(open: &profile::Open) -> Option<String> {
    let link = query::link(&open.messenger.reader(), open.messenger.peer_id()).unwrap();
    link.and_then(|link| link.name)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

fn files(folder: &Path, below: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, below, found);
        } else {
            found.push(path.strip_prefix(below).unwrap().to_owned());
        }
    }
}

/// Says whether anything was done.
fn harm(path: &Path, older: Option<&Path>, harm: Harm) -> bool {
    let mut bytes = fs::read(path).unwrap();
    let before = bytes.clone();
    match harm {
        Harm::Removed => {
            fs::remove_file(path).unwrap();
            return true;
        }
        Harm::Cut(part) => bytes.truncate(bytes.len() * part / 16),
        Harm::Turned(part) => {
            let at = bytes.len() * part / 16;
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << part.min(7);
            }
        }
        Harm::Older => match older {
            Some(older) => bytes = fs::read(older).unwrap(),
            None => return false,
        },
    }
    fs::write(path, &bytes).unwrap();
    bytes != before
}

#[test]
fn it_is_never_content_where_opening_fails_or_something_was_lost() {
    let (_home, sound) = home();
    work(&sound, 0..2);
    let old = tempfile::tempdir().unwrap();
    copy(&sound.dir, old.path());
    work(&sound, 2..4);
    let expected = name(&open(&sound).unwrap());
    let newest = |dir: &Path| {
        fs::read_dir(dir.join("db"))
            .unwrap()
            .map(|e| e.unwrap().path())
            .filter(|p| p.to_str().unwrap().contains("snap."))
            .max()
    };
    let mut all = Vec::new();
    files(&sound.dir, &sound.dir, &mut all);
    all.sort();
    assert!(all.len() >= 10, "{all:?}");
    let (mut content, mut mended, mut refused) = (0, 0, 0);
    for file in &all {
        for kind in HARMS {
            let (_home, place) = home();
            fs::remove_dir_all(&place.dir).unwrap();
            copy(&sound.dir, &place.dir);
            let is_table = file.to_str().unwrap().contains("snap.");
            let older =
                if is_table { newest(old.path()) } else { Some(old.path().join(file)).filter(|path| path.exists()) };
            if !harm(&place.dir.join(file), older.as_deref(), kind) {
                continue;
            }
            let what = format!("{}, {kind:?}", file.display());
            let diagnosis = look(&place);
            let told: Vec<_> = diagnosis.findings.iter().filter(|f| f.health != Health::Ok).collect();
            let is_content = diagnosis.findings.iter().any(|f| f.area == Area::Store && f.message.starts_with("sound"));
            match open(&place) {
                Ok(open) => {
                    assert_eq!(name(&open), expected, "{what}: lost, and opened; {told:?}");
                    assert!(
                        diagnosis.findings.iter().any(|f| f.message.contains("every row is there")),
                        "{what}: {told:?}"
                    );
                    drop(open);
                    content += usize::from(is_content);
                    mended += usize::from(!is_content);
                    if !is_content {
                        let after = look(&place);
                        let is_mended = after.findings.iter().any(|f| f.message.starts_with("sound"));
                        assert!(is_mended, "{what}: {after:?}");
                    }
                }
                Err(error) => {
                    refused += 1;
                    assert!(!is_content && !diagnosis.well, "{what}: {error}, and the doctor is content");
                }
            }
            // What the doctor has to name.
            let name = file.to_str().unwrap();
            let is_watched = ["keys.a", "keys.b", "mark", "db/conf"].contains(&name)
                || (name.starts_with("snapshots/") || is_table) && kind != Harm::Removed;
            if is_watched && kind != Harm::Older {
                assert!(told.iter().any(|f| f.message.contains(name) && f.hint.is_some()), "{what}: {told:?}");
            }
        }
    }
    assert!(content > 5 && mended > 30 && refused > 10, "{content} content, {mended} mended, {refused} refused");
}
