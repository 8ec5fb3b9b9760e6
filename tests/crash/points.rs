//! Death at every failpoint, and the proof that a lost sync is found out.

use std::fs;
use std::path::Path;

use rohrpost::base::failpoint::{POINTS, SKIP_SYNC};

use crate::dice::{Dice, seeds};
use crate::disk::Cut;
use crate::pair::{Life, Pair, Traffic, Trigger};
use crate::rounds::{Kept, Kind, LIVES, roll};
use crate::side::Aftermath;

const KIND: Kind = Kind { name: "points", power_cuts: true, large: false };

#[test]
fn what_was_acknowledged_survives_death_at_every_failpoint() {
    let (seeds, mut rounds) = (seeds(1), 0);
    for seed in seeds.clone() {
        let mut dice = Dice::new(seed);
        for (some, points) in shuffled(POINTS, &mut dice).chunks(LIVES).enumerate() {
            let mut pair = Pair::new(seed);
            for (number, point) in points.iter().enumerate() {
                let life = roll(KIND, number, &mut dice);
                // Half of the time the first of all, on the way to being ready.
                let times = if dice.chance(50) { 1 } else { dice.between(2, 9) };
                let name = format!("points-{seed}-{some}-{number}");
                let mut reached = round(&mut pair, &life, &name, point, times);
                rounds += 1;
                if !reached {
                    // It came to it less often: then the first time it is.
                    let again = Life { traffic: Traffic::Talk, ..life };
                    reached = round(&mut pair, &again, &format!("{name}-again"), point, 1);
                    rounds += 1;
                }
                assert!(reached, "nothing comes to {point}");
            }
            pair.stop();
        }
    }
    println!("crash points: seeds {seeds:?}, {rounds} rounds, death at each of {} failpoints", POINTS.len());
}

fn round(pair: &mut Pair, life: &Life, name: &str, point: &'static str, times: usize) -> bool {
    // Keys come and go with first contacts, and daily.
    let day = life.traffic == Traffic::Talk && point.starts_with("key");
    let life = Life { trigger: Trigger::Point(point, times), day: life.day || day, ..life.clone() };
    let kept = Kept::of(name.to_owned(), pair, &life);
    let reached = pair.live(&life);
    drop(kept);
    reached
}

fn shuffled(points: &[&'static str], dice: &mut Dice) -> Vec<&'static str> {
    let mut points = points.to_vec();
    for last in (1..points.len()).rev() {
        points.swap(last, dice.below(last + 1));
    }
    points
}

/// The disk forgets what was not synced: what a conversation leaves on it, at rest.
fn after_a_power_cut(points: &'static str) -> Result<(), String> {
    let mut pair = Pair::new(1);
    pair.points = points;
    let life = Life {
        traffic: Traffic::Request,
        victim: 1,
        both: false,
        // Only when everything has arrived.
        trigger: Trigger::Disk(usize::MAX),
        aftermath: Aftermath::PowerCut(Cut::Nothing),
        again: None,
        insists: false,
        messages: [5, 5],
        large: false,
        day: false,
    };
    assert!(!pair.run(&life));
    pair.end(&life);
    pair.check_at_rest(&life)
}

#[test]
fn a_commit_that_is_not_synced_is_found_out() {
    assert_eq!(after_a_power_cut(""), Ok(()));
    let error = after_a_power_cut(SKIP_SYNC).expect_err("without `sync_data` what was acknowledged is lost");
    println!("without `sync_data`: {error}");
    assert!(error.starts_with("lost, though") || error.contains("\"damaged\""), "{error}");
}

#[test]
fn every_failpoint_is_in_the_program_and_in_the_list() {
    let mut named = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut named);
    named.sort();
    named.dedup();
    let mut listed: Vec<&str> = POINTS.to_vec();
    listed.sort_unstable();
    assert_eq!(named, listed);
}

/// The names in calls of `failpoint`.
fn collect(folder: &Path, named: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, named);
        } else {
            let source = fs::read_to_string(path).unwrap();
            let calls = source.split("failpoint(\"").skip(1);
            named.extend(calls.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
}
