//! The examples of `draft-ietf-mimi-content-08`, as published: `.cbor` the message, `.edn` the same for
//! people, with the expected message ID in its head.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use rohrpost::base::MessageId;
use rohrpost::content::mimi::{
    Act, Bare, Body, Disposition, Expires, ExtensionKey, Extensions, External, Origin, Part, Semantics, edit, reaction,
};
use rohrpost::content::{MimiContent, message_id};

const ALICE: &str = "mimi://example.com/u/alice-smith";
const BOB: &str = "mimi://example.com/u/bob-jones";
const CATHY: &str = "mimi://example.com/u/cathy-washington";
const ROOM: &str = "mimi://example.com/r/engineering_team";

const ORIGINAL: &str = "017ce54837404c3696e0c747b985cb172716d0ed0a3d249ca63ace7d82a096f4";
const REPLY: &str = "015354973c2b65ca937bf1e035ae53a5ab80e947afa43d46920d4202e5cc0b27";

const MARKDOWN: &str = "text/markdown;variant=GFM-MIMI";

struct Example {
    bytes: Vec<u8>,
    id: MessageId,
    content: MimiContent,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/mimi-content")
}

fn id(hex: &str) -> MessageId {
    hex.parse().unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn read(name: &str) -> Example {
    let bytes = fs::read(folder().join(name).with_extension("cbor")).unwrap();
    let edn = fs::read_to_string(folder().join(name).with_extension("edn")).unwrap();
    // # message ID = h'…
    // #                …'
    let (_, head) = edn.split_once("# message ID = h'").unwrap();
    let (head, _) = head.split_once('\'').unwrap();
    let digits: String = head.chars().filter(char::is_ascii_hexdigit).collect();
    let content = MimiContent::decode(&bytes).unwrap();
    Example { bytes, id: id(&digits), content }
}

/// Everything but salt and part, as it stands in the example; `room` is the same in all of them.
fn check(name: &str, salt: &str, sender: &str, replaces: Option<&str>, in_reply_to: Option<&str>) -> Example {
    let example = read(name);
    let content = &example.content;
    assert_eq!(content.salt[..], hex(salt), "{name}");
    assert_eq!(content.replaces, replaces.map(id), "{name}");
    assert_eq!(content.in_reply_to, in_reply_to.map(id), "{name}");
    assert_eq!(content.topic, b"", "{name}");
    assert_eq!(content.sender_uri(), Some(sender), "{name}");
    assert_eq!(content.room_uri(), Some(ROOM), "{name}");
    assert_eq!(content.counter(), None, "{name}");
    assert_eq!(content.extensions.iter().count(), 2, "{name}");
    example
}

fn single(disposition: Disposition, content_type: &str, content: &[u8]) -> Part {
    let body = Body::Single { content_type: content_type.to_owned(), content: content.to_vec() };
    Part { disposition, language: String::new(), body }
}

fn markdown(text: &str) -> Part {
    single(Disposition::RENDER, MARKDOWN, text.as_bytes())
}

/// CON-3, CON-10: each decodes, encodes back byte for byte, and has the message ID it says.
#[test]
fn every_example_comes_back_and_has_its_id() {
    let names: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cbor"))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let expected =
        ["attachment", "delete", "edit", "expiring", "mention", "multipart-1", "original", "reaction", "reply"];
    assert_eq!(names.iter().collect::<Vec<_>>(), expected);
    for name in &names {
        let Example { bytes, id, content } = read(name);
        assert_eq!(content.encode(), bytes, "{name}");
        let (sender, room) = (content.sender_uri().unwrap(), content.room_uri().unwrap());
        let origin = Origin::new(sender, room);
        let bare = Bare::new(bytes.clone(), &origin);
        assert!(bare != Bare::new(bytes.clone(), &Origin::new("", "")), "{name}: there is something to be left out");
        assert_eq!(bare.whole(&origin), bytes, "{name}");
        assert_eq!(content.message_id(sender, room, &bytes), id, "{name}");
        assert_eq!(message_id(sender, room, &bytes, &content.salt), id, "{name}");
        // Another sender, room or byte: another ID.
        assert_ne!(content.message_id("", room, &bytes), id, "{name}");
        assert_ne!(content.message_id(sender, "", &bytes), id, "{name}");
        assert_ne!(content.message_id(sender, room, &bytes[1..]), id, "{name}");
    }
}

/// CON-1 to CON-7: no prefix of an example is a message, nor is one with a byte more.
#[test]
fn cut_and_longer_examples_are_refused() {
    for name in ["attachment", "expiring", "multipart-1"] {
        let mut bytes = read(name).bytes;
        for cut in 0..bytes.len() {
            assert!(MimiContent::decode(&bytes[..cut]).is_err(), "{name} cut to {cut}");
        }
        bytes.push(0);
        assert!(MimiContent::decode(&bytes).is_err(), "{name} and a byte");
    }
}

#[test]
fn original() {
    let Example { content, id: itself, .. } = check("original", "5eed9406c2545547ab6f09f20a18b003", ALICE, None, None);
    assert_eq!(itself, id(ORIGINAL));
    assert_eq!(content.expires, None);
    assert_eq!(content.part, markdown("Hi everyone, we just shipped release 2.0. __Good  work__!"));
    assert_eq!(content.act(), Act::Post);
    assert_eq!(content.as_text(), Some("Hi everyone, we just shipped release 2.0. __Good  work__!"));
}

#[test]
fn reply() {
    let salt = "11a458c73b8dd2cf404db4b378b8fe4d";
    let Example { content, id: itself, .. } = check("reply", salt, BOB, None, Some(ORIGINAL));
    assert_eq!(itself, id(REPLY));
    assert_eq!(content.part, markdown("Right on! _Congratulations_ 'all!"));
    assert_eq!(content.act(), Act::Post);
}

#[test]
fn reactions() {
    let salt = "d37bc0e6a8b4f04e9e6382375f587bf6";
    let Example { content, bytes, .. } = check("reaction", salt, CATHY, None, Some(ORIGINAL));
    // The comment in the example says U+2665; the bytes are U+2764.
    assert_eq!(content.part, single(Disposition::REACTION, "text/plain;charset=utf-8", &[0xe2, 0x9d, 0xa4]));
    assert_eq!(content.act(), Act::React { to: id(ORIGINAL), symbols: vec!["❤"], replaces: None });
    assert_eq!(content.as_text(), None);
    // Ours is the same, byte for byte.
    assert_eq!(reaction(content.salt, CATHY, ROOM, "❤", id(ORIGINAL)).encode(), bytes);
}

#[test]
fn mention() {
    let Example { content, .. } = check("mention", "04f290e215d0f82d1750bfa8b7dc089d", CATHY, None, Some(ORIGINAL));
    let text = "Kudos to [@Alice Smith](mimi://example.com/u/alice-smith) for making the release happen!";
    assert_eq!(content.part, markdown(text));
}

#[test]
fn edits() {
    let salt = "b8c2e6d8800ecf45df39be6c45f4c042";
    let Example { content, .. } = check("edit", salt, BOB, Some(REPLY), Some(ORIGINAL));
    assert_eq!(content.part, markdown("Right on! _Congratulations_ y'all!"));
    assert_eq!(content.act(), Act::Edit(id(REPLY)));
    // Ours differs in nothing but the media type.
    let text = "Right on! _Congratulations_ y'all!";
    let ours = edit(content.salt, BOB, ROOM, id(REPLY), text, Some(id(ORIGINAL)));
    assert_eq!(MimiContent { part: content.part.clone(), ..ours }, content);
}

#[test]
fn delete() {
    let salt = "0a590d73b2c7761c39168be5ebf7f2e6";
    let Example { content, bytes, .. } = check("delete", salt, BOB, Some(REPLY), Some(ORIGINAL));
    let null = Part { disposition: Disposition::RENDER, language: String::new(), body: Body::Null };
    assert_eq!(content.part, null);
    assert_eq!(content.act(), Act::Delete(id(REPLY)));
    // Ours is the same, byte for byte.
    let ours = rohrpost::content::mimi::deletion(content.salt, BOB, ROOM, id(REPLY), Some(id(ORIGINAL)));
    assert_eq!(ours.encode(), bytes);
}

#[test]
fn expiring() {
    let Example { content, .. } = check("expiring", "33be993eb39f418f9295afc2ae160d2d", ALICE, None, None);
    assert_eq!(content.expires, Some(Expires::At(1_644_390_004)));
    let text = "__*VPN GOING DOWN*__ I'm rebooting the VPN in ten minutes unless anyone objects.";
    assert_eq!(content.part, markdown(text));
}

#[test]
fn attachment() {
    let Example { content, .. } = check("attachment", "18fac6371e4e53f1aeaf8a013155c166", BOB, None, None);
    let external = External {
        content_type: "video/mp4".into(),
        url: "https://example.com/storage/8ksB4bSrrRE.mp4".into(),
        expires: 0,
        size: 708_234_961,
        enc_alg: 1,
        key: hex("21399320958a6f4c745dde670d95e0d8"),
        nonce: hex("c86cf2c33f21527d1dd76f5b"),
        aad: vec![],
        hash_alg: 1,
        content_hash: hex("9ab17a8cf0890baaae7ee016c7312fcc080ba46498389458ee44f0276e783163"),
        description: "2 hours of key signing video".into(),
        filename: "bigfile.mp4".into(),
    };
    let body = Body::External(Box::new(external));
    assert_eq!(content.part, Part { disposition: Disposition::ATTACHMENT, language: "en".into(), body });
    assert_eq!(content.as_text(), None);
    assert_eq!(content.part.media_type(), Some("video/mp4"));
}

#[test]
fn multipart() {
    let Example { content, .. } = check("multipart-1", "261c953e178af653fe3d42641b91d814", ALICE, None, None);
    let fancy = single(
        Disposition::RENDER,
        "application/vnd.examplevendor-fancy-im-message",
        &hex("dc861ebaa718fd7c3ca159f71a2001"),
    );
    let body = Body::Multi { semantics: Semantics::ChooseOne, parts: vec![markdown("# Welcome!"), fancy] };
    assert_eq!(content.part, Part { disposition: Disposition::RENDER, language: String::new(), body });
    assert_eq!(content.as_text(), Some("# Welcome!"));
}

#[test]
fn extensions_are_found_by_their_keys() {
    let content = read("original").content;
    let sender = content.extensions.get(&ExtensionKey::Int(1)).unwrap();
    assert_eq!(sender[..2], [0x78, 0x20]);
    assert_eq!(&sender[2..], ALICE.as_bytes());
    assert_ne!(content.extensions, Extensions::default());
}
