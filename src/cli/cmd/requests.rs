//! `requests`: first messages of people who are not contacts.

use clap::Subcommand;

use crate::api::{NoParams, Request, RequestDetail, method};
use crate::cli::args::Whom;
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::style::Tint;
use crate::cli::output::table::{Cell, Record};
use crate::cli::output::{Output, name_and_peer, safe, short_peer};

use super::contacts::{before_the_command, remark_of_the_name};

/// What stands before each line of a message.
const INDENT: &str = "    ";

/// First messages of people who are not contacts
#[derive(Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
WHO is the name of somebody who asks, as it stands here, or a peer ID or its end.
Nobody is told that a request was seen, declined or blocked. Accepting makes a
contact and moves the messages into the inbox.")]
pub(crate) struct RequestsArgs {
    #[command(subcommand)]
    action: Option<RequestsAction>,

    /// Show theirs, as `requests show` does
    #[arg(value_name = "WHO")]
    who: Option<String>,
}

impl RequestsArgs {
    /// Whether it lists what there is.
    pub(crate) const fn lists(&self) -> bool {
        self.who.is_none() && matches!(self.action, None | Some(RequestsAction::List))
    }
}

#[derive(Debug, Subcommand)]
enum RequestsAction {
    /// List the pending requests (this is the default)
    List,
    /// Show a request with all its messages
    Show(Whom),
    /// Accept: the sender becomes a contact
    Accept(Whom),
    /// Decline: the request goes, and so do new ones of the next 30 days
    Decline(Whom),
    /// Block: nothing of theirs is kept from now on
    Block(Whom),
}

/// Lists, shows or decides requests.
pub(crate) fn run(args: RequestsArgs, context: &mut Context) -> Result<()> {
    let action = match (args.action, args.who) {
        (action, None) => action.unwrap_or(RequestsAction::List),
        (None, Some(who)) => {
            let request = context.named_behind::<method::RequestsShow>("requests", &who)?;
            return show(&request, &mut context.output);
        }
        (Some(_), Some(who)) => return Err(before_the_command("requests", &who, &context.typed)),
    };
    match action {
        RequestsAction::List => {
            let requests = context.client()?.ask::<method::RequestsList>(&NoParams {})?;
            list(&requests, &mut context.output)
        }
        RequestsAction::Show(whom) => context.each(whom, |who, context| {
            let request = context.client()?.ask::<method::RequestsShow>(&who)?;
            show(&request, &mut context.output)
        }),
        RequestsAction::Accept(whom) => accept(whom, context),
        RequestsAction::Decline(whom) => decline(whom, context),
        RequestsAction::Block(whom) => {
            context.each_done::<method::RequestsBlock>(whom, |who| format!("{who} is blocked; they are not told"))
        }
    }
}

/// Makes contacts of those who ask.
pub(crate) fn accept(whom: Whom, context: &mut Context) -> Result<()> {
    context.each(whom, |who, context| {
        let contact = context.client()?.ask::<method::RequestsAccept>(&who)?;
        let text = format!("{} is a contact now", name_and_peer(&contact.name, &contact.peer_id));
        context.output.done(&contact, &text)?;
        remark_of_the_name(&contact, context)
    })
}

/// Drops the requests of each.
pub(crate) fn decline(whom: Whom, context: &mut Context) -> Result<()> {
    context.each_done::<method::RequestsDecline>(whom, |who| format!("the request of {who} is gone; they are not told"))
}

pub(super) const TITLES: [&str; 7] = ["NAME", "PEER", "WHEN", "MESSAGES", "INVITED", "SUBJECT", "TEXT"];

fn list(requests: &[Request], output: &mut Output) -> Result<()> {
    let row = |output: &Output, request: &Request| {
        [
            Cell::name(&request.name, None),
            Cell::two(&short_peer(&request.peer_id), &request.peer_id.to_string()).tint(Tint::Dim),
            Cell::text(&output.time(request.received_at)).tint(Tint::Dim),
            Cell::number(request.messages),
            Cell::flag(request.invited).tint(Tint::Green),
            Cell::long(request.subject.as_deref().unwrap_or_default()),
            Cell::long(&request.text),
        ]
    };
    output.list(requests, TITLES, "no requests are pending", row)
}

fn show(detail: &RequestDetail, output: &mut Output) -> Result<()> {
    let request = &detail.request;
    let mut record = Record::default();
    record.row("name", "name", Cell::name(&request.name, None));
    record.row("peer ID", "peer_id", Cell::copied(&request.peer_id.to_string()));
    record.row("received", "received_at", Cell::text(&output.time(request.received_at)));
    let invited = if request.invited { "yes: they have your link" } else { "no" };
    record.row("invited", "invited", Cell::two(invited, &request.invited.to_string()));
    if let Some(subject) = &request.subject {
        record.row("subject", "subject", Cell::text(subject));
    }
    if output.is_plain() {
        record.rows("text", "text", detail.texts.iter().map(|message| Cell::text(&message.text)));
    }
    output.record(detail, &record)?;
    if output.is_people() {
        for message in &detail.texts {
            output.line("")?;
            output.folded(INDENT, &safe::block(&message.text), INDENT)?;
        }
        output.line("")?;
        output
            .note("They do not know whether you have seen this: `rohrpost requests accept`, `decline` or `block`.")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::HeldMessage;
    use crate::cli::output::Form;
    use crate::cli::testing::{HOSTILE, PEOPLE, any_text, begun, is_table, output, peer, request, written};

    #[test]
    fn a_stranger_cannot_draw_on_the_terminal() {
        for form in [PEOPLE, Form::Plain, Form::Json] {
            let text = written(form, |output| list(&[request(HOSTILE), request(HOSTILE)], output));
            assert!(!text.contains(['\x1b', '\u{202E}']), "{text}");
            assert_eq!(text.lines().count(), if form == PEOPLE { 3 } else { 2 }, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_width_lets_a_stranger_write_where_a_line_of_ours_begins(text in any_text(), columns in 20_usize..=200) {
            let requests = [request(&text), request(&text)];
            let listed = written(Form::People { columns }, |output| list(&requests, output));
            prop_assert!(is_table(&listed, columns, 2, &TITLES), "{}", listed);

            let detail = RequestDetail { request: request(&text), texts: vec![HeldMessage { text }] };
            let shown = written(Form::People { columns }, |output| show(&detail, output));
            let id = peer(2).to_string();
            let begun: Vec<_> = begun(&shown, columns).into_iter().filter(|row| !id.contains(row.as_str())).collect();
            prop_assert_eq!(begun.len(), 5, "{}", shown);
            for (row, label) in begun.iter().zip(["name", "peer ID", "received", "invited", "subject"]) {
                prop_assert!(row.starts_with(label), "{}", shown);
            }
        }
    }

    #[test]
    fn a_request_is_shown_with_all_its_texts_indented() {
        let held = |text: &str| HeldMessage { text: text.to_owned() };
        let detail = RequestDetail { request: request(HOSTILE), texts: vec![held("one\ntwo"), held("three")] };
        let (mut output, out, err) = output(PEOPLE);
        show(&detail, &mut output).unwrap();
        assert!(out.text().ends_with("\n\n    one\n    two\n\n    three\n\n"), "{}", out.text());
        assert!(out.text().contains(&format!("peer ID   {}\n", peer(2))), "{}", out.text());
        assert!(err.text().contains("requests accept"));
        let plain = written(Form::Plain, |output| show(&detail, output));
        assert!(plain.ends_with("text\tone ⏎ two\ntext\tthree\n"), "{plain}");
    }
}
