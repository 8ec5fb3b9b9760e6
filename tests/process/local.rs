//! The socket: raw calls, and a log of events that is read on from a cursor.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::node::{Talker, Watchdog, becomes};
use crate::person::{Person, TCP, contacts};

#[test]
fn a_program_talks_to_the_socket_itself() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    let mut rpc = alice_node.call();
    let sent = rpc.ask("send", &json!({"to": "bob", "text": "Raw", "wait": "delivered", "timeout_ms": 100_000}));
    assert_eq!(sent["result"]["state"], "delivered");
    bob_node.arrived("Raw");
    let history = rpc.ask("history", &json!({"who": "bob"}));
    assert_eq!(history["result"][0]["message_id"], sent["result"]["message_id"]);
    assert_eq!(
        rpc.ask("history", &json!({"who": "bob"}))["result"],
        alice.one(&["rpc", "history", r#"{"who":"bob"}"#])
    );
    assert_eq!(rpc.ask("nonsense", &json!({}))["error"]["data"]["code"], "unknown_method");
    assert_eq!(rpc.ask("send", &json!({"to": "bob"}))["error"]["data"]["code"], "invalid_params");
    assert_eq!(alice.fails(&["rpc", "nonsense"], 2)["code"], "unknown_method");
    assert_eq!(rpc.ask("status", &json!({}))["result"]["pid"], alice_node.pid());

    // The same without a node.
    alice_node.off();
    assert_eq!(alice.one(&["rpc", "history", r#"{"who":"bob"}"#]), history["result"]);
    assert_eq!(alice.fails(&["rpc", "stop"], 9)["code"], "node_needed");
    drop((bob, bob_node));
}

#[test]
fn a_listener_goes_on_from_its_cursor_and_misses_nothing() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    let is = |text: &'static str| move |event: &Value| event["message"]["text"] == text;
    let mut heard = Vec::new();

    // Killed after it has heard the first; it has dealt with that and no more.
    alice.send("bob", "one", "delivered");
    let mut listener = Talker::spawn(&bob, &["listen", "--since", "0"]);
    listener.event("message.new", is("one"));
    listener.signal(Signal::KILL);
    listener.ended();
    heard.extend(listener.seen());
    let cursor = heard.last().unwrap()["cursor"].as_str().unwrap().to_owned();

    // What happens while it is away, also while the node is anew, and what happens while it listens.
    alice.send("bob", "two", "delivered");
    bob_node.off();
    let bob_node = bob.on_knowing(&alice_node);
    alice.send("bob", "three", "delivered");
    let mut listener = Talker::spawn(&bob, &["listen", "--since", &cursor]);
    listener.event("message.new", is("three"));
    alice.send("bob", "four", "delivered");
    listener.event("message.new", is("four"));
    bob_node.off();
    assert_eq!(listener.ended().code(), Some(9), "the end of the node is the end of the listener");
    heard.extend(listener.seen());
    let last = heard.last().unwrap()["cursor"].as_str().unwrap();
    let told: Value = serde_json::from_str(listener.errors().lines().last().unwrap()).unwrap();
    assert_eq!(
        (&told["error"]["code"], &told["error"]["message"]),
        (&json!("node_needed"), &json!("the node has ended"))
    );
    assert!(told["error"]["hint"].as_str().unwrap().contains(&format!("listen --follow --since {last}`")), "{told}");

    let seqs: Vec<u64> = heard.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
    let log = bob.all(&["listen", "--since", "0"]);
    let log: Vec<&Value> = log.iter().map(|event| &event["seq"]).collect();
    // The node logs that a peer is gone after it has closed the door to listeners, if at all.
    assert_eq!(log[..seqs.len()], seqs.iter().map(|seq| json!(seq)).collect::<Vec<_>>().iter().collect::<Vec<_>>());
    let texts: Vec<&Value> =
        heard.iter().filter(|event| event["event"] == "message.new").map(|event| &event["message"]["text"]).collect();
    assert_eq!(texts, ["one", "two", "three", "four"]);
}

/// One that follows goes on with the next node, whether the one before ended or was killed, and from one cursor.
#[test]
fn a_listener_that_follows_outlives_its_node() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    let is = |text: &'static str| move |event: &Value| event["message"]["text"] == text;
    let mut listener = Talker::spawn(&bob, &["listen", "--follow", "--since", "0"]);
    alice.send("bob", "one", "delivered");
    listener.event("message.new", is("one"));
    bob_node.kill();
    let bob_node = bob.on_knowing(&alice_node);
    alice.send("bob", "two", "delivered");
    listener.event("message.new", is("two"));
    // One that does not answer may go on: it is waited for.
    bob_node.signal(Signal::STOP);
    let patient = Talker::spawn(&bob, &["listen", "--follow", "--since", "0"]);
    assert_eq!(bob.fails(&["status"], 9)["code"], "not_answering");
    bob_node.signal(Signal::CONT);
    patient.event("message.new", is("two"));
    bob_node.off();
    // It was begun while there is none, too.
    let late = Talker::spawn(&bob, &["listen", "--follow", "--since", "0"]);
    let bob_node = bob.on_knowing(&alice_node);
    alice.send("bob", "three", "delivered");
    listener.event("message.new", is("three"));
    late.event("message.new", is("three"));
    assert!(listener.is_running() && late.is_running());
    let seqs: Vec<u64> = listener.seen().iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(seqs.windows(2).all(|pair| pair[0] < pair[1]), "{seqs:?}");
    // A cursor that is not of this log does not come to be one by waiting.
    let error = bob.fails(&["listen", "--follow", "--since", "999999"], 6);
    assert_eq!(error["code"], "wrong_cursor");
    listener.signal(Signal::TERM);
    listener.ended();
    drop((bob_node, alice_node));
}

/// Nothing happens, and who read what was printed has gone: with a node, without one, and while one is waited for.
#[test]
fn a_listener_ends_with_its_reader() {
    let alice = Person::new("Alice");
    let ends = |args: &[&str]| {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut child = alice.command(args).stdout(writer).stderr(std::process::Stdio::null()).spawn().unwrap();
        let _guard = Watchdog::over(&child);
        drop(reader);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{args:?}");
    };
    ends(&["listen", "--follow"]);
    let node = alice.on();
    let clients = || std::fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap().count();
    let before = clients();
    for _ in 0..3 {
        ends(&["listen"]);
        ends(&["listen", "--follow"]);
        ends(&["listen", "--since", "0"]);
    }
    // Their places are free: the node has closed what it had open for them.
    becomes("the node notices", || clients() <= before);
}
