use proptest::collection::vec;
use proptest::prelude::*;

use crate::base::MessageId;
use crate::base::limits::{MAX_NAME_CHARS, MAX_STATUS_IDS};

use super::*;

fn ids(max: usize) -> impl Strategy<Value = Vec<MessageId>> {
    vec(any::<[u8; 32]>().prop_map(MessageId::new), 0..max)
}

fn item() -> impl Strategy<Value = Item> {
    let name = || prop::option::of("\\PC{1,64}");
    prop_oneof![
        (any::<u64>(), vec(any::<u8>(), 0..300)).prop_map(|(ms, body)| Item::Message { sent_at: WallTime(ms), body }),
        (name(), name(), any::<Option<[u8; 16]>>())
            .prop_map(|(name, subject, token)| Item::Introduction(Introduction { name, subject, token })),
        (ids(5), ids(5)).prop_map(|(delivered, read)| Item::Status(StatusReport { delivered, read })),
        "\\PC{0,64}".prop_map(|name| Item::Profile(Profile { name })),
        Just(Item::Accepted),
        Just(Item::Reset),
        vec(".{0,64}", 0..=MAX_ADDRS).prop_map(Item::Addresses),
        vec(any::<u8>(), 1..300).prop_map(Item::Card),
        any::<[u8; TOKEN_LEN]>().prop_map(|bytes| Item::Token(Secret::new(bytes))),
        ids(5).prop_map(Item::Inquiry),
        (11_u64.., vec(any::<u8>(), 0..300)).prop_map(|(kind, bytes)| Item::Unknown { kind, bytes }),
    ]
}

fn one(item: Item) -> Result<Capsule, ContentError> {
    Capsule::decode(&Capsule { items: vec![item] }.encode())
}

/// The layout, byte by byte (content.md, "Capsule").
#[test]
fn the_bytes_are_those_of_the_specification() {
    let items = vec![
        Item::Introduction(Introduction { name: Some("Al".into()), subject: None, token: Some([7; 16]) }),
        Item::Message { sent_at: WallTime(1000), body: vec![0xab] },
        Item::Status(StatusReport { delivered: vec![MessageId::new([1; 32])], read: vec![] }),
        Item::Profile(Profile { name: "Al".into() }),
        Item::Accepted,
        Item::Reset,
        Item::Addresses(vec!["/a".into()]),
        Item::Card(vec![1]),
        Item::Token(Secret::new([2; TOKEN_LEN])),
        Item::Inquiry(vec![MessageId::new([3; 32])]),
        Item::Unknown { kind: 11, bytes: vec![1] },
    ];
    let mut expected = vec![0x8b];
    expected.extend([0x82, 0x02, 0x56, 0x83, 0x62, b'A', b'l', 0xf6, 0x50]);
    expected.extend([7; 16]);
    expected.extend([0x82, 0x01, 0x46, 0x82, 0x19, 0x03, 0xe8, 0x41, 0xab]);
    expected.extend([0x82, 0x03, 0x58, 0x24, 0x82, 0x58, 0x20]);
    expected.extend([1; 32]);
    expected.extend([0x40, 0x82, 0x04, 0x44, 0x81, 0x62, b'A', b'l']);
    expected
        .extend([0x82, 0x05, 0x40, 0x82, 0x06, 0x40, 0x82, 0x07, 0x44, 0x81, 0x62, b'/', b'a', 0x82, 0x08, 0x41, 0x01]);
    expected.extend([0x82, 0x09, 0x58, 0x30]);
    expected.extend([2; TOKEN_LEN]);
    expected.extend([0x82, 0x0a, 0x58, 0x22, 0x58, 0x20]);
    expected.extend([3; 32]);
    expected.extend([0x82, 0x0b, 0x41, 0x01]);
    let capsule = Capsule { items };
    assert_eq!(capsule.encode(), expected);
    assert_eq!(Capsule::decode(&expected), Ok(capsule));
}

/// CON-21
#[test]
fn the_number_of_items_and_the_size_are_bounded() {
    let items = |n| Capsule { items: vec![Item::Accepted; n] };
    assert_eq!(Capsule::decode(&items(MAX_CAPSULE_ITEMS).encode()), Ok(items(MAX_CAPSULE_ITEMS)));
    assert_eq!(Capsule::decode(&items(MAX_CAPSULE_ITEMS + 1).encode()), Err(ContentError::TooMany("items")));
    let largest = Capsule { items: vec![Item::Unknown { kind: u64::MAX, bytes: vec![0; MAX_PAYLOAD - 14] }] };
    assert_eq!(largest.encode().len(), MAX_PAYLOAD);
    assert_eq!(Capsule::decode(&largest.encode()), Ok(largest));
    assert_eq!(Capsule::decode(&[0; MAX_PAYLOAD + 1]), Err(ContentError::TooLarge));
    assert_eq!(
        Capsule::decode(&[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
        Err(ContentError::TooMany("items"))
    );
    assert_eq!(Capsule::decode(&[0x80]), Ok(Capsule::default()));
    assert_eq!(Capsule::decode(&[0x80, 0]), Err(ContentError::TrailingBytes));
}

/// CON-24
#[test]
fn names_and_subjects_are_counted_in_characters() {
    let both = |text: String| Introduction { name: Some(text.clone()), subject: Some(text), token: None };
    assert!(one(Item::Introduction(both("\u{1f4ee}".repeat(MAX_NAME_CHARS)))).is_ok());
    let long = both("x".repeat(MAX_NAME_CHARS + 1));
    assert_eq!(one(Item::Introduction(long)), Err(ContentError::TooLong("name")));
    let long = both("\u{1f4ee}".repeat(MAX_NAME_CHARS + 1));
    assert_eq!(one(Item::Introduction(long.clone())), Err(ContentError::TooLong("name")));
    let subject = Introduction { name: None, ..long };
    assert_eq!(one(Item::Introduction(subject)), Err(ContentError::TooLong("subject")));
    assert_eq!(one(Item::Introduction(both(String::new()))), Err(ContentError::Field("name")));
}

/// CON-25
#[test]
fn status_reports_are_bounded_and_whole() {
    let report = |n| Item::Status(StatusReport { delivered: vec![], read: vec![MessageId::new([1; 32]); n] });
    assert!(one(report(MAX_STATUS_IDS)).is_ok());
    assert_eq!(one(report(MAX_STATUS_IDS + 1)), Err(ContentError::TooLong("read")));
    // 33 bytes are no list of IDs.
    let mut bytes = vec![0x81, 0x82, 0x03, 0x58, 0x25, 0x82, 0x58, 0x21];
    bytes.extend([1; 33]);
    bytes.push(0x40);
    assert_eq!(Capsule::decode(&bytes), Err(ContentError::Field("delivered")));
}

/// CON-32
#[test]
fn inquiries_are_bounded_and_whole() {
    let inquiry = |n| Item::Inquiry(vec![MessageId::new([1; 32]); n]);
    assert!(one(inquiry(MAX_STATUS_IDS)).is_ok());
    assert_eq!(one(inquiry(MAX_STATUS_IDS + 1)), Err(ContentError::TooLong("inquiry")));
    assert_eq!(Capsule::decode(&[0x81, 0x82, 0x0a, 0x42, 0x41, 0x01]), Err(ContentError::Field("inquiry")));
}

/// CON-26
#[test]
fn a_profile_may_be_without_a_name_but_not_with_a_long_one() {
    assert!(one(Item::Profile(Profile::default())).is_ok());
    let name = "x".repeat(MAX_NAME_CHARS + 1);
    assert_eq!(one(Item::Profile(Profile { name })), Err(ContentError::TooLong("name")));
}

/// CON-28
#[test]
fn addresses_are_bounded() {
    let addrs = |n, len: usize| Item::Addresses(vec!["x".repeat(len); n]);
    assert!(one(addrs(MAX_ADDRS, MAX_ADDR_LEN)).is_ok());
    assert_eq!(one(addrs(MAX_ADDRS + 1, 1)), Err(ContentError::TooMany("addresses")));
    assert_eq!(one(addrs(1, MAX_ADDR_LEN + 1)), Err(ContentError::TooLong("address")));
    assert_eq!(Capsule::decode(&[0x81, 0x82, 0x07, 0x42, 0x80, 0x00]), Err(ContentError::TrailingBytes));
}

/// CON-22
#[test]
fn payloads_are_held_to_their_kind() {
    let payloads: [(u8, &[u8]); 8] = [
        (1, &[0x82, 0x00, 0x40]),
        (2, &[0x83, 0xf6, 0xf6, 0xf6]),
        (3, &[0x82, 0x40, 0x40]),
        (4, &[0x81, 0x60]),
        (5, &[]),
        (6, &[]),
        (7, &[0x80]),
        (10, &[0x40]),
    ];
    for (kind, payload) in payloads {
        let item = |payload: &[u8]| {
            let len = 0x40 + u8::try_from(payload.len()).unwrap();
            Capsule::decode(&[&[0x81, 0x82, kind, len], payload].concat())
        };
        assert!(item(payload).is_ok(), "{kind}");
        assert_eq!(item(&[payload, &[0]].concat()), Err(ContentError::TrailingBytes), "{kind}");
    }
    assert_eq!(Capsule::decode(&[0x81, 0x82, 0x01, 0x40]), Err(ContentError::Malformed));
    assert_eq!(Capsule::decode(&[0x81, 0x83, 0x05, 0x40, 0x00]), Err(ContentError::Field("item")));
}

/// CON-27
#[test]
fn unknown_kinds_are_kept_exactly() {
    let unknown = Item::Unknown { kind: u64::MAX, bytes: vec![0xff; 3] };
    assert_eq!(one(unknown.clone()).unwrap().items, vec![unknown]);
}

#[test]
fn a_token_is_not_shown() {
    let introduction = Introduction { name: None, subject: None, token: Some([0x42; 16]) };
    let shown = format!("{introduction:?}");
    assert!(shown.contains("redacted") && !shown.contains("66"), "{shown}");
}

proptest! {
    #[test]
    fn items_come_back(items in vec(item(), 0..=MAX_CAPSULE_ITEMS)) {
        let capsule = Capsule { items };
        prop_assert_eq!(Capsule::decode(&capsule.encode()), Ok(capsule));
    }

    /// Whatever is accepted has exactly one encoding; nothing panics.
    #[test]
    fn arbitrary_bytes(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(capsule) = Capsule::decode(&bytes) {
            prop_assert_eq!(capsule.encode(), bytes);
        }
    }

    #[test]
    fn damaged_capsules(items in vec(item(), 1..4), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let whole = Capsule { items }.encode();
        let mut damaged = whole.clone();
        damaged[at.index(whole.len())] = byte;
        if let Ok(capsule) = Capsule::decode(&damaged) {
            prop_assert_eq!(capsule.encode(), damaged);
        }
        prop_assert!(Capsule::decode(&whole[..cut.index(whole.len())]).is_err());
    }
}

/// CON-30
#[test]
fn a_card_is_bounded_and_not_looked_into() {
    for len in [1, MAX_CARD] {
        assert!(one(Item::Card(vec![0xff; len])).is_ok());
    }
    for len in [0, MAX_CARD + 1] {
        assert_eq!(one(Item::Card(vec![0xff; len])), Err(ContentError::TooLong("card")), "{len}");
    }
}

/// CON-31
#[test]
fn a_token_has_its_length_and_is_not_shown() {
    for len in [0, TOKEN_LEN - 1, TOKEN_LEN + 1] {
        let bytes = Capsule { items: vec![Item::Unknown { kind: TOKEN, bytes: vec![7; len] }] }.encode();
        assert_eq!(Capsule::decode(&bytes), Err(ContentError::Field("token")), "{len}");
    }
    let token = Item::Token(Secret::new([0x42; TOKEN_LEN]));
    assert!(format!("{token:?}").contains("redacted"));
    assert!(one(token).is_ok());
}
