//! When what is to live for a while ends, by clocks that are wrong by this and that.

use proptest::prelude::*;

use super::*;

/// Something that is to live for a while.
struct Brief {
    /// When it was dated, in truth…
    at: u64,
    /// …and by the profile.
    date: WallTime,
    life: u64,
    /// How far the program had run…
    ran: u64,
    /// …and how wrong the clock was then, and since then at most and at least.
    wrong: i64,
    highest: i64,
    lowest: i64,
    /// The clock had gone back before then, and did again: then it may live for longer, as far as that goes.
    was_behind: bool,
    fell: bool,
    last: i64,
    /// Nothing was, at some time since.
    settled: bool,
    /// The clock has said that it is later than it said then.
    claimed: bool,
}

impl Brief {
    fn new(machine: &Machine, at: u64, life: u64, ran: u64, wrong: i64) -> Self {
        let date = machine.time();
        let (highest, lowest, last, was_behind) = (wrong, wrong, wrong, !machine.clock.row.backs.is_empty());
        Self {
            at,
            date,
            life,
            ran,
            wrong,
            highest,
            lowest,
            was_behind,
            fell: false,
            last,
            settled: false,
            claimed: false,
        }
    }

    fn see(&mut self, machine: &Machine, real: u64, ran: u64, wrong: i64) {
        // Small differences are no other time.
        const SLACK: u64 = 2 * CLOCK_STEP.0 + 2_000;
        self.claimed |= wrong > self.wrong || (self.settled && wrong > self.lowest);
        (self.highest, self.lowest) = (self.highest.max(wrong), self.lowest.min(wrong));
        self.settled |= !machine.is_open() || machine.clock.row.days.len() == CLOCK_DAYS;
        let row = &machine.clock.row;
        let end = self.date + Millis(self.life);
        let (hidden, over) = (row.hidden_from(self.date, end) <= row.time, row.over_from(self.date, end) <= row.time);
        let passed = real - self.at;
        self.fell |= wrong < self.last;
        self.last = wrong;
        let fell_twice = self.was_behind && self.fell;
        assert!(hidden || passed < self.life + SLACK || wrong < self.highest || fell_twice, "shown");
        let early = passed + SLACK < self.life;
        assert!(!hidden || !early || self.claimed, "hidden");
        assert!(!over || hidden, "destroyed and shown");
        assert!(!over || self.settled || ran - self.ran + SLACK >= self.life, "destroyed, and not confirmed");
    }
}

/// A clock that is wrong by this and that, and a program that is closed now and then: what is to live for a while is not shown when
/// that has passed and the clock says so, and not hidden or destroyed when neither is so.
#[test]
fn an_end_comes_with_the_wall_clock() {
    const WRONG: [i64; 11] =
        [0, 0, 3_000, 120_000, -120_000, 10_800_000, -10_800_000, -172_800_000, 172_800_000, -34_560_000_000, 1 << 40];
    const SPANS: [u64; 5] = [1_000, 40_000, 3_600_000, 90_000_000, 300_000_000];
    let step = (0..4_u8, 0..WRONG.len(), 0..SPANS.len(), 0..SPANS.len());
    proptest!(|(steps in proptest::collection::vec(step, 1..12))| {
        let mut machine = Machine::new();
        let (mut real, mut ran, mut wrong) = (BEGIN.0, 0, 0);
        let mut said: Vec<Brief> = Vec::new();
        for (what, other, span, life) in steps {
            let span = SPANS[span];
            let passes = if what < 2 { span } else { 0 };
            real += passes;
            wrong = if what < 2 { wrong } else { WRONG[other] };
            let wall = WallTime(real.checked_add_signed(wrong).unwrap());
            match what {
                0 => {
                    machine.run(Millis(span));
                    ran += span;
                }
                1 | 2 => machine.reopen_at(wall),
                _ => {
                    machine.now.wall = wall;
                    machine.clock.look(machine.now);
                }
            }
            said.iter_mut().for_each(|it| it.see(&machine, real, ran, wrong));
            said.push(Brief::new(&machine, real, SPANS[life], ran, wrong));
        }
    });
}
