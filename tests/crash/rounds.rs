//! The rounds: which deaths are tried.

use std::fs;
use std::path::{Path, PathBuf};

use crate::dice::{Dice, seeds};
use crate::disk::Cut;
use crate::pair::{Life, Pair, Traffic, Trigger};
use crate::side::Aftermath;

/// Lives of one pair: the first contact, and then conversations.
pub const LIVES: usize = 4;

/// What all rounds of a test have in common.
#[derive(Clone, Copy)]
pub struct Kind {
    pub name: &'static str,
    pub power_cuts: bool,
    pub large: bool,
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    all(Kind { name: "kill", power_cuts: false, large: false }, seeds(1));
}

#[test]
fn what_was_acknowledged_survives_a_power_cut() {
    all(Kind { name: "cut", power_cuts: true, large: false }, seeds(1));
}

#[test]
fn large_messages_survive_too() {
    all(Kind { name: "large", power_cuts: true, large: true }, seeds(1));
}

/// The rounds of these seeds.
fn all(kind: Kind, seeds: std::ops::Range<u64>) {
    let (mut rounds, mut reached) = (0, 0);
    for seed in seeds.clone() {
        let mut dice = Dice::new(seed);
        let mut pair = Pair::new(seed);
        for number in 0..LIVES {
            let life = roll(kind, number, &mut dice);
            let kept = Kept::of(format!("{}-{seed}-{number}", kind.name), &pair, &life);
            reached += usize::from(pair.live(&life));
            rounds += 1;
            drop(kept);
        }
        pair.stop();
    }
    println!("crash {}: seeds {seeds:?}, {rounds} rounds, in {reached} of them death came in the middle", kind.name);
}

/// A life as the dice will have it.
pub fn roll(kind: Kind, number: usize, dice: &mut Dice) -> Life {
    let first = number == 0;
    let aftermath = match kind.power_cuts && dice.chance(90) {
        true => Aftermath::PowerCut(Cut::roll(dice)),
        false => Aftermath::Killed,
    };
    let most = if kind.large { 6 } else { 14 };
    Life {
        traffic: if !first { Traffic::Talk } else { dice.of(&[Traffic::Request, Traffic::Request, Traffic::Crossing]) },
        victim: dice.below(2),
        both: dice.chance(20),
        trigger: if dice.chance(80) { Trigger::Disk(dice.between(1, 180)) } else { Trigger::Line(dice.between(1, 30)) },
        aftermath,
        again: dice.chance(30).then(|| dice.between(1, 40)),
        insists: dice.chance(60),
        messages: [0, 1].map(|_| dice.between(2, most)),
        large: kind.large,
        day: dice.chance(15),
    }
}

/// Keeps the homes when a round fails.
pub struct Kept {
    name: String,
    homes: [PathBuf; 2],
    life: Life,
}

impl Kept {
    pub fn of(name: String, pair: &Pair, life: &Life) -> Self {
        Self { name, homes: pair.homes(), life: life.clone() }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("crash").join(&self.name);
            let _ = fs::remove_dir_all(&place);
            for (home, name) in self.homes.iter().zip(["alice", "bob"]) {
                let _ = copy(home, &place.join(name));
            }
            eprintln!("round {} failed: {:?}; what is left is in {}", self.name, self.life, place.display());
        }
    }
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        } else if kind.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
