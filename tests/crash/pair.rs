//! Two who write to each other, and one of them dies.

use std::path::PathBuf;
use std::thread;

use serde_json::{Value, json};

use crate::calls::{Call, ask, pour};
use crate::check;
use crate::dice::Dice;
use crate::node::Node;
use crate::side::{Aftermath, Side, Wanted};

/// How a life ends.
#[derive(Clone, Debug)]
pub enum Trigger {
    /// At a failpoint, when it is come to for so many times.
    #[cfg_attr(not(feature = "failpoints"), allow(dead_code, reason = "there are no failpoints"))]
    Point(&'static str, usize),
    /// Before something is done to the disk, for so many times.
    Disk(usize),
    /// From outside, when so many lines were printed.
    Line(usize),
}

/// What goes on when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// The first writes to the second, who accepts.
    Request,
    /// Both write to each other for the first time.
    Crossing,
    /// They know each other.
    Talk,
}

/// One life of the one who dies.
#[derive(Clone, Debug)]
pub struct Life {
    pub traffic: Traffic,
    pub victim: usize,
    /// The other dies at the same time.
    pub both: bool,
    pub trigger: Trigger,
    pub aftermath: Aftermath,
    /// It dies again while it opens its store, before it does the so-manieth thing to the disk.
    pub again: Option<usize>,
    /// What was not answered is asked again.
    pub insists: bool,
    pub messages: [usize; 2],
    /// All messages are as large as they can be.
    pub large: bool,
    /// A day goes by before it.
    pub day: bool,
}

pub struct Pair {
    pub sides: [Side; 2],
    dice: Dice,
    lives: usize,
    /// What failpoints are set besides.
    pub points: &'static str,
}

impl Pair {
    pub fn new(seed: u64) -> Self {
        Self { sides: [Side::new("Alice"), Side::new("Bob")], dice: Dice::new(seed ^ 0xd1ce), lives: 0, points: "" }
    }

    /// Where both live.
    pub fn homes(&self) -> [PathBuf; 2] {
        [0, 1].map(|at| self.sides[at].person.path().to_owned())
    }

    /// One life, its end, and everything that has to hold then. Says whether it ended as it was to.
    pub fn live(&mut self, life: &Life) -> bool {
        let reached = self.run(life);
        self.end(life);
        self.check_at_rest(life).unwrap_or_else(|why| panic!("{why}"));
        self.go_on(life);
        reached
    }

    /// The life itself, up to its death.
    pub fn run(&mut self, life: &Life) -> bool {
        self.lives += 1;
        if life.day {
            self.sides.iter_mut().for_each(|side| side.days += 1);
        }
        let (victim, other) = (life.victim, 1 - life.victim);
        for at in [0, 1] {
            if self.sides[at].runs() && (at == victim || life.day) {
                self.sides[at].stop();
            }
        }
        if !self.sides[other].runs() {
            assert!(self.start(other, None, ""));
        }
        let (cut, point) = match &life.trigger {
            Trigger::Disk(n) => (Some(*n), String::new()),
            Trigger::Point(name, n) => (None, format!("{name}={n}")),
            Trigger::Line(_) => (None, String::new()),
        };
        let points = [point.as_str(), self.points].join(",");
        if !self.start(victim, cut, &points) {
            self.sides[victim].die(life.aftermath, &mut self.dice);
            let points = self.points;
            assert!(self.start(victim, None, points));
            self.burst(life, Some(1));
            return true;
        }
        let lines = if let Trigger::Line(n) = life.trigger { Some(n) } else { None };
        self.burst(life, lines)
    }

    /// The deaths, and what they leave.
    pub fn end(&mut self, life: &Life) {
        self.sides[life.victim].die(life.aftermath, &mut self.dice);
        if life.both {
            self.sides[1 - life.victim].die(life.aftermath, &mut self.dice);
        }
        if let Some(cut) = life.again {
            self.start(life.victim, Some(cut), "");
            self.sides[life.victim].die(life.aftermath, &mut self.dice);
        }
    }

    /// What the dead know, before anybody tells them anything.
    pub fn check_at_rest(&self, life: &Life) -> Result<(), String> {
        let dead: &[usize] = if life.both { &[0, 1] } else { &[life.victim] };
        let histories: Vec<_> = (0..2)
            .map(|at| {
                let with = self.sides[1 - at].person.peer();
                if dead.contains(&at) { self.sides[at].history_at_rest(with) } else { Ok(self.sides[at].history(with)) }
            })
            .collect::<Result<_, _>>()?;
        for &at in dead {
            let held = self.sides[at].held_at_rest(self.sides[1 - at].person.peer())?;
            check::at_rest(&self.sides[at], &histories[at], &held, &histories[1 - at])?;
        }
        Ok(())
    }

    /// All live again, and everything comes to its end.
    fn go_on(&mut self, life: &Life) {
        for at in [1 - life.victim, life.victim] {
            if at == life.victim || life.both {
                assert!(self.start(at, None, ""));
            }
        }
        for at in [0, 1] {
            self.ask_again(at, life);
        }
        if life.traffic != Traffic::Talk {
            self.acquaint();
        }
        check::delivered(&self.sides);
        check::both(&self.sides);
        self.say_something_new();
    }

    /// Both end in peace.
    pub fn stop(&mut self) {
        self.sides.iter_mut().for_each(Side::stop);
    }

    fn start(&mut self, at: usize, cut: Option<usize>, points: &str) -> bool {
        let other = &self.sides[1 - at];
        let other = other.runs().then(|| other.node().addr());
        self.sides[at].start(other.as_deref(), cut, points)
    }

    /// Both write; until the victim dies, or everything has arrived. Says whether it died.
    fn burst(&mut self, life: &Life, lines: Option<usize>) -> bool {
        let texts = [0, 1].map(|at| self.texts(at, life));
        let calls = [0, 1].map(|at| self.calls(at, &texts[at], life));
        let sides = &self.sides;
        let (alice, bob, victim) = (sides[0].node(), sides[1].node(), sides[life.victim].node());
        let accepts = life.traffic == Traffic::Request;
        let asked = json!({"who": sides[0].person.peer()});
        let (died, answers) = thread::scope(|scope| {
            let first = scope.spawn(|| pour(alice, &calls[0]));
            let second = scope.spawn(|| {
                if accepts {
                    // Whoever dies may die before that.
                    let is_there = |line: &Value| line["event"] == "request.new" || line["state"] == "sent";
                    if victim.until(|seen| seen.iter().any(is_there).then_some(())).is_err() {
                        return vec![None; calls[1].len()];
                    }
                    let accepted = pour(bob, &[("requests.accept", asked)]);
                    assert!(!matches!(accepted[0], Some(Err(_))), "{accepted:?}");
                }
                pour(bob, &calls[1])
            });
            let died = wait_for_the_end(victim, &texts[life.victim], &texts[1 - life.victim], lines);
            // The answers are all there, or the node is gone.
            if !died || lines.is_some() {
                victim.signal(rustix::process::Signal::KILL);
            }
            (died, [first.join().unwrap(), second.join().unwrap()])
        });
        for (at, answers) in answers.into_iter().enumerate() {
            self.note(at, &calls[at], answers);
        }
        died
    }

    /// What somebody is going to say in this life.
    fn texts(&mut self, at: usize, life: &Life) -> Vec<String> {
        let first = life.traffic != Traffic::Talk;
        (0..life.messages[at])
            .map(|i| {
                let label = format!("{}.{}.{i} ", self.lives, ["alice", "bob"][at]);
                let dice = &mut self.dice;
                let length = match dice.below(10) {
                    _ if first => dice.below(1500),
                    _ if life.large => 48 * 1024 - label.len() - dice.below(100),
                    0 => dice.between(4000, 40_000),
                    1..4 => dice.between(200, 4000),
                    _ => 0,
                };
                let filler = (0..length).map(|_| char::from(b'a' + u8::try_from(dice.below(26)).unwrap()));
                label + &filler.collect::<String>()
            })
            .collect()
    }

    fn calls(&mut self, at: usize, texts: &[String], life: &Life) -> Vec<Call> {
        let other = &self.sides[1 - at];
        let to = match life.traffic {
            // Bob answers one whom he knows by then.
            Traffic::Request if at == 1 => other.person.peer().to_owned(),
            Traffic::Request | Traffic::Crossing => other.link(),
            Traffic::Talk => other.person.peer().to_owned(),
        };
        let mut calls = Vec::new();
        for text in texts {
            calls.push(send(&to, text));
            if life.traffic == Traffic::Talk && self.dice.chance(15) {
                calls.push(("read", json!({"who": to})));
            }
        }
        calls
    }

    /// Notes what was wanted, and what was answered.
    fn note(&mut self, at: usize, calls: &[Call], answers: Vec<Option<Result<Value, Value>>>) {
        let side = &mut self.sides[at];
        for ((method, params), answer) in calls.iter().zip(answers) {
            let result = answer.map(|answer| answer.unwrap_or_else(|error| panic!("{method}: {error}")));
            if *method == "read" {
                side.read += result.map_or(0, |read| usize::try_from(read["read"].as_u64().unwrap()).unwrap());
                continue;
            }
            let (text, key) = (params["text"].as_str().unwrap().to_owned(), params["client_id"].as_str().unwrap());
            let id = result.map(|sent| sent["message_id"].as_str().unwrap().to_owned());
            side.wanted.push(Wanted { text, key: key.to_owned(), id });
        }
    }

    /// What was not answered is asked again, under the same key, or given up.
    fn ask_again(&mut self, at: usize, life: &Life) {
        if !life.insists {
            return;
        }
        let other = &self.sides[1 - at];
        // Nothing may be known of a stranger but the link.
        let to = if life.traffic == Traffic::Talk { other.person.peer().to_owned() } else { other.link() };
        let side = &mut self.sides[at];
        let open: Vec<usize> = (0..side.wanted.len()).filter(|i| side.wanted[*i].id.is_none()).collect();
        for i in open {
            let sent = ask(side.node(), "send", &send(&to, &side.wanted[i].text).1);
            assert_eq!(sent["client_id"], side.wanted[i].key);
            side.wanted[i].id = Some(sent["message_id"].as_str().unwrap().to_owned());
        }
    }

    /// Whoever has been written to, and has not written, accepts, if that has not happened yet.
    fn acquaint(&mut self) {
        let [alice, bob] = [0, 1].map(|at| self.sides[at].person.peer().to_owned());
        if self.sides[0].history(&bob).is_empty() && self.sides[1].history(&alice).is_empty() {
            // Death came before anything was said.
            let text = format!("{}.alice.first", self.lives);
            let sent = ask(self.sides[0].node(), "send", &send(&self.sides[1].link(), &text).1);
            let id = sent["message_id"].as_str().unwrap().to_owned();
            self.sides[0].wanted.push(Wanted { key: text.clone(), text, id: Some(id) });
        }
        for (at, writer) in [(0, &bob), (1, &alice)] {
            let node = self.sides[at].node();
            let of_writer = |list: &Value| list.as_array().unwrap().iter().any(|who| who["peer_id"] == writer.as_str());
            // Who writes to a stranger whose request waits has not accepted it by that.
            let mut pending = of_writer(&ask(node, "requests.list", &json!({})));
            if !pending && !of_writer(&ask(node, "contacts.list", &json!({}))) {
                node.event("request.new", |_| true);
                pending = true;
            }
            if pending {
                ask(node, "requests.accept", &json!({"who": writer}));
            }
        }
    }

    /// The conversation goes on, both ways.
    fn say_something_new(&mut self) {
        for at in [0, 1] {
            let to = self.sides[1 - at].person.peer().to_owned();
            let text = format!("{}.{}.new", self.lives, ["alice", "bob"][at]);
            let (method, mut params) = send(&to, &text);
            params["wait"] = "delivered".into();
            params["timeout_ms"] = 100_000.into();
            let sent = ask(self.sides[at].node(), method, &params);
            assert_eq!(sent["state"], "delivered", "{sent}");
            let id = sent["message_id"].as_str().unwrap().to_owned();
            self.sides[1 - at].node().arrived(&text);
            self.sides[at].wanted.push(Wanted { key: text.clone(), text, id: Some(id) });
        }
    }
}

fn send(to: &str, text: &str) -> Call {
    // The label is the first word.
    let key = text.split(' ').next().unwrap();
    // Who was written to meanwhile accepts by it.
    ("send", json!({"to": to, "text": text, "client_id": key, "accept": true}))
}

/// Waits until it is dead, has printed so many lines, or has nothing left to say and to hear. Says whether its life
/// ended as it was to.
fn wait_for_the_end(node: &Node, own: &[String], others: &[String], lines: Option<usize>) -> bool {
    let done = |seen: &[Value]| {
        if lines.is_some_and(|lines| seen.len() >= lines) {
            return Some(true);
        }
        let texts = |direction: &str, of: &[String]| -> Vec<String> {
            let messages = seen.iter().filter(|line| line["event"] == "message.new");
            let messages = messages.map(|line| &line["message"]).filter(|m| m["direction"] == direction);
            let messages = messages.filter(|m| of.iter().any(|text| m["text"] == text.as_str()));
            messages.map(|m| m["message_id"].as_str().unwrap().to_owned()).collect()
        };
        let sent = texts("out", own);
        let arrived = |id: &String| {
            let states = seen.iter().filter(|line| line["event"] == "message.state" && line["message_id"] == *id);
            states.into_iter().any(|line| line["state"] == "delivered" || line["state"] == "read")
        };
        let complete = sent.len() == own.len() && texts("in", others).len() == others.len();
        (complete && sent.iter().all(arrived)).then_some(false)
    };
    match node.until(done) {
        Ok(as_planned) => as_planned,
        Err(ended) => {
            assert!(ended, "neither dead nor done; its log:\n{}", node.errors());
            true
        }
    }
}
