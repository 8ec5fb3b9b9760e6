//! A machine whose clock is wrong once: nothing is lost, `status` and `doctor` say so at once, and there is a way back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::person::{Person, TCP, contacts};

const DAY: i64 = 86_400;
const YEAR: i64 = 365 * DAY;
const BRIEF: &str = "BRIEF-lives-for-a-day";

/// A library to be preloaded, made of the file of this name.
pub fn compiled(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process").join(name).with_extension("c");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (library, fresh) =
        (folder.join(name).with_extension("so"), folder.join(format!("{name}-{}.so", std::process::id())));
    let flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"];
    let status = Command::new("cc").args(flags).arg(&fresh).arg(source).status();
    assert!(status.expect("these tests need a C compiler, as `cc`").success());
    fs::rename(fresh, &library).unwrap();
    library
}

/// The library that gives programs another wall clock.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| compiled("clock"))
}

/// The machine's clock stands so many seconds from the right time, for what runs and what will.
fn set_clock(person: &Person, seconds: i64) {
    let (path, fresh) = (person.path().join("clock"), person.path().join("clock.new"));
    fs::write(&fresh, seconds.to_string()).unwrap();
    fs::rename(fresh, &path).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    person.surround(vec![("LD_PRELOAD".into(), text(library())), ("CLOCK_FILE".into(), text(&path))]);
}

/// Two contacts, of whom no node runs.
fn two() -> (Person, Person) {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    alice.send("bob", "Hello", "delivered");
    bob.send("alice", "Hello", "delivered");
    alice_node.off();
    bob_node.off();
    (alice, bob)
}

/// How `doctor` finds the clock, and what it says.
fn clock(person: &Person) -> (String, String) {
    let said = person.say(&["doctor"]);
    let findings = said.out[0]["findings"].as_array().unwrap().clone();
    let finding = findings.into_iter().find(|finding| finding["area"] == "clock").unwrap();
    (finding["health"].as_str().unwrap().to_owned(), finding.to_string())
}

fn warning(person: &Person) -> Value {
    person.status()["clock"]["fault"].clone()
}

#[test]
fn a_clock_that_was_ahead_once_costs_nothing() {
    let (alice, bob) = two();
    let carol = Person::new("Carol");
    let node = alice.on();
    carol.send(&alice.link(), "may I write to you?", "sent");
    node.off();
    alice.one(&["send", bob.peer(), "queued before", "--wait", "queued"]);
    for (ahead, look) in [(40 * DAY, true), (12 * YEAR, false)] {
        set_clock(&alice, ahead);
        assert_eq!(warning(&alice), "ahead");
        assert_eq!(clock(&alice).0, "note");
        if look {
            alice.all(&["inbox"]);
        } else {
            alice.on().off();
        }
        set_clock(&alice, 0);
        assert_eq!(warning(&alice), Value::Null, "it is as it was");
        assert_eq!(clock(&alice).0, "ok");
    }
    assert_eq!(alice.all(&["requests", "list"]).len(), 1);
    assert_eq!(alice.history(&bob).last().unwrap()["state"], "queued");
    let bob_node = bob.on();
    let alice_node = alice.on_knowing(&bob_node);
    bob_node.arrived("queued before");
    alice_node.off();
    bob_node.off();
}

/// A board without a battery, which gets the time later.
#[test]
fn a_clock_that_was_behind_makes_nothing_old() {
    let (alice, bob) = two();
    set_clock(&alice, -3 * YEAR);
    assert_eq!(warning(&alice), "behind");
    assert_eq!(clock(&alice).0, "problem");
    let node = alice.on();
    alice.one(&["send", bob.peer(), "queued then", "--wait", "queued"]);
    set_clock(&alice, 0);
    assert_eq!(warning(&alice), Value::Null);
    alice.one(&["rpc", "clock.confirm", "{}"]);
    node.off();
    alice.on().off();
    assert_eq!(alice.history(&bob).last().unwrap()["state"], "queued");
}

/// From its end by the wall clock on a message is nowhere; and it is there again if that was not so.
#[test]
fn what_has_ended_by_the_wall_clock_is_shown_nowhere_and_again_when_that_was_wrong() {
    let (alice, bob) = two();
    let sent = alice.one(&["send", bob.peer(), BRIEF, "--expires", "1d", "--wait", "queued"]);
    let id = sent["message_id"].as_str().unwrap();
    let is_shown = || {
        let is_in = |lines: Vec<Value>| lines.iter().any(|line| line.to_string().contains(BRIEF));
        let message = alice.say(&["rpc", "message", &format!(r#"{{"message": "{id}"}}"#)]);
        let shown = [
            is_in(alice.history(&bob)),
            is_in(alice.all(&["inbox"])),
            is_in(alice.all(&["rpc", "events", r#"{"since": 0}"#])),
            is_in(message.out),
        ];
        assert!(shown.iter().all(|is| *is == shown[0]), "{shown:?}");
        shown[0]
    };
    assert!(is_shown());
    set_clock(&alice, 2 * DAY);
    assert!(!is_shown());
    set_clock(&alice, 0);
    assert!(is_shown());
    let node = alice.on();
    assert!(is_shown());
    set_clock(&alice, 2 * DAY);
    assert!(!is_shown(), "also while a node runs");
    set_clock(&alice, 0);
    assert!(is_shown());
    node.off();
    // The way back: the user says that it is right.
    set_clock(&alice, 2 * DAY);
    let said = alice.say(&["doctor", "--clock"]).out.remove(0);
    assert!(said["findings"].as_array().unwrap().iter().any(|f| f["area"] == "clock" && f["health"] == "ok"), "{said}");
    set_clock(&alice, 0);
    assert!(!is_shown(), "it was destroyed");
    assert_eq!(warning(&alice), "behind");
    alice.say(&["doctor", "--clock"]);
    assert_eq!(warning(&alice), Value::Null);
}

/// Questions and looks change nothing, whatever the clock says.
#[test]
fn a_look_changes_nothing() {
    let (alice, bob) = two();
    alice.one(&["send", bob.peer(), BRIEF, "--expires", "1d", "--wait", "queued"]);
    for days in [10, 20, 30, 40] {
        set_clock(&alice, days * DAY);
        for look in
            [&["inbox"][..], &["history", bob.peer()], &["status"], &["contacts", "list"], &["requests", "list"]]
        {
            alice.all(look);
        }
    }
    set_clock(&alice, 0);
    assert!(alice.texts(&bob).contains(&BRIEF.to_owned()));
}
