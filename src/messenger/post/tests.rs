//! Alice leaves what Bob is to have at North, who keeps his mail; the two do not reach each other.

mod hostile;

use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::base::SessionId;
use crate::base::words::{MailService, Policy, State};
use crate::content::Item;
use crate::envelope::mailbox::Answer as MailAnswer;
use crate::identity::{CardContent, CardKeys, IdentityKeypair};
use crate::messenger::command::{Command, Hints, SendCommand};
use crate::messenger::io::{Event, Input, Order, Output};
use crate::messenger::mailing::{OwnCard, Work};
use crate::messenger::outgoing::Answered;
use crate::messenger::query;
use crate::messenger::tables::{Boxes, Outbox, StrangerRow, peer_key};
use crate::messenger::testing::Office;
use crate::store::{Rows, Scan};

const MINUTE: Millis = Millis::from_secs(60);
const ALICE: usize = 0;
const BOB: usize = 1;
const NORTH: usize = 2;

fn office() -> Office {
    let mut office = Office::new(3);
    office.command(NORTH, Command::SetMailService(MailService::Open)).unwrap();
    let peer = office.id(NORTH);
    office.command(BOB, Command::UseMailbox { peer, addrs: Vec::new() }).unwrap();
    office.pass(MINUTE);
    office.online = false;
    office
}

/// The same, and each knows the other.
fn friends() -> Office {
    let mut office = office();
    office.online = true;
    office.befriend(ALICE, BOB);
    office.online = false;
    // Connections end.
    office.open(ALICE);
    office.open(BOB);
    office
}

/// Who was asked by Alice, and what, since so many questions.
fn asked(office: &Office, since: usize) -> Vec<(PeerId, bool, Vec<u8>)> {
    let by_alice = office.questions[since..].iter().filter(|(who, ..)| *who == ALICE);
    by_alice.map(|(_, to, anonymous, question)| (*to, *anonymous, question.clone())).collect()
}

fn state(office: &Office, id: &crate::base::MessageId) -> State {
    query::message(&office.rows(ALICE), office.id(ALICE), id, office.now.wall).unwrap().unwrap().state
}

/// MBX-60: neither who she is nor where, to the mailbox or to a stranger behind it.
#[test]
fn a_depositor_tells_neither_name_nor_place() {
    let mut office = office();
    let here = Event::Listening(vec!["/ip4/203.0.113.7/tcp/4001".into()]);
    office.hand_in(ALICE, vec![Input::Net(here)]);
    let id = office.say(ALICE, BOB, "may I?");
    office.pass(MINUTE);
    assert_eq!(state(&office, &id), State::Sent);
    let asked = asked(&office, 0);
    assert!(asked.len() >= 2 && asked.iter().all(|(_, anonymous, _)| *anonymous));
    let me = office.id(ALICE);
    let names_me = |bytes: &[u8]| bytes.windows(32).any(|window| window == me.key_bytes());
    assert!(asked.iter().all(|(.., question)| !names_me(question)));
    assert_eq!(office.desks.len(), 3);
    office.tx(BOB, |tx| {
        let request = tx.request(&me).unwrap().unwrap();
        assert_eq!((request.addrs, request.messages.len()), (Vec::<String>::new(), 1));
    });
}

/// MBX-60: what was encrypted for a stream, and did not get there, is encrypted anew for a mailbox.
#[test]
fn what_was_made_for_a_stream_is_made_anew() {
    let mut office = office();
    let here = Event::Listening(vec!["/ip4/203.0.113.7/tcp/4001".into()]);
    office.hand_in(ALICE, vec![Input::Net(here)]);
    (office.online, office.loses_letters) = (true, true);
    let id = office.say(ALICE, BOB, "lost on its way");
    (office.online, office.loses_letters) = (false, false);
    office.open(ALICE);
    office.pass(MINUTE);
    assert_eq!(state(&office, &id), State::Sent);
    let me = office.id(ALICE);
    office.tx(BOB, |tx| assert_eq!(tx.request(&me).unwrap().unwrap().addrs, Vec::<String>::new()));
}

/// MBX-38: a mailbox that hands out another's card, an old one or none is believed in nothing.
#[test]
fn a_wrong_card_of_a_mailbox_is_not_used() {
    let mut office = office();
    let (alice, bob, north) = (office.id(ALICE), office.id(BOB), office.id(NORTH));
    let mut newest = Vec::new();
    office.tx(BOB, |tx| newest = tx.profile().unwrap().card);
    office.tx(ALICE, |tx| assert!(tx.checked_bundle(bob, &newest, None).unwrap().is_some()));
    let mut rng = rand_chacha::ChaCha20Rng::from_seed([1; 32]);
    let (other, keys) = (IdentityKeypair::generate(&mut rng), CardKeys::generate(&mut rng));
    let forged = CardContent::new(&keys, u64::MAX, office.now.wall, [1; 16]).sign(&other);
    let mut old = Vec::new();
    office.tx(BOB, |tx| old = CardContent::new(&keys, 1, tx.now.wall, [1; 16]).sign(tx.me));
    office.mail = false;
    office.table.clear();
    for card in [forged, old, vec![7; 100]] {
        let hints = Hints { mailboxes: vec![Mailbox { peer: north, addrs: Vec::new() }], ..Hints::default() };
        let command = SendCommand { hints, ..office.text(BOB, "hello") };
        office.hand_in(ALICE, vec![Input::Command(1, Command::Send(command))]);
        office.forward(Millis::from_secs(4));
        let outputs = office.hand_in(ALICE, vec![Input::Timer]);
        let ticket = outputs.iter().find_map(|output| match output {
            Output::Net(Order::AskMailbox { ticket, question, .. }) if question[1] == 17 => Some(*ticket),
            _ => None,
        });
        let answer = MailAnswer::Card { card, prekey: None }.encode().unwrap();
        let answer = Event::MailAnswered { mailbox: north, ticket: ticket.unwrap(), answer };
        let outputs = office.hand_in(ALICE, vec![Input::Net(answer)]);
        assert!(
            outputs.iter().any(|output| matches!(output, Output::Net(Order::FindCard { .. }))),
            "it looks elsewhere"
        );
        office.tx(ALICE, |tx| {
            assert!(!tx.sessions(&bob).unwrap().can_send());
            assert_eq!(tx.pinned(&bob).unwrap().unwrap().bytes(), newest);
        });
        office.open(ALICE);
    }
    assert_ne!(alice, bob);
}

/// MBX-61: a deposit without an answer is made again with the same bytes.
#[test]
fn a_lost_answer_costs_no_second_envelope() {
    let mut office = friends();
    office.pass(MINUTE);
    let since = office.questions.len();
    office.mail = false;
    office.say(ALICE, BOB, "hello?");
    office.pass(MINUTE);
    let deposits: Vec<_> = asked(&office, since).into_iter().filter(|(.., question)| question[1] == 16).collect();
    assert!(deposits.len() > 1);
    assert!(deposits.iter().all(|deposit| *deposit == deposits[0]));
    // Not as often as it could be.
    assert!(deposits.len() < 8, "{}", deposits.len());
    office.mail = true;
    office.pass(Millis::from_secs(600));
    assert_eq!(office.texts(BOB, ALICE).last().unwrap(), "hello?");
}

/// MBX-62: work is done where it is asked for, and no more of it than may be.
#[test]
fn work_is_done_and_bounded() {
    let mut office = office();
    let bob = office.id(BOB);
    office.tx(NORTH, |tx| {
        let mut row = tx.buf.get::<Boxes>(&peer_key(&bob)).unwrap().unwrap();
        row.work = 8;
        tx.buf.put_under::<Boxes>(&peer_key(&bob), row.key, &row).unwrap();
    });
    let id = office.say(ALICE, BOB, "for some work");
    office.pass(MINUTE);
    assert_eq!(state(&office, &id), State::Sent);
    let last = asked(&office, 0).pop().unwrap().2;
    let Ok(Question::Deposit(deposit)) = Question::decode(&last) else { panic!("no deposit") };
    assert!(matches!(deposit.proof, Proof::Work { .. }));
    // What cannot be had is not tried for ever.
    office.tx(ALICE, |tx| {
        let sealed: Arc<[u8]> = Arc::from(vec![1; 400]);
        let number = tx.queue_items(bob, vec![Item::Reset]).map(|()| tx.mem.out.next_number(&bob) - 1).unwrap();
        let asked = Happening::Asked { mailbox: bob, sealed: Arc::clone(&sealed), ticket: u64::MAX };
        tx.happen(bob, number, asked).unwrap();
        tx.happen(bob, number, Happening::Answered(u64::MAX, Answered::Work)).unwrap();
        let hash = crate::crypto::hash::sha256(&[&sealed]);
        tx.mem.asks.works.push_back(Work { peer: bob, number, mailbox: bob, hash, level: 255, day: 1, next: 0 });
        let hour = tx.now.mono.0 / 3_600_000;
        tx.mem.asks.worked = (hour, limits::WORK_PER_HOUR - 2 * limits::WORK_SLICE);
        for _ in 0..5 {
            tx.do_work().unwrap();
        }
        assert_eq!(tx.mem.asks.worked.1, limits::WORK_PER_HOUR);
        assert_eq!(tx.mem.asks.works[0].next, 2 * limits::WORK_SLICE);
        assert_eq!(tx.next_work(), Some(MonoTime((hour + 1) * 3_600_000)));
        tx.mem.asks.works.clear();
        tx.happen(bob, number, Happening::Settled).unwrap();
    });
}

/// MBX-62: *full* is believed for a while, another mailbox tried at once.
#[test]
fn a_full_mailbox_is_left_alone() {
    let mut office = friends();
    office.pass(MINUTE);
    let since = office.questions.len();
    let bob = office.id(BOB);
    office.tx(NORTH, |tx| {
        let mut row = tx.buf.get::<Boxes>(&peer_key(&bob)).unwrap().unwrap();
        row.count = limits::BOX_ENVELOPES;
        tx.buf.put_under::<Boxes>(&peer_key(&bob), row.key, &row).unwrap();
    });
    let id = office.say(ALICE, BOB, "no room");
    office.pass(Millis::from_secs(1_800));
    assert_eq!(state(&office, &id), State::Queued);
    let deposits = |office: &Office| asked(office, since).iter().filter(|(.., question)| question[1] == 16).count();
    // Once more with the card that he has made since his restart, which she looked for.
    assert_eq!(deposits(&office), 2, "half an hour of an hour");
    office.pass(Millis::from_secs(5_400));
    assert!((3..5).contains(&deposits(&office)), "{}", deposits(&office));
}

/// As many deposits are begun as there is room for, though an envelope is to have two.
#[test]
fn no_more_deposits_are_begun_than_the_window_takes() {
    let (mut office, south) = (Office::new(4), 3);
    for house in [NORTH, south] {
        office.command(house, Command::SetMailService(MailService::Open)).unwrap();
        let peer = office.id(house);
        office.command(BOB, Command::UseMailbox { peer, addrs: Vec::new() }).unwrap();
    }
    office.pass(MINUTE);
    office.befriend(ALICE, BOB);
    office.online = false;
    office.open(ALICE);
    office.open(BOB);
    let (bob, north) = (office.id(BOB), office.id(NORTH));
    let texts = (0..9).map(|n| Input::Command(n, Command::Send(office.text(BOB, "waits")))).collect();
    office.hand_in(ALICE, texts);
    // One has it already, so that the room that is left is odd.
    office.tx(ALICE, |tx| {
        let number = *tx.mem.out.of(&bob).letters.keys().next().unwrap();
        tx.happen(bob, number, Happening::Asked { mailbox: north, sealed: Arc::from([1]), ticket: u64::MAX }).unwrap();
        tx.happen(bob, number, Happening::Answered(u64::MAX, Answered::Stored(2))).unwrap();
    });
    office.hand_in(ALICE, vec![Input::Net(Event::Unreachable(bob))]);
    office.forward(MINUTE);
    let is_deposit =
        |output: &Output| matches!(output, Output::Net(Order::AskMailbox { question, .. }) if question[1] == 16);
    let asked = office.hand_in(ALICE, vec![Input::Timer]).iter().filter(|output| is_deposit(output)).count();
    assert_eq!(asked, limits::MAX_DEPOSITS_PER_PEER);
}

/// ID-24: what is no sound key is not asked, nor are we ourselves.
#[test]
fn an_unsound_mailbox_is_not_asked() {
    let mut office = office();
    let place = |peer| Mailbox { peer, addrs: Vec::new() };
    let unsound = PeerId::from_key_bytes([2; 32]);
    let mailboxes = vec![place(unsound), place(office.id(ALICE)), place(office.id(NORTH))];
    let hints = Hints { mailboxes, ..Hints::default() };
    let command = SendCommand { hints, ..office.text(BOB, "hello") };
    office.send(ALICE, command).unwrap();
    office.pass(MINUTE);
    let north = office.id(NORTH);
    let asked = asked(&office, 0);
    assert!(!asked.is_empty() && asked.iter().all(|(to, ..)| *to == north));
    let refused = office.command(ALICE, Command::UseMailbox { peer: unsound, addrs: Vec::new() });
    assert_eq!(refused.unwrap_err(), crate::messenger::Refusal::UnsoundPeer);
}

/// A day of receipts is a few envelopes.
#[test]
fn receipts_share_an_envelope() {
    let mut office = friends();
    let peer = office.id(NORTH);
    office.online = true;
    office.command(ALICE, Command::UseMailbox { peer, addrs: Vec::new() }).unwrap();
    office.pass(MINUTE);
    office.say(ALICE, BOB, "here is my card");
    office.pass(MINUTE);
    office.online = false;
    office.open(ALICE);
    office.open(BOB);
    let since = office.questions.len();
    for n in 0..30 {
        office.receive(BOB, ALICE, &format!("m{n}"), None, 1);
        let alice = office.id(ALICE);
        office.command(BOB, Command::Read { peer: alice, upto: None }).unwrap();
        office.pass(Millis(300));
    }
    office.pass(MINUTE);
    let deposits = office.questions[since..].iter().filter(|(who, .., question)| *who == BOB && question[1] == 16);
    let count = deposits.count();
    assert!((1..5).contains(&count), "{count} deposits");
    let rows = office.rows(BOB);
    assert_eq!(rows.scan::<Outbox>(&Scan::all()).unwrap().len(), 0, "and they are done with");
}

/// The card asks strangers for work while many of them come.
#[test]
fn the_card_asks_for_work_while_strangers_pile_up() {
    let mut office = office();
    let work = |office: &mut Office, count: u8| {
        office.tx(BOB, |tx| {
            let (session, since) = (SessionId::new([7; 16]), tx.now.wall);
            let one = |n| StrangerRow { peer: PeerId::from_key_bytes([n; 32]), session, since, is_new: true };
            *tx.mem.strangers = (0..count).map(|n| (u64::from(n), one(n))).collect();
            tx.mem.mail.crowd_changed = true;
        });
        office.hand_in(BOB, vec![Input::Timer]);
        // Until his timer rings again.
        office.pass(Millis::from_secs(600));
        let mut card = 0;
        office.tx(BOB, |tx| card = OwnCard::read(&tx.profile().unwrap().card).unwrap().work);
        card
    };
    let levels = [(0, 0), (149, 0), (150, 16), (180, 20), (150, 20), (100, 20), (99, 0), (199, 20)];
    for (count, level) in levels {
        assert_eq!(work(&mut office, count), level, "{count} strangers");
    }
    let asked = |office: &Office| OwnCard::read(&office.card_of(BOB)).unwrap().work;
    assert_eq!(asked(&office), 20);
    office.pass(Millis::from_hours(26));
    assert_eq!(asked(&office), 0, "a day later they are new no more");
}

/// SES-71, CON-11: an old copy is put back of somebody who never meets the other; what it says stands in its order behind what
/// was there, though it comes when the session is healed, in whatever order the mailbox has it.
#[test]
fn what_an_old_copy_says_stands_in_its_order() {
    let mut office = friends();
    let peer = office.id(NORTH);
    office.command(ALICE, Command::UseMailbox { peer, addrs: Vec::new() }).unwrap();
    office.pass(MINUTE);
    let copy = office.twin(ALICE);
    office.close(copy);
    let old: Vec<String> = (0..3).map(|i| format!("lost {i}")).collect();
    for text in &old {
        office.say(ALICE, BOB, text);
    }
    office.pass(Millis::from_hours(2));
    office.close(ALICE);
    office.open(copy);
    let before = office.texts(BOB, ALICE);
    assert_eq!(before[before.len() - 3..], old);
    office.mail_overtakes = true;
    let mut said: Vec<String> = (0..5).map(|i| format!("new {i}")).collect();
    for text in &said {
        office.say(copy, BOB, text);
    }
    office.pass(Millis::from_days(2));
    // Of the old session there are keys that were not used: with them the last of these opens already.
    assert!(office.texts(BOB, ALICE).len() < before.len() + said.len());
    said.push("later".into());
    office.say(copy, BOB, "later");
    office.pass(Millis::from_days(8));
    assert_eq!(office.texts(BOB, ALICE), [before, said].concat());
    assert_eq!(office.undelivered(copy), 0);
}

/// What Bob holds of Alice's.
fn held(office: &Office) -> Vec<String> {
    let request = query::request(&office.rows(BOB), &office.id(ALICE), office.now.wall).unwrap();
    request.map(|(_, texts)| texts).unwrap_or_default()
}

/// REQ-13, ID-26: what was written while nobody could ask is asked when one can, before what is written then.
#[test]
fn what_a_policy_dropped_is_asked_when_it_lets_ask() {
    for (online, writes) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut office = office();
        office.command(BOB, Command::SetPolicy(Policy::Nobody)).unwrap();
        office.pass(Millis::from_hours(1));
        office.online = online;
        let early: Vec<String> = (0..3).map(|i| format!("early {i}")).collect();
        for text in &early {
            office.say(ALICE, BOB, text);
        }
        office.pass(Millis::from_hours(3));
        let states: Vec<_> = office.history(ALICE, BOB).into_iter().map(|message| message.state).collect();
        assert_eq!(states, [State::Sent; 3], "{online}");
        assert!(held(&office).is_empty());
        office.command(BOB, Command::SetPolicy(Policy::Requests)).unwrap();
        office.pass(MINUTE);
        if writes {
            office.say(ALICE, BOB, "late");
            office.pass(Millis::from_secs(10));
        }
        office.pass(if writes && online { MINUTE } else { Millis::from_hours(3) });
        assert_eq!(held(&office), early, "online: {online}, writes: {writes}");
        // The fourth waits until he accepts, and she hears of it.
        office.online = true;
        let peer = office.id(ALICE);
        office.command(BOB, Command::AcceptRequest(peer)).unwrap();
        office.pass(Millis::from_hours(3));
        let late = writes.then(|| "late".to_owned());
        assert_eq!(office.texts(BOB, ALICE), early.into_iter().chain(late).collect::<Vec<_>>(), "{online}");
    }
}

/// How Alice comes to be let in.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    /// She adds the new link.
    Adds,
    /// She writes with it.
    Writes,
    /// She adds it before the first is acknowledged.
    AddsEarly,
    /// He lets everybody ask.
    Policy,
}

/// REQ-13: who wrote with the token of an old link, and was dropped, asks when she has the new one, or needs none.
#[test]
fn what_an_old_token_dropped_is_asked_when_another_lets_ask() {
    let away = [Way::Adds, Way::Writes, Way::Policy].map(|way| (way, false));
    for (way, online) in [(Way::Adds, true), (Way::AddsEarly, true), (Way::Policy, true)].into_iter().chain(away) {
        let mut office = office();
        let (alice, bob) = (office.id(ALICE), office.id(BOB));
        let link = |office: &mut Office| {
            let mut token = None;
            office.tx(BOB, |tx| token = Some(tx.profile().unwrap().token));
            Hints { token, ..Hints::default() }
        };
        office.command(BOB, Command::SetPolicy(Policy::Contacts)).unwrap();
        let old = link(&mut office);
        office.command(BOB, Command::RotateToken).unwrap();
        let new = link(&mut office);
        office.pass(Millis::from_hours(1));
        office.online = online;
        office.loses_letters = way == Way::AddsEarly;
        let early: Vec<String> = (0..3).map(|i| format!("early {i}")).collect();
        let write = |office: &mut Office, text: &str, hints: &Hints| {
            let command = SendCommand { hints: hints.clone(), ..office.text(BOB, text) };
            office.send(ALICE, command).unwrap();
        };
        for text in &early {
            write(&mut office, text, &old);
        }
        if way != Way::AddsEarly {
            office.pass(Millis::from_hours(3));
            let states: Vec<_> = office.history(ALICE, BOB).into_iter().map(|message| message.state).collect();
            assert_eq!(states, [State::Sent; 3], "{way:?}, online: {online}");
        }
        office.loses_letters = false;
        assert!(held(&office).is_empty());
        match way {
            Way::Adds | Way::AddsEarly => {
                office.command(ALICE, Command::AddContact { peer: bob, name: None, hints: new }).unwrap();
            }
            Way::Writes => write(&mut office, "late", &new),
            Way::Policy => drop(office.command(BOB, Command::SetPolicy(Policy::Requests)).unwrap()),
        }
        office.pass(if way == Way::Policy { Millis::from_hours(3) } else { MINUTE });
        assert_eq!(held(&office), early, "{way:?}, online: {online}");
        office.online = true;
        office.command(BOB, Command::AcceptRequest(alice)).unwrap();
        office.pass(Millis::from_hours(3));
        let late = (way == Way::Writes).then(|| "late".to_owned());
        assert_eq!(office.texts(BOB, ALICE), early.into_iter().chain(late).collect::<Vec<_>>(), "{way:?}");
    }
}

/// ID-26: whose card shuts one out is asked for another once an hour at most.
#[test]
fn a_card_that_shuts_out_is_looked_for_in_pauses() {
    let mut office = office();
    office.command(BOB, Command::SetPolicy(Policy::Nobody)).unwrap();
    office.pass(Millis::from_hours(1));
    office.say(ALICE, BOB, "early");
    office.pass(Millis::from_hours(1));
    let since = office.questions.len();
    office.pass(Millis::from_hours(24));
    let looks = asked(&office, since).into_iter().filter(|(.., question)| question[1] == 17).count();
    assert!((12..=25).contains(&looks), "{looks}");
}
