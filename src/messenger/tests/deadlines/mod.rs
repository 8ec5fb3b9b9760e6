//! Every deadline of the program and every way in which a wall clock can be wrong: what must still be there.
//!
//! The list of deadlines is read from `limits`: a constant without a row fails. All that ages is set up at one desk, an hour
//! before the clock goes wrong, or in the last seconds.

mod clocks;
mod seconds;

use std::collections::BTreeSet;

use crate::base::words::MailService;
use crate::base::{EnvelopeId, Millis, PeerId, limits};
use crate::messenger::command::Command;
use crate::messenger::query;
use crate::messenger::tables::{
    Boxes, CardKeysTable, Deposits, EnvelopeMarks, OneTimeTable, OwnBoxes, PeerRow, Peers, Sessions, Strangers, Tombs,
};
use crate::messenger::testing::Office;
use crate::store::{Rows, Scan};

const ALICE: usize = 0;
const BOB: usize = 1;
/// Has a pending request.
const CAROL: usize = 2;
/// Was declined.
const DAVE: usize = 3;
/// Keeps a mailbox that Alice has left, and is off.
const ERIN: usize = 4;
const HOUR: Millis = Millis::from_hours(1);
const MINUTE: Millis = Millis::from_secs(60);
const YEARS: Millis = Millis::from_days(1_100);
const WHISPER: &str = "WHISPER-that-lives-for-ten-hours";
const LATE: &str = "came late";

/// In what a deadline is counted.
#[derive(Clone, Copy)]
enum Kept {
    /// Monotonic time of the process, or of a connection: nothing outlives it.
    Process,
    /// A pause or a rotation by the profile's time, or by what a card says: what follows takes nothing away.
    Repeats,
    /// A bound for what is written, or for what the others are compared with.
    Bound,
    /// The profile's time: what it takes away is counted here.
    Rows(fn(&Office) -> u64),
}

use Kept::{Bound, Process, Repeats, Rows as Ages};

/// Every constant of `limits` that is a span of time or of days, and what stands or falls with it.
const DEADLINES: &[(&str, Kept)] = &[
    // That the key is there shows at the end, when its message comes.
    ("SKIPPED_KEY_LIFE", Ages(sessions)),
    ("ARCHIVED_SESSION_LIFE", Ages(sessions)),
    ("KEM_INTERVAL", Repeats),
    ("HEALING_INTERVAL", Repeats),
    ("PASSED_OVER_FORGOTTEN", Process),
    ("HEALING_SILENCE", Repeats),
    ("HEALING_SILENT_INTERVAL", Repeats),
    ("HEARD_NOTE", Repeats),
    ("FIRST_CONTACT_REBUILD", Repeats),
    ("CARD_LIFE", Ages(card_keys)),
    ("CARD_ROTATION", Ages(card_keys)),
    ("PREKEY_GRACE", Ages(card_keys)),
    ("ONE_TIME_LIFE", Ages(one_time_prekeys)),
    ("ONE_TIME_HANDED_LIFE", Ages(one_time_prekeys)),
    // The secrets stay; what is begun with them alone begins again with another card.
    ("CROWDED_CARD_PAUSE", Repeats),
    ("CROWDED_CARD_GRACE", Repeats),
    ("REQUEST_LIFE", Ages(requests)),
    ("STRANGER_SESSION_LIFE", Ages(strangers)),
    ("DECLINE_LIFE", Ages(declined)),
    ("UNACCEPTED_LIFE", Ages(unaccepted)),
    ("ENVELOPE_MARK_LIFE", Ages(marks)),
    ("CLOCK_STEP", Bound),
    ("CLOCK_NOTE", Bound),
    ("CLOCK_WARNING", Bound),
    ("CLOCK_LEAP", Bound),
    ("CLOCK_BELIEVED", Bound),
    ("CLOCK_AGREEMENT", Bound),
    ("CARD_AHEAD", Bound),
    ("LONGEST_LIFE", Bound),
    ("RECEIPTS_OVERDUE", Process),
    ("INQUIRY_PAUSE", Process),
    ("INQUIRY_ANSWERED", Process),
    ("UNDELIVERED_AFTER", Ages(queued)),
    ("RETRY_FIRST", Process),
    ("RETRY_MAX", Process),
    ("RETRY_FORGOTTEN", Process),
    ("FAILURE_INTERVAL", Process),
    ("DISCOVERED_PAUSE", Process),
    ("NETWORK_BACK_PAUSE", Process),
    ("PRESENCE_PAUSE", Process),
    ("CONTACT_CHANGE_PAUSE", Process),
    ("MIN_LIFETIME", Ages(timed)),
    ("MAX_LIFETIME", Ages(timed)),
    ("EXPIRY_GRACE", Ages(timed)),
    ("FORGOTTEN_LIFE", Ages(forgotten)),
    ("BOX_RETRY", Bound),
    ("BOX_PREKEY_INTERVAL", Repeats),
    ("BOX_ENVELOPE_DAYS", Ages(deposits)),
    ("BOX_LEASE_DAYS", Ages(boxes)),
    ("BOX_TRIAL_DAYS", Ages(boxes)),
    ("DEPOSIT_AFTER", Process),
    ("MISSED_LIFE", Process),
    ("RECEIPTS_DEPOSIT_AFTER", Repeats),
    ("DEPOSIT_LIFE", Repeats),
    ("DEPOSIT_RETRY_FIRST", Process),
    ("DEPOSIT_RETRY_MAX", Process),
    ("MAX_RETRY_AFTER", Process),
    ("SEEK_FIRST", Process),
    ("SEEK_MAX", Process),
    ("FETCH_PAUSE_MIN", Process),
    ("FETCH_PAUSE_MAX", Process),
    ("FETCH_PAUSE_WAITING", Process),
    ("FETCH_LEFT_PAUSE", Process),
    ("WAIT_PAUSE", Process),
    ("WAIT_LASTED", Process),
    ("BOX_RETRY_FIRST", Process),
    ("BOX_RETRY_MAX", Process),
    ("BOX_ASK_AGAIN", Process),
    ("BOX_LEAVING", Ages(own_boxes)),
    ("BOX_REFILL_PAUSE", Repeats),
    ("FETCHED_NOTE", Repeats),
    ("ASK_TIMEOUT", Process),
    ("CARD_DEBOUNCE", Process),
    ("CARD_REPUBLISH", Process),
    ("CARDS_PUBLISHED_PAUSE", Process),
    ("OWN_CARD_LOOK", Process),
    ("OWN_CARD_LOOK_FIRST", Process),
    ("OWN_CARD_HINT_PAUSE", Process),
    ("ELSEWHERE_LIFE", Repeats),
    ("DISK_GLANCE", Process),
    ("SNAPSHOT_INTERVAL", Repeats),
    // The file of a snapshot is named by the earliest that it may be, and goes by it (`store::snapshot`).
    ("SNAPSHOT_LIFE", Ages(snapshots)),
];

/// Those of the network: of a connection, a question, or what is held in memory, by the monotonic clock.
const OF_THE_NETWORK: &[&str] = &[
    "STRANGER_REST",
    "CLOSE_TIMEOUT",
    "MUTE_TIMEOUT",
    "DIAL_TIMEOUT",
    "LISTEN_TIMEOUT",
    "LISTEN_QUIET",
    "MDNS_AGAIN",
    "STREAM_OPEN_TIMEOUT",
    "LINGER_TIMEOUT",
    "FRAME_TIMEOUT",
    "STALL_TIMEOUT",
    "STRANGER_IDLE",
    "CONNECTION_IDLE",
    "CLASS_REFRESH",
    "CARD_TIMEOUT",
    "PING_INTERVAL",
    "PING_TIMEOUT",
    "IDENTIFY_INTERVAL",
    "QUIC_IDLE",
    "CROSSING_WINDOW",
    "DOUBLE_LINGER",
    "DOUBLE_GRACE",
    "DOUBLE_LIFE",
    "MAIL_PLACE_WAIT",
    "MAIL_TRANSFER_TIMEOUT",
    "MAIL_ANSWER_TIMEOUT",
    "MAX_MAIL_WAIT",
    "MAIL_TIMEOUT",
    "MAIL_DEADLINE",
    "COURIER_IDLE",
    "COURIER_KEY_LIFE",
    "RESERVATION_TIMEOUT",
    "RESERVATION_SHORTEST",
    "RELAY_PAUSE_FIRST",
    "RELAY_PAUSE_MAX",
    "CIRCUIT_DISTRUST",
    "ROUTER_ASKED_AGAIN",
    "RESERVATION_LIFE",
    "MAX_CIRCUIT_TIME",
    "CIRCUIT_IDLE",
    "RELAY_WAIT",
    "RELAY_KNOWN",
    "TRIAL_TIMEOUT",
    "TRIAL_HEARD_TIMEOUT",
    "ADDRESS_TEST_INTERVAL",
    "ADDRESS_RETEST",
    "TRIAL_WINDOW",
    "CHECK_TIMEOUT",
    "UNANSWERED",
    "TICK",
    "SLEEP_SUSPECTED",
    "REDIAL_FIRST",
    "REDIAL_MAX",
    "REDIAL_IDLE",
    "DHT_RECORD_LIFE",
    "DHT_PROVIDER_LIFE",
    "DHT_QUERY_TIMEOUT",
    "DHT_PUT_PATIENCE",
    "DHT_STEP_TIMEOUT",
    "DHT_SEEK_TIMEOUT",
    "DHT_RETRY_FIRST",
    "DHT_RETRY_MAX",
    "DHT_REFRESH",
    "DHT_ANNOUNCE_FIRST",
    "DHT_ANNOUNCE_INTERVAL",
    "DHT_TICK",
    "DHT_KNOWN_INTERVAL",
    "DHT_SEEK_AGAIN",
];

fn sessions(office: &Office) -> u64 {
    office.rows(ALICE).count::<Sessions>(&Scan::all()).unwrap()
}

fn card_keys(office: &Office) -> u64 {
    office.rows(ALICE).count::<CardKeysTable>(&Scan::all()).unwrap()
}

fn one_time_prekeys(office: &Office) -> u64 {
    office.rows(ALICE).count::<OneTimeTable>(&Scan::all()).unwrap()
}

fn requests(office: &Office) -> u64 {
    query::requests(&office.rows(ALICE), office.now.wall).unwrap().len() as u64
}

fn strangers(office: &Office) -> u64 {
    office.rows(ALICE).count::<Strangers>(&Scan::all()).unwrap()
}

fn declined(office: &Office) -> u64 {
    let peers = office.rows(ALICE).scan::<Peers>(&Scan::all()).unwrap();
    peers.iter().filter(|(_, row)| row.declined_until.is_some()).count() as u64
}

fn unaccepted(office: &Office) -> u64 {
    let peers = office.rows(ALICE).scan::<Peers>(&Scan::all()).unwrap();
    peers.iter().map(|(_, row)| row.unaccepted_sent.len() as u64).sum()
}

fn marks(office: &Office) -> u64 {
    office.rows(ALICE).count::<EnvelopeMarks>(&Scan::all()).unwrap()
}

fn queued(office: &Office) -> u64 {
    office.undelivered(ALICE)
}

fn timed(office: &Office) -> u64 {
    u64::from(office.can_be_had(ALICE, WHISPER))
}

fn forgotten(office: &Office) -> u64 {
    office.rows(ALICE).count::<Tombs>(&Scan::all()).unwrap()
}

fn deposits(office: &Office) -> u64 {
    office.rows(ALICE).count::<Deposits>(&Scan::all()).unwrap()
}

fn boxes(office: &Office) -> u64 {
    office.rows(ALICE).count::<Boxes>(&Scan::all()).unwrap()
}

fn own_boxes(office: &Office) -> u64 {
    office.rows(ALICE).count::<OwnBoxes>(&Scan::all()).unwrap()
}

fn snapshots(office: &Office) -> u64 {
    office.snapshots(ALICE) as u64
}

/// Five of them, Alice with a contact and mailboxes.
fn settle_in() -> Office {
    let mut office = Office::new(5);
    for house in [ALICE, ERIN] {
        office.command(house, Command::SetMailService(MailService::Open)).unwrap();
    }
    office.befriend(ALICE, BOB);
    office.befriend(CAROL, BOB);
    for (who, house) in [(BOB, ALICE), (ALICE, ERIN)] {
        let peer = office.id(house);
        office.command(who, Command::UseMailbox { peer, addrs: Vec::new() }).unwrap();
        office.pass(MINUTE);
    }
    office
}

/// All that ages comes to Alice, within seconds; and an envelope of Bob's is still on its way.
fn fill(office: &mut Office) -> Vec<u8> {
    let (bob, dave, erin) = (office.id(BOB), office.id(DAVE), office.id(ERIN));
    office.say(CAROL, ALICE, "may I write to you?");
    office.say(DAVE, ALICE, "may I?");
    office.command(ALICE, Command::DeclineRequest(dave)).unwrap();
    office.whisper(BOB, ALICE, "gone in a second", Millis(1_000));
    office.pass(Millis(2_000));
    office.whisper(BOB, ALICE, WHISPER, Millis(10 * HOUR.0));
    office.loses_letters = true;
    office.say(BOB, ALICE, LATE);
    let late = office.envelopes[&BOB].clone();
    office.loses_letters = false;
    office.say(BOB, ALICE, "came before it");
    office.close(BOB);
    office.online = false;
    office.open(CAROL);
    office.say(CAROL, BOB, "for your mailbox");
    office.pass(limits::DEPOSIT_AFTER.and(Millis(1_000)));
    [CAROL, DAVE, ERIN].into_iter().for_each(|who| office.close(who));
    office.command(ALICE, Command::DropMailbox(erin)).unwrap();
    office.tx(ALICE, |tx| {
        let mut set = tx.sessions(&bob).unwrap();
        set.give_up(tx.aging());
        tx.put_sessions(&bob, &set).unwrap();
        tx.put_mark(&tx.my_id(), EnvelopeId::new([1; 32]), false, None).unwrap();
        tx.flush_marks().unwrap();
        let asked =
            PeerRow { unaccepted_sent: vec![tx.deadline_clock()], ..PeerRow::new(PeerId::from_key_bytes([9; 32])) };
        tx.put_peer(&asked).unwrap();
    });
    office.say(ALICE, BOB, "queued");
    office.take_snapshot(ALICE);
    late
}

/// The same, so long ago.
fn set_up(ago: Millis) -> (Office, Vec<u8>) {
    let mut office = settle_in();
    let late = fill(&mut office);
    office.pass(ago);
    (office, late)
}

fn counts(office: &mut Office) -> Vec<(&'static str, u64)> {
    // Old marks go when there are new ones, old snapshots when there is another.
    let id = EnvelopeId::new([office.now.mono.0.to_be_bytes(); 4].concat().try_into().unwrap());
    office.tx(ALICE, |tx| {
        tx.put_mark(&tx.my_id(), id, false, None).unwrap();
        tx.flush_marks().unwrap();
    });
    let of = |(name, kept): &(&'static str, Kept)| match kept {
        Ages(count) => Some((*name, count(office))),
        _ => None,
    };
    DEADLINES.iter().filter_map(of).collect()
}

/// What goes on at Alice's, and then her clock is right again. `look`: everything must be there.
type Move = fn(&mut Office, &mut dyn FnMut(&mut Office));

fn move_wall(office: &mut Office, ahead: bool, by: Millis) {
    office.now.wall = if ahead { office.now.wall + by } else { office.now.wall - by };
}

const MOVES: &[(&str, Move)] = &[
    ("behind", |office, look| {
        office.close(ALICE);
        move_wall(office, false, YEARS);
        office.open(ALICE);
        look(office);
        office.pass(HOUR);
        move_wall(office, true, YEARS);
        office.pass(HOUR);
        look(office);
        office.command(ALICE, Command::ConfirmClock).unwrap();
        office.pass(HOUR);
    }),
    ("behind, and closed again", |office, look| {
        office.close(ALICE);
        move_wall(office, false, YEARS);
        for _ in 0..2 {
            office.open(ALICE);
            look(office);
            office.pass(MINUTE);
            office.close(ALICE);
            office.forward(MINUTE);
        }
        move_wall(office, true, YEARS);
        office.open(ALICE);
        look(office);
        office.command(ALICE, Command::ConfirmClock).unwrap();
        office.pass(HOUR);
    }),
    ("ahead", |office, look| {
        office.close(ALICE);
        move_wall(office, true, YEARS);
        office.open(ALICE);
        look(office);
        office.pass(HOUR);
        look(office);
        office.close(ALICE);
        move_wall(office, false, YEARS);
        office.open(ALICE);
        office.pass(HOUR);
        look(office);
        office.command(ALICE, Command::ConfirmClock).unwrap();
        office.pass(HOUR);
    }),
    ("set back", |office, look| {
        move_wall(office, false, YEARS);
        office.pass(HOUR);
        look(office);
        office.command(ALICE, Command::ConfirmClock).unwrap();
        office.pass(HOUR);
    }),
    ("set ahead", |office, look| {
        move_wall(office, true, YEARS);
        office.pass(HOUR);
        look(office);
        move_wall(office, false, YEARS);
        office.pass(HOUR);
    }),
    ("suspended", |office, look| {
        office.forward(Millis(5 * HOUR.0));
        office.pass(HOUR);
        look(office);
    }),
    ("restarted", |office, look| {
        for _ in 0..3 {
            office.close(ALICE);
            office.forward(MINUTE);
            office.open(ALICE);
            look(office);
        }
        office.pass(HOUR);
    }),
];

#[test]
fn whatever_the_clock_does_nothing_is_given_up() {
    for ((name, go), ago) in MOVES.iter().flat_map(|it| [(it, HOUR), (it, Millis(0))]) {
        let (mut office, late) = set_up(ago);
        let before = counts(&mut office);
        let mut look = |office: &mut Office| {
            office.take_snapshot(ALICE);
            for ((what, before), (_, after)) in before.iter().zip(counts(office)) {
                assert!(*before > 0, "{what} is not looked at");
                assert!(after >= *before, "{name}, {ago:?}: {what}: {before} before, {after} after");
            }
        };
        go(&mut office, &mut look);
        look(&mut office);
        assert!(office.texts(ALICE, BOB).contains(&WHISPER.to_owned()), "{name}: it is shown when the clock is right");
        office.inject(BOB, ALICE, late);
        assert!(office.texts(ALICE, BOB).contains(&LATE.to_owned()), "{name}: its key is there");
    }
}

/// A clock that is set, and is right then, takes nothing but messages whose time is over by it.
#[test]
fn a_clock_that_was_set_right_moves_deadlines() {
    let (mut office, late) = set_up(HOUR);
    let before = counts(&mut office);
    move_wall(&mut office, true, YEARS);
    office.pass(MINUTE);
    assert!(!office.texts(ALICE, BOB).contains(&WHISPER.to_owned()), "its end has come by the wall clock");
    office.command(ALICE, Command::ConfirmClock).unwrap();
    office.pass(Millis(2 * HOUR.0));
    for ((what, before), (_, after)) in before.iter().zip(counts(&mut office)) {
        let ends = what.ends_with("_LIFETIME") || *what == "EXPIRY_GRACE";
        assert!(if ends { after == 0 } else { after >= *before }, "{what}: {before} before, {after} after");
    }
    office.inject(BOB, ALICE, late);
    assert!(office.texts(ALICE, BOB).contains(&LATE.to_owned()));
}

/// With all that really goes by, and is confirmed, everything ends.
#[test]
fn time_that_passes_ends_it_all() {
    let (mut office, _) = set_up(HOUR);
    office.close(ALICE);
    office.forward(Millis(120 * 24 * HOUR.0));
    office.open(ALICE);
    let before = counts(&mut office);
    office.command(ALICE, Command::ConfirmClock).unwrap();
    office.pass(Millis(2 * HOUR.0));
    for ((what, before), (_, after)) in before.iter().zip(counts(&mut office)) {
        // Keys and prekeys are made anew, what vanishes now is remembered, the own mailbox is asked to forget us first.
        let stays = ["CARD_", "PREKEY", "ONE_TIME", "SNAPSHOT", "BOX_LEAVING", "ENVELOPE_MARK", "FORGOTTEN"];
        if !stays.iter().any(|name| what.starts_with(name)) {
            assert!(after < *before, "{what}: {before} before, {after} after");
        }
    }
}

#[test]
fn every_deadline_has_a_row() {
    let of = |text: &'static str, kind: &str| -> BTreeSet<&'static str> {
        let constants = text.lines().filter_map(|line| line.strip_prefix("pub const ")?.split_once(": "));
        constants.filter(|(name, of)| of.starts_with(kind) || name.ends_with("_DAYS")).map(|(name, _)| name).collect()
    };
    let listed: BTreeSet<_> = DEADLINES.iter().map(|(name, _)| *name).chain(["CLOCK_DAYS"]).collect();
    let mut ours = of(include_str!("../../../base/limits.rs"), "Millis");
    ours.append(&mut of(include_str!("../../../base/limits/clocks.rs"), "Millis"));
    assert_eq!(ours, listed);
    let network: BTreeSet<_> = OF_THE_NETWORK.iter().copied().collect();
    assert_eq!(of(include_str!("../../../base/limits/net.rs"), "Millis"), network);
}
