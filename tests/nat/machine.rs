//! A process inside a namespace, as the test sees it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use crate::netns::Namespace;

/// How long a test waits for a line before it fails: a guard, not a pace.
const GUARD: Duration = Duration::from_secs(60);

/// This very binary, started again inside a namespace.
pub(crate) struct Machine {
    child: Child,
    orders: ChildStdin,
    lines: Receiver<String>,
    heard: Vec<String>,
    /// The peer ID.
    pub(crate) id: String,
}

impl Machine {
    /// Starts it and waits until it is ready.
    pub(crate) fn boot(namespace: &Namespace, seed: u8) -> Self {
        Self::boot_at(namespace, seed, &[])
    }

    /// The same, listening there.
    pub(crate) fn boot_at(namespace: &Namespace, seed: u8, listen: &[&str]) -> Self {
        let itself = std::env::current_exe().unwrap();
        let mut command = namespace.command(&itself);
        command.args([crate::INSIDE, &seed.to_string()]).args(listen).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (orders, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (told, lines) = sync_channel(1024);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if told.send(line).is_err() {
                    return;
                }
            }
        });
        let mut machine = Self { child, orders, lines, heard: Vec::new(), id: String::new() };
        machine.id = machine.hears("ready ");
        machine
    }

    /// The ID of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
    }

    /// Waits for a line that begins so, said since the start or from now on; gives its rest.
    pub(crate) fn hears(&mut self, beginning: &str) -> String {
        loop {
            if let Some(rest) = self.heard.iter().find_map(|line| line.strip_prefix(beginning)) {
                return rest.to_owned();
            }
            match self.lines.recv_timeout(GUARD) {
                Ok(line) => self.heard.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("no '{beginning}' but {:#?}", self.heard),
                Err(RecvTimeoutError::Disconnected) => panic!("ended without '{beginning}': {:#?}", self.heard),
            }
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
