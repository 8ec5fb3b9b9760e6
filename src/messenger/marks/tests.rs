//! What leaves a mark, in which rows, and for how long (ENV-10, NET-19).

use super::*;
use crate::envelope::{EnvelopeKind, encode};
use crate::messenger::Command;
use crate::messenger::io::{Event, FrameToken, Input, Order, Output};
use crate::messenger::testing::Office;

impl Office {
    /// Marks at somebody's, and rows of their order.
    fn marks(&self, who: usize) -> (usize, usize) {
        let rows = self.rows(who);
        let marks = rows.scan::<EnvelopeMarks>(&Scan::all()).unwrap().len();
        let queued = rows.scan::<MarkQueue>(&Scan::all()).unwrap();
        assert_eq!(queued.iter().map(|(_, row)| row.marks.len()).sum::<usize>(), marks, "each mark is in one queue");
        (marks, queued.len())
    }

    /// Envelopes of somebody in one commit: what each is answered.
    fn takes(&mut self, who: usize, from: usize, envelopes: &[Vec<u8>]) -> Vec<bool> {
        let token = |frame| FrameToken { stream: u64::MAX, frame };
        let from = self.id(from);
        let inputs = (0..).zip(envelopes).map(|(n, bytes)| {
            Input::Net(Event::Envelope { from, origin: None, token: token(n), bytes: bytes.clone() })
        });
        let outputs = self.hand_in(who, inputs.collect());
        let answers = outputs.iter().filter_map(|output| match output {
            Output::Net(Order::Acknowledge(token)) if token.stream == u64::MAX => Some(true),
            Output::Net(Order::Refuse(token, _)) if token.stream == u64::MAX => Some(false),
            _ => None,
        });
        answers.collect()
    }

    fn heals(&mut self, who: usize, whom: usize) -> bool {
        let (peer, mut due) = (self.id(whom), false);
        self.tx(who, |tx| {
            let mut row = tx.peer(&peer).unwrap().unwrap();
            due = std::mem::take(&mut row.heal_due);
            tx.put_peer(&row).unwrap();
        });
        due
    }
}

/// Bytes that no session opens.
fn garbage(n: u8) -> Vec<u8> {
    let mut payload = [n; 300];
    payload[72] = 0;
    encode(EnvelopeKind::Session, &payload).unwrap()
}

/// ENV-10, SES-35: what a contact's session has opened it knows; a second copy is acknowledged, and says nothing new.
#[test]
fn a_contacts_message_leaves_no_mark() {
    let mut office = Office::pair();
    let before = office.marks(1);
    office.say(0, 1, "once");
    assert_eq!(office.marks(1), before);
    let copy = office.envelopes[&0].clone();
    let (events, texts) = (office.events(1), office.texts(1, 0));
    assert_eq!(office.takes(1, 0, &[copy.clone(), copy.clone()]), [true, true]);
    assert_eq!(office.events(1), events);
    office.open(1);
    assert_eq!(office.takes(1, 0, &[copy]), [true]);
    assert_eq!((office.texts(1, 0), office.marks(1)), (texts, before));
    assert!(!office.heals(1, 0));
}

/// ENV-10: of a first contact there is a mark; what follows its session knows, whatever becomes of what it says. What of a
/// contact did not open is marked, one row of order a commit; what is refused is not.
#[test]
fn what_no_session_knows_leaves_one() {
    let mut office = Office::new(2);
    office.say(0, 1, "first");
    let mut copies = vec![office.envelopes[&0].clone()];
    assert_eq!(office.marks(1), (1, 1));
    for (n, text) in (2..).zip(["second", "third"]) {
        office.say(0, 1, text);
        copies.push(office.envelopes[&0].clone());
        assert_eq!(office.marks(1), (1, 1), "message {n} of a request");
    }
    assert_eq!(office.takes(1, 0, &copies), [true; 3]);
    let broken = [garbage(1), garbage(2), garbage(1), garbage(3)];
    assert_eq!(office.takes(1, 0, &broken), [false; 4]);
    assert_eq!(office.marks(1), (1, 1), "what was refused is not remembered");
    // As a contact's, and once he is none.
    let peer = office.id(0);
    office.command(1, Command::AcceptRequest(peer)).unwrap();
    assert_eq!(office.takes(1, 0, &copies), [true; 3]);
    assert_eq!(office.takes(1, 0, &broken), [true; 4]);
    assert_eq!(office.marks(1), (4, 2));
    office.command(1, Command::Block(peer)).unwrap();
    assert_eq!(office.takes(1, 0, &copies), [true; 3], "he sees no difference");
}

/// ENV-7, ENV-10: what another brings is another's, though it is the same bytes.
#[test]
fn what_another_has_brought_is_taken_from_its_sender() {
    let mut office = Office::new(3);
    office.befriend(0, 1);
    office.befriend(2, 1);
    office.loses_letters = true;
    office.say(0, 1, "mine");
    let bytes = office.envelopes[&0].clone();
    // To the desk it is of a session that the two do not have.
    assert_eq!(office.takes(1, 2, std::slice::from_ref(&bytes)), [true]);
    assert!(!office.texts(1, 0).contains(&"mine".to_owned()));
    assert_eq!(office.takes(1, 0, std::slice::from_ref(&bytes)), [true]);
    assert_eq!(office.texts(1, 0).last().unwrap(), "mine");
}

/// SES-54, SES-64: a copy of what a session opened that is gone by now does not open, and heals as what is lost does: once.
#[test]
fn a_copy_from_a_session_that_is_gone_heals_once() {
    let mut office = Office::pair();
    office.say(0, 1, "once");
    let (copy, peer, texts) = (office.envelopes[&0].clone(), office.id(0), office.texts(1, 0));
    office.tx(1, |tx| tx.drop_sessions(&peer).unwrap());
    assert_eq!(office.takes(1, 0, std::slice::from_ref(&copy)), [true]);
    assert!(office.heals(1, 0));
    for _ in 0..3 {
        assert_eq!(office.takes(1, 0, std::slice::from_ref(&copy)), [true]);
        assert!(!office.heals(1, 0));
    }
    assert_eq!(office.texts(1, 0), texts);
}

/// An input that fails leaves no entry behind, and takes none of another's away.
#[test]
fn an_input_that_fails_marks_nothing() {
    let mut office = Office::pair();
    let before = office.marks(1).0;
    let (peer, token) = (office.id(0), FrameToken { stream: u64::MAX, frame: 0 });
    let envelope = |n| Input::Net(Event::Envelope { from: peer, origin: None, token, bytes: garbage(n) });
    let refused = Input::Command(1, Command::Unblock(peer));
    office.hand_in(1, vec![envelope(1), refused, envelope(2)]);
    assert_eq!(office.marks(1).0, before + 2);
}

/// The oldest make room, by rows; what a card's prekey needs goes to the end; and what is older than 60 days goes.
#[test]
fn marks_make_room_in_their_order() {
    let mut office = Office::new(1);
    let is_marked = |office: &mut Office, n: u8| {
        let mut found = false;
        office.tx(0, |tx| found = tx.is_marked(&tx.my_id(), &EnvelopeId::new([n; 32])).unwrap());
        found
    };
    let prekey = (PrekeyId(7), DhPublic([7; 32]));
    let put = |office: &mut Office, marks: &[u8], max: u64| {
        office.tx(0, |tx| {
            for n in marks {
                tx.put_mark(&tx.my_id(), EnvelopeId::new([*n; 32]), false, (*n == 3).then_some(prekey)).unwrap();
            }
            let marks = tx.mem.marks.drain(..).map(|(_, mark)| mark).collect();
            tx.queue_marks(false, marks, max).unwrap();
        });
    };
    office.tx(0, |tx| tx.mark_prekey(prekey.0, &prekey.1).unwrap());
    put(&mut office, &[1, 2], 5);
    put(&mut office, &[3], 5);
    put(&mut office, &[4, 5], 5);
    assert!((1..=5).all(|n| is_marked(&mut office, n)));
    put(&mut office, &[6], 5);
    assert_eq!((1..=6).filter(|n| is_marked(&mut office, *n)).collect::<Vec<_>>(), [3, 4, 5, 6]);
    put(&mut office, &[8, 9], 5);
    // Three went to the end, and takes the place of those behind it.
    assert_eq!((1..=9).filter(|n| is_marked(&mut office, *n)).collect::<Vec<_>>(), [3, 6, 8, 9]);
    put(&mut office, &[10], 5);
    assert_eq!((1..=10).filter(|n| is_marked(&mut office, *n)).collect::<Vec<_>>(), [3, 6, 8, 9, 10]);
    office.marks(0);
    // The prekey is gone, and the time is over.
    office.tx(0, |tx| tx.forget_prekey_marks(prekey.0).unwrap());
    office.forward(limits::ENVELOPE_MARK_LIFE);
    put(&mut office, &[11], 5);
    assert_eq!((1..=11).filter(|n| is_marked(&mut office, *n)).collect::<Vec<_>>(), [11]);
    office.marks(0);
}

/// Contacts' marks and strangers' have an order each, and each an end.
#[test]
fn strangers_push_no_mark_of_a_contact_out() {
    for (contact, max) in [(true, limits::MAX_CONTACT_MARKS), (false, limits::MAX_STRANGER_MARKS)] {
        let mut office = Office::new(1);
        let put = |office: &mut Office, contact: bool, n: u8| {
            let mut first_is_known = false;
            office.tx(0, |tx| {
                tx.put_mark(&tx.my_id(), EnvelopeId::new([n; 32]), contact, None).unwrap();
                tx.flush_marks().unwrap();
                first_is_known = tx.is_marked(&tx.my_id(), &EnvelopeId::new([1; 32])).unwrap();
            });
            first_is_known
        };
        put(&mut office, contact, 1);
        // As if so many had come since.
        office.tx(0, |tx| {
            let mark = QueuedMark { envelope: mark_of(&tx.my_id(), &EnvelopeId::new([2; 32])), card_prekey: None };
            let row = QueuedMarks { at: tx.deadline_clock(), marks: vec![mark] };
            tx.buf.put::<MarkQueue>(&queue_of(contact).u64(max - 1), &row).unwrap();
        });
        assert!(put(&mut office, contact, 3), "there was room for one more");
        assert!(put(&mut office, !contact, 4), "others take none of it");
        assert!(!put(&mut office, contact, 5));
    }
}

/// However many a card's prekey needs, one commit moves so many to the end.
#[test]
fn one_commit_moves_so_many_marks_and_no_more() {
    let mut office = Office::new(1);
    let prekey = (PrekeyId(7), DhPublic([7; 32]));
    office.tx(0, |tx| {
        tx.mark_prekey(prekey.0, &prekey.1).unwrap();
        for n in 0..MAX_MOVES + 9 {
            let id = std::array::from_fn(|i| n.to_be_bytes()[i % 8]);
            tx.put_mark(&tx.my_id(), EnvelopeId::new(id), false, Some(prekey)).unwrap();
        }
        tx.flush_marks().unwrap();
    });
    assert_eq!(office.marks(0), (MAX_MOVES + 9, 1));
    office.tx(0, |tx| {
        tx.put_mark(&tx.my_id(), EnvelopeId::new([0xff; 32]), false, None).unwrap();
        let marks = tx.mem.marks.drain(..).map(|(_, mark)| mark).collect();
        tx.queue_marks(false, marks, 5).unwrap();
    });
    assert_eq!(office.marks(0), (MAX_MOVES + 1, 1));
}
