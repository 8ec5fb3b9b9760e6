//! One client: lines in, answers and events out.

use futures::StreamExt;
use futures::future::{BoxFuture, join_all};
use futures::stream::{FuturesOrdered, FuturesUnordered};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::watch;

use super::dispatch::{Answering, Dispatcher};
use super::news::News;
use crate::api::rpc::{self, Id, Incoming, Request, Response};
use crate::api::{ApiError, Call, Code};
use crate::base::limits::{MAX_RPC_CLIENTS, MAX_RPC_LINE};

mod hangup;
mod lines;

use hangup::Hangup;
use lines::{Line, Lines};

/// Calls of one client that wait for a state; when there are more, its next line is read later.
const MAX_WAITING: usize = 64;
/// Calls of one client that are begun at the same time, to share commits.
const MAX_QUEUING: usize = 256;
/// Events written at a time, so that a client far behind still gets answers in between.
const EVENTS_AT_A_TIME: usize = 500;

/// A call that was begun.
type Queuing = BoxFuture<'static, (Option<Id>, Result<Answering, ApiError>)>;

/// What a client may ask for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seat {
    /// Everything.
    Whole,
    /// All places are taken: how the node is, and that it ends.
    Spare,
}

/// Serves one client until it goes, or the node ends. Then the connection is given back, still open: its end tells the
/// client that the node is gone.
pub(crate) async fn serve(
    stream: UnixStream,
    dispatcher: Dispatcher,
    stop: watch::Receiver<bool>,
    seat: Seat,
) -> Option<UnixStream> {
    let hangup = match Hangup::of(&stream) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::warn!(%error, "a client cannot be served");
            return None;
        }
    };
    let (reader, writer) = stream.into_split();
    let mut connection = Connection {
        lines: Lines::new(reader),
        writer,
        hangup,
        dispatcher,
        seat,
        news: None,
        queuing: FuturesOrdered::new(),
        waiting: FuturesUnordered::new(),
        stop,
        has_said_all: false,
        is_gone: false,
    };
    match connection.run().await {
        End::Node => connection.lines.into_inner().reunite(connection.writer).ok(),
        End::Client => None,
    }
}

struct Connection {
    lines: Lines,
    writer: OwnedWriteHalf,
    hangup: Hangup,
    dispatcher: Dispatcher,
    seat: Seat,
    /// What the client is told next; `None`: it does not listen.
    news: Option<News>,
    /// Calls begun and not yet carried out, in the order in which they came.
    queuing: FuturesOrdered<Queuing>,
    /// Lines that are ready later; nothing for notifications.
    waiting: FuturesUnordered<BoxFuture<'static, Option<String>>>,
    stop: watch::Receiver<bool>,
    /// No more lines come.
    has_said_all: bool,
    /// Nobody reads what is written. What was asked before is carried out nevertheless, and nothing is waited for.
    is_gone: bool,
}

/// Who ended the connection.
enum End {
    Client,
    Node,
}

/// What happened next.
enum Next {
    Line(Line),
    Answer(Option<String>),
    Queued(Option<Id>, Result<Answering, ApiError>),
    Events,
    HungUp,
    Stop,
}

impl Connection {
    async fn run(&mut self) -> End {
        // No more lines: what was asked is still answered.
        while !(self.has_said_all && self.queuing.is_empty() && self.waiting.is_empty()) {
            match self.next().await {
                Next::Line(Line::Full(line)) => self.line(&line).await,
                Next::Line(Line::TooLong) => {
                    let message = format!("a line has at most {MAX_RPC_LINE} bytes");
                    let error = ApiError::new(Code::TooLarge, message);
                    self.write(Some(Response { id: Id::NULL, outcome: Err(error) }.to_line())).await;
                }
                Next::Line(Line::End) => (self.has_said_all, self.news) = (true, None),
                Next::Answer(line) => self.write(line).await,
                Next::Queued(id, answering) => self.queued(id, answering).await,
                Next::Events => self.tell().await,
                Next::HungUp => self.hang_up(),
                Next::Stop => {
                    // Every wait ends at once.
                    self.settle().await;
                    while let Some(line) = self.waiting.next().await {
                        self.write(line).await;
                    }
                    return End::Node;
                }
            }
        }
        End::Client
    }

    async fn next(&mut self) -> Next {
        let may_read = !self.has_said_all && self.has_room();
        let behind = async {
            match &mut self.news {
                Some(news) => news.ready().await,
                None => false,
            }
        };
        tokio::select! {
            _ = self.stop.wait_for(|stop| *stop) => Next::Stop,
            () = self.hangup.wait(), if !self.is_gone => Next::HungUp,
            line = self.lines.next(), if may_read => Next::Line(line.unwrap_or_else(|error| {
                tracing::debug!(%error, "a client is gone");
                Line::End
            })),
            Some((id, answering)) = self.queuing.next() => Next::Queued(id, answering),
            Some(line) = self.waiting.next() => Next::Answer(line),
            true = behind => Next::Events,
        }
    }

    /// The client has closed its end: whatever it waits for ends here.
    fn hang_up(&mut self) {
        self.is_gone = true;
        self.news = None;
        self.waiting.clear();
    }

    fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING && self.queuing.len() < MAX_QUEUING
    }

    /// Waits until everything that was begun is carried out: what comes next may look at it.
    async fn settle(&mut self) {
        while let Some((id, answering)) = self.queuing.next().await {
            self.queued(id, answering).await;
        }
    }

    /// A call that was begun is carried out.
    async fn queued(&mut self, id: Option<Id>, answering: Result<Answering, ApiError>) {
        let outcome = self.outcome(id, answering);
        self.answer(outcome).await;
    }

    async fn answer(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Now(response) => self.write(response.map(|response| response.to_line())).await,
            Outcome::Later(later) => {
                self.wait_for(async move { later.await.map(|response| response.to_line()) });
            }
        }
    }

    /// Answers later, unless nobody is there to be answered.
    fn wait_for(&mut self, line: impl Future<Output = Option<String>> + Send + 'static) {
        if !self.is_gone {
            self.waiting.push(Box::pin(line));
        }
    }

    async fn line(&mut self, line: &[u8]) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let calls = match rpc::parse(line) {
            Incoming::One(call) => {
                match self.begin(call).await {
                    Ok(queuing) => self.queuing.push_back(queuing),
                    Err(call) => {
                        self.settle().await;
                        let outcome = self.call(*call).await;
                        self.answer(outcome).await;
                    }
                }
                return;
            }
            Incoming::Batch(calls) => calls,
        };
        self.settle().await;
        let mut outcomes = Vec::with_capacity(calls.len());
        // In their order: two messages of a batch stay in theirs.
        let mut queuing = FuturesOrdered::new();
        for call in calls {
            match self.begin(call).await {
                Ok(begun) => queuing.push_back(begun),
                Err(call) => {
                    self.settle_batch(&mut queuing, &mut outcomes).await;
                    outcomes.push(self.call(*call).await);
                }
            }
        }
        self.settle_batch(&mut queuing, &mut outcomes).await;
        let waits = outcomes.iter().any(|outcome| matches!(outcome, Outcome::Later(_)));
        let answers = async move { batch(&join_all(outcomes.into_iter().map(Outcome::end)).await) };
        if waits {
            return self.wait_for(answers);
        }
        let line = answers.await;
        self.write(line).await;
    }

    async fn settle_batch(&mut self, queuing: &mut FuturesOrdered<Queuing>, outcomes: &mut Vec<Outcome>) {
        while let Some((id, answering)) = queuing.next().await {
            outcomes.push(self.outcome(id, answering));
        }
    }

    /// Begins a call, if it can be begun before those before it have ended; otherwise it must wait for them.
    async fn begin(&mut self, call: Result<Request, Box<Response>>) -> Result<Queuing, Box<Understood>> {
        let Request { id, method, params } = call.map_err(|response| Box::new(Err(response)))?;
        let begun = match self.understand(&method, params) {
            Ok(call) => self.dispatcher.begin(call).await.map_err(Ok),
            Err(error) => Err(Err(error)),
        };
        match begun {
            Ok(begun) => Ok(Box::pin(async move { (id, begun.await) })),
            Err(call) => Err(Box::new(Ok((id, call)))),
        }
    }

    /// Understands a call that this client may make. One for which there is no place is told so, and is not heard further.
    fn understand(&mut self, method: &str, params: Option<Value>) -> Result<Call, ApiError> {
        let call = Call::parse(method, params)?;
        let is_spare = matches!(call, Call::Ping(_) | Call::StatusShow(_) | Call::Doctor(_) | Call::Stop(_));
        if self.seat == Seat::Spare && !is_spare {
            (self.has_said_all, self.news) = (true, None);
            let message = format!("the node serves {MAX_RPC_CLIENTS} clients already");
            return Err(ApiError::new(Code::TooManyClients, message));
        }
        Ok(call)
    }

    async fn call(&mut self, call: Understood) -> Outcome {
        match call {
            Ok((id, Ok(call))) => {
                let answering = self.dispatcher.call(call).await;
                self.outcome(id, answering)
            }
            Ok((id, Err(error))) => self.outcome(id, Err(error)),
            Err(response) => Outcome::Now(Some(*response)),
        }
    }

    fn outcome(&mut self, id: Option<Id>, answering: Result<Answering, ApiError>) -> Outcome {
        let outcome = match answering {
            Ok(Answering::Later(later)) => {
                let Some(id) = id else { return Outcome::Now(None) };
                let mut stop = self.stop.clone();
                return Outcome::Later(Box::pin(async move {
                    let outcome = tokio::select! {
                        outcome = later => outcome,
                        _ = stop.wait_for(|stop| *stop) => Err(ApiError::new(Code::Stopping, "the node is shutting down")),
                    };
                    Some(Response { id, outcome })
                }));
            }
            Ok(Answering::Now(value)) => Ok(value),
            Ok(Answering::Listen(listening)) => {
                self.news = Some(News::after(&self.dispatcher, listening.since.seq));
                serde_json::to_value(listening).map_err(|e| ApiError::new(Code::Internal, e.to_string()))
            }
            Err(error) => Err(error),
        };
        Outcome::Now(id.map(|id| Response { id, outcome }))
    }

    /// Writes the next events. A client that reads slowly holds up nothing but its own cursor.
    async fn tell(&mut self) {
        let Some(news) = &mut self.news else { return };
        let mut lines = String::new();
        for event in &news.read(EVENTS_AT_A_TIME).await {
            match rpc::event_line(event) {
                Ok(line) => lines.extend([line.as_str(), "\n"]),
                Err(error) => tracing::error!(%error, "an event cannot be told"),
            }
        }
        self.write_all(&lines).await;
    }

    async fn write(&mut self, line: Option<String>) {
        let Some(mut line) = line else { return };
        line.push('\n');
        self.write_all(&line).await;
    }

    async fn write_all(&mut self, lines: &str) {
        if !self.is_gone && self.writer.write_all(lines.as_bytes()).await.is_err() {
            self.hang_up();
        }
    }
}

/// A call, if it is one, with the number it is to be answered under.
type Understood = Result<(Option<Id>, Result<Call, ApiError>), Box<Response>>;

/// What became of one call: an answer, and none when it was a notification.
enum Outcome {
    Now(Option<Response>),
    Later(BoxFuture<'static, Option<Response>>),
}

impl Outcome {
    async fn end(self) -> Option<Response> {
        match self {
            Self::Now(response) => response,
            Self::Later(later) => later.await,
        }
    }
}

/// The answers to a batch; nothing when there are none.
fn batch(responses: &[Option<Response>]) -> Option<String> {
    let lines: Vec<String> = responses.iter().flatten().map(Response::to_line).collect();
    (!lines.is_empty()).then(|| format!("[{}]", lines.join(",")))
}

#[cfg(test)]
mod tests;
