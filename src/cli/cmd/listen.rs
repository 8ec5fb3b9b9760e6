//! `listen`: events as they come.

use std::io;
use std::os::fd::AsFd as _;

use crate::api::{Code, Cursor, Direction, Event, EventKind};
use crate::base::MessageId;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::cli::output::names::by_now;
use crate::cli::output::style::Tint;
use crate::cli::output::{Output, gone_message, name_and_peer, safe, short_peer};
use crate::client::{self, Events, Heard};

use super::inbox::body;

/// Print events as they come, one a line
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each event has a `cursor`, and is kept. Who asks --since the last one seen
misses nothing; --since 0 begins with the oldest that is kept. It ends with its
node (exit code 9), with --follow it waits for the next one.

Example:
  rohrpost --json listen --follow --since 0 | while read -r event; do …; done")]
pub(crate) struct ListenArgs {
    /// Begin behind this event instead of now
    #[arg(long, value_name = "CURSOR")]
    since: Option<Cursor>,

    /// Wait for a node, and for the next one when it ends
    #[arg(long)]
    follow: bool,
}

/// Prints events until the node ends, or the reader does.
pub(crate) fn run(args: &ListenArgs, context: &mut Context) -> Result<()> {
    if args.follow {
        return follow(args.since, context);
    }
    let client = context.client()?;
    if !client.is_remote() && args.since.is_none() {
        return Err(CliError::new(Code::NodeNeeded, "no node is running, so nothing new can come")
            .hint("`rohrpost run` starts one; `listen --since 0` shows what is in the log"));
    }
    let remote = client.is_remote();
    let mut last = args.since;
    let events = client.events(args.since)?;
    match print(events, &mut last, &mut context.output)? {
        End::Reader => Ok(()),
        End::Node if remote => {
            let cursor = last.map_or_else(String::new, |last| format!(" --since {last}"));
            let goes_on = format!("{}{cursor}", context.typed.other("listen --follow").with(&[]));
            Err(CliError::new(Code::NodeNeeded, "the node has ended")
                .hint(format!("`rohrpost run` starts one; `{goes_on}` waits for it and goes on here")))
        }
        End::Node => context.output.note("no node is running; this was the log so far"),
    }
}

/// Goes on with every node that comes.
fn follow(mut since: Option<Cursor>, context: &mut Context) -> Result<()> {
    let stdout = io::stdout();
    let gone = [Code::Io, Code::Stopping, Code::NodeNeeded, Code::NotAnswering];
    loop {
        let Context { place, output, .. } = &mut *context;
        let waiting = |why: &str| drop(output.note(&format!("{why}; waiting")));
        let Some(client) = client::await_node(place, stdout.as_fd(), waiting)? else { return Ok(()) };
        let events = match client.events(since) {
            Ok(events) => events,
            // It has ended, or was stopped, in between.
            Err(error) if gone.iter().any(|code| error.is(*code)) => continue,
            Err(error) => return Err(error.into()),
        };
        if let End::Reader = print(events, &mut since, &mut context.output)? {
            return Ok(());
        }
    }
}

/// Who ended it.
enum End {
    /// The node, or there was none.
    Node,
    /// Nobody reads any more.
    Reader,
}

/// Prints events as long as there are any, and somebody to read them. `last`: the cursor of the last one.
fn print(mut events: Events, last: &mut Option<Cursor>, output: &mut Output) -> Result<End> {
    let stdout = io::stdout();
    loop {
        match events.next_for(stdout.as_fd())? {
            Heard::Event(event) => {
                show(&event, output)?;
                if output.unwritten.is_some() {
                    return Ok(End::Reader);
                }
                *last = Some(event.cursor);
            }
            Heard::TimedOut => {}
            Heard::Unread => return Ok(End::Reader),
            Heard::Ended => return Ok(End::Node),
        }
    }
}

/// Columns of a text that an event tells at most: `history` shows the rest.
const LONGEST: usize = 400;
/// What stands before the further lines of an event, as far to the right as its first words.
const FURTHER: &str = "         ";

/// One event on one line.
pub(super) fn show(event: &Event, output: &mut Output) -> Result<()> {
    if output.is_json() {
        return output.json(event);
    }
    let at = output.time(event.at);
    if output.is_plain() {
        let (peer, text, direction) = columns(&event.kind);
        let (peer, text) = (safe::line(&peer), safe::line(&text));
        return output.line(&format!("{}\t{at}\t{}\t{peer}\t{text}\t{direction}", event.cursor, event.kind.name()));
    }
    let (mark, who, what) = told(&event.kind);
    let paint = output.paint;
    // What is about nobody else is ours.
    let what = if who.is_empty() { output.here.told(&what).into_owned() } else { what };
    let who = paint.tint(Tint::Cyan, &safe::line(&who));
    let what = safe::truncate(&safe::line(&what), LONGEST);
    let line = [who, what].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ");
    output.folded("", &format!("{}  {mark} {line}", paint.tint(Tint::Dim, &at)), FURTHER)
}

/// What a program gets: whom it is about, what there is to say, which way a message went. Not yet safe.
fn columns(kind: &EventKind) -> (String, String, &'static str) {
    let (peer, text) = match kind {
        EventKind::MessageNew { conversation, message: Some(new), .. } => {
            return (conversation.to_string(), body(new), new.direction.word());
        }
        EventKind::MessageNew { conversation, message_id, .. } => (conversation.to_string(), message_id.to_string()),
        EventKind::MessageState { conversation, message_id, state, .. } => {
            (conversation.to_string(), format!("{message_id} {state}"))
        }
        EventKind::MessageDeleted { conversation, message_id, reason, state, .. } => {
            (conversation.to_string(), format!("{message_id} {reason}, {state}"))
        }
        EventKind::ConversationDeleted { conversation, .. } => (conversation.to_string(), String::new()),
        EventKind::RequestNew { peer_id, request } => {
            (peer_id.to_string(), request.as_ref().map(|request| request.text.clone()).unwrap_or_default())
        }
        EventKind::RequestClosed { peer_id, reason } => (peer_id.to_string(), reason.to_string()),
        EventKind::ContactRenamed { peer_id, calls_himself, .. } => {
            (peer_id.to_string(), by_now(String::new(), calls_himself.as_deref()))
        }
        EventKind::Ready { peer_id, addrs, .. } => (peer_id.to_string(), addrs.join(" ")),
        EventKind::ContactAdded { peer_id, .. }
        | EventKind::ContactKeyChanged { peer_id, .. }
        | EventKind::PeerOnline { peer_id, .. }
        | EventKind::PeerOffline { peer_id, .. } => (peer_id.to_string(), String::new()),
        EventKind::ContactFull { peer_id, .. } => (peer_id.to_string(), FULL.to_owned()),
        kind => (String::new(), of_oneself(kind).to_owned()),
    };
    (peer, text, "")
}

/// What a person reads: which way a message goes, in or out, or that it is none; who; what. Where that mark stands no text can begin. Not
/// yet safe.
fn told(kind: &EventKind) -> (&'static str, String, String) {
    let gone = |id: &MessageId| format!("message {}", gone_message(id));
    let (who, what) = match kind {
        EventKind::MessageNew { conversation, message: Some(new), name, .. } => {
            return match new.direction {
                Direction::In => ("←", name_and_peer(name, conversation), body(new)),
                Direction::Out if new.from == *conversation => ("→", "me".to_owned(), body(new)),
                Direction::Out => ("→", name_and_peer(name, conversation), body(new)),
            };
        }
        EventKind::MessageNew { conversation, message_id, .. } => (short_peer(conversation), gone(message_id)),
        EventKind::MessageState { conversation, message_id, state, name, short_id } => {
            let id = if short_id.is_empty() { gone(message_id) } else { format!("message {short_id}") };
            (name_and_peer(name, conversation), format!("{id} is {state}"))
        }
        EventKind::MessageDeleted { conversation, message_id, reason, state, name } => {
            (name_and_peer(name, conversation), format!("{} is gone ({reason}), {state}", gone(message_id)))
        }
        EventKind::ConversationDeleted { conversation, name } => {
            (name_and_peer(name, conversation), "the conversation is deleted".to_owned())
        }
        EventKind::RequestNew { peer_id, request: Some(request) } => {
            (name_and_peer(&request.name, peer_id), format!("asks to be a contact: {}", request.text))
        }
        EventKind::RequestNew { peer_id, request: None } => (short_peer(peer_id), "asked to be a contact".to_owned()),
        EventKind::RequestClosed { peer_id, reason } => {
            (short_peer(peer_id), format!("the request is closed: {reason}"))
        }
        EventKind::ContactAdded { peer_id, name } => (name_and_peer(name, peer_id), "is a contact now".to_owned()),
        EventKind::ContactKeyChanged { peer_id, name } => {
            (name_and_peer(name, peer_id), "the key changed, or the mark of verification is gone".to_owned())
        }
        EventKind::PeerOnline { peer_id, name } => (name_and_peer(name, peer_id), "is connected".to_owned()),
        EventKind::PeerOffline { peer_id, name } => (name_and_peer(name, peer_id), "is no longer connected".to_owned()),
        EventKind::ContactRenamed { peer_id, name, calls_himself } => {
            (name_and_peer(name, peer_id), by_now(String::new(), calls_himself.as_deref()))
        }
        EventKind::ContactFull { peer_id, name } => (name_and_peer(name, peer_id), FULL.to_owned()),
        EventKind::Ready { peer_id, .. } => (short_peer(peer_id), "ready".to_owned()),
        kind => (String::new(), of_oneself(kind).to_owned()),
    };
    ("·", who, what)
}

/// No more of a contact is kept.
const FULL: &str = "their quota is full: what they write waits on their side";

/// What is about nobody else.
const fn of_oneself(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::ProfileElsewhere { running: true, .. } => {
            "another node runs under this identity: see `rohrpost doctor`"
        }
        EventKind::ProfileElsewhere { .. } => {
            "a card of ours was made by another copy of the profile: see `rohrpost doctor`"
        }
        EventKind::Recovered {} => "some events before this one may be missing",
        _ => "something that only a newer version knows",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::{MessageEnd, RequestEnd, State};
    use crate::cli::output::Form;
    use crate::cli::output::wrap::ENDLESS;
    use crate::cli::testing::{HOSTILE, NOW, PEOPLE, any_text, begun, message, peer, request, written};

    fn event(kind: EventKind) -> Event {
        Event::new(7, NOW, kind)
    }

    #[test]
    fn an_event_is_one_line_whatever_it_quotes() {
        let new = message(Direction::In, HOSTILE);
        let kinds = [
            EventKind::MessageNew {
                conversation: peer(2),
                message_id: new.message_id,
                message: Some(Box::new(new.clone())),
                name: HOSTILE.to_owned(),
            },
            EventKind::MessageNew {
                conversation: peer(2),
                message_id: new.message_id,
                message: None,
                name: String::new(),
            },
            EventKind::MessageState {
                conversation: peer(2),
                message_id: new.message_id,
                state: State::Read,
                name: HOSTILE.to_owned(),
                short_id: "abcdef".to_owned(),
            },
            EventKind::MessageDeleted {
                conversation: peer(2),
                message_id: new.message_id,
                reason: MessageEnd::Expired,
                state: State::Sent,
                name: HOSTILE.to_owned(),
            },
            EventKind::ConversationDeleted { conversation: peer(2), name: HOSTILE.to_owned() },
            EventKind::RequestNew { peer_id: peer(2), request: None },
            EventKind::RequestClosed { peer_id: peer(2), reason: RequestEnd::Expired },
            EventKind::ContactAdded { peer_id: peer(2), name: HOSTILE.to_owned() },
            EventKind::PeerOnline { peer_id: peer(2), name: String::new() },
            EventKind::ContactRenamed {
                peer_id: peer(2),
                name: HOSTILE.to_owned(),
                calls_himself: Some(HOSTILE.to_owned()),
            },
            EventKind::Unknown,
        ];
        for kind in kinds {
            for form in [PEOPLE, Form::Plain, Form::Json] {
                let line = written(form, |output| show(&event(kind.clone()), output));
                assert_eq!(begun(&line, ENDLESS).len(), 1, "{line}");
                assert!(!line.contains(['\x1b', '\u{202E}']), "{line}");
                if form == Form::Plain {
                    assert_eq!(line.matches('\t').count(), 5, "{line}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_width_lets_a_text_pass_for_another_event(text in any_text(), columns in 20_usize..=200) {
            let new = message(Direction::In, &text);
            let of = |message| EventKind::MessageNew {
                conversation: peer(2),
                message_id: new.message_id,
                message,
                name: text.clone(),
            };
            let kinds = [
                of(Some(Box::new(new.clone()))),
                EventKind::ContactRenamed { peer_id: peer(2), name: text.clone(), calls_himself: Some(text.clone()) },
                EventKind::RequestNew { peer_id: peer(2), request: Some(Box::new(request(&text))) },
            ];
            let shown = written(Form::People { columns }, |output| kinds.iter().try_for_each(|kind| show(&event(kind.clone()), output)));
            let begun = begun(&shown, columns);
            prop_assert_eq!(begun.len(), 3, "{}", shown);
            prop_assert!(begun.iter().zip(["←", "·", "·"]).all(|(row, mark)| row.starts_with(&format!("14:02  {mark} ")) || row == &format!("14:02  {mark}")), "{}", shown);
        }
    }

    #[test]
    fn people_read_what_happened() {
        let short = peer(2).short();
        let new = |direction, text: &str| {
            let message = message(direction, text);
            let (message_id, message) = (message.message_id, Some(Box::new(message)));
            EventKind::MessageNew { conversation: peer(2), message_id, message, name: "Bob".to_owned() }
        };
        let (name, short_id, message_id) = ("Bob".to_owned(), "abcdef".to_owned(), MessageId::new([0xAB; 32]));
        let state =
            EventKind::MessageState { conversation: peer(2), message_id, state: State::Delivered, name, short_id };
        let mut note = message(Direction::Out, "bins");
        note.from = peer(2);
        let note = EventKind::MessageNew {
            conversation: peer(2),
            message_id,
            message: Some(Box::new(note)),
            name: String::new(),
        };
        for (kind, expected) in [
            (new(Direction::In, "Hello!\n· Bob: is gone"), format!("← Bob (…{short}): Hello! ⏎ · Bob: is gone")),
            (new(Direction::Out, "Hello!"), format!("→ Bob (…{short}): Hello!")),
            (note, "→ me: bins".to_owned()),
            (state, format!("· Bob (…{short}): message abcdef is delivered")),
            (
                EventKind::PeerOnline { peer_id: peer(2), name: "→ Alice".to_owned() },
                format!("· → Alice (…{short}): is connected"),
            ),
            (EventKind::Recovered {}, "· some events before this one may be missing".to_owned()),
        ] {
            let line = written(PEOPLE, |output| show(&event(kind), output));
            assert_eq!(line, format!("14:02  {expected}\n"));
        }
        let long = new(Direction::In, &"word ".repeat(10_000));
        let shown = written(PEOPLE, |output| show(&event(long), output));
        assert!(shown.lines().count() < 10 && shown.ends_with("…\n"), "{shown}");
    }

    #[test]
    fn programs_are_told_which_way_a_message_went() {
        for direction in [Direction::In, Direction::Out] {
            let message = message(direction, "Hello");
            let (message_id, message) = (message.message_id, Some(Box::new(message)));
            let kind = EventKind::MessageNew { conversation: peer(2), message_id, message, name: "Bob".to_owned() };
            let line = written(Form::Plain, |output| show(&event(kind), output));
            assert_eq!(
                line,
                format!("7-18e32f882e2\t2024-03-12T14:02:11.042Z\tmessage.new\t{}\tHello\t{direction}\n", peer(2))
            );
        }
    }
}
