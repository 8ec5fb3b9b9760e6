//! What is asked of a mailbox.

use std::collections::BTreeSet;

use super::HEAD_LEN;
use super::token::{InvitationKey, QueueKey, TAG_LEN, Tag, TokenIn};
use super::wire::{framed, head, opened};
use super::work::Proof;
use crate::base::limits::{
    MAX_CARD, MAX_DELETED_AT_ONCE, MAX_ENVELOPE, MAX_MAIL_WAIT, MAX_ONE_TIME_PREKEY, MAX_REVOKED_AT_ONCE, MIN_ENVELOPE,
    ONE_TIME_BATCH,
};
use crate::base::{Millis, PeerId, Secret, WallTime};
use crate::envelope::seal::{self, SealedIn};
use crate::envelope::wire::{Take, WireError, count, flag, put_part};
use crate::identity::{Card, CardIn, IdentityError, IdentityKey, OneTimePrekeyIn, RecordError};

const REGISTER: u8 = 1;
const RENEW: u8 = 2;
const FETCH: u8 = 3;
const DELETE: u8 = 4;
const DROP: u8 = 5;
const WAIT: u8 = 6;
const DEPOSIT: u8 = 16;
const CARD: u8 = 17;

/// Bytes of a queue ID.
const QUEUE_LEN: usize = 16;
/// `batch (8) ‖ card ‖ number of prekeys (1) ‖ prekeys`, each with its length (2).
const MIN_OFFER: usize = 8 + 2 + 1 + 1;
const MAX_OFFER: usize = 8 + 2 + MAX_CARD + 1 + ONE_TIME_BATCH * (2 + MAX_ONE_TIME_PREKEY);
/// `queue ‖ form ‖ …`
const MAX_DELETE: usize = QUEUE_LEN + 1 + 2 + MAX_DELETED_AT_ONCE * 8;
/// `recipient ‖ token (1 or 49) ‖ proof (1, 13 or 37) ‖ sealed envelope`
const MIN_DEPOSIT: usize = 32 + 1 + 1 + MIN_SEALED;
const MAX_DEPOSIT: usize = 32 + 1 + TAG_LEN + 32 + 1 + 4 + 32 + MAX_ENVELOPE;
const MIN_SEALED: usize = MIN_ENVELOPE + seal::OVERHEAD;

/// A question; who asks is known from the stream. Nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question<'a> {
    /// The owner: keep a box for me, the queue is the card's.
    Register {
        /// Checks tokens.
        key: QueueKey,
        /// Checks invitations.
        invitation: InvitationKey,
        /// Card and prekeys.
        offer: OfferIn<'a>,
    },
    /// The owner: here is a newer card, more prekeys, and whose tokens are void.
    Renew {
        /// Checks invitations.
        invitation: InvitationKey,
        /// At most `MAX_REVOKED_AT_ONCE`.
        revoked: Vec<Tag>,
        /// Card and prekeys.
        offer: OfferIn<'a>,
    },
    /// The owner: what came after this number?
    Fetch {
        /// His queue.
        queue: [u8; QUEUE_LEN],
        /// The highest number he has.
        after: u64,
    },
    /// The owner: tell me when something comes.
    Wait {
        /// His queue.
        queue: [u8; QUEUE_LEN],
        /// The highest number he has seen.
        after: u64,
        /// For how long he waits: 1 to `MAX_MAIL_WAIT`.
        seconds: u16,
    },
    /// The owner: I have it.
    Delete {
        /// His queue.
        queue: [u8; QUEUE_LEN],
        /// What.
        what: Delete,
    },
    /// The owner: I leave.
    Drop {
        /// His queue.
        queue: [u8; QUEUE_LEN],
    },
    /// Anybody: an envelope.
    Deposit(Deposit<'a>),
    /// Anybody: the card of an owner.
    Card {
        /// Whose.
        owner: PeerId,
        /// Whether a one-time prekey is wanted, too.
        want_prekey: bool,
    },
}

/// Which envelopes the owner deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delete {
    /// All up to this number.
    UpTo(u64),
    /// These: ascending, 1 to `MAX_DELETED_AT_ONCE`.
    These(Vec<u64>),
}

/// An envelope for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit<'a> {
    /// For whom.
    pub recipient: PeerId,
    /// The token he gave the sender.
    pub token: Option<TokenIn>,
    /// What is shown instead.
    pub proof: Proof,
    /// The sealed envelope; its head has been looked at.
    pub sealed: &'a [u8],
}

/// What an owner leaves at a mailbox for others, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferIn<'a> {
    /// Grows with each batch of prekeys.
    pub batch: u64,
    /// The encoded card.
    pub card: &'a [u8],
    /// Encoded one-time prekeys, at most `ONE_TIME_BATCH`.
    pub prekeys: Vec<&'a [u8]>,
}

/// The same, verified.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Grows with each batch of prekeys.
    pub batch: u64,
    /// The owner's card.
    pub card: Card,
    /// Until when each of his prekeys is good, and its encoded form.
    pub prekeys: Vec<(WallTime, Vec<u8>)>,
}

/// Why an offer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// Who asks has no sound key.
    #[error("the owner's key: {0}")]
    Owner(IdentityError),
    /// The card.
    #[error("the card: {0}")]
    Card(RecordError),
    /// A prekey.
    #[error("a prekey: {0}")]
    Prekey(RecordError),
    /// A prekey stands twice in it.
    #[error("a prekey is offered twice")]
    Twice,
}

impl OfferIn<'_> {
    /// Card and prekeys must be signed by who asks (MBX-11). Their time is for those to judge who use them: the clock of a
    /// mailbox may be wrong, and is none of the two that matter.
    ///
    /// # Errors
    /// [`OfferError`].
    pub fn verify(&self, owner: PeerId) -> Result<Offer, OfferError> {
        let key = IdentityKey::from_peer_id(owner).map_err(OfferError::Owner)?;
        let always = WallTime(0);
        let card = CardIn::decode(self.card).and_then(|card| card.verify(&key, always)).map_err(OfferError::Card)?;
        let (mut ids, mut prekeys) = (BTreeSet::new(), Vec::with_capacity(self.prekeys.len()));
        for bytes in &self.prekeys {
            let prekey = OneTimePrekeyIn::decode(bytes).and_then(|prekey| prekey.verify(&key, always));
            let prekey = prekey.map_err(OfferError::Prekey)?;
            if !ids.insert(prekey.id) {
                return Err(OfferError::Twice);
            }
            prekeys.push((prekey.expires, bytes.to_vec()));
        }
        Ok(Offer { batch: self.batch, card, prekeys })
    }

    fn put(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        out.extend_from_slice(&self.batch.to_be_bytes());
        put_part(out, self.card, MAX_CARD)?;
        out.push(count(self.prekeys.len(), ONE_TIME_BATCH)?);
        self.prekeys.iter().try_for_each(|prekey| put_part(out, prekey, MAX_ONE_TIME_PREKEY))
    }
}

impl<'a> Question<'a> {
    /// `version ‖ kind ‖ length (4) ‖ body` (MBX-3).
    ///
    /// # Errors
    /// [`WireError::TooLarge`] and [`WireError::Malformed`] for what is outside its bounds.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
        let mut body = Vec::new();
        let kind = match self {
            Self::Register { key, invitation, offer } => {
                body.extend_from_slice(key.expose());
                body.extend_from_slice(invitation.expose());
                offer.put(&mut body)?;
                REGISTER
            }
            Self::Renew { invitation, revoked, offer } => {
                body.extend_from_slice(invitation.expose());
                body.extend_from_slice(&count::<u16>(revoked.len(), MAX_REVOKED_AT_ONCE)?.to_be_bytes());
                revoked.iter().for_each(|tag| body.extend_from_slice(tag));
                offer.put(&mut body)?;
                RENEW
            }
            Self::Fetch { queue, after } => {
                body.extend_from_slice(queue);
                body.extend_from_slice(&after.to_be_bytes());
                FETCH
            }
            Self::Wait { queue, after, seconds } => {
                body.extend_from_slice(queue);
                body.extend_from_slice(&after.to_be_bytes());
                body.extend_from_slice(&patience(*seconds)?.to_be_bytes());
                WAIT
            }
            Self::Delete { queue, what } => {
                body.extend_from_slice(queue);
                what.put(&mut body)?;
                DELETE
            }
            Self::Drop { queue } => {
                body.extend_from_slice(queue);
                DROP
            }
            Self::Deposit(deposit) => {
                deposit.put(&mut body)?;
                DEPOSIT
            }
            Self::Card { owner, want_prekey } => {
                body.extend_from_slice(owner.key_bytes());
                body.push(u8::from(*want_prekey));
                CARD
            }
        };
        framed(kind, &body)
    }

    /// How many bytes follow the head of a question: to be asked before anything is allocated for them (MBX-3).
    ///
    /// # Errors
    /// [`WireError`].
    pub fn body_len(bytes: &[u8; HEAD_LEN]) -> Result<usize, WireError> {
        head(bytes, bounds).map(|(_, len)| len)
    }

    /// Reads a question, to its last byte.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn decode(bytes: &'a [u8]) -> Result<Self, WireError> {
        let (kind, mut body) = opened(bytes, bounds)?;
        let question = match kind {
            REGISTER => Self::Register {
                key: QueueKey::from_bytes(*body.array()?),
                invitation: InvitationKey::from_bytes(*body.array()?),
                offer: take_offer(&mut body)?,
            },
            RENEW => Self::Renew {
                invitation: InvitationKey::from_bytes(*body.array()?),
                revoked: take_tags(&mut body)?,
                offer: take_offer(&mut body)?,
            },
            FETCH => Self::Fetch { queue: *body.array()?, after: body.u64()? },
            WAIT => Self::Wait { queue: *body.array()?, after: body.u64()?, seconds: patience(body.u16()?)? },
            DELETE => Self::Delete { queue: *body.array()?, what: Delete::take(&mut body)? },
            DROP => Self::Drop { queue: *body.array()? },
            DEPOSIT => Self::Deposit(Deposit::take(&mut body)?),
            // `bounds` knows no other.
            _ => Self::Card { owner: PeerId::from_key_bytes(*body.array()?), want_prekey: flag(body.u8()?)? },
        };
        body.end()?;
        Ok(question)
    }

    /// For how long a mailbox may hold this question; `None`: it is answered at once.
    pub fn patience(bytes: &'a [u8]) -> Option<Millis> {
        match Self::decode(bytes) {
            Ok(Self::Wait { seconds, .. }) => Some(Millis::from_secs(seconds.into())),
            _ => None,
        }
    }
}

fn patience(seconds: u16) -> Result<u16, WireError> {
    let longest = MAX_MAIL_WAIT.0 / 1000;
    if (1..=longest).contains(&seconds.into()) { Ok(seconds) } else { Err(WireError::Malformed) }
}

/// How many bytes a body has at least and at most; `None`: no such question.
const fn bounds(kind: u8) -> Option<(usize, usize)> {
    Some(match kind {
        REGISTER => (64 + MIN_OFFER, 64 + MAX_OFFER),
        RENEW => (34 + MIN_OFFER, 34 + MAX_REVOKED_AT_ONCE * TAG_LEN + MAX_OFFER),
        FETCH => (QUEUE_LEN + 8, QUEUE_LEN + 8),
        WAIT => (QUEUE_LEN + 8 + 2, QUEUE_LEN + 8 + 2),
        DELETE => (QUEUE_LEN + 1 + 8, MAX_DELETE),
        DROP => (QUEUE_LEN, QUEUE_LEN),
        DEPOSIT => (MIN_DEPOSIT, MAX_DEPOSIT),
        CARD => (33, 33),
        _ => return None,
    })
}

fn take_offer<'a>(body: &mut Take<'a>) -> Result<OfferIn<'a>, WireError> {
    let batch = body.u64()?;
    let card = body.part(1, MAX_CARD)?;
    let count = usize::from(body.u8()?);
    if count > ONE_TIME_BATCH {
        return Err(WireError::Malformed);
    }
    let prekeys = (0..count).map(|_| body.part(1, MAX_ONE_TIME_PREKEY)).collect::<Result<_, _>>()?;
    Ok(OfferIn { batch, card, prekeys })
}

fn take_tags(body: &mut Take<'_>) -> Result<Vec<Tag>, WireError> {
    (0..body.count(0, MAX_REVOKED_AT_ONCE)?).map(|_| body.array().copied()).collect()
}

impl Delete {
    fn put(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        match self {
            Self::UpTo(number) => {
                out.push(0);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Self::These(numbers) => {
                if numbers.is_empty() || !numbers.is_sorted_by(|a, b| a < b) {
                    return Err(WireError::Malformed);
                }
                out.push(1);
                out.extend_from_slice(&count::<u16>(numbers.len(), MAX_DELETED_AT_ONCE)?.to_be_bytes());
                numbers.iter().for_each(|number| out.extend_from_slice(&number.to_be_bytes()));
            }
        }
        Ok(())
    }

    fn take(body: &mut Take<'_>) -> Result<Self, WireError> {
        match body.u8()? {
            0 => Ok(Self::UpTo(body.u64()?)),
            1 => {
                let count = body.count(1, MAX_DELETED_AT_ONCE)?;
                let numbers: Vec<u64> = (0..count).map(|_| body.u64()).collect::<Result<_, _>>()?;
                let ascending = numbers.is_sorted_by(|a, b| a < b);
                ascending.then_some(Self::These(numbers)).ok_or(WireError::Malformed)
            }
            _ => Err(WireError::Malformed),
        }
    }
}

impl<'a> Deposit<'a> {
    fn put(&self, out: &mut Vec<u8>) -> Result<(), WireError> {
        out.extend_from_slice(self.recipient.key_bytes());
        out.push(u8::from(self.token.is_some()));
        if let Some(token) = &self.token {
            out.extend_from_slice(&token.tag);
            out.extend_from_slice(token.mac.expose());
        }
        match &self.proof {
            Proof::None => out.push(0),
            Proof::Work { day, nonce } => {
                out.push(1);
                out.extend_from_slice(&day.to_be_bytes());
                out.extend_from_slice(&nonce.to_be_bytes());
            }
            Proof::Invitation { day, mac } => {
                out.push(2);
                out.extend_from_slice(&day.to_be_bytes());
                out.extend_from_slice(mac.expose());
            }
        }
        if self.sealed.len() > MAX_ENVELOPE {
            return Err(WireError::TooLarge);
        }
        SealedIn::decode(self.sealed).map_err(|_| WireError::Malformed)?;
        out.extend_from_slice(self.sealed);
        Ok(())
    }

    fn take(body: &mut Take<'a>) -> Result<Self, WireError> {
        let recipient = PeerId::from_key_bytes(*body.array()?);
        let token = match body.u8()? {
            0 => None,
            1 => Some(TokenIn { tag: *body.array()?, mac: Secret::new(*body.array()?) }),
            _ => return Err(WireError::Malformed),
        };
        let proof = match body.u8()? {
            0 => Proof::None,
            1 => Proof::Work { day: body.u32()?, nonce: body.u64()? },
            2 => Proof::Invitation { day: body.u32()?, mac: Secret::new(*body.array()?) },
            _ => return Err(WireError::Malformed),
        };
        let sealed = body.rest();
        if sealed.len() > MAX_ENVELOPE {
            return Err(WireError::TooLarge);
        }
        // Of a seal of a later version nothing is known, not even the queue.
        SealedIn::decode(sealed).map_err(|_| WireError::Malformed)?;
        Ok(Self { recipient, token, proof, sealed })
    }
}
