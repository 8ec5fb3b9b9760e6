//! Both sides heal at once (SES-55, SES-64; CON-29 in the messenger): every order in which they begin anew and in which
//! the letters arrive, also when one side heals twice.

use super::*;

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    /// Gives up the session that sends, begins another, and says so in it; if nobody has said that to him yet (CON-29):
    /// then there is nothing left to heal, and he just says something.
    Heals(Who),
    /// Says something in whatever session sends.
    Says(Who),
    /// The letter of this number arrives.
    Arrives(usize),
}
use Step::{Arrives, Heals, Says};

/// A point in a story, to which one can go back.
pub(super) struct Point {
    sets: [SessionSet; 2],
    used: [BTreeSet<(PrekeyId, [u8; 32])>; 2],
}

/// All stories that go on from here.
struct Stories<'a> {
    world: &'a mut World,
    /// The session that is given up.
    broken: SessionId,
    /// What each still does, in this order.
    plans: [Vec<Step>; 2],
    letters: Vec<(Letter, bool)>,
    /// So many of them are of before the healing.
    late: usize,
    /// Whom a reset has reached.
    reset: BTreeSet<Who>,
    on_the_way: BTreeSet<usize>,
    told: Vec<Step>,
    count: u64,
    /// Who began the session in which they ended.
    winners: BTreeSet<Who>,
}

impl Stories<'_> {
    /// Each of the things that can happen now, and all that can follow.
    fn go_on(&mut self) {
        let next = self.plans.iter().filter_map(|plan| plan.first().copied());
        // Letters of one side overtake each other only where they are of before the healing: a stream keeps their order.
        let first_of =
            |who| self.on_the_way.iter().find(|letter| **letter >= self.late && self.letters[**letter].0.from == who);
        let first = [Alice, Bob].into_iter().filter_map(first_of);
        let arrives = self.on_the_way.range(..self.late).chain(first).map(|letter| Arrives(*letter));
        let steps: Vec<Step> = next.chain(arrives).collect();
        if steps.is_empty() {
            return self.end();
        }
        for step in steps {
            let (point, plans) = (self.world.point(), self.plans.clone());
            let (letters, on_the_way, reset) = (self.letters.len(), self.on_the_way.clone(), self.reset.clone());
            self.told.push(step);
            self.happens(step);
            self.go_on();
            self.told.pop();
            self.world.back_to(point);
            self.plans = plans;
            self.letters.truncate(letters);
            (self.on_the_way, self.reset) = (on_the_way, reset);
        }
    }

    fn happens(&mut self, step: Step) {
        let who = match step {
            Arrives(number) => {
                self.on_the_way.remove(&number);
                let (letter, is_reset) = self.letters[number].clone();
                let opened = self.world.deliver(&letter).map(|opened| opened.plaintext.to_vec());
                assert_eq!(opened, Ok(letter.text.clone()), "{:?}", self.told);
                // Once: a second copy is known.
                assert_eq!(self.world.deliver(&letter), Err(SessionError::Duplicate), "{:?}", self.told);
                if is_reset {
                    self.reset.insert(letter.from.other());
                }
                return;
            }
            Heals(who) if !self.reset.contains(&who) => {
                let now = self.world.now;
                self.world.set(who).give_up(now);
                self.world.begin(who);
                who
            }
            Heals(who) | Says(who) => who,
        };
        let is_reset = step == Heals(who) && !self.reset.contains(&who);
        self.plans[usize::from(who == Bob)].remove(0);
        let letter = self.world.send(who, format!("{:?}", self.told));
        self.on_the_way.insert(self.letters.len());
        self.letters.push((letter, is_reset));
    }

    /// Everything has arrived: what they say now arrives too, in one session, which both have confirmed.
    fn end(&mut self) {
        self.count += 1;
        for _ in 0..2 {
            self.world.says(Alice, "and on");
            self.world.says(Bob, "and on");
        }
        let (one, other) = (self.world.sends_with(Alice), self.world.sends_with(Bob));
        assert_eq!(one, other, "{:?}", self.told);
        assert_ne!(one, self.broken, "{:?}", self.told);
        assert!(self.world.set(Alice).is_confirmed() && self.world.set(Bob).is_confirmed(), "{:?}", self.told);
        let is_alices = self.world.set(Alice).sending().unwrap().is_ours();
        self.winners.insert(if is_alices { Alice } else { Bob });
    }
}

impl World {
    pub(super) fn point(&self) -> Point {
        Point {
            sets: [self.alice.set.clone(), self.bob.set.clone()],
            used: [self.alice.used.clone(), self.bob.used.clone()],
        }
    }

    /// The random numbers go on, so that each story has keys of its own.
    pub(super) fn back_to(&mut self, point: Point) {
        [self.alice.set, self.bob.set] = point.sets;
        [self.alice.used, self.bob.used] = point.used;
    }
}

/// Goes through all stories that begin with a confirmed session, perhaps with a late letter of each in it. Gives how
/// many there were.
fn every_story(late: usize, plans: [&[Step]; 2]) -> u64 {
    let mut world = World::confirmed(21, false);
    world.says(Alice, "confirmed for Bob, too");
    world.compare = false;
    let broken = world.sends_with(Alice);
    let letters: Vec<_> = [Alice, Bob].map(|who| (world.send(who, "late"), false)).into_iter().take(late).collect();
    let plans = plans.map(<[Step]>::to_vec);
    let (on_the_way, reset) = ((0..late).collect(), BTreeSet::new());
    let (told, winners) = (Vec::new(), BTreeSet::new());
    let mut stories =
        Stories { world: &mut world, broken, plans, letters, late, reset, on_the_way, told, count: 0, winners };
    stories.go_on();
    assert_eq!(stories.winners.len(), 2, "either side's session was to be the one");
    stories.count
}

/// SES-55, SES-64.
#[test]
fn two_that_heal_at_once_end_in_one_new_session() {
    // Of each side's two steps and two arrivals there are two orders.
    assert_eq!(every_story(0, [&[Heals(Alice), Says(Alice)], &[Heals(Bob), Says(Bob)]]), 2 * 2 * 70);
    // And what was written before comes in between.
    assert_eq!(every_story(2, [&[Heals(Alice)], &[Heals(Bob)]]), 6 * 30);
}

/// SES-55, SES-64: what the first healing said did not arrive in time, and one of the two heals again, or both do.
#[test]
fn those_who_heal_twice_end_in_one_new_session() {
    for bob in [Says(Bob), Heals(Bob)] {
        assert_eq!(every_story(0, [&[Heals(Alice), Heals(Alice)], &[Heals(Bob), bob]]), 2 * 2 * 70);
    }
    assert_eq!(every_story(1, [&[Heals(Alice), Heals(Alice)], &[Heals(Bob)]]), 2 * 15 * 7);
    assert_eq!(every_story(1, [&[Heals(Alice)], &[Heals(Bob), Heals(Bob)]]), 2 * 15 * 7);
}
