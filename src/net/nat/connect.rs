//! How the swarm task connects with a peer: straight, and through relays.

use libp2p::Multiaddr;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use tokio::time::Instant;

use crate::base::PeerId;
use crate::base::limits::{MAX_PEER_ADDRS, MAX_RELAYS_TRIED};
use crate::net::addresses::{is_circuit, scope, through};
use crate::net::task::Task;
use crate::net::{from_libp2p, to_libp2p};

/// A circuit that waits for its relay: the relay, where it is, the circuit.
type Waiting = (PeerId, Multiaddr, Multiaddr);

impl Task {
    /// Connects with a peer by all the ways there are (NET-60, NET-67).
    pub(in crate::net) fn connect(&mut self, peer: PeerId, hints: Vec<Multiaddr>) {
        if self.peers.is_connected(&peer) || self.nat.dials.is_under_way(&peer) {
            return;
        }
        let mut addrs = self.nat.redial.addrs(&peer).to_vec();
        self.names.trust(&addrs);
        for addr in hints.into_iter().chain(self.book.of(&peer).take(MAX_PEER_ADDRS).cloned()) {
            if !addrs.contains(&addr) {
                addrs.push(addr);
            }
        }
        let (circuits, mut direct): (Vec<_>, Vec<_>) = addrs.into_iter().partition(is_circuit);
        let (ready, waiting) = self.sort_circuits(&peer, circuits);
        let now = Instant::now();
        let first = self.nat.relays.first(&ready.iter().map(|(relay, _)| *relay).collect::<Vec<_>>(), now);
        let (ready, later): (Vec<_>, Vec<_>) = ready.into_iter().partition(|(relay, _)| first.contains(relay));
        direct.extend(ready.into_iter().map(|(_, addr)| addr));
        self.nat.dials.later(peer, later.into_iter().map(|(_, addr)| addr).collect(), now);
        self.nat.dials.wait(peer, waiting.iter().map(|(relay, _, addr)| (*relay, addr.clone())).collect(), now);
        let mut tries = !waiting.is_empty();
        if !direct.is_empty() || !tries {
            // Somebody else's dial goes straight, perhaps into a router while a hole is punched: it is no reason to wait
            // with circuits. (The swarm would count connections that it has lost.)
            let condition = match direct.iter().any(is_circuit) {
                true => PeerCondition::Always,
                false => PeerCondition::NotDialing,
            };
            tries |= self.dial(peer, direct, condition);
        }
        for (relay, place, _) in waiting {
            // Once for each relay: the second time it is being dialled.
            self.connect(relay, vec![place]);
        }
        if !tries {
            self.unreachable(peer);
        }
    }

    /// Which circuits can be dialled now, each with its relay, and which wait.
    fn sort_circuits(&self, peer: &PeerId, circuits: Vec<Multiaddr>) -> (Vec<(PeerId, Multiaddr)>, Vec<Waiting>) {
        let (mut relays, mut ready, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
        for addr in circuits {
            let Some((relay, place)) = through(&addr).filter(|(relay, _)| *relay != self.shared.me) else { continue };
            // A stranger's word leads to no machine of our own network (NET-43).
            let known = self.peers.is_connected(&relay) || self.nat.redial.names(&relay);
            if !known && !self.shared.is_contact(peer) && scope(&place) < self.nat.scope {
                continue;
            }
            if !relays.contains(&relay) {
                if relays.len() >= MAX_RELAYS_TRIED {
                    continue;
                }
                relays.push(relay);
            }
            if self.nat.identified.values().any(|known| *known == relay) {
                ready.push((relay, addr));
            } else {
                waiting.push((relay, place, addr));
            }
        }
        (ready, waiting)
    }

    /// Tells whether a dial is under way.
    fn dial(&mut self, peer: PeerId, addrs: Vec<Multiaddr>, condition: PeerCondition) -> bool {
        let opts = DialOpts::peer_id(to_libp2p(&peer)).condition(condition).addresses(addrs.clone()).build();
        let id = opts.connection_id();
        match self.swarm.dial(opts) {
            Ok(()) => {
                self.nat.dials.dialled(peer, id, addrs, Instant::now());
                true
            }
            Err(DialError::DialPeerConditionFalse(_)) => {
                self.nat.dials.dialled_elsewhere(peer, Instant::now());
                true
            }
            Err(error) => {
                tracing::debug!(?peer, %error, "cannot dial");
                false
            }
        }
    }

    /// A relay has told how it sees us: what waits for it is dialled.
    pub(super) fn relay_ready(&mut self, relay: &PeerId) {
        let ready = self.nat.dials.ready(relay);
        self.dial_all(ready);
    }

    /// A dial of ours, or of a behaviour's, failed.
    pub(in crate::net) fn on_dial_failed(&mut self, peer_id: &libp2p::PeerId, id: ConnectionId, error: &DialError) {
        let Some(peer) = from_libp2p(peer_id) else { return };
        tracing::debug!(?peer, %error, "dial failed");
        let alone = self.peers.all().next().is_none();
        self.dht.on_dial_failed(&mut self.swarm.behaviour_mut().dht, peer_id, alone);
        if let DialError::WrongPeerId { address, .. } | DialError::LocalPeerId { address } = error {
            self.nat.dials.wrong(&peer, id, address);
        }
        let over = self.nat.dials.failed(&peer, id);
        self.dial_what_is_left();
        if over || !self.nat.dials.is_under_way(&peer) {
            self.unreachable(peer);
        }
    }

    /// Where everything else has failed, what was left for later is dialled.
    pub(super) fn dial_what_is_left(&mut self) {
        let left = self.nat.dials.left();
        self.dial_all(left);
    }

    fn dial_all(&mut self, all: Vec<(PeerId, Vec<Multiaddr>)>) {
        for (peer, addrs) in all {
            let tries = self.peers.is_connected(&peer) || self.dial(peer, addrs, PeerCondition::Always);
            if !tries && self.nat.dials.is_over(&peer) {
                self.unreachable(peer);
            }
        }
    }

    /// Nothing is left to try for this peer, nor for those who wait for him as their relay.
    pub(super) fn unreachable(&mut self, peer: PeerId) {
        if self.peers.is_connected(&peer) {
            return;
        }
        self.nat.miss(peer);
        // Who wants to ask him is told that there is no way.
        self.asks.waiting(&peer);
        // Others are dialled by the protocols on their own.
        if self.seeks.failed(&peer) {
            self.seek(peer);
        }
        for waited in self.nat.dials.relay_failed(&peer) {
            self.unreachable(waited);
        }
        self.dial_what_is_left();
    }
}
