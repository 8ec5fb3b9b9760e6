//! The vectors of `docs/protocol/network.md`, read from it.

use std::collections::BTreeMap;

use rohrpost::envelope::exchange::{CardRequest, CardResponse};
use rohrpost::envelope::frame::{self, Frame, RefuseReason};

/// The indented lines of the section: a name, two blanks, and bytes.
fn documented() -> BTreeMap<String, Vec<u8>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol/network.md");
    let text = std::fs::read_to_string(path).unwrap();
    let section = text.split("\n## ").find(|section| section.contains(" Vectors\n")).unwrap();
    let lines = section.lines().filter_map(|line| line.strip_prefix("    "));
    let read = |line: &str| {
        let (name, bytes) = line.split_once("  ").unwrap();
        let digits: String = bytes.chars().filter(|c| !c.is_whitespace()).collect();
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (name.to_owned(), (0..digits.len()).step_by(2).map(byte).collect())
    };
    lines.map(read).collect()
}

#[test]
fn the_vectors_of_the_network_are_what_we_write_and_read() {
    let line = |text: &str| [&[u8::try_from(text.len() + 1).unwrap()][..], text.as_bytes(), b"\n"].concat();
    let put = |put: &dyn Fn(&mut Vec<u8>)| {
        let mut out = Vec::new();
        put(&mut out);
        out
    };
    let answer = |prekey: Option<&[u8]>| CardResponse { card: b"card".to_vec(), prekey: prekey.map(<[u8]>::to_vec) };
    let expected = [
        ("proposal", [line("/multistream/1.0.0"), line(frame::PROTOCOL)].concat()),
        ("hello", put(&frame::put_hello)),
        ("envelope 258, abc", put(&|out| frame::put_envelope(out, 258, b"abc"))),
        ("acknowledgement 7", put(&|out| frame::put_ack(out, 7))),
        ("refusal 8, 5", put(&|out| frame::put_refusal(out, 8, RefuseReason::TooMany))),
        ("question", CardRequest { want_prekey: true }.encode().to_vec()),
        ("answer, card key", answer(Some(b"key")).encode().unwrap()),
        ("answer, card", answer(None).encode().unwrap()),
    ];
    let documented = documented();
    assert_eq!(documented, expected.map(|(name, bytes)| (name.to_owned(), bytes)).into());
    for (name, frame) in [
        ("hello", Frame::Hello { version: 1 }),
        ("envelope 258, abc", Frame::Envelope { seq: 258, bytes: b"abc".to_vec() }),
        ("acknowledgement 7", Frame::Ack { upto: 7 }),
        ("refusal 8, 5", Frame::Refusal { seq: 8, reason: RefuseReason::TooMany }),
    ] {
        assert_eq!(frame::decode(&documented[name]), Ok(Some((frame, documented[name].len()))), "{name}");
    }
    assert_eq!(CardRequest::decode(&documented["question"]), Ok(CardRequest { want_prekey: true }));
    assert_eq!(CardResponse::decode(&documented["answer, card key"]), Ok(answer(Some(b"key"))));
}
