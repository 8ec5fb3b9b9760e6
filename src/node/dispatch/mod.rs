//! Answers calls: the same for the socket and for a front end without a node.

mod messages;
mod people;
mod reach;
mod wait;

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use super::core::Core;
use super::place::Place;
use super::whereabouts::Address;
use super::{addresses, errors, views};
use crate::api::{
    self, ApiError, Call, Code, Cursor, Document, Event, EventPage, EventsParams, LinkParams, Listening, Pong,
    Stopping, WaitFor,
};
use crate::base::limits::MAX_PAGE;
use crate::base::{MessageId, PeerId};
use crate::identity::Link;
use crate::messenger::query::{self, Scope};
use crate::messenger::{Command, Hints};
use crate::net::NetHandle;
use crate::node::clock::Clock;
use crate::store::{Reader, StoreError};

/// Answers calls about one profile.
#[derive(Clone)]
pub(crate) struct Dispatcher {
    core: Core,
    place: Place,
    /// `None`: this process has the profile, but runs no node.
    live: Option<Live>,
}

/// What a running node has besides the messenger.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) net: NetHandle,
    /// How the node is known, and where it is.
    pub(crate) address: Arc<Address>,
    /// Ends the node.
    pub(crate) stop: watch::Sender<bool>,
}

/// How a call is answered.
pub(crate) enum Answering {
    /// Here it is.
    Now(Value),
    /// What was asked for is done, the answer comes when a state is reached.
    Later(BoxFuture<'static, Result<Value, ApiError>>),
    /// The connection is to tell events from this cursor on.
    Listen(Listening),
}

impl Dispatcher {
    pub(crate) const fn new(core: Core, place: Place, live: Option<Live>) -> Self {
        Self { core, place, live }
    }

    pub(crate) const fn core(&self) -> &Core {
        &self.core
    }

    /// Carries out a call. When this returns, its effect is durable; only waiting may be left.
    pub(crate) async fn call(&self, call: Call) -> Result<Answering, ApiError> {
        match call {
            Call::Send(params) => self.send(params).await,
            Call::Reply(params) => self.reply(params).await,
            Call::MessageShow(params) => self.message(params).await,
            Call::Listen(params) => self.listen(params.since).await.map(Answering::Listen),
            call => self.simple(call).await.map(Answering::Now),
        }
    }

    /// Begins a call that means the same whatever the calls before it do, so that it need not wait for them: a message
    /// to a whole peer ID or a link, or what accepts or adds one. Its effect comes after theirs, and is durable when the
    /// future ends. Other calls come back as they are.
    pub(crate) async fn begin(&self, call: Call) -> Result<BoxFuture<'static, Result<Answering, ApiError>>, Call> {
        match call {
            Call::Send(params) => self.begin_send(params).await.map_err(Call::Send),
            call => match Self::at_once(&call) {
                Some(command) => Ok(self.begin_contact(command).await),
                None => Err(call),
            },
        }
    }

    /// Carries out a call and waits for whatever it waits for.
    pub(crate) async fn answer(&self, call: Call) -> Result<Value, ApiError> {
        match self.call(call).await? {
            Answering::Now(value) => Ok(value),
            Answering::Later(later) => later.await,
            Answering::Listen(_) => {
                Err(ApiError::new(Code::NodeNeeded, "without a node there is nothing to listen to"))
            }
        }
    }

    /// Calls about ourselves, the node, and messages.
    async fn simple(&self, call: Call) -> Result<Value, ApiError> {
        match call {
            Call::MessageCancel(params) => value(self.cancel(params).await),
            Call::IdShow(params) => value(self.identity(params).await),
            Call::IdName(params) => value(self.change_identity(Command::SetName { name: params.name }).await),
            Call::IdRotate(_) => value(self.change_identity(Command::RotateToken).await),
            Call::Inbox(params) => value(self.inbox(params).await),
            Call::History(params) => value(self.history(params).await),
            Call::Read(params) => value(self.mark_read(params).await),
            Call::ConversationDelete(who) => value(self.delete_conversation(who).await),
            Call::Resolve(who) => value(self.found(Scope::People, who).await),
            Call::StatusShow(_) => value(self.status().await),
            Call::ClockConfirm(_) => value(self.confirm_clock().await),
            Call::Doctor(params) => value(self.doctor(params.who).await),
            Call::Peers(_) => value(self.peers().await),
            Call::MailboxList(_) => value(self.mailboxes().await),
            Call::MailboxFind(_) => value(self.find_mailboxes().await),
            Call::MailboxUse(params) => value(self.use_mailbox(params.at).await),
            Call::MailboxDrop(who) => value(self.drop_mailbox(who).await),
            Call::Events(params) => value(self.events(params).await),
            Call::Discover(_) => value(Ok(Document(api::openrpc()))),
            Call::Ping(_) => value(self.ping()),
            Call::Stop(_) => value(self.stop()),
            call => self.about_people(call).await,
        }
    }

    fn live(&self) -> Result<&Live, ApiError> {
        self.live.as_ref().ok_or_else(|| ApiError::new(Code::NodeNeeded, "no node is running"))
    }

    /// Which profile is served. Asks nobody who could keep it waiting.
    fn ping(&self) -> Result<Pong, ApiError> {
        Ok(Pong { nonce: self.live()?.address.nonce.clone(), pid: std::process::id() })
    }

    /// Ends the node: the answer still goes out.
    fn stop(&self) -> Result<Stopping, ApiError> {
        let live = self.live()?;
        live.stop.send_replace(true);
        Ok(Stopping { pid: std::process::id() })
    }

    async fn listen(&self, since: Option<Cursor>) -> Result<Listening, ApiError> {
        let since = match since {
            Some(since) => self.checked(since).await?,
            None => self.core.read(|reader, _| Ok(end_of_log(reader)?)).await?,
        };
        Ok(Listening { since })
    }

    /// A cursor of this log. One that was cut off at its beginning, or where something is damaged, is not told from another.
    async fn checked(&self, since: Cursor) -> Result<Cursor, ApiError> {
        let wrong = move |why: String| Err(ApiError::new(Code::WrongCursor, format!("the cursor {since} is {why}")));
        self.core
            .read(move |reader, _| {
                let newest = query::last_event(reader)?;
                match (since.at, query::event_time(reader, since.seq)?) {
                    _ if since.seq > newest => wrong(format!("ahead of this log, which ends with event {newest}")),
                    (Some(at), Some(there)) if at != there => wrong("of another log of events".to_owned()),
                    _ => Ok(since),
                }
            })
            .await
    }

    /// A page of the log.
    pub(crate) async fn events(&self, params: EventsParams) -> Result<EventPage, ApiError> {
        let (since, limit) = (self.checked(params.since).await?, page(params.limit, MAX_PAGE)?);
        let events = self.behind(since.seq, limit).await?;
        let next = events.last().map_or(since, |event| event.cursor);
        Ok(EventPage { more: events.len() == limit, events, next })
    }

    /// Events behind this place.
    pub(crate) async fn behind(&self, seq: u64, limit: usize) -> Result<Vec<Event>, ApiError> {
        self.core
            .read(move |reader, me| {
                let found = query::events(reader, seq, limit)?.into_iter();
                Ok(found.map(|event| views::event(reader, me, &event)).collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn identity(&self, params: LinkParams) -> Result<api::Identity, ApiError> {
        let listening = self.live.as_ref().map(|live| live.net.status().listen_addrs).unwrap_or_default();
        self.core
            .read(move |reader, me| {
                let link = query::link(reader, me)?.ok_or_else(|| errors::internal("the profile is empty"))?;
                Ok(views::identity(link, addresses::full(&listening, me), params))
            })
            .await
    }

    async fn change_identity(&self, command: Command) -> Result<api::Identity, ApiError> {
        self.core.command(command).await?;
        self.identity(LinkParams::default()).await
    }
}

/// Whom a text means, and what a link says besides.
pub(super) struct Meant {
    pub(super) peer: PeerId,
    hints: Hints,
}

/// Understands what stands where a contact, or somebody with whom there is a conversation, is meant; `me` is oneself.
pub(super) fn whom(reader: &Reader, me: PeerId, text: &str) -> Result<Meant, ApiError> {
    whom_among(reader, me, Scope::People, text)
}

/// The same where others may be meant: those who ask to be a contact.
fn whom_among(reader: &Reader, me: PeerId, scope: Scope, text: &str) -> Result<Meant, ApiError> {
    if let Some(meant) = whom_exactly(text)? {
        return Ok(meant);
    }
    match query::resolve_peer(reader, me, scope, text) {
        Ok(peer) => Ok(Meant { peer, hints: Hints::default() }),
        Err(error) => Err(errors::peer(error, text.trim(), scope)),
    }
}

/// The same for what means somebody without a look at the store: a link or a whole peer ID.
fn whom_exactly(text: &str) -> Result<Option<Meant>, ApiError> {
    let text = text.trim();
    if Link::is_meant(text) {
        let link: Link = text.parse()?;
        let hints = Hints { name: link.name, addrs: link.addrs, token: link.token, mailboxes: link.mailboxes };
        return Ok(Some(Meant { peer: link.peer, hints }));
    }
    Ok(text.parse().ok().map(|peer| Meant { peer, hints: Hints::default() }))
}

/// Understands what stands where a message is meant.
fn which(reader: &Reader, me: PeerId, text: &str) -> Result<(PeerId, MessageId), ApiError> {
    query::resolve_message(reader, text.trim(), Clock::wall()).map_err(|error| {
        errors::message(error, text, |id| query::message(reader, me, id, Clock::wall()).ok().flatten())
    })
}

/// The end of the log of events as it is now.
pub(super) fn end_of_log(rows: &Reader) -> Result<Cursor, StoreError> {
    let seq = query::last_event(rows)?;
    Ok(Cursor { seq, at: query::event_time(rows, seq)? })
}

/// The size of a page.
fn page(limit: Option<u32>, default: usize) -> Result<usize, ApiError> {
    let limit = limit.map_or(default, |limit| limit as usize);
    if limit == 0 || limit > MAX_PAGE {
        return Err(ApiError::new(Code::InvalidParams, format!("a page has 1 to {MAX_PAGE} rows, not {limit}")));
    }
    Ok(limit)
}

fn value(result: Result<impl Serialize, ApiError>) -> Result<Value, ApiError> {
    serde_json::to_value(result?).map_err(|e| errors::internal(e.to_string()))
}

/// What a waiting call waits for.
#[derive(Clone, Copy)]
struct Until {
    wait: WaitFor,
    timeout: std::time::Duration,
}
