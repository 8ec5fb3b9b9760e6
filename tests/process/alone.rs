//! One profile: its lock, its passphrase, its signals, and sending without a node.

use rustix::process::Signal;

use crate::node::{Node, becomes};
use crate::person::{Person, TCP};

#[test]
fn a_second_node_is_told_which_process_is_in_its_way() {
    let alice = Person::new("Alice");
    let node = alice.on();
    let error = alice.fails(&["run", "--listen", TCP, "--no-mdns", "--no-upnp"], 9);
    assert_eq!(error["code"], "node_running");
    let message = error["message"].as_str().unwrap();
    assert!(message.ends_with(&format!("process {}", node.pid())), "{message}");

    // A front end finds the node that runs.
    let status = alice.status();
    assert_eq!((&status["running"], &status["pid"]), (&true.into(), &node.pid().into()));
    assert_eq!(status["socket"], node.socket().to_str().unwrap());
    assert_eq!(alice.one(&["id"])["addrs"][0], node.addr());

    // The failure has not disturbed it; `stop` ends it, and then there is nothing to stop.
    assert_eq!(alice.say(&["stop"]).code, Some(0));
    assert!(!node.socket().exists());
    assert_eq!(alice.fails(&["stop"], 9)["code"], "node_needed");
    alice.on().off();
}

#[test]
fn signals_end_a_node_cleanly() {
    let alice = Person::new("Alice");
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        alice.on().end(signal);
        assert_eq!(alice.status()["running"], false);
    }
    // One that was killed leaves its socket, which is in nobody's way.
    let node = alice.on();
    let socket = node.socket();
    node.kill();
    assert!(socket.exists());
    assert_eq!(alice.status()["running"], false);
    assert!(alice.all(&["inbox"]).is_empty());
    alice.on().off();
}

#[test]
fn a_passphrase_is_asked_for_and_can_be_changed() {
    let alice = Person::homeless();
    alice.write("right", "correct horse\n");
    alice.write("wrong", "incorrect horse\n");
    alice.write("new", "battery staple\n");
    let peer = alice.one(&["--passphrase-file", "right", "init", "--name", "Alice"])["peer_id"].clone();
    let run = ["run", "--listen", TCP, "--no-mdns", "--no-upnp"];

    assert_eq!(alice.fails(&["id"], 8)["code"], "passphrase_needed");
    assert_eq!(alice.fails(&["--passphrase-file", "wrong", "id"], 8)["code"], "wrong_passphrase");
    assert_eq!(alice.fails(&[&["--passphrase-file", "wrong"], &run[..]].concat(), 8)["code"], "wrong_passphrase");
    let change = ["--passphrase-file", "wrong", "id", "passphrase", "--new-passphrase-file", "new"];
    assert_eq!(alice.fails(&change, 8)["code"], "wrong_passphrase");

    let said = alice.say(&["--passphrase-file", "right", "id", "passphrase", "--new-passphrase-file", "new"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(alice.fails(&["--passphrase-file", "right", "id"], 8)["code"], "wrong_passphrase");
    let node = Node::with(&alice, &["--passphrase-file", "new"], TCP, &[]);
    // Who finds the node needs none.
    assert_eq!(alice.one(&["id"])["peer_id"], peer);
    node.off();
    assert_eq!(alice.fails(&["id"], 8)["code"], "passphrase_needed");
    assert_eq!(alice.one(&["--passphrase-file", "new", "id"])["peer_id"], peer);
}

#[test]
fn send_without_a_node_starts_one_for_as_long_as_it_takes() {
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    let bob_node = bob.on();
    let first = alice.one(&["send", &bob.link(), "A request", "--timeout", "2m"]);
    assert_eq!(first["state"], "sent");
    bob_node.event("request.new", |_| true);
    assert_eq!(alice.status()["running"], false);

    // Nobody has accepted it: it is not delivered, and who waits for that is told so.
    let late = ["send", bob.peer(), "Another", "--wait", "delivered", "--timeout", "300ms"];
    let said = alice.say(&late);
    assert_eq!(said.code, Some(10), "{said:?}");
    assert!(["queued", "sent"].contains(&said.out[0]["state"].as_str().unwrap()), "{said:?}");
    assert!(said.err.contains("wait_timeout"), "{said:?}");

    bob.one(&["requests", "accept", "alice"]);
    let contact = alice.one(&["send", bob.peer(), "To a contact", "--wait", "delivered", "--timeout", "2m"]);
    assert_eq!(contact["state"], "delivered");
    bob_node.arrived("To a contact");
    bob_node.off();

    // Nobody is there.
    let queued = alice.one(&["send", "bob", "For later", "--timeout", "300ms"]);
    assert_eq!(queued["state"], "queued");
    let error = alice.fails(&["send", "bob", "For later, too", "--wait", "delivered", "--timeout", "300ms"], 10);
    assert_eq!(error["code"], "wait_timeout");
    assert_eq!(alice.one(&["send", "bob", "Last", "--wait", "queued"])["state"], "queued");
    assert_eq!(alice.fails(&["send", "nobody", "Hello?"], 6)["code"], "not_found");
    // What was known before is not sent again.
    let keyed = || alice.one(&["send", "bob", "Keyed", "--wait", "queued", "--client-id", "k"])["message_id"].clone();
    assert_eq!(keyed(), keyed());

    let bob_node = bob.on();
    let alice_node = alice.on_knowing(&bob_node);
    bob_node.arrived("Keyed");
    let all = ["A request", "Another", "To a contact", "For later", "For later, too", "Last", "Keyed"];
    assert_eq!(bob.texts(&alice), all);
    assert_eq!(alice.texts(&bob), all);
    bob.send("alice", "Thank you", "delivered");
    alice_node.arrived("Thank you");
}

/// REQ-5, REQ-10, ID-26: whose messages are dropped, or wait for acceptance, is told so, before and after; and they come when he is let in.
#[test]
fn who_is_not_let_in_is_told_what_his_messages_wait_for() {
    for (policy, exit) in [("requests", 10), ("contacts", 7), ("nobody", 7)] {
        let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
        bob.all(&["policy", "set", policy]);
        let bob_node = bob.on();
        let alice_node = alice.on_knowing(&bob_node);
        let is_shut_out = exit == 7;
        alice.send(bob.peer(), "one", "sent");
        let said = alice.say(&["send", bob.peer(), "two", "--wait", "delivered", "--timeout", "1s"]);
        assert_eq!((said.code, &said.out[0]["state"]), (Some(exit), &"sent".into()), "{policy}: {said:?}");
        assert_eq!(said.out[0]["shut_out"].as_bool(), is_shut_out.then_some(true), "{policy}: {said:?}");
        assert!(
            said.err.contains(if is_shut_out { "shut_out" } else { "have not accepted you" }),
            "{policy}: {said:?}"
        );
        // His card is known by now: before anything leaves.
        let sent = alice.one(&["send", bob.peer(), "three"]);
        assert_eq!(sent["shut_out"].as_bool(), is_shut_out.then_some(true), "{policy}: {sent}");
        let error = alice.fails(&["send", bob.peer(), "four", "--wait", "sent", "--timeout", "1s"], exit);
        let text = format!("{} {}", error["message"], error["hint"]);
        assert!(text.contains("the others wait here"), "{policy}: {error}");
        match is_shut_out {
            false => bob.all(&["requests", "accept", alice.peer()]),
            true => bob.all(&["contacts", "add", alice.peer()]),
        };
        bob_node.arrived("four");
        becomes("all that was written", || bob.texts(&alice).len() == 4);
        let sent = alice.one(&["send", bob.peer(), "five", "--wait", "delivered", "--timeout", "2m"]);
        assert!(sent["shut_out"].is_null() && sent["missing"].is_null(), "{policy}: {sent}");
        alice_node.off();
        bob_node.off();
    }
}

/// Nobody else may know where the two are: the first dial failing must not be the end of it.
#[test]
fn a_bootstrap_peer_who_comes_later_is_found() {
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    let node = alice.on();
    let addr = node.addr();
    let listen = addr.split("/p2p/").next().unwrap().to_owned();
    node.off();
    let _bob_node = Node::run(&bob, &["run", "--listen", TCP, "--no-mdns", "--no-upnp", "--bootstrap", &addr]);
    let _alice_node = Node::start(&alice, &listen, &[]);
    // Alice has no address of Bob's.
    alice.send(bob.peer(), "There you are", "sent");
}
