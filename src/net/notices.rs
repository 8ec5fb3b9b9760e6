//! What the swarm task has to tell, without waiting for a lane: kept as the latest state of each
//! peer, and carried to the lanes by a task of its own.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::mem::discriminant;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::classes::Classes;
use super::config::Lanes;
use super::lock;
use crate::base::PeerId;
use crate::base::limits::MAX_NOTICES;
use crate::envelope::border::{Class, Event};

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
    /// Of each kind the latest.
    latest: VecDeque<Event>,
    stopped: bool,
}

/// What was told of a connection, and what is so.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    /// Told as connected, in this lane; the end is told in the same, so that it cannot overtake.
    lane: Option<Class>,
    /// Whether it was gone at some time since.
    gap: bool,
    connected: bool,
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

    /// Something that makes void what was told of its kind before: where we can be reached, through whom, which peers of the DHT
    /// are worth keeping.
    pub(super) fn latest(&self, event: Event) {
        self.change(|state| {
            state.latest.retain(|known| discriminant(known) != discriminant(&event));
            state.latest.push_back(event);
        });
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
    pub(super) async fn run(self: Arc<Self>, lanes: Lanes, classes: Classes) {
        loop {
            let next = {
                let mut state = lock(&self.state);
                if state.stopped {
                    return;
                }
                state.next(&classes)
            };
            let Some((lane, event)) = next else {
                self.news.notified().await;
                continue;
            };
            if lanes.of(lane).send(event).await.is_err() {
                return;
            }
        }
    }
}

impl State {
    /// The next thing to tell; it counts as told from now on.
    fn next(&mut self, classes: &Classes) -> Option<(Class, Event)> {
        if let Some(event) = self.latest.pop_front() {
            return Some((Class::Contact, event));
        }
        if let Some(peer) = self.unreachable.pop_first() {
            return Some((Class::Contact, Event::Unreachable(peer)));
        }
        while let Some(peer) = self.changed.pop_first() {
            if let Some(told) = self.link(peer, classes) {
                return Some(told);
            }
        }
        let peer = self.discovered.pop_first()?;
        Some((classes.of(&peer), Event::Discovered(peer)))
    }

    fn link(&mut self, peer: PeerId, classes: &Classes) -> Option<(Class, Event)> {
        let told = self.links.get_mut(&peer)?;
        if let Some(lane) = told.lane.filter(|_| told.gap) {
            if told.connected {
                *told = Told { lane: None, gap: false, connected: true };
                self.changed.insert(peer);
            } else {
                self.links.remove(&peer);
            }
            return Some((lane, Event::Disconnected(peer)));
        }
        if told.lane.is_some() {
            return None;
        }
        let lane = classes.of(&peer);
        *told = Told { lane: Some(lane), gap: false, connected: true };
        Some((lane, Event::Connected(peer)))
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
    use crate::net::convert::peer;

    fn told(notices: &Notices) -> Vec<Event> {
        std::iter::from_fn(|| lock(&notices.state).next(&Classes::default())).map(|(_, event)| event).collect()
    }

    #[test]
    fn a_connection_and_its_end_are_told_once_each() {
        let notices = Notices::default();
        notices.connected(peer(1));
        assert_eq!(told(&notices), [Event::Connected(peer(1))]);
        assert_eq!(told(&notices), []);
        notices.disconnected(peer(1));
        assert_eq!(told(&notices), [Event::Disconnected(peer(1))]);
        assert!(lock(&notices.state).links.is_empty());
    }

    #[test]
    fn a_gap_is_told_even_when_it_is_over() {
        let notices = Notices::default();
        notices.connected(peer(1));
        told(&notices);
        notices.disconnected(peer(1));
        notices.connected(peer(1));
        assert_eq!(told(&notices), [Event::Disconnected(peer(1)), Event::Connected(peer(1))]);
        notices.disconnected(peer(1));
        assert_eq!(told(&notices), [Event::Disconnected(peer(1))]);
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
        let (stranger, contact) = (Classes::default(), Classes::all(Class::Contact));
        notices.connected(peer(1));
        assert_eq!(lock(&notices.state).next(&stranger).map(|told| told.0), Some(Class::Stranger));
        notices.disconnected(peer(1));
        assert_eq!(lock(&notices.state).next(&contact).map(|told| told.0), Some(Class::Stranger));
    }

    #[test]
    fn a_connection_takes_back_that_a_peer_is_unreachable() {
        let notices = Notices::default();
        notices.unreachable(peer(1));
        notices.connected(peer(1));
        notices.unreachable(peer(2));
        assert_eq!(told(&notices), [Event::Unreachable(peer(2)), Event::Connected(peer(1))]);
    }
}
