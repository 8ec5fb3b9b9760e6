use crate::base::words::State;
use crate::base::{MessageId, PeerId, RoomId};
use crate::content::{self, mimi};
use crate::messenger::command::Command;
use crate::messenger::io::{Event, FrameToken, Input, Order, Output};
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
    comes(&mut office, highest + 30, "another 30");
    let numbers: Vec<String> = (1..=60).map(|ahead| ahead.to_string()).collect();
    let expected: Vec<&str> = ["hello", "hello"]
        .into_iter()
        .chain(numbers.iter().map(String::as_str))
        .chain(["mine", "another 30"])
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
