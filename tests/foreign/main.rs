//! A second implementation in small, on another libp2p (js-libp2p), against the program as it is run.
//!
//! `client.mjs` is written from `docs/protocol` alone. It needs Node 20.19 and its packages (`npm ci --ignore-scripts` in this folder). Where they are
//! not to be had the tests are shown as ignored; with `ROHRPOST_REQUIRE_NODE=1` they fail instead.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is a test, though without the attribute"
)]
#![allow(unreachable_pub, reason = "a test binary has no other crate to be reached from")]

#[allow(dead_code, reason = "the tests of processes use all of it")]
#[path = "../process/node.rs"]
mod node;
#[allow(dead_code, reason = "the tests of processes use all of it")]
#[path = "../process/person.rs"]
mod person;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Trial};
use serde_json::Value;

use crate::node::{Node, Talker, becomes};
use crate::person::{Person, TCP};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/foreign");

fn main() -> ExitCode {
    let has = is_there();
    if let Err(missing) = &has
        && std::env::var_os("ROHRPOST_REQUIRE_NODE").is_some()
    {
        panic!("{missing}");
    }
    let trial = |name: &str, run: fn()| {
        let run = move || {
            run();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(has.is_err())
    };
    let trials = vec![
        trial("the_vectors_are_those_of_another_implementation", the_vectors_are_those_of_another_implementation),
        trial("two_implementations_talk", two_implementations_talk),
        trial(
            "questions_beyond_are_reset_and_the_connection_lives",
            questions_beyond_are_reset_and_the_connection_lives,
        ),
        trial("who_takes_no_streams_of_the_dht_stays_connected", who_takes_no_streams_of_the_dht_stays_connected),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Whether Node is there, and the packages.
fn is_there() -> Result<(), String> {
    let version = Command::new("node").arg("--version").output().map_err(|error| format!("no node: {error}"))?;
    let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
    let mut parts = version.trim_start_matches('v').split('.').map(|part| part.parse().unwrap_or(0));
    if (parts.next(), parts.next()) < (Some(20), Some(19)) {
        return Err(format!("node is {version}, and has to be 20.19 or later"));
    }
    match Path::new(HERE).join("node_modules/libp2p").exists() {
        true => Ok(()),
        false => Err(format!("no packages: `npm ci --ignore-scripts` in {HERE}")),
    }
}

/// Somebody on another libp2p. He is there as long as this is.
struct Foreigner(Talker);

impl Foreigner {
    /// He does this with the node.
    fn does(person: &Person, node: &Node, what: &str, with: &str) -> Self {
        let mut command = Command::new("node");
        // His standard input ends with us.
        command.args([&format!("{HERE}/client.mjs"), what, &node.addr(), with]).stdin(Stdio::piped());
        Self(Talker::of(command, person.new_log()))
    }

    fn says(&self, event: &str) -> Value {
        self.0.event(event, |_| true)
    }
}

fn the_vectors_are_those_of_another_implementation() {
    let told = Command::new("node").arg(format!("{HERE}/vectors.mjs")).output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}

/// Identify, ping, the card and a prekey, a first contact, an answer, and the report of it: each side reads the other.
fn two_implementations_talk() {
    let bob = Person::new("Bob");
    let node = Node::start(&bob, TCP, &[]);
    let jo = Foreigner::does(&bob, &node, "write", "Hello from elsewhere");
    let connected = jo.says("connected");
    let protocols: Vec<_> = connected["protocols"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for protocol in ["/rohrpost/env/1", "/rohrpost/card/1", "/ipfs/ping/1.0.0"] {
        assert!(protocols.contains(&protocol), "{protocols:?}");
    }
    assert!(!protocols.contains(&"/rohrpost/kad/1"), "no server of the DHT");
    assert!(jo.says("ping")["milliseconds"].is_number());
    assert_eq!(jo.says("card")["prekey"], true);
    let sent = jo.says("sent");
    assert_eq!(sent["acknowledged"], 1, "{sent}");
    let who = connected["as"].as_str().unwrap();
    let request = bob.one(&["requests", "show", who]);
    assert_eq!((&request["name"], &request["texts"][0]["text"]), (&"Jo".into(), &"Hello from elsewhere".into()));
    bob.one(&["requests", "accept", who]);
    assert_eq!(jo.says("delivered")["id"], sent["id"], "the acceptance reports the first message");
    let answer = bob.one(&["send", who, "Hello back"]);
    assert_eq!(jo.says("text")["text"], "Hello back");
    assert!(jo.says("reported")["acknowledged"].is_number());
    node.reached(answer["message_id"].as_str().unwrap(), "delivered");
}

/// NET-4: what is beyond the bounds of a connection is reset, and costs neither the others nor the connection.
fn questions_beyond_are_reset_and_the_connection_lives() {
    let bob = Person::new("Bob");
    let node = Node::start(&bob, TCP, &[]);
    for (count, answered) in [("8", 8), ("16", 8), ("200", 8)] {
        let asked = Foreigner::does(&bob, &node, "ask", count).says("asked");
        assert!(asked["answered"].as_u64().unwrap() >= answered, "{asked}");
        assert_eq!((&asked["alive"], &asked["again"]), (&true.into(), &true.into()), "{asked}");
    }
}

/// NET-3, NET-57: peers who list no DHT, and such as list one and refuse each of its streams, stay connected when a node becomes a server of
/// it and makes its mailbox known; and each is counted as long as he is there.
fn who_takes_no_streams_of_the_dht_stays_connected() {
    const EACH: usize = 6;
    let (bob, carol) = (Person::new("Bob"), Person::new("Carol"));
    let node = Node::run(&bob, &[&Node::args(TCP, &[])[..], &["--serve-mailbox"]].concat());
    let count = EACH.to_string();
    let foreign = [Foreigner::does(&bob, &node, "stay", &count), Foreigner::does(&bob, &node, "break", &count)];
    for them in &foreign {
        assert_eq!(them.says("there")["peers"].as_array().unwrap().len(), EACH);
    }
    let server = Node::start(&carol, TCP, &[&node]);
    let status = || bob.one(&["status"]);
    becomes("a server of the DHT that has put its card", || {
        let dht = status()["reach"]["dht"].clone();
        dht["server"] == true && dht["published"] == true
    });
    let there = |count: usize| status()["peers"].as_u64() == u64::try_from(count).ok();
    becomes("as many as before, and Carol", || there(2 * EACH + 1));
    let log = String::from_utf8_lossy(&node.log()).into_owned();
    assert!(!log.contains("panicked"), "{log}");
    let closed = |them: &Foreigner| them.0.seen().iter().any(|line| line["event"] == "closed");
    assert!(!foreign.iter().any(closed), "somebody was cut off");
    drop(foreign);
    becomes("only Carol", || there(1));
    drop(server);
}
