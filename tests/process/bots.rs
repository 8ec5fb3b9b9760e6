//! The bots of the documentation, as they stand there, while they and their node are killed at random.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use serde_json::{Value, json};

use crate::node::becomes;
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
    thread: Option<JoinHandle<()>>,
}

impl Supervised {
    fn of(spawn: impl Fn() -> Child + Send + 'static) -> Self {
        let (child, ends) = (Arc::new(Mutex::new(Some(spawn()))), Arc::new(AtomicBool::new(false)));
        let (shared, over) = (Arc::clone(&child), Arc::clone(&ends));
        let thread = thread::spawn(move || {
            loop {
                let pid = Pid::from_child(shared.lock().unwrap().as_ref().unwrap());
                // It stays a process until it is known to be none, so that nobody else is killed in its place.
                waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
                let mut child = shared.lock().unwrap();
                child.take().unwrap().wait().unwrap();
                if over.load(Ordering::SeqCst) {
                    return;
                }
                *child = Some(spawn());
            }
        });
        Self { child, ends, thread: Some(thread) }
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

/// The bot in a folder of its own, where `rohrpost` is that of this person.
fn bot(person: &Person, interpreter: &'static str, script: &str) -> Supervised {
    let folder = person.path().join("bot");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("script"), script).unwrap();
    let command = person.command(&[]);
    let program = command.get_program().to_str().unwrap();
    let wrapper = format!("#!/bin/sh\nexec {program} --data-dir {}/data \"$@\"\n", person.path().display());
    fs::write(folder.join("rohrpost"), wrapper).unwrap();
    fs::set_permissions(folder.join("rohrpost"), Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let envs: Vec<_> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    let log: PathBuf = person.new_log();
    Supervised::of(move || {
        let log = File::options().create(true).append(true).open(&log).unwrap();
        let mut command = Command::new(interpreter);
        command.arg("script").current_dir(&folder).env_clear().envs(envs.clone()).env("PATH", &path);
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

/// Everything is answered once, in its order, with the same bytes.
fn misses_nothing(interpreter: &'static str, script: &str, seed: u64) {
    let ((alice, alice_node), (bob, bob_node)) = contacts(TCP);
    let mut bob_node = Some(bob_node);
    let bot = bot(&bob, interpreter, script);
    let mut rpc = alice_node.call();
    let mut say = |text: &str| {
        let sent = rpc.ask("send", &json!({"to": "bob", "text": text}));
        assert!(sent["result"]["message_id"].is_string(), "{sent}");
    };

    // Killed when it has answered, and has not written down that it has: there it waits for somebody who reads.
    say("before");
    alice_node.arrived("before");
    let cursor = bob.path().join("bot/cursor");
    let has_seen_all = || {
        let seen = fs::read_to_string(&cursor).unwrap_or_default();
        let is_last = seen.split('-').next() == Some(bob.status()["last_event"].to_string().as_str());
        is_last && bob.history(&alice).last().is_some_and(|last| last["state"] == "delivered")
    };
    becomes("it has seen all", has_seen_all);
    let pipe = cursor.with_extension("new");
    mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    say("between");
    alice_node.arrived("between");
    bot.kill();
    fs::remove_file(&pipe).unwrap();

    let mut dice = seed;
    eprintln!("{interpreter}: seed {seed}");
    for text in TEXTS {
        say(text);
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let thrown = (dice >> 33) % 6;
        if thrown < 2 {
            bot.kill();
        }
        if (1..4).contains(&thrown) {
            if let Some(node) = bob_node.take() {
                node.kill();
            }
            bob_node = Some(bob.on_knowing(&alice_node));
        }
        if thrown == 5 {
            // Once in a while it gets as far as answering.
            alice_node.arrived(text);
        }
    }
    alice_node.arrived(TEXTS.last().unwrap());
    // All that could still be doubled comes before this.
    say("the end");
    alice_node.arrived("the end");
    let all = rpc.ask("history", &json!({"who": "bob", "limit": 1000}));
    let is_in = |message: &&Value| message["direction"] == "in";
    let answers: Vec<&str> =
        all["result"].as_array().unwrap().iter().filter(is_in).map(|m| m["text"].as_str().unwrap()).collect();
    let expected: Vec<&str> = ["before", "between"].iter().chain(TEXTS).chain(&["the end"]).copied().collect();
    assert_eq!(answers, expected);
    assert!(!bob.path().join("bot/owned").exists());
    drop((bot, bob_node));
}

#[test]
fn the_bot_of_the_guide_misses_and_doubles_nothing() {
    let is_there = Command::new("jq").arg("--version").stdout(Stdio::null()).stdin(Stdio::null()).status().is_ok();
    if !is_there && std::env::var_os("ROHRPOST_REQUIRE_JQ").is_none() {
        return eprintln!("skipped: the bot reads with jq, which is not here");
    }
    misses_nothing("bash", &block("guide.md", "#!/bin/bash"), 3);
}

#[test]
fn the_bot_of_the_interface_misses_and_doubles_nothing() {
    misses_nothing("python3", &block("rpc.md", "#!/usr/bin/env python3"), 7);
}
