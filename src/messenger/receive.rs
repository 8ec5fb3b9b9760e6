//! Receiving: an envelope of a peer is known, opened, kept or dropped, and answered. What is answered, used up and kept of
//! sessions is the same for everybody who is no contact, whatever else he is to us (REQ-1).

use crate::base::{EnvelopeId, Origin, PeerId};
use crate::content::Capsule;
use crate::crypto::dh::DhPublic;
use crate::envelope::{self, EnvelopeKind, WireError};
use crate::identity::{IdentityKey, PrekeyId};
use crate::session::{FirstContactIn, Opened, ResponderKeys, SessionError, SessionSet};

use super::io::{FrameToken, Order, RefuseReason};
use super::newcomers::Way;
use super::tables::{CardKeysRow, OneTimeRow, PeerRow};
use super::tx::{Step, Tx};

/// What the peer is told.
enum Verdict {
    /// Kept, or dropped by a rule that is the same for all.
    Taken,
    /// What lies in a mailbox is dropped there.
    Refused(RefuseReason),
    /// It is refused so, and would be taken as it is another time. What lies in a mailbox stays there.
    Later(RefuseReason),
}

/// There is no room for it.
const LATER: Verdict = Verdict::Later(RefuseReason::Unavailable);
/// A contact has begun as many sessions, or changed what is known of him as often, as he may (NET-94).
const TOO_MANY: Verdict = Verdict::Later(RefuseReason::TooMany);

/// What becomes of an envelope out of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Taken,
    /// As what would be refused on a stream (ENV-14): there is nobody to tell.
    Dropped,
    /// It is left there.
    Left,
}

/// The keys a first contact was made for.
struct Keys {
    card: CardKeysRow,
    one_time: Option<OneTimeRow>,
}

/// Whose envelope is looked at, and which.
struct Incoming {
    from: PeerId,
    /// His row, if he is a contact and not blocked. All others are one to this file.
    contact: Option<Box<PeerRow>>,
    id: EnvelopeId,
    way: Way,
}

/// Whether an error says that the two sides do not have the same session (SES-64). Anything else is the sender's fault.
const fn is_lost(error: SessionError) -> bool {
    use SessionError::{Authentication, Forgotten, TooFarAhead, UnknownSession};
    matches!(error, UnknownSession | Authentication | Forgotten | TooFarAhead)
}

/// How a first contact or a session message that has no form is refused (REQ-8).
const fn formless(error: SessionError) -> Verdict {
    match error {
        // SES-11
        SessionError::UnknownVersion(_) => Verdict::Refused(RefuseReason::Unsupported),
        _ => Verdict::Refused(RefuseReason::Malformed),
    }
}

/// What an envelope says that opened, if that has a form.
fn read(came: &Incoming, opened: &Opened) -> Option<Capsule> {
    let said = Capsule::decode(&opened.plaintext);
    said.inspect_err(|error| tracing::debug!(from = %came.from, %error, "a capsule does not decode")).ok()
}

impl Tx<'_> {
    /// One envelope, on the authenticated stream of `from`.
    pub(super) fn receive(&mut self, from: PeerId, origin: Option<Origin>, token: FrameToken, bytes: &[u8]) -> Step {
        let verdict = self.take(from, bytes, Way::Stream(origin))?;
        if let Some((peer, reading)) = self.mem.reading.take() {
            self.mem.clock.hear(peer, reading);
        }
        match verdict {
            Verdict::Taken => self.push(Order::Acknowledge(token)),
            Verdict::Refused(reason) | Verdict::Later(reason) => self.push(Order::Refuse(token, reason)),
        }
        Ok(())
    }

    /// One envelope that was sealed to us, in the name of `from`, and lay in this mailbox.
    pub(super) fn receive_sealed(&mut self, from: PeerId, mailbox: PeerId, bytes: &[u8]) -> Step<Fate> {
        // Of its writer's clock it says nothing: it may have lain there for any time.
        Ok(match self.take(from, bytes, Way::Sealed(mailbox))? {
            Verdict::Taken => Fate::Taken,
            Verdict::Refused(_) => Fate::Dropped,
            Verdict::Later(_) => Fate::Left,
        })
    }

    fn take(&mut self, from: PeerId, bytes: &[u8], way: Way) -> Step<Verdict> {
        // What one said before it failed is not heard with the next.
        self.mem.reading = None;
        let envelope = match envelope::decode(bytes) {
            Ok(envelope) => envelope,
            // ENV-6
            Err(WireError::UnknownVersion(_) | WireError::UnknownKind(_)) => {
                return Ok(Verdict::Refused(RefuseReason::Unsupported));
            }
            Err(_) => return Ok(Verdict::Refused(RefuseReason::Malformed)),
        };
        // ENV-10, NET-19: what was stored or dropped before is acknowledged again, and no session is touched. What a
        // session has opened that session knows.
        let id = envelope::envelope_id(bytes);
        if self.is_marked(&from, &id)? {
            return Ok(Verdict::Taken);
        }
        let contact = self.peer(&from)?.filter(PeerRow::is_contact).map(Box::new);
        // NET-94: whoever is no contact is not even looked at, whatever else he is to us.
        if self.mem.is_disk_low && contact.is_none() {
            return Ok(LATER);
        }
        let came = Incoming { from, contact, id, way };
        // ENV-8: the kind says what is to open it, and nothing else.
        match envelope.kind {
            EnvelopeKind::Session => self.take_session(came, envelope.payload),
            EnvelopeKind::FirstContact => self.take_first(came, envelope.payload),
            EnvelopeKind::Group => Ok(Verdict::Refused(RefuseReason::Unsupported)),
        }
    }

    /// A message of a session that both sides know.
    fn take_session(&mut self, mut came: Incoming, payload: &[u8]) -> Step<Verdict> {
        let mut set = self.sessions(&came.from)?;
        match set.open_session(self.my_id(), came.from, payload, self.aging()) {
            Ok(opened) => {
                let said = read(&came, &opened);
                if let Some(refused) = self.is_too_much(&mut came, said.as_ref())? {
                    return Ok(refused);
                }
                self.keep(came, &set, &opened, said, None)
            }
            Err(error) => self.unopened(came, error),
        }
    }

    /// A first contact.
    fn take_first(&mut self, mut came: Incoming, payload: &[u8]) -> Step<Verdict> {
        let from = came.from;
        let first = match FirstContactIn::parse(payload) {
            Ok(first) => first,
            Err(error) => return Ok(formless(error)),
        };
        // ENV-7: the stream authenticates the sender, and the handshake has to be his; so with the one that a seal names.
        let Some(identity) = IdentityKey::from_peer_id(from).ok().filter(|_| first.header.initiator == from) else {
            return Ok(Verdict::Refused(RefuseReason::Malformed));
        };
        if from == self.my_id() {
            return Ok(Verdict::Refused(RefuseReason::Malformed));
        }
        let mut set = self.sessions(&from)?;
        let known = set.knows_session(&first.session);
        let keys = if known { None } else { self.keys_of(&first)? };
        let card_prekey = (!first.header.one_time).then_some((first.header.prekey_id, first.header.ephemeral));
        if !known {
            let replayed = match &card_prekey {
                Some((prekey, ephemeral)) => self.prekey_marked(*prekey, ephemeral)?,
                None => false,
            };
            if keys.is_none() || replayed {
                return Ok(Verdict::Refused(RefuseReason::PrekeyUnknown));
            }
            if came.contact.is_none() && !self.stranger_may_begin(&from) {
                // Its sender has it still (REQ-11), and in a mailbox it would take the room of others.
                return Ok(Verdict::Refused(RefuseReason::Unavailable));
            }
        }
        // What lay in a mailbox has to open first: his name on it is a claim (ENV-15).
        let begins_himself = !known && came.contact.is_some() && matches!(came.way, Way::Stream(_));
        if begins_himself && !self.may_begin(&from) {
            return Ok(TOO_MANY);
        }
        let responder = keys.as_ref().map(|keys| ResponderKeys {
            prekey: &keys.card.keys.prekey,
            kem: keys.one_time.as_ref().map_or(&keys.card.keys.kem, |row| &row.keys.kem),
            one_time: keys.one_time.as_ref().map(|row| &row.keys.dh),
        });
        match set.open_first(self.me, &identity, &first, responder, self.aging()) {
            Ok(opened) => {
                let said = read(&came, &opened);
                if let Some(refused) = self.is_too_much(&mut came, said.as_ref())? {
                    return Ok(refused);
                }
                if opened.is_new_session
                    && let Some(refused) = self.use_up(&came, &first, card_prekey, said.as_ref())?
                {
                    return Ok(refused);
                }
                self.keep(came, &set, &opened, said, card_prekey)
            }
            Err(error) => {
                if begins_himself {
                    self.count_session(from);
                }
                self.unopened(came, error)
            }
        }
    }

    /// What is answered to a contact who says more than is taken now. What lay in a mailbox is bounded there.
    fn is_too_much(&mut self, came: &mut Incoming, said: Option<&Capsule>) -> Step<Option<Verdict>> {
        let (Some(row), Some(said)) = (&mut came.contact, said) else { return Ok(None) };
        if self.has_no_room(row, said)? {
            return Ok(Some(LATER));
        }
        let is_often = matches!(came.way, Way::Stream(_)) && self.changes_too_often(row, said)?;
        Ok(is_often.then_some(TOO_MANY))
    }

    /// A session that begins is counted, and its prekey serves no other. What is answered when there were too many (NET-94), or
    /// there is no room to remember it (SES-19).
    fn use_up(
        &mut self,
        came: &Incoming,
        first: &FirstContactIn,
        card_prekey: Option<(PrekeyId, DhPublic)>,
        said: Option<&Capsule>,
    ) -> Step<Option<Verdict>> {
        if came.contact.is_some() && !self.may_begin(&came.from) {
            return Ok(Some(TOO_MANY));
        }
        let who = self.newcomer(came.contact.is_some(), said)?;
        if let Some(reason) = self.room_for_session(who, came.way, card_prekey.map(|(prekey, _)| prekey))? {
            return Ok(Some(match reason {
                RefuseReason::Unavailable => LATER,
                reason => Verdict::Refused(reason),
            }));
        }
        if let Some((prekey, ephemeral)) = &card_prekey {
            self.mark_prekey(*prekey, ephemeral)?;
        }
        if let Some(used) = first.one_time_id() {
            self.forget_one_time(used)?;
        }
        if came.contact.is_some() {
            self.count_session(came.from);
        }
        Ok(None)
    }

    /// The secrets that a first contact names, if all of them are still there.
    fn keys_of(&self, first: &FirstContactIn) -> Step<Option<Keys>> {
        let Some(card) = self.card_keys_of(first.header.prekey_id)? else { return Ok(None) };
        match first.one_time_id() {
            Some(id) => Ok(self.one_time_of(id)?.map(|row| Keys { card, one_time: Some(row) })),
            None if card.is_closed(self.deadline_clock()) => Ok(None),
            None if card.keys.kem_id == first.header.kem_id => Ok(Some(Keys { card, one_time: None })),
            None => Ok(None),
        }
    }

    /// It opened: the session that opened it is kept, whatever becomes of what it says (SES-15).
    fn keep(
        &mut self,
        came: Incoming,
        set: &SessionSet,
        opened: &Opened,
        said: Option<Capsule>,
        card_prekey: Option<(PrekeyId, DhPublic)>,
    ) -> Step<Verdict> {
        let from = came.from;
        match came.contact {
            Some(_) => self.put_sessions(&from, set)?,
            None => self.put_strangers_sessions(&from, set, opened)?,
        }
        if opened.is_new_session {
            // What the session began with would be another's first contact when it is gone. All else it knows (SES-35).
            self.put_mark(&from, came.id, came.contact.is_some(), card_prekey)?;
            if came.contact.is_some() {
                let sends = set.sending().is_some_and(|session| session.id() == opened.session);
                self.session_begun(from, sends)?;
            }
        }
        match came.contact {
            Some(row) => {
                if let Some(said) = said {
                    self.apply(*row, said, opened)?;
                }
            }
            None => self.hold(from, said.unwrap_or_default())?,
        }
        Ok(Verdict::Taken)
    }

    /// It did not open (REQ-8). A contact's session is healed by us; anybody else heals his himself (REQ-9). Nothing goes to him but
    /// the answer (REQ-7).
    fn unopened(&mut self, came: Incoming, error: SessionError) -> Step<Verdict> {
        let from = came.from;
        if error == SessionError::Duplicate {
            return Ok(Verdict::Taken);
        }
        tracing::debug!(%from, %error, "an envelope did not open");
        if matches!(came.way, Way::Sealed(_)) {
            // ENV-14, ENV-15: no handshake, and no mark: should he send the same on a stream, it is looked at there.
            return Ok(Verdict::Taken);
        }
        if !is_lost(error) {
            return Ok(formless(error));
        }
        let Some(mut row) = came.contact else { return Ok(Verdict::Refused(RefuseReason::SessionUnknown)) };
        if !row.heal_due {
            row.heal_due = true;
            self.put_peer(&row)?;
            self.touch(from);
        }
        self.put_mark(&from, came.id, true, None)?;
        Ok(Verdict::Taken)
    }
}
