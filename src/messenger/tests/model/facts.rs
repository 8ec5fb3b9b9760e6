//! The naive model: of each message of Alice's to Bob what is known to have happened to it, and what must follow.
//! It knows no rows, sessions or links. Where it cannot know (a ticket that was perhaps forgotten with a session) it
//! lets both be.

use std::collections::{BTreeMap, BTreeSet};

use super::peek::{Says, Side};
use crate::base::event::EventKind;
use crate::base::words::{Direction, State};
use crate::base::{EnvelopeId, MessageId, Millis, MonoTime, Now, PeerId, WallTime, limits};

/// What is known of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    #[default]
    No,
    Perhaps,
    Yes,
}

/// A message of Alice's.
#[derive(Clone, Debug)]
pub(super) struct Fact {
    pub(super) id: MessageId,
    /// It was the so many'th.
    ordinal: usize,
    queued_at: WallTime,
    expires: Option<WallTime>,
    /// More than a mailbox takes of somebody without a token.
    pub(super) is_big: bool,
    /// It left at least once.
    emitted: bool,
    /// Bob's node has stored it, and nothing has begun anew since.
    acked: Known,
    /// Which mailboxes say that they have it, and since when.
    holds: BTreeMap<PeerId, (WallTime, Known)>,
    /// It must be shown as sent.
    sent: Known,
    delivered: bool,
    read: bool,
    given_up: bool,
    forgotten: bool,
    /// The last state that an event told.
    told: Option<State>,
    shown: Option<State>,
    /// Bob said that he has it before he had it.
    pub(super) is_lie: bool,
    /// A mailbox said that it has it, and does not; or that it will never fit.
    pub(super) is_mislaid: bool,
}

/// What was left at a mailbox.
struct Deposit {
    sealed: Vec<u8>,
    /// Whether it is not known what came of it.
    is_open: bool,
}

/// An envelope that is on its way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) bytes: Vec<u8>,
    pub(super) says: Option<Says>,
    /// Perhaps its outcome means nothing any more.
    pub(super) is_doubtful: bool,
}

/// A deposit, or another question to a mailbox, that has no outcome yet.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) mailbox: PeerId,
    pub(super) at: MonoTime,
    /// The question, as it was encoded.
    pub(super) question: Vec<u8>,
    /// Of a deposit: what it says.
    pub(super) says: Option<Says>,
    pub(super) is_doubtful: bool,
}

/// Everything that is known.
#[derive(Default)]
pub(super) struct Facts {
    pub(super) all: Vec<Fact>,
    at: BTreeMap<MessageId, usize>,
    /// Those of which something was told in this step.
    told: BTreeSet<usize>,
    /// Up to this event all were read.
    events: u64,
    pub(super) accepted: bool,
    /// A session of theirs was refused, or begun by Bob: it may be begun anew with any card that comes.
    pub(super) session_doubted: bool,
    pub(super) blocked: bool,
    pub(super) connected: bool,
    /// A dial is under way.
    pub(super) dialled: bool,
    /// A question for the card is under way.
    pub(super) bundle: Option<u64>,
    /// He need not be dialled before this time…
    pub(super) paused: Option<MonoTime>,
    /// …nor anything be sent to him, whether he is there or not.
    pub(super) paced: Option<MonoTime>,
    pub(super) flying: BTreeMap<u64, Flight>,
    pub(super) asked: BTreeMap<u64, Asked>,
    deposits: BTreeMap<(MessageId, PeerId), Deposit>,
    /// What each envelope said that ever left.
    pub(super) seen: BTreeMap<EnvelopeId, Says>,
}

/// The longest pause.
const PAUSE: Millis = Millis(limits::RETRY_MAX.0 * 5 / 4 + 1);

impl Facts {
    /// A message of which something is told; it is looked at after this step.
    fn fact(&mut self, id: &MessageId) -> Option<&mut Fact> {
        let at = *self.at.get(id)?;
        self.told.insert(at);
        Some(&mut self.all[at])
    }

    // ---- What happens -------------------------------------------------------------------------------

    /// Reads what Alice's log tells since the last time: new messages, and states, which only grow.
    pub(super) fn learn(&mut self, alice: &Side, bob: PeerId, now: Now) {
        for event in alice.events(self.events) {
            self.events = event.seq;
            match event.kind {
                EventKind::MessageNew { conversation: peer, message_id: message } if peer == bob => {
                    let Some(view) = alice.shown(&message) else { continue };
                    if view.direction == Direction::Out {
                        self.add(message, view.expires_at, view.text.len() > 8_000, now.wall);
                    }
                }
                EventKind::MessageState { conversation: peer, message_id: message, state } if peer == bob => {
                    let Some(fact) = self.fact(&message) else { continue };
                    assert!(further(fact.told, state), "{message:?} went from {:?} to {state:?}", fact.told);
                    fact.told = Some(state);
                }
                EventKind::MessageDeleted { conversation: peer, message_id: message, .. } if peer == bob => {
                    let Some(fact) = self.fact(&message) else { continue };
                    assert!(fact.expires.is_some_and(|at| at <= now.wall), "{message:?} vanished too early");
                    fact.forgotten = true;
                }
                EventKind::ContactAdded { peer_id: peer } if peer == bob => self.accepted = true,
                _ => {}
            }
        }
    }

    fn add(&mut self, id: MessageId, expires: Option<WallTime>, is_big: bool, queued_at: WallTime) {
        self.at.insert(id, self.all.len());
        self.all.push(Fact {
            id,
            ordinal: self.all.len(),
            queued_at,
            expires,
            is_big,
            emitted: false,
            acked: Known::No,
            holds: BTreeMap::new(),
            sent: Known::No,
            delivered: false,
            read: false,
            given_up: false,
            forgotten: false,
            told: None,
            shown: None,
            is_lie: false,
            is_mislaid: false,
        });
    }

    /// Bob's node has stored it; perhaps Alice's does not listen any more.
    pub(super) fn acked(&mut self, flight: &Flight) {
        let known = if flight.is_doubtful { Known::Perhaps } else { Known::Yes };
        for id in flight.says.iter().flat_map(|says| &says.messages) {
            if let Some(fact) = self.fact(id) {
                fact.acked = fact.acked.max(known);
                fact.sent = fact.sent.max(known);
            }
        }
    }

    /// Bob's node will never take it.
    pub(super) fn refused_for_good(&mut self, flight: &Flight) {
        for id in flight.says.iter().flat_map(|says| &says.messages) {
            if let Some(fact) = self.fact(id).filter(|fact| fact.is_owed()) {
                fact.given_up = !flight.is_doubtful;
            }
        }
    }

    /// A mailbox says that it has it.
    pub(super) fn stored(&mut self, asked: &Asked, now: Now, is_true: bool) {
        let known = if asked.is_doubtful { Known::Perhaps } else { Known::Yes };
        for id in asked.says.iter().flat_map(|says| &says.messages) {
            self.deposits.remove(&(*id, asked.mailbox));
            let Some(fact) = self.fact(id) else { continue };
            // What Bob's own node has is not asked about any more.
            let known = if fact.acked == Known::No { known } else { Known::Perhaps };
            fact.is_mislaid |= !is_true;
            fact.sent = fact.sent.max(known);
            fact.holds.insert(asked.mailbox, (now.wall, known));
        }
    }

    /// What came of a deposit is not known, or that it is not there.
    pub(super) fn not_stored(&mut self, asked: &Asked, is_open: bool) {
        for id in asked.says.iter().flat_map(|says| &says.messages) {
            if let Some(deposit) = self.deposits.get_mut(&(*id, asked.mailbox)) {
                deposit.is_open = is_open && !asked.is_doubtful;
            }
        }
    }

    /// A mailbox will never take it.
    pub(super) fn too_large(&mut self, asked: &Asked) {
        self.not_stored(asked, false);
        for id in asked.says.iter().flat_map(|says| &says.messages) {
            if let Some(fact) = self.fact(id) {
                fact.is_mislaid = true;
            }
        }
    }

    /// Receipts have come.
    pub(super) fn receipts(&mut self, says: &Says) {
        for id in &says.delivered {
            if let Some(fact) = self.fact(id) {
                fact.delivered = true;
            }
        }
        for id in &says.read {
            if let Some(fact) = self.fact(id) {
                (fact.delivered, fact.read) = (true, true);
            }
        }
        let last = says.delivered.iter().chain(&says.read).filter_map(|id| self.at.get(id)).max().copied();
        self.pass_over(last.unwrap_or_default());
    }

    /// SES-72: what was said before something that is reported may go again, whoever had it.
    fn pass_over(&mut self, upto: usize) {
        for fact in self.all.iter_mut().take(upto).filter(|fact| !fact.delivered) {
            fact.acked = fact.acked.min(Known::Perhaps);
            fact.holds.values_mut().for_each(|(_, known)| *known = Known::Perhaps);
            self.deposits.retain(|(id, _), _| *id != fact.id);
        }
    }

    /// What was on its way is perhaps forgotten, and goes again.
    pub(super) fn doubt_flights(&mut self) {
        self.flying.values_mut().for_each(|flight| flight.is_doubtful = true);
    }

    /// A card has come: a session is begun with it, if it is wanted.
    pub(super) fn card_came(&mut self) {
        if self.session_doubted || !self.accepted {
            self.renewed();
        }
    }

    /// A session may have begun anew: all that is not delivered may go again.
    pub(super) fn renewed(&mut self) {
        self.doubt_flights();
        self.asked.values_mut().for_each(|asked| asked.is_doubtful = true);
        self.deposits.clear();
        for fact in &mut self.all {
            fact.acked = fact.acked.min(Known::Perhaps);
            fact.holds.values_mut().for_each(|(_, known)| *known = Known::Perhaps);
        }
    }

    /// The process has ended, and another begun.
    pub(super) fn restarted(&mut self) {
        self.disconnected();
        (self.dialled, self.paused, self.paced) = (false, None, None);
        self.asked.clear();
        self.deposits.clear();
    }

    pub(super) fn disconnected(&mut self) {
        self.connected = false;
        self.bundle = None;
        self.flying.clear();
    }

    pub(super) fn pause(&mut self, now: Now) {
        self.paused = Some(now.mono + PAUSE);
    }

    /// What was sent was not taken.
    pub(super) fn pace(&mut self, now: Now) {
        self.paced = Some(now.mono + PAUSE);
    }

    pub(super) fn deleted(&mut self) {
        self.all.iter_mut().for_each(|fact| fact.forgotten = true);
        self.look_at_all();
    }

    // ---- What leaves --------------------------------------------------------------------------------

    /// An envelope leaves for Bob's node.
    pub(super) fn flies(&mut self, alice: &Side, ticket: u64, flight: Flight, now: Now) {
        assert!(self.connected && !self.blocked, "an envelope leaves for who is not there, or is blocked");
        let bytes: usize = self.flying.values().map(|flight| flight.bytes.len()).sum();
        assert!(self.flying.len() < limits::MAX_IN_FLIGHT, "the window has no end");
        assert!(bytes < limits::MAX_IN_FLIGHT_BYTES, "the window is too wide");
        for id in flight.says.iter().flat_map(|says| &says.messages) {
            let mut sure = self.flying.values().filter(|flight| !flight.is_doubtful);
            let is_flying = sure.any(|other| other.says.iter().any(|says| says.messages.contains(id)));
            assert!(!is_flying, "{id:?} is sent while it is on its way");
            let acked = self.at.get(id).map(|at| self.all[*at].acked);
            assert_ne!(acked, Some(Known::Yes), "{id:?} is sent though Bob's node has it");
        }
        self.leaves(alice, flight.says.as_ref(), false, now);
        assert!(self.flying.insert(ticket, flight).is_none(), "a ticket is used twice");
    }

    /// A question leaves for a mailbox; a deposit if it says something.
    pub(super) fn asks(&mut self, alice: &Side, ticket: u64, asked: Asked, sealed: &[u8], now: Now) {
        assert!(!self.connected && !self.blocked, "a mailbox is asked for who is there, or is blocked");
        let says = asked.says.clone().unwrap_or_default();
        assert!(!says.addresses || self.accepted, "a mailbox may learn where Alice is");
        let is_small = self.deposits.values().map(|deposit| deposit.sealed.len()).sum::<usize>() < 1_000_000;
        for id in &says.messages {
            let Some(at) = self.at.get(id) else { continue };
            let fact = &self.all[*at];
            let holds = fact
                .holds
                .iter()
                .filter(|(_, (since, known))| *known == Known::Yes && *since + limits::DEPOSIT_LIFE > now.wall);
            let mut there: BTreeSet<PeerId> = holds.map(|(mailbox, _)| *mailbox).collect();
            for other in self.asked.values().filter(|other| !other.is_doubtful) {
                if other.says.iter().any(|says| says.messages.contains(id)) {
                    there.insert(other.mailbox);
                }
            }
            assert!(!there.contains(&asked.mailbox), "{id:?} is left where it is");
            assert!(there.len() < limits::DEPOSIT_COPIES, "{id:?} is left in too many places");
            let old = self.deposits.get(&(*id, asked.mailbox)).filter(|old| old.is_open && is_small);
            if let Some(old) = old.filter(|_| fact.expires.is_none()) {
                assert!(old.sealed == sealed, "{id:?} is left twice, in other bytes (MBX-27)");
            }
            self.deposits.insert((*id, asked.mailbox), Deposit { sealed: sealed.to_vec(), is_open: true });
        }
        self.leaves(alice, asked.says.as_ref(), true, now);
        assert!(self.asked.insert(ticket, asked).is_none(), "a ticket is used twice");
    }

    fn leaves(&mut self, alice: &Side, says: Option<&Says>, to_mailbox: bool, now: Now) {
        for id in says.iter().flat_map(|says| &says.messages) {
            let state = alice.shown(id).map(|view| view.state);
            assert!(matches!(state, Some(State::Queued | State::Sent)), "{id:?} leaves, which is {state:?}");
            let ordinal = self.fact(id).expect("a message of Alice's").ordinal;
            let is_due = |fact: &&Fact| !fact.emitted && fact.is_owed() && !(to_mailbox && fact.is_big);
            let before = self.all.iter().take(ordinal).filter(is_due).find(|fact| alice.shown(&fact.id).is_some());
            assert!(before.is_none(), "{id:?} leaves before {before:?}");
            self.all[ordinal].emitted = true;
            let counts = |fact: &&Fact| fact.emitted && !fact.is_old(now, limits::UNACCEPTED_LIFE);
            let strangers = self.all.iter().filter(counts).count();
            assert!(self.accepted || strangers <= limits::MAX_UNACCEPTED_SENT, "four messages to a stranger");
        }
    }

    // ---- What must be -------------------------------------------------------------------------------

    /// Looks at all messages after this step: nothing may have become of any that was not told.
    pub(super) fn look_at_all(&mut self) {
        self.told.extend(0..self.all.len());
    }

    /// The promises that hold after each step.
    pub(super) fn check(&mut self, alice: &Side, now: Now) {
        for at in std::mem::take(&mut self.told) {
            let fact = &mut self.all[at];
            fact.check(alice.shown(&fact.id).map(|view| view.state), now);
        }
        let is_paused = self.paused.max(self.paced).is_some_and(|until| until > now.mono);
        let is_owed = |fact: &&Fact| fact.is_owed() && fact.acked == Known::No;
        if self.blocked || is_paused {
            return;
        }
        if !self.connected {
            let owed = self.all.iter().find(is_owed);
            assert!(owed.is_none() || self.dialled, "nobody is dialled for {owed:?}");
            return;
        }
        let bytes: usize = self.flying.values().map(|flight| flight.bytes.len()).sum();
        let full = self.flying.len() >= limits::MAX_IN_FLIGHT || bytes >= limits::MAX_IN_FLIGHT_BYTES;
        if full || self.bundle.is_some() {
            return;
        }
        let flying: BTreeSet<MessageId> =
            self.flying.values().flat_map(|flight| &flight.says).flat_map(|says| &says.messages).copied().collect();
        let may_wait = |fact: &&Fact| !self.accepted && fact.ordinal >= limits::MAX_UNACCEPTED_SENT;
        let has_opaque = self.flying.values().any(|flight| flight.says.is_none());
        let left = self.all.iter().filter(is_owed).find(|fact| !may_wait(fact) && !flying.contains(&fact.id));
        assert!(left.is_none() || has_opaque, "it is not offered, and nothing is in the way: {left:?}");
    }

    /// What must arrive in the end.
    pub(super) fn owed(&self) -> impl Iterator<Item = &Fact> {
        self.all.iter().filter(|fact| fact.is_owed())
    }
}

impl Fact {
    /// Whether it is still to be delivered, as far as is known.
    pub(super) const fn is_owed(&self) -> bool {
        !(self.delivered || self.given_up || self.forgotten)
    }

    pub(super) fn is_old(&self, now: Now, span: Millis) -> bool {
        self.queued_at + span <= now.wall
    }

    /// Whether Alice tries no more, or did so never.
    pub(super) const fn need_not_arrive(&self) -> bool {
        self.forgotten || self.given_up || self.expires.is_some()
    }

    fn check(&mut self, shown: Option<State>, now: Now) {
        let Some(shown) = shown else {
            assert!(self.forgotten, "it is gone: {self:?}");
            return;
        };
        assert!(!self.forgotten, "it is still there: {self:?}");
        assert!(self.expires.is_none_or(|at| at > now.wall), "its time is over: {self:?}");
        let may = self.is_old(now, limits::UNDELIVERED_AFTER);
        let good = match shown {
            State::Read => self.read,
            State::Delivered => self.delivered && !self.read,
            _ if self.delivered => false,
            State::Undelivered => self.given_up || may,
            _ if self.given_up => false,
            State::Sent => self.sent >= Known::Perhaps,
            State::Queued => self.sent <= Known::Perhaps,
            State::Received => false,
        };
        assert!(good, "it is shown as {shown:?}: {self:?}");
        assert!(self.shown == Some(shown) || further(self.shown, shown), "it went back to {shown:?}: {self:?}");
        assert_eq!(self.told.unwrap_or(State::Queued), shown, "an event told otherwise: {self:?}");
        self.shown = Some(shown);
        self.given_up |= shown == State::Undelivered;
        // What was shown once stays.
        if shown == State::Sent {
            self.sent = Known::Yes;
        }
    }
}

/// Whether a message may go from one state to another.
const fn further(from: Option<State>, to: State) -> bool {
    const fn rank(state: State) -> u8 {
        match state {
            State::Queued => 0,
            State::Sent => 1,
            State::Undelivered => 2,
            State::Delivered => 3,
            State::Read => 4,
            State::Received => 5,
        }
    }
    match from {
        None => true,
        Some(from) => rank(from) < rank(to),
    }
}
