//! `status`: what the node does.

use crate::api::{ClockFault, ClockWarning, Nat, NodeState, Reachability, RelayInUse, Status};
use crate::base::Millis;
use crate::base::shown::span;
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::style::Tint;
use crate::cli::output::table::{Cell, Record};
use crate::cli::output::{Output, name_and_peer};

/// Show whether a node runs, its connections and what waits to be sent
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {}

/// Asks the node, or reads what can be read without one.
pub(crate) fn run(_: StatusArgs, context: &mut Context) -> Result<()> {
    let (status, wrong) = context.status()?;
    show(&status, &mut context.output)?;
    wrong.map_or(Ok(()), |error| Err(error.into()))
}

fn show(status: &Status, output: &mut Output) -> Result<()> {
    let mut record = Record::default();
    let process = status.pid.map_or_else(String::new, |pid| format!(", process {pid}"));
    let (word, tint) = match status.node {
        NodeState::Off => ("not running".to_owned(), Tint::Yellow),
        NodeState::On => (format!("running{process}"), Tint::Green),
        NodeState::Silent => (format!("does not answer{process}"), Tint::Red),
        NodeState::InUse => (format!("none that can be asked; the profile is in use{process}"), Tint::Yellow),
    };
    record.row("node", "running", Cell::two(&word, &status.running.to_string()).tint(tint));
    match &status.peer_id {
        None if matches!(status.node, NodeState::Silent | NodeState::InUse) => {}
        Some(peer) => record.row("peer ID", "peer_id", Cell::copied(&peer.to_string())),
        None => record.row("peer ID", "peer_id", Cell::two("locked with a passphrase", "")),
    }
    // Nothing is known of a locked profile.
    if status.peer_id.is_some() {
        record.row("name", "name", Cell::text(&status.name));
        record.row("unread", "unread", Cell::number(status.unread));
        record.row("requests", "requests", Cell::number(status.requests));
        record.row("contacts", "contacts", Cell::number(status.contacts));
        record.row("outbox", "outbox", Cell::two(&waiting(status.outbox), &status.outbox.to_string()));
    }
    if let Some(warning) = status.clock {
        record.row(
            "clock",
            "clock",
            Cell::two(&output.here.told(&clock(warning)), warning.fault.word()).tint(Tint::Yellow),
        );
    }
    if let Some(elsewhere) = status.elsewhere {
        let (shown, tint) = match elsewhere.running {
            true => ("another node runs under it: see `rohrpost doctor`", Tint::Red),
            false => ("a card of it was made by another copy of the profile: see `rohrpost doctor`", Tint::Yellow),
        };
        let word = if elsewhere.running { "doubled" } else { "elsewhere" };
        record.row("identity", "identity", Cell::two(&output.here.told(shown), word).tint(tint));
    }
    record.row("folder", "data_dir", Cell::copied(&status.data_dir.display().to_string()));
    if status.node == NodeState::On {
        record.rows("address", "addr", output.helpful(&status.addrs).iter().map(|addr| Cell::copied(addr)));
        reach(status, &mut record);
        record.row("connected", "peers", Cell::number(status.peers));
        for connection in &status.connections {
            let who = name_and_peer(&connection.name, &connection.peer_id);
            let since = output.time(connection.since);
            let way = if connection.direct { "" } else { ", through a relay" };
            let shown = format!("{who} since {since} over {}{way}", connection.addr);
            record.row("", "peer", Cell::two(&shown, &connection.peer_id.to_string()));
        }
    }
    output.record(status, &record)
}

/// How others reach us, and what the node does for them.
fn reach(status: &Status, record: &mut Record) {
    let Some(reach) = &status.reach else { return };
    let (shown, tint) = match (status.reachability, reach.relays.len()) {
        (Reachability::Public, _) => ("others can dial this node".to_owned(), Tint::Green),
        (Reachability::Private, 0) => ("others cannot dial this node".to_owned(), Tint::Yellow),
        (Reachability::Private, n) => (format!("behind a NAT, reached through {n} relays"), Tint::Green),
        (Reachability::Unknown, _) => ("not known yet".to_owned(), Tint::Dim),
    };
    record.row("reachable", "reachability", Cell::two(&shown, status.reachability.word()).tint(tint));
    let nat = match reach.nat {
        Nat::Unknown => "",
        Nat::None => "none",
        Nat::Stable => "keeps ports: straight connections can be made",
        Nat::PortChanging => "changes ports: straight connections can be made",
        Nat::Symmetric => "gives each peer another port: straight connections succeed seldom",
    };
    if !nat.is_empty() {
        record.row("NAT", "nat", Cell::two(nat, reach.nat.word()));
    }
    let relay = |relay: &RelayInUse| {
        Cell::two(&format!("…{} at {}", relay.peer_id.short(), relay.addr), &relay.peer_id.to_string())
    };
    record.rows("relay", "relay", reach.relays.iter().map(relay));
    record.rows("mailbox", "mailbox", status.mailboxes.iter().map(|mailbox| Cell::text(mailbox)));
    let dht = &reach.dht;
    let part = if dht.server { format!(", keeps {} cards for others", dht.records) } else { String::new() };
    let card = if dht.published { "own card is there" } else { "own card is not there yet" };
    let shown = format!("{} peers, {card}{part}", dht.peers);
    record.row("DHT", "dht_peers", Cell::two(&shown, &dht.peers.to_string()));
    if let Some(relay) = &reach.relay_service {
        let shown = format!("{} peers, {} circuits", relay.reservations, relay.circuits);
        record.row("serves as relay", "relay_reservations", Cell::two(&shown, &relay.reservations.to_string()));
    }
    if let Some(mailbox) = &reach.mailbox_service {
        let shown = format!("{}: {} boxes, {} bytes", mailbox.serves, mailbox.boxes, mailbox.bytes);
        record.row("serves mailboxes", "mailbox_boxes", Cell::two(&shown, &mailbox.boxes.to_string()));
    }
}

fn clock(warning: ClockWarning) -> String {
    let by = span(Millis::from_secs(warning.seconds));
    match warning.fault {
        ClockFault::Ahead => format!("{by} further ahead than time was seen to pass: see `rohrpost doctor`"),
        ClockFault::Behind => format!("{by} before the time that it showed already: see `rohrpost doctor`"),
    }
}

fn waiting(messages: u64) -> String {
    match messages {
        0 => "empty".to_owned(),
        1 => "1 message is not delivered yet".to_owned(),
        n => format!("{n} messages are not delivered yet"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Connection, DhtStatus, Reach};
    use crate::cli::output::Form;
    use crate::cli::testing::{HOSTILE, NOW, PEOPLE, peer, written};

    fn status(running: bool) -> Status {
        let connection = Connection {
            peer_id: peer(2),
            name: HOSTILE.to_owned(),
            addr: "/ip4/192.0.2.1/tcp/1".to_owned(),
            direct: true,
            since: NOW,
        };
        Status {
            peer_id: running.then(|| peer(1)),
            name: "Alice".to_owned(),
            running,
            node: if running { NodeState::On } else { NodeState::Off },
            outbox: 2,
            reachability: Reachability::Private,
            reach: running.then(|| Reach {
                nat: Nat::Symmetric,
                dht: DhtStatus { peers: 7, ..DhtStatus::default() },
                ..Reach::default()
            }),
            addrs: vec!["/ip4/127.0.0.1/tcp/4001".to_owned()],
            connections: vec![connection],
            pid: running.then_some(42),
            data_dir: "/data/x".into(),
            ..Status::default()
        }
    }

    #[test]
    fn with_a_node_and_without() {
        let on = written(PEOPLE, |output| show(&status(true), output));
        assert!(on.starts_with("node       running, process 42\n"), "{on}");
        assert!(on.contains("outbox     2 messages are not delivered yet\n"), "{on}");
        assert!(on.contains("since 14:02 over\n           /ip4/192.0.2.1/tcp/1\n") && !on.contains('\x1b'), "{on}");
        assert!(
            on.contains("others cannot dial this node\n") && on.contains("7 peers, own card is not there yet\n"),
            "{on}"
        );
        let off = written(PEOPLE, |output| show(&status(false), output));
        assert_eq!(off, "node     not running\npeer ID  locked with a passphrase\nfolder   /data/x\n");
        for (node, words) in [(NodeState::Silent, "does not answer"), (NodeState::InUse, "in use")] {
            let kept = Status { node, pid: Some(42), data_dir: "/data/x".into(), ..Status::default() };
            let shown = written(PEOPLE, |output| show(&kept, output));
            assert!(shown.contains(words) && shown.contains("process 42") && !shown.contains("locked"), "{shown}");
        }
        let plain = written(Form::Plain, |output| show(&status(false), output));
        assert!(plain.starts_with("running\tfalse\npeer_id\t\n"), "{plain}");
    }
}
