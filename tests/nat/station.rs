//! A node on a host of the lab, and what is asked of it there.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::lab::{Gateway, Host, Net};
use crate::node::{Node, PATIENCE, becomes};
use crate::person::Person;

/// Where servers listen.
const PORT: u16 = 4001;

/// How much of its log is shown of a node when a test fails.
const LINES: usize = 250;

/// Somebody's node on their machine.
pub(crate) struct Station {
    node: Option<Node>,
    pub(crate) person: Person,
    args: Vec<String>,
    // After the node, which runs on it.
    pub(crate) host: Host,
}

impl Station {
    /// A node in the net, which serves as these flags say.
    pub(crate) fn server(net: &Net, name: &str, flags: &[&str], knowing: &[&Self]) -> Self {
        Self::server_on(net.host().unwrap(), name, flags, known(knowing))
    }

    /// The same, on this host of the net, with the addresses of servers.
    pub(crate) fn server_on(host: Host, name: &str, flags: &[&str], servers: Vec<String>) -> Self {
        let listen = addrs(host.addr);
        let listen = listen.iter().flat_map(|addr| ["--listen", addr]);
        let flags: Vec<_> = listen.chain(["--no-upnp"]).chain(flags.iter().copied()).collect();
        Self::on(host, name, &flags, servers)
    }

    /// A node at home, which does what nodes do, and knows nobody but these servers.
    pub(crate) fn home(gateway: &Gateway, name: &str, knowing: &[&Self]) -> Self {
        Self::home_at(gateway, name, known(knowing))
    }

    /// The same, with the addresses of servers.
    pub(crate) fn home_at(gateway: &Gateway, name: &str, servers: Vec<String>) -> Self {
        Self::on(gateway.home().unwrap(), name, &["--no-upnp"], servers)
    }

    /// The same, and it serves as these flags say.
    pub(crate) fn home_serving(gateway: &Gateway, name: &str, flags: &[&str], knowing: &[&Self]) -> Self {
        Self::on(gateway.home().unwrap(), name, &[&["--no-upnp"], flags].concat(), known(knowing))
    }

    /// The same, and it asks the gateway to forward its ports.
    pub(crate) fn home_with_upnp(gateway: &Gateway, name: &str, knowing: &[&Self]) -> Self {
        Self::on(gateway.home().unwrap(), name, &[], known(knowing))
    }

    fn on(host: Host, name: &str, flags: &[&str], servers: Vec<String>) -> Self {
        let person = Person::on_machine(name, host.name());
        if let Ok(filter) = std::env::var("ROHRPOST_LOG") {
            person.surround(vec![("ROHRPOST_LOG".to_owned(), filter)]);
        }
        let mut args: Vec<String> = ["-v", "run", "--no-mdns"].map(str::to_owned).into();
        args.extend(flags.iter().map(|&flag| flag.to_owned()));
        args.extend(servers.into_iter().flat_map(|addr| ["--bootstrap".to_owned(), addr]));
        let mut station = Self { node: None, person, args, host };
        station.start();
        station
    }

    /// The addresses of a server, with its peer ID.
    pub(crate) fn addrs(&self) -> Vec<String> {
        addrs(self.host.addr).map(|addr| format!("{addr}/p2p/{}", self.person.peer())).into()
    }

    pub(crate) fn node(&self) -> &Node {
        self.node.as_ref().unwrap()
    }

    /// Starts its node again.
    pub(crate) fn start(&mut self) {
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        self.node = Some(Node::run(&self.person, &args));
    }

    /// The node dies without a word.
    pub(crate) fn kill(&mut self) {
        self.node.take().unwrap().kill();
    }

    /// The node is ended.
    pub(crate) fn off(&mut self) {
        self.node.take().unwrap().off();
    }

    pub(crate) fn status(&self) -> Value {
        self.node().call().ask("status", &json!({}))["result"].clone()
    }

    /// Waits until its status is so. Nobody is told when that changes, so it is asked for, with a breath between.
    #[track_caller]
    pub(crate) fn settles(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut left = PATIENCE;
        let breath = Duration::from_millis(50);
        loop {
            let status = self.status();
            if is(&status) {
                return status;
            }
            left = left.checked_sub(breath).unwrap_or_else(|| panic!("not '{what}' but {status:#}"));
            thread::park_timeout(breath);
        }
    }

    /// Waits until it can be reached through so many relays.
    pub(crate) fn has_relays(&self, count: usize) {
        self.settles("relays", |status| {
            status["reach"]["relays"].as_array().is_some_and(|relays| relays.len() >= count)
        });
    }

    /// Waits until there is but one connection with the peer, and it is as said; its address.
    pub(crate) fn is_connected(&self, peer: &Self, direct: bool) -> String {
        let id = peer.person.peer();
        let of = |status: &Value| -> Vec<Value> {
            let all = status["connections"].as_array().unwrap().iter();
            all.filter(|connection| connection["peer_id"] == id).cloned().collect()
        };
        let what = if direct { "straight" } else { "through a relay" };
        let status = self.settles(what, |status| {
            matches!(of(status).as_slice(), [one] if one["direct"] == direct) && self.connections(peer) == 1
        });
        of(&status)[0]["addr"].as_str().unwrap().to_owned()
    }

    /// How many connections with the peer stand, by the log of the present node.
    fn connections(&self, peer: &Self) -> usize {
        let log = self.node().errors();
        let id = peer.person.peer();
        let short = &id[id.len() - 8..];
        let count = |what: &str| log.lines().filter(|line| line.contains(what) && line.contains(short)).count();
        count(" connected peer=").saturating_sub(count(" connection closed peer="))
    }

    /// How many circuits go through it.
    pub(crate) fn circuits(&self) -> u64 {
        self.status()["reach"]["relay_service"]["circuits"].as_u64().unwrap()
    }

    /// Uses the mailboxes of these servers from now on.
    pub(crate) fn uses(&self, servers: &[&Self]) {
        for server in servers {
            self.uses_at(&server.addrs());
        }
        self.settles("mailboxes", |status| status["mailboxes"].as_array().unwrap().len() == servers.len());
    }

    /// Uses the mailbox at these addresses.
    pub(crate) fn uses_at(&self, addrs: &[String]) {
        let addrs: Vec<&str> = addrs.iter().map(String::as_str).collect();
        self.person.one(&[&["mailbox", "use"], addrs.as_slice()].concat());
    }

    /// Adds somebody as a contact, by their link.
    pub(crate) fn adds(&self, other: &Self) {
        self.person.one(&["contacts", "add", &other.person.link()]);
    }

    /// Sends, and waits until it is delivered.
    pub(crate) fn tells(&self, other: &Self, text: &str) {
        self.person.send(other.person.peer(), text, "delivered");
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        if let Some(node) = self.node.as_ref().filter(|_| thread::panicking()) {
            let log = node.errors();
            let lines: Vec<&str> = log.lines().collect();
            let tail = lines[lines.len().saturating_sub(LINES)..].join("\n");
            eprintln!("\n{} at {}:\n{tail}", self.person.peer(), self.host.addr);
        }
    }
}

/// Where these are.
fn known(servers: &[&Station]) -> Vec<String> {
    servers.iter().flat_map(|server| server.addrs()).collect()
}

/// Waits until none of the servers carries a circuit.
pub(crate) fn without_circuits(servers: &[&Station]) {
    becomes("the end of the circuits", || {
        thread::park_timeout(Duration::from_millis(50));
        servers.iter().all(|server| server.circuits() == 0)
    });
}

fn addrs(addr: Ipv4Addr) -> [String; 2] {
    [format!("/ip4/{addr}/udp/{PORT}/quic-v1"), format!("/ip4/{addr}/tcp/{PORT}")]
}
