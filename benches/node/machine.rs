//! Nodes in processes of their own, and clients of their sockets.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// A failure guard only.
const PATIENCE: Duration = Duration::from_secs(300);

/// Somebody with a profile in a folder that is removed with them.
pub struct Person {
    home: Home,
    pub peer: String,
}

enum Home {
    Own(tempfile::TempDir),
    Kept(PathBuf),
}

impl Person {
    pub fn new(name: &str) -> Self {
        let home = tempfile::Builder::new().prefix("rp").tempdir_in(crate::folder()).unwrap();
        Self::with(Home::Own(home), name)
    }

    /// Whose profile is in this folder already.
    pub fn at(path: PathBuf, peer: String) -> Self {
        Self { home: Home::Kept(path), peer }
    }

    fn with(home: Home, name: &str) -> Self {
        let mut person = Self { home, peer: String::new() };
        let told = person.tell(&["init", "--no-passphrase", "--name", name]);
        person.peer = told["peer_id"].as_str().unwrap().to_owned();
        person
    }

    pub fn path(&self) -> &Path {
        match &self.home {
            Home::Own(dir) => dir.path(),
            Home::Kept(path) => path,
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.types(&["--json"]);
        command.args(args);
        command
    }

    /// A command in the form for people.
    pub fn types(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rohrpost"));
        command.env_clear().env("HOME", self.path()).arg("--data-dir").arg(self.path()).args(args);
        command
    }

    /// Runs a command to its end; its last line.
    pub fn tell(&self, args: &[&str]) -> Value {
        let output = self.command(args).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{args:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().last().map_or(Value::Null, |line| serde_json::from_str(line).unwrap())
    }

    /// Starts the node; also how long it took until it said `ready`.
    pub fn on(&self) -> (Node, Duration) {
        self.on_with(&[])
    }

    /// The same with more arguments.
    pub fn on_with(&self, args: &[&str]) -> (Node, Duration) {
        self.on_at("/ip4/127.0.0.1/tcp/0", args)
    }

    /// The same, listening there.
    pub fn on_at(&self, listen: &str, args: &[&str]) -> (Node, Duration) {
        let start = Instant::now();
        let mut child = self
            .command(&[&["run", "--listen", listen, "--no-mdns", "--no-upnp"], args].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let took = start.elapsed();
        let ready: Value = serde_json::from_str(&line).unwrap();
        // What it prints later is not of interest, but must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        let socket = ready["socket"].as_str().unwrap().into();
        (Node { child, socket }, took)
    }

    /// The size of all files of the profile.
    pub fn bytes(&self) -> u64 {
        fn of(path: &Path) -> u64 {
            let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
            entries.map(|e| if e.path().is_dir() { of(&e.path()) } else { e.metadata().map_or(0, |m| m.len()) }).sum()
        }
        of(self.path())
    }
}

pub struct Node {
    child: Child,
    socket: PathBuf,
}

impl Node {
    pub fn client(&self) -> Client {
        let stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { reader: BufReader::new(stream), next: 0 }
    }

    /// Resident memory, in bytes.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    pub fn off(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection to a node's socket.
pub struct Client {
    reader: BufReader<UnixStream>,
    next: u64,
}

impl Client {
    /// Writes calls at once, without waiting for answers.
    pub fn write<'a>(&mut self, method: &str, all: impl IntoIterator<Item = &'a Value>) {
        let mut lines = String::new();
        for params in all {
            self.next += 1;
            lines += &json!({"jsonrpc": "2.0", "id": self.next, "method": method, "params": params}).to_string();
            lines.push('\n');
        }
        self.reader.get_mut().write_all(lines.as_bytes()).unwrap();
    }

    /// The same connection, for somebody who only reads.
    pub fn answers(&self) -> Self {
        Self { reader: BufReader::new(self.reader.get_ref().try_clone().unwrap()), next: 0 }
    }

    /// The next line.
    pub fn read(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.write(method, [params]);
        let answer = self.read();
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Events as they come, from this place on.
    pub fn listening_since(mut self, since: u64) -> Self {
        self.call("listen", &json!({"since": since}));
        self
    }

    /// Events as they come, from now on.
    pub fn listening(mut self) -> Self {
        self.call("listen", &json!({}));
        self
    }

    /// The next event that fits.
    pub fn event(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.read()["params"].clone();
            if fits(&event) {
                return event;
            }
        }
    }
}
