//! What we tell contacts of ourselves within sessions: name, addresses, card, and the token for our mailboxes.

use crate::base::PeerId;
use crate::content::{Introduction, Item, Profile};
use crate::crypto::hash::sha256;
use crate::envelope::mailbox::TokenIn;
use crate::store::Rows;

use super::tables::{GivenTokenRow, GivenTokens, PeerRow, ProfileRow, peer_key};
use super::tx::{Step, Tx};

impl Tx<'_> {
    /// Queues what we tell an accepted contact of ourselves, if it changed; says whether it did, and the row with it.
    pub(super) fn send_profile(&mut self, row: &mut PeerRow) -> Step<bool> {
        let profile = self.profile()?;
        let digest = self.profile_digest(&profile);
        let is_due = row.accepted && row.is_contact() && row.profile_sent != digest;
        if is_due {
            row.profile_sent = digest;
            let items = self.profile_items(&row.peer, &profile)?;
            self.queue_items(row.peer, items)?;
        }
        Ok(is_due)
    }

    /// What we tell an accepted contact of ourselves.
    pub(super) fn profile_items(&mut self, peer: &PeerId, profile: &ProfileRow) -> Step<Vec<Item>> {
        let name = Item::Profile(Profile { name: profile.name.clone() });
        let told = [addresses_item(profile), self.card_item(profile), self.token_item(peer)?];
        Ok(std::iter::once(name).chain(told.into_iter().flatten()).collect())
    }

    /// The own card, when it says more than how a session is begun.
    pub(super) fn card_item(&self, profile: &ProfileRow) -> Option<Item> {
        let card = &self.mem.mail.card;
        (!card.mailboxes.is_empty() || !card.relays.is_empty()).then(|| Item::Card(profile.card.clone()))
    }

    /// The token for our mailboxes; each contact has one of his own (MBX-20).
    fn token_item(&mut self, peer: &PeerId) -> Step<Option<Item>> {
        if self.mem.mail.card.mailboxes.is_empty() {
            return Ok(None);
        }
        let Some(queue) = self.queue_row()? else { return Ok(None) };
        let key = peer_key(peer);
        let given = match self.buf.get::<GivenTokens>(&key)?.filter(|given| given.key == queue.id) {
            Some(given) => given,
            None => {
                let mut tag = [0; 16];
                self.rng.fill_bytes(&mut tag);
                let given = GivenTokenRow { key: queue.id, tag };
                self.buf.put::<GivenTokens>(&key, &given)?;
                given
            }
        };
        Ok(Some(Item::Token(TokenIn::of(&queue.key, given.tag).to_bytes())))
    }

    /// Changes when what we tell of ourselves does.
    pub(super) fn profile_digest(&self, profile: &ProfileRow) -> u64 {
        let addrs = profile.told_addrs().join("\n");
        let len = (profile.name.len() as u64).to_be_bytes();
        let mail = &self.mem.mail;
        let boxes = match mail.queue.filter(|_| !mail.card.mailboxes.is_empty()) {
            Some(queue) => [mail.card.told.to_be_bytes(), queue.to_be_bytes()].concat(),
            None => Vec::new(),
        };
        let hash = sha256(&[&len, profile.name.as_bytes(), addrs.as_bytes(), &boxes]);
        // Never 0, which stands for *nothing sent yet*.
        hash.first_chunk::<8>().map_or(1, |bytes| u64::from_be_bytes(*bytes)).max(1)
    }
}

/// Who writes, for somebody who is not known to have accepted us (CON-24).
pub(super) fn introduction(profile: &ProfileRow, peer: &PeerRow, subject: Option<String>) -> Item {
    let name = Some(profile.name.clone()).filter(|name| !name.is_empty());
    Item::Introduction(Introduction { name, subject, token: token(peer) })
}

/// The token of his link, which goes with every message to him.
pub(super) fn token(peer: &PeerRow) -> Option<[u8; 16]> {
    peer.token.as_ref().map(|token| *token.as_bytes())
}

/// Where we can be reached: whoever gets our message could otherwise not answer when we have moved.
pub(super) fn addresses_item(profile: &ProfileRow) -> Option<Item> {
    Some(profile.told_addrs()).filter(|addrs| !addrs.is_empty()).map(Item::Addresses)
}
