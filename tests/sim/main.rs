//! Whole conversations between messengers in one process, in virtual time.

// Test code: what goes wrong has to stop the run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
// A test binary has no other crate to be reached from.
#![allow(unreachable_pub)]

mod asleep;
mod back;
mod city;
mod delivery;
mod forgetting;
mod healing;
mod hostile;
mod requests;
mod rules;
mod standing;
mod stories;
mod world;

use world::{Weather, World};

/// Runs a scenario in calm weather, and with the messengers dropped and reloaded between steps.
fn both_ways(scenario: impl Fn(&mut World)) {
    scenario(&mut World::new(1, Weather::CALM));
    for seed in 2..3 {
        scenario(&mut World::new(seed, Weather::RELOADING));
    }
}

/// Seeds to run a storm with: few by default, more with `ROHRPOST_TEST_SCALE`, from `ROHRPOST_TEST_SEED` on.
fn seeds(few: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|s: String| s.parse::<u64>().ok());
    let (first, scale) = (number("ROHRPOST_TEST_SEED").unwrap_or(100), number("ROHRPOST_TEST_SCALE").unwrap_or(1));
    first..first + few * scale
}
