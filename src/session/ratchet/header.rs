//! The header of a session message.

use super::keys::SALT_LEN;
use crate::base::SessionId;
use crate::base::limits::MAX_PAYLOAD;
use crate::crypto::aead::TAG_LEN;
use crate::crypto::dh::DhPublic;
use crate::crypto::kem::{CT_LEN, EK_LEN};
use crate::session::SessionError;

/// Bytes of a header without its ML-KEM part.
pub(in crate::session) const HEADER_LEN: usize = 16 + 32 + 4 + 4 + SALT_LEN + 1;
/// The most that an ML-KEM part adds.
pub(in crate::session) const MAX_KEM_PART: usize = 4 + EK_LEN;

const FLAG_OFFER: u8 = 1;
const FLAG_ANSWER: u8 = 2;

/// What travels in clear before the body (SES-30).
#[derive(Debug, PartialEq, Eq)]
pub(in crate::session) struct Header<'a> {
    /// Which session.
    pub(in crate::session) session: SessionId,
    /// The sender's ratchet key.
    pub(in crate::session) ratchet_key: DhPublic,
    /// `PN`: how many messages the sender's chain before this one has.
    pub(in crate::session) previous: u32,
    /// `N`: the number of the message in its chain, from 0.
    pub(in crate::session) number: u32,
    /// The salt of the body's key.
    pub(in crate::session) salt: [u8; SALT_LEN],
    /// A part of the sparse ML-KEM ratchet.
    pub(in crate::session) kem: KemPart<'a>,
}

/// The ML-KEM part of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum KemPart<'a> {
    /// None.
    Nothing,
    /// The initiator offers an encapsulation key.
    Offer { id: u32, ek: &'a [u8; EK_LEN] },
    /// The responder answers one with a ciphertext.
    Answer { id: u32, ct: &'a [u8; CT_LEN] },
}

/// A session message taken apart; nothing in it is authenticated yet.
#[derive(Debug)]
pub(in crate::session) struct MessageIn<'a> {
    pub(in crate::session) header: Header<'a>,
    /// The header as it travelled: part of the associated data.
    pub(in crate::session) header_bytes: &'a [u8],
    /// Ciphertext ‖ tag.
    pub(in crate::session) body: &'a [u8],
}

impl Header<'_> {
    /// Appends the header: session ID ‖ ratchet key ‖ PN ‖ N ‖ salt ‖ flags ‖ [ek id ‖ ek] ‖ [ek id ‖ ct].
    pub(in crate::session) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.session.as_bytes());
        out.extend_from_slice(&self.ratchet_key.0);
        out.extend_from_slice(&self.previous.to_be_bytes());
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.salt);
        match self.kem {
            KemPart::Nothing => out.push(0),
            KemPart::Offer { id, ek } => {
                out.push(FLAG_OFFER);
                out.extend_from_slice(&id.to_be_bytes());
                out.extend_from_slice(ek);
            }
            KemPart::Answer { id, ct } => {
                out.push(FLAG_ANSWER);
                out.extend_from_slice(&id.to_be_bytes());
                out.extend_from_slice(ct);
            }
        }
    }
}

impl<'a> MessageIn<'a> {
    /// Takes a message apart (SES-31).
    pub(in crate::session) fn parse(bytes: &'a [u8]) -> Result<Self, SessionError> {
        // The size first, before anything is looked at.
        if bytes.len() > MAX_PAYLOAD {
            return Err(SessionError::TooLarge { len: bytes.len(), max: MAX_PAYLOAD });
        }
        let mut rest = bytes;
        let session = SessionId::new(*take(&mut rest)?);
        let ratchet_key = DhPublic(*take(&mut rest)?);
        let previous = u32::from_be_bytes(*take(&mut rest)?);
        let number = u32::from_be_bytes(*take(&mut rest)?);
        let salt = *take(&mut rest)?;
        let kem = match *take(&mut rest)? {
            [0] => KemPart::Nothing,
            [FLAG_OFFER] => KemPart::Offer { id: u32::from_be_bytes(*take(&mut rest)?), ek: take(&mut rest)? },
            [FLAG_ANSWER] => KemPart::Answer { id: u32::from_be_bytes(*take(&mut rest)?), ct: take(&mut rest)? },
            _ => return Err(SessionError::Malformed),
        };
        // The last counter is never used, so that "the next one" is always a counter (SES-32).
        if rest.len() < TAG_LEN || number == u32::MAX {
            return Err(SessionError::Malformed);
        }
        let (header_bytes, body) = bytes.split_at(bytes.len() - rest.len());
        let header = Header { session, ratchet_key, previous, number, salt, kem };
        Ok(Self { header, header_bytes, body })
    }
}

/// Takes the next `N` bytes off.
pub(in crate::session) fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], SessionError> {
    let (taken, after) = rest.split_first_chunk().ok_or(SessionError::Malformed)?;
    *rest = after;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(kem: KemPart<'_>) -> Header<'_> {
        Header {
            session: SessionId::new([1; 16]),
            ratchet_key: DhPublic([2; 32]),
            previous: 3,
            number: 4,
            salt: [5; 16],
            kem,
        }
    }

    #[test]
    fn every_form_parses_back() {
        let (ek, ct) = ([6; EK_LEN], [7; CT_LEN]);
        for kem in [KemPart::Nothing, KemPart::Offer { id: 8, ek: &ek }, KemPart::Answer { id: 9, ct: &ct }] {
            let mut bytes = Vec::new();
            header(kem).write(&mut bytes);
            let header_len = bytes.len();
            bytes.extend_from_slice(&[0xbb; TAG_LEN]);
            let message = MessageIn::parse(&bytes).unwrap();
            assert_eq!(message.header, header(kem));
            assert_eq!(message.header_bytes.len(), header_len);
            assert_eq!(message.body, [0xbb; TAG_LEN]);
            // SES-31: a truncated message has no form.
            for len in 0..bytes.len() {
                assert_eq!(MessageIn::parse(&bytes[..len]).unwrap_err(), SessionError::Malformed, "{len}");
            }
        }
    }

    #[test]
    fn layout_is_the_specified_one() {
        let mut bytes = Vec::new();
        header(KemPart::Nothing).write(&mut bytes);
        let expected = [&[1; 16][..], &[2; 32], &[0, 0, 0, 3], &[0, 0, 0, 4], &[5; 16], &[0]].concat();
        assert_eq!(bytes, expected);
        assert_eq!(bytes.len(), HEADER_LEN);
    }

    /// SES-31: flags that are not defined, both parts at once, the last counter, an oversized message.
    #[test]
    fn what_has_no_form_is_refused() {
        let mut bytes = Vec::new();
        header(KemPart::Nothing).write(&mut bytes);
        bytes.resize(4096, 0);
        for flags in 3..=u8::MAX {
            bytes[HEADER_LEN - 1] = flags;
            assert_eq!(MessageIn::parse(&bytes).unwrap_err(), SessionError::Malformed, "{flags}");
        }
        bytes[HEADER_LEN - 1] = 0;
        assert!(MessageIn::parse(&bytes).is_ok());
        bytes[52..56].copy_from_slice(&u32::MAX.to_be_bytes());
        assert_eq!(MessageIn::parse(&bytes).unwrap_err(), SessionError::Malformed);
        bytes[52..56].copy_from_slice(&(u32::MAX - 1).to_be_bytes());
        assert!(MessageIn::parse(&bytes).is_ok());
        bytes.resize(MAX_PAYLOAD, 0);
        assert!(MessageIn::parse(&bytes).is_ok());
        bytes.push(0);
        let error = SessionError::TooLarge { len: MAX_PAYLOAD + 1, max: MAX_PAYLOAD };
        assert_eq!(MessageIn::parse(&bytes).unwrap_err(), error);
    }
}
