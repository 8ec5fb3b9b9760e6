//! Events as they come.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::open::{Client, Inner, Inside};
use super::remote::{Heard, Remote, is_read};
use crate::api::{ApiError, Code, Cursor, Event, ListenParams, Rpc, method};
use crate::node::{self, Place};

/// The pause between two looks for a node: nothing tells when one comes.
const LOOK: Duration = Duration::from_millis(100);

/// Events as they come, each after the one before: a client that goes on from the last `seq` misses nothing.
pub struct Events(Source);

enum Source {
    Node(Remote),
    /// No node: what the log has, then the end.
    Log {
        profile: Inside,
        cursor: Cursor,
        ready: VecDeque<Event>,
    },
    /// From now on, where nothing will happen.
    Ended,
}

/// The running node, waiting for one that answers as long as there is somebody to read of it at the other end of this
/// stream; `None` when there is nobody any more. `waiting`: told why, when there is none yet.
///
/// # Errors
/// `no_profile`, `other_user`, and those of the disk.
pub fn await_node(
    place: &Place,
    reader: BorrowedFd<'_>,
    waiting: impl FnOnce(&str),
) -> Result<Option<Client>, ApiError> {
    if !node::exists(place)? {
        return Err(place.missing());
    }
    let mut waiting = Some(waiting);
    loop {
        let why = match Client::connect(place) {
            Ok(Some(client)) => return Ok(Some(client)),
            Ok(None) => "no node is running".to_owned(),
            // It was stopped and may go on, or has only begun on a slow disk.
            Err(error) if error.is(Code::NotAnswering) => error.message,
            Err(error) => return Err(error),
        };
        if let Some(waiting) = waiting.take() {
            waiting(&why);
        }
        if !is_read(reader, LOOK)? {
            return Ok(None);
        }
    }
}

impl Client {
    /// Events behind the cursor (`None`: from now on), over a connection of their own. With no node running: those in
    /// the log, then the end.
    ///
    /// # Errors
    /// `wrong_cursor`; `io` when the node is gone.
    pub fn events(&self, since: Option<Cursor>) -> Result<Events, ApiError> {
        match (&self.inner, since) {
            (Inner::Remote(_), since) => {
                let stream = node::connect(&self.place)?
                    .ok_or_else(|| ApiError::new(Code::NodeNeeded, "the node has ended meanwhile"))?;
                let mut remote = Remote::new(&self.place, stream);
                let params = serde_json::to_value(ListenParams { since });
                let params = params.map_err(|e| ApiError::new(Code::Internal, e.to_string()))?;
                remote.call(method::Listen::NAME, Some(params))?;
                Ok(Events(Source::Node(remote)))
            }
            (Inner::Inside(inside), Some(cursor)) => {
                Ok(Events(Source::Log { profile: inside.clone(), cursor, ready: VecDeque::new() }))
            }
            (Inner::Inside(_), None) => Ok(Events(Source::Ended)),
        }
    }
}

impl Events {
    /// The next event, waiting at most so long.
    ///
    /// # Errors
    /// `io`, and what the store says.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Heard, ApiError> {
        self.hear(Some(timeout))
    }

    /// The next event, waiting as long as there is somebody to read of it at the other end of this stream.
    ///
    /// # Errors
    /// As [`Self::next_timeout`].
    pub fn next_for(&mut self, reader: BorrowedFd<'_>) -> Result<Heard, ApiError> {
        match &mut self.0 {
            Source::Node(remote) => remote.hear_for(reader),
            Source::Log { .. } | Source::Ended => self.hear(None),
        }
    }

    fn hear(&mut self, timeout: Option<Duration>) -> Result<Heard, ApiError> {
        match &mut self.0 {
            Source::Node(remote) => remote.hear(timeout),
            Source::Log { profile, cursor, ready } => {
                if ready.is_empty() {
                    let page = profile.events(*cursor)?;
                    *cursor = page.next;
                    ready.extend(page.events);
                }
                Ok(ready.pop_front().map_or(Heard::Ended, |event| Heard::Event(Box::new(event))))
            }
            Source::Ended => Ok(Heard::Ended),
        }
    }
}

impl Iterator for Events {
    type Item = Result<Event, ApiError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.hear(None) {
            Ok(Heard::Event(event)) => Some(Ok(*event)),
            // Without a limit nothing takes too long.
            Ok(Heard::TimedOut | Heard::Unread | Heard::Ended) => None,
            Err(error) => {
                self.0 = Source::Ended;
                Some(Err(error))
            }
        }
    }
}
