//! Who is meant by a name, whatever strangers and contacts call themselves.

use serde_json::{Value, json};

use crate::node::Node;
use crate::person::{Person, TCP, contacts};

/// Whom a send went to.
fn sent_to(from: &Person, to: &str, text: &str) -> Value {
    from.one(&["send", to, text, "--wait", "queued"])["to"].clone()
}

#[test]
fn what_strangers_call_themselves_takes_nothing_from_a_contact() {
    let ((alice, alice_node), (bob, _bob_node)) = contacts(TCP);
    alice.one(&["contacts", "rename", "bob", "Bob Smith"]);
    let eve = Person::new("bob");
    let _eve_node = eve.on();
    eve.send(&alice.link(), "May I?", "sent");
    alice_node.event("request.new", |_| true);

    // The beginning of a name that Alice gave, which is a stranger's whole name.
    assert_eq!(sent_to(&alice, "bob", "The code is 4711"), bob.peer());
    alice.all(&["history", "bob"]);
    assert_eq!(alice.one(&["contacts", "show", "bob"])["peer_id"], bob.peer());
    assert_eq!(alice.one(&["requests", "show", "bob"])["peer_id"], eve.peer());
    let end = format!("…{}", &eve.peer()[eve.peer().len() - 8..]);
    assert_eq!(alice.one(&["requests", "show", &end])["peer_id"], eve.peer());
    assert_eq!(alice.fails(&["send", &end, "Hi"], 6)["code"], "not_found");

    // Nothing goes to somebody who asks, by the way: neither by the peer ID nor by the link.
    for to in [eve.peer().to_owned(), eve.link()] {
        let error = alice.fails(&["send", &to, "Hi", "--wait", "queued"], 1);
        let message = "their request is pending, and nothing goes to them before it is accepted";
        assert_eq!((&error["code"], &error["message"]), (&"request_pending".into(), &message.into()));
        let hint = error["hint"].as_str().unwrap();
        assert!(hint.contains("`rohrpost requests show`") && hint.contains("`rohrpost send --accept`"), "{error}");
    }
    assert_eq!(alice.all(&["requests"]).len(), 1);
    let both = format!("bob,{}", eve.peer());
    let error = alice.fails(&["send", &both, "To both", "--wait", "queued"], 1);
    assert_eq!(error["code"], "request_pending", "{error}");
    assert!(error["message"].as_str().unwrap().ends_with("nothing was sent to anybody"), "{error}");
    assert!(!alice.texts(&bob).contains(&"To both".to_owned()));
    let accepted = alice.one(&["send", eve.peer(), "Hi", "--accept", "--wait", "queued"]);
    assert_eq!(accepted["to"], eve.peer());
    assert!(alice.all(&["requests"]).is_empty());
    // Whom she accepted under a name has it.
    assert_eq!(sent_to(&alice, "bob", "Hello you"), eve.peer());
    assert_eq!(sent_to(&alice, "bob smith", "Hello Bob"), bob.peer());
}

#[test]
fn a_contact_who_renames_himself_is_known_by_the_old_name() {
    let ((alice, alice_node), (bob, _bob_node)) = contacts(TCP);
    alice.one(&["contacts", "rename", "bob", ""]);
    bob.send("alice", "Hello", "delivered");
    bob.one(&["id", "name", "Boss Man"]);
    let event = alice_node.event("contact.renamed", |_| true);
    assert_eq!(
        (&event["peer_id"], &event["name"], &event["calls_himself"]),
        (&json!(bob.peer()), &json!("Bob"), &json!("Boss Man"))
    );
    for list in [alice.all(&["contacts"]), alice.all(&["inbox"])] {
        assert_eq!((&list[0]["name"], &list[0]["calls_himself"]), (&json!("Bob"), &json!("Boss Man")));
    }
    let first = &alice.history(&bob)[0];
    assert_eq!((&first["from_name"], &first["calls_himself"]), (&json!("Bob"), &json!("Boss Man")));
    assert_eq!(alice.fails(&["send", "boss man", "Hi"], 6)["code"], "not_found");
    assert_eq!(sent_to(&alice, "BOB", "Hi"), bob.peer());
    let taken = alice.one(&["contacts", "rename", "bob", "--theirs"]);
    assert_eq!((&taken["name"], &taken["calls_himself"]), (&json!("Boss Man"), &Value::Null));
    assert_eq!(alice.fails(&["send", "bob", "Hi"], 6)["code"], "not_found");
    assert_eq!(sent_to(&alice, "boss man", "Hi"), bob.peer());
    // What others call themselves stands in the way of no text.
    let carol = Person::new("Carol");
    alice.one(&["contacts", "add", carol.peer(), "--name", "Boss"]);
    assert_eq!(alice.one(&["send", "boss", "man", "--wait", "queued"])["to"], carol.peer());
    // Who is removed and comes back has his name.
    alice.one(&["contacts", "remove", "boss man"]);
    bob.send("alice", "Me again", "sent");
    alice_node.event("request.new", |_| true);
    assert_eq!(alice.one(&["requests"])["name"], "Boss Man");
    // To answer what he wrote before accepts him only if it says so.
    let before = first["message_id"].as_str().unwrap();
    assert_eq!(alice.fails(&["reply", before, "Welcome back"], 1)["code"], "request_pending");
    assert_eq!(alice.one(&["reply", before, "Welcome back", "--accept", "--wait", "queued"])["to"], bob.peer());
    assert!(alice.all(&["requests"]).is_empty());
    assert_eq!(alice.one(&["contacts", "show", "boss man"])["name"], "Boss Man");
}

#[test]
fn with_several_recipients_nothing_is_sent_unless_all_are_known() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    alice.one(&["contacts", "add", Person::new("Carol").peer(), "--name", "Carol"]);
    alice.one(&["contacts", "add", Person::new("Caro").peer(), "--name", "Caroline"]);
    let ambiguous = alice.fails(&["send", "bob,caro", "how are you?"], 6);
    assert_eq!((&ambiguous["code"], ambiguous["candidates"].as_array().unwrap().len()), (&json!("ambiguous"), 2));
    assert!(ambiguous["candidates"].as_array().unwrap().iter().all(|one| one["contact"] == true));
    for whom in ["bob,Hello", "Hello,bob", "Hello, bob"] {
        let error = alice.fails(&["send", whom, "how are you?"], 6);
        assert_eq!(error["code"], "not_found");
        assert!(error["message"].as_str().unwrap().ends_with("nothing was sent to anybody"), "{error}");
    }
    let again = alice.fails(&["send", &format!("bob,{}", bob.peer()), "how are you?"], 2);
    assert_eq!(again["code"], "invalid_params", "{again}");
    alice_node.off();
    alice.fails(&["send", "bob,Hello", "how are you?"], 6);
    assert!(alice.history(&bob).is_empty());
    bob_node.off();
}

#[test]
fn a_mailbox_is_kept_for_a_contact_by_name() {
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    alice.one(&["contacts", "add", bob.peer(), "--name", "Bob"]);
    assert_eq!(alice.fails(&["run", "--listen", TCP, "--mailbox-for", "nobody"], 6)["code"], "not_found");
    let node = Node::run(&alice, &[&Node::args(TCP, &[])[..], &["--mailbox-for", "bob"]].concat());
    assert_eq!(alice.status()["reach"]["mailbox_service"]["serves"], "listed");
    node.off();
}

#[test]
fn a_name_that_was_not_quoted_sends_nothing() {
    let alice = Person::new("Alice");
    let (bob, smith, sue) = (Person::new("Bob"), Person::new("Smith"), Person::new("Sue"));
    for (person, name) in [(&bob, "Bob"), (&smith, "Bob Smith"), (&sue, "Mary Sue Jones")] {
        alice.one(&["contacts", "add", person.peer(), "--name", name]);
    }
    for words in [&["bob", "smith", "hello"][..], &["mary", "sue", "jones", "hello"], &["mary,Bob", "SMITH", "hi"]] {
        let error = alice.fails(&[&["send", "--wait", "queued"], words].concat(), 2);
        assert!(error["message"].as_str().unwrap().ends_with("nothing was sent"), "{error}");
        let hint = error["hint"].as_str().unwrap();
        // In the same profile, with the options that were given; and what it says is not refused again.
        assert!(hint.starts_with("`rohrpost --json --data-dir ") && hint.contains("send --wait queued '"), "{error}");
    }
    assert!(alice.all(&["inbox"]).is_empty());
    // The beginning of a name is none, nor is a text in quotes, unless it is the rest of one.
    assert_eq!(sent_to(&alice, "bob", "smithers, hello"), bob.peer());
    assert_eq!(alice.one(&["send", "bob", "smi", "--wait", "queued"])["to"], bob.peer());
    let error = alice.fails(&["send", "bob", "smith", "--wait", "queued"], 2);
    // A word that is the rest of a name can be sent to whom its beginning means.
    let (_, end) = bob.peer().split_at(bob.peer().len() - 8);
    let hint = error["hint"].as_str().unwrap();
    assert!(hint.contains(&format!("send --wait queued …{end} smith`")), "{error}");
    assert_eq!(alice.one(&["send", &format!("…{end}"), "smith", "--wait", "queued"])["to"], bob.peer());
    assert_eq!(alice.one(&["send", "bob smith", "hello", "you", "--wait", "queued"])["to"], smith.peer());
    assert_eq!(alice.texts(&smith), ["hello you"]);
}
