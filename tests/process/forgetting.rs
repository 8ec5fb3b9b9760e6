//! Messages that vanish and conversations that are deleted, by real processes: afterwards the text is nowhere in the
//! files, and in no row that the keys on the disk open.

use std::fs;
use std::path::{Path, PathBuf};

use rohrpost::base::{MonoTime, Now, WallTime};
use rohrpost::identity::open_key_file;
use rohrpost::messenger::tables::{
    Cards, ClientIdQueue, ClientIds, Conversations, EnvelopeMarks, Events, Hours, Late, MarkQueue, MessageIndex,
    Messages, Outbox, Peers, Profile, Recent, Requests, SendingChains, Sessions, States, Strangers, Timed, Tombs,
};
use rohrpost::store::{Rows, Scan, Store, Table};
use serde::Serialize;

use crate::node::Talker;
use crate::person::{Person, TCP, contacts};
use crate::recovery::snapshot_made;

const MARK: &str = "MARK-the-eagle-lands-at-nine";
const STAYS: &str = "STAYS-the-owl-has-time";

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// In none of the files, as it is or in a usual dress: the profile's alone, because the test itself keeps what the
/// program printed.
fn is_not_in_files_of(person: &Person, text: &str) {
    let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
    // The groups of three that begin with the text.
    let base64 = {
        const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let (groups, _) = text.as_bytes().as_chunks::<3>();
        let four = |[a, b, c]: &[u8; 3]| {
            let bits = u32::from_be_bytes([0, *a, *b, *c]);
            [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(bits >> shift) as usize & 63]))
        };
        groups.iter().flat_map(four).collect::<String>()
    };
    let mut all = Vec::new();
    files(&person.path().join("data"), &mut all);
    assert!(all.len() > 5, "{all:?}");
    for path in all {
        let bytes = fs::read(&path).unwrap();
        for dress in [text, &hex, &hex.to_uppercase(), &base64] {
            assert!(!contains(&bytes, dress), "{dress} is in {}", path.display());
        }
    }
}

/// All rows of all tables that the keys on the disk open, with their text in clear. No node may run.
fn opened(person: &Person) -> Vec<Vec<u8>> {
    fn all<T: Table>(store: &Store, into: &mut Vec<Vec<u8>>)
    where
        T::Row: Serialize,
    {
        let rows = store.reader().scan::<T>(&Scan::all()).unwrap();
        into.extend(rows.into_iter().map(|(_, row)| postcard::to_allocvec(&row).unwrap()));
    }
    let dir = person.path().join("data/default");
    let keys = open_key_file(&fs::read(dir.join("key")).unwrap(), None).unwrap();
    let mut rng = <rand_chacha::ChaCha20Rng as rand_chacha::rand_core::SeedableRng>::seed_from_u64(1);
    let now = Now { wall: WallTime(1), mono: MonoTime(0) };
    let store = Store::open_existing(&dir, &keys.store_key, &mut rng, now).unwrap();
    let mut rows = Vec::new();
    all::<Cards>(&store, &mut rows);
    all::<ClientIdQueue>(&store, &mut rows);
    all::<ClientIds>(&store, &mut rows);
    all::<Conversations>(&store, &mut rows);
    all::<EnvelopeMarks>(&store, &mut rows);
    all::<Events>(&store, &mut rows);
    all::<Hours>(&store, &mut rows);
    all::<Late>(&store, &mut rows);
    all::<MarkQueue>(&store, &mut rows);
    all::<MessageIndex>(&store, &mut rows);
    all::<Messages>(&store, &mut rows);
    all::<Outbox>(&store, &mut rows);
    all::<Peers>(&store, &mut rows);
    all::<Profile>(&store, &mut rows);
    all::<Recent>(&store, &mut rows);
    all::<Requests>(&store, &mut rows);
    all::<SendingChains>(&store, &mut rows);
    all::<Sessions>(&store, &mut rows);
    all::<States>(&store, &mut rows);
    all::<Strangers>(&store, &mut rows);
    all::<Timed>(&store, &mut rows);
    all::<Tombs>(&store, &mut rows);
    store.close();
    rows
}

fn is_forgotten_by(person: &Person, text: &str) {
    is_not_in_files_of(person, text);
    let rows = opened(person);
    assert!(!rows.is_empty() && !rows.iter().any(|row| contains(row, text)), "a row still says {text}");
}

#[test]
fn a_message_that_has_vanished_is_nowhere_any_more() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    alice.send("bob", STAYS, "delivered");
    let whisper = alice.one(&["send", "bob", MARK, "--expires", "6s", "--wait", "queued"]);
    let id = whisper["message_id"].as_str().unwrap();
    let arrived = bob_node.event("message.new", |event| event["message_id"] == id);
    let told = arrived["message"]["expires_at"].as_str().map(str::to_owned);
    for node in [&alice_node, &bob_node] {
        let gone = node.event("message.deleted", |event| event["message_id"] == id);
        assert_eq!(gone["reason"], "expired", "{gone}");
        if let Some(told) = &told {
            assert!(gone["at"].as_str().unwrap() >= told.as_str(), "not before it was to: {gone}");
        }
    }
    for (one, other) in [(&alice, &bob), (&bob, &alice)] {
        assert_eq!(one.texts(other), [STAYS]);
        assert_eq!(one.fails(&["reply", id, "what?"], 6)["code"], "no_message");
        let log = one.one(&["rpc", "events", "{}"]).to_string();
        assert!(!log.contains(MARK) && log.contains(id), "{log}");
    }
    assert_eq!(bob.one(&["inbox"])["unread"], 1);
    alice_node.off();
    bob_node.off();
    for person in [&alice, &bob] {
        is_forgotten_by(person, MARK);
        is_not_in_files_of(person, STAYS);
        assert!(opened(person).iter().any(|row| contains(row, STAYS)), "what stays opens");
    }
}

#[test]
fn a_deleted_conversation_is_nowhere_any_more() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    alice.send("bob", MARK, "delivered");
    bob.send("alice", MARK, "delivered");
    let refused = bob.fails(&["--no-input", "conversation", "delete", "alice"], 2);
    assert!(refused["hint"].as_str().unwrap().contains("--yes"), "{refused}");
    assert_eq!(bob.texts(&alice).len(), 2, "nothing was deleted without a yes");

    let deleted = bob.one(&["conversation", "delete", "alice", "--yes"]);
    assert_eq!((&deleted["conversation"], &deleted["unsent"]), (&alice.peer().into(), &0.into()), "{deleted}");
    bob_node.event("conversation.deleted", |event| event["conversation"] == alice.peer());
    assert!(bob.all(&["inbox"]).is_empty());
    assert!(bob.texts(&alice).is_empty());
    assert_eq!(bob.one(&["contacts"])["peer_id"], alice.peer(), "the contact stays");
    assert_eq!(bob.fails(&["conversation", "delete", "alice", "--yes"], 6)["code"], "no_conversation");
    alice.send("bob", "And now?", "delivered");
    bob_node.arrived("And now?");
    assert_eq!(bob.texts(&alice), ["And now?"]);
    bob_node.off();
    is_forgotten_by(&bob, MARK);

    // With no node running, and something waiting to be sent.
    alice_node.off();
    alice.one(&["send", "bob", "Never mind", "--wait", "queued"]);
    assert_eq!(alice.status()["outbox"], 1);
    assert_eq!(alice.one(&["conversation", "delete", "bob", "--yes"])["unsent"], 1);
    assert_eq!(alice.status()["outbox"], 0);
    assert!(alice.all(&["inbox"]).is_empty());
    is_forgotten_by(&alice, MARK);
    is_forgotten_by(&alice, "Never mind");
    let bob_node = bob.on();
    let alice_node = alice.on_knowing(&bob_node);
    alice.send("bob", "Hello again", "delivered");
    bob_node.arrived("Hello again");
    assert_eq!(bob.texts(&alice), ["And now?", "Hello again"]);
    alice_node.off();
}

#[test]
fn what_vanishes_while_nobody_runs_is_gone_before_it_is_shown() {
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    let link = bob.link();
    let queued = alice.one(&["send", &link, MARK, "--expires", "1s", "--client-id", "k", "--wait", "queued"]);
    assert_eq!(queued["state"], "queued");
    assert_eq!(alice.fails(&["send", &link, MARK, "--expires", "0s"], 2)["code"], "usage");
    let too_long =
        alice.fails(&["rpc", "send", &format!(r#"{{"to":"{}","text":"x","expires_s":99999999}}"#, bob.peer())], 2);
    assert_eq!(too_long["code"], "invalid_params");
    // Nobody runs here. A node tells what vanished before it was started, and what does while it runs.
    let node = alice.on();
    let listener = Talker::spawn(&alice, &["listen", "--since", "0"]);
    let gone = listener.wait("its end", |line| line["event"] == "message.deleted");
    assert_eq!(gone["state"], "queued", "{gone}");
    drop(listener);
    node.off();
    assert!(alice.texts(&bob).is_empty());
    assert_eq!(alice.status()["outbox"], 0);
    let again = ["send", &link, MARK, "--expires", "1s", "--client-id", "k", "--wait", "queued"];
    assert_eq!(alice.fails(&again, 6)["code"], "message_gone");
    is_forgotten_by(&alice, MARK);
}

/// The snapshot was made while the message was there; what recovers from it has not the key any more.
#[test]
fn a_recovery_does_not_bring_back_what_was_deleted() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    alice.send("bob", MARK, "delivered");
    snapshot_made(&bob_node);
    bob.one(&["conversation", "delete", "alice", "--yes"]);
    bob_node.off();
    fs::remove_dir_all(bob.path().join("data/default/db")).unwrap();
    let told = bob.one(&["recover"]);
    assert!(told["snapshot"].is_string() && told["contacts"] == 1 && told["messages"] == 0, "{told}");
    assert!(bob.texts(&alice).is_empty());
    is_forgotten_by(&bob, MARK);

    let bob_node = bob.on_knowing(&alice_node);
    alice.send("bob", "And now?", "delivered");
    bob_node.arrived("And now?");
    assert_eq!(bob.texts(&alice), ["And now?"]);
    bob_node.off();
    is_forgotten_by(&bob, MARK);
}
