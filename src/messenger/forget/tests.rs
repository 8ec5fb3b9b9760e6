use super::*;
use crate::base::words::{RequestEnd, State};
use crate::base::{MessageId, Millis};
use crate::messenger::command::{Command, SendCommand};
use crate::messenger::query;
use crate::messenger::tables::{Hours, OutKind, peer_key};
use crate::messenger::testing::Office;

const MARK: &str = "MARK-the-eagle-lands-at-nine";
const OTHER: &str = "OTHER-the-owl-stays-till-ten";
const MINUTE: Millis = minutes(1);

const fn minutes(minutes: u64) -> Millis {
    Millis::from_secs(60 * minutes)
}

fn gone_for_good(office: &Office, who: usize, text: &str) {
    assert!(!office.can_be_had(who, text), "{text} opens at {who}'s with the keys of now");
    assert!(!office.can_be_seen(who, text), "{text} is in {who}'s files");
}

fn delete(office: &mut Office, who: usize, with: usize) -> u64 {
    let peer = office.id(with);
    match office.command(who, Command::DeleteConversation(peer)).unwrap() {
        Answer::Deleted { unsent } => unsent,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_deleted_conversation_is_gone_with_its_key() {
    let mut office = Office::pair();
    office.say(0, 1, MARK);
    office.say(1, 0, MARK);
    for who in [0, 1] {
        office.copy_disk(who);
        assert!(office.can_be_had(who, MARK));
    }
    assert_eq!(delete(&mut office, 1, 0), 0);
    gone_for_good(&office, 1, MARK);
    let alice = office.id(0);
    let rows = office.rows(1);
    assert_eq!(query::inbox(&rows, office.id(1), false, 10, office.now.wall).unwrap(), []);
    assert_eq!(office.texts(1, 0), [""; 0]);
    let counts = query::counts(&rows, office.id(1), office.now.wall).unwrap();
    assert_eq!((counts.unread, office.undelivered(1)), (0, 0));
    assert!(query::contact(&rows, office.id(1), &alice).unwrap().unwrap().contact, "the contact stays");
    drop(rows);
    assert_eq!(office.events(1).last().unwrap(), &EventKind::ConversationDeleted { conversation: alice });
    assert!(office.can_be_had(0, MARK), "the other side keeps theirs");
    assert_eq!(office.command(1, Command::DeleteConversation(alice)).unwrap_err(), Refusal::NoConversation);
    assert_eq!(office.command(1, Command::Read { peer: alice, upto: None }).map(|_| ()), Ok(()));

    // It begins anew, without a gap.
    office.say(0, 1, "a new day");
    office.say(1, 0, "indeed");
    assert_eq!(office.texts(1, 0), ["a new day", "indeed"]);
    assert!(office.history(1, 0).iter().all(|message| !message.gap));
    assert_eq!(query::counts(&office.rows(1), office.id(1), office.now.wall).unwrap().unread, 1);
    assert_eq!(query::inbox(&office.rows(1), office.id(1), false, 10, office.now.wall).unwrap().len(), 1);
    office.open(1);
    assert_eq!(office.texts(1, 0), ["a new day", "indeed"]);
    gone_for_good(&office, 1, MARK);
}

#[test]
fn what_was_deleted_does_not_come_back() {
    let mut office = Office::pair();
    office.say(0, 1, MARK);
    let again = office.envelopes[&0].clone();
    delete(&mut office, 1, 0);
    // The same envelope once more.
    office.inject(0, 1, again);
    assert_eq!(office.texts(1, 0), [""; 0]);
    // Bob's receipt never reached Alice, and his session was lost: she encrypts it anew, under the same ID.
    let mut office = Office::pair();
    office.say(0, 1, "before");
    let peer = office.id(0);
    office.command(1, Command::Block(peer)).unwrap();
    let id = office.say(0, 1, "lost on the way");
    office.command(1, Command::Unblock(peer)).unwrap();
    delete(&mut office, 1, 0);
    let row = |office: &Office| query::message(&office.rows(0), office.id(0), &id, office.now.wall).unwrap().unwrap();
    assert_eq!(row(&office).state, State::Sent);
    requeue_all(&mut office);
    office.pass(Millis::from_hours(2));
    office.say(0, 1, "after");
    assert_eq!(office.texts(1, 0), ["lost on the way", "after"], "what had come before does not come again");
}

/// REQ-10: what was said to somebody who has not accepted may lie with him as a request, whatever is deleted here meanwhile: there is
/// no room for a fourth. When it does so no more, she may ask again.
#[test]
fn what_is_deleted_makes_no_room_before_acceptance_until_its_request_is_over() {
    let held = |office: &Office| {
        let request = query::request(&office.rows(1), &office.id(0), office.now.wall).unwrap();
        request.map(|(_, texts)| texts).unwrap_or_default()
    };
    const WAYS: [fn(PeerId) -> Vec<Command>; 3] = [
        |bob| vec![Command::DeleteConversation(bob)],
        |bob| vec![Command::RemoveContact(bob)],
        |bob| vec![Command::RemoveContact(bob), Command::Block(bob), Command::Unblock(bob)],
    ];
    for forget in WAYS {
        let mut office = Office::new(2);
        let bob = office.id(1);
        for text in ["one", "two", "three"] {
            office.say(0, 1, text);
        }
        for command in forget(bob) {
            office.command(0, command).unwrap();
        }
        let state = |office: &Office, id| {
            query::message(&office.rows(0), office.id(0), &id, office.now.wall).unwrap().unwrap().state
        };
        let fourth = office.say(0, 1, "four");
        office.open(0);
        office.pass(Millis::from_hours(1));
        assert_eq!(state(&office, fourth), State::Queued);
        assert_eq!(held(&office), ["one", "two", "three"]);
        assert!(query::reach(&office.rows(0), &bob, office.now.wall).unwrap().is_full);
        office.leap(Millis::from_days(59));
        // What she asked before Bob was there again is lost.
        office.open(0);
        let fifth = office.say(0, 1, "five");
        office.pass(Millis::from_hours(2));
        assert_eq!(state(&office, fifth), State::Queued);
        office.pass(Millis::from_hours(26));
        assert_eq!([fourth, fifth].map(|id| state(&office, id)), [State::Undelivered, State::Sent]);
        assert_eq!(held(&office), ["five"]);
        let alice = office.id(0);
        office.command(1, Command::AcceptRequest(alice)).unwrap();
        office.open(0);
        for text in ["six", "seven", "eight", "nine"] {
            office.say(0, 1, text);
        }
        assert_eq!(office.texts(1, 0), ["five", "six", "seven", "eight", "nine"]);
    }
}

/// REQ-10: what counted before somebody accepted counts no more when he has, though he is removed then.
#[test]
fn acceptance_makes_room() {
    let mut office = Office::new(2);
    let (alice, bob) = (office.id(0), office.id(1));
    for text in ["one", "two", "three"] {
        office.say(0, 1, text);
    }
    office.command(1, Command::AcceptRequest(alice)).unwrap();
    office.command(0, Command::RemoveContact(bob)).unwrap();
    assert!(!query::reach(&office.rows(0), &bob, office.now.wall).unwrap().is_full);
}

/// Alice sends everything again, as if she had no word of any of it.
fn requeue_all(office: &mut Office) {
    let bob = office.id(1);
    office.tx(0, |tx| {
        for (key, row) in tx.buf.scan::<Messages>(&Scan::new(peer_key(&bob))).unwrap() {
            let position = crate::messenger::memory::number(&key).unwrap();
            if row.author == tx.my_id() {
                let mut index = tx.index(&row.id).unwrap().unwrap();
                index.outbox = Some(tx.queue(bob, OutKind::Message(position)).unwrap());
                tx.buf.put::<MessageIndex>(&index_key(&row.id), &index).unwrap();
            }
        }
        tx.begin_anew(bob).unwrap();
    });
}

#[test]
fn what_waits_to_be_sent_is_not_sent() {
    let mut office = Office::pair();
    office.online = false;
    office.open(0);
    office.say(0, 1, MARK);
    office.say(0, 1, MARK);
    office.copy_disk(0);
    assert_eq!(delete(&mut office, 0, 1), 2);
    assert_eq!(office.undelivered(0), 0);
    gone_for_good(&office, 0, MARK);
    office.online = true;
    office.open(0);
    office.say(0, 1, "after");
    office.pass(Millis::from_hours(1));
    assert_eq!(office.texts(1, 0), ["hello", "hello", "after"]);
    assert_eq!(office.texts(0, 1), ["after"]);
}

#[test]
fn messages_with_a_time_to_live_go_too_and_those_of_others_stay() {
    let mut office = Office::new(3);
    office.befriend(0, 1);
    office.befriend(0, 2);
    let many = limits::MAX_MOVED_AT_ONCE as u64 + 44;
    office.receive(0, 2, OTHER, Some(minutes(10)), many);
    office.whisper(1, 0, MARK, minutes(10));
    office.whisper(0, 1, MARK, minutes(10));
    office.copy_disk(0);
    delete(&mut office, 0, 1);
    // More than move in one commit: the rest follows at once.
    office.pass(Millis(1));
    gone_for_good(&office, 0, MARK);
    assert_eq!(office.rows(0).count::<Timed>(&Scan::all()).unwrap(), many, "only those of the other conversation");
    assert_eq!(office.texts(0, 2).iter().filter(|text| *text == OTHER).count() as u64, many);
    office.open(0);
    assert_eq!(office.texts(0, 2).iter().filter(|text| *text == OTHER).count() as u64, many);
    office.pass(minutes(10));
    gone_for_good(&office, 0, OTHER);
    assert_eq!(office.rows(0).count::<Hours>(&Scan::all()).unwrap(), 0);
}

#[test]
fn a_move_that_was_interrupted_goes_on() {
    let mut office = Office::new(3);
    office.befriend(0, 1);
    office.befriend(0, 2);
    office.receive(0, 2, OTHER, Some(minutes(10)), 2 * limits::MAX_MOVED_AT_ONCE as u64 + 10);
    office.whisper(0, 1, MARK, minutes(10));
    office.copy_disk(0);
    delete(&mut office, 0, 1);
    assert!(office.can_be_had(0, MARK), "not done yet");
    office.open(0);
    gone_for_good(&office, 0, MARK);
    assert!(office.can_be_had(0, OTHER));
}

#[test]
fn what_is_remembered_of_a_deleted_conversation_is_forgotten_in_the_end() {
    let mut office = Office::pair();
    let old = office.say(0, 1, MARK);
    delete(&mut office, 1, 0);
    let new = office.say(0, 1, "new");
    let indexed = |office: &Office, id: &MessageId| office.rows(1).contains::<MessageIndex>(&index_key(id)).unwrap();
    assert!(indexed(&office, &old) && indexed(&office, &new));
    office.leap(Millis(limits::FORGOTTEN_LIFE.0 - minutes(60).0));
    assert!(indexed(&office, &old));
    office.leap(Millis::from_hours(2));
    office.pass(Millis(1));
    assert!(!indexed(&office, &old) && indexed(&office, &new));
    assert_eq!(office.rows(1).count::<Tombs>(&Scan::all()).unwrap(), 0);
    assert_eq!(office.texts(1, 0), ["new"]);
}

#[test]
fn a_clients_id_tells_nothing_of_a_message_that_is_gone() {
    let mut office = Office::pair();
    let command = |office: &Office, id: &str| {
        let mut command = SendCommand { client_id: Some(id.to_owned()), ..office.text(1, "yes") };
        command.draft.expires = Some(MINUTE);
        command
    };
    let first = command(&office, "one");
    let sent = office.send(0, first.clone()).unwrap();
    assert_eq!(office.send(0, first.clone()).unwrap().message_id, sent.message_id);
    let mut other = first.clone();
    other.draft.expires = None;
    assert_eq!(office.send(0, other).unwrap_err(), Refusal::ClientIdReused);
    // The same text leaves another digest: it cannot be guessed from what is kept.
    let second = command(&office, "two");
    office.send(0, second).unwrap();
    let kept = |id: &str| {
        use crate::messenger::tables::{ClientIds, client_id_key};
        office.rows(0).get::<ClientIds>(&client_id_key(id)).unwrap().unwrap().digest
    };
    assert_ne!(kept("one"), kept("two"));
    office.pass(minutes(2));
    assert_eq!(office.send(0, first).unwrap_err(), Refusal::Gone, "and it is not sent a second time");
    assert_eq!(office.texts(1, 0), ["hello", "hello"]);
    // One that is not to be seen any more is gone as well, though a clock that nobody has confirmed destroys nothing.
    let third = command(&office, "three");
    let hidden = office.send(0, third.clone()).unwrap().message_id;
    office.close(0);
    office.forward(Millis::from_hours(100));
    office.open(0);
    assert!(query::find(&office.rows(0), &hidden).unwrap().is_some(), "it is there");
    assert_eq!(office.send(0, third).unwrap_err(), Refusal::Gone);
}

#[test]
fn the_text_of_a_request_goes_with_the_request() {
    for how in [RequestEnd::Declined, RequestEnd::Blocked, RequestEnd::Expired] {
        let mut office = Office::new(2);
        office.say(0, 1, MARK);
        office.copy_disk(1);
        assert!(office.can_be_had(1, MARK));
        let peer = office.id(0);
        match how {
            RequestEnd::Declined => drop(office.command(1, Command::DeclineRequest(peer)).unwrap()),
            RequestEnd::Blocked => drop(office.command(1, Command::Block(peer)).unwrap()),
            _ => office.leap(Millis(limits::REQUEST_LIFE.0 + minutes(60).0)),
        }
        gone_for_good(&office, 1, MARK);
        assert!(office.events(1).contains(&EventKind::RequestClosed { peer_id: peer, reason: how }), "{how:?}");
    }
    // Accepted, and then deleted: the copy in the request is no second one.
    let mut office = Office::new(2);
    office.say(0, 1, MARK);
    office.copy_disk(1);
    let peer = office.id(0);
    office.command(1, Command::AcceptRequest(peer)).unwrap();
    office.copy_disk(1);
    assert!(office.can_be_had(1, MARK));
    delete(&mut office, 1, 0);
    gone_for_good(&office, 1, MARK);
    assert!(office.sessions(1, 0).can_send(), "the session goes on");
}

/// What is forgotten in the tests of snapshots: at whose place, how it comes there, and how it is forgotten.
type Story = (&'static str, usize, fn(&mut Office), fn(&mut Office));

/// More than fits into one row.
fn long_mark() -> String {
    [&"x".repeat(9_000), MARK, &"y".repeat(9_000)].concat()
}

fn wait_until_over(office: &mut Office) {
    office.pass(minutes(2));
}

fn decline(office: &mut Office) {
    let peer = office.id(0);
    office.command(2, Command::DeclineRequest(peer)).unwrap();
}

/// Who is written to by desk 0 is away.
fn write_to_nobody(office: &mut Office) {
    office.online = false;
    office.open(0);
    office.say(0, 1, MARK);
}

const STORIES: [Story; 7] = [
    ("a conversation, theirs", 1, |o| _ = o.say(0, 1, MARK), |o| _ = delete(o, 1, 0)),
    ("a conversation, ours", 0, |o| _ = o.say(0, 1, MARK), |o| _ = delete(o, 0, 1)),
    ("a long message", 1, |o| _ = o.say(0, 1, &long_mark()), |o| _ = delete(o, 1, 0)),
    ("in the outbox", 0, write_to_nobody, |o| _ = delete(o, 0, 1)),
    ("vanished, theirs", 1, |o| _ = o.whisper(0, 1, MARK, MINUTE), wait_until_over),
    ("vanished, ours", 0, |o| _ = o.whisper(0, 1, MARK, MINUTE), wait_until_over),
    ("a request", 2, |o| _ = o.say(0, 2, MARK), decline),
];

/// A snapshot holds rows without the keys that are destroyed: what is forgotten after it was made is dead in it, too,
/// and a recovery does not bring it back (docs/decisions/0006).
#[test]
fn no_snapshot_outlives_what_is_forgotten() {
    for (what, who, comes, is_forgotten) in STORIES {
        let mut office = Office::new(4);
        office.befriend(0, 1);
        office.befriend(who, 3);
        office.say(3, who, OTHER);
        comes(&mut office);
        // Before: the same search finds it, in each snapshot.
        office.take_snapshot(who);
        office.forward(Millis(1));
        office.take_snapshot(who);
        assert_eq!(office.snapshots_with(who, MARK), (2, 0), "{what}");
        assert_eq!(office.snapshots_with(who, OTHER), (2, 0), "{what}");
        is_forgotten(&mut office);
        assert_eq!(office.snapshots_with(who, MARK), (0, 2), "{what}");
        assert_eq!(office.snapshots_with(who, OTHER), (2, 0), "{what}");
        gone_for_good(&office, who, MARK);

        office.recover(who, true);
        gone_for_good(&office, who, MARK);
        assert_eq!(office.texts(who, 3).last().unwrap(), OTHER, "{what}: what was not forgotten comes back");
        for with in 0..3 {
            assert!(with == who || !office.texts(who, with).iter().any(|text| text.contains(MARK)), "{what}");
        }
        // What comes from then on says nothing of it, either.
        office.online = true;
        (0..3).for_each(|desk| office.open(desk));
        office.pass(Millis::from_hours(3));
        gone_for_good(&office, who, MARK);
    }
}
