//! Who is worth knowing: the peers of the routing table that are told to the node for its next start, those it told at this one,
//! and who was not there lately.

use std::collections::{BTreeMap, HashMap, VecDeque};

use libp2p::Multiaddr;
use tokio::time::Instant;

use super::super::{addresses, from_libp2p, span};
use crate::base::PeerId;
use crate::base::limits::{DHT_FEW_PEERS, DHT_KNOWN_INTERVAL, DHT_MISSES, MAX_DHT_DIALS, MAX_DHT_KNOWN};

/// Bookkeeping about the peers of the DHT.
#[derive(Debug)]
pub(super) struct Table {
    me: PeerId,
    /// What was told last: the peers, when.
    told: (Vec<PeerId>, Option<Instant>),
    /// Peers from before, and those who were good since.
    known: Vec<(PeerId, Vec<Multiaddr>)>,
    /// Of these, whom to dial next, and when.
    next: VecDeque<(PeerId, Vec<Multiaddr>)>,
    dial_at: Option<Instant>,
    misses: HashMap<libp2p::PeerId, u32>,
}

impl Table {
    pub(super) fn new(me: PeerId, known: &[(PeerId, Vec<String>)]) -> Self {
        let known: Vec<_> = known.iter().take(MAX_DHT_KNOWN).filter(|(peer, _)| *peer != me).collect();
        let known: Vec<_> = known.iter().map(|(peer, addrs)| (*peer, addresses::hints(peer, addrs))).collect();
        Self { me, told: (Vec::new(), None), next: known.clone().into(), known, dial_at: None, misses: HashMap::new() }
    }

    /// A peer is there.
    pub(super) fn reached(&mut self, peer: &libp2p::PeerId) {
        self.misses.remove(peer);
    }

    /// A peer was not there; whether that was once too often.
    pub(super) fn missed(&mut self, peer: &libp2p::PeerId) -> bool {
        if self.misses.len() >= 4 * MAX_DHT_KNOWN && !self.misses.contains_key(peer) {
            self.misses.clear();
        }
        let misses = self.misses.entry(*peer).or_default();
        *misses += 1;
        let gone = *misses >= DHT_MISSES;
        if gone {
            self.misses.remove(peer);
        }
        gone
    }

    /// The peers to be kept for the next start, if they are others than those told last, and that was not just now. None is
    /// no news: what was good once may be good again.
    pub(super) fn news(
        &mut self,
        routed: &[(libp2p::PeerId, Vec<Multiaddr>)],
        now: Instant,
    ) -> Option<Vec<(PeerId, Vec<String>)>> {
        let (told, at) = &self.told;
        if routed.is_empty() || at.is_some_and(|at| now.saturating_duration_since(at) < span(DHT_KNOWN_INTERVAL)) {
            return None;
        }
        // In the order of their IDs, so that the same peers are the same news; of too many the table's first.
        let mut good = BTreeMap::new();
        for (peer, addrs) in routed.iter().take(MAX_DHT_KNOWN) {
            let Some(peer) = from_libp2p(peer).filter(|peer| *peer != self.me) else { continue };
            let addrs: Vec<_> = addrs.iter().filter_map(|addr| addresses::dialable(&peer, addr)).collect();
            good.insert(peer, addrs);
        }
        if good.keys().eq(told) {
            return None;
        }
        self.told = (good.keys().copied().collect(), Some(now));
        self.known = good.clone().into_iter().collect();
        let text = |addrs: Vec<Multiaddr>| addrs.iter().map(Multiaddr::to_string).collect();
        Some(good.into_iter().map(|(peer, addrs)| (peer, text(addrs))).collect())
    }

    /// Whom of the known peers to dial now: a few at a time, as long as there are few in the routing table.
    pub(super) fn to_dial(&mut self, routed: usize, now: Instant) -> Vec<(PeerId, Vec<Multiaddr>)> {
        if routed >= DHT_FEW_PEERS || self.dial_at.is_some_and(|at| at > now) {
            return Vec::new();
        }
        if self.next.is_empty() && routed == 0 {
            self.next = self.known.clone().into();
        }
        let few: Vec<_> = self.next.drain(..self.next.len().min(MAX_DHT_DIALS)).collect();
        // The first may answer meanwhile; when all were tried, it takes longer until they are again.
        let pause = span(crate::base::limits::DIAL_TIMEOUT);
        self.dial_at = Some(now + if self.next.is_empty() { span(DHT_KNOWN_INTERVAL) } else { pause });
        few
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::to_libp2p;
    use super::*;

    const ME: PeerId = PeerId::from_key_bytes([1; 32]);

    fn known(count: u8) -> Vec<(PeerId, Vec<String>)> {
        let peer = |n| (PeerId::from_key_bytes([n + 2; 32]), vec![format!("/ip4/192.0.2.{n}/tcp/4001")]);
        (0..count).map(peer).collect()
    }

    fn routed(count: u8) -> Vec<(libp2p::PeerId, Vec<Multiaddr>)> {
        let parsed = |addrs: &[String]| addrs.iter().map(|addr| addr.parse().unwrap()).collect();
        known(count).iter().map(|(peer, addrs)| (to_libp2p(peer), parsed(addrs))).collect()
    }

    /// NET-58
    #[test]
    fn known_peers_are_dialled_a_few_at_a_time_and_again_when_none_is_left() {
        let now = Instant::now();
        let mut table = Table::new(ME, &known(10));
        assert_eq!(table.to_dial(0, now).len(), MAX_DHT_DIALS);
        assert_eq!(table.to_dial(0, now), []);
        let mut at = now;
        let mut dialled = MAX_DHT_DIALS;
        while dialled < 10 {
            at += Duration::from_secs(10);
            dialled += table.to_dial(0, at).len();
        }
        at += Duration::from_secs(10);
        assert_eq!(table.to_dial(0, at), [], "all were tried");
        at += Duration::from_secs(60);
        assert_eq!(table.to_dial(1, at), [], "there is somebody to ask");
        at += Duration::from_secs(60);
        assert_eq!(table.to_dial(0, at).len(), MAX_DHT_DIALS);
        assert_eq!(Table::new(ME, &known(10)).to_dial(DHT_FEW_PEERS, now), [], "there are enough");
    }

    /// NET-58
    #[test]
    fn good_peers_are_told_when_they_change_and_not_too_often() {
        let (mut table, now) = (Table::new(ME, &[]), Instant::now());
        assert_eq!(table.news(&[], now), None);
        assert_eq!(table.news(&routed(3), now), Some(known(3)));
        assert_eq!(table.news(&routed(4), now + Duration::from_secs(59)), None);
        assert_eq!(table.news(&routed(3), now + Duration::from_secs(61)), None);
        let many = table.news(&routed(200), now + Duration::from_secs(62)).unwrap();
        assert_eq!(many.len(), MAX_DHT_KNOWN);
        assert_eq!(table.news(&[], now + Duration::from_secs(999)), None);
        assert_eq!(table.to_dial(0, now + Duration::from_secs(999)).len(), MAX_DHT_DIALS);
    }

    #[test]
    fn who_is_missed_three_times_in_a_row_is_gone() {
        let (mut table, peer) = (Table::new(ME, &[]), libp2p::PeerId::random());
        assert!(!table.missed(&peer) && !table.missed(&peer));
        table.reached(&peer);
        assert!(!table.missed(&peer) && !table.missed(&peer) && table.missed(&peer));
        for _ in 0..10_000 {
            table.missed(&libp2p::PeerId::random());
            assert!(table.misses.len() <= 4 * MAX_DHT_KNOWN);
        }
    }
}
