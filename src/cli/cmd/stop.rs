//! `stop`: end the running node.

use crate::cli::context::Context;
use crate::cli::error::Result;

/// Stop the running node
#[derive(Debug, clap::Args)]
pub(crate) struct StopArgs {}

/// Ends the node and waits until it has let go of the profile.
pub(crate) fn run(_: StopArgs, context: &mut Context) -> Result<()> {
    let pid = context.stop()?;
    if context.output.is_json() {
        return Ok(context.output.json(&serde_json::json!({ "pid": pid }))?);
    }
    Ok(context.output.note(&format!("the node (process {pid}) has stopped"))?)
}
