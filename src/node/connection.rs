//! One client: lines in, answers and events out.

use std::io;

use futures::StreamExt;
use futures::future::{BoxFuture, join_all};
use futures::stream::{FuturesOrdered, FuturesUnordered};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

use super::dispatch::{Answering, Dispatcher};
use super::news::News;
use crate::api::rpc::{self, Id, Incoming, Request, Response};
use crate::api::{ApiError, Call, Code};
use crate::base::limits::MAX_RPC_LINE;

/// Calls of one client that wait for a state; when there are more, its next line is read later.
const MAX_WAITING: usize = 64;
/// Calls of one client that are begun at the same time, to share commits.
const MAX_QUEUING: usize = 256;
/// Events written at a time, so that a client far behind still gets answers in between.
const EVENTS_AT_A_TIME: usize = 500;

/// A call that was begun.
type Queuing = BoxFuture<'static, (Option<Id>, Result<Answering, ApiError>)>;

/// Serves one client until it goes, or the node ends. Then the connection is given back, still open: its end tells the
/// client that the node is gone.
pub(crate) async fn serve(
    stream: UnixStream,
    dispatcher: Dispatcher,
    stop: watch::Receiver<bool>,
) -> Option<UnixStream> {
    let (reader, writer) = stream.into_split();
    let mut connection = Connection {
        lines: Lines { reader: BufReader::new(reader), partial: Vec::new(), skipping: false },
        writer,
        dispatcher,
        news: None,
        queuing: FuturesOrdered::new(),
        waiting: FuturesUnordered::new(),
        stop,
    };
    match connection.run().await {
        Ok(End::Node) => connection.lines.reader.into_inner().reunite(connection.writer).ok(),
        Ok(End::Client) => None,
        Err(error) => {
            tracing::debug!(%error, "a client is gone");
            None
        }
    }
}

struct Connection {
    lines: Lines,
    writer: OwnedWriteHalf,
    dispatcher: Dispatcher,
    /// What the client is told next; `None`: it does not listen.
    news: Option<News>,
    /// Calls begun and not yet carried out, in the order in which they came.
    queuing: FuturesOrdered<Queuing>,
    /// Lines that are ready later; nothing for notifications.
    waiting: FuturesUnordered<BoxFuture<'static, Option<String>>>,
    stop: watch::Receiver<bool>,
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
    Stop,
}

impl Connection {
    async fn run(&mut self) -> io::Result<End> {
        let end = loop {
            match self.next().await? {
                Next::Line(Line::Full(line)) => self.line(&line).await?,
                Next::Line(Line::TooLong) => {
                    let message = format!("a line has at most {MAX_RPC_LINE} bytes");
                    let error = ApiError::new(Code::TooLarge, message);
                    self.write(Some(Response { id: Id::NULL, outcome: Err(error) }.to_line())).await?;
                }
                Next::Line(Line::End) => break End::Client,
                Next::Stop => break End::Node,
                Next::Answer(line) => self.write(line).await?,
                Next::Queued(id, answering) => self.queued(id, answering).await?,
                Next::Events => self.tell().await?,
            }
        };
        // No more lines: what was asked is still answered. When the node stops, every wait ends at once.
        self.settle().await?;
        while let Some(line) = self.waiting.next().await {
            self.write(line).await?;
        }
        Ok(end)
    }

    async fn next(&mut self) -> io::Result<Next> {
        let has_room = self.has_room();
        let behind = async {
            match &mut self.news {
                Some(news) => news.ready().await,
                None => false,
            }
        };
        Ok(tokio::select! {
            _ = self.stop.wait_for(|stop| *stop) => Next::Stop,
            line = self.lines.next(), if has_room => Next::Line(line?),
            Some((id, answering)) = self.queuing.next() => Next::Queued(id, answering),
            Some(line) = self.waiting.next() => Next::Answer(line),
            true = behind => Next::Events,
        })
    }

    fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING && self.queuing.len() < MAX_QUEUING
    }

    /// Waits until everything that was begun is carried out: what comes next may look at it.
    async fn settle(&mut self) -> io::Result<()> {
        while let Some((id, answering)) = self.queuing.next().await {
            self.queued(id, answering).await?;
        }
        Ok(())
    }

    /// A call that was begun is carried out.
    async fn queued(&mut self, id: Option<Id>, answering: Result<Answering, ApiError>) -> io::Result<()> {
        let outcome = self.outcome(id, answering);
        self.answer(outcome).await
    }

    async fn answer(&mut self, outcome: Outcome) -> io::Result<()> {
        match outcome {
            Outcome::Now(response) => self.write(response.map(|response| response.to_line())).await,
            Outcome::Later(later) => {
                self.waiting.push(Box::pin(async move { later.await.map(|response| response.to_line()) }));
                Ok(())
            }
        }
    }

    async fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if line.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        let calls = match rpc::parse(line) {
            Incoming::One(call) => {
                match self.begin(call).await {
                    Ok(queuing) => self.queuing.push_back(queuing),
                    Err(call) => {
                        self.settle().await?;
                        let outcome = self.call(*call).await;
                        self.answer(outcome).await?;
                    }
                }
                return Ok(());
            }
            Incoming::Batch(calls) => calls,
        };
        self.settle().await?;
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
            self.waiting.push(Box::pin(answers));
            return Ok(());
        }
        let line = answers.await;
        self.write(line).await
    }

    async fn settle_batch(&mut self, queuing: &mut FuturesOrdered<Queuing>, outcomes: &mut Vec<Outcome>) {
        while let Some((id, answering)) = queuing.next().await {
            outcomes.push(self.outcome(id, answering));
        }
    }

    /// Begins a call, if it can be begun before those before it have ended; otherwise it must wait for them.
    async fn begin(&mut self, call: Result<Request, Box<Response>>) -> Result<Queuing, Box<Understood>> {
        let Request { id, method, params } = call.map_err(|response| Box::new(Err(response)))?;
        let begun = match Call::parse(&method, params) {
            Ok(call) => self.dispatcher.begin(call).await.map_err(Ok),
            Err(error) => Err(Err(error)),
        };
        match begun {
            Ok(begun) => Ok(Box::pin(async move { (id, begun.await) })),
            Err(call) => Err(Box::new(Ok((id, call)))),
        }
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
                self.news = Some(News::after(&self.dispatcher, listening.since));
                serde_json::to_value(listening).map_err(|e| ApiError::new(Code::Internal, e.to_string()))
            }
            Err(error) => Err(error),
        };
        Outcome::Now(id.map(|id| Response { id, outcome }))
    }

    /// Writes the next events. A client that reads slowly holds up nothing but its own cursor.
    async fn tell(&mut self) -> io::Result<()> {
        let Some(news) = &mut self.news else { return Ok(()) };
        let mut lines = String::new();
        for event in &news.read(EVENTS_AT_A_TIME).await {
            lines.push_str(&rpc::event_line(event).map_err(io::Error::other)?);
            lines.push('\n');
        }
        self.writer.write_all(lines.as_bytes()).await
    }

    async fn write(&mut self, line: Option<String>) -> io::Result<()> {
        let Some(mut line) = line else { return Ok(()) };
        line.push('\n');
        self.writer.write_all(line.as_bytes()).await
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
    let responses: Vec<Value> = responses.iter().flatten().map(Response::to_value).collect();
    (!responses.is_empty()).then(|| Value::Array(responses).to_string())
}

enum Line {
    Full(Vec<u8>),
    /// It was longer than any line may be, and was skipped.
    TooLong,
    End,
}

/// Lines of bounded length. A read that is given up in the middle loses nothing.
struct Lines {
    reader: BufReader<OwnedReadHalf>,
    partial: Vec<u8>,
    /// The rest of a line that is too long is thrown away as it comes.
    skipping: bool,
}

impl Lines {
    async fn next(&mut self) -> io::Result<Line> {
        loop {
            // One byte more than a line may have: its end, or what is too much.
            let room = MAX_RPC_LINE + 1 - self.partial.len();
            (&mut self.reader).take(room as u64).read_until(b'\n', &mut self.partial).await?;
            let too_long = self.partial.len() > MAX_RPC_LINE;
            let ended = self.partial.pop_if(|last| *last == b'\n').is_some();
            let line = std::mem::take(&mut self.partial);
            if ended {
                return Ok(if std::mem::take(&mut self.skipping) { Line::TooLong } else { Line::Full(line) });
            }
            if !too_long {
                // The last line may lack its end.
                return Ok(if line.is_empty() || self.skipping { Line::End } else { Line::Full(line) });
            }
            self.skipping = true;
        }
    }
}

#[cfg(test)]
mod tests;
