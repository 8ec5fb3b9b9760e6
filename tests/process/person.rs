//! Somebody at a prompt, with a home of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::node::{Node, Watchdog};

pub const TCP: &str = "/ip4/127.0.0.1/tcp/0";

const PROGRAM: &str = env!("CARGO_BIN_EXE_rohrpost");

pub struct Person {
    home: tempfile::TempDir,
    program: PathBuf,
    /// The network namespace of their machine; `None`: this one's.
    machine: Option<String>,
    /// Another user of this machine; `None`: the one who runs the tests.
    uid: Option<u32>,
    peer: String,
    logs: AtomicUsize,
    /// What their programs find in the environment besides.
    besides: Mutex<Vec<(String, String)>>,
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: Vec<Value>,
    pub err: String,
}

impl Person {
    /// A home with a profile.
    pub fn new(name: &str) -> Self {
        Self::homeless().named(name)
    }

    /// The same on another machine: in a network namespace, where nothing keeps the program from its defaults.
    #[allow(dead_code, reason = "the tests between machines use it")]
    pub fn on_machine(name: &str, namespace: &str) -> Self {
        let homeless = Self::homeless();
        Self { machine: Some(namespace.to_owned()), ..homeless }.named(name)
    }

    /// The same, with a home and processes of another user: for tests that root runs.
    #[allow(dead_code, reason = "the tests between machines do not")]
    pub fn of_user(uid: u32) -> Self {
        let homeless = Self::homeless();
        for folder in ["", "run", "data", "config", "share"] {
            std::os::unix::fs::chown(homeless.path().join(folder), Some(uid), Some(uid)).unwrap();
        }
        // Where the program is may be closed to others.
        let open = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o001 != 0;
        let program = match Path::new(PROGRAM).ancestors().all(open) {
            true => PROGRAM.into(),
            false => {
                let copy = homeless.path().join("rohrpost");
                fs::copy(PROGRAM, &copy).unwrap();
                fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
                copy
            }
        };
        Self { uid: Some(uid), program, ..homeless }
    }

    /// The same in a home that was prepared.
    pub fn named(mut self, name: &str) -> Self {
        let identity = self.one(&["init", "--no-passphrase", "--name", name]);
        self.peer = identity["peer_id"].as_str().unwrap().to_owned();
        self
    }

    /// A home with nothing in it.
    pub fn homeless() -> Self {
        let home = tempfile::Builder::new().prefix("rp").tempdir().unwrap();
        for folder in ["run", "data", "config", "share"] {
            fs::create_dir(home.path().join(folder)).unwrap();
        }
        let (logs, besides) = (AtomicUsize::new(0), Mutex::default());
        Self { home, program: PROGRAM.into(), machine: None, uid: None, peer: String::new(), logs, besides }
    }

    pub fn path(&self) -> &Path {
        self.home.path()
    }

    pub fn peer(&self) -> &str {
        &self.peer
    }

    /// Where the next child's stderr goes.
    pub fn new_log(&self) -> PathBuf {
        self.path().join(format!("log{}", self.logs.fetch_add(1, Ordering::Relaxed)))
    }

    /// A file that only its owner reads.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The program, in an environment that has only this home.
    pub fn command(&self, args: &[&str]) -> Command {
        let program = self.program.as_path();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut command = Command::new(if self.machine.is_some() { Path::new("ip") } else { program });
        command
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("XDG_RUNTIME_DIR", self.path().join("run"))
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("XDG_DATA_HOME", self.path().join("share"))
            .env("TZ", "UTC")
            .env("LANG", "C.UTF-8");
        match &self.machine {
            Some(namespace) => command.env("PATH", path).args(["netns", "exec", namespace]).arg(program),
            // For the nodes that `send` starts.
            None => command.env("ROHRPOST_LISTEN", TCP).env("ROHRPOST_MDNS", "no"),
        };
        if let Some(uid) = self.uid {
            command.uid(uid).gid(uid);
        }
        command.envs(self.besides.lock().unwrap().iter().cloned());
        command.args(["--json", "--data-dir", "data"]).args(args).stdin(Stdio::null());
        command
    }

    /// From now on their programs find this in the environment besides.
    #[allow(dead_code, reason = "the tests of crashes use it")]
    pub fn surround(&self, with: Vec<(String, String)>) {
        *self.besides.lock().unwrap() = with;
    }

    /// Runs a command to its end.
    pub fn say(&self, args: &[&str]) -> Said {
        let child = self.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let guard = Watchdog::over(&child);
        let output = child.wait_with_output().unwrap();
        drop(guard);
        let out = String::from_utf8(output.stdout).unwrap();
        let out = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Said { code: output.status.code(), out, err: String::from_utf8(output.stderr).unwrap() }
    }

    /// A command that succeeds; its lines.
    pub fn all(&self, args: &[&str]) -> Vec<Value> {
        let said = self.say(args);
        assert_eq!(said.code, Some(0), "{args:?}: {said:?}");
        said.out
    }

    /// A command that succeeds with one line.
    pub fn one(&self, args: &[&str]) -> Value {
        let mut lines = self.all(args);
        assert_eq!(lines.len(), 1, "{args:?}: {lines:?}");
        lines.remove(0)
    }

    /// A command that fails with this exit code; its error.
    pub fn fails(&self, args: &[&str], exit: i32) -> Value {
        let said = self.say(args);
        assert_eq!(said.code, Some(exit), "{args:?}: {said:?}");
        let last = said.err.lines().last().unwrap_or_default();
        let error: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{args:?}: {said:?}"));
        assert_eq!(error["error"]["exit"], exit, "{args:?}: {said:?}");
        error["error"].clone()
    }

    /// Sends and waits for the state; the message ID.
    pub fn send(&self, to: &str, text: &str, state: &str) -> String {
        let sent = self.one(&["send", to, text, "--wait", state, "--timeout", "2m"]);
        assert_eq!(sent["state"], state, "{sent}");
        sent["message_id"].as_str().unwrap().to_owned()
    }

    pub fn link(&self) -> String {
        self.one(&["id", "link"])["link"].as_str().unwrap().to_owned()
    }

    pub fn history(&self, with: &Self) -> Vec<Value> {
        self.all(&["history", with.peer(), "-n", "1000"])
    }

    pub fn texts(&self, with: &Self) -> Vec<String> {
        self.history(with).iter().map(|message| message["text"].as_str().unwrap().to_owned()).collect()
    }

    pub fn status(&self) -> Value {
        self.one(&["status"])
    }

    /// Starts the node.
    pub fn on(&self) -> Node {
        Node::start(self, TCP, &[])
    }

    /// Starts the node, which dials the other: after a restart its old address is nobody's.
    pub fn on_knowing(&self, other: &Node) -> Node {
        Node::start(self, TCP, &[other])
    }
}

/// Both see the same conversation: the same messages of the same people, in the same order, each once, none missing.
#[track_caller]
pub fn same_history(one: &Person, other: &Person) {
    let seen = |from: &Person, with: &Person| -> Vec<Value> {
        let messages = from.history(with);
        assert!(messages.iter().all(|message| message["gap"] == false), "{messages:?}");
        messages.iter().map(|m| serde_json::json!([m["message_id"], m["from"], m["text"], m["subject"]])).collect()
    };
    assert_eq!(seen(one, other), seen(other, one));
}

/// Two contacts, both nodes running at these addresses.
pub fn contacts(listen: &str) -> ((Person, Node), (Person, Node)) {
    contacts_with(listen, &[])
}

/// The same, where the second one runs with these flags.
pub fn contacts_with(listen: &str, flags: &[&str]) -> ((Person, Node), (Person, Node)) {
    let (alice, bob) = (Person::new("Alice"), Person::new("Bob"));
    let alice_node = Node::start(&alice, listen, &[]);
    let bob_node = Node::run(&bob, &[&Node::args(listen, &[])[..], flags].concat());
    alice.one(&["contacts", "add", &bob.link(), "--name", "Bob"]);
    bob.one(&["contacts", "add", &alice.link(), "--name", "Alice"]);
    ((alice, alice_node), (bob, bob_node))
}
