use proptest::prelude::*;

use super::*;

fn encode(frame: &Frame) -> Vec<u8> {
    let mut out = Vec::new();
    match frame {
        Frame::Hello { version } => put_head(&mut out, KIND_HELLO, *version, 0),
        Frame::Envelope { seq, bytes } => put_envelope(&mut out, *seq, bytes),
        Frame::Ack { upto } => put_ack(&mut out, *upto),
        Frame::Refusal { seq, reason } => put_refusal(&mut out, *seq, *reason),
    }
    out
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let number = prop_oneof![1..10u64, 1..=u64::MAX];
    let reason = (1..=6u8).prop_map(RefuseReason::from_code);
    prop_oneof![
        number.clone().prop_map(|version| Frame::Hello { version }),
        (number.clone(), proptest::collection::vec(any::<u8>(), 1..300))
            .prop_map(|(seq, bytes)| Frame::Envelope { seq, bytes }),
        number.clone().prop_map(|upto| Frame::Ack { upto }),
        (number, reason).prop_map(|(seq, reason)| Frame::Refusal { seq, reason }),
    ]
}

/// The layout of docs/protocol/network.md, byte by byte.
#[test]
fn the_layout_is_the_documented_one() {
    let mut out = Vec::new();
    put_hello(&mut out);
    assert_eq!(out, [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    out.clear();
    put_envelope(&mut out, 0x0102, b"abc");
    assert_eq!(out, *b"\x02\0\0\0\0\0\0\x01\x02\0\0\0\x03abc");
    out.clear();
    put_ack(&mut out, 7);
    assert_eq!(out, [3, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0]);
    out.clear();
    put_refusal(&mut out, 8, RefuseReason::TooMany);
    assert_eq!(out, [4, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1, 5]);
}

/// NET-8: the size is refused from the head alone, before there is a body.
#[test]
fn sizes_are_refused_from_the_head() {
    let head = |kind: u8, len: u32| {
        let mut out = Vec::new();
        put_head(&mut out, kind, 1, len);
        Head::decode(&out.try_into().unwrap()).map(|head| head.body_len())
    };
    let max = u32::try_from(MAX_ENVELOPE).unwrap();
    let longest_hello = u32::try_from(MAX_HELLO).unwrap();
    assert_eq!(head(KIND_ENVELOPE, 1), Ok(1));
    assert_eq!(head(KIND_ENVELOPE, max), Ok(MAX_ENVELOPE));
    assert_eq!(head(KIND_HELLO, longest_hello), Ok(MAX_HELLO));
    for (kind, len) in [
        (KIND_ENVELOPE, 0),
        (KIND_ENVELOPE, max + 1),
        (KIND_ENVELOPE, u32::MAX),
        (KIND_HELLO, longest_hello + 1),
        (KIND_ACK, 1),
        (KIND_REFUSAL, 0),
        (KIND_REFUSAL, 2),
    ] {
        assert_eq!(head(kind, len), Err(FrameError::Length { kind, len }));
    }
}

/// NET-9.
#[test]
fn unknown_kinds_and_the_number_zero_are_refused() {
    for kind in [0u8, 5, 0x80, 255] {
        let mut out = Vec::new();
        put_head(&mut out, kind, 1, 0);
        assert_eq!(decode(&out), Err(FrameError::UnknownKind(kind)));
    }
    for frame in [
        Frame::Hello { version: 0 },
        Frame::Envelope { seq: 0, bytes: vec![1] },
        Frame::Ack { upto: 0 },
        Frame::Refusal { seq: 0, reason: RefuseReason::Malformed },
    ] {
        assert!(matches!(decode(&encode(&frame)), Err(FrameError::Zero(_))), "{frame:?}");
    }
}

/// NET-7: a later version may say more in its hello.
#[test]
fn a_longer_hello_reads_as_its_version() {
    let mut out = Vec::new();
    put_head(&mut out, KIND_HELLO, 9, 3);
    out.extend_from_slice(b"new");
    assert_eq!(decode(&out), Ok(Some((Frame::Hello { version: 9 }, HEAD_LEN + 3))));
}

/// NET-14.
#[test]
fn reasons_keep_their_code_and_later_ones_read_as_unavailable() {
    for code in 1..=6 {
        assert_eq!(RefuseReason::from_code(code).code(), code);
    }
    for code in [0, 7, 255] {
        assert_eq!(RefuseReason::from_code(code), RefuseReason::Unavailable);
    }
}

proptest! {
    #[test]
    fn frames_come_back_and_take_exactly_their_bytes(
        frames in proptest::collection::vec(any_frame(), 1..8),
    ) {
        let bytes: Vec<u8> = frames.iter().flat_map(encode).collect();
        let (mut rest, mut back) = (bytes.as_slice(), Vec::new());
        while let Some((frame, used)) = decode(rest).unwrap() {
            back.push(frame);
            rest = &rest[used..];
        }
        prop_assert_eq!(back, frames);
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn a_beginning_is_never_a_frame(frame in any_frame(), cut in any::<prop::sample::Index>()) {
        let bytes = encode(&frame);
        prop_assert_eq!(decode(&bytes[..cut.index(bytes.len())]), Ok(None));
    }

    /// Whatever comes: no panic, never more taken than there is, and what is read is within bounds.
    #[test]
    fn garbage_is_refused_or_read_within_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Some((frame, used))) = decode(&bytes) {
            prop_assert!(used <= bytes.len());
            if let Frame::Envelope { bytes, .. } = &frame {
                prop_assert!((1..=MAX_ENVELOPE).contains(&bytes.len()));
            }
        }
    }

    /// Only one encoding of each frame but the hello, whose tail is reserved.
    #[test]
    fn what_is_read_encodes_back(kind in 2..=4u8, number in any::<u64>(), body in proptest::collection::vec(any::<u8>(), 0..3)) {
        let mut bytes = Vec::new();
        put_head(&mut bytes, kind, number, u32::try_from(body.len()).unwrap());
        bytes.extend_from_slice(&body);
        if let Ok(Some((frame, _))) = decode(&bytes) {
            let known = !matches!(frame, Frame::Refusal { reason, .. } if reason.code() != body[0]);
            prop_assert!(!known || encode(&frame) == bytes);
        }
    }
}
