//! What a person sees at the prompt: help, tables, errors with their hints, JSON.
//!
//! Each `.trycmd` file is a session at a terminal of its own: an empty home, a cleared environment,
//! UTC. Its folder says what is there at the start:
//!
//! | folder | at the start |
//! |---|---|
//! | `plain` | nothing |
//! | `locked` | the profile `default` with a passphrase; the files `right` and `wrong` with passphrases, `long` and `binary` with none |
//! | `damaged` | the profile `default`, one bit of its key file turned |
//! | `newer`, `older` | the profile `default`, a file of it of a newer or older form |
//! | `broken` | profiles that are broken in several ways, each named so |
//! | `lost` | the profile `default`, its database removed |
//! | `held` | the profile `default`, which this process has |
//! | `running`, `silent` | the profile `default`, its node running, or stopped as by Ctrl-Z |
//! | `pair` | the profiles `alice` and `bob`, both nodes running; Alice has written to Bob's link |
//!
//! `TRYCMD=overwrite cargo test --test cmd` writes what is seen now into the files: look at the
//! difference before you commit it.

// Test code: what cannot be set up has to stop the run.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod broken;
mod errors;
mod messages;
mod pages;
mod terminal;

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rohrpost::store::ProfileLock;
use rustix::process::{Pid, Signal, kill_process};

/// Where the version stands in the key file.
const KEY_FILE_VERSION: usize = 16;

const PROGRAM: &str = env!("CARGO_BIN_EXE_rohrpost");
const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cmd");
/// Names the one session that this process is to play; the process was started for it.
const SESSION: &str = "ROHRPOST_TEST_SESSION";

#[test]
fn sessions_look_as_they_should() {
    if let Some(session) = std::env::var_os(SESSION) {
        return play(Path::new(&session));
    }
    let sessions = sessions();
    assert!(!sessions.is_empty(), "the sessions are not where they should be");
    let failed: Vec<String> = sessions.iter().filter_map(|session| play_alone(session).err()).collect();
    assert!(failed.is_empty(), "{} sessions look different:\n{}", failed.len(), failed.join("\n"));
}

/// The list of commands and the help cases cannot drift apart.
#[test]
fn every_command_has_its_help_in_a_session() {
    let home = Home::new();
    let output = home.command(PROGRAM).arg("--json").output().unwrap();
    let error: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    let text = error["error"]["message"].as_str().unwrap();
    let commands = text.split_once("[subcommands: ").unwrap().1.trim_end_matches(']').split(", ");
    let seen = fs::read_to_string(Path::new(CASES).join("plain/help.trycmd")).unwrap();
    let mut count = 0;
    for command in commands {
        let case = format!("$ rohrpost {command} --help\n");
        assert!(seen.contains(&case), "plain/help.trycmd lacks `{}`", case.trim());
        count += 1;
    }
    assert!(count > 15, "the commands were not found in:\n{text}");
}

fn sessions() -> Vec<PathBuf> {
    let filter = std::env::var("ROHRPOST_TEST_ONLY").unwrap_or_default();
    let mut found: Vec<PathBuf> = fs::read_dir(CASES)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| path.extension() == Some(OsStr::new("trycmd")) && path.to_string_lossy().contains(&filter))
        .collect();
    found.sort();
    found
}

/// A place of its own for one session.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("run")).unwrap();
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A process that sees only this home.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("XDG_RUNTIME_DIR", self.path().join("run"))
            .env("TZ", "UTC")
            .env("LANG", "C.UTF-8")
            .env("ROHRPOST_LISTEN", "/ip4/127.0.0.1/tcp/0")
            .env("ROHRPOST_MDNS", "no")
            .env("ROHRPOST_UPNP", "no")
            .stdin(Stdio::null());
        command
    }

    fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The folder of the profile `default`.
    fn profile(&self) -> PathBuf {
        self.profile_of("default")
    }

    fn profile_of(&self, name: &str) -> PathBuf {
        self.path().join(".local/share/rohrpost").join(name)
    }

    /// Changes a file of it.
    fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let path = self.profile().join(name);
        broken::change(&path, change);
    }

    fn succeed(&self, args: &[&str]) -> String {
        let output = self.command(PROGRAM).args(args).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Starts a process for the session and waits for it.
fn play_alone(session: &Path) -> Result<(), String> {
    let home = Home::new();
    let mut nodes = Vec::new();
    let mut lock = None;
    match session.parent().and_then(Path::file_name).and_then(OsStr::to_str) {
        Some("locked") => {
            home.write("right", "correct horse battery staple\n");
            home.write("wrong", "incorrect horse\n");
            home.write("long", "x".repeat(5000));
            home.write("binary", [0xff, b'\n']);
            home.succeed(&["init", "--name", "Alice", "--passphrase-file", "right"]);
        }
        Some("damaged") => {
            home.succeed(&["init", "--no-passphrase"]);
            home.change("key", |bytes| *bytes.last_mut().unwrap() ^= 1);
        }
        Some("newer") => {
            home.succeed(&["init", "--no-passphrase"]);
            // The version stands behind the name of the form.
            home.change("key", |bytes| bytes[KEY_FILE_VERSION] += 1);
        }
        Some("older") => {
            home.succeed(&["init", "--no-passphrase"]);
            for file in ["keys.a", "keys.b"] {
                broken::make_of_version(&home.profile().join(file), |version| version - 1);
            }
        }
        Some("broken") => broken::make(&home),
        Some("held") => {
            home.succeed(&["init", "--no-passphrase"]);
            lock = Some(ProfileLock::acquire(&home.profile()).unwrap());
        }
        Some("silent") => {
            home.succeed(&["init", "--no-passphrase"]);
            let node = Node::start(&home, "default");
            kill_process(Pid::from_child(&node.process), Signal::STOP).unwrap();
            nodes.push(("PEER", node));
        }
        Some("lost") => {
            home.succeed(&["init", "--no-passphrase", "--name", "Alice"]);
            fs::remove_dir_all(home.profile().join("db")).unwrap();
        }
        Some("running") => {
            home.succeed(&["init", "--name", "Alice", "--no-passphrase"]);
            nodes.push(("PEER", Node::start(&home, "default")));
        }
        Some("pair") => {
            for (var, profile, name) in [("ALICE", "alice", "Alice"), ("BOB", "bob", "Bob")] {
                home.succeed(&["-P", profile, "init", "--name", name, "--no-passphrase"]);
                nodes.push((var, Node::start(&home, profile)));
            }
            let link = home.succeed(&["-P", "bob", "id", "link"]);
            let text = "Hello Bob!\nA second line \u{1b}[2J";
            home.succeed(&["-P", "alice", "send", link.trim(), text, "--subject", "It is me", "--wait", "sent"]);
        }
        _ => {}
    }
    let mut player = home.command(std::env::current_exe().unwrap());
    player
        .args(["--exact", "sessions_look_as_they_should", "--nocapture", "--test-threads", "1"])
        .env(SESSION, session);
    if let Some(mode) = std::env::var_os("TRYCMD") {
        player.env("TRYCMD", mode);
    }
    for (var, node) in &nodes {
        player.env(var, &node.peer).env("PID", node.process.id().to_string());
    }
    if lock.is_some() {
        player.env("PID", std::process::id().to_string());
    }
    let output = player.output().unwrap();
    drop((nodes, lock));
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

/// Plays one session in this process, whose environment was made for it.
fn play(session: &Path) {
    let home = std::env::var("HOME").unwrap();
    let cases = trycmd::TestCases::new();
    cases.register_bin("rohrpost", trycmd::schema::Bin::Path(PROGRAM.into()));
    cases.insert_var("[HOME]", home).unwrap();
    cases.insert_var("[VERSION]", env!("CARGO_PKG_VERSION")).unwrap();
    for (var, name) in [("[PEER]", "PEER"), ("[ALICE]", "ALICE"), ("[BOB]", "BOB"), ("[PID]", "PID")] {
        if let Ok(value) = std::env::var(name) {
            cases.insert_var(var, value).unwrap();
        }
    }
    cases.case(session).run();
}

/// A node in the background that is ended with the test.
struct Node {
    process: Child,
    peer: String,
}

impl Node {
    fn start(home: &Home, profile: &str) -> Self {
        let mut process = home
            .command(PROGRAM)
            .args(["--json", "-P", profile, "run", "--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        let ready: serde_json::Value = serde_json::from_str(&ready).unwrap();
        assert_eq!(ready["event"], "ready");
        Self { process, peer: ready["peer_id"].as_str().unwrap().to_owned() }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
