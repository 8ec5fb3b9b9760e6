//! `completions SHELL`: what a shell needs to complete the command line.

use crate::cli::complete;
use crate::cli::error::Result;
use crate::cli::output::Output;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It completes names of contacts and requests while the node runs, profiles,
methods and options. Where the files go, docs/guide.md says.

Examples:
  source <(rohrpost completions bash)
  rohrpost completions fish > ~/.config/fish/completions/rohrpost.fish")]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: clap_complete::Shell,
}

/// Prints the script.
pub(crate) fn run(args: &CompletionsArgs, output: &mut Output) -> Result<()> {
    output.put(&complete::script(&args.shell.to_string()).unwrap_or_default())
}
