//! One envelope: what is known of it, what can happen to it, and what follows.

use std::sync::Arc;

use crate::base::words::State;
use crate::base::{PeerId, SessionId, WallTime, limits};
use crate::content::{Capsule, Item};
use crate::envelope::frame::RefuseReason;
use crate::envelope::mailbox::Proof;
use crate::messenger::tables::{OutKind, OutRow, Way};

/// Something that waits for a peer: its row, without what it says, and what goes with the process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::messenger) struct Letter {
    pub what: What,
    pub queued_at: WallTime,
    /// How far it is: the part that is in the row.
    pub way: Way,
    /// The envelope, until it is taken.
    pub sealed: Option<Arc<Sealed>>,
    /// It is on its way on the stream.
    pub ticket: Option<u64>,
    /// Its sealed forms, for mailboxes that do not have it yet.
    pub deposits: Vec<Deposit>,
    /// No mailbox takes it as it is: it waits for a connection, another card or a token.
    pub barred: bool,
    /// A row that is needed does not open: it waits for the next start.
    pub unreadable: bool,
}

/// What is to be delivered, as far as it matters for the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::messenger) enum What {
    /// The message at this position of the conversation.
    Message(u64),
    /// A capsule without a message.
    Control { says: Control, items: usize, size: usize },
}

/// What a capsule without a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::messenger) enum Control {
    /// Receipts and nothing else.
    Receipts,
    /// It asks for receipts and says nothing else (CON-32).
    Inquiry,
    /// Anything else.
    Other,
}

/// An envelope that is ready to go.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::messenger) struct Sealed {
    pub bytes: Arc<[u8]>,
    /// Whether it does not tell where we are (MBX-60).
    pub for_mailbox: bool,
    /// The session that sealed it…
    pub session: SessionId,
    /// …and its number there.
    pub number: u64,
    /// Digest of what it tells of ourselves besides; it counts as told when this is taken.
    pub tells: Option<u64>,
}

/// An envelope sealed for one mailbox: a second try is the same bytes (MBX-27).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::messenger) struct Deposit {
    pub mailbox: PeerId,
    pub sealed: Arc<[u8]>,
    pub stage: Stage,
}

/// How far a deposit is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::messenger) enum Stage {
    /// It may be asked (again).
    Idle,
    /// It is asked, with this ticket.
    Asked(u64),
    /// It waits for its work.
    Working,
    /// The work is done.
    Proven(Proof),
}

/// What can happen to an envelope.
#[derive(Clone, Debug)]
pub(in crate::messenger) enum Happening {
    /// It was sealed; and whether that is one of the three before acceptance.
    Sealed(Arc<Sealed>, bool),
    /// It was handed to the stream.
    Sent(u64),
    /// The recipient's node has stored it.
    Acked(u64),
    /// The recipient's node refused it.
    Refused(u64, RefuseReason),
    /// It is not known whether the recipient's node has it.
    Lost(u64),
    /// There is no connection any more.
    Disconnected,
    /// It was handed to a mailbox.
    Asked { mailbox: PeerId, sealed: Arc<[u8]>, ticket: u64 },
    /// A mailbox was asked with this ticket, and this came of it.
    Answered(u64, Answered),
    /// The work for a mailbox is done.
    Proven(PeerId, Proof),
    /// No mailbox takes it as it is.
    Barred,
    /// There is another card, or a token.
    Unbarred,
    /// Time has passed.
    Aged,
    /// Its envelope makes room for others.
    Squeezed,
    /// It needs no delivery any more: the recipient said that he has it, it vanished, or another says the same.
    Settled,
    /// It is given up.
    GivenUp,
    /// A row that is needed does not open.
    Unreadable,
}

/// What came of a question to a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::messenger) enum Answered {
    /// It has it, as it says; so many are to have it.
    Stored(usize),
    /// Nothing, or nothing useful: it may have heard, so that the same bytes are asked again.
    Nothing,
    /// The token is void: the same bytes go without.
    Void,
    /// It wants work.
    Work,
    /// It does not take it.
    Declined,
    /// It takes nothing of this size.
    TooLarge,
}

/// What is to be done because of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::messenger) enum Effect {
    /// The row.
    Write,
    Delete,
    /// Tell how far the message is.
    Tell(State),
    /// Its number in the session is taken.
    Taken(Arc<Sealed>),
    /// What it tells of ourselves is told.
    Told(u64),
    /// Put the next try off.
    BackOff,
    /// The session is no good: begin a new one, and all that waits anew.
    BeginAnew,
}

/// What becomes of an envelope when something happens to it (`None`: it is gone), and what is to be done.
///
/// An outcome of something that is not under way is of an envelope that was given up meanwhile, and means nothing.
pub(in crate::messenger) fn step(letter: Letter, event: Happening, now: WallTime) -> (Option<Letter>, Vec<Effect>) {
    let before = letter.way.clone();
    let mut orders = Vec::new();
    let after = letter.after(event, now, &mut orders);
    match &after {
        None => orders.insert(0, Effect::Delete),
        Some(letter) if letter.way != before => orders.insert(0, Effect::Write),
        Some(_) => {}
    }
    (after, orders)
}

impl Letter {
    fn after(mut self, event: Happening, now: WallTime, orders: &mut Vec<Effect>) -> Option<Self> {
        let is_void = matches!(event, Happening::Acked(ticket) | Happening::Refused(ticket, _) | Happening::Lost(ticket)
            if self.ticket != Some(ticket));
        if is_void {
            return Some(self);
        }
        match event {
            Happening::Sealed(sealed, counts) => {
                self.sealed = Some(sealed);
                self.deposits.clear();
                self.way.counted |= counts;
            }
            Happening::Sent(ticket) => self.ticket = Some(ticket),
            Happening::Acked(_) => return self.taken(orders),
            Happening::Refused(_, reason) => return self.refused(reason, orders),
            Happening::Lost(_) => {
                self.ticket = None;
                orders.push(Effect::BackOff);
            }
            Happening::Disconnected => self.ticket = None,
            Happening::Asked { mailbox, sealed, ticket } => {
                self.deposits.retain(|deposit| deposit.mailbox != mailbox);
                self.deposits.push(Deposit { mailbox, sealed, stage: Stage::Asked(ticket) });
            }
            Happening::Answered(ticket, answer) => return self.answered(ticket, answer, now, orders),
            Happening::Proven(mailbox, proof) => self.work_is_done(mailbox, proof),
            Happening::Barred => self.bar(),
            Happening::Unbarred => self.barred = false,
            Happening::Aged => self.way.held.retain(|(_, at)| *at + limits::DEPOSIT_LIFE > now),
            Happening::Squeezed if self.is_under_way() => {}
            Happening::Squeezed => self.forget_sealed(),
            Happening::Settled => {
                orders.extend(self.sealed.map(Effect::Taken));
                return None;
            }
            Happening::GivenUp => return self.given_up(orders),
            Happening::Unreadable => {
                self.forget_sealed();
                self.unreadable = true;
            }
        }
        Some(self)
    }

    /// The same when the session it was sealed in, or what it was sealed from, is void: it begins anew, with all others that wait
    /// for the peer. That is one row, whatever waits. `None`: it is nowhere yet.
    pub(in crate::messenger) fn anew(&self) -> Option<Self> {
        if !(self.is_begun() || self.barred) {
            return None;
        }
        let way = Way { sent: false, held: Vec::new(), counted: self.way.counted, tail: self.way.tail.clone() };
        Some(Self { way, unreadable: self.unreadable, ..Self::new(self.what, self.queued_at) })
    }

    /// Whether it was sealed, as far as it matters still: it may be somewhere.
    pub(in crate::messenger) fn is_begun(&self) -> bool {
        let is_sealed = self.sealed.is_some() || self.ticket.is_some() || !self.deposits.is_empty();
        is_sealed || self.way.sent || !self.way.held.is_empty()
    }

    /// What waits, as its row says, now that all has begun anew so often.
    pub(in crate::messenger) fn of(row: &OutRow, anew: u64) -> Self {
        let what = match &row.kind {
            OutKind::Message(position) => What::Message(*position),
            OutKind::Control(bytes) => What::of(bytes),
        };
        Self { way: row.clone().way_now(anew), ..Self::new(what, row.queued_at) }
    }

    /// What was never anywhere.
    fn new(what: What, queued_at: WallTime) -> Self {
        Self {
            what,
            queued_at,
            way: Way::default(),
            sealed: None,
            ticket: None,
            deposits: Vec::new(),
            barred: false,
            unreadable: false,
        }
    }

    /// Whether it is a message.
    pub(in crate::messenger) const fn is_message(&self) -> bool {
        matches!(self.what, What::Message(_))
    }

    /// Whether an outcome is to be expected.
    pub(in crate::messenger) fn is_under_way(&self) -> bool {
        self.ticket.is_some() || self.deposits.iter().any(Deposit::is_under_way)
    }

    /// Whether somebody else has it, or gets it at this moment.
    pub(in crate::messenger) fn may_be_there(&self) -> bool {
        let is_asked = self.deposits.iter().any(|deposit| matches!(deposit.stage, Stage::Asked(_)));
        self.ticket.is_some() || is_asked || self.way.sent || !self.way.held.is_empty()
    }

    /// Bytes that are kept until it is taken.
    pub(in crate::messenger) fn kept(&self) -> usize {
        let envelope = self.sealed.as_ref().map_or(0, |sealed| sealed.bytes.len());
        envelope + self.deposits.iter().map(|deposit| deposit.sealed.len()).sum::<usize>()
    }

    /// The sealed form for a mailbox.
    pub(in crate::messenger) fn deposit_at(&self, mailbox: &PeerId) -> Option<&Deposit> {
        self.deposits.iter().find(|deposit| deposit.mailbox == *mailbox)
    }

    fn forget_sealed(&mut self) {
        (self.sealed, self.ticket) = (None, None);
        self.deposits.clear();
    }

    /// It waits for a connection, and keeps no bytes until then: others would wait for their room.
    fn bar(&mut self) {
        self.barred = true;
        if !self.is_under_way() {
            self.forget_sealed();
        }
    }

    /// The recipient's node has it: what is no message is done with. A message is kept until it is delivered (REQ-11).
    fn taken(mut self, orders: &mut Vec<Effect>) -> Option<Self> {
        if let Some(sealed) = &self.sealed {
            orders.push(Effect::Taken(Arc::clone(sealed)));
            orders.extend(sealed.tells.map(Effect::Told));
        }
        if !self.is_message() {
            return None;
        }
        if self.way.held.is_empty() {
            orders.push(Effect::Tell(State::Sent));
        }
        (self.way.sent, self.way.held) = (true, Vec::new());
        self.forget_sealed();
        Some(self)
    }

    fn refused(mut self, reason: RefuseReason, orders: &mut Vec<Effect>) -> Option<Self> {
        self.ticket = None;
        match reason {
            RefuseReason::TooMany | RefuseReason::Unavailable => orders.push(Effect::BackOff),
            // Nothing goes again because of what is only asked (CON-32).
            RefuseReason::PrekeyUnknown | RefuseReason::SessionUnknown
                if matches!(self.what, What::Control { says: Control::Inquiry, .. }) =>
            {
                orders.push(Effect::BackOff);
                return None;
            }
            RefuseReason::PrekeyUnknown | RefuseReason::SessionUnknown => orders.push(Effect::BeginAnew),
            // Nothing that goes again would fare better.
            RefuseReason::Unsupported | RefuseReason::Malformed => {
                orders.push(Effect::BackOff);
                return self.given_up(orders);
            }
        }
        Some(self)
    }

    fn given_up(self, orders: &mut Vec<Effect>) -> Option<Self> {
        orders.extend(self.is_message().then_some(Effect::Tell(State::Undelivered)));
        None
    }

    fn answered(mut self, ticket: u64, answer: Answered, now: WallTime, orders: &mut Vec<Effect>) -> Option<Self> {
        let asked = Stage::Asked(ticket);
        let Some(deposit) = self.deposits.iter_mut().find(|deposit| deposit.stage == asked) else { return Some(self) };
        let mailbox = deposit.mailbox;
        match answer {
            Answered::Nothing | Answered::Void => deposit.stage = Stage::Idle,
            Answered::Work => deposit.stage = Stage::Working,
            Answered::Stored(_) | Answered::Declined | Answered::TooLarge => {
                self.deposits.retain(|deposit| deposit.mailbox != mailbox);
            }
        }
        match answer {
            Answered::Stored(copies) => return self.stored(mailbox, copies, now, orders),
            Answered::TooLarge => self.bar(),
            _ => {}
        }
        Some(self)
    }

    /// A mailbox has it, as it says. What is no message is done with when enough have it: that its recipient has it he does
    /// not say, and what it said comes again in another way.
    fn stored(mut self, mailbox: PeerId, copies: usize, now: WallTime, orders: &mut Vec<Effect>) -> Option<Self> {
        let first = self.way.held.is_empty();
        self.way.held.retain(|(other, at)| *other != mailbox && *at + limits::DEPOSIT_LIFE > now);
        self.way.held.push((mailbox, now));
        let enough = self.way.held.len() >= copies;
        if first {
            orders.extend(self.sealed.as_ref().and_then(|sealed| sealed.tells).map(Effect::Told));
            orders.extend(self.is_message().then_some(Effect::Tell(State::Sent)));
        }
        if enough {
            orders.extend(self.sealed.clone().map(Effect::Taken));
            if !self.is_message() {
                return None;
            }
            if !self.is_under_way() {
                self.forget_sealed();
            }
        }
        Some(self)
    }

    fn work_is_done(&mut self, mailbox: PeerId, proof: Proof) {
        let waits = |deposit: &&mut Deposit| deposit.mailbox == mailbox && deposit.stage == Stage::Working;
        if let Some(deposit) = self.deposits.iter_mut().find(waits) {
            deposit.stage = Stage::Proven(proof);
        }
    }
}

impl Deposit {
    /// Whether an outcome is to be expected.
    pub(in crate::messenger) const fn is_under_way(&self) -> bool {
        matches!(self.stage, Stage::Asked(_) | Stage::Working)
    }

    /// The proof that was found for it.
    pub(in crate::messenger) const fn proof(&self) -> Option<&Proof> {
        if let Stage::Proven(proof) = &self.stage { Some(proof) } else { None }
    }
}

impl What {
    /// What a capsule without a message is.
    pub(in crate::messenger) fn of(capsule: &[u8]) -> Self {
        let items = Capsule::decode(capsule).map(|capsule| capsule.items).unwrap_or_default();
        let all = |is_one: fn(&Item) -> bool| !items.is_empty() && items.iter().all(is_one);
        let says = if all(|item| matches!(item, Item::Status(_))) {
            Control::Receipts
        } else if all(|item| matches!(item, Item::Inquiry(_) | Item::Introduction(_))) {
            Control::Inquiry
        } else {
            Control::Other
        };
        Self::Control { says, items: items.len(), size: capsule.len() }
    }
}
