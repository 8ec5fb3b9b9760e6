//! Envelopes, seals, and the frames and answers that carry them.

use super::{Bytes, rng};
use crate::base::limits::{MAX_ENVELOPE, MAX_PAYLOAD};
use crate::base::{PeerId, Secret};
use crate::crypto::dh::DhSecret;
use crate::envelope::exchange::{CardRequest, CardResponse};
use crate::envelope::frame::{self, Frame, HEAD_LEN, RefuseReason};
use crate::envelope::seal::{OVERHEAD, SealError, SealedIn, seal};
use crate::envelope::{self as env, EnvelopeKind};
use crate::identity::PrekeyId;
use crate::session::{FirstContactIn, SessionError};

/// An envelope, a sealed one, or what is to become one.
pub(super) fn envelope(bytes: &[u8]) -> bool {
    let mut bytes = Bytes(bytes);
    match bytes.u8() % 4 {
        0 => open_envelope(bytes.0),
        1 => {
            let Ok(sealed) = SealedIn::decode(bytes.0) else { return false };
            // Nobody seals by chance; and it opens or not without a panic.
            assert!(sealed.open(&seal_key()).is_err());
            true
        }
        2 => change_seal(bytes),
        _ => {
            let kind = EnvelopeKind::try_from(bytes.u8() % 3 + 1).expect("three kinds");
            let encoded = env::encode(kind, bytes.0).expect("the input is shorter than a payload");
            let decoded = env::decode(&encoded).expect("made here");
            assert_eq!((decoded.kind, decoded.payload), (kind, bytes.0));
            true
        }
    }
}

fn seal_key() -> DhSecret {
    DhSecret::from_bytes(Secret::new([7; 32]))
}

/// ENV-4, ENV-5: one encoding for each kind and payload.
fn open_envelope(bytes: &[u8]) -> bool {
    let Ok(envelope) = env::decode(bytes) else { return false };
    assert_eq!(env::encode(envelope.kind, envelope.payload).expect("was decoded"), bytes);
    match FirstContactIn::parse(envelope.payload) {
        Ok(first) => assert!(first.one_time_id().is_none_or(|id| id == first.header.kem_id)),
        Err(SessionError::TooLarge { .. }) => panic!("a payload is bounded: {MAX_PAYLOAD}"),
        Err(_) => {}
    }
    true
}

/// ENV-14: a seal opens as it was made, and with one byte changed not at all.
fn change_seal(mut bytes: Bytes<'_>) -> bool {
    let (place, bits) = (usize::from(bytes.u16()), bytes.u8());
    let Ok(plain) = env::encode(EnvelopeKind::Session, bytes.0) else { return false };
    let sender = PeerId::from_key_bytes([9; 32]);
    let sealed = seal(&[1; 16], PrekeyId(2), &seal_key().public(), sender, &plain, &mut rng());
    let mut sealed = sealed.expect("the seal key is sound, and the input short");
    assert_eq!(sealed.len(), plain.len() + OVERHEAD);
    let place = place % sealed.len();
    sealed[place] ^= bits;
    let opened = SealedIn::decode(&sealed).and_then(|sealed| sealed.open(&seal_key()));
    match opened {
        Ok(opened) => assert_eq!((bits, opened), (0, (sender, plain))),
        Err(SealError::UnknownVersion(_)) => assert_eq!(place, 0),
        Err(error) => assert!(bits != 0, "{error}"),
    }
    bits == 0
}

/// A stream of frames, or a question or answer of the card protocol.
pub(super) fn frames(bytes: &[u8]) -> bool {
    let mut bytes = Bytes(bytes);
    match bytes.u8() % 3 {
        0 => stream(bytes.0),
        1 => {
            let Ok(request) = CardRequest::decode(bytes.0) else { return false };
            assert_eq!(CardRequest::decode(&request.encode()), Ok(request));
            true
        }
        _ => {
            let Ok(response) = CardResponse::decode(bytes.0) else { return false };
            assert_eq!(response.encode().expect("was decoded"), bytes.0);
            true
        }
    }
}

fn stream(mut bytes: &[u8]) -> bool {
    let mut frames = 0;
    while let Ok(Some((frame, len))) = frame::decode(bytes) {
        assert!((HEAD_LEN..=HEAD_LEN + MAX_ENVELOPE).contains(&len));
        let (taken, rest) = bytes.split_at(len);
        // A frame of which the last byte is missing is not there yet.
        assert_eq!(frame::decode(&taken[..len - 1]), Ok(None));
        encodes_back(&frame, taken);
        (bytes, frames) = (rest, frames + 1);
    }
    frames > 0
}

/// What has one form only has it again; a later version's hello and reasons do not (NET-7, NET-14).
fn encodes_back(frame: &Frame, taken: &[u8]) {
    let mut again = Vec::new();
    match frame {
        Frame::Hello { version } => assert!(*version > 0),
        Frame::Envelope { seq, bytes } => frame::put_envelope(&mut again, *seq, bytes),
        Frame::Ack { upto } => frame::put_ack(&mut again, *upto),
        Frame::Refusal { seq, reason } => {
            frame::put_refusal(&mut again, *seq, *reason);
            if *reason == RefuseReason::Unavailable {
                again.clear();
            }
        }
    }
    assert!(again.is_empty() || again == taken, "{frame:?}");
}
