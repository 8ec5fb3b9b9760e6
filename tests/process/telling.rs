//! What is done does not depend on its being told: every command with each of its streams closed, on a full disk, and with
//! nobody at the other end.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use serde_json::{Value, json};

use crate::node::{Node, Watchdog, becomes};
use crate::person::{Person, Said, TCP, contacts};

/// How a stream can be of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    Closed,
    Full,
    Dead,
}

const BROKEN: [Broken; 3] = [Broken::Closed, Broken::Full, Broken::Dead];

/// One of the two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

/// The command with a stream that is of no use; the other one is a pipe, or thrown away.
fn broken(mut command: Command, stream: Stream, how: Broken) -> Command {
    let set = |command: &mut Command, to: Stdio| match stream {
        Stream::Stdout => drop(command.stdout(to).stderr(Stdio::null())),
        Stream::Stderr => drop(command.stderr(to).stdout(Stdio::null())),
    };
    match how {
        Broken::Full => set(&mut command, File::options().write(true).open("/dev/full").unwrap().into()),
        Broken::Dead => set(&mut command, std::io::pipe().unwrap().1.into()),
        Broken::Closed => {
            // Only a shell closes a stream for what it becomes.
            let script = if stream == Stream::Stdout { r#"exec "$0" "$@" >&-"# } else { r#"exec "$0" "$@" 2>&-"# };
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", script]).arg(command.get_program()).args(command.get_args());
            shell.current_dir(command.get_current_dir().unwrap()).env_clear().stdin(Stdio::null());
            shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
            command = shell;
            set(&mut command, Stdio::null());
        }
    }
    command
}

fn ended(mut command: Command) -> ExitStatus {
    let mut child = command.spawn().unwrap();
    let _guard = Watchdog::over(&child);
    child.wait().unwrap()
}

/// Somebody with a contact, a request, messages and a note; and the message that Bob has sent.
fn template() -> (Person, String) {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    bob.send("alice", "Hello", "delivered");
    let carol = Person::new("Carol");
    let carol_node = carol.on();
    carol.send(&alice.link(), "May I?", "sent");
    alice_node.event("request.new", |_| true);
    let message = alice_node.arrived("Hello")["message_id"].as_str().unwrap().to_owned();
    [alice_node, bob_node, carol_node].into_iter().for_each(Node::off);
    alice.one(&["send", "me", "a note"]);
    (alice, message)
}

/// The same once more.
fn copy(of: &Person) -> Person {
    let copy = Person::homeless();
    let copied = Command::new("cp").arg("-a").args([of.path().join("data"), copy.path().to_owned()]).status().unwrap();
    assert!(copied.success());
    copy
}

/// A command with its arguments, and what shows that it was done.
struct Row {
    command: &'static str,
    args: Vec<String>,
    look: &'static [&'static str],
}

const PEOPLE: &[&str] = &["contacts"];
const REQUESTS: &[&str] = &["requests"];
const INBOX: &[&str] = &["inbox"];
const SELF: &[&str] = &["rpc", "id.show"];
const NOTHING: &[&str] = &[];

/// Every command, with what it does when it succeeds; and some that fail.
fn rows(message: &str) -> Vec<Row> {
    const STRANGER: &str = "12D3KooWQK1wnefoLrcVHbbnf5tLzbopUd3K3bFAoJpA7YJgL5pV";
    let row = |command: &'static str, rest: &str, look| {
        let words = command.split(' ').chain(rest.split(' ')).filter(|word| !word.is_empty());
        Row {
            command,
            args: words.map(|word| word.replace("MSG", message).replace("STRANGER", STRANGER)).collect(),
            look,
        }
    };
    vec![
        Row {
            args: ["-P", "new", "init", "--no-passphrase"].map(str::to_owned).into(),
            ..row("init", "", &["-P", "new", "policy"])
        },
        row("id", "", NOTHING),
        row("id show", "", NOTHING),
        row("id link", "", NOTHING),
        row("id qr", "--png code.png", NOTHING),
        row("id name", "Anna", SELF),
        row("id passphrase", "--no-passphrase", SELF),
        row("id rotate", "", NOTHING),
        row("whoami", "", NOTHING),
        row("profiles", "", NOTHING),
        row("config", "", NOTHING),
        row("status", "", NOTHING),
        row("stop", "", NOTHING),
        row("doctor", "", NOTHING),
        row("doctor", "Bob", NOTHING),
        row("recover", "", INBOX),
        row("send", "--wait queued Bob Hi", INBOX),
        row("send", "--wait queued Bob,nobody Hi", INBOX),
        row("send", "--wait read --timeout 10ms Bob Hi", INBOX),
        row("reply", "--wait queued MSG Hi", INBOX),
        row("inbox", "", NOTHING),
        row("history", "Bob", NOTHING),
        row("read", "Bob", INBOX),
        row("conversation", "", NOTHING),
        row("conversation delete", "--yes Bob nobody me", INBOX),
        row("listen", "--since 0", NOTHING),
        row("listen", "--since 9999", NOTHING),
        row("requests", "", NOTHING),
        row("requests list", "", NOTHING),
        row("requests show", "Carol", NOTHING),
        row("requests accept", "nobody Carol", PEOPLE),
        row("requests decline", "Carol nobody", REQUESTS),
        row("requests block", "Carol", PEOPLE),
        row("accept", "Carol", PEOPLE),
        row("decline", "Carol", REQUESTS),
        row("policy", "", NOTHING),
        row("policy show", "", NOTHING),
        row("policy set", "nobody", &["policy"]),
        row("mailbox", "", NOTHING),
        row("mailbox list", "", NOTHING),
        row("mailbox use", "/ip4/127.0.0.1/tcp/9/p2p/STRANGER", &["mailbox"]),
        row("mailbox drop", "Bob", NOTHING),
        row("peers", "", NOTHING),
        row("contacts", "", NOTHING),
        row("contacts list", "", NOTHING),
        row("contacts add", "STRANGER --name Zoe", PEOPLE),
        row("contacts show", "Bob", NOTHING),
        row("contacts set", "Bob --quota 5MiB", PEOPLE),
        row("contacts rename", "Bob Robert", PEOPLE),
        row("contacts verify", "Bob", NOTHING),
        row("contacts block", "nobody Bob", PEOPLE),
        row("contacts unblock", "Bob", PEOPLE),
        row("contacts remove", "Bob", PEOPLE),
        row("add", "STRANGER", PEOPLE),
        row("block", "Bob", PEOPLE),
        row("unblock", "Bob", PEOPLE),
        row("version", "", NOTHING),
        row("help", "options", NOTHING),
        row("help", "nonsense", NOTHING),
        row("demo", "", NOTHING),
        row("rpc", "policy.set [\"nobody\"]", &["policy"]),
        row("rpc", "nonsense", NOTHING),
        row("openrpc", "", NOTHING),
        row("completions", "bash", NOTHING),
        row("man", "", NOTHING),
        row("man", "--dir pages", NOTHING),
    ]
}

/// The commands, as the program's own definition has them.
fn commands(alice: &Person) -> BTreeSet<String> {
    let pages = alice.path().join("pages");
    assert_eq!(alice.say(&["man", "--dir", pages.to_str().unwrap()]).code, Some(0));
    let names = fs::read_dir(pages).unwrap().map(|page| page.unwrap().file_name().into_string().unwrap());
    let commands = names.filter_map(|name| Some(name.strip_prefix("rohrpost-")?.strip_suffix(".1")?.replace('-', " ")));
    commands.collect()
}

/// What differs from run to run: times, places, what is random.
fn steady(mut value: Value) -> Value {
    match &mut value {
        Value::Object(map) => {
            for (key, value) in map {
                let is_other =
                    key.ends_with("_at") || ["message_id", "short_id", "link", "since"].contains(&key.as_str());
                *value = if is_other { json!("*") } else { steady(value.take()) };
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| *value = steady(value.take())),
        _ => {}
    }
    value
}

fn look(person: &Person, row: &Row) -> Vec<Value> {
    let has_made = ["code.png", "pages/rohrpost.1"].map(|file| json!(person.path().join(file).exists()));
    let seen = if row.look.is_empty() { Vec::new() } else { person.all(row.look) };
    seen.into_iter().map(steady).chain(has_made).collect()
}

fn text(person: &Person, args: &[&str]) -> (Option<i32>, String) {
    let output = person.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn every_command_does_the_same_whatever_becomes_of_its_report() {
    let (alice, message) = template();
    let rows = rows(&message);
    let known: BTreeSet<String> = rows.iter().map(|row| row.command.to_owned()).chain(["run".to_owned()]).collect();
    assert_eq!(known, commands(&alice), "a command has no row, or a row no command");
    let tried = |row: &Row| {
        let args: Vec<&str> = row.args.iter().map(String::as_str).collect();
        let well = copy(&alice);
        let (code, out) = text(&well, &args);
        let done = look(&well, row);
        for (stream, how) in [Stream::Stdout, Stream::Stderr].into_iter().flat_map(|s| BROKEN.map(|how| (s, how))) {
            let other = copy(&alice);
            let status = ended(broken(other.command(&args), stream, how));
            // What the system opens in place of a closed stream takes everything.
            let is_lost = stream == Stream::Stdout && how == Broken::Full && !out.is_empty();
            let expected = if is_lost && code == Some(0) { Some(3) } else { code };
            assert_eq!(status.code(), expected, "{args:?} with {stream:?} {how:?}: {status}");
            assert_eq!(look(&other, row), done, "{args:?} with {stream:?} {how:?}");
        }
    };
    let (even, odd): (Vec<_>, Vec<_>) = rows.iter().enumerate().partition(|(n, _)| n % 2 == 0);
    thread::scope(|scope| {
        for half in [even, odd] {
            scope.spawn(move || half.into_iter().for_each(|(_, row)| tried(row)));
        }
    });
}

/// A node that logs each connection goes on, and ends as it would.
#[test]
fn a_node_goes_on_whatever_becomes_of_its_log() {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    alice_node.off();
    let args = Node::args(TCP, &[]);
    let args = [&["-v", "-v"], args.as_slice()].concat();
    for (n, (stream, how)) in
        [Stream::Stdout, Stream::Stderr].into_iter().flat_map(|s| BROKEN.map(|how| (s, how))).enumerate()
    {
        let mut child = broken(alice.command(&args), stream, how).spawn().unwrap();
        let _guard = Watchdog::over(&child);
        becomes("it runs", || alice.say(&["status"]).out.iter().any(|status| status["running"] == true));
        alice.send("bob", &format!("{n}"), "delivered");
        // And who ends it does, whatever he is told.
        let stopping = ended(broken(alice.command(&["stop"]), stream, how)).code();
        let is_lost = (stream, how) == (Stream::Stdout, Broken::Full);
        assert_eq!(stopping, Some(if is_lost { 3 } else { 0 }), "{stream:?} {how:?}");
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{stream:?} {how:?}: {status}");
    }
    drop((bob, bob_node));
}

/// What is told of a command whose result could not be written: that, beside what else is wrong.
#[test]
fn a_result_that_cannot_be_written_is_told() {
    let alice = Person::new("Alice");
    let full = |args: &[&str]| -> Said {
        let mut command = alice.command(args);
        command.stdout(File::options().write(true).open("/dev/full").unwrap()).stderr(Stdio::piped());
        let output = command.output().unwrap();
        Said { code: output.status.code(), out: Vec::new(), err: String::from_utf8(output.stderr).unwrap() }
    };
    let said = full(&["inbox", "--help"]);
    assert!(said.code == Some(3) && said.err.contains("the output cannot be written"), "{said:?}");
    assert_eq!(full(&["inbox"]).code, Some(0), "there was nothing to write");
    let said = full(&["policy"]);
    assert!(said.code == Some(3) && said.err.contains("the output cannot be written"), "{said:?}");
    let said = full(&["send", "--wait", "read", "--timeout", "10ms", alice.peer(), "note"]);
    assert!(said.code == Some(3), "{said:?}");
    let stranger = Person::new("Bob");
    let said = full(&["send", "--wait", "read", "--timeout", "10ms", stranger.peer(), "Hi"]);
    assert!(said.code == Some(10), "{said:?}");
    assert!(said.err.contains("wait_timeout") && said.err.contains("the output cannot be written"), "{said:?}");
}
