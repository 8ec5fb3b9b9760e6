//! The socket, from the client's side: blocking, one request at a time.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use super::leave::{Leave, Woken};
use crate::api::rpc::{FromNode, Id, Request, parse_from_node};
use crate::api::{ApiError, Code, Event};
use crate::node::{self, Place};

/// What was heard.
#[derive(Clone, Debug)]
pub enum Heard {
    /// An event.
    Event(Box<Event>),
    /// Nothing in the time given.
    TimedOut,
    /// Whoever was to be told has gone.
    Unread,
    /// The node has ended, or there is none and the log is read.
    Ended,
}

/// A connection to a node.
pub(super) struct Remote {
    place: Place,
    stream: BufReader<UnixStream>,
    /// The beginning of a line of which the rest has not come.
    partial: Vec<u8>,
    /// Events that came while an answer was awaited.
    events: VecDeque<Box<Event>>,
    last_id: u64,
}

/// How long the rest of a line may take before it is looked again whether somebody reads.
const REST: Duration = Duration::from_secs(1);

/// What came in time.
enum Came {
    Line(FromNode),
    Nothing,
    End,
}

impl Remote {
    pub(super) fn new(place: &Place, stream: UnixStream) -> Self {
        let place = place.clone();
        Self { place, stream: BufReader::new(stream), partial: Vec::new(), events: VecDeque::new(), last_id: 0 }
    }

    /// Asks and waits for the answer, for as long as the node gives signs of life.
    pub(super) fn call(&mut self, method: &str, params: Option<Value>) -> Result<Value, ApiError> {
        let answer = self.call_until(method, params, Leave::default())?;
        answer.ok_or_else(|| ApiError::new(Code::Internal, "nobody waits for the answer"))
    }

    /// The same; `None` when nobody waits for it any more.
    pub(super) fn call_until(
        &mut self,
        method: &str,
        params: Option<Value>,
        leave: Leave<'_>,
    ) -> Result<Option<Value>, ApiError> {
        self.last_id += 1;
        let id = Id::number(self.last_id);
        let line = Request { id: Some(id.clone()), method: method.to_owned(), params }.to_line() + "\n";
        let written = self.write(line.as_bytes())?;
        loop {
            if !self.stream.buffer().contains(&b'\n') {
                match leave.look(Some(self.stream.get_ref().as_fd()), Some(node::SILENCE)).map_err(|e| unwaited(&e))? {
                    Woken::Left => return Ok(None),
                    Woken::Other => {}
                    Woken::Nothing => {
                        self.is_alive()?;
                        continue;
                    }
                }
            }
            // Even when writing failed, the node may have said why before it closed.
            match self.receive(Some(node::SILENCE))? {
                Came::Line(FromNode::Response(response)) if response.id == id => return response.outcome.map(Some),
                // An answer to no request of ours says why the node does not listen to us.
                Came::Line(FromNode::Response(response)) if response.id == Id::NULL => {
                    response.outcome?;
                }
                Came::Line(FromNode::Response(_)) => {}
                Came::Nothing => self.is_alive()?,
                Came::Line(FromNode::Event(event)) => self.events.push_back(event),
                Came::End => {
                    let why = written.err().map_or_else(String::new, |e| format!(": {e}"));
                    return Err(gone(&format!("the node closed the connection{why}")));
                }
            }
        }
    }

    /// Writes all of it, or says why the node takes no more.
    fn write(&mut self, mut bytes: &[u8]) -> Result<io::Result<()>, ApiError> {
        let stream = self.stream.get_mut();
        if let Err(error) = stream.set_write_timeout(Some(node::SILENCE)) {
            return Ok(Err(error));
        }
        while !bytes.is_empty() {
            match self.stream.get_mut().write(bytes) {
                Ok(0) => return Ok(Err(ErrorKind::WriteZero.into())),
                Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if is_timeout(&e) => self.is_alive()?,
                Err(e) => return Ok(Err(e)),
            }
        }
        Ok(Ok(()))
    }

    /// What was asked for takes its time: whether the node answers at all is asked on another connection.
    fn is_alive(&self) -> Result<(), ApiError> {
        // That it has ended is seen on this one; that it serves nobody more is a sign of life, too.
        match node::connect(&self.place) {
            Err(error) if error.is(Code::NotAnswering) => Err(error),
            _ => Ok(()),
        }
    }

    /// The next event, waiting at most so long (`None`: as long as it takes).
    pub(super) fn hear(&mut self, timeout: Option<Duration>) -> Result<Heard, ApiError> {
        if let Some(event) = self.events.pop_front() {
            return Ok(Heard::Event(event));
        }
        loop {
            match self.receive(timeout)? {
                Came::Line(FromNode::Event(event)) => return Ok(Heard::Event(event)),
                Came::Line(FromNode::Response(_)) => {}
                Came::Nothing => return Ok(Heard::TimedOut),
                Came::End => return Ok(Heard::Ended),
            }
        }
    }

    /// The next event, as long as somebody reads at the other end of this stream.
    pub(super) fn hear_for(&mut self, reader: BorrowedFd<'_>) -> Result<Heard, ApiError> {
        let leave = Leave { signal: None, reader: Some(reader) };
        loop {
            if self.events.is_empty() && !self.stream.buffer().contains(&b'\n') {
                match leave.look(Some(self.stream.get_ref().as_fd()), None).map_err(|e| unwaited(&e))? {
                    Woken::Left => return Ok(Heard::Unread),
                    Woken::Other => {}
                    Woken::Nothing => continue,
                }
            }
            match self.hear(Some(REST))? {
                Heard::TimedOut => {}
                heard => return Ok(heard),
            }
        }
    }

    /// Waits until the node closes the connection; `false` when it does not in this time.
    pub(super) fn wait_end(&mut self, timeout: Duration) -> Result<bool, ApiError> {
        loop {
            match self.hear(Some(timeout))? {
                Heard::Ended => return Ok(true),
                Heard::TimedOut => return Ok(false),
                Heard::Event(_) | Heard::Unread => {}
            }
        }
    }

    fn receive(&mut self, timeout: Option<Duration>) -> Result<Came, ApiError> {
        if !self.stream.buffer().contains(&b'\n') {
            // Zero would mean *no limit* to the system.
            let timeout = timeout.map(|timeout| timeout.max(Duration::from_millis(1)));
            self.stream.get_ref().set_read_timeout(timeout).map_err(|e| broken(&e))?;
        }
        match self.stream.read_until(b'\n', &mut self.partial) {
            Ok(_) if self.partial.ends_with(b"\n") => {
                parse_from_node(&std::mem::take(&mut self.partial)).map(Came::Line)
            }
            Ok(_) => Ok(Came::End),
            Err(e) if is_timeout(&e) => Ok(Came::Nothing),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => Ok(Came::End),
            Err(e) => Err(broken(&e)),
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Whether somebody reads at the other end of a stream, looking so long.
pub(super) fn is_read(reader: BorrowedFd<'_>, timeout: Duration) -> Result<bool, ApiError> {
    let woken = Leave { signal: None, reader: Some(reader) }.look(None, Some(timeout)).map_err(|e| unwaited(&e))?;
    Ok(woken != Woken::Left)
}

pub(super) fn unwaited(error: &io::Error) -> ApiError {
    ApiError::new(Code::Io, format!("nothing can be waited for: {error}"))
}

fn broken(error: &io::Error) -> ApiError {
    gone(&format!("the connection to the node failed: {error}"))
}

fn gone(message: &str) -> ApiError {
    ApiError::new(Code::Io, message).with_hint("see whether the node still runs: `rohrpost status`")
}
