//! Waits that end before their time: what was done is told, and stays.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::found::as_there;
use crate::node::{Node, Watchdog, becomes};
use crate::person::{Person, TCP, contacts};

/// The program as people run it.
fn plain(person: &Person, args: &[&str]) -> Command {
    let there = person.command(&[]);
    let mut command = Command::new(there.get_program());
    command.args(["--data-dir", "data"]).args(args);
    as_there(&there, &mut command);
    command
}

/// How the command ended, and what it wrote to stderr.
fn ended(mut child: Child) -> (std::process::ExitStatus, String) {
    let _guard = Watchdog::over(&child);
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    (child.wait().unwrap(), told)
}

/// The message is there, and waits.
fn is_queued(alice: &Person, bob: &Person, text: &str) -> bool {
    let all = alice.say(&["history", bob.peer()]).out;
    all.iter().any(|message| message["text"] == text && message["state"] == "queued")
}

#[test]
fn who_interrupts_a_delivery_is_told_what_becomes_of_it() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    [alice_node, bob_node].into_iter().for_each(Node::off);
    let begin = |text: &str, wait: &[&str]| {
        let mut command = plain(&alice, &[&["send", "--timeout", "10m"], wait, &["bob", text]].concat());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        becomes("a message that waits", || is_queued(&alice, &bob, text));
        child
    };
    // With a node of its own, which ends with it.
    let signals = [Signal::INT, Signal::TERM, Signal::HUP];
    for (n, (sent, wait)) in signals.iter().zip([&[][..], &["--wait", "read"], &[]]).enumerate() {
        let text = format!("without a node {n}");
        let mut child = begin(&text, wait);
        let mut out = child.stdout.take().unwrap();
        kill_process(Pid::from_child(&child), *sent).unwrap();
        let (status, told) = ended(child);
        assert_eq!(status.signal(), Some(sent.as_raw()), "{told}");
        assert_eq!(
            told.lines().last().unwrap(),
            "interrupted: what is queued is kept, and goes out with the next `rohrpost --data-dir data run`"
        );
        let mut line = String::new();
        out.read_to_string(&mut line).unwrap();
        assert!(line.ends_with("\tqueued\n") && line.lines().count() == 1, "{line}");
        assert!(alice.status()["running"] == false && is_queued(&alice, &bob, &text));
        assert!(!alice.path().join("data/default/node.sock").exists());
    }
    // With one that runs.
    let node = alice.on();
    let child = begin("with a node", &["--wait", "delivered"]);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let (status, told) = ended(child);
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()));
    assert_eq!(told, "interrupted: what is queued is kept, and the node goes on trying\n");

    // Nobody reads how far it is: then nobody waits. With a node, and with one of its own.
    let unread = |text: &str| {
        let mut child = begin(text, &["--wait", "read"]);
        drop(child.stdout.take());
        let (status, told) = ended(child);
        // Who looked meanwhile may have been in the way for a moment.
        let is_quiet = told.lines().all(|line| line.ends_with("waiting up to 5 seconds"));
        assert!(status.code() == Some(10) && is_quiet, "{text}: {status}, {told}");
        assert!(is_queued(&alice, &bob, text));
    };
    unread("unread, with a node");
    node.off();
    unread("unread, without a node");
    assert_eq!(alice.status()["running"], false);
}
