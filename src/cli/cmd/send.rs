//! `send`: a message to one or more recipients.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;

use crate::api::{ApiError, Code, SendParams, Sent, State, WaitFor, Who, method};
use crate::base::limits::{MAX_NAME_CHARS, MAX_TEXT};
use crate::base::names::{folded, oddity};
use crate::cli::args::{duration, lifetime, one_of};
use crate::cli::context::{Context, Left};
use crate::cli::editor;
use crate::cli::error::{CliError, Result};
use crate::cli::input;
use crate::cli::output::safe;
use crate::cli::output::style::Tint;
use crate::cli::output::wrap::HANG;
use crate::cli::output::{name_and_peer, short_peer};
use crate::cli::prompt::Source;
use crate::cli::typed::Typed;
use crate::client::{Before, Client};

/// So many words behind the first may belong to a name that was not quoted.
const MORE_OF_A_NAME: usize = 2;

/// Send a message
#[derive(Debug, clap::Args)]
#[command(after_help = "\
WHO is a name, a peer ID or its end, a link, or `me`; several: bob,carol.
Options stand before WHO or behind the text. What cannot be delivered is kept.

Examples:
  rohrpost send bob Hello, how are you
  date | rohrpost send bob,carol - --expires 1h")]
pub(crate) struct SendArgs {
    /// To whom
    #[arg(value_name = "WHO")]
    to: String,

    /// What to say; - alone is standard input; without, an editor opens
    #[arg(value_name = "TEXT")]
    text: Vec<String>,

    /// A subject, shown with a request
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,

    /// The message that this one answers
    #[arg(long, value_name = "MSG")]
    reply: Option<String>,

    #[command(flatten)]
    delivery: Delivery,
}

/// How long a message lives, and how long it is looked after.
#[derive(Debug, clap::Args)]
pub(crate) struct Delivery {
    /// It vanishes on both sides after 30s, 10m, 12h, 1d, 4w
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    pub(crate) expires: Option<u64>,

    /// Wait until it is queued, sent, delivered or read
    #[arg(long, value_name = "STATE", value_parser = one_of(WaitFor::ALL, WaitFor::word), hide_possible_values = true)]
    pub(crate) wait: Option<WaitFor>,

    /// The longest wait
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "15s")]
    pub(crate) timeout: Duration,

    /// Your key for it: sent again with it, it goes once
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) client_id: Option<String>,

    /// Accept their request, if one is pending
    #[arg(long)]
    pub(crate) accept: bool,
}

/// Sends to each recipient in turn. One who is not known keeps it from all; what fails otherwise does not.
pub(crate) fn run(args: SendArgs, context: &mut Context) -> Result<()> {
    let SendArgs { to: whom, text: words, subject, reply, delivery } = args;
    let to = recipients(&whom)?;
    if delivery.client_id.is_some() && to.len() > 1 {
        return Err(CliError::usage("--client-id names one message, but there are several recipients")
            .hint("send to each recipient with a key of its own"));
    }
    let said = text_of(&words, ("WHO", &whom), context, |client| to.iter().try_for_each(|who| is_known(client, who)))?;
    let message = |to: &String| SendParams {
        to: to.clone(),
        text: said.text.clone(),
        subject: subject.clone(),
        reply_to: reply.clone(),
        client_id: delivery.client_id.clone(),
        expires_s: delivery.expires,
        accept: delivery.accept,
        ..SendParams::default()
    };
    let messages: Vec<SendParams> = to.iter().map(message).collect();
    let typed = context.typed.clone();
    send(&messages, &said, &delivery, context, &mut |client| name_is_whole(client, &typed, &whom, &words))
}

/// Refuses a name that means nobody, before a text is written for him.
fn is_known(client: &mut Client, who: &str) -> Result<(), ApiError> {
    if oddity(who).is_some() { Ok(()) } else { client.ask::<method::Resolve>(&Who::new(who)).map(|_| ()) }
}

/// Whom the first word names: it is cut at commas, whatever anybody is called.
fn recipients(whom: &str) -> Result<Vec<String>> {
    let to: Vec<String> = whom.split(',').map(|who| who.trim().to_owned()).collect();
    if to.iter().any(String::is_empty) {
        let error = match whom.trim() {
            "" => CliError::usage("the recipient is empty"),
            _ => CliError::usage(format!("a recipient is missing beside a comma in '{whom}'")),
        };
        return Err(error.hint("several recipients have commas between them, and no blanks: `bob,carol`"));
    }
    Ok(to)
}

/// Refuses the beginning of a name that we gave, whose other words would go as a text to whoever the beginning means.
fn name_is_whole(client: &mut Client, typed: &Typed, whom: &str, words: &[String]) -> Result<(), ApiError> {
    let (others, last) = whom.rsplit_once(',').map_or(("", whom), |(others, last)| (others, last.trim()));
    for more in (1..=may_be_of_a_name(last, words)).rev() {
        let (named, rest) = words.split_at(more);
        let name = format!("{last} {}", named.join(" "));
        // An empty word makes no other name.
        if folded(&name) == folded(last) || !is_given(client, &name)? {
            continue;
        }
        let line = |last: &str, text: &[String]| {
            let whom = if others.is_empty() { last.to_owned() } else { format!("{others},{last}") };
            typed.again().with(&[("WHO", &whom), ("TEXT", &text.join(" "))])
        };
        let mut hint = format!("`{}`", line(&name, rest));
        let short = match words {
            // A single word cannot be told from a part of a name; the end of a peer ID can.
            [_] => client.ask::<method::Resolve>(&Who::new(last)).ok().map(|meant| short_peer(&meant.peer_id)),
            _ => Some(last.to_owned()),
        };
        if let Some(short) = short {
            hint = format!("{hint}; if '{last}' is meant: `{}`", line(&short, words));
        }
        let message = format!(
            "'{name}' is a name that you gave, and without quotes only '{last}' stands for it; nothing was sent"
        );
        return Err(CliError::usage(message).hint(hint).into_api());
    }
    Ok(())
}

/// How many of the words may belong to a name that begins before them. What was quoted does not, and what is no name begins none.
fn may_be_of_a_name(begin: &str, words: &[String]) -> usize {
    if oddity(begin).is_some() {
        return 0;
    }
    words.iter().take(MORE_OF_A_NAME).take_while(|word| !word.contains(char::is_whitespace)).count()
}

/// Whether this is the whole of a name that we gave. Others choose theirs, and could choose what stands in the way of a text.
fn is_given(client: &mut Client, name: &str) -> Result<bool, ApiError> {
    if oddity(name).is_some() || name.chars().count() > MAX_NAME_CHARS {
        return Ok(false);
    }
    let is_it = |given: bool, known: &str| given && folded(known) == folded(name);
    match client.ask::<method::Resolve>(&Who::new(name)) {
        Ok(found) => Ok(is_it(found.given, &found.name)),
        Err(error) if error.is(Code::NotFound) => Ok(false),
        Err(error) if error.is(Code::Ambiguous) => Ok(error.candidates.iter().any(|one| is_it(one.given, &one.name))),
        Err(error) => Err(error),
    }
}

/// Sends, and tells what became of each.
pub(super) fn send(
    messages: &[SendParams],
    said: &Said,
    delivery: &Delivery,
    context: &mut Context,
    before: Before<'_>,
) -> Result<()> {
    let mut worst = None;
    let outcomes = context.send(messages, delivery, before);
    let is_lost = outcomes.as_ref().map_or(true, |(outcomes, _)| outcomes.iter().any(Result::is_err));
    if is_lost && said.is_written {
        editor::give_back(&said.text, context)?;
    }
    let (outcomes, left) = outcomes?;
    let states: Vec<State> = outcomes.iter().flatten().map(|sent| sent.state).collect();
    // One that does not answer runs.
    let with_node = states.contains(&State::Queued) && context.is_running().unwrap_or(true);
    let end = End { left, with_node };
    for (message, outcome) in messages.iter().zip(outcomes) {
        let told = outcome.map_err(CliError::from).and_then(|sent| told(&sent, (delivery, end), context));
        if let Err(error) = told {
            let error = if messages.len() > 1 { error.about(&message.to) } else { error };
            context.tell(&error);
            worst.get_or_insert(error.exit());
        }
    }
    if let Some(Left::Signal(signal)) = left {
        let _ = context.output.note(interrupted(&states, with_node));
        return Err(CliError::interrupted(signal));
    }
    worst.map_or(Ok(()), |exit| Err(CliError::told(exit)))
}

/// How the waiting ended.
#[derive(Clone, Copy)]
struct End {
    left: Option<Left>,
    with_node: bool,
}

/// What becomes of messages that nobody waits for any more.
fn interrupted(states: &[State], with_node: bool) -> &'static str {
    match (states.contains(&State::Queued), with_node) {
        (true, false) => "interrupted: what is queued is kept, and goes out with the next `rohrpost run`",
        (true, true) => "interrupted: what is queued is kept, and the node goes on trying",
        (false, _) if states.contains(&State::Sent) => {
            "interrupted: nothing is lost, it is only not known whether it came"
        }
        (false, _) => "interrupted",
    }
}

/// Prints how far the message came; an error when that is less than was waited for.
fn told(sent: &Sent, (delivery, end): (&Delivery, End), context: &mut Context) -> Result<()> {
    let output = &mut context.output;
    if output.is_json() {
        output.json(sent)?;
    } else if output.is_plain() {
        output.line(&format!("{}\t{}\t{}", sent.message_id, sent.to, sent.state))?;
    } else {
        let who = match sent.oneself {
            true => "me".to_owned(),
            false => safe::line(&name_and_peer(sent.name.as_deref().unwrap_or_default(), &sent.to)),
        };
        let state = output.paint.tint(tint(sent.state), sent.state.word());
        let id = output.paint.tint(Tint::Dim, &sent.short_id);
        output.folded("", &format!("{state}  to {who}  {id}"), HANG)?;
    }
    let is_that_far = delivery.wait.is_none_or(|wait| wait.reached_by(sent.state));
    match end.left {
        // What becomes of all of them is told at the end.
        Some(Left::Signal(_)) => return Ok(()),
        Some(Left::Reader) if !is_that_far => return Err(CliError::told(Code::WaitTimeout.exit())),
        _ => {}
    }
    if is_that_far && (delivery.wait.is_none() || sent.shut_out) && output.is_people() {
        for note in remarks(sent, end.with_node, &context.typed) {
            output.note(&note)?;
        }
    }
    match delivery.wait {
        Some(wait) if !wait.reached_by(sent.state) => Err(not_that_far(sent, wait, delivery.timeout, &context.typed)),
        _ => Ok(()),
    }
}

/// What there is to know of a message that is not there yet.
fn remarks(sent: &Sent, with_node: bool, typed: &Typed) -> Vec<String> {
    let mut notes = Vec::new();
    match &sent.missing {
        _ if sent.state == State::Queued && !with_node => {
            // What is known of a way there was a way for a node that has ended.
            let doctor = doctor(sent, typed);
            notes.push(format!("it is kept here, and goes out with the next `rohrpost run`; {doctor}"));
        }
        None if sent.state == State::Queued => {
            notes.push(
                "it is kept, and goes out when the other node, or a mailbox of theirs, can be reached".to_owned(),
            );
        }
        Some(missing) if sent.state == State::Queued => {
            notes.push(format!("it is kept here: {}; {}", safe::line(missing), doctor(sent, typed)));
        }
        Some(missing) if sent.shut_out => notes.push(safe::line(missing)),
        _ => {}
    }
    if sent.shut_out {
        notes.push(
            "unless they have added you it is dropped there; it goes again when they add you or write to you, or let strangers ask"
                .to_owned(),
        );
    }
    notes
}

/// It did not come as far as was waited for: why, and what becomes of it.
fn not_that_far(sent: &Sent, wait: WaitFor, timeout: Duration, typed: &Typed) -> CliError {
    if let Some(error) = &sent.unfollowed {
        return CliError::from(error.clone()).about(&format!("it is {}, and more is not known", sent.state));
    }
    let message = format!("not {wait} within {timeout:?}, but {}", sent.state);
    let missing = sent.missing.as_deref().unwrap_or_default();
    if sent.shut_out {
        return CliError::new(Code::ShutOut, format!("{message}: {missing}"));
    }
    let error = CliError::new(Code::WaitTimeout, message);
    match sent.state {
        State::Queued if missing.is_empty() => error,
        State::Queued => error.hint(format!("the message stays in the outbox: {missing}; {}", doctor(sent, typed))),
        State::Sent if missing.is_empty() => {
            error.hint("it is with their node or a mailbox of theirs, which has not said more yet")
        }
        State::Sent => error.hint(format!("the message is with them, and stays in the outbox: {missing}")),
        State::Delivered | State::Read | State::Received => error.hint("their node has it; they have not read it yet"),
        State::Undelivered => error.hint("it was given up; send it again"),
    }
}

fn doctor(sent: &Sent, typed: &Typed) -> String {
    format!("`{}` says more", typed.other("doctor").with(&[("WHO", &short_peer(&sent.to))]))
}

/// What colour a state has.
pub(super) const fn tint(state: State) -> Tint {
    match state {
        State::Queued => Tint::Yellow,
        State::Sent => Tint::Plain,
        State::Delivered | State::Read => Tint::Green,
        State::Undelivered => Tint::Red,
        State::Received => Tint::Bold,
    }
}

/// A text, and where it comes from.
pub(super) struct Said {
    pub(super) text: String,
    /// In an editor: it is nowhere else.
    is_written: bool,
}

/// The words with a blank between them; of `-` alone all of standard input; without any what is written in an editor, if somebody is
/// there who could, once `check` has found that it could be sent. `first` is the word before them, behind its placeholder.
pub(super) fn text_of(
    words: &[String],
    first: (&str, &str),
    context: &mut Context,
    check: impl FnOnce(&mut Client) -> Result<(), ApiError>,
) -> Result<Said> {
    if !words.is_empty() || !editor::is_possible(context) {
        return Ok(Said { text: typed_text(words, first, context)?, is_written: false });
    }
    check(context.client()?)?;
    context.close();
    Ok(Said { text: editor::compose(context)?, is_written: true })
}

fn typed_text(words: &[String], first: (&str, &str), context: &Context) -> Result<String> {
    let piped = || context.typed.again().with(&[first, ("TEXT", "-")]);
    match words {
        [] => {
            let command = context.typed.again().with(&[first]);
            Err(CliError::usage("there is no text")
                .hint(format!("write it behind `{command}`, or pipe it in with `-`: `date | {}`", piped())))
        }
        [dash] if dash == "-" => from_stdin(context),
        [.., last] if last == "-" => {
            let quoted = context.typed.again().with(&[first, ("TEXT", &words.join(" "))]);
            Err(CliError::usage("`-` is standard input only when it is the whole text")
                .hint(format!("`date | {}` reads it; as a part of the text it is quoted: `{quoted}`", piped())))
        }
        words => Ok(words.join(" ")),
    }
}

/// All of standard input without its last line feed.
fn from_stdin(context: &Context) -> Result<String> {
    if context.prompter.source == Some(Source::Stdin) {
        return Err(CliError::usage("text and passphrase cannot both come from standard input")
            .hint("put the passphrase into a file"));
    }
    let too_long = || CliError::new(Code::TooLong, format!("the text is longer than {MAX_TEXT} bytes"));
    // The line feed at its end is none of it.
    let mut text = input::text(std::io::stdin().lock(), MAX_TEXT + 1, too_long)?;
    if text.ends_with('\n') {
        text.pop();
    }
    if text.len() > MAX_TEXT { Err(too_long()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_quoted_is_no_part_of_a_name() {
        for (begin, words, expected) in [
            ("bob", &["smith"][..], 1),
            ("bob smith", &["jr", "see", "you"], 2),
            ("bob", &["smith jr"], 0),
            ("bob", &["smith", "see you"], 1),
            ("bob", &["smith\tjr"], 0),
            ("bob", &[], 0),
            ("me", &["too"], 0),
            ("…K9DPeVUH", &["smith"], 0),
            ("rohrpost:x", &["smith"], 0),
        ] {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(may_be_of_a_name(begin, &words), expected, "{begin} {words:?}");
        }
    }
}
