//! `inbox`: the conversations, newest first.

use crate::api::{Conversation, Direction, InboxParams, Message, method};
use crate::base::WallTime;
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::style::Tint;
use crate::cli::output::table::{Cell, Column, Table};
use crate::cli::output::{Output, short_peer};

/// List the conversations, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Requests of strangers are not in the inbox: see `rohrpost requests`.")]
pub(crate) struct InboxArgs {
    /// Only those with unread messages
    #[arg(long)]
    unread: bool,
}

/// Lists the conversations.
pub(crate) fn run(args: &InboxArgs, context: &mut Context) -> Result<()> {
    let params = InboxParams { unread: args.unread, limit: None };
    let conversations = context.client()?.ask::<method::Inbox>(&params)?;
    let empty =
        if args.unread { "nothing is unread" } else { "there are no conversations yet; `rohrpost send` begins one" };
    show(&conversations, empty, &mut context.output)
}

fn show(conversations: &[Conversation], when_empty: &str, output: &mut Output) -> Result<()> {
    if output.is_json() {
        return Ok(conversations.iter().try_for_each(|conversation| output.json(conversation))?);
    }
    let columns = [
        Column::flexible("NAME"),
        Column::new("PEER"),
        Column::number("UNREAD"),
        Column::new("WHEN"),
        Column::flexible("LAST MESSAGE"),
    ];
    let mut table = Table::new(&columns);
    for conversation in conversations {
        let weight = if conversation.unread > 0 { Tint::Bold } else { Tint::Plain };
        let last = conversation.last.as_ref();
        table.row([
            Cell::text(&conversation.name).tint(Tint::Cyan),
            Cell::two(&short_peer(&conversation.peer_id), &conversation.peer_id.to_string()).tint(Tint::Dim),
            Cell::text(&conversation.unread.to_string()).tint(weight),
            Cell::text(&last.map(|message| output.time(when(message))).unwrap_or_default()).tint(Tint::Dim),
            Cell::text(&last.map(preview).unwrap_or_default()).tint(weight),
        ]);
    }
    Ok(output.table(&table, when_empty)?)
}

/// What a peer says about the time is less sure than when it came.
pub(super) fn when(message: &Message) -> WallTime {
    message.received_at.unwrap_or(message.sent_at)
}

/// The message in one line: its text, or what it is instead. Not yet safe.
pub(super) fn preview(message: &Message) -> String {
    let text = if message.kind == "text" { message.text.clone() } else { format!("[{}]", message.kind) };
    if message.direction == Direction::Out { format!("you: {text}") } else { text }
}
