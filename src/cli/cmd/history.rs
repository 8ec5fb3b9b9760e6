//! `history`: the messages of one conversation.

use std::collections::BTreeMap;

use crate::api::{Code, Direction, HistoryParams, Message, MessageParams, State, method};
use crate::base::{MessageId, PeerId};
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::style::Tint;
use crate::cli::output::table::Cell;
use crate::cli::output::{Form, Output, QUOTED, name_and_peer, named, safe, time};

use super::inbox::{body, when};
use super::send::tint;

/// Show the messages of a conversation, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Showing does not mark as read: `rohrpost read WHO` does.

Examples:
  rohrpost history bob
  rohrpost history bob -n 100 --before a3f9c2")]
pub(crate) struct HistoryArgs {
    /// With whom
    #[arg(value_name = "WHO")]
    who: String,

    /// How many, counted from the newest
    #[arg(short = 'n', long, value_name = "N", default_value_t = USUAL)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    number: u32,

    /// Only what is older than this message
    #[arg(long, value_name = "MSG")]
    before: Option<String>,
}

/// Messages that are shown unless it is said how many: as many as `history` of the local interface gives.
const USUAL: u32 = 50;

/// What stands before each line of a text. Further to the left nobody can write.
const TEXT: &str = "    ";
/// What stands before a line about the message below its header: a text cannot pass for a quotation, a subject or a reaction.
const ABOUT: &str = "  ";
/// What stands before the further lines of such a line, and of a header.
const FURTHER: &str = "      ";

/// Shows the messages.
pub(crate) fn run(args: HistoryArgs, context: &mut Context) -> Result<()> {
    tell(&HistoryParams { who: args.who, limit: Some(args.number), before: args.before }, context)
}

/// Shows as many as one is used to.
pub(super) fn of(who: String, context: &mut Context) -> Result<()> {
    tell(&HistoryParams { who, limit: Some(USUAL), before: None }, context)
}

fn tell(params: &HistoryParams, context: &mut Context) -> Result<()> {
    let messages = context.client()?.ask::<method::History>(params)?;
    let is_people = context.output.is_people();
    let mut look = |id: &MessageId| {
        let params = MessageParams { message: id.to_string(), ..MessageParams::default() };
        match context.client()?.ask::<method::MessageShow>(&params) {
            Err(error) if error.is(Code::NoMessage) || error.is(Code::MessageGone) => Ok(None),
            found => Ok(Some(found?)),
        }
    };
    let answered = if is_people { answered(&messages, &mut look)? } else { Answered::new() };
    show(&messages, &answered, &mut context.output)
}

/// Messages that others answer.
type Answered = BTreeMap<MessageId, Message>;

/// Those that the messages of a page answer, from wherever in the conversation. A reply names whatever it likes: what belongs to another
/// conversation is not shown in this one.
fn answered(messages: &[Message], look: &mut impl FnMut(&MessageId) -> Result<Option<Message>>) -> Result<Answered> {
    let mut found: Answered = messages.iter().map(|message| (message.message_id, message.clone())).collect();
    for message in messages {
        let Some(id) = message.reply_to.filter(|id| !found.contains_key(id)) else { continue };
        if let Some(other) = look(&id)?.filter(|other| other.conversation == message.conversation) {
            found.insert(id, other);
        }
    }
    Ok(found)
}

pub(super) const TITLES: [&str; 10] =
    ["ID", "TIME", "DIRECTION", "FROM", "NAME", "STATE", "TEXT", "SUBJECT", "REPLY TO", "EXPIRES"];

fn show(messages: &[Message], answered: &Answered, output: &mut Output) -> Result<()> {
    match output.form {
        Form::People { .. } if messages.is_empty() => output.note("there are no messages"),
        Form::People { .. } => for_people(messages, answered, output),
        Form::Json | Form::Plain => output.list(messages, TITLES, "", |output, message| {
            [
                Cell::text(&message.message_id.to_string()),
                Cell::text(&output.time(when(message))),
                Cell::text(message.direction.word()),
                Cell::text(&message.from.to_string()),
                Cell::text(&message.from_name),
                Cell::text(message.state.word()),
                Cell::text(&body(message)),
                Cell::text(message.subject.as_deref().unwrap_or_default()),
                Cell::text(&message.reply_to.map(|id| id.to_string()).unwrap_or_default()),
                Cell::text(&message.expires_at.map(|at| output.time(at)).unwrap_or_default()),
            ]
        }),
    }
}

/// A line for each day, and one before what is new.
fn for_people(messages: &[Message], answered: &Answered, output: &mut Output) -> Result<()> {
    let first_new = messages.iter().position(is_new);
    let mut today = None;
    for (at, message) in messages.iter().enumerate() {
        let day = Some(time::day(when(message), &output.zone));
        if day != today {
            rule(day.as_deref().unwrap_or_default(), Tint::Dim, output)?;
            today = day;
        }
        if first_new == Some(at) {
            rule("new from here", Tint::Yellow, output)?;
        }
        header(message, output)?;
        about(message, answered, output)?;
        output.folded(TEXT, &safe::block(&body(message)), TEXT)?;
    }
    Ok(())
}

fn is_new(message: &Message) -> bool {
    message.direction == Direction::In && message.state == State::Received
}

fn rule(text: &str, tint: Tint, output: &mut Output) -> Result<()> {
    let line = output.paint.tint(tint, &format!("── {text} ──"));
    output.folded("", &line, FURTHER)
}

/// When, who, how far, and by which digits it is meant.
fn header(message: &Message, output: &mut Output) -> Result<()> {
    let paint = output.paint;
    if message.gap {
        output.folded("", &paint.tint(Tint::Yellow, "… messages before this one are missing"), FURTHER)?;
    }
    let state = match (message.direction, message.state) {
        (Direction::Out, state) => Some(paint.tint(tint(state), state.word())),
        (Direction::In, _) => is_new(message).then(|| paint.tint(Tint::Bold, "new")),
    };
    let parts = [
        Some(paint.tint(Tint::Dim, &time::clock(when(message), &output.zone))),
        Some(paint.tint(Tint::Cyan, &safe::line(&writer(message)))),
        state,
        message.edited.then(|| "edited".to_owned()),
        message.expires_at.map(|at| paint.tint(Tint::Yellow, &format!("vanishes {}", output.time(at)))),
        Some(paint.tint(Tint::Dim, &message.short_id)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    output.folded("", &parts.join("  "), FURTHER)
}

fn writer(message: &Message) -> String {
    match message.direction {
        Direction::Out => "you".to_owned(),
        Direction::In => named(&message.from_name, &message.from, message.calls_himself.as_deref()),
    }
}

/// What it answers, its subject, what others say of it.
fn about(message: &Message, answered: &Answered, output: &mut Output) -> Result<()> {
    let paint = output.paint;
    if let Some(id) = message.reply_to {
        let quoted = match answered.get(&id) {
            Some(other) => {
                let text = safe::truncate(&safe::line(&body(other)), QUOTED);
                let who = match other.direction {
                    Direction::Out => "you".to_owned(),
                    Direction::In => name_and_peer(&other.from_name, &other.from),
                };
                format!("{}: {text}", safe::line(&who))
            }
            None => "a message that is not here".to_owned(),
        };
        output.folded(ABOUT, &paint.tint(Tint::Dim, &format!("↩ {quoted}")), FURTHER)?;
    }
    if let Some(subject) = &message.subject {
        let subject = paint.tint(Tint::Bold, &safe::line(subject));
        output.folded(ABOUT, &format!("{} {subject}", paint.tint(Tint::Dim, "Subject:")), FURTHER)?;
    }
    if !message.reactions.is_empty() {
        let of = |(symbol, people): (&String, &Vec<PeerId>)| format!("{} × {}", safe::line(symbol), people.len());
        let all: Vec<String> = message.reactions.iter().map(of).collect();
        output.folded(ABOUT, &format!("Reactions: {}", all.join("  ")), FURTHER)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
