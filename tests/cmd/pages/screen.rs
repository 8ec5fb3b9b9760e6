//! A terminal of 80 columns, a command line at it, and somebody who answers what is asked.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// What is typed where a passphrase is wanted, and stands in files for one.
pub(super) const PASSPHRASE: &str = "correct horse battery staple";
/// A failure guard only: nothing that works takes so long.
const PATIENCE: Duration = Duration::from_secs(120);

/// What came out, and whether that was all.
#[derive(Default)]
struct Output {
    bytes: Vec<u8>,
    is_over: bool,
}

pub(super) struct Screen {
    child: Child,
    keyboard: File,
    output: Arc<(Mutex<Output>, Condvar)>,
    /// How much had come when the last answer was typed.
    answered: usize,
    /// The lines with a question; who reads a page knows that he is asked.
    asked: Vec<usize>,
}

impl Screen {
    /// Begins the command line in a shell, in the surroundings of this command.
    pub(super) fn start(mut setsid: Command, line: &str) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let theirs = || File::options().read(true).write(true).open(name.to_str().unwrap()).unwrap();
        setsid.args(["--ctty", "bash", "-eo", "pipefail", "-c", line]);
        let child = setsid.stdin(theirs()).stdout(theirs()).stderr(theirs()).spawn().unwrap();
        // Its streams are the child's alone, so that their end is seen.
        drop(setsid);
        let keyboard = File::from(master);
        let output = Arc::new((Mutex::new(Output::default()), Condvar::new()));
        let (mut from, to) = (keyboard.try_clone().unwrap(), Arc::clone(&output));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = from.read(&mut bytes) {
                to.0.lock().unwrap().bytes.extend(&bytes[..read]);
                to.1.notify_all();
            }
            to.0.lock().unwrap().is_over = true;
            to.1.notify_all();
        });
        Self { child, keyboard, output, answered: 0, asked: Vec::new() }
    }

    /// Waits until what is seen is enough, or all that there will be, and answers questions meanwhile.
    pub(super) fn until(&mut self, enough: impl Fn(&[String]) -> bool) -> Result<Vec<String>, String> {
        let output = Arc::clone(&self.output);
        let (mut now, changed) = (output.0.lock().unwrap(), &output.1);
        loop {
            let (lines, last) = lines(&now.bytes);
            let answer = answer(&last).filter(|_| now.bytes.len() > self.answered);
            if let Some(answer) = answer {
                self.answered = now.bytes.len();
                self.asked.push(lines.len());
                self.keyboard.write_all(answer.as_bytes()).unwrap();
            }
            let is_question = |at: &usize| self.asked.contains(at);
            let mut seen: Vec<String> =
                lines.into_iter().enumerate().filter(|(at, _)| !is_question(at)).map(|(_, line)| line).collect();
            if now.is_over && !last.is_empty() {
                seen.push(last.clone());
            }
            if now.is_over || enough(&seen) {
                return Ok(seen);
            }
            let length = now.bytes.len();
            let nothing_new = |now: &mut Output| now.bytes.len() == length && !now.is_over;
            let (later, waited) = changed.wait_timeout_while(now, PATIENCE, nothing_new).unwrap();
            if waited.timed_out() {
                return Err(format!("it does not end, nor go on, after:\n{}\n{last}", seen.join("\n")));
            }
            now = later;
        }
    }

    /// Waits for the end; all that was seen.
    pub(super) fn ended(&mut self) -> Result<(Vec<String>, ExitStatus), String> {
        let seen = self.until(|_| false)?;
        Ok((seen, self.child.wait().unwrap()))
    }

    /// Ends it as a service manager does, or as Ctrl-C.
    pub(super) fn signal(&self, signal: Signal) {
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// What is typed when this stands in a line that is not at its end.
fn answer(line: &str) -> Option<String> {
    match line {
        _ if line.ends_with("[y/N] ") => Some("y\n".to_owned()),
        _ if line.ends_with(": ") => Some(format!("{PASSPHRASE}\n")),
        _ => None,
    }
}

/// The lines as they stand there, and the one that is not at its end. Of what moves the cursor only the return to the begin of
/// a line is known, behind which what stood in it is written over.
fn lines(bytes: &[u8]) -> (Vec<String>, String) {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n");
    let mut lines: Vec<String> =
        text.split('\n').map(|line| plain(line.rsplit('\r').next().unwrap_or_default())).collect();
    let last = lines.pop().unwrap_or_default();
    (lines, last)
}

/// Without escape sequences.
fn plain(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain += part.split_once(|c: char| ('@'..='~').contains(&c)).map_or("", |(_, rest)| rest);
    }
    plain
}
