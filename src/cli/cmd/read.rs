//! `read`: mark messages as read.

use crate::api::{ReadParams, method};
use crate::cli::context::Context;
use crate::cli::error::Result;

/// Mark a conversation as read
#[derive(Debug, clap::Args)]
#[command(after_help = "A contact is told what was read. Whose request is pending is told nothing.")]
pub(crate) struct ReadArgs {
    /// With whom
    #[arg(value_name = "WHO")]
    who: String,

    /// Only up to this message
    #[arg(value_name = "MSG")]
    upto: Option<String>,
}

/// Marks the messages and says how many they were.
pub(crate) fn run(args: ReadArgs, context: &mut Context) -> Result<()> {
    let count = context.client()?.ask::<method::Read>(&ReadParams { who: args.who, upto: args.upto })?;
    let text = match count.read {
        0 => "nothing was unread".to_owned(),
        1 => "1 message is read now".to_owned(),
        n => format!("{n} messages are read now"),
    };
    context.output.done(&count, &text)
}
