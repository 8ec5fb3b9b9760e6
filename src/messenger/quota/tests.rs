//! NET-94.

use super::*;
use crate::base::words::State;
use crate::base::{MessageId, Millis};
use crate::content::{self, mimi};
use crate::envelope::{self, EnvelopeKind};
use crate::messenger::command::Command;
use crate::messenger::query;
use crate::messenger::receive::Fate;
use crate::messenger::testing::Office;

const ALICE: usize = 0;
const BOB: usize = 1;

fn quota(office: &mut Office, bytes: u64) -> Result<Answer, Refusal> {
    let peer = office.id(BOB);
    office.command(ALICE, Command::SetQuota { peer, bytes })
}

fn shown(office: &Office) -> crate::base::shown::Contact {
    query::contact(&office.rows(ALICE), office.id(ALICE), &office.id(BOB)).unwrap().unwrap()
}

fn state(office: &Office, id: &MessageId) -> State {
    query::message(&office.rows(BOB), office.id(BOB), id, office.now.wall).unwrap().unwrap().state
}

fn told(office: &Office) -> usize {
    let peer_id = office.id(BOB);
    office.events(ALICE).into_iter().filter(|event| *event == EventKind::ContactFull { peer_id }).count()
}

/// Bob has written as much as is kept of him, and two more.
fn full() -> (Office, Vec<MessageId>) {
    let mut office = Office::pair();
    quota(&mut office, limits::MIN_CONTACT_QUOTA).unwrap();
    let long = "x".repeat(limits::MAX_TEXT);
    let sent = (0..24).map(|_| office.say(BOB, ALICE, &long)).collect();
    (office, sent)
}

#[test]
fn more_than_the_quota_waits_and_what_is_no_message_goes_on() {
    let (mut office, sent) = full();
    let contact = shown(&office);
    let kept = contact.kept.unwrap();
    let each = (limits::MAX_TEXT as u64) + limits::MESSAGE_ROWS;
    assert!(contact.full && contact.quota == limits::MIN_CONTACT_QUOTA, "{contact:?}");
    assert!((contact.quota..contact.quota + 2 * each).contains(&kept), "{kept}");
    assert_eq!(told(&office), 1, "once");
    assert_eq!(query::full_contacts(&office.rows(ALICE)).unwrap().len(), 1);
    assert_eq!((state(&office, &sent[0]), state(&office, &sent[23])), (State::Delivered, State::Queued));
    // Her messages and his receipts go on.
    office.pass(Millis::from_hours(1));
    let said = office.say(ALICE, BOB, "enough");
    office.pass(Millis::from_hours(1));
    let seen = query::message(&office.rows(ALICE), office.id(ALICE), &said, office.now.wall).unwrap().unwrap().state;
    assert_eq!(seen, State::Delivered);
    assert_eq!(told(&office), 1, "and once only");
    assert_eq!(shown(&office).kept, Some(kept));
}

#[test]
fn what_is_deleted_counts_no_more() {
    let (mut office, sent) = full();
    let peer = office.id(BOB);
    office.command(ALICE, Command::DeleteConversation(peer)).unwrap();
    // The two that waited are there already.
    assert_eq!(office.texts(ALICE, BOB).len(), 2);
    assert!(shown(&office).kept.unwrap() < 3 * limits::MAX_TEXT as u64);
    office.pass(Millis::from_hours(3));
    assert_eq!(state(&office, &sent[23]), State::Delivered);
    assert!(!shown(&office).full && shown(&office).kept.unwrap() < limits::MIN_CONTACT_QUOTA);
    assert_eq!(told(&office), 1);
}

/// That there was room meanwhile is known also when the envelope that found it changes something else of the contact.
#[test]
fn whoever_is_full_again_is_told_of_again() {
    let mut office = Office::pair();
    office.pass(Millis::from_secs(60));
    let (alice, bob) = (office.id(ALICE), office.id(BOB));
    let mut set = office.sessions(BOB, ALICE);
    let mut write = |office: &mut Office, text: &str| {
        let (sender, room, now) = (content::sender_uri(bob), content::direct_room_uri(alice, bob), office.now.wall);
        let body = mimi::text([1; 16], &sender, &room, now.0, text, None).encode();
        let plain = Capsule { items: vec![Item::Message { sent_at: now, body }] }.encode();
        let sealed = set.encrypt(&plain, &mut office.desks[BOB].place.rng, now).unwrap();
        office.inject(BOB, ALICE, envelope::encode(EnvelopeKind::Session, &sealed.payload).unwrap());
        office.texts(ALICE, BOB).last().unwrap() == text
    };
    quota(&mut office, limits::MIN_CONTACT_QUOTA).unwrap();
    office.receive(ALICE, BOB, &"x".repeat(limits::MAX_TEXT), None, 24);
    assert_eq!((write(&mut office, "one too many"), told(&office)), (false, 1));
    quota(&mut office, limits::CONTACT_QUOTA).unwrap();
    office.tx(ALICE, |tx| {
        let row = PeerRow { heard_at: None, ..tx.peer(&bob).unwrap().unwrap() };
        tx.put_peer(&row).unwrap();
    });
    assert_eq!((write(&mut office, "there is room"), told(&office)), (true, 1));
    quota(&mut office, limits::MIN_CONTACT_QUOTA).unwrap();
    assert_eq!((write(&mut office, "again too many"), told(&office)), (false, 2));
}

#[test]
fn a_larger_quota_lets_them_in() {
    let (mut office, sent) = full();
    assert_eq!(quota(&mut office, limits::MIN_CONTACT_QUOTA - 1).unwrap_err(), Refusal::SmallQuota);
    quota(&mut office, limits::CONTACT_QUOTA).unwrap();
    office.pass(Millis::from_hours(3));
    assert_eq!(state(&office, &sent[23]), State::Delivered);
    assert!(!shown(&office).full);
}

/// NET-95: however long the pause is by now.
#[test]
fn what_waits_for_room_comes_when_room_is_made() {
    let minute = Millis::from_secs(60);
    for way in ["a larger quota", "a deleted conversation", "vanished messages"] {
        let mut office = Office::pair();
        let (alice, peer) = (office.id(ALICE), office.id(BOB));
        quota(&mut office, limits::MIN_CONTACT_QUOTA).unwrap();
        let long = "x".repeat(limits::MAX_TEXT);
        (0..24).for_each(|_| _ = office.whisper(BOB, ALICE, &long, Millis::from_hours(1)));
        let waits = office.say(BOB, ALICE, "waits");
        office.pass(Millis(59 * minute.0));
        let now = office.now.mono;
        office.tx(BOB, |tx| {
            let pace = &mut tx.link(alice).pace;
            for _ in 0..12 {
                pace.passed(now + Millis::from_hours(2));
                pace.failed(now, 0);
            }
            assert!(pace.is_paused(now + Millis::from_secs(40 * 60)));
        });
        assert_eq!((state(&office, &waits), told(&office)), (State::Queued, 1), "{way}");
        match way {
            "a larger quota" => _ = quota(&mut office, limits::CONTACT_QUOTA).unwrap(),
            "a deleted conversation" => _ = office.command(ALICE, Command::DeleteConversation(peer)).unwrap(),
            _ => office.pass(minute),
        }
        office.pass(minute);
        assert_eq!((state(&office, &waits), shown(&office).full), (State::Delivered, false), "{way}");
    }
}

#[test]
fn what_vanishes_counts_no_more() {
    let mut office = Office::pair();
    let before = shown(&office).kept;
    office.whisper(BOB, ALICE, "for a minute", Millis::from_secs(60));
    assert!(shown(&office).kept > before);
    office.pass(Millis::from_hours(2));
    assert_eq!(shown(&office).kept, before);
}

#[test]
fn what_is_kept_is_counted_anew_when_a_profile_is_recovered() {
    let mut office = Office::pair();
    (0..3).for_each(|_| _ = office.say(BOB, ALICE, "and more"));
    office.say(ALICE, BOB, "of mine");
    let before = shown(&office).kept;
    office.recover(ALICE, false);
    assert_eq!(shown(&office).kept, before);
}

#[test]
fn on_a_disk_that_is_nearly_full_messages_wait_and_the_user_goes_on() {
    let mut office = Office::new(3);
    office.befriend(ALICE, BOB);
    let low = |office: &mut Office, is_low| office.tx(ALICE, |tx| tx.mem.is_disk_low = is_low);
    low(&mut office, true);
    let waits = office.say(BOB, ALICE, "later");
    office.say(2, ALICE, "may I?");
    let goes = office.say(ALICE, BOB, "of mine");
    office.pass(Millis::from_secs(60));
    assert_eq!(office.texts(ALICE, BOB), ["hello", "hello", "of mine"]);
    let seen = |office: &Office| {
        query::message(&office.rows(ALICE), office.id(ALICE), &goes, office.now.wall).unwrap().unwrap().state
    };
    assert_eq!((state(&office, &waits), seen(&office)), (State::Queued, State::Delivered));
    assert_eq!(query::counts(&office.rows(ALICE), office.id(ALICE), office.now.wall).unwrap().requests, 0);
    low(&mut office, false);
    office.pass(Millis::from_hours(3));
    assert_eq!(state(&office, &waits), State::Delivered);
    assert_eq!(query::counts(&office.rows(ALICE), office.id(ALICE), office.now.wall).unwrap().requests, 1);
}

/// How many of so many sessions Bob may begin.
fn begins(office: &mut Office, tries: u64) -> u64 {
    let bob = office.id(BOB);
    let mut begun = 0;
    office.tx(ALICE, |tx| {
        for _ in 0..tries {
            if tx.may_begin(&bob) {
                tx.count_session(bob);
                begun += 1;
            }
        }
    });
    begun
}

#[test]
fn twenty_sessions_an_hour() {
    let mut office = Office::pair();
    assert_eq!(begins(&mut office, 100), limits::CONTACT_HANDSHAKES);
    office.forward(Millis::from_secs(180));
    assert_eq!(begins(&mut office, 100), 1);
    office.forward(Millis::from_hours(2));
    assert_eq!(begins(&mut office, 100), limits::CONTACT_HANDSHAKES);
}

/// A first contact in Bob's name that is not his: it does not open.
fn forged(office: &Office, number: u64) -> Vec<u8> {
    let bytes = office.first_contact(BOB, ALICE, number, "forged");
    let mut payload = envelope::decode(&bytes).unwrap().payload.to_vec();
    *payload.last_mut().unwrap() ^= 1;
    envelope::encode(EnvelopeKind::FirstContact, &payload).unwrap()
}

/// What becomes of a first contact in Bob's name that lay in a mailbox.
fn fate(office: &mut Office, bytes: &[u8]) -> Fate {
    let (bob, mut fate) = (office.id(BOB), None);
    office.tx(ALICE, |tx| fate = Some(tx.receive_sealed(bob, PeerId::from_key_bytes([9; 32]), bytes).unwrap()));
    fate.unwrap()
}

/// ENV-15: on what lies in a mailbox anybody may write his name.
#[test]
fn what_does_not_open_takes_none_of_a_contacts_sessions() {
    let mut office = Office::pair();
    for n in 0..2 * limits::CONTACT_HANDSHAKES {
        let forged = forged(&office, n);
        assert_eq!(fate(&mut office, &forged), Fate::Taken);
    }
    let real = office.first_contact(BOB, ALICE, 1000, "it is me");
    assert_eq!(fate(&mut office, &real), Fate::Taken);
    assert_eq!(office.texts(ALICE, BOB).last().unwrap(), "it is me");
}

/// On his own stream it is he who sends what does not open.
#[test]
fn what_does_not_open_on_a_contacts_stream_counts() {
    let mut office = Office::pair();
    for n in 0..limits::CONTACT_HANDSHAKES {
        let forged = forged(&office, n);
        office.inject(BOB, ALICE, forged);
    }
    let bob = office.id(BOB);
    office.tx(ALICE, |tx| assert!(!tx.may_begin(&bob)));
}

/// A session that is not kept for want of room may come again as often as need be, on a stream as out of a mailbox.
#[test]
fn what_waits_for_room_takes_none_of_a_contacts_sessions() {
    let (mut office, _) = full();
    let waits = office.first_contact(BOB, ALICE, 1, "waits");
    let streamed = office.first_contact(BOB, ALICE, 2, "waits, too");
    for _ in 0..2 * limits::CONTACT_HANDSHAKES {
        assert_eq!(fate(&mut office, &waits), Fate::Left);
        office.inject(BOB, ALICE, streamed.clone());
    }
    quota(&mut office, limits::CONTACT_QUOTA).unwrap();
    assert_eq!(fate(&mut office, &waits), Fate::Taken);
    office.inject(BOB, ALICE, streamed);
    let texts = office.texts(ALICE, BOB);
    assert_eq!(texts[texts.len() - 2..], ["waits", "waits, too"]);
}

/// More than he may begin waits in the mailbox until he may.
#[test]
fn sessions_beyond_twenty_an_hour_wait_in_the_mailbox() {
    let mut office = Office::pair();
    for n in 0..limits::CONTACT_HANDSHAKES {
        let first = office.first_contact(BOB, ALICE, n, "and another");
        assert_eq!(fate(&mut office, &first), Fate::Taken, "{n}");
        assert_eq!(fate(&mut office, &first), Fate::Taken, "a copy is none");
    }
    let last = office.first_contact(BOB, ALICE, 1000, "the last");
    assert_eq!(fate(&mut office, &last), Fate::Left);
    let forged = forged(&office, 1001);
    assert_eq!(fate(&mut office, &forged), Fate::Taken, "nothing waits that does not open");
    office.forward(Millis::from_secs(180));
    assert_eq!(fate(&mut office, &last), Fate::Taken);
    assert_eq!(office.texts(ALICE, BOB).last().unwrap(), "the last");
}

/// What Bob says in a session, sealed.
fn says(office: &mut Office, set: &mut crate::session::SessionSet, items: Vec<Item>) -> Vec<u8> {
    let now = office.now.wall;
    let sealed = set.encrypt(&Capsule { items }.encode(), &mut office.desks[BOB].place.rng, now).unwrap();
    envelope::encode(EnvelopeKind::Session, &sealed.payload).unwrap()
}

/// Alice takes it in, from his stream. Whether it was taken, and how many rows that wrote.
fn takes(office: &mut Office, bytes: &[u8]) -> (bool, u64) {
    use crate::messenger::io::{Event, FrameToken, Input, Order, Output, RefuseReason};
    let rows = |office: &Office| office.written(ALICE).values().sum::<u64>();
    let (from, before) = (office.id(BOB), rows(office));
    let token = FrameToken { stream: u64::MAX, frame: 0 };
    let came = Event::Envelope { from, origin: None, token, bytes: bytes.to_vec() };
    let outputs = office.hand_in(ALICE, vec![Input::Net(came)]);
    let is_taken = outputs.iter().find_map(|output| match output {
        Output::Net(Order::Acknowledge(_)) => Some(true),
        Output::Net(Order::Refuse(_, RefuseReason::TooMany)) => Some(false),
        _ => None,
    });
    (is_taken.unwrap(), rows(office) - before)
}

/// What he says of himself in his `n`th way.
fn of_himself(what: usize, n: u64) -> Item {
    let mut token = [7; 48];
    token[..8].copy_from_slice(&n.to_be_bytes());
    match what {
        0 => Item::Profile(content::Profile { name: format!("Bob {n}") }),
        1 => Item::Addresses(vec![format!("/ip4/192.0.2.{}/tcp/{}", n % 250, n + 1)]),
        2 => Item::Token(crate::base::Secret::new(token)),
        3 => Item::Card(n.to_be_bytes().to_vec()),
        _ => Item::Introduction(content::Introduction { name: Some(format!("B. {n}")), ..Default::default() }),
    }
}

#[test]
fn whoever_changes_all_the_time_is_refused_and_what_he_says_comes_again() {
    for what in 0..5 {
        let mut office = Office::pair();
        office.loses_letters = true;
        office.pass(Millis::from_hours(2));
        let mut set = office.sessions(BOB, ALICE);
        let (mut taken, mut last) = (0, Vec::new());
        for n in 0..200 {
            last = says(&mut office, &mut set, vec![of_himself(what, n)]);
            let (is_taken, rows) = takes(&mut office, &last);
            assert!(is_taken || rows == 0, "{what}: {rows} rows of what was refused");
            taken += u64::from(is_taken);
        }
        assert_eq!(taken, limits::CONTACT_CHANGES, "{what}");
        // What changes nothing goes on, and so does what is to be read.
        let nothing = says(&mut office, &mut set, vec![of_himself(what, taken - 1)]);
        let is_known = what != 3;
        assert_eq!(takes(&mut office, &nothing).0, is_known, "{what}");
        let status = says(&mut office, &mut set, vec![Item::Status(content::StatusReport::default())]);
        assert!(takes(&mut office, &status).0, "{what}");
        // The last one counts, when it comes again.
        office.forward(limits::CONTACT_CHANGE_PAUSE);
        assert!(takes(&mut office, &last).0, "{what}");
        if what == 0 {
            assert_eq!(shown(&office).announced_name, "Bob 199");
        }
    }
}

/// However many names a capsule has, the last that can be seen counts: it changes nothing, or is one change.
#[test]
fn a_capsule_of_names_is_one_change() {
    let mut office = Office::pair();
    office.loses_letters = true;
    office.pass(Millis::from_hours(2));
    let mut set = office.sessions(BOB, ALICE);
    let mut says_names = |office: &mut Office, names: &[&str]| {
        let named = |name: &&str| {
            let name = Some((*name).to_owned());
            Item::Introduction(content::Introduction { name, ..content::Introduction::default() })
        };
        let bytes = says(office, &mut set, names.iter().map(named).collect());
        assert!(takes(office, &bytes).0);
        let peer_id = office.id(BOB);
        office.events(ALICE).into_iter().filter(|event| *event == EventKind::ContactRenamed { peer_id }).count()
    };
    let before = says_names(&mut office, &["Bob"]);
    let changes = |office: &mut Office| {
        let peer = office.id(BOB);
        let mut full = None;
        office.tx(ALICE, |tx| full = tx.link(peer).changes);
        full
    };
    let counted = changes(&mut office);
    assert_eq!(says_names(&mut office, &["a", "b", "c", "Bob"]), before);
    assert_eq!(says_names(&mut office, &["a", "Bob", "\u{200b}"]), before);
    assert_eq!(changes(&mut office), counted);
    assert_eq!(says_names(&mut office, &["a", "b", "c", "Bobby"]), before + 1);
    assert!(changes(&mut office) > counted);
    assert_eq!(shown(&office).announced_name, "Bobby");
}

/// What is said twice is written once: the session's rows are all that the second costs.
#[test]
fn what_is_known_is_not_written_again() {
    let mut office = Office::pair();
    office.loses_letters = true;
    office.pass(Millis::from_hours(2));
    let mut set = office.sessions(BOB, ALICE);
    let empty = says(&mut office, &mut set, Vec::new());
    takes(&mut office, &empty);
    let empty = says(&mut office, &mut set, Vec::new());
    let least = takes(&mut office, &empty).1;
    for what in [0, 1, 2, 4] {
        let mut rows = [0; 2];
        for rows in &mut rows {
            let bytes = says(&mut office, &mut set, vec![of_himself(what, 1)]);
            *rows = takes(&mut office, &bytes).1;
        }
        assert!(rows[0] > least && rows[1] == least, "{what}: {rows:?}, {least}");
    }
}
