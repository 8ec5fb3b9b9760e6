use super::*;
use crate::messenger::command::{Answer, Command};
use crate::messenger::query;
use crate::messenger::tables::{HeldMessage, Tombs};
use crate::messenger::testing::Office;

const MARK: &str = "MARK-the-eagle-lands-at-nine";
const OTHER: &str = "OTHER-the-owl-stays-till-ten";
const SECOND: Millis = Millis::from_secs(1);
const MINUTE: Millis = minutes(1);
const HOUR: Millis = Millis::from_hours(1);
/// Numbers of tables.
const MESSAGES: u8 = 12;

const fn minutes(minutes: u64) -> Millis {
    Millis::from_secs(60 * minutes)
}

fn gone_for_good(office: &Office, who: usize, text: &str) {
    assert!(!office.can_be_had(who, text), "{text} opens at {who}'s with the keys of now");
    assert!(!office.can_be_seen(who, text), "{text} is in {who}'s files");
}

fn deleted(office: &Office, who: usize) -> Vec<(MessageId, State)> {
    let of = |event| match event {
        EventKind::MessageDeleted { message_id: message, state, .. } => Some((message, state)),
        _ => None,
    };
    office.events(who).into_iter().filter_map(of).collect()
}

#[test]
fn a_message_with_a_time_to_live_is_gone_on_both_sides_with_its_keys() {
    let mut office = Office::pair();
    let id = office.whisper(0, 1, MARK, Millis::from_days(1));
    let at = office.history(0, 1).last().unwrap().expires_at.unwrap();
    assert_eq!(at.since(office.now.wall), Millis::from_days(1));
    for who in [0, 1] {
        assert_eq!(office.history(who, 1 - who).last().unwrap().expires_at, Some(at));
        office.copy_disk(who);
        assert!(office.can_be_had(who, MARK), "a thief with the keys of now reads it");
        assert!(!office.can_be_seen(who, MARK));
    }
    office.leap(Millis(Millis::from_days(1).0 - SECOND.0));
    assert_eq!(office.texts(1, 0), ["hello", "hello", MARK], "it is there to the last second");
    office.copy_disk(0);
    office.copy_disk(1);
    office.pass(SECOND);
    for (who, state) in [(0, State::Delivered), (1, State::Received)] {
        assert_eq!(office.texts(who, 1 - who), ["hello", "hello"]);
        assert_eq!(deleted(&office, who), [(id, state)]);
        assert_eq!(query::message(&office.rows(who), office.id(who), &id, office.now.wall).unwrap(), None);
        assert!(query::resolve_message(&office.rows(who), &id.to_string(), office.now.wall).is_err());
        gone_for_good(&office, who, MARK);
        assert!(office.can_be_had(who, "hello"), "the rest is there");
        assert_eq!(office.rows(who).count::<Hours>(&Scan::all()).unwrap(), 0);
        assert_eq!(office.rows(who).count::<Timed>(&Scan::all()).unwrap(), 0);
    }
    assert_eq!(
        query::counts(&office.rows(1), office.id(1), office.now.wall).unwrap().unread,
        1,
        "what vanished does not count as unread"
    );
}

/// CON-16
#[test]
fn what_vanished_does_not_come_back_and_is_remembered_for_a_while_only() {
    let mut office = Office::pair();
    let id = office.whisper(0, 1, MARK, MINUTE);
    let again = office.envelopes[&0].clone();
    office.pass(minutes(2));
    office.inject(0, 1, again);
    assert_eq!(office.texts(1, 0), ["hello", "hello"]);
    // Encrypted anew, under the same ID: the sender never learned that it had arrived.
    let vanishes = Some(Vanishes::At(office.now.wall + HOUR));
    receive(&mut office, id, vanishes);
    assert_eq!(office.texts(1, 0), ["hello", "hello"]);
    assert_eq!(office.rows(1).count::<Tombs>(&Scan::all()).unwrap(), 1);
    let indexed = |office: &Office| office.rows(1).contains::<MessageIndex>(&index_key(&id)).unwrap();
    assert!(indexed(&office));
    office.leap(Millis(limits::FORGOTTEN_LIFE.0 + HOUR.0));
    office.pass(Millis(1));
    assert!(!indexed(&office), "nothing is left of it");
    assert_eq!(office.rows(1).count::<Tombs>(&Scan::all()).unwrap(), 0);
}

#[test]
fn others_of_the_same_hour_move_to_a_new_key() {
    let mut office = Office::pair();
    let (first, second) = (MINUTE, minutes(10));
    office.whisper(0, 1, MARK, first);
    office.online = false;
    office.whisper(0, 1, OTHER, second);
    office.copy_disk(0);
    office.copy_disk(1);
    assert!(office.can_be_had(0, OTHER));
    office.pass(Millis(first.0 + SECOND.0));
    gone_for_good(&office, 0, MARK);
    gone_for_good(&office, 1, MARK);
    assert_eq!(office.texts(0, 1).last().unwrap(), OTHER);
    office.online = true;
    office.open(0);
    office.open(1);
    office.say(0, 1, "now");
    assert_eq!(office.texts(1, 0), ["hello", "hello", OTHER, "now"], "its envelope has moved with it");
    office.pass(second);
    gone_for_good(&office, 0, OTHER);
    gone_for_good(&office, 1, OTHER);
}

#[test]
fn a_full_hour_keeps_its_key_until_few_are_left() {
    let mut office = Office::new(2);
    office.online = false;
    // All in one hour of the clock.
    let to_the_hour = Millis(HOUR.0 - office.now.wall.0 % HOUR.0);
    office.forward(to_the_hour);
    office.whisper(0, 1, MARK, MINUTE);
    for _ in 0..=limits::MAX_MOVED_EARLY {
        office.whisper(0, 1, OTHER, minutes(30));
    }
    office.copy_disk(0);
    office.pass(MINUTE);
    assert_eq!(office.texts(0, 1).first().unwrap(), OTHER, "it is not shown any more");
    assert_eq!(office.rows(0).count::<Hours>(&Scan::all()).unwrap(), 1);
    office.pass(minutes(30));
    assert_eq!(deleted(&office, 0).len(), limits::MAX_MOVED_EARLY + 2);
    gone_for_good(&office, 0, MARK);
    gone_for_good(&office, 0, OTHER);
    assert_eq!(office.undelivered(0), 0, "and nothing waits to be sent");
    assert_eq!(office.texts(0, 1), [""; 0]);
}

/// CON-15
#[test]
fn what_is_not_delivered_in_its_time_is_never_sent() {
    let mut office = Office::pair();
    office.online = false;
    office.open(0);
    let id = office.whisper(0, 1, MARK, MINUTE);
    office.copy_disk(0);
    office.pass(MINUTE);
    assert_eq!(deleted(&office, 0), [(id, State::Queued)]);
    office.online = true;
    office.open(0);
    office.say(0, 1, "after");
    assert_eq!(office.texts(1, 0), ["hello", "hello", "after"]);
    assert!(office.history(1, 0).last().unwrap().gap, "what was not sent shows as a gap");
    gone_for_good(&office, 0, MARK);
    gone_for_good(&office, 1, MARK);
}

/// An older state of the session, which the disk may still hold, opens it.
#[test]
fn no_row_holds_an_envelope() {
    let mut office = Office::pair();
    office.loses_letters = true;
    office.whisper(0, 1, MARK, MINUTE);
    let envelope = office.envelopes[&0].clone();
    let place = &office.desks[0].place;
    let rows = place.open_all(&place.dump());
    let piece = &envelope[100..132];
    assert!(rows.len() > 10 && rows.iter().all(|(_, row)| row.windows(32).all(|part| part != piece)));
}

#[test]
fn what_became_due_while_nobody_was_there_is_seen_by_nobody_and_gone_when_that_is_confirmed() {
    let mut office = Office::pair();
    office.receive(1, 0, MARK, Some(MINUTE), 300);
    office.copy_disk(1);
    office.close(1);
    office.forward(Millis::from_days(400));
    office.open(1);
    assert_eq!(office.texts(1, 0), ["hello", "hello"]);
    assert_eq!((deleted(&office, 1).len(), office.can_be_had(1, MARK)), (0, true));
    office.believe();
    assert_eq!(deleted(&office, 1).len(), 300);
    gone_for_good(&office, 1, MARK);
}

#[test]
fn a_clock_that_is_set_back_keeps_nothing_alive() {
    let mut office = Office::pair();
    office.whisper(0, 1, MARK, minutes(180));
    // The hourly maintenance stores the time; then the clock is set back by a day, and the node started anew.
    office.pass(minutes(120));
    office.copy_disk(0);
    let now = office.now;
    office.now.wall = now.wall - Millis::from_days(1);
    office.open(0);
    office.pass(minutes(61));
    assert_eq!(office.texts(0, 1), ["hello", "hello"], "the process knows how much time has passed");
    gone_for_good(&office, 0, MARK);
    // The other way: what is written now lives as long as it is to.
    office.whisper(0, 1, OTHER, MINUTE);
    office.pass(Millis(MINUTE.0 + SECOND.0));
    gone_for_good(&office, 0, OTHER);
}

#[test]
fn a_time_to_live_is_bounded() {
    let mut office = Office::pair();
    for life in [Millis(0), Millis(999), Millis(limits::MAX_LIFETIME.0 + 1), Millis(u64::MAX)] {
        let mut command = office.text(1, MARK);
        command.draft.expires = Some(life);
        assert_eq!(office.send(0, command).unwrap_err(), Refusal::Lifetime, "{life:?}");
    }
    assert_eq!(office.texts(0, 1), ["hello", "hello"]);
}

/// As if the other desk had sent it.
fn receive(office: &mut Office, id: MessageId, vanishes: Option<Vanishes>) {
    let (peer, now) = (office.id(0), office.now);
    let body = b"\xf6 not MIMI: ".iter().chain(MARK.as_bytes()).copied().collect();
    let held = HeldMessage { id, sent_at: now.wall, received_at: now.wall, counter: 0, body, subject: None, vanishes };
    office.tx(1, |tx| tx.insert_incoming(peer, held).unwrap());
}

#[test]
fn after_reading_means_after_reading() {
    let mut office = Office::pair();
    let (read, unread) = (MessageId::new([1; 32]), MessageId::new([2; 32]));
    receive(&mut office, read, Some(Vanishes::AfterReading(MINUTE)));
    receive(&mut office, unread, Some(Vanishes::AfterReading(MINUTE)));
    office.leap(Millis::from_days(500));
    assert_eq!(office.history(1, 0).len(), 4, "unread messages wait");
    assert_eq!(office.history(1, 0).last().unwrap().expires_at, None);
    office.copy_disk(1);
    let peer = office.id(0);
    let answer = office.command(1, Command::Read { peer, upto: Some(read) }).unwrap();
    assert!(matches!(answer, Answer::Read(2)), "with the greeting: {answer:?}");
    assert_eq!(office.history(1, 0)[2].expires_at, Some(office.now.wall + MINUTE));
    assert_eq!(office.readable_rows(1, MESSAGES), 2, "both have moved to other keys: what was copied opens no more");
    office.pass(MINUTE);
    assert_eq!(deleted(&office, 1), [(read, State::Read)]);
    office.command(1, Command::Read { peer, upto: None }).unwrap();
    office.pass(MINUTE);
    gone_for_good(&office, 1, MARK);
}

#[test]
fn a_held_message_vanishes_from_its_request() {
    let mut office = Office::new(2);
    office.whisper(0, 1, MARK, MINUTE);
    office.say(0, 1, OTHER);
    office.copy_disk(1);
    assert!(office.can_be_had(1, MARK));
    assert_eq!(query::requests(&office.rows(1), office.now.wall).unwrap()[0].messages, 2);
    office.pass(Millis(MINUTE.0 + SECOND.0));
    let left = query::requests(&office.rows(1), office.now.wall).unwrap();
    assert_eq!((left[0].messages, left[0].text.as_str()), (1, OTHER));
    gone_for_good(&office, 1, MARK);
    let peer = office.id(0);
    office.command(1, Command::AcceptRequest(peer)).unwrap();
    assert_eq!(office.texts(1, 0), [OTHER]);
    assert!(office.can_be_had(1, OTHER));
}

#[test]
fn a_request_whose_only_message_vanishes_is_closed() {
    let mut office = Office::new(2);
    office.whisper(0, 1, MARK, MINUTE);
    office.copy_disk(1);
    office.close(1);
    office.forward(HOUR);
    office.open(1);
    assert_eq!(query::requests(&office.rows(1), office.now.wall).unwrap(), [], "nobody sees it");
    office.believe();
    assert_eq!(query::requests(&office.rows(1), office.now.wall).unwrap(), []);
    assert_eq!(
        office.events(1).last().unwrap(),
        &EventKind::RequestClosed { peer_id: office.id(0), reason: RequestEnd::Expired }
    );
    gone_for_good(&office, 1, MARK);
    // What was accepted in time vanishes from the conversation.
    office.whisper(0, 1, MARK, HOUR);
    let peer = office.id(0);
    office.command(1, Command::AcceptRequest(peer)).unwrap();
    assert_eq!(office.rows(1).count::<Timed>(&Scan::all()).unwrap(), 1);
    office.copy_disk(1);
    office.pass(Millis(HOUR.0 + SECOND.0));
    assert_eq!(office.texts(1, 0), [""; 0]);
    gone_for_good(&office, 1, MARK);
}

/// CON-12, CON-15: what another program says of a message vanishes as it came, without a word.
#[test]
fn what_is_said_of_a_message_vanishes_without_a_word() {
    use crate::content::{direct_room_uri, mimi, sender_uri};
    let mut office = Office::pair();
    let (peer, me, now) = (office.id(0), office.id(1), office.now.wall);
    let of = office.say(0, 1, "first");
    let (sender, room) = (sender_uri(peer), direct_room_uri(me, peer));
    let at = mimi::Expires::At(u32::try_from(now.0 / 1000 + 3_600).unwrap());
    let said = [
        mimi::edit([1; 16], &sender, &room, of, MARK, None),
        mimi::reaction([2; 16], &sender, &room, "+", of),
        mimi::deletion([3; 16], &sender, &room, of, None),
    ];
    let (texts, events) = (office.texts(1, 0).len(), office.events(1));
    office.tx(1, |tx| {
        for content in said {
            let body = mimi::MimiContent { expires: Some(at), ..content }.encode();
            let held = tx.checked_message(peer, now, body, None).unwrap();
            assert!(held.vanishes.is_some());
            tx.insert_incoming(peer, held).unwrap();
        }
    });
    assert_eq!(office.texts(1, 0).len(), texts + 3);
    office.pass(Millis(2 * HOUR.0));
    assert_eq!(office.texts(1, 0).len(), texts);
    assert_eq!(office.rows(1).count::<Timed>(&Scan::all()).unwrap(), 0);
    assert_eq!(deleted(&office, 1), []);
    assert_eq!(office.events(1), events);
    gone_for_good(&office, 1, MARK);
}
