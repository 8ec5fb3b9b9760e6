//! Question and answer of the card protocol `/rohrpost/card/1` (docs/protocol/network.md, "Cards").
//!
//! Pure bytes: whose card it is, and whether it verifies, is for `identity` to say.

use super::wire::{Take, WireError, put_card, take_card};

/// The name under which libp2p negotiates the protocol.
pub const PROTOCOL: &str = "/rohrpost/card/1";
/// Bytes of a question.
pub const REQUEST_LEN: usize = 2;

const VERSION: u8 = 1;
const WANT_PREKEY: u8 = 1;

/// The question: your card, please.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CardRequest {
    /// Whether a one-time prekey is wanted, too.
    pub want_prekey: bool,
}

/// The answer. Nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardResponse {
    /// The encoded signed card, 1 to `MAX_CARD` bytes.
    pub card: Vec<u8>,
    /// The encoded signed one-time prekey, 1 to `MAX_ONE_TIME_PREKEY` bytes.
    pub prekey: Option<Vec<u8>>,
}

impl CardRequest {
    /// `version ‖ flags`.
    pub const fn encode(self) -> [u8; REQUEST_LEN] {
        [VERSION, if self.want_prekey { WANT_PREKEY } else { 0 }]
    }

    /// Reads a question of two bytes (NET-30); flags of later versions are ignored (NET-31).
    ///
    /// # Errors
    /// [`WireError`].
    pub const fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        match *bytes {
            [VERSION, flags] => Ok(Self { want_prekey: flags & WANT_PREKEY != 0 }),
            [version, ..] if version != VERSION => Err(WireError::UnknownVersion(version)),
            _ => Err(WireError::Malformed),
        }
    }
}

impl CardResponse {
    /// `version ‖ card length (2) ‖ card ‖ prekey length (2) ‖ prekey`; a length of 0 is no prekey.
    ///
    /// # Errors
    /// [`WireError::TooLarge`] and [`WireError::Malformed`] for what is not of the size of a card or prekey.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        let mut out = vec![VERSION];
        put_card(&mut out, &self.card, self.prekey.as_deref())?;
        Ok(out)
    }

    /// Reads an answer, to its last byte (NET-32).
    ///
    /// # Errors
    /// [`WireError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut body = Take(bytes);
        body.version(VERSION)?;
        let (card, prekey) = take_card(&mut body)?;
        body.end()?;
        Ok(Self { card, prekey })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::limits::{MAX_CARD, MAX_CARD_RESPONSE, MAX_ONE_TIME_PREKEY};

    /// NET-30, NET-32: the layout of docs/protocol/network.md.
    #[test]
    fn the_layout_is_the_documented_one() {
        assert_eq!(CardRequest { want_prekey: true }.encode(), [1, 1]);
        assert_eq!(CardRequest { want_prekey: false }.encode(), [1, 0]);
        let full = CardResponse { card: b"card".to_vec(), prekey: Some(b"key".to_vec()) };
        assert_eq!(full.encode().unwrap(), b"\x01\0\x04card\0\x03key");
        let bare = CardResponse { card: b"card".to_vec(), prekey: None };
        assert_eq!(bare.encode().unwrap(), b"\x01\0\x04card\0\0");
    }

    #[test]
    fn the_largest_answer_fits_its_bound_and_one_byte_more_does_not_go_out() {
        let largest = CardResponse { card: vec![7; MAX_CARD], prekey: Some(vec![8; MAX_ONE_TIME_PREKEY]) };
        assert!(largest.encode().unwrap().len() <= MAX_CARD_RESPONSE);
        for (card, prekey, error) in [
            (vec![7; MAX_CARD + 1], None, WireError::TooLarge),
            (vec![7; 70_000], None, WireError::TooLarge),
            (vec![], None, WireError::Malformed),
            (vec![7], Some(vec![8; MAX_ONE_TIME_PREKEY + 1]), WireError::TooLarge),
            (vec![7], Some(vec![]), WireError::Malformed),
        ] {
            assert_eq!(CardResponse { card, prekey }.encode(), Err(error));
        }
    }

    /// NET-31.
    #[test]
    fn other_versions_and_lengths_are_refused_and_later_flags_ignored() {
        assert_eq!(CardRequest::decode(&[1, 0xfe]), Ok(CardRequest { want_prekey: false }));
        assert_eq!(CardRequest::decode(&[2, 0]), Err(WireError::UnknownVersion(2)));
        for bad in [&[][..], &[1], &[1, 0, 0]] {
            assert_eq!(CardRequest::decode(bad), Err(WireError::Malformed));
        }
        for bad in [&b""[..], b"\x01", b"\x01\0\0\0\0", b"\x01\0\x01x", b"\x01\0\x01x\0\0y", b"\x01\xff\xffx\0\0"] {
            assert_eq!(CardResponse::decode(bad), Err(WireError::Malformed), "{bad:?}");
        }
        assert_eq!(CardResponse::decode(b"\x02\0\x01x\0\0"), Err(WireError::UnknownVersion(2)));
    }

    proptest! {
        #[test]
        fn answers_come_back(
            card in proptest::collection::vec(any::<u8>(), 1..400),
            prekey in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..300)),
        ) {
            let response = CardResponse { card, prekey };
            prop_assert_eq!(CardResponse::decode(&response.encode().unwrap()), Ok(response));
        }

        /// No panic, and only one encoding.
        #[test]
        fn garbage_is_refused_or_encodes_back(mut bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let [first, second, ..] = bytes.as_mut_slice() {
                (*first, *second) = (1, 0);
            }
            if let Ok(response) = CardResponse::decode(&bytes) {
                prop_assert_eq!(response.encode().unwrap(), bytes);
            }
        }
    }
}
