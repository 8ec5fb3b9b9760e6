//! People who are never on at the same time: the DHT has their cards, mailboxes keep what they write.

use serde_json::{Value, json};

use crate::node::{Node, becomes};
use crate::person::{Person, TCP, same_history};

/// A node that is there for others. It can be stopped and started again at the same place.
pub struct Helper {
    person: Person,
    node: Option<Node>,
    listen: String,
}

impl Helper {
    const FLAGS: [&'static str; 2] = ["--serve-mailbox", "--public"];

    pub fn new(name: &str, knowing: &[&Self]) -> Self {
        let person = Person::new(name);
        let node = Self::start(&person, TCP, knowing);
        let listen = node.addr().split("/p2p/").next().unwrap().to_owned();
        Self { person, node: Some(node), listen }
    }

    pub fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    pub fn addr(&self) -> String {
        format!("{}/p2p/{}", self.listen, self.person.peer())
    }

    /// Ends it, by force or in order, and starts it again.
    pub fn again(&mut self, kill: bool, knowing: &Self) {
        let node = self.node.take().unwrap();
        if kill {
            node.kill();
        } else {
            node.off();
        }
        self.node = Some(Self::start(&self.person, &self.listen, &[knowing]));
    }

    fn start(person: &Person, listen: &str, knowing: &[&Self]) -> Node {
        let others: Vec<String> = knowing.iter().map(|helper| helper.addr()).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        Node::run(person, &[&Node::args(listen, &others)[..], &Self::FLAGS].concat())
    }
}

/// Asks for the status until it is so.
pub fn status_becomes(person: &Person, what: &str, is: impl Fn(&Value) -> bool) {
    becomes(what, || is(&person.one(&["status"])));
}

/// Takes mailboxes, and waits until they keep messages and the card that names them can be found.
fn moves_in(person: &Person, helpers: &[&Helper]) {
    for helper in helpers {
        person.one(&["mailbox", "use", &helper.addr()]);
    }
    status_becomes(person, "mailboxes in use and a card in the DHT", |status| {
        let in_use = status["mailboxes"].as_array().is_some_and(|mailboxes| mailboxes.len() == helpers.len());
        in_use && status["reach"]["dht"]["published"] == true
    });
}

#[test]
fn two_strangers_who_are_never_on_together_come_to_talk() {
    let mut first = Helper::new("First", &[]);
    let mut second = Helper::new("Second", &[&first]);
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));

    let on = |person: &Person, helper: &Helper| Node::with(person, &[], TCP, &[helper.node()]);
    let bob_node = on(&bob, &first);
    moves_in(&bob, &[&first, &second]);
    bob_node.off();

    // Nothing but the peer ID is known of him.
    let alice_node = on(&alice, &second);
    moves_in(&alice, &[&first, &second]);
    let hello = alice.send(bob.peer(), "Hello Bob!", "sent");
    alice_node.off();

    // What was taken survives both ways to end.
    first.again(true, &second);
    second.again(false, &first);

    let bob_node = on(&bob, &first);
    let request = bob_node.event("request.new", |_| true);
    assert_eq!((&request["peer_id"], &request["request"]["invited"]), (&json!(alice.peer()), &json!(false)));
    bob.one(&["requests", "accept", "alice"]);
    let answer = bob.send("alice", "Hello Alice!", "sent");
    bob_node.off();

    let alice_node = on(&alice, &second);
    alice_node.reached(&hello, "delivered");
    alice_node.arrived("Hello Alice!");
    assert_eq!(alice.one(&["contacts", "list"])["peer_id"], bob.peer());
    let third = alice.send("bob", "How are you?", "sent");
    alice_node.off();

    first.again(true, &second);
    let bob_node = on(&bob, &second);
    bob_node.reached(&answer, "delivered");
    bob_node.arrived("How are you?");
    assert_eq!(bob_node.incoming(), 1, "nothing comes twice");
    // Receipts wait a while for others before they go to a mailbox.
    becomes("nothing waits for Alice", || {
        let found = bob.all(&["doctor", "alice"]).remove(0);
        let outbox = found["findings"].as_array().unwrap().iter().find(|finding| finding["area"] == "outbox");
        outbox.unwrap()["message"] == "nothing waits for them"
    });
    bob_node.off();

    let alice_node = on(&alice, &first);
    alice_node.reached(&third, "delivered");
    alice_node.off();
    same_history(&alice, &bob);
    assert_eq!(alice.history(&bob).len(), 3);
}

/// Both are on, and neither knows where the other is: that is not told before a request is accepted (MBX-60). What is said goes
/// by the mailboxes, which tell of it at once: who was told nothing would not look within five minutes.
#[test]
fn two_who_are_on_and_do_not_reach_each_other_talk_by_mailboxes_at_once() {
    let first = Helper::new("First", &[]);
    let second = Helper::new("Second", &[&first]);
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    let on = |person: &Person, helper: &Helper| {
        let surroundings = [("ROHRPOST_LOG", "rohrpost=debug"), ("ROHRPOST_PUBLIC", "false")];
        person.surround(surroundings.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        Node::with(person, &[], TCP, &[helper.node()])
    };
    let bob_node = on(&bob, &first);
    moves_in(&bob, &[&first, &second]);
    becomes("both are to tell what comes", || {
        let log = bob_node.errors();
        log.matches("a mailbox is to tell what comes").count() >= 2
    });
    let alice_node = on(&alice, &second);
    for text in ["May I?", "It is about the cat", "The black one"] {
        alice.send(bob.peer(), text, "sent");
        becomes(text, || bob.one(&["requests", "show", alice.peer()]).to_string().contains(text));
    }
    bob_node.says("a mailbox told that something came");
    let peers = |person: &Person| person.all(&["peers"]);
    assert!(peers(&bob).iter().all(|peer| peer["peer_id"] != alice.peer()), "they are not connected");
    alice_node.off();
    bob_node.off();
}

#[test]
fn who_is_left_and_who_is_full_is_told() {
    let helper = Helper::new("Helper", &[]);
    let alice = Person::new("Alice");
    alice.fails(&["mailbox", "use", "/ip4/127.0.0.1/tcp/1"], 1);
    alice.fails(&["mailbox", "use", &format!("/ip4/127.0.0.1/tcp/1/p2p/{}", alice.peer())], 1);
    alice.fails(&["mailbox", "drop", helper.person.peer()], 6);
    let mailbox = alice.one(&["mailbox", "use", &helper.addr()]);
    assert_eq!(mailbox["state"], "asking");

    let node = Node::with(&alice, &[], TCP, &[helper.node()]);
    moves_in(&alice, &[&helper]);
    let served = helper.person.one(&["status"]);
    assert_eq!(served["reach"]["mailbox_service"]["boxes"], 1);
    let found = alice.one(&["mailbox", "list", "--find"]);
    assert_eq!(found["peer_id"], helper.person.peer());
    let peer = helper.person.peer();
    assert_eq!(alice.fails(&["mailbox", "drop", &peer[..12]], 6)["code"], "not_found", "all begin alike");
    alice.one(&["mailbox", "drop", &format!("…{}", &peer[peer.len() - 8..])]);
    becomes("the box is gone", || helper.person.one(&["status"])["reach"]["mailbox_service"]["boxes"] == 0);
    becomes("the mailbox is left", || alice.all(&["mailbox", "list"]).is_empty());
    node.off();
}
