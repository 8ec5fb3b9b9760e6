use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use proptest::prelude::*;

use super::index::Totals;
use super::next::{self, Gate, Leave, Place};
use super::step::{Control, What};
use super::*;
use crate::base::words::State;
use crate::base::{Millis, PeerId, SessionId, WallTime, limits};
use crate::envelope::frame::RefuseReason;
use crate::envelope::mailbox::Proof;
use crate::messenger::tables::Way;

mod edges;

const NOW: WallTime = WallTime(1_000_000_000_000);
/// Ticket of the stream, and of the question to a mailbox.
const STREAM: u64 = 7;
const ASKED: u64 = 8;
const NORTH: PeerId = PeerId::from_key_bytes([1; 32]);
const SOUTH: PeerId = PeerId::from_key_bytes([2; 32]);
const MESSAGE: What = What::Message(1 << 20);
const RECEIPTS: What = What::Control { says: Control::Receipts, items: 1, size: 50 };
const INQUIRY: What = What::Control { says: Control::Inquiry, items: 1, size: 50 };

fn queued(what: What) -> Letter {
    let (way, deposits) = (Way::default(), Vec::new());
    Letter { what, queued_at: NOW, way, sealed: None, ticket: None, deposits, barred: false, unreadable: false }
}

fn envelope() -> Arc<Sealed> {
    let (bytes, session) = (Arc::from(vec![1; 300]), SessionId::new([3; 16]));
    Arc::new(Sealed { bytes, for_mailbox: true, session, number: 5, tells: None })
}

fn asked(mailbox: PeerId, ticket: u64) -> Happening {
    Happening::Asked { mailbox, sealed: Arc::from(vec![2; 400]), ticket }
}

/// A letter of a kind after some events.
fn after(what: What, events: Vec<Happening>) -> Option<Letter> {
    let first = Some(queued(what));
    events.into_iter().fold(first, |letter, event| letter.and_then(|letter| step(letter, event, NOW).0))
}

fn states(what: What) -> Vec<(&'static str, Letter)> {
    let sealed = || Happening::Sealed(envelope(), false);
    let stored = |ticket| Happening::Answered(ticket, Answered::Stored(2));
    let half = || vec![sealed(), asked(NORTH, ASKED), stored(ASKED)];
    let held = || [half(), vec![asked(SOUTH, ASKED), stored(ASKED)]].concat();
    let all = [
        ("queued", vec![]),
        ("sealed", vec![sealed()]),
        ("on the stream", vec![sealed(), Happening::Sent(STREAM)]),
        ("asked", vec![sealed(), asked(NORTH, ASKED)]),
        ("held by one", half()),
        ("held by enough", held()),
        ("barred", vec![Happening::Barred]),
        ("sent", vec![sealed(), Happening::Sent(STREAM), Happening::Acked(STREAM)]),
        ("unreadable", vec![Happening::Unreadable]),
    ];
    all.into_iter().filter_map(|(name, events)| Some((name, after(what, events)?))).collect()
}

fn name(letter: Option<&Letter>) -> &'static str {
    match letter {
        None => "gone",
        Some(letter) if letter.unreadable => "unreadable",
        Some(letter) if letter.way.sent => "sent",
        Some(letter) if letter.ticket.is_some() => "on the stream",
        Some(letter) if letter.is_under_way() => "asked",
        Some(letter) if letter.way.held.len() > 1 => "held by enough",
        Some(letter) if letter.way.held.len() == 1 => "held by one",
        Some(letter) if letter.sealed.is_some() => "sealed",
        Some(letter) if letter.barred => "barred",
        Some(_) => "queued",
    }
}

/// What can happen, and that all begins anew (`None`).
fn events() -> Vec<(&'static str, Option<Happening>)> {
    let refused = |reason| Happening::Refused(STREAM, reason);
    let answered = |answer| Happening::Answered(ASKED, answer);
    let events = vec![
        ("it is sealed", Happening::Sealed(envelope(), false)),
        ("it goes on the stream", Happening::Sent(STREAM)),
        ("acknowledged", Happening::Acked(STREAM)),
        ("refused: too many, unavailable", refused(RefuseReason::TooMany)),
        ("refused: prekey, session unknown", refused(RefuseReason::SessionUnknown)),
        ("refused: malformed, unsupported", refused(RefuseReason::Malformed)),
        ("lost", Happening::Lost(STREAM)),
        ("the connection ends", Happening::Disconnected),
        ("a mailbox is asked", asked(SOUTH, 9)),
        ("*stored*, one of two", answered(Answered::Stored(2))),
        ("*stored*, the only one", answered(Answered::Stored(1))),
        ("no answer, or none of use", answered(Answered::Nothing)),
        ("the token is void", answered(Answered::Void)),
        ("work is wanted", answered(Answered::Work)),
        ("no box, full, refused", answered(Answered::Declined)),
        ("too large", answered(Answered::TooLarge)),
        ("no mailbox takes it", Happening::Barred),
        ("another card, a token", Happening::Unbarred),
        ("room is needed", Happening::Squeezed),
        ("delivered, read, vanished", Happening::Settled),
        ("given up", Happening::GivenUp),
        ("a row does not open", Happening::Unreadable),
    ];
    let mut events: Vec<_> = events.into_iter().map(|(name, event)| (name, Some(event))).collect();
    let at = events.iter().position(|(name, _)| *name == "room is needed").unwrap();
    events.insert(at, ("begun anew", None));
    events
}

fn order(order: &Effect) -> &'static str {
    match order {
        Effect::Write => "write",
        Effect::Delete => "delete",
        Effect::Tell(State::Sent) => "tell *sent*",
        Effect::Tell(_) => "tell *undelivered*",
        Effect::Taken(_) => "taken",
        Effect::Told(_) => "told",
        Effect::BackOff => "pause",
        Effect::BeginAnew => "all anew",
    }
}

fn happens(letter: Letter, event: Option<Happening>) -> (Option<Letter>, Vec<Effect>) {
    match event {
        Some(event) => step(letter, event, NOW),
        None => (Some(letter.anew().unwrap_or(letter)), Vec::new()),
    }
}

/// What becomes of each state by each event.
fn table(what: What) -> String {
    let states = states(what);
    let mut table = String::from("|");
    states.iter().for_each(|(name, _)| write!(table, " | {name}").unwrap());
    write!(table, " |\n|{}\n", "---|".repeat(states.len() + 1)).unwrap();
    for (what_happens, event) in events() {
        write!(table, "| {what_happens} |").unwrap();
        for (before, letter) in &states {
            let (after, orders) = happens(letter.clone(), event.clone());
            let after = Some(name(after.as_ref())).filter(|after| after != before);
            let cell: Vec<_> = after.into_iter().chain(orders.iter().map(order)).collect();
            write!(table, " {} |", if cell.is_empty() { "·".to_owned() } else { cell.join(", ") }).unwrap();
        }
        table.push('\n');
    }
    table
}

/// The page has the tables of what the code does.
#[test]
fn the_tables_of_the_page_are_those_of_the_code() {
    let page = include_str!("../../../docs/outgoing.md");
    let tables = [table(MESSAGE), table(RECEIPTS)];
    let there = tables.iter().all(|table| page.contains(table));
    assert!(there, "docs/outgoing.md is to have:\n\n{}", tables.join("\n"));
}

/// CON-32: nothing goes again because of what is only asked.
#[test]
fn an_inquiry_that_is_refused_is_given_up() {
    let sent = after(INQUIRY, vec![Happening::Sealed(envelope(), false), Happening::Sent(STREAM)]).unwrap();
    for reason in [RefuseReason::SessionUnknown, RefuseReason::PrekeyUnknown] {
        assert_eq!(
            step(sent.clone(), Happening::Refused(STREAM, reason), NOW),
            (None, vec![Effect::Delete, Effect::BackOff])
        );
    }
}

#[test]
fn what_a_mailbox_has_kept_for_its_time_is_gone_there() {
    let sealed = || Happening::Sealed(envelope(), false);
    let held =
        after(MESSAGE, vec![sealed(), asked(NORTH, ASKED), Happening::Answered(ASKED, Answered::Stored(1))]).unwrap();
    let at = |span: Millis| step(held.clone(), Happening::Aged, NOW + span);
    assert_eq!(at(Millis(limits::DEPOSIT_LIFE.0 - 1)), (Some(held.clone()), vec![]));
    let (aged, orders) = at(limits::DEPOSIT_LIFE);
    assert_eq!((aged.unwrap().way.held, orders), (vec![], vec![Effect::Write]));
}

/// What is told of ourselves counts when the envelope is taken, or a mailbox has it, and once.
#[test]
fn what_an_envelope_tells_counts_when_it_is_taken() {
    let telling = Arc::new(Sealed {
        bytes: Arc::from(vec![1; 9]),
        tells: Some(4),
        session: envelope().session,
        ..*envelope_parts()
    });
    let sealed =
        after(MESSAGE, vec![Happening::Sealed(telling, false), Happening::Sent(STREAM), asked(NORTH, ASKED)]).unwrap();
    let told = |event| step(sealed.clone(), event, NOW).1.contains(&Effect::Told(4));
    assert!(told(Happening::Acked(STREAM)) && told(Happening::Answered(ASKED, Answered::Stored(2))));
    assert!(!told(Happening::Lost(STREAM)) && !told(Happening::Answered(ASKED, Answered::Nothing)));
}

// ---- What may go --------------------------------------------------------------------------------

const PEER: PeerId = PeerId::from_key_bytes([9; 32]);
const ACCEPTED: Gate = Gate { accepted: true, unaccepted_sent: 0, is_shut: false, narrow: None };

fn waiting(letters: Vec<Letter>) -> Outgoing {
    let mut out = Outgoing::default();
    for (number, letter) in (1..).zip(letters) {
        out.set(PEER, number, Some(letter));
    }
    out
}

/// All that goes on the stream now, in order.
fn going(out: &Outgoing, gate: &Gate) -> Vec<u64> {
    let mut from = 0;
    let next = || {
        let number = next::on_stream(out.of(&PEER), gate, from)?;
        from = number + 1;
        Some(number)
    };
    std::iter::from_fn(next).take(1_000).collect()
}

#[test]
fn what_waits_goes_in_order_as_far_as_the_window_takes() {
    let sealed = after(MESSAGE, vec![Happening::Sealed(envelope(), false)]).unwrap();
    let kinds: Vec<Letter> = states(MESSAGE).into_iter().map(|(_, letter)| letter).collect();
    // All but what is on the stream, sent or unreadable: what a mailbox has goes, too.
    assert_eq!(going(&waiting(kinds), &ACCEPTED), [1, 2, 4, 5, 6, 7]);
    let mut out = waiting(vec![sealed; 2]);
    for ticket in 10..10 + limits::MAX_IN_FLIGHT as u64 {
        assert_eq!(going(&out, &ACCEPTED), [1, 2]);
        out.set_frame(PEER, ticket, Some((ticket, 300)));
    }
    assert_eq!(going(&out, &ACCEPTED), [0; 0], "whatever became of their rows");
    assert_eq!(out.set_frame(PEER, 10, None), Some((10, 300)));
    assert_eq!(going(&out, &ACCEPTED), [1, 2]);
    out.set_frame(PEER, 10, Some((10, limits::MAX_IN_FLIGHT_BYTES)));
    out.set_frame(PEER, 11, None);
    assert_eq!(going(&out, &ACCEPTED), [0; 0]);
}

fn envelope_parts() -> Box<Sealed> {
    Box::new(Arc::into_inner(envelope()).unwrap())
}

#[test]
fn three_messages_go_before_acceptance() {
    let counted = |letter: Letter| Letter { way: Way { counted: true, ..Way::default() }, ..letter };
    let out = waiting(vec![counted(queued(MESSAGE)), queued(RECEIPTS), queued(MESSAGE), queued(RECEIPTS)]);
    let gate = |unaccepted_sent| Gate { accepted: false, unaccepted_sent, ..ACCEPTED };
    assert_eq!(going(&out, &gate(2)), [1, 2, 3, 4]);
    assert_eq!(going(&out, &gate(3)), [1, 2], "the fourth stays, and what is behind it");
    assert_eq!(going(&out, &ACCEPTED), [1, 2, 3, 4]);
}

#[test]
fn a_chain_that_is_shut_sends_what_is_sealed() {
    let sealed = after(MESSAGE, vec![Happening::Sealed(envelope(), false)]).unwrap();
    let out = waiting(vec![queued(MESSAGE), sealed, queued(RECEIPTS)]);
    let gate = Gate { is_shut: true, ..ACCEPTED };
    assert_eq!(going(&out, &gate), [2]);
    let places = [Place { mailbox: NORTH, is_open: true }];
    let left = |number| {
        next::at_mailboxes(out.of(&PEER).letters.get(&number).unwrap(), &gate, &places, 1, NOW + Millis::from_secs(60))
    };
    assert_eq!([left(1), left(2), left(3)], [Leave::Stop, Leave::At(vec![NORTH]), Leave::Stop]);
}

/// What is done with each state for somebody who is away and has two mailboxes, of which so many can be asked.
#[test]
fn what_waits_is_left_at_as_many_mailboxes_as_are_to_have_it() {
    let later = NOW + limits::RECEIPTS_DEPOSIT_AFTER;
    let left = |what: What, state: &str, north: bool, south: bool| {
        let letter = states(what).into_iter().find(|(name, _)| *name == state).unwrap().1;
        let places = [(NORTH, north), (SOUTH, south)].map(|(mailbox, is_open)| Place { mailbox, is_open });
        next::at_mailboxes(&letter, &ACCEPTED, &places, 2, later)
    };
    let cases = [
        (MESSAGE, "queued", Leave::At(vec![NORTH, SOUTH]), Leave::At(vec![SOUTH]), Leave::Nothing),
        (MESSAGE, "sealed", Leave::At(vec![NORTH, SOUTH]), Leave::At(vec![SOUTH]), Leave::Nothing),
        (MESSAGE, "asked", Leave::At(vec![SOUTH]), Leave::At(vec![SOUTH]), Leave::Nothing),
        (MESSAGE, "held by one", Leave::At(vec![SOUTH]), Leave::At(vec![SOUTH]), Leave::Nothing),
        (MESSAGE, "held by enough", Leave::Nothing, Leave::Nothing, Leave::Nothing),
        (MESSAGE, "barred", Leave::Nothing, Leave::Nothing, Leave::Nothing),
        (RECEIPTS, "queued", Leave::At(vec![NORTH, SOUTH]), Leave::At(vec![SOUTH]), Leave::Nothing),
        (RECEIPTS, "held by one", Leave::At(vec![SOUTH]), Leave::At(vec![SOUTH]), Leave::Drop),
        (INQUIRY, "queued", Leave::Drop, Leave::Drop, Leave::Drop),
    ];
    for (what, state, both, one, none) in cases {
        let all = [left(what, state, true, true), left(what, state, false, true), left(what, state, false, false)];
        assert_eq!(all, [both, one, none], "{what:?}, {state}");
    }
    let early = next::at_mailboxes(&queued(RECEIPTS), &ACCEPTED, &[], 1, NOW);
    assert_eq!(early, Leave::Wait(later), "receipts wait for others");
}

/// MBX-60
#[test]
fn what_was_made_for_a_stream_fits_a_mailbox_after_acceptance() {
    let for_stream = Arc::new(Sealed { bytes: Arc::from(vec![1; 9]), for_mailbox: false, ..*envelope_parts() });
    let letter = after(MESSAGE, vec![Happening::Sealed(for_stream, true)]).unwrap();
    assert!(next::fits_mailbox(&letter, &ACCEPTED) && !next::fits_mailbox(&letter, &Gate::default()));
    let sealed = after(MESSAGE, vec![Happening::Sealed(envelope(), true)]).unwrap();
    assert!(next::fits_mailbox(&sealed, &Gate::default()) && !next::fits_mailbox(&queued(MESSAGE), &ACCEPTED));
}

#[test]
fn what_is_no_message_shares_envelopes() {
    let held = Way { held: vec![(NORTH, NOW)], ..Way::default() };
    let other = |items, size| queued(What::Control { says: Control::Other, items, size });
    let mut letters = vec![queued(RECEIPTS), queued(MESSAGE), queued(RECEIPTS), queued(INQUIRY)];
    letters.push(Letter { way: held, ..queued(RECEIPTS) });
    letters.push(after(RECEIPTS, vec![Happening::Sealed(envelope(), false)]).unwrap());
    letters.extend([other(13, 4_000), other(2, 4_000), other(14, 10), other(1, 10)]);
    assert_eq!(next::shared(waiting(letters).of(&PEER)), [vec![1, 3, 7], vec![8, 9]]);
    assert_eq!(next::shared(waiting(vec![queued(RECEIPTS)]).of(&PEER)), Vec::<Vec<u64>>::new());
}

#[test]
fn bytes_are_kept_within_the_bounds() {
    let large = || Arc::new(Sealed { bytes: Arc::from(vec![0; limits::MAX_SEALED_PER_PEER / 2]), ..*envelope_parts() });
    let of =
        |events: Vec<Happening>| after(MESSAGE, [vec![Happening::Sealed(large(), false)], events].concat()).unwrap();
    let mut out = Outgoing::default();
    assert!(out.has_room(&PEER));
    out.set(PEER, 1, Some(of(vec![Happening::Sent(1)])));
    assert!(out.has_room(&PEER));
    out.set(PEER, 2, Some(of(vec![asked(NORTH, 2), Happening::Answered(2, Answered::Stored(2))])));
    assert!(!out.has_room(&PEER), "what one peer has");
    assert_eq!(out.squeezable(&PEER), [(PEER, 2)], "a mailbox has it");
    let others: Vec<PeerId> = (10..18).map(|n| PeerId::from_key_bytes([n; 32])).collect();
    for other in &others {
        assert!(out.has_room(other), "one each");
        out.set(*other, 1, Some(of(vec![Happening::Sent(1)])));
    }
    out.set(PEER, 2, None);
    assert!(!out.has_room(&PEER), "what all have");
    assert_eq!(out.squeezable(&PEER), []);
    out.set(others[0], 1, Some(of(vec![])));
    assert_eq!(out.squeezable(&PEER), [(others[0], 1)], "nothing is to be expected of it");
}

// ---- Against naive references -------------------------------------------------------------------

/// What a letter is, told by all that has happened to it.
#[derive(Default)]
struct Naive {
    gone: bool,
    unreadable: bool,
    sent: bool,
    counted: bool,
    held: BTreeSet<PeerId>,
    sealed: bool,
    stream: Option<u64>,
    asked: BTreeMap<u64, PeerId>,
    working: BTreeSet<PeerId>,
    /// States that were told of the message.
    told: Vec<State>,
}

impl Naive {
    fn busy(&self) -> bool {
        self.stream.is_some() || !self.asked.is_empty() || !self.working.is_empty()
    }

    fn unseal(&mut self) {
        (self.sealed, self.stream) = (false, None);
        self.asked.clear();
        self.working.clear();
    }

    fn begin_anew(&mut self) {
        self.sent = false;
        self.held.clear();
        self.unseal();
    }

    fn happen(&mut self, is_message: bool, event: &Happening) {
        match event {
            Happening::Sealed(_, counts) => {
                (self.sealed, self.counted) = (true, self.counted || *counts);
                self.asked.clear();
                self.working.clear();
            }
            Happening::Sent(ticket) => self.stream = Some(*ticket),
            Happening::Acked(ticket) | Happening::Lost(ticket) | Happening::Refused(ticket, _)
                if self.stream != Some(*ticket) => {}
            Happening::Acked(_) if !is_message => self.gone = true,
            Happening::Acked(_) => {
                if self.held.is_empty() {
                    self.told.push(State::Sent);
                }
                self.sent = true;
                self.held.clear();
                self.unseal();
            }
            Happening::Refused(_, RefuseReason::Malformed | RefuseReason::Unsupported) | Happening::GivenUp => {
                self.gone = true;
                self.told.extend(is_message.then_some(State::Undelivered));
            }
            Happening::Refused(..) | Happening::Lost(_) | Happening::Disconnected => self.stream = None,
            Happening::Asked { mailbox, ticket, .. } => {
                self.asked.retain(|_, other| other != mailbox);
                self.working.remove(mailbox);
                self.asked.insert(*ticket, *mailbox);
            }
            Happening::Answered(ticket, answer) => {
                let Some(mailbox) = self.asked.remove(ticket) else { return };
                match answer {
                    Answered::Stored(copies) => {
                        if is_message && self.held.is_empty() {
                            self.told.push(State::Sent);
                        }
                        self.held.insert(mailbox);
                        let enough = self.held.len() >= *copies;
                        self.gone |= enough && !is_message;
                        if enough && !self.busy() {
                            self.unseal();
                        }
                    }
                    Answered::Work => drop(self.working.insert(mailbox)),
                    Answered::TooLarge if !self.busy() => self.unseal(),
                    _ => {}
                }
            }
            Happening::Proven(mailbox, _) => drop(self.working.remove(mailbox)),
            Happening::Barred | Happening::Squeezed if !self.busy() => self.unseal(),
            Happening::Barred | Happening::Squeezed | Happening::Unbarred | Happening::Aged => {}
            Happening::Settled => self.gone = true,
            Happening::Unreadable => {
                self.unreadable = true;
                self.unseal();
            }
        }
    }
}

fn any_event() -> impl Strategy<Value = Happening> {
    let refused = prop_oneof![
        Just(RefuseReason::TooMany),
        Just(RefuseReason::SessionUnknown),
        Just(RefuseReason::PrekeyUnknown),
        Just(RefuseReason::Malformed),
    ];
    let answer = prop_oneof![
        4 => (1..3_usize).prop_map(Answered::Stored),
        1 => Just(Answered::Nothing),
        1 => Just(Answered::Void),
        1 => Just(Answered::Work),
        1 => Just(Answered::Declined),
        1 => Just(Answered::TooLarge),
    ];
    let mailbox = || prop_oneof![Just(NORTH), Just(SOUTH)];
    prop_oneof![
        4 => any::<bool>().prop_map(|counts| Happening::Sealed(envelope(), counts)),
        4 => (0..3_u64).prop_map(Happening::Sent),
        2 => (0..3_u64).prop_map(Happening::Acked),
        1 => (0..3_u64, refused).prop_map(|(ticket, reason)| Happening::Refused(ticket, reason)),
        2 => (0..3_u64).prop_map(Happening::Lost),
        1 => Just(Happening::Disconnected),
        4 => (mailbox(), 3..6_u64).prop_map(|(mailbox, ticket)| asked(mailbox, ticket)),
        6 => (3..6_u64, answer).prop_map(|(ticket, answer)| Happening::Answered(ticket, answer)),
        1 => mailbox().prop_map(|mailbox| Happening::Proven(mailbox, Proof::None)),
        1 => prop_oneof![Just(Happening::Barred), Just(Happening::Unbarred), Just(Happening::Aged), Just(Happening::Squeezed)],
        1 => prop_oneof![Just(Happening::Settled), Just(Happening::GivenUp), Just(Happening::Unreadable)],
    ]
}

proptest! {
    /// Whatever happens in whatever order, an envelope is what the naive reference says, its row is written when it
    /// changes and not otherwise, and the index counts what is there.
    #[test]
    fn an_envelope_is_what_has_happened_to_it(is_message: bool, events in prop::collection::vec(prop::option::weighted(0.95, any_event()), 1..60)) {
        let what = if is_message { MESSAGE } else { RECEIPTS };
        let (mut naive, mut out, mut told) = (Naive::default(), Outgoing::default(), Vec::new());
        out.set(PEER, 1, Some(queued(what)));
        out.set(PEER, 2, Some(queued(RECEIPTS)));
        for event in events {
            // A question has one ticket.
            if let Some(Happening::Asked { ticket, .. }) = &event && naive.asked.contains_key(ticket) {
                continue;
            }
            let letter = out.of(&PEER).letters.get(&1).cloned().unwrap();
            let before = letter.way.clone();
            let is_anew = event.is_none();
            match &event {
                Some(event) => naive.happen(is_message, event),
                None => naive.begin_anew(),
            }
            let (letter, orders) = happens(letter, event);
            let tells = orders.iter().filter_map(|order| if let Effect::Tell(state) = order { Some(*state) } else { None });
            told.extend(tells);
            prop_assert_eq!(&told, &naive.told);
            prop_assert_eq!(letter.is_none(), naive.gone);
            prop_assert_eq!(orders.contains(&Effect::Delete), naive.gone);
            out.set(PEER, 1, letter.clone());
            let Some(letter) = letter else { break };
            prop_assert_eq!(orders.contains(&Effect::Write), letter.way != before && !is_anew);
            let held: BTreeSet<PeerId> = letter.way.held.iter().map(|(mailbox, _)| *mailbox).collect();
            prop_assert_eq!((letter.way.sent, letter.way.counted), (naive.sent, naive.counted));
            prop_assert_eq!(held, naive.held.clone());
            prop_assert_eq!((letter.sealed.is_some(), letter.ticket), (naive.sealed, naive.stream));
            prop_assert_eq!((letter.unreadable, letter.is_under_way()), (naive.unreadable, naive.busy()));
            let totals = out.of(&PEER).totals;
            prop_assert_eq!(totals.kept, letter.kept());
            prop_assert_eq!((totals.messages, totals.sent), (usize::from(is_message), usize::from(naive.sent)));
            prop_assert_eq!(totals.deposits, naive.asked.len() + naive.working.len());
            let is_idle = !naive.sent && !naive.unreadable && naive.stream.is_none();
            prop_assert_eq!(out.of(&PEER).idle(0..).any(|(number, _)| number == 1), is_idle);
        }
        out.set(PEER, 1, None);
        out.set(PEER, 2, None);
        prop_assert_eq!(out.totals, Totals::default());
        prop_assert!(out.of(&PEER).letters.is_empty());
    }
}
