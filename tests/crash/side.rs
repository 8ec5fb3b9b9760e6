//! One of the two who write to each other: what they wanted, what they were told, and their disk.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::calls::ask;
use crate::dice::Dice;
use crate::disk::{Cut, Disk, History};
use crate::node::Node;
use crate::person::{Person, TCP};
use crate::shim::{self, Asked};

/// A message that somebody wanted to send.
pub struct Wanted {
    pub text: String,
    pub key: String,
    /// Its ID, when `send` has returned it: from then on it must not get lost.
    pub id: Option<String>,
}

/// How the disk fares when the process dies.
#[derive(Clone, Copy, Debug)]
pub enum Aftermath {
    /// The machine goes on: everything that was written is there.
    Killed,
    /// The power was cut.
    PowerCut(Cut),
}

pub struct Side {
    pub person: Person,
    node: Option<Node>,
    pub wanted: Vec<Wanted>,
    /// How many incoming messages a call of `read` said it had marked.
    pub read: usize,
    /// Days that have gone by.
    pub days: usize,
    journal: PathBuf,
    base: Option<(Disk, std::collections::HashMap<u64, usize>)>,
}

impl Side {
    pub fn new(name: &str) -> Self {
        let person = Person::new(name);
        let journal = person.path().join("journal");
        Self { person, node: None, wanted: Vec::new(), read: 0, days: 0, journal, base: None }
    }

    pub fn node(&self) -> &Node {
        self.node.as_ref().expect("the node runs")
    }

    pub fn runs(&self) -> bool {
        self.node.is_some()
    }

    /// The link with which strangers write.
    pub fn link(&self) -> String {
        ask(self.node(), "id.show", &json!({}))["link"].as_str().unwrap().to_owned()
    }

    /// Starts the node; false when it died before it was ready.
    pub fn start(&mut self, other: Option<&str>, cut: Option<usize>, points: &str) -> bool {
        assert!(self.node.is_none());
        self.base = Some(Disk::of(self.person.path()));
        let mut with = shim::surroundings(&self.person, &self.journal, Asked { cut, days: self.days });
        let logs = "warn,rohrpost::messenger=debug,rohrpost::net=debug";
        with.extend([("ROHRPOST_LOG", logs), ("ROHRPOST_FAILPOINTS", points)].map(|(a, b)| (a.into(), b.into())));
        self.person.surround(with);
        let begun = Node::begin(&self.person, &Node::args(TCP, other.as_slice()));
        self.person.surround(Vec::new());
        match begun {
            Ok(node) => self.node = Some(node),
            Err(mut talker) => {
                let status = talker.ended();
                assert_eq!(status.signal(), Some(Signal::KILL.as_raw()), "{status}\n{}", talker.errors());
                self.check_journal();
            }
        }
        self.node.is_some()
    }

    /// Ends the node as a service manager does.
    pub fn stop(&mut self) {
        let node = self.node.take().expect("the node runs");
        check_log(&node.errors());
        node.off();
        self.check_journal();
    }

    /// Kills the node, if it has not died already, and lets the disk have its way.
    pub fn die(&mut self, aftermath: Aftermath, dice: &mut Dice) {
        if let Some(node) = self.node.take() {
            check_log(&node.errors());
            node.kill();
        }
        let history = self.check_journal();
        if let Aftermath::PowerCut(cut) = aftermath {
            history.cut(cut, dice).restore(self.person.path());
        }
    }

    /// The journal of the life that has ended: nothing went by it, and nothing was written where nothing may be.
    fn check_journal(&mut self) -> History {
        let (base, inodes) = self.base.clone().expect("it was started");
        let records = shim::read(&self.journal);
        let history = History::new(base, inodes, records);
        history.leads_to(self.person.path());
        let grown = history.named.iter().find(|path| path.parent().is_some_and(|folder| folder.ends_with("blobs")));
        assert_eq!(grown, None, "a row has grown out of the database");
        history
    }

    /// What is said to have been said, by the rows alone: no node runs.
    pub fn history_at_rest(&self, with: &str) -> Result<Vec<Value>, String> {
        let params = json!({"who": with, "limit": 1000}).to_string();
        let said = self.person.say(&["rpc", "history", &params]);
        match said.code {
            Some(0) => Ok(said.out[0].as_array().unwrap().clone()),
            Some(6) => Ok(Vec::new()),
            _ => Err(said.err),
        }
    }

    /// The texts of a pending request, by the rows alone.
    pub fn held_at_rest(&self, from: &str) -> Result<Vec<String>, String> {
        let said = self.person.say(&["rpc", "requests.show", &json!({"who": from}).to_string()]);
        match said.code {
            Some(0) => Ok(said.out[0]["texts"].as_array().unwrap().iter().map(text_of).collect()),
            Some(6) => Ok(Vec::new()),
            _ => Err(said.err),
        }
    }

    /// What is said to have been said, by the node.
    pub fn history(&self, with: &str) -> Vec<Value> {
        let history = ask(self.node(), "history", &json!({"who": with, "limit": 1000}));
        history.as_array().unwrap().clone()
    }
}

pub fn text_of(message: &Value) -> String {
    message["text"].as_str().unwrap().to_owned()
}

/// What would be mended by a new session, or by asking again, must not have been broken.
pub fn check_log(log: &str) {
    for sign in
        ["did not open", "panicked", "the store is closed", "the store failed", "an input failed", "a commit failed"]
    {
        assert!(!log.contains(sign), "{log}");
    }
}
