//! The hash table of the world. In a small world it is a plain table that everybody trusts. In a large one servers hold
//! the records, some of them lie, and what they held is gone with them.

use std::collections::{BTreeMap, HashMap};

use rohrpost::base::{PeerId, WallTime};
use rohrpost::envelope::directory::card_key;
use rohrpost::identity::{Card, CardIn, IdentityKey};

/// Servers that are to hold a record, and that are asked for it: those whose keys are nearest to its key.
pub const COPIES: usize = 8;

/// What a holder gives in place of what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgery {
    /// The oldest card of that person that it has seen.
    Older,
    /// The card of somebody else.
    Others,
    /// The card, with a bit turned round.
    Bent,
    /// Nothing.
    Nothing,
}

/// One server's part of the table.
#[derive(Default)]
struct Holder {
    online: bool,
    forges: Option<Forgery>,
    records: BTreeMap<PeerId, Vec<u8>>,
    /// The first card of each that it saw, if it is one of those who give it out.
    first: BTreeMap<PeerId, Vec<u8>>,
}

#[derive(Default)]
pub struct Table {
    /// What there is when nobody holds it.
    plain: HashMap<PeerId, Vec<u8>>,
    holders: BTreeMap<PeerId, Holder>,
    /// How often a card was looked for, and how often one was found.
    pub sought: u64,
    pub found: u64,
    /// Forged records that were seen through by those who asked.
    pub seen_through: u64,
}

impl Table {
    /// From now on this server holds records, and serves them as it likes.
    pub fn hold(&mut self, server: PeerId, forges: Option<Forgery>) {
        self.holders.insert(server, Holder { online: true, forges, ..Holder::default() });
    }

    /// Its records are in memory only: they go with the process.
    pub fn forget(&mut self, server: &PeerId, online: bool) {
        if let Some(holder) = self.holders.get_mut(server) {
            *holder = Holder { online, forges: holder.forges, ..Holder::default() };
        }
    }

    pub fn remove(&mut self, owner: &PeerId) {
        self.plain.remove(owner);
        self.holders.values_mut().for_each(|holder| drop(holder.records.remove(owner)));
    }

    pub fn clear(&mut self) {
        self.plain.clear();
        self.holders.values_mut().for_each(|holder| holder.records.clear());
    }

    /// Copies of somebody's newest card.
    pub fn copies(&self, owner: &PeerId) -> usize {
        let held = || self.holders.values().filter_map(|holder| holder.records.get(owner));
        let newest = held().map(|card| sequence(card)).max();
        held().filter(|card| Some(sequence(card)) == newest).count()
    }

    /// Who is nearest to a key, of those who are on.
    fn nearest(&self, owner: &PeerId) -> Vec<PeerId> {
        let key = card_key(owner);
        let distance = |server: &PeerId| -> Vec<u8> {
            // Both are hashes, as in Kademlia.
            card_key(server).iter().zip(key.iter()).map(|(a, b)| a ^ b).collect()
        };
        let mut near: Vec<PeerId> = self.holders.iter().filter(|(_, h)| h.online).map(|(peer, _)| *peer).collect();
        near.sort_by_cached_key(distance);
        near.truncate(COPIES);
        near
    }

    /// A card is put into the table: NET-53, as far as it is the table's.
    pub fn put(&mut self, owner: PeerId, card: &[u8], now: WallTime) {
        if self.holders.is_empty() {
            if self.plain.get(&owner).is_none_or(|old| sequence(old) < sequence(card)) {
                self.plain.insert(owner, card.to_vec());
            }
            return;
        }
        if judged(&owner, card, now).is_none() {
            return;
        }
        for server in self.nearest(&owner) {
            let Some(holder) = self.holders.get_mut(&server) else { continue };
            if holder.forges == Some(Forgery::Older) {
                holder.first.entry(owner).or_insert_with(|| card.to_vec());
            }
            if holder.records.get(&owner).is_none_or(|old| sequence(old) < sequence(card)) {
                holder.records.insert(owner, card.to_vec());
            }
        }
    }

    /// What a search gives, and how many servers were asked: what is forged is seen through, and the newest is taken.
    pub fn find(&mut self, owner: &PeerId, now: WallTime) -> (Option<Vec<u8>>, usize) {
        self.sought += 1;
        if self.holders.is_empty() {
            let card = self.plain.get(owner).cloned();
            self.found += u64::from(card.is_some());
            return (card, 0);
        }
        let asked = self.nearest(owner);
        let mut best: Option<Card> = None;
        for server in &asked {
            let Some(value) = self.given(server, owner) else { continue };
            match judged(owner, &value, now) {
                Some(card) if best.as_ref().is_none_or(|best| best.sequence < card.sequence) => best = Some(card),
                Some(_) => {}
                None => self.seen_through += 1,
            }
        }
        self.found += u64::from(best.is_some());
        (best.map(|card| card.bytes().to_vec()), asked.len())
    }

    /// What one server gives.
    fn given(&self, server: &PeerId, owner: &PeerId) -> Option<Vec<u8>> {
        let holder = self.holders.get(server)?;
        match holder.forges {
            None => holder.records.get(owner).cloned(),
            Some(Forgery::Older) => holder.first.get(owner).cloned(),
            Some(Forgery::Others) => holder.records.iter().find(|(peer, _)| *peer != owner).map(|(_, c)| c.clone()),
            Some(Forgery::Bent) => holder.records.get(owner).cloned().map(bent),
            Some(Forgery::Nothing) => None,
        }
    }

    /// What a liar between the table and somebody who asks would give him: nobody has looked at it.
    pub fn forged(&self, owner: &PeerId, forgery: Forgery) -> Option<Vec<u8>> {
        let cards = |first: bool| {
            self.holders.values().flat_map(move |holder| if first { &holder.first } else { &holder.records })
        };
        match forgery {
            Forgery::Older => cards(true).find(|(peer, _)| *peer == owner).map(|(_, card)| card.clone()),
            Forgery::Others => cards(false).find(|(peer, _)| *peer != owner).map(|(_, card)| card.clone()),
            Forgery::Bent => cards(false).find(|(peer, _)| *peer == owner).map(|(_, card)| bent(card.clone())),
            Forgery::Nothing => None,
        }
    }
}

/// What is believed of a record (NET-52): a card under its key, signed by its owner, whose time is not over.
fn judged(owner: &PeerId, value: &[u8], now: WallTime) -> Option<Card> {
    let card = CardIn::decode(value).ok().filter(|card| card.claimed_owner() == *owner)?;
    card.verify(&IdentityKey::from_peer_id(*owner).ok()?, now).ok()
}

fn bent(mut card: Vec<u8>) -> Vec<u8> {
    let at = card.len() / 2;
    card[at] ^= 1;
    card
}

fn sequence(card: &[u8]) -> u64 {
    CardIn::decode(card).unwrap().claimed_sequence()
}
