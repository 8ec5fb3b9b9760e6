//! How long it takes until a message is there: on one network from two cold starts, and to somebody who is off, by way of a
//! mailbox. Across NATs it is measured where there are some: in the lab of `tests/nat`.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::figures::{Table, Times, ms};
use crate::machine::{Node, Person};

const COLD_STARTS: usize = 7;
const LETTERS: usize = 7;

fn listening_at(node: &Node) -> String {
    node.client().call("id.show", &json!({}))["addrs"][0].as_str().unwrap().to_owned()
}

/// Bob's process begins, then Alice's, who has a message for him in her outbox; until her node knows that it is delivered.
pub fn cold(table: &mut Table) {
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    let (bob_node, _) = bob.on();
    let place = listening_at(&bob_node);
    let listen = place.split("/p2p/").next().unwrap().to_owned();
    let (alice_node, _) = alice.on_with(&["--bootstrap", &place]);
    alice_node.client().call("contacts.add", &json!({"who": bob.peer}));
    let hello = json!({"to": bob.peer, "text": "hello", "wait": "delivered"});
    bob_node.client().call("contacts.add", &json!({"who": alice.peer}));
    assert_eq!(alice_node.client().call("send", &hello)["state"], "delivered");
    alice_node.off();
    bob_node.off();
    let mut times = Vec::new();
    for n in 0..COLD_STARTS {
        let sent = alice.tell(&["send", &bob.peer, &format!("letter {n}"), "--wait", "queued", "--timeout", "1ms"]);
        let start = Instant::now();
        let (bob_node, _) = bob.on_at(&listen, &[]);
        let (alice_node, _) = alice.on_with(&["--bootstrap", &place]);
        let params = json!({"message": sent["message_id"], "wait": "delivered", "timeout_ms": 60_000});
        let state = alice_node.client().call("message", &params)["state"].clone();
        times.push(start.elapsed());
        assert_eq!(state, "delivered");
        alice_node.off();
        bob_node.off();
    }
    let times = Times::new(times);
    let beside = format!("slowest {}; goal below 1 s", ms(times.percentile(100)));
    table.row("two cold starts to the first delivered message", ms(times.median()), beside);
}

/// Bob has a mailbox and is off. Alice writes, and is told that it is stored; then Bob comes on.
pub fn asleep(table: &mut Table) {
    let (alice, bob, post) = (Person::new("Alice"), Person::new("Bob"), Person::new("Post"));
    let (post_node, _) = post.on_with(&["--serve-mailbox", "--public"]);
    let place = listening_at(&post_node);
    let way = ["--bootstrap", place.as_str()];
    let (alice_node, _) = alice.on_with(&way);
    let (bob_node, _) = bob.on_with(&way);
    bob_node.client().call("mailbox.use", &json!({"at": [place]}));
    until(&bob_node, |status| status["mailboxes"][0].is_string() && status["reach"]["dht"]["published"] == true);
    for (one, other) in [(&alice_node, &bob_node), (&bob_node, &alice_node)] {
        let link = other.client().call("id.show", &json!({}))["link"].clone();
        one.client().call("contacts.add", &json!({"who": link}));
    }
    let hello = json!({"to": bob.peer, "text": "hello", "wait": "delivered"});
    assert_eq!(alice_node.client().call("send", &hello)["state"], "delivered");
    let hello = json!({"to": alice.peer, "text": "hello", "wait": "delivered"});
    assert_eq!(bob_node.client().call("send", &hello)["state"], "delivered");
    bob_node.off();

    let (mut left, mut fetched) = (Vec::new(), Vec::new());
    for n in 0..LETTERS {
        let text = format!("letter {n}");
        let start = Instant::now();
        let letter = json!({"to": bob.peer, "text": text, "wait": "sent", "timeout_ms": 60_000});
        assert_eq!(alice_node.client().call("send", &letter)["state"], "sent");
        left.push(start.elapsed());
        let since = bob_last_event(&bob);
        let start = Instant::now();
        let (bob_node, _) = bob.on_with(&way);
        let mut reader = bob_node.client().listening_since(since);
        reader.event(|event| event["message"]["text"] == text.as_str());
        fetched.push(start.elapsed());
        bob_node.off();
    }
    let (left, fetched) = (Times::new(left), Times::new(fetched));
    let beside =
        format!("slowest {}; 3 s of it are the time for a straight way; goal below 4 s", ms(left.percentile(100)));
    table.row("to somebody who is off: `send` until a mailbox has it", ms(left.median()), beside);
    let beside = format!("slowest {}; goal below 3 s", ms(fetched.percentile(100)));
    table.row("start of the process until it is fetched from there", ms(fetched.median()), beside);
}

fn bob_last_event(bob: &Person) -> u64 {
    bob.tell(&["status"])["last_event"].as_u64().unwrap()
}

/// Asks for the status until it is so.
fn until(node: &Node, is: impl Fn(&Value) -> bool) {
    let (mut client, start) = (node.client(), Instant::now());
    while !is(&client.call("status", &json!({}))) {
        assert!(start.elapsed() < Duration::from_secs(120), "it does not become so");
        std::thread::sleep(Duration::from_millis(20));
    }
}
