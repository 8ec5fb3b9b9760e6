//! Mailboxes that are not what they should be: nothing comes twice, nothing wrong comes, nobody is told that something
//! arrived which did not.

use crate::liar::{Liar, Lie};
use crate::node::Node;
use crate::offline::{Helper, status_becomes};
use crate::person::{Person, TCP, same_history};

fn on(person: &Person, helper: &Helper) -> Node {
    Node::with(person, &[], TCP, &[helper.node()])
}

/// Bob has these mailboxes, Alice and Bob are contacts and have talked; Bob is off.
fn contacts_with(helper: &Helper, mailboxes: &[String]) -> (Person, Node, Person) {
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    let (alice_node, bob_node) = (on(&alice, helper), on(&bob, helper));
    for mailbox in mailboxes {
        bob.one(&["mailbox", "use", mailbox]);
    }
    status_becomes(&bob, "mailboxes in use and a card that names them", |status| {
        let in_use = status["mailboxes"].as_array().is_some_and(|found| found.len() == mailboxes.len());
        in_use && status["reach"]["dht"]["published"] == true
    });
    bob.one(&["contacts", "add", &alice.link()]);
    alice.one(&["contacts", "add", &bob.link()]);
    alice.send("bob", "Hello Bob!", "delivered");
    bob.send("alice", "Hello Alice!", "delivered");
    bob_node.off();
    (alice, alice_node, bob)
}

#[test]
fn what_a_mailbox_drops_is_never_called_delivered_and_arrives_in_the_end() {
    let helper = Helper::new("Helper", &[]);
    let liar = Liar::new(101, &helper.addr());
    let (alice, alice_node, bob) = contacts_with(&helper, &[liar.addr()]);
    liar.lies(Lie::Drops);
    let lost = alice.send("bob", "Are you there?", "sent");
    assert!(liar.asked().deposits > 0);
    alice_node.off();

    // He comes, and finds nothing.
    let before = liar.asked().fetches;
    let bob_node = on(&bob, &helper);
    liar.is_asked(|asked| asked.fetches > before);
    assert_eq!(bob_node.incoming(), 0);
    let told = alice.one(&["rpc", "message", &format!(r#"{{"message":"{lost}"}}"#)]);
    assert_eq!(told["state"], "sent");

    // Both are there: it goes from one to the other.
    let alice_node = Node::with(&alice, &[], TCP, &[helper.node(), &bob_node]);
    alice_node.reached(&lost, "delivered");
    bob_node.arrived("Are you there?");
    same_history(&alice, &bob);
}

#[test]
fn what_a_mailbox_gives_again_and_in_disorder_comes_once_and_in_order() {
    let helper = Helper::new("Helper", &[]);
    let liar = Liar::new(102, &helper.addr());
    let (alice, alice_node, bob) = contacts_with(&helper, &[liar.addr(), helper.addr()]);
    liar.lies(Lie::Replays);
    let texts: Vec<String> = (0..5).map(|n| format!("message {n}")).collect();
    let ids: Vec<String> = texts.iter().map(|text| alice.send("bob", text, "sent")).collect();
    alice_node.off();

    let bob_node = on(&bob, &helper);
    for text in &texts {
        bob_node.arrived(text);
    }
    // And once more.
    let before = liar.asked().fetches;
    liar.is_asked(|asked| asked.fetches > before);
    assert_eq!(bob_node.incoming(), texts.len());
    let alice_node = Node::with(&alice, &[], TCP, &[helper.node(), &bob_node]);
    for id in &ids {
        alice_node.reached(id, "delivered");
    }
    same_history(&alice, &bob);
    assert_eq!(bob.texts(&alice)[2..], texts);
}

#[test]
fn what_a_mailbox_tampers_with_or_babbles_harms_nobody() {
    let helper = Helper::new("Helper", &[]);
    let liar = Liar::new(103, &helper.addr());
    let (alice, alice_node, bob) = contacts_with(&helper, &[liar.addr()]);
    liar.lies(Lie::Tampers);
    let id = alice.send("bob", "Untouched", "sent");
    // Else she would find him, and it would go from one to the other.
    alice_node.off();
    let before = liar.asked().fetches;
    let bob_node = on(&bob, &helper);
    liar.is_asked(|asked| asked.fetches > before);
    liar.lies(Lie::Babbles);
    let before = liar.asked().all;
    liar.is_asked(|asked| asked.all > before + 1);
    assert_eq!(bob_node.incoming(), 0);
    let alice_node = Node::with(&alice, &[], TCP, &[helper.node(), &bob_node]);
    alice_node.reached(&id, "delivered");
    bob_node.arrived("Untouched");
    assert_eq!(bob_node.incoming(), 1);
    same_history(&alice, &bob);
}
