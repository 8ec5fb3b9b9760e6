//! What a mailbox answers.

use super::wire::{Take, flag, framed, head, opened, put_part};
use super::{HEAD_LEN, MailboxError};
use crate::base::limits::{
    MAX_BOX_PAGE, MAX_BOX_PAGE_BYTES, MAX_CARD, MAX_ENVELOPE, MAX_ONE_TIME_PREKEY, MAX_WORK, MIN_ENVELOPE,
    ONE_TIME_BATCH,
};
use crate::envelope::seal;

const DONE: u8 = 1;
const KEPT: u8 = 2;
const PAGE: u8 = 3;
const STORED: u8 = 4;
const CARD: u8 = 5;
const WAITED: u8 = 6;
const NO_BOX: u8 = 32;
const FULL: u8 = 33;
const TOO_LARGE: u8 = 34;
const REFUSED: u8 = 35;
const WORK: u8 = 36;
const UNAVAILABLE: u8 = 37;
const MALFORMED: u8 = 38;

const MIN_SEALED: usize = MIN_ENVELOPE + seal::OVERHEAD;
/// Beside the envelopes: more, prekeys, count, and number and length of each.
const MAX_PAGE: usize = 5 + MAX_BOX_PAGE * 12 + MAX_BOX_PAGE_BYTES;

/// An answer. Nothing in it is verified: a mailbox may say anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To delete and drop: there is nothing (any more) of what was to go.
    Done,
    /// To register and renew: it is kept.
    Kept {
        /// One-time prekeys that are held now.
        prekeys: u16,
    },
    /// To fetch.
    Page {
        /// Whether there are envelopes behind the last one.
        more: bool,
        /// One-time prekeys that are held now.
        prekeys: u16,
        /// Ascending by number.
        items: Vec<PageItem>,
    },
    /// To deposit: it would survive a power cut.
    Stored,
    /// To card.
    Card {
        /// The encoded card.
        card: Vec<u8>,
        /// An encoded one-time prekey, handed out this once.
        prekey: Option<Vec<u8>>,
    },
    /// To wait.
    Waited {
        /// Whether something came; else the time is over, or a newer question took the place of this one.
        came: bool,
    },
    /// There is no such box for whoever asks.
    NoBox,
    /// There is no room now.
    Full {
        /// When to come again, in seconds.
        retry_after: u32,
    },
    /// It will never fit.
    TooLarge,
    /// This mailbox does not do this for the owner.
    Refused,
    /// A stranger is to show work.
    Work {
        /// Leading zero bits, 1 to 24.
        level: u8,
    },
    /// The mailbox's own trouble: come again later.
    Unavailable,
    /// The question was not understood.
    Malformed,
}

/// An envelope in a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageItem {
    /// Its number in the box.
    pub number: u64,
    /// The sealed envelope.
    pub sealed: Vec<u8>,
}

impl Answer {
    /// `version ‖ kind ‖ length (4) ‖ body` (MBX-3).
    ///
    /// # Errors
    /// [`MailboxError::TooLarge`] and [`MailboxError::Malformed`] for what is outside its bounds.
    pub fn encode(&self) -> Result<Vec<u8>, MailboxError> {
        let mut body = Vec::new();
        let kind = match self {
            Self::Done => DONE,
            Self::Kept { prekeys } => {
                body.extend_from_slice(&bounded(*prekeys)?.to_be_bytes());
                KEPT
            }
            Self::Page { more, prekeys, items } => {
                body.push(u8::from(*more));
                body.extend_from_slice(&bounded(*prekeys)?.to_be_bytes());
                put_items(&mut body, items)?;
                PAGE
            }
            Self::Stored => STORED,
            Self::Card { card, prekey } => {
                put_part(&mut body, card, 1, MAX_CARD)?;
                let least = usize::from(prekey.is_some());
                put_part(&mut body, prekey.as_deref().unwrap_or_default(), least, MAX_ONE_TIME_PREKEY)?;
                CARD
            }
            Self::Waited { came } => {
                body.push(u8::from(*came));
                WAITED
            }
            Self::NoBox => NO_BOX,
            Self::Full { retry_after } => {
                body.extend_from_slice(&retry_after.to_be_bytes());
                FULL
            }
            Self::TooLarge => TOO_LARGE,
            Self::Refused => REFUSED,
            Self::Work { level } => {
                if !(1..=MAX_WORK).contains(level) {
                    return Err(MailboxError::Malformed);
                }
                body.push(*level);
                WORK
            }
            Self::Unavailable => UNAVAILABLE,
            Self::Malformed => MALFORMED,
        };
        framed(kind, &body)
    }

    /// How many bytes follow the head of an answer: to be asked before anything is allocated for them (MBX-3).
    ///
    /// # Errors
    /// [`MailboxError`].
    pub fn body_len(bytes: &[u8; HEAD_LEN]) -> Result<usize, MailboxError> {
        head(bytes, bounds).map(|(_, len)| len)
    }

    /// Reads an answer, to its last byte.
    ///
    /// # Errors
    /// [`MailboxError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MailboxError> {
        let (kind, mut body) = opened(bytes, bounds)?;
        let answer = match kind {
            DONE => Self::Done,
            KEPT => Self::Kept { prekeys: bounded(body.u16()?)? },
            PAGE => {
                Self::Page { more: flag(body.u8()?)?, prekeys: bounded(body.u16()?)?, items: take_items(&mut body)? }
            }
            STORED => Self::Stored,
            CARD => {
                let card = body.part(1, MAX_CARD)?.to_vec();
                let prekey = body.part(0, MAX_ONE_TIME_PREKEY)?;
                Self::Card { card, prekey: (!prekey.is_empty()).then(|| prekey.to_vec()) }
            }
            WAITED => Self::Waited { came: flag(body.u8()?)? },
            NO_BOX => Self::NoBox,
            FULL => Self::Full { retry_after: body.u32()? },
            TOO_LARGE => Self::TooLarge,
            REFUSED => Self::Refused,
            WORK => {
                let level = body.u8()?;
                if !(1..=MAX_WORK).contains(&level) {
                    return Err(MailboxError::Malformed);
                }
                Self::Work { level }
            }
            UNAVAILABLE => Self::Unavailable,
            // `bounds` knows no other.
            _ => Self::Malformed,
        };
        body.end()?;
        Ok(answer)
    }
}

/// How many bytes a body has at least and at most; `None`: no such answer.
const fn bounds(kind: u8) -> Option<(usize, usize)> {
    Some(match kind {
        DONE | STORED | NO_BOX | TOO_LARGE | REFUSED | UNAVAILABLE | MALFORMED => (0, 0),
        KEPT => (2, 2),
        PAGE => (5, MAX_PAGE),
        CARD => (5, 4 + MAX_CARD + MAX_ONE_TIME_PREKEY),
        FULL => (4, 4),
        WORK | WAITED => (1, 1),
        _ => return None,
    })
}

fn bounded(prekeys: u16) -> Result<u16, MailboxError> {
    if usize::from(prekeys) <= ONE_TIME_BATCH { Ok(prekeys) } else { Err(MailboxError::Malformed) }
}

/// Numbers ascend, and all is within the bounds of a page.
fn fits(items: &[PageItem]) -> bool {
    let size = |item: &PageItem| (MIN_SEALED..=MAX_ENVELOPE).contains(&item.sealed.len());
    items.len() <= MAX_BOX_PAGE
        && items.iter().all(size)
        && items.iter().map(|item| item.sealed.len()).sum::<usize>() <= MAX_BOX_PAGE_BYTES
        && items.is_sorted_by(|a, b| a.number < b.number)
}

fn put_items(out: &mut Vec<u8>, items: &[PageItem]) -> Result<(), MailboxError> {
    if !fits(items) {
        return Err(MailboxError::TooLarge);
    }
    let count = u16::try_from(items.len()).map_err(|_| MailboxError::TooLarge)?;
    out.extend_from_slice(&count.to_be_bytes());
    for item in items {
        let len = u32::try_from(item.sealed.len()).map_err(|_| MailboxError::TooLarge)?;
        out.extend_from_slice(&item.number.to_be_bytes());
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&item.sealed);
    }
    Ok(())
}

fn take_items(body: &mut Take<'_>) -> Result<Vec<PageItem>, MailboxError> {
    let count = usize::from(body.u16()?);
    if count > MAX_BOX_PAGE {
        return Err(MailboxError::Malformed);
    }
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        let number = body.u64()?;
        let len = usize::try_from(body.u32()?).map_err(|_| MailboxError::Malformed)?;
        items.push(PageItem { number, sealed: body.bytes(len)?.to_vec() });
    }
    if fits(&items) { Ok(items) } else { Err(MailboxError::Malformed) }
}
