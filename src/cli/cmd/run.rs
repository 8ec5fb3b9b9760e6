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

    /// Do not ask the router for a port (none is asked for yet)
    #[arg(long)]
    no_upnp: bool,
}

/// Runs it and prints its events.
pub(crate) fn run(args: RunArgs, context: &mut Context) -> Result<()> {
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    let options = RunOptions {
        listen: some(args.listen),
        bootstrap: some(args.bootstrap),
        mdns: args.no_mdns.then_some(false),
        upnp: args.no_upnp.then_some(false),
        tap: None,
    };
    context.run(&options, show)
}

fn show(event: &Event, output: &mut Output) -> Result<()> {
    match (&event.kind, output.form) {
        (EventKind::Ready { peer_id, addrs, .. }, Form::People { .. }) => {
            output.line(&format!("{}  {peer_id}", output.paint.tint(Tint::Green, "ready")))?;
            addrs.iter().try_for_each(|addr| output.line(&format!("       {}", safe::line(addr))))?;
            Ok(output.note("Ctrl-C or `rohrpost stop` ends it")?)
        }
        _ => listen::show(event, output),
    }
}
