//! `stop`: end the running node.

use crate::api::Code;
use crate::cli::context::Context;
use crate::cli::error::{CliError, Result};

/// Stop the running node
#[derive(Debug, clap::Args)]
pub(crate) struct StopArgs {}

/// Ends the node and waits until it has let go of the profile.
pub(crate) fn run(_: StopArgs, context: &mut Context) -> Result<()> {
    if !context.stop()? {
        return Err(CliError::new(Code::NodeNeeded, "no node is running").hint("there is nothing to stop"));
    }
    context.output.done(&serde_json::json!({ "running": false }), "the node has stopped")
}
