//! All sessions with one peer: which one sends, which ones still receive (docs/protocol/session.md, section 7).

use std::collections::VecDeque;
use std::fmt;

use zeroize::Zeroizing;

use super::SessionError;
use super::handshake::{self, FIRST_CONTACT_LEN, FirstContactIn, RemoteBundle, ResponderKeys};
use super::ratchet::{Ahead, HEADER_LEN, MAX_KEM_PART, MessageIn, Pair, Sending, SendingChain, Session};
use crate::base::limits::{MAX_ARCHIVED_SESSIONS, MAX_PAYLOAD};
use crate::base::{Aging, CryptoRng, PeerId, SessionId, WallTime};
use crate::crypto::aead::TAG_LEN;
use crate::identity::{IdentityKey, IdentityKeypair};

/// The longest plaintext: with the longest header before it, it still fits the payload of an envelope (SES-30).
///
/// The first-contact header and a key on offer never ride in one message: keys are offered only when a reply
/// has opened.
pub const MAX_CAPSULE: usize = MAX_PAYLOAD - (HEADER_LEN + MAX_KEM_PART + TAG_LEN);

// An offer is the longer of the two.
const _: () = assert!(FIRST_CONTACT_LEN <= MAX_KEM_PART);

/// All sessions with one peer. Each is a row, and the chain that sends is one.
#[derive(Clone, Debug, Default)]
pub struct SessionSet {
    /// Whose sessions these are; set with the first.
    pair: Option<Pair>,
    /// The one that sends, which receives too and never grows too old, if there is one; then those that only receive, the last
    /// retired first.
    sessions: VecDeque<Session>,
    /// Those that were dropped since the set was loaded.
    dropped: Vec<SessionId>,
    /// Whether something was sealed since then.
    sealed: bool,
    /// The next turn of the session that sends, if somebody has made it.
    ahead: Option<Box<Ahead>>,
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
    /// Which one of its messages it is: for [`SessionSet::taken`], and for nothing else.
    pub number: u64,
}

/// An opened message. Its `Debug` does not show the plaintext.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// The capsule.
    pub plaintext: Zeroizing<Vec<u8>>,
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
    /// The sessions of `me` and `peer`, from their rows, in any order, and that of the chain that sends.
    pub fn load(me: PeerId, peer: PeerId, mut rows: Vec<Session>, sending: Option<&Sending>) -> Self {
        rows.sort_by_key(Session::order);
        let pair = (!rows.is_empty()).then_some(Pair { me, peer });
        let mut set = Self { pair, sessions: rows.into(), ..Self::default() };
        if let Some(session) = set.sending_mut() {
            session.resume(sending);
        }
        set
    }

    /// The rows, all of them.
    pub fn rows(&self) -> impl Iterator<Item = &Session> {
        self.sessions.iter()
    }

    /// Those that have changed since they were loaded.
    pub fn changed(&self) -> impl Iterator<Item = &Session> {
        self.rows().filter(|session| session.changed)
    }

    /// Sessions whose rows are to go.
    pub fn dropped(&self) -> &[SessionId] {
        &self.dropped
    }

    /// The row of the chain that sends, while one does and its key is not in the row of its session. Where there is none,
    /// nothing that was sealed needs an older one: it stays until the next takes its place, and opens nothing.
    pub fn sending_row(&self) -> Option<Sending> {
        self.sending().and_then(Session::sending_row)
    }

    /// Whether that has changed since it was loaded.
    pub const fn has_sealed(&self) -> bool {
        self.sealed
    }

    /// Whether there is a session to send with.
    pub fn can_send(&self) -> bool {
        self.sending().is_some_and(Session::can_seal)
    }

    /// Whether so much of what was sealed was not taken that nothing more is to be: a session is to be begun (SES-66).
    pub fn is_stretched(&self) -> bool {
        self.chain().is_some_and(SendingChain::is_stretched)
    }

    /// A sealed message was taken: by the peer, or by who keeps it for him. It is written down with the next that is sealed.
    pub fn taken(&mut self, session: SessionId, number: u64) {
        let chain = self.sending_mut().filter(|known| known.id() == session).and_then(Session::chain_mut);
        if let Some(chain) = chain {
            chain.taken(number);
        }
    }

    /// Of which that is to be remembered until then, and longer: one before them was not taken.
    pub fn taken_above(&self) -> impl Iterator<Item = (SessionId, u64)> {
        let (session, chain) = (self.sending().map(Session::id), self.chain());
        session.into_iter().zip(chain).flat_map(|(id, chain)| chain.taken_above().map(move |number| (id, number)))
    }

    /// Makes the next turn of the session that sends, if it is ours to make, for a set loaded later to take (SES-21).
    pub fn turn_ahead(&self, rng: &mut dyn CryptoRng) -> Option<Ahead> {
        self.sending().and_then(|session| session.turn_ahead(rng))
    }

    /// Takes over what [`Self::turn_ahead`] made. What does not fit serves nobody.
    pub fn take_ahead(&mut self, ahead: Ahead) {
        self.ahead = Some(Box::new(ahead)).filter(|ahead| self.sending().is_some_and(|session| session.fits(ahead)));
    }

    /// Whether the next message begins with a turn, and whether that was made ahead.
    pub fn next_turn(&self) -> Option<bool> {
        let session = self.sending().filter(|session| session.next_turn().is_some())?;
        Some(self.ahead.as_ref().is_some_and(|ahead| session.fits(ahead)))
    }

    /// The session that sends.
    pub fn sending(&self) -> Option<&Session> {
        self.sessions.front().filter(|session| session.is_sending())
    }

    fn sending_mut(&mut self) -> Option<&mut Session> {
        self.sessions.front_mut().filter(|session| session.is_sending())
    }

    fn chain(&self) -> Option<&SendingChain> {
        self.sending().and_then(Session::chain)
    }

    /// Since when the session that sends, begun by us, waits for the first reply; `None` when it does not.
    pub fn unanswered_since(&self) -> Option<WallTime> {
        self.sending().filter(|session| session.is_ours() && !session.is_confirmed()).map(Session::begun)
    }

    /// Whether the session is one of these, sending or retired; also one whose time is over, until it is dropped.
    pub fn knows_session(&self, id: &SessionId) -> bool {
        self.rows().any(|session| session.id() == *id)
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
        now: impl Into<Aging>,
    ) -> Result<SessionId, SessionError> {
        let now = now.into();
        let pair = self.check_pair(me.peer_id(), bundle.identity.peer_id())?;
        let (agreed, first) = handshake::begin(me, bundle, rng)?;
        let id = agreed.id;
        if !self.can_send() || self.is_stretched() {
            // One that cannot go on must not be chosen for its ID (SES-66).
            self.give_up(now);
        }
        self.add(pair, Session::begin(agreed, bundle.prekey, first, now), now);
        Ok(id)
    }

    /// Gives the session that sends up, because it is broken: it only receives from now on, and the next one that
    /// begins sends, whatever their IDs (SES-55).
    pub fn give_up(&mut self, now: impl Into<Aging>) {
        let now = now.into();
        if self.sending().is_some() {
            self.retire(0, now);
            self.drop_retired(now);
        }
    }

    /// Seals a capsule with the session that sends; the first-contact header goes before it until a reply has
    /// opened (SES-16, SES-30).
    ///
    /// # Errors
    /// [`SessionError::TooLarge`] above [`MAX_CAPSULE`], [`SessionError::NoSession`],
    /// [`SessionError::Exhausted`] after 2³² − 1 messages without an answer.
    pub fn encrypt(
        &mut self,
        capsule: &[u8],
        rng: &mut dyn CryptoRng,
        now: impl Into<Aging>,
    ) -> Result<Sealed, SessionError> {
        let now = now.into();
        if capsule.len() > MAX_CAPSULE {
            return Err(SessionError::TooLarge { len: capsule.len(), max: MAX_CAPSULE });
        }
        let ahead = self.ahead.take().map(|ahead| *ahead);
        let (Some(pair), Some(session)) = (self.pair, self.sending_mut()) else {
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
        let number = session.seal(&pair, capsule, &mut payload, ahead, rng, now)?;
        let session = session.id();
        self.sealed = true;
        self.drop_retired(now);
        Ok(Sealed { kind, payload, session, number })
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
        now: impl Into<Aging>,
    ) -> Result<Opened, SessionError> {
        let now = now.into();
        let message = MessageIn::parse(payload)?;
        let pair = self.check_pair(me, peer)?;
        let id = message.header.session;
        let mut known = self.sessions.iter_mut().filter(|session| session.id() == id && !session.is_over(now));
        let session = known.next().ok_or(SessionError::UnknownSession)?;
        let was_confirmed = session.is_confirmed();
        let plaintext = session.open(&pair, &message, now).map(Zeroizing::new)?;
        if !was_confirmed && session.is_confirmed() {
            self.follow(id, now);
        }
        self.drop_retired(now);
        Ok(Opened { plaintext, session: id, is_new_session: false, is_first_contact: false })
    }

    /// Opens a first contact from the authenticated `peer`. The header of a session that is known needs no keys
    /// (SES-17). With the card's prekey, the caller refuses a second use of (prekey id, `EK_A`) before (SES-18).
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
        now: impl Into<Aging>,
    ) -> Result<Opened, SessionError> {
        let now = now.into();
        let pair = self.check_pair(me.peer_id(), peer.peer_id())?;
        if first.header.initiator == pair.me {
            return Err(SessionError::Reflected);
        }
        if first.header.initiator != pair.peer {
            return Err(SessionError::WrongPeer);
        }
        // A session that is too old, but not yet dropped, is known too: it must not begin a second time, because
        // the caller, who sees that it is known, has not looked for the mark of its prekey.
        if let Some(known) = self.sessions.iter().find(|session| session.id() == first.session) {
            if !known.began_with(&first.fingerprint) {
                return Err(SessionError::Authentication);
            }
            let opened = self.open_session(pair.me, pair.peer, &first.message, now)?;
            return Ok(Opened { is_first_contact: true, ..opened });
        }
        let keys = keys.ok_or(SessionError::NeedsKeys)?;
        let agreed = handshake::accept(me, peer, &first.header, &keys)?;
        let message = MessageIn::parse(&first.message)?;
        let (session, plaintext) = Session::respond(agreed, keys.prekey, first.fingerprint, (&pair, &message), now)?;
        let id = session.id();
        self.add(pair, session, now);
        let plaintext = Zeroizing::new(plaintext);
        Ok(Opened { plaintext, session: id, is_new_session: true, is_first_contact: true })
    }

    /// Drops what is too old: retired sessions and skipped keys after 30 days (SES-34, SES-54). A session that is
    /// used does so for itself; this is for the daily sweep over those that are not. Whether something changed.
    pub fn prune(&mut self, now: impl Into<Aging>) -> bool {
        let now = now.into();
        let mut changed = self.drop_retired(now);
        for session in &mut self.sessions {
            changed |= session.prune(now);
        }
        changed
    }

    fn drop_retired(&mut self, now: Aging) -> bool {
        let before = self.dropped.len();
        let mut kept = 0;
        self.sessions.retain(|session| {
            let keep = session.is_sending() || (kept < MAX_ARCHIVED_SESSIONS && !session.is_over(now));
            kept += usize::from(keep && !session.is_sending());
            if !keep {
                self.dropped.push(session.id());
            }
            keep
        });
        self.dropped.len() != before
    }

    /// The session at this place only receives from now on.
    fn retire(&mut self, place: usize, now: Aging) {
        let Some(mut session) = self.sessions.remove(place) else { return };
        let first = usize::from(self.sending().is_some());
        session.retire(self.sessions.get(first), now);
        self.sessions.insert(first, session);
    }

    /// Adds a session that began, and decides which one sends (SES-51, SES-52, SES-54).
    fn add(&mut self, pair: Pair, new: Session, now: Aging) {
        self.pair = Some(pair);
        let stays = self.sending().is_some_and(|before| {
            let crossing = !before.is_confirmed() && !new.is_confirmed() && before.is_ours() != new.is_ours();
            crossing && before.id() < new.id()
        });
        let is_first = self.sending().is_none();
        self.sessions.insert(usize::from(stays), new);
        if !is_first {
            self.retire(1, now);
            self.drop_retired(now);
        }
    }

    /// The first reply in a session that we began has opened: it sends from now on (SES-53).
    ///
    /// The reply shows which session the responder chose, who alone knows in which order the first contacts came
    /// to him. Without this rule, a first contact that is overtaken by the reply to a crossing one would leave
    /// each side sending in another session, and in neither would a ratchet key ever be answered.
    fn follow(&mut self, id: SessionId, now: Aging) {
        let is_it = |session: &Session| session.id() == id && session.is_ours() && !session.is_sending();
        let Some(mut session) = self.sessions.iter().position(is_it).and_then(|at| self.sessions.remove(at)) else {
            return;
        };
        session.return_to_sending();
        let had_one = self.sending().is_some();
        self.sessions.push_front(session);
        if had_one {
            self.retire(1, now);
        }
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
