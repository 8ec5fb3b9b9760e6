use proptest::prelude::*;

use super::*;

fn walk(hex: &str, levels: usize) -> Result<(), CborError> {
    let bytes: Vec<u8> = hex.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let mut reader = Reader::new(&bytes);
    assert_eq!(reader.any(levels)?, &bytes[..bytes.len() - reader.rest.len()]);
    reader.finish()
}

#[test]
fn what_is_deterministic_is_taken() {
    for hex in [
        "00",
        "17",
        "18 18",
        "19 01 00",
        "1a 00 01 00 00",
        "1b 00 00 00 01 00 00 00 00",
        "20",
        "38 18",
        "40",
        "41 00",
        "60",
        "62 c3 bc",
        "80",
        "82 01 02",
        "a0",
        "a2 01 02 20 03",
        "a2 41 00 00 60 00",
        "c0 00",
        "f4",
        "f5",
        "f6",
        "f7",
        "f8 20",
        "f9 7e 00",
        // Zero: the bits of a float are no shorter number.
        "f9 00 00",
        "fb 00 00 00 00 00 00 00 00",
        "fa 47 c3 50 00",
        "fb 3f f1 99 99 99 99 99 9a",
    ] {
        assert_eq!(walk(hex, 3), Ok(()), "{hex}");
    }
}

/// CON-3
#[test]
fn longer_heads_and_indefinite_lengths_are_refused() {
    for hex in [
        "18 17",
        "19 00 ff",
        "1a 00 00 ff ff",
        "1b 00 00 00 00 ff ff ff ff",
        "38 17",
        "58 00",
        "78 01 61",
        "98 00",
        "b8 00",
        "d8 00 00",
        "9f ff",
        "bf ff",
        "5f ff",
        "7f ff",
        "81 18 00",
        "a1 18 00 00",
    ] {
        assert_eq!(walk(hex, 3), Err(CborError::NotDeterministic), "{hex}");
    }
}

/// CON-3
#[test]
fn map_keys_ascend_by_their_encoding() {
    for hex in ["a2 02 00 01 00", "a2 01 00 01 00", "a2 20 00 01 00", "a2 60 00 40 00", "a2 61 62 00 61 61 00"] {
        assert_eq!(walk(hex, 3), Err(CborError::NotDeterministic), "{hex}");
    }
    for hex in
        ["a1 80 00", "a1 f5 00", "a1 c0 00 00", "a1 1b 00 20 00 00 00 00 00 00 00", "a1 3b 00 1f ff ff ff ff ff ff 00"]
    {
        assert_eq!(walk(hex, 3), Err(CborError::Field("map key")), "{hex}");
    }
    assert_eq!(walk("a1 1b 00 1f ff ff ff ff ff ff 00", 3), Ok(()));
    assert_eq!(walk("a1 3b 00 1f ff ff ff ff ff fe 00", 3), Ok(()));
}

/// CON-2
#[test]
fn what_is_no_cbor_is_refused() {
    for hex in [
        "1c", "1f", "3f", "df", "ff", "fc", "f8 1f", "f8 00", "18", "19 01", "41", "61", "61 ff", "81", "a1 00", "c0",
        "fa 00",
    ] {
        assert_eq!(walk(hex, 3), Err(CborError::Malformed), "{hex}");
    }
    assert_eq!(walk("00 00", 3), Err(CborError::TrailingBytes));
    // A length that no memory could hold costs nothing.
    for hex in ["9b ff ff ff ff ff ff ff ff", "bb ff ff ff ff ff ff ff ff", "5b ff ff ff ff ff ff ff ff"] {
        assert_eq!(walk(hex, 3), Err(CborError::Malformed), "{hex}");
    }
}

/// CON-5
#[test]
fn depth_is_bounded() {
    for (hex, depth) in [("81 81 00", 2), ("a1 00 a1 00 00", 2), ("c0 c0 00", 2), ("80", 1), ("81 a0", 2), ("00", 0)] {
        assert_eq!(walk(hex, depth), Ok(()), "{hex}");
        if depth > 0 {
            assert_eq!(walk(hex, depth - 1), Err(CborError::TooDeep), "{hex}");
        }
    }
    assert_eq!(Reader::new(&[0x81; 100_000]).any(3), Err(CborError::TooDeep));
}

/// ID-12
#[test]
fn in_records_there_are_neither_tags_nor_floats() {
    for hex in ["c000", "d82a00", "f97e00", "fa00000000", "fb0000000000000000", "8101c000", "81c000", "a100f90000"] {
        let mut bytes = [0; 16];
        let bytes = &mut bytes[..hex.len() / 2];
        crate::base::ids::parse_hex(hex, bytes).unwrap();
        let wrong = Err(CborError::Field("a tag or a floating point number"));
        let plain = Reader::new(bytes).plain(4);
        assert_eq!(plain.map(<[u8]>::len), if hex.starts_with("8101") { Ok(2) } else { wrong }, "{hex}");
        assert!(Reader::new(bytes).any(4).is_ok(), "{hex}");
    }
    let plain = [0xa1, 0x41, 0x00, 0x83, 0xf6, 0xf4, 0x61, 0x61];
    assert_eq!(Reader::new(&plain).plain(2), Ok(&plain[..]));
    assert_eq!(Reader::new(&plain).plain(1), Err(CborError::TooDeep));
}

#[test]
fn fields_have_types_and_bounds() {
    let bytes = [0x43, 1, 2, 3];
    assert_eq!(Reader::new(&bytes).bytes("it", 3), Ok(&bytes[1..]));
    assert_eq!(Reader::new(&bytes).bytes("it", 2), Err(CborError::TooLong("it")));
    assert_eq!(Reader::new(&bytes).text("it", 3), Err(CborError::Field("it")));
    assert_eq!(Reader::new(&bytes).byte_array::<4>("it"), Err(CborError::Field("it")));
    assert_eq!(Reader::new(&bytes).bool("it"), Err(CborError::Field("it")));
    assert_eq!(Reader::new(&[0x19, 1, 0]).uint_as::<u8>("it"), Err(CborError::Field("it")));
    assert_eq!(Reader::new(&[0xf5]).bool("it"), Ok(true));
    assert!(Reader::new(&[0xf6]).null() && !Reader::new(&[0xf7]).null() && !Reader::new(&[]).null());
    assert_eq!(Reader::new(&[0x24]).key("it", 9), Ok(Key::Int(-5)));
}

proptest! {
    /// A lenient decoder is the oracle: what the strict one takes, it takes, with the same length.
    #[test]
    fn what_is_taken_is_cbor(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(taken) = Reader::new(&bytes).any(4) {
            let mut oracle = minicbor::Decoder::new(&bytes);
            oracle.skip().unwrap();
            prop_assert_eq!(oracle.position(), taken.len());
        }
    }

    #[test]
    fn numbers_come_back(value: u64, int in -MAX_KEY_INT..=MAX_KEY_INT, flag: bool) {
        let mut writer = Writer::new();
        writer.array(4).put(value).put(int).put(flag).put(None::<u8>);
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.array_of(4, "all"), Ok(()));
        prop_assert_eq!(reader.uint("value"), Ok(value));
        prop_assert_eq!(reader.key("int", 0), Ok(Key::Int(int)));
        prop_assert_eq!(reader.bool("flag"), Ok(flag));
        prop_assert!(reader.null());
        prop_assert_eq!(reader.finish(), Ok(()));
    }
}
