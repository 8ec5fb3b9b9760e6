//! The last desk keeps mail for everybody; the one before it does, too.

use std::collections::BTreeSet;

use super::*;
use crate::base::Millis;
use crate::base::words::{MailService, Policy, State};
use crate::envelope::mailbox::{Delete, PageItem, Question};
use crate::envelope::seal::seal;
use crate::envelope::{EnvelopeKind, encode};
use crate::identity::{CardIn, OneTimePrekeyIn, PrekeyId};
use crate::messenger::command::Command;
use crate::messenger::io::{Event, Input, Order, Output};
use crate::messenger::query;
use crate::messenger::tables::{BoxCards, BoxPrekeys, BoxedPrekeys, Boxes, EnvelopeMarks, OneTimeTable, of_box};
use crate::messenger::testing::Office;

mod left;
mod waits;

const MINUTE: Millis = Millis::from_secs(60);
const ALICE: usize = 0;
const BOB: usize = 1;
const NORTH: usize = 2;
const SOUTH: usize = 3;

/// Alice, Bob and two who keep mail.
fn office() -> Office {
    let mut office = Office::new(4);
    for house in [NORTH, SOUTH] {
        office.command(house, Command::SetMailService(MailService::Open)).unwrap();
    }
    office
}

fn uses(office: &mut Office, who: usize, house: usize) {
    let peer = office.id(house);
    office.command(who, Command::UseMailbox { peer, addrs: vec!["/dns/box.example/tcp/1".into()] }).unwrap();
    office.pass(MINUTE);
}

/// Which mailboxes the own card names.
fn named(office: &mut Office, who: usize) -> Vec<PeerId> {
    let mut card = Vec::new();
    office.tx(who, |tx| card = tx.profile().unwrap().card);
    let owner = IdentityKey::from_peer_id(office.id(who)).unwrap();
    let card = CardIn::decode(&card).unwrap().verify(&owner, crate::base::WallTime(0)).unwrap();
    card.mailboxes.iter().map(|mailbox| mailbox.peer).collect()
}

/// The prekeys that were offered to a mailbox.
fn offered(office: &Office, who: usize, house: usize) -> Vec<PrekeyId> {
    let (owner, house) = (IdentityKey::from_peer_id(office.id(who)).unwrap(), office.id(house));
    let asked = office.questions.iter().filter(|(from, to, ..)| *from == who && *to == house);
    let mut ids = Vec::new();
    for (.., question) in asked {
        let Ok(Question::Register { offer, .. } | Question::Renew { offer, .. }) = Question::decode(question) else {
            continue;
        };
        let read = |bytes: &&[u8]| OneTimePrekeyIn::decode(bytes).unwrap().verify(&owner, office.now.wall).unwrap().id;
        ids.extend(offer.prekeys.iter().map(read));
    }
    ids
}

/// MBX-18: no prekey is in two hands.
#[test]
fn prekeys_of_two_mailboxes_and_our_own_are_disjoint() {
    let mut office = office();
    uses(&mut office, ALICE, NORTH);
    uses(&mut office, ALICE, SOUTH);
    let (north, south) = (offered(&office, ALICE, NORTH), offered(&office, ALICE, SOUTH));
    assert_eq!((north.len(), south.len()), (100, 100));
    let all: BTreeSet<_> = north.iter().chain(&south).collect();
    assert_eq!(all.len(), 200);
    // Those that we hand out ourselves, before and after a restart.
    for round in 0..2 {
        office.open(ALICE);
        for request in 0..60 {
            let asked =
                Event::BundleRequested { from: office.id(BOB), request: round * 100 + request, want_prekey: true };
            let outputs = office.hand_in(ALICE, vec![Input::Net(asked)]);
            let given = outputs.iter().find_map(|output| match output {
                Output::Net(Order::AnswerBundle { prekey, .. }) => Some(prekey.clone().unwrap()),
                _ => None,
            });
            let owner = IdentityKey::from_peer_id(office.id(ALICE)).unwrap();
            let id = OneTimePrekeyIn::decode(&given.unwrap()).unwrap().verify(&owner, office.now.wall).unwrap().id;
            assert!(!all.contains(&id));
        }
    }
}

/// MBX-50
#[test]
fn the_card_names_a_mailbox_when_it_keeps_a_box_and_not_before() {
    let mut office = office();
    let north = office.id(NORTH);
    office.mail = false;
    uses(&mut office, ALICE, NORTH);
    // The card is made anew for another reason.
    office.command(ALICE, Command::SetPolicy(Policy::Nobody)).unwrap();
    office.command(ALICE, Command::SetPolicy(Policy::Requests)).unwrap();
    assert_eq!(named(&mut office, ALICE), []);
    assert_eq!(query::mailboxes(&office.rows(ALICE), office.now.wall).unwrap()[0].state, BoxState::Unreachable);
    office.mail = true;
    office.pass(Millis::from_secs(600));
    assert_eq!(named(&mut office, ALICE), [north]);
    // The mailbox has the card that names it.
    office.say(BOB, ALICE, "hello");
    office.command(ALICE, Command::DropMailbox(north)).unwrap();
    office.pass(MINUTE);
    assert_eq!(named(&mut office, ALICE), []);
    assert_eq!(query::mailboxes(&office.rows(ALICE), office.now.wall).unwrap(), []);
}

/// Who stops in the moment after is found by it: his card is in the hash table and at the mailbox.
#[test]
fn a_mailbox_that_keeps_a_box_is_named_in_the_same_moment() {
    let mut office = office();
    for house in [NORTH, SOUTH] {
        let (peer, owner) = (office.id(house), office.id(ALICE));
        office.command(ALICE, Command::UseMailbox { peer, addrs: Vec::new() }).unwrap();
        assert!(named(&mut office, ALICE).contains(&peer));
        let mut card = Vec::new();
        office.tx(ALICE, |tx| card = tx.profile().unwrap().card);
        assert_eq!(office.table.get(&owner), Some(&card));
        office.tx(house, |tx| {
            let row = tx.buf.get::<Boxes>(&peer_key(&owner)).unwrap().unwrap();
            assert_eq!(tx.buf.get::<BoxCards>(&of_box(row.number)).unwrap().unwrap().bytes, card);
        });
    }
}

/// A machine that slept has pauses of an hour behind it; those whom it could not reach are tried soon, not in an hour.
#[test]
fn who_could_not_be_reached_is_tried_soon_after_the_network_is_back() {
    let mut office = office();
    office.befriend(ALICE, BOB);
    (office.online, office.mail) = (false, false);
    office.open(BOB);
    office.open(ALICE);
    office.say(ALICE, BOB, "are you there?");
    office.pass(Millis::from_hours(24));
    let north = office.id(NORTH);
    office.hand_in(ALICE, vec![Input::Net(Event::Connected(north))]);
    office.forward(Millis(2 * limits::RETRY_FIRST.0));
    let bob = office.id(BOB);
    let tried = office.hand_in(ALICE, vec![Input::Timer]);
    assert!(tried.iter().any(|output| matches!(output, Output::Net(Order::Connect { peer, .. }) if *peer == bob)));
    // He was not there yet: what failed while there was no network does not make the pause long.
    office.hand_in(ALICE, vec![Input::Net(Event::Unreachable(bob))]);
    office.forward(Millis(2 * limits::RETRY_FIRST.0));
    let tried = office.hand_in(ALICE, vec![Input::Timer]);
    assert!(tried.iter().any(|output| matches!(output, Output::Net(Order::Connect { peer, .. }) if *peer == bob)));
}

/// MBX-51: an answer that is lost costs no prekey.
#[test]
fn an_offer_without_an_answer_is_made_again_as_it_was() {
    let mut office = office();
    office.mail = false;
    let peer = office.id(NORTH);
    office.command(ALICE, Command::UseMailbox { peer, addrs: Vec::new() }).unwrap();
    office.pass(MINUTE);
    office.open(ALICE);
    office.pass(MINUTE);
    let asked: Vec<_> = office.questions.iter().map(|(.., question)| question.clone()).collect();
    assert!(asked.len() > 4);
    assert!(asked.iter().all(|question| *question == asked[0]));
    assert!(office.questions.iter().all(|(.., anonymous, _)| !anonymous));
}

/// MBX-52: whatever it says, a mailbox gets no more prekeys than it may have.
#[test]
fn a_mailbox_that_says_it_has_no_prekeys_gets_no_more() {
    let mut office = office();
    uses(&mut office, ALICE, NORTH);
    for _ in 0..12 {
        // It throws them away, and the box with them.
        let owner = office.id(ALICE);
        office.tx(NORTH, |tx| {
            let row = tx.buf.get::<Boxes>(&peer_key(&owner)).unwrap().unwrap();
            tx.drop_box(&row).unwrap();
        });
        // Nor does it answer who waits: it is visited all the same (MBX-85), and that is when it shows.
        office.pass(Millis(limits::FETCH_PAUSE_WAITING.0 / 2 * 3));
        assert_eq!(named(&mut office, ALICE), [office.id(NORTH)]);
    }
    assert_eq!(offered(&office, ALICE, NORTH).len(), limits::MAX_BOXED_PREKEYS);
    let rows = office.rows(ALICE);
    assert_eq!(rows.scan::<BoxedPrekeys>(&Scan::all()).unwrap().len(), limits::MAX_BOXED_PREKEYS);
    let all = rows.scan::<OneTimeTable>(&Scan::all()).unwrap().len();
    assert!(all <= crate::messenger::keys::MAX_ONE_TIME);
}

/// A contact of Alice's, whose letters wait at North.
fn office_with_mail() -> Office {
    let mut office = office();
    uses(&mut office, ALICE, NORTH);
    office.befriend(BOB, ALICE);
    office.online = false;
    office
}

/// What Alice asked North for last, of a kind.
fn last_question(office: &Office, kind: u8) -> Option<Vec<u8>> {
    let mut asked = office.questions.iter().rev().filter(|(who, ..)| *who == ALICE);
    asked.find(|(.., question)| question[1] == kind).map(|(.., question)| question.clone())
}

/// MBX-19: what the disk does not have the mailbox keeps.
#[test]
fn nothing_is_deleted_there_before_it_is_durable_here() {
    let mut office = office_with_mail();
    office.pass(Millis::from_secs(2));
    office.close(ALICE);
    let id = office.say(BOB, ALICE, "kept");
    office.pass(MINUTE);
    let mail = |office: &Office| query::mailbox(&office.rows(NORTH)).unwrap().bytes;
    assert!(mail(&office) > 0);
    // The page comes, and the disk fails: of what was fetched nothing is known, and nothing is asked.
    office.mail = false;
    office.open(ALICE);
    let page = Question::Fetch { queue: queue_of(&mut office), after: 0 }.encode().unwrap();
    let page = ask(&mut office, page);
    let fetched = under_way(&mut office);
    office.break_store(ALICE);
    let answer = Event::MailAnswered { mailbox: office.id(NORTH), ticket: fetched, answer: page };
    let outputs = office.hand_in(ALICE, vec![Input::Net(answer)]);
    assert!(outputs.iter().all(|output| !matches!(output, Output::Net(Order::AskMailbox { .. }))), "{outputs:?}");
    assert!(mail(&office) > 0);
    office.mail = true;
    office.open(ALICE);
    office.pass(MINUTE);
    assert_eq!(mail(&office), 0);
    assert_eq!(office.texts(ALICE, BOB), ["hello", "hello", "kept"]);
    let deleted = last_question(&office, 4).unwrap();
    assert!(matches!(Question::decode(&deleted), Ok(Question::Delete { what: Delete::These(_), .. })));
    office.pass(MINUTE);
    assert_eq!(
        query::message(&office.rows(BOB), office.id(BOB), &id, office.now.wall).unwrap().unwrap().state,
        State::Sent
    );
}

fn queue_of(office: &mut Office) -> [u8; 16] {
    let mut queue = [0; 16];
    office.tx(ALICE, |tx| queue = tx.profile().unwrap().queue);
    queue
}

/// What North answers to Alice.
fn ask(office: &mut Office, question: Vec<u8>) -> Vec<u8> {
    let from = office.id(ALICE);
    let outputs = office.hand_in(NORTH, vec![Input::Net(Event::Mail { from, origin: None, request: 1, question })]);
    outputs
        .into_iter()
        .find_map(|output| match output {
            Output::Net(Order::AnswerMail { answer, .. }) => Some(answer),
            _ => None,
        })
        .unwrap()
}

/// Has Alice ask for a page, and gives the ticket of the question.
fn under_way(office: &mut Office) -> u64 {
    office.forward(Millis::from_secs(600));
    let outputs = office.hand_in(ALICE, vec![Input::Timer]);
    outputs
        .into_iter()
        .find_map(|output| match output {
            Output::Net(Order::AskMailbox { ticket, question, .. }) if question[1] == 3 => Some(ticket),
            _ => None,
        })
        .unwrap()
}

/// Gives Alice a page with these.
fn deliver(office: &mut Office, sealed: Vec<Vec<u8>>) {
    let items = (1..).zip(sealed).map(|(number, sealed)| PageItem { number, sealed }).collect();
    let answer = MailAnswer::Page { more: false, prekeys: 100, items }.encode().unwrap();
    let ticket = under_way(office);
    let answer = Event::MailAnswered { mailbox: office.id(NORTH), ticket, answer };
    let outputs = office.hand_in(ALICE, vec![Input::Net(answer)]);
    let deletes =
        |output: &Output| matches!(output, Output::Net(Order::AskMailbox { question, .. }) if question[1] == 4);
    assert!(outputs.iter().any(deletes), "garbage is deleted there, too");
    // The answer to that never comes.
    office.open(ALICE);
}

/// ENV-14, ENV-15, MBX-53: anybody can seal anything in anybody's name. It starts no handshake, and leaves no mark behind which
/// the real one could be taken for a copy.
#[test]
fn garbage_in_a_contacts_name_is_dropped_without_a_trace() {
    let mut office = office_with_mail();
    office.mail = false;
    let (bob, me) = (office.id(BOB), office.id(ALICE));
    let real = office.envelopes[&BOB].clone();
    let mut garbage = real.clone();
    garbage[100] ^= 1;
    let marks = |office: &Office| office.rows(ALICE).scan::<EnvelopeMarks>(&Scan::all()).unwrap().len();
    let before = marks(&office);
    let mut letters = Vec::new();
    office.tx(ALICE, |tx| {
        let card = tx.profile().unwrap().card;
        let card = CardIn::decode(&card).unwrap().verify(tx.me.public(), crate::base::WallTime(0)).unwrap();
        let nobody = PeerId::from_key_bytes([2; 32]);
        let first = encode(EnvelopeKind::FirstContact, &[1; 1300]).unwrap();
        let group = encode(EnvelopeKind::Group, &[1; 300]).unwrap();
        let unknown = PrekeyId(card.seal_id.0 ^ 1);
        for (queue, id, from, envelope) in [
            (card.queue, card.seal_id, bob, &garbage),
            (card.queue, card.seal_id, bob, &first),
            (card.queue, card.seal_id, bob, &group),
            (card.queue, card.seal_id, nobody, &real),
            (card.queue, card.seal_id, me, &real),
            (card.queue, unknown, bob, &real),
            ([9; 16], card.seal_id, bob, &real),
        ] {
            letters.push(seal(&queue, id, &card.seal, from, envelope, &mut *tx.rng).unwrap());
        }
        let mut torn = letters[0].clone();
        torn[300] ^= 1;
        letters.push(torn);
        let mut noise = vec![1; 400];
        tx.rng.fill_bytes(&mut noise[1..]);
        letters.push(noise);
    });
    deliver(&mut office, letters);
    assert_eq!(marks(&office), before);
    assert_eq!(office.texts(ALICE, BOB), ["hello", "hello"]);
    office.tx(ALICE, |tx| assert!(!tx.peer(&bob).unwrap().unwrap().heal_due));
    assert_eq!(query::requests(&office.rows(ALICE), office.now.wall).unwrap(), []);
}

/// MBX-54: who is blocked, or no contact any more, has no token; and there is a new key before the tags do not fit.
#[test]
fn tokens_are_made_void() {
    let mut office = office_with_mail();
    let bob = office.id(BOB);
    let alice = office.id(ALICE);
    let token = |office: &mut Office| {
        let mut found = None;
        office.tx(BOB, |tx| found = tx.reach(&alice).unwrap().token);
        found
    };
    office.online = true;
    office.say(ALICE, BOB, "with a token");
    let old = token(&mut office).unwrap();
    office.command(ALICE, Command::Block(bob)).unwrap();
    office.pass(MINUTE);
    let renewed = last_question(&office, 2).unwrap();
    let Ok(Question::Renew { revoked, .. }) = Question::decode(&renewed) else { panic!("no renewal") };
    assert_eq!(revoked.len(), 1);
    let mut key = None;
    office.tx(ALICE, |tx| key = tx.queue_row().unwrap());
    assert_eq!(old.verify(&key.clone().unwrap().key), Some(revoked[0]));
    office.command(ALICE, Command::Unblock(bob)).unwrap();
    office.say(ALICE, BOB, "with another");
    let new = token(&mut office).unwrap();
    assert_ne!(new, old);
    // Many come and go.
    office.tx(ALICE, |tx| {
        let mut peer = tx.peer(&bob).unwrap().unwrap();
        for _ in 0..limits::MAX_REVOKED_TAGS {
            let profile = tx.profile().unwrap();
            tx.profile_items(&bob, &profile).unwrap();
            tx.void_token(&mut peer).unwrap();
        }
        let renewed = tx.queue_row().unwrap().unwrap();
        assert_ne!(renewed.id, key.unwrap().id);
        assert!(renewed.voids < limits::MAX_REVOKED_TAGS);
    });
}

/// MBX-5, MBX-50: an operator who does not serve us any more is not named, and what is there is fetched until it is over.
#[test]
fn what_is_in_a_box_that_is_refused_is_fetched() {
    let mut office = office_with_mail();
    office.mail = false;
    office.say(BOB, ALICE, "waits");
    office.pass(MINUTE);
    // Only Alice's questions are lost.
    office.mail = true;
    office.close(ALICE);
    office.pass(Millis::from_secs(600));
    office.command(NORTH, Command::SetMailService(MailService::Off)).unwrap();
    assert!(query::mailbox(&office.rows(NORTH)).unwrap().bytes > 0);
    office.open(ALICE);
    office.command(ALICE, Command::RotateToken).unwrap();
    office.pass(MINUTE);
    assert_eq!(query::mailboxes(&office.rows(ALICE), office.now.wall).unwrap()[0].state, BoxState::Refused);
    assert_eq!(named(&mut office, ALICE), []);
    assert_eq!(office.texts(ALICE, BOB).last().unwrap(), "waits");
    office.say(BOB, ALICE, "more");
    office.pass(Millis::from_secs(600));
    let asked = office.questions.len();
    office.pass(Millis::from_secs(600));
    assert!(office.questions.len() - asked < 40, "it is not asked all the time");
    // Served again, it is used again.
    office.command(NORTH, Command::SetMailService(MailService::Open)).unwrap();
    office.pass(Millis::from_hours(8));
    assert_eq!(named(&mut office, ALICE), [office.id(NORTH)]);
}

/// Mailboxes that are left and do not answer stand in nobody's way, and are not many.
#[test]
fn a_dead_mailbox_can_be_left_for_others() {
    let mut office = office();
    office.mail = false;
    for n in 1..=9 {
        let peer = crate::identity::IdentityKeypair::from_seed(&crate::base::Secret::new([n; 32])).peer_id();
        office.command(ALICE, Command::UseMailbox { peer, addrs: Vec::new() }).unwrap();
        office.command(ALICE, Command::DropMailbox(peer)).unwrap();
        assert!(query::mailboxes(&office.rows(ALICE), office.now.wall).unwrap().len() <= limits::MAX_MAILBOXES);
    }
    office.leap(limits::BOX_LEAVING);
    office.pass(Millis::from_secs(600));
    assert_eq!(query::mailboxes(&office.rows(ALICE), office.now.wall).unwrap(), []);
}

/// The network tells through whom we are reached; a command that is refused meanwhile changes nothing of that.
#[test]
fn the_card_names_relays() {
    let mut office = office();
    let (north, bob) = (office.id(NORTH), office.id(BOB));
    let relays = vec![(north, vec!["/ip4/192.0.2.9/udp/4001/quic-v1".to_owned()])];
    office.hand_in(ALICE, vec![Input::Net(Event::Relays(relays))]);
    assert!(office.command(ALICE, Command::DropMailbox(north)).is_err());
    office.pass(MINUTE);
    let card = office.table[&office.id(ALICE)].clone();
    office.tx(BOB, |tx| {
        let alice = CardIn::decode(&card).unwrap().claimed_owner();
        assert!(tx.checked_bundle(alice, &card, None).unwrap().is_some());
        let ways = tx.ways_to(&crate::messenger::tables::PeerRow::new(alice)).unwrap();
        assert_eq!(ways, [format!("/ip4/192.0.2.9/udp/4001/quic-v1/p2p/{north}/p2p-circuit")]);
    });
    office.hand_in(ALICE, vec![Input::Net(Event::Relays(Vec::new()))]);
    assert!(office.command(ALICE, Command::DropMailbox(north)).is_err());
    office.pass(MINUTE);
    assert!(office.table[&office.id(ALICE)] != card);
    let peers = vec![(bob, vec!["/ip4/192.0.2.9/udp/4001/quic-v1".to_owned()])];
    office.hand_in(ALICE, vec![Input::Net(Event::KnownPeers(peers.clone()))]);
    office.open(ALICE);
    assert_eq!(query::known_peers(&office.rows(ALICE)).unwrap(), peers);
}

/// After a recovery prekeys and keys are others: those that the mailbox had are not handed out any more.
#[test]
fn after_a_recovery_the_box_is_made_anew() {
    let mut office = office_with_mail();
    let before = offered(&office, ALICE, NORTH);
    let (mut old, mut new) = (None, None);
    office.tx(ALICE, |tx| old = tx.queue_row().unwrap());
    office.mail = false;
    office.recover(ALICE, false);
    assert_eq!(named(&mut office, ALICE), [], "at first");
    office.mail = true;
    office.pass(Millis(10 * MINUTE.0));
    office.tx(ALICE, |tx| new = tx.queue_row().unwrap());
    assert_ne!(old.unwrap().key, new.unwrap().key);
    assert_eq!(named(&mut office, ALICE), [office.id(NORTH)]);
    let alice = office.id(ALICE);
    let owner = IdentityKey::from_peer_id(alice).unwrap();
    let now = office.now.wall;
    office.tx(NORTH, |tx| {
        let row = tx.buf.get::<Boxes>(&peer_key(&alice)).unwrap().unwrap();
        let prekeys = tx.buf.scan::<BoxPrekeys>(&Scan::new(of_box(row.number))).unwrap();
        assert_eq!(prekeys.len(), 100);
        for (_, prekey) in prekeys {
            let id = OneTimePrekeyIn::decode(&prekey.bytes).unwrap().verify(&owner, now).unwrap().id;
            assert!(!before.contains(&id));
        }
    });
}

/// ID-28: keys are kept while a mailbox may have what is sealed to them.
#[test]
fn old_keys_outlive_a_mailbox_that_is_not_reached() {
    let mut office = office_with_mail();
    office.mail = false;
    let keys = |office: &mut Office| {
        let mut count = 0;
        office.tx(ALICE, |tx| count = tx.card_keys().unwrap().len());
        count
    };
    for _ in 0..5 {
        office.leap(Millis::from_days(8));
    }
    let many = keys(&mut office);
    assert!(many >= 5, "{many}");
    office.mail = true;
    office.pass(MINUTE);
    office.leap(Millis::from_hours(23));
    assert!(keys(&mut office) < many);
}
