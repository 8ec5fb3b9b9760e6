//! `openrpc`: the local interface, for programs that make clients of it.

use crate::api;
use crate::cli::error::Result;
use crate::cli::output::Output;

/// Print the OpenRPC document of the local JSON-RPC interface
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Needs neither a profile nor a node: it describes this version of the program.

Examples:
  rohrpost openrpc > rohrpost.openrpc.json
  rohrpost --json openrpc | jq '.methods[].name'")]
pub(crate) struct OpenrpcArgs {}

/// Prints it: for people over many lines, with `--json` in one.
pub(crate) fn run(_: &OpenrpcArgs, output: &mut Output) -> Result<()> {
    let document = api::openrpc();
    output.value(&document, &format!("{document:#}"))
}
