//! Secrets that must be forgotten: sessions and prekeys, under the state key that is renewed daily.

use serde::{Deserialize, Serialize};

use super::table;
use crate::base::{PeerId, SessionId, WallTime};
use crate::identity::{CardKeys, OneTimeKeys};
use crate::session::{Sending, Session};
use crate::store::RowKey;

table! {
    /// Sessions; keyed by peer and session.
    Sessions = 20, State, Session;
    /// The chain that sends, of the session with a peer that does; keyed by peer.
    SendingChains = 53, State, Sending;
    /// The secrets behind our cards; keyed by the prekey's ID.
    CardKeysTable = 21, State, CardKeysRow;
    /// One-time prekeys that were not used yet; keyed by ID.
    OneTimeTable = 22, State, OneTimeRow;
}

/// Key of [`Sessions`].
pub fn session_key(peer: &PeerId, session: SessionId) -> RowKey {
    RowKey::new().peer(peer).blind(session.as_bytes())
}

/// The secrets behind a card.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CardKeysRow {
    /// The secrets.
    pub keys: CardKeys,
    /// When they were made, by the profile's time.
    pub made: WallTime,
    /// When the last card that names them expires, by the profile's time.
    pub named_until: WallTime,
    /// From when on they begin no session by themselves, if the card was made anew because so many had (ID-32).
    pub closes: Option<WallTime>,
}

impl CardKeysRow {
    /// Whether a first contact needs a one-time prekey beside them.
    pub fn is_closed(&self, now: WallTime) -> bool {
        self.closes.is_some_and(|closes| closes <= now)
    }
}

/// A one-time prekey.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OneTimeRow {
    /// The secrets.
    pub keys: OneTimeKeys,
    /// When it was made, by the profile's time.
    pub made: WallTime,
    /// When somebody was given it, by the profile's time: it is never given again.
    pub handed_out: Option<WallTime>,
}
