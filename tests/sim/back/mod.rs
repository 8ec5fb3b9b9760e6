//! Clocks that are set, old copies that are put back, standings that change, strangers in masses, all at random and at once: whatever
//! was acknowledged is shown, or comes again, or one of the rules has dropped it that the oracle knows.

mod clocks;
mod crowds;
mod oracle;
mod standings;

use std::collections::BTreeSet;

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rohrpost::base::words::{Direction, Policy, State};
use rohrpost::base::{MessageId, Millis};
use rohrpost::messenger::{Command, Hints};

use crate::seeds;
use crate::world::{Lies, Stranger, Weather, Who, World};

use clocks::{Clock, Seen};
use oracle::{Back, Said};

const MINUTE: Millis = Millis::from_secs(60);
const HOUR: Millis = Millis::from_hours(1);
const DAY: Millis = Millis::from_days(1);
/// Longer than the story.
const LONG_LIFE: Millis = Millis::from_days(35);
const SHORT_LIFE: Millis = Millis::from_hours(2);

/// What a story is about. Each seed tells one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plot {
    /// Everything but masses.
    All,
    /// Clocks, and what is to vanish.
    Clocks,
    /// The two never meet: their mailboxes have all of it.
    Apart,
    /// Strangers in masses.
    Masses,
    /// A mailbox that has more to keep than it does.
    House,
}

/// What somebody does, or what happens to him.
#[derive(Clone, Copy, Debug)]
enum Act {
    Say,
    Whisper,
    Stand,
    SetClock,
    WrongStart,
    Copy,
    Restart,
    Leave,
    AllCome,
    Echo,
    Ask,
    Begin,
    FillSlot,
    FillHouse,
}

use Act::*;

/// How likely each act is in each plot, in their order.
const ACTS: [(Act, [u64; 5]); 14] = [
    (Say, [14, 10, 14, 14, 14]),
    (Whisper, [3, 10, 2, 0, 2]),
    (Stand, [4, 0, 0, 8, 2]),
    (SetClock, [2, 5, 0, 0, 0]),
    (WrongStart, [1, 5, 0, 0, 0]),
    (Copy, [4, 1, 4, 2, 3]),
    (Restart, [2, 3, 2, 2, 2]),
    (Leave, [2, 1, 4, 1, 4]),
    (AllCome, [4, 2, 8, 5, 5]),
    (Echo, [2, 0, 0, 1, 0]),
    (Ask, [0, 0, 0, 3, 0]),
    (Begin, [0, 0, 0, 2, 0]),
    (FillSlot, [0, 0, 2, 0, 4]),
    (FillHouse, [0, 0, 0, 0, 1]),
];

impl Plot {
    const fn of(seed: u64) -> Self {
        match (seed % 12, seed % 48) {
            // Thousands of boxes take half a minute.
            (_, 47) => Self::House,
            (0..=4, _) => Self::All,
            (5..=7, _) => Self::Clocks,
            (8 | 9, _) => Self::Apart,
            _ => Self::Masses,
        }
    }
}

/// A copy of somebody's folder.
struct Copied {
    folder: tempfile::TempDir,
    /// How much had been said when it was made.
    said: usize,
    clock: Clock,
}

struct Story {
    plot: Plot,
    world: World,
    dice: ChaCha20Rng,
    people: [Who; 2],
    house: Option<Who>,
    eve: Option<Stranger>,
    said: Vec<Said>,
    /// An old copy of each folder.
    copies: [Option<Copied>; 2],
    back: Option<Back>,
    /// By how many milliseconds each clock is wrong.
    wrong: [i64; 2],
    clocks: [Clock; 2],
    /// Whose clock was ever set: the times that he writes are in no order.
    set: [bool; 2],
    policy: [Policy; 2],
    /// Days on which each was there.
    days: [BTreeSet<u64>; 2],
    /// Masses that may still come: they take time.
    masses: usize,
    trail: Vec<String>,
}

impl Drop for Story {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:?}: {:#?}", self.plot, self.trail);
        }
    }
}

impl Story {
    fn new(seed: u64, plot: Plot) -> Self {
        let storm = if plot == Plot::Apart { Weather::CALM } else { Weather::STORM };
        let weather = [Weather::CALM, Weather { delay: 300, ..Weather::CALM }, storm];
        let mut dice = ChaCha20Rng::seed_from_u64(seed);
        let mut world = World::new(seed, weather[usize::try_from(dice.next_u64() % 3).unwrap()]);
        let people = [world.join("alice"), world.join("bob")];
        Self {
            plot,
            world,
            dice,
            people,
            house: None,
            eve: None,
            said: Vec::new(),
            copies: [None, None],
            back: None,
            wrong: [0; 2],
            clocks: [Clock::default(), Clock::default()],
            set: [false; 2],
            policy: [Policy::Requests; 2],
            days: [BTreeSet::new(), BTreeSet::new()],
            masses: 3,
            trail: Vec::new(),
        }
    }

    fn begin(seed: u64) -> Self {
        let plot = Plot::of(seed);
        let mut story = Self::new(seed, plot);
        let people = story.people;
        if matches!(plot, Plot::Apart | Plot::House) || story.below(4) == 0 {
            let house = story.world.house("north");
            people.iter().for_each(|who| story.world.use_mailbox(*who, house));
            story.house = Some(house);
            // What came in one order may be given out in another.
            let shuffles = plot == Plot::Apart;
            story.world.lies(house, Lies { shuffles, ..Lies::default() });
        }
        story.befriend();
        story.pass(MINUTE);
        if plot == Plot::Apart {
            // Each has written to the other, and has what is his due.
            story.say(0);
            story.say(1);
            story.pass(HOUR);
            story.world.wall(people[0], people[1]);
        }
        story
    }

    fn below(&mut self, n: u64) -> usize {
        usize::try_from(self.dice.next_u64() % n).unwrap()
    }

    fn note(&mut self, what: &str) {
        self.trail.push(format!("{:>10} {what}", self.world.now()));
    }

    fn pass(&mut self, span: Millis) {
        let days = self.world.now() / DAY.0..=(self.world.now() + span.0) / DAY.0;
        for who in 0..2 {
            if self.world.is_on(self.people[who]) && span >= HOUR {
                self.days[who].extend(days.clone());
            }
        }
        self.world.pass(span);
        self.look();
        self.judge_ends();
    }

    /// What is to vanish, and has come while both clocks were right, has the same end for both.
    fn look(&mut self) {
        let right = self.wrong == [0; 2];
        if self.said.iter().all(|said| said.life.is_none() || said.seen || said.unsound) {
            return;
        }
        let shown = [1, 0].map(|reader| {
            self.world.texts(self.people[reader], self.people[1 - reader], Direction::In).into_iter().collect()
        });
        let shown: [BTreeSet<String>; 2] = shown;
        for said in self.said.iter_mut().filter(|said| said.life.is_some() && !said.seen) {
            said.unsound |= !right;
            said.seen = !said.unsound && shown[said.from].contains(&said.text);
        }
    }

    /// Somebody without a node is a contact, too.
    fn befriend_echo(&mut self, who: usize) {
        let eve = self.eve.take().unwrap_or_else(|| self.world.stranger());
        let add = Command::AddContact { peer: eve.id(), name: None, hints: Hints::default() };
        self.world.command(self.people[who], add).unwrap();
        self.eve = Some(eve);
    }

    fn say(&mut self, from: usize) {
        self.whisper(from, None);
    }

    fn whisper(&mut self, from: usize, life: Option<Millis>) {
        let text = format!("{}{}", ["a", "b"][from], self.said.len());
        // He may have blocked him.
        let (writer, reader) = (self.people[from], self.people[1 - from]);
        if self.world.try_whisper(writer, reader, &text, life).is_ok() {
            self.note(&format!("says {text}, {life:?}"));
            let (at, unsound) = (self.world.now(), self.wrong != [0; 2]);
            self.said.push(Said {
                from,
                text,
                at,
                life,
                unsaid: false,
                unheard: false,
                seen: false,
                unsound,
                barred: false,
                fell: false,
            });
        }
    }

    fn any_clock(&mut self) -> i64 {
        let spans =
            [0, 0, 120, -120, 10_800, -10_800, 2 * 86_400, -2 * 86_400, 40 * 86_400, 40 * 86_400, -400 * 86_400];
        spans[self.below(spans.len() as u64)] * 1000
    }

    /// His clock is set while his program runs.
    fn set_clock(&mut self, who: usize, wrong: i64) {
        self.turn_clock(who, wrong);
        // Something has the program look at it.
        let myself = self.world.id(self.people[who]);
        self.world.command(self.people[who], Command::AcceptRequest(myself)).unwrap_err();
        self.clocks[who].see(self.world.now(), wrong, Seen::Running);
        self.note(&format!("{who}: the clock is wrong by {} s", wrong / 1000));
    }

    fn turn_clock(&mut self, who: usize, wrong: i64) {
        if wrong < self.wrong[who] {
            self.said.iter_mut().filter(|said| said.from == who).for_each(|said| said.fell = true);
        }
        self.wrong[who] = wrong;
        self.set[who] = true;
        self.world.set_clock(self.people[who], wrong);
        let is_right = self.wrong == [0; 2];
        self.said.iter_mut().filter(|said| !said.seen).for_each(|said| said.unsound |= !is_right);
    }

    /// His process ends, and begins with another clock, or after hours with the same.
    fn start_wrong(&mut self, who: usize) {
        let wrong = if self.below(3) == 0 { self.wrong[who] } else { self.any_clock() };
        // The profile knows what time it was up to a minute ago.
        if self.below(2) == 0 {
            self.whisper(who, Some(LONG_LIFE));
        }
        let is_on = self.world.is_on(self.people[who]);
        self.world.stop(self.people[who]);
        let off = [Millis(0), HOUR, Millis::from_hours(20)][self.below(3)];
        self.pass(off);
        self.world.end(self.people[who]);
        self.turn_clock(who, wrong);
        self.clocks[who].see(self.world.now(), wrong, Seen::AtStart);
        self.world.come(self.people[who]);
        if !is_on {
            self.world.leave(self.people[who]);
        }
        self.note(&format!("{who}: begins with a clock that is wrong by {} s", wrong / 1000));
    }

    /// A copy of his folder is made, or the one that was made is put back.
    fn copy(&mut self, who: usize) {
        let Some(mut old) = self.copies[who].take() else {
            let folder = self.world.copy_folder(self.people[who]);
            self.copies[who] = Some(Copied { folder, said: self.said.len(), clock: self.clocks[who].clone() });
            return self.note(&format!("{who}: a copy is made"));
        };
        let had_blocked = self.has_blocked(who);
        self.world.swap_folder(self.people[who], &mut old.folder);
        if had_blocked && !self.has_blocked(who) {
            self.end_of_block(who);
        }
        self.clocks[who] = old.clock;
        self.clocks[who].see(self.world.now(), self.wrong[who], Seen::AtStart);
        for (number, said) in self.said.iter_mut().enumerate() {
            // What was said before may have come only after the copy was made.
            said.unheard |= said.from != who;
            said.unsaid |= said.from == who && number >= old.said;
            said.fell |= said.from == who;
        }
        let shown = [self.shown(0), self.shown(1)];
        self.back = Some(Back { said: self.said.len(), shown });
        self.note(&format!("{who}: the copy is put back"));
    }

    /// What is shown at somebody of the other's.
    fn shown(&self, who: usize) -> BTreeSet<MessageId> {
        let history = self.world.history(self.people[who], self.people[1 - who]).into_iter();
        history.filter(|message| message.direction == Direction::In).map(|message| message.message_id).collect()
    }

    fn next_act(&mut self) -> Act {
        let plot = self.plot as usize;
        let mut dice = self.below(ACTS.iter().map(|(_, weights)| weights[plot]).sum()) as u64;
        let mut acts = ACTS.into_iter();
        loop {
            let (act, weights) = acts.next().expect("the dice are below the sum");
            match dice.checked_sub(weights[plot]) {
                Some(left) => dice = left,
                None => return act,
            }
        }
    }

    fn act(&mut self) {
        let (who, act) = (self.below(2), self.next_act());
        let is_mass = matches!(act, Ask | Begin | FillHouse);
        self.masses -= usize::from(is_mass && self.masses > 0);
        match act {
            Say => self.say(who),
            Whisper => {
                let life = [LONG_LIFE, LONG_LIFE, SHORT_LIFE][self.below(3)];
                self.whisper(who, Some(life));
            }
            Stand => self.stand(who),
            SetClock => {
                let wrong = self.any_clock();
                self.set_clock(who, wrong);
            }
            WrongStart => self.start_wrong(who),
            Copy => self.copy(who),
            Restart => {
                self.world.restart(self.people[who]);
                self.note(&format!("{who}: restarts"));
            }
            Leave => {
                self.world.leave(self.people[who]);
                self.note(&format!("{who}: off"));
            }
            AllCome => self.all_come(),
            Echo => self.echo(who),
            Ask if self.masses > 0 => self.ask_in_masses(who),
            Begin if self.masses > 0 => self.begin_in_masses(who),
            FillHouse if self.masses > 0 => self.fill_house(),
            Ask | Begin | FillHouse => {}
            FillSlot => self.fill_slot(who),
        }
        let span = [Millis(20), MINUTE, HOUR, Millis::from_hours(9)][self.below(4)];
        self.pass(span);
    }

    fn all_come(&mut self) {
        for who in self.people {
            if !self.world.is_on(who) {
                self.world.come(who);
            }
        }
        self.note("all are on");
    }

    /// Days of which both are there for an hour, twice: somebody with a mailbox asks it some hundred times a day.
    fn days_pass(&mut self, days: u64) {
        if self.house.is_none() {
            return self.pass(Millis::from_days(days));
        }
        for _ in 0..2 * days {
            self.pass(HOUR);
            self.people.iter().for_each(|who| self.world.stop(*who));
            self.pass(Millis::from_hours(11));
            self.all_come();
        }
    }

    /// All is well again, and time passes: they are on, take each other for contacts, and their clocks are right.
    fn end(&mut self) {
        self.all_come();
        for who in 0..2 {
            if self.wrong[who] != 0 {
                self.set_clock(who, 0);
            }
        }
        self.world.calm();
        self.befriend();
        self.pass(DAY);
        // Whoever is written to is asked what came.
        for _ in 0..3 {
            self.say(0);
            self.say(1);
            self.days_pass(1);
        }
        let days = if self.plot == Plot::Apart { 13 } else { 8 };
        if self.below(2) == 0 {
            // Of what does not open out of a mailbox silence tells, once a week (SES-68).
            self.days_pass(days);
        } else {
            // While they talk there is none, and what was passed over goes again (SES-72).
            for _ in 0..days {
                self.say(1);
                self.say(0);
                self.days_pass(1);
            }
        }
        for _ in 0..2 {
            self.say(1);
            self.say(0);
            self.days_pass(1);
        }
    }
}

#[test]
fn whatever_clocks_copies_and_standings_do_nothing_is_lost_without_a_rule() {
    for seed in seeds(12) {
        let mut story = Story::begin(seed);
        for _ in 0..25 {
            story.act();
        }
        story.end();
        story.judge();
    }
}

/// REQ-5, REQ-10, REQ-13: who wrote while the door was shut asks when it is open, with what he said first, and without writing again.
#[test]
fn whoever_was_shut_out_asks_when_the_door_is_open() {
    for seed in seeds(12) {
        let mut story = Story::new(seed, Plot::All);
        story.world.command(story.people[1], Command::SetPolicy(Policy::Contacts)).unwrap();
        for _ in 0..12 {
            story.act_at_the_door();
        }
        story.open_the_door();
    }
}

/// Alice writes to Bob, who does not know her.
impl Story {
    fn act_at_the_door(&mut self) {
        let who = self.below(2);
        match self.below(8) {
            0..=3 => self.say(0),
            4 => {
                let policy = [Policy::Contacts, Policy::Nobody][self.below(2)];
                self.world.command(self.people[1], Command::SetPolicy(policy)).unwrap();
                self.note(&format!("1: {policy:?}"));
            }
            5 => self.world.restart(self.people[who]),
            6 => self.world.leave(self.people[who]),
            _ => self.all_come(),
        }
        let span = [Millis(20), MINUTE, HOUR, Millis::from_hours(9)][self.below(4)];
        self.pass(span);
    }

    fn open_the_door(&mut self) {
        let [alice, bob] = self.people;
        assert_eq!(self.world.requests(bob), [], "the door was shut");
        self.all_come();
        self.world.calm();
        self.say(0);
        self.pass(HOUR);
        self.world.command(bob, Command::SetPolicy(Policy::Requests)).unwrap();
        // A newer card is looked for every hour, and what goes again waits for one at most.
        self.pass(Millis::from_hours(4));
        let said: Vec<String> = self.said.iter().map(|said| said.text.clone()).collect();
        let asked = self.world.requests(bob).pop().expect("she asks");
        assert_eq!((asked.text.as_str(), asked.messages as usize), (said[0].as_str(), said.len().min(3)));
        self.world.accept(bob, alice);
        self.pass(Millis::from_hours(4));
        assert_eq!(self.world.texts(bob, alice, Direction::In), said);
        assert!(self.world.history(alice, bob).iter().all(|message| message.state == State::Delivered));
    }
}
