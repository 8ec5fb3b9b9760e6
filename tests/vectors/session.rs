//! `docs/protocol/session.md` once more, as naively as it can be written, and its known answers.
//!
//! [`reference()`] computes two conversations from nothing but primitives and the formulas of the specification.
//! What it gives is `session.json`, with every value on the way; the program must seal the same bytes from the
//! same randomness, and open them. `ROHRPOST_WRITE_VECTORS=1` writes the file anew.

mod reference;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::path::PathBuf;

use rand_core::{TryCryptoRng, TryRng};
use rohrpost::base::{PeerId, Secret, WallTime};
use rohrpost::crypto::aead;
use rohrpost::crypto::dh::DhSecret;
use rohrpost::crypto::kem::{KemCiphertext, KemSecret};
use rohrpost::identity::{IdentityKey, IdentityKeypair, OneTimePrekey, PrekeyId};
use rohrpost::session::{FirstContactIn, RemoteBundle, ResponderKeys, SealedKind, SessionSet};
use serde_json::Value;

use reference::{SCRIPT, reference};

const START: WallTime = WallTime(1_750_000_000_000);
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/session.json")
}

fn vectors() -> Value {
    serde_json::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap()
}

fn bytes(value: &Value, name: &str) -> Vec<u8> {
    let text = value[name].as_str().unwrap_or_else(|| panic!("no {name}"));
    (0..text.len() / 2).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(value: &Value, name: &str) -> [u8; N] {
    bytes(value, name).try_into().unwrap()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().unwrap()
}

/// Deals out the bytes it was given, exactly.
struct Dealt(VecDeque<u8>);

impl Dealt {
    /// Everything that a step draws, in the order in which the program draws it.
    fn of(step: &Value) -> Self {
        let order = ["ephemeral_secret", "ratchet_secret", "m", "kem_seed", "salt"];
        let names = order.map(|name| format!("random_{name}"));
        Self(names.iter().filter(|name| step.get(name).is_some()).flat_map(|name| bytes(step, name)).collect())
    }
}

impl TryRng for Dealt {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("only bytes are dealt");
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("only bytes are dealt");
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        assert!(out.len() <= self.0.len(), "more was drawn than the vector has");
        let dealt = self.0.drain(..out.len()).collect::<Vec<_>>();
        out.copy_from_slice(&dealt);
        Ok(())
    }
}

impl TryCryptoRng for Dealt {}

#[test]
fn the_naive_implementation_gives_the_file() {
    let text = serde_json::to_string_pretty(&reference()).unwrap() + "\n";
    if std::env::var_os("ROHRPOST_WRITE_VECTORS").is_some() {
        std::fs::write(file(), &text).unwrap();
    }
    // As values: in which order an object's members stand depends on features of serde_json.
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap();
    assert!(stored == serde_json::from_str::<Value>(&text).unwrap(), "session.json is not what the reference computes");
}

fn payload(conversation: &Value, message: &Value) -> (SealedKind, Vec<u8>) {
    let after = [bytes(message, "header"), bytes(message, "body")].concat();
    match message["kind"].as_str() {
        Some("first-contact") => {
            (SealedKind::First, [bytes(&conversation["handshake"], "first_contact_header"), after].concat())
        }
        _ => (SealedKind::Session, after),
    }
}

/// Both directions at once: each message is sealed by the program, with the randomness of the file, to the bytes
/// of the file; and the bytes of the file are opened by the program, in an order that is not that of sealing.
#[test]
fn the_program_seals_and_opens_the_file() {
    let file = vectors();
    let (alice, bob) = (&file["alice"], &file["bob"]);
    let [a, b] = [alice, bob].map(|who| IdentityKeypair::from_seed(&Secret::new(array(who, "seed"))));
    assert_eq!(a.peer_id().key_bytes(), &array::<32>(alice, "public"));
    assert_eq!(b.peer_id().key_bytes(), &array::<32>(bob, "public"));
    let keys = ["prekey_secret", "one_time_secret"].map(|name| DhSecret::from_bytes(Secret::new(array(bob, name))));
    let kems = ["kem_seed", "one_time_kem_seed"].map(|name| KemSecret::from_seed(Secret::new(array(bob, name))));
    let ids = ["prekey_id", "kem_id", "one_time_id"].map(|name| PrekeyId(u64::from_be_bytes(array(bob, name))));
    let mut count = 0;
    for conversation in list(&file, "conversations") {
        let one_time = conversation["one_time"] == true;
        let pair = OneTimePrekey { id: ids[2], dh: keys[1].public(), kem: kems[1].public(), expires: WallTime(0) };
        let bundle = RemoteBundle {
            identity: *b.public(),
            prekey_id: ids[0],
            prekey: keys[0].public(),
            kem_id: ids[1],
            kem: kems[0].public(),
            one_time: one_time.then_some(pair),
        };
        let secrets = ResponderKeys {
            prekey: &keys[0],
            kem: &kems[usize::from(one_time)],
            one_time: one_time.then_some(&keys[1]),
        };
        let handshake = &conversation["handshake"];
        let (mut sealers, mut openers) = (Sets::default(), Sets::default());
        for sets in [&mut sealers, &mut openers] {
            let mut rng = Dealt::of(handshake);
            let id = sets.alice.begin(&a, &bundle, &mut rng, START).unwrap();
            assert_eq!(id.as_bytes(), &array::<16>(handshake, "session_id"));
            assert!(rng.0.is_empty());
        }
        let messages = list(conversation, "messages");
        for message in messages {
            let (kind, payload) = payload(conversation, message);
            let text = message["plaintext"].as_str().unwrap();
            let now = WallTime(message["time"].as_u64().unwrap());
            let mut rng = Dealt::of(message);
            let by_alice = message["from"] == "alice";
            let sealed = sealers.of(by_alice).encrypt(text.as_bytes(), &mut rng, now).unwrap();
            assert!(rng.0.is_empty(), "less was drawn than the vector has");
            assert_eq!((sealed.kind, hex(&sealed.payload)), (kind, hex(&payload)));
            // The sealers open at once, so that they can go on.
            let opened = sealers.open(by_alice, (kind, &payload), [&a, &b], secrets, now);
            assert_eq!(opened, text.as_bytes());
            count += 1;
        }
        // The openers seal too, only to turn; what they open is the file.
        let mut sealed = 0;
        for arrival in list(conversation, "arrivals") {
            let arrival = usize::try_from(arrival.as_u64().unwrap()).unwrap();
            while sealed <= arrival {
                let message = &messages[sealed];
                let now = WallTime(message["time"].as_u64().unwrap());
                let text = message["plaintext"].as_str().unwrap().as_bytes();
                openers.of(message["from"] == "alice").encrypt(text, &mut Dealt::of(message), now).unwrap();
                sealed += 1;
            }
            let message = &messages[arrival];
            let (kind, payload) = payload(conversation, message);
            let now = WallTime(message["time"].as_u64().unwrap());
            let opened = openers.open(message["from"] == "alice", (kind, &payload), [&a, &b], secrets, now);
            assert_eq!(opened, message["plaintext"].as_str().unwrap().as_bytes());
        }
    }
    assert_eq!(count, 2 * SCRIPT.len());
}

/// Alice's sessions with Bob, and his with her.
#[derive(Default)]
struct Sets {
    alice: SessionSet,
    bob: SessionSet,
}

impl Sets {
    fn of(&mut self, alice: bool) -> &mut SessionSet {
        if alice { &mut self.alice } else { &mut self.bob }
    }

    fn open(
        &mut self,
        by_alice: bool,
        (kind, payload): (SealedKind, &[u8]),
        [a, b]: [&IdentityKeypair; 2],
        secrets: ResponderKeys<'_>,
        now: WallTime,
    ) -> Vec<u8> {
        let (me, peer): (&IdentityKeypair, PeerId) = if by_alice { (b, a.peer_id()) } else { (a, b.peer_id()) };
        let set = self.of(!by_alice);
        let opened = match kind {
            SealedKind::Session => set.open_session(me.peer_id(), peer, payload, now),
            SealedKind::First => {
                let first = FirstContactIn::parse(payload).unwrap();
                let keys = (!set.knows_session(&first.session)).then_some(secrets);
                let peer = IdentityKey::from_peer_id(peer).unwrap();
                set.open_first(me, &peer, &first, keys, now)
            }
        };
        opened.unwrap().plaintext.to_vec()
    }
}

/// The formulas that a receiver computes from the file alone: what the initiator decapsulates, and what both get.
#[test]
fn a_receiver_gets_the_same_from_the_file() {
    let file = vectors();
    let mut count = 0;
    for conversation in list(&file, "conversations") {
        let handshake = &conversation["handshake"];
        let seed = if conversation["one_time"] == true { "one_time_kem_seed" } else { "kem_seed" };
        let kem = KemSecret::from_seed(Secret::new(array(&file["bob"], seed)));
        let ct = KemCiphertext::from_bytes(&bytes(handshake, "ct")).unwrap();
        assert_eq!(kem.decapsulate(&ct).expose(), &array::<32>(handshake, "ss"));
        let messages = list(conversation, "messages");
        let offer = messages.iter().find(|message| message.get("random_kem_seed").is_some()).unwrap();
        let answer = messages.iter().find(|message| message.get("turn_ss").is_some()).unwrap();
        let kem = KemSecret::from_seed(Secret::new(array(offer, "random_kem_seed")));
        let header = bytes(answer, "header");
        assert_eq!(header[72..77], [2, 0, 0, 0, 1]);
        let ct = KemCiphertext::from_bytes(&header[77..]).unwrap();
        assert_eq!(kem.decapsulate(&ct).expose(), &array::<32>(answer, "turn_ss"));
        for message in messages {
            let key = Secret::new(array(message, "key"));
            let opened =
                aead::open(&key, &array(message, "nonce"), &bytes(message, "body"), &bytes(message, "associated_data"));
            assert_eq!(opened.unwrap(), message["plaintext"].as_str().unwrap().as_bytes());
            count += 1;
        }
    }
    assert_eq!(count, 2 * SCRIPT.len());
}
