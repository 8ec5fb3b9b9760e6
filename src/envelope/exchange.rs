//! Question and answer of the card protocol `/rohrpost/card/1` (docs/protocol/network.md, "Cards").
//!
//! Pure bytes: whose card it is, and whether it verifies, is for `identity` to say.

use crate::base::limits::{MAX_CARD, MAX_ONE_TIME_PREKEY};

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

/// Why bytes are no question or answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// A version that is not spoken here.
    #[error("unknown version of the card protocol: {0}")]
    UnknownVersion(u8),
    /// A length outside its bounds, or bytes too few or too many.
    #[error("malformed")]
    Malformed,
    /// A card or a prekey too large to be sent, or empty.
    #[error("not of the size of a card or prekey")]
    Size,
}

impl CardRequest {
    /// `version ‖ flags`.
    pub const fn encode(self) -> [u8; REQUEST_LEN] {
        [VERSION, if self.want_prekey { WANT_PREKEY } else { 0 }]
    }

    /// Reads a question of two bytes (NET-30); flags of later versions are ignored (NET-31).
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub const fn decode(bytes: &[u8]) -> Result<Self, ExchangeError> {
        match *bytes {
            [VERSION, flags] => Ok(Self { want_prekey: flags & WANT_PREKEY != 0 }),
            [version, ..] if version != VERSION => Err(ExchangeError::UnknownVersion(version)),
            _ => Err(ExchangeError::Malformed),
        }
    }
}

impl CardResponse {
    /// `version ‖ card length (2) ‖ card ‖ prekey length (2) ‖ prekey`; a length of 0 is no prekey.
    ///
    /// # Errors
    /// [`ExchangeError::Size`].
    pub fn encode(&self) -> Result<Vec<u8>, ExchangeError> {
        self.check()?;
        let prekey = self.prekey.as_deref().unwrap_or_default();
        let mut out = Vec::with_capacity(5 + self.card.len() + prekey.len());
        out.push(VERSION);
        put_part(&mut out, &self.card)?;
        put_part(&mut out, prekey)?;
        Ok(out)
    }

    /// Whether it can be encoded.
    ///
    /// # Errors
    /// [`ExchangeError::Size`].
    pub fn check(&self) -> Result<(), ExchangeError> {
        let card = (1..=MAX_CARD).contains(&self.card.len());
        let prekey = self.prekey.as_ref().is_none_or(|prekey| (1..=MAX_ONE_TIME_PREKEY).contains(&prekey.len()));
        if card && prekey { Ok(()) } else { Err(ExchangeError::Size) }
    }

    /// Reads an answer, to its last byte (NET-32).
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, ExchangeError> {
        let (&version, rest) = bytes.split_first().ok_or(ExchangeError::Malformed)?;
        if version != VERSION {
            return Err(ExchangeError::UnknownVersion(version));
        }
        let (card, rest) = take_part(rest, 1, MAX_CARD)?;
        let (prekey, rest) = take_part(rest, 0, MAX_ONE_TIME_PREKEY)?;
        if !rest.is_empty() {
            return Err(ExchangeError::Malformed);
        }
        Ok(Self { card: card.to_vec(), prekey: (!prekey.is_empty()).then(|| prekey.to_vec()) })
    }
}

fn put_part(out: &mut Vec<u8>, part: &[u8]) -> Result<(), ExchangeError> {
    let len = u16::try_from(part.len()).map_err(|_| ExchangeError::Size)?;
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(part);
    Ok(())
}

fn take_part(bytes: &[u8], min: usize, max: usize) -> Result<(&[u8], &[u8]), ExchangeError> {
    let (len, rest) = bytes.split_first_chunk::<2>().ok_or(ExchangeError::Malformed)?;
    let len = usize::from(u16::from_be_bytes(*len));
    if !(min..=max).contains(&len) {
        return Err(ExchangeError::Malformed);
    }
    rest.split_at_checked(len).ok_or(ExchangeError::Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::limits::MAX_CARD_RESPONSE;

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
        for wrong in [
            CardResponse { card: vec![7; MAX_CARD + 1], prekey: None },
            CardResponse { card: vec![7; 70_000], prekey: None },
            CardResponse { card: vec![], prekey: None },
            CardResponse { card: vec![7], prekey: Some(vec![8; MAX_ONE_TIME_PREKEY + 1]) },
            CardResponse { card: vec![7], prekey: Some(vec![]) },
        ] {
            assert_eq!(wrong.encode(), Err(ExchangeError::Size));
        }
    }

    /// NET-31.
    #[test]
    fn other_versions_and_lengths_are_refused_and_later_flags_ignored() {
        assert_eq!(CardRequest::decode(&[1, 0xfe]), Ok(CardRequest { want_prekey: false }));
        assert_eq!(CardRequest::decode(&[2, 0]), Err(ExchangeError::UnknownVersion(2)));
        for bad in [&[][..], &[1], &[1, 0, 0]] {
            assert_eq!(CardRequest::decode(bad), Err(ExchangeError::Malformed));
        }
        for bad in [&b""[..], b"\x01", b"\x01\0\0\0\0", b"\x01\0\x01x", b"\x01\0\x01x\0\0y", b"\x01\xff\xffx\0\0"] {
            assert_eq!(CardResponse::decode(bad), Err(ExchangeError::Malformed), "{bad:?}");
        }
        assert_eq!(CardResponse::decode(b"\x02\0\x01x\0\0"), Err(ExchangeError::UnknownVersion(2)));
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
