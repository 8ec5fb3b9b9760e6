//! The socket, from the client's side: blocking, one request at a time.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::Value;

use crate::api::rpc::{FromNode, Id, Request, Response, parse_from_node};
use crate::api::{ApiError, Code, Event};

/// Bytes read at a time.
const READ_SIZE: usize = 16 * 1024;

/// A connection to a node.
pub(super) struct Remote {
    stream: UnixStream,
    buffer: Vec<u8>,
    /// Events that came while an answer was awaited.
    events: VecDeque<Box<Event>>,
    last_id: u64,
}

/// What came in time.
pub(super) enum Came {
    Event(Box<Event>),
    Response(Response),
    Nothing,
    End,
}

impl Remote {
    pub(super) const fn new(stream: UnixStream) -> Self {
        Self { stream, buffer: Vec::new(), events: VecDeque::new(), last_id: 0 }
    }

    /// Asks and waits for the answer.
    pub(super) fn call(&mut self, method: &str, params: Option<Value>) -> Result<Value, ApiError> {
        self.last_id += 1;
        let id = Id::number(self.last_id);
        let line = Request { id: Some(id.clone()), method: method.to_owned(), params }.to_line() + "\n";
        let written = self.stream.write_all(line.as_bytes());
        loop {
            // Even when writing failed, the node may have said why before it closed.
            match self.receive(None)? {
                Came::Response(response) if response.id == id => return response.outcome,
                // An answer to no request of ours says why the node does not listen to us.
                Came::Response(response) if response.id == Id::NULL => {
                    response.outcome?;
                }
                Came::Response(_) | Came::Nothing => {}
                Came::Event(event) => self.events.push_back(event),
                Came::End => {
                    let why = written.err().map_or_else(String::new, |e| format!(": {e}"));
                    return Err(gone(&format!("the node closed the connection{why}")));
                }
            }
        }
    }

    /// What comes next, waiting at most so long (`None`: as long as it takes).
    pub(super) fn hear(&mut self, timeout: Option<Duration>) -> Result<Came, ApiError> {
        match self.events.pop_front() {
            Some(event) => Ok(Came::Event(event)),
            None => self.receive(timeout),
        }
    }

    /// Waits until the node closes the connection; `false` when it does not in this time.
    pub(super) fn wait_end(&mut self, timeout: Duration) -> Result<bool, ApiError> {
        loop {
            match self.receive(Some(timeout))? {
                Came::End => return Ok(true),
                Came::Nothing => return Ok(false),
                Came::Event(_) | Came::Response(_) => {}
            }
        }
    }

    fn receive(&mut self, timeout: Option<Duration>) -> Result<Came, ApiError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(match parse_from_node(&line)? {
                    FromNode::Response(response) => Came::Response(response),
                    FromNode::Event(event) => Came::Event(event),
                });
            }
            // Zero would mean *no limit* to the system.
            let timeout = timeout.map(|timeout| timeout.max(Duration::from_millis(1)));
            self.stream.set_read_timeout(timeout).map_err(|e| broken(&e))?;
            let mut piece = [0; READ_SIZE];
            match self.stream.read(&mut piece) {
                Ok(0) => return Ok(Came::End),
                Ok(read) => self.buffer.extend_from_slice(piece.get(..read).unwrap_or_default()),
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return Ok(Came::Nothing),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok(Came::End),
                Err(e) => return Err(broken(&e)),
            }
        }
    }
}

fn broken(error: &io::Error) -> ApiError {
    gone(&format!("the connection to the node failed: {error}"))
}

fn gone(message: &str) -> ApiError {
    ApiError::new(Code::Io, message).with_hint("see whether the node still runs: `rohrpost status`")
}
