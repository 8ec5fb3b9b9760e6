//! `run`: the node, in the foreground.

use std::io::IsTerminal as _;

use crate::api::{Event, EventKind, ServeMailbox};
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::cli::output::style::Tint;
use crate::cli::output::{Form, Output, safe};
use crate::client::RunOptions;

use super::listen;

/// Run the node in the foreground until it is stopped
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Prints `ready` with the addresses, then events; names and texts only on a
terminal or with --texts. Ctrl-C or `rohrpost stop` ends it.

Examples:
  rohrpost run --listen /ip4/0.0.0.0/udp/4001/quic-v1
  rohrpost run --bootstrap rohrpost:12D3KooW…/…")]
pub(crate) struct RunArgs {
    /// Listen there only (may be repeated)
    #[arg(long, value_name = "MULTIADDR")]
    listen: Vec<String>,

    /// A node to begin with (repeatable)
    #[arg(long, value_name = "LINK|ADDR")]
    bootstrap: Vec<String>,

    /// Do not look for peers in the local network
    #[arg(long)]
    no_mdns: bool,

    /// Do not ask the router for a port (UPnP)
    #[arg(long)]
    no_upnp: bool,

    /// Keep messages for who is off: open or contacts
    #[arg(long, value_name = "WHOM", num_args = 0..=1, require_equals = true, default_missing_value = "open")]
    #[arg(value_parser = ["open", "contacts"], hide_possible_values = true)]
    serve_mailbox: Option<String>,

    /// Keep them for these only (repeatable)
    #[arg(long, value_name = "WHO", conflicts_with = "serve_mailbox", value_parser = somebody)]
    mailbox_for: Vec<String>,

    /// Pass bytes on between others
    #[arg(long)]
    serve_relay: bool,

    /// The addresses are public, without a test
    #[arg(long)]
    public: bool,

    /// Serve figures for Prometheus there
    #[arg(long, value_name = "[HOST:]PORT")]
    metrics: Option<String>,

    /// Print names and texts into a pipe, a file or a journal, too
    #[arg(long)]
    texts: bool,
}

/// Somebody, and none of the words that mean many: whoever has one for a name is meant by the peer ID.
fn somebody(who: &str) -> std::result::Result<String, String> {
    match ServeMailbox::named(who).is_some() {
        true => Err(format!("'{who}' is nobody's name here: give the peer ID, or use --serve-mailbox")),
        false => Ok(who.to_owned()),
    }
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
    options.check().map_err(CliError::argument)?;
    // What stands in a file or a journal outlives what the store forgets.
    let with_texts = args.texts || std::io::stdout().is_terminal();
    context.run(&options, |event, output| match with_texts {
        true => show(event, output),
        false => show(&Event { kind: event.kind.clone().bare(), ..event.clone() }, output),
    })
}

fn show(event: &Event, output: &mut Output) -> Result<()> {
    match (&event.kind, output.form) {
        (EventKind::Ready { peer_id, addrs, .. }, Form::People { .. }) => {
            output.line(&format!("{}  {peer_id}", output.paint.tint(Tint::Green, "ready")))?;
            let shown = output.helpful(addrs);
            shown.iter().try_for_each(|addr| output.line(&format!("       {}", safe::line(addr))))?;
            output.note("Ctrl-C or `rohrpost stop` ends it")
        }
        _ => listen::show(event, output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Direction;
    use crate::cli::testing::{NOW, PEOPLE, message, peer, request, written};

    #[test]
    fn a_bare_event_has_neither_name_nor_text() {
        const TEXT: &str = "Schnittlauch";
        let new = message(Direction::In, TEXT);
        let kinds = [
            EventKind::MessageNew {
                conversation: peer(2),
                message_id: new.message_id,
                message: Some(Box::new(new)),
                name: TEXT.to_owned(),
            },
            EventKind::RequestNew { peer_id: peer(2), request: Some(Box::new(request(TEXT))) },
            EventKind::ContactAdded { peer_id: peer(2), name: TEXT.to_owned() },
            EventKind::ContactRenamed { peer_id: peer(2), name: TEXT.to_owned(), calls_himself: Some(TEXT.to_owned()) },
        ];
        for kind in kinds {
            for form in [PEOPLE, Form::Plain, Form::Json] {
                let told = |kind| written(form, |output| show(&Event::new(7, NOW, kind), output));
                assert!(told(kind.clone()).contains(TEXT) || form == Form::Plain, "{kind:?}");
                let bare = told(kind.clone().bare());
                assert!(!bare.contains(TEXT) && (bare.contains(kind.name()) || form == PEOPLE), "{bare}");
                let peer = if form == PEOPLE { peer(2).short() } else { peer(2).to_string() };
                assert!(bare.contains(&peer), "{bare}");
            }
        }
    }
}
