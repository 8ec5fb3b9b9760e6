//! `reply`: answer a message in its conversation.

use crate::api::{MessageParams, SendParams, method};
use crate::cli::context::Context;
use crate::cli::error::Result;

use super::send::{Delivery, send, text_of};

/// Answer a message in its conversation
#[derive(Debug, clap::Args)]
#[command(after_help = "\
MSG is a message ID, or an unambiguous beginning of one, as `history` shows it.
Options stand before MSG or behind the text.

Example:
  rohrpost reply a3f9c2 Yes, at eight")]
pub(crate) struct ReplyArgs {
    /// The message that is answered
    #[arg(value_name = "MSG")]
    message: String,

    /// What to say; - alone is standard input; without, an editor opens
    #[arg(value_name = "TEXT")]
    text: Vec<String>,

    #[command(flatten)]
    delivery: Delivery,
}

/// Sends the reply.
pub(crate) fn run(args: ReplyArgs, context: &mut Context) -> Result<()> {
    let ReplyArgs { message, text: words, delivery } = args;
    let said = text_of(&words, ("MSG", &message), context, |client| {
        client
            .ask::<method::MessageShow>(&MessageParams { message: message.clone(), ..MessageParams::default() })
            .map(|_| ())
    })?;
    let message = SendParams {
        text: said.text.clone(),
        reply_to: Some(message),
        client_id: delivery.client_id.clone(),
        expires_s: delivery.expires,
        accept: delivery.accept,
        ..SendParams::default()
    };
    send(&[message], &said, &delivery, context, &mut |_| Ok(()))
}
