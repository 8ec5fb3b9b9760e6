use crate::base::event::EventKind;
use crate::base::words::State;
use crate::base::{MessageId, PeerId, RoomId};
use crate::content::{self, mimi};
use crate::messenger::command::{Answer, Command};
use crate::messenger::io::{Event, FrameToken, Input, Order, Output};
use crate::messenger::query;
use crate::messenger::tables::HeldMessage;
use crate::messenger::testing::Office;

/// A message for the second of a pair, who is connected and has not seen it yet.
fn message(office: &mut Office) -> Vec<Input> {
    office.close(1);
    office.say(0, 1, "while nobody looked");
    office.open(1);
    let (from, bytes) = (office.id(0), office.envelopes[&0].clone());
    let token = FrameToken { stream: 1, frame: 1 };
    vec![Input::Net(Event::Connected(from)), Input::Net(Event::Envelope { from, origin: None, token, bytes })]
}

fn sends(outputs: &[Output], to: PeerId) -> usize {
    outputs.iter().filter(|output| matches!(output, Output::Net(Order::Send { peer, .. }) if *peer == to)).count()
}

/// Whoever waits for the message does not wait for the encryption of its receipt.
#[test]
fn a_receipt_is_encrypted_with_the_commit_after_that_of_the_message() {
    let mut office = Office::pair();
    let inputs = message(&mut office);
    let (peer, now) = (office.id(0), office.now.mono);
    let outputs = office.hand_in(1, inputs);
    let kept = |output: &Output| matches!(output, Output::Net(Order::Acknowledge(_)));
    let told = |output: &Output| matches!(output, Output::Events(_));
    let place = |is: &dyn Fn(&Output) -> bool| outputs.iter().position(is).unwrap();
    assert!(place(&told) < place(&kept), "{outputs:?}");
    assert_eq!(sends(&outputs, peer), 0, "{outputs:?}");
    assert!(matches!(outputs.last(), Some(Output::WakeAt(at)) if *at == now), "{outputs:?}");
    let outputs = office.hand_in(1, vec![Input::Timer]);
    assert_eq!(sends(&outputs, peer), 1, "{outputs:?}");
    assert!(matches!(outputs.last(), Some(Output::WakeAt(at)) if *at > now), "{outputs:?}");
}

#[test]
fn a_receipt_that_was_due_when_everything_ended_goes_later() {
    let mut office = Office::pair();
    let inputs = message(&mut office);
    let peer = office.id(0);
    assert_eq!(sends(&office.hand_in(1, inputs), peer), 0);
    office.close(1);
    office.online = false;
    office.open(1);
    let outputs = office.hand_in(1, vec![Input::Net(Event::Connected(peer))]);
    assert_eq!(sends(&outputs, peer), 1, "{outputs:?}");
}

/// A session of one's own beside the one with which the other side has mended things would leave each in his own.
#[test]
fn whoever_is_healed_need_not_heal() {
    let mut office = Office::pair();
    let (one, two) = (office.id(0), office.id(1));
    office.tx(0, |tx| tx.drop_sessions(&two).unwrap());
    office.tx(1, |tx| {
        let mut row = tx.peer(&one).unwrap().unwrap();
        row.heal_due = true;
        tx.put_peer(&row).unwrap();
    });
    office.say(0, 1, "anew");
    office.say(1, 0, "in the same");
    office.tx(1, |tx| {
        assert!(!tx.peer(&one).unwrap().unwrap().heal_due);
        assert!(!tx.sessions(&one).unwrap().sending().unwrap().is_ours());
    });
    assert_eq!(office.texts(0, 1), office.texts(1, 0));
}

/// Something of the first arrives at the second.
pub(crate) fn comes(office: &mut Office, counter: u64, text: &str) {
    let (peer, now) = (office.id(0), office.now.wall);
    let (sender, room) = (content::sender_uri(peer), content::direct_room_uri(office.id(1), peer));
    office.tx(1, |tx| {
        let mut salt = [0; 16];
        tx.rng.fill_bytes(&mut salt);
        let body = mimi::text(salt, &sender, &room, counter, text, None).encode();
        let id = content::message_id(&sender, &room, &body, &salt);
        let held = HeldMessage { id, sent_at: now, received_at: now, counter, body, subject: None, vanishes: None };
        tx.insert_incoming(peer, held).unwrap();
    });
}

/// CON-11
#[test]
fn what_comes_late_takes_the_place_that_was_left_for_it() {
    let mut office = Office::pair();
    let peer = office.id(0);
    let mut highest = 0;
    office.tx(1, |tx| {
        highest = tx.conversation(&RoomId::direct(peer)).unwrap().unwrap().senders[&peer].highest;
    });
    comes(&mut office, highest + 60, "60");
    assert!(office.history(1, 0).last().unwrap().gap);
    office.say(1, 0, "mine");
    for ahead in (1..60).rev().step_by(2).chain((1..60).rev().skip(1).step_by(2)) {
        comes(&mut office, highest + ahead, &ahead.to_string());
    }
    // The end is where it was.
    office.say(1, 0, "mine again");
    comes(&mut office, highest + 30, "another 30");
    let numbers: Vec<String> = (1..=60).map(|ahead| ahead.to_string()).collect();
    let expected: Vec<&str> = ["hello", "hello"]
        .into_iter()
        .chain(numbers.iter().map(String::as_str))
        .chain(["mine", "mine again", "another 30"])
        .collect();
    assert_eq!(office.texts(1, 0), expected);
    assert!(office.history(1, 0).iter().all(|message| !message.gap));
    // A gap goes with the conversation.
    comes(&mut office, highest + 62, "62");
    office.command(1, Command::DeleteConversation(peer)).unwrap();
    comes(&mut office, highest + 63, "63");
    comes(&mut office, highest + 61, "61");
    assert_eq!(office.texts(1, 0), ["63", "61"]);
}

/// CON-32
#[test]
fn an_inquiry_is_answered_for_what_is_there_and_for_nothing_else() {
    let mut office = Office::pair();
    let read = office.say(0, 1, "read");
    let peer = office.id(0);
    office.command(1, Command::Read { peer, upto: None }).unwrap();
    let (heard, own) = (office.say(0, 1, "heard"), office.say(1, 0, "said"));
    let asked = [read, MessageId::new([9; 32]), own, heard];
    office.tx(1, |tx| {
        tx.answer_inquiry(peer, &asked).unwrap();
        assert_eq!(tx.mem.receipts, [(peer, read, State::Read), (peer, heard, State::Delivered)]);
        tx.mem.receipts.clear();
        tx.answer_inquiry(tx.my_id(), &asked).unwrap();
        assert!(tx.mem.receipts.is_empty(), "they are not his");
    });
}

/// CON-12: what another program says of a message is kept with all its bytes until it is understood, and disturbs nobody.
#[test]
fn what_is_said_of_a_message_is_kept_and_neither_rings_nor_is_unread() {
    use crate::base::shown::OTHER;
    use crate::content::mimi::{deletion, edit, reaction, unreaction};
    let mut office = Office::pair();
    let (peer, me, now) = (office.id(0), office.id(1), office.now.wall);
    let of = office.say(0, 1, "first");
    let (sender, room) = (content::sender_uri(peer), content::direct_room_uri(me, peer));
    let said = [
        edit([1; 16], &sender, &room, of, "better", None),
        reaction([2; 16], &sender, &room, "👍", of),
        unreaction([3; 16], &sender, &room, of, of),
        deletion([4; 16], &sender, &room, of, None),
    ];
    let bodies = said.map(|content| content.encode());
    let unread = |office: &Office| query::counts(&office.rows(1), office.id(1), office.now.wall).unwrap().unread;
    let (before, events) = (office.history(1, 0), office.events(1).len());
    let waits = unread(&office);
    assert!(waits > 0);
    let come = |office: &mut Office, bodies: &[Vec<u8>]| {
        office.tx(1, |tx| {
            for body in bodies {
                let held = tx.checked_message(peer, now, body.clone(), None).unwrap();
                tx.insert_incoming(peer, held).unwrap();
                assert!(tx.mem.receipts.iter().any(|(to, _, state)| *to == peer && *state == State::Delivered));
                assert_eq!(tx.mem.told, []);
            }
        });
    };
    come(&mut office, &bodies);
    assert_eq!((unread(&office), office.events(1).len()), (waits, events));
    let shown = office.history(1, 0);
    assert_eq!(shown[..before.len()], before[..]);
    let others = &shown[before.len()..];
    assert_eq!(others.len(), bodies.len());
    for (other, body) in others.iter().zip(&bodies) {
        assert_eq!((other.kind.as_str(), other.text.as_str(), other.state), (OTHER, "", State::Read));
        let (_, row) = query::find(&office.rows(1), &other.message_id).unwrap().unwrap();
        assert_eq!(&row.body.whole(&crate::content::mimi::Origin::new(&sender, &room)), body);
    }
    // They come once; reading the rest counts none of them, and tells nothing of them.
    come(&mut office, &bodies[..1]);
    assert_eq!(office.history(1, 0).len(), shown.len());
    let answer = office.command(1, Command::Read { peer, upto: None }).unwrap();
    assert!(matches!(answer, Answer::Read(count) if count == waits), "{answer:?}");
    assert_eq!(unread(&office), 0);
    let ids: Vec<_> = others.iter().map(|other| other.message_id).collect();
    let told =
        |event: &EventKind| matches!(event, EventKind::MessageState { message_id, .. } if ids.contains(message_id));
    assert!(!office.events(1).iter().any(told));
    // Nor when it comes while everything was read.
    come(&mut office, &[reaction([5; 16], &sender, &room, "👍", of).encode()]);
    assert_eq!(unread(&office), 0);
    assert!(query::inbox(&office.rows(1), me, true, 10, office.now.wall).unwrap().is_empty());
}

/// REQ-12: what is put off until the hour is over goes then, however often the program was restarted meanwhile.
#[test]
fn what_goes_again_in_an_hour_does_so_after_a_restart() {
    goes_again_in_an_hour(false);
}

/// REQ-12: not twice within an hour, though the program was restarted before somebody says again that he has accepted.
#[test]
fn what_went_again_waits_for_its_hour_after_a_restart() {
    goes_again_in_an_hour(true);
}

/// What Bob's node swallows goes again, and once more in an hour, however often Alice's program was restarted since the second time
/// that he has accepted, or before that.
fn goes_again_in_an_hour(restarts: bool) {
    use crate::base::Millis;
    let accepted = |office: &mut Office| {
        let peer = office.id(1);
        office.hand_in(0, vec![Input::Net(Event::Disconnected(peer))]);
        office.tx(0, |tx| tx.come_again(peer).unwrap());
        office.hand_in(0, vec![Input::Timer]);
    };
    let mut office = Office::pair();
    office.online = false;
    office.open(0);
    office.say(0, 1, "taken and dropped");
    let peer = office.id(1);
    let is_sent = |office: &Office| office.waiting(0, 1).iter().map(|way| way.sent).collect::<Vec<_>>();
    office.swallow(0, 1);
    accepted(&mut office);
    office.swallow(0, 1);
    assert_eq!(is_sent(&office), [true]);
    if restarts {
        office.open(0);
    }
    accepted(&mut office);
    assert_eq!(is_sent(&office), [true]);
    for minutes in [20, 20, 19] {
        office.open(0);
        office.pass(Millis::from_secs(60 * minutes));
        assert_eq!(is_sent(&office), [true]);
    }
    office.open(0);
    office.pass(Millis::from_secs(61));
    assert_eq!(is_sent(&office), [false]);
    // Once.
    office.open(0);
    office.hand_in(0, vec![Input::Net(Event::Connected(peer))]);
    office.tx(0, |tx| assert!(tx.link(peer).again_at.is_none() && !tx.reach(&peer).unwrap().again));
}

/// SES-11: a newer header is told from a fault.
#[test]
fn a_first_contact_of_another_version_is_not_called_malformed() {
    use crate::envelope::{EnvelopeKind, encode};
    use crate::messenger::io::{Event, FrameToken, Input, Order, Output, RefuseReason};
    let mut office = Office::new(2);
    let from = office.id(0);
    let mut refusal = |payload: Vec<u8>| {
        let (token, bytes) =
            (FrameToken { stream: 1, frame: 1 }, encode(EnvelopeKind::FirstContact, &payload).unwrap());
        let outputs = office.hand_in(1, vec![Input::Net(Event::Envelope { from, origin: None, token, bytes })]);
        outputs.into_iter().find_map(|output| match output {
            Output::Net(Order::Refuse(_, reason)) => Some(reason),
            _ => None,
        })
    };
    assert_eq!(refusal([&[2_u8][..], &[7; 2000]].concat()), Some(RefuseReason::Unsupported));
    assert_eq!(refusal(vec![9]), Some(RefuseReason::Unsupported));
    assert_eq!(refusal([&[1_u8][..], &[7; 2000]].concat()), Some(RefuseReason::Malformed));
    assert_eq!(refusal(vec![1]), Some(RefuseReason::Malformed));
}

/// REQ-12: whoever is removed and accepted again and again gets all through that he wrote meanwhile, at once or when the hour is over,
/// whether the program was restarted meanwhile or not.
#[test]
fn what_is_accepted_again_within_the_hour_goes_when_that_is_over() {
    use crate::base::Millis;
    for restarts in [false, true] {
        let mut office = Office::pair();
        let alice = office.id(0);
        let mut said = office.texts(1, 0);
        for round in 0..2 {
            office.command(1, Command::RemoveContact(alice)).unwrap();
            for n in 0..5 {
                office.say(0, 1, &format!("{round}.{n}"));
                said.push(format!("{round}.{n}"));
            }
            office.command(1, Command::AcceptRequest(alice)).unwrap();
            office.pass(Millis::from_secs(60));
        }
        assert_eq!(office.texts(1, 0), said[..said.len() - 2], "the hour is not over");
        for _ in 0..3 {
            if restarts {
                office.open(0);
            }
            office.pass(Millis::from_secs(1_200));
        }
        assert_eq!((office.texts(1, 0), office.undelivered(0)), (said, 0), "{restarts}");
    }
}

/// REQ-12: what was dropped and is not acknowledged yet when he says that he has accepted goes again, too: as it was sealed it would
/// be a second copy.
#[test]
fn what_is_under_way_when_somebody_accepts_goes_again() {
    let mut office = Office::pair();
    let (alice, bob) = (office.id(0), office.id(1));
    office.command(1, Command::RemoveContact(alice)).unwrap();
    for n in 0..3 {
        office.say(0, 1, &n.to_string());
    }
    let fourth = Command::Send(office.text(1, "3"));
    let outputs = office.hand_in(0, vec![Input::Command(1, fourth)]);
    let sent = outputs.into_iter().find_map(|output| match output {
        Output::Net(Order::Send { ticket, bytes, .. }) => Some((ticket, bytes.to_vec())),
        _ => None,
    });
    let (ticket, bytes) = sent.unwrap();
    office.inject(0, 1, bytes);
    office.command(1, Command::AcceptRequest(alice)).unwrap();
    office.hand_in(0, vec![Input::Net(Event::Acked { peer: bob, ticket })]);
    office.pass(crate::base::Millis::from_hours(2));
    assert_eq!(office.texts(1, 0), ["hello", "hello", "0", "1", "2", "3"]);
    assert_eq!(office.undelivered(0), 0);
}

/// REQ-12: whoever accepts says with it what the request held, so that the rest alone need go again.
#[test]
fn acceptance_tells_what_the_request_held() {
    use crate::content::{Capsule, Item, StatusReport};
    use crate::messenger::tables::{OutKind, Outbox, peer_key};
    use crate::store::{Rows, Scan};
    let mut office = Office::new(2);
    let alice = office.id(0);
    let delivered = ["one", "two", "three", "four"].map(|text| office.say(0, 1, text))[..3].to_vec();
    office.hand_in(1, vec![Input::Command(1, Command::AcceptRequest(alice))]);
    let row = office.rows(1).scan::<Outbox>(&Scan::new(peer_key(&alice))).unwrap().remove(0).1;
    let OutKind::Control(bytes) = row.kind else { panic!("a message") };
    let report = StatusReport { delivered, ..StatusReport::default() };
    assert_eq!(Capsule::decode(&bytes).unwrap().items[..2], [Item::Status(report), Item::Accepted]);
}

/// REQ-12: that somebody is unblocked has nothing go again that he wrote meanwhile; a report of what he wrote later has (SES-72), and a
/// *reset*.
#[test]
fn what_was_written_while_blocked_stays_away_until_a_report_or_a_reset() {
    use crate::base::Millis;
    for writes_more in [false, true] {
        let mut office = Office::pair();
        let alice = office.id(0);
        office.command(1, Command::Block(alice)).unwrap();
        office.say(0, 1, "while blocked");
        office.command(1, Command::Unblock(alice)).unwrap();
        office.say(1, 0, "again");
        // An hour later she begins a session because of it (SES-68).
        office.pass(Millis::from_secs(3_000));
        assert_eq!(office.texts(1, 0), ["hello", "hello", "again"]);
        if writes_more {
            office.say(0, 1, "yes");
        } else {
            office.tx(1, |tx| {
                let mut row = tx.peer(&alice).unwrap().unwrap();
                row.heal_due = true;
                tx.put_peer(&row).unwrap();
            });
            office.say(1, 0, "anew");
        }
        office.pass(Millis::from_secs(60));
        assert!(office.texts(1, 0).contains(&"while blocked".to_owned()));
    }
}
