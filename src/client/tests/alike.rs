use serde_json::json;

use super::*;

/// Calls, each with its parameters, that answer the same with and without a node.
fn questions(friend: PeerId) -> Vec<(&'static str, Value)> {
    let friend = friend.to_string();
    vec![
        ("contacts.add", json!({"who": friend, "name": "Friend"})),
        ("send", json!({"to": "Friend", "text": "hi \u{1b}[31m\u{202e}", "client_id": "k"})),
        ("send", json!({"to": "friend", "text": "hi \u{1b}[31m\u{202e}", "client_id": "k"})),
        ("send", json!({"to": "nobody at all", "text": "hi"})),
        ("send", json!({"to": "Friend", "text": ""})),
        ("send", json!({"to": "rohrpost:nonsense", "text": "hi"})),
        ("inbox", json!({})),
        ("inbox", json!({"limit": 0})),
        ("history", json!({"who": "Fri"})),
        ("history", json!(["Friend", 5])),
        ("read", json!({"who": "Friend"})),
        ("contacts.list", json!([])),
        ("contacts.show", json!({"who": friend})),
        ("contacts.verify", json!({"who": "Friend", "number": "12345"})),
        ("contacts.verify", json!({"who": "Friend", "number": "0".repeat(60)})),
        ("contacts.set", json!({"who": "Friend", "quota": 1_000})),
        ("contacts.set", json!({"who": "Friend", "quota": 2_000_000})),
        ("contacts.rename", json!({"who": "Friend", "name": "Freund"})),
        ("contacts.block", json!({"who": "Freund"})),
        ("send", json!({"to": "Freund", "text": "hi"})),
        ("contacts.unblock", json!({"who": "Freund"})),
        ("requests.list", json!({})),
        ("requests.show", json!({"who": "Freund"})),
        ("requests.block", json!({"who": "Freund"})),
        ("policy.set", json!({"policy": "contacts"})),
        ("policy.show", json!({})),
        ("clock.confirm", json!({})),
        ("resolve", json!({"who": "Freund"})),
        ("message", json!({"message": "ff00"})),
        ("id.name", json!({"name": "x".repeat(65)})),
        ("id.name", json!({"nam": "x"})),
        ("message.cancel", json!({"message": "ff00"})),
        ("nonsense", json!({})),
        ("events", json!({"limit": 2})),
        ("events", json!({"since": 1_000})),
        ("events", json!({"since": "yesterday"})),
        ("id.show", json!({})),
        ("id.rotate", json!({})),
        ("reply", json!({"message": "ff00", "text": "hi"})),
        ("requests.accept", json!({"who": "Freund"})),
        ("requests.decline", json!({"who": "Freund"})),
        ("conversation.delete", json!({"who": "Freund"})),
        ("conversation.delete", json!({"who": "Freund"})),
        ("history", json!({"who": "Freund"})),
        ("contacts.remove", json!({"who": "Freund"})),
        ("mailbox.use", json!({"at": ["/ip4/192.0.2.1/tcp/1"]})),
        ("mailbox.use", json!({"at": [format!("/ip4/192.0.2.1/tcp/0/p2p/{friend}")]})),
        ("mailbox.use", json!({"at": []})),
        ("mailbox.use", json!({"at": ["nobody at all"]})),
        ("mailbox.list", json!({})),
        ("mailbox.drop", json!({"who": friend})),
    ]
}

/// What differs from run to run: times, random IDs.
fn steady(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            for (key, value) in map {
                let changes = [
                    "at",
                    "added_at",
                    "sent_at",
                    "received_at",
                    "message_id",
                    "short_id",
                    "addrs",
                    "link",
                    "cursor",
                    "next",
                ];
                *value = if changes.contains(&key.as_str()) { json!("*") } else { steady(value.take()) };
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| *value = steady(value.take())),
        _ => {}
    }
    value
}

#[test]
fn a_node_and_no_node_answer_alike() {
    let (without, with) = (Desk::new("A"), Desk::new("A"));
    let friend = Desk::new("friend").peer();
    let node = with.node();
    let (mut own, mut remote) = (without.open(), with.open());
    assert!(!own.is_remote() && remote.is_remote());
    let questions = questions(friend);
    for method in crate::api::METHODS {
        // What a node alone can say is asked elsewhere.
        let apart = ["status", "doctor", "listen", "ping", "stop", "peers", "mailbox.find", "rpc.discover"]
            .contains(&method.name);
        assert!(apart || questions.iter().any(|(name, _)| *name == method.name), "{} is not asked", method.name);
    }
    for (name, params) in questions {
        let mut answers = [&mut own, &mut remote].map(|client| match client.call(name, Some(params.clone())) {
            Ok(value) => json!({"result": steady(value)}).to_string(),
            Err(error) => json!({"error": error}).to_string(),
        });
        // Each side names itself.
        answers[0] = answers[0].replace(&without.peer().to_string(), "me");
        answers[1] = answers[1].replace(&with.peer().to_string(), "me");
        assert!(!answers[0].contains("\"internal\""), "{name}: {}", answers[0]);
        // The safety numbers are those of different pairs.
        let numbers = |text: &String| serde_json::from_str::<Value>(text).unwrap();
        let strip = |mut value: Value| {
            if let Some(contact) = value.get_mut("result").and_then(Value::as_object_mut) {
                contact.remove("safety_number");
            }
            value
        };
        assert_eq!(strip(numbers(&answers[0])), strip(numbers(&answers[1])), "{name} {params}");
    }
    drop((own, remote));
    node.shutdown().unwrap();
}
