use proptest::prelude::*;

use super::super::testing::{alice, cbor, hex};
use super::*;

const MALFORMED: fn(&RecordError) -> bool = |e| matches!(e, RecordError::Malformed(_));

/// What a record takes of these bytes.
fn take<'b, T>(bytes: &'b [u8], take: impl FnOnce(&mut Reader<'b>) -> Result<T, CborError>) -> Result<T, RecordError> {
    Ok(take(&mut Reader::new(bytes))?)
}

/// ID-12: the shortest head only.
#[test]
fn numbers_have_one_encoding() {
    for (bytes, value) in [("00", 0), ("17", 23), ("1818", 24), ("190100", 256), ("1a00010000", 65_536)] {
        assert_eq!(take(&hex(bytes), |reader| reader.uint("number")), Ok(value));
    }
    assert_eq!(take(&hex("1bffffffffffffffff"), |reader| reader.uint("number")), Ok(u64::MAX));
    for bytes in ["1817", "1900ff", "1a0000ffff", "1b00000000ffffffff", "20", "f90000", "", "18", "c100", "1c"] {
        let refused = take(&hex(bytes), |reader| reader.uint("number"));
        assert!(refused.as_ref().is_err_and(MALFORMED), "{bytes}: {refused:?}");
    }
}

/// ID-12: definite lengths, shortest heads, the right type.
#[test]
fn strings_and_containers_have_one_encoding() {
    assert_eq!(take(&hex("43010203"), |reader| reader.bytes("bytes", usize::MAX)), Ok(&[1, 2, 3][..]));
    assert_eq!(take(&hex("62c3bc"), |reader| reader.text("text", usize::MAX)), Ok("ü"));
    assert_eq!(take(&hex("83"), |reader| reader.array("array")), Ok(3));
    assert_eq!(take(&hex("a1"), |reader| reader.map("map")), Ok(1));
    for bytes in ["5803010203", "5f43010203ff", "63010203", "44010203", "5bffffffffffffffff00", "d843010203"] {
        assert!(
            take(&hex(bytes), |reader| reader.bytes("bytes", usize::MAX)).as_ref().is_err_and(MALFORMED),
            "{bytes}"
        );
    }
    for bytes in ["7802c3bc", "7f62c3bcff", "62c328", "42c3bc"] {
        assert!(take(&hex(bytes), |reader| reader.text("text", usize::MAX)).as_ref().is_err_and(MALFORMED), "{bytes}");
    }
    for bytes in ["9803", "9f", "a3", "03"] {
        assert!(take(&hex(bytes), |reader| reader.array("array")).as_ref().is_err_and(MALFORMED), "{bytes}");
    }
    for bytes in ["b801", "bf", "81"] {
        assert!(take(&hex(bytes), |reader| reader.map("map")).as_ref().is_err_and(MALFORMED), "{bytes}");
    }
}

/// ID-13.
#[test]
fn extensions_are_byte_strings_under_ascending_keys_from_32() {
    let read = |bytes: &str, pairs| Reader::new(&hex(bytes)).extensions(pairs);
    assert_eq!(read("", 0), Ok(()));
    assert_eq!(read("18204118210000", 1), Ok(()), "only as many pairs as the map has");
    assert_eq!(read("1820411118214122", 2), Ok(()));
    for (bytes, why) in [
        ("184041111820412", "descending"),
        ("1820411118204122", "repeated"),
        ("181f41111820412", "below 32"),
        ("1820011821412", "not a byte string"),
        ("1bffffffffffffffff411118204122", "descending from the last key"),
    ] {
        assert!(read(bytes, 2).is_err(), "{why}");
    }
}

/// ID-10, ID-11.
#[test]
fn the_frame_is_a_body_and_a_signature() {
    let mut body = begin(3, alice().peer_id());
    body.put(FIRST_EXTENSION).bytes(&[0; 300]);
    let body = body.into_bytes();
    let record = sign(&alice(), "rohrpost/identity/example/v1", &body);
    assert_eq!(record.len(), body.len() + FRAME_LEN);
    let max = record.len();
    let decode =
        |bytes: &[u8], max| Unverified::decode(bytes, max, 2, |_| Ok(())).map(|(record, ())| record.frame.body);
    assert_eq!(decode(&record, max), Ok(body.clone()));
    assert_eq!(decode(&record, max - 1), Err(RecordError::TooLarge { got: max, max: max - 1 }));
    for wrong in [[&record[..], &[0]].concat(), record[..max - 1].to_vec(), [&[0x83], &record[1..], &[0]].concat()] {
        assert!(MALFORMED(&decode(&wrong, max + 10).unwrap_err()));
    }
    let short = cbor(|w| w.array(2).bytes(&body).bytes(&[0; 63]));
    assert!(MALFORMED(&decode(&short, max).unwrap_err()));
}

proptest! {
    /// What the reader takes is what the encoder makes: there is no second encoding.
    #[test]
    fn what_is_read_is_written_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
        if let Ok(value) = take(&bytes, |reader| reader.uint("number")) {
            prop_assert!(bytes.starts_with(&cbor(|w| w.put(value))));
        }
        if let Ok(value) = take(&bytes, |reader| reader.bytes("bytes", usize::MAX)) {
            prop_assert!(bytes.starts_with(&cbor(|w| w.bytes(value))));
        }
        if let Ok(value) = take(&bytes, |reader| reader.text("text", usize::MAX)) {
            prop_assert!(bytes.starts_with(&cbor(|w| w.put(value))));
        }
        if let Ok(value) = take(&bytes, |reader| reader.array("array")) {
            prop_assert!(bytes.starts_with(&cbor(|w| w.array(usize::try_from(value).unwrap()))));
        }
        if let Ok(value) = take(&bytes, |reader| reader.map("map")) {
            prop_assert!(bytes.starts_with(&cbor(|w| w.map(usize::try_from(value).unwrap()))));
        }
    }

    #[test]
    fn any_bytes_decode_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Unverified::decode(&bytes, 150, 2, |_| Ok(()));
        let _ = Reader::new(&bytes).extensions(u64::MAX);
        let _ = Reader::new(&bytes).kem();
    }
}
