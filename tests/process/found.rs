//! The node is found wherever it is, by whoever asks: by what it wrote down beside the lock.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;

use rustix::fs::{FlockOperation, flock};
use rustix::process::Signal;
use serde_json::Value;

use crate::clocks::compiled;
use crate::node::{Talker, Watchdog, becomes};
use crate::person::{Person, TCP};
use crate::secrets::is_root;

const RUN: [&str; 5] = ["run", "--listen", TCP, "--no-mdns", "--no-upnp"];

/// A program of a person in another environment: what is behind a name replaces it, what is behind none removes it.
fn elsewhere(person: &Person, change: &[(&str, Option<&str>)], args: &[&str]) -> Command {
    let mut command = person.command(args);
    for (name, value) in change {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

/// The program for the profile in another folder.
fn of_folder(person: &Person, folder: &str, args: &[&str]) -> Command {
    let plain = person.command(&[]);
    let mut command = Command::new(plain.get_program());
    command.args(["--json", "--data-dir", folder]).args(args);
    as_there(&plain, &mut command);
    command
}

/// The surroundings of the one for the other.
pub fn as_there(plain: &Command, command: &mut Command) {
    command.current_dir(plain.get_current_dir().unwrap()).env_clear();
    command.envs(plain.get_envs().filter_map(|(key, value)| Some((key, value?))));
}

/// A command to its end: exit code, what it said, and the last line of its errors.
fn end(mut command: Command) -> (Option<i32>, Value, Value) {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let guard = Watchdog::over(&child);
    let output = child.wait_with_output().unwrap();
    drop(guard);
    let last = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        let line = text.lines().next_back().unwrap_or_default();
        serde_json::from_str(line).unwrap_or_else(|_| Value::String(line.to_owned()))
    };
    (output.status.code(), last(&output.stdout), last(&output.stderr))
}

/// That the node is found in this environment, and does what it is asked.
#[track_caller]
fn is_found(person: &Person, node: u32, change: &[(&str, Option<&str>)]) {
    let (code, status, error) = end(elsewhere(person, change, &["status"]));
    assert_eq!((code, &status["node"], &status["pid"]), (Some(0), &"on".into(), &node.into()), "{status} {error}");
    let (code, identity, error) = end(elsewhere(person, change, &["id"]));
    assert_eq!((code, &identity["peer_id"]), (Some(0), &person.peer().into()), "{error}");
    assert!(!identity["addrs"].as_array().unwrap().is_empty(), "it was not asked: {identity}");
}

#[test]
fn whoever_calls_in_whatever_environment_finds_it() {
    let alice = Person::new("Alice");
    let other = alice.path().join("other");
    fs::create_dir(&other).unwrap();
    let other = other.to_str().unwrap();
    let environments: [&[(&str, Option<&str>)]; 4] = [
        &[],
        &[("XDG_RUNTIME_DIR", None)],
        &[("XDG_RUNTIME_DIR", Some(other)), ("TMPDIR", Some(other))],
        &[("HOME", Some("/nowhere")), ("XDG_RUNTIME_DIR", None), ("XDG_DATA_HOME", None), ("TMPDIR", Some("/nowhere"))],
    ];
    for theirs in environments {
        let node = Talker::of(elsewhere(&alice, theirs, &RUN), alice.new_log());
        node.event("ready", |_| true);
        for ours in environments {
            is_found(&alice, node.pid(), ours);
        }
        let mut node = node;
        let (code, ..) = end(elsewhere(&alice, environments[1], &["stop"]));
        assert_eq!((code, node.ended().code()), (Some(0), Some(0)));
    }
    // The folder by another name.
    let node = alice.on();
    std::os::unix::fs::symlink(alice.path().join("data"), alice.path().join("link")).unwrap();
    let (code, status, error) = end(of_folder(&alice, "link", &["status"]));
    assert_eq!((code, &status["pid"]), (Some(0), &node.pid().into()), "{error}");
    node.off();
}

#[test]
fn a_socket_that_was_removed_is_made_anew() {
    let alice = Person::new("Alice");
    let node = alice.on();
    for _ in 0..2 {
        fs::remove_file(node.socket()).unwrap();
        // The command waits for it.
        is_found(&alice, node.pid(), &[]);
        let about = fs::metadata(node.socket()).unwrap();
        assert_eq!(about.mode() & 0o777, 0o600);
    }
    node.says("is made anew");
    let socket = node.socket();
    fs::remove_file(&socket).unwrap();
    assert_eq!(alice.say(&["stop"]).code, Some(0));
    assert_eq!(node.ended().code(), Some(0));
    assert!(!socket.exists());
}

/// A container has its own numbers for processes; the folder is shared.
#[test]
fn a_node_in_a_container_is_found_from_outside_and_the_other_way_round() {
    if !is_root() {
        assert!(std::env::var_os("ROHRPOST_REQUIRE_NETNS").is_none_or(|value| value != "1"), "this test needs root");
        eprintln!("skipped: only root can make a space of processes");
        return;
    }
    let contained = |person: &Person, args: &[&str]| {
        let plain = person.command(args);
        let mut command = Command::new("unshare");
        command
            .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
            .arg(plain.get_program())
            .args(plain.get_args());
        as_there(&plain, &mut command);
        command
    };
    let alice = Person::new("Alice");
    let mut node = Talker::of(contained(&alice, &RUN), alice.new_log());
    assert_eq!(node.event("ready", |_| true)["pid"], 1);
    is_found(&alice, 1, &[]);
    let (code, _, error) = end(contained(&alice, &["inbox"]));
    assert_eq!(code, Some(0), "from a second container: {error}");
    assert_eq!(alice.say(&["stop"]).code, Some(0));
    assert_eq!(node.ended().code(), Some(0));

    let outside = alice.on();
    let (code, status, error) = end(contained(&alice, &["status"]));
    assert_eq!((code, &status["node"], &status["pid"]), (Some(0), &"on".into(), &outside.pid().into()), "{error}");
    outside.off();
    // A number of another space is not told as if it were one of ours.
    let lock = held(&alice);
    let (code, _, error) = end(contained(&alice, &["inbox"]));
    assert_eq!((code, &error["error"]["code"]), (Some(9), &"busy".into()));
    assert!(error["error"]["message"].as_str().unwrap().ends_with("a process of another container"), "{error}");
    drop(lock);
}

/// This test has the profile, as a command that takes its time.
pub fn held(person: &Person) -> rohrpost::store::ProfileLock {
    rohrpost::store::ProfileLock::acquire(&person.path().join("data/default")).unwrap()
}

/// A copy has another nonce, and what stands in it of the first one's node leads nobody there.
#[test]
fn a_copy_of_a_profile_has_a_node_of_its_own() {
    let alice = Person::new("Alice");
    let node = alice.on();
    let copy = |to: &str| {
        let said = Command::new("cp").args(["-r", "data", to]).current_dir(alice.path()).status().unwrap();
        assert!(said.success());
    };
    copy("copy");
    let at_copy = |args: &[&str]| of_folder(&alice, "copy", args);
    let (code, status, error) = end(at_copy(&["status"]));
    assert_eq!((code, &status["node"]), (Some(0), &"off".into()), "{error}");
    let nonce = |command: Command| end(command).1["nonce"].as_str().unwrap().to_owned();
    let first = nonce(alice.command(&["rpc", "ping"]));
    let mut twin = Talker::of(at_copy(&RUN), alice.new_log());
    twin.event("ready", |_| true);
    let second = nonce(at_copy(&["rpc", "ping"]));
    assert_ne!(first, second);
    let (_, status, _) = end(at_copy(&["status"]));
    assert_eq!(status["pid"], twin.pid());
    assert_eq!(alice.status()["pid"], node.pid());
    assert_eq!(end(at_copy(&["stop"])).0, Some(0));
    assert_eq!(twin.ended().code(), Some(0));
    is_found(&alice, node.pid(), &[]);
    node.off();
    let node = alice.on();
    assert_ne!(nonce(alice.command(&["rpc", "ping"])), first, "another one at each start");
    node.off();
}

/// F10: Ctrl-Z in the terminal of the node is enough.
#[test]
fn a_node_that_does_not_answer_is_told_with_its_process_and_what_helps() {
    let alice = Person::new("Alice");
    let node = alice.on();
    let stranger = Person::new("Bob");
    // One waits for an answer that takes long.
    let long = ["send", stranger.peer(), "Are you there?", "--wait", "read", "--timeout", "1h"];
    let waiting = alice.command(&long).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    node.event("message.new", |_| true);
    // By then the first answer to it has left.
    alice.status();
    node.signal(Signal::STOP);
    let pid = node.pid();
    let is_told = |error: &Value| {
        let (message, hint) = (error["message"].as_str().unwrap(), error["hint"].as_str().unwrap());
        assert!(message.contains(&format!("process {pid}")) && message.contains("does not answer"), "{error}");
        assert!(hint.contains(&format!("kill -CONT {pid}")), "{error}");
    };
    thread::scope(|scope| {
        let commands: [&[&str]; 8] =
            [&["status"], &["stop"], &["doctor"], &["inbox"], &["id"], &RUN, &["listen"], &["send", "me", "A note"]];
        for args in commands {
            let (alice, is_told) = (&alice, &is_told);
            scope.spawn(move || {
                let said = alice.say(args);
                assert_eq!(said.code, Some(9), "{args:?}: {said:?}");
                match args[0] {
                    "doctor" => {
                        let diagnosis = &said.out[0];
                        assert_eq!((&diagnosis["node"], &diagnosis["running"]), (&"silent".into(), &true.into()));
                        let findings = diagnosis["findings"].as_array().unwrap();
                        is_told(findings.iter().find(|finding| finding["area"] == "node").unwrap());
                    }
                    _ => {
                        let error: Value = serde_json::from_str(said.err.lines().last().unwrap()).unwrap();
                        assert_eq!(error["error"]["code"], "not_answering");
                        is_told(&error["error"]);
                    }
                }
                if args[0] == "status" {
                    let status = &said.out[0];
                    let seen = (&status["node"], &status["running"], &status["pid"]);
                    assert_eq!(seen, (&"silent".into(), &true.into(), &pid.into()));
                }
            });
        }
    });
    let guard = Watchdog::over(&waiting);
    let output = waiting.wait_with_output().unwrap();
    drop(guard);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.code() == Some(9) && told.contains(r#""state":"queued""#), "{output:?}");
    node.signal(Signal::CONT);
    is_found(&alice, pid, &[]);
    assert_eq!(alice.texts(&stranger), ["Are you there?"]);
    node.off();
}

/// F25: who has the profile is told, and a node is never said not to run while somebody has it.
#[test]
fn a_profile_that_another_process_keeps_is_told_with_the_process() {
    let alice = Person::new("Alice");
    let lock = held(&alice);
    let holder = format!("in use by process {}", std::process::id());
    thread::scope(|scope| {
        for args in [&["status"][..], &["stop"], &["doctor"], &["inbox"], &RUN, &["send", "me", "A note"]] {
            let (alice, holder) = (&alice, &holder);
            scope.spawn(move || {
                let said = alice.say(args);
                assert_eq!(said.code, Some(9), "{args:?}: {said:?}");
                let told = format!("{:?} {}", said.out, said.err);
                assert!(told.contains(holder) && !told.contains("no node is running"), "{args:?}: {told}");
                if args[0] == "status" {
                    assert_eq!(said.out[0]["node"], "in_use");
                }
            });
        }
    });
    // A person is told before.
    let mut plain = Command::new(alice.command(&[]).get_program());
    as_there(&alice.command(&[]), &mut plain);
    let output = plain.args(["--data-dir", "data", "inbox"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], format!("this profile is {holder}: waiting up to 5 seconds"));
    assert_eq!(lines[1], format!("error: this profile is {holder}"));
    drop(lock);
    assert_eq!(alice.status()["node"], "off");
    // Who has it and has not said who he is.
    let path = alice.path().join("data/default/lock");
    // It becomes what it runs: nothing is left behind that holds the output of the tests.
    let held = ["--no-fork".as_ref(), path.as_os_str(), "sleep".as_ref(), "600".as_ref()];
    let mut sleeper = Command::new("flock").args(held).spawn().unwrap();
    let file = fs::File::open(&path).unwrap();
    becomes("the lock", || {
        flock(&file, FlockOperation::NonBlockingLockExclusive).map(|()| flock(&file, FlockOperation::Unlock)).is_err()
    });
    assert_eq!(alice.fails(&["inbox"], 9)["code"], "busy");
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

/// The library that lets sockets be bound only there.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| compiled("bind"))
}

fn only_in(person: &Person, folder: &str) {
    let library = library().to_str().unwrap().to_owned();
    person.surround(vec![("LD_PRELOAD".into(), library), ("SOCKETS_ONLY_IN".into(), folder.to_owned())]);
}

/// F15: no sockets on this file system.
#[test]
fn where_the_folder_can_hold_no_socket_it_is_elsewhere_and_named() {
    let alice = Person::new("Alice");
    let runtime = alice.path().join("run");
    only_in(&alice, runtime.to_str().unwrap());
    let node = alice.on();
    let socket = node.socket();
    assert_eq!(socket.parent().unwrap(), runtime.join("rohrpost"));
    let modes = [&socket, &runtime.join("rohrpost")].map(|path| fs::metadata(path).unwrap().mode() & 0o777);
    assert_eq!(modes, [0o600, 0o700]);
    assert_eq!(alice.status()["socket"], socket.to_str().unwrap());
    is_found(&alice, node.pid(), &[("XDG_RUNTIME_DIR", None)]);
    // Who logs out takes the whole folder along.
    fs::remove_dir_all(runtime.join("rohrpost")).unwrap();
    is_found(&alice, node.pid(), &[("XDG_RUNTIME_DIR", None)]);
    node.off();
    let finding = |area: &str| {
        let said = alice.say(&["doctor"]);
        let findings = said.out[0]["findings"].as_array().unwrap().clone();
        findings.into_iter().find(|finding| finding["area"] == area).unwrap()
    };
    let socket = finding("socket");
    assert_eq!(socket["health"], "note");
    assert!(socket["message"].as_str().unwrap().contains("Operation not permitted"), "{socket}");
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_no_reason_not_to_run() {
    let alice = Person::homeless();
    let deep = "d".repeat(150);
    let args = |rest: &[&str]| of_folder(&alice, &deep, rest);
    assert_eq!(end(args(&["init", "--no-passphrase"])).0, Some(0));
    let mut node = Talker::of(args(&RUN), alice.new_log());
    let socket = PathBuf::from(node.event("ready", |_| true)["socket"].as_str().unwrap());
    assert!(socket.starts_with(alice.path().join("run/rohrpost")), "{socket:?}");
    let mut away = args(&["status"]);
    away.env_remove("XDG_RUNTIME_DIR");
    assert_eq!(end(away).1["pid"], node.pid());
    assert_eq!(end(args(&["stop"])).0, Some(0));
    assert_eq!(node.ended().code(), Some(0));
    assert!(!socket.exists());
}

/// F15: a service that nobody needs is no condition of the main thing.
#[test]
fn a_message_goes_where_no_socket_can_be_made_at_all() {
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    let bob_node = bob.on();
    only_in(&alice, "");
    let sent = alice.one(&["send", &bob.link(), "Hello", "--wait", "sent", "--timeout", "2m"]);
    assert_eq!(sent["state"], "sent");
    bob_node.event("request.new", |_| true);
    bob_node.off();
    let queued = alice.one(&["send", bob.peer(), "For later", "--timeout", "300ms"]);
    assert_eq!(queued["state"], "queued");
    assert_eq!(alice.texts(&bob), ["Hello", "For later"]);
    let error = alice.fails(&RUN, 3);
    assert!(error["message"].as_str().unwrap().starts_with("no socket can be made"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("XDG_RUNTIME_DIR"), "{error}");
}
