//! How long a person waits at the prompt: each list of a well-used profile, with a node and without, and the start itself.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::figures::{Table, Times, ms};
use crate::filled::{Filling, made};
use crate::machine::Person;

const FILLING: Filling = Filling { friends: 500, each: 100, strangers: 200 };
const ROUNDS: usize = 15;
/// Of what takes a millisecond.
const MANY: usize = 101;
/// What people look at, as they type it.
const LISTS: [&[&str]; 12] = [
    &["inbox"],
    &["contacts"],
    &["contacts", "Friend 250"],
    &["requests"],
    &["history", "Friend 250"],
    &["history", "Friend 250", "-n", "1000"],
    &["conversation", "Friend 250"],
    &["status"],
    &["id"],
    &["mailbox"],
    &["peers"],
    &["config"],
];

pub fn run(table: &mut Table) {
    let person = made("prompt", &FILLING);
    let without: Vec<Duration> = LISTS.iter().map(|list| typed(&person, list)).collect();
    let (node, _) = person.on();
    for (list, without) in LISTS.iter().zip(without) {
        let with = typed(&person, list);
        table.row(&format!("`{}`", list.join(" ")), ms(with), format!("without a node {}", ms(without)));
    }
    node.off();
    let (empty, help) = started(&person);
    let beyond = help.saturating_sub(empty);
    table.row("`--help`", ms(help), format!("`true` {}: {} above it, goal 5 ms", ms(empty), ms(beyond)));
}

/// The median of what a command takes, from its start to its end.
fn typed(person: &Person, args: &[&str]) -> Duration {
    let times = (0..ROUNDS).map(|_| took(&mut person.types(args))).collect();
    Times::new(times).median()
}

/// The medians of an empty program and of the help, in alternation.
fn started(person: &Person) -> (Duration, Duration) {
    let once = |_| (took(&mut Command::new("/bin/true")), took(&mut person.types(&["--help"])));
    let (empty, help) = (0..MANY).map(once).unzip();
    (Times::new(empty).median(), Times::new(help).median())
}

fn took(command: &mut Command) -> Duration {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().unwrap();
    let took = start.elapsed();
    assert!(status.success(), "{command:?}");
    took
}
