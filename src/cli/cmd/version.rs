//! `version`: what `--version` prints, also for programs.

use serde_json::json;

use crate::cli::error::Result;
use crate::cli::output::Output;

/// Prints the version.
pub(crate) fn run(output: &mut Output) -> Result<()> {
    let version = env!("CARGO_PKG_VERSION");
    output.value(&json!({ "version": version }), &format!("rohrpost {version}"))
}
