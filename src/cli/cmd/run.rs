//! `run`: the node, in the foreground.

use crate::api::{Event, EventKind};
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::style::Tint;
use crate::cli::output::{Form, Output, safe};
use crate::client::RunOptions;

use super::listen;

/// Run the node in the foreground until it is stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints `ready` with the addresses, then each event as `listen` does. Logs go to stderr.
End it with Ctrl-C or `rohrpost stop`.

Examples:
  rohrpost run
  rohrpost run --listen /ip4/0.0.0.0/tcp/4001 --listen /ip4/0.0.0.0/udp/4001/quic-v1
  rohrpost run --serve-mailbox --serve-relay --listen /ip4/0.0.0.0/udp/4001/quic-v1
  rohrpost --json run --listen /ip4/127.0.0.1/tcp/0 --no-mdns")]
pub(crate) struct RunArgs {
    /// Listen on this multiaddress instead of on all interfaces (may be repeated)
    #[arg(long, value_name = "MULTIADDR")]
    listen: Vec<String>,

    /// Dial this address at the start; it ends in /p2p/PEER-ID (may be repeated)
    #[arg(long, value_name = "MULTIADDR")]
    bootstrap: Vec<String>,

    /// Do not look for peers in the local network
    #[arg(long)]
    no_mdns: bool,

    /// Do not ask the router for a port (UPnP)
    #[arg(long)]
    no_upnp: bool,

    /// Keep messages for others while their nodes are off: for everybody, or for your contacts only
    #[arg(long, value_name = "WHOM", num_args = 0..=1, require_equals = true, default_missing_value = "open")]
    #[arg(value_parser = ["open", "contacts"])]
    serve_mailbox: Option<String>,

    /// Keep messages for these only: contacts, or peer IDs (repeatable)
    #[arg(long, value_name = "WHO", conflicts_with = "serve_mailbox")]
    mailbox_for: Vec<String>,

    /// Pass bytes on between peers who cannot reach each other
    #[arg(long)]
    serve_relay: bool,

    /// Others can reach the addresses it listens on: count them as public without a test
    #[arg(long)]
    public: bool,

    /// Serve figures in the format of Prometheus here; without a host: on 127.0.0.1
    #[arg(long, value_name = "[HOST:]PORT")]
    metrics: Option<String>,
}

/// Runs it and prints its events.
pub(crate) fn run(args: RunArgs, context: &mut Context) -> Result<()> {
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    let options = RunOptions {
        listen: some(args.listen),
        bootstrap: some(args.bootstrap),
        mdns: args.no_mdns.then_some(false),
        upnp: args.no_upnp.then_some(false),
        serve_mailbox: args.serve_mailbox.map(|whom| vec![whom]).or_else(|| some(args.mailbox_for)),
        serve_relay: args.serve_relay.then_some(true),
        public: args.public.then_some(true),
        metrics: args.metrics,
        ..RunOptions::default()
    };
    context.run(&options, show)
}

fn show(event: &Event, output: &mut Output) -> Result<()> {
    match (&event.kind, output.form) {
        (EventKind::Ready { peer_id, addrs, .. }, Form::People { .. }) => {
            output.line(&format!("{}  {peer_id}", output.paint.tint(Tint::Green, "ready")))?;
            addrs.iter().try_for_each(|addr| output.line(&format!("       {}", safe::line(addr))))?;
            output.note("Ctrl-C or `rohrpost stop` ends it")
        }
        _ => listen::show(event, output),
    }
}
