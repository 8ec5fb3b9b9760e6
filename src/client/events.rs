//! Events as they come.

use std::collections::VecDeque;
use std::time::Duration;

use super::open::{Client, Inner, Inside};
use super::remote::{Heard, Remote};
use crate::api::{ApiError, Code, Event, ListenParams, Rpc, method};
use crate::base::limits::MAX_PAGE;
use crate::node;

/// Events as they come, each after the one before: a client that goes on from the last `seq` misses nothing.
pub struct Events(Source);

enum Source {
    Node(Remote),
    /// No node: what the log has, then the end.
    Log {
        profile: Inside,
        cursor: u64,
        ready: VecDeque<Event>,
    },
    /// From now on, where nothing will happen.
    Ended,
}

impl Client {
    /// Events after the cursor (`None`: from now on), over a connection of their own. With no node running: those in
    /// the log, then the end.
    ///
    /// # Errors
    /// `io` when the node is gone.
    pub fn events(&self, since: Option<u64>) -> Result<Events, ApiError> {
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

    fn hear(&mut self, timeout: Option<Duration>) -> Result<Heard, ApiError> {
        match &mut self.0 {
            Source::Node(remote) => remote.hear(timeout),
            Source::Log { profile, cursor, ready } => {
                if ready.is_empty() {
                    let page = profile.events(*cursor, MAX_PAGE)?;
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
            Ok(Heard::TimedOut | Heard::Ended) => None,
            Err(error) => {
                self.0 = Source::Ended;
                Some(Err(error))
            }
        }
    }
}
