//! Two nodes of one identity: a profile that was copied, and an old copy that was put back.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::node::{Node, becomes};
use crate::offline::{Helper, status_becomes};
use crate::person::{Person, TCP};

/// What `doctor` says of the identity.
fn identity(person: &Person) -> (Value, Value) {
    let said = person.say(&["doctor"]).out.remove(0);
    let found = said["findings"].as_array().unwrap().iter().find(|finding| finding["area"] == "identity");
    let found = found.unwrap();
    (found["health"].clone(), found["hint"].clone())
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// Alice with a mailbox at the helper, whose card is in the DHT; her node is off.
fn alice_at(helper: &Helper) -> Person {
    let alice = Person::new("Alice");
    let node = Node::with(&alice, &[], TCP, &[helper.node()]);
    alice.one(&["mailbox", "use", &helper.addr()]);
    status_becomes(&alice, "a mailbox in use and a card in the DHT", |status| {
        status["mailboxes"].as_array().is_some_and(|all| all.len() == 1) && status["reach"]["dht"]["published"] == true
    });
    node.off();
    alice
}

/// ID-33, ID-34: both are told while they run, and `status` and `doctor` say it, also without a node.
#[test]
fn two_nodes_with_one_identity_are_told_of_each_other() {
    let helper = Helper::new("Helper", &[]);
    let alice = alice_at(&helper);
    let twin = Person::homeless();
    copy(&alice.path().join("data"), &twin.path().join("data"));

    let node = Node::with(&alice, &[], TCP, &[helper.node()]);
    becomes("no other is seen", || identity(&alice).0 == "ok");
    let other = Node::with(&twin, &[], TCP, &[helper.node()]);
    for (person, node) in [(&alice, node), (&twin, other)] {
        node.event("profile.elsewhere", |event| event["running"] == true);
        assert_eq!(person.status()["elsewhere"]["running"], true);
        let (health, hint) = identity(person);
        assert_eq!(health, "problem");
        assert!(hint.as_str().unwrap().contains("stop one of the two"), "{hint}");
        node.off();
        assert_eq!((identity(person).0, person.say(&["doctor"]).code), ("problem".into(), Some(1)));
    }
}

/// ID-34: whoever puts an old copy back is told what was found, and that all is well if he did.
#[test]
fn an_old_copy_that_was_put_back_is_no_problem() {
    let helper = Helper::new("Helper", &[]);
    let alice = alice_at(&helper);
    let (data, old) = (alice.path().join("data"), alice.path().join("old"));
    copy(&data, &old);

    let node = Node::with(&alice, &[], TCP, &[helper.node()]);
    alice.one(&["policy", "set", "contacts"]);
    status_becomes(&alice, "the newer card is in the DHT", |status| status["reach"]["dht"]["published"] == true);
    node.off();
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&old, &data).unwrap();

    let node = Node::with(&alice, &[], TCP, &[helper.node()]);
    let told = node.event("profile.elsewhere", |_| true);
    assert_eq!(told["running"], false);
    let (health, hint) = identity(&alice);
    assert_eq!(health, "note");
    assert!(hint.as_str().unwrap().contains("if you have put back an old copy, all is well"), "{hint}");
    assert_eq!(alice.one(&["doctor"])["well"], true);
    // Once more, with the card that takes the place of that one.
    node.off();
    let node = Node::with(&alice, &[], TCP, &[helper.node()]);
    status_becomes(&alice, "a newer card is in the DHT", |status| status["reach"]["dht"]["published"] == true);
    let seen = node.end(rustix::process::Signal::TERM);
    assert!(seen.iter().all(|line| line["event"] != "profile.elsewhere"), "{seen:?}");
}
