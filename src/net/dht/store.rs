//! Records that we hold for others, in memory: cards, and who keeps an open mailbox.
//!
//! Nothing comes in by the crate's own way: what is put was judged before (`judge`).

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::iter::Empty;
use std::time::Instant;

use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{KBucketDistance, KBucketKey, ProviderRecord, Record, RecordKey};
use libp2p::{Multiaddr, PeerId};

use super::super::budget::{Who, room};
use super::super::origin::Neighbours;
use super::super::span;
use crate::base::limits::{By, DHT_PROVIDER_LIFE, DHT_PROVIDERS, MAX_DHT_BYTES, MAX_DHT_RECORDS};

/// A card that is held.
#[derive(Debug)]
struct Held {
    record: Record,
    sequence: u64,
    /// By whom it was put.
    from: Option<Neighbours>,
}

/// An open mailbox.
#[derive(Debug)]
struct Provider {
    addrs: Vec<Multiaddr>,
    expires: Instant,
    who: Who,
}

/// The records, ordered by their distance from us. When there are too many, the farthest of those neighbours go who put
/// most: keys near ours can be made at will, networks cannot (NET-55).
#[derive(Debug)]
pub(in crate::net) struct Records {
    me: KBucketKey<PeerId>,
    cards: BTreeMap<KBucketDistance, Held>,
    /// Where they are, by those who put them.
    of: HashMap<Option<Neighbours>, BTreeSet<KBucketDistance>>,
    bytes: usize,
    providers: HashMap<PeerId, Provider>,
}

impl Records {
    pub(super) fn new(me: PeerId) -> Self {
        Self { me: me.into(), cards: BTreeMap::new(), of: HashMap::new(), bytes: 0, providers: HashMap::new() }
    }

    /// How many cards are held.
    pub(super) fn len(&self) -> usize {
        self.cards.len()
    }

    /// The sequence and the bytes of the card under a key.
    pub(super) fn held(&self, key: &RecordKey) -> Option<(u64, &[u8])> {
        self.cards.get(&self.distance(key)).map(|held| (held.sequence, held.record.value.as_slice()))
    }

    /// Takes a card that was judged, in place of the one that is held. One that comes again from elsewhere stays where it counts, unless
    /// there is more than a part of all, and more than where it comes from: nobody takes a card down with his own by putting it,
    /// too.
    pub(super) fn hold(&mut self, record: Record, sequence: u64, from: Option<Neighbours>) {
        let distance = self.distance(&record.key);
        let before = self.take_out(&distance);
        let same = before.filter(|old| old.record.value == record.value).map(|old| old.from);
        let count = |from| self.of.get(&from).map_or(0, BTreeSet::len);
        let part = MAX_DHT_RECORDS / self.of.len().max(1);
        let from = same.filter(|old| count(*old) <= part.max(count(from))).unwrap_or(from);
        self.bytes += record.value.len();
        self.of.entry(from).or_default().insert(distance);
        self.cards.insert(distance, Held { record, sequence, from });
        while self.cards.len() > MAX_DHT_RECORDS || self.bytes > MAX_DHT_BYTES {
            let most = self.of.values().max_by_key(|cards| (cards.len(), cards.last()));
            let Some(out) = most.and_then(BTreeSet::last).copied() else { return };
            self.take_out(&out);
        }
    }

    fn take_out(&mut self, distance: &KBucketDistance) -> Option<Held> {
        let out = self.cards.remove(distance)?;
        self.bytes -= out.record.value.len();
        if let Some(cards) = self.of.get_mut(&out.from) {
            cards.remove(distance);
            if cards.is_empty() {
                self.of.remove(&out.from);
            }
        }
        Some(out)
    }

    /// Takes note of an open mailbox. When there are too many, the one that is over next makes room.
    pub(super) fn provide(&mut self, provider: PeerId, addrs: Vec<Multiaddr>, expires: Instant, who: Who) {
        self.providers.remove(&provider);
        match room(DHT_PROVIDERS, &self.providers.values().map(|known| known.who), &who) {
            Ok(()) => {}
            Err(By::All) => {
                let next = self.providers.iter().min_by_key(|(_, known)| known.expires).map(|(peer, _)| *peer);
                next.map(|peer| self.providers.remove(&peer));
            }
            Err(_) => return,
        }
        self.providers.insert(provider, Provider { addrs, expires, who });
    }

    /// Forgets what is over.
    pub(super) fn sweep(&mut self, now: Instant) {
        let over = self.cards.iter().filter(|(_, held)| held.record.is_expired(now));
        for distance in over.map(|(distance, _)| *distance).collect::<Vec<_>>() {
            self.take_out(&distance);
        }
        self.providers.retain(|_, provider| provider.expires > now);
    }

    fn distance(&self, key: &RecordKey) -> KBucketDistance {
        self.me.distance(&KBucketKey::new(key.clone()))
    }
}

impl RecordStore for Records {
    type RecordsIter<'a> = Empty<Cow<'a, Record>>;
    type ProvidedIter<'a> = Empty<Cow<'a, ProviderRecord>>;

    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        self.cards.get(&self.distance(key)).map(|held| Cow::Borrowed(&held.record))
    }

    fn put(&mut self, _: Record) -> Result<()> {
        Err(Error::MaxRecords)
    }

    fn remove(&mut self, key: &RecordKey) {
        self.take_out(&self.distance(key));
    }

    /// Only for the crate's jobs, which do not run: owners renew their records themselves.
    fn records(&self) -> Self::RecordsIter<'_> {
        std::iter::empty()
    }

    /// Called for ourselves only: that we keep a mailbox is told to others, and not kept here.
    fn add_provider(&mut self, record: ProviderRecord) -> Result<()> {
        if record.provider != *self.me.preimage() {
            return Err(Error::MaxProvidedKeys);
        }
        // Ourselves: the crate puts our addresses in when it answers.
        let now = tokio::time::Instant::now().into_std();
        self.provide(record.provider, Vec::new(), now + span(DHT_PROVIDER_LIFE), Who::default());
        Ok(())
    }

    /// There is one key only, and `judge` let no other in; the swarm's questions for other keys find nothing.
    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        if key.as_ref() != crate::envelope::directory::mailboxes_key() {
            return Vec::new();
        }
        let record = |(peer, provider): (&PeerId, &Provider)| ProviderRecord {
            key: key.clone(),
            provider: *peer,
            expires: Some(provider.expires),
            addresses: provider.addrs.clone(),
        };
        self.providers.iter().map(record).collect()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        std::iter::empty()
    }

    fn remove_provider(&mut self, _: &RecordKey, provider: &PeerId) {
        self.providers.remove(provider);
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;
    use std::time::Duration;

    use super::super::super::origin::Origin;
    use super::*;
    use crate::envelope::border::Class;

    fn records() -> Records {
        Records::new(PeerId::random())
    }

    fn record(n: u32, len: usize) -> Record {
        Record::new(n.to_be_bytes().to_vec(), vec![0; len])
    }

    /// NET-55
    #[test]
    fn records_are_bounded_and_the_nearest_stay() {
        let mut records = records();
        let many = u32::try_from(MAX_DHT_RECORDS).unwrap() + 500;
        for n in 0..many {
            records.hold(record(n, 10), 1, None);
        }
        assert_eq!((records.len(), records.bytes), (MAX_DHT_RECORDS, 10 * MAX_DHT_RECORDS));
        let mut distances: Vec<_> = (0..many).map(|n| records.distance(&record(n, 0).key)).collect();
        distances.sort_unstable();
        assert!(records.cards.keys().eq(&distances[..MAX_DHT_RECORDS]));
        let mut records = self::records();
        for n in 0..many {
            records.hold(record(n, 4_096), 1, None);
            records.hold(record(n, 4_000), 2, None);
        }
        assert!(records.bytes <= MAX_DHT_BYTES && records.bytes == 4_000 * records.len());
    }

    fn host(n: usize) -> Option<Origin> {
        Origin::of(&format!("/ip4/150.{}.{}.1/tcp/1", n / 200, n % 200).parse().unwrap())
    }

    fn network(n: usize) -> Option<Neighbours> {
        host(n).map(Origin::neighbours)
    }

    /// NET-55: however near to us somebody makes his keys, he takes the places of his own network and no other's.
    #[test]
    fn cards_of_one_network_push_out_no_others() {
        let mut records = records();
        let many = 3 * u32::try_from(MAX_DHT_RECORDS).unwrap();
        let mut all: Vec<_> = (0..many).map(|n| record(n, 2_000)).collect();
        all.sort_by_cached_key(|record| Reverse(records.distance(&record.key)));
        // The farthest are honest, of 2,000 networks; all the others are nearer, and there are as many as there is room for, twice.
        let near = all.split_off(many as usize / 3);
        let honest = &all[..MAX_DHT_RECORDS / 2];
        for (n, record) in honest.iter().enumerate() {
            records.hold(record.clone(), 1, network(1 + n % 2_000));
        }
        for (n, record) in near.into_iter().enumerate() {
            records.hold(record, 1, network(20_000));
            if n % 16 == 0 {
                // He puts theirs, too, so that they count as his.
                let theirs = &honest[n / 16 % honest.len()];
                records.hold(theirs.clone(), 1, network(20_000));
            }
        }
        assert_eq!(records.len(), MAX_DHT_RECORDS);
        assert_eq!(honest.iter().filter(|record| records.held(&record.key).is_none()).count(), 0);
        // A newer one that he was the first to bring is its owner's as soon as that brings it.
        let newer = Record { value: vec![1; 2_000], ..honest[0].clone() };
        records.hold(newer.clone(), 2, network(20_000));
        records.hold(newer, 2, network(1));
        assert!(records.of[&network(1)].contains(&records.distance(&honest[0].key)));
        let held: usize = records.of.values().map(BTreeSet::len).sum();
        assert_eq!((held, records.bytes), (records.len(), 2_000 * records.len()));
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let (mut records, now) = (records(), tokio::time::Instant::now().into_std());
        for n in 0..10 {
            let expires = Some(now + Duration::from_secs(n));
            records.hold(Record { expires, ..record(u32::try_from(n).unwrap(), 7) }, 1, None);
            records.provide(PeerId::random(), Vec::new(), now + Duration::from_secs(n), Who::default());
        }
        records.sweep(now + Duration::from_secs(4));
        assert_eq!((records.len(), records.bytes, records.providers.len()), (5, 35, 5));
    }

    /// NET-59
    #[test]
    fn open_mailboxes_are_bounded_in_all_and_by_network() {
        let (mut records, now) = (records(), tokio::time::Instant::now().into_std());
        let network = |n: usize| Who::new(Class::Stranger, None, host(n));
        for n in 0..512 {
            for _ in 0..8 {
                records.provide(PeerId::random(), Vec::new(), now + Duration::from_secs(n as u64), network(n));
            }
        }
        assert_eq!(records.providers.len(), 256);
        let of_last = network(512 - 1);
        let count = records.providers.values().filter(|provider| provider.who == of_last).count();
        assert_eq!(count, 4);
        assert!(records.providers(&RecordKey::new(&[1; 32])).is_empty());
    }
}
