//! `listen`: events as they come.

use crate::api::{Code, Direction, Event, EventKind};
use crate::base::{MessageId, PeerId};
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::cli::output::names::by_now;
use crate::cli::output::style::Tint;
use crate::cli::output::{Output, gone_message, name_and_peer, safe, short_peer};

use super::inbox::body;

/// Print events as they come, one a line
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each event has a number (`seq`) and is kept. Who asks --since the last one seen
misses nothing; --since 0 begins with the oldest that is kept.

Example:
  rohrpost --json listen --since 0 | while read -r event; do …; done")]
pub(crate) struct ListenArgs {
    /// Begin after this event instead of now
    #[arg(long, value_name = "CURSOR")]
    since: Option<u64>,
}

/// Prints events until the node ends, or the reader does.
pub(crate) fn run(args: &ListenArgs, context: &mut Context) -> Result<()> {
    let client = context.client()?;
    if !client.is_remote() && args.since.is_none() {
        return Err(CliError::new(Code::NodeNeeded, "no node is running, so nothing new can come")
            .hint("`rohrpost run` starts one; `listen --since 0` shows what is in the log"));
    }
    let remote = client.is_remote();
    for event in client.events(args.since)? {
        show(&event?, &mut context.output)?;
    }
    context.output.note(if remote { "the node has stopped" } else { "no node is running; this was the log so far" })
}

/// One event on one line.
pub(super) fn show(event: &Event, output: &mut Output) -> Result<()> {
    if output.is_json() {
        return output.json(event);
    }
    let name = event.kind.name();
    let at = output.time(event.at);
    let (peer, text) = words(&event.kind, output.is_plain());
    let (peer, text) = (safe::line(&peer), safe::line(&text));
    if output.is_plain() {
        return output.line(&format!("{}\t{at}\t{name}\t{peer}\t{text}", event.seq));
    }
    let at = output.paint.tint(Tint::Dim, &at);
    let peer = output.paint.tint(Tint::Cyan, &peer);
    output.folded("", &format!("{at}  {name:<19}  {peer}  {text}"), "    ")
}

/// Whom it is about, and what there is to say. Not yet safe.
fn words(kind: &EventKind, whole: bool) -> (String, String) {
    let id = |peer: &PeerId| if whole { peer.to_string() } else { short_peer(peer) };
    let named = |name: &str, peer: &PeerId| if whole { peer.to_string() } else { name_and_peer(name, peer) };
    let message = |message: &MessageId| if whole { message.to_string() } else { gone_message(message) };
    match kind {
        EventKind::MessageNew { conversation, message: Some(new), .. } => {
            let name = if new.direction == Direction::In { new.from_name.as_str() } else { "" };
            (named(name, conversation), body(new))
        }
        EventKind::MessageNew { conversation, message_id, .. } => (id(conversation), message(message_id)),
        EventKind::MessageState { conversation, message_id, state, short_id, .. } => {
            let digits = if whole || short_id.is_empty() { message(message_id) } else { short_id.clone() };
            (id(conversation), format!("{digits} {state}"))
        }
        EventKind::MessageDeleted { conversation, message_id, reason, state, .. } => {
            (id(conversation), format!("{} {reason}, {state}", message(message_id)))
        }
        EventKind::ConversationDeleted { conversation, name } => (named(name, conversation), String::new()),
        EventKind::RequestNew { peer_id, request } => match request {
            Some(request) => (named(&request.name, peer_id), request.text.clone()),
            None => (id(peer_id), String::new()),
        },
        EventKind::RequestClosed { peer_id, reason } => (id(peer_id), reason.to_string()),
        EventKind::ContactAdded { peer_id, name }
        | EventKind::ContactKeyChanged { peer_id, name }
        | EventKind::PeerOnline { peer_id, name }
        | EventKind::PeerOffline { peer_id, name } => (named(name, peer_id), String::new()),
        EventKind::ContactRenamed { peer_id, name, calls_himself } => {
            (named(name, peer_id), by_now(String::new(), calls_himself.as_deref()))
        }
        EventKind::ContactFull { peer_id, name } => {
            (named(name, peer_id), "their quota is full: what they write waits on their side".to_owned())
        }
        EventKind::ProfileElsewhere { running: true, .. } => {
            (String::new(), "another node runs under this identity: see `rohrpost doctor`".to_owned())
        }
        EventKind::ProfileElsewhere { .. } => {
            (String::new(), "a card of ours was made by another copy of the profile: see `rohrpost doctor`".to_owned())
        }
        EventKind::Ready { peer_id, addrs, .. } => (peer_id.to_string(), addrs.join(" ")),
        EventKind::Recovered {} => (String::new(), "some events before this one may be missing".to_owned()),
        EventKind::Unknown => (String::new(), String::new()),
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
        Event { seq: 7, at: NOW, kind }
    }

    #[test]
    fn an_event_is_one_line_whatever_it_quotes() {
        let new = message(Direction::In, HOSTILE);
        let kinds = [
            EventKind::MessageNew {
                conversation: peer(2),
                message_id: new.message_id,
                message: Some(Box::new(new.clone())),
            },
            EventKind::MessageNew { conversation: peer(2), message_id: new.message_id, message: None },
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
                    assert_eq!(line.matches('\t').count(), 4, "{line}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn no_width_lets_a_text_pass_for_another_event(text in any_text(), columns in 20_usize..=200) {
            let new = message(Direction::In, &text);
            let of = |message| EventKind::MessageNew { conversation: peer(2), message_id: new.message_id, message };
            let kinds = [
                of(Some(Box::new(new.clone()))),
                EventKind::ContactRenamed { peer_id: peer(2), name: text.clone(), calls_himself: Some(text.clone()) },
                EventKind::RequestNew { peer_id: peer(2), request: Some(Box::new(request(&text))) },
            ];
            let shown = written(Form::People { columns }, |output| kinds.iter().try_for_each(|kind| show(&event(kind.clone()), output)));
            let begun = begun(&shown, columns);
            prop_assert_eq!(begun.len(), 3, "{}", shown);
            prop_assert!(begun.iter().all(|row| row.starts_with("14:02")), "{}", shown);
        }
    }

    #[test]
    fn people_read_what_happened() {
        let state = EventKind::MessageState {
            conversation: peer(2),
            message_id: MessageId::new([0xAB; 32]),
            state: State::Delivered,
            name: "Bob".to_owned(),
            short_id: "abcdef".to_owned(),
        };
        let line = written(PEOPLE, |output| show(&event(state), output));
        assert_eq!(line, format!("14:02  message.state        …{}  abcdef delivered\n", peer(2).short()));
    }
}
