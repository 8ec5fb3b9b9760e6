//! Calls about messages and conversations.

use futures::future::BoxFuture;

use super::{Answering, Dispatcher, Meant, Until, page, value, which, whom, whom_exactly};
use crate::api::{
    ApiError, CancelParams, Code, Conversation, DeletedConversation, HistoryParams, InboxParams, Message,
    MessageParams, ReadCount, ReadParams, ReplyParams, SendParams, Who,
};
use crate::base::limits::MAX_PAGE;
use crate::base::{MessageId, Millis};
use crate::messenger::query;
use crate::messenger::{Answer, Command, Draft, Hints, SendCommand};
use crate::node::clock::Clock;
use crate::node::core::Submitted;
use crate::node::{errors, views};

/// Messages in a page of `history` that does not say how many.
const HISTORY: usize = 50;

impl Dispatcher {
    pub(super) async fn send(&self, params: SendParams) -> Result<Answering, ApiError> {
        let until = Until::new(params.wait, params.timeout_ms);
        let command = self
            .core
            .read(move |reader, me| {
                let answered = params.reply_to.as_ref().map(|text| which(reader, me, text)).transpose()?;
                let to = match answered {
                    Some((peer, _)) if params.to.is_empty() => Meant { peer, hints: Hints::default() },
                    _ => whom(reader, me, &params.to)?,
                };
                Ok(draft(params, to, answered.map(|(_, id)| id)))
            })
            .await?;
        check_client_id(command.client_id.as_deref())?;
        let client_id = command.client_id.clone();
        self.queued(self.core.submit(Command::Send(command)).await, client_id, until).await
    }

    /// To send with a message to answer, which says to whom.
    pub(super) async fn reply(&self, params: ReplyParams) -> Result<Answering, ApiError> {
        let ReplyParams { message, text, client_id, wait, timeout_ms, expires_s, accept } = params;
        let (to, subject, reply_to) = (String::new(), None, Some(message));
        self.send(SendParams { to, text, subject, reply_to, client_id, wait, timeout_ms, expires_s, accept }).await
    }

    /// Hands in a message for which nothing must be looked up; other parameters come back.
    pub(super) async fn begin_send(
        &self,
        params: SendParams,
    ) -> Result<BoxFuture<'static, Result<Answering, ApiError>>, SendParams> {
        let (None, Ok(Some(to)), Ok(())) =
            (&params.reply_to, whom_exactly(&params.to), check_client_id(params.client_id.as_deref()))
        else {
            return Err(params);
        };
        let until = Until::new(params.wait, params.timeout_ms);
        let command = draft(params, to, None);
        let client_id = command.client_id.clone();
        let submitted = self.core.submit(Command::Send(command)).await;
        let this = self.clone();
        Ok(Box::pin(async move { this.queued(submitted, client_id, until).await }))
    }

    async fn queued(
        &self,
        submitted: Submitted,
        client_id: Option<String>,
        until: Option<Until>,
    ) -> Result<Answering, ApiError> {
        let Answer::Sent(message) = submitted.outcome().await? else {
            return Err(errors::internal("the messenger did not say what it queued"));
        };
        let Some(until) = until else { return value(Ok(views::sent(&message, client_id))).map(Answering::Now) };
        let this = self.clone();
        Ok(Answering::Later(Box::pin(async move {
            let message = this.until(message.message_id, until).await?;
            value(Ok(views::sent(&message, client_id)))
        })))
    }

    pub(super) async fn message(&self, params: MessageParams) -> Result<Answering, ApiError> {
        let until = Until::new(params.wait, params.timeout_ms);
        let (_, id) = self.core.read(move |reader, me| which(reader, me, &params.message)).await?;
        let Some(until) = until else { return value(self.shown(id).await).map(Answering::Now) };
        let this = self.clone();
        Ok(Answering::Later(Box::pin(async move { value(this.until(id, until).await) })))
    }

    pub(super) async fn cancel(&self, params: CancelParams) -> Result<Message, ApiError> {
        let (_, id) = self.core.read(move |reader, me| which(reader, me, &params.message)).await?;
        match self.core.command(Command::Cancel(id)).await? {
            Answer::Sent(message) => Ok(*message),
            _ => Err(errors::internal("the messenger did not say what it cancelled")),
        }
    }

    pub(super) async fn inbox(&self, params: InboxParams) -> Result<Vec<Conversation>, ApiError> {
        let limit = page(params.limit, MAX_PAGE)?;
        self.core.read(move |reader, me| Ok(query::inbox(reader, me, params.unread, limit, Clock::wall())?)).await
    }

    pub(super) async fn history(&self, params: HistoryParams) -> Result<Vec<Message>, ApiError> {
        let limit = page(params.limit, HISTORY)?;
        self.core
            .read(move |reader, me| {
                let who = whom(reader, me, &params.who)?;
                let before = params.before.map(|text| which(reader, me, &text)).transpose()?.map(|(_, id)| id);
                Ok(query::history(reader, me, &who.peer, before.as_ref(), limit, Clock::wall())?)
            })
            .await
    }

    pub(super) async fn mark_read(&self, params: ReadParams) -> Result<ReadCount, ApiError> {
        let (peer, upto) = self
            .core
            .read(move |reader, me| {
                let who = whom(reader, me, &params.who)?;
                let upto = params.upto.map(|text| which(reader, me, &text)).transpose()?.map(|(_, id)| id);
                Ok((who.peer, upto))
            })
            .await?;
        match self.core.command(Command::Read { peer, upto }).await? {
            Answer::Read(read) => Ok(ReadCount { conversation: peer, read }),
            _ => Err(errors::internal("the messenger did not say how many messages it marked")),
        }
    }

    /// The name is looked up first, because nothing else may be left of the peer.
    pub(super) async fn delete_conversation(&self, who: Who) -> Result<DeletedConversation, ApiError> {
        let meant = self.resolve(who).await?;
        match self.core.command(Command::DeleteConversation(meant.peer_id)).await? {
            Answer::Deleted { unsent } => {
                Ok(DeletedConversation { conversation: meant.peer_id, name: meant.name, unsent })
            }
            _ => Err(errors::internal("the messenger did not say what it deleted")),
        }
    }
}

/// What is to be sent, for `send`, `reply` and the fast way.
fn draft(params: SendParams, to: Meant, reply_to: Option<MessageId>) -> SendCommand {
    SendCommand {
        to: to.peer,
        draft: Draft {
            text: params.text,
            subject: params.subject,
            reply_to,
            // The messenger refuses what is out of bounds.
            expires: params.expires_s.map(|seconds| Millis(seconds.saturating_mul(1000))),
        },
        hints: to.hints,
        accept: params.accept,
        client_id: params.client_id,
    }
}

/// An empty one is a variable of a script that nobody set, and would stand for every message. The messenger refuses one
/// that is too long.
fn check_client_id(client_id: Option<&str>) -> Result<(), ApiError> {
    match client_id {
        Some("") => Err(ApiError::new(Code::InvalidParams, "the client ID is empty")
            .with_hint("give every message a client ID of its own, of 1 to 128 bytes, or leave it out")),
        _ => Ok(()),
    }
}
