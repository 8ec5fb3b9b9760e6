//! Blocks and declined requests: nothing arrives, and nobody is told.

use serde_json::Value;

use crate::node::Node;
use crate::person::{Person, TCP, contacts};

/// What somebody learns about a message of theirs, from all that their node printed.
fn states_of(node: &Node, message: &str) -> Vec<Value> {
    let seen = node.seen();
    let states = seen.iter().filter(|line| line["event"] == "message.state" && line["message_id"] == message);
    states.map(|line| line["state"].clone()).collect()
}

#[test]
fn what_a_blocked_peer_sends_does_not_arrive_until_it_is_unblocked() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    alice.send("bob", "Before", "delivered");
    bob_node.arrived("Before");
    bob.one(&["contacts", "block", "alice"]);
    assert_eq!(bob.one(&["contacts", "show", "alice"])["blocked"], true);
    assert_eq!(bob.fails(&["send", "alice", "You are blocked"], 7)["code"], "blocked");

    // Their node has taken it, as far as Alice can know; it is not delivered, and not kept.
    let lost = alice.send("bob", "Into the void", "sent");
    assert_eq!(bob.texts(&alice), ["Before"]);
    assert!(bob.all(&["requests"]).is_empty());

    bob.one(&["contacts", "unblock", "alice"]);
    let after = alice.send("bob", "After", "delivered");
    bob_node.arrived("After");
    bob.send("alice", "I am back", "delivered");
    alice_node.arrived("I am back");
    alice_node.reached(&after, "delivered");
    assert_eq!(bob.texts(&alice), ["Before", "After", "I am back"], "what was dropped does not come back");
    assert_eq!(states_of(&alice_node, &lost), ["sent"]);
    assert_eq!(bob_node.incoming(), 2);
}

#[test]
fn a_declined_stranger_who_tries_again_is_not_heard_and_not_told() {
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    let (alice_node, bob_node) = (alice.on(), bob.on());
    let link = bob.link();
    let first = alice.send(&link, "Hello?", "sent");
    bob_node.event("request.new", |_| true);
    bob.one(&["requests", "decline", "alice"]);
    bob_node.event("request.closed", |event| event["reason"] == "declined");

    let second = alice.send(&link, "Hello??", "sent");
    // Also after a restart.
    bob_node.off();
    let _bob_node = bob.on_knowing(&alice_node);
    let third = alice.send(&link, "Hello???", "sent");
    alice_node.reached(&third, "sent");

    assert!(bob.all(&["requests"]).is_empty());
    assert!(bob.all(&["inbox"]).is_empty());
    assert!(bob.all(&["contacts"]).is_empty());
    let log = bob.one(&["rpc", "events", "{}"]);
    let names: Vec<&Value> = log["events"].as_array().unwrap().iter().map(|event| &event["event"]).collect();
    assert_eq!(names, ["request.new", "request.closed"], "one request, and no word of the others");
    for message in [first, second, third] {
        assert_eq!(states_of(&alice_node, &message), ["sent"], "a declined request looks like a pending one");
    }
}

#[test]
fn a_block_outlives_a_restart() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    bob_node.off();
    bob.one(&["contacts", "block", "alice"]);
    let bob_node = bob.on_knowing(&alice_node);
    alice.send("bob", "Into the void", "sent");
    assert!(bob.texts(&alice).is_empty());
    bob_node.off();
    bob.one(&["contacts", "unblock", "alice"]);
    let bob_node = bob.on_knowing(&alice_node);
    alice.send("bob", "After", "delivered");
    bob_node.arrived("After");
    assert_eq!(bob.texts(&alice), ["After"]);
    assert_eq!(alice.texts(&bob), ["Into the void", "After"]);
    bob.send("alice", "Hello", "delivered");
    alice_node.arrived("Hello");
    assert_eq!(alice_node.incoming(), 1);
}
