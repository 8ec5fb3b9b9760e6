//! `demo`: two real nodes talk to each other, and every step can be watched.

/// Watch two nodes talk to each other, step by step, in a few seconds
#[derive(Debug, clap::Args)]
#[command(after_help = "Everything happens in a temporary folder and on this machine; nothing of it stays.")]
pub(crate) struct DemoArgs {}

use crate::cli::error::Result;
use crate::cli::output::Output;

/// Runs the demonstration.
pub(crate) fn run(_: DemoArgs, output: &mut Output) -> Result<()> {
    let _ = output;
    todo!()
}
