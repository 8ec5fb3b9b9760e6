//! Seeds: what the project itself writes, and the files of its vectors.

use crate::base::{MessageId, PeerId, Secret, WallTime};
use crate::content::mimi::{deletion, edit, reaction, text, unreaction};
use crate::content::{Capsule, Introduction, Item, Profile, StatusReport, direct_room_uri, sender_uri};
use crate::crypto::password::{Cost, Passphrase};
use crate::envelope::exchange::{CardRequest, CardResponse};
use crate::envelope::frame::{self, RefuseReason};
use crate::envelope::{EnvelopeKind, encode};
use crate::fuzzing::identity::{owner, safety_number_of_two};
use crate::fuzzing::rng;
use crate::identity::{
    CardContent, CardKeys, IdentityKeypair, KeyMaterial, Link, Mailbox, OneTimeKeys, RequestPolicy, RequestToken,
    seal_key_file,
};

mod answers;
mod mailbox;
mod rows;
#[cfg(feature = "api")]
mod rpc;

pub(super) type Seeds = Vec<(String, Vec<u8>)>;

/// Every target's.
pub(super) fn all() -> Vec<(&'static str, Seeds)> {
    vec![
        ("envelope", envelope()),
        ("frames", frames()),
        ("mailbox", mailbox::mailbox()),
        ("answers", answers::answers()),
        ("records", records()),
        ("content", content()),
        #[cfg(feature = "api")]
        ("rpc", rpc::lines()),
        ("store", rows::store()),
        ("key_file", key_file()),
        ("link", link()),
        ("interaction", interaction()),
        ("outgoing", outgoing()),
    ]
}

fn seed(name: &str, kind: u8, bytes: impl AsRef<[u8]>) -> (String, Vec<u8>) {
    (name.to_owned(), [&[kind], bytes.as_ref()].concat())
}

fn hex(value: &serde_json::Value) -> Vec<u8> {
    let text = value.as_str().unwrap().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.chunks(2).map(byte).collect()
}

fn envelope() -> Seeds {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/vectors/envelope.json")).unwrap();
    let sessions: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/vectors/session.json")).unwrap();
    let mut seeds: Seeds = Vec::new();
    for (n, vector) in vectors["envelopes"].as_array().unwrap().iter().enumerate() {
        let bytes = hex(&vector["envelope"]);
        if bytes.len() < 2_000 {
            seeds.push(seed(&format!("vector-{n}"), 0, bytes));
        }
    }
    let conversation = &sessions["conversations"][0];
    let message = &conversation["messages"][0];
    let parts = [&conversation["handshake"]["first_contact_header"], &message["header"], &message["body"]];
    let first = encode(EnvelopeKind::FirstContact, &parts.map(hex).concat()).unwrap();
    seeds.push(seed("first-contact", 0, first));
    seeds.push(seed("sealed", 1, hex(&vectors["seal"]["sealed"])));
    seeds.push(seed("seal", 2, b"\0\0\0payload"));
    seeds.push(seed("payload", 3, b"\x01payload"));
    seeds
}

fn frames() -> Seeds {
    let mut stream = Vec::new();
    frame::put_hello(&mut stream);
    frame::put_envelope(&mut stream, 1, b"\x01\x01\0\0\0\x01x");
    frame::put_ack(&mut stream, 1);
    let mut refusals = Vec::new();
    for code in 1..=7 {
        frame::put_refusal(&mut refusals, u64::from(code), RefuseReason::from_code(code));
    }
    let response = CardResponse { card: b"card".to_vec(), prekey: Some(b"prekey".to_vec()) };
    let bare = CardResponse { card: b"card".to_vec(), prekey: None };
    vec![
        seed("hello", 0, &stream[..frame::HEAD_LEN]),
        seed("stream", 0, &stream),
        seed("refusals", 0, refusals),
        seed("later-hello", 0, [&[1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4][..], b"more"].concat()),
        seed("request", 1, CardRequest { want_prekey: true }.encode()),
        seed("plain-request", 1, CardRequest { want_prekey: false }.encode()),
        seed("response", 2, response.encode().unwrap()),
        seed("bare-response", 2, bare.encode().unwrap()),
    ]
}

/// A card with everything in it.
fn card(nodes: usize) -> CardContent {
    let keys = CardKeys::generate(&mut rng());
    let node = |n: usize| Mailbox {
        peer: PeerId::from_key_bytes([u8::try_from(n).unwrap(); 32]),
        addrs: (0..n).map(|n| format!("/ip4/192.0.2.{n}/tcp/4001")).collect(),
    };
    CardContent {
        expires: WallTime(1_700_000_600_000),
        mailboxes: (0..nodes).map(node).collect(),
        relays: (1..=nodes).map(node).collect(),
        policy: RequestPolicy::Contacts,
        work: 8,
        ..CardContent::new(&keys, 1, WallTime(1_700_000_000_000), [3; 16])
    }
}

fn records() -> Seeds {
    let other = IdentityKeypair::from_seed(&Secret::new([9; 32]));
    let prekey = OneTimeKeys::generate(&mut rng(), WallTime(1_700_000_000_000));
    // Between array and byte string heads, and the signature.
    let body = |record: Vec<u8>| record[4..record.len() - 66].to_vec();
    let signature = other.sign("rohrpost/other/v1", b"message");
    let mut extended = body(card(0).sign(&owner()));
    // One field more than the card has, of a later version: {32: h"6e6577"}.
    extended[0] += 1;
    extended.extend_from_slice(b"\x18\x20\x43new");
    vec![
        seed("card-of-another", 0, card(1).sign(&other)),
        seed("card", 1, body(card(0).sign(&owner()))),
        seed("full-card", 1, body(card(3).sign(&owner()))),
        seed("later-card", 1, extended),
        seed("card-of-another-signed", 1, body(card(2).sign(&other))),
        seed("prekey-of-another", 2, prekey.sign(&other)),
        seed("prekey", 3, body(prekey.sign(&owner()))),
        seed("key", 4, other.peer_id().key_bytes()),
        seed("signature", 4, [other.peer_id().key_bytes(), &signature.0[..], b"message"].concat()),
    ]
}

fn content() -> Seeds {
    let peer = PeerId::from_key_bytes([1; 32]);
    let (me, room) = (sender_uri(peer), direct_room_uri(peer, peer));
    let mut id = [7; 32];
    id[0] = 1;
    let id = MessageId::new(id);
    let message = text([1; 16], &me, &room, 5, "hello", Some(id)).encode();
    let item = |item: Item| Capsule { items: vec![item] }.encode();
    let introduction =
        Introduction { name: Some("Ada".to_owned()), subject: Some("a question".to_owned()), token: Some([4; 16]) };
    let report = StatusReport { delivered: vec![id], read: vec![id, id] };
    let mixed = Capsule {
        items: vec![
            Item::Introduction(introduction.clone()),
            Item::Message { sent_at: WallTime(1_700_000_000_000), body: message.clone() },
            Item::Status(report.clone()),
            Item::Accepted,
        ],
    };
    let mut seeds = vec![
        seed("text", 0, message),
        seed("edit", 0, edit([1; 16], &me, &room, id, "hullo", None).encode()),
        seed("deletion", 0, deletion([1; 16], &me, &room, id, None).encode()),
        seed("reaction", 0, reaction([1; 16], &me, &room, "\u{1f44d}", id).encode()),
        seed("unreaction", 0, unreaction([1; 16], &me, &room, id, id).encode()),
        seed("empty", 1, Capsule::default().encode()),
        seed("mixed", 1, mixed.encode()),
        seed("introduction", 1, item(Item::Introduction(introduction))),
        seed("status", 1, item(Item::Status(report))),
        seed("profile", 1, item(Item::Profile(Profile { name: "Ada".to_owned() }))),
        seed("reset", 1, item(Item::Reset)),
        seed("addresses", 1, item(Item::Addresses(vec!["/ip4/192.0.2.1/tcp/4001".to_owned()]))),
        seed("card", 1, item(Item::Card(card(1).sign(&owner())))),
        seed("token", 1, item(Item::Token(Secret::new([7; 48])))),
        seed("inquiry", 1, item(Item::Inquiry(vec![MessageId::new([1; 32])]))),
        seed("unknown", 1, item(Item::Unknown { kind: 99, bytes: vec![1, 2, 3] })),
    ];
    for (name, bytes) in [
        ("attachment", &include_bytes!("../../../tests/vectors/mimi-content/attachment.cbor")[..]),
        ("expiring", include_bytes!("../../../tests/vectors/mimi-content/expiring.cbor")),
        ("mention", include_bytes!("../../../tests/vectors/mimi-content/mention.cbor")),
        ("multipart", include_bytes!("../../../tests/vectors/mimi-content/multipart-1.cbor")),
    ] {
        seeds.push(seed(name, 0, bytes));
    }
    seeds
}

fn key_file() -> Seeds {
    let material = KeyMaterial { identity_seed: Secret::new([1; 32]), store_key: Secret::new([2; 32]) };
    let cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };
    let passphrase = Passphrase::new("battery staple".to_owned());
    let plain = seal_key_file(&material, None, cost, &mut rng());
    let locked = seal_key_file(&material, Some(&passphrase), cost, &mut rng());
    let dear = seal_key_file(&material, Some(&passphrase), Cost { memory_kib: 9_000, passes: 1, lanes: 1 }, &mut rng());
    vec![
        seed("plain", 0, &plain),
        seed("locked", 0, &locked),
        seed("dear", 0, &dear),
        seed("plain-mended", 1, &plain),
        seed("locked-mended", 1, &locked),
        seed("change", 2, b"\0\0\0\x48\x01"),
        seed("change-locked", 2, b"\x01\0\0\x48\x01passphrase"),
        seed("change-mended", 2, b"\0\x01\0\x48\x01"),
        seed("change-locked-mended", 2, b"\x01\x01\0\x48\x01passphrase"),
    ]
}

/// The first without an address.
fn mailbox_at(n: u8) -> Mailbox {
    let peer = IdentityKeypair::from_seed(&Secret::new([n + 20; 32])).peer_id();
    Mailbox { peer, addrs: (0..n.min(1)).map(|_| format!("/ip4/192.0.2.{n}/udp/4001/quic-v1")).collect() }
}

fn link() -> Seeds {
    let peer = owner().peer_id();
    let full = Link {
        peer,
        name: Some("Ada L. \u{1f4ef}".to_owned()),
        addrs: vec!["/ip4/100.64.0.1/tcp/4001".to_owned(), "/dns4/example.org/udp/4001/quic-v1".to_owned()],
        token: Some(RequestToken::from_bytes([7; 16])),
        mailboxes: (0..3).map(mailbox_at).collect(),
    };
    let bare = Link { peer, name: None, addrs: Vec::new(), token: None, mailboxes: Vec::new() };
    let number = safety_number_of_two();
    vec![
        seed("full", 0, full.to_string()),
        seed("bare", 0, bare.to_string()),
        seed("markdown", 0, format!("[Ada](<{full}>).")),
        seed("quoted", 0, full.to_string().replace("KooW", "KooW\n> ")),
        seed("peer", 1, peer.to_string()),
        seed("hints", 2, b"\x84\xf6\x63Ada\x4b\x04\x64\x40\0\x01\x91\x02\x0f\xa1\xcd\x03\xa1\x01\x81\x02"),
        seed("unknown-address", 2, b"\x83\xf6\x43\x01\x02\x03\x48\x04\x64\x40\0\x01\x06\x01\xbb"),
        seed("number", 3, number.to_string()),
        seed("digits", 3, number.digits()),
        seed("qr", 3, format!("ROHRPOST-SAFETY:1:{}", number.digits())),
    ]
}

/// Who writes is in the first bit, how many in the next two, what happens in the other five.
fn interaction() -> Seeds {
    const BOB: u8 = 0x80;
    let raw = |name: &str, ops: &[u8]| (name.to_owned(), ops.to_vec());
    vec![
        raw("hello", &[0, 6, BOB, BOB | 6, 0, 6]),
        raw("one-time", &[14, 0, 6, BOB, BOB | 6]),
        raw("crossing", &[0x60, BOB | 0x60, 6, BOB | 6, 11, 0, BOB, 11]),
        raw("copies-and-losses", &[0x60, 12, 2, 12, 0, 12, 2, BOB | 0x60, 12, 4, 12, 4, 0, 11, 12, 1]),
        raw("ml-kem", &[0, 6, BOB, BOB | 6, 16, 11, BOB, BOB | 6, 0, 6, BOB, BOB | 6, 15, 25, 0, 6, BOB, 11]),
        raw("changed", &[0, 17, 0, 4, 200, 1, 19, 0, 1, 2, 18, 0, 0, 1, 1, 20, 0, 1, 7, 21, 0, 0, 22, 0, 6]),
        raw("injected", &[23, 24, 25, 3, 1, 2, 3, 26, 0, 2, 1, 0, 0, 6]),
        raw("again", &[0, 6, 13, 0, 6, BOB, BOB | 13, BOB, 11, 15, 200, 30, 0, 11]),
        raw("old-copy", &[0, 6, BOB, BOB | 6, 27, 0x60, 11, 28, 0x60, 11, BOB, 11, 28, 0, 11]),
        raw("long", &[29, 15, 255, 7, 6, BOB | 29, 3, 0, 8, BOB | 6]),
    ]
}

/// What happens, for whom, and to which or how, as `messenger::outgoing::fuzzing` reads it.
fn outgoing() -> Seeds {
    const ACCEPTED: [u8; 3] = [12, 0, 0];
    const MESSAGE: [u8; 3] = [0, 0, 3];
    const LARGE: [u8; 3] = [0, 0, 16];
    const RECEIPT: [u8; 3] = [0, 0, 0];
    const CONNECT: [u8; 3] = [1, 0, 0];
    const STREAM: [u8; 3] = [2, 0, 0];
    const POST: [u8; 3] = [3, 0, 0];
    // The first that was asked.
    const ACKED: [u8; 3] = [4, 1, 1];
    const STORED: [u8; 3] = [5, 0, 5];
    const RESTART: [u8; 3] = [14, 0, 0];
    const DAY: [u8; 3] = [8, 0, 24];
    let raw = |name: &str, steps: &[[u8; 3]]| (name.to_owned(), steps.concat());
    let for_all = |step: [u8; 3]| (0..5).map(move |who| [step[0], who, step[2]]);
    let mut crowd: Vec<[u8; 3]> = for_all(ACCEPTED).chain(for_all(CONNECT)).collect();
    (0..4).for_each(|_| crowd.extend(for_all(LARGE).chain(for_all(STREAM))));
    crowd.extend(for_all(CONNECT).chain(for_all(POST)).chain([STORED; 9]).chain([CONNECT, STREAM, ACKED]));
    vec![
        raw("stream", &[ACCEPTED, MESSAGE, CONNECT, STREAM, ACKED, [9, 0, 0]]),
        raw("mailboxes", &[ACCEPTED, MESSAGE, POST, STORED, STORED, DAY, CONNECT, STREAM, ACKED]),
        raw(
            "before-acceptance",
            &[MESSAGE, MESSAGE, MESSAGE, MESSAGE, CONNECT, STREAM, ACKED, ACKED, ACCEPTED, STREAM],
        ),
        raw("restart", &[ACCEPTED, MESSAGE, MESSAGE, POST, STORED, RESTART, POST, STORED, CONNECT, STREAM, ACKED]),
        raw("refused", &[MESSAGE, RECEIPT, CONNECT, STREAM, [4, 1, 5], STREAM, [4, 1, 6], STREAM, [4, 1, 2], ACKED]),
        raw("work", &[ACCEPTED, MESSAGE, POST, [5, 0, 2], [6, 0, 0], POST, STORED, STORED]),
        raw("receipts", &[RECEIPT, RECEIPT, [0, 0, 2], [0, 0, 1], [13, 0, 0], DAY, POST, STORED, STORED]),
        raw("void", &[ACCEPTED, MESSAGE, POST, [5, 0, 1], POST, [5, 0, 4], STORED, [7, 0, 0], POST, STORED]),
        raw("aged", &[ACCEPTED, MESSAGE, POST, STORED, STORED, [8, 0, 255], [8, 0, 255], POST, STORED, STORED]),
        raw(
            "shut",
            &[ACCEPTED, MESSAGE, CONNECT, STREAM, [12, 0, 1], MESSAGE, STREAM, [11, 0, 0], STREAM, ACKED, ACKED],
        ),
        raw("unreadable", &[ACCEPTED, MESSAGE, MESSAGE, [10, 0, 0], CONNECT, STREAM, ACKED, RESTART, CONNECT, STREAM]),
        raw("other-card", &[ACCEPTED, MESSAGE, POST, STORED, [12, 0, 18], POST, STORED, [12, 0, 7], POST, STORED]),
        raw("crowd", &crowd),
    ]
}
