//! A store that is damaged: nothing is lost silently, and `recover` gives back what it can.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::node::Node;
use crate::person::{Person, TCP, contacts};

/// Where the profile is.
fn profile(person: &Person) -> PathBuf {
    person.path().join("data/default")
}

/// Waits until the node has made its first snapshot: asks it, and asks again.
pub fn snapshot_made(node: &Node) {
    let mut rpc = node.call();
    let none_yet = |findings: &Value| {
        let of_snapshots = findings["result"]["findings"].as_array().unwrap().iter().find(|f| f["area"] == "snapshots");
        of_snapshots.unwrap()["message"] == "there is none yet"
    };
    let asked = (0..1_000_000).take_while(|_| none_yet(&rpc.ask("doctor", &json!({})))).count();
    assert!(asked < 1_000_000, "no snapshot was made");
}

fn remove(path: &Path) {
    if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { assert!(fs::copy(&path, &target).is_ok()) }
    }
}

#[test]
fn a_lost_database_is_recovered_from_the_snapshot_and_the_conversation_goes_on() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    alice.send("bob", "Early", "delivered");
    bob.send("alice", "Early, too", "delivered");
    alice_node.arrived("Early, too");
    snapshot_made(&alice_node);
    bob.send("alice", "Late", "delivered");
    alice_node.off();
    remove(&profile(&alice).join("db"));

    // It is said, by everybody, with the way out; and nobody takes it for a new profile.
    for command in [&["inbox"][..], &["run"], &["contacts"], &["send", "bob", "x"]] {
        let error = alice.fails(command, 3);
        assert_eq!(
            (&error["code"], &error["message"]),
            (&json!("damaged"), &json!("the store is damaged: its database is missing"))
        );
        assert!(error["hint"].as_str().unwrap().contains("rohrpost recover"), "{error}");
    }
    assert_eq!(alice.fails(&["init", "--no-passphrase"], 1)["code"], "exists");
    let sick = alice.say(&["doctor"]);
    assert!(sick.code == Some(1) && sick.out[0]["well"] == false, "{sick:?}");

    let told = alice.one(&["recover"]);
    assert_eq!((&told["peer_id"], &told["name"]), (&json!(alice.peer()), &json!("Alice")));
    assert_eq!((&told["contacts"], &told["messages"], &told["from_database"]), (&json!(1), &json!(2), &json!(0)));
    assert!(told["snapshot"].is_string() && told["lost"].as_array().unwrap().len() == 2, "{told}");
    let kept = Path::new(told["kept"].as_str().unwrap());
    assert!(kept.join("key").exists() && !kept.join("db").exists());
    assert_eq!(alice.texts(&bob), ["Early", "Early, too"]);
    assert_eq!(alice.one(&["contacts"])["name"], "Bob");
    assert_eq!(alice.fails(&["recover"], 1)["code"], "sound");

    // Fresh sessions, both ways; nothing comes twice.
    let alice_node = alice.on_knowing(&bob_node);
    alice.send("bob", "I am back", "delivered");
    bob_node.arrived("I am back");
    bob.send("alice", "Welcome", "delivered");
    alice_node.arrived("Welcome");
    assert_eq!(alice.texts(&bob), ["Early", "Early, too", "I am back", "Welcome"]);
    assert_eq!(bob.texts(&alice), ["Early", "Early, too", "Late", "I am back", "Welcome"]);
    alice_node.off();
}

#[test]
fn every_lost_file_is_noticed_or_does_not_matter() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    alice.send("bob", "Hello", "delivered");
    bob_node.off();
    alice.one(&["send", "bob", "Waiting", "--wait", "queued"]);
    snapshot_made(&alice_node);
    alice_node.off();
    let (place, sound) = (profile(&alice), alice.path().join("sound"));
    copy(&place, &sound);
    let lost =
        ["key", "keys.a", "keys.b", "keys.a keys.b", "mark", "lock", "db", "db/db", "db/conf", "db/blobs", "snapshots"];
    for names in lost {
        remove(&place);
        copy(&sound, &place);
        names.split(' ').for_each(|name| remove(&place.join(name)));
        let before = alice.say(&["history", "bob"]);
        if before.code == Some(0) {
            assert_eq!(before.out.len(), 2, "without {names}: {before:?}");
            assert_eq!(alice.fails(&["recover"], 1)["code"], "sound", "without {names}");
            continue;
        }
        let error = alice.fails(&["history", "bob"], 3);
        assert!(error["code"] == "damaged" && error["hint"].is_string(), "without {names}: {error}");
        if names == "key" {
            assert!(alice.fails(&["recover"], 3)["hint"].as_str().unwrap().contains("copy"));
            continue;
        }
        let told = alice.one(&["recover"]);
        assert_eq!((&told["name"], &told["contacts"]), (&json!("Alice"), &json!(1)), "without {names}: {told}");
        let texts = alice.texts(&bob);
        if names == "keys.a keys.b" {
            assert!(texts.is_empty() && told["lost"].to_string().contains("key files"), "{told}");
        } else {
            assert_eq!(
                (texts, &told["queued"]),
                (vec!["Hello".to_owned(), "Waiting".to_owned()], &json!(1)),
                "without {names}"
            );
        }
        remove(Path::new(told["kept"].as_str().unwrap()));
    }
}

#[test]
fn what_was_on_its_way_is_sent_again_once() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    alice.send("bob", "First", "delivered");
    bob_node.off();
    let waiting = alice.one(&["send", "bob", "Second", "--wait", "queued", "--client-id", "two"])["message_id"].clone();
    snapshot_made(&alice_node);
    alice_node.off();
    remove(&profile(&alice).join("db"));
    assert_eq!(alice.one(&["recover"])["queued"], 1);
    let again = alice.one(&["send", "bob", "Second", "--wait", "queued", "--client-id", "two"]);
    assert_eq!(again["message_id"], waiting);

    let bob_node = bob.on();
    let alice_node = alice.on_knowing(&bob_node);
    bob_node.arrived("Second");
    alice_node.reached(waiting.as_str().unwrap(), "delivered");
    assert_eq!(bob.texts(&alice), ["First", "Second"]);
    assert_eq!(alice.status()["outbox"], 0);
    let log = alice.one(&["rpc", "events", "{}"]);
    let recovered = log["events"].as_array().unwrap().iter().filter(|event| event["event"] == "profile.recovered");
    assert_eq!(recovered.count(), 1);
}

#[test]
fn nobody_recovers_what_a_node_works_on_or_what_is_not_there() {
    let alice = Person::new("Alice");
    let node = alice.on();
    let error = alice.fails(&["recover"], 9);
    assert!(error["code"] == "busy" && error["hint"].as_str().unwrap().contains("rohrpost stop"), "{error}");
    assert!(alice.one(&["doctor"])["running"] == true);
    node.off();
    assert_eq!(Person::homeless().fails(&["recover"], 6)["code"], "no_profile");
    assert_eq!(Person::homeless().fails(&["doctor"], 6)["code"], "no_profile");
}
