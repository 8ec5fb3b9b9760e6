//! What a mailbox answers.

use super::HEAD_LEN;
use super::wire::{framed, head, opened};
use crate::base::limits::{
    MAX_BOX_PAGE, MAX_BOX_PAGE_BYTES, MAX_CARD, MAX_ENVELOPE, MAX_ONE_TIME_PREKEY, MAX_WORK, MIN_ENVELOPE,
    ONE_TIME_BATCH,
};
use crate::envelope::seal;
use crate::envelope::wire::{Take, WireError, count, flag, put_card, take_card};

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
    /// [`WireError::TooLarge`] and [`WireError::Malformed`] for what is outside its bounds.
    pub fn encode(&self) -> Result<Vec<u8>, WireError> {
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
                put_card(&mut body, card, prekey.as_deref())?;
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
                body.push(sound(*level)?);
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
    /// [`WireError`].
    pub fn body_len(bytes: &[u8; HEAD_LEN]) -> Result<usize, WireError> {
        head(bytes, bounds).map(|(_, len)| len)
    }

    /// Reads an answer, to its last byte.
    ///
    /// # Errors
    /// [`WireError`].
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let (kind, mut body) = opened(bytes, bounds)?;
        let answer = match kind {
            DONE => Self::Done,
            KEPT => Self::Kept { prekeys: bounded(body.u16()?)? },
            PAGE => {
                Self::Page { more: flag(body.u8()?)?, prekeys: bounded(body.u16()?)?, items: take_items(&mut body)? }
            }
            STORED => Self::Stored,
            CARD => {
                let (card, prekey) = take_card(&mut body)?;
                Self::Card { card, prekey }
            }
            WAITED => Self::Waited { came: flag(body.u8()?)? },
            NO_BOX => Self::NoBox,
            FULL => Self::Full { retry_after: body.u32()? },
            TOO_LARGE => Self::TooLarge,
            REFUSED => Self::Refused,
            WORK => Self::Work { level: sound(body.u8()?)? },
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

fn bounded(prekeys: u16) -> Result<u16, WireError> {
    if usize::from(prekeys) <= ONE_TIME_BATCH { Ok(prekeys) } else { Err(WireError::Malformed) }
}

fn sound(level: u8) -> Result<u8, WireError> {
    if (1..=MAX_WORK).contains(&level) { Ok(level) } else { Err(WireError::Malformed) }
}

/// Numbers ascend, and all is within the bounds of a page.
fn fits(items: &[PageItem]) -> bool {
    let size = |item: &PageItem| (MIN_SEALED..=MAX_ENVELOPE).contains(&item.sealed.len());
    items.len() <= MAX_BOX_PAGE
        && items.iter().all(size)
        && items.iter().map(|item| item.sealed.len()).sum::<usize>() <= MAX_BOX_PAGE_BYTES
        && items.is_sorted_by(|a, b| a.number < b.number)
}

fn put_items(out: &mut Vec<u8>, items: &[PageItem]) -> Result<(), WireError> {
    if !fits(items) {
        return Err(WireError::TooLarge);
    }
    out.extend_from_slice(&count::<u16>(items.len(), MAX_BOX_PAGE)?.to_be_bytes());
    for item in items {
        out.extend_from_slice(&item.number.to_be_bytes());
        out.extend_from_slice(&count::<u32>(item.sealed.len(), MAX_ENVELOPE)?.to_be_bytes());
        out.extend_from_slice(&item.sealed);
    }
    Ok(())
}

fn take_items(body: &mut Take<'_>) -> Result<Vec<PageItem>, WireError> {
    let count = body.count(0, MAX_BOX_PAGE)?;
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        let number = body.u64()?;
        let len = usize::try_from(body.u32()?).map_err(|_| WireError::Malformed)?;
        items.push(PageItem { number, sealed: body.bytes(len)?.to_vec() });
    }
    if fits(&items) { Ok(items) } else { Err(WireError::Malformed) }
}
