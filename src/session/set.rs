//! All sessions with one peer: which one sends, which ones still receive (docs/protocol/session.md, section 7).

use std::collections::VecDeque;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::SessionError;
use super::handshake::{self, FIRST_CONTACT_LEN, FirstContactIn, RemoteBundle, ResponderKeys};
use super::ratchet::{HEADER_LEN, MAX_KEM_PART, MessageIn, Pair, Session};
use crate::base::limits::{ARCHIVED_SESSION_LIFE, MAX_ARCHIVED_SESSIONS, MAX_PAYLOAD};
use crate::base::{CryptoRng, PeerId, SessionId, WallTime};
use crate::crypto::aead::TAG_LEN;
use crate::identity::{IdentityKey, IdentityKeypair};

/// The longest plaintext: with the longest header before it, it still fits the payload of an envelope (SES-30).
///
/// The first-contact header and a key on offer never ride in one message: keys are offered only when a reply
/// has opened.
pub const MAX_CAPSULE: usize = MAX_PAYLOAD - (HEADER_LEN + MAX_KEM_PART + TAG_LEN);

// An offer is the longer of the two.
const _: () = assert!(FIRST_CONTACT_LEN <= MAX_KEM_PART);

/// All sessions with one peer. One row.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SessionSet {
    /// Whose sessions these are; set with the first.
    pair: Option<Pair>,
    /// The one that sends. It receives too, and never grows too old.
    sending: Option<Session>,
    /// Those that only receive, the last retired first.
    retired: VecDeque<Retired>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Retired {
    session: Session,
    at: WallTime,
}

/// In which kind of envelope a sealed message travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedKind {
    /// First-contact header and session message: no reply has opened yet.
    First,
    /// A session message.
    Session,
}

/// A sealed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What it is.
    pub kind: SealedKind,
    /// The payload of the envelope, at most `MAX_PAYLOAD` bytes.
    pub payload: Vec<u8>,
    /// The session that sealed it.
    pub session: SessionId,
}

/// An opened message. Its `Debug` does not show the plaintext.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The capsule.
    pub plaintext: Vec<u8>,
    /// The session that opened it.
    pub session: SessionId,
    /// Whether the session began with this message: the one-time prekey it used is to be erased, or the mark of
    /// the card's prekey written, in the same commit.
    pub is_new_session: bool,
    /// Whether it carried the first-contact header: no reply of ours has opened at the peer's yet (SES-16).
    pub is_first_contact: bool,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({} bytes, {:?}, new: {})", self.plaintext.len(), self.session, self.is_new_session)
    }
}

impl SessionSet {
    /// Whether there is a session to send with.
    pub const fn can_send(&self) -> bool {
        self.sending.is_some()
    }

    /// Whether the peer has proven that he holds the session that sends (SES-50).
    pub fn is_confirmed(&self) -> bool {
        self.sending.as_ref().is_some_and(Session::is_confirmed)
    }

    /// The session that sends.
    pub fn sending(&self) -> Option<&Session> {
        self.sending.as_ref()
    }

    /// Since when the session that sends, begun by us, waits for the first reply; `None` when it does not.
    pub fn unanswered_since(&self) -> Option<WallTime> {
        self.sending.as_ref().filter(|session| session.is_ours() && !session.is_confirmed()).map(Session::begun)
    }

    /// Whether the session is one of these, sending or retired; also one whose time is over, until it is dropped.
    pub fn knows_session(&self, id: &SessionId) -> bool {
        self.iter().any(|session| session.id() == *id)
    }

    /// Begins a session by PQXDH. By the rule of simultaneous start another may go on sending (SES-51, SES-52).
    ///
    /// # Errors
    /// [`SessionError::NonContributory`] when a key of the bundle is a point of low order,
    /// [`SessionError::WrongPeer`] when the sessions are another pair's, [`SessionError::Reflected`] when the
    /// bundle is our own.
    pub fn begin(
        &mut self,
        me: &IdentityKeypair,
        bundle: &RemoteBundle,
        rng: &mut dyn CryptoRng,
        now: WallTime,
    ) -> Result<SessionId, SessionError> {
        let pair = self.check_pair(me.peer_id(), bundle.identity.peer_id())?;
        let (agreed, first) = handshake::begin(me, bundle, rng)?;
        let id = agreed.id;
        self.add(pair, Session::begin(agreed, bundle.prekey, first, now), now);
        Ok(id)
    }

    /// Gives the session that sends up, because it is broken: it only receives from now on, and the next one that
    /// begins sends, whatever their IDs (SES-55).
    pub fn give_up(&mut self, now: WallTime) {
        if let Some(session) = self.sending.take() {
            self.retired.push_front(Retired { session, at: now });
            self.drop_retired(now);
        }
    }

    /// Seals a capsule with the session that sends; the first-contact header goes before it until a reply has
    /// opened (SES-16, SES-30).
    ///
    /// # Errors
    /// [`SessionError::TooLarge`] above [`MAX_CAPSULE`], [`SessionError::NoSession`],
    /// [`SessionError::Exhausted`] after 2³² − 1 messages without an answer.
    pub fn encrypt(&mut self, capsule: &[u8], rng: &mut dyn CryptoRng, now: WallTime) -> Result<Sealed, SessionError> {
        if capsule.len() > MAX_CAPSULE {
            return Err(SessionError::TooLarge { len: capsule.len(), max: MAX_CAPSULE });
        }
        let (Some(pair), Some(session)) = (&self.pair, &mut self.sending) else {
            return Err(SessionError::NoSession);
        };
        let mut payload = Vec::with_capacity(MAX_PAYLOAD - MAX_CAPSULE + capsule.len());
        let kind = match session.first_contact() {
            Some(first) => {
                first.write(&mut payload);
                SealedKind::First
            }
            None => SealedKind::Session,
        };
        session.seal(pair, capsule, &mut payload, rng, now)?;
        let session = session.id();
        self.drop_retired(now);
        Ok(Sealed { kind, payload, session })
    }

    /// Opens a session message from the authenticated `peer`.
    ///
    /// # Errors
    /// [`SessionError::UnknownSession`]; [`SessionError::Duplicate`], which is no failure;
    /// [`SessionError::Authentication`], [`SessionError::NonContributory`], [`SessionError::InvalidKey`],
    /// [`SessionError::TooFarAhead`], [`SessionError::Forgotten`], [`SessionError::Reflected`],
    /// [`SessionError::WrongPeer`], [`SessionError::Malformed`], [`SessionError::TooLarge`].
    pub fn open_session(
        &mut self,
        me: PeerId,
        peer: PeerId,
        payload: &[u8],
        now: WallTime,
    ) -> Result<Opened, SessionError> {
        let message = MessageIn::parse(payload)?;
        let pair = self.check_pair(me, peer)?;
        let id = message.header.session;
        let session = self.find_mut(id, now).ok_or(SessionError::UnknownSession)?;
        let was_confirmed = session.is_confirmed();
        let plaintext = session.open(&pair, &message, now)?;
        if !was_confirmed && session.is_confirmed() {
            self.follow(id, now);
        }
        self.drop_retired(now);
        Ok(Opened { plaintext, session: id, is_new_session: false, is_first_contact: false })
    }

    /// Opens a first contact from the authenticated `peer`. The header of a session that is known needs no keys
    /// (SES-17). With the card's prekey, the caller refuses a second use of (prekey id, `EK_A`) before (SES-18).
    ///
    /// Nothing random is drawn: the answer's ratchet key is made when the answer is sealed.
    ///
    /// # Errors
    /// As [`Self::open_session`], and [`SessionError::NeedsKeys`]; `UnknownSession` only for a session that
    /// [`Self::knows_session`] still names, but whose time is over.
    pub fn open_first(
        &mut self,
        me: &IdentityKeypair,
        peer: &IdentityKey,
        first: &FirstContactIn,
        keys: Option<ResponderKeys<'_>>,
        _rng: &mut dyn CryptoRng,
        now: WallTime,
    ) -> Result<Opened, SessionError> {
        let pair = self.check_pair(me.peer_id(), peer.peer_id())?;
        if first.initiator() == pair.me {
            return Err(SessionError::Reflected);
        }
        if first.initiator() != pair.peer {
            return Err(SessionError::WrongPeer);
        }
        // A session that is too old, but not yet dropped, is known too: it must not begin a second time, because
        // the caller, who sees that it is known, has not looked for the mark of its prekey.
        let known = self.iter().find(|session| session.id() == first.session_id());
        if let Some(is_same) = known.map(|session| session.began_with(first.fingerprint())) {
            if !is_same {
                return Err(SessionError::Authentication);
            }
            let opened = self.open_session(pair.me, pair.peer, first.message(), now)?;
            return Ok(Opened { is_first_contact: true, ..opened });
        }
        let keys = keys.ok_or(SessionError::NeedsKeys)?;
        let agreed = handshake::accept(me, peer, first.header(), &keys)?;
        let message = MessageIn::parse(first.message())?;
        let (session, plaintext) = Session::respond(agreed, keys.prekey, *first.fingerprint(), (&pair, &message), now)?;
        let id = session.id();
        self.add(pair, session, now);
        Ok(Opened { plaintext, session: id, is_new_session: true, is_first_contact: true })
    }

    /// Drops what is too old: retired sessions and skipped keys after 30 days (SES-34, SES-54). A session that is
    /// used does so for itself; this is for the daily sweep over those that are not. Whether something changed.
    pub fn prune(&mut self, now: WallTime) -> bool {
        let mut changed = self.drop_retired(now);
        for session in self.sending.iter_mut().chain(self.retired.iter_mut().map(|retired| &mut retired.session)) {
            changed |= session.prune(now);
        }
        changed
    }

    fn drop_retired(&mut self, now: WallTime) -> bool {
        let before = self.retired.len();
        self.retired.retain(|retired| !retired.is_over(now));
        self.retired.truncate(MAX_ARCHIVED_SESSIONS);
        self.retired.len() != before
    }

    /// Adds a session that began, and decides which one sends (SES-51, SES-52, SES-54).
    fn add(&mut self, pair: Pair, new: Session, now: WallTime) {
        self.pair = Some(pair);
        let Some(current) = self.sending.take() else {
            self.sending = Some(new);
            return;
        };
        let crossing = !current.is_confirmed() && !new.is_confirmed() && current.is_ours() != new.is_ours();
        let (sends, retires) = if crossing && current.id() < new.id() { (current, new) } else { (new, current) };
        self.sending = Some(sends);
        self.retired.push_front(Retired { session: retires, at: now });
        self.drop_retired(now);
    }

    /// The first reply in a session that we began has opened: it sends from now on (SES-53).
    ///
    /// The reply shows which session the responder chose, who alone knows in which order the first contacts came
    /// to him. Without this rule, a first contact that is overtaken by the reply to a crossing one would leave
    /// each side sending in another session, and in neither would a ratchet key ever be answered.
    fn follow(&mut self, id: SessionId, now: WallTime) {
        let Some(place) = self.retired.iter().position(|retired| retired.session.id() == id) else { return };
        let Some(Retired { session, .. }) = self.retired.get(place) else { return };
        if !session.is_ours() {
            return;
        }
        let confirmed = self.retired.remove(place).map(|retired| retired.session);
        if let Some(before) = std::mem::replace(&mut self.sending, confirmed) {
            self.retired.push_front(Retired { session: before, at: now });
        }
    }

    fn iter(&self) -> impl Iterator<Item = &Session> {
        self.sending.iter().chain(self.retired.iter().map(|retired| &retired.session))
    }

    fn find_mut(&mut self, id: SessionId, now: WallTime) -> Option<&mut Session> {
        let retired = self.retired.iter_mut().filter(|retired| !retired.is_over(now));
        self.sending.iter_mut().chain(retired.map(|retired| &mut retired.session)).find(|session| session.id() == id)
    }

    /// The pair, when it is the one whose sessions these are (SES-14).
    fn check_pair(&self, me: PeerId, peer: PeerId) -> Result<Pair, SessionError> {
        if me == peer {
            return Err(SessionError::Reflected);
        }
        let pair = Pair { me, peer };
        match self.pair {
            Some(known) if known != pair => Err(SessionError::WrongPeer),
            _ => Ok(pair),
        }
    }
}

impl Retired {
    fn is_over(&self, now: WallTime) -> bool {
        now.since(self.at) >= ARCHIVED_SESSION_LIFE
    }
}
