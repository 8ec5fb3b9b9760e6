//! `reply`: answer a message in its conversation.

use crate::api::SendParams;
use crate::cli::context::Context;
use crate::cli::error::Result;

use super::send::{Delivery, send, text_or_stdin};

/// Answer a message in its conversation
#[derive(Debug, clap::Args)]
#[command(after_help = "\
MSG is a message ID, or an unambiguous beginning of one, as `history` shows it.

Example:
  rohrpost reply 01a3f9c2 'Yes, at eight'")]
pub(crate) struct ReplyArgs {
    /// The message that is answered
    #[arg(value_name = "MSG")]
    message: String,

    /// What to say; - reads it from standard input
    #[arg(value_name = "TEXT|-")]
    text: String,

    #[command(flatten)]
    delivery: Delivery,
}

/// Sends the reply.
pub(crate) fn run(args: ReplyArgs, context: &mut Context) -> Result<()> {
    let ReplyArgs { message, text, delivery } = args;
    let text = text_or_stdin(text, context)?;
    let message = SendParams {
        text,
        reply_to: Some(message),
        client_id: delivery.client_id.clone(),
        expires_s: delivery.expires,
        accept: delivery.accept,
        ..SendParams::default()
    };
    send(&[message], &delivery, context)
}
