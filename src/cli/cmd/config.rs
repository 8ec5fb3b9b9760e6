//! `config`: what is in force, and from where.

use crate::cli::context::Context;
use crate::cli::error::Result;
use crate::cli::output::style::Tint;
use crate::cli::output::table::Cell;
use crate::client::{From, RunOptions, Setting};

pub(super) const TITLES: [&str; 3] = ["SETTING", "VALUE", "FROM"];

/// Lists the settings of a node that would be begun here without options.
pub(crate) fn run(context: &mut Context) -> Result<()> {
    let all = RunOptions::in_force(&context.place)?;
    context.output.list(&all, TITLES, "", |_, one: &Setting| {
        let from = match &one.from {
            From::Default => Cell::text("default").tint(Tint::Dim),
            From::Environment(name) => Cell::text(name),
            From::File(path) => Cell::long(&path.display().to_string()),
        };
        [Cell::text(one.setting), Cell::long(&one.value), from]
    })
}
