//! `history`: the messages of one conversation.

use crate::api::{Direction, HistoryParams, Message, State, method};
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::style::Tint;
use crate::cli::output::table::{Cell, Column, Table};
use crate::cli::output::{Form, Output, name_and_peer, safe, short_message};

use super::inbox::when;
use super::send::tint;

/// Show the messages of a conversation, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Showing does not mark as read: `rohrpost read WHO` does.

Examples:
  rohrpost history bob
  rohrpost history bob -n 100 --before 01a3f9c2")]
pub(crate) struct HistoryArgs {
    /// With whom
    #[arg(value_name = "WHO")]
    who: String,

    /// How many, counted from the newest
    #[arg(short = 'n', long, value_name = "N", default_value_t = 30)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    number: u32,

    /// Only what is older than this message
    #[arg(long, value_name = "MSG")]
    before: Option<String>,
}

/// What stands before each line of a message: nobody can write there.
const INDENT: &str = "    ";

/// Shows the messages.
pub(crate) fn run(args: HistoryArgs, context: &mut Context) -> Result<()> {
    let params = HistoryParams { who: args.who, limit: Some(args.number), before: args.before };
    let messages = context.client()?.ask::<method::History>(&params)?;
    show(&messages, &mut context.output)
}

fn show(messages: &[Message], output: &mut Output) -> Result<()> {
    match output.form {
        Form::Json => Ok(messages.iter().try_for_each(|message| output.json(message))?),
        Form::Plain => plain(messages, output),
        Form::People { .. } if messages.is_empty() => Ok(output.note("there are no messages")?),
        Form::People { .. } => messages.iter().try_for_each(|message| for_people(message, output)),
    }
}

fn plain(messages: &[Message], output: &mut Output) -> Result<()> {
    let columns = ["ID", "TIME", "DIRECTION", "FROM", "NAME", "STATE", "TEXT"].map(Column::new);
    let mut table = Table::new(&columns);
    for message in messages {
        table.row([
            Cell::text(&message.message_id.to_string()),
            Cell::text(&output.time(when(message))),
            Cell::text(message.direction.word()),
            Cell::text(&message.from.to_string()),
            Cell::text(&message.from_name),
            Cell::text(message.state.word()),
            Cell::text(&body(message)),
        ]);
    }
    Ok(output.table(&table, "")?)
}

/// A line about the message, then the message, indented: no text can pass for a line about another.
fn for_people(message: &Message, output: &mut Output) -> Result<()> {
    if message.gap {
        output.line(&output.paint.tint(Tint::Yellow, "… messages before this one are missing"))?;
    }
    let paint = output.paint;
    let who = match message.direction {
        Direction::Out => "you".to_owned(),
        Direction::In => safe::line(&name_and_peer(&message.from_name, &message.from)),
    };
    let mut line = vec![
        paint.tint(Tint::Dim, &output.time(when(message))).into_owned(),
        paint.tint(Tint::Cyan, &who).into_owned(),
    ];
    match (message.direction, message.state) {
        (Direction::Out, state) => line.push(paint.tint(tint(state), state.word()).into_owned()),
        (Direction::In, State::Received) => line.push(paint.tint(Tint::Bold, "new").into_owned()),
        (Direction::In, _) => {}
    }
    if message.edited {
        line.push("edited".to_owned());
    }
    if let Some(reply_to) = &message.reply_to {
        line.push(format!("↩ {}", short_message(reply_to)));
    }
    line.push(paint.tint(Tint::Dim, &short_message(&message.message_id)).into_owned());
    output.line(&line.join("  "))?;
    if let Some(subject) = &message.subject {
        output.line(&format!("{INDENT}{}", paint.tint(Tint::Bold, &safe::line(subject))))?;
    }
    output.line(&format!("{INDENT}{}", safe::block(&body(message), INDENT)))?;
    for (symbol, people) in &message.reactions {
        output.line(&format!("{INDENT}{} × {}", safe::line(symbol), people.len()))?;
    }
    Ok(())
}

/// The text, or what stands for what cannot be shown.
fn body(message: &Message) -> String {
    if message.kind == "text" { message.text.clone() } else { format!("[{}]", message.kind) }
}
