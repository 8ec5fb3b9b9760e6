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

/// Everything that was sent has arrived, once and in order, and is known to have arrived.
fn all_is_well(alice: &Person, bob: &Person, last: &str) {
    let waited = alice.one(&[
        "rpc",
        "message",
        &json!({"message": last, "wait": "delivered", "timeout_ms": 100_000}).to_string(),
    ]);
    assert_eq!(waited["state"], "delivered");
    assert_eq!(bob.texts(alice), texts());
    same_history(alice, bob);
    let states: Vec<Value> = alice.history(bob).iter().map(|message| message["state"].clone()).collect();
    assert_eq!(states, vec![json!("delivered"); MANY]);
    assert_eq!(alice.status()["outbox"], 0);
    // The conversation goes on, both ways.
    bob.send("alice", "I have them all", "delivered");
    alice.send("bob", "Good", "delivered");
    same_history(alice, bob);
    assert_eq!(alice.history(bob).len(), MANY + 2);
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
    let answers: Vec<Value> = (0..MANY).map(|i| rpc.ask("send", &params(&bob, i))).collect();
    let last = answers[MANY - 1]["result"]["message_id"].as_str().unwrap().to_owned();
    bob_node.arrived(&format!("message {}", MANY - 1));
    all_is_well(&alice, &bob, &last);
    assert_eq!(bob_node.incoming(), MANY + 1, "each is told once");
}

#[test]
fn a_killed_recipient_gets_what_is_missing() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    let mut calls = pour(&alice_node, &bob, 0..MANY - 10);
    bob_node.arrived("message 0");
    bob_node.kill();

    for _ in 0..MANY - 10 {
        assert!(calls.read()["result"]["message_id"].is_string());
    }
    let answers: Vec<Value> = (MANY - 10..MANY).map(|i| calls.ask("send", &params(&bob, i))).collect();
    let last = answers[9]["result"]["message_id"].as_str().unwrap().to_owned();
    let bob_node = bob.on_knowing(&alice_node);
    bob_node.arrived(&format!("message {}", MANY - 1));
    all_is_well(&alice, &bob, &last);
    // What the log tells of all its lives: each message once.
    let log = bob.all(&["rpc", "events", "{}"]);
    let told = log[0]["events"].as_array().unwrap();
    let told = told.iter().filter(|event| event["message"]["direction"] == "in").count();
    assert_eq!(told, MANY + 1);
}
