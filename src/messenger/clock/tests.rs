mod ends;

use super::row::MAX_LEAPS;
use super::*;
use crate::base::limits::CLOCK_DAYS;
use crate::base::shown::ClockFault;

const BEGIN: WallTime = WallTime(1_700_000_000_000);
const HOUR: Millis = Millis::from_hours(1);
const DAY: Millis = Millis::from_days(1);
const WEEK: Millis = Millis::from_days(7);
const YEARS: Millis = Millis::from_days(730);

/// What speaks for a clock, or does not.
type Way = (&'static str, fn(&mut Machine));

/// A profile and its machine.
struct Machine {
    clock: Clock,
    now: Now,
}

impl Machine {
    fn new() -> Self {
        let now = Now { wall: BEGIN, mono: MonoTime(0) };
        Self { clock: Clock::open(ClockRow::new(BEGIN), now), now }
    }

    fn run(&mut self, span: Millis) {
        self.now = Now { wall: self.now.wall + span, mono: self.now.mono + span };
        self.clock.look(self.now);
    }

    fn set_ahead(&mut self, by: Millis) {
        self.now.wall = self.now.wall + by;
        self.clock.look(self.now);
    }

    fn set_back(&mut self, by: Millis) {
        self.now.wall = self.now.wall - by;
        self.clock.look(self.now);
    }

    /// Closed, and opened when the wall clock stands there.
    fn reopen_at(&mut self, wall: WallTime) {
        self.now = Now { wall, mono: MonoTime(0) };
        self.clock = Clock::open(self.clock.row.clone(), self.now);
    }

    fn off(&mut self, span: Millis) {
        self.reopen_at(self.now.wall + span);
    }

    fn time(&self) -> WallTime {
        self.clock.time(self.now.mono)
    }

    /// How old something is, as far as is believed.
    fn age(&self, date: WallTime) -> Millis {
        let is_over = |span: Millis| date + span <= self.clock.row.by(span);
        let (mut low, mut high) = (0, self.time().since(date).0);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if is_over(Millis(middle)) { low = middle } else { high = middle - 1 }
        }
        Millis(low)
    }

    fn is_open(&self) -> bool {
        self.clock.row.is_open()
    }
}

const fn peer(n: u8) -> PeerId {
    PeerId::from_key_bytes([n; 32])
}

#[test]
fn while_it_runs_all_clocks_are_one() {
    let mut machine = Machine::new();
    for span in [HOUR, Millis(1), WEEK] {
        machine.run(span);
        assert_eq!((machine.time(), machine.clock.row.wall), (machine.now.wall, machine.now.wall));
        assert_eq!(machine.clock.row.shown(machine.time()), machine.now.wall);
    }
    assert_eq!(machine.age(BEGIN), Millis(HOUR.0 + 1 + WEEK.0));
    assert!(!machine.is_open() && machine.clock.row.warning().is_none());
}

#[test]
fn time_off_is_believed_when_something_speaks_for_it() {
    let ways: [Way; 3] = [
        ("a day of running", |machine| machine.run(DAY)),
        ("two contacts", |machine| (1..=2).for_each(|n| machine.clock.hear(peer(n), machine.now.wall))),
        ("the user", |machine| machine.clock.confirm()),
    ];
    for (way, confirm) in ways {
        let mut machine = Machine::new();
        machine.run(HOUR);
        machine.off(WEEK);
        let came = machine.time();
        assert_eq!((came, machine.age(BEGIN)), (machine.now.wall, HOUR), "{way}: dated by it, and not believed");
        assert_eq!(machine.clock.row.warning().unwrap().fault, ClockFault::Ahead);
        confirm(&mut machine);
        let since = machine.time().since(came);
        assert_eq!(machine.age(BEGIN), HOUR.and(WEEK).and(since), "{way}");
        assert_eq!(machine.age(came), since, "{way}: what came meanwhile is no older than it is");
        assert!(machine.clock.row.warning().is_none() && machine.clock.row.leaps.is_empty(), "{way}");
    }
}

/// On the third day on which the profile is opened what was seen on the first is believed, however long it is closed in between.
#[test]
fn what_stood_for_three_days_is_believed() {
    for pause in [HOUR.and(DAY), WEEK] {
        let mut machine = Machine::new();
        machine.run(HOUR);
        machine.off(WEEK);
        let mut believed = Vec::new();
        for _ in 0..4 {
            machine.off(pause);
            believed.push(machine.age(BEGIN).less(HOUR));
        }
        assert_eq!(believed, [Millis(0), WEEK, WEEK.and(pause), WEEK.and(pause).and(pause)], "{pause:?}");
        machine.reopen_at(machine.now.wall - pause);
        machine.off(pause);
        assert_eq!(
            machine.age(BEGIN).less(HOUR),
            WEEK.and(pause).and(pause),
            "a clock that goes back says nothing of before"
        );
    }
}

#[test]
fn less_speaks_for_nothing() {
    let ways: [Way; 5] = [
        ("nearly a day", |machine| machine.run(Millis(DAY.0 - 1))),
        ("one contact, often", |machine| (0..9).for_each(|_| machine.clock.hear(peer(1), machine.now.wall))),
        ("clocks that stand elsewhere", |machine| {
            let other = machine.now.wall - Millis(CLOCK_AGREEMENT.0 + 1);
            (1..9).for_each(|n| machine.clock.hear(peer(n), other));
        }),
        ("many openings of one day", |machine| (0..9).for_each(|_| machine.off(Millis(1000)))),
        ("two days", |machine| machine.off(DAY)),
    ];
    for (way, confirm) in ways {
        let mut machine = Machine::new();
        machine.off(WEEK);
        confirm(&mut machine);
        assert!(machine.is_open(), "{way}");
        assert!(machine.age(BEGIN) < WEEK, "{way}");
    }
}

/// A dead battery of the clock, an image, somebody on the path: ahead for once, then right.
#[test]
fn a_clock_that_was_ahead_once_is_forgiven() {
    let mut machine = Machine::new();
    machine.run(HOUR);
    machine.reopen_at(machine.now.wall + YEARS);
    machine.run(HOUR);
    let meanwhile = machine.time();
    machine.reopen_at(BEGIN + HOUR.and(HOUR).and(HOUR));
    assert!(machine.age(BEGIN) <= Millis(HOUR.0 * 3), "{:?}", machine.age(BEGIN));
    assert!(machine.age(meanwhile) <= HOUR);
    assert_eq!(machine.clock.row.warning(), None, "it is as it was");
    machine.run(Millis::from_days(30));
    let age = machine.age(BEGIN);
    assert!(Millis::from_days(30) < age && age < Millis::from_days(31), "{age:?}");
    assert_eq!(machine.clock.row.shown(machine.time()), machine.now.wall, "what is shown is of now");
}

/// The same while it runs, and the other way round.
#[test]
fn a_clock_that_is_set_moves_deadlines_with_it() {
    let mut machine = Machine::new();
    machine.run(HOUR);
    machine.set_ahead(YEARS);
    assert_eq!(machine.age(BEGIN), HOUR);
    machine.run(DAY);
    assert_eq!(machine.age(BEGIN), HOUR.and(DAY), "also when it stays there");
    assert!(!machine.is_open());
    machine.set_back(YEARS);
    assert_eq!((machine.age(BEGIN), machine.clock.row.behind()), (HOUR.and(DAY), YEARS), "it had been right");
    machine.run(DAY);
    assert_eq!(
        (machine.age(BEGIN), machine.clock.row.behind()),
        (HOUR.and(DAY).and(DAY), Millis(0)),
        "and is lower now"
    );
}

/// A board that boots in 1970 and gets the time later.
#[test]
fn a_clock_that_was_behind_makes_nothing_older() {
    let mut machine = Machine::new();
    machine.run(HOUR);
    let closed = machine.now.wall;
    machine.reopen_at(WallTime(5_000));
    assert_eq!(machine.clock.row.warning().unwrap().fault, ClockFault::Behind);
    let queued = machine.time();
    machine.run(Millis(30_000));
    machine.now.wall = closed + WEEK;
    machine.clock.look(machine.now);
    assert_eq!(machine.age(queued), Millis(30_000));
    assert_eq!(machine.clock.row.behind(), Millis(0));
    machine.clock.confirm();
    assert_eq!(machine.age(queued), Millis(30_000), "that the clock is right makes it no older");
    assert_eq!(machine.age(BEGIN), HOUR.and(Millis(30_000)), "and it was set while we ran");
}

/// The mark falls when the wall clock has been lower for a day.
#[test]
fn a_lower_clock_is_believed_after_a_day() {
    let mut machine = Machine::new();
    machine.run(WEEK);
    machine.set_back(DAY);
    assert_eq!((machine.clock.row.behind(), machine.age(BEGIN)), (DAY, WEEK));
    machine.run(Millis(DAY.0 - 1));
    assert!(machine.is_open());
    machine.run(Millis(1));
    assert!(!machine.is_open() && machine.clock.row.warning().is_none());
    assert_eq!(machine.age(BEGIN), WEEK.and(DAY));
    machine.off(HOUR);
    assert_eq!(machine.clock.row.behind(), Millis(0), "an hour off is an hour off");
    assert_eq!(machine.clock.row.shown(machine.time()), machine.now.wall);
}

#[test]
fn an_end_is_hidden_by_the_wall_clock_and_final_when_it_is_confirmed() {
    let mut machine = Machine::new();
    let (since, end) = (machine.time(), machine.time() + HOUR);
    let is = |machine: &Machine| {
        let row = &machine.clock.row;
        let (hidden, over) = (row.hidden_from(since, end), row.over_from(since, end));
        (hidden <= machine.time(), over <= machine.time())
    };
    assert_eq!(is(&machine), (false, false));
    machine.set_ahead(DAY);
    assert_eq!(is(&machine), (true, false));
    machine.set_back(DAY);
    assert_eq!(is(&machine), (false, false), "it is shown again");
    machine.off(DAY);
    assert_eq!(is(&machine), (true, false));
    machine.reopen_at(BEGIN + Millis(60_000));
    assert_eq!(is(&machine), (false, false));
    let mut other = Machine { clock: machine.clock.clone(), now: machine.now };
    other.run(HOUR);
    assert_eq!(is(&other), (true, true), "running time confirms");
    machine.set_ahead(DAY);
    machine.clock.confirm();
    assert_eq!(is(&machine), (true, true), "a clock that was set right ends it, too");
    assert!(machine.age(BEGIN) < HOUR, "which is no reason to give anything else up");
}

/// A process that dies has dated something behind the leap that it noted when it began: the next leap is another.
#[test]
fn what_was_dated_between_two_leaps_is_behind_the_first() {
    let mut machine = Machine::new();
    machine.off(WEEK);
    let noted = machine.clock.row.clone();
    machine.run(Millis(20));
    let (date, minute) = (machine.time(), Millis::from_secs(60));
    machine.run(Millis(20));
    machine.clock.row = noted;
    machine.reopen_at(machine.now.wall + minute - Millis(40));
    assert_eq!(machine.clock.row.over_from(date, date + HOUR), date + HOUR + minute);
    // The same where the clock is set ahead while it runs, twice in one moment.
    let mut machine = Machine::new();
    machine.set_ahead(WEEK);
    let date = machine.time();
    machine.set_ahead(DAY);
    assert_eq!(machine.clock.row.over_from(date, date + HOUR), date + HOUR + DAY);
}

/// What was dated by a clock that is behind ends by that clock, also while nobody is there; nothing else is older by that.
#[test]
fn what_was_dated_behind_ends_by_the_wall_clock() {
    for back in [Millis(3_000), Millis(6_000), HOUR, DAY, YEARS] {
        let openings: [Way; 2] = [("opened", |_| ()), ("set", |machine| machine.run(Millis(1)))];
        for (way, begin) in openings {
            let mut machine = Machine::new();
            machine.run(HOUR);
            if way == "opened" {
                machine.reopen_at(machine.now.wall - back);
            } else {
                machine.set_back(back);
            }
            begin(&mut machine);
            machine.run(Millis(1_000));
            let (date, end) = (machine.time(), machine.time() + HOUR);
            let is = |machine: &Machine| {
                let row = &machine.clock.row;
                (row.hidden_from(date, end) <= row.time, row.over_from(date, end) <= row.time)
            };
            machine.off(Millis(HOUR.0 / 2));
            assert_eq!(is(&machine), (false, false), "{way} {back:?}");
            machine.off(CLOCK_STEP.and(Millis(HOUR.0 / 2)));
            assert_eq!(is(&machine), (true, false), "{way} {back:?}");
            let mut again = Machine { clock: machine.clock.clone(), now: machine.now };
            again.reopen_at(again.now.wall - Millis(HOUR.0 / 2));
            assert_eq!(is(&again), (false, false), "{way} {back:?}: set back again");
            again.off(HOUR);
            assert_eq!(is(&again), (true, false), "{way} {back:?}");
            machine.off(Millis(HOUR.0 * 3));
            assert!(machine.age(date) < HOUR, "{way} {back:?}");
            machine.clock.confirm();
            assert_eq!(is(&machine), (true, true), "{way} {back:?}");
            let is_placed = back <= CLOCK_WARNING;
            assert_eq!(
                machine.age(date) > HOUR.and(HOUR).and(HOUR).and(Millis(60_000)),
                is_placed,
                "{way} {back:?}: it was closed when it was right, or before"
            );
        }
    }
}

/// A board without a battery boots twice before it gets the time: what it wrote at the first boot may be as old as that says, what
/// it wrote since the second is young.
#[test]
fn what_is_written_before_a_board_has_the_time_is_as_young_as_was_seen() {
    let mut machine = Machine::new();
    machine.run(HOUR);
    let closed = machine.now.wall;
    let mut dates = vec![BEGIN];
    for _ in 0..2 {
        machine.reopen_at(WallTime(5_000));
        machine.run(Millis(1_000));
        dates.push(machine.time());
        machine.run(Millis(300_000));
    }
    machine.set_ahead(closed.since(machine.now.wall).and(WEEK));
    let row = &machine.clock.row;
    let hidden: Vec<_> = dates.iter().map(|date| row.hidden_from(*date, *date + DAY) <= row.time).collect();
    assert_eq!(hidden, [true, true, false]);
    assert_eq!(row.warning().unwrap().fault, ClockFault::Ahead);
    machine.set_ahead(Millis(YEARS.0 * 6));
    machine.set_back(Millis(YEARS.0 * 6));
    assert_eq!(machine.clock.row.behind(), Millis(0), "what was claimed beyond never was");
    machine.run(DAY);
    assert!(!machine.is_open());
    let row = &machine.clock.row;
    assert!(row.over_from(dates[1], dates[1] + DAY) <= row.time);
    assert!(row.over_from(dates[2], dates[2] + WEEK) > row.time);
}

/// A board that has the time for one start, and not for the next.
#[test]
fn a_clock_that_goes_back_again_goes_on_with_what_it_dated() {
    for back in [HOUR, DAY, YEARS] {
        let mut machine = Machine::new();
        machine.run(HOUR);
        machine.reopen_at(machine.now.wall - back);
        machine.run(Millis(1_000));
        let (date, end) = (machine.time(), machine.time() + Millis(600_000));
        let is_hidden = |machine: &Machine| machine.clock.row.hidden_from(date, end) <= machine.time();
        machine.reopen_at(machine.now.wall + back);
        assert!(is_hidden(&machine), "{back:?}: by the clock that is right");
        machine.reopen_at(machine.now.wall - back + Millis(60_000));
        assert!(!is_hidden(&machine), "{back:?}: by the one that dated it");
        machine.off(Millis(500_000));
        assert!(!is_hidden(&machine), "{back:?}");
        machine.off(Millis(60_000));
        assert!(is_hidden(&machine), "{back:?}: it goes on");
        machine.reopen_at(machine.now.wall + back);
        assert!(is_hidden(&machine), "{back:?}");
    }
}

#[test]
fn a_look_finds_what_an_opening_would() {
    let mut machine = Machine::new();
    machine.run(HOUR);
    let row = machine.clock.row.clone();
    let (since, end) = (BEGIN, BEGIN + DAY);
    for (wall, hidden) in [(row.wall, false), (row.wall + DAY, true), (row.wall - DAY, false)] {
        let seen = row.clone().at(wall);
        assert_eq!(seen.hidden_from(since, end) <= seen.time, hidden, "{wall}");
    }
    assert_eq!(machine.clock.row, row, "and changes nothing");
}

#[test]
fn clocks_are_drawn_to_each_other_without_a_word() {
    let mut machine = Machine::new();
    for second in 0..3_600_u64 {
        machine.now.mono = machine.now.mono + Millis(1_000);
        machine.now.wall = machine.now.wall + Millis(if second % 2 == 0 { 1_003 } else { 998 });
        machine.clock.look(machine.now);
    }
    assert_eq!(machine.time(), machine.now.wall);
    assert!(machine.clock.row.leaps.is_empty() && machine.clock.row.behind() == Millis(0));
}

#[test]
fn what_others_signed_is_over_by_the_earliest_clock_and_to_come_by_the_latest() {
    let mut machine = Machine::new();
    machine.off(YEARS);
    assert_eq!((machine.clock.row.earliest(), machine.clock.row.latest()), (BEGIN, BEGIN + YEARS));
    let mut machine = Machine::new();
    machine.reopen_at(WallTime(0));
    assert_eq!((machine.clock.row.earliest(), machine.clock.row.latest()), (WallTime(0), BEGIN));
}

/// Nothing that a clock says overflows, and what is kept of it is bounded.
#[test]
fn any_clock_is_borne() {
    use proptest::prelude::*;
    let walls = prop_oneof![
        Just(0),
        Just(u64::MAX),
        (0..=u64::MAX),
        (0..1_000_u64).prop_map(|days| BEGIN.0 + days * DAY.0),
        (0..200_000_000_u64).prop_map(|by| BEGIN.0 + by),
    ];
    let step = (walls, 0..200_000_000_u64, 0..4_u8);
    proptest!(|(steps in proptest::collection::vec(step, 1..80))| {
        let mut machine = Machine::new();
        let mut ran = 0_u64;
        for (wall, span, what) in steps {
            let before = machine.time();
            match what {
                0 => machine.reopen_at(WallTime(wall)),
                1 => {
                    machine.now.wall = WallTime(wall);
                    machine.clock.look(machine.now);
                }
                2 => machine.clock.confirm(),
                _ => {
                    machine.run(Millis(span));
                    ran += span;
                }
            }
            let row = &machine.clock.row;
            prop_assert!(machine.time() >= before, "it never goes back");
            prop_assert!(row.leaps.len() <= MAX_LEAPS && row.days.len() <= CLOCK_DAYS);
            prop_assert!(row.leaps.is_sorted_by_key(|leap| leap.at));
            for span in [HOUR, WEEK, YEARS] {
                prop_assert!(row.by(span) <= row.time && row.by(span) >= row.by(Millis(span.0 * 2)));
            }
        }
        prop_assert!(machine.time().since(BEGIN).0 >= ran);
    });
}

/// An envelope that fails after it was read says nothing of its writer's clock with the next one.
#[test]
fn what_failed_is_not_heard_with_the_next() {
    use crate::messenger::io::FrameToken;
    use crate::messenger::testing::Office;
    let mut office = Office::pair();
    office.now.wall = office.now.wall + YEARS;
    let (peer, wall) = (office.id(1), office.now.wall);
    office.tx(0, |tx| {
        assert!(tx.mem.clock.row.is_open());
        tx.mem.reading = Some((peer, wall));
        let (another, token) = (PeerId::from_key_bytes([7; 32]), FrameToken { stream: 1, frame: 1 });
        tx.receive(another, None, token, &[1, 2, 3]).unwrap();
        assert!(tx.mem.clock.heard.is_empty());
    });
}
