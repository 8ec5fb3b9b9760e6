//! The shim and the disk themselves, tried with a shell instead of the program.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;

use crate::dice::Dice;
use crate::disk::{Cut, Disk, History};
use crate::person::Person;
use crate::shim::{self, Asked};

/// What a script does to a home, with the shim before it.
fn script(person: &Person, script: &str) -> History {
    let journal = person.path().join("journal");
    let with = shim::surroundings(person, &journal, Asked::default());
    let (base, inodes) = Disk::of(person.path());
    let status = Command::new("sh").args(["-ec", script]).current_dir(person.path().join("data")).envs(with).status();
    assert!(status.unwrap().success());
    History::new(base, inodes, shim::read(&journal))
}

fn read(person: &Person, name: &str) -> Option<String> {
    fs::read_to_string(person.path().join("data").join(name)).ok()
}

#[test]
fn what_was_synced_stays_and_the_rest_is_forgotten() {
    let person = Person::homeless();
    fs::write(person.path().join("data/old"), "old\n").unwrap();
    let history = script(
        &person,
        "echo one > kept; sync kept .; echo two >> kept; echo three > nameless; sync nameless; mkdir folder; \
         mv old new; echo four > gone; rm gone; echo five > new; sync new",
    );
    history.leads_to(person.path());
    history.cut(Cut::Nothing, &mut Dice::new(1)).restore(person.path());
    assert_eq!(read(&person, "kept").unwrap(), "one\n");
    assert_eq!(read(&person, "old").unwrap(), "five\n", "its contents, under the name that was synced");
    for name in ["nameless", "folder", "new", "gone"] {
        assert!(!person.path().join("data").join(name).exists(), "{name}");
    }
}

#[test]
fn what_is_left_is_some_of_what_was_written() {
    let person = Person::homeless();
    // The shell itself writes all of it: other programs write in ways that the shim does not know.
    let (old, new) = ("a".repeat(2000), "b".repeat(3000));
    let history = script(
        &person,
        &format!(
            "printf {old} > file; sync file .; printf {new} > other; printf {new} > file; echo end >> file; \
             mv other third"
        ),
    );
    history.leads_to(person.path());
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let mut dice = Dice::new(seed);
        history.cut(Cut::roll(&mut dice), &mut dice).restore(person.path());
        let file = read(&person, "file").unwrap();
        for (number, sector) in file.as_bytes().chunks(512).enumerate() {
            // What was there, what was written, or nothing; only the last write ends within a sector.
            let whole = |byte: u8| sector.iter().all(|found| *found == byte);
            let end = (number + 1) * 512 > 2000;
            assert!(end || whole(b'a') || whole(b'b') || whole(0), "seed {seed}: {number} of {file:?}");
        }
        assert!(!(read(&person, "other").is_some() && read(&person, "third").is_some()), "it has one name at a time");
        seen.insert((file, read(&person, "other"), read(&person, "third")));
    }
    assert!(seen.len() > 20, "only {} different disks", seen.len());
}

#[test]
fn what_goes_by_the_shim_is_found_out() {
    let person = Person::homeless();
    let history = script(&person, "echo seen > file; echo also > other");
    let found_out = || catch_unwind(AssertUnwindSafe(|| history.leads_to(person.path()))).is_err();
    let data = |name: &str| person.path().join("data").join(name);
    let undo = |path: &Path, text: &str| fs::write(path, text).unwrap();
    assert!(!found_out());
    fs::write(data("file"), "seem\n").unwrap();
    assert!(found_out(), "a write");
    undo(&data("file"), "seen\n");
    fs::write(data("new"), "").unwrap();
    assert!(found_out(), "a name");
    fs::remove_file(data("new")).unwrap();
    fs::remove_file(data("file")).unwrap();
    assert!(found_out(), "a removal");
    undo(&data("file"), "seen\n");
    assert!(!found_out());
}
