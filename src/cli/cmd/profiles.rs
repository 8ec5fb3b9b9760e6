//! `profiles`: the identities in the folder.

use serde::Serialize;

use crate::api::Code;
use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::Output;
use crate::cli::output::style::Tint;
use crate::cli::output::table::Cell;
use crate::client::{self, Client};

/// One of them, as it is seen from outside.
#[derive(Debug, Serialize)]
struct Profile {
    profile: String,
    /// Its node.
    running: bool,
    /// Whether it wants a passphrase; `None`: its key file cannot be read.
    locked: Option<bool>,
    data_dir: String,
}

/// Lists them.
pub(crate) fn run(context: &mut Context) -> Result<()> {
    let all = client::beside(&context.place).into_iter().map(|place| Profile {
        // One that does not answer runs.
        running: Client::connect(&place).map_or_else(|error| error.is(Code::NotAnswering), |found| found.is_some()),
        locked: client::needs_passphrase(&place).ok(),
        data_dir: place.dir.display().to_string(),
        profile: place.profile,
    });
    show(&all.collect::<Vec<_>>(), &mut context.output)
}

pub(super) const TITLES: [&str; 4] = ["PROFILE", "NODE", "PASSPHRASE", "FOLDER"];

fn show(all: &[Profile], output: &mut Output) -> Result<()> {
    output.list(all, TITLES, "there is no profile yet; `rohrpost init` makes one", |_, one| {
        let (node, tint) = if one.running { ("running", Tint::Green) } else { ("off", Tint::Plain) };
        let locked = match one.locked {
            Some(true) => ("yes", "true"),
            Some(false) => ("no", "false"),
            None => ("the key file cannot be read", ""),
        };
        [
            Cell::text(&one.profile),
            Cell::two(node, &one.running.to_string()).tint(tint),
            Cell::two(locked.0, locked.1),
            Cell::long(&one.data_dir),
        ]
    })
}
