//! Notes to oneself: a conversation like any other, and nobody at its other end.

use crate::base::event::EventKind;
use crate::base::shown::{ConversationKind, Message};
use crate::base::words::{Direction, State};
use crate::base::{Millis, RoomId, limits};
use crate::messenger::command::{Answer, Command, Refusal};
use crate::messenger::query::{self, Scope};
use crate::messenger::tables::{Outbox, Peers, States, peer_key, room_key};
use crate::messenger::testing::Office;
use crate::store::{Rows, Scan};

const MARK: &str = "MARK-the-eagle-lands-at-nine";

fn keep(office: &mut Office, text: &str) -> Result<Message, Refusal> {
    let command = office.text(0, text);
    office.send(0, command)
}

fn means_me(office: &Office, text: &str) -> bool {
    let me = office.id(0);
    query::resolve_peer(&office.rows(0), me, Scope::People, text).is_ok_and(|peer| peer == me)
}

#[test]
fn a_note_is_read_as_it_is_written_and_goes_nowhere() {
    let mut office = Office::pair();
    let (me, end) = (office.id(0), office.id(0).short());
    let (questions, before) = (office.questions.len(), office.texts(1, 0));
    assert!(means_me(&office, "me") && means_me(&office, " M\u{200B}E "));
    assert!(!means_me(&office, &end), "there is nothing yet that it is shown beside");
    let first = keep(&mut office, "milk").unwrap();
    assert_eq!((first.conversation, first.from, first.direction, first.state), (me, me, Direction::Out, State::Read));
    assert!(means_me(&office, &end) && means_me(&office, &format!("…{end}")));

    let mut second = office.text(0, "bread");
    (second.draft.reply_to, second.client_id) = (Some(first.message_id), Some("k".to_owned()));
    let id = office.send(0, second.clone()).unwrap().message_id;
    assert_eq!(office.send(0, second).unwrap().message_id, id, "a client's key is good here, too");
    office.pass(Millis::from_secs(10));
    for _ in 0..2 {
        assert_eq!(office.texts(0, 0), ["milk", "bread"]);
        let history = office.history(0, 0);
        assert!(history.iter().all(|message| message.state == State::Read && !message.gap), "{history:?}");
        assert_eq!(history[1].reply_to, Some(first.message_id));
        let rows = office.rows(0);
        let inbox = query::inbox(&rows, me, false, 10, office.now.wall).unwrap();
        let line = &inbox[0];
        assert_eq!((line.kind, line.conversation, line.peer_id, line.unread), (ConversationKind::Oneself, me, me, 0));
        let unread = query::inbox(&rows, me, true, 10, office.now.wall).unwrap();
        assert!(unread.iter().all(|line| line.peer_id != me), "{unread:?}");
        assert_eq!(query::counts(&rows, me, office.now.wall).unwrap().unread, 1, "what made them contacts");
        let own = Scan::new(room_key(&RoomId::direct(me)));
        assert_eq!(rows.count::<Outbox>(&Scan::all()).unwrap(), 0);
        assert_eq!(rows.count::<States>(&own).unwrap(), 0, "what can be told without is not stored");
        assert!(!rows.contains::<Peers>(&peer_key(&me)).unwrap());
        drop(rows);
        assert_eq!(office.undelivered(0), 0);
        office.close(0);
        office.open(0);
    }
    assert_eq!(office.questions.len(), questions, "nobody is asked for a way");
    assert_eq!(office.texts(1, 0), before);
    assert!(matches!(office.events(0).last(), Some(EventKind::MessageNew { conversation, .. }) if *conversation == me));
    assert_eq!(office.command(0, Command::Read { peer: me, upto: None }).map(|_| ()), Ok(()));
}

#[test]
fn what_is_no_message_is_no_note() {
    let mut office = Office::pair();
    let theirs = office.say(1, 0, "hello");
    let mut answer = office.text(0, "to hello");
    answer.draft.reply_to = Some(theirs);
    assert_eq!(office.send(0, answer).unwrap_err(), Refusal::NoMessage, "it stands in another conversation");
    assert_eq!(keep(&mut office, " ").unwrap_err(), Refusal::EmptyText);
    let long = "x".repeat(limits::MAX_TEXT + 1);
    assert!(matches!(keep(&mut office, &long).unwrap_err(), Refusal::TooLong { .. }));
    assert_eq!(keep(&mut office, &long[1..]).unwrap().state, State::Read);
}

#[test]
fn a_note_vanishes_and_is_deleted_as_messages_are() {
    let mut office = Office::pair();
    let me = office.id(0);
    let mut brief = office.text(0, MARK);
    brief.draft.expires = Some(Millis::from_secs(60));
    office.send(0, brief).unwrap();
    assert!(office.can_be_had(0, MARK));
    office.pass(Millis::from_hours(2));
    assert_eq!(office.texts(0, 0), [""; 0]);
    assert!(!office.can_be_had(0, MARK));

    let other = "OTHER-the-owl-stays-till-ten";
    keep(&mut office, other).unwrap();
    assert!(office.can_be_had(0, other));
    assert!(matches!(office.command(0, Command::DeleteConversation(me)), Ok(Answer::Deleted { unsent: 0 })));
    assert!(!office.can_be_had(0, other));
    let inbox = query::inbox(&office.rows(0), me, false, 10, office.now.wall).unwrap();
    assert!(inbox.iter().all(|line| line.peer_id != me), "{inbox:?}");
    assert_eq!(office.command(0, Command::DeleteConversation(me)).unwrap_err(), Refusal::NoConversation);
    keep(&mut office, "anew").unwrap();
    assert_eq!(office.texts(0, 0), ["anew"]);
}
