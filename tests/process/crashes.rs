//! `kill -9` in the middle of a conversation.

use serde_json::{Value, json};

use crate::node::Node;
use crate::person::{Person, TCP, contacts, same_history};

const MANY: usize = 30;

fn texts() -> Vec<String> {
    (0..MANY).map(|i| format!("message {i}")).collect()
}

fn params(to: &Person, i: usize) -> Value {
    json!({"to": to.peer(), "text": format!("message {i}"), "client_id": format!("key-{i}")})
}

/// Writes all calls at once, without waiting for an answer.
fn pour(node: &Node, to: &Person, which: std::ops::Range<usize>) -> crate::node::Rpc {
    let mut rpc = node.call();
    for i in which {
        assert!(rpc.write("send", &params(to, i)));
    }
    rpc
}

/// The message IDs of `send` calls.
fn ids(answers: impl IntoIterator<Item = Value>) -> Vec<String> {
    answers.into_iter().map(|answer| answer["result"]["message_id"].as_str().unwrap().to_owned()).collect()
}

/// Everything that Alice sent has arrived, once and in order, and she knows it.
fn all_is_well((alice, alice_node): (&Person, &Node), (bob, bob_node): (&Person, &Node), sent: &[String]) {
    let mut rpc = alice_node.call();
    for message in sent {
        let shown = rpc.ask("message", &json!({"message": message, "wait": "delivered", "timeout_ms": 100_000}));
        assert_eq!(shown["result"]["state"], "delivered", "{shown}");
    }
    bob_node.arrived(&format!("message {}", MANY - 1));
    let history = alice.history(bob);
    assert_eq!(history.iter().map(|message| message["message_id"].as_str().unwrap()).collect::<Vec<_>>(), sent);
    assert_eq!(bob.texts(alice), texts());
    same_history(alice, bob);
    assert_eq!(alice.status()["outbox"], 0);
    // The conversation goes on, both ways.
    bob.send("alice", "I have them all", "delivered");
    alice.send("bob", "Good", "delivered");
    bob_node.arrived("Good");
    same_history(alice, bob);
    assert_eq!(alice.history(bob).len(), MANY + 2);
    // What Bob's log tells of all his node's lives.
    let log = bob.one(&["rpc", "events", "{}"]);
    let log = log["events"].as_array().unwrap().iter();
    let told = log.filter(|event| event["message"]["direction"] == "in");
    let told: Vec<&str> = told.map(|event| event["message"]["text"].as_str().unwrap()).collect();
    assert_eq!(told[..MANY], texts(), "each is told once");
    assert_eq!(told[MANY..], ["Good"]);
}

#[test]
fn a_killed_sender_goes_on_where_it_was() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    let calls = pour(&alice_node, &bob, 0..MANY);
    bob_node.arrived("message 0");
    alice_node.kill();
    drop(calls);

    let alice_node = alice.on_knowing(&bob_node);
    // A script that was not answered asks again, with the same keys.
    let mut rpc = alice_node.call();
    let sent = ids((0..MANY).map(|i| rpc.ask("send", &params(&bob, i))));
    all_is_well((&alice, &alice_node), (&bob, &bob_node), &sent);
    assert_eq!(bob_node.incoming(), MANY + 1, "each is printed once");
}

#[test]
fn a_killed_recipient_gets_what_is_missing() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    let mut calls = pour(&alice_node, &bob, 0..MANY - 10);
    bob_node.arrived("message 0");
    bob_node.kill();

    let mut sent = ids((0..MANY - 10).map(|_| calls.read()));
    sent.extend(ids((MANY - 10..MANY).map(|i| calls.ask("send", &params(&bob, i)))));
    let bob_node = bob.on_knowing(&alice_node);
    all_is_well((&alice, &alice_node), (&bob, &bob_node), &sent);
}
