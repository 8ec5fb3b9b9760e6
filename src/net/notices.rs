//! What the swarm task has to tell, without waiting for a lane: kept as the latest state of each
//! peer, and carried to the lanes by a task of its own.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::sync::{Notify, mpsc};

use super::config::{Classify, Lanes};
use super::event::NetEvent;
use super::lock;
use super::shared::Shared;
use crate::base::PeerId;
use crate::base::limits::{MAX_LISTEN, MAX_NOTICES};

/// What is to be told.
#[derive(Debug, Default)]
pub(super) struct Notices {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Peers of whom the node believes, or should believe, that they are connected.
    links: HashMap<PeerId, Told>,
    /// Of these, whose state is not what was told.
    changed: BTreeSet<PeerId>,
    unreachable: BTreeSet<PeerId>,
    discovered: BTreeSet<PeerId>,
    addrs: VecDeque<NetEvent>,
    relays: Option<Vec<(PeerId, Vec<String>)>>,
    /// The peers of the DHT that are worth keeping, if they are news.
    known: Option<Vec<(PeerId, Vec<String>)>>,
    stopped: bool,
}

/// What was told of a connection, and what is so.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// Told as connected, in this lane; the end is told in the same, so that it cannot overtake.
    lane: Option<Lane>,
    /// Whether it was gone at some time since.
    gap: bool,
    connected: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lane {
    Contacts,
    Strangers,
}

impl Notices {
    /// There is a connection with this peer.
    pub(super) fn connected(&self, peer: PeerId) {
        self.change(|state| {
            state.links.entry(peer).or_default().connected = true;
            state.unreachable.remove(&peer);
            state.changed.insert(peer);
        });
    }

    /// There is none any more.
    pub(super) fn disconnected(&self, peer: PeerId) {
        self.change(|state| {
            let Some(told) = state.links.get_mut(&peer) else { return };
            told.connected = false;
            told.gap = true;
            if told.lane.is_none() {
                // Nobody has heard of it: nothing to take back. So this map holds no more than the
                // connected peers and those whose end is being told.
                state.links.remove(&peer);
                state.changed.remove(&peer);
            } else {
                state.changed.insert(peer);
            }
        });
    }

    /// A dial that was asked for failed.
    pub(super) fn unreachable(&self, peer: PeerId) {
        self.change(|state| insert_bounded(&mut state.unreachable, peer));
    }

    /// The local network told of a peer.
    pub(super) fn discovered(&self, peer: PeerId) {
        self.change(|state| insert_bounded(&mut state.discovered, peer));
    }

    /// An address of ours came or went.
    pub(super) fn address(&self, event: NetEvent) {
        self.change(|state| {
            if state.addrs.len() >= MAX_LISTEN {
                state.addrs.pop_front();
            }
            state.addrs.push_back(event);
        });
    }

    /// The relays through which we can be reached now; only the latest are told.
    pub(super) fn relays(&self, relays: Vec<(PeerId, Vec<String>)>) {
        self.change(|state| state.relays = Some(relays));
    }

    /// Peers of the DHT that are worth keeping.
    pub(super) fn known(&self, known: Vec<(PeerId, Vec<String>)>) {
        self.change(|state| state.known = Some(known));
    }

    /// Nothing more is told.
    pub(super) fn stop(&self) {
        self.change(|state| *state = State { stopped: true, ..State::default() });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.news.notify_one();
    }

    /// Carries what is to be told to the lanes, until they are closed or the network stops.
    async fn run(&self, lanes: Lanes, classify: Classify) {
        loop {
            let next = {
                let mut state = lock(&self.state);
                if state.stopped {
                    return;
                }
                state.next(&classify)
            };
            let Some((lane, event)) = next else {
                self.news.notified().await;
                continue;
            };
            if lane.of(&lanes).send(event).await.is_err() {
                return;
            }
        }
    }
}

/// Starts the task that carries the notices.
pub(super) fn spawn(shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move { shared.notices.run(shared.lanes.clone(), shared.classify.clone()).await });
}

impl Lane {
    fn class(contact: bool) -> Self {
        if contact { Self::Contacts } else { Self::Strangers }
    }

    fn of(self, lanes: &Lanes) -> &mpsc::Sender<NetEvent> {
        match self {
            Self::Contacts => &lanes.contacts,
            Self::Strangers => &lanes.strangers,
        }
    }
}

impl State {
    /// The next thing to tell; it counts as told from now on.
    fn next(&mut self, classify: &Classify) -> Option<(Lane, NetEvent)> {
        if let Some(event) = self.addrs.pop_front() {
            return Some((Lane::Contacts, event));
        }
        if let Some(relays) = self.relays.take() {
            return Some((Lane::Contacts, NetEvent::Relays(relays)));
        }
        if let Some(peer) = self.unreachable.pop_first() {
            return Some((Lane::Contacts, NetEvent::Unreachable(peer)));
        }
        while let Some(peer) = self.changed.pop_first() {
            if let Some(told) = self.link(peer, classify) {
                return Some(told);
            }
        }
        if let Some(known) = self.known.take() {
            return Some((Lane::Contacts, NetEvent::KnownPeers(known)));
        }
        let peer = self.discovered.pop_first()?;
        Some((Lane::class(classify(&peer)), NetEvent::Discovered(peer)))
    }

    fn link(&mut self, peer: PeerId, classify: &Classify) -> Option<(Lane, NetEvent)> {
        let told = self.links.get_mut(&peer)?;
        if let Some(lane) = told.lane.filter(|_| told.gap) {
            if told.connected {
                *told = Told { lane: None, gap: false, connected: true };
                self.changed.insert(peer);
            } else {
                self.links.remove(&peer);
            }
            return Some((lane, NetEvent::Disconnected(peer)));
        }
        if told.lane.is_some() {
            return None;
        }
        let lane = Lane::class(classify(&peer));
        *told = Told { lane: Some(lane), gap: false, connected: true };
        Some((lane, NetEvent::Connected(peer)))
    }
}

fn insert_bounded(set: &mut BTreeSet<PeerId>, peer: PeerId) {
    if set.len() < MAX_NOTICES {
        set.insert(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId::from_key_bytes([n; 32])
    }

    fn told(notices: &Notices) -> Vec<NetEvent> {
        let classify: Classify = Arc::new(|peer| peer.key_bytes()[0] < 100);
        std::iter::from_fn(|| lock(&notices.state).next(&classify)).map(|(_, event)| event).collect()
    }

    #[test]
    fn a_connection_and_its_end_are_told_once_each() {
        let notices = Notices::default();
        notices.connected(peer(1));
        assert_eq!(told(&notices), [NetEvent::Connected(peer(1))]);
        assert_eq!(told(&notices), []);
        notices.disconnected(peer(1));
        assert_eq!(told(&notices), [NetEvent::Disconnected(peer(1))]);
        assert!(lock(&notices.state).links.is_empty());
    }

    #[test]
    fn a_gap_is_told_even_when_it_is_over() {
        let notices = Notices::default();
        notices.connected(peer(1));
        told(&notices);
        notices.disconnected(peer(1));
        notices.connected(peer(1));
        assert_eq!(told(&notices), [NetEvent::Disconnected(peer(1)), NetEvent::Connected(peer(1))]);
        notices.disconnected(peer(1));
        assert_eq!(told(&notices), [NetEvent::Disconnected(peer(1))]);
    }

    #[test]
    fn nobody_who_comes_and_goes_unheard_is_kept() {
        let notices = Notices::default();
        for n in 0..=255 {
            notices.connected(peer(n));
            notices.disconnected(peer(n));
        }
        assert_eq!(told(&notices), []);
        assert!(lock(&notices.state).links.is_empty());
    }

    #[test]
    fn the_end_goes_the_way_of_the_beginning_though_the_class_has_changed() {
        let notices = Notices::default();
        let (stranger, contact): (Classify, Classify) = (Arc::new(|_| false), Arc::new(|_| true));
        notices.connected(peer(1));
        assert_eq!(lock(&notices.state).next(&stranger).map(|told| told.0), Some(Lane::Strangers));
        notices.disconnected(peer(1));
        assert_eq!(lock(&notices.state).next(&contact).map(|told| told.0), Some(Lane::Strangers));
    }

    #[test]
    fn a_connection_takes_back_that_a_peer_is_unreachable() {
        let notices = Notices::default();
        notices.unreachable(peer(1));
        notices.connected(peer(1));
        notices.unreachable(peer(2));
        assert_eq!(told(&notices), [NetEvent::Unreachable(peer(2)), NetEvent::Connected(peer(1))]);
    }
}
