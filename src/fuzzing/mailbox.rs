//! Questions to a mailbox, and its answers.

use super::Bytes;
use super::identity::owner;
use crate::base::limits::MAX_WORK;
use crate::crypto::hash::sha256;
use crate::envelope::WireError;
use crate::envelope::mailbox::{Answer, HEAD_LEN, InvitationKey, Proof, Question, QueueKey};
use crate::identity::RequestToken;

/// A question or an answer, as it came or with a right head before any body; a proof of work.
pub(super) fn mailbox(bytes: &[u8]) -> bool {
    let mut bytes = Bytes(bytes);
    match bytes.u8() % 5 {
        0 => question(bytes.0),
        1 => answer(bytes.0),
        2 => question(&framed(bytes)),
        3 => answer(&framed(bytes)),
        _ => proof(bytes),
    }
}

/// `kind ‖ body`, with version and length.
fn framed(mut bytes: Bytes<'_>) -> Vec<u8> {
    let kind = bytes.u8();
    let len = u32::try_from(bytes.0.len()).expect("an input is short").to_be_bytes();
    [&[1, kind][..], &len, bytes.0].concat()
}

/// What the head says of the length is what decodes, and what decodes has one form.
fn heads_agree(bytes: &[u8], body_len: fn(&[u8; HEAD_LEN]) -> Result<usize, WireError>) {
    let head = bytes.first_chunk().expect("was decoded");
    assert_eq!(body_len(head), Ok(bytes.len() - HEAD_LEN));
}

fn question(bytes: &[u8]) -> bool {
    let Ok(question) = Question::decode(bytes) else { return false };
    heads_agree(bytes, Question::body_len);
    assert_eq!(question.encode().expect("was decoded"), bytes);
    match &question {
        Question::Register { offer, .. } | Question::Renew { offer, .. } => {
            if let Ok(taken) = offer.verify(owner().peer_id()) {
                assert_eq!((taken.batch, taken.card.bytes()), (offer.batch, offer.card));
                assert_eq!(taken.prekeys.len(), offer.prekeys.len());
            }
        }
        // Nobody makes a token by chance.
        Question::Deposit(deposit) => {
            let key = QueueKey::from_bytes([7; 32]);
            assert!(deposit.token.as_ref().is_none_or(|token| token.verify(&key).is_none()));
        }
        _ => {}
    }
    true
}

fn answer(bytes: &[u8]) -> bool {
    let Ok(answer) = Answer::decode(bytes) else { return false };
    heads_agree(bytes, Answer::body_len);
    assert_eq!(answer.encode().expect("was decoded"), bytes);
    true
}

/// More work is enough for whatever less was, for this envelope and these days only.
fn proof(mut bytes: Bytes<'_>) -> bool {
    let (level, day, nonce) = (bytes.u8() % (MAX_WORK + 1), u32::from(bytes.u16()), u64::from(bytes.u16()));
    let (to, hash) = (owner().peer_id(), sha256(&[bytes.0]));
    let key = InvitationKey::of(&RequestToken::from_bytes([3; 16]));
    let work = Proof::Work { day, nonce };
    let enough = work.is_enough(level, &to, day, &hash, &key);
    for less in 0..level {
        assert!(!enough || work.is_enough(less, &to, day, &hash, &key));
    }
    assert!(level == 0 || !work.is_enough(level, &to, day + 2, &hash, &key));
    assert!(Proof::invitation(&key, &to, day, &hash).is_enough(level, &to, day + 1, &hash, &key));
    enough
}
