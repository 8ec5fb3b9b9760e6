//! Cards of others: verified, pinned, used to begin a session.

use crate::base::{PeerId, WallTime, limits};
use crate::content::Item;
use crate::identity::{Card, CardIn, IdentityKey, OneTimePrekeyIn, RequestPolicy, is_ahead};
use crate::session::RemoteBundle;
use crate::store::Rows;

use super::tables::{CardRow, Cards, PeerRow, ReachRow, Reaches, peer_key};
use super::tx::{Step, Tx};

impl Tx<'_> {
    /// A card came from the peer: pin it, and begin the session that was wanted.
    pub(super) fn bundle(&mut self, peer: PeerId, ticket: u64, card: &[u8], prekey: Option<&[u8]>) -> Step {
        let link = self.link(peer);
        if link.bundle != Some(ticket) {
            return Ok(());
        }
        link.bundle = None;
        if self.peer(&peer)?.is_none() {
            return Ok(());
        }
        match self.checked_bundle(peer, card, prekey)? {
            Some(bundle) => self.begin_with(peer, &bundle),
            None => self.hold_back(peer),
        }
    }

    /// No card came.
    pub(super) fn bundle_failed(&mut self, peer: PeerId, ticket: u64) -> Step {
        let link = self.link(peer);
        if link.bundle == Some(ticket) {
            link.bundle = None;
            self.hold_back(peer)?;
        }
        Ok(())
    }

    /// Begins the session that is wanted, if one still is.
    pub(super) fn begin_with(&mut self, peer: PeerId, bundle: &RemoteBundle) -> Step {
        let Some(mut row) = self.peer(&peer)? else { return Ok(()) };
        let mut set = self.sessions(&peer)?;
        let rebuild = self.link(peer).rebuild || self.is_stale(&row, &set);
        self.touch(peer);
        if set.can_send() && !set.is_stretched() && !rebuild && !row.heal_due {
            return Ok(());
        }
        let clock = self.deadline_clock();
        if row.heal_due {
            // It does not open at one of us: that its ID is the lower one must not keep it (SES-55).
            set.give_up(self.aging());
        }
        let is_away = !self.link(peer).connected;
        // Of the prekeys that a mailbox hands out he may have lost the secrets with what is to be healed (SES-68).
        let cautious = (row.heal_due && is_away).then(|| RemoteBundle { one_time: None, ..bundle.clone() });
        let aging = self.aging();
        if let Err(error) = set.begin(self.me, cautious.as_ref().unwrap_or(bundle), &mut *self.rng, aging) {
            tracing::warn!(%peer, %error, "no session could be begun with this card");
            return self.hold_back(peer);
        }
        self.put_sessions(&peer, &set)?;
        let heal = std::mem::take(&mut row.heal_due);
        if heal {
            (row.healed_at, row.healing) = (Some(clock), is_away);
        }
        self.put_peer(&row)?;
        self.link(peer).rebuild = false;
        // What mailboxes have goes again when he has answered (SES-69): he may just be away.
        if rebuild || (heal && !is_away) {
            self.begin_anew(peer)?;
        }
        if heal {
            let mut items = vec![Item::Reset];
            if row.accepted {
                items.push(Item::Accepted);
            }
            self.queue_items(peer, items)?;
        }
        Ok(())
    }

    /// Verifies what came (MBX-38), against the pinned card as well: a lower sequence is a rollback.
    pub(super) fn checked_bundle(
        &mut self,
        peer: PeerId,
        card: &[u8],
        prekey: Option<&[u8]>,
    ) -> Step<Option<RemoteBundle>> {
        let now = self.earliest();
        let Some(card) = self.pin(peer, card, now)? else { return Ok(None) };
        // A prekey that does not verify is as good as none: the card's keys serve.
        let one_time = prekey
            .and_then(|bytes| OneTimePrekeyIn::decode(bytes).ok())
            .and_then(|found| found.verify(card.owner(), now).ok());
        Ok(Some(RemoteBundle { one_time, ..RemoteBundle::of_card(&card) }))
    }

    /// Pins a card that is valid at this time, if none is pinned that is newer.
    fn pin(&mut self, peer: PeerId, bytes: &[u8], now: WallTime) -> Step<Option<Card>> {
        match self.verified(peer, bytes, now) {
            Some(card) => self.pin_verified(card),
            None => Ok(None),
        }
    }

    /// A card of this peer that is valid at this time, and not of a day that is to come.
    pub(super) fn verified(&self, peer: PeerId, bytes: &[u8], now: WallTime) -> Option<Card> {
        let identity = IdentityKey::from_peer_id(peer).ok()?;
        let card = CardIn::decode(bytes).and_then(|found| found.verify(&identity, now));
        let card = card.inspect_err(|error| tracing::debug!(%peer, %error, "a card was refused")).ok()?;
        if is_ahead(card.issued, self.mem.clock.row.latest()) {
            tracing::debug!(%peer, "a card of a day that is to come was refused");
            return None;
        }
        Some(card)
    }

    /// Pins such a card, if none is pinned that is newer.
    pub(super) fn pin_verified(&mut self, card: Card) -> Step<Option<Card>> {
        let peer = card.owner().peer_id();
        let key = peer_key(&peer);
        // One that does not open is asked for anew.
        let pinned = self.buf.get_sound::<Cards>(&key)?;
        let is_first = pinned.is_none();
        if let Some(pinned) = pinned {
            let same = pinned.bytes == card.bytes();
            if card.sequence < pinned.sequence || (card.sequence == pinned.sequence && !same) {
                tracing::debug!(%peer, "a card older than the pinned one was refused");
                return Ok(None);
            }
            if same {
                return Ok(Some(card));
            }
        }
        // What is known of mailboxes is of the card before.
        if self.mem.links.contains_key(&peer) {
            self.link(peer).places.clear();
        }
        self.unbar(peer)?;
        self.buf.put::<Cards>(&key, &CardRow { sequence: card.sequence, bytes: card.bytes().to_vec() })?;
        // REQ-13: what he acknowledged may have been dropped by what he let in before.
        if !is_first && !self.mem.out.of(&peer).letters.is_empty() {
            let row = self.peer(&peer)?;
            if row.is_some_and(|row| row.is_contact() && !row.accepted && !shuts_out(&card, &row)) {
                self.come_again(peer)?;
            }
        }
        Ok(Some(card))
    }

    /// Whether it is time to look for a newer card because that which is known does not let everybody ask (ID-26): the token that we
    /// have may be void.
    pub(super) fn looks_for_way_in(&self, row: &PeerRow, card: Option<&Card>) -> bool {
        let put_off = self.mem.links.get(&row.peer).and_then(|link| link.look_at);
        let lets_all = |card: &Card| matches!(card.policy, RequestPolicy::Requests | RequestPolicy::Other(_));
        !row.accepted && put_off.is_none_or(|at| at <= self.now.mono) && card.is_some_and(|card| !lets_all(card))
    }

    /// It is looked for now, and not before a while has passed again.
    pub(super) fn note_look(&mut self, peer: PeerId) {
        let again = self.now.mono + limits::SEEK_MAX;
        self.link(peer).look_at = Some(again);
    }

    /// A card that its owner sent within a session, which may have lain in a mailbox until its time was over (CON-30).
    pub(super) fn told_card(&self, peer: PeerId, bytes: &[u8]) -> Option<Card> {
        self.verified(peer, bytes, self.earliest() - limits::PREKEY_GRACE)
    }

    /// Pins such a card.
    pub(super) fn keep_card(&mut self, card: Card) -> Step {
        if let Some(card) = self.pin_verified(card)? {
            self.touch(card.owner().peer_id());
        }
        Ok(())
    }

    /// The pinned card of a peer, as long as its owner has the secrets behind it, though its time may be over.
    pub(super) fn pinned(&self, peer: &PeerId) -> Step<Option<Card>> {
        let Some(row) = self.buf.get_sound::<Cards>(&peer_key(peer))? else { return Ok(None) };
        let Ok(identity) = IdentityKey::from_peer_id(*peer) else { return Ok(None) };
        let card = CardIn::decode(&row.bytes).and_then(|card| card.verify(&identity, WallTime(0))).ok();
        Ok(card.filter(|card| card.expires + limits::PREKEY_GRACE > self.earliest()))
    }

    /// What is known of the way to a peer.
    pub(super) fn reach(&self, peer: &PeerId) -> Step<ReachRow> {
        Ok(self.buf.get::<Reaches>(&peer_key(peer))?.unwrap_or_default())
    }

    /// Changes that.
    pub(super) fn change_reach(&mut self, peer: PeerId, change: impl FnOnce(&mut ReachRow)) -> Step {
        let mut row = self.reach(&peer)?;
        let before = row.clone();
        change(&mut row);
        if row == before {
            return Ok(());
        }
        Ok(self.buf.put::<Reaches>(&peer_key(&peer), &row)?)
    }
}

/// Whether a card lets nothing in of what we write to somebody who has not accepted us, as far as it says.
fn shuts_out(card: &Card, row: &PeerRow) -> bool {
    match card.policy {
        RequestPolicy::Nobody => true,
        RequestPolicy::Contacts => row.token.is_none(),
        RequestPolicy::Requests | RequestPolicy::Other(_) => false,
    }
}
