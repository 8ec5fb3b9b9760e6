//! Values of ours that need more than one page to be made: computed by another program from the pages alone, in
//! `values.json`; here they are read, and made again.

use rohrpost::base::{MessageId, PeerId, Secret, WallTime};
use rohrpost::content::mimi::text;
use rohrpost::content::{Capsule, Introduction, Item, MimiContent, direct_room_uri, message_id, sender_uri};
use rohrpost::crypto::hash::sha256;
use rohrpost::envelope::mailbox::{Deposit, InvitationKey, Proof, Question, QueueKey, Tag, TokenIn};
use rohrpost::identity::{CardIn, IdentityKey, IdentityKeypair, Link, Mailbox, RequestToken};
use serde_json::Value;

fn values() -> Value {
    serde_json::from_str(include_str!("values.json")).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn fixed<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

fn peer(seed: &Value) -> PeerId {
    IdentityKeypair::from_seed(&Secret::new(fixed(seed))).peer_id()
}

/// CON-10, CON-13: a text with URIs of ours, and its ID.
#[test]
fn a_text_and_its_id() {
    let all = values();
    let (alice, bob, said) = (peer(&all["alice_seed"]), peer(&all["bob_seed"]), &all["text"]);
    let (sender, room) = (sender_uri(alice), direct_room_uri(bob, alice));
    assert_eq!((sender.as_str(), room.as_str()), (said["sender"].as_str().unwrap(), said["room"].as_str().unwrap()));
    assert_eq!(room, direct_room_uri(alice, bob));
    let salt = fixed(&said["salt"]);
    let made = text(salt, &sender, &room, said["counter"].as_u64().unwrap(), said["text"].as_str().unwrap(), None);
    let message = bytes(&said["message"]);
    assert_eq!(made.encode(), message);
    assert_eq!(MimiContent::decode(&message).unwrap(), made);
    assert_eq!(message_id(&sender, &room, &message, &salt), MessageId::new(fixed(&said["message_id"])));
}

/// CON-21 to CON-24: an introduction, and the message above.
#[test]
fn a_capsule() {
    let all = values();
    let (said, body) = (&all["capsule"], bytes(&all["text"]["message"]));
    let word = |name: &str| Some(said[name].as_str().unwrap().to_owned());
    let introduction =
        Introduction { name: word("name"), subject: word("subject"), token: Some(fixed(&said["token"])) };
    let sent_at = WallTime(said["sent_at"].as_u64().unwrap());
    let made = Capsule { items: vec![Item::Introduction(introduction), Item::Message { sent_at, body }] };
    assert_eq!(made.encode(), bytes(&said["capsule"]));
    assert_eq!(Capsule::decode(&bytes(&said["capsule"])).unwrap(), made);
}

/// ID-13, ID-14: what a later version adds is skipped, signed and kept.
#[test]
fn a_card_with_an_extension() {
    let all = values();
    let (said, owner) = (&all["card"], peer(&all["alice_seed"]));
    let encoded = bytes(&said["card"]);
    let key = IdentityKey::from_peer_id(owner).unwrap();
    let now = WallTime(said["issued"].as_u64().unwrap());
    let card = CardIn::decode(&encoded).unwrap().verify(&key, now).unwrap();
    assert_eq!((card.peer().key_bytes().to_vec(), card.sequence), (bytes(&said["owner"]), 5));
    assert_eq!((card.issued, card.expires), (now, WallTime(said["expires"].as_u64().unwrap())));
    assert_eq!(card.bytes(), encoded);
    let extension = bytes(&said["extension"]["value"]);
    let at = encoded.windows(extension.len()).position(|window| window == extension).unwrap();
    for at in [at, encoded.len() - 1] {
        let mut changed = encoded.clone();
        changed[at] ^= 1;
        assert!(CardIn::decode(&changed).is_ok_and(|card| card.verify(&key, now).is_err()), "{at} is not signed");
    }
}

/// MBX-30 to MBX-33, and the form of a deposit.
#[test]
fn deposits_with_work_an_invitation_and_a_token() {
    let all = values();
    let (said, recipient) = (&all["deposit"], peer(&all["bob_seed"]));
    let (sealed, day) = (bytes(&said["sealed"]), u32::try_from(said["day"].as_u64().unwrap()).unwrap());
    let invitation = InvitationKey::of(&RequestToken::from_bytes(fixed(&said["request_token"])));
    assert_eq!(invitation, InvitationKey::from_bytes(fixed(&said["invitation_key"])));
    let transmitted = sha256(&[&sealed]);
    let work = Proof::Work { day, nonce: said["nonce"].as_u64().unwrap() };
    let invited = Proof::invitation(&invitation, &recipient, day, &transmitted);
    let level = u8::try_from(said["level"].as_u64().unwrap()).unwrap();
    for proof in [&work, &invited] {
        assert!(proof.is_enough(level, &recipient, day, &transmitted, &invitation));
        assert!(!proof.is_enough(level, &recipient, day + 2, &transmitted, &invitation));
        assert!(!proof.is_enough(level, &recipient, day, &[0; 32], &invitation));
    }
    let tag: Tag = fixed(&said["tag"]);
    let token = TokenIn::of(&QueueKey::from_bytes(fixed(&said["queue_key"])), tag);
    for (name, token, proof) in
        [("with_work", None, work), ("with_invitation", None, invited), ("with_token", Some(token), Proof::None)]
    {
        let made = Question::Deposit(Deposit { recipient, token, proof, sealed: &sealed });
        assert_eq!(made.encode().unwrap(), bytes(&said[name]), "{name}");
        assert_eq!(Question::decode(&bytes(&said[name])).unwrap(), made, "{name}");
    }
}

/// ID-50, ID-52, ID-53, ID-56: a link with all that it may hold, and one with nothing but who it is.
#[test]
fn links() {
    let said = &values()["link"];
    let key = |name: &str| PeerId::from_key_bytes(fixed(&said[name]));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let full = Link {
        peer: key("owner"),
        name: Some(text(&said["name"])),
        addrs: said["addresses"].as_array().unwrap().iter().map(text).collect(),
        token: Some(RequestToken::from_bytes(fixed(&said["request_token"]))),
        mailboxes: vec![Mailbox { peer: key("mailbox"), addrs: vec![text(&said["mailbox_address"])] }],
    };
    let hints = bytes(&said["hints"]);
    let check = sha256(&[b"rohrpost/identity/link/v1\0", full.peer.key_bytes(), &hints]);
    assert_eq!(check[..2], bytes(&said["check"]));
    let bare = Link { name: None, addrs: vec![], token: None, mailboxes: vec![], ..full.clone() };
    for (link, expected) in [(full, text(&said["link"])), (bare, text(&said["bare"]))] {
        assert_eq!(link.to_string(), expected);
        assert_eq!(expected.parse(), Ok(link));
    }
}
