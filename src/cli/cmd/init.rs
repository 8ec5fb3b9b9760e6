//! `init`: make an identity.

use crate::api::Code;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};
use crate::client;

use super::id;

/// Make an identity: the first thing to do
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The passphrase protects the key file on this disk. It is asked for, or taken from
--passphrase-file. There is no way back to a lost passphrase.

Examples:
  rohrpost init --name Alice
  rohrpost -P work init --passphrase-file ~/secrets/work")]
pub(crate) struct InitArgs {
    /// The name that others are shown with your requests and messages
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Leave the key file unprotected: who can read the disk can be you
    #[arg(long, conflicts_with = "passphrase_file")]
    no_passphrase: bool,
}

/// Makes the identity and shows it.
pub(crate) fn run(args: &InitArgs, context: &mut Context) -> Result<()> {
    // Said before a passphrase is thought up in vain.
    if client::exists(&context.place)? {
        let message = format!("the profile {} exists already", context.place.profile);
        return Err(CliError::new(Code::Exists, message));
    }
    let source = context.prompter.source.clone();
    let passphrase = match (args.no_passphrase, &source) {
        (true, _) => None,
        (false, None) if context.prompter.alone => {
            return Err(CliError::new(Code::PassphraseNeeded, "there is nobody to ask for a passphrase")
                .hint("give --passphrase-file FILE, or --no-passphrase to leave the key file unprotected"));
        }
        (false, source) => Some(context.new_passphrase(source.as_ref())?),
    };
    let identity = client::create(&context.place, passphrase.as_ref(), args.name.as_deref())?;
    id::show(&identity, &mut context.output)?;
    if passphrase.is_none() {
        context.output.note("The key file has no passphrase: who can read the disk can be you.")?;
    }
    context.output.note("Hand out your link: whoever writes with it is shown as invited.")?;
    context.output.note("`rohrpost run` receives what they write.")
}
