//! One session: its state, and how a message is sealed and opened with it.

use serde::{Deserialize, Serialize};

use super::chains::ReceivingChains;
use super::header::{HEADER_LEN, Header, MAX_KEM_PART, MessageIn};
use super::kem::{KemAnswers, KemOffers};
use super::message_key::SALT_LEN;
use super::receiving::{KeyFound, ReceivingChain};
use super::root_key::RootKey;
use super::sending::{Sending, SendingChain};
use super::side::{NewOffer, Side};
use crate::base::{CryptoRng, PeerId, SessionId, WallTime};
use crate::crypto::dh::{DhPublic, DhSecret};
use crate::session::handshake::{Agreed, FirstContact};
use crate::session::{SessionError, label};

/// A session with one peer. It is used through [`SessionSet`](crate::session::SessionSet), which holds all
/// sessions with that peer and chooses the one that sends.
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
    session: SessionId,
    /// The key of the peer's that it answers.
    theirs: DhPublic,
    /// The key on offer that it answers, too.
    offered: Option<u32>,
    root: RootKey,
    sending: SendingChain,
}

/// What came of sealing a message.
pub(in crate::session) struct Step {
    /// Names the message within its session.
    pub(in crate::session) number: u64,
    /// Whether more has changed than the chain that sends.
    pub(in crate::session) changed: bool,
}

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
    pub(in crate::session) fn begin(agreed: Agreed, prekey: DhPublic, first: FirstContact, now: WallTime) -> Self {
        let side = Side::Initiator { first_contact: Some(Box::new(first)), offers: KemOffers::new(now) };
        Self::new(agreed, side, Turn::Theirs(prekey), now)
    }

    /// The responder's session, which exists only when its first message opens (SES-15).
    pub(in crate::session) fn respond(
        agreed: Agreed,
        prekey: &DhSecret,
        fingerprint: [u8; 32],
        (pair, message): (&Pair, &MessageIn<'_>),
        now: WallTime,
    ) -> Result<(Self, Vec<u8>), SessionError> {
        if message.header.session != agreed.id {
            return Err(SessionError::Authentication);
        }
        let side = Side::Responder { fingerprint, answers: KemAnswers::default() };
        let mut session = Self::new(agreed, side, Turn::Theirs(message.header.ratchet_key), now);
        session.side.check_direction(message.header.kem)?;
        let next = session.try_next(pair, prekey, message, now)?;
        session.receive_next(message, now, next.step);
        session.side.received(next.offer);
        Ok((session, next.plaintext))
    }

    fn new(agreed: Agreed, side: Side, turn: Turn, now: WallTime) -> Self {
        Self {
            id: agreed.id,
            side,
            confirmed: false,
            begun: now,
            root: agreed.root,
            turn,
            previous: 0,
            receiving: ReceivingChains::default(),
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

    /// Seals one message, and appends header ‖ body to `out` (SES-30). A turn that was made ahead serves if it fits.
    pub(in crate::session) fn seal(
        &mut self,
        pair: &Pair,
        plaintext: &[u8],
        out: &mut Vec<u8>,
        ahead: Option<Ahead>,
        rng: &mut dyn CryptoRng,
        now: WallTime,
    ) -> Result<Step, SessionError> {
        // All that can fail comes first.
        let mut changed = false;
        if let Turn::Theirs(theirs) = &self.turn {
            let made = ahead.filter(|ahead| self.fits(ahead)).map(|ahead| (ahead.root, ahead.sending));
            let (root, sending) = made.map_or_else(|| self.next_sending(theirs, rng), Ok)?;
            self.root = root;
            self.turn = Turn::Ours(sending);
            if let Side::Responder { answers, .. } = &mut self.side {
                answers.settle();
            }
            changed = true;
        }
        let Turn::Ours(sending) = &mut self.turn else { return Err(SessionError::Exhausted) };
        let (number, key) = sending.advance().ok_or(SessionError::Exhausted)?;
        changed |= sending.moves();
        if let Side::Initiator { offers, .. } = &mut self.side {
            offers.count();
            changed |= self.confirmed && offers.renew_if_due(rng, now);
        }
        let mut salt = [0; SALT_LEN];
        rng.fill_bytes(&mut salt);
        let kem = match &self.side {
            Side::Initiator { offers, .. } => offers.part(),
            Side::Responder { .. } => sending.part(),
        };
        let header =
            Header { session: self.id, ratchet_key: sending.public, previous: sending.previous, number, salt, kem };

        let mut header_bytes = Vec::with_capacity(HEADER_LEN + MAX_KEM_PART);
        header.write(&mut header_bytes);
        let body = key.seal(&salt, plaintext, &associated(&self.side, pair, &header_bytes));
        out.extend_from_slice(&header_bytes);
        out.extend_from_slice(&body);
        let number = sending.name(number);
        changed |= self.receiving.tidy(now);
        Ok(Step { number, changed })
    }

    /// Whether a message can be sealed: it is our turn to make a key, or the chain goes on (SES-32, SES-65).
    pub(in crate::session) const fn can_seal(&self) -> bool {
        match &self.turn {
            Turn::Ours(sending) => !sending.is_exhausted(),
            Turn::Theirs(_) => true,
        }
    }

    /// Whether nothing more is to be sealed in this chain (SES-66).
    pub(in crate::session) fn is_stretched(&self) -> bool {
        matches!(&self.turn, Turn::Ours(sending) if sending.is_stretched())
    }

    /// A message was taken by the peer, or by who keeps it for him.
    pub(in crate::session) fn taken(&mut self, number: u64) {
        if let Turn::Ours(sending) = &mut self.turn {
            sending.taken(number);
        }
    }

    /// Messages of which that is known, though one before them was not taken.
    pub(in crate::session) fn taken_above(&self) -> impl Iterator<Item = u64> {
        let sending = match &self.turn {
            Turn::Ours(sending) => Some(sending),
            Turn::Theirs(_) => None,
        };
        sending.into_iter().flat_map(SendingChain::taken_above)
    }

    /// The row of the chain that sends, while one does and it has one.
    pub(in crate::session) fn sending_row(&self) -> Option<Sending> {
        let messages = match &self.side {
            Side::Initiator { offers, .. } => offers.messages(),
            Side::Responder { .. } => 0,
        };
        match &self.turn {
            Turn::Ours(sending) => sending.row(self.id, messages),
            Turn::Theirs(_) => None,
        }
    }

    /// Goes on where that row left off (SES-65).
    pub(in crate::session) fn resume(&mut self, row: Option<&Sending>) {
        if let Turn::Ours(sending) = &mut self.turn
            && sending.resume(self.id, row)
            && let (Side::Initiator { offers, .. }, Some(row)) = (&mut self.side, row)
        {
            offers.count_to(row.messages);
        }
    }

    /// It only receives from now on, and keeps so many skipped keys (SES-34, SES-54).
    pub(in crate::session) fn retire(&mut self, skipped: usize) {
        if let Turn::Ours(sending) = &mut self.turn {
            sending.stop();
        }
        self.receiving.keep_skipped(skipped);
    }

    /// Makes the next turn, if it is ours to make.
    pub(in crate::session) fn turn_ahead(&self, rng: &mut dyn CryptoRng) -> Option<Ahead> {
        let Turn::Theirs(theirs) = &self.turn else { return None };
        let (root, sending) = self.next_sending(theirs, rng).ok()?;
        Some(Ahead { session: self.id, theirs: *theirs, offered: self.side.answers(), root, sending })
    }

    /// Whether that is the turn to be made now.
    pub(in crate::session) fn fits(&self, ahead: &Ahead) -> bool {
        let is_next = matches!(&self.turn, Turn::Theirs(theirs) if *theirs == ahead.theirs);
        is_next && self.id == ahead.session && self.side.answers() == ahead.offered
    }

    /// Whether the next message begins with a turn.
    pub(in crate::session) const fn turns_next(&self) -> bool {
        matches!(self.turn, Turn::Theirs(_))
    }

    /// Drops what is too old. Whether there was something.
    pub(in crate::session) fn prune(&mut self, now: WallTime) -> bool {
        self.receiving.tidy(now)
    }

    /// Our next ratchet key: the sending half of a turn (SES-21, SES-43).
    fn next_sending(
        &self,
        theirs: &DhPublic,
        rng: &mut dyn CryptoRng,
    ) -> Result<(RootKey, SendingChain), SessionError> {
        let secret = DhSecret::generate(rng);
        let dh = secret.exchange(theirs)?;
        let encapsulated = match &self.side {
            Side::Initiator { .. } => None,
            Side::Responder { answers, .. } => answers.encapsulate(rng),
        };
        let mix = encapsulated.as_ref().map(|encapsulated| encapsulated.mix());
        let (root, chain) = self.root.step(&dh, mix.as_ref());
        let public = secret.public();
        let answer = encapsulated.map(|encapsulated| encapsulated.answer);
        Ok((root, SendingChain::new(secret, public, chain, self.previous, answer)))
    }

    /// Opens one message. The state changes only when that succeeds (SES-36, SES-61).
    pub(in crate::session) fn open(
        &mut self,
        pair: &Pair,
        message: &MessageIn<'_>,
        now: WallTime,
    ) -> Result<Vec<u8>, SessionError> {
        let header = &message.header;
        self.side.check_direction(header.kem)?;
        let (plaintext, offer) = match self.receiving.find(&header.ratchet_key, header.number, now) {
            Some(found) => {
                let found = found?;
                let plaintext = self.try_key(pair, &found.key, message)?;
                let offer = self.side.check_offer(header.kem)?;
                self.receiving.take(found, now);
                (plaintext, offer)
            }
            None => {
                let next = self.try_answer(pair, message, now).map_err(|error| {
                    // A late copy of what was opened long ago is no failure (SES-35).
                    if self.receiving.is_used_up(&header.ratchet_key) { SessionError::Duplicate } else { error }
                })?;
                if let Turn::Ours(sending) = &self.turn {
                    self.previous = sending.count();
                }
                self.side.answered(header.kem);
                self.confirmed = true;
                self.receive_next(message, now, next.step);
                (next.plaintext, next.offer)
            }
        };
        self.side.received(offer);
        Ok(plaintext)
    }

    /// Tries a message under a ratchet key that is not known: it must answer ours.
    fn try_answer(&self, pair: &Pair, message: &MessageIn<'_>, now: WallTime) -> Result<NextOpened, SessionError> {
        // While the newest key is the peer's, he has nothing to answer with another.
        let Turn::Ours(sending) = &self.turn else { return Err(SessionError::Authentication) };
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
        now: WallTime,
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
        let plaintext = self.try_key(pair, &key, message)?;
        let offer = self.side.check_offer(header.kem)?;
        Ok(NextOpened { plaintext, offer, step: NextStep { root, chain, key } })
    }

    /// Keeps what [`Self::try_next`] found.
    fn receive_next(&mut self, message: &MessageIn<'_>, now: WallTime, next: NextStep) {
        let NextStep { root, mut chain, key } = next;
        chain.take(key, now);
        self.root = root;
        self.turn = Turn::Theirs(message.header.ratchet_key);
        self.receiving.begin(chain, message.header.previous, now);
    }

    /// That of the chain that sends.
    #[cfg(test)]
    pub(in crate::session) fn chain_key(&self) -> Option<&[u8]> {
        match &self.turn {
            Turn::Ours(sending) => sending.chain_key(),
            Turn::Theirs(_) => None,
        }
    }

    /// Receiving chains, skipped keys, marks.
    #[cfg(test)]
    pub(in crate::session) fn sizes(&self) -> (usize, usize, usize) {
        self.receiving.sizes()
    }

    fn try_key(&self, pair: &Pair, key: &KeyFound, message: &MessageIn<'_>) -> Result<Vec<u8>, SessionError> {
        let associated = associated(&self.side, pair, message.header_bytes);
        key.key().open(&message.header.salt, message.body, &associated)
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
    step: NextStep,
}

struct NextStep {
    root: RootKey,
    chain: ReceivingChain,
    key: KeyFound,
}

#[cfg(test)]
mod tests;
