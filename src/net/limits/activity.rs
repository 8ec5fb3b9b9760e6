//! What happens on connections, as far as it says who has to make room for others (NET-90): shared by the behaviours and the
//! tasks of streams.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::super::lock;

/// Of every established connection; those who note something add none, so it is as bounded as they are.
#[derive(Clone, Debug, Default)]
pub(in crate::net) struct Activity(Arc<Mutex<HashMap<ConnectionId, Mark>>>);

#[derive(Debug)]
struct Mark {
    /// How much has begun and not ended.
    under_way: usize,
    /// When something happened last.
    last: Instant,
}

impl Activity {
    /// A connection was made.
    pub(super) fn opened(&self, id: ConnectionId) {
        lock(&self.0).insert(id, Mark { under_way: 0, last: Instant::now() });
    }

    /// It is gone.
    pub(super) fn closed(&self, id: ConnectionId) {
        lock(&self.0).remove(&id);
    }

    /// Since when nothing happens on a connection; `None` while something is under way.
    pub(super) fn idle_since(&self, id: ConnectionId) -> Option<Instant> {
        lock(&self.0).get(&id).filter(|mark| mark.under_way == 0).map(|mark| mark.last)
    }

    /// Something has happened.
    pub(in crate::net) fn touch(&self, id: ConnectionId) {
        if let Some(mark) = lock(&self.0).get_mut(&id) {
            mark.last = Instant::now();
        }
    }

    /// Something has begun, and ends when this is dropped.
    pub(in crate::net) fn begin(&self, id: ConnectionId) -> UnderWay {
        self.change(id, |under_way| under_way + 1);
        UnderWay { activity: self.clone(), id }
    }

    fn change(&self, id: ConnectionId, change: impl FnOnce(usize) -> usize) {
        if let Some(mark) = lock(&self.0).get_mut(&id) {
            (mark.under_way, mark.last) = (change(mark.under_way), Instant::now());
        }
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
        self.activity.change(self.id, |under_way| under_way.saturating_sub(1));
    }
}
