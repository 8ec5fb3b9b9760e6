//! Records that we hold for others, in memory: cards, and who keeps an open mailbox.
//!
//! Nothing comes in by the crate's own way: what is put was judged before (`judge`).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::iter::Empty;
use std::time::Instant;

use libp2p::kad::store::{Error, RecordStore, Result};
use libp2p::kad::{KBucketDistance, KBucketKey, ProviderRecord, Record, RecordKey};
use libp2p::{Multiaddr, PeerId};

use super::super::budget::{Who, room};
use super::super::span;
use crate::base::limits::{By, DHT_PROVIDER_LIFE, DHT_PROVIDERS, MAX_DHT_BYTES, MAX_DHT_RECORDS};

/// A card that is held.
#[derive(Debug)]
struct Held {
    record: Record,
    sequence: u64,
}

/// An open mailbox.
#[derive(Debug)]
struct Provider {
    addrs: Vec<Multiaddr>,
    expires: Instant,
    who: Who,
}

/// The records, ordered by their distance from us: when there are too many, the farthest go.
#[derive(Debug)]
pub(in crate::net) struct Records {
    me: KBucketKey<PeerId>,
    cards: BTreeMap<KBucketDistance, Held>,
    bytes: usize,
    providers: HashMap<PeerId, Provider>,
}

impl Records {
    pub(super) fn new(me: PeerId) -> Self {
        Self { me: me.into(), cards: BTreeMap::new(), bytes: 0, providers: HashMap::new() }
    }

    /// How many cards are held.
    pub(super) fn len(&self) -> usize {
        self.cards.len()
    }

    /// The sequence and the bytes of the card under a key.
    pub(super) fn held(&self, key: &RecordKey) -> Option<(u64, &[u8])> {
        self.cards.get(&self.distance(key)).map(|held| (held.sequence, held.record.value.as_slice()))
    }

    /// Takes a card that was judged, in place of the one that is held; what is farthest makes room.
    pub(super) fn hold(&mut self, record: Record, sequence: u64) {
        let distance = self.distance(&record.key);
        self.bytes += record.value.len();
        if let Some(old) = self.cards.insert(distance, Held { record, sequence }) {
            self.bytes -= old.record.value.len();
        }
        while self.cards.len() > MAX_DHT_RECORDS || self.bytes > MAX_DHT_BYTES {
            let Some((_, out)) = self.cards.pop_last() else { return };
            self.bytes -= out.record.value.len();
        }
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
        let bytes = &mut self.bytes;
        self.cards.retain(|_, held| {
            let keep = !held.record.is_expired(now);
            if !keep {
                *bytes -= held.record.value.len();
            }
            keep
        });
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
        if let Some(out) = self.cards.remove(&self.distance(key)) {
            self.bytes -= out.record.value.len();
        }
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
    use std::time::Duration;

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
            records.hold(record(n, 10), 1);
        }
        assert_eq!((records.len(), records.bytes), (MAX_DHT_RECORDS, 10 * MAX_DHT_RECORDS));
        let mut distances: Vec<_> = (0..many).map(|n| records.distance(&record(n, 0).key)).collect();
        distances.sort_unstable();
        assert!(records.cards.keys().eq(&distances[..MAX_DHT_RECORDS]));
        let mut records = self::records();
        for n in 0..many {
            records.hold(record(n, 4_096), 1);
            records.hold(record(n, 4_000), 2);
        }
        assert!(records.bytes <= MAX_DHT_BYTES && records.bytes == 4_000 * records.len());
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let (mut records, now) = (records(), tokio::time::Instant::now().into_std());
        for n in 0..10 {
            let expires = Some(now + Duration::from_secs(n));
            records.hold(Record { expires, ..record(u32::try_from(n).unwrap(), 7) }, 1);
            records.provide(PeerId::random(), Vec::new(), now + Duration::from_secs(n), Who::default());
        }
        records.sweep(now + Duration::from_secs(4));
        assert_eq!((records.len(), records.bytes, records.providers.len()), (5, 35, 5));
    }

    /// NET-59
    #[test]
    fn open_mailboxes_are_bounded_in_all_and_by_network() {
        let (mut records, now) = (records(), tokio::time::Instant::now().into_std());
        let network = |n: usize| {
            let addr = format!("/ip4/10.{}.{}.1/tcp/1", n / 200, n % 200).parse().unwrap();
            Who::new(Class::Stranger, None, super::super::super::origin::Origin::of(&addr))
        };
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
