use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::testing::{NOW, alice, bit_flips, bob, cbor, counting, hex, rng};
use super::*;
use crate::base::{Millis, Secret};
use crate::crypto::dh::DhSecret;
use crate::crypto::hash::sha256;
use crate::crypto::kem::KemSecret;
use crate::identity::CardKeys;

/// The example of the specification.
fn example() -> CardContent {
    let public = |byte| DhSecret::from_bytes(Secret::new([byte; 32])).public();
    CardContent {
        sequence: NOW.0,
        issued: NOW,
        expires: NOW + CARD_LIFE,
        prekey_id: PrekeyId(1),
        prekey: public(0x11),
        kem_id: PrekeyId(2),
        kem: KemSecret::from_seed(Secret::new(counting(0))).public(),
        seal_id: PrekeyId(3),
        seal: public(0x33),
        queue: [0x44; 16],
        mailboxes: vec![Mailbox {
            peer: bob().peer_id(),
            addrs: vec!["/ip4/192.0.2.1/tcp/4001".into(), "/dns/mailbox.example/udp/4001/quic-v1".into()],
        }],
        relays: vec![],
        policy: RequestPolicy::Requests,
        work: 0,
    }
}

fn open(bytes: &[u8]) -> Result<Card, RecordError> {
    CardIn::decode(bytes)?.verify(alice().public(), NOW)
}

/// ID-20, ID-21: computed by another implementation.
#[test]
fn example_of_the_specification() {
    let bytes = example().sign(&alice());
    assert_eq!(bytes.len(), 1527);
    assert_eq!(sha256(&[&bytes])[..], hex("50f3f3af3518874759099a37e92c81023613da5887d276842cb29819f7a9bd20"));
}

#[test]
fn what_the_owner_signs_a_peer_verifies() {
    let keys = CardKeys::generate(&mut rng(1));
    let content = CardContent { seal: keys.seal.public(), kem: keys.kem.public(), ..example() };
    let bytes = content.sign(&alice());
    let unverified = CardIn::decode(&bytes).unwrap();
    assert_eq!(unverified.claimed_owner(), alice().peer_id());
    let card = unverified.verify(alice().public(), NOW).unwrap();
    assert_eq!((card.content(), card.bytes()), (&content, &bytes[..]));
    assert_eq!((card.peer(), card.owner(), card.seal), (alice().peer_id(), alice().public(), keys.seal.public()));
}

/// ID-14, ID-15.
#[test]
fn another_owner_and_a_late_use_are_refused() {
    let bytes = example().sign(&alice());
    let verify = |key: &IdentityKeypair, now| CardIn::decode(&bytes).unwrap().verify(key.public(), now);
    assert_eq!(verify(&bob(), NOW), Err(RecordError::WrongOwner));
    assert!(verify(&alice(), NOW + CARD_LIFE - Millis(1)).is_ok());
    assert_eq!(verify(&alice(), NOW + CARD_LIFE), Err(RecordError::Expired));
    // The owner's clock may be ahead of ours.
    assert!(verify(&alice(), NOW - CARD_LIFE).is_ok());
}

/// ID-14: time is looked at only when everything else is right.
#[test]
fn a_foreign_label_or_key_is_refused_even_when_it_is_late() {
    let bytes = example().sign(&alice());
    let body = &CardIn::decode(&bytes).unwrap().unverified.frame.body;
    let foreign = record::sign(&alice(), "rohrpost/identity/one-time-prekey/v1", body);
    for forged in [foreign, record::sign(&bob(), LABEL, body)] {
        let result = CardIn::decode(&forged).unwrap().verify(alice().public(), NOW + CARD_LIFE);
        assert_eq!(result, Err(RecordError::Signature));
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    for flipped in bit_flips(&example().sign(&alice())) {
        assert!(open(&flipped).is_err());
    }
}

/// The fields of the example, each as its encoded value, to be tampered with before signing.
struct Fields(BTreeMap<u64, Vec<u8>>);

impl Fields {
    fn example() -> Self {
        let body = example().encode_body(alice().peer_id());
        let mut decoder = minicbor::Decoder::new(&body);
        let fields = decoder.map().unwrap().unwrap();
        let pairs = (0..fields).map(|_| {
            let key = decoder.u64().unwrap();
            let start = decoder.position();
            decoder.skip().unwrap();
            (key, body[start..decoder.position()].to_vec())
        });
        Self(pairs.collect())
    }

    fn with(mut self, key: u64, value: Vec<u8>) -> Self {
        self.0.insert(key, value);
        self
    }

    fn without(mut self, key: u64) -> Self {
        self.0.remove(&key);
        self
    }

    fn body(&self) -> Vec<u8> {
        let mut body = cbor(|w| w.map(self.0.len()));
        for (key, value) in &self.0 {
            body.extend(cbor(|w| w.put(*key)));
            body.extend(value);
        }
        body
    }

    /// Signed by the owner: it is not the signature that is wrong.
    fn open(&self) -> Result<Card, RecordError> {
        open(&record::sign(&alice(), LABEL, &self.body()))
    }
}

fn number(n: u64) -> Vec<u8> {
    cbor(|w| w.put(n))
}

fn nodes(count: usize, addrs: &[&str]) -> Vec<u8> {
    let addrs: Vec<String> = addrs.iter().map(|a| (*a).to_owned()).collect();
    let node = |i| Mailbox { peer: PeerId::from_key_bytes([i; 32]), addrs: addrs.clone() };
    let nodes: Vec<_> = (0..u8::try_from(count).unwrap()).map(node).collect();
    cbor(|w| {
        encode_nodes(w, &nodes);
        w
    })
}

/// ID-13, ID-21.
#[test]
fn fields_are_all_there_in_their_order_and_no_others() {
    assert_eq!(Fields::example().open().unwrap().content(), &example());
    for key in 0..FIELDS as u64 {
        assert!(matches!(Fields::example().without(key).open(), Err(RecordError::Malformed(_))), "without {key}");
    }
    for key in [13, 31] {
        assert!(matches!(Fields::example().with(key, vec![0x40]).open(), Err(RecordError::Malformed(_))), "{key}");
    }
    let trailing = [Fields::example().body(), vec![0]].concat();
    assert_eq!(open(&record::sign(&alice(), LABEL, &trailing)), Err(RecordError::Malformed("trailing bytes")));
    let swapped = {
        let mut body = Fields::example().body();
        let tail = body.len() - 4;
        assert_eq!(body[tail..], [0x0b, 0, 0x0c, 0]);
        body[tail] = 0x0c;
        body[tail + 2] = 0x0b;
        body
    };
    assert!(matches!(open(&record::sign(&alice(), LABEL, &swapped)), Err(RecordError::Malformed(_))));
}

/// ID-13: what a newer program adds is skipped, and passed on.
#[test]
fn extensions_are_skipped_and_kept_in_the_bytes() {
    let fields = Fields::example().with(32, vec![0x41, 7]).with(1000, vec![0x40]);
    let bytes = record::sign(&alice(), LABEL, &fields.body());
    let card = open(&bytes).unwrap();
    assert_eq!((card.content(), card.bytes()), (&example(), &bytes[..]));
    assert!(Fields::example().with(32, number(7)).open().is_err(), "an extension is a byte string");
}

/// ID-20: the version is looked at before anything that a newer one may have changed.
#[test]
fn a_newer_version_is_said_to_be_newer() {
    let newer = Fields::example().with(0, number(2)).with(5, vec![0xf6]).with(14, vec![0x40]);
    assert_eq!(newer.open(), Err(RecordError::UnknownVersion(2)));
}

/// ID-22, ID-23, ID-25, ID-26.
#[test]
fn bounds_are_kept() {
    let lifetime = |expires: u64| Fields::example().with(4, number(expires)).open().map(|_| ());
    let outside = |what| Err(RecordError::Bounds(what));
    assert_eq!(lifetime(NOW.0 + CARD_LIFE.0 + 1), outside("lifetime"));
    assert_eq!(lifetime(NOW.0), Err(RecordError::Expired));
    assert_eq!(lifetime(NOW.0 - 1), outside("lifetime"));
    assert_eq!(lifetime(u64::MAX), outside("lifetime"));

    let work = |level| Fields::example().with(12, number(level)).open().map(|card| card.work);
    assert_eq!(
        (work(24), work(25), work(256)),
        (Ok(24), Err(RecordError::Bounds("work")), Err(RecordError::Bounds("work")))
    );

    let policy = |code| Fields::example().with(11, number(code)).open().map(|card| card.policy);
    assert_eq!(policy(2), Ok(RequestPolicy::Nobody));
    assert_eq!(policy(200), Ok(RequestPolicy::Other(200)));
    assert_eq!(policy(256), Err(RecordError::Bounds("policy")));

    for key in [9, 10] {
        let check = |count, addrs: &[&str]| Fields::example().with(key, nodes(count, addrs)).open().map(|_| ());
        let long = format!("/{}", "a".repeat(MAX_ADDR_LEN - 1));
        assert_eq!(check(3, &["/a"; 8]), Ok(()));
        assert_eq!(check(1, &[&long]), Ok(()));
        assert_eq!(check(4, &[]), outside("number of mailboxes or relays"));
        assert_eq!(check(1, &["/a"; 9]), outside("number of addresses"));
        for bad in ["", "a", "/a b", "/a\u{1b}[31m", "/ä", "/a\n", &format!("{long}a")] {
            assert_eq!(check(1, &[bad]), outside("an address"), "{bad:?}");
        }
        let twice = {
            let mut bytes = nodes(2, &[]);
            bytes.iter_mut().filter(|b| **b == 1).for_each(|b| *b = 0);
            Fields::example().with(key, bytes).open().map(|_| ())
        };
        assert_eq!(twice, outside("a mailbox or relay is named twice"));
    }
}

/// ID-16, ID-21: keys and IDs have their lengths, ML-KEM keys their range.
#[test]
fn keys_that_are_none_are_refused() {
    let pair = |bytes: &[u8]| cbor(|w| w.array(2).put(1u8).bytes(bytes));
    for (key, value) in [(5, pair(&[0; 31])), (7, pair(&[0; 33])), (8, vec![0x40]), (6, pair(&[0xff; 1184]))] {
        assert!(matches!(Fields::example().with(key, value).open(), Err(RecordError::Malformed(_))), "field {key}");
    }
    assert!(Fields::example().with(5, cbor(|w| w.array(3).put(1u8).bytes(&[0; 32]))).open().is_err());
}

/// ID-10.
#[test]
fn nothing_of_a_large_card_is_parsed() {
    let bytes = [example().sign(&alice()), vec![0; MAX_CARD]].concat();
    assert_eq!(open(&bytes), Err(RecordError::TooLarge { got: bytes.len(), max: MAX_CARD }));
    let with_extension = |len| {
        let fields = Fields::example().with(32, cbor(|w| w.bytes(&vec![0; len])));
        record::sign(&alice(), LABEL, &fields.body())
    };
    let largest = 2500 + MAX_CARD - with_extension(2500).len();
    let bytes = with_extension(largest);
    assert_eq!(bytes.len(), MAX_CARD);
    assert!(open(&bytes).is_ok());
    assert!(matches!(open(&with_extension(largest + 1)), Err(RecordError::TooLarge { .. })));
}

/// ID-10, ID-23: what fills a card to its last byte is not left out.
#[test]
fn a_card_may_be_as_large_as_its_bound() {
    let filled = |last: usize| {
        let lengths = |lengths: &[usize]| lengths.iter().map(|len| format!("/{}", "a".repeat(len - 1))).collect();
        let node = |n, addrs| Mailbox { peer: PeerId::from_key_bytes([n; 32]), addrs };
        let mailboxes = vec![node(1, lengths(&[MAX_ADDR_LEN; 8])), node(2, lengths(&[MAX_ADDR_LEN, 100, last]))];
        CardContent { mailboxes, ..example() }
    };
    let body_len = |content: &CardContent| content.encode_body(alice().peer_id()).len();
    let content = filled(100 + MAX_CARD - FRAME_LEN - body_len(&filled(100)));
    let bytes = content.sign(&alice());
    assert_eq!(bytes.len(), MAX_CARD);
    assert_eq!(open(&bytes).unwrap().content(), &content);
}

/// ID-27.
#[test]
fn a_sequence_grows_and_is_not_behind_the_clock() {
    assert_eq!(next_sequence(0, NOW), NOW.0);
    assert_eq!(next_sequence(NOW.0, NOW), NOW.0 + 1);
    assert_eq!(next_sequence(NOW.0 + 10, NOW), NOW.0 + 11);
    assert_eq!(next_sequence(u64::MAX, NOW), u64::MAX);
}

fn any_nodes() -> impl Strategy<Value = Vec<Mailbox>> {
    let addr = prop_oneof![Just(format!("/{}", "a".repeat(255))), "/[ -~]{0,300}", ".{0,20}"];
    let node = (0u8..4, vec(addr, 0..10));
    vec(node.prop_map(|(i, addrs)| Mailbox { peer: PeerId::from_key_bytes([i; 32]), addrs }), 0..6)
}

proptest! {
    /// Whatever the content, what is signed fits, decodes, and says the same as far as it is inside the bounds.
    #[test]
    fn every_content_becomes_a_card(
        (sequence, issued, expires) in any::<(u64, u64, u64)>(),
        mailboxes in any_nodes(),
        relays in any_nodes(),
        policy: u8,
        work: u8,
    ) {
        let (issued, expires) = (WallTime(issued), WallTime(expires));
        let policy = RequestPolicy::from_code(policy);
        let content = CardContent { sequence, issued, expires, mailboxes, relays, policy, work, ..example() };
        let bytes = content.sign(&alice());
        prop_assert!(bytes.len() <= MAX_CARD);
        let unverified = CardIn::decode(&bytes).unwrap();
        prop_assert_eq!(unverified.unverified.verify(LABEL, alice().public(), WallTime(1), WallTime(0)), Ok(()));

        let (signed, bounded) = (unverified.content, content.bounded());
        let without_addrs = |content: &CardContent| {
            let mut content = content.clone();
            content.mailboxes.iter_mut().chain(&mut content.relays).for_each(|node| node.addrs.clear());
            content
        };
        prop_assert_eq!(without_addrs(&signed), without_addrs(&bounded));
        let all = |c: &CardContent| c.mailboxes.iter().chain(&c.relays).cloned().collect::<Vec<_>>();
        for (kept, given) in all(&signed).iter().zip(all(&bounded)) {
            prop_assert!(given.addrs.starts_with(&kept.addrs));
        }
        // Addresses are left out only when there is no room: the longest would not have fitted.
        if signed != bounded {
            prop_assert!(bytes.len() + MAX_ADDR_LEN + 8 > MAX_CARD, "{}", bytes.len());
        }
        prop_assert_eq!(signed.sign(&alice()), bytes, "signing again gives the same card");
    }

    #[test]
    fn damage_never_panics(at in 0usize..1527, with in vec(any::<u8>(), 0..8), cut in 0usize..1600) {
        let mut bytes = example().sign(&alice());
        let end = (at + with.len()).min(bytes.len());
        bytes.splice(at..end, with);
        bytes.truncate(cut);
        if let Ok(card) = open(&bytes) {
            prop_assert_eq!(card.content(), &example());
        }
    }

    /// A tampered body under a right signature: the decoder is the only line of defence.
    #[test]
    fn damage_that_the_owner_signed_never_panics(at in 0usize..1450, with in vec(any::<u8>(), 1..8)) {
        let mut body = Fields::example().body();
        let end = (at + with.len()).min(body.len());
        body.splice(at.min(end)..end, with);
        if let Ok(card) = CardIn::decode(&record::sign(&alice(), LABEL, &body)) {
            prop_assert_eq!(card.content.encode_body(card.claimed_owner()), body, "one encoding for one content");
        }
    }
}
