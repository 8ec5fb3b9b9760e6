//! The bots of the documentation, as they stand there, while they and their node are killed at random.

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat, openat};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde_json::{Value, json};

use crate::node::{Node, Rpc, becomes};
use crate::person::{Person, TCP, contacts};

/// The indented block of a page that begins with this line.
fn block(page: &str, first: &str) -> String {
    let path = format!("{}/docs/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).unwrap();
    let (_, found) = text.split_once(&format!("    {first}\n")).unwrap_or_else(|| panic!("{page} has no {first}"));
    let lines = found.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix("    ").unwrap_or_default()).collect();
    format!("{first}\n{}\n", lines.join("\n").trim_end())
}

/// A program that is begun again whenever it ends.
struct Supervised {
    child: Arc<Mutex<Option<Child>>>,
    ends: Arc<AtomicBool>,
    /// It ended, and nobody had killed it.
    fell: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Supervised {
    fn of(spawn: impl Fn() -> Child + Send + 'static) -> Self {
        let (child, ends) = (Arc::new(Mutex::new(Some(spawn()))), Arc::new(AtomicBool::new(false)));
        let (shared, over) = (Arc::clone(&child), Arc::clone(&ends));
        let fell = Arc::new(AtomicBool::new(false));
        let falls = Arc::clone(&fell);
        let thread = thread::spawn(move || {
            loop {
                let pid = Pid::from_child(shared.lock().unwrap().as_ref().unwrap());
                // It stays a process until it is known to be none, so that nobody else is killed in its place.
                waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
                let mut child = shared.lock().unwrap();
                let status = child.take().unwrap().wait().unwrap();
                falls.fetch_or(status.signal().is_none(), Ordering::SeqCst);
                if over.load(Ordering::SeqCst) {
                    return;
                }
                *child = Some(spawn());
            }
        });
        Self { child, ends, fell, thread: Some(thread) }
    }

    /// Kills it and all that it has begun.
    fn kill(&self) {
        if let Some(child) = self.child.lock().unwrap().as_ref() {
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
        }
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        self.kill();
        let _ = self.thread.take().unwrap().join();
    }
}

/// The program of a bot in a shell. Where there is a pipe of the moment, it tells by it that it is there, and goes no further.
const WRAPPER: &str = r#"#!/bin/sh
echo >>calls
gate() { [ ! -p "$1" ] || { echo here >"$1"; read -r _ <never; }; }
[ "$1" = send ] || exec ROHRPOST
gate before
ROHRPOST
code=$?
gate after
exit "$code"
"#;

/// The same for a bot that speaks with the node itself.
const HOOK: &str = r#"
import os, socket

def gate(moment):
    if os.path.exists(moment):
        with open(moment, "w") as told:
            told.write("here")
        open("never").read()

class Gated:
    def __init__(self, stream):
        self.stream, self.sends = stream, False
    def write(self, text):
        self.sends = '"method": "send"' in text
        if self.sends:
            gate("before")
        self.stream.write(text)
    def flush(self):
        self.stream.flush()
    def readline(self):
        line = self.stream.readline()
        if self.sends:
            gate("after")
        return line
    def __iter__(self):
        return iter(self.stream)

makefile = socket.socket.makefile
socket.socket.makefile = lambda self, *args, **kwargs: Gated(makefile(self, *args, **kwargs))
"#;

/// The bot in a folder of its own, where `rohrpost` is that of this person.
fn bot(person: &Person, interpreter: &'static str, script: &str) -> Supervised {
    let folder = person.path().join("bot");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("script"), script).unwrap();
    let command = person.command(&[]);
    let program = command.get_program().to_str().unwrap();
    let rohrpost = format!("{program} --data-dir {}/data \"$@\"", person.path().display());
    fs::write(folder.join("rohrpost"), WRAPPER.replace("ROHRPOST", &rohrpost)).unwrap();
    fs::write(folder.join("sitecustomize.py"), HOOK).unwrap();
    mknodat(CWD, folder.join("never"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    fs::set_permissions(folder.join("rohrpost"), Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let envs: Vec<_> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    let log: PathBuf = person.new_log();
    Supervised::of(move || {
        let log = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = Command::new(interpreter);
        command.arg("script").current_dir(&folder).env_clear().envs(envs.clone()).env("PATH", &path);
        command.env("PYTHONPATH", ".").env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).process_group(0).spawn().unwrap()
    })
}

/// What programs that handle texts carelessly make others of.
const TEXTS: &[&str] = &[
    "plain",
    "tab\there",
    "two\nlines",
    "ends with a line feed\n",
    "ends with two\n\n",
    "\n\nbegins with two",
    "back\\slash \\n \\t \\\\ \\u0041",
    "  blanks  ",
    "-n",
    "--help",
    "-",
    "$(touch owned) `touch owned` $HOME ${PATH} !!",
    "'single' \"double\"",
    "carriage\r\nreturn\r",
    "nothing \0 between",
    "bell \u{7} escape \u{1b}[31m red",
    "bidi \u{202e} zero \u{200b} width",
    "post \u{1f4ef} ä ö ü 字",
    "%s %d %%",
    "{\"event\":\"message.new\"}",
];

/// Alice, who writes, and Bob, whose bot answers.
struct Scene {
    _alice: Person,
    alice_node: Node,
    bob: Person,
    bob_node: Option<Node>,
    bot: Supervised,
    rpc: Rpc,
}

impl Scene {
    fn new(interpreter: &'static str, script: &str) -> Self {
        let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
        let (bot, rpc) = (bot(&bob, interpreter, script), alice_node.call());
        Self { _alice: alice, alice_node, bob, bob_node: Some(bob_node), bot, rpc }
    }

    fn say(&mut self, text: &str) {
        let sent = self.rpc.ask("send", &json!({"to": "bob", "text": text}));
        assert!(sent["result"]["message_id"].is_string(), "{sent}");
    }

    /// The bot is killed when it has read of the message: *before* it answers, or *after*, when the answer is on its way and it has
    /// not written down that it is.
    fn kill_at(&mut self, moment: &str) {
        // With all that was before it is done: it is this message at which it is killed.
        let cursor = self.bob.path().join("bot/cursor");
        becomes("it has seen all", || {
            let seen = fs::read_to_string(&cursor).unwrap_or_default();
            seen.split('-').next() == Some(self.bob.status()["last_event"].to_string().as_str())
        });
        let gate = self.bob.path().join("bot").join(moment);
        mknodat(CWD, &gate, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        // To wait for who writes would be to wait for ever if nobody does.
        let told = File::from(openat(CWD, &gate, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).unwrap());
        self.say(moment);
        becomes(&format!("the bot {moment} its answer"), || (&told).read(&mut [0]).is_ok_and(|read| read > 0));
        fs::remove_file(&gate).unwrap();
        self.bot.kill();
        drop(told);
    }

    /// A bot that asks where the node is has asked, and been told that there is none.
    fn is_tried_in_vain(&self, script: &str) {
        let calls = || fs::read(self.bob.path().join("bot/calls")).map_or(0, |calls| calls.len());
        let before = calls();
        // One question may have been under way.
        becomes("the bot looks for the node", || !script.contains("status") || calls() >= before + 2);
    }

    /// All answers that came, behind a last one: what could still be doubled comes before that.
    fn answers(&mut self) -> Vec<String> {
        self.say(LAST);
        self.alice_node.arrived(LAST);
        let all = self.rpc.ask("history", &json!({"who": "bob", "limit": 1000}));
        let is_in = |message: &&Value| message["direction"] == "in";
        let texts =
            all["result"].as_array().unwrap().iter().filter(is_in).map(|m| m["text"].as_str().unwrap().to_owned());
        texts.collect()
    }
}

const LAST: &str = "the end";

/// Everything is answered once, in its order, with the same bytes.
fn misses_nothing(interpreter: &'static str, script: &str, seed: u64) {
    let mut scene = Scene::new(interpreter, script);
    let mut dice = seed;
    eprintln!("{interpreter}: seed {seed}");
    for text in TEXTS {
        scene.say(text);
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let thrown = (dice >> 33) % 6;
        if thrown < 2 {
            scene.bot.kill();
        }
        if (1..4).contains(&thrown) {
            if let Some(node) = scene.bob_node.take() {
                node.kill();
                scene.is_tried_in_vain(script);
            }
            scene.bob_node = Some(scene.bob.on_knowing(&scene.alice_node));
        }
        if thrown == 5 {
            // Once in a while it gets as far as answering.
            scene.alice_node.arrived(text);
        }
    }
    let expected: Vec<&str> = TEXTS.iter().chain(&[LAST]).copied().collect();
    assert_eq!(scene.answers(), expected);
    assert!(!scene.bot.fell.load(Ordering::SeqCst), "the bot ended by itself");
    assert!(!scene.bob.path().join("bot/owned").exists());
}

/// What comes of a bot that is killed at the two moments at which something can be lost or doubled.
fn killed_at_the_worst(interpreter: &'static str, script: &str) -> Vec<String> {
    let mut scene = Scene::new(interpreter, script);
    scene.kill_at("before");
    scene.kill_at("after");
    scene.answers()
}

/// The bot survives that; one that writes its cursor down too early would lose, and one that gives its answers no ID would double: else
/// nothing would have been tried.
fn survives_the_worst(interpreter: &'static str, script: &str, hasty: (&str, &str), nameless: (&str, &str)) {
    let broken = |(part, other): (&str, &str)| {
        assert_eq!(script.matches(part).count(), 1, "the bot has no {part:?}");
        killed_at_the_worst(interpreter, &script.replace(part, other))
    };
    assert_eq!(killed_at_the_worst(interpreter, script), ["before", "after", LAST]);
    assert_eq!(broken(hasty), ["after", LAST]);
    assert_eq!(broken(nameless), ["before", "after", "after", LAST]);
}

/// Whether the bot of the guide can be run here.
fn has_jq() -> bool {
    let is_there = Command::new("jq").arg("--version").stdout(Stdio::null()).stdin(Stdio::null()).status().is_ok();
    if !is_there && std::env::var_os("ROHRPOST_REQUIRE_JQ").is_none() {
        eprintln!("skipped: the bot reads with jq, which is not here");
        return false;
    }
    true
}

#[test]
fn the_bot_of_the_guide_misses_and_doubles_nothing() {
    if has_jq() {
        misses_nothing("bash", &block("guide.md", "#!/bin/bash"), 3);
    }
}

#[test]
fn the_bot_of_the_interface_misses_and_doubles_nothing() {
    misses_nothing("python3", &block("rpc.md", "#!/usr/bin/env python3"), 7);
}

#[test]
fn the_bot_of_the_guide_may_be_killed_at_the_worst_moment() {
    if !has_jq() {
        return;
    }
    let read = "while read -r event; do\n";
    let hasty = format!("{read}jq -r .cursor <<<\"$event\" >cursor.new && mv cursor.new cursor\n");
    survives_the_worst("bash", &block("guide.md", "#!/bin/bash"), (read, &hasty), ("--client-id \"echo-$id\"", ""));
}

#[test]
fn the_bot_of_the_interface_may_be_killed_at_the_worst_moment() {
    let read = "        event = json.loads(line)[\"params\"]\n";
    let hasty = format!("{read}        open(\"cursor\", \"w\").write(event[\"cursor\"])\n");
    let script = block("rpc.md", "#!/usr/bin/env python3");
    let id = "client_id=\"echo-\" + event[\"message_id\"]";
    survives_the_worst("python3", &script, (read, &hasty), (id, ""));
}
