//! Errors for which it takes more than a command line: what they say, how to go on, and the exit code.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::node::{Talker, Watchdog, becomes};
use crate::person::{Person, TCP, contacts};

/// The error of a command that reads this from standard input.
fn refused(person: &Person, args: &[&str], input: &[u8]) -> (Option<i32>, Value) {
    let mut command = person.command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let guard = Watchdog::over(&child);
    // It need not read all of it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    drop(guard);
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    (output.status.code(), error["error"].clone())
}

#[test]
fn input_has_its_limits() {
    let alice = Person::new("Alice");
    let many = vec![b'x'; 2 * 1024 * 1024];
    let (code, error) = refused(&alice, &["rpc", "inbox", "-"], &many);
    let message = "the parameters have more than 1048576 bytes";
    assert_eq!(error, json!({"code": "too_large", "exit": 5, "message": message, "hint": "split it up"}));
    assert_eq!(code, Some(5));
    let (code, error) = refused(&alice, &["send", "me", "-"], b"\xff\xfe");
    let message = "standard input is not UTF-8 text";
    assert_eq!(error, json!({"code": "not_text", "exit": 1, "message": message, "hint": null}));
    assert_eq!(code, Some(1));
    let (code, error) = refused(&alice, &["send", "me", "-"], &many);
    assert_eq!((code, &error["code"]), (Some(1), &json!("too_long")), "{error}");
    assert!(alice.texts(&alice).is_empty());
}

#[test]
fn a_link_that_is_none_says_why() {
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    let link = bob.link();
    for (typed, why) in [
        (format!("rohrpost:{}", "x".repeat(10_000)), "it is too long: 10009 bytes, at most "),
        (format!("{link} {link}"), "something else stands behind it"),
        ("rohrpost:group/abc/def".to_owned(), "it is that of a group, and this program knows of none"),
        (link[..link.len() - 1].to_owned(), "it was cut short or changed on its way"),
    ] {
        let error = alice.fails(&["contacts", "add", &typed], 1);
        let message = format!("this link cannot be used: {why}");
        assert!(error["message"].as_str().unwrap().starts_with(&message), "{error}");
        assert_eq!((&error["code"], &error["hint"]), (&json!("bad_link"), &json!("ask them for their link once more")));
    }
    assert!(alice.all(&["contacts"]).is_empty());
}

#[test]
fn who_waits_when_the_node_ends_is_told() {
    let ((alice, alice_node), (_bob, bob_node)) = contacts(TCP);
    bob_node.off();
    let mut waiting = Talker::spawn(&alice, &["send", "bob", "Are you there?", "--wait", "read", "--timeout", "10m"]);
    alice_node.event("message.new", |event| event["message"]["text"] == "Are you there?");
    becomes("the wait", || alice.status()["outbox"] == 1);
    alice_node.off();
    assert_eq!(waiting.ended().code(), Some(9));
    assert_eq!(waiting.seen()[0]["state"], "queued");
    let error: Value = serde_json::from_slice(&waiting.log()).unwrap();
    let message = "it is queued, and more is not known: the node is shutting down";
    let expected = json!({"code": "stopping", "exit": 9, "message": message, "hint": "try again in a moment"});
    assert_eq!(error["error"], expected);
}
