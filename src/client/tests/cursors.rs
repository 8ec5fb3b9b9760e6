use std::fs;
use std::path::Path;

use super::*;
use crate::api::{CancelParams, Cursor, EventPage, EventsParams};

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type().unwrap().is_dir() {
            true => copy(&from, &to),
            false => drop(fs::copy(&from, &to).unwrap()),
        }
    }
}

/// Something that is told, so many times; the cursor behind it.
fn happens(desk: &Desk, friend: &str, times: usize) -> Cursor {
    let mut client = desk.open();
    for n in 0..times {
        client.ask::<method::Send>(&message(friend, &n.to_string())).unwrap();
    }
    page(&mut client, Cursor::default()).unwrap().next
}

fn page(client: &mut Client, since: Cursor) -> Result<EventPage, ApiError> {
    client.ask::<method::Events>(&EventsParams { since, limit: None })
}

/// Once it is ahead of the log that was put back, and once that has grown beyond it.
#[test]
fn a_cursor_of_a_log_that_is_not_this_one_any_more_is_told() {
    let desk = Desk::new("A");
    let friend = Desk::new("friend").peer().to_string();
    let before = happens(&desk, &friend, 3);
    let aside = tempfile::tempdir().unwrap();
    copy(&desk.place.dir, &aside.path().join("copy"));
    let lost = happens(&desk, &friend, 5);
    assert!(lost.seq > before.seq && page(&mut desk.open(), lost).unwrap().events.is_empty());
    assert_eq!(page(&mut desk.open(), before).unwrap().events.len() as u64, lost.seq - before.seq);

    fs::remove_dir_all(&desk.place.dir).unwrap();
    copy(&aside.path().join("copy"), &desk.place.dir);
    for grown in [0, 9] {
        let end = happens(&desk, &friend, grown);
        assert_eq!(end.seq > lost.seq, grown > 0);
        for _ in 0..2 {
            let error = page(&mut desk.open(), lost).unwrap_err();
            assert!(error.is(Code::WrongCursor) && error.message.contains(&lost.to_string()), "{error:?}");
            assert!(error.hint.unwrap().contains("--since 0"));
        }
        assert!(desk.open().events(Some(lost)).unwrap().next().unwrap().unwrap_err().is(Code::WrongCursor));
        // What both have in common is good, and the way out, too.
        assert_eq!(page(&mut desk.open(), before).unwrap().events.len() as u64, end.seq - before.seq);
        assert_eq!(page(&mut desk.open(), Cursor::default()).unwrap().events.len() as u64, end.seq);
        assert!(page(&mut desk.open(), Cursor::from(end.seq + 1)).unwrap_err().is(Code::WrongCursor));
        assert!(page(&mut desk.open(), Cursor::from(end.seq)).unwrap().events.is_empty());
    }
    // Another profile.
    let other = Desk::new("B");
    happens(&other, &friend, 20);
    assert!(page(&mut other.open(), lost).unwrap_err().is(Code::WrongCursor));

    let node = desk.node();
    let mut client = node.client().unwrap();
    assert!(client.events(Some(lost)).err().unwrap().is(Code::WrongCursor));
    assert!(client.ask::<method::Listen>(&ListenParams { since: Some(lost) }).unwrap_err().is(Code::WrongCursor));
    // From now on is a place, too, and each event has one.
    let now = client.ask::<method::Listen>(&ListenParams::default()).unwrap().since;
    assert!(now.at.is_some());
    let mut events = client.events(Some(now)).unwrap();
    client.ask::<method::Send>(&message(friend, "new")).unwrap();
    let event = until(&mut events, |_| true);
    assert_eq!((event.cursor, event.seq), (Cursor::behind(event.seq, event.at), now.seq + 1));
    node.shutdown().unwrap();
}

#[test]
fn what_is_queued_can_be_cancelled_and_nothing_else() {
    let (alice, bob) = (Desk::new("Alice"), Desk::new("Bob"));
    let cancel = |client: &mut Client, message: &dyn ToString| {
        client.ask::<method::MessageCancel>(&CancelParams { message: message.to_string() })
    };
    let sent = alice.open().ask::<method::Send>(&message(bob.peer().to_string(), "no")).unwrap();
    let note = alice.open().ask::<method::Send>(&message("me", "note")).unwrap();
    let mut client = alice.open();
    let cancelled = cancel(&mut client, &sent.message_id).unwrap();
    assert_eq!((cancelled.state, cancelled.text.as_str()), (State::Undelivered, "no"));
    for nothing in [&sent.message_id, &note.message_id] {
        assert!(cancel(&mut client, nothing).unwrap_err().is(Code::NotQueued));
    }
    assert!(cancel(&mut client, &"ff".repeat(32)).unwrap_err().is(Code::NoMessage));
    // As when the outbox gives up by itself.
    let told = page(&mut client, Cursor::default()).unwrap().events;
    let is_told = |event: &Event| matches!(event.kind, EventKind::MessageState { message_id, state: State::Undelivered, .. } if message_id == sent.message_id);
    assert_eq!(told.iter().filter(|event| is_told(event)).count(), 1);
    drop(client);

    // It does not go out; what came after it does.
    let (alices, bobs) = (alice.node(), bob.node());
    let (mut at_alice, mut at_bob) = (alices.client().unwrap(), bobs.client().unwrap());
    let yes = SendParams { wait: Some(WaitFor::Sent), ..message(link(&mut at_bob), "yes") };
    let yes = at_alice.ask::<method::Send>(&yes).unwrap();
    assert_eq!(yes.state, State::Sent);
    assert!(cancel(&mut at_alice, &yes.message_id).unwrap_err().is(Code::NotQueued));
    let requests = at_bob.call("requests.show", Some(json!({"who": alice.peer()}))).unwrap();
    assert_eq!(requests["texts"].as_array().unwrap().len(), 1, "{requests}");
    assert!(cancel(&mut at_bob, &yes.message_id).is_err());
    alices.shutdown().unwrap();
    bobs.shutdown().unwrap();
}

#[test]
fn the_interface_tells_of_itself() {
    let desk = Desk::new("A");
    let discovered = desk.open().call("rpc.discover", None).unwrap();
    assert_eq!(discovered, crate::api::openrpc());
    assert!(discovered["methods"].as_array().unwrap().iter().any(|method| method["name"] == "rpc.discover"));
}

/// While a node begins to listen, mail of its boxes comes in already: whoever begins at `ready` misses none of it.
#[test]
fn what_happens_before_a_node_is_ready_is_behind_its_cursor() {
    let desk = Desk::new("A");
    let friend = Desk::new("friend").peer().to_string();
    let before = happens(&desk, &friend, 3);
    let node = desk.node();
    node.client().unwrap().ask::<method::Send>(&message(friend, "early")).unwrap();
    let ready = node.node.as_ref().unwrap().ready();
    assert_eq!((ready.seq, ready.cursor), (before.seq, before));
    let missed = page(&mut desk.open(), ready.cursor).unwrap().events;
    let EventKind::MessageNew { message: Some(message), .. } = &missed[0].kind else { panic!("{missed:?}") };
    assert_eq!(message.text, "early");
    node.shutdown().unwrap();
}
