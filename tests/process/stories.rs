//! Conversations, from the request on.

use std::thread;

use rustix::process::Signal;

use crate::person::{Person, TCP, contacts, same_history};

#[test]
fn a_stranger_becomes_a_contact_and_nothing_is_lost_on_the_way() {
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    let (alice_node, bob_node) = (alice.on(), bob.on());
    let link = bob.link();
    let first = alice.one(&["send", &link, "Hello Bob!", "--subject", "It is me", "--wait", "sent", "--timeout", "2m"]);
    let first = first["message_id"].as_str().unwrap().to_owned();
    let request = bob_node.event("request.new", |_| true);
    assert_eq!(request["peer_id"], alice.peer());
    assert_eq!(request["request"]["invited"], true);
    bob_node.off();

    // With no node running.
    let pending = bob.one(&["requests", "list"]);
    assert_eq!((&pending["name"], &pending["subject"]), (&"Alice".into(), &"It is me".into()));
    let shown = bob.one(&["requests", "show", "alice"]);
    assert_eq!(shown["texts"][0]["text"], "Hello Bob!");
    assert_eq!(bob.one(&["requests", "accept", "alice"])["contact"], true);
    assert!(bob.all(&["requests"]).is_empty());
    bob.fails(&["requests", "show", "alice"], 6);

    // What was decided is carried out when both are there.
    let bob_node = bob.on_knowing(&alice_node);
    alice_node.reached(&first, "delivered");
    alice_node.event("contact.added", |event| event["peer_id"] == bob.peer());
    let second = bob.send("alice", "Hello Alice!", "delivered");
    alice_node.arrived("Hello Alice!");
    alice.send("bob", "How are you?", "delivered");
    bob_node.arrived("How are you?");
    let reply = bob.one(&["reply", &second, "Did you get this?", "--wait", "delivered", "--timeout", "2m"]);
    assert_eq!(reply["state"], "delivered");
    assert_eq!(alice.one(&["read", "bob"])["read"], 2);
    bob_node.reached(&second, "read");
    same_history(&alice, &bob);
    let (of_alice, of_bob) = (alice.history(&bob), bob.history(&alice));
    assert_eq!(of_alice.len(), 4);

    alice_node.off();
    bob_node.off();
    assert_eq!((alice.history(&bob), bob.history(&alice)), (of_alice.clone(), of_bob), "without a node it is the same");

    let alice_node = alice.on();
    let bob_node = bob.on_knowing(&alice_node);
    alice.send("bob", "Still there?", "delivered");
    bob.send("alice", "Yes.", "delivered");
    alice_node.arrived("Yes.");
    same_history(&alice, &bob);
    assert_eq!(alice.history(&bob)[..4], of_alice);
    assert_eq!(alice.history(&bob).len(), 6);
    let printed = alice_node.end(Signal::TERM);
    let new = printed.iter().filter(|line| line["event"] == "message.new").count();
    assert_eq!(new, 2, "only what is new is told: {printed:?}");
    bob_node.off();
    assert_eq!(alice.status()["outbox"], 0);
    assert_eq!(bob.status()["outbox"], 0);
}

#[test]
fn two_who_write_to_each_other_at_once_are_contacts() {
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    let (alice_node, bob_node) = (alice.on(), bob.on());
    let (to_alice, to_bob) = (alice.link(), bob.link());
    thread::scope(|scope| {
        scope.spawn(|| alice.send(&to_bob, "From Alice", "delivered"));
        scope.spawn(|| bob.send(&to_alice, "From Bob", "delivered"));
    });
    alice_node.arrived("From Bob");
    bob_node.arrived("From Alice");
    alice.send("bob", "So it is", "delivered");
    bob.send("alice", "Indeed", "delivered");
    for (one, other) in [(&alice, &bob), (&bob, &alice)] {
        let mut texts = one.texts(other);
        assert_eq!(texts[2..], ["So it is", "Indeed"]);
        texts.sort();
        assert_eq!(texts, ["From Alice", "From Bob", "Indeed", "So it is"], "each once");
        assert!(one.all(&["requests"]).is_empty());
        assert_eq!(one.one(&["contacts"])["contact"], true);
    }
}

#[test]
fn two_who_have_both_moved_meet_where_they_are_told_to() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    alice.send("bob", "Before", "delivered");
    bob_node.off();
    let bob_node = bob.on_knowing(&alice_node);
    bob.send("alice", "I have moved", "delivered");
    bob_node.off();
    alice_node.off();
    // Her node begins with the addresses that she remembers, one after the other, and nobody is there.
    alice.one(&["send", "bob", "After", "--wait", "queued"]);
    let bob_node = bob.on();
    let _alice_node = alice.on_knowing(&bob_node);
    bob_node.arrived("After");
}

fn talk_over(listen: &str, protocol: &str) {
    let ((alice, alice_node), (bob, bob_node)) = contacts(listen);
    assert!(alice_node.addr().contains(protocol), "{}", alice_node.addr());
    alice.send("bob", "Over there?", "delivered");
    bob_node.arrived("Over there?");
    let connection = &alice.status()["connections"][0];
    assert_eq!(connection["peer_id"], bob.peer());
    assert!(connection["addr"].as_str().unwrap().contains(protocol), "{connection}");
    bob.send("alice", "Over here.", "delivered");
    alice_node.arrived("Over here.");
    same_history(&alice, &bob);
    assert_eq!(alice.texts(&bob), ["Over there?", "Over here."]);
}

#[test]
fn they_talk_over_tcp() {
    talk_over(TCP, "/ip4/127.0.0.1/tcp/");
}

#[test]
fn they_talk_over_quic() {
    talk_over("/ip4/127.0.0.1/udp/0/quic-v1", "/quic-v1");
}

#[test]
fn they_talk_over_ip_version_6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        eprintln!("this machine has no IPv6: nothing is tested");
        return;
    }
    talk_over("/ip6/::1/tcp/0", "/ip6/::1/tcp/");
}
