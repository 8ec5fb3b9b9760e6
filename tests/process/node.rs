//! A node in a process of its own, and what it printed so far.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::person::Person;

/// A failure guard only: nothing that works takes so long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The lines of a child, as they come.
#[derive(Default)]
struct Lines {
    seen: Vec<Value>,
    ended: bool,
}

/// A child that prints one JSON object a line: `run` or `listen`.
pub struct Talker {
    child: Child,
    lines: Arc<(Mutex<Lines>, Condvar)>,
    log: PathBuf,
}

impl Talker {
    pub fn spawn(person: &Person, args: &[&str]) -> Self {
        Self::of(person.command(args), person.new_log())
    }

    /// The same, by a command of its own.
    pub fn of(mut command: Command, log: PathBuf) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(File::options().create(true).append(true).open(&log).unwrap())
            .spawn()
            .unwrap();
        let lines = Arc::new((Mutex::new(Lines::default()), Condvar::new()));
        let (stdout, shared) = (child.stdout.take().unwrap(), Arc::clone(&lines));
        thread::spawn(move || read_lines(stdout, &shared));
        Self { child, lines, log }
    }

    /// The first line, printed already or still to come, that fits.
    pub fn wait(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let found = |seen: &[Value]| seen.iter().find(|line| fits(line)).cloned();
        self.until(found).unwrap_or_else(|ended| {
            let seen: Vec<String> = self.seen().iter().map(Value::to_string).collect();
            panic!("{what} did not come (ended: {ended}); printed:\n{}\nlog:\n{}", seen.join("\n"), self.errors());
        })
    }

    /// What is found in the lines, those that were printed already and those still to come; when nothing was, whether
    /// it has ended.
    pub fn until<T>(&self, found: impl Fn(&[Value]) -> Option<T>) -> Result<T, bool> {
        let (lines, changed) = &*self.lines;
        let mut result = None;
        let nothing_yet = |lines: &mut Lines| {
            result = found(&lines.seen);
            !lines.ended && result.is_none()
        };
        let (lines, _) = changed.wait_timeout_while(lines.lock().unwrap(), PATIENCE, nothing_yet).unwrap();
        result.ok_or(lines.ended)
    }

    /// What it wrote to stderr.
    pub fn errors(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The first event of this name for which `fits`.
    pub fn event(&self, name: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait(name, |line| line["event"] == name && fits(line))
    }

    /// All lines so far.
    pub fn seen(&self) -> Vec<Value> {
        self.lines.0.lock().unwrap().seen.clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended.
    #[allow(dead_code, reason = "the tests between machines do without")]
    pub fn is_running(&self) -> bool {
        !self.lines.0.lock().unwrap().ended
    }

    /// Waits until its log tells of something.
    pub fn says(&self, what: &str) {
        becomes(what, || String::from_utf8_lossy(&self.log()).contains(what));
    }

    /// What it wrote to stderr so far.
    pub fn log(&self) -> Vec<u8> {
        fs::read(&self.log).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; afterwards `seen` is complete.
    pub fn ended(&mut self) -> ExitStatus {
        let _guard = Watchdog::over(&self.child);
        let status = self.child.wait().unwrap();
        let (lines, changed) = &*self.lines;
        drop(changed.wait_timeout_while(lines.lock().unwrap(), PATIENCE, |lines| !lines.ended).unwrap());
        status
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_lines(stdout: ChildStdout, shared: &(Mutex<Lines>, Condvar)) {
    for line in BufReader::new(stdout).lines() {
        // A line that was cut off by a kill is no line.
        let Some(value) = line.ok().and_then(|line| serde_json::from_str(&line).ok()) else { continue };
        shared.0.lock().unwrap().seen.push(value);
        shared.1.notify_all();
    }
    shared.0.lock().unwrap().ended = true;
    shared.1.notify_all();
}

/// `run`, and `ready` was printed.
pub struct Node {
    talker: Talker,
    ready: Value,
}

impl Node {
    pub fn start(person: &Person, listen: &str, knowing: &[&Self]) -> Self {
        Self::with(person, &[], listen, knowing)
    }

    /// With other global flags.
    pub fn with(person: &Person, flags: &[&str], listen: &str, knowing: &[&Self]) -> Self {
        let others: Vec<String> = knowing.iter().map(|node| node.addr()).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        Self::run(person, &[flags, &Self::args(listen, &others)].concat())
    }

    /// The arguments of `run`, with the nodes to dial.
    pub fn args<'a>(listen: &'a str, others: &[&'a str]) -> Vec<&'a str> {
        let args = ["run", "--listen", listen, "--no-mdns", "--no-upnp"].into_iter();
        args.chain(others.iter().flat_map(|other| ["--bootstrap", other])).collect()
    }

    /// With these arguments.
    pub fn run(person: &Person, args: &[&str]) -> Self {
        Self::begin(person, args).unwrap_or_else(|talker| panic!("no node; its log:\n{}", talker.errors()))
    }

    /// With these arguments, telling texts; the process alone when it ended before it was ready.
    pub fn begin(person: &Person, args: &[&str]) -> Result<Self, Box<Talker>> {
        let talker = Talker::spawn(person, &[args, &["--texts"]].concat());
        match talker.until(|seen| seen.first().cloned()) {
            Ok(ready) => {
                assert_eq!(ready["event"], "ready");
                assert_eq!(ready["pid"], talker.pid());
                Ok(Self { talker, ready })
            }
            Err(ended) => {
                assert!(ended, "it is not ready and does not end; its log:\n{}", talker.errors());
                Err(Box::new(talker))
            }
        }
    }

    /// Where it listens, with its peer ID.
    pub fn addr(&self) -> String {
        self.ready["addrs"][0].as_str().unwrap().to_owned()
    }

    /// All of them, without the peer ID, in order.
    #[allow(dead_code, reason = "the tests between machines use it")]
    pub fn addrs(&self) -> Vec<String> {
        let bare = |addr: &Value| addr.as_str().unwrap().split("/p2p/").next().unwrap().to_owned();
        let mut addrs: Vec<String> = self.ready["addrs"].as_array().unwrap().iter().map(bare).collect();
        addrs.sort();
        addrs
    }

    pub fn socket(&self) -> PathBuf {
        self.ready["socket"].as_str().unwrap().into()
    }

    pub fn call(&self) -> Rpc {
        Rpc::connect(&self.socket())
    }

    /// The message came in.
    pub fn arrived(&self, text: &str) -> Value {
        self.event("message.new", |event| event["message"]["direction"] == "in" && event["message"]["text"] == text)
    }

    /// The message came so far.
    pub fn reached(&self, message: &str, state: &str) {
        self.event("message.state", |event| event["message_id"] == message && event["state"] == state);
    }

    /// How many messages came in.
    pub fn incoming(&self) -> usize {
        self.seen().iter().filter(|line| line["message"]["direction"] == "in").count()
    }

    /// Its process, to wait for its end.
    #[allow(dead_code, reason = "the tests between machines do without")]
    pub fn ended(mut self) -> ExitStatus {
        self.talker.ended()
    }

    /// As a power cut would: nothing is said, nothing is closed.
    pub fn kill(mut self) {
        self.talker.signal(Signal::KILL);
        assert_eq!(self.talker.ended().signal(), Some(Signal::KILL.as_raw()));
    }

    /// Ends it with a signal, as a service manager does; it has to end well. What it printed.
    pub fn end(mut self, signal: Signal) -> Vec<Value> {
        self.talker.signal(signal);
        let status = self.talker.ended();
        let log = self.talker.errors();
        assert_eq!(status.code(), Some(0), "after {signal:?}: {status}\n{log}");
        assert!(!self.socket().exists(), "the socket is left behind");
        self.talker.seen()
    }

    pub fn off(self) {
        self.end(Signal::TERM);
    }
}

impl std::ops::Deref for Node {
    type Target = Talker;

    fn deref(&self) -> &Talker {
        &self.talker
    }
}

/// A program that talks to the socket itself.
pub struct Rpc {
    reader: BufReader<UnixStream>,
    last: u64,
}

impl Rpc {
    pub fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { reader: BufReader::new(stream), last: 0 }
    }

    /// Writes a call and does not wait for its answer; `false` when the node is gone.
    pub fn write(&mut self, method: &str, params: &Value) -> bool {
        self.last += 1;
        let line = json!({"jsonrpc": "2.0", "id": self.last, "method": method, "params": params});
        self.reader.get_mut().write_all(format!("{line}\n").as_bytes()).is_ok()
    }

    /// The next line from the node.
    pub fn read(&mut self) -> Value {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// The whole answer, with its `result` or `error`.
    pub fn ask(&mut self, method: &str, params: &Value) -> Value {
        assert!(self.write(method, params));
        let answer = self.read();
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(self.last)), "{answer}");
        answer
    }
}

/// Waits until it is so, for what tells nobody that it has changed.
#[expect(clippy::disallowed_methods, reason = "a failure guard only")]
pub fn becomes(what: &str, mut is: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is() {
        assert!(begun.elapsed() < PATIENCE, "'{what}' does not come");
        thread::yield_now();
    }
}

/// Kills a child that does not end.
pub struct Watchdog(#[expect(dead_code, reason = "dropping it calls the dog off")] SyncSender<()>);

impl Watchdog {
    pub fn over(child: &Child) -> Self {
        let (calls_off, called_off) = sync_channel(0);
        let pid = Pid::from_child(child);
        thread::spawn(move || {
            if called_off.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                let _ = kill_process(pid, Signal::KILL);
            }
        });
        Self(calls_off)
    }
}
