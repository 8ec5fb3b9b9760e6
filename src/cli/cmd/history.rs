//! `history`: the messages of one conversation.

use crate::api::{Direction, HistoryParams, Message, State, method};
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::style::Tint;
use crate::cli::output::table::Cell;
use crate::cli::output::{Form, Output, named, safe, short_message};

use super::inbox::{body, when};
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
    #[arg(short = 'n', long, value_name = "N", default_value_t = USUAL)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    number: u32,

    /// Only what is older than this message
    #[arg(long, value_name = "MSG")]
    before: Option<String>,
}

/// Messages that are shown unless it is said how many.
const USUAL: u32 = 30;

/// What stands before each line of a message: nobody can write there.
const INDENT: &str = "    ";
/// What stands before the further lines of a line about a message.
const BESIDE: &str = "        ";

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
    show(&messages, &mut context.output)
}

fn show(messages: &[Message], output: &mut Output) -> Result<()> {
    match output.form {
        Form::People { .. } if messages.is_empty() => output.note("there are no messages"),
        Form::People { .. } => messages.iter().try_for_each(|message| for_people(message, output)),
        Form::Json | Form::Plain => {
            let titles = ["ID", "TIME", "DIRECTION", "FROM", "NAME", "STATE", "TEXT"];
            output.list(messages, titles, "", |output, message| {
                [
                    Cell::text(&message.message_id.to_string()),
                    Cell::text(&output.time(when(message))),
                    Cell::text(message.direction.word()),
                    Cell::text(&message.from.to_string()),
                    Cell::text(&message.from_name),
                    Cell::text(message.state.word()),
                    Cell::text(&body(message)),
                ]
            })
        }
    }
}

/// A line about the message, then the message, indented: no text can pass for a line about another.
fn for_people(message: &Message, output: &mut Output) -> Result<()> {
    if message.gap {
        output.folded("", &output.paint.tint(Tint::Yellow, "… messages before this one are missing"), BESIDE)?;
    }
    let paint = output.paint;
    let who = match message.direction {
        Direction::Out => "you".to_owned(),
        Direction::In => safe::line(&named(&message.from_name, &message.from, message.calls_himself.as_deref())),
    };
    let state = match (message.direction, message.state) {
        (Direction::Out, state) => Some(paint.tint(tint(state), state.word())),
        (Direction::In, State::Received) => Some(paint.tint(Tint::Bold, "new")),
        (Direction::In, _) => None,
    };
    let parts = [
        Some(paint.tint(Tint::Dim, &output.time(when(message)))),
        Some(paint.tint(Tint::Cyan, &who)),
        state,
        message.edited.then(|| "edited".to_owned()),
        message.reply_to.as_ref().map(|id| format!("↩ {}", short_message(id))),
        message.expires_at.map(|at| paint.tint(Tint::Yellow, &format!("vanishes {}", output.time(at)))),
        Some(paint.tint(Tint::Dim, &short_message(&message.message_id))),
    ];
    output.folded("", &parts.into_iter().flatten().collect::<Vec<_>>().join("  "), BESIDE)?;
    if let Some(subject) = &message.subject {
        output.folded(INDENT, &paint.tint(Tint::Bold, &safe::line(subject)), INDENT)?;
    }
    output.folded(INDENT, &safe::block(&body(message)), INDENT)?;
    for (symbol, people) in &message.reactions {
        output.folded(INDENT, &format!("{} × {}", safe::line(symbol), people.len()), INDENT)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::{MessageId, WallTime};
    use crate::cli::testing::{HOSTILE, NOW, PEOPLE, any_text, begun, message, peer, written};

    fn shown(message: Message) -> String {
        written(PEOPLE, |output| show(&[message], output))
    }

    #[test]
    fn a_line_about_a_message_and_the_message_indented() {
        let expected = format!("14:02  Bob (…{})  new  abababababab\n    Hello\n\n    again\n", peer(2).short());
        assert_eq!(shown(message(Direction::In, "Hello\n\nagain\n")), expected);
        assert_eq!(shown(message(Direction::Out, "Hi")), "14:02  you  delivered  abababababab\n    Hi\n");
    }

    #[test]
    fn everything_there_is_to_say_of_a_message_is_said() {
        let mut full = message(Direction::In, "Hello");
        full.gap = true;
        full.edited = true;
        full.state = State::Read;
        full.subject = Some("About\x1b[0m".to_owned());
        full.reply_to = Some(MessageId::new([0x01; 32]));
        full.expires_at = Some(WallTime(NOW.0 + 3_600_000));
        full.reactions.insert("👍".to_owned(), vec![peer(1), peer(2)]);
        let expected = format!(
            "… messages before this one are missing\n14:02  Bob (…{})  edited  ↩ 010101010101  vanishes 15:02  abababababab\n    \
             About<U+001B>[0m\n    Hello\n    👍 × 2\n",
            peer(2).short()
        );
        assert_eq!(shown(full), expected);
        let mut unknown = message(Direction::In, "");
        unknown.kind = "image/x-\x07".to_owned();
        assert!(shown(unknown).ends_with("\n    [image/x-<U+0007>]\n"));
    }

    #[test]
    fn who_renamed_himself_is_known_by_the_old_name() {
        let mut renamed = message(Direction::In, "Hello");
        renamed.calls_himself = Some("Alice (…12345678)".to_owned());
        let short = peer(2).short();
        let header = format!("14:02  Bob (…{short}), calls himself \"Alice (…12345678)\"  new  abababababab\n");
        assert!(shown(renamed.clone()).starts_with(&header), "{}", shown(renamed));
        renamed.from_name = String::new();
        assert!(shown(renamed.clone()).contains(&format!("…{short}, calls himself ")), "{}", shown(renamed));
    }

    #[test]
    fn no_text_can_pass_for_another_message() {
        let mut forged = message(Direction::In, HOSTILE);
        forged.from_name = HOSTILE.to_owned();
        let text = shown(forged);
        assert_eq!(text.lines().filter(|line| !line.starts_with("    ")).count(), 1, "{text}");
        assert!(!text.contains(['\x1b', '\u{202E}', '\t']), "{text}");
    }

    proptest! {
        /// Read back as a person reads it: what stands where a message begins is one of ours.
        #[test]
        fn no_width_lets_a_text_pass_for_another_message(texts in [any_text(), any_text(), any_text()], columns in 20_usize..=200) {
            let [text, subject, name] = texts;
            let mut forged = message(Direction::In, &text);
            (forged.subject, forged.calls_himself, forged.kind) = (Some(subject), Some(name.clone()), "text".to_owned());
            forged.reactions.insert(text.clone(), vec![peer(1)]);
            forged.from_name = name;
            let messages = [forged, message(Direction::Out, &text)];
            let shown = written(Form::People { columns }, |output| show(&messages, output));
            let headers = begun(&shown, columns);
            prop_assert_eq!(headers.len(), messages.len(), "{}", shown);
            prop_assert!(headers.iter().all(|header| header.starts_with("14:02")), "{}", shown);
        }
    }

    #[test]
    fn programs_get_one_line_for_each() {
        let messages = [message(Direction::In, HOSTILE), message(Direction::Out, "Hi")];
        let plain = written(Form::Plain, |output| show(&messages, output));
        assert_eq!(plain.lines().map(|line| line.split('\t').count()).collect::<Vec<_>>(), [7, 7]);
        let json = written(Form::Json, |output| show(&messages, output));
        let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
        assert_eq!(first["text"], HOSTILE, "exact");
        assert!(!json.contains(['\x1b', '\u{202E}']), "and harmless");
    }
}
