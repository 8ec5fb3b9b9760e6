//! `completions SHELL`: what a shell needs to complete the command line.

use clap::CommandFactory;

use crate::cli::args::Cli;
use crate::cli::error::Result;
use crate::cli::output::Output;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  rohrpost completions bash > \\
    ~/.local/share/bash-completion/completions/rohrpost
  rohrpost completions zsh > ~/.zfunc/_rohrpost
  rohrpost completions fish > ~/.config/fish/completions/rohrpost.fish")]
pub(crate) struct CompletionsArgs {
    /// Which shell
    #[arg(value_name = "SHELL", value_enum)]
    shell: clap_complete::Shell,
}

/// Prints the script.
pub(crate) fn run(args: &CompletionsArgs, output: &mut Output) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rohrpost", &mut script);
    output.out.write_all(&script)?;
    Ok(output.out.flush()?)
}
