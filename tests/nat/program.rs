//! The program itself, with nothing but its defaults, on two machines of one network.

use crate::netns::Cable;
use crate::node::Node;
use crate::person::{Person, same_history};

fn on(person: &Person) -> Node {
    Node::run(person, &["run"])
}

/// The main job: nobody knows more of the other than the peer ID.
pub(crate) fn strangers_become_contacts_by_bare_peer_id() {
    let cable = Cable::lay().unwrap();
    let alice = Person::on_machine("Alice", cable.left.name());
    let bob = Person::on_machine("Bob", cable.right.name());
    let (alice_node, bob_node) = (on(&alice), on(&bob));
    alice.send(bob.peer(), "May I?", "sent");
    bob_node.event("request.new", |_| true);

    // The request is looked at, and accepted, with the node off.
    bob_node.off();
    let requests = bob.all(&["requests", "list"]);
    assert_eq!((requests.len(), &requests[0]["peer_id"]), (1, &serde_json::json!(alice.peer())));
    bob.one(&["requests", "accept", "alice"]);
    let bob_node = on(&bob);
    bob.send("alice", "You may", "delivered");
    alice_node.arrived("You may");

    // Either side is killed in the middle of it.
    alice.send("bob", "I write on", "delivered");
    alice_node.kill();
    let waiting = bob.one(&["send", "alice", "Are you there?"]);
    let alice_node = on(&alice);
    bob_node.reached(waiting["message_id"].as_str().unwrap(), "delivered");
    alice_node.arrived("Are you there?");
    bob_node.kill();
    let waiting = alice.one(&["send", "bob", "And you?"]);
    let bob_node = on(&bob);
    alice_node.reached(waiting["message_id"].as_str().unwrap(), "delivered");
    bob_node.arrived("And you?");

    // A `send` without a node runs one for the delivery.
    alice_node.off();
    alice.send("bob", "In passing", "delivered");
    bob_node.arrived("In passing");
    same_history(&alice, &bob);
    assert_eq!(alice.texts(&bob), ["May I?", "You may", "I write on", "Are you there?", "And you?", "In passing"]);
}

/// A link that was given away stays good: the node comes back to its ports, unless somebody else has them.
pub(crate) fn a_node_keeps_its_ports() {
    let cable = Cable::lay().unwrap();
    let (alice, other) = (Person::on_machine("Alice", cable.left.name()), Person::on_machine("O", cable.left.name()));
    let node = on(&alice);
    let first = node.addrs();
    assert!(first.iter().any(|addr| addr.starts_with("/ip4/10.77.0.1/tcp/")), "{first:?}");
    let link = alice.link();
    node.kill();
    let node = on(&alice);
    assert_eq!((node.addrs(), alice.link()), (first.clone(), link));
    node.off();

    let taken = first.iter().find(|addr| addr.starts_with("/ip4/10.77.0.1/tcp/")).unwrap();
    let _taker = Node::run(&other, &["run", "--listen", taken]);
    let now = on(&alice).addrs();
    assert_eq!(now.len(), first.len());
    let (gone, kept): (Vec<_>, Vec<_>) = first.iter().partition(|addr| !now.contains(addr));
    assert!(gone.iter().all(|addr| addr.starts_with("/ip4/") && addr.contains("/tcp/")), "{gone:?}");
    assert!(gone.contains(&taken) && kept.len() > gone.len(), "{first:?} {now:?}");
}
