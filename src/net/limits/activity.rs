//! What happens on connections, as far as it says who has to make room for others (NET-90): shared by the behaviours and the
//! tasks of streams.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::super::lock;
use super::super::peers::Traffic;

/// Of every established connection; those who note something add none, so it is as bounded as they are.
#[derive(Clone, Debug, Default)]
pub(in crate::net) struct Activity(Arc<Mutex<HashMap<ConnectionId, Mark>>>);

#[derive(Debug)]
struct Mark {
    /// How much has begun and not ended.
    under_way: usize,
    /// When something happened last.
    last: Instant,
    traffic: Traffic,
}

impl Activity {
    /// A connection was made.
    pub(in crate::net) fn opened(&self, id: ConnectionId) {
        lock(&self.0).insert(id, Mark { under_way: 0, last: Instant::now(), traffic: Traffic::default() });
    }

    /// It is gone.
    pub(super) fn closed(&self, id: ConnectionId) {
        lock(&self.0).remove(&id);
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        lock(&self.0).len()
    }

    /// Since when nothing happens on a connection; `None` while something is under way.
    pub(super) fn idle_since(&self, id: ConnectionId) -> Option<Instant> {
        lock(&self.0).get(&id).filter(|mark| mark.under_way == 0).map(|mark| mark.last)
    }

    /// Something has happened.
    pub(in crate::net) fn touch(&self, id: ConnectionId) {
        self.change(id, |mark| mark.last = Instant::now());
    }

    /// Something has begun, and ends when this is dropped.
    pub(in crate::net) fn begin(&self, id: ConnectionId) -> UnderWay {
        self.change(id, |mark| (mark.under_way, mark.last) = (mark.under_way + 1, Instant::now()));
        UnderWay { activity: self.clone(), id }
    }

    /// What happens on a connection's streams of envelopes.
    pub(in crate::net) fn traffic(&self, id: ConnectionId) -> Traffic {
        lock(&self.0).get(&id).map(|mark| mark.traffic).unwrap_or_default()
    }

    /// Counts such a stream as open until the guard is dropped.
    pub(in crate::net) fn count_stream(&self, id: ConnectionId) -> StreamGuard {
        self.change(id, |mark| mark.traffic.streams += 1);
        StreamGuard { activity: self.clone(), id }
    }

    fn change(&self, id: ConnectionId, change: impl FnOnce(&mut Mark)) {
        lock(&self.0).get_mut(&id).map(change);
    }
}

/// While it lives, something is under way on a connection.
#[derive(Debug)]
pub(in crate::net) struct UnderWay {
    activity: Activity,
    id: ConnectionId,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let end = |mark: &mut Mark| (mark.under_way, mark.last) = (mark.under_way.saturating_sub(1), Instant::now());
        self.activity.change(self.id, end);
    }
}

/// While it lives, a stream of envelopes is open on a connection.
pub(in crate::net) struct StreamGuard {
    activity: Activity,
    pub(in crate::net) id: ConnectionId,
}

impl StreamGuard {
    /// When something was last answered on the connection.
    pub(in crate::net) fn last_answer(&self) -> Option<Instant> {
        self.activity.traffic(self.id).answered
    }

    /// An envelope was answered on the stream.
    pub(in crate::net) fn answered(&self) {
        self.activity.change(self.id, |mark| mark.traffic.answered = Some(Instant::now()));
    }
}

impl Drop for StreamGuard {
    fn drop(&mut self) {
        let end = |traffic: Traffic| match traffic.streams {
            0 | 1 => Traffic::default(),
            streams => Traffic { streams: streams - 1, ..traffic },
        };
        self.activity.change(self.id, |mark| mark.traffic = end(mark.traffic));
    }
}
