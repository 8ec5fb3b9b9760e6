//! A terminal of its own for the program: what is typed there, and that it is given back as it was.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::found::{as_there, held};
use crate::node::{PATIENCE, Watchdog, becomes};
use crate::person::{Person, TCP};

/// The terminal as who sits there has it: what is shown, and what is typed.
pub struct Terminal {
    keyboard: File,
    line: File,
    shown: Arc<(Mutex<String>, Condvar)>,
}

impl Terminal {
    pub fn new() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let line = File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        let keyboard = File::from(master);
        let shown = Arc::new((Mutex::new(String::new()), Condvar::new()));
        let (mut from, to) = (keyboard.try_clone().unwrap(), Arc::clone(&shown));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut bytes) {
                to.0.lock().unwrap().push_str(&String::from_utf8_lossy(&bytes[..read]));
                to.1.notify_all();
            }
        });
        Self { keyboard, line, shown }
    }

    /// Starts it with this terminal as its own.
    pub fn start(&self, command: &Command, words: &[&str]) -> Child {
        let mut inside = Command::new("setsid");
        inside.arg("--ctty").args(words);
        as_there(command, &mut inside);
        let stream = || self.line.try_clone().unwrap();
        inside.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        inside.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap()
    }

    pub fn types(&mut self, keys: &[u8]) {
        self.keyboard.write_all(keys).unwrap();
    }

    /// Waits until so many times was shown what is to be shown.
    pub fn shows(&self, what: &str, times: usize) {
        let (shown, changed) = &*self.shown;
        let not_yet = |shown: &mut String| shown.matches(what).count() < times;
        let (shown, waited) = changed.wait_timeout_while(shown.lock().unwrap(), PATIENCE, not_yet).unwrap();
        assert!(!waited.timed_out(), "{what:?} is not shown: {shown:?}");
    }

    /// How often it was shown so far.
    pub fn count(&self, what: &str) -> usize {
        self.shown.0.lock().unwrap().matches(what).count()
    }

    /// Waits until so many times was asked for the passphrase, and what is typed is not shown.
    fn is_at_prompt(&self, times: usize) {
        self.is_at(PROMPT, times);
    }

    /// The same with any prompt.
    fn is_at(&self, prompt: &str, times: usize) {
        self.shows(prompt, times);
        becomes("a terminal that shows nothing", || !self.echoes());
    }

    fn echoes(&self) -> bool {
        tcgetattr(&self.line).unwrap().local_modes.contains(LocalModes::ECHO)
    }
}

/// A profile with a passphrase, and the program that is to be typed.
fn locked() -> (Person, String) {
    let alice = Person::homeless();
    alice.write("right", "correct horse\n");
    alice.one(&["--passphrase-file", "right", "init", "--name", "Alice"]);
    let program = alice.command(&[]).get_program().to_str().unwrap().to_owned();
    (alice, program)
}

const PROMPT: &str = "Passphrase to unlock default: ";

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn end(child: &mut Child) -> std::process::ExitStatus {
    let _guard = Watchdog::over(child);
    child.wait().unwrap()
}

fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

/// F13: whatever ends the program at a prompt, and in whatever shell, what is typed next is seen.
#[test]
fn the_terminal_is_given_back_on_every_way_out_of_a_prompt() {
    let (alice, program) = locked();
    let command = alice.command(&[]);
    let plain: &[&str] = &[&program, "--data-dir", "data", "inbox"];
    for key in [b"\x03", b"\x1c"] {
        let mut terminal = Terminal::new();
        let mut child = terminal.start(&command, plain);
        terminal.is_at_prompt(1);
        terminal.types(b"half a pass");
        terminal.types(key);
        let number = if key == b"\x03" { Signal::INT } else { Signal::QUIT };
        assert_eq!(end(&mut child).signal(), Some(number.as_raw()));
        assert!(terminal.echoes() && !terminal.shown.0.lock().unwrap().contains("half"), "{key:?}");
    }
    // Shells that go on, as those at which people sit.
    let dash = "trap : INT QUIT; \"$0\" --data-dir data inbox; echo over $?; read x";
    let bash = "trap : INT QUIT; x=$(\"$0\" --data-dir data inbox); echo over $?; read x";
    for (shell, script) in [("dash", dash), ("bash", bash)] {
        for (key, code) in [(b"\x03", 130), (b"\x1c", 131)] {
            let mut terminal = Terminal::new();
            let mut child = terminal.start(&command, &[shell, "-c", script, &program]);
            terminal.is_at_prompt(1);
            terminal.types(key);
            terminal.shows(&format!("over {code}"), 1);
            assert!(terminal.echoes(), "{shell} {key:?}");
            terminal.types(b"\n");
            end(&mut child);
        }
    }
    for sent in [Signal::TERM, Signal::HUP, Signal::INT, Signal::QUIT] {
        let terminal = Terminal::new();
        let mut child = terminal.start(&command, plain);
        terminal.is_at_prompt(1);
        signal(&child, sent);
        assert_eq!(end(&mut child).signal(), Some(sent.as_raw()));
        assert!(terminal.echoes(), "{sent:?}");
    }
}

#[test]
fn a_prompt_that_was_stopped_goes_on_where_it_was() {
    let (alice, program) = locked();
    let mut terminal = Terminal::new();
    let mut child = terminal.start(&alice.command(&[]), &[&program, "--data-dir", "data", "id"]);
    for times in 1..=2 {
        terminal.is_at_prompt(times);
        terminal.types(b"\x1a");
        becomes("a stopped process", || is_stopped(child.id()));
        assert!(terminal.echoes(), "while it is stopped, the terminal is somebody else's");
        signal(&child, Signal::CONT);
    }
    terminal.is_at_prompt(3);
    // A letter is taken back, and a word.
    terminal.types(b"nonsense\x15correct horsee\x7f\n");
    assert_eq!(end(&mut child).code(), Some(0));
    terminal.shows("12D3KooW", 1);
    assert!(terminal.echoes());
}

/// Nothing is made, and nothing is changed, of what was typed in two ways, or not at all, however often it is asked.
#[test]
fn a_new_passphrase_is_asked_for_twice() {
    let (alice, program) = locked();
    let told = |args: &[&str], typed: &[&str], error: &str| {
        let mut terminal = Terminal::new();
        let mut command = alice.command(&[]);
        command.env("NO_COLOR", "1");
        let mut child = terminal.start(&command, &[&[&*program, "--data-dir", "data"], args].concat());
        for (times, line) in (1..).zip(typed.iter().cycle()) {
            let prompts = || terminal.count("New passphrase") + terminal.count("The same again: ");
            becomes("a prompt, or the end", || {
                (prompts() == times && !terminal.echoes()) || child.try_wait().unwrap().is_some()
            });
            if child.try_wait().unwrap().is_some() {
                break;
            }
            terminal.types(format!("{line}\n").as_bytes());
        }
        assert_eq!(end(&mut child).code(), Some(1));
        terminal.shows(error, 1);
    };
    for args in [&["-P", "other", "init"][..], &["--passphrase-file", "right", "id", "passphrase"]] {
        let differ = "error: the two passphrases differ\r\nhint: nothing was changed; try again\r\n";
        told(args, &["one way", "another way"], differ);
        told(args, &[""], "error: the passphrase is empty\r\nhint: ");
    }
    assert_eq!(alice.fails(&["-P", "other", "id"], 6)["code"], "no_profile");
    assert_eq!(alice.one(&["--passphrase-file", "right", "id"])["name"], "Alice");
}

/// N L9: what is mistyped is asked for again, and each prompt says what it is for.
#[test]
fn a_passphrase_that_was_mistyped_is_asked_for_again() {
    let alice = Person::homeless();
    let command = alice.command(&[]);
    let program = command.get_program().to_str().unwrap().to_owned();
    let work = [&program, "--data-dir", "data", "-P", "work"];
    let starts = |words: &[&str]| {
        let terminal = Terminal::new();
        let child = terminal.start(&command, &[&work, words].concat());
        (terminal, child)
    };
    let (new, again, old) = ("New passphrase for work: ", "The same again: ", "Passphrase to unlock work: ");
    let (mut terminal, mut init) = starts(&["init", "--name", "Alice"]);
    for (prompt, times, typed) in
        [(new, 1, "correct"), (again, 1, "corretc"), (new, 2, ""), (new, 3, "short"), (again, 2, "short")]
    {
        terminal.is_at(prompt, times);
        terminal.types(format!("{typed}\n").as_bytes());
    }
    assert_eq!(end(&mut init).code(), Some(0));
    for told in
        ["protects the key file", "two passphrases differ: once more", "is empty: once more", "fewer than 8 letters"]
    {
        terminal.shows(told, 1);
    }

    let (mut terminal, mut change) = starts(&["id", "passphrase"]);
    let typed = [(old, 1, "shrot"), (old, 2, "short"), (new, 1, "correct horse"), (again, 1, "correct horse")];
    for (prompt, times, typed) in typed {
        terminal.is_at(prompt, times);
        terminal.types(format!("{typed}\n").as_bytes());
    }
    assert_eq!(end(&mut change).code(), Some(0));
    terminal.shows("wrong passphrase: once more", 1);

    let (mut terminal, mut node) = starts(&["run", "--listen", TCP, "--no-mdns", "--no-upnp"]);
    for (times, typed) in [(1, "short\n"), (2, "correct horse\n")] {
        terminal.is_at(old, times);
        terminal.types(typed.as_bytes());
    }
    terminal.shows("ready", 1);
    signal(&node, Signal::TERM);
    assert_eq!(end(&mut node).code(), Some(0));

    let (mut terminal, mut inbox) = starts(&["inbox"]);
    for times in 1..=3 {
        terminal.is_at(old, times);
        terminal.types(b"nonsense\n");
    }
    assert_eq!(end(&mut inbox).code(), Some(8));
    terminal.shows("mind the keyboard layout", 1);
}

/// N M8, M9: what takes longer than a moment says what it is, in a line that is gone when it is done or interrupted.
#[test]
fn what_is_waited_for_is_told_and_taken_away() {
    let (alice, stranger) = (Person::new("Alice"), Person::new("Bob"));
    let command = alice.command(&[]);
    let program = command.get_program().to_str().unwrap().to_owned();
    // What stands behind the last line of how far it is.
    let rest = |terminal: &Terminal, line: &str| {
        let shown = terminal.shown.0.lock().unwrap().clone();
        let (_, rest) = shown.rsplit_once(line).unwrap();
        rest.split_once("\x1b[K").unwrap().1.to_owned()
    };
    let (send, bob) = ([&program, "--data-dir", "data", "send", "--timeout", "10m"], stranger.peer());
    let mut terminal = Terminal::new();
    let mut child = terminal.start(&command, &[&send[..], &[bob, "Hello"]].concat());
    let delivery = "waiting for the delivery, for up to 600s … ";
    terminal.shows(delivery, 2);
    terminal.types(b"\x03");
    assert_eq!(end(&mut child).signal(), Some(Signal::INT.as_raw()));
    terminal.shows("the next `rohrpost", 1);
    let told = rest(&terminal, delivery);
    assert!(told.trim_start_matches("^C").starts_with("\r\x1b[K") && told.contains("queued"), "{told:?}");

    let lock = held(&alice);
    let mut terminal = Terminal::new();
    let mut child = terminal.start(&command, &[&program, "--data-dir", "data", "inbox"]);
    terminal.shows("waiting up to 5 seconds … ", 1);
    terminal.types(b"\x03");
    assert_eq!(end(&mut child).signal(), Some(Signal::INT.as_raw()));
    terminal.shows("interrupted: nothing was done\r\n", 1);
    let told = rest(&terminal, "waiting up to 5 seconds … ");
    assert_eq!(told.trim_start_matches("^C"), "\r\x1b[Kinterrupted: nothing was done\r\n");
    // Nothing of it without remarks.
    let terminal = Terminal::new();
    let mut child = terminal.start(&command, &[&program, "--data-dir", "data", "-q", "inbox"]);
    assert_eq!(end(&mut child).code(), Some(9));
    terminal.shows("in use by process", 1);
    assert!(!terminal.shown.0.lock().unwrap().contains("waiting up to"));
    drop(lock);
}

/// After the prompt signals do what they do without one.
#[test]
fn a_node_that_asked_for_its_passphrase_ends_by_signals_as_any_other() {
    let (alice, program) = locked();
    let run = [&program, "--data-dir", "data", "run", "--listen", TCP, "--no-mdns", "--no-upnp"];
    for sent in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut terminal = Terminal::new();
        let mut child = terminal.start(&alice.command(&[]), &run);
        terminal.is_at_prompt(1);
        terminal.types(b"correct horse\n");
        terminal.shows("ready", 1);
        signal(&child, Signal::TSTP);
        becomes("a stopped process", || is_stopped(child.id()));
        signal(&child, Signal::CONT);
        signal(&child, sent);
        assert_eq!(end(&mut child).code(), Some(0), "{sent:?}");
        assert!(!alice.path().join("data/default/node.sock").exists());
    }
}

/// F12: a signal that is ignored at the start stays ignored.
#[test]
fn what_was_ignored_at_the_start_stays_ignored() {
    let alice = Person::new("Alice");
    for (ignored, sent, other) in [("HUP", Signal::HUP, Signal::TERM), ("INT", Signal::INT, Signal::HUP)] {
        let plain = alice.command(&["run", "--listen", TCP, "--no-mdns", "--no-upnp"]);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("trap '' {ignored}; exec \"$@\""), "sh"]);
        command.arg(plain.get_program()).args(plain.get_args());
        as_there(&plain, &mut command);
        let mut node = crate::node::Talker::of(command, alice.new_log());
        node.event("ready", |_| true);
        node.signal(sent);
        assert_eq!(alice.status()["node"], "on");
        assert_eq!(alice.status()["pid"], node.pid(), "after SIG{ignored}");
        node.signal(other);
        assert_eq!(node.ended().code(), Some(0));
    }
    assert!(Path::new("/proc/self/status").exists());
}
