use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

mod alike;
mod cursors;
mod socket;

use super::*;
use crate::api::{
    Contact, Event, EventKind, Identity, LinkParams, ListenParams, PolicyParams, SendParams, Sent, State, WaitFor, Who,
};
use crate::base::PeerId;

/// Long enough for a loaded machine; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// Somebody with a profile of their own.
struct Desk {
    place: Place,
    id: Identity,
    _dir: tempfile::TempDir,
}

impl Desk {
    fn new(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let place = Place::resolve_with("default", Some(dir.path()), &|_| None).unwrap();
        let id = create(&place, None, Some(name)).unwrap();
        Self { place, id, _dir: dir }
    }

    fn node(&self) -> Node {
        Node::start(&self.place, None, quiet()).unwrap()
    }

    fn open(&self) -> Client {
        Client::open(&self.place, &mut nobody).unwrap()
    }

    fn peer(&self) -> PeerId {
        self.id.peer_id
    }
}

/// What is told to somebody who types no passphrase.
fn look(place: &Place) -> Status {
    let (status, error) = status(place, &mut || Err(ApiError::new(Code::PassphraseNeeded, "nobody is there"))).unwrap();
    assert_eq!(error, None);
    status
}

/// On loopback only, and not to be found.
fn quiet() -> RunOptions {
    RunOptions {
        listen: Some(vec!["/ip4/127.0.0.1/tcp/0".to_owned()]),
        bootstrap: Some(Vec::new()),
        mdns: Some(false),
        ..RunOptions::default()
    }
}

fn nobody() -> Result<Passphrase, ApiError> {
    panic!("asked for a passphrase")
}

fn message(to: impl Into<String>, text: &str) -> SendParams {
    SendParams { to: to.into(), text: text.to_owned(), ..SendParams::default() }
}

fn until(events: &mut Events, wanted: impl Fn(&Event) -> bool) -> Event {
    loop {
        match events.next_timeout(PATIENCE).unwrap() {
            Heard::Event(event) if wanted(&event) => return *event,
            Heard::Event(_) => {}
            other => panic!("waited in vain: {other:?}"),
        }
    }
}

/// The link of a running node.
fn link(client: &mut Client) -> String {
    client.ask::<method::IdShow>(&LinkParams::default()).unwrap().link
}

#[test]
fn text_is_exact() {
    let (alice, bob) = (Desk::new("Alice"), Desk::new("Bob"));
    let text = "\u{1b}]0;title\u{7}\ttab\r\nbidi \u{202e}, zero \u{200b}, post \u{1f4ef}, \"quoted\\\"\0";
    let node = alice.node();
    let mut client = alice.open();
    client.ask::<method::Send>(&message(bob.peer().to_string(), text)).unwrap();
    let history = client.call("history", Some(json!([bob.peer()]))).unwrap();
    assert_eq!(history[0]["text"], text);
    node.shutdown().unwrap();
}

/// What names no recipient goes to the other side of the message it answers.
#[test]
fn an_answer_needs_no_recipient() {
    let (alice, bob) = (Desk::new("Alice"), Desk::new("Bob").peer());
    let mut client = alice.open();
    let first = client.ask::<method::Send>(&message(bob.to_string(), "one")).unwrap().message_id;
    let answer = SendParams { reply_to: Some(first.to_string()), ..message("", "two") };
    assert_eq!(client.ask::<method::Send>(&answer).unwrap().to, bob);
    let history = client.call("history", Some(json!([bob]))).unwrap();
    assert_eq!((&history[1]["text"], &history[1]["reply_to"]), (&json!("two"), &json!(first)));
    assert!(client.ask::<method::Send>(&message("", "three")).unwrap_err().is(Code::NotFound));
}

#[test]
fn two_nodes_talk() {
    let (alice, bob) = (Desk::new("Alice"), Desk::new("Bob"));
    let (alices, bobs) = (alice.node(), bob.node());
    let (mut at_alice, mut at_bob) = (alices.client().unwrap(), bobs.client().unwrap());
    let mut events = at_bob.events(Some(0.into())).unwrap();

    let sent = at_alice
        .ask::<method::Send>(&SendParams { wait: Some(WaitFor::Sent), ..message(link(&mut at_bob), "hello") })
        .unwrap();
    assert_eq!(sent.state, State::Sent);
    let event = until(&mut events, |event| matches!(event.kind, EventKind::RequestNew { .. }));
    let EventKind::RequestNew { request: Some(request), .. } = event.kind else { panic!("{event:?}") };
    assert_eq!((request.text.as_str(), request.name.as_str(), request.invited), ("hello", "Alice", true));

    let contact: Contact = at_bob.ask::<method::RequestsAccept>(&Who::new("Alice")).unwrap();
    assert_eq!(contact.peer_id, alice.peer());
    let message_id = sent.message_id.to_string();
    let shown = at_alice
        .ask::<method::MessageShow>(&crate::api::MessageParams {
            message: message_id,
            wait: Some(WaitFor::Delivered),
            timeout_ms: Some(60_000),
        })
        .unwrap();
    assert_eq!(shown.state, State::Delivered);

    at_bob.call("reply", Some(json!({"message": sent.message_id, "text": "hi", "wait": "delivered"}))).unwrap();
    let inbox = at_alice.ask::<method::Inbox>(&crate::api::InboxParams::default()).unwrap();
    assert_eq!(inbox[0].last.as_ref().unwrap().text, "hi");
    at_alice.call("read", Some(json!({"who": "Bob"}))).unwrap();
    until(&mut events, |event| matches!(event.kind, EventKind::MessageState { state: State::Read, .. }));
    alices.shutdown().unwrap();
    bobs.shutdown().unwrap();
}

#[test]
fn sending_without_a_node_runs_one_for_the_delivery() {
    let (alice, bob) = (Desk::new("Alice"), Desk::new("Bob"));
    let bobs = bob.node();
    let mut at_bob = bobs.client().unwrap();
    let options = SendOptions { run: quiet(), timeout: Some(PATIENCE), ..SendOptions::default() };
    let go = |text: &str, options: &SendOptions, to: String| -> Sent {
        let mut sent =
            send(&alice.place, &mut nobody, &[message(to, text)], options, Leave::default(), &mut |_| Ok(())).unwrap();
        sent.remove(0).unwrap()
    };
    // A stranger's receipt never comes, and is not waited for as long.
    assert_eq!(go("one", &options, link(&mut at_bob)).state, State::Sent);
    at_bob.ask::<method::RequestsAccept>(&Who::new("Alice")).unwrap();
    assert_eq!(go("two", &options, "Bob".to_owned()).state, State::Delivered);
    bobs.shutdown().unwrap();
    // Nobody there: it stays here.
    let short = SendOptions { timeout: Some(Duration::from_millis(200)), ..options };
    assert_eq!(go("three", &short, "Bob".to_owned()).state, State::Queued);
    let queued = SendOptions { wait: Some(WaitFor::Queued), ..short };
    assert_eq!(go("four", &queued, "Bob".to_owned()).state, State::Queued);
    // The profile is free again.
    assert!(!alice.open().is_remote());
}

#[test]
fn a_second_node_learns_who_is_there() {
    let desk = Desk::new("A");
    let node = desk.node();
    let error = Node::start(&desk.place, None, quiet()).err().unwrap();
    assert!(error.is(Code::NodeRunning) && error.message.contains(&std::process::id().to_string()), "{error:?}");
    node.shutdown().unwrap();
    desk.node().shutdown().unwrap();
}

#[test]
fn stop_ends_the_node_and_waits_until_the_profile_is_free() {
    let desk = Desk::new("A");
    assert!(!stop(&desk.place, &mut nobody).unwrap());
    let place = desk.place.clone();
    let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
    let running = std::thread::spawn(move || {
        run(&place, &mut nobody, quiet(), &mut |event| {
            if let EventKind::Ready { socket, addrs, .. } = &event.kind {
                ready.send((socket.clone(), addrs.clone())).unwrap();
            }
        })
    });
    let (socket, addrs) = is_ready.recv_timeout(PATIENCE).unwrap();
    assert_eq!(socket, desk.place.dir.join("node.sock"));
    assert_eq!(look(&desk.place).socket, Some(socket.clone()));
    assert!(addrs.iter().all(|addr| addr.ends_with(&format!("/p2p/{}", desk.peer()))) && !addrs.is_empty());
    let mut waiting = desk.open();
    assert!(look(&desk.place).running);
    assert!(stop(&desk.place, &mut nobody).unwrap());
    assert!(!socket.exists());
    assert!(node::lock(&desk.place).is_ok());
    running.join().unwrap().unwrap();
    assert!(waiting.ask::<method::StatusShow>(&NoParams {}).unwrap_err().is(Code::Io));
    assert!(!look(&desk.place).running);
}

#[test]
fn a_listener_misses_nothing_and_can_come_back() {
    let desk = Desk::new("A");
    let friend = Desk::new("friend").peer().to_string();
    let node = desk.node();
    let mut client = desk.open();
    let mut live = client.events(None).unwrap();
    let count = 250;
    for n in 0..count {
        client.ask::<method::Send>(&message(friend.clone(), &n.to_string())).unwrap();
    }
    let texts = |events: &mut Events| -> (Vec<String>, u64) {
        let mut texts = Vec::new();
        loop {
            let event = until(events, |event| matches!(event.kind, EventKind::MessageNew { .. }));
            let EventKind::MessageNew { message: Some(message), .. } = event.kind else { panic!() };
            texts.push(message.text);
            if texts.len() == count {
                return (texts, event.seq);
            }
        }
    };
    let expected: Vec<_> = (0..count).map(|n| n.to_string()).collect();
    assert_eq!(texts(&mut live).0, expected);
    let mut later = client.events(Some(0.into())).unwrap();
    let (found, last) = texts(&mut later);
    assert_eq!(found, expected);
    // From the last one on there is nothing old.
    let mut again = client.events(Some(last.into())).unwrap();
    client.ask::<method::PolicySet>(&PolicyParams { policy: crate::api::Policy::Nobody }).unwrap();
    client.ask::<method::Send>(&message(friend, "new")).unwrap();
    let event = until(&mut again, |event| matches!(event.kind, EventKind::MessageNew { .. }));
    assert!(event.seq > last);
    node.shutdown().unwrap();
    assert!(matches!(later.next_timeout(PATIENCE), Ok(Heard::Ended | Heard::Event(_))));

    // Without a node: the log, and the end.
    let events: Vec<_> = desk.open().events(Some(0.into())).unwrap().collect::<Result<_, _>>().unwrap();
    assert!(events.windows(2).all(|pair| pair[1].seq == pair[0].seq + 1));
    assert!(events.last().unwrap().seq >= event.seq);
}

#[test]
fn a_panic_of_the_messenger_ends_the_node_with_an_error() {
    let (alice, bob) = (Desk::new("Alice"), Desk::new("Bob"));
    let bobs = bob.node();
    let to = link(&mut bobs.client().unwrap());
    let tap: Tapping = Arc::new(|_| panic!("on purpose"));
    let node = Node::start(&alice.place, None, RunOptions { tap: Some(tap), ..quiet() }).unwrap();
    let mut client = node.client().unwrap();
    let params = SendParams { wait: Some(WaitFor::Sent), timeout_ms: Some(60_000), ..message(to, "hello") };
    assert!(client.ask::<method::Send>(&params).is_err());
    let error = client.ask::<method::IdRotate>(&NoParams {}).unwrap_err();
    assert!(error.message.contains("on purpose"), "{error:?}");
    let error = node.shutdown().unwrap_err();
    assert!(error.is(Code::Internal) && error.message.contains("on purpose"), "{error:?}");
    // The message was durable before anything left.
    let inbox = alice.open().ask::<method::Inbox>(&crate::api::InboxParams::default()).unwrap();
    assert_eq!(inbox[0].last.as_ref().unwrap().text, "hello");
    bobs.shutdown().unwrap();
}

#[test]
fn after_a_failed_commit_the_store_is_opened_again() {
    let desk = Desk::new("A");
    let node = desk.node();
    let mut client = desk.open();
    // The store takes a file there for a row that would not survive a power cut.
    let blob = desk.place.dir.join("db/blobs/1");
    std::fs::write(&blob, "x").unwrap();
    let policy = |policy| PolicyParams { policy };
    let error = client.ask::<method::PolicySet>(&policy(crate::api::Policy::Nobody)).unwrap_err();
    assert!(error.is(Code::Store), "{error:?}");
    std::fs::remove_file(&blob).unwrap();
    let mut last = None;
    let changed = std::iter::repeat_with(|| client.ask::<method::PolicySet>(&policy(crate::api::Policy::Contacts)))
        .take(10_000)
        .any(|answer| answer.map_err(|error| last = Some(error)).is_ok());
    assert!(changed, "{last:?}");
    assert_eq!(client.call("policy.show", None).unwrap()["policy"], "contacts");
    node.shutdown().unwrap();
}

#[test]
fn profiles_are_made_once_and_locked_with_a_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let place = Place::resolve_with("default", Some(dir.path()), &|_| None).unwrap();
    assert!(!exists(&place).unwrap());
    assert!(Client::open(&place, &mut nobody).err().unwrap().is(Code::NoProfile));
    assert!(create(&place, None, Some(&"x".repeat(65))).unwrap_err().is(Code::TooLong));
    assert!(create(&place, None, Some("a\u{7}")).unwrap_err().is(Code::ControlCharacters));
    assert!(!exists(&place).unwrap() && !place.dir.exists());

    let word = |text: &str| Passphrase::new(text.to_owned());
    let id = create(&place, Some(&word("one")), Some("A")).unwrap();
    assert!(exists(&place).unwrap() && needs_passphrase(&place).unwrap());
    assert!(create(&place, None, None).unwrap_err().is(Code::Exists));
    let error = Client::open(&place, &mut || Ok(word("two"))).err().unwrap();
    assert!(error.is(Code::WrongPassphrase) && error.exit == 8, "{error:?}");
    let locked = look(&place);
    assert!(!locked.running && locked.peer_id.is_none());
    // Who was told the passphrase uses it; a wrong one is an error.
    assert_eq!(status(&place, &mut || Ok(word("one"))).unwrap().0.peer_id, Some(id.peer_id));
    assert!(status(&place, &mut || Ok(word("two"))).unwrap_err().is(Code::WrongPassphrase));

    assert!(change_passphrase(&place, Some(&word("two")), None).unwrap_err().is(Code::WrongPassphrase));
    change_passphrase(&place, Some(&word("one")), None).unwrap();
    assert!(!needs_passphrase(&place).unwrap());
    let mut client = Client::open(&place, &mut nobody).unwrap();
    assert_eq!(client.ask::<method::IdShow>(&LinkParams::default()).unwrap().peer_id, id.peer_id);
    let (in_use, error) = status(&place, &mut nobody).unwrap();
    assert_eq!((in_use.node, in_use.running, in_use.pid), (NodeState::InUse, false, Some(std::process::id())));
    assert!(error.unwrap().is(Code::Busy));
}

#[test]
fn without_a_node_nothing_is_listened_to_or_stopped() {
    let desk = Desk::new("A");
    let mut client = desk.open();
    assert!(client.ask::<method::Listen>(&ListenParams::default()).unwrap_err().is(Code::NodeNeeded));
    assert!(client.ask::<method::Stop>(&NoParams {}).unwrap_err().is(Code::NodeNeeded));
}
