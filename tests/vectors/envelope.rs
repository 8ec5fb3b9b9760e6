//! Own vectors of the envelope and the seal, for whoever writes a second implementation: `envelope.json`.
//!
//! The file is generated from fixed inputs; `ROHRPOST_WRITE_VECTORS=1 cargo test --test vectors envelope`
//! writes it anew, and a difference to the committed one is a change of the protocol.

use std::fs;
use std::path::PathBuf;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rohrpost::base::{PeerId, Secret};
use rohrpost::crypto::aead;
use rohrpost::crypto::dh::{DhPublic, DhSecret};
use rohrpost::crypto::hash::sha256;
use rohrpost::crypto::kdf::hkdf;
use rohrpost::envelope::seal::{SealError, SealedIn, seal};
use rohrpost::envelope::{Envelope, EnvelopeKind, WireError, decode, encode, envelope_id, padding};
use rohrpost::identity::PrekeyId;
use serde_json::{Value, json};

const KINDS: [(&str, EnvelopeKind); 3] =
    [("session", EnvelopeKind::Session), ("first-contact", EnvelopeKind::FirstContact), ("group", EnvelopeKind::Group)];

/// The seed of the generator that the seal's ephemeral key is drawn from: its first 32 bytes.
const EPHEMERAL_SEED: [u8; 32] = [0x45; 32];

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/envelope.json")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    unhex(value).try_into().unwrap()
}

/// 0, 1, 2, … 255, 0, 1, …
fn counting(len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from(at % 256).unwrap()).collect()
}

fn generate() -> Value {
    let envelope = |name: &str, kind, payload: &[u8]| {
        let bytes = encode(kind, payload).unwrap();
        json!({ "kind": name, "payload": hex(payload), "envelope": hex(&bytes), "envelope_id": envelope_id(&bytes).to_string() })
    };
    let [session, first, group] = KINDS;
    let envelopes = [
        envelope(session.0, session.1, b""),
        envelope(session.0, session.1, b"a capsule would stand here"),
        envelope(first.0, first.1, &counting(250)),
        envelope(group.0, group.1, &counting(251)),
        envelope(session.0, session.1, &counting(900)),
    ];
    let padded = [0, 1, 255, 256, 257, 272, 273, 511, 512, 513, 1023, 1025, 4096, 4097, 40_000, 65_535, 65_542];
    let padding: Vec<Value> =
        padded.iter().map(|&len| json!({ "length": len, "padded": padding::padded_len(len) })).collect();
    json!({
        "envelopes": envelopes,
        "padding": padding,
        "refused": refused(),
        "seal": sealed(),
    })
}

/// Each is the first envelope with one fault.
fn refused() -> Vec<Value> {
    let good = encode(EnvelopeKind::Session, b"abc").unwrap();
    let change = |at: usize, byte: u8, error: &str| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        json!({ "envelope": hex(&bytes), "error": error })
    };
    let longer = [&good[..], &[0]].concat();
    vec![
        change(0, 0, "unknown version"),
        change(0, 2, "unknown version"),
        change(1, 0, "unknown kind"),
        change(1, 4, "unknown kind"),
        change(2, 1, "too large"),
        // The length of the payload is one less, so that its last byte is padding that is not zero.
        change(5, 2, "malformed"),
        change(9, 1, "malformed"),
        change(255, 1, "malformed"),
        json!({ "envelope": hex(&longer), "error": "malformed" }),
        json!({ "envelope": hex(&good[..255]), "error": "malformed" }),
        json!({ "envelope": "", "error": "malformed" }),
    ]
}

fn sealed() -> Value {
    let queue = [0x51; 16];
    let seal_id = PrekeyId(0x0123_4567_89ab_cdef);
    let seal_secret = [0x53; 32];
    let seal_key = DhSecret::from_bytes(Secret::new(seal_secret));
    let sender = PeerId::from_key_bytes([0x41; 32]);
    let ephemeral = Secret::<32>::random(&mut ChaCha20Rng::from_seed(EPHEMERAL_SEED));
    let envelope = encode(EnvelopeKind::Session, b"for the mailbox").unwrap();
    let mut rng = ChaCha20Rng::from_seed(EPHEMERAL_SEED);
    let sealed = seal(&queue, seal_id, &seal_key.public(), sender, &envelope, &mut rng).unwrap();
    json!({
        "queue": hex(&queue),
        "seal_key_id": hex(&seal_id.0.to_be_bytes()),
        "seal_secret": hex(&seal_secret),
        "seal_key": hex(&seal_key.public().0),
        "ephemeral_secret": hex(ephemeral.expose()),
        "sender": hex(sender.key_bytes()),
        "envelope": hex(&envelope),
        "sealed": hex(&sealed),
    })
}

fn vectors() -> Value {
    serde_json::from_str(&fs::read_to_string(path()).unwrap()).unwrap()
}

#[test]
fn the_file_is_what_the_code_makes() {
    if std::env::var_os("ROHRPOST_WRITE_VECTORS").is_some() {
        fs::write(path(), serde_json::to_string_pretty(&generate()).unwrap() + "\n").unwrap();
    }
    assert_eq!(vectors(), generate());
}

/// ENV-2 to ENV-6, ENV-9: from the file alone.
#[test]
fn envelopes() {
    for vector in vectors()["envelopes"].as_array().unwrap() {
        let (bytes, payload) = (unhex(&vector["envelope"]), unhex(&vector["payload"]));
        let kind = KINDS.into_iter().find(|(name, _)| *name == vector["kind"]).unwrap().1;
        assert_eq!(decode(&bytes), Ok(Envelope { kind, payload: &payload }));
        assert_eq!(encode(kind, &payload).unwrap(), bytes);
        assert_eq!(hex(&sha256(&[&bytes])), vector["envelope_id"]);
        assert_eq!(envelope_id(&bytes).to_string(), vector["envelope_id"]);
        // The layout by hand.
        let len = u32::try_from(payload.len()).unwrap().to_be_bytes();
        assert_eq!(bytes[..6], [1, kind as u8, len[0], len[1], len[2], len[3]]);
        assert_eq!(bytes[6..6 + payload.len()], payload);
        assert!(bytes[6 + payload.len()..].iter().all(|&byte| byte == 0));
    }
}

/// ENV-5
#[test]
fn padded_lengths() {
    for vector in vectors()["padding"].as_array().unwrap() {
        let len = usize::try_from(vector["length"].as_u64().unwrap()).unwrap();
        assert_eq!(padding::padded_len(len) as u64, vector["padded"].as_u64().unwrap(), "{len}");
    }
}

/// ENV-1, ENV-3 to ENV-5
#[test]
fn refused_envelopes() {
    for vector in vectors()["refused"].as_array().unwrap() {
        let error = match decode(&unhex(&vector["envelope"])).unwrap_err() {
            WireError::TooLarge => "too large",
            WireError::UnknownVersion(_) => "unknown version",
            WireError::UnknownKind(_) => "unknown kind",
            WireError::Malformed => "malformed",
        };
        assert_eq!(error, vector["error"], "{}", vector["envelope"]);
    }
}

/// ENV-12 to ENV-14: the formula of the specification, step by step, without the code that seals.
#[test]
fn seals() {
    let vector = &vectors()["seal"];
    let seal_key = DhPublic(array(&vector["seal_key"]));
    let seal_secret = DhSecret::from_bytes(Secret::new(array(&vector["seal_secret"])));
    let ephemeral = DhSecret::from_bytes(Secret::new(array(&vector["ephemeral_secret"])));
    let (sender, envelope, sealed) = (unhex(&vector["sender"]), unhex(&vector["envelope"]), unhex(&vector["sealed"]));

    let shared = ephemeral.exchange(&seal_key).unwrap();
    let info = [b"rohrpost/envelope/seal/v1", &ephemeral.public().0[..], &seal_key.0].concat();
    let key = hkdf::<32>(&[0; 32], shared.expose(), &info);
    let header = [&[1][..], &unhex(&vector["queue"]), &unhex(&vector["seal_key_id"]), &ephemeral.public().0].concat();
    let ciphertext = aead::seal(&key, &[0; 12], &[&sender[..], &envelope].concat(), &header);
    assert_eq!(hex(&[header, ciphertext].concat()), vector["sealed"]);

    let decoded = SealedIn::decode(&sealed).unwrap();
    assert_eq!(decoded.queue()[..], unhex(&vector["queue"]));
    assert_eq!(decoded.seal_id().0.to_be_bytes()[..], unhex(&vector["seal_key_id"]));
    let sender = PeerId::from_key_bytes(array(&vector["sender"]));
    assert_eq!(decoded.open(&seal_secret), Ok((sender, envelope)));
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 0x80;
        let opened = SealedIn::decode(&changed).and_then(|sealed| sealed.open(&seal_secret));
        let expected = if at == 0 { SealError::UnknownVersion(0x81) } else { SealError::Authentication };
        assert_eq!(opened, Err(expected), "byte {at}");
    }
}
