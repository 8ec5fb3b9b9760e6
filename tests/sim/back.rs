//! Clocks that are set, old copies that are put back, and standings that change, at random and all at once: whatever was
//! acknowledged is shown, or comes again, or one of the rules has dropped it that the oracle knows.
//!
//! The oracle is told what people do, never what a messenger makes of it.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rohrpost::base::words::{Direction, Policy, State};
use rohrpost::base::{MessageId, Millis};
use rohrpost::messenger::{Command, Hints};

use crate::seeds;
use crate::world::{Weather, Who, World};

const MINUTE: Millis = Millis::from_secs(60);
const DAY: Millis = Millis::from_days(1);
/// How long an own message is tried.
const GIVEN_UP: Millis = Millis::from_days(30);

/// Something that somebody said.
struct Said {
    from: usize,
    text: String,
    at: u64,
    /// Its writer's folder fell back to before it: he may say that it never was.
    unsaid: bool,
    /// The folder of whom it was for fell back since: if it was there, it is not any more.
    unheard: bool,
}

/// What was there when an old copy was put back: at whom, and how much had been said.
struct Back {
    said: usize,
    shown: [BTreeSet<MessageId>; 2],
}

struct Story {
    world: World,
    dice: ChaCha20Rng,
    people: [Who; 2],
    said: Vec<Said>,
    /// An old copy of each folder, and how much had been said when it was made.
    copies: [Option<(tempfile::TempDir, usize)>; 2],
    back: Option<Back>,
    /// By how many milliseconds each clock is wrong.
    wrong: [i64; 2],
    /// Whose process has begun while his clock was ahead: after a day it is believed, and what has waited for 30 days is given up.
    leapt: [bool; 2],
    /// Whose clock was ever set: the times that he writes are in no order.
    set: [bool; 2],
    trail: Vec<String>,
}

impl Drop for Story {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{:#?}", self.trail);
        }
    }
}

impl Story {
    fn begin(seed: u64) -> Self {
        let weather = [Weather::CALM, Weather { delay: 300, ..Weather::CALM }, Weather::STORM];
        let mut dice = ChaCha20Rng::seed_from_u64(seed);
        let mut world = World::new(seed, weather[usize::try_from(dice.next_u64() % 3).unwrap()]);
        let people = [world.join("alice"), world.join("bob")];
        let mut story = Self {
            world,
            dice,
            people,
            said: Vec::new(),
            copies: [None, None],
            back: None,
            wrong: [0; 2],
            leapt: [false; 2],
            set: [false; 2],
            trail: Vec::new(),
        };
        if story.below(4) == 0 {
            let house = story.world.house("north");
            people.iter().for_each(|who| story.world.use_mailbox(*who, house));
        }
        story.befriend();
        story.pass(MINUTE);
        story
    }

    fn below(&mut self, n: u64) -> usize {
        usize::try_from(self.dice.next_u64() % n).unwrap()
    }

    fn note(&mut self, what: &str) {
        self.trail.push(format!("{:>10} {what}", self.world.now()));
    }

    fn pass(&mut self, span: Millis) {
        self.world.pass(span);
    }

    /// Each takes the other for a contact, whatever was before.
    fn befriend(&mut self) {
        for (who, peer) in [(0, 1), (1, 0)] {
            let (who, peer) = (self.people[who], self.world.id(self.people[peer]));
            drop(self.world.command(who, Command::Unblock(peer)));
            self.world.command(who, Command::SetPolicy(Policy::Requests)).unwrap();
            drop(self.world.command(who, Command::AddContact { peer, name: None, hints: Hints::default() }));
        }
    }

    fn say(&mut self, from: usize) {
        let text = format!("{}{}", ["a", "b"][from], self.said.len());
        // He may have blocked him.
        if self.world.try_say(self.people[from], self.people[1 - from], &text).is_ok() {
            self.note(&format!("says {text}"));
            let at = self.world.now();
            self.said.push(Said { from, text, at, unsaid: false, unheard: false });
        }
    }

    /// What somebody does with the other, or with everybody.
    fn stand(&mut self, who: usize) {
        let peer = self.world.id(self.people[1 - who]);
        let act = match self.below(8) {
            0 => Command::RemoveContact(peer),
            1 => Command::DeclineRequest(peer),
            2 => Command::Block(peer),
            3 | 4 => Command::Unblock(peer),
            5 => Command::AcceptRequest(peer),
            6 => Command::SetPolicy([Policy::Requests, Policy::Contacts, Policy::Nobody][self.below(3)]),
            _ => Command::AddContact { peer, name: None, hints: Hints::default() },
        };
        let shown = format!("{who}: {act:?}");
        let done = self.world.command(self.people[who], act).is_ok();
        self.note(&format!("{shown} {done}"));
    }

    fn set_clock(&mut self, who: usize, wrong: i64) {
        self.wrong[who] = wrong;
        self.set[who] = true;
        self.world.set_clock(self.people[who], wrong);
        self.note(&format!("{who}: the clock is wrong by {} s", wrong / 1000));
    }

    /// His process begins anew.
    fn restart(&mut self, who: usize) {
        self.leapt[who] |= self.wrong.iter().any(|wrong| *wrong != 0) || self.set[who];
        self.world.restart(self.people[who]);
    }

    /// A copy of his folder is made, or the one that was made is put back.
    fn copy(&mut self, who: usize) {
        self.leapt[who] |= self.set[who];
        let Some((mut old, known)) = self.copies[who].take() else {
            self.copies[who] = Some((self.world.copy_folder(self.people[who]), self.said.len()));
            return self.note(&format!("{who}: a copy is made"));
        };
        let shown = |world: &World, who: usize| {
            let history = world.history(self.people[who], self.people[1 - who]).into_iter();
            let theirs = history.filter(|message| message.direction == Direction::In);
            theirs.map(|message| message.message_id).collect::<BTreeSet<MessageId>>()
        };
        self.world.swap_folder(self.people[who], &mut old);
        for (number, said) in self.said.iter_mut().enumerate() {
            // What was said before may have come only after the copy was made.
            said.unheard |= said.from != who;
            said.unsaid |= said.from == who && number >= known;
        }
        let shown = [shown(&self.world, 0), shown(&self.world, 1)];
        self.back = Some(Back { said: self.said.len(), shown });
        self.note(&format!("{who}: the copy is put back"));
    }

    fn act(&mut self) {
        let who = self.below(2);
        match self.below(16) {
            0..=6 => self.say(who),
            7 | 8 => self.stand(who),
            9 => {
                let spans = [0, 0, 120, -120, 10_800, -10_800, 2 * 86_400, -2 * 86_400, 40 * 86_400, -400 * 86_400];
                let wrong = spans[self.below(spans.len() as u64)] * 1000;
                self.set_clock(who, wrong);
            }
            10 | 11 => self.copy(who),
            12 => self.restart(who),
            13 => {
                self.world.leave(self.people[who]);
                self.leapt[who] |= self.set[who];
                self.note(&format!("{who}: off"));
            }
            _ => {
                for who in self.people {
                    if !self.world.is_on(who) {
                        self.world.come(who);
                    }
                }
                self.note("all are on");
            }
        }
        let span = [Millis(20), MINUTE, Millis::from_hours(1), Millis::from_hours(9)][self.below(4)];
        self.pass(span);
    }

    /// All is well again, and time passes: they are on, take each other for contacts, and their clocks are right.
    fn end(&mut self) {
        for who in 0..2 {
            if !self.world.is_on(self.people[who]) {
                self.world.come(self.people[who]);
            }
            if self.wrong[who] != 0 {
                self.set_clock(who, 0);
            }
        }
        self.world.calm();
        self.befriend();
        self.pass(Millis::from_hours(2));
        // Whoever is written to is asked what came.
        for _ in 0..3 {
            self.say(0);
            self.say(1);
            self.pass(DAY);
        }
        self.pass(Millis::from_days(8));
        for _ in 0..2 {
            self.say(1);
            self.say(0);
            self.pass(DAY);
        }
    }

    fn judge(&self) {
        for from in 0..2 {
            self.judge_one(from);
        }
        if let Some(back) = &self.back {
            self.judge_order(back);
        }
    }

    /// What one has said, at the other.
    fn judge_one(&self, from: usize) {
        let (writer, reader) = (self.people[from], self.people[1 - from]);
        let mut shown: BTreeMap<String, usize> = BTreeMap::new();
        for text in self.world.texts(reader, writer, Direction::In) {
            *shown.entry(text).or_default() += 1;
        }
        let own = self.world.history(writer, reader).into_iter();
        let own: BTreeMap<String, State> =
            own.filter(|m| m.direction == Direction::Out).map(|m| (m.text, m.state)).collect();
        for said in self.said.iter().filter(|said| said.from == from) {
            let times = shown.remove(&said.text).unwrap_or(0);
            let state = own.get(&said.text);
            assert!(times <= 1, "{} is shown {times} times", said.text);
            let Some(state) = state else {
                assert!(said.unsaid, "{} is gone at its writer's", said.text);
                continue;
            };
            let is_old = self.world.now() - said.at >= GIVEN_UP.0 || self.leapt[from];
            let ok = match state {
                State::Delivered | State::Read => times == 1 || said.unheard,
                State::Undelivered => is_old,
                _ => false,
            };
            assert!(ok, "{} is {state:?}, and is shown {times} times", said.text);
        }
        assert_eq!(shown, BTreeMap::new(), "nobody has said that");
    }

    /// What was said since the last copy was put back stands behind what was there then, in the order in which it was said, if
    /// its writer's clock was never set.
    fn judge_order(&self, back: &Back) {
        for reader in 0..2 {
            let since: Vec<&str> =
                self.said[back.said..].iter().filter(|s| s.from != reader).map(|s| s.text.as_str()).collect();
            let history = self.world.history(self.people[reader], self.people[1 - reader]);
            let first = history.iter().position(|message| since.contains(&message.text.as_str()));
            let last = history.iter().rposition(|message| back.shown[reader].contains(&message.message_id));
            if let (Some(first), Some(last), false) = (first, last, self.set[1 - reader]) {
                let texts: Vec<&str> = history.iter().map(|message| message.text.as_str()).collect();
                assert!(first > last, "what was written afterwards stands before what was there: {texts:?}");
            }
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
