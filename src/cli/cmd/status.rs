//! `status`: what the node does.

use crate::api::Status;
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
    let status = context.status()?;
    show(&status, &mut context.output)
}

fn show(status: &Status, output: &mut Output) -> Result<()> {
    if output.is_json() {
        return Ok(output.json(status)?);
    }
    let mut record = Record::default();
    let (word, tint) = match status.pid {
        _ if !status.running => ("not running".to_owned(), Tint::Yellow),
        Some(pid) => (format!("running, process {pid}"), Tint::Green),
        None => ("running".to_owned(), Tint::Green),
    };
    record.row("node", "running", Cell::two(&word, &status.running.to_string()).tint(tint));
    match &status.peer_id {
        Some(peer) => record.row("peer ID", "peer_id", Cell::text(&peer.to_string())),
        None => record.row("peer ID", "peer_id", Cell::two("locked with a passphrase", "")),
    }
    let number = |n: u64| Cell::text(&n.to_string());
    record.row("name", "name", Cell::text(&status.name));
    record.row("unread", "unread", number(status.unread));
    record.row("requests", "requests", number(status.requests));
    record.row("contacts", "contacts", number(status.contacts));
    record.row("outbox", "outbox", Cell::two(&waiting(status.outbox), &status.outbox.to_string()));
    record.row("folder", "data_dir", Cell::text(&status.data_dir.display().to_string()));
    if status.running {
        for (i, addr) in status.addrs.iter().enumerate() {
            record.row(if i == 0 { "address" } else { "" }, "addr", Cell::text(addr));
        }
        record.row("connected", "peers", number(status.peers));
        for connection in &status.connections {
            let who = name_and_peer(&connection.name, &connection.peer_id);
            let since = output.time(connection.since);
            let shown = format!("{who} since {since} over {}", connection.addr);
            record.row("", "peer", Cell::two(&shown, &connection.peer_id.to_string()));
        }
    }
    Ok(output.record(&record)?)
}

fn waiting(messages: u64) -> String {
    match messages {
        0 => "empty".to_owned(),
        1 => "1 message is not delivered yet".to_owned(),
        n => format!("{n} messages are not delivered yet"),
    }
}
