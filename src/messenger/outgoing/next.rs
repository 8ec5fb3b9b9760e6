//! Which of what waits may go now: by the stream, or by mailboxes; and what goes together.

use crate::base::{PeerId, WallTime, limits};

use super::index::Waiting;
use super::step::{Control, Letter, What};

/// What decides beside the envelopes.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::messenger) struct Gate {
    /// The peer has accepted us.
    pub accepted: bool,
    /// How many messages that were sealed for him before that count still.
    pub unaccepted_sent: usize,
    /// Nothing more is sealed in this chain.
    pub is_shut: bool,
    /// So many messages may be on the stream, as he has failed; `None`: as many as the window takes.
    pub narrow: Option<usize>,
}

/// A mailbox of the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::messenger) struct Place {
    pub mailbox: PeerId,
    /// Whether it may be asked now.
    pub is_open: bool,
}

/// What is to be done with an envelope for somebody who is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::messenger) enum Leave {
    /// It is left at these mailboxes.
    At(Vec<PeerId>),
    /// It waits for others to share an envelope with, until then.
    Wait(WallTime),
    /// It is worth no more waiting.
    Drop,
    /// Nothing, now.
    Nothing,
    /// Nothing, and nothing behind it either.
    Stop,
}

/// Bytes of a capsule that several share: with seal and padding it has half of what a stranger may leave.
const MAX_SHARED_CAPSULE: usize = 6 * 1024;

impl Gate {
    /// Whether an envelope can be had: a fourth message to somebody who has not accepted stays queued here (REQ-10), and so does
    /// everything while nothing can be sealed.
    const fn lets(&self, letter: &Letter, is_sealed: bool) -> bool {
        let is_fourth = self.unaccepted_sent >= limits::MAX_UNACCEPTED_SENT;
        let counts = !self.accepted && !letter.way.counted && letter.is_message();
        is_sealed || !(self.is_shut || (is_fourth && counts))
    }
}

/// The next that goes on the stream, from this number on.
pub(in crate::messenger) fn on_stream(waiting: &Waiting, gate: &Gate, from: u64) -> Option<u64> {
    // What is no message is taken even where there is no room (NET-94), and may make some.
    let is_narrow = gate.narrow.is_some_and(|most| waiting.messages_on_stream() >= most);
    if waiting.is_window_full() || (is_narrow && waiting.totals.controls == 0) {
        return None;
    }
    let may = |letter: &Letter| (!gate.is_shut || letter.sealed.is_some()) && !(is_narrow && letter.is_message());
    let (number, letter) = waiting.idle(from..).find(|(_, letter)| may(letter))?;
    gate.lets(letter, letter.sealed.is_some()).then_some(number)
}

/// What an envelope, of those that wait, can have for a mailbox: that of the stream tells where we are, which is for who
/// has accepted us (MBX-60).
pub(in crate::messenger) fn fits_mailbox(letter: &Letter, gate: &Gate) -> bool {
    letter.sealed.as_ref().is_some_and(|sealed| sealed.for_mailbox || gate.accepted)
}

/// What is to be done with one for somebody who is away, when so many of his mailboxes are to have it.
pub(in crate::messenger) fn at_mailboxes(
    letter: &Letter,
    gate: &Gate,
    places: &[Place],
    copies: usize,
    now: WallTime,
) -> Leave {
    match letter.what {
        // It is for a connection, and what it asks for may be on its way to us (CON-32).
        What::Control { says: Control::Inquiry, .. } => return Leave::Drop,
        What::Control { says: Control::Receipts, .. } if letter.sealed.is_none() => {
            let until = letter.queued_at + limits::RECEIPTS_DEPOSIT_AFTER;
            if until > now {
                return Leave::Wait(until);
            }
        }
        _ => {}
    }
    if letter.barred {
        return Leave::Nothing;
    }
    let has_it =
        |mailbox: &PeerId| letter.way.held.iter().any(|(held, at)| held == mailbox && *at + limits::DEPOSIT_LIFE > now);
    let is_asked = |mailbox: &PeerId| letter.deposit_at(mailbox).is_some_and(|deposit| deposit.is_under_way());
    let held = letter.way.held.iter().filter(|(mailbox, _)| has_it(mailbox)).count();
    let asked = letter.deposits.iter().filter(|deposit| deposit.is_under_way()).count();
    let open = places.iter().filter(|place| place.is_open).map(|place| place.mailbox);
    let mut open: Vec<_> = open.filter(|mailbox| !has_it(mailbox) && !is_asked(mailbox)).collect();
    // A receipt that one has is worth no more waiting.
    if held > 0 && !letter.is_message() && asked == 0 && (open.is_empty() || held >= copies) {
        return Leave::Drop;
    }
    open.truncate(copies.saturating_sub(held + asked));
    if open.is_empty() {
        return Leave::Nothing;
    }
    if gate.lets(letter, fits_mailbox(letter, gate)) { Leave::At(open) } else { Leave::Stop }
}

/// Groups of what is no message and can share an envelope, so that a day of receipts is not a hundred: each goes into the
/// first of its group.
pub(in crate::messenger) fn shared(waiting: &Waiting) -> Vec<Vec<u64>> {
    let mut groups: Vec<Vec<u64>> = Vec::new();
    if waiting.totals.controls < 2 {
        return groups;
    }
    let (mut left, mut room) = (0, 0);
    for (number, letter) in waiting.idle(0..) {
        let What::Control { says, items, size } = letter.what else { continue };
        let is_whole = letter.sealed.is_none() && letter.way.held.is_empty() && items > 0;
        if says == Control::Inquiry || !is_whole {
            continue;
        }
        match groups.last_mut() {
            Some(group) if items <= left && size <= room => {
                group.push(number);
                (left, room) = (left - items, room - size);
            }
            _ => {
                groups.push(vec![number]);
                left = limits::MAX_CAPSULE_ITEMS.saturating_sub(items);
                room = MAX_SHARED_CAPSULE.saturating_sub(size);
            }
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}
