//! `inbox`: the conversations, newest first.

use crate::api::{Conversation, ConversationKind, Direction, InboxParams, Message, NoParams, method};
use crate::base::WallTime;
use crate::base::shown::{OTHER, UNREADABLE};
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::style::Tint;
use crate::cli::output::table::Cell;
use crate::cli::output::wrap::HANG;
use crate::cli::output::{Output, short_peer};

/// List the conversations, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "Requests of strangers are not in the inbox: how many are pending is said below it.")]
pub(crate) struct InboxArgs {
    /// Only those with unread messages
    #[arg(long)]
    unread: bool,
}

/// Lists all conversations.
pub(super) fn all(context: &mut Context) -> Result<()> {
    run(&InboxArgs { unread: false }, context)
}

/// Lists the conversations.
pub(crate) fn run(args: &InboxArgs, context: &mut Context) -> Result<()> {
    let params = InboxParams { unread: args.unread, limit: None };
    let conversations = context.client()?.ask::<method::Inbox>(&params)?;
    let is_for_people = context.output.is_people() && context.output.is_told();
    let pending = if is_for_people { context.client()?.ask::<method::RequestsList>(&NoParams {})?.len() } else { 0 };
    let empty = if args.unread { "nothing is unread" } else { when_empty(pending) };
    show(&conversations, empty, &mut context.output)?;
    // Not as a remark: those are not seen before a pager has ended.
    let below = match pending {
        0 => return Ok(()),
        1 => "1 request is pending: `rohrpost requests`".to_owned(),
        _ => format!("{pending} requests are pending: `rohrpost requests`"),
    };
    let below = context.output.here.told(&below).into_owned();
    context.output.folded("", &below, HANG)
}

/// What whoever has no conversation can do.
const fn when_empty(pending: usize) -> &'static str {
    match pending {
        0 => {
            "there are no conversations yet; `rohrpost send` begins one with somebody's link, and yours, which `rohrpost id link` \
            shows, lets others begin one"
        }
        _ => "there are no conversations yet; one begins when you accept a request",
    }
}

pub(super) const TITLES: [&str; 6] = ["NAME", "PEER", "UNREAD", "WHEN", "", "LAST MESSAGE"];

fn show(conversations: &[Conversation], when_empty: &str, output: &mut Output) -> Result<()> {
    let row = |output: &Output, conversation: &Conversation| {
        let weight = if conversation.unread > 0 { Tint::Bold } else { Tint::Plain };
        let last = conversation.last.as_ref();
        [
            match conversation.kind {
                ConversationKind::Oneself => Cell::text("me"),
                _ => Cell::name(&conversation.name, conversation.calls_himself.as_deref()),
            },
            Cell::two(&short_peer(&conversation.peer_id), &conversation.peer_id.to_string()).tint(Tint::Dim),
            Cell::number(conversation.unread).tint(weight),
            Cell::text(&last.map(|message| output.time(when(message))).unwrap_or_default()).tint(Tint::Dim),
            // A column of its own, since whatever stands in the text may be theirs.
            last.map_or_else(|| Cell::text(""), |last| Cell::two(author(last), last.direction.word())).tint(Tint::Dim),
            Cell::long(&last.map(body).unwrap_or_default()).tint(weight),
        ]
    };
    output.list(conversations, TITLES, when_empty, row)
}

/// What a peer says about the time is less sure than when it came.
pub(super) fn when(message: &Message) -> WallTime {
    message.received_at.unwrap_or(message.sent_at)
}

/// Who wrote it, where the other side stands already.
fn author(message: &Message) -> &'static str {
    if message.direction == Direction::Out { "you" } else { "" }
}

/// The text, or what stands for what cannot be shown.
pub(super) fn body(message: &Message) -> String {
    match message.kind.as_str() {
        "text" => message.text.clone(),
        OTHER => "[not understood yet]".to_owned(),
        UNREADABLE => "[cannot be read]".to_owned(),
        kind => format!("[{kind}]"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cli::output::Form;
    use crate::cli::testing::{HOSTILE, PEOPLE, any_text, is_table, message, peer, written};

    fn conversation(name: &str, last: Option<Message>) -> Conversation {
        let kind = ConversationKind::Direct;
        let (name, calls_himself) = (name.to_owned(), None);
        Conversation { conversation: peer(2), kind, name, calls_himself, peer_id: peer(2), unread: 3, last }
    }

    #[test]
    fn a_line_for_each_conversation() {
        let all = [conversation("Bob", Some(message(Direction::Out, "see\nyou"))), conversation(HOSTILE, None)];
        let id = peer(2);
        let expected = format!(
            "NAME                                     PEER       UNREAD  WHEN        LAST MESSAGE\n\
             Bob                                      …{short}       3  14:02  you  see ⏎ you\n\
             \"Bob<U+001B>[2J<U+202E><U+0009>x ⏎ 12:00  Alice\"  …{short}       3\n",
            short = id.short()
        );
        let shown = written(PEOPLE, |output| show(&all, "", output));
        assert_eq!(squeezed(&shown), squeezed(&expected));
        let plain = written(Form::Plain, |output| show(&all[..1], "", output));
        assert_eq!(plain, format!("Bob\t{id}\t3\t2024-03-12T14:02:11.042Z\tout\tsee ⏎ you\n"));
        let json = written(Form::Json, |output| show(&all, "", output));
        assert_eq!(json.lines().count(), 2);
    }

    #[test]
    fn notes_to_oneself_are_told_from_somebody_who_calls_himself_so() {
        let mut notes = conversation("", None);
        notes.kind = ConversationKind::Oneself;
        let people = written(PEOPLE, |output| show(&[notes, conversation("me", None)], "", output));
        let names: Vec<&str> = people.lines().skip(1).map(|line| line.split_whitespace().next().unwrap()).collect();
        assert_eq!(names, ["me", "\"me\""]);
    }

    proptest! {
        #[test]
        fn no_width_lets_a_text_leave_its_column(text in any_text(), columns in 20_usize..=200) {
            let mut all = [conversation(&text, Some(message(Direction::In, &text))), conversation("Bob", None)];
            all[1].calls_himself = Some(text);
            let shown = written(Form::People { columns }, |output| show(&all, "", output));
            prop_assert!(is_table(&shown, columns, 2, &TITLES), "{}", shown);
        }
    }

    fn squeezed(text: &str) -> Vec<Vec<&str>> {
        text.lines().map(|line| line.split_whitespace().collect()).collect()
    }
}
