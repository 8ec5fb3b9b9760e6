//! Who is connected, and by which connection: one preferred connection per peer.
//!
//! Pure bookkeeping: it is told what happened and when, and says what follows. Both sides of a
//! double compute the same preferred connection (NET-40); only one of them closes the other
//! connection, so that no difference of view can close both (NET-41).

use std::collections::HashMap;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use tokio::time::Instant;

use super::addresses::is_circuit;
use super::origin::Origin;
use super::span;
use crate::base::limits::{CROSSING_WINDOW, DOUBLE_GRACE, DOUBLE_LIFE, DOUBLE_LINGER};
use crate::base::{PeerId, WallTime};

/// How bytes travel; the better way is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    /// Straight, but made to find out whether one of us can be reached, and for nothing else.
    Trial,
    /// Through a relay.
    Relay,
    /// Straight, by TCP.
    Tcp,
    /// Straight, by QUIC.
    Quic,
}

impl Way {
    /// Whether it goes to the peer himself.
    pub(super) const fn is_direct(self) -> bool {
        !matches!(self, Self::Relay)
    }

    /// Whether it is a direct way to stay on.
    pub(super) const fn is_lasting(self) -> bool {
        matches!(self, Self::Tcp | Self::Quic)
    }

    /// The way of an address.
    pub(super) fn of(addr: &Multiaddr) -> Self {
        if is_circuit(addr) {
            return Self::Relay;
        }
        if addr.iter().any(|part| matches!(part, Protocol::QuicV1)) { Self::Quic } else { Self::Tcp }
    }
}

/// What happens on a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    /// How many envelope streams are open.
    pub(super) streams: usize,
    /// When an envelope was last answered, by either side.
    pub(super) answered: Option<Instant>,
}

/// One established connection.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) id: ConnectionId,
    pub(super) way: Way,
    /// Whether we dialled it.
    pub(super) ours: bool,
    pub(super) since: Instant,
    /// The remote address.
    pub(super) addr: Multiaddr,
    /// Our end of it, if the peer has dialled.
    pub(super) local: Option<Multiaddr>,
}

#[cfg(test)]
impl Link {
    /// A direct connection with somebody nowhere.
    pub(super) fn straight(id: ConnectionId) -> Self {
        Self { id, way: Way::Quic, ours: true, since: Instant::now(), addr: Multiaddr::empty(), local: None }
    }
}

/// All connections with one peer, in the order in which they were made.
#[derive(Debug)]
struct Peer {
    links: Vec<Link>,
    preferred: ConnectionId,
    /// When the first of the present connections was made.
    since: WallTime,
    /// Whether they are kept though nothing happens on them.
    kept: bool,
}

/// What became of a peer by a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is connected now, by this connection.
    Connected(ConnectionId),
    /// Another connection is preferred now.
    Moved(ConnectionId),
    /// Its last connection is gone.
    Gone,
    /// Nothing that matters to others.
    Nothing,
}

/// The connected peers.
#[derive(Debug)]
pub(super) struct Peers {
    me: PeerId,
    map: HashMap<PeerId, Peer>,
}

impl Peers {
    pub(super) fn new(me: PeerId) -> Self {
        Self { me, map: HashMap::new() }
    }

    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.map.contains_key(peer)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = PeerId> {
        self.map.keys().copied()
    }

    /// Where a connected peer speaks from.
    pub(super) fn origin(&self, peer: &PeerId) -> Option<Origin> {
        self.links(peer).find_map(|link| Origin::of(&link.addr))
    }

    /// Every connection with this peer.
    pub(super) fn links(&self, peer: &PeerId) -> impl Iterator<Item = &Link> {
        self.map.get(peer).into_iter().flat_map(|peer| &peer.links)
    }

    /// Every connection with anybody.
    pub(super) fn all_links(&self) -> impl Iterator<Item = &Link> {
        self.map.values().flat_map(|peer| &peer.links)
    }

    /// The preferred connection with this peer, and since when there is one.
    pub(super) fn preferred(&self, peer: &PeerId) -> Option<(&Link, WallTime)> {
        let peer = self.map.get(peer)?;
        peer.links.iter().find(|link| link.id == peer.preferred).map(|link| (link, peer.since))
    }

    /// Notes whether connections with the peer are kept though nothing happens on them; tells whether that is new.
    pub(super) fn keep(&mut self, peer: &PeerId, keep: bool) -> bool {
        self.map.get_mut(peer).is_some_and(|peer| std::mem::replace(&mut peer.kept, keep) != keep)
    }

    /// A connection was made.
    pub(super) fn opened(&mut self, peer: PeerId, link: Link, kept: bool, now: WallTime) -> Change {
        let we_rank_first = self.me < peer;
        if let Some(known) = self.map.get_mut(&peer) {
            known.links.push(link);
            return known.choose(we_rank_first);
        }
        let id = link.id;
        self.map.insert(peer, Peer { links: vec![link], preferred: id, since: now, kept });
        Change::Connected(id)
    }

    /// A connection is gone.
    pub(super) fn closed(&mut self, peer: &PeerId, id: ConnectionId) -> Change {
        let we_rank_first = self.me < *peer;
        let Some(known) = self.map.get_mut(peer) else { return Change::Nothing };
        known.links.retain(|link| link.id != id);
        if known.links.is_empty() {
            self.map.remove(peer);
            return Change::Gone;
        }
        // What is left is where he is, whatever it was made for.
        if let [left] = known.links.as_mut_slice()
            && left.way == Way::Trial
        {
            left.way = Way::of(&left.addr);
        }
        known.choose(we_rank_first)
    }

    /// The doubles whose time has come, and when to look again. `traffic` tells what happens on a connection.
    pub(super) fn overdue(
        &self,
        now: Instant,
        traffic: impl Fn(ConnectionId) -> Traffic,
    ) -> (Vec<ConnectionId>, Option<Instant>) {
        let (mut due, mut next) = (Vec::new(), None::<Instant>);
        for (id, peer) in self.map.iter().filter(|(_, peer)| peer.links.len() > 1) {
            // A double begins when the later of the two is made.
            let Some(begun) = peer.links.iter().map(|link| link.since).max() else { continue };
            for link in peer.links.iter().filter(|link| link.id != peer.preferred) {
                let end = end(self.me < *id, link, begun, traffic(link.id));
                if end <= now {
                    due.push(link.id);
                } else {
                    // An idle one may fall due before: look again soon.
                    let look = end.min(now + span(DOUBLE_LINGER));
                    next = Some(next.map_or(look, |at| at.min(look)));
                }
            }
        }
        (due, next)
    }
}

/// When a double that began then is closed. The side with the lower peer ID does it; the other one only when that did not
/// happen (NET-41).
fn end(we_rank_first: bool, link: &Link, begun: Instant, traffic: Traffic) -> Instant {
    let grace = span(DOUBLE_GRACE);
    if traffic.streams == 0 {
        return begun
            + match (link.way, link.ours) {
                // A trial has to live until it is over, and its end is the end of nothing.
                (Way::Trial, true) => grace,
                // One that he has made may be none: both sides, who asked each other, would close what the other keeps.
                (Way::Trial, false) if we_rank_first => grace,
                (Way::Trial, false) => 2 * grace,
                _ if we_rank_first => span(DOUBLE_LINGER),
                _ => grace,
            };
    }
    // Of what is being answered on a slow line nothing is to be sent twice.
    let silent = traffic.answered.map_or(begun, |at| at.max(begun)) + grace;
    let end = silent.min(begun + span(DOUBLE_LIFE));
    if we_rank_first { end } else { end + grace }
}

impl Peer {
    fn choose(&mut self, we_rank_first: bool) -> Change {
        let best = self.links.iter().reduce(|a, b| if better(b, a, we_rank_first) { b } else { a });
        match best.map(|link| link.id) {
            Some(id) if id != self.preferred => {
                self.preferred = id;
                Change::Moved(id)
            }
            _ => Change::Nothing,
        }
    }
}

/// NET-40: whether `b`, made after `a`, is preferred.
fn better(b: &Link, a: &Link, we_rank_first: bool) -> bool {
    // A circuit never takes over from a direct connection, however late it comes.
    if !(b.way.is_lasting() && a.way.is_lasting()) && b.way != a.way {
        return b.way > a.way;
    }
    // Not crossing dials: nobody dials a peer he is connected with, so the side that dialled the
    // later one has lost the earlier one.
    if b.since.saturating_duration_since(a.since) > span(CROSSING_WINDOW) {
        return true;
    }
    if b.way != a.way {
        return b.way > a.way;
    }
    // Of crossing dials the one of the lower peer ID; of two by one side the later.
    b.ours == a.ours || b.ours == we_rank_first
}

#[cfg(test)]
mod tests;
