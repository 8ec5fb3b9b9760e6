//! What the swarm task does about relays, holes, reachability and lost connections.

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, identify, relay, upnp};
use tokio::time::Instant;

use super::alive::Checked;
use super::probe::{self, Found, Heard, Voice};
use super::relays::Rank;
use crate::base::PeerId;
use crate::base::limits::{ADDRESS_RETEST, SLEEP_SUSPECTED};
use crate::base::shown::RelayInUse;
use crate::base::words::Reachability;
use crate::net::addresses::{Scope, dialable, scope, through};
use crate::net::behaviour::BehaviourEvent;
use crate::net::peers::{Link, Way};
use crate::net::shared::Suspicion;
use crate::net::task::Task;
use crate::net::{from_libp2p, span, to_libp2p, wall_now};

/// What a relay's identify lists.
const HOP: &str = "/libp2p/circuit/relay/0.2.0/hop";

/// The address of whoever can be reached through the relay at this place.
fn circuit(place: Multiaddr, relay: &PeerId) -> Multiaddr {
    place.with(Protocol::P2p(to_libp2p(relay))).with(Protocol::P2pCircuit)
}

impl Task {
    /// What the behaviours tell that belong here.
    pub(in crate::net) fn on_nat_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Upnp(event) => self.on_upnp(&event),
            BehaviourEvent::Relay(event) => self.on_relay_service(&event),
            BehaviourEvent::Circuits(event) => self.on_circuits(&event),
            BehaviourEvent::Punch(event) => tracing::debug!(?event, "a hole"),
            _ => {}
        }
    }
}

// ---- Connections --------------------------------------------------------------------------------

impl Task {
    /// How a new connection is to be taken (NET-72): one from a peer who tries our addresses is not there to stay.
    pub(in crate::net) fn way(&mut self, peer: &PeerId, id: ConnectionId, ours: bool, addr: &Multiaddr) -> Way {
        let limits = &self.swarm.behaviour().limits;
        let trial = if ours { limits.is_trial(id) } else { self.nat.probe.is_asked(peer) };
        match Way::of(addr) {
            Way::Tcp | Way::Quic if trial && self.peers.is_connected(peer) => Way::Trial,
            way => way,
        }
    }

    /// A connection was made.
    pub(in crate::net) fn nat_established(&mut self, peer: PeerId, link: &Link) {
        self.nat.dials.connected(&peer);
        self.nat.missed.remove(&peer);
        if link.way.is_direct() {
            self.nat.redial.connected(&peer, link.since);
        }
        self.refresh_class(&peer);
        if !link.ours {
            // Nobody dials a peer he is connected with, but for a reason: an older connection may be dead (NET-81).
            let older: Vec<_> = self.peers.links(&peer).map(|link| link.id).filter(|id| *id != link.id).collect();
            for id in older {
                self.check(peer, id);
            }
        }
    }

    /// A connection is gone.
    pub(in crate::net) fn nat_closed(&mut self, peer: PeerId, id: ConnectionId) {
        self.nat.observed.forget(id);
        self.nat.identified.remove(&id);
        let direct = self.peers.links(&peer).any(|link| link.way.is_direct());
        if self.peers.links(&peer).next().is_none() {
            self.nat.probe.gone(&peer);
        }
        if !direct {
            let was_relay = self.nat.relays.uses(&peer);
            self.nat.relays.withdrawn(&peer);
            let needed = was_relay || self.peers.all().next().is_none();
            self.nat.redial.lost(&peer, needed, Instant::now());
        }
        // After a change of network the messenger's pauses are no measure: the peer is likely to be there.
        if self.is_shaken() && !self.peers.is_connected(&peer) && self.shared.is_contact(&peer) {
            self.shared.notices.discovered(peer);
        }
    }

    /// Whether the network has changed a moment ago.
    fn is_shaken(&self) -> bool {
        self.nat.changed_at.is_some_and(|at| at.elapsed() < span(SLEEP_SUSPECTED))
    }

    /// A connection has ended, or is about to, without our wish. If it was the way to the peer and led through a relay, that is tried
    /// after others next time: it may be the relay's fault.
    pub(in crate::net) fn circuit_broke(&mut self, peer: &PeerId, connection: ConnectionId) {
        let direct = self.peers.links(peer).any(|link| link.way.is_direct());
        let link = self.peers.links(peer).find(|link| link.id == connection);
        if let Some((relay, _)) = link.filter(|_| !direct).and_then(|link| through(&link.addr)) {
            self.nat.relays.circuit_broke(relay, Instant::now());
        }
    }

    fn check(&mut self, peer: PeerId, connection: ConnectionId) {
        if let Some(reply) = self.nat.checks.ask(peer, connection) {
            self.swarm.behaviour_mut().alive.open(to_libp2p(&peer), connection, reply);
        }
    }

    /// NET-81: of a connection that does not answer. Others with this peer may be as dead.
    pub(in crate::net) fn on_checked(&mut self, Checked { peer, connection, alive }: Checked) {
        if alive || self.peers.links(&peer).all(|link| link.id != connection) {
            return;
        }
        tracing::debug!(%connection, "it does not answer");
        self.swarm.close_connection(connection);
        self.circuit_broke(&peer, connection);
        let others: Vec<_> = self.peers.links(&peer).map(|link| link.id).filter(|id| *id != connection).collect();
        for id in others {
            self.check(peer, id);
        }
    }

    /// Bytes sent on this connection are unanswered. Over TCP that is no reason: there the question would wait behind them,
    /// for long on a slow line, and the system tells of an end.
    pub(in crate::net) fn suspect(&mut self, Suspicion { peer, connection }: Suspicion) {
        if self.peers.links(&peer).any(|link| link.id == connection && link.way != Way::Tcp) {
            self.check(peer, connection);
        }
    }
}

// ---- What others see ----------------------------------------------------------------------------

impl Task {
    pub(in crate::net) fn on_identify(&mut self, event: &identify::Event) {
        // His pushes are among these; those that the crate calls so are ours.
        let identify::Event::Received { connection_id, peer_id, info } = event else { return };
        let Some(peer) = from_libp2p(peer_id) else { return };
        let Some(link) = self.peers.links(&peer).find(|link| link.id == *connection_id) else { return };
        // Who may be in the routing table is told by himself.
        self.dht.on_identify(&mut self.swarm.behaviour_mut().dht, *peer_id, link, info);
        // A trial goes out by a port of its own, and is soon over.
        let trial = self.swarm.behaviour().limits.is_trial(*connection_id);
        if !link.way.is_lasting() || trial {
            return;
        }
        self.nat.probe.offers(peer, info.protocols.iter().any(|protocol| *protocol == probe::ASK));
        let (ours, addr, since) = (link.ours, link.addr.clone(), link.since);
        tracing::debug!(?peer, observed = %info.observed_addr, protocols = ?info.protocols, "identified");
        if self.nat.observed.note(*connection_id, peer, &info.observed_addr, ours) {
            self.offer_candidates();
        }
        // Where others can reach him, too: of one who has dialled us we do not know it.
        let place = Some(addr).filter(|_| ours).and_then(|addr| dialable(&peer, &addr));
        let offers = info.protocols.iter().any(|protocol| *protocol == HOP);
        let rank = match (self.nat.redial.names(&peer), self.shared.is_contact(&peer)) {
            (true, _) => Rank::Named,
            (false, true) => Rank::Contact,
            (false, false) => Rank::Stranger,
        };
        match place.filter(|_| offers) {
            Some(place) => self.nat.relays.offered(peer, place, rank, since),
            None if ours => self.nat.relays.withdrawn(&peer),
            None => {}
        }
        if self.nat.identified.insert(*connection_id, peer).is_none() {
            self.relay_ready(&peer);
        }
        self.look_after_relays();
        self.show_place();
    }

    /// Tells the behaviours which addresses of ours are worth a try (NET-70).
    fn offer_candidates(&mut self) {
        let behaviour = self.swarm.behaviour_mut();
        for addr in self.nat.observed.holes(&self.listen_addrs, self.nat.scope) {
            behaviour.punch.candidate(&addr);
        }
        if self.nat.reach.is_open() {
            for addr in self.nat.observed.doors(&self.listen_addrs, self.nat.scope) {
                self.nat.probe.candidate(&addr);
            }
        }
    }

    /// Asks peers to try our addresses, when it is time (NET-73).
    fn try_addresses(&mut self, now: Instant) {
        if !self.nat.reach.is_open() || !self.nat.probe.is_due(now) {
            return;
        }
        for (peer, connection, reply) in self.nat.probe.ask(&self.peers, now) {
            self.swarm.behaviour_mut().asked.open(to_libp2p(&peer), connection, reply);
        }
        for found in self.nat.probe.settled(&self.peers) {
            self.on_found(found);
        }
    }

    /// Something was heard of our addresses.
    pub(in crate::net) fn on_heard(&mut self, number: u64, heard: Heard) {
        let found = self.nat.probe.on_heard(number, heard, &self.peers);
        if let Some(found) = found.filter(|_| self.nat.reach.is_open()) {
            self.on_found(found);
        }
    }

    fn on_found(&mut self, found: Found) {
        match found {
            Found::Reached(addr, voice) => {
                self.swarm.add_external_address(addr.clone());
                self.reached(&addr, Some(voice));
            }
            Found::Unreached(addr) => {
                if self.nat.reach.failed(&addr) {
                    self.swarm.remove_external_address(&addr);
                }
                self.reach_changed();
            }
        }
    }

    /// An address of ours was reached from outside, or a router forwards it to us, or a relay does.
    pub(in crate::net) fn on_confirmed(&mut self, addr: &Multiaddr) {
        self.reached(addr, None);
    }

    fn reached(&mut self, addr: &Multiaddr, by: Option<Voice>) {
        let sure = self.nat.reach.is_sure();
        let new = self.nat.reach.confirmed(addr, by);
        if new {
            tracing::info!(%addr, "reachable");
            self.swarm.behaviour_mut().punch.candidate(addr);
        }
        if new || self.nat.reach.is_sure() != sure {
            self.reach_changed();
        }
    }

    /// It is no longer.
    pub(in crate::net) fn on_unconfirmed(&mut self, addr: &Multiaddr) {
        if self.nat.reach.gone(addr) {
            self.reach_changed();
        }
    }

    /// NET-71, NET-62: what follows from being reachable, or not.
    pub(super) fn reach_changed(&mut self) {
        let public = self.nat.reachability() == Reachability::Public;
        if let Some(relay) = self.swarm.behaviour_mut().relay.as_mut() {
            let status = if public { relay::Status::Enable } else { relay::Status::Disable };
            relay.inner().set_status(Some(status));
        }
        if self.nat.reach.is_sure() {
            for listener in self.nat.relays.listeners() {
                self.swarm.remove_listener(listener);
            }
        }
        self.look_after_relays();
        self.show_place();
    }
}

// ---- Relays -------------------------------------------------------------------------------------

impl Task {
    /// Asks for reservations while it is not sure that others reach us without (NET-62).
    fn look_after_relays(&mut self) {
        if self.nat.reach.is_sure() {
            return;
        }
        let now = Instant::now();
        while let Some((relay, place)) = self.nat.relays.next(now) {
            match self.swarm.listen_on(circuit(place.clone(), &relay)) {
                Ok(listener) => {
                    tracing::debug!(?relay, "asked to be our relay");
                    self.nat.relays.asked(relay, place, listener, now);
                    self.refresh_class(&relay);
                }
                Err(error) => {
                    tracing::debug!(?relay, %error, "cannot be our relay");
                    self.nat.relays.withdrawn(&relay);
                }
            }
        }
    }

    /// A listener has an address. Tells whether it is one on a relay.
    pub(in crate::net) fn on_granted(&mut self, listener: ListenerId, addr: &Multiaddr) -> bool {
        let Some((relay, place)) = self.nat.relays.relay_of(listener) else { return false };
        // A relay says itself where it is. We know where we are connected with it; what it says of other machines is not
        // told on, or it could send all who look for us to somebody else (NET-63). Our own peer ID at the end is not part of an address here.
        let machine = |addr: &Multiaddr| addr.iter().next().map(|part| part.to_string());
        let mut machines: Vec<_> = self.peers.links(&relay).map(|link| machine(&link.addr)).collect();
        machines.push(machine(&place));
        let said = dialable(&self.shared.me, addr).filter(|addr| {
            through(addr).is_some_and(|(named, said)| named == relay && machines.contains(&machine(&said)))
        });
        for addr in [Some(circuit(place, &relay)), said].into_iter().flatten() {
            if self.nat.relays.granted(listener, addr.clone(), wall_now()) {
                tracing::info!(%addr, "reachable through a relay");
            }
        }
        self.show_place();
        true
    }

    /// A listener is closed; if it was one on a relay, that is lost.
    pub(in crate::net) fn on_relay_lost(&mut self, listener: ListenerId) {
        let Some(addrs) = self.nat.relays.closed(listener, Instant::now()) else { return };
        let stood = !addrs.is_empty();
        for addr in addrs {
            tracing::info!(%addr, "no longer reachable through a relay");
        }
        // Who refuses is not asked again at once, or he would be asked without end.
        if stood && self.is_shaken() {
            self.nat.relays.wake();
        }
        self.show_place();
        self.look_after_relays();
    }

    fn on_circuits(&mut self, event: &relay::client::Event) {
        tracing::debug!(?event, "a relay");
        if let relay::client::Event::ReservationReqAccepted { relay_peer_id, .. } = event
            && let Some(relay) = from_libp2p(relay_peer_id)
            && let Some(listener) = self.nat.relays.renewed(&relay, Instant::now())
        {
            tracing::debug!(?relay, "its reservations do not last");
            self.swarm.remove_listener(listener);
        }
    }

    fn on_relay_service(&mut self, event: &relay::Event) {
        tracing::debug!(?event, "our relay");
        let (swarm, peers) = (&mut self.swarm, &self.peers);
        if let Some(usage) = &self.nat.usage {
            let origin = |peer: &libp2p::PeerId| from_libp2p(peer).and_then(|peer| peers.origin(&peer));
            let connected = |peer: &libp2p::PeerId| from_libp2p(peer).is_some_and(|peer| peers.is_connected(&peer));
            for peer in usage.on_event(event, connected, origin) {
                swarm.behaviour_mut().limits.relay_for(peer, usage.serves(&peer));
            }
        }
        self.show_place();
    }
}

// ---- Time and change ----------------------------------------------------------------------------

impl Task {
    /// Looks at everything that has its time (every `TICK`).
    pub(in crate::net) fn tick(&mut self) {
        let now = Instant::now();
        // NET-51: what others reach only through a relay is not where they would ask for records.
        let public = self.nat.reachability() == Reachability::Public;
        let behaviour = self.swarm.behaviour_mut();
        self.dht.set_server(&mut behaviour.dht, public);
        behaviour.limits.set_server(self.dht.is_server());
        if self.nat.clocks.look(now, wall_now()) {
            tracing::info!("the machine was asleep");
            self.nat.changed = true;
        }
        if std::mem::take(&mut self.nat.changed) {
            self.network_changed(now);
        }
        for peer in self.nat.redial.due(now) {
            self.connect(peer, Vec::new());
        }
        for peer in self.nat.dials.expire(now) {
            self.unreachable(peer);
        }
        self.dial_what_is_left();
        for listener in self.nat.relays.overdue(now) {
            self.swarm.remove_listener(listener);
        }
        self.look_after_relays();
        self.try_addresses(now);
        if now.saturating_duration_since(self.nat.tried_at) >= span(ADDRESS_RETEST) {
            self.try_addresses_again(now);
        }
        if self.nat.router.is_due(now) {
            self.ask_router_again(now);
        }
        self.discovery.again(&self.shared, &mut self.swarm.behaviour_mut().mdns, &self.listen_addrs, now);
    }

    /// NET-82: whatever was true of the network may no longer be.
    fn network_changed(&mut self, now: Instant) {
        tracing::debug!("the network has changed");
        self.nat.changed_at = Some(now);
        let links: Vec<_> = self
            .peers
            .all()
            .flat_map(|peer| self.peers.links(&peer).map(move |link| (peer, link.id)).collect::<Vec<_>>())
            .collect();
        for (peer, id) in links {
            self.check(peer, id);
        }
        self.nat.redial.wake(now);
        self.nat.relays.wake();
        self.ask_router_again(now);
        self.try_addresses_again(now);
        let missed = std::mem::take(&mut self.nat.missed);
        let seen = self.book.peers().filter(|peer| self.shared.is_contact(peer));
        for peer in missed.into_iter().chain(seen).filter(|peer| !self.peers.is_connected(peer)) {
            self.shared.notices.discovered(peer);
        }
        self.reach_changed();
    }

    /// NET-73.
    fn try_addresses_again(&mut self, now: Instant) {
        self.nat.tried_at = now;
        self.nat.probe.again();
        let known: Vec<_> = self.nat.reach.addrs().cloned().collect();
        if self.nat.reach.is_open() {
            for addr in known {
                self.nat.probe.candidate(&addr);
            }
        }
        self.offer_candidates();
    }

    /// A listener's address counts as reachable at once when the user says that we are.
    pub(in crate::net) fn declare(&mut self, addr: &Multiaddr) {
        if self.nat.reach.is_declared() && scope(addr) >= self.nat.scope.min(Scope::Local) {
            self.swarm.add_external_address(addr.clone());
            self.on_confirmed(addr);
        }
    }

    /// Where we can be reached: the listeners, what was reached from outside, the relays.
    fn all_addrs(&self) -> Vec<String> {
        let circuits = self.nat.relays.standing().into_iter().flat_map(|relay| &relay.addrs);
        let mut all = Vec::new();
        for addr in self.listen_addrs.iter().chain(self.nat.reach.addrs()).chain(circuits).map(Multiaddr::to_string) {
            if !all.contains(&addr) {
                all.push(addr);
            }
        }
        all
    }

    /// Puts what is known of our place where the handle finds it.
    pub(in crate::net) fn show_place(&self) {
        let nat = &self.nat;
        let relays = nat.relays.standing().into_iter().filter_map(|standing| {
            let (peer_id, addr) = (standing.relay, standing.addrs.first()?.to_string());
            let places = standing.addrs.iter().filter_map(through).map(|(_, place)| place.to_string()).collect();
            Some((RelayInUse { peer_id, addr, since: standing.since }, (peer_id, places)))
        });
        let addrs = self.all_addrs();
        self.shared.show(|status| {
            status.listen_addrs = addrs;
            status.reachability = nat.reachability();
            status.external_addrs = nat.reach.addrs().map(Multiaddr::to_string).collect();
            (status.relays, status.relay_places) = relays.unzip();
            status.nat = nat.observed.kind(&self.listen_addrs);
            status.upnp = nat.router.status();
            status.relay_service = nat.usage.as_ref().map(super::service::Usage::told);
        });
    }
}

// ---- The router ---------------------------------------------------------------------------------

impl Task {
    fn on_upnp(&mut self, event: &upnp::Event) {
        tracing::debug!(?event, "the router");
        for addr in self.nat.router.on_event(event) {
            self.swarm.remove_external_address(&addr);
            self.on_unconfirmed(&addr);
        }
        if let upnp::Event::NewExternalAddr { external_addr, .. } = event {
            // The router's word is taken, until somebody has tried.
            self.nat.probe.candidate(external_addr);
        }
        self.show_place();
    }

    /// Asks again what may have changed there.
    fn ask_router_again(&mut self, now: Instant) {
        if let Some(behaviour) = self.swarm.behaviour_mut().upnp.as_mut() {
            *behaviour = self.nat.router.ask_again(now);
        }
    }
}
