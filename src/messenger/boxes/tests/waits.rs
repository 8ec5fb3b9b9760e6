//! Mailboxes that are to tell what comes, and what comes of it when they do not, or tell it all the time.

use std::collections::BTreeMap;

use super::*;
use crate::base::MonoTime;

const FETCH: u8 = 3;
const DELETE: u8 = 4;
const WAIT: u8 = 6;
const CARD: u8 = 17;
const HOUR: Millis = Millis::from_hours(1);

/// What a mailbox says, and after how long; `None` instead of an answer: the stream ends.
type Script = fn(u8) -> (Millis, Option<MailAnswer>);

fn page(items: Vec<PageItem>, more: bool) -> Option<MailAnswer> {
    Some(MailAnswer::Page { more, prekeys: 100, items })
}

/// An envelope that does not open.
pub(super) fn junk(number: u64) -> PageItem {
    let mut sealed = vec![7; 400];
    sealed[0] = 1;
    PageItem { number, sealed }
}

/// What Alice asks in this time of a mailbox with such a script, and when.
fn asked_of(
    office: &mut Office,
    span: Millis,
    script: impl Fn(u8) -> (Millis, Option<MailAnswer>),
) -> Vec<(MonoTime, u8)> {
    let (mailbox, end) = (office.id(NORTH), office.now.mono + span);
    let (mut asked, mut coming, mut wake, mut count) = (Vec::new(), BTreeMap::new(), office.now.mono, 0);
    loop {
        let first = coming.first_key_value().map(|(key, _): (&(MonoTime, u64), _)| *key);
        let at = first.map_or(wake, |(at, _)| at.min(wake));
        if at > end {
            return asked;
        }
        office.forward(at.since(office.now.mono));
        let input = match first.filter(|(first, _)| *first == at) {
            Some(key) => Input::Net(coming.remove(&key).unwrap()),
            None => Input::Timer,
        };
        wake = MonoTime(u64::MAX);
        for output in office.hand_in(ALICE, vec![input]) {
            match output {
                Output::WakeAt(at) => wake = at.max(office.now.mono + Millis(1)),
                Output::Net(Order::AskMailbox { ticket, question, .. }) => {
                    let now = office.now.mono;
                    asked.push((now, question[1]));
                    assert!(asked.len() < 20_000, "it is asked without end");
                    let (delay, answer) = if question[1] == CARD { (SOON, None) } else { script(question[1]) };
                    let told = match answer.map(|answer| answer.encode().unwrap()) {
                        Some(answer) => Event::MailAnswered { mailbox, ticket, answer },
                        None => Event::MailFailed { mailbox, ticket },
                    };
                    count += 1;
                    coming.insert((now + delay, count), told);
                }
                _ => {}
            }
        }
    }
}

/// How often of each kind.
fn counts(asked: &[(MonoTime, u8)]) -> (usize, usize) {
    let of = |kind| asked.iter().filter(|(_, other)| *other == kind).count();
    (of(FETCH), of(WAIT))
}

/// Alice has a box at North, who is not reached any more but by a script.
fn with_a_box() -> Office {
    let mut office = office();
    uses(&mut office, ALICE, NORTH);
    office.mail = false;
    office.open(ALICE);
    office
}

const SOON: Millis = Millis(50);
const NEVER: Millis = Millis::from_days(1);

/// MBX-86: whatever it says at once, a mailbox makes nobody ask in a tight loop; and it is visited as if it said nothing.
#[test]
fn who_answers_at_once_and_has_nothing_is_asked_seldom() {
    let over = |came| Some(MailAnswer::Waited { came });
    for answer in [over(true), over(false), None, Some(MailAnswer::Malformed), Some(MailAnswer::NoBox)] {
        let mut office = with_a_box();
        let asked = asked_of(&mut office, HOUR, |kind| match kind {
            FETCH => (SOON, page(vec![], false)),
            _ => (SOON, answer.clone()),
        });
        let (fetches, waits) = counts(&asked);
        assert!((8..30).contains(&waits), "{waits} waits after {answer:?}");
        assert!((45..140).contains(&fetches), "{fetches} fetches after {answer:?}");
    }
    let mut office = with_a_box();
    let asked = asked_of(&mut office, HOUR, |kind| match kind {
        FETCH => (SOON, page(vec![], false)),
        _ => (SOON, Some(MailAnswer::Full { retry_after: 1 })),
    });
    let (fetches, waits) = counts(&asked);
    assert!((45..90).contains(&waits) && (45..140).contains(&fetches), "{fetches} fetches, {waits} waits");
}

/// MBX-86: who fills the box with anything makes us fetch a page a second, beside the visits that he has anyway.
#[test]
fn who_makes_mail_up_gets_a_page_a_second_fetched() {
    let pages_of_a_visit = limits::MAX_FETCHED_PAGES as usize;
    for (more, span, expected) in [(false, 120, 100..140), (true, 30, pages_of_a_visit..3 * pages_of_a_visit + 1)] {
        let mut office = with_a_box();
        let number = std::cell::Cell::new(0);
        let asked = asked_of(&mut office, Millis::from_secs(span), |kind| match kind {
            FETCH => {
                number.set(number.get() + 1);
                (Millis(1), page(vec![junk(number.get())], more))
            }
            DELETE => (Millis(1), Some(MailAnswer::Done)),
            _ => (Millis(1), Some(MailAnswer::Waited { came: true })),
        });
        let (fetches, _) = counts(&asked);
        assert!(expected.contains(&fetches), "{fetches} pages, more: {more}");
    }
}

/// MBX-85: who never answers, or ends what he holds without a word, is visited; and often, once he has missed something.
#[test]
fn who_tells_nothing_is_visited_all_the_same() {
    let five_minutes = Millis::from_secs(300);
    let scripts: [Script; 2] = [
        |kind| if kind == FETCH { (SOON, page(vec![], false)) } else { (NEVER, None) },
        |kind| match kind {
            FETCH => (SOON, page(vec![], false)),
            _ => (Millis::from_secs(300), Some(MailAnswer::Waited { came: false })),
        },
    ];
    for script in scripts {
        let mut office = with_a_box();
        let (fetches, waits) = counts(&asked_of(&mut office, HOUR, script));
        assert!((8..16).contains(&fetches) && (8..14).contains(&waits), "{fetches} fetches, {waits} waits");
    }
    // There is something each time, and it was not told.
    let mut office = with_a_box();
    let asked = asked_of(&mut office, HOUR, |kind| match kind {
        FETCH => (SOON, page(vec![junk(1)], false)),
        DELETE => (SOON, Some(MailAnswer::Done)),
        _ => (five_minutes, Some(MailAnswer::Waited { came: false })),
    });
    let (fetches, waits) = counts(&asked);
    assert!((100..250).contains(&fetches) && (8..14).contains(&waits), "{fetches} fetches, {waits} waits");
}

/// MBX-80: a connection that is lost ends the wait; the mailbox is visited a moment later, and asked again.
#[test]
fn who_is_lost_is_looked_for_at_once() {
    let mut office = with_a_box();
    let asked = asked_of(&mut office, Millis::from_secs(600), |kind| match kind {
        FETCH => (SOON, page(vec![], false)),
        _ => (Millis::from_secs(100), None),
    });
    let waits: Vec<_> = asked.iter().filter(|(_, kind)| *kind == WAIT).map(|(at, _)| *at).collect();
    assert!(waits.len() >= 5);
    for pair in waits.windows(2) {
        let span = pair[1].since(pair[0]);
        assert!(span > Millis::from_secs(101) && span < Millis::from_secs(104), "{} ms", span.0);
    }
}

/// MBX-80: nobody waits at a mailbox that takes nothing for him.
#[test]
fn a_mailbox_that_refuses_us_is_not_asked_to_tell() {
    let mut office = with_a_box();
    office.mail = true;
    office.command(NORTH, Command::SetMailService(MailService::Off)).unwrap();
    office.command(ALICE, Command::RotateToken).unwrap();
    office.pass(HOUR);
    assert_eq!(query::mailboxes(&office.rows(ALICE), office.now.wall).unwrap()[0].state, BoxState::Refused);
    let before = office.questions.len();
    office.pass(HOUR);
    let asked: Vec<u8> = office.questions[before..].iter().map(|(.., question)| question[1]).collect();
    assert!(asked.contains(&FETCH) && !asked.contains(&WAIT), "{asked:?}");
}

/// MBX-80, MBX-84: it waits when there is nothing left, and what comes is fetched and deleted at once.
#[test]
fn what_comes_is_fetched_when_the_mailbox_rings() {
    let mut office = office_with_mail();
    office.pass(Millis::from_secs(30));
    let alice = office.id(ALICE);
    assert!(office.held.contains_key(&(NORTH, alice)), "it waits");
    office.say(BOB, ALICE, "the first is tried directly");
    office.pass(Millis::from_secs(4));
    for n in 0..10 {
        office.pass(Millis::from_secs(30));
        let text = format!("m{n}");
        office.say(BOB, ALICE, &text);
        // Nothing but the messengers' own steps: no time passes.
        office.pass(Millis(1));
        assert_eq!(office.texts(ALICE, BOB).last(), Some(&text));
    }
    office.pass(Millis::from_secs(30));
    assert_eq!(query::mailbox(&office.rows(NORTH)).unwrap().bytes, 0);
    assert!(office.held.contains_key(&(NORTH, alice)), "and waits again");
}

/// A contact, or a mailbox, that comes and goes each second makes us ask hardly more often than one that stays.
#[test]
fn whoever_comes_and_goes_does_not_make_us_ask_each_time() {
    for who in [BOB, NORTH] {
        let mut office = office();
        uses(&mut office, ALICE, NORTH);
        office.pass(Millis(3 * MINUTE.0));
        let peer = office.id(who);
        let comes = |office: &mut Office| {
            office.in_commits(ALICE, [Event::Disconnected(peer), Event::Connected(peer)].map(Input::Net).to_vec());
        };
        let fetches = |office: &mut Office| {
            let asked = std::mem::take(&mut office.questions);
            asked.iter().filter(|(from, .., question)| *from == ALICE && question[1] == FETCH).count()
        };
        fetches(&mut office);
        comes(&mut office);
        assert_eq!(fetches(&mut office), 1, "desk {who}: there may be something");
        for _ in 0..120 {
            comes(&mut office);
            office.pass(Millis::from_secs(1));
        }
        let count = fetches(&mut office);
        assert!((2..=9).contains(&count), "desk {who}: {count}");
    }
}
