//! What the handle, the swarm task and the tasks of the streams have in common. Every lock is held
//! for a few lines and never across an await.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use libp2p::swarm::ConnectionId;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::budget::{Budget, Who};
use super::classes::Classes;
use super::config::Lanes;
use super::error::SendError;
use super::limits::activity::Activity;
use super::lock;
use super::notices::Notices;
use super::origin::Origin;
use super::peers::Link;
use super::status::NetStatus;
use super::streams;
use crate::base::limits::{ENVELOPES, MAX_IN_FLIGHT, MAX_IN_FLIGHT_BYTES};
use crate::base::shown::Connection;
use crate::base::words::DhtStatus;
use crate::base::{PeerId, WallTime};
use crate::envelope::border::{Class, Event};

/// An envelope on its way into the stream to its recipient.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) ticket: u64,
    pub(super) bytes: Arc<[u8]>,
}

/// Tells the swarm task that a connection may be dead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspicion {
    pub(super) peer: PeerId,
    pub(super) connection: ConnectionId,
}

/// Asks the swarm task for a stream.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) peer: PeerId,
    pub(super) connection: ConnectionId,
    pub(super) reply: streams::Reply,
}

pub(super) struct Shared {
    pub(super) me: PeerId,
    pub(super) lanes: Lanes,
    pub(super) classes: Classes,
    pub(super) notices: Arc<Notices>,
    /// What happens on connections.
    pub(super) activity: Activity,
    /// To the swarm task, from the tasks of the streams.
    pub(super) opens: mpsc::Sender<Open>,
    suspicions: mpsc::Sender<Suspicion>,
    /// How many connections there are with each peer.
    #[cfg(test)]
    pub(super) links: watch::Sender<HashMap<PeerId, usize>>,
    /// The places of those who are coming in.
    #[cfg(test)]
    pub(super) entrances: super::handshakes::Entrances,
    /// Whatever is counted in the network, each by its name; only when somebody looks.
    #[cfg(test)]
    pub(super) counts: watch::Sender<Vec<(&'static str, usize)>>,
    /// Changes whenever the status does.
    #[cfg(test)]
    pub(super) places: watch::Sender<()>,
    /// Our part in the DHT.
    pub(super) dht: watch::Sender<DhtStatus>,
    registry: Mutex<Registry>,
    envelopes: Mutex<Budget>,
}

#[derive(Debug, Default)]
struct Registry {
    peers: HashMap<PeerId, Peer>,
    /// But for the peers and the DHT.
    status: NetStatus,
}

/// A connected peer.
#[derive(Debug)]
struct Peer {
    queue: mpsc::Sender<Outgoing>,
    load: Arc<Load>,
    preferred: watch::Sender<ConnectionId>,
    status: Connection,
}

/// The receiving ends of a connected peer, for the task that sends to him.
#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) queue: mpsc::Receiver<Outgoing>,
    pub(super) load: Arc<Load>,
    pub(super) preferred: watch::Receiver<ConnectionId>,
}

/// How many envelopes, and bytes, are on their way to one peer: queued, or sent and not answered (NET-18).
#[derive(Debug, Default)]
pub(super) struct Load(Mutex<(usize, usize)>);

impl Load {
    pub(super) fn take(&self, len: usize) -> bool {
        let mut load = lock(&self.0);
        let fits = load.0 < MAX_IN_FLIGHT && load.1 + len <= MAX_IN_FLIGHT_BYTES;
        if fits {
            *load = (load.0 + 1, load.1 + len);
        }
        fits
    }

    /// An envelope of this length has its outcome.
    pub(super) fn give_back(&self, len: usize) {
        let mut load = lock(&self.0);
        *load = (load.0 - 1, load.1 - len);
    }
}

impl Shared {
    pub(super) fn new(
        me: PeerId,
        lanes: Lanes,
        classes: Classes,
        activity: Activity,
        opens: mpsc::Sender<Open>,
        suspicions: mpsc::Sender<Suspicion>,
    ) -> Self {
        Self {
            me,
            lanes,
            classes,
            notices: Arc::default(),
            activity,
            opens,
            suspicions,
            #[cfg(test)]
            links: watch::Sender::default(),
            #[cfg(test)]
            counts: watch::Sender::default(),
            #[cfg(test)]
            places: watch::Sender::default(),
            #[cfg(test)]
            entrances: super::handshakes::Entrances::default(),
            dht: watch::Sender::default(),
            registry: Mutex::default(),
            envelopes: Mutex::new(Budget::new(ENVELOPES)),
        }
    }

    /// With the places of those who are coming in.
    #[cfg(test)]
    pub(super) fn with_entrances(self, entrances: super::handshakes::Entrances) -> Self {
        Self { entrances, ..self }
    }

    pub(super) fn is_contact(&self, peer: &PeerId) -> bool {
        self.classes.of(peer) == Class::Contact
    }

    /// The lane of what this peer sends.
    pub(super) fn lane(&self, peer: &PeerId) -> &mpsc::Sender<Event> {
        self.lanes.of(self.classes.of(peer))
    }

    /// A peer as he is counted.
    pub(super) fn who(&self, peer: PeerId, address: Option<Origin>) -> Who {
        Who::new(self.classes.of(&peer), Some(peer), address)
    }

    /// Whether an envelope more is taken from him.
    pub(super) fn takes_envelope(&self, who: &Who) -> bool {
        lock(&self.envelopes).take(who, Instant::now())
    }

    // ---- peers ----------------------------------------------------------------------------------

    /// A peer is connected: gives the ends for the task that sends to him.
    pub(super) fn connect(&self, peer: PeerId, link: &Link, since: WallTime) -> Outbox {
        // As long as the load allows, so that a send that the load allows always finds room.
        let (queue, receiver) = mpsc::channel(MAX_IN_FLIGHT);
        let (preferred, watched) = watch::channel(link.id);
        let load = Arc::new(Load::default());
        let outbox = Outbox { queue: receiver, load: Arc::clone(&load), preferred: watched };
        let (addr, direct) = (link.addr.to_string(), link.way.is_direct());
        let status = Connection { peer_id: peer, name: String::new(), addr, direct, since };
        lock(&self.registry).peers.insert(peer, Peer { queue, load, preferred, status });
        outbox
    }

    /// Another connection with this peer is preferred now.
    pub(super) fn prefer(&self, peer: &PeerId, link: &Link) {
        if let Some(known) = lock(&self.registry).peers.get_mut(peer) {
            (known.status.addr, known.status.direct) = (link.addr.to_string(), link.way.is_direct());
            known.preferred.send_replace(link.id);
        }
        #[cfg(test)]
        self.places.send_replace(());
    }

    /// Whether the preferred connection with this peer goes straight to him.
    pub(super) fn is_direct(&self, peer: &PeerId) -> bool {
        lock(&self.registry).peers.get(peer).is_some_and(|known| known.status.direct)
    }

    /// Nothing comes back on this connection, though something should. With too many suspicions it is told again.
    pub(super) fn suspect(&self, peer: PeerId, connection: ConnectionId) {
        let _ = self.suspicions.try_send(Suspicion { peer, connection });
    }

    /// The peer is no longer connected: what waits for him is reported lost by its task.
    pub(super) fn disconnect(&self, peer: &PeerId) {
        lock(&self.registry).peers.remove(peer);
    }

    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        lock(&self.registry).peers.contains_key(peer)
    }

    /// Queues an envelope for a connected peer.
    pub(super) fn send(&self, peer: &PeerId, outgoing: Outgoing) -> Result<(), SendError> {
        let registry = lock(&self.registry);
        let known = registry.peers.get(peer).ok_or(SendError::NotConnected)?;
        let len = outgoing.bytes.len();
        if !known.load.take(len) {
            return Err(SendError::Full);
        }
        known.queue.try_send(outgoing).map_err(|error| {
            known.load.give_back(len);
            match error {
                mpsc::error::TrySendError::Full(_) => SendError::Full,
                mpsc::error::TrySendError::Closed(_) => SendError::NotConnected,
            }
        })
    }

    // ---- status ---------------------------------------------------------------------------------

    /// Puts what is known of our place where the handle finds it; where we can be reached now is told when it is new.
    pub(super) fn show(&self, change: impl FnOnce(&mut NetStatus)) {
        let status = &mut lock(&self.registry).status;
        let (listen_addrs, places) = (status.listen_addrs.clone(), status.relay_places.clone());
        change(status);
        if status.listen_addrs != listen_addrs {
            self.notices.latest(Event::Listening(status.listen_addrs.clone()));
        }
        if status.relay_places != places {
            self.notices.latest(Event::Relays(status.relay_places.clone()));
        }
        #[cfg(test)]
        self.places.send_replace(());
    }

    pub(super) fn status(&self) -> NetStatus {
        let registry = lock(&self.registry);
        let mut peers: Vec<_> = registry.peers.values().map(|known| known.status.clone()).collect();
        peers.sort_by_key(|status| status.peer_id);
        NetStatus { peers, dht: *self.dht.borrow(), ..registry.status.clone() }
    }

    /// Everybody is disconnected: the network stops.
    pub(super) fn clear(&self) {
        let mut registry = lock(&self.registry);
        registry.peers.clear();
        registry.status = NetStatus::default();
        self.dht.send_replace(DhtStatus::default());
    }
}

/// Hands an event over to the node, which may take its time; the permit bounds those who wait.
pub(super) async fn hand_over(lane: mpsc::Sender<Event>, event: Event, permit: impl Send) {
    let place = lane.reserve().await;
    drop(permit);
    // Without a place the node has stopped.
    if let Ok(place) = place {
        place.send(event);
    }
}
