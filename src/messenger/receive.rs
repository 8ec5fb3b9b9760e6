//! Receiving: an envelope of a peer is known, opened, kept or dropped, and answered. What is
//! answered tells a stranger nothing (protocol, "Requests").

use crate::base::words::Policy;
use crate::base::{EnvelopeId, Origin, PeerId, limits};
use crate::content::Capsule;
use crate::crypto::dh::DhPublic;
use crate::envelope::{self, EnvelopeKind, WireError};
use crate::identity::{IdentityKey, PrekeyId};
use crate::session::{FirstContactIn, Opened, ResponderKeys, SessionError, SessionSet};

use super::io::{FrameToken, Order, RefuseReason};
use super::newcomers::Way;
use super::tables::{CardKeysRow, OneTimeRow, PeerRow};
use super::tx::{Step, Tx};

/// What a peer is to us when an envelope of theirs comes.
#[derive(Debug)]
pub(super) enum Standing {
    /// A contact, not blocked.
    Contact(Box<PeerRow>),
    /// Blocked, declined, or shut out by the policy: kept is nothing but the mark.
    Silent,
    /// Has a pending request.
    Pending,
    /// Nothing yet.
    Stranger,
}

/// What the peer is told.
enum Verdict {
    /// Stored, or looks as if.
    Taken,
    Refused(RefuseReason),
    /// There is no room for it now: *unavailable*. What lies in a mailbox stays there.
    Later,
}

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

/// What a healing handshake mends (SES-64): lost state on one side. Anything else is the sender's fault.
const fn heals(error: SessionError) -> bool {
    use SessionError::{Authentication, Forgotten, TooFarAhead, UnknownSession};
    matches!(error, UnknownSession | Authentication | Forgotten | TooFarAhead)
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
            Verdict::Refused(reason) => self.push(Order::Refuse(token, reason)),
            Verdict::Later => self.push(Order::Refuse(token, RefuseReason::Unavailable)),
        }
        Ok(())
    }

    /// One envelope that was sealed to us, in the name of `from`, and lay in this mailbox.
    pub(super) fn receive_sealed(&mut self, from: PeerId, mailbox: PeerId, bytes: &[u8]) -> Step<Fate> {
        let verdict = self.take(from, bytes, Way::Sealed(mailbox))?;
        // It may have lain there for any time.
        self.mem.reading = None;
        Ok(match verdict {
            Verdict::Taken => Fate::Taken,
            Verdict::Refused(_) => Fate::Dropped,
            Verdict::Later => Fate::Left,
        })
    }

    fn take(&mut self, from: PeerId, bytes: &[u8], way: Way) -> Step<Verdict> {
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
        if self.is_marked(&id)? {
            return Ok(Verdict::Taken);
        }
        // NET-94: whoever is no contact is not even looked at, whatever else he is to us.
        if self.mem.is_disk_low && !matches!(self.standing(&from)?, Standing::Contact(_)) {
            return Ok(Verdict::Later);
        }
        // ENV-8: the kind says what is to open it, and nothing else.
        match envelope.kind {
            EnvelopeKind::Session => self.take_session(from, id, envelope.payload, way),
            EnvelopeKind::FirstContact => self.take_first(from, id, envelope.payload, way),
            EnvelopeKind::Group => Ok(Verdict::Refused(RefuseReason::Unsupported)),
        }
    }

    /// A message of a session that both sides know.
    fn take_session(&mut self, from: PeerId, id: EnvelopeId, payload: &[u8], way: Way) -> Step<Verdict> {
        let standing = self.standing(&from)?;
        if matches!(standing, Standing::Silent) {
            return self.unread(from, id, way);
        }
        let mut set = self.sessions(&from)?;
        match set.open_session(self.my_id(), from, payload, self.aging()) {
            Ok(opened) if self.is_too_much(&standing, &opened)? => Ok(Verdict::Later),
            Ok(opened) => self.keep(from, standing, &set, &opened, id, None),
            Err(SessionError::Malformed) => Ok(Verdict::Refused(RefuseReason::Malformed)),
            Err(error) => self.unopened(from, standing, id, error, way),
        }
    }

    /// A first contact: the prekey is looked up before any policy, so that what is refused for it
    /// says nothing about us.
    fn take_first(&mut self, from: PeerId, id: EnvelopeId, payload: &[u8], way: Way) -> Step<Verdict> {
        let (first, identity) = match (FirstContactIn::parse(payload), IdentityKey::from_peer_id(from)) {
            (Ok(first), Ok(identity)) => (first, identity),
            // SES-11
            (Err(SessionError::UnknownVersion(_)), _) => return Ok(Verdict::Refused(RefuseReason::Unsupported)),
            _ => return Ok(Verdict::Refused(RefuseReason::Malformed)),
        };
        // ENV-7: the stream authenticates the sender, and the handshake has to be his; so with the one that a seal names.
        if first.header.initiator != from || from == self.my_id() {
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
        }
        let standing = self.standing(&from)?;
        if !known && matches!(standing, Standing::Contact(_)) && !self.may_begin(from) {
            return Ok(Verdict::Refused(RefuseReason::TooMany));
        }
        let is_pending = self.mem.requests.iter().any(|r| r.peer == from);
        let request = if is_pending { self.request(&from)? } else { None };
        let is_full = request.is_some_and(|row| row.messages.len() >= limits::MAX_REQUEST_MESSAGES);
        if matches!(standing, Standing::Silent) || is_full {
            return self.unread(from, id, way);
        }
        let responder = keys.as_ref().map(|keys| ResponderKeys {
            prekey: &keys.card.keys.prekey,
            kem: keys.one_time.as_ref().map_or(&keys.card.keys.kem, |row| &row.keys.kem),
            one_time: keys.one_time.as_ref().map(|row| &row.keys.dh),
        });
        match set.open_first(self.me, &identity, &first, responder, self.aging()) {
            Ok(opened) if self.is_too_much(&standing, &opened)? => Ok(Verdict::Later),
            Ok(opened) if !opened.is_new_session => self.keep(from, standing, &set, &opened, id, card_prekey),
            Ok(opened) => {
                let capsule = Capsule::decode(&opened.plaintext).ok();
                let who = self.newcomer(matches!(standing, Standing::Contact(_)), capsule.as_ref())?;
                if let Some(reason) = self.room_for_session(who, way, card_prekey.map(|(prekey, _)| prekey))? {
                    return Ok(match reason {
                        RefuseReason::Unavailable => Verdict::Later,
                        reason => Verdict::Refused(reason),
                    });
                }
                if let Some((prekey, ephemeral)) = &card_prekey {
                    self.mark_prekey(*prekey, ephemeral)?;
                }
                if let Some(used) = first.one_time_id() {
                    self.forget_one_time(used)?;
                }
                self.keep(from, standing, &set, &opened, id, card_prekey)
            }
            Err(SessionError::Malformed) => Ok(Verdict::Refused(RefuseReason::Malformed)),
            Err(error) => self.unopened(from, standing, id, error, way),
        }
    }

    fn is_too_much(&mut self, standing: &Standing, opened: &Opened) -> Step<bool> {
        if let Standing::Contact(row) = standing { self.has_no_room(row, opened) } else { Ok(false) }
    }

    /// It was not looked at. On a stream it looks as if it had been (its sender is who he says); under a seal anybody may
    /// have written it in his name, and it leaves no trace.
    fn unread(&mut self, from: PeerId, id: EnvelopeId, way: Way) -> Step<Verdict> {
        match way {
            Way::Stream(_) => self.taken(from, id, None),
            Way::Sealed(_) => Ok(Verdict::Taken),
        }
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

    /// What a peer is to us.
    pub(super) fn standing(&self, peer: &PeerId) -> Step<Standing> {
        let clock = self.believed(limits::DECLINE_LIFE);
        match self.peer(peer)? {
            Some(row) if row.blocked => return Ok(Standing::Silent),
            Some(row) if row.contact.is_some() => return Ok(Standing::Contact(Box::new(row))),
            Some(row) if row.declined_until.is_some_and(|until| until > clock) => return Ok(Standing::Silent),
            _ => {}
        }
        if self.mem.requests.iter().any(|r| r.peer == *peer) {
            return Ok(Standing::Pending);
        }
        Ok(match self.profile()?.policy {
            Policy::Requests => Standing::Stranger,
            Policy::Contacts | Policy::Nobody => Standing::Silent,
        })
    }

    /// It opened: keep what it says, and the session that opened it.
    fn keep(
        &mut self,
        from: PeerId,
        standing: Standing,
        set: &SessionSet,
        opened: &Opened,
        id: EnvelopeId,
        card_prekey: Option<(PrekeyId, DhPublic)>,
    ) -> Step<Verdict> {
        let known = matches!(standing, Standing::Contact(_) | Standing::Pending);
        let kept = match (standing, Capsule::decode(&opened.plaintext)) {
            (Standing::Contact(row), Ok(capsule)) => {
                self.apply(*row, capsule, opened)?;
                true
            }
            (Standing::Pending | Standing::Stranger, Ok(capsule)) => self.hold(from, capsule)?.is_some(),
            (Standing::Silent, Ok(_)) => false,
            (_, Err(_)) => {
                tracing::debug!(%from, "a capsule does not decode");
                // The key is used: keep the session, so that the next message opens.
                known
            }
        };
        if kept {
            self.put_sessions(&from, set)?;
        }
        // The session that is kept knows a second copy (SES-35); what it began with would be another's first contact when
        // it is gone.
        if kept && known && !opened.is_new_session {
            return Ok(Verdict::Taken);
        }
        self.taken(from, id, card_prekey)
    }

    /// It did not open. A contact's session is healed; a stranger is told nothing.
    fn unopened(
        &mut self,
        from: PeerId,
        standing: Standing,
        id: EnvelopeId,
        error: SessionError,
        way: Way,
    ) -> Step<Verdict> {
        if error == SessionError::Duplicate && matches!(standing, Standing::Contact(_) | Standing::Pending) {
            return Ok(Verdict::Taken);
        }
        tracing::debug!(%from, %error, "an envelope did not open");
        if matches!(way, Way::Sealed(_)) {
            // ENV-14, ENV-15: no handshake, and no mark: should he send the same on a stream, it is looked at there.
            return Ok(Verdict::Taken);
        }
        if let Standing::Contact(mut row) = standing
            && heals(error)
            && !row.heal_due
        {
            row.heal_due = true;
            self.put_peer(&row)?;
            self.touch(from);
        }
        self.taken(from, id, None)
    }

    /// Writes the mark; every well-formed envelope that no session knows ends here, kept or dropped.
    fn taken(&mut self, from: PeerId, id: EnvelopeId, card_prekey: Option<(PrekeyId, DhPublic)>) -> Step<Verdict> {
        let contact = self.peer(&from)?.is_some_and(|row| row.contact.is_some());
        self.put_mark(id, contact, card_prekey)?;
        Ok(Verdict::Taken)
    }
}
