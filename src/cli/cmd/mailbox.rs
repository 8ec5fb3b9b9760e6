//! `mailbox`: where messages wait for us while no node of ours runs.

use clap::Subcommand;

use crate::api::{BoxState, Mailbox, MailboxParams, NoParams, OpenMailbox, method};
use crate::cli::args::Whom;
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::style::Tint;
use crate::cli::output::table::{Cell, Table};
use crate::cli::output::{Output, name_and_peer, short_peer};

/// Where messages wait for you while your node is off
#[derive(Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
A mailbox is somebody's node, run with --serve-mailbox. It keeps sealed messages
for you until your node fetches them; it cannot read them, and is not told who
wrote them. Two are better than one.

Example: rohrpost mailbox use rohrpost:12D3KooW…/…")]
pub(crate) struct MailboxArgs {
    #[command(subcommand)]
    action: Option<MailboxAction>,
}

impl MailboxArgs {
    /// Whether it lists what there is.
    pub(crate) const fn lists(&self) -> bool {
        matches!(self.action, None | Some(MailboxAction::List { .. }))
    }
}

#[derive(Debug, Subcommand)]
enum MailboxAction {
    /// List your mailboxes (this is the default)
    List {
        /// Ask the network for mailboxes that serve everybody
        #[arg(long)]
        find: bool,
    },
    /// Have a node keep a mailbox for you, one of at most three
    Use {
        /// Its link, its addresses, which end in /p2p/PEER-ID, or a contact
        #[arg(value_name = "LINK|ADDR", required = true)]
        at: Vec<String>,
    },
    /// Leave a mailbox
    Drop(Whom),
}

/// Lists, takes or leaves mailboxes.
pub(crate) fn run(args: MailboxArgs, context: &mut Context) -> Result<()> {
    match args.action.unwrap_or(MailboxAction::List { find: false }) {
        MailboxAction::List { find: false } => {
            let mailboxes = context.client()?.ask::<method::MailboxList>(&NoParams {})?;
            list(&mailboxes, &mut context.output)
        }
        MailboxAction::List { find: true } => {
            let found = context.client()?.ask::<method::MailboxFind>(&NoParams {})?;
            offer(&found, &mut context.output)
        }
        MailboxAction::Use { at } => {
            let running = context.client()?.is_remote();
            let mailbox = context.client()?.ask::<method::MailboxUse>(&MailboxParams { at })?;
            let who = name_and_peer(&mailbox.name, &mailbox.peer_id);
            let when = if running { "is asked now" } else { "will be asked when a node runs" };
            let text = format!("{who} {when} to keep a mailbox for you; `rohrpost mailbox` shows what it says");
            context.output.done(&mailbox, &text)
        }
        MailboxAction::Drop(whom) => {
            context.each_done::<method::MailboxDrop>(whom, |who| format!("{who} keeps no mailbox for you any more"))
        }
    }
}

/// The state in the words of a person.
pub(crate) const fn told(state: BoxState) -> (&'static str, Tint) {
    match state {
        BoxState::Asking => ("asked", Tint::Yellow),
        BoxState::InUse => ("in use", Tint::Green),
        BoxState::Refused => ("refused: it serves others", Tint::Red),
        BoxState::Full => ("full", Tint::Red),
        BoxState::Unreachable => ("does not answer", Tint::Yellow),
        BoxState::Leaving => ("leaving", Tint::Dim),
    }
}

pub(super) const TITLES: [&str; 6] = ["NAME", "PEER", "STATE", "FETCHED", "PREKEYS", "ADDRESS"];
pub(super) const FOUND: [&str; 2] = ["PEER", "ADDRESS"];

fn list(mailboxes: &[Mailbox], output: &mut Output) -> Result<()> {
    let row = |output: &Output, mailbox: &Mailbox| {
        let (state, tint) = told(mailbox.state);
        [
            Cell::name(&mailbox.name, None),
            Cell::two(&short_peer(&mailbox.peer_id), &mailbox.peer_id.to_string()).tint(Tint::Dim),
            Cell::two(state, mailbox.state.word()).tint(tint),
            Cell::text(&mailbox.fetched_at.map(|at| output.time(at)).unwrap_or_default()).tint(Tint::Dim),
            Cell::number(mailbox.prekeys),
            Cell::long(mailbox.addrs.first().map_or("", String::as_str)),
        ]
    };
    let none = "no mailbox keeps messages for you; `rohrpost mailbox list --find` looks for some";
    output.list(mailboxes, TITLES, none, row)
}

fn offer(found: &[OpenMailbox], output: &mut Output) -> Result<()> {
    if output.is_json() {
        return found.iter().try_for_each(|mailbox| output.json(mailbox));
    }
    let mut table = Table::new(FOUND);
    for mailbox in found {
        for addr in &mailbox.addrs {
            table.row([
                Cell::two(&short_peer(&mailbox.peer_id), &mailbox.peer_id.to_string()).tint(Tint::Dim),
                Cell::long(addr),
            ]);
        }
    }
    let none = "no mailbox that serves everybody was found; ask a friend whose node is always on for one";
    output.table(&table, none)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Form;
    use crate::cli::testing::{HOSTILE, NOW, PEOPLE, peer, written};

    #[test]
    fn a_line_for_each_mailbox() {
        let mailbox = Mailbox {
            peer_id: peer(2),
            name: HOSTILE.to_owned(),
            addrs: vec!["/ip4/192.0.2.1/tcp/1".to_owned()],
            state: BoxState::InUse,
            since: NOW,
            fetched_at: None,
            prekeys: 99,
        };
        let shown = written(PEOPLE, |output| list(std::slice::from_ref(&mailbox), output));
        assert!(shown.contains("in use") && shown.contains("99") && !shown.contains('\x1b'), "{shown}");
        let plain = written(Form::Plain, |output| list(&[mailbox], output));
        assert!(plain.contains("\tin_use\t\t99\t/ip4/192.0.2.1/tcp/1\n"), "{plain}");
    }

    #[test]
    fn an_open_mailbox_is_shown_with_what_use_takes() {
        let found = OpenMailbox { peer_id: peer(2), addrs: vec!["/a\u{1b}/p2p/x".to_owned(), "/b/p2p/x".to_owned()] };
        let shown = written(Form::Plain, |output| offer(&[found], output));
        assert!(shown.lines().count() == 2 && shown.contains("/b/p2p/x") && !shown.contains('\x1b'), "{shown}");
    }
}
