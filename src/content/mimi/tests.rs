use proptest::collection::vec;
use proptest::prelude::*;

use crate::base::limits::{MAX_EXTENSION, MAX_EXTENSIONS, MAX_MEDIA_TYPE, MAX_SYMBOL, MAX_URI};

use super::*;

const ALICE: &str = "rohrpost:alice";
const ROOM: &str = "rohrpost:direct/alice/bob";

fn id(byte: u8) -> MessageId {
    let mut bytes = [byte; 32];
    bytes[0] = 1;
    MessageId::new(bytes)
}

fn hello() -> MimiContent {
    text([9; 16], ALICE, ROOM, 7, "hello", None)
}

fn with_part(part: Part) -> MimiContent {
    MimiContent { part, ..hello() }
}

fn single(content_type: &str, content: &[u8]) -> Part {
    part(Disposition::RENDER, Body::Single { content_type: content_type.to_owned(), content: content.to_vec() })
}

fn part(disposition: Disposition, body: Body) -> Part {
    Part { disposition, language: String::new(), body }
}

fn multi(semantics: Semantics, parts: Vec<Part>) -> Part {
    part(Disposition::RENDER, Body::Multi { semantics, parts })
}

fn again(content: &MimiContent) -> Result<MimiContent, ContentError> {
    MimiContent::decode(&content.encode())
}

/// The message without its extensions, so that a test can put others there: `(before, after)`.
fn around_extensions() -> (Vec<u8>, Vec<u8>) {
    let whole = MimiContent { extensions: Extensions::default(), ..hello() }.encode();
    let at = whole.iter().position(|&byte| byte == 0xa0).unwrap();
    (whole[..at].to_vec(), whole[at + 1..].to_vec())
}

fn with_extensions(map: &[u8]) -> Result<MimiContent, ContentError> {
    let (before, after) = around_extensions();
    let bytes = [&before, map, &after].concat();
    let decoded = MimiContent::decode(&bytes)?;
    assert_eq!(decoded.encode(), bytes);
    Ok(decoded)
}

#[test]
fn texts_and_replies() {
    let reply = text([9; 16], ALICE, ROOM, 7, "hello", Some(id(5)));
    let decoded = again(&reply).unwrap();
    assert_eq!(decoded, reply);
    assert_eq!(decoded.as_text(), Some("hello"));
    assert_eq!((decoded.sender_uri(), decoded.room_uri(), decoded.counter()), (Some(ALICE), Some(ROOM), Some(7)));
    assert_eq!((decoded.act(), decoded.in_reply_to), (Act::Post, Some(id(5))));
}

/// CON-11, CON-12
#[test]
fn reactions_edits_and_deletions_are_the_same_form() {
    let to = id(1);
    let react = reaction([9; 16], ALICE, ROOM, "❤", to);
    assert_eq!(react.act(), Act::React { to, symbols: vec!["❤"], replaces: None });
    let other = MimiContent { replaces: Some(id(2)), ..react.clone() };
    assert_eq!(other.act(), Act::React { to, symbols: vec!["❤"], replaces: Some(id(2)) });
    let unreact = unreaction([9; 16], ALICE, ROOM, id(2), to);
    assert_eq!(unreact.act(), Act::Unreact(id(2)));
    let edited = edit([9; 16], ALICE, ROOM, to, "hello!", Some(id(3)));
    assert_eq!((edited.act(), edited.as_text()), (Act::Edit(to), Some("hello!")));
    assert_eq!(edited.in_reply_to, Some(id(3)));
    let deleted = deletion([9; 16], ALICE, ROOM, to, Some(id(3)));
    assert_eq!((deleted.act(), deleted.as_text()), (Act::Delete(to), None));
    assert_eq!(deleted.in_reply_to, Some(id(3)));
    for content in [react, other, unreact, edited, deleted] {
        assert_eq!(again(&content).as_ref(), Ok(&content));
        assert_eq!(content.as_text().is_some(), matches!(content.act(), Act::Edit(_)));
        // Only what is displayed counts.
        assert_eq!(content.counter(), None);
        assert_eq!((content.sender_uri(), content.room_uri()), (Some(ALICE), Some(ROOM)));
    }
}

#[test]
fn what_is_no_symbol_is_shown_as_a_message() {
    let mut picture = reaction([9; 16], ALICE, ROOM, "x", id(1));
    picture.part.body = Body::Single { content_type: "image/png".into(), content: b"x".to_vec() };
    assert_eq!(picture.act(), Act::Post);
    for symbol in [String::new(), "x".repeat(MAX_SYMBOL + 1)] {
        assert_eq!(reaction([9; 16], ALICE, ROOM, &symbol, id(1)).act(), Act::Post);
    }
    let to_nothing = MimiContent { in_reply_to: None, ..reaction([9; 16], ALICE, ROOM, "x", id(1)) };
    assert_eq!(to_nothing.act(), Act::Post);
    let two = Body::Multi { semantics: Semantics::ProcessAll, parts: vec![picture.part.clone(), to_nothing.part] };
    let two = MimiContent { part: part(Disposition::REACTION, two), ..picture };
    assert_eq!(two.act(), Act::React { to: id(1), symbols: vec!["x"], replaces: None });
}

/// CON-9
#[test]
fn a_message_names_its_origin_or_none() {
    assert_eq!((hello().sender_uri(), hello().room_uri()), (Some(ALICE), Some(ROOM)));
    let nameless = MimiContent { extensions: Extensions::default(), ..hello() };
    assert_eq!((nameless.sender_uri(), nameless.room_uri()), (None, None));
}

/// CON-13
#[test]
fn the_room_of_two_people_is_the_same_from_both_sides() {
    let (a, b) = (PeerId::from_key_bytes([1; 32]), PeerId::from_key_bytes([2; 32]));
    assert_eq!(direct_room_uri(a, b), direct_room_uri(b, a));
    assert_eq!(direct_room_uri(b, a), format!("rohrpost:direct/{a}/{b}"));
    // Sorted by key is sorted by text.
    assert!(a.to_string() < b.to_string());
    assert!(direct_room_uri(a, b).len() <= MAX_URI);
}

/// CON-14
#[test]
fn texts_are_found_by_their_media_type() {
    for kind in
        ["text/plain", "TEXT/Plain; Charset=\"UTF-8\"", "text/markdown;variant=GFM-MIMI", "text/plain;charset=us-ascii"]
    {
        assert_eq!(single(kind, b"x").as_text(), Some("x"), "{kind}");
    }
    for kind in ["text/html", "text/plain;charset=latin1", "", "text/plainer", "image/png"] {
        assert_eq!(single(kind, b"x").as_text(), None, "{kind}");
    }
    assert_eq!(single("text/plain", &[0xff]).as_text(), None);
    // An unknown disposition is shown, a reaction is none.
    let mut odd = single("text/plain", b"x");
    odd.disposition = Disposition(200);
    assert_eq!(odd.as_text(), Some("x"));
    odd.disposition = Disposition::REACTION;
    assert_eq!(odd.as_text(), None);
    let both = vec![single("application/x", b"?"), single("text/plain", b"x")];
    assert_eq!(multi(Semantics::ChooseOne, both.clone()).as_text(), Some("x"));
    assert_eq!(multi(Semantics::ProcessAll, both.clone()).as_text(), Some("x"));
    assert_eq!(multi(Semantics::SingleUnit, both.clone()).as_text(), None);
    assert_eq!(multi(Semantics::SingleUnit, both).media_type(), Some("application/x"));
}

/// CON-1
#[test]
fn the_size_is_checked_first() {
    assert_eq!(MimiContent::decode(&[0xff; MAX_PAYLOAD + 1]), Err(ContentError::TooLarge));
    assert_eq!(MimiContent::decode(&[0xff; MAX_PAYLOAD]), Err(ContentError::Malformed));
}

/// CON-5
#[test]
fn nesting_and_parts_are_bounded() {
    let nest = |levels: usize| {
        (1..levels).fold(single("text/plain", b"x"), |inner, _| {
            multi(Semantics::ChooseOne, vec![inner, single("text/plain", b"y")])
        })
    };
    assert!(again(&with_part(nest(MAX_PART_DEPTH))).is_ok());
    assert_eq!(again(&with_part(nest(MAX_PART_DEPTH + 1))), Err(ContentError::TooDeep));
    let wide = |parts: usize| multi(Semantics::ProcessAll, vec![single("text/plain", b"x"); parts - 1]);
    assert!(again(&with_part(wide(MAX_PARTS))).is_ok());
    assert_eq!(again(&with_part(wide(MAX_PARTS + 1))), Err(ContentError::TooMany("parts")));
    // Counted over the whole message, not in each part.
    let half = || wide(MAX_PARTS / 2 + 1);
    let both = multi(Semantics::ProcessAll, vec![half(), half()]);
    assert_eq!(again(&with_part(both)), Err(ContentError::TooMany("parts")));
    // One part is no multipart.
    let lonely = multi(Semantics::ProcessAll, vec![single("text/plain", b"x")]);
    assert_eq!(again(&with_part(lonely)), Err(ContentError::Field("parts")));
}

/// CON-6
#[test]
fn lengths_are_bounded() {
    let topic = |len| MimiContent { topic: vec![0; len], ..hello() };
    assert!(again(&topic(MAX_TOPIC)).is_ok());
    assert_eq!(again(&topic(MAX_TOPIC + 1)), Err(ContentError::TooLong("topic")));
    let kind = |len| with_part(single(&"x".repeat(len), b""));
    assert!(again(&kind(MAX_MEDIA_TYPE)).is_ok());
    assert_eq!(again(&kind(MAX_MEDIA_TYPE + 1)), Err(ContentError::TooLong("content type")));
    let sender = |len: usize| text([0; 16], &"x".repeat(len), ROOM, 1, "", None);
    assert!(again(&sender(MAX_URI)).is_ok());
    assert_eq!(again(&sender(MAX_URI + 1)), Err(ContentError::TooLong("sender URI")));
    let external = |len| {
        let external = External { url: "x".repeat(len), ..External::default() };
        with_part(part(Disposition::ATTACHMENT, Body::External(Box::new(external))))
    };
    assert!(again(&external(2048)).is_ok());
    assert_eq!(again(&external(2049)), Err(ContentError::TooLong("url")));
}

/// CON-4, CON-7
#[test]
fn fields_are_held_to_their_types() {
    let unknown_hash = MimiContent { replaces: Some(MessageId::new([2; 32])), ..hello() };
    assert_eq!(again(&unknown_hash), Err(ContentError::Field("replaces")));
    let good = MimiContent { extensions: Extensions::default(), ..hello() }.encode();
    let damage = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        MimiContent::decode(&bytes)
    };
    assert_eq!(damage(0, 0x86), Err(ContentError::Field("message")));
    assert_eq!(damage(0, 0x9f), Err(ContentError::NotDeterministic));
    assert_eq!(damage(1, 0x4f), Err(ContentError::Field("salt")));
    assert_eq!(damage(18, 0x00), Err(ContentError::Field("replaces")));
    assert_eq!(damage(20, 0xf5), Err(ContentError::Field("expires")));
    // The part: its array, disposition, language, cardinality.
    assert_eq!(good[22..27], [0xa0, 0x85, 0x01, 0x60, 0x01]);
    assert_eq!(damage(23, 0x84), Err(ContentError::Field("cardinality")));
    assert_eq!(damage(24, 0x20), Err(ContentError::Field("disposition")));
    assert_eq!(damage(26, 0x04), Err(ContentError::Field("cardinality")));
    assert_eq!(damage(26, 0x03), Err(ContentError::Field("part semantics")));
    for cut in 0..good.len() {
        assert_eq!(MimiContent::decode(&good[..cut]), Err(ContentError::Malformed), "{cut}");
    }
    assert_eq!(MimiContent::decode(&[&good[..], &[0]].concat()), Err(ContentError::TrailingBytes));
}

/// CON-8
#[test]
fn extensions_unknown_to_us_are_kept_exactly() {
    // {1: "a", 256: [[h'1234', 32("b")], 1.5], -1: {h'00': null, "": true}, "z": -3, "aa": undefined}
    let map = [
        0xa5, 0x01, 0x61, b'a', 0x19, 0x01, 0x00, 0x82, 0x82, 0x42, 0x12, 0x34, 0xd8, 0x20, 0x61, b'b', 0xf9, 0x3e,
        0x00, 0x20, 0xa2, 0x41, 0x00, 0xf6, 0x60, 0xf5, 0x61, b'z', 0x22, 0x62, b'a', b'a', 0xf7,
    ];
    let content = with_extensions(&map).unwrap();
    let keys: Vec<_> = content.extensions.iter().map(|(key, _)| key.clone()).collect();
    let text = |text: &str| ExtensionKey::Text(text.to_owned());
    use ExtensionKey::Int;
    assert_eq!(keys, [Int(1), Int(256), Int(-1), text("z"), text("aa")]);
    assert_eq!(content.extensions.get(&text("z")), Some(&[0x22][..]));
    assert_eq!(content.extensions.get(&Int(3)), None);
    assert_eq!(content.sender_uri(), Some("a"));
}

/// CON-3, CON-4, CON-5, CON-6
#[test]
fn extensions_are_ordered_typed_and_bounded() {
    assert_eq!(with_extensions(&[0xa2, 2, 0x60, 1, 0x60]), Err(ContentError::NotDeterministic));
    assert_eq!(with_extensions(&[0xa2, 1, 0x60, 1, 0x60]), Err(ContentError::NotDeterministic));
    assert_eq!(with_extensions(&[0xa2, 0x20, 0, 4, 0]), Err(ContentError::NotDeterministic));
    assert_eq!(with_extensions(&[0xa2, 0x61, b'b', 0, 0x61, b'a', 0]), Err(ContentError::NotDeterministic));
    assert_eq!(with_extensions(&[0xa1, 0x60, 0]), Err(ContentError::Field("extension key")));
    assert_eq!(with_extensions(&[0xa1, 0x41, 0, 0]), Err(ContentError::Field("extension key")));
    assert_eq!(with_extensions(&[0xa1, 1, 0]), Err(ContentError::Field("sender URI")));
    assert_eq!(with_extensions(&[0xa1, 2, 0x40]), Err(ContentError::Field("room URI")));
    assert_eq!(with_extensions(&[0xa1, 3, 0x20]), Err(ContentError::Field("counter")));
    // Four levels with the map itself.
    assert!(with_extensions(&[0xa1, 4, 0x81, 0x81, 0x81, 0]).is_ok());
    assert_eq!(with_extensions(&[0xa1, 4, 0x81, 0x81, 0x81, 0x80]), Err(ContentError::TooDeep));
    assert_eq!(with_extensions(&[0xa1, 4, 0xc0, 0xc0, 0xc0, 0xc0, 0]), Err(ContentError::TooDeep));
    let value = |len: usize| {
        let len16 = u16::try_from(len - 3).unwrap().to_be_bytes();
        [&[0xa1, 4, 0x59][..], &len16, &vec![0; len - 3]].concat()
    };
    assert!(with_extensions(&value(MAX_EXTENSION)).is_ok());
    assert_eq!(with_extensions(&value(MAX_EXTENSION + 1)), Err(ContentError::TooLong("extension")));
    let many = |len: usize| {
        let head = [0xb8, u8::try_from(len).unwrap()];
        let entries = (0..len).flat_map(|i| [0x38, u8::try_from(100 + i).unwrap(), 0]);
        head.into_iter().chain(entries).collect::<Vec<u8>>()
    };
    assert!(with_extensions(&many(MAX_EXTENSIONS)).is_ok());
    assert_eq!(with_extensions(&many(MAX_EXTENSIONS + 1)), Err(ContentError::TooMany("extensions")));
}

#[test]
fn the_key_of_an_attachment_is_not_shown() {
    let external = External { key: vec![0x42; 16], ..External::default() };
    assert!(!format!("{external:?}").contains("66"), "{external:?}");
}

fn any_part() -> impl Strategy<Value = Part> {
    let body = prop_oneof![
        Just(Body::Null),
        (".{0,40}", vec(any::<u8>(), 0..100))
            .prop_map(|(content_type, content)| Body::Single { content_type, content }),
        (".{0,40}", any::<(u32, u64, u16, u8)>(), vec(any::<u8>(), 0..33)).prop_map(|(text, numbers, bytes)| {
            let (expires, size, enc_alg, hash_alg) = numbers;
            let (content_type, url, description, filename) = (text.clone(), text.clone(), text.clone(), text);
            let (key, nonce, aad, content_hash) = (bytes.clone(), bytes.clone(), bytes.clone(), bytes);
            let external = External {
                content_type,
                url,
                expires,
                size,
                enc_alg,
                key,
                nonce,
                aad,
                hash_alg,
                content_hash,
                description,
                filename,
            };
            Body::External(Box::new(external))
        }),
    ];
    let leaf = (any::<u8>(), "[a-z,]{0,9}", body).prop_map(|(disposition, language, body)| Part {
        disposition: Disposition(disposition),
        language,
        body,
    });
    leaf.prop_recursive(3, 20, 3, |inner| {
        let semantics = prop::sample::select(&[Semantics::ChooseOne, Semantics::SingleUnit, Semantics::ProcessAll][..]);
        (semantics, vec(inner, 2..4)).prop_map(|(semantics, parts)| multi(semantics, parts))
    })
}

fn any_content() -> impl Strategy<Value = MimiContent> {
    let id = || prop::option::of(any::<u8>().prop_map(id));
    let expires =
        prop::option::of(prop_oneof![any::<u32>().prop_map(Expires::At), any::<u32>().prop_map(Expires::AfterReading)]);
    (any::<([u8; 16], u64)>(), id(), vec(any::<u8>(), 0..40), expires, id(), ".{0,40}", any_part()).prop_map(
        |((salt, counter), replaces, topic, expires, in_reply_to, uri, part)| {
            let extensions = text(salt, &uri, &uri, counter, "", None).extensions;
            MimiContent { salt, replaces, topic, expires, in_reply_to, extensions, part }
        },
    )
}

proptest! {
    #[test]
    fn messages_come_back(content in any_content()) {
        prop_assert_eq!(again(&content), Ok(content));
    }

    /// Whatever is accepted has exactly one encoding; nothing panics.
    #[test]
    fn arbitrary_bytes(bytes in vec(any::<u8>(), 0..300)) {
        if let Ok(content) = MimiContent::decode(&bytes) {
            prop_assert_eq!(content.encode(), bytes);
        }
    }

    #[test]
    fn damaged_messages(content in any_content(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let whole = content.encode();
        let mut damaged = whole.clone();
        damaged[at.index(whole.len())] = byte;
        if let Ok(content) = MimiContent::decode(&damaged) {
            prop_assert_eq!(content.encode(), damaged);
            let _ = (content.act(), content.as_text(), content.part.media_type());
        }
        prop_assert!(MimiContent::decode(&whole[..cut.index(whole.len())]).is_err());
    }

    /// CON-10: what is kept without its origin is put together again byte for byte, whatever it is.
    #[test]
    fn what_is_kept_bare_is_whole_again(content in any_content(), sender in ".{0,40}", room in ".{0,40}", any in vec(any::<u8>(), 0..300)) {
        let origin = Origin::new(&sender, &room);
        let mut named = content.clone();
        named.extensions = text([0; 16], &sender, &room, 1, "", None).extensions;
        for bytes in [content.encode(), named.encode(), any] {
            let row = postcard::to_allocvec(&Bare::new(bytes.clone(), &origin)).unwrap();
            prop_assert!(row.len() <= bytes.len() + 3);
            prop_assert_eq!(postcard::from_bytes::<Bare>(&row).unwrap().whole(&origin), bytes);
        }
        let row = postcard::to_allocvec(&Bare::new(named.encode(), &origin)).unwrap();
        let decoded = postcard::from_bytes::<Bare>(&row).unwrap().decode().unwrap();
        prop_assert_eq!((decoded.salt, &decoded.part, decoded.counter()), (named.salt, &named.part, Some(1)));
        prop_assert!(row.len() + sender.len() + room.len() <= named.encode().len());
    }

    /// The ID as the specification writes it, from one concatenation.
    #[test]
    fn ids_are_those_of_the_formula(sender in ".{0,60}", room in ".{0,60}", message in vec(any::<u8>(), 0..99), salt: [u8; 16]) {
        let len16 = |text: &str| u16::try_from(text.len()).unwrap().to_be_bytes();
        let input = [&len16(&sender), sender.as_bytes(), &len16(&room), room.as_bytes(), &message, &salt].concat();
        let mut expected = vec![1];
        expected.extend_from_slice(&sha256(&[&input])[..31]);
        let id = message_id(&sender, &room, &message, &salt);
        prop_assert_eq!(&id.as_bytes()[..], &expected[..]);
    }
}
