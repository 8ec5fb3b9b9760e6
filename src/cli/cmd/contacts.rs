//! `contacts`: the people we know.

use clap::Subcommand;

use crate::api::{AddContact, Code, Contact, NoParams, RenameParams, SetContact, VerifyParams, Who, method};
use crate::base::shown::bytes;
use crate::cli::args::{Whom, size};
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::cli::output::style::Tint;
use crate::cli::output::table::{Cell, Record};
use crate::cli::output::{Output, name_and_peer, short_peer};
use crate::cli::typed::Typed;

/// The people you know
#[derive(Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
WHO is a name that you gave, a peer ID or its end as tables show it, a contact's
own name, or three letters and more of a name that you gave.")]
pub(crate) struct ContactsArgs {
    #[command(subcommand)]
    action: Option<ContactsAction>,

    /// Show this one, as `contacts show` does
    #[arg(value_name = "WHO")]
    who: Option<String>,
}

impl ContactsArgs {
    /// Whether it lists what there is.
    pub(crate) const fn lists(&self) -> bool {
        self.who.is_none() && matches!(self.action, None | Some(ContactsAction::List))
    }
}

/// Whom to add.
#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// Peer ID or `rohrpost:` link
    #[arg(value_name = "PEER-ID|LINK")]
    who: String,

    /// Your own name for them
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, Subcommand)]
enum ContactsAction {
    /// List the contacts (this is the default)
    List,
    /// Add somebody by peer ID or link, without writing
    Add(AddArgs),
    /// Show a contact and your common safety number
    Show {
        /// Whom
        #[arg(value_name = "WHO")]
        who: String,
    },
    /// Name a contact; an empty name goes back to theirs
    Rename {
        /// Whom
        #[arg(value_name = "WHO")]
        who: String,
        /// Your own name for them
        #[arg(value_name = "NAME", required_unless_present = "theirs")]
        name: Option<String>,
        /// Take over what they call themselves by now
        #[arg(long, conflicts_with = "name")]
        theirs: bool,
    },
    /// Show the safety number, or compare it and mark the contact
    Verify {
        /// Whom
        #[arg(value_name = "WHO")]
        who: String,
        /// The 60 digits that the other side reads to you
        #[arg(value_name = "NUMBER")]
        number: Vec<String>,
        /// Take the mark away
        #[arg(long, conflicts_with = "number")]
        undo: bool,
    },
    /// Set how much of a contact's messages is kept at most
    Set {
        /// Whom
        #[arg(value_name = "WHO")]
        who: String,
        /// Such as 500MiB or 2GiB; beyond it theirs wait on their side
        #[arg(long, value_name = "SIZE", value_parser = size)]
        quota: u64,
    },
    /// Block somebody: nothing of theirs is kept from now on
    Block(Whom),
    /// Undo a block
    Unblock(Whom),
    /// Forget a contact: what they write is a request again
    Remove(Whom),
}

/// Lists, shows or changes contacts.
pub(crate) fn run(args: ContactsArgs, context: &mut Context) -> Result<()> {
    let action = match (args.action, args.who) {
        (action, None) => action.unwrap_or(ContactsAction::List),
        (None, Some(who)) => {
            let contact = context.named_behind::<method::ContactsShow>("contacts", &who)?;
            return show(&contact, &mut context.output);
        }
        (Some(_), Some(who)) => return Err(before_the_command("contacts", &who, &context.typed)),
    };
    match action {
        ContactsAction::List => {
            let mut contacts = context.client()?.ask::<method::ContactsList>(&NoParams {})?;
            contacts.sort_by_cached_key(|contact| (contact.name.to_lowercase(), contact.peer_id));
            list(&contacts, &mut context.output)
        }
        ContactsAction::Add(args) => add(args, context),
        ContactsAction::Show { who } => {
            let contact = context.client()?.ask::<method::ContactsShow>(&Who::new(who))?;
            show(&contact, &mut context.output)
        }
        ContactsAction::Rename { who, name, theirs } => {
            let contact = context.client()?.ask::<method::ContactsRename>(&RenameParams { who, name, theirs })?;
            context.output.done(&contact, &format!("they are {} now", named(&contact)))?;
            remark_of_the_name(&contact, context)
        }
        ContactsAction::Verify { who, number, undo } => verify(who, &number, undo, context),
        ContactsAction::Set { who, quota } => {
            let contact = context.client()?.ask::<method::ContactsSet>(&SetContact { who, quota })?;
            context
                .output
                .done(&contact, &format!("at most {} of messages of {} are kept", bytes(quota), named(&contact)))
        }
        ContactsAction::Block(whom) => block(whom, context),
        ContactsAction::Unblock(whom) => unblock(whom, context),
        ContactsAction::Remove(whom) => context.each_done::<method::ContactsRemove>(whom, |who| {
            format!("{who} is no longer a contact; the conversation stays")
        }),
    }
}

/// A name and a command: which of both is meant?
pub(super) fn before_the_command(noun: &str, who: &str, typed: &Typed) -> CliError {
    let shows = typed.other(noun).with(&[("WHO", who)]);
    CliError::usage(format!("'{who}' stands before the command"))
        .hint(format!("whom a command is about stands behind it; `{shows}` alone shows them"))
}

/// Makes a contact of somebody.
pub(crate) fn add(args: AddArgs, context: &mut Context) -> Result<()> {
    let AddArgs { who, name } = args;
    let contact = context.client()?.ask::<method::ContactsAdd>(&AddContact { who, name })?;
    context.output.done(&contact, &format!("{} is a contact now", named(&contact)))?;
    remark_of_the_name(&contact, context)
}

/// Blocks each. Who only asks is not meant by a name, and it is said where he is.
pub(crate) fn block(whom: Whom, context: &mut Context) -> Result<()> {
    context.each(whom, |who, context| {
        let blocked = context.client()?.ask::<method::ContactsBlock>(&who);
        let blocked = match blocked {
            Err(error) if error.is(Code::NotFound) => {
                let asks = context.client()?.ask::<method::RequestsShow>(&who).is_ok();
                let block = context.typed.other("requests block").with(&[("WHO", &who.who)]);
                let hint = format!("somebody of that name asks: `{block}`");
                return Err(if asks { error.with_hint(hint) } else { error }.into());
            }
            blocked => blocked?,
        };
        let named = name_and_peer(&blocked.name, &blocked.peer_id);
        context.output.done(&blocked, &format!("{named} is blocked; they are not told"))
    })
}

/// Undoes the block of each.
pub(crate) fn unblock(whom: Whom, context: &mut Context) -> Result<()> {
    context.each_done::<method::ContactsUnblock>(whom, |who| format!("{who} is no longer blocked"))
}

/// Says so if the name that somebody has now means others, too, or nobody.
pub(super) fn remark_of_the_name(contact: &Contact, context: &mut Context) -> Result<()> {
    if contact.name.is_empty() || !context.output.is_told() {
        return Ok(());
    }
    let meant = context.client()?.ask::<method::Resolve>(&Who::new(contact.name.clone()));
    if meant.is_ok_and(|meant| meant.peer_id == contact.peer_id) {
        return Ok(());
    }
    let (name, short) = (&contact.name, short_peer(&contact.peer_id));
    context.output.note(&format!(
        "'{name}' does not mean them alone: name them by {short}, or give them another name with `rohrpost contacts rename`"
    ))
}

fn verify(who: String, number: &[String], undo: bool, context: &mut Context) -> Result<()> {
    let number = (!number.is_empty()).then(|| number.concat());
    let compared = number.is_some();
    let params = VerifyParams { who, number, clear: undo };
    let contact = context.client()?.ask::<method::ContactsVerify>(&params)?;
    if compared || undo {
        let what = if undo { "no longer verified" } else { "verified: the safety numbers are the same" };
        return context.output.done(&contact, &format!("{} is {what}", named(&contact)));
    }
    show_number(&contact, &mut context.output)
}

pub(super) const TITLES: [&str; 5] = ["NAME", "PEER", "VERIFIED", "BLOCKED", "SINCE"];

fn list(contacts: &[Contact], output: &mut Output) -> Result<()> {
    let row = |output: &Output, contact: &Contact| {
        [
            Cell::name(&contact.name, contact.calls_himself.as_deref()),
            Cell::two(&short_peer(&contact.peer_id), &contact.peer_id.to_string()).tint(Tint::Dim),
            Cell::flag(contact.verified).tint(Tint::Green),
            Cell::flag(contact.blocked).tint(Tint::Red),
            Cell::text(&contact.added_at.map(|at| output.time(at)).unwrap_or_default()).tint(Tint::Dim),
        ]
    };
    output.list(contacts, TITLES, "there are no contacts yet; `rohrpost contacts add LINK` makes one", row)
}

fn show(contact: &Contact, output: &mut Output) -> Result<()> {
    let flag = |is: bool| Cell::two(if is { "yes" } else { "no" }, &is.to_string());
    let mut record = Record::default();
    record.row("name", "name", Cell::name(&contact.name, None));
    if contact.announced_name != contact.name {
        record.row("calls himself", "announced_name", Cell::name(&contact.announced_name, None));
    }
    record.row("peer ID", "peer_id", Cell::copied(&contact.peer_id.to_string()));
    record.row("contact", "contact", flag(contact.contact));
    record.row("verified", "verified", flag(contact.verified));
    record.row("blocked", "blocked", flag(contact.blocked));
    if let Some(at) = contact.added_at {
        record.row("since", "added_at", Cell::text(&output.time(at)));
    }
    let size = |count: u64| Cell::two(&bytes(count), &count.to_string());
    record.row("kept", "kept", size(contact.kept.unwrap_or_default()));
    record.row("at most", "quota", size(contact.quota));
    record.row("full", "full", Cell::two(if contact.full { FULL } else { "no" }, &contact.full.to_string()));
    record.rows("safety number", "safety_number", number_rows(contact, output).iter().map(|row| Cell::text(row)));
    output.record(contact, &record)
}

fn show_number(contact: &Contact, output: &mut Output) -> Result<()> {
    output.value(contact, &number_rows(contact, output).join("\n"))?;
    output.note(&format!("If {} sees the same number, nobody is between you.", named(contact)))?;
    output
        .note("Compare it in another way than this one, in person or in a call, and then give it behind this command.")
}

/// For people three rows of four groups, easier to read out than one of twelve.
fn number_rows(contact: &Contact, output: &Output) -> Vec<String> {
    let groups: Vec<&str> = contact.safety_number.as_deref().unwrap_or_default().split_whitespace().collect();
    groups.chunks(if output.is_plain() { 12 } else { 4 }).map(|row| row.join(" ")).collect()
}

/// What helps when no more is kept.
const FULL: &str = "yes: `conversation delete`, or `contacts set --quota` with more, makes room";

fn named(contact: &Contact) -> String {
    name_and_peer(&contact.name, &contact.peer_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Form;
    use crate::cli::testing::{HOSTILE, NOW, PEOPLE, peer, written};

    fn contact(name: &str) -> Contact {
        Contact {
            peer_id: peer(2),
            name: name.to_owned(),
            announced_name: "Robert".to_owned(),
            calls_himself: None,
            verified: true,
            blocked: false,
            contact: true,
            added_at: Some(NOW),
            kept: Some(3 << 20),
            quota: 1 << 30,
            full: false,
            safety_number: Some(["01234"; 12].join(" ")),
        }
    }

    #[test]
    fn a_line_for_each_contact() {
        let plain = written(Form::Plain, |output| list(&[contact(HOSTILE)], output));
        let name = "Bob<U+001B>[2J<U+202E><U+0009>x ⏎ 12:00  Alice";
        assert_eq!(plain, format!("{name}\t{}\ttrue\tfalse\t2024-03-12T14:02:11.042Z\n", peer(2)));
        let people = written(PEOPLE, |output| list(&[contact("Bob")], output));
        let id = peer(2).short();
        assert_eq!(
            people,
            format!("NAME  PEER       VERIFIED  BLOCKED  SINCE\nBob   …{id}  yes                14:02\n")
        );
    }

    #[test]
    fn who_renames_himself_is_listed_under_the_old_name() {
        let renamed = |name: &str, new: &str| Contact { calls_himself: Some(new.to_owned()), ..contact(name) };
        let (id, whole) = (peer(2).short(), peer(2));
        let people = written(PEOPLE, |output| list(&[renamed("Bob", "Alice (…12345678)"), renamed("", "Eve")], output));
        let names: Vec<&str> =
            people.lines().skip(1).map(|line| line.split(&format!("  …{id}")).next().unwrap().trim()).collect();
        assert_eq!(names, ["Bob, calls himself \"Alice (…12345678)\"", "calls himself Eve"]);
        let plain = written(Form::Plain, |output| list(&[renamed("Bob", "Alice")], output));
        assert!(plain.starts_with(&format!("Bob\t{whole}\t")), "{plain}");
    }

    #[test]
    fn a_contact_is_shown_with_the_number_in_three_rows() {
        let text = written(PEOPLE, |output| show(&contact("Bob"), output));
        assert!(text.contains("calls himself  Robert\n"), "{text}");
        assert_eq!(text.matches("01234 01234 01234 01234\n").count(), 3, "{text}");
    }
}
