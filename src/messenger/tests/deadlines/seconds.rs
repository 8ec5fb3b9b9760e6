//! What came in the last seconds before the clock was wrong, at one start.

use super::*;
use crate::base::Now;
use crate::identity::IdentityKeypair;
use crate::messenger::Messenger;
use crate::messenger::io::{Event, Input};
use crate::messenger::tables::Clocks;
use crate::store::RowKey;
use crate::store::testing::Place;

/// Ends before every leap, but not in the time that really passes.
const BRIEF: &str = "BRIEF-lives-for-an-hour";
const HELD: &str = "HELD-the-same-in-a-request";
const SENT: &str = "SENT-the-same-of-our-own";

type End = fn(&mut Office);

/// How Alice's node ends.
const ENDS: &[(&str, End)] = &[
    ("stopped", |office| {
        let gone = [BOB, CAROL].map(|who| Input::Net(Event::Disconnected(office.id(who))));
        office.hand_in(ALICE, gone.into());
        office.close(ALICE);
    }),
    ("killed", |office| office.kill(ALICE)),
];

/// `after` the clocks were written down by something else, all that ages comes, and then the node ends. The clock is wrong for one
/// start.
fn comes_through(after: Millis, end: End, leap: Millis, name: &str) {
    let mut office = settle_in();
    office.forward(MINUTE.and(MINUTE));
    office.say(BOB, ALICE, "the clocks are noted with it");
    office.forward(after);
    office.whisper(BOB, ALICE, BRIEF, HOUR);
    office.whisper(CAROL, ALICE, HELD, HOUR);
    office.whisper(ALICE, BOB, SENT, HOUR);
    let late = fill(&mut office);
    let before = counts(&mut office);
    let shown = office.texts(ALICE, BOB);
    end(&mut office);
    let (bob, right) = (office.id(BOB), office.now.wall);

    office.now.wall = right + leap;
    office.open(ALICE);
    let hidden = office.texts(ALICE, BOB);
    assert!(!hidden.contains(&BRIEF.to_owned()) && !hidden.contains(&SENT.to_owned()), "{name}: by the wall clock");
    office.command(ALICE, Command::RenameContact { peer: bob, name: "zz".to_owned() }).unwrap();
    office.pass(Millis(2_000));
    office.close(ALICE);
    office.now.wall = right + Millis(3_000);
    office.open(ALICE);
    office.pass(MINUTE);

    office.take_snapshot(ALICE);
    for ((what, before), (_, now)) in before.iter().zip(counts(&mut office)) {
        assert!(*before > 0 && now >= *before, "{name}: {what}: {before} before, {now} after");
    }
    for text in [BRIEF, HELD, SENT] {
        assert!(office.can_be_had(ALICE, text), "{name}: {text}");
    }
    assert_eq!(office.texts(ALICE, BOB), shown, "{name}");
    office.inject(BOB, ALICE, late);
    assert!(office.texts(ALICE, BOB).contains(&LATE.to_owned()), "{name}: its key is there");
    let peer = office.id(CAROL);
    office.command(ALICE, Command::AcceptRequest(peer)).unwrap();
    assert!(office.texts(ALICE, CAROL).contains(&HELD.to_owned()), "{name}");
}

#[test]
fn what_came_before_a_clock_was_wrong_is_older_than_that() {
    for after in [0, 20, 70].map(Millis::from_secs) {
        for (how, end) in ENDS {
            for leap in [Millis(2 * HOUR.0), Millis(40 * 24 * HOUR.0), Millis(400 * 24 * HOUR.0)] {
                comes_through(after, *end, leap, &format!("{after:?} after a note, {how}, {leap:?}"));
            }
        }
    }
}

/// What the first commit of an opening dates is dated by a clock that is written down with it; without one nothing is written.
#[test]
fn the_clocks_are_written_with_the_first_commit() {
    let mut place = Place::new(7);
    let me = IdentityKeypair::generate(&mut place.rng);
    let now = place.now;
    let mut messenger = Messenger::at_rest(place.open().unwrap(), me).unwrap();
    let (rows, _) = messenger.first(now, &mut place.rng).unwrap();
    assert_eq!(rows.get::<Clocks>(&RowKey::new()).unwrap().unwrap().time, now.wall);
    messenger.store.commit(rows, &mut place.rng).unwrap();
    let later = Now { wall: now.wall + Millis(400 * 24 * HOUR.0), ..now };
    let (rows, _) = messenger.first(later, &mut place.rng).unwrap();
    assert!(rows.is_empty(), "a full disk can be read");
}
