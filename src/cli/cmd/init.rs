//! `init`: make an identity.

use crate::cli::prompt::Source;

/// Make an identity: the first thing to do
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The passphrase protects the key file on this disk. It is asked for at the terminal, or taken from
--passphrase-file. There is no way back to a lost passphrase.

Examples:
  rohrpost init --name Alice
  rohrpost -P work init --passphrase-file ~/secrets/work
  rohrpost -P bot init --no-passphrase")]
pub(crate) struct InitArgs {
    /// The name that others are shown with your requests and messages
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Leave the key file unprotected: who can read the disk can be you
    #[arg(long, conflicts_with = "passphrase_file")]
    no_passphrase: bool,
}
