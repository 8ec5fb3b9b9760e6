//! A session as a row (docs/protocol/session.md, SES-65).

use serde::{Deserialize, Serialize};

use super::ratchet::Session;
use crate::base::limits::{ARCHIVED_SESSION_LIFE, MAX_RETIRED_SKIPPED_KEYS};
use crate::base::{SessionId, WallTime};

/// One session, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionRow {
    pub(super) session: Session,
    /// Set when it only receives.
    retired: Option<Retirement>,
    /// Whether it has changed since it was loaded.
    #[serde(skip)]
    pub(super) changed: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Retirement {
    at: WallTime,
    /// The how manieth it was, of those that are there: several may retire at the same time.
    order: u32,
}

impl SessionRow {
    /// A session that has begun, or has come back from retirement.
    pub(super) const fn sending(session: Session) -> Self {
        Self { session, retired: None, changed: true }
    }

    /// The same session, which from now on only receives, after `last` did.
    pub(super) fn retired(mut session: Session, last: Option<&Self>, now: WallTime) -> Self {
        session.retire(MAX_RETIRED_SKIPPED_KEYS);
        let order = last.and_then(|row| row.retired).map_or(0, |last| last.order.saturating_add(1));
        Self { session, retired: Some(Retirement { at: now, order }), changed: true }
    }

    /// Whether it is the one that sends.
    pub const fn is_sending(&self) -> bool {
        self.retired.is_none()
    }

    /// The last retired first.
    pub(super) fn order(&self) -> impl Ord + use<> {
        std::cmp::Reverse(self.retired.map(|retired| retired.order))
    }

    /// Whether its time as a retired session is over (SES-54).
    pub(super) fn is_over(&self, now: WallTime) -> bool {
        self.retired.is_some_and(|retired| now.since(retired.at) >= ARCHIVED_SESSION_LIFE)
    }

    /// It opened a message: it stays within the bounds of what it is.
    pub(super) fn opened(&mut self) {
        self.changed = true;
        if self.retired.is_some() {
            self.session.retire(MAX_RETIRED_SKIPPED_KEYS);
        }
    }

    /// Which session it is.
    pub const fn id(&self) -> SessionId {
        self.session.id()
    }
}
