//! What the swarm task does when a connection comes or goes: who is connected, by which connection, and which are kept.

use std::sync::Arc;

use libp2p::core::ConnectedPoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::ConnectionId;
use tokio::time::{Instant, sleep};

use super::addresses::{Source, dialable, is_circuit};
use super::envelope::outbound;
use super::peers::{Change, Link, Way};
use super::task::Task;
use super::{from_libp2p, to_libp2p, wall_now};
use crate::base::PeerId;

impl Task {
    pub(super) fn on_established(&mut self, peer_id: &libp2p::PeerId, id: ConnectionId, endpoint: ConnectedPoint) {
        // The limits deny every other kind of key before.
        let Some(peer) = from_libp2p(peer_id) else { return };
        let mut local = None;
        let (ours, addr) = match endpoint {
            // Both dial for a hole, one of them as if he were dialled: over TCP that is one connection, which he has not
            // dialled; over QUIC it is two, and one of them is his. Both sides must see it alike.
            ConnectedPoint::Dialer { address, role_override, port_use } => {
                let own = port_use == PortUse::Reuse && Way::of(&address) == Way::Quic;
                (role_override.is_dialer() || own, address)
            }
            // One through a relay has no remote address.
            ConnectedPoint::Listener { local_addr, .. } if is_circuit(&local_addr) => (false, local_addr),
            ConnectedPoint::Listener { local_addr, send_back_addr } => {
                local = Some(local_addr);
                (false, send_back_addr)
            }
        };
        let contact = self.shared.is_contact(&peer);
        // Our own relay is no place where he can be found.
        let his = ours || contact && !is_circuit(&addr);
        if let Some(addr) = dialable(&peer, &addr).filter(|_| his) {
            self.book.note(peer, addr, Source::Seen, |peer| self.shared.is_contact(peer));
        }
        tracing::debug!(?peer, %addr, ours, "connected");
        let link = Link { id, way: self.way(&peer, id, ours, &addr), ours, since: Instant::now(), addr, local };
        let change = self.peers.opened(peer, link.clone(), contact, wall_now());
        self.on_change(peer, change);
        self.nat_established(peer, &link);
        self.close_doubles();
    }

    fn on_change(&mut self, peer: PeerId, change: Change) {
        #[cfg(test)]
        self.shared.links.send_modify(|links| _ = links.insert(peer, self.peers.links(&peer).count()));
        if change != Change::Nothing {
            let preferred = self.peers.preferred(&peer).map(|(link, _)| link.id);
            self.swarm.behaviour_mut().dht.prefer(to_libp2p(&peer), preferred);
        }
        match change {
            Change::Connected(_) => {
                let Some((link, since)) = self.peers.preferred(&peer) else { return };
                let id = link.id;
                let outbox = self.shared.connect(peer, link, since);
                for reply in self.asks.waiting(&peer) {
                    self.swarm.behaviour_mut().mail.open(to_libp2p(&peer), id, reply);
                }
                self.seeks.connected(&peer);
                tokio::spawn(outbound::serve(Arc::clone(&self.shared), peer, outbox));
                self.shared.notices.connected(peer);
            }
            Change::Moved(_) => {
                let Some((link, _)) = self.peers.preferred(&peer) else { return };
                self.shared.prefer(&peer, link);
            }
            Change::Gone => {
                self.shared.disconnect(&peer);
                self.shared.notices.disconnected(peer);
            }
            Change::Nothing => {}
        }
    }

    pub(super) fn on_closed(&mut self, peer_id: &libp2p::PeerId, connection: ConnectionId, broke: bool) {
        let Some(peer) = from_libp2p(peer_id) else { return };
        if broke {
            self.circuit_broke(&peer, connection);
        }
        tracing::debug!(?peer, %connection, "connection closed");
        let change = self.peers.closed(&peer, connection);
        self.on_change(peer, change);
        self.nat_closed(peer, connection);
    }

    /// Looks up again whose connections are kept though nothing happens on them: contacts', and those that we need.
    pub(super) fn refresh_classes(&mut self) {
        for peer in self.peers.all().collect::<Vec<_>>() {
            self.refresh_class(&peer);
        }
    }

    /// The same for one peer.
    pub(super) fn refresh_class(&mut self, peer: &PeerId) {
        let needed = self.nat.keeps(peer);
        self.swarm.behaviour_mut().limits.need(to_libp2p(peer), needed);
        let keep = self.shared.is_contact(peer) || needed;
        if self.peers.keep(peer, keep) {
            for link in self.peers.links(peer).filter(|link| link.way.is_direct()) {
                self.swarm.behaviour_mut().streams.keep(to_libp2p(peer), link.id, keep);
            }
        }
    }

    pub(super) fn close_doubles(&mut self) {
        let (due, next) = self.peers.overdue(Instant::now(), |id| self.shared.activity.traffic(id));
        for id in due {
            tracing::debug!(connection = %id, "a second connection is closed");
            self.swarm.close_connection(id);
        }
        self.doubles = next.map(|at| Box::pin(sleep(at.saturating_duration_since(Instant::now()))));
    }
}
