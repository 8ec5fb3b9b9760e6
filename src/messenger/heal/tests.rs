use super::*;
use crate::base::Millis;
use crate::content::{Capsule, Item};
use crate::messenger::io::{Event, Input, Order, Output};
use crate::messenger::tables::{OneTimeTable, OutKind, Outbox, peer_key};
use crate::messenger::testing::Office;
use crate::store::{Rows, Scan};

const ALICE: usize = 0;
const BOB: usize = 1;

/// Alice and Bob, who are connected. His node has a message of hers, as it says, and nothing came of it.
fn swallowed() -> Office {
    let mut office = Office::pair();
    office.online = false;
    office.open(ALICE);
    office.say(ALICE, BOB, "swallowed");
    office.swallow(ALICE, BOB);
    assert!(lies_there(&office) && waits(&office) == [vec![]]);
    office
}

/// What waits for Bob, in order; of a message nothing.
fn waits(office: &Office) -> Vec<Vec<Item>> {
    let rows = office.rows(ALICE).scan::<Outbox>(&Scan::new(peer_key(&office.id(BOB)))).unwrap();
    let items = |kind| match kind {
        OutKind::Control(bytes) => Capsule::decode(&bytes).unwrap().items,
        OutKind::Message(_) => Vec::new(),
    };
    rows.into_iter().map(|(_, row)| items(row.kind)).collect()
}

/// Whether Bob's node has the message, as far as it counts still.
fn lies_there(office: &Office) -> bool {
    office.waiting(ALICE, BOB)[0].sent
}

/// A healing handshake is due.
fn due(tx: &mut Tx<'_>, peer: PeerId) {
    let mut row = tx.peer(&peer).unwrap().unwrap();
    row.heal_due = true;
    tx.put_peer(&row).unwrap();
    tx.touch(peer);
}

/// SES-69: over a connection a session begins with a fresh card, and all goes again in it at once; that it is new stands behind that.
#[test]
fn over_a_connection_all_goes_again_at_once() {
    for (accepted, says) in [(true, vec![Item::Reset, Item::Accepted]), (false, vec![Item::Reset])] {
        let mut office = swallowed();
        let (bob, card) = (office.id(BOB), office.card_of(BOB));
        let before = office.sessions(ALICE, BOB).sending().unwrap().id();
        office.tx(ALICE, |tx| {
            due(tx, bob);
            let mut row = tx.peer(&bob).unwrap().unwrap();
            row.accepted = accepted;
            tx.put_peer(&row).unwrap();
        });
        let outputs = office.hand_in(ALICE, vec![Input::Timer]);
        let ticket = outputs.iter().find_map(|output| match output {
            Output::Net(Order::FetchBundle { ticket, want_prekey: true, .. }) => Some(*ticket),
            _ => None,
        });
        let bundle = Event::Bundle { peer: bob, ticket: ticket.unwrap(), card, prekey: None };
        let outputs = office.hand_in(ALICE, vec![Input::Net(bundle)]);
        assert_ne!(office.sessions(ALICE, BOB).sending().unwrap().id(), before);
        assert_eq!(waits(&office), [vec![], says]);
        let sent: Vec<_> = outputs
            .into_iter()
            .filter_map(|output| if let Output::Net(Order::Send { bytes, .. }) = output { Some(bytes) } else { None })
            .collect();
        assert_eq!(sent.len(), 2);
        office.inject(ALICE, BOB, sent[0].to_vec());
        assert_eq!(office.texts(BOB, ALICE), ["hello", "hello", "swallowed"]);
    }
}

/// SES-69: without a connection the session begins without a one-time prekey, and what lies there goes again when something of his opens.
#[test]
fn while_he_is_away_what_lies_there_waits_until_something_of_his_opens() {
    let mut office = swallowed();
    let (alice, bob) = (office.id(ALICE), office.id(BOB));
    let asked = Event::BundleRequested { from: alice, request: 1, want_prekey: true };
    let answer = office.hand_in(BOB, vec![Input::Net(asked)]).into_iter().find_map(|output| match output {
        Output::Net(Order::AnswerBundle { card, prekey, .. }) => Some((card, prekey)),
        _ => None,
    });
    let (card, prekey) = answer.unwrap();
    office.hand_in(ALICE, vec![Input::Net(Event::Disconnected(bob))]);
    office.tx(ALICE, |tx| {
        due(tx, bob);
        let bundle = tx.checked_bundle(bob, &card, prekey.as_deref()).unwrap().unwrap();
        assert!(bundle.one_time.is_some());
        tx.begin_with(bob, &bundle).unwrap();
    });
    assert_eq!(waits(&office), [vec![], vec![Item::Reset, Item::Accepted]]);
    let said = office.swallow(ALICE, BOB);
    assert!(lies_there(&office) && said.len() == 1, "he may just be away");
    let prekeys = |office: &Office| office.rows(BOB).count::<OneTimeTable>(&Scan::all()).unwrap();
    let before = prekeys(&office);
    office.inject(ALICE, BOB, said[0].clone());
    assert_eq!(office.sessions(BOB, ALICE).sending().map(|session| session.is_ours()), Some(false), "it has opened");
    assert_eq!(prekeys(&office), before);
    let word = office.first_contact(BOB, ALICE, 1, "a word");
    office.inject(BOB, ALICE, word);
    assert!(!lies_there(&office));
}

/// SES-70: once an hour, over restarts too, all goes again in the session that came with a *reset*, and behind it *accepted* and the profile; nothing is healed then.
#[test]
fn a_reset_is_obeyed_once_an_hour() {
    let mut office = swallowed();
    let bob = office.id(BOB);
    office.tx(ALICE, |tx| due(tx, bob));
    let reset = |office: &mut Office, number| {
        let bytes = office.first_contact_of(BOB, ALICE, number, vec![Item::Reset]);
        office.inject(BOB, ALICE, bytes);
    };
    reset(&mut office, 1);
    assert!(!office.sessions(ALICE, BOB).sending().unwrap().is_ours());
    office.tx(ALICE, |tx| assert!(!tx.peer(&bob).unwrap().unwrap().heal_due));
    assert!(!lies_there(&office));
    let said = waits(&office);
    let place = |is: fn(&Item) -> bool| said.concat().iter().position(is).unwrap();
    assert!(said[0].is_empty());
    assert!(place(|item| *item == Item::Accepted) < place(|item| matches!(item, Item::Profile(_))));
    assert!(office.swallow(ALICE, BOB).len() >= 2);
    for (number, minutes, goes) in [(2, 59, false), (3, 2, true)] {
        office.forward(Millis::from_secs(60 * minutes));
        // The hour is kept also when the program was closed meanwhile.
        office.close(ALICE);
        office.open(ALICE);
        reset(&mut office, number);
        // The message itself goes again by SES-72, whatever it is that opens.
        assert_eq!(waits(&office).len() > 1, goes, "{number}");
    }
}

/// What waits with Bob: which of them his node has, as it says.
fn with_bob(office: &Office) -> Vec<bool> {
    office.waiting(ALICE, BOB).iter().map(|way| way.sent).collect()
}

/// SES-72: what was taken and not reported goes again when something that was said later is, whatever became of it; not before it is a minute
/// old, and seldom while he goes on to say nothing of it, over restarts too.
#[test]
fn what_is_passed_over_goes_again() {
    let mut office = swallowed();
    office.online = true;
    office.say(ALICE, BOB, "later");
    office.pass(Millis::from_secs(30));
    assert_eq!(with_bob(&office), [true], "the later one is reported, and the other is young");
    office.pass(Millis::from_secs(29));
    assert_eq!(with_bob(&office), [true]);
    office.pass(Millis::from_secs(30));
    assert_eq!(with_bob(&office), [false; 0], "it has arrived");
    assert_eq!(office.texts(BOB, ALICE), office.texts(ALICE, BOB));

    // He takes it each time, and goes on to say nothing of it.
    for restarts in [false, true] {
        let mut office = swallowed();
        let bob = office.id(BOB);
        let mut goes = Vec::new();
        for minute in 1..=24 * 60 {
            office.forward(Millis::from_secs(60));
            if restarts && minute % 50 == 0 {
                office.close(ALICE);
                office.open(ALICE);
            }
            office.tx(ALICE, |tx| {
                tx.link(bob).passed.upto = u64::MAX;
                let row = tx.peer(&bob).unwrap().unwrap();
                tx.look_at_passed_over(&row);
                tx.send_passed_over(bob).unwrap();
            });
            if !lies_there(&office) {
                goes.push(minute);
                office.swallow(ALICE, BOB);
            }
        }
        assert_eq!(goes, [1, 61, 181, 421, 901], "{restarts}");
    }
}

/// Bob says something, and nothing of what he has of hers.
fn a_word(office: &mut Office, number: u64) {
    let word = office.first_contact(BOB, ALICE, number, "a word");
    office.inject(BOB, ALICE, word);
}

/// SES-72: whoever writes again and again, and says nothing of what he has, does not have it; after a restart once is enough, however briefly
/// the program runs.
#[test]
fn what_he_says_nothing_of_while_he_writes_goes_again() {
    let mut office = swallowed();
    a_word(&mut office, 1);
    assert!(lies_there(&office), "his word may be older than hers");
    office.forward(Millis::from_secs(59));
    a_word(&mut office, 2);
    assert!(lies_there(&office));
    office.forward(Millis::from_secs(2));
    a_word(&mut office, 3);
    assert!(!lies_there(&office));

    let mut office = swallowed();
    office.forward(Millis::from_secs(90));
    office.close(ALICE);
    office.open(ALICE);
    assert!(lies_there(&office), "he has said nothing");
    a_word(&mut office, 1);
    assert!(!lies_there(&office));
}
