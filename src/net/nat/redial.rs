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
    /// When to dial; none while he is connected.
    due: Option<Instant>,
}

/// The named peers.
#[derive(Debug, Default)]
pub(in crate::net) struct Redial {
    peers: HashMap<PeerId, Entry>,
}

impl Redial {
    pub(in crate::net) fn new(named: &[(PeerId, Vec<String>)], me: PeerId, now: Instant) -> Self {
        let others = named.iter().filter(|(peer, _)| *peer != me).take(MAX_BOOTSTRAP);
        let entry = |addrs: Vec<Multiaddr>| Entry { addrs, pause: span(REDIAL_FIRST), due: Some(now) };
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
        for (peer, entry) in &mut self.peers {
            if entry.due.is_some_and(|at| at <= now) {
                due.push(*peer);
                entry.due = Some(now + entry.pause);
                entry.pause = (2 * entry.pause).min(span(REDIAL_MAX));
            }
        }
        due
    }

    /// He is connected.
    pub(in crate::net) fn connected(&mut self, peer: &PeerId) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.due = None;
        }
    }

    /// The connection is gone. He is dialled at once if he is needed (he was our relay, or nobody else is left), and
    /// else after a while: he may have closed it because nothing happened on it.
    pub(in crate::net) fn lost(&mut self, peer: &PeerId, needed: bool, now: Instant) {
        if let Some(entry) = self.peers.get_mut(peer) {
            entry.pause = span(REDIAL_FIRST);
            entry.due = Some(if needed { now } else { now + span(REDIAL_IDLE) });
        }
    }

    /// The network has changed: everybody who is away is dialled at once.
    pub(in crate::net) fn wake(&mut self, now: Instant) {
        for entry in self.peers.values_mut().filter(|entry| entry.due.is_some()) {
            (entry.due, entry.pause) = (Some(now), span(REDIAL_FIRST));
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
            let next = redial.peers[&HIM].due.unwrap();
            assert!(next - now >= last && next - now <= span(REDIAL_MAX));
            (last, now) = (next - now, next);
        }
        assert_eq!(last, span(REDIAL_MAX));
    }

    /// NET-80: also after he was connected, and at once when he is needed or the network has changed.
    #[test]
    fn he_is_dialled_again_when_the_connection_is_lost() {
        let (mut redial, now) = named();
        redial.due(now);
        redial.connected(&HIM);
        assert_eq!(redial.due(now + 2 * span(REDIAL_IDLE)), []);
        redial.lost(&HIM, true, now);
        assert_eq!(redial.due(now), [HIM]);
        redial.lost(&HIM, false, now);
        assert_eq!(redial.due(now), []);
        redial.wake(now);
        assert_eq!(redial.due(now), [HIM]);
        redial.lost(&HIM, false, now);
        assert_eq!(redial.due(now + span(REDIAL_IDLE)), [HIM]);
    }
}
