//! Two strangers who are never awake together. What owners and senders will do by themselves is done by hand here.

use super::*;
use crate::envelope::mailbox::Delete;
use crate::identity::{Card, CardIn, IdentityKey};
use crate::messenger::io::FrameToken;
use crate::messenger::query;
use crate::messenger::tables::CardKeysTable;

/// The mailbox; Bob, who has a box there; Alice, who has only his peer ID and where the mailbox is.
const MAILBOX: usize = 0;
const BOB: usize = 1;
const ALICE: usize = 2;

fn peer(input: Event) -> Vec<Input> {
    vec![Input::Net(input)]
}

/// Card and one-time prekeys that Bob gives away: to this mailbox, and to nobody else.
fn bundle(office: &mut Office, prekeys: u64) -> (Vec<u8>, Vec<Vec<u8>>) {
    let from = office.id(MAILBOX);
    let mut card = Vec::new();
    let given = (0..prekeys).map(|request| {
        let outputs = office.hand_in(BOB, peer(Event::BundleRequested { from, request, want_prekey: true }));
        let answer = outputs.into_iter().find_map(|output| match output {
            Output::Net(Order::AnswerBundle { card, prekey, .. }) => Some((card, prekey)),
            _ => None,
        });
        let (newest, prekey) = answer.unwrap();
        card = newest;
        prekey.unwrap()
    });
    let given = given.collect();
    (card, given)
}

/// What Alice's node wants to send, with the card and prekey that came.
fn letter(office: &mut Office, card: Vec<u8>, prekey: Option<Vec<u8>>) -> Vec<u8> {
    let bob = office.id(BOB);
    let command = office.text(BOB, "from one who does not know you");
    office.hand_in(ALICE, vec![Input::Command(1, Command::Send(command))]);
    let outputs = office.hand_in(ALICE, peer(Event::Connected(bob)));
    let ticket = outputs.iter().find_map(|output| match output {
        Output::Net(Order::FetchBundle { ticket, .. }) => Some(*ticket),
        _ => None,
    });
    let came = Event::Bundle { peer: bob, ticket: ticket.unwrap(), card, prekey };
    let outputs = office.hand_in(ALICE, peer(came));
    let sent = outputs.into_iter().find_map(|output| match output {
        Output::Net(Order::Send { bytes, .. }) => Some(bytes.to_vec()),
        _ => None,
    });
    sent.unwrap()
}

/// Bob's seal opens what waits; what is inside goes the way of every envelope.
fn take_in(office: &mut Office, card: &Card, sealed: &[u8]) {
    let keys = office.rows(BOB).scan::<CardKeysTable>(&Scan::all()).unwrap();
    let keys = keys.into_iter().find(|(_, row)| row.keys.seal_id == card.seal_id).unwrap().1.keys;
    let sealed = crate::envelope::seal::SealedIn::decode(sealed).unwrap();
    assert_eq!(sealed.seal_id(), keys.seal_id);
    let (from, bytes) = sealed.open(&keys.seal).unwrap();
    let token = FrameToken { stream: 1, frame: 1 };
    let outputs = office.hand_in(BOB, peer(Event::Envelope { from, origin: None, token, bytes }));
    assert!(outputs.iter().any(|output| matches!(output, Output::Net(Order::Acknowledge(_)))));
}

/// MBX-1, MBX-35: card and prekey from the mailbox, the first contact into its slot, a kill in between, and the request
/// is pending once when Bob comes.
#[test]
fn a_first_contact_reaches_an_offline_stranger() {
    let mut house = House { office: Office::new(3), origin: None };
    house.office.command(MAILBOX, Command::SetMailService(MailService::Open)).unwrap();
    let (bob, alice) = (house.office.id(BOB), house.office.id(ALICE));
    let (bytes, prekeys) = bundle(&mut house.office, 2);
    let key = IdentityKey::from_peer_id(bob).unwrap();
    let card = CardIn::decode(&bytes).unwrap().verify(&key, house.now()).unwrap();
    let invitation = InvitationKey::of(&RequestToken::from_bytes([1; 16]));
    let register =
        Question::Register { key: QueueKey::from_bytes([1; 32]), invitation, offer: offer(1, &bytes, &prekeys) };
    assert_eq!(house.ask(bob, &register.encode().unwrap()), MailAnswer::Kept { prekeys: 2 });
    house.office.close(BOB);
    // Bob sleeps. Alice, under a key that is nobody's:
    let question = Question::Card { owner: bob, want_prekey: true }.encode().unwrap();
    let MailAnswer::Card { card: found, prekey } = house.ask(NOBODY, &question) else { panic!() };
    assert!(found == bytes && prekeys.contains(prekey.as_ref().unwrap()));
    let envelope = letter(&mut house.office, found, prekey);
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let sealed = seal(&card.queue, card.seal_id, &card.seal, alice, &envelope, &mut rng).unwrap();
    assert!(sealed.len() <= limits::MAX_SLOT_DEPOSIT);
    let deposit = Deposit { recipient: bob, token: None, proof: Proof::None, sealed: &sealed };
    let question = Question::Deposit(deposit).encode().unwrap();
    house.at_once(vec![(NOBODY, question.clone())]);
    // Its answer is lost with the mailbox; and the seal is made anew when Alice was restarted.
    house.restart();
    assert_eq!(house.ask(NOBODY, &question), MailAnswer::Stored);
    let anew = seal(&card.queue, card.seal_id, &card.seal, alice, &envelope, &mut rng).unwrap();
    let deposit = Deposit { recipient: bob, token: None, proof: Proof::None, sealed: &anew };
    assert_eq!(house.ask(NOBODY, &Question::Deposit(deposit).encode().unwrap()), MailAnswer::Stored);
    house.office.close(ALICE);
    // Alice sleeps. Bob comes.
    house.office.open(BOB);
    let fetch = Question::Fetch { queue: card.queue, after: 0 }.encode().unwrap();
    let MailAnswer::Page { more: false, prekeys: 1, items } = house.ask(bob, &fetch) else { panic!() };
    assert_eq!(items.iter().map(|item| &item.sealed).collect::<Vec<_>>(), [&sealed, &anew]);
    for item in &items {
        take_in(&mut house.office, &card, &item.sealed);
    }
    let requests = query::requests(&house.office.rows(BOB), house.office.now.wall).unwrap();
    assert_eq!(requests.len(), 1);
    assert_eq!(
        (requests[0].peer_id, requests[0].messages, &*requests[0].text),
        (alice, 1, "from one who does not know you")
    );
    let all = Question::Delete { queue: card.queue, what: Delete::UpTo(items[1].number) }.encode().unwrap();
    assert_eq!(house.ask(bob, &all), MailAnswer::Done);
    assert_eq!(house.ask(bob, &fetch), MailAnswer::Page { more: false, prekeys: 1, items: vec![] });
    // And nothing that opens in the mailbox says who it was.
    let place = &house.office.desks[MAILBOX].place;
    let rows = place.open_all(&place.dump());
    let names = |name: PeerId| rows.iter().any(|(_, row)| row.windows(32).any(|window| window == name.key_bytes()));
    assert!(names(bob) && !names(alice));
}
