//! A disk that is full, and one that can only be read: on small file systems of their own, which only root can mount.
//! `ROHRPOST_REQUIRE_MOUNTS=1` makes it a failure when they cannot be.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::node::{Node, becomes};
use crate::person::{Person, TCP};
use crate::recovery::snapshot_made;

/// A small file system in memory, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it; `None` where that is not possible, which is said.
    fn mount(at: &Path) -> Option<Self> {
        let mounted =
            run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=12m,mode=700", "rohrpost-test"]).arg(at));
        match mounted {
            Ok(()) => Some(Self(at.to_owned())),
            Err(error) => {
                assert!(std::env::var_os("ROHRPOST_REQUIRE_MOUNTS").is_none(), "no small disk: {error}");
                eprintln!("skipped: no small disk can be mounted: {error}");
                None
            }
        }
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }

    /// Until nothing fits any more.
    fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.filler()).unwrap();
        for size in [64 * 1024, 4096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn empty(&self) {
        fs::remove_file(self.filler()).unwrap();
    }

    fn remount(&self, how: &str) {
        run(Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(&self.0)).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        if let Err(error) = run(Command::new("umount").arg("-l").arg(&self.0)) {
            eprintln!("{error}");
        }
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

/// Alice, whose profile is on a small disk, has Bob for a contact and a stranger's request.
fn on_a_small_disk() -> Option<(SmallDisk, Person, Node, Person, Node)> {
    let alice = Person::homeless();
    let disk = SmallDisk::mount(&alice.path().join("data"))?;
    let (alice, bob, carol) = (alice.named("Alice"), Person::new("Bob"), Person::new("Carol"));
    let (alice_node, bob_node) = (Node::start(&alice, TCP, &[]), Node::start(&bob, TCP, &[]));
    alice.one(&["contacts", "add", &bob.link(), "--name", "Bob"]);
    bob.one(&["contacts", "add", &alice.link(), "--name", "Alice"]);
    alice.send("bob", "Before", "delivered");
    carol.one(&["send", &alice.link(), "I am Carol", "--wait", "sent", "--timeout", "2m"]);
    alice_node.event("request.new", |_| true);
    Some((disk, alice, alice_node, bob, bob_node))
}

/// What needs no writing.
fn can_read(alice: &Person, bob: &Person) {
    assert_eq!(alice.texts(bob), ["Before"]);
    assert_eq!(alice.one(&["inbox"])["last"]["text"], "Before");
    assert_eq!(alice.one(&["requests"])["text"], "I am Carol");
    assert_eq!(alice.one(&["contacts"])["name"], "Bob");
    assert_eq!(alice.one(&["id"])["name"], "Alice");
}

#[test]
fn on_a_full_disk_what_is_there_can_be_read_and_nothing_is_promised() {
    let Some((disk, alice, alice_node, bob, bob_node)) = on_a_small_disk() else { return };
    snapshot_made(&alice_node);
    // While the node runs: what comes is refused, and its sender keeps it; what is written here fails.
    let late = fill_up(&disk, &alice, &bob);
    let can_be_read = || finding(&alice, "store")["message"].as_str().unwrap().contains("only be read");
    becomes("the store is open for reading", can_be_read);
    let of_the_store = finding(&alice, "store");
    let (message, hint) = (of_the_store["message"].as_str().unwrap(), of_the_store["hint"].as_str().unwrap());
    assert_eq!(of_the_store["health"], "problem");
    assert!(message.contains("only be read") && message.contains("the disk is full"), "{of_the_store}");
    assert!(hint.contains("free some space") && hint.contains("tries again by itself"), "{of_the_store}");
    assert!(finding(&alice, "disk")["hint"].as_str().unwrap().contains("free some space"));
    can_read_with(&alice, &bob, &late);
    alice_node.off();
    disk.fill();
    can_read_with(&alice, &bob, &late);
    let error = alice.fails(&["send", "bob", "x", "--wait", "queued"], 3);
    assert!(error["code"] == "disk_full" && error["hint"].as_str().unwrap().contains("free some space"), "{error}");
    assert_eq!(alice.say(&["doctor"]).code, Some(1));
    // Some space was put by for deleting.
    assert!(alice.path().join("data/default/reserve").exists());
    alice.one(&["requests", "decline", "Carol"]);
    assert!(alice.all(&["requests"]).is_empty());

    // With space everything arrives, once.
    disk.empty();
    let alice_node = alice.on_knowing(&bob_node);
    alice_node.arrived(&late.last().unwrap().0);
    let texts: Vec<String> =
        std::iter::once("Before".to_owned()).chain(late.into_iter().map(|(text, _)| text)).collect();
    assert!(alice.texts(&bob) == texts);
    assert!(alice.all(&["requests"]).is_empty(), "what was deleted came back");
}

/// Fills Alice's disk. What Bob writes to her then is not taken while she still can write (NET-94), and waits with him; she
/// writes until nothing fits. What both wrote, in the order in which she will have it, and how it stands.
fn fill_up(disk: &SmallDisk, alice: &Person, bob: &Person) -> Vec<(String, serde_json::Value)> {
    disk.fill();
    let late = format!("late {}", "x".repeat(40_000));
    let said = bob.say(&["send", "alice", &late, "--wait", "sent", "--timeout", "3s"]);
    assert_eq!((said.code, &said.out[0]["state"]), (Some(10), &json!("queued")), "{}", said.err);
    let mut written = Vec::new();
    for number in 0..200 {
        let text = format!("{number} {}", "x".repeat(40_000));
        let said = alice.say(&["send", "bob", &text, "--wait", "queued"]);
        if said.code != Some(0) {
            written.push((late, json!("queued")));
            return written;
        }
        written.push((text, json!("written")));
    }
    panic!("the disk did not fill");
}

/// What `doctor` says of an area.
fn finding(person: &Person, area: &str) -> serde_json::Value {
    let said = person.say(&["doctor"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let findings = said.out[0]["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["area"] == area).unwrap().clone()
}

/// A node whose store is damaged while it runs serves nothing and loses nothing; `doctor` says how to go on.
#[test]
fn a_store_that_is_damaged_under_a_running_node_is_told_with_the_way_out() {
    let Some((disk, alice, alice_node, bob, _bob_node)) = on_a_small_disk() else { return };
    snapshot_made(&alice_node);
    // Nobody looks at the log until a commit fails.
    let log = alice.path().join("data/default/db/db");
    let length = fs::metadata(&log).unwrap().len();
    File::options().write(true).open(&log).unwrap().write_all(&vec![0; usize::try_from(length).unwrap()]).unwrap();
    fill_up(&disk, &alice, &bob);
    alice_node.says("the store cannot be opened");
    disk.empty();
    let of_the_store = finding(&alice, "store");
    assert_eq!(of_the_store["health"], "problem");
    let hint = of_the_store["hint"].as_str().unwrap();
    assert!(hint.contains("rohrpost stop") && hint.contains("rohrpost doctor"), "{of_the_store}");
    // What it says can be done.
    alice_node.off();
    let of_the_store = finding(&alice, "store");
    assert!(of_the_store["message"].as_str().unwrap().contains("damaged"), "{of_the_store}");
    assert!(of_the_store["hint"].as_str().unwrap().contains("rohrpost recover"), "{of_the_store}");
    alice.one(&["recover"]);
    assert!(alice.texts(&bob)[0] == "Before");
}

/// As [`can_read`], with what has come since.
fn can_read_with(alice: &Person, bob: &Person, late: &[(String, serde_json::Value)]) {
    let texts = alice.texts(bob);
    assert_eq!(texts.first().map(String::as_str), Some("Before"));
    // What was said to be stored is.
    for (text, _) in late.iter().filter(|(_, state)| *state != "queued") {
        assert!(texts.contains(text), "acknowledged and not stored");
    }
    assert_eq!(alice.one(&["requests"])["text"], "I am Carol");
    assert_eq!(alice.one(&["contacts"])["name"], "Bob");
}

#[test]
fn on_a_read_only_disk_what_is_there_can_be_read() {
    let Some((disk, alice, alice_node, bob, bob_node)) = on_a_small_disk() else { return };
    alice_node.off();
    bob_node.off();
    disk.remount("ro");
    can_read(&alice, &bob);
    for command in
        [&["send", "bob", "x", "--wait", "queued"][..], &["requests", "accept", "Carol"], &["policy", "set", "nobody"]]
    {
        let error = alice.fails(command, 3);
        assert!(error["message"].as_str().unwrap().contains("is on a read-only file system"), "{command:?}: {error}");
    }
    let error = alice.fails(&["run", "--listen", TCP, "--no-mdns"], 3);
    assert!(error["hint"].as_str().unwrap().contains("mount it writable"), "{error}");
    let sick = alice.say(&["doctor"]);
    let of_the_disk =
        sick.out[0]["findings"].as_array().unwrap().iter().find(|f| f["area"] == "disk").cloned().unwrap();
    assert_eq!(
        (&of_the_disk["health"], &of_the_disk["message"]),
        (&json!("problem"), &json!("the file system is read-only"))
    );
    can_read(&alice, &bob);
    disk.remount("rw");
    alice.one(&["requests", "accept", "Carol"]);
}
