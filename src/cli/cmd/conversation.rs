//! `conversation`: what is done with a whole conversation.

use clap::Subcommand;

use crate::api::{DeletedConversation, Who, method};
use crate::base::names::is_me;
use crate::cli::args::Whom;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::cli::output::{Output, name_and_peer, safe};

use super::contacts::before_the_command;
use super::{history, inbox};

/// A whole conversation: show or delete it
#[derive(Debug, clap::Args)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
Alone it lists the conversations, as `inbox` does.
Deleting destroys the keys of the conversation: nobody can read it any more, on
this machine. The other side keeps theirs, and is not told. The contact stays.")]
pub(crate) struct ConversationArgs {
    #[command(subcommand)]
    action: Option<ConversationAction>,

    /// Show it, as `history` does
    #[arg(value_name = "WHO")]
    who: Option<String>,
}

impl ConversationArgs {
    /// Whether it lists what there is.
    pub(crate) const fn lists(&self) -> bool {
        self.action.is_none()
    }
}

#[derive(Debug, Subcommand)]
enum ConversationAction {
    /// Delete it for good, with what waits to be sent in it
    Delete {
        #[command(flatten)]
        whom: Whom,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Lists or shows conversations, or deletes some.
pub(crate) fn run(args: ConversationArgs, context: &mut Context) -> Result<()> {
    let (whom, yes) = match (args.action, args.who) {
        (Some(ConversationAction::Delete { whom, yes }), None) => (whom, yes),
        (Some(_), Some(who)) => return Err(before_the_command("conversation", &who, &context.typed)),
        (None, Some(who)) => return history::of(who, context),
        (None, None) => return inbox::all(context),
    };
    context.each(whom, |who, context| {
        if !yes && !is_sure(&who, context)? {
            return context.output.note("nothing was deleted");
        }
        let deleted = context.client()?.ask::<method::ConversationDelete>(&who)?;
        told(&deleted, is_me(&who.who), &mut context.output)
    })
}

/// Asks whoever is there.
fn is_sure(who: &Who, context: &mut Context) -> Result<bool> {
    if context.prompter.alone {
        return Err(CliError::usage("there is nobody to ask whether the conversation is to be deleted")
            .hint("`--yes` deletes it without asking"));
    }
    if is_me(&who.who) {
        return context.prompter.confirm("Delete your notes to yourself for good? [y/N] ");
    }
    let found = context.client()?.ask::<method::Resolve>(who)?;
    let who = safe::line(&name_and_peer(&found.name, &found.peer_id));
    context.prompter.confirm(&format!(
        "Delete the conversation with {who} for good? What waits to be sent in it will not be sent. [y/N] "
    ))
}

fn told(deleted: &DeletedConversation, is_me: bool, output: &mut Output) -> Result<()> {
    if is_me {
        return output.done(deleted, "your notes to yourself are deleted");
    }
    let who = name_and_peer(&deleted.name, &deleted.conversation);
    output.done(deleted, &format!("the conversation with {who} is deleted"))?;
    match deleted.unsent {
        0 => Ok(()),
        1 => output.note("1 message in it was not sent yet, and will not be"),
        n => output.note(&format!("{n} messages in it were not sent yet, and will not be")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{HOSTILE, PEOPLE, output, peer};

    #[test]
    fn what_is_not_sent_is_told() {
        for (unsent, told_of) in [(0, None), (1, Some("1 message in it was")), (7, Some("7 messages in it were"))] {
            let (mut output, _, err) = output(PEOPLE);
            let deleted = DeletedConversation { conversation: peer(2), name: HOSTILE.to_owned(), unsent };
            told(&deleted, false, &mut output).unwrap();
            assert!(err.text().contains("is deleted\n") && !err.text().contains('\x1b'), "{}", err.text());
            assert_eq!(err.text().contains("not sent"), told_of.is_some());
            assert!(err.text().contains(told_of.unwrap_or_default()), "{}", err.text());
        }
    }
}
