//! Peers whom the user has named are dialled again and again, for ever.
//!
//! Pure bookkeeping: it is told what happened and when, and says whom to dial.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::Multiaddr;
use tokio::time::Instant;

use crate::base::PeerId;
use crate::base::limits::{MAX_BOOTSTRAP, REDIAL_FIRST, REDIAL_IDLE, REDIAL_MAX};
use crate::net::addresses;
use crate::net::span;

#[derive(Debug)]
struct Entry {
    addrs: Vec<Multiaddr>,
    /// The pause after the next dial.
    pause: Duration,
    /// When to dial, unless he is connected.
    due: Instant,
    /// Since when he is connected.
    since: Option<Instant>,
}

/// The named peers.
#[derive(Debug, Default)]
pub(in crate::net) struct Redial {
    peers: HashMap<PeerId, Entry>,
}

impl Redial {
    pub(in crate::net) fn new(named: &[(PeerId, Vec<String>)], me: PeerId, now: Instant) -> Self {
        let others = named.iter().filter(|(peer, _)| *peer != me).take(MAX_BOOTSTRAP);
        let entry = |addrs: Vec<Multiaddr>| Entry { addrs, pause: span(REDIAL_FIRST), due: now, since: None };
        Self { peers: others.map(|(peer, texts)| (*peer, entry(addresses::hints(peer, texts)))).collect() }
    }

    /// Whether the user has named him.
    pub(in crate::net) fn names(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    /// Where the user says he is.
    pub(in crate::net) fn addrs(&self, peer: &PeerId) -> &[Multiaddr] {
        self.peers.get(peer).map(|entry| entry.addrs.as_slice()).unwrap_or_default()
    }

    /// NET-80: whom to dial now; each is due again after his pause.
    pub(in crate::net) fn due(&mut self, now: Instant) -> Vec<PeerId> {
        let mut due = Vec::new();
        for (peer, entry) in self.away().filter(|(_, entry)| entry.due <= now) {
            due.push(*peer);
            entry.due = now + entry.pause;
            entry.pause = (2 * entry.pause).min(span(REDIAL_MAX));
        }
        due
    }

    /// Those who are not connected.
    fn away(&mut self) -> impl Iterator<Item = (&PeerId, &mut Entry)> {
        self.peers.iter_mut().filter(|(_, entry)| entry.since.is_none())
    }

    /// He is connected.
    pub(in crate::net) fn connected(&mut self, peer: &PeerId, now: Instant) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.since.get_or_insert(now);
        }
    }

    /// The connection is gone. If he is needed (he was our relay, or nobody else is left), he is dialled at once, unless it was
    /// soon over: then the pause goes on, as if nobody had answered. If he is not, after a while: he may have closed it because
    /// nothing happened on it.
    pub(in crate::net) fn lost(&mut self, peer: &PeerId, needed: bool, now: Instant) {
        let Some(entry) = self.peers.get_mut(peer) else { return };
        // Else there was none but through a relay.
        let Some(since) = entry.since.take() else { return };
        let stood = now.saturating_duration_since(since) >= span(REDIAL_MAX);
        if stood {
            entry.pause = span(REDIAL_FIRST);
        }
        match (needed, stood) {
            (true, true) => entry.due = now,
            (true, false) => {}
            (false, _) => entry.due = now + span(REDIAL_IDLE),
        }
    }

    /// The network has changed: everybody who is away is dialled at once.
    pub(in crate::net) fn wake(&mut self, now: Instant) {
        for (_, entry) in self.away() {
            (entry.due, entry.pause) = (now, span(REDIAL_FIRST));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: PeerId = PeerId::from_key_bytes([1; 32]);
    const HIM: PeerId = PeerId::from_key_bytes([2; 32]);

    fn named() -> (Redial, Instant) {
        let addrs = vec!["/ip4/203.0.113.7/tcp/1".to_owned(), "nonsense".to_owned()];
        let now = Instant::now();
        (Redial::new(&[(HIM, addrs.clone()), (ME, addrs)], ME, now), now)
    }

    /// NET-80.
    #[test]
    fn he_is_dialled_for_ever_with_pauses_that_grow() {
        let (mut redial, mut now) = named();
        assert_eq!((redial.addrs(&HIM).len(), redial.names(&ME)), (1, false));
        let mut last = Duration::ZERO;
        for _ in 0..50 {
            assert_eq!(redial.due(now), [HIM]);
            assert_eq!(redial.due(now), []);
            let next = redial.peers[&HIM].due;
            assert!(next - now >= last && next - now <= span(REDIAL_MAX));
            (last, now) = (next - now, next);
        }
        assert_eq!(last, span(REDIAL_MAX));
    }

    /// NET-80: also after he was connected, and at once when he is needed or the network has changed.
    #[test]
    fn he_is_dialled_again_when_the_connection_is_lost() {
        let (mut redial, mut now) = named();
        let stands = |redial: &mut Redial, now: Instant| {
            redial.connected(&HIM, now);
            now + span(REDIAL_MAX)
        };
        redial.due(now);
        now = stands(&mut redial, now);
        assert_eq!(redial.due(now + 2 * span(REDIAL_IDLE)), []);
        redial.wake(now);
        assert_eq!(redial.due(now + 2 * span(REDIAL_IDLE)), [], "he is there");
        redial.lost(&HIM, true, now);
        assert_eq!(redial.due(now), [HIM]);
        now = stands(&mut redial, now);
        redial.lost(&HIM, false, now);
        assert_eq!(redial.due(now), []);
        redial.wake(now);
        assert_eq!(redial.due(now), [HIM]);
        redial.connected(&HIM, now);
        redial.lost(&HIM, false, now);
        assert_eq!(redial.due(now + span(REDIAL_IDLE) - Duration::from_millis(1)), []);
        assert_eq!(redial.due(now + span(REDIAL_IDLE)), [HIM]);
    }

    /// NET-80: however he ends it, and whether or not he is needed, he is dialled no more often than one who is not there.
    #[test]
    fn who_takes_connections_and_ends_them_is_dialled_no_more_often_than_one_who_is_away() {
        let dials = |takes: bool, needed: bool, stands: Duration| {
            let (mut redial, begun) = named();
            let (mut now, mut lost, mut dials) = (begun, None::<Instant>, 0);
            while now < begun + Duration::from_secs(3_600) {
                if lost.take_if(|at| *at <= now).is_some() {
                    redial.lost(&HIM, needed, now);
                }
                if redial.due(now) == [HIM] {
                    dials += 1;
                    if takes {
                        redial.connected(&HIM, now);
                        lost = Some(now + stands);
                    }
                }
                now += Duration::from_secs(1);
            }
            dials
        };
        let away = dials(false, true, Duration::ZERO);
        assert!((60..70).contains(&away), "{away}");
        for stands in [0, 1, 5, 30, 59, 60, 61] {
            for needed in [true, false] {
                let dials = dials(true, needed, Duration::from_secs(stands));
                assert!(dials <= away, "{dials} with {stands} s, {needed}");
            }
        }
    }

    /// NET-80: what went through a relay is not what he was dialled for.
    #[test]
    fn the_end_of_a_circuit_changes_nothing() {
        let (mut redial, now) = named();
        redial.due(now);
        redial.lost(&HIM, true, now);
        assert_eq!(redial.due(now), []);
        redial.lost(&HIM, false, now);
        assert_eq!(redial.due(now + span(REDIAL_FIRST)), [HIM]);
    }
}
