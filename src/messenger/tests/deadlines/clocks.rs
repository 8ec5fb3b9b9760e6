//! What follows from a wall clock that is set, and from one that is confirmed.

use crate::base::{Millis, Now, WallTime, limits};
use crate::identity::{CardContent, CardKeys, IdentityKey, IdentityKeypair, OneTimePrekeyIn};
use crate::messenger::command::Command;
use crate::messenger::io::{Event, Input, Order, Output};
use crate::messenger::query;
use crate::messenger::tables::{Cards, Profile, peer_key};
use crate::messenger::testing::Office;
use crate::store::{RowKey, Rows};

const HOUR: Millis = Millis::from_hours(1);
const DAY: Millis = Millis::from_days(1);
const MINUTE: Millis = Millis::from_secs(60);
const WEEKS: Millis = Millis::from_days(40);
const BRIEF: &str = "BRIEF-lives-for-a-day";

fn card_issued(office: &Office, who: usize) -> WallTime {
    office.rows(who).get::<Profile>(&RowKey::new()).unwrap().unwrap().card_issued
}

fn warns(office: &Office, who: usize) -> bool {
    query::clock(&office.rows(who), office.now.wall).unwrap().warning().is_some()
}

/// The node looks at the clocks now and then, and hands in a timer when they were set.
fn look(office: &mut Office, who: usize) {
    office.in_commits(who, vec![Input::Timer]);
    office.pass(Millis(0));
}

/// Others judge it by clocks that are right: with a card of another year nobody gets through.
#[test]
fn the_own_card_is_made_anew_at_once_when_the_clock_is_set() {
    let mut office = Office::new(1);
    office.now.wall = office.now.wall + HOUR;
    look(&mut office, 0);
    assert_eq!(card_issued(&office, 0), office.now.wall);
    office.pass(HOUR);
    office.now.wall = office.now.wall - DAY;
    look(&mut office, 0);
    assert_eq!(card_issued(&office, 0), office.now.wall, "also when it is set back");
    let before = card_issued(&office, 0);
    office.pass(HOUR);
    assert_eq!(card_issued(&office, 0), before, "and not for nothing");
    // A board without a battery.
    office.close(0);
    let closed = office.now.wall;
    office.now.wall = WallTime(5_000);
    office.open(0);
    office.pass(HOUR);
    office.now.wall = closed + DAY;
    look(&mut office, 0);
    assert_eq!(card_issued(&office, 0), office.now.wall);
}

/// The prekeys that were made by a wrong clock are good for as long as any when they are handed out.
#[test]
fn prekeys_are_dated_by_the_clock_that_is_right_when_they_are_given() {
    let mut office = Office::new(1);
    for wall in [WallTime(5_000), office.now.wall, office.now.wall + Millis(WEEKS.0 * 20)] {
        office.now.wall = wall;
        look(&mut office, 0);
        let asked = Event::BundleRequested {
            from: crate::base::PeerId::from_key_bytes([7; 32]),
            request: 1,
            want_prekey: true,
        };
        let given = office.hand_in(0, vec![Input::Net(asked)]).into_iter().find_map(|output| match output {
            Output::Net(Order::AnswerBundle { prekey, .. }) => prekey,
            _ => None,
        });
        let owner = IdentityKey::from_peer_id(office.id(0)).unwrap();
        let prekey = OneTimePrekeyIn::decode(&given.unwrap()).unwrap().verify(&owner, wall).unwrap();
        assert!(prekey.expires <= wall + limits::ONE_TIME_LIFE && prekey.expires > wall + DAY);
    }
}

#[test]
fn two_contacts_confirm_what_one_cannot() {
    let mut office = Office::new(3);
    office.befriend(0, 1);
    office.befriend(0, 2);
    office.online = false;
    office.say(0, 1, "queued");
    office.close(0);
    office.forward(WEEKS);
    office.open(0);
    assert!(warns(&office, 0));
    office.online = true;
    for who in [1, 2] {
        office.open(who);
    }
    office.pass(HOUR);
    for n in 0..3 {
        assert!(warns(&office, 0), "one contact is one contact");
        office.say(1, 0, &format!("hello {n}"));
    }
    office.say(2, 0, "hello");
    assert!(!warns(&office, 0));
}

/// ID-15
#[test]
fn a_card_of_a_day_that_is_to_come_is_not_kept() {
    let mut office = Office::pair();
    let bob = office.id(1);
    let late = Millis(limits::CARD_AHEAD.0 + 1);
    for (ahead, kept) in [(late, false), (limits::CARD_AHEAD, true)] {
        let before = office.rows(0).get::<Cards>(&peer_key(&bob)).unwrap().map(|row| row.bytes);
        let mut card = Vec::new();
        office.tx(1, |tx| {
            let keys = CardKeys::generate(&mut *tx.rng);
            let issued = tx.now.wall + ahead;
            card = CardContent::new(&keys, u64::MAX - ahead.0, issued, [1; 16]).sign(tx.me);
        });
        office.tx(0, |tx| tx.told_card(bob, &card).map_or(Ok(()), |card| tx.keep_card(card)).unwrap());
        let after = office.rows(0).get::<Cards>(&peer_key(&bob)).unwrap().map(|row| row.bytes);
        assert_eq!(after != before, kept, "{ahead:?}");
    }
    let other = IdentityKeypair::from_seed(&crate::base::Secret::new([9; 32]));
    let keys = CardKeys::generate(&mut office.desks[0].place.rng);
    let far = CardContent::new(&keys, 1, office.now.wall + Millis(DAY.0 * 36_500), [1; 16]).sign(&other);
    office.tx(0, |tx| assert!(tx.checked_bundle(other.peer_id(), &far, None).unwrap().is_none()));
}

/// What has ended by the wall clock is not sent any more; if that was not so, it is.
#[test]
fn what_seems_to_be_over_waits_until_that_is_known() {
    let mut office = Office::pair();
    office.online = false;
    office.open(0);
    office.whisper(0, 1, BRIEF, DAY);
    office.close(0);
    let closed = office.now.wall;
    office.now.wall = closed + Millis(2 * DAY.0);
    office.open(0);
    office.online = true;
    for who in [1, 0] {
        office.open(who);
    }
    office.say(0, 1, "behind it");
    office.pass(HOUR);
    assert_eq!(office.texts(1, 0).last().unwrap(), "behind it");
    assert!(!office.texts(1, 0).contains(&BRIEF.to_owned()) && office.can_be_had(0, BRIEF));
    office.now.wall = closed + Millis(2 * HOUR.0);
    office.open(0);
    office.say(0, 1, "and this");
    office.pass(HOUR);
    assert!(office.texts(1, 0).contains(&BRIEF.to_owned()));
}

/// What is said while the clock is behind ends by that clock, also while nobody is there: at who has it, in a request, and on its way.
#[test]
fn what_is_said_while_the_clock_is_behind_ends_by_it() {
    for back in [Millis(3_000), Millis(6_000), HOUR, Millis(WEEKS.0 * 20)] {
        let mut office = Office::new(3);
        office.befriend(0, 1);
        office.close(0);
        office.now.wall = office.now.wall - back;
        office.open(0);
        let life = Millis(2 * HOUR.0);
        office.whisper(1, 0, BRIEF, life);
        office.whisper(2, 0, "HELD", life);
        office.online = false;
        office.whisper(0, 1, "QUEUED", life);
        office.close(0);
        for (after, shown) in [(HOUR, true), (Millis(20 * HOUR.0), false)] {
            office.forward(after);
            office.rest(0);
            let requests = query::requests(&office.rows(0), office.now.wall).unwrap();
            assert_eq!(requests.len(), usize::from(shown), "{back:?}");
            let counts = query::counts(&office.rows(0), office.id(0), office.now.wall).unwrap();
            assert_eq!(counts.requests, u64::from(shown), "{back:?}");
            for text in [BRIEF, "QUEUED"] {
                assert_eq!(office.texts(0, 1).contains(&text.to_owned()), shown, "{back:?}: {text}");
            }
            office.close(0);
        }
        office.online = true;
        for who in [1, 0] {
            office.open(who);
        }
        office.pass(MINUTE);
        assert!(!office.texts(1, 0).contains(&"QUEUED".to_owned()), "{back:?}: it is sent");
        office.command(0, Command::ConfirmClock).unwrap();
        office.pass(limits::EXPIRY_GRACE.and(HOUR));
        for text in [BRIEF, "HELD", "QUEUED"] {
            assert!(!office.can_be_had(0, text), "{back:?}: {text}");
        }
    }
}

/// Whoever was away, opens his profile, and has a clock that is back once before anything was confirmed, loses nothing of what came
/// since: it is as young as it is.
#[test]
fn what_came_since_a_leap_does_not_age_by_a_clock_that_is_back_once() {
    let hours = |n: u64| Millis(n * HOUR.0);
    for (away, back) in
        [(WEEKS, WEEKS), (WEEKS, Millis(WEEKS.0 * 20)), (hours(12), HOUR), (HOUR, HOUR), (DAY, hours(12))]
    {
        for runs in [false, true] {
            let mut office = Office::new(3);
            office.befriend(0, 1);
            office.close(0);
            office.forward(away);
            office.open(0);
            office.whisper(1, 0, BRIEF, HOUR);
            office.say(2, 0, "may I?");
            office.online = false;
            office.say(0, 1, "queued");
            if !runs {
                office.close(0);
            }
            office.now.wall = office.now.wall - back;
            if runs {
                look(&mut office, 0);
            } else {
                office.open(0);
            }
            office.pass(Millis(1_000));
            if !runs {
                office.close(0);
            }
            office.now.wall = office.now.wall + back;
            if runs {
                look(&mut office, 0);
            } else {
                office.open(0);
            }
            let what = format!("away {away:?}, back {back:?}, runs {runs}");
            for confirmed in [false, true] {
                if confirmed {
                    office.command(0, Command::ConfirmClock).unwrap();
                }
                office.pass(MINUTE);
                assert!(office.texts(0, 1).contains(&BRIEF.to_owned()), "{what}, {confirmed}");
                assert_eq!(query::requests(&office.rows(0), office.now.wall).unwrap().len(), 1, "{what}, {confirmed}");
                assert_eq!(office.undelivered(0), 1, "{what}, {confirmed}");
            }
            office.pass(hours(2));
            assert!(!office.texts(0, 1).contains(&BRIEF.to_owned()) && !office.can_be_had(0, BRIEF), "{what}");
        }
    }
}

/// What a machine without a battery queues at its first start is not older when it has the time.
#[test]
fn what_is_dated_before_there_was_such_a_program_is_young() {
    let right = Office::new(0).now;
    let mut office = Office::begun(2, Now { wall: WallTime(5_000), ..right });
    assert!(warns(&office, 0));
    office.online = false;
    office.say(0, 1, "queued");
    office.close(0);
    office.now.wall = right.wall;
    office.open(0);
    office.command(0, Command::ConfirmClock).unwrap();
    office.pass(HOUR);
    assert_eq!(office.undelivered(0), 1);
}

/// What waited in a request ends as it would have there.
#[test]
fn a_request_that_is_accepted_keeps_the_ends_of_its_messages() {
    let mut office = Office::new(2);
    office.whisper(0, 1, BRIEF, Millis(3 * HOUR.0));
    let peer = office.id(0);
    office.close(1);
    let closed = office.now.wall;
    office.now.wall = closed + DAY;
    office.open(1);
    assert_eq!(query::requests(&office.rows(1), office.now.wall).unwrap(), [], "nobody sees it");
    office.command(1, Command::AcceptRequest(peer)).unwrap();
    assert_eq!(office.texts(1, 0), [""; 0]);
    office.now.wall = closed + HOUR;
    office.open(1);
    office.pass(HOUR);
    assert_eq!(office.texts(1, 0), [BRIEF], "the clock was wrong");
    office.pass(Millis(3 * HOUR.0));
    assert!(office.texts(1, 0).is_empty() && !office.can_be_had(1, BRIEF));
}

/// Nothing changes on the disk until somebody wants it to.
#[test]
fn a_messenger_at_rest_writes_nothing() {
    let mut office = Office::pair();
    office.whisper(0, 1, BRIEF, DAY);
    office.close(1);
    let before = office.desks[1].place.dump();
    office.forward(WEEKS);
    office.rest(1);
    assert_eq!(office.texts(1, 0), ["hello", "hello"]);
    assert!(warns(&office, 1));
    office.close(1);
    assert_eq!(office.desks[1].place.dump(), before);
}
