//! One session: its state, and how a message is sealed and opened with it.

use serde::{Deserialize, Serialize};

use super::chains::ReceivingChains;
use super::header::{HEADER_LEN, Header, MAX_KEM_PART, MessageIn};
use super::keys::{MessageKey, RootKey, SALT_LEN};
use super::receiving::{KeyFound, ReceivingChain};
use super::sending::{Sending, SendingChain};
use super::side::{NewOffer, Side};
use crate::base::limits::{ARCHIVED_SESSION_LIFE, MAX_RETIRED_SKIPPED_KEYS};
use crate::base::{Aging, CryptoRng, PeerId, SessionId, WallTime};
use crate::crypto::dh::{DhPublic, DhSecret};
use crate::session::handshake::{Agreed, FirstContact};
use crate::session::{SessionError, label};

/// A session with one peer, and its row (SES-65). It is used through [`SessionSet`](crate::session::SessionSet), which holds
/// all sessions with that peer and chooses the one that sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Session {
    id: SessionId,
    side: Side,
    /// Whether a ratchet key that answers one of ours has come (SES-50).
    confirmed: bool,
    begun: WallTime,
    root: RootKey,
    turn: Turn,
    /// How many messages our last sending chain had: `PN` of the next one.
    previous: u32,
    receiving: ReceivingChains,
    /// Set when it only receives.
    retired: Option<Retirement>,
    /// Whether its row has changed since it was loaded.
    #[serde(skip)]
    pub(in crate::session) changed: bool,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Retirement {
    at: WallTime,
    /// The how manieth it was, of those that are there: several may retire at the same time.
    order: u32,
}

/// Whose ratchet key is the newest.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Turn {
    /// Ours: we send under it, and the peer's next one answers it.
    Ours(SendingChain),
    /// The peer's: our next message begins with a key of our own. The secret of the last one is erased
    /// (SES-62).
    Theirs(DhPublic),
}

/// The next turn, made while there was time: our next ratchet key and the step to it. It is in memory only, and good until
/// the turn is made, by it or otherwise.
#[derive(Clone, Debug)]
pub struct Ahead {
    turn: NextTurn,
    root: RootKey,
    sending: SendingChain,
}

/// What a turn of ours answers in a session: the peer's newest ratchet key, and the key on offer.
type NextTurn = (SessionId, DhPublic, Option<u32>);

#[cfg(test)]
impl Ahead {
    pub(in crate::session) const fn public(&self) -> DhPublic {
        self.sending.public
    }
}

/// The two parties of a session, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::session) struct Pair {
    pub(in crate::session) me: PeerId,
    pub(in crate::session) peer: PeerId,
}

impl Session {
    /// The initiator's session after PQXDH. The peer's prekey is his first ratchet key (SES-20).
    pub(in crate::session) fn begin(agreed: Agreed, prekey: DhPublic, first: FirstContact, now: Aging) -> Self {
        Self::new(agreed, Side::initiator(Box::new(first), now), Turn::Theirs(prekey), now)
    }

    /// The responder's session, which exists only when its first message opens (SES-15).
    pub(in crate::session) fn respond(
        agreed: Agreed,
        prekey: &DhSecret,
        fingerprint: [u8; 32],
        (pair, message): (&Pair, &MessageIn<'_>),
        now: Aging,
    ) -> Result<(Self, Vec<u8>), SessionError> {
        if message.header.session != agreed.id {
            return Err(SessionError::Authentication);
        }
        let side = Side::Responder { fingerprint, newest: 0, offered: None };
        let mut session = Self::new(agreed, side, Turn::Theirs(message.header.ratchet_key), now);
        session.side.check_direction(message.header.kem)?;
        let next = session.try_next(pair, prekey, message, now)?;
        let plaintext = session.receive_next(message, now, next);
        Ok((session, plaintext))
    }

    fn new(agreed: Agreed, side: Side, turn: Turn, now: Aging) -> Self {
        Self {
            id: agreed.id,
            side,
            confirmed: false,
            begun: now.now,
            root: agreed.root,
            turn,
            previous: 0,
            receiving: ReceivingChains::default(),
            retired: None,
            changed: true,
        }
    }

    /// Its ID: the first 16 bytes of the handshake's transcript hash.
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// Whether the peer has proven that he holds the session: a ratchet key that answers ours has come (SES-50).
    pub const fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// Whether we began it.
    pub const fn is_ours(&self) -> bool {
        matches!(self.side, Side::Initiator { .. })
    }

    /// Whether it is the one that sends.
    pub const fn is_sending(&self) -> bool {
        self.retired.is_none()
    }

    /// When it began here.
    pub const fn begun(&self) -> WallTime {
        self.begun
    }

    /// The header to repeat, while no reply has opened (SES-16).
    pub(in crate::session) fn first_contact(&self) -> Option<&FirstContact> {
        match &self.side {
            Side::Initiator { first_contact, .. } => first_contact.as_deref(),
            Side::Responder { .. } => None,
        }
    }

    /// Whether this is the first-contact header that the session began with (SES-17).
    pub(in crate::session) fn began_with(&self, first: &[u8; 32]) -> bool {
        matches!(&self.side, Side::Responder { fingerprint, .. } if fingerprint == first)
    }

    /// Seals one message, and appends header ‖ body to `out` (SES-30); gives the number that names it within its session. A turn
    /// that was made ahead serves if it fits.
    pub(in crate::session) fn seal(
        &mut self,
        pair: &Pair,
        plaintext: &[u8],
        out: &mut Vec<u8>,
        ahead: Option<Ahead>,
        rng: &mut dyn CryptoRng,
        now: Aging,
    ) -> Result<u64, SessionError> {
        // All that can fail comes first.
        if let Turn::Theirs(theirs) = &self.turn {
            let made = ahead.filter(|ahead| self.fits(ahead)).map(|ahead| (ahead.root, ahead.sending));
            let (root, sending) = made.map_or_else(|| self.next_sending(theirs, rng), Ok)?;
            (self.root, self.turn, self.changed) = (root, Turn::Ours(sending), true);
            self.side.turned();
        }
        let Turn::Ours(sending) = &mut self.turn else { return Err(SessionError::Exhausted) };
        let (number, key, moved) = sending.advance().ok_or(SessionError::Exhausted)?;
        self.changed |= moved;
        self.changed |= self.side.sent(self.confirmed, rng, now);
        let mut salt = [0; SALT_LEN];
        rng.fill_bytes(&mut salt);
        let kem = self.side.part(sending.answer.as_ref());
        let header =
            Header { session: self.id, ratchet_key: sending.public, previous: sending.previous, number, salt, kem };

        let mut header_bytes = Vec::with_capacity(HEADER_LEN + MAX_KEM_PART);
        header.write(&mut header_bytes);
        let body = key.seal(&salt, plaintext, &associated(&self.side, pair, &header_bytes));
        out.extend_from_slice(&header_bytes);
        out.extend_from_slice(&body);
        let number = sending.name(number);
        self.prune(now);
        Ok(number)
    }

    /// The chain that sends, if our turn was last.
    pub(in crate::session) const fn chain(&self) -> Option<&SendingChain> {
        match &self.turn {
            Turn::Ours(sending) => Some(sending),
            Turn::Theirs(_) => None,
        }
    }

    /// The same, to tell it something.
    pub(in crate::session) const fn chain_mut(&mut self) -> Option<&mut SendingChain> {
        match &mut self.turn {
            Turn::Ours(sending) => Some(sending),
            Turn::Theirs(_) => None,
        }
    }

    /// Whether a message can be sealed: it is our turn to make a key, or the chain goes on (SES-32, SES-65).
    pub(in crate::session) fn can_seal(&self) -> bool {
        self.chain().is_none_or(|chain| !chain.is_exhausted())
    }

    /// The row of the chain that sends, while one does and it has one.
    pub(in crate::session) fn sending_row(&self) -> Option<Sending> {
        self.chain()?.row(self.id, self.side.messages())
    }

    /// Goes on where that row left off (SES-65).
    pub(in crate::session) fn resume(&mut self, row: Option<&Sending>) {
        let id = self.id;
        if let Some(messages) = self.chain_mut().and_then(|chain| chain.resume(id, row)) {
            self.side.count_to(messages);
        }
    }

    /// It only receives from now on, after `last` did, and keeps less (SES-34, SES-54).
    pub(in crate::session) fn retire(&mut self, last: Option<&Self>, now: Aging) {
        if let Some(chain) = self.chain_mut() {
            chain.stop();
        }
        self.receiving.keep_skipped(MAX_RETIRED_SKIPPED_KEYS);
        let order = last.and_then(|last| last.retired).map_or(0, |last| last.order.saturating_add(1));
        (self.retired, self.changed) = (Some(Retirement { at: now.now, order }), true);
    }

    /// It sends from now on.
    pub(in crate::session) const fn return_to_sending(&mut self) {
        (self.retired, self.changed) = (None, true);
    }

    /// The one that sends first, then the last retired.
    pub(in crate::session) fn order(&self) -> impl Ord + use<> {
        (!self.is_sending(), std::cmp::Reverse(self.retired.map(|retired| retired.order)))
    }

    /// Whether its time as a retired session is over (SES-54).
    pub(in crate::session) fn is_over(&self, now: Aging) -> bool {
        self.retired.is_some_and(|retired| now.since(retired.at) >= ARCHIVED_SESSION_LIFE)
    }

    /// Makes the next turn, if it is ours to make.
    pub(in crate::session) fn turn_ahead(&self, rng: &mut dyn CryptoRng) -> Option<Ahead> {
        let turn = self.next_turn()?;
        let (root, sending) = self.next_sending(&turn.1, rng).ok()?;
        Some(Ahead { turn, root, sending })
    }

    /// Whether that is the turn to be made now.
    pub(in crate::session) fn fits(&self, ahead: &Ahead) -> bool {
        self.next_turn() == Some(ahead.turn)
    }

    /// The turn with which the next message begins.
    pub(in crate::session) fn next_turn(&self) -> Option<NextTurn> {
        match &self.turn {
            Turn::Ours(_) => None,
            Turn::Theirs(theirs) => Some((self.id, *theirs, self.side.answers())),
        }
    }

    /// Drops what is too old. Whether there was something.
    pub(in crate::session) fn prune(&mut self, now: Aging) -> bool {
        let pruned = self.receiving.tidy(now);
        self.changed |= pruned;
        pruned
    }

    /// Our next ratchet key: the sending half of a turn (SES-21, SES-43).
    fn next_sending(
        &self,
        theirs: &DhPublic,
        rng: &mut dyn CryptoRng,
    ) -> Result<(RootKey, SendingChain), SessionError> {
        let secret = DhSecret::generate(rng);
        let dh = secret.exchange(theirs)?;
        let (answer, mix) = self.side.encapsulate(rng).unzip();
        let (root, chain) = self.root.step(&dh, mix.as_ref());
        Ok((root, SendingChain::new(secret, chain, self.previous, answer)))
    }

    /// Opens one message. The state changes only when that succeeds (SES-36, SES-61).
    pub(in crate::session) fn open(
        &mut self,
        pair: &Pair,
        message: &MessageIn<'_>,
        now: Aging,
    ) -> Result<Vec<u8>, SessionError> {
        let header = &message.header;
        self.side.check_direction(header.kem)?;
        let plaintext = match self.receiving.find(&header.ratchet_key, header.number, now) {
            Some(found) => {
                let found = found?;
                let plaintext = self.try_key(pair, &found.key.key, message)?;
                let offer = self.side.check_offer(header.kem)?;
                self.receiving.take(found, now);
                self.side.received(offer);
                plaintext
            }
            None => {
                let next = self.try_answer(pair, message, now).map_err(|error| {
                    // A late copy of what was opened long ago is no failure (SES-35).
                    if self.receiving.is_used_up(&header.ratchet_key) { SessionError::Duplicate } else { error }
                })?;
                self.previous = self.chain().map_or(self.previous, SendingChain::count);
                self.side.answered(header.kem);
                self.confirmed = true;
                self.receive_next(message, now, next)
            }
        };
        if self.retired.is_some() {
            self.receiving.keep_skipped(MAX_RETIRED_SKIPPED_KEYS);
        }
        self.changed = true;
        Ok(plaintext)
    }

    /// Tries a message under a ratchet key that is not known: it must answer ours.
    fn try_answer(&self, pair: &Pair, message: &MessageIn<'_>, now: Aging) -> Result<NextOpened, SessionError> {
        // While the newest key is the peer's, he has nothing to answer with another.
        let sending = self.chain().ok_or(SessionError::Authentication)?;
        if sending.public == message.header.ratchet_key {
            return Err(SessionError::Reflected);
        }
        self.try_next(pair, &sending.secret, message, now)
    }

    /// Tries a message as the first of a new receiving chain (SES-21, SES-22, SES-44).
    fn try_next(
        &self,
        pair: &Pair,
        ours: &DhSecret,
        message: &MessageIn<'_>,
        now: Aging,
    ) -> Result<NextOpened, SessionError> {
        let header = &message.header;
        // PN counts all that was received in the chain before, and there was none before the first.
        let possible = match self.receiving.current() {
            Some(before) => before.may_end_at(header.previous),
            None => header.previous == 0,
        };
        if !possible {
            return Err(SessionError::Authentication);
        }
        // RK', CK = step(RK, DH(ours, theirs), [ss])
        let dh = ours.exchange(&header.ratchet_key)?;
        let mix = self.side.mix(header.kem)?;
        let (root, chain) = self.root.step(&dh, mix.as_ref());
        let chain = ReceivingChain::new(header.ratchet_key, chain);
        let key = chain.find(header.number, now)?;
        let plaintext = self.try_key(pair, &key.key, message)?;
        let offer = self.side.check_offer(header.kem)?;
        Ok(NextOpened { plaintext, offer, root, chain, key })
    }

    /// Keeps what [`Self::try_next`] found, and gives what it says.
    fn receive_next(&mut self, message: &MessageIn<'_>, now: Aging, mut next: NextOpened) -> Vec<u8> {
        next.chain.take(next.key);
        self.root = next.root;
        self.turn = Turn::Theirs(message.header.ratchet_key);
        self.receiving.begin(next.chain, message.header.previous, now);
        self.side.received(next.offer);
        next.plaintext
    }

    /// That of the chain that sends.
    #[cfg(test)]
    pub(in crate::session) fn chain_key(&self) -> Option<&[u8]> {
        self.chain().and_then(SendingChain::chain_key)
    }

    /// Receiving chains, skipped keys, marks.
    #[cfg(test)]
    pub(in crate::session) fn sizes(&self) -> (usize, usize, usize) {
        self.receiving.sizes()
    }

    fn try_key(&self, pair: &Pair, key: &MessageKey, message: &MessageIn<'_>) -> Result<Vec<u8>, SessionError> {
        let associated = associated(&self.side, pair, message.header_bytes);
        key.open(&message.header.salt, message.body, &associated)
    }
}

/// The associated data of a body (SES-25).
fn associated(side: &Side, pair: &Pair, header: &[u8]) -> Vec<u8> {
    let (initiator, responder) = match side {
        Side::Initiator { .. } => (&pair.me, &pair.peer),
        Side::Responder { .. } => (&pair.peer, &pair.me),
    };
    // AD = label ‖ IK_initiator ‖ IK_responder ‖ header
    [label::ASSOCIATED, initiator.key_bytes(), responder.key_bytes(), header].concat()
}

/// A message that opened under a new ratchet key, and what is to be kept.
struct NextOpened {
    plaintext: Vec<u8>,
    offer: NewOffer,
    root: RootKey,
    chain: ReceivingChain,
    key: KeyFound,
}

#[cfg(test)]
mod tests;
