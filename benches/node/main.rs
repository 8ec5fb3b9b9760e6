//! What the program costs as a whole, each figure beside its limit measured in the same run: `cargo bench --bench node`.
//!
//! Real processes, real sockets on loopback, a real disk: the folder of `CARGO_TARGET_TMPDIR`, or `ROHRPOST_BENCH_DIR`.
//! Prints a table; `docs/benchmarks.md` says what the rows mean. An argument names the parts to run; `million`,
//! `dht` and `prompt` (which take minutes) run only when they are named.

// What cannot be set up has to stop the run; a bench has no other crate to be reached from.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, unreachable_pub)]
// A bench is about time, and its numbers are small.
#![allow(clippy::disallowed_methods, clippy::cast_possible_truncation)]

#[path = "../../tests/process/crowd.rs"]
mod crowd;
mod dht;
mod figures;
mod filled;
mod limits;
mod machine;
mod million;
mod post;
mod prompt;
mod reach;
mod talk;

use std::path::PathBuf;

use figures::Table;

/// Where stores are made: a real disk, not a memory file system, else a commit costs nothing.
fn folder() -> PathBuf {
    let chosen = std::env::var_os("ROHRPOST_BENCH_DIR");
    chosen.map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from)
}

fn main() {
    // Cargo itself passes `--bench`.
    let wanted: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let wants = |part: &str| {
        wanted.iter().any(|w| w == part) || (wanted.is_empty() && !["million", "dht", "prompt"].contains(&part))
    };
    let mut table = Table::default();
    if wants("ready") {
        talk::ready(&mut table);
    }
    if wants("latency") {
        talk::latency(&mut table);
    }
    if wants("burst") {
        talk::burst(&mut table);
    }
    if wants("cold") {
        reach::cold(&mut table);
    }
    if wants("asleep") {
        reach::asleep(&mut table);
    }
    if wants("post") {
        post::run(&mut table);
    }
    if wants("boxes") {
        post::boxes(&mut table);
    }
    if wants("dht") {
        dht::run(&mut table);
    }
    if wants("prompt") {
        prompt::run(&mut table);
    }
    if wants("million") {
        million::run(&mut table);
    }
    table.print();
}
