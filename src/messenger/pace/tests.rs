//! NET-93, NET-95, NET-96.

use super::*;
use crate::base::words::State;
use crate::envelope::frame::RefuseReason;
use crate::messenger::io::{Event, Input, Order, Output};
use crate::messenger::query;
use crate::messenger::testing::Office;

const ALICE: usize = 0;
const BOB: usize = 1;
const MINUTE: Millis = Millis::from_secs(60);
const DAY: Millis = Millis::from_hours(24);

// ---- By itself ----------------------------------------------------------------------------------

/// The middle of the jitter.
const MIDDLE: u64 = 0;

fn at(secs: u64) -> MonoTime {
    MonoTime(10_000_000 + secs * 1000)
}

#[test]
fn every_failure_doubles_the_pause_and_a_window_of_them_is_one() {
    let (mut pace, mut now, mut pauses) = (Pace::default(), at(0), Vec::new());
    for _ in 0..12 {
        assert!(pace.failed(now, MIDDLE));
        assert!((0..255).all(|_| !pace.failed(now, MIDDLE)));
        let until = pace.until().unwrap();
        pauses.push(until.since(now).0 * 4 / 3000);
        now = until;
        pace.passed(now);
        assert!(pace.until().is_none());
    }
    assert_eq!(pauses, [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]);
}

#[test]
fn acknowledgements_now_and_then_do_not_end_the_counting() {
    let fails = |pace: &mut Pace, now: u64| {
        pace.failed(at(now), MIDDLE);
        let pause = pace.until().unwrap().since(at(now));
        pace.passed(at(now) + pause);
        pause.0 * 4 / 3000
    };
    let mut pace = Pace::default();
    assert_eq!(fails(&mut pace, 0), 5);
    (1..limits::RETRY_PROGRESS).for_each(|_| pace.acknowledged(false));
    assert_eq!(fails(&mut pace, 10), 10);
    (0..limits::RETRY_PROGRESS).for_each(|_| pace.acknowledged(false));
    assert_eq!(fails(&mut pace, 30), 5, "so many in a row do");
    assert_eq!(fails(&mut pace, 40), 10);
    pace.acknowledged(true);
    assert_eq!(fails(&mut pace, 60), 5, "and all of them");
    assert_eq!(fails(&mut pace, 70), 10);
    assert_eq!(fails(&mut pace, 70 + limits::RETRY_FORGOTTEN.0 / 1000), 5, "and time");
}

/// Nobody gets a whole window at each try: what he takes says how much he gets. An ordinary line that breaks costs one envelope's way.
#[test]
fn who_failed_gets_one_first_and_more_when_he_takes_something() {
    let mut pace = Pace::default();
    assert_eq!(pace.narrow(), None, "whoever has not failed");
    for failures in 1..6 {
        pace.failed(at(failures * 1_000), MIDDLE);
        pace.connected(at(failures * 1_000));
        assert_eq!(pace.narrow(), Some(1), "whatever he took before");
        pace.acknowledged(false);
        let is_forgiven = failures <= u64::from(limits::RETRY_FORGIVEN);
        assert_eq!(pace.narrow(), (!is_forgiven).then_some(2), "{failures}");
    }
    for taken in 2..limits::RETRY_PROGRESS as usize {
        assert_eq!(pace.narrow(), Some(taken));
        pace.acknowledged(false);
    }
    pace.acknowledged(false);
    assert_eq!(pace.narrow(), None);
    pace.failed(at(7_000), MIDDLE);
    pace.acknowledged(true);
    assert_eq!(pace.narrow(), None, "he has taken all that there was");
    let mut pace = Pace::default();
    (0..4).for_each(|_| pace.session_refused(at(0), MIDDLE));
    pace.acknowledged(true);
    assert_eq!(pace.narrow(), Some(2), "what he took may go again in another session");
}

#[test]
fn a_new_connection_ends_the_pause_twice() {
    let (mut pace, mut now) = (Pace::default(), at(0));
    let mut tries = 0;
    while now < at(0) + MINUTE {
        assert!(pace.failed(now, MIDDLE));
        tries += 1;
        now = now + Millis(1);
        pace.connected(now);
        while pace.is_paused(now) {
            now = now + Millis(10);
            pace.connected(now);
        }
    }
    assert!((6..=12).contains(&tries), "{tries}");
}

/// Whoever takes as much as ends the counting, breaks, and comes again at once.
#[test]
fn whatever_he_takes_between_them_failures_have_a_pace() {
    for taken in [0, 1, limits::RETRY_PROGRESS, 200] {
        let (mut pace, mut now, mut tries) = (Pace::default(), at(0), 0);
        while now < at(0) + MINUTE {
            pace.passed(now);
            pace.connected(now);
            if !pace.is_paused(now) {
                (0..taken).for_each(|_| pace.acknowledged(false));
                pace.failed(now, MIDDLE);
                tries += 1;
            }
            now = now + Millis(100);
        }
        assert!((6..=20).contains(&tries), "{taken}: {tries}");
        // What is rare costs nothing.
        let mut pace = Pace::default();
        for minute in 0..60 {
            (0..limits::RETRY_PROGRESS).for_each(|_| pace.acknowledged(false));
            pace.failed(at(60 * minute), MIDDLE);
            pace.connected(at(60 * minute));
            assert!(!pace.is_paused(at(60 * minute)), "{minute}");
        }
    }
}

#[test]
fn the_first_refused_session_is_begun_anew_at_once_and_no_connection_ends_the_pause_of_others() {
    let mut pace = Pace::default();
    pace.session_refused(at(0), MIDDLE);
    assert!(!pace.is_paused(at(0)));
    pace.session_refused(at(1), MIDDLE);
    pace.acknowledged(true);
    pace.connected(at(1));
    assert!(pace.is_paused(at(1)) && pace.no_session_until(at(1)).is_some());
    pace.session_begun();
    assert!(!pace.is_paused(at(1)));
    pace.session_refused(at(2), MIDDLE);
    assert_eq!(pace.until().unwrap().since(at(2)).0, 7_500, "how often is counted on");
}

/// NET-96: also when he asks for nothing, and has been obeyed within the hour.
#[test]
fn a_session_that_the_peer_begins_ends_the_pause_and_serves() {
    let mut office = Office::pair();
    office.online = false;
    office.open(ALICE);
    office.say(ALICE, BOB, "waits");
    let (bob, now) = (office.id(BOB), office.now.mono);
    let refused = |tx: &mut crate::messenger::tx::Tx<'_>| {
        let link = tx.link(bob);
        (0..3).for_each(|_| link.pace.session_refused(now, MIDDLE));
        link.rebuild = true;
        let mut row = tx.peer(&bob).unwrap().unwrap();
        row.reset_at = Some(tx.deadline_clock());
        tx.put_peer(&row).unwrap();
    };
    office.tx(ALICE, refused);
    // One that does not come to send, for its ID, serves nothing.
    office.tx(ALICE, |tx| {
        tx.session_begun(bob, false).unwrap();
        assert!(tx.link(bob).rebuild && !tx.link(bob).pace.is_paused(now));
        refused(tx);
        assert!(tx.link(bob).pace.is_paused(now));
    });
    let first = office.first_contact(BOB, ALICE, 1, "in a new session");
    office.inject(BOB, ALICE, first);
    office.tx(ALICE, |tx| {
        assert!(!tx.link(bob).rebuild && !tx.link(bob).pace.is_paused(now));
        assert!(!tx.sessions(&bob).unwrap().sending().unwrap().is_ours());
    });
    let outputs = office.hand_in(ALICE, vec![Input::Net(Event::Connected(bob))]);
    assert!(outputs.iter().any(|output| matches!(output, Output::Net(Order::Send { .. }))), "{outputs:?}");
    assert!(!outputs.iter().any(|output| matches!(output, Output::Net(Order::FetchBundle { .. }))), "{outputs:?}");
}

// ---- Against a recipient who takes nothing ------------------------------------------------------

/// How a recipient meets what is sent to him.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Refuses(RefuseReason),
    /// Streams break, whatever breaks them.
    Breaks,
    /// One is acknowledged, then the stream breaks.
    AcknowledgesOne,
    /// So many are acknowledged, and the next is refused for its session, so that all goes again.
    RefusesBehind(usize),
    /// The same, and he comes again at any time.
    RefusesBehindAndComes(usize),
    /// The connection ends, and he makes another one.
    Leaves,
    /// The same after he has refused the session.
    RefusesAndLeaves,
    /// He gives no card, or none that serves.
    NoCard,
}

const MANNERS: [Manner; 14] = [
    Manner::Refuses(RefuseReason::Unsupported),
    Manner::Refuses(RefuseReason::Malformed),
    Manner::Refuses(RefuseReason::PrekeyUnknown),
    Manner::Refuses(RefuseReason::SessionUnknown),
    Manner::Refuses(RefuseReason::TooMany),
    Manner::Refuses(RefuseReason::Unavailable),
    Manner::Breaks,
    Manner::AcknowledgesOne,
    Manner::RefusesBehind(5),
    Manner::RefusesBehind(MANY),
    Manner::RefusesBehindAndComes(MANY),
    Manner::Leaves,
    Manner::RefusesAndLeaves,
    Manner::NoCard,
];

/// As many as have failures forgotten.
const MANY: usize = limits::RETRY_PROGRESS as usize;
const SESSION: RefuseReason = RefuseReason::SessionUnknown;

/// Alice, who has something for Bob, and a Bob of such manners.
struct Trial {
    office: Office,
    manner: Manner,
    card: Vec<u8>,
    /// When something was tried: envelopes were sent, a card was asked for.
    tries: Vec<MonoTime>,
    envelopes: usize,
    /// How many were acknowledged since one was not.
    taken: usize,
}

impl Trial {
    fn new(manner: Manner, is_contact: bool, messages: usize) -> Self {
        let mut office = if is_contact { Office::pair() } else { Office::new(2) };
        office.online = false;
        let alice = office.id(ALICE);
        let asked = Event::BundleRequested { from: alice, request: 1, want_prekey: false };
        let card = office.hand_in(BOB, vec![Input::Net(asked)]).into_iter().find_map(|output| match output {
            Output::Net(Order::AnswerBundle { card, .. }) => Some(card),
            _ => None,
        });
        office.open(ALICE);
        let say = |n| Input::Command(1, crate::messenger::Command::Send(office.text(BOB, &format!("{n}"))));
        let said = (0..messages).map(say).collect();
        office.hand_in(ALICE, said);
        Self { office, manner, card: card.unwrap(), tries: Vec::new(), envelopes: 0, taken: 0 }
    }

    /// What Bob does about some outputs.
    fn meets(&mut self, outputs: &[Output]) -> Vec<Event> {
        let peer = self.office.id(BOB);
        let (mut events, mut sent) = (Vec::new(), Vec::new());
        for output in outputs {
            match output {
                Output::Net(Order::Connect { .. }) => events.push(Event::Connected(peer)),
                Output::Net(Order::Send { ticket, .. }) => sent.push(*ticket),
                Output::Net(Order::FetchBundle { ticket, .. }) if self.manner == Manner::NoCard => {
                    self.tries.push(self.office.now.mono);
                    events.push(Event::BundleFailed { peer, ticket: *ticket });
                }
                Output::Net(Order::FetchBundle { ticket, .. }) => {
                    self.tries.push(self.office.now.mono);
                    events.push(Event::Bundle { peer, ticket: *ticket, card: self.card.clone(), prekey: None });
                }
                _ => {}
            }
        }
        let Some(last) = sent.last().copied() else { return events };
        self.tries.push(self.office.now.mono);
        self.envelopes += sent.len();
        let refused = |reason| move |ticket: &u64| Event::Refused { peer, ticket: *ticket, reason };
        let lost = |ticket: &u64| Event::Lost { peer, ticket: *ticket };
        let acked = |ticket: &u64| Event::Acked { peer, ticket: *ticket };
        match self.manner {
            Manner::Refuses(reason) => events.extend(sent.iter().map(refused(reason))),
            Manner::Breaks => events.extend(sent.iter().map(lost)),
            Manner::AcknowledgesOne => {
                let taken = sent.len().min(1 - self.taken);
                events.extend(sent[..taken].iter().map(acked).chain(sent[taken..].iter().map(lost)));
                self.taken = if sent.len() > taken { 0 } else { 1 };
            }
            Manner::RefusesBehind(most) | Manner::RefusesBehindAndComes(most) => {
                let taken = sent.len().min(most - self.taken);
                events.extend(sent[..taken].iter().map(acked).chain(sent[taken..].iter().map(refused(SESSION))));
                self.taken = if sent.len() > taken { 0 } else { self.taken + taken };
            }
            Manner::Leaves => events.extend([Event::Disconnected(peer), Event::Connected(peer)]),
            Manner::RefusesAndLeaves => {
                events.push(refused(SESSION)(&last));
                events.extend([Event::Disconnected(peer), Event::Connected(peer)]);
            }
            Manner::NoCard => events.extend(sent.iter().map(refused(SESSION))),
        }
        events
    }

    /// Lets so much time pass.
    fn pass(&mut self, span: Millis) {
        let end = self.office.now.mono + span;
        let bob = self.office.id(BOB);
        let mut inputs = vec![Input::Net(Event::Connected(bob))];
        if matches!(self.manner, Manner::RefusesBehindAndComes(_)) {
            inputs.insert(0, Input::Net(Event::Disconnected(bob)));
        }
        loop {
            let outputs = self.office.hand_in(ALICE, inputs);
            assert!(self.tries.len() < 100_000, "{:?}: without end", self.manner);
            inputs = self.meets(&outputs).into_iter().map(Input::Net).collect();
            if !inputs.is_empty() {
                continue;
            }
            let wake = outputs.iter().find_map(|output| if let Output::WakeAt(at) = output { Some(*at) } else { None });
            let wake = wake.unwrap();
            if wake > end {
                break;
            }
            self.office.forward(wake.since(self.office.now.mono).max(Millis(1)));
            // He who may come again at any time does so.
            if matches!(self.manner, Manner::Leaves | Manner::RefusesAndLeaves | Manner::RefusesBehindAndComes(_)) {
                let bob = self.office.id(BOB);
                inputs.extend([Event::Disconnected(bob), Event::Connected(bob)].map(Input::Net));
            }
            inputs.push(Input::Timer);
        }
        self.office.forward(end.since(self.office.now.mono));
    }

    fn within(&self, span: Millis) -> usize {
        let Some(first) = self.tries.first() else { return 0 };
        self.tries.iter().filter(|at| at.since(*first) < span).count()
    }
}

#[test]
fn nobody_makes_us_try_without_end() {
    for is_contact in [true, false] {
        for manner in MANNERS {
            let mut trial = Trial::new(manner, is_contact, 6);
            trial.pass(DAY);
            let (minute, day) = (trial.within(MINUTE), trial.within(DAY));
            assert!(minute > 0, "{manner:?}, {is_contact}: nothing was tried");
            assert!(minute <= 20, "{manner:?}, {is_contact}: {minute} tries in a minute");
            let most = match manner {
                Manner::Leaves => 300,
                // What he takes at a try comes one after the other.
                Manner::RefusesBehind(_) | Manner::RefusesBehindAndComes(_) => 200,
                _ => 100,
            };
            assert!(day <= most, "{manner:?}, {is_contact}: {day} tries in a day");
            // What waits in vain is given up, and nothing is tried any more.
            trial.office.forward(Millis::from_days(31));
            trial.pass(DAY);
            trial.tries.clear();
            trial.pass(DAY);
            assert_eq!(trial.tries.len(), 0, "{manner:?}, {is_contact}");
            let rows = trial.office.rows(ALICE);
            let said =
                query::history(&rows, trial.office.id(ALICE), &trial.office.id(BOB), None, 100, trial.office.now.wall)
                    .unwrap();
            let ends = said.iter().filter(|message| message.text.parse::<u8>().is_ok()).map(|message| message.state);
            assert!(
                ends.clone().count() == 6 && ends.into_iter().all(|state| state == State::Undelivered),
                "{manner:?}"
            );
        }
    }
}

/// However much waits: a window is sent to whoever took what was sent, and to nobody at each try.
#[test]
fn nobody_gets_a_window_at_each_try() {
    for manner in MANNERS {
        let mut trial = Trial::new(manner, true, 2 * limits::MAX_IN_FLIGHT);
        trial.pass(MINUTE);
        let (tries, envelopes) = (trial.within(MINUTE), trial.envelopes);
        assert!(manner == Manner::NoCard || envelopes >= limits::MAX_IN_FLIGHT, "{manner:?}: {envelopes}");
        // Who takes something has it again at once, and twice after that. Beside the message goes what is none.
        let (windows, each) = match manner {
            Manner::AcknowledgesOne => (3, 8),
            // In another session he has as many more as he takes.
            Manner::RefusesBehind(_) | Manner::RefusesBehindAndComes(_) => (1, 10),
            _ => (1, 2),
        };
        let most = windows * limits::MAX_IN_FLIGHT + each * tries;
        assert!(envelopes <= most, "{manner:?}: {envelopes} envelopes in {tries} tries");
    }
}

/// Who acknowledges as many as have his failures forgotten, refuses the next for its session, and comes again each second, has what
/// waits once, and of it in each other session no more than twice what he took there.
#[test]
fn who_refuses_sessions_does_not_get_everything_in_each() {
    let mut trial = Trial::new(Manner::RefusesBehindAndComes(MANY), true, 200);
    for _ in 0..60 {
        trial.pass(Millis::from_secs(1));
    }
    assert!((200..=350).contains(&trial.envelopes), "{} envelopes", trial.envelopes);
}

/// That he says *accepted* ends a pause once in an hour.
#[test]
fn nobody_makes_us_try_again_and_again_by_saying_that_he_accepts() {
    let mut trial = Trial::new(Manner::Refuses(RefuseReason::Unavailable), true, 6);
    let bob = trial.office.id(BOB);
    for _ in 0..24 * 60 {
        trial.pass(MINUTE);
        trial.office.tx(ALICE, |tx| tx.come_again(bob).unwrap());
    }
    let day = trial.within(DAY);
    assert!((24..=300).contains(&day), "{day} tries in a day");
}

/// What the user writes meanwhile waits for the pause.
#[test]
fn writing_does_not_end_the_pause() {
    let mut trial = Trial::new(Manner::Breaks, true, 1);
    trial.pass(MINUTE);
    let before = trial.tries.len();
    for n in 0..50 {
        let say = crate::messenger::Command::Send(trial.office.text(BOB, &format!("more {n}")));
        let outputs = trial.office.hand_in(ALICE, vec![Input::Command(1, say)]);
        assert!(trial.meets(&outputs).is_empty());
    }
    assert_eq!(trial.tries.len(), before);
}

/// Who was in trouble and is well again gets everything, in order.
#[test]
fn what_waited_comes_when_the_trouble_is_over() {
    let mut office = Office::pair();
    office.online = false;
    office.open(ALICE);
    let sent: Vec<_> = (0..5).map(|n| office.say(ALICE, BOB, &format!("{n}"))).collect();
    office.pass(Millis::from_hours(1));
    office.online = true;
    office.pass(Millis::from_hours(2));
    assert_eq!(office.texts(BOB, ALICE), ["hello", "hello", "0", "1", "2", "3", "4"]);
    let state = |id| query::message(&office.rows(ALICE), office.id(ALICE), id, office.now.wall).unwrap().unwrap().state;
    assert!(sent.iter().all(|id| state(id) == State::Delivered));
}
